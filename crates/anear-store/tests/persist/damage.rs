//! Truncation and bit flips at every byte of what was saved, and files of different saves put together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anear_bytes::RealFs;
use anear_bytes::testing::CrashFs;
use anear_documents::Document;
use anear_store::{Error, LocalStore};

use super::scene::{
    DIR, NAME, Version, block_on, builder, first, first_elsewhere, fixtures, langchains, load, saved, second, written,
};

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A small store whose files hold one of each thing there is.
fn small() -> Version {
    let mut version = first();
    let document = Document::new("text").with_id("c").with_metadata("l", [1.5, f64::NAN]);
    version.documents.push((document, vec![0.0, 0.0, 1.0]));
    version
}

/// What a person sees in the folder.
fn visible(disk: &CrashFs) -> Files {
    let is_visible = |path: &PathBuf| !path.file_name().unwrap().to_str().unwrap().starts_with('.');
    disk.files().into_iter().filter(|(path, _)| is_visible(path)).collect()
}

/// Loads the folder with these files in it.
fn load_files(files: &Files) -> Result<LocalStore, Error> {
    let disk = CrashFs::new();
    files.iter().for_each(|(path, bytes)| disk.put(path, bytes));
    block_on(builder(disk).load_local(DIR, NAME))
}

fn load_bytes(bytes: &[u8]) -> Result<LocalStore, Error> {
    block_on(builder(RealFs).deserialize_from_bytes(bytes.to_vec()))
}

/// Every way to cut these bytes short, to flip one of their bits or to lose a block of them, with its name.
fn damages(bytes: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> + '_ {
    let cuts = (0..bytes.len()).map(|len| (format!("cut to {len}"), bytes[..len].to_vec()));
    let flips = (0..bytes.len() * 8).map(|at| {
        let mut flipped = bytes.to_vec();
        flipped[at / 8] ^= 1 << (at % 8);
        (format!("bit {} of byte {}", at % 8, at / 8), flipped)
    });
    // What a lost sector leaves behind, at a size that suits small files.
    let blocks = (0..bytes.len()).step_by(16).filter_map(move |start| {
        let mut zeroed = bytes.to_vec();
        let end = bytes.len().min(start + 64);
        zeroed[start..end].fill(0);
        (zeroed != bytes).then(|| (format!("zeros from {start} to {end}"), zeroed))
    });
    cuts.chain(flips).chain(blocks)
}

#[test]
fn damage_at_every_byte_of_a_saved_folder_is_reported_with_the_file() {
    let files = visible(&saved(&small()));
    assert_eq!(files.len(), 3);
    let mut count = 0;
    for (path, bytes) in &files {
        for (what, damaged) in damages(bytes) {
            let mut files = files.clone();
            files.insert(path.clone(), damaged);
            let error = load_files(&files).expect_err(&what);
            assert!(
                matches!(error, Error::Storage(_)),
                "{}, {what}: {error:?}",
                path.display()
            );
            assert!(error.to_string().contains(path.to_str().unwrap()), "{what}: {error}");
            count += 1;
        }
    }
    println!("{count} damaged folders, each refused with the name of the file");
}

#[test]
fn damage_at_every_byte_of_serialized_bytes_is_reported() {
    let bytes = block_on(small().store(RealFs).serialize_to_bytes()).unwrap();
    let mut count = 0;
    for (what, damaged) in damages(&bytes) {
        let error = load_bytes(&damaged).expect_err(&what);
        assert!(
            matches!(error, Error::Storage(_) | Error::NotAStore { .. }),
            "{what}: {error:?}"
        );
        count += 1;
    }
    println!("{count} damaged containers, each refused");
}

#[test]
fn damage_at_every_byte_of_a_sealed_pickle_is_reported() {
    let bytes = block_on(small().store(RealFs).serialize_to_pickle()).unwrap();
    assert_eq!(written(&load_bytes(&bytes).unwrap()), small().written());
    let (mut seals, mut count) = (0, 0);
    for (what, damaged) in damages(&bytes) {
        // Above all not as the store of LangChain's that it is without its seal: the settings would be lost.
        let error = load_bytes(&damaged).expect_err(&what);
        assert!(
            matches!(error, Error::Meta(_) | Error::Pickle(_) | Error::NotAStore { .. }),
            "{what}: {error:?}"
        );
        seals += usize::from(matches!(error, Error::Meta(_)));
        count += 1;
    }
    println!("{count} damaged pickles, each refused; {seals} by their seal");
    assert!(seals > count - 20);
}

#[test]
fn a_damaged_section_is_named() {
    let bytes = block_on(small().store(RealFs).serialize_to_bytes()).unwrap();
    for (section, needle) in [
        ("meta", &b"EUCLIDEAN"[..]),
        ("docs", b"page_content"),
        ("indx", b"ANEARBOX"),
    ] {
        let at = bytes
            .windows(needle.len())
            .rposition(|window| window == needle)
            .unwrap();
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        let error = load_bytes(&damaged).unwrap_err().to_string();
        assert!(error.contains(&format!("`{section}`")), "{error}");
    }
}

/// LangChain's files have no checksum: what is cut short is refused, a flipped payload cannot be seen.
#[test]
fn damage_at_every_byte_of_langchains_files_never_panics_and_cuts_are_refused() {
    let files = visible(&langchains());
    let (mut cuts, mut flips, mut unseen) = (0, 0, 0);
    let mut count = |what: &str, result: Result<LocalStore, Error>| {
        match (&result, what.starts_with("cut")) {
            (Ok(_), true) => panic!("{what} was not seen"),
            (Err(_), true) => cuts += 1,
            (Err(_), false) => flips += 1,
            (Ok(store), false) => {
                flips += 1;
                unseen += 1;
                // Whole, whatever it holds.
                written(store);
            }
        }
        if let Err(error) = result {
            assert!(!matches!(error, Error::Panicked(_)), "{what}: {error}");
        }
    };
    for (path, bytes) in &files {
        for (what, damaged) in damages(bytes) {
            let mut files = files.clone();
            files.insert(path.clone(), damaged);
            count(&what, load_files(&files));
        }
    }
    let bytes = std::fs::read(fixtures().join("lc042_py311/bytes.pkl")).unwrap();
    for (what, damaged) in damages(&bytes) {
        count(&what, load_bytes(&damaged));
    }
    println!("{cuts} cuts refused; {flips} flips and lost blocks, {unseen} of them in what no checksum covers");
}

#[test]
fn a_damaged_file_of_langchains_is_named() {
    let files = visible(&langchains());
    for name in ["index.faiss", "index.pkl"] {
        let mut files = files.clone();
        let path = Path::new(DIR).join(name);
        files.get_mut(&path).unwrap().truncate(20);
        let error = load_files(&files).unwrap_err();
        assert!(
            matches!(&error, Error::File { path: at, .. } if *at == path),
            "{error:?}"
        );
        assert!(
            error
                .to_string()
                .starts_with(&format!("cannot load {}: ", path.display())),
            "{error}"
        );
    }
}

#[test]
fn files_of_different_saves_are_refused_or_are_one_of_the_saves() {
    let versions = [first(), second(), first_elsewhere()];
    let generations: Vec<Files> = versions.iter().map(|version| visible(&saved(version))).collect();
    let paths: Vec<&PathBuf> = generations[0].keys().collect();
    let (mut refused, mut whole) = (0, 0);
    for mixture in 0..versions.len().pow(3) {
        let from = [mixture % 3, mixture / 3 % 3, mixture / 9];
        let files: Files = paths
            .iter()
            .zip(from)
            .map(|(path, from)| ((*path).clone(), generations[from][*path].clone()))
            .collect();
        let manifest = paths
            .iter()
            .position(|path| path.ends_with("index.anear.json"))
            .unwrap();
        match load_files(&files) {
            Ok(store) => {
                assert_eq!(written(&store), versions[from[manifest]].written(), "{from:?}");
                whole += 1;
            }
            Err(error) => {
                assert!(
                    matches!(error, Error::Storage(anear_bytes::Error::DamagedFile { .. })),
                    "{error:?}"
                );
                refused += 1;
            }
        }
    }
    println!("{whole} mixtures are what their manifest says, {refused} refused");
    // Of the 27, three are no mixtures; the first and third version share their documents.
    assert_eq!((whole, refused), (5, 22));
}

#[test]
fn a_lost_file_is_named() {
    let files = visible(&saved(&first()));
    for name in ["index.faiss", "index.pkl"] {
        let mut files = files.clone();
        files.remove(&Path::new(DIR).join(name));
        let error = load_files(&files).unwrap_err().to_string();
        assert!(
            error.contains(&format!("{DIR}/{name}")) && error.contains("nothing"),
            "{error}"
        );
    }
}

#[test]
fn a_manifest_that_was_taken_away_leaves_a_folder_like_langchains() {
    let mut files = visible(&saved(&first()));
    files.remove(&Path::new(DIR).join("index.anear.json"));
    assert_eq!(written(&load_files(&files).unwrap()), first().written());
    let disk = CrashFs::new();
    files.iter().for_each(|(path, bytes)| disk.put(path, bytes));
    assert_eq!(load(disk).unwrap(), Some(first().written()));
}
