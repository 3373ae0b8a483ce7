//! A disk in memory that remembers what a power cut would leave of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::fs::parent;
use crate::{Entry, Error, FileWriter, Fs, Lock, Result};

/// At most this many images are tried at one boundary: all of them up to ten open choices, beyond that
/// nothing kept, everything kept, everything but one, one alone, and then a fixed pseudo-random sample.
pub const CRASH_IMAGES_MAX: usize = 1024;

/// A disk in memory with two faces: what programs see, and what is certain to survive.
///
/// A write is certain after its file's `sync`; a created, renamed or removed name after `sync_dir` of
/// its folder. What is not certain may be lost, in any combination. Clones share one disk.
///
/// ```
/// # use anear_bytes::{Fs, testing::CrashFs};
/// # use std::path::Path;
/// let disk = CrashFs::new();
/// let mut file = disk.create(Path::new("/a"))?;
/// file.write_all(b"new")?;
/// file.sync()?;
/// // The name `/a` was never synced: a power cut leaves the file, or nothing.
/// let images: Vec<_> = disk.crash_images().iter().map(|image| image.files().len()).collect();
/// assert_eq!(images, [0, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CrashFs(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    disk: Disk,
    // One disk per call, while recording.
    history: Option<Vec<Disk>>,
}

#[derive(Clone, Debug, Default)]
struct Disk {
    files: Vec<Contents>,
    live: Tree,
    durable: Tree,
    // What happened to names since their folder was synced, in order.
    pending: Vec<Change>,
    locks: BTreeSet<PathBuf>,
}

type Tree = BTreeMap<PathBuf, Node>;
/// A tree with the contents in place: what a fresh disk is made of.
type Image = BTreeMap<PathBuf, Option<Vec<u8>>>;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Node {
    Folder,
    File(usize),
}

/// Files only grow, so what is uncertain is a tail.
#[derive(Clone, Debug, Default)]
struct Contents {
    bytes: Vec<u8>,
    synced: usize,
}

#[derive(Clone, Debug)]
enum Change {
    Put(PathBuf, Node),
    Move { from: PathBuf, to: PathBuf, node: Node },
    Delete(PathBuf),
}

impl CrashFs {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a file on the disk, with the folders above it, all of it certain; not a call of the trait.
    pub fn put(&self, path: impl AsRef<Path>, bytes: &[u8]) {
        let path = path.as_ref();
        let mut inner = self.inner();
        let disk = &mut inner.disk;
        disk.files.push(Contents {
            bytes: bytes.into(),
            synced: bytes.len(),
        });
        let node = Node::File(disk.files.len() - 1);
        for tree in [&mut disk.live, &mut disk.durable] {
            tree.extend(
                path.ancestors()
                    .skip(1)
                    .map(|folder| (folder.to_path_buf(), Node::Folder)),
            );
            tree.insert(path.into(), node);
        }
    }

    /// Every file as programs see it now.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let image = self.inner().disk.live_image();
        image
            .into_iter()
            .filter_map(|(path, bytes)| Some((path, bytes?)))
            .collect()
    }

    /// From now on remembers the disk after every call that changes it.
    pub fn record(&self) {
        let mut inner = self.inner();
        inner.history = Some(vec![inner.disk.clone()]);
    }

    /// The disk as it was when recording began and after each change since, oldest first, each as
    /// [`after_kill`](Self::after_kill) gives it.
    pub fn boundaries(&self) -> Vec<Self> {
        let history = self.inner().history.clone().unwrap_or_default();
        history.into_iter().map(Self::abandoned).collect()
    }

    /// The disk as the next process finds it if this one is killed now and the machine goes on: a disk
    /// of its own, on which nobody holds a lock, and what was uncertain still is.
    pub fn after_kill(&self) -> Self {
        Self::abandoned(self.inner().disk.clone())
    }

    /// The disks that a power cut may leave now: every uncertain name kept or lost, every uncertain tail
    /// of a file lost, torn, zeroed or kept, in all combinations up to [`CRASH_IMAGES_MAX`].
    ///
    /// The same disk gives the same images in the same order, each once.
    pub fn crash_images(&self) -> Vec<Self> {
        let disk = self.inner().disk.clone();
        let images: BTreeSet<Image> = disk
            .choices()
            .into_iter()
            .map(|choice| disk.after_power_cut(choice))
            .collect();
        images
            .into_iter()
            .map(|image| Self::of(Disk::from_image(image)))
            .collect()
    }

    fn abandoned(disk: Disk) -> Self {
        Self::of(Disk {
            locks: BTreeSet::new(),
            ..disk
        })
    }

    fn of(disk: Disk) -> Self {
        Self(Arc::new(Mutex::new(Inner { disk, history: None })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call that changes the disk.
    fn change<T>(&self, action: &'static str, path: &Path, run: impl FnOnce(&mut Disk) -> io::Result<T>) -> Result<T> {
        let mut inner = self.inner();
        let result = run(&mut inner.disk).map_err(|source| Error::io(action, path, source));
        inner.remember();
        result
    }
}

impl Inner {
    fn remember(&mut self) {
        if let Some(history) = &mut self.history {
            history.push(self.disk.clone());
        }
    }
}

impl Disk {
    fn from_image(image: Image) -> Self {
        let mut disk = Self::default();
        for (path, bytes) in image {
            let node = match bytes {
                None => Node::Folder,
                Some(bytes) => {
                    disk.files.push(Contents {
                        synced: bytes.len(),
                        bytes,
                    });
                    Node::File(disk.files.len() - 1)
                }
            };
            disk.live.insert(path, node);
        }
        disk.durable = disk.live.clone();
        disk
    }

    fn live_image(&self) -> Image {
        Self::image(&self.live, |id| self.files[id].bytes.clone())
    }

    fn image(tree: &Tree, read: impl Fn(usize) -> Vec<u8>) -> Image {
        let contents = |node: &Node| match node {
            Node::Folder => None,
            Node::File(id) => Some(read(*id)),
        };
        tree.iter().map(|(path, node)| (path.clone(), contents(node))).collect()
    }

    fn is_folder(&self, path: &Path) -> bool {
        is_root(path) || self.live.get(path) == Some(&Node::Folder)
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.live.get(path) {
            Some(Node::File(id)) => Ok(*id),
            Some(Node::Folder) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn put_new(&mut self, path: &Path, node: Node) -> io::Result<()> {
        if self.live.contains_key(path) || is_root(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        if !self.is_folder(parent(path)) {
            return Err(ErrorKind::NotFound.into());
        }
        self.apply(Change::Put(path.into(), node));
        Ok(())
    }

    fn new_file(&mut self, path: &Path) -> io::Result<usize> {
        let id = self.files.len();
        self.put_new(path, Node::File(id))?;
        self.files.push(Contents::default());
        Ok(id)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let node = Node::File(self.file(from)?);
        if parent(from) != parent(to) {
            return Err(ErrorKind::CrossesDevices.into());
        }
        if self.is_folder(to) {
            return Err(ErrorKind::IsADirectory.into());
        }
        self.apply(Change::Move {
            from: from.into(),
            to: to.into(),
            node,
        });
        Ok(())
    }

    fn apply(&mut self, change: Change) {
        change.apply(&mut self.live);
        self.pending.push(change);
    }

    fn sync_names(&mut self, dir: &Path) -> io::Result<()> {
        if !self.is_folder(dir) {
            return Err(ErrorKind::NotFound.into());
        }
        for change in self.pending.extract_if(.., |change| same_folder(change.folder(), dir)) {
            change.apply(&mut self.durable);
        }
        Ok(())
    }

    /// One bit per pending change, then two per file with an uncertain tail.
    fn choices(&self) -> Vec<u128> {
        let tails = self.files.iter().filter(|file| file.synced < file.bytes.len()).count();
        let bits = u32::try_from(self.pending.len() + 2 * tails).unwrap_or(u32::MAX);
        assert!(bits < u128::BITS, "{bits} open choices: sync the folder now and then");
        let all = (1u128 << bits) - 1;
        if bits <= CRASH_IMAGES_MAX.ilog2() {
            return (0..=all).collect();
        }
        let one = (0..bits).map(|bit| 1 << bit);
        let corners = [0, all].into_iter().chain(one.clone().map(|bit| all & !bit)).chain(one);
        corners
            .chain(scattered().map(|choice| choice & all))
            .take(CRASH_IMAGES_MAX)
            .collect()
    }

    fn after_power_cut(&self, mut choice: u128) -> Image {
        let mut tree = self.durable.clone();
        for change in &self.pending {
            if choice & 1 == 1 {
                change.apply(&mut tree);
            }
            choice >>= 1;
        }
        let mut left = Vec::with_capacity(self.files.len());
        for file in &self.files {
            left.push(file.left_by((choice & 3) as u8));
            if file.synced < file.bytes.len() {
                choice >>= 2;
            }
        }
        // What lies in a lost folder is lost.
        let whole = tree.clone();
        let is_folder = |path: &Path| is_root(path) || whole.get(path) == Some(&Node::Folder);
        tree.retain(|path, _| path.ancestors().skip(1).all(is_folder));
        Self::image(&tree, |id| left[id].clone())
    }
}

impl Contents {
    /// The uncertain tail: 0 lost, 1 torn in the middle, 2 zeros, 3 kept.
    fn left_by(&self, choice: u8) -> Vec<u8> {
        let (synced, tail) = self.bytes.split_at(self.synced);
        match choice {
            0 => synced.to_vec(),
            1 => [synced, &tail[..tail.len() / 2]].concat(),
            2 => [synced, &vec![0; tail.len()]].concat(),
            _ => self.bytes.clone(),
        }
    }
}

impl Change {
    fn folder(&self) -> &Path {
        match self {
            Self::Put(path, _) | Self::Move { to: path, .. } | Self::Delete(path) => parent(path),
        }
    }

    fn apply(&self, tree: &mut Tree) {
        match self {
            Self::Put(path, node) => {
                tree.insert(path.clone(), *node);
            }
            Self::Move { from, to, node } => {
                tree.remove(from);
                tree.insert(to.clone(), *node);
            }
            Self::Delete(path) => {
                tree.remove(path);
            }
        }
    }
}

impl Fs for CrashFs {
    fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        let inner = self.inner();
        if is_root(path) {
            return Ok(Some(Entry::Folder));
        }
        Ok(inner.disk.live.get(path).map(|node| match node {
            Node::Folder => Entry::Folder,
            Node::File(id) => Entry::File {
                len: inner.disk.files[*id].bytes.len() as u64,
            },
        }))
    }

    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>> {
        let inner = self.inner();
        if inner.disk.is_folder(path) {
            return Err(Error::NotAFile {
                path: path.into(),
                found: "a folder",
            });
        }
        let id = inner
            .disk
            .file(path)
            .map_err(|source| Error::io("read", path, source))?;
        let bytes = &inner.disk.files[id].bytes;
        let len = bytes.len() as u64;
        if len > limit {
            return Err(Error::TooLong {
                path: path.into(),
                len,
                limit,
            });
        }
        Ok(bytes.clone())
    }

    fn create(&self, path: &Path) -> Result<Box<dyn FileWriter>> {
        let id = self.change("create", path, |disk| disk.new_file(path))?;
        Ok(Box::new(CrashWriter { disk: self.clone(), id }))
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        self.change("create the folder", path, |disk| disk.put_new(path, Node::Folder))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.change("replace", to, |disk| disk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.change("remove", path, |disk| {
            disk.file(path)?;
            disk.apply(Change::Delete(path.into()));
            Ok(())
        })
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.change("sync the folder", dir, |disk| disk.sync_names(dir))
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        let inner = self.inner();
        if !inner.disk.is_folder(dir) {
            return Err(Error::io("list the folder", dir, ErrorKind::NotFound.into()));
        }
        let inside = inner
            .disk
            .live
            .keys()
            .filter(|path| !is_root(path) && same_folder(parent(path), dir));
        Ok(inside
            .filter_map(|path| path.file_name()?.to_str().map(String::from))
            .collect())
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>> {
        let is_free = self.change("lock", path, |disk| {
            if disk.file(path).is_err() {
                disk.new_file(path)?;
            }
            Ok(disk.locks.insert(path.into()))
        })?;
        if !is_free {
            return Err(Error::Locked { path: path.into() });
        }
        Ok(Box::new(CrashLock {
            disk: self.clone(),
            path: path.into(),
        }))
    }
}

#[derive(Debug)]
struct CrashWriter {
    disk: CrashFs,
    id: usize,
}

impl Write for CrashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.disk.inner();
        inner.disk.files[self.id].bytes.extend_from_slice(bytes);
        inner.remember();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWriter for CrashWriter {
    fn sync(&mut self) -> io::Result<()> {
        let mut inner = self.disk.inner();
        let file = &mut inner.disk.files[self.id];
        file.synced = file.bytes.len();
        inner.remember();
        Ok(())
    }
}

#[derive(Debug)]
struct CrashLock {
    disk: CrashFs,
    path: PathBuf,
}

impl Lock for CrashLock {}

impl Drop for CrashLock {
    fn drop(&mut self) {
        self.disk.inner().disk.locks.remove(&self.path);
    }
}

/// The root and the current folder exist on every disk, and are the same.
fn is_root(path: &Path) -> bool {
    matches!(path.to_str(), Some("" | "." | "/"))
}

fn same_folder(a: &Path, b: &Path) -> bool {
    a == b || (is_root(a) && is_root(b))
}

/// A fixed sequence without pattern: the SplitMix64 generator, two steps per number.
fn scattered() -> impl Iterator<Item = u128> {
    let mut state = 0u64;
    std::iter::repeat_with(move || {
        let mut step = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        (u128::from(step()) << 64) | u128::from(step())
    })
}
