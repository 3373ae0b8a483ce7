//! Power cuts at every call of a save.

use std::path::Path;

use anear_bytes::testing::CrashFs;

use super::scene::{DIR, Version, load, scenes, second};

/// Saves and gives the disk at every call, the last one after all is done.
fn boundaries_of(disk: &CrashFs, version: &Version) -> Vec<CrashFs> {
    disk.record();
    version.save(disk.clone()).unwrap();
    disk.boundaries()
}

/// At every boundary, before and after a power cut, one of `allowed` is there; at the last, the last one. Gives the
/// number of disks looked at.
fn check(what: &str, boundaries: &[CrashFs], allowed: &[Option<String>]) -> usize {
    let mut disks = 0;
    for (i, boundary) in boundaries.iter().enumerate() {
        let is_done = i + 1 == boundaries.len();
        let allowed = if is_done {
            &allowed[allowed.len() - 1..]
        } else {
            allowed
        };
        for image in std::iter::once(boundary.clone()).chain(boundary.crash_images()) {
            let found = load(image.clone()).unwrap_or_else(|e| panic!("{what}, call {i}: {e}\n{:?}", image.files()));
            assert!(
                allowed.contains(&found),
                "{what}, call {i}: {found:?}\n{:?}",
                image.files()
            );
            disks += 1;
        }
    }
    disks
}

#[test]
fn a_power_cut_at_every_call_of_a_save_leaves_the_old_or_the_new_store() {
    let (mut calls, mut disks) = (0, 0);
    for (what, disk, version) in scenes() {
        let allowed = [load(disk.clone()).unwrap(), Some(version.written())];
        let boundaries = boundaries_of(&disk, &version);
        calls += boundaries.len();
        disks += check(what, &boundaries, &allowed);
    }
    println!("{calls} call boundaries, {disks} disks, each the old or the new store");
    assert!(disks > 300, "{disks}");
}

#[test]
fn a_save_after_a_kill_at_every_call_is_as_safe_as_the_first() {
    let (mut calls, mut disks) = (0, 0);
    for (what, disk, version) in scenes() {
        let before = load(disk.clone()).unwrap();
        for killed in boundaries_of(&disk, &version) {
            let allowed = [before.clone(), Some(version.written()), Some(second().written())];
            let again = boundaries_of(&killed.after_kill(), &second());
            calls += again.len();
            disks += check(what, &again, &allowed);
        }
    }
    println!("{calls} call boundaries, {disks} disks, each an old or the new store");
    assert!(disks > 3000, "{disks}");
}

/// Other programs know nothing of staged files: what they need is under its final name once the save returns.
#[test]
fn a_power_cut_after_a_save_leaves_both_of_langchains_files_in_place() {
    for (what, disk, _) in scenes() {
        second().save(disk.clone()).unwrap();
        let wanted = disk.files();
        for image in disk.crash_images() {
            for name in ["index.faiss", "index.pkl"] {
                let path = Path::new(DIR).join(name);
                assert_eq!(image.files().get(&path), Some(&wanted[&path]), "{what}: {name}");
            }
        }
    }
}
