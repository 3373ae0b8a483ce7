//! Saved stores: a set of files in a folder that is replaced as one, whatever happens meanwhile.
//!
//! The files have fixed names, under which other programs read them, so a rename each is not enough:
//! a crash in between would leave a mixture. A manifest beside them, `<stem>.anear.json`, names every
//! file with its length and SHA-256, and **the rename of the manifest is the one commit point**:
//!
//! 1. *Stage*: each file is written under a name of its own, `.<file>.<digest>.staged`, and synced; so is
//!    the new manifest; then the folder. Until here nothing that the old manifest names was touched.
//! 2. *Commit*: the manifest is renamed into place, and the folder synced.
//! 3. *Publish*: files without a successor are removed, and that is made certain; then each staged file is
//!    renamed to its final name. A reader that finds another file there takes the staged one, so a crash in
//!    between changes nothing for it; and other programs find none of the old files beside the new ones they
//!    do not belong to.
//!
//! A save begins by finishing step 3 of the save before it, if that was cut short: the committed version
//! may still be at its staged names only. And before it acts on a manifest that it finds, it makes that
//! manifest certain, or a power cut might bring back an older one whose files are gone.
//!
//! `folder.rs` has these steps, `manifest.rs` the manifest.

mod folder;
mod manifest;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use folder::Folder;

use crate::{Contents, Error, Fs, Result};

/// How often a load begins anew because the store was saved while it was read.
const ATTEMPTS: usize = 10;

type Content<'a> = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + 'a>;

/// One file of a save: its final name and what goes into it, if it is to be there.
pub struct Payload<'a> {
    name: &'a str,
    write: Option<Content<'a>>,
}

impl<'a> Payload<'a> {
    /// A file with these bytes. The name is `<stem>.<extension>`, the extension of ASCII letters, digits,
    /// `_` and `-`.
    pub fn bytes(name: &'a str, bytes: &'a [u8]) -> Self {
        Self::stream(name, |out| out.write_all(bytes))
    }

    /// A file that is written in pieces, so that it is never in memory as a whole.
    pub fn stream(name: &'a str, write: impl FnOnce(&mut dyn Write) -> io::Result<()> + 'a) -> Self {
        Self {
            name,
            write: Some(Box::new(write)),
        }
    }

    /// No file: what has this name by then goes away with the version before, whoever wrote it.
    pub fn absent(name: &'a str) -> Self {
        Self { name, write: None }
    }
}

impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What a folder holds under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// A store saved by [`save_generation`], every file of it verified.
    Committed {
        /// The JSON that was given to the save, to the letter.
        meta: String,
        /// Every file by its final name.
        files: BTreeMap<String, Contents>,
    },
    /// Files named after the store without a manifest of ours: another program's.
    ///
    /// A first save may come while they are read: whoever reads them asks once more afterwards.
    Foreign,
    /// Nothing.
    Missing,
}

/// Replaces the store `stem` in the folder `dir` by these files, all or nothing.
///
/// `dir` is created if need be. `meta` is any JSON text; it comes back from [`load_generation`]. Files
/// of the version before that have no successor are removed, and those that are said to be
/// [absent](Payload::absent). When this returns `Ok`, the new version
/// survives a power cut, as far as the disk honors a sync.
///
/// One save at a time: the file `.<stem>.lock` in the folder is locked meanwhile, and stays there.
/// Loading needs no lock.
///
/// # Errors
/// * [`Error::Name`], [`Error::PayloadName`], [`Error::Metadata`] for arguments; nothing was touched.
/// * [`Error::NotSaved`]: the old version is whole and will be loaded. Its source is
///   [`Error::Locked`] when another save is under way.
/// * [`Error::Unknown`]: the old or the new version will be loaded, whole.
/// * [`Error::Unpublished`]: the new version will be loaded; other programs may not see it yet.
///
/// After any of them the same save can be tried again.
///
/// ```
/// # use anear_bytes::*;
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// save_generation(&RealFs, dir, "index", vec![Payload::bytes("index.faiss", b"...")], r#"{"dim": 2}"#)?;
/// let Loaded::Committed { meta, files } = load_generation(&RealFs, dir, "index", &[])? else { panic!() };
/// assert_eq!(meta, r#"{"dim": 2}"#);
/// assert_eq!(*files["index.faiss"], *b"...");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn save_generation(fs: &dyn Fs, dir: &Path, stem: &str, payloads: Vec<Payload<'_>>, meta: &str) -> Result<()> {
    let folder = Folder::new(fs, dir, stem)?;
    folder.check_payloads(&payloads)?;
    let meta = manifest::check_meta(meta)?;

    let not_saved = |source| Error::NotSaved {
        dir: dir.into(),
        source: Box::new(source),
    };
    let _lock = folder.open().map_err(not_saved)?;
    let previous = folder.settle().map_err(not_saved)?;
    let manifest = folder.stage(payloads, meta, &previous).map_err(not_saved)?;
    folder.commit(&previous)?;
    folder.publish(&manifest).map_err(|source| Error::Unpublished {
        dir: dir.into(),
        source: Box::new(source),
    })
}

/// Reads the store `stem` in the folder `dir`: the version committed last, whole, every byte verified.
///
/// May run beside a save, of this process or another: it gives the version before or the one after.
///
/// The files whose names are in `map` are [mapped](crate::Mapping) where the file system can do that, after every byte was looked
/// at once; the others are read. On a local disk they stay what they are when a later save replaces them; Windows lets
/// nobody replace what is mapped.
///
/// # Errors
/// [`Error::Name`]; [`Error::DamagedManifest`] and [`Error::DamagedFile`] for what is not as it was saved,
/// [`Error::NewerVersion`] for a manifest of a later anear; [`Error::Busy`] when one save after the other
/// replaced the store meanwhile; those of the file system.
pub fn load_generation(fs: &dyn Fs, dir: &Path, stem: &str, map: &[&str]) -> Result<Loaded> {
    let folder = Folder::new(fs, dir, stem)?;
    let mut failed_with = None;
    for _ in 0..ATTEMPTS {
        let Some(text) = folder.manifest_text()? else {
            let found = folder.without_manifest()?;
            // A first save may have come between the two looks; then the files are its own.
            if found == Loaded::Foreign && folder.manifest_text()?.is_some() {
                continue;
            }
            return Ok(found);
        };
        match folder.load(&text, map) {
            // Not the files that the manifest names: damage, unless a save just replaced both.
            Err(Error::DamagedFile { .. }) if failed_with.as_ref() != Some(&text) => failed_with = Some(text),
            other => return other,
        }
    }
    Err(Error::Busy {
        dir: dir.into(),
        attempts: ATTEMPTS,
    })
}
