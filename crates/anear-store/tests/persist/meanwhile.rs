//! Saves beside searches, changes, loads and other saves.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use anear_bytes::testing::CrashFs;
use anear_bytes::{Entry, FileWriter, Fs, Lock, RealFs};
use anear_documents::Document;
use anear_pool::Pool;
use anear_store::{Error, VectorStore};

use super::scene::{DIR, NAME, Version, block_on, builder, first, second, written};

/// A disk that says when the first file is begun, and waits until it may go on.
#[derive(Debug)]
struct Gate {
    disk: CrashFs,
    reached: mpsc::SyncSender<()>,
    open: Mutex<mpsc::Receiver<()>>,
}

impl Fs for Gate {
    fn entry(&self, path: &Path) -> anear_bytes::Result<Option<Entry>> {
        self.disk.entry(path)
    }

    fn read(&self, path: &Path, limit: u64) -> anear_bytes::Result<Vec<u8>> {
        self.disk.read(path, limit)
    }

    fn create(&self, path: &Path) -> anear_bytes::Result<Box<dyn FileWriter>> {
        let gone = |_| anear_bytes::Error::io("pass the gate to", path, io::ErrorKind::BrokenPipe.into());
        // Nobody waits for the second file any more; the gate stays open.
        let _ = self.reached.try_send(());
        self.open.lock().unwrap().recv().map_err(gone)?;
        self.disk.create(path)
    }

    fn create_dir(&self, path: &Path) -> anear_bytes::Result<()> {
        self.disk.create_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> anear_bytes::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> anear_bytes::Result<()> {
        self.disk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> anear_bytes::Result<()> {
        self.disk.sync_dir(dir)
    }

    fn list(&self, dir: &Path) -> anear_bytes::Result<Vec<String>> {
        self.disk.list(dir)
    }

    fn lock(&self, path: &Path) -> anear_bytes::Result<Box<dyn Lock>> {
        self.disk.lock(path)
    }
}

#[test]
fn a_store_is_searched_and_changed_while_it_is_saved_and_the_save_is_of_one_moment() {
    let disk = CrashFs::new();
    let (reached, is_reached) = mpsc::sync_channel(1);
    let (go, open) = mpsc::channel();
    let gate = Gate {
        disk: disk.clone(),
        reached,
        open: Mutex::new(open),
    };
    let store = builder(gate).pool(Pool::new(2).unwrap()).build();
    block_on(store.upsert_embeddings(first().documents)).unwrap();
    let before = written(&store);

    let saving = thread::spawn({
        let store = store.clone();
        move || block_on(store.save_local(DIR, NAME))
    });
    is_reached.recv().unwrap();
    // The save hangs in the middle; everything else goes on.
    block_on(store.upsert_embeddings(vec![(Document::new("late").with_id("late"), vec![1.0; 3])])).unwrap();
    block_on(store.delete(anear_store::Deletion::Ids(vec!["a".into()]))).unwrap();
    let after = written(&store);
    assert_ne!(after, before);

    (0..3).for_each(|_| go.send(()).unwrap());
    saving.join().unwrap().unwrap();
    let loaded = block_on(builder(disk).load_local(DIR, NAME)).unwrap();
    assert_eq!(written(&loaded), before);
    assert_eq!(written(&store), after);
}

#[test]
fn saves_of_many_threads_to_one_folder_leave_one_of_them_whole_at_every_moment() {
    const WRITERS: usize = 4;
    const SAVES: usize = 15;
    let folder = tempfile::tempdir().unwrap();
    let versions: Vec<Version> = (0..WRITERS)
        .map(|i| {
            let mut version = if i % 2 == 0 { first() } else { second() };
            version.documents[0].0.page_content = format!("by writer {i}");
            version
        })
        .collect();
    let whole: Vec<String> = versions.iter().map(Version::written).collect();
    block_on(versions[0].store(RealFs).save_local(folder.path(), NAME)).unwrap();
    let tally = Arc::new(Mutex::new((0, 0, 0)));
    thread::scope(|scope| {
        for version in &versions {
            let (folder, tally) = (folder.path(), tally.clone());
            scope.spawn(move || {
                let store = version.store(RealFs);
                let mut left = SAVES;
                while left > 0 {
                    match block_on(store.save_local(folder, NAME)) {
                        Ok(()) => {
                            left -= 1;
                            tally.lock().unwrap().0 += 1;
                        }
                        Err(Error::Storage(anear_bytes::Error::NotSaved { source, .. }))
                            if matches!(*source, anear_bytes::Error::Locked { .. }) =>
                        {
                            tally.lock().unwrap().1 += 1;
                        }
                        Err(error) => panic!("{error:?}"),
                    }
                }
            });
        }
        for _ in 0..2 {
            let (folder, whole, tally) = (folder.path(), &whole, tally.clone());
            scope.spawn(move || {
                for _ in 0..SAVES {
                    match block_on(builder(RealFs).load_local(folder, NAME)) {
                        Ok(store) => assert!(whole.contains(&written(&store))),
                        Err(Error::Storage(anear_bytes::Error::Busy { .. })) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                    tally.lock().unwrap().2 += 1;
                }
            });
        }
    });
    let (saved, locked, loaded) = *tally.lock().unwrap();
    println!("{saved} saves, {locked} refused because another was under way, {loaded} loads, each of one store");
    assert_eq!(saved, WRITERS * SAVES);
    let last = block_on(builder(RealFs).load_local(folder.path(), NAME)).unwrap();
    assert!(whole.contains(&written(&last)));
}

#[test]
fn a_save_that_nobody_awaits_any_more_is_whole_or_was_never_begun() {
    use std::future::Future;
    use std::task::{Context, Waker};

    let old = first().written();
    let new = second().written();
    for polls in 0..3 {
        let disk = super::scene::saved(&first());
        let store = second().store(disk.clone());
        let mut save = Box::pin(store.save_local(DIR, NAME));
        for _ in 0..polls {
            drop(save.as_mut().poll(&mut Context::from_waker(Waker::noop())));
        }
        drop(save);
        for _ in 0..20 {
            let found = super::scene::load(disk.clone()).unwrap();
            assert!(found == Some(old.clone()) || found == Some(new.clone()), "{found:?}");
        }
        assert!(polls > 0 || super::scene::load(disk.clone()).unwrap() == Some(old.clone()));
    }
}
