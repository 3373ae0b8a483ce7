//! Reading beside a save: one version or the other, at every interleaving of their calls.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use anear_bytes::testing::{CountdownFs, CrashFs};
use anear_bytes::{Entry, FileWriter, Fs, Loaded, Lock, Result};
use proptest::prelude::*;

use super::scene::{State, Version, durable, load, load_with, save, scenes, visible};

/// A disk that changes between two calls of its reader: the nth call sees the disk `at[n]`.
#[derive(Debug)]
struct Movie {
    disks: Vec<CrashFs>,
    at: Vec<usize>,
    calls: AtomicUsize,
}

impl Movie {
    fn now(&self) -> &CrashFs {
        let call = self.calls.fetch_add(1, Relaxed);
        &self.disks[self.at.get(call).copied().unwrap_or(self.disks.len() - 1)]
    }
}

impl Fs for Movie {
    fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        self.now().entry(path)
    }

    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>> {
        self.now().read(path, limit)
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        self.now().list(dir)
    }

    fn create(&self, _: &Path) -> Result<Box<dyn FileWriter>> {
        unreachable!("a reader creates nothing")
    }

    fn create_dir(&self, _: &Path) -> Result<()> {
        unreachable!("a reader creates nothing")
    }

    fn rename(&self, _: &Path, _: &Path) -> Result<()> {
        unreachable!("a reader renames nothing")
    }

    fn remove(&self, _: &Path) -> Result<()> {
        unreachable!("a reader removes nothing")
    }

    fn sync_dir(&self, _: &Path) -> Result<()> {
        unreachable!("a reader syncs nothing")
    }

    fn lock(&self, _: &Path) -> Result<Box<dyn Lock>> {
        unreachable!("a reader needs no lock")
    }
}

/// The disks of a save, oldest first, and the states before and after.
fn film(disk: &CrashFs, version: &Version) -> (Vec<CrashFs>, [State; 2]) {
    let disk = durable(disk);
    let old = load(&disk).unwrap();
    disk.record();
    save(&disk, version).unwrap();
    (disk.boundaries(), [old, State::Saved(version.clone())])
}

fn watch(disks: &[CrashFs], at: Vec<usize>) -> State {
    let movie = Movie {
        disks: disks.to_vec(),
        at,
        calls: AtomicUsize::new(0),
    };
    match load_with(&movie).unwrap() {
        Loaded::Committed { meta, files } => State::Saved(Version::loaded(meta, files)),
        Loaded::Foreign => State::Foreign(visible(&disks[0])),
        Loaded::Missing => State::Missing,
    }
}

#[test]
fn a_save_that_passes_between_any_two_calls_of_a_reader_is_seen_whole_or_not_at_all() {
    let mut readings = 0;
    for (what, disk, version) in scenes() {
        let (disks, allowed) = film(&disk, &version);
        let counting = CountdownFs::counting(disk);
        load_with(&counting).unwrap();
        for calls in 0..=usize::try_from(counting.calls()).unwrap() * 3 {
            for from in 0..disks.len() {
                for to in from..disks.len() {
                    let seen = watch(&disks, [vec![from; calls], vec![to; 100]].concat());
                    assert!(
                        allowed.contains(&seen),
                        "{what}, {calls} calls at {from}, then {to}: {seen:?}"
                    );
                    readings += 1;
                }
            }
        }
    }
    println!("{readings} readings beside a save, each whole");
}

/// The worst moments lie between a look at a file's final place and one at its staged place.
#[test]
fn two_steps_of_a_save_between_the_calls_of_a_reader_do_not_confuse_it() {
    let (_, disk, version) = scenes().swap_remove(2);
    let (disks, allowed) = film(&disk, &version);
    let mut readings = 0;
    for (first, second) in (0..12).flat_map(|first| (first..12).map(move |second| (first, second))) {
        for at in 0..disks.len() {
            for (to, on) in (at..disks.len()).flat_map(|to| (to..disks.len()).map(move |on| (to, on))) {
                let calls = [vec![at; first], vec![to; second - first], vec![on; 100]].concat();
                let seen = watch(&disks, calls);
                assert!(
                    allowed.contains(&seen),
                    "{first} calls at {at}, to call {second} at {to}, then {on}: {seen:?}"
                );
                readings += 1;
            }
        }
    }
    println!("{readings} readings beside two steps of a save, each whole");
}

proptest! {
    // Without files of its own, a failure shows its steps and is then a test of its own.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_of_two_saves_and_a_reader_gives_one_version(
        scene in 0..scenes().len(),
        next in 0..scenes().len(),
        steps in proptest::collection::vec(0usize..12, 1..40),
    ) {
        let (disk, version) = scenes().into_iter().map(|(_, disk, version)| (disk, version)).nth(scene).unwrap();
        let next = scenes().swap_remove(next).2;
        let (mut disks, [old, new]) = film(&disk, &version);
        let (more, [_, newest]) = film(disks.last().unwrap(), &next);
        disks.extend(more);
        let at = steps.iter().scan(0, |at, step| { *at += step; Some((*at).min(disks.len() - 1)) }).collect();
        let seen = watch(&disks, at);
        prop_assert!([old, new, newest].contains(&seen), "{:?}", seen);
    }
}
