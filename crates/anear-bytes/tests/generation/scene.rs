//! The store of these tests: a few versions of it, and every way one may replace another.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anear_bytes::testing::CrashFs;
use anear_bytes::{Contents, Error, Fs, Loaded, Payload, load_generation, save_generation};

/// Its folder does not exist at first.
pub(crate) const DIR: &str = "/store";
pub(crate) const STEM: &str = "index";

/// What a folder may hold under the store's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Missing,
    /// Another program's files.
    Foreign(BTreeMap<PathBuf, Vec<u8>>),
    Saved(Version),
}

/// What was given to a save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) meta: String,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl Version {
    fn new(meta: &str, files: &[(&str, &[u8])]) -> Self {
        let files = files
            .iter()
            .map(|(name, bytes)| (name.to_string(), bytes.to_vec()))
            .collect();
        Self {
            meta: meta.into(),
            files,
        }
    }

    pub(crate) fn loaded(meta: String, files: BTreeMap<String, Contents>) -> Self {
        let files = files.into_iter().map(|(name, bytes)| (name, bytes.to_vec()));
        Self {
            meta,
            files: files.collect(),
        }
    }

    pub(crate) fn save(&self, fs: &dyn Fs, dir: &Path) -> Result<(), Error> {
        let files = self.files.iter().map(|(name, bytes)| Payload::bytes(name, bytes));
        let others = ["index.faiss", "index.pkl"].into_iter();
        let absent = others
            .filter(|name| !self.files.contains_key(*name))
            .map(Payload::absent);
        save_generation(fs, dir, STEM, files.chain(absent).collect(), &self.meta)
    }
}

pub(crate) fn first() -> Version {
    Version::new(
        r#"{"v":1}"#,
        &[("index.faiss", b"first vectors"), ("index.pkl", b"first texts")],
    )
}

pub(crate) fn second() -> Version {
    Version::new(
        r#"{"v":2}"#,
        &[("index.faiss", b"second vectors, more"), ("index.pkl", b"second")],
    )
}

/// Shares a file with the first.
pub(crate) fn half_new() -> Version {
    Version::new(
        r#"{"v":3}"#,
        &[("index.faiss", b"first vectors"), ("index.pkl", b"other texts")],
    )
}

/// Has other files than the first.
pub(crate) fn boxed() -> Version {
    Version::new(r#"{"v":4}"#, &[("index.anear", b"all in one box")])
}

/// A disk, the version that is saved on it, and what this is called.
pub(crate) fn scenes() -> Vec<(&'static str, CrashFs, Version)> {
    let foreign = CrashFs::new();
    foreign.put(format!("{DIR}/index.faiss"), b"foreign vectors");
    foreign.put(format!("{DIR}/index.pkl"), b"foreign texts");
    vec![
        ("first save", CrashFs::new(), first()),
        ("other files than a foreign store's", durable(&foreign), boxed()),
        ("over a foreign store", foreign, first()),
        ("over another version", saved(&first()), second()),
        ("over the same version", saved(&first()), first()),
        ("one file new", saved(&first()), half_new()),
        ("other files than before", saved(&first()), boxed()),
        ("back to two files", saved(&boxed()), first()),
    ]
}

/// A disk on which a version was saved long ago.
pub(crate) fn saved(version: &Version) -> CrashFs {
    let disk = CrashFs::new();
    version.save(&disk, Path::new(DIR)).unwrap();
    durable(&disk)
}

/// The same disk with everything certain.
pub(crate) fn durable(disk: &CrashFs) -> CrashFs {
    let copy = CrashFs::new();
    disk.files().iter().for_each(|(path, bytes)| copy.put(path, bytes));
    copy
}

pub(crate) fn save(disk: &dyn Fs, version: &Version) -> Result<(), Error> {
    version.save(disk, Path::new(DIR))
}

/// What a program that opens the folder finds.
pub(crate) fn load(disk: &CrashFs) -> Result<State, Error> {
    Ok(match load_with(disk)? {
        Loaded::Committed { meta, files } => State::Saved(Version::loaded(meta, files)),
        Loaded::Foreign => State::Foreign(visible(disk)),
        Loaded::Missing => State::Missing,
    })
}

pub(crate) fn load_with(fs: &dyn Fs) -> Result<Loaded, Error> {
    load_generation(fs, Path::new(DIR), STEM, &[])
}

/// The files that a person sees in the folder.
pub(crate) fn visible(disk: &CrashFs) -> BTreeMap<PathBuf, Vec<u8>> {
    let is_visible = |path: &PathBuf| !path.file_name().unwrap().to_str().unwrap().starts_with('.');
    disk.files().into_iter().filter(|(path, _)| is_visible(path)).collect()
}

/// Every file has its final name, and no save left anything hidden but the lock file.
pub(crate) fn check_tidy(disk: &CrashFs, version: &Version) {
    let files = disk.files();
    for (name, bytes) in &version.files {
        assert_eq!(&files[&Path::new(DIR).join(name)], bytes, "{name} under its final name");
    }
    let hidden = files.len() - visible(disk).len();
    assert_eq!(hidden, 1, "{:?}", files.keys());
    assert!(files.contains_key(&Path::new(DIR).join(".index.lock")));
}

/// And no file of an older version is left.
pub(crate) fn check_alone(disk: &CrashFs, version: &Version) {
    check_tidy(disk, version);
    assert_eq!(
        visible(disk).len(),
        version.files.len() + 1,
        "{:?}",
        visible(disk).keys()
    );
}
