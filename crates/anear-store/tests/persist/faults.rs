//! A disk that fails at every call of a save or a load, once or from then on.

use anear_bytes::testing::{CountdownFs, CrashFs, Fault};
use anear_store::Error;

use super::scene::{durable, first, load, scenes, second};

type Start = fn(CrashFs, u64, Fault) -> CountdownFs<CrashFs>;
const STARTS: [Start; 2] = [CountdownFs::once, CountdownFs::from_then_on];

fn every_fault() -> impl Iterator<Item = (&'static Start, Fault)> {
    STARTS.iter().flat_map(|start| Fault::ALL.map(|fault| (start, fault)))
}

/// What may be in the folder, now and after a power cut, when a save ended like this.
fn allowed_after(result: &Result<(), Error>, old: &Option<String>, new: &Option<String>) -> Vec<Option<String>> {
    use anear_bytes::Error::{NotSaved, Unknown, Unpublished};
    match result {
        Ok(()) | Err(Error::Storage(Unpublished { .. })) => vec![new.clone()],
        Err(Error::Storage(Unknown { .. })) => vec![old.clone(), new.clone()],
        Err(Error::Storage(NotSaved { .. })) => vec![old.clone()],
        Err(error) => panic!("a fault of the disk came out as {error:?}"),
    }
}

#[test]
fn a_fault_at_every_call_of_a_save_leaves_the_old_or_the_new_store_as_its_error_says() {
    let (mut calls, mut faults, mut disks) = (0, 0, 0);
    for (what, disk, version) in scenes() {
        let (old, new) = (load(disk.clone()).unwrap(), Some(version.written()));
        let counting = CountdownFs::counting(durable(&disk));
        version.save(counting.clone()).unwrap();
        calls += counting.calls();
        for nth in 1..=counting.calls() {
            for (start, fault) in every_fault() {
                let copy = durable(&disk);
                let result = version.save(start(copy.clone(), nth, fault));
                let allowed = allowed_after(&result, &old, &new);
                for image in std::iter::once(copy.clone()).chain(copy.crash_images()) {
                    let found =
                        load(image).unwrap_or_else(|e| panic!("{what}, call {nth}, {fault:?}: {e}; {result:?}"));
                    assert!(
                        allowed.contains(&found),
                        "{what}, call {nth}, {fault:?}: {found:?} after {result:?}"
                    );
                    disks += 1;
                }
                // The disk is well again: so is saving.
                second().save(copy.clone()).unwrap();
                assert_eq!(load(copy).unwrap(), Some(second().written()));
                faults += 1;
            }
        }
    }
    println!("{faults} faults at {calls} calls of a save, {disks} disks, each the old or the new store");
    assert!(faults > 1000, "{faults}");
}

#[test]
fn a_fault_at_every_call_of_a_load_never_changes_its_answer() {
    let (mut faults, mut refused) = (0, 0);
    for (what, disk, _) in scenes() {
        let whole = load(disk.clone()).unwrap();
        let counting = CountdownFs::counting(disk.clone());
        load(counting.clone()).unwrap();
        for nth in 1..=counting.calls() {
            for (start, fault) in every_fault() {
                match load(start(disk.clone(), nth, fault)) {
                    Err(Error::Storage(anear_bytes::Error::Io { .. })) => refused += 1,
                    // The answer that was lost was that there is no such file, which is an error of its own.
                    Ok(found) if fault == Fault::LostAnswer => assert_eq!(found, whole, "{what}, call {nth}"),
                    result => panic!("{what}, call {nth}, {fault:?}: {result:?}"),
                }
                faults += 1;
            }
        }
        assert_eq!(load(disk).unwrap(), whole);
    }
    println!("{faults} faults of a load, {refused} refused, no other answer");
    assert!(refused > 100, "{refused}");
}

#[test]
fn a_failed_save_says_what_the_folder_holds() {
    let disk = super::scene::saved(&first());
    let error = second()
        .save(CountdownFs::once(disk, 5, Fault::Full))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("nothing was saved, what /store held is as it was: "),
        "{error}"
    );
    assert!(error.contains("injected full disk"), "{error}");
}
