//! A file whose bytes are in memory only where they are looked at.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;

use crate::fs::open_regular;
use crate::{Error, Result};

/// A file that is mapped into memory, to be read.
///
/// Its bytes are read when they are looked at, and are the system's to forget: they are shared with every process that
/// maps the file, and no part of this one's own memory. On a local disk, the file goes on to exist for as long as the mapping
/// or a clone of it does, whatever becomes of its name.
///
/// **Nobody may change or cut the file meanwhile.** One that is cut ends the process (on Unix by the signal `SIGBUS`) at
/// the first look at what is gone, and changed bytes are seen at any moment or never. Map files that are replaced by
/// renaming another into their place, as all that anear writes.
///
/// ```
/// # use anear_bytes::{AlignedBytes, Mapping};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("letter");
/// std::fs::write(&path, "hello")?;
/// let mapping = Mapping::open(&path)?;
/// let bytes = mapping.as_slice();
/// assert_eq!(bytes, b"hello");
///
/// let mut piece = AlignedBytes::of(&bytes[1..4], Some(&mapping))?;
/// assert!(piece.is_mapped());
/// piece.push(b'o');
/// assert_eq!((piece.as_slice(), mapping.as_slice()), (&b"ello"[..], &b"hello"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Mapping(Arc<Mmap>);

impl Mapping {
    /// Maps the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NotAFile`] for a link, folder, pipe or device.
    pub fn open(path: &Path) -> Result<Self> {
        let (file, _) = open_regular(path)?;
        Self::of(&file).map_err(|source| Error::io("map", path, source))
    }

    /// Maps an open file.
    #[expect(unsafe_code, reason = "the promise that nobody changes the file is the caller's")]
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        // SAFETY: the pages can only be read, and stay until the last clone is dropped: a slice of them is sound as long
        // as nobody changes the file. No system lets a reader make sure of that; it is what whoever opens a mapping
        // promises, above.
        let map = unsafe { Mmap::map(file) }?;
        Ok(Self(Arc::new(map)))
    }

    /// The whole file; the first byte is at the beginning of a page.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// Where in the file `bytes` are, if they are a part of this mapping and not none.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<usize> {
        let own = self.as_slice().as_ptr_range();
        let other = bytes.as_ptr_range();
        let is_within = own.start <= other.start && other.end <= own.end && !bytes.is_empty();
        is_within.then(|| other.start as usize - own.start as usize)
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping")
            .field("len", &self.0.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_a_regular_file_is_mapped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        assert!(Mapping::open(&path).unwrap_err().is_not_found());
        assert!(matches!(Mapping::open(dir.path()), Err(Error::NotAFile { .. })));
        fs::write(&path, []).unwrap();
        assert!(Mapping::open(&path).unwrap().as_slice().is_empty());
        #[cfg(unix)]
        {
            let link = dir.path().join("link");
            std::os::unix::fs::symlink(&path, &link).unwrap();
            assert!(matches!(Mapping::open(&link), Err(Error::NotAFile { .. })));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_lives_on_when_its_name_is_gone_or_given_to_another() {
        let dir = tempfile::tempdir().unwrap();
        let [path, other] = ["file", "other"].map(|name| dir.path().join(name));
        fs::write(&path, "first").unwrap();
        fs::write(&other, "second").unwrap();
        let first = Mapping::open(&path).unwrap();
        fs::rename(&other, &path).unwrap();
        let second = Mapping::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!((first.as_slice(), second.as_slice()), (&b"first"[..], &b"second"[..]));
    }

    #[test]
    fn only_its_own_bytes_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "hello").unwrap();
        let (one, other) = (Mapping::open(&path).unwrap(), Mapping::open(&path).unwrap());
        assert_eq!(one.find(&one.clone().as_slice()[2..5]), Some(2));
        assert_eq!(one.find(&one.as_slice()[2..2]), None);
        assert_eq!(one.find(&other.as_slice()[2..5]), None);
    }
}
