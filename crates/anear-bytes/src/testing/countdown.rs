//! A disk that fails at the Nth call.

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{Entry, Error, FileWriter, Fs, Lock, Result};

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done, the device reports an error (`EIO`).
    Device,
    /// Nothing is done, the disk is full (`ENOSPC`).
    Full,
    /// A write puts down half its bytes, then the disk is full; any other call does nothing.
    ShortWrite,
    /// The call is carried out, yet reports an error, as when a network drive's answer is lost.
    LostAnswer,
}

impl Fault {
    /// Every kind of fault.
    pub const ALL: [Self; 4] = [Self::Device, Self::Full, Self::ShortWrite, Self::LostAnswer];

    fn error(self) -> io::Error {
        match self {
            Self::Device | Self::LostAnswer => io::Error::other("injected device error"),
            Self::Full | Self::ShortWrite => io::Error::new(ErrorKind::StorageFull, "injected full disk"),
        }
    }
}

/// A disk that passes every call on to another one, except those that are to fail.
///
/// Every call of [`Fs`] and of the files it gives counts, reads too, from 1 on. Clones share one count.
///
/// ```
/// # use anear_bytes::{Fs, testing::{CountdownFs, CrashFs, Fault}};
/// # use std::path::Path;
/// let fs = CountdownFs::once(CrashFs::new(), 2, Fault::Full);
/// assert!(fs.create_dir(Path::new("/a")).is_ok());
/// assert!(fs.create_dir(Path::new("/b")).is_err());
/// assert!(fs.create_dir(Path::new("/b")).is_ok());
/// assert_eq!(fs.calls(), 3);
/// ```
#[derive(Clone, Debug)]
pub struct CountdownFs<F> {
    inner: F,
    plan: Arc<Plan>,
}

#[derive(Debug)]
struct Plan {
    first: u64,
    last: u64,
    fault: Fault,
    calls: AtomicU64,
}

impl<F: Fs> CountdownFs<F> {
    /// Fails at no call, only counts them.
    pub fn counting(inner: F) -> Self {
        Self::between(inner, u64::MAX, u64::MAX, Fault::Device)
    }

    /// Fails at the `nth` call only; the first is 1.
    pub fn once(inner: F, nth: u64, fault: Fault) -> Self {
        Self::between(inner, nth, nth, fault)
    }

    /// Fails from the `nth` call on; the first is 1.
    pub fn from_then_on(inner: F, nth: u64, fault: Fault) -> Self {
        Self::between(inner, nth, u64::MAX, fault)
    }

    fn between(inner: F, first: u64, last: u64, fault: Fault) -> Self {
        Self {
            inner,
            plan: Arc::new(Plan {
                first,
                last,
                fault,
                calls: AtomicU64::new(0),
            }),
        }
    }

    /// Calls made so far.
    pub fn calls(&self) -> u64 {
        self.plan.calls.load(Relaxed)
    }

    fn call<T>(&self, action: &'static str, path: &Path, run: impl FnOnce(&F) -> Result<T>) -> Result<T> {
        let Some(fault) = self.plan.next() else {
            return run(&self.inner);
        };
        if fault == Fault::LostAnswer {
            run(&self.inner)?;
        }
        Err(Error::io(action, path, fault.error()))
    }
}

impl Plan {
    fn next(&self) -> Option<Fault> {
        let nth = self.calls.fetch_add(1, Relaxed) + 1;
        (self.first..=self.last).contains(&nth).then_some(self.fault)
    }
}

impl<F: Fs> Fs for CountdownFs<F> {
    fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        self.call("look at", path, |fs| fs.entry(path))
    }

    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>> {
        self.call("read", path, |fs| fs.read(path, limit))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn FileWriter>> {
        let inner = self.call("create", path, |fs| fs.create(path))?;
        Ok(Box::new(CountdownWriter {
            inner,
            plan: self.plan.clone(),
        }))
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        self.call("create the folder", path, |fs| fs.create_dir(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.call("replace", to, |fs| fs.rename(from, to))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.call("remove", path, |fs| fs.remove(path))
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.call("sync the folder", dir, |fs| fs.sync_dir(dir))
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        self.call("list the folder", dir, |fs| fs.list(dir))
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>> {
        self.call("lock", path, |fs| fs.lock(path))
    }
}

#[derive(Debug)]
struct CountdownWriter {
    inner: Box<dyn FileWriter>,
    plan: Arc<Plan>,
}

impl Write for CountdownWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(fault) = self.plan.next() else {
            return self.inner.write(bytes);
        };
        match fault {
            Fault::ShortWrite => self.inner.write_all(&bytes[..bytes.len() / 2])?,
            Fault::LostAnswer => self.inner.write_all(bytes)?,
            Fault::Device | Fault::Full => {}
        }
        Err(fault.error())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl FileWriter for CountdownWriter {
    fn sync(&mut self) -> io::Result<()> {
        let Some(fault) = self.plan.next() else {
            return self.inner.sync();
        };
        if fault == Fault::LostAnswer {
            self.inner.sync()?;
        }
        Err(fault.error())
    }
}
