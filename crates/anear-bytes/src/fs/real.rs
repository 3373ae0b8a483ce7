//! The disk of this machine.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::path::Path;

use super::{Entry, FileWriter, Fs, Lock, PIECE_LEN};
use crate::{Contents, Error, Mapping, Result};

/// The disk of this machine.
///
/// Opening never follows a link in the last part of a path and never waits for a pipe's other end.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealFs;

impl Fs for RealFs {
    fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        match entry(path) {
            Ok(entry) => Ok(Some(entry)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("look at", path, error)),
        }
    }

    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>> {
        let (file, len) = open_regular(path)?;
        check_len(path, len, limit)?;
        let capacity = usize::try_from(len).map_err(|_| Error::OutOfMemory { len: usize::MAX })?;
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(capacity)
            .map_err(|_| Error::OutOfMemory { len: capacity })?;
        let read = file.take(len).read_to_end(&mut bytes);
        read.map_err(|source| Error::io("read", path, source))?;
        Ok(bytes)
    }

    fn map(&self, path: &Path, limit: u64) -> Result<Contents> {
        let (file, len) = open_regular(path)?;
        check_len(path, len, limit)?;
        // What cannot be read is an error here; when it is looked at in a mapping, it is the end of the process.
        in_pieces((&file).take(len), &mut |_| ()).map_err(|source| Error::io("read", path, source))?;
        match Mapping::of(&file) {
            Ok(mapping) => check_len(path, mapping.as_slice().len() as u64, limit).map(|()| Contents::Mapped(mapping)),
            // Some file systems map nothing.
            Err(_) => self.read(path, limit).map(Contents::Read),
        }
    }

    fn read_pieces(&self, path: &Path, take: &mut dyn FnMut(&[u8])) -> Result<u64> {
        let (file, len) = open_regular(path)?;
        in_pieces(file.take(len), take).map_err(|source| Error::io("read", path, source))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn FileWriter>> {
        // `create_new` follows no link and opens nothing that is there.
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        Ok(Box::new(RealWriter(
            file.map_err(|source| Error::io("create", path, source))?,
        )))
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        fs::create_dir(path).map_err(|source| Error::io("create the folder", path, source))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        fs::rename(from, to).map_err(|source| Error::io("replace", to, source))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        fs::remove_file(path).map_err(|source| Error::io("remove", path, source))
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        sync_names(dir).map_err(|source| Error::io("sync the folder", dir, source))
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        let names = fs::read_dir(dir).and_then(|entries| {
            let names = entries.map(|entry| entry.map(|entry| entry.file_name().into_string().ok()));
            names.filter_map(Result::transpose).collect()
        });
        names.map_err(|source| Error::io("list the folder", dir, source))
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>> {
        let refused = |source| Error::io("lock", path, source);
        let mut options = OpenOptions::new();
        let options = guarded(options.write(true).create(true).truncate(false));
        let file = options.open(path).map_err(refused)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(RealLock(file))),
            Err(TryLockError::WouldBlock) => Err(Error::Locked { path: path.into() }),
            // Some network file systems have no locks; there, writers are on their own.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(Box::new(RealLock(file))),
            Err(TryLockError::Error(error)) => Err(refused(error)),
        }
    }
}

#[derive(Debug)]
struct RealWriter(File);

impl Write for RealWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl FileWriter for RealWriter {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// Closing the file ends the lock.
#[derive(Debug)]
struct RealLock(#[expect(dead_code, reason = "held, not read")] File);

impl Lock for RealLock {}

fn entry(path: &Path) -> io::Result<Entry> {
    let metadata = fs::symlink_metadata(path)?;
    Ok(if metadata.is_dir() {
        Entry::Folder
    } else if metadata.is_file() {
        Entry::File { len: metadata.len() }
    } else if metadata.is_symlink() && fs::metadata(path).is_ok_and(|target| target.is_dir()) {
        Entry::Folder
    } else {
        Entry::Other
    })
}

/// Hands all there is to read to `take`, and gives its length.
fn in_pieces(file: impl Read, take: &mut dyn FnMut(&[u8])) -> io::Result<u64> {
    let mut file = BufReader::with_capacity(PIECE_LEN, file);
    let mut done = 0;
    loop {
        let piece = match file.fill_buf() {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            piece => piece?,
        };
        let read = piece.len();
        if read == 0 {
            return Ok(done);
        }
        take(piece);
        file.consume(read);
        done += read as u64;
    }
}

fn check_len(path: &Path, len: u64, limit: u64) -> Result<()> {
    if len <= limit {
        return Ok(());
    }
    Err(Error::TooLong {
        path: path.into(),
        len,
        limit,
    })
}

/// A regular file to read, and its length.
pub(crate) fn open_regular(path: &Path) -> Result<(File, u64)> {
    let refused = |source| Error::io("read", path, source);
    // Asked twice: before opening, since opening a device can act on it, and of what was opened.
    check_regular(path, &fs::symlink_metadata(path).map_err(refused)?)?;
    let file = guarded(OpenOptions::new().read(true)).open(path).map_err(refused)?;
    let metadata = file.metadata().map_err(refused)?;
    check_regular(path, &metadata)?;
    Ok((file, metadata.len()))
}

fn check_regular(path: &Path, metadata: &Metadata) -> Result<()> {
    let found = if metadata.is_file() {
        return Ok(());
    } else if metadata.is_dir() {
        "a folder"
    } else if metadata.is_symlink() {
        "a symbolic link"
    } else {
        "a pipe, socket or device"
    };
    Err(Error::NotAFile {
        path: path.into(),
        found,
    })
}

/// Opens no link, and waits for nobody at the other end of a pipe.
#[cfg(unix)]
fn guarded(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;

    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32)
}

#[cfg(not(unix))]
fn guarded(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
fn sync_names(dir: &Path) -> io::Result<()> {
    match File::open(dir)?.sync_all() {
        // What file systems answer whose folders need no sync.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        other => other,
    }
}

/// Elsewhere a folder cannot be synced, only asked for.
#[cfg(not(unix))]
fn sync_names(dir: &Path) -> io::Result<()> {
    fs::metadata(dir).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Is interrupted by a signal before every read.
    struct Interrupted<'a> {
        bytes: &'a [u8],
        is_next: bool,
    }

    impl Read for Interrupted<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.is_next = !self.is_next;
            match self.is_next {
                true => Err(ErrorKind::Interrupted.into()),
                false => self.bytes.read(out),
            }
        }
    }

    #[test]
    fn a_signal_does_not_end_reading_in_pieces() {
        let whole = vec![7; 2 * PIECE_LEN + 5];
        let file = Interrupted {
            bytes: &whole,
            is_next: false,
        };
        let mut read = Vec::new();
        let len = in_pieces(file, &mut |piece| read.extend_from_slice(piece)).unwrap();
        assert!(len == whole.len() as u64 && read == whole);
    }
}
