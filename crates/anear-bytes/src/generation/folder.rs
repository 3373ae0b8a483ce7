//! The folder of a saved store: what its files are called, and the steps of a save and a load.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;

use super::manifest::{self, FileEntry, Manifest};
use super::{Content, Loaded, Payload};
use crate::digest::{self, Hasher};
use crate::fs::{PIECE_LEN, parent};
use crate::{Contents, Entry, Error, FileWriter, Fs, Lock, Result, name};

/// The longest extension of a payload, so that staged names stay below the 255 bytes of a file name.
const EXTENSION_MAX: usize = 32;
const STAGED: &str = ".staged";
const WRITING: &str = ".writing";

/// One store in one folder.
pub(super) struct Folder<'a> {
    fs: &'a dyn Fs,
    dir: &'a Path,
    stem: &'a str,
}

/// What a save found in its place.
pub(super) enum Previous {
    None,
    Whole(Manifest),
    /// A manifest that cannot be read; what it needs is unknown, so nothing is cleared away before the commit.
    Damaged,
}

/// What is at the place of a file.
enum Found {
    Same(Contents),
    Other(String),
    Nothing,
}

impl<'a> Folder<'a> {
    pub(super) fn new(fs: &'a dyn Fs, dir: &'a Path, stem: &'a str) -> Result<Self> {
        name::check(stem)?;
        let dir = if dir.as_os_str().is_empty() {
            Path::new(".")
        } else {
            dir
        };
        Ok(Self { fs, dir, stem })
    }

    // Names. All of them follow from the stem without doubt, since an extension has no dot: `a` and
    // `a.b` can be saved side by side.

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn manifest_name(&self) -> String {
        format!("{}.anear.json", self.stem)
    }

    fn manifest(&self) -> PathBuf {
        self.path(&self.manifest_name())
    }

    fn writing(&self, name: &str) -> PathBuf {
        self.path(&format!(".{name}{WRITING}"))
    }

    fn final_path(&self, file: &FileEntry) -> PathBuf {
        self.path(&file.name)
    }

    fn staged(&self, file: &FileEntry) -> PathBuf {
        self.path(&format!(".{}.{}{STAGED}", file.name, &file.sha256[..16]))
    }

    /// Whether a file is one that a save of this store left behind.
    fn is_leftover(&self, name: &str) -> bool {
        let Some(name) = name.strip_prefix('.') else {
            return false;
        };
        if let Some(name) = name.strip_suffix(WRITING) {
            return name == self.manifest_name() || self.broken_rule(name).is_none();
        }
        let staged = name.strip_suffix(STAGED).and_then(|name| name.rsplit_once('.'));
        staged.is_some_and(|(name, digest)| {
            digest.len() == 16 && digest.bytes().all(|b| b.is_ascii_hexdigit()) && self.broken_rule(name).is_none()
        })
    }

    fn broken_rule(&self, name: &str) -> Option<&'static str> {
        let extension = name.strip_prefix(self.stem).and_then(|rest| rest.strip_prefix('.'));
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        match extension {
            None => Some("it must be the store's name, a dot and an extension"),
            Some("") => Some("it has no extension"),
            Some(e) if e.len() > EXTENSION_MAX => Some("its extension is longer than 32 characters"),
            Some(e) if !e.bytes().all(is_plain) => Some("its extension may have letters, digits, `_` and `-` only"),
            // `a.anear` + `.json` would be the manifest of `a`.
            Some("json") if self.stem.ends_with(".anear") => Some("it is the name of another store's manifest"),
            Some(_) => None,
        }
    }

    fn check_names<'n>(&self, names: impl Iterator<Item = &'n str>) -> Result<()> {
        let mut seen = BTreeSet::new();
        for name in names {
            let twice = (!seen.insert(name)).then_some("it is there twice");
            if let Some(rule) = self.broken_rule(name).or(twice) {
                return Err(Error::PayloadName {
                    name: name.into(),
                    stem: self.stem.into(),
                    rule,
                });
            }
        }
        Ok(())
    }

    pub(super) fn check_payloads(&self, payloads: &[Payload<'_>]) -> Result<()> {
        self.check_names(payloads.iter().map(|payload| payload.name))
    }

    // Reading.

    pub(super) fn manifest_text(&self) -> Result<Option<Vec<u8>>> {
        match self.fs.read(&self.manifest(), manifest::LEN_MAX) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parse(&self, text: &[u8]) -> Result<Manifest> {
        let manifest = Manifest::parse(text).map_err(|unreadable| unreadable.at(&self.manifest()))?;
        let damaged = |error: Error| Error::DamagedManifest {
            path: self.manifest(),
            reason: error.to_string(),
        };
        self.check_names(manifest.files.iter().map(|file| file.name.as_str()))
            .map_err(damaged)?;
        self.check_names(manifest.retired.iter().map(|file| file.name.as_str()))
            .map_err(damaged)?;
        Ok(manifest)
    }

    pub(super) fn load(&self, text: &[u8], map: &[&str]) -> Result<Loaded> {
        let manifest = self.parse(text)?;
        let files = manifest
            .files
            .iter()
            .map(|file| Ok((file.name.clone(), self.load_file(file, map.contains(&&*file.name))?)));
        Ok(Loaded::Committed {
            files: files.collect::<Result<_>>()?,
            meta: manifest.meta.get().into(),
        })
    }

    fn load_file(&self, file: &FileEntry, mapped: bool) -> Result<Contents> {
        let mut first = None;
        // The final place is asked again: a save may have moved the file there since.
        for path in [self.final_path(file), self.staged(file), self.final_path(file)] {
            match self.look(&path, file, mapped)? {
                Found::Same(bytes) => return Ok(bytes),
                other => first.get_or_insert(other),
            };
        }
        let found = match first {
            Some(Found::Other(found)) => found,
            _ => "nothing".into(),
        };
        let expected = describe(file.len, Some(&file.sha256));
        Err(Error::DamagedFile {
            path: self.final_path(file),
            found,
            expected,
            manifest: self.manifest(),
        })
    }

    /// Whether the file at `path` is the one that the manifest means.
    fn look(&self, path: &Path, file: &FileEntry, mapped: bool) -> Result<Found> {
        let found = match mapped {
            true => self.fs.map(path, file.len),
            false => self.fs.read(path, file.len).map(Contents::Read),
        };
        let bytes = match found {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(Found::Nothing),
            Err(Error::TooLong { len, .. }) => return Ok(Found::Other(describe(len, None))),
            Err(error) => return Err(error),
        };
        let digest = digest::sha256(&bytes);
        if bytes.len() as u64 == file.len && digest == file.sha256 {
            return Ok(Found::Same(bytes));
        }
        Ok(Found::Other(describe(bytes.len() as u64, Some(&digest))))
    }

    fn is_there(&self, path: &Path, file: &FileEntry) -> Result<bool> {
        // Another length says enough: what others put there, of any size, is not read.
        if matches!(self.fs.entry(path)?, Some(Entry::File { len }) if len != file.len) {
            return Ok(false);
        }
        match self.measure(path) {
            Ok((len, sha256)) => Ok(len == file.len && sha256 == file.sha256),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn without_manifest(&self) -> Result<Loaded> {
        if self.fs.entry(self.dir)?.is_none() {
            return Ok(Loaded::Missing);
        }
        let names = self.fs.list(self.dir)?;
        let is_named_after = |name: &String| name.strip_prefix(self.stem).is_some_and(|rest| rest.starts_with('.'));
        Ok(if names.iter().any(is_named_after) {
            Loaded::Foreign
        } else {
            Loaded::Missing
        })
    }

    // Writing, in order.

    /// Makes sure of the folder and keeps other writers out.
    pub(super) fn open(&self) -> Result<Box<dyn Lock>> {
        self.fs.create_dir_all(self.dir)?;
        self.fs.lock(&self.path(&format!(".{}.lock", self.stem)))
    }

    /// Finishes what the save before this one left undone, and clears away what it left behind.
    pub(super) fn settle(&self) -> Result<Previous> {
        let Some(text) = self.manifest_text()? else {
            self.sync_above()?;
            self.sweep()?;
            return Ok(Previous::None);
        };
        let manifest = match self.parse(&text) {
            Ok(manifest) => manifest,
            Err(Error::DamagedManifest { .. }) => return Ok(Previous::Damaged),
            Err(error) => return Err(error),
        };
        let mut unpublished = Vec::new();
        for file in &manifest.files {
            if self.is_there(&self.staged(file), file)? {
                unpublished.push(file);
            }
        }
        let retired = self.still_there(&manifest.retired)?;
        if !unpublished.is_empty() || !retired.is_empty() {
            // Its rename may not be certain yet; what follows destroys the version before it.
            self.fs.sync_dir(self.dir)?;
            self.finish(&unpublished, &retired)?;
        }
        self.sweep()?;
        Ok(Previous::Whole(manifest))
    }

    /// Writes everything new beside the old; on an error, clears it away as far as possible.
    pub(super) fn stage(
        &self,
        payloads: Vec<Payload<'_>>,
        meta: Box<RawValue>,
        previous: &Previous,
    ) -> Result<Manifest> {
        let staged = self.try_stage(payloads, meta, previous);
        if staged.is_err() {
            self.abandon(previous);
        }
        staged
    }

    fn try_stage(&self, payloads: Vec<Payload<'_>>, meta: Box<RawValue>, previous: &Previous) -> Result<Manifest> {
        let names: BTreeSet<&str> = payloads.iter().map(|payload| payload.name).collect();
        let mut retired: Vec<FileEntry> = match previous {
            Previous::Whole(old) => {
                let without_successor = |file: &&FileEntry| !names.contains(file.name.as_str());
                old.files.iter().filter(without_successor).cloned().collect()
            }
            Previous::None | Previous::Damaged => Vec::new(),
        };
        let mut files = Vec::new();
        for Payload { name, write } in payloads {
            match write {
                Some(write) => files.push(self.stage_file(name, write)?),
                None => retired.extend(self.present(name)?),
            }
        }
        let manifest = Manifest { files, retired, meta };
        let (text, path) = (manifest.encode(), self.writing(&self.manifest_name()));
        if text.len() as u64 > manifest::LEN_MAX {
            return Err(Error::TooLong {
                path: self.manifest(),
                len: text.len() as u64,
                limit: manifest::LEN_MAX,
            });
        }
        self.write_new(&path, |out| out.write_all(text.as_bytes()))?;
        self.fs.sync_dir(self.dir)?;
        Ok(manifest)
    }

    /// The name of a staged file has its digest, which is known when all is written: hence two names.
    fn stage_file(&self, name: &str, write: Content<'_>) -> Result<FileEntry> {
        let writing = self.writing(name);
        let (len, sha256) = self.write_new(&writing, write)?;
        let name = name.into();
        let file = FileEntry { name, len, sha256 };
        self.fs.rename(&writing, &self.staged(&file))?;
        Ok(file)
    }

    /// The file that has this name now, if there is one.
    fn present(&self, name: &str) -> Result<Option<FileEntry>> {
        let path = self.path(name);
        if !matches!(self.fs.entry(&path)?, Some(Entry::File { .. })) {
            return Ok(None);
        }
        // Another program's, of any size.
        let (len, sha256) = self.measure(&path)?;
        let name = name.into();
        Ok(Some(FileEntry { name, len, sha256 }))
    }

    /// Length and SHA-256 of a file.
    fn measure(&self, path: &Path) -> Result<(u64, String)> {
        let mut hasher = Hasher::default();
        let len = self.fs.read_pieces(path, &mut |piece| hasher.update(piece))?;
        Ok((len, hasher.finish()))
    }

    /// Writes and syncs a file; gives its length and SHA-256.
    fn write_new(&self, path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(u64, String)> {
        let mut file = self.create_anew(path)?;
        let mut measured = Measured {
            file: &mut *file,
            hasher: Hasher::default(),
            len: 0,
        };
        let mut buffered = BufWriter::with_capacity(PIECE_LEN, &mut measured);
        write(&mut buffered)
            .and_then(|()| buffered.flush())
            .map_err(|source| Error::io("write", path, source))?;
        drop(buffered);
        let (len, sha256) = (measured.len, measured.hasher.finish());
        file.sync().map_err(|source| Error::io("sync", path, source))?;
        Ok((len, sha256))
    }

    /// A new file; in place of one that a save with a damaged manifest could not clear away.
    fn create_anew(&self, path: &Path) -> Result<Box<dyn FileWriter>> {
        if self.fs.entry(path)?.is_some() {
            self.fs.remove(path)?;
        }
        self.fs.create(path)
    }

    /// The one commit point.
    pub(super) fn commit(&self, previous: &Previous) -> Result<()> {
        let unknown = |source| Error::Unknown {
            dir: self.dir.into(),
            source: Box::new(source),
        };
        let writing = self.writing(&self.manifest_name());
        if let Err(source) = self.fs.rename(&writing, &self.manifest()) {
            // Still under its old name: surely not committed. Otherwise nobody knows, and nothing may go.
            if !matches!(self.fs.entry(&writing), Ok(Some(Entry::File { .. }))) {
                return Err(unknown(source));
            }
            self.abandon(previous);
            return Err(Error::NotSaved {
                dir: self.dir.into(),
                source: Box::new(source),
            });
        }
        self.fs.sync_dir(self.dir).map_err(unknown)
    }

    /// Gives the files of a manifest that is certain their final names.
    pub(super) fn publish(&self, manifest: &Manifest) -> Result<()> {
        let files: Vec<_> = manifest.files.iter().collect();
        self.finish(&files, &self.still_there(&manifest.retired)?)?;
        // All that counts is in place; what cannot be cleared away now, the next save clears away.
        let _ = self.sweep();
        Ok(())
    }

    fn finish(&self, staged: &[&FileEntry], retired: &[&FileEntry]) -> Result<()> {
        for file in retired {
            self.fs.remove(&self.final_path(file))?;
        }
        if !retired.is_empty() {
            // Before other programs see new files, none sees an old one that has no successor.
            self.fs.sync_dir(self.dir)?;
        }
        for file in staged {
            self.fs.rename(&self.staged(file), &self.final_path(file))?;
        }
        self.fs.sync_dir(self.dir)
    }

    /// Those of the retired files that are still what was saved; what others put in their place stays.
    fn still_there<'f>(&self, retired: &'f [FileEntry]) -> Result<Vec<&'f FileEntry>> {
        let mut found = Vec::new();
        for file in retired {
            if self.is_there(&self.final_path(file), file)? {
                found.push(file);
            }
        }
        Ok(found)
    }

    /// Clears away what a failed save wrote, unless an unreadable manifest may need it.
    fn abandon(&self, previous: &Previous) {
        if !matches!(previous, Previous::Damaged) {
            // The save has failed already; what cannot be cleared away now, the next save clears away.
            let _ = self.sweep();
        }
    }

    fn sweep(&self) -> Result<()> {
        for name in self.fs.list(self.dir)?.iter().filter(|name| self.is_leftover(name)) {
            self.fs.remove(&self.path(name))?;
        }
        Ok(())
    }

    /// Makes the folder's own name certain before its first save; not where the system forbids to open
    /// the folder above, which then was there long before.
    fn sync_above(&self) -> Result<()> {
        match self.fs.sync_dir(parent(self.dir)) {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::PermissionDenied => Ok(()),
            other => other,
        }
    }
}

/// Counts and digests what passes through.
struct Measured<'a> {
    file: &'a mut dyn FileWriter,
    hasher: Hasher,
    len: u64,
}

impl Write for Measured<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn describe(len: u64, sha256: Option<&str>) -> String {
    match sha256 {
        Some(sha256) => format!("{len} bytes with SHA-256 {sha256}"),
        None => format!("{len} bytes"),
    }
}
