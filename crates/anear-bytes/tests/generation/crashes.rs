//! Power cuts and kills at every call of a save, and of the save after it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anear_bytes::testing::CrashFs;
use anear_bytes::{Fs, Loaded, load_generation};

use super::scene::{DIR, STEM, State, Version, boxed, check_alone, check_tidy, first, load, save, scenes, second};

/// Saves and gives the disk at every call, the last one after all is done.
fn boundaries_of(disk: &CrashFs, version: &Version) -> Vec<CrashFs> {
    disk.record();
    save(disk, version).unwrap();
    disk.boundaries()
}

/// Counts the states that were looked at.
#[derive(Default)]
struct Tally {
    boundaries: usize,
    images: usize,
}

impl Tally {
    /// At every boundary, before and after a power cut, one of `allowed` is there; after the last, the last one.
    fn check(&mut self, what: &str, boundaries: &[CrashFs], allowed: &[State]) {
        for (i, boundary) in boundaries.iter().enumerate() {
            let is_done = i + 1 == boundaries.len();
            let allowed = if is_done {
                &allowed[allowed.len() - 1..]
            } else {
                allowed
            };
            self.boundaries += 1;
            for image in std::iter::once(boundary.clone()).chain(boundary.crash_images()) {
                self.images += 1;
                let found =
                    load(&image).unwrap_or_else(|error| panic!("{what}, call {i}: {error}\n{:#?}", image.files()));
                assert!(
                    allowed.contains(&found),
                    "{what}, call {i}: {found:?}\n{:#?}",
                    image.files()
                );
            }
        }
    }
}

#[test]
fn a_power_cut_at_every_call_leaves_the_old_or_the_new_version() {
    let mut tally = Tally::default();
    for (what, disk, version) in scenes() {
        let old = load(&disk).unwrap();
        let boundaries = boundaries_of(&disk, &version);
        tally.check(what, &boundaries, &[old, State::Saved(version.clone())]);
        check_alone(&disk, &version);
    }
    println!(
        "{} call boundaries, {} disks, each whole",
        tally.boundaries, tally.images
    );
    assert!(tally.images > 500, "{}", tally.images);
}

#[test]
fn a_power_cut_after_a_save_leaves_every_file_under_its_final_name() {
    for (what, disk, version) in scenes() {
        save(&disk, &version).unwrap();
        for image in disk.crash_images() {
            for (name, bytes) in &version.files {
                assert_eq!(
                    image.files().get(&Path::new(DIR).join(name)),
                    Some(bytes),
                    "{what}: {name}"
                );
            }
        }
    }
}

#[test]
fn a_power_cut_after_a_save_keeps_the_folders_that_were_made_for_it() {
    let (disk, dir) = (CrashFs::new(), Path::new("/a/b/c"));
    first().save(&disk, dir).unwrap();
    for image in disk.crash_images() {
        assert!(matches!(
            load_generation(&image, dir, STEM, &[]).unwrap(),
            Loaded::Committed { .. }
        ));
    }
}

/// The process is killed at a call; the machine goes on, nothing is synced on its behalf; another
/// process saves; the power is cut at any of its calls.
#[test]
fn a_save_after_a_kill_at_every_call_is_as_safe_as_the_first() {
    let mut tally = Tally::default();
    for (what, disk, version) in scenes() {
        let old = load(&disk).unwrap();
        for killed in boundaries_of(&disk, &version) {
            for next in [first(), second(), boxed()] {
                let allowed = [old.clone(), State::Saved(version.clone()), State::Saved(next.clone())];
                let again = boundaries_of(&killed.after_kill(), &next);
                tally.check(what, &again, &allowed);
                check_tidy(again.last().unwrap(), &next);
            }
        }
    }
    println!(
        "{} call boundaries, {} disks, each whole",
        tally.boundaries, tally.images
    );
    assert!(tally.images > 10_000, "{}", tally.images);
}

/// The power is cut at a call; the machine starts on any disk this may leave; a process saves; the power
/// is cut again at any of its calls.
#[test]
fn a_save_after_a_power_cut_at_every_call_is_as_safe_as_the_first() {
    let mut tally = Tally::default();
    for (what, disk, version) in scenes() {
        let images = images_of(&boundaries_of(&disk, &version));
        let nexts = [first(), second(), boxed()].into_iter().cycle();
        for ((_, image), next) in images.into_iter().zip(nexts) {
            let old = load(&image).unwrap();
            let again = boundaries_of(&image, &next);
            tally.check(what, &again, &[old, State::Saved(next.clone())]);
            check_tidy(again.last().unwrap(), &next);
        }
    }
    println!(
        "{} call boundaries, {} disks, each whole",
        tally.boundaries, tally.images
    );
    assert!(tally.images > 10_000, "{}", tally.images);
}

/// Different disks that a power cut may leave, over all boundaries.
fn images_of(boundaries: &[CrashFs]) -> BTreeMap<BTreeMap<PathBuf, Vec<u8>>, CrashFs> {
    let images = boundaries.iter().flat_map(CrashFs::crash_images);
    images.map(|image| (image.files(), image)).collect()
}

/// The disk of these tests itself: what it may forget, it forgets in some image.
#[test]
fn the_crash_disk_forgets_what_was_not_synced() {
    use std::io::Write;

    let disk = CrashFs::new();
    disk.put("/d/old", b"old");
    let mut file = disk.create(Path::new("/d/new")).unwrap();
    file.write_all(b"newnew").unwrap();
    let seen = |disk: &CrashFs| -> BTreeSet<Vec<(String, String)>> {
        let show = |(path, bytes): (PathBuf, Vec<u8>)| (path.display().to_string(), bytes.escape_ascii().to_string());
        disk.crash_images()
            .iter()
            .map(|image| image.files().into_iter().map(show).collect())
            .collect()
    };
    let state = |files: &[(&str, &str)]| {
        files
            .iter()
            .map(|(p, b)| (p.to_string(), b.to_string()))
            .collect::<Vec<_>>()
    };
    let old = ("/d/old", "old");
    let torn = ["", "new", r"\x00\x00\x00\x00\x00\x00", "newnew"].map(|tail| state(&[("/d/new", tail), old]));
    assert_eq!(seen(&disk), torn.into_iter().chain([state(&[old])]).collect());

    file.sync().unwrap();
    assert_eq!(seen(&disk), [state(&[("/d/new", "newnew"), old]), state(&[old])].into());

    disk.sync_dir(Path::new("/d")).unwrap();
    disk.rename(Path::new("/d/new"), Path::new("/d/old")).unwrap();
    let renamed = state(&[("/d/old", "newnew")]);
    assert_eq!(
        seen(&disk),
        [state(&[("/d/new", "newnew"), old]), renamed.clone()].into()
    );

    disk.sync_dir(Path::new("/d")).unwrap();
    assert_eq!(seen(&disk), [renamed].into());
}
