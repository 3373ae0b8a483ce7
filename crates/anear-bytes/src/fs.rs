//! The one way to files: a small trait, so that a failing or crashing disk is an ordinary test input.
//!
//! The real disk is in `real.rs`; the disks for tests are in `testing`.

mod real;

use std::fmt::Debug;
use std::io;
use std::path::Path;

pub use real::RealFs;
pub(crate) use real::open_regular;

use crate::{Contents, Error, Result};

/// Files are read and written in pieces of about this many bytes.
pub(crate) const PIECE_LEN: usize = 1 << 20;

/// Access to files and folders, in the few steps of which a crash-safe save is made.
///
/// All of it is what POSIX promises and no more: a write is certain after [`FileWriter::sync`], a
/// created, renamed or removed name after [`sync_dir`](Self::sync_dir) of its folder. Every error says
/// what was tried on which path.
///
/// ```
/// # use anear_bytes::{Fs, RealFs};
/// # use std::io::Write;
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// let fs: &dyn Fs = &RealFs;
/// let mut file = fs.create(&dir.join("draft"))?;
/// file.write_all(b"hello")?;
/// file.sync()?;
/// fs.rename(&dir.join("draft"), &dir.join("letter"))?;
/// fs.sync_dir(dir)?;
/// assert_eq!(fs.read(&dir.join("letter"), 1000)?, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Fs: Debug + Send + Sync {
    /// What is at `path`, if anything. A link to a folder counts as the folder.
    ///
    /// # Errors
    /// [`Error::Io`] when the system does not say.
    fn entry(&self, path: &Path) -> Result<Option<Entry>>;

    /// The whole file, if it has at most `limit` bytes.
    ///
    /// Allocates the file's length, not more.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NotAFile`] for a link, folder, pipe or device, [`Error::TooLong`],
    /// [`Error::OutOfMemory`].
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>>;

    /// The whole file, if it has at most `limit` bytes, mapped where this file system can do that and read where it cannot.
    /// A mapped one was read once: where the disk does not give all of it, that is an error.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn map(&self, path: &Path, limit: u64) -> Result<Contents> {
        Ok(Contents::Read(self.read(path, limit)?))
    }

    /// Hands the file to `take` piece by piece, as long as it is at that moment, and gives its length. On a real disk it is
    /// never in memory as a whole.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NotAFile`] for a link, folder, pipe or device.
    fn read_pieces(&self, path: &Path, take: &mut dyn FnMut(&[u8])) -> Result<u64> {
        let whole = self.read(path, u64::MAX)?;
        take(&whole);
        Ok(whole.len() as u64)
    }

    /// A new, empty file, to write.
    ///
    /// # Errors
    /// [`Error::Io`], also when there is anything at `path`.
    fn create(&self, path: &Path) -> Result<Box<dyn FileWriter>>;

    /// A new folder in a folder that exists.
    ///
    /// # Errors
    /// [`Error::Io`], also when there is anything at `path`.
    fn create_dir(&self, path: &Path) -> Result<()>;

    /// Gives a file another name in the same folder, in place of what had that name.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn remove(&self, path: &Path) -> Result<()>;

    /// Makes the names in a folder certain: created, renamed, removed.
    ///
    /// # Errors
    /// [`Error::Io`]; what is certain is then unknown, and trying again proves nothing.
    fn sync_dir(&self, dir: &Path) -> Result<()>;

    /// The names in a folder, in no order; those that are not UTF-8 are left out.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn list(&self, dir: &Path) -> Result<Vec<String>>;

    /// Holds the lock file at `path`, which is created if need be, until the result is dropped.
    ///
    /// The lock is advisory: it keeps out those who ask. It ends with the process.
    ///
    /// # Errors
    /// [`Error::Locked`] when another holds it, [`Error::Io`].
    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>>;

    /// A folder and those above it, as far as they are missing, each made certain.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn create_dir_all(&self, dir: &Path) -> Result<()> {
        if self.entry(dir)? == Some(Entry::Folder) {
            return Ok(());
        }
        let above = parent(dir);
        self.create_dir_all(above)?;
        match self.create_dir(dir) {
            // Another process was faster.
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
        self.sync_dir(above)
    }
}

/// A new file that is being written, in as many pieces as its writer likes.
pub trait FileWriter: io::Write + Debug + Send {
    /// Makes everything written so far certain.
    ///
    /// # Errors
    /// Those of the system; what is certain is then unknown, and trying again proves nothing.
    fn sync(&mut self) -> io::Result<()>;
}

/// A lock that is held until this is dropped.
pub trait Lock: Debug + Send + Sync {}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File {
        /// Its length in bytes.
        len: u64,
    },
    /// A folder, or a link to one.
    Folder,
    /// A link to anything else, a pipe, a device.
    Other,
}

/// The folder that holds `path`; the current one for a bare name.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}
