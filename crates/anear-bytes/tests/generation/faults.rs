//! A disk that fails at every call of a save or a load, once or from then on.

use anear_bytes::testing::{CountdownFs, CrashFs, Fault};
use anear_bytes::{Error, Loaded};

use super::scene::{State, check_tidy, durable, load, load_with, save, saved, scenes, second};

type Start = fn(CrashFs, u64, Fault) -> CountdownFs<CrashFs>;
const STARTS: [Start; 2] = [CountdownFs::once, CountdownFs::from_then_on];

/// What may be on the disk, now and after a power cut, when a save ended like this.
fn allowed_after(result: &Result<(), Error>, old: &State, new: &State) -> Vec<State> {
    match result {
        Ok(()) | Err(Error::Unpublished { .. }) => vec![new.clone()],
        Err(Error::Unknown { .. }) => vec![old.clone(), new.clone()],
        Err(Error::NotSaved { .. }) => vec![old.clone()],
        Err(error) => panic!("a fault of the disk came out as {error:?}"),
    }
}

#[test]
fn a_fault_at_every_call_of_a_save_leaves_what_its_error_says() {
    let (mut faults, mut images, mut outcomes) = (0, 0, [0; 4]);
    for (what, disk, version) in scenes() {
        let (old, new) = (load(&disk).unwrap(), State::Saved(version.clone()));
        let counting = CountdownFs::counting(durable(&disk));
        save(&counting, &version).unwrap();
        for nth in 1..=counting.calls() {
            for (start, fault) in STARTS.iter().flat_map(|start| Fault::ALL.map(|fault| (start, fault))) {
                let copy = durable(&disk);
                let result = save(&start(copy.clone(), nth, fault), &version);
                let allowed = allowed_after(&result, &old, &new);
                for image in std::iter::once(copy.clone()).chain(copy.crash_images()) {
                    let found =
                        load(&image).unwrap_or_else(|e| panic!("{what}, call {nth}, {fault:?}: {e}; {result:?}"));
                    assert!(
                        allowed.contains(&found),
                        "{what}, call {nth}, {fault:?}: {found:?} after {result:?}"
                    );
                    images += 1;
                }
                faults += 1;
                outcomes[match &result {
                    Ok(()) => 0,
                    Err(Error::NotSaved { .. }) => 1,
                    Err(Error::Unknown { .. }) => 2,
                    Err(_) => 3,
                }] += 1;

                // The disk is well again: so is saving.
                save(&copy, &second()).unwrap();
                check_tidy(&copy, &second());
                assert!(
                    copy.crash_images()
                        .iter()
                        .all(|image| load(image).unwrap() == State::Saved(second()))
                );
            }
        }
    }
    let [ok, not_saved, unknown, unpublished] = outcomes;
    println!(
        "{faults} faults, {images} disks, each whole: {ok} saves succeeded all the same, {not_saved} not saved, \
         {unknown} unknown, {unpublished} unpublished"
    );
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}

#[test]
fn a_fault_at_every_call_of_a_load_never_changes_its_answer() {
    let mut faults = 0;
    for (what, disk, _) in scenes() {
        let whole = load_with(&disk).unwrap();
        let counting = CountdownFs::counting(disk.clone());
        load_with(&counting).unwrap();
        for nth in 1..=counting.calls() {
            for (start, fault) in STARTS.iter().flat_map(|start| Fault::ALL.map(|fault| (start, fault))) {
                match load_with(&start(disk.clone(), nth, fault)) {
                    Err(Error::Io { .. }) => {}
                    // The answer was that there is no such file, which is an error of its own.
                    Ok(found) if fault == Fault::LostAnswer => assert_eq!(found, whole),
                    result => panic!("{what}, call {nth}, {fault:?}: {result:?}"),
                }
                faults += 1;
            }
        }
        assert_eq!(load_with(&disk).unwrap(), whole);
    }
    println!("{faults} faults of a load, no other answer");
}

#[test]
fn a_payload_that_fails_while_it_is_written_changes_nothing() {
    use std::path::Path;

    use anear_bytes::{Payload, save_generation};

    use super::scene::{DIR, STEM, first};

    let disk = saved(&first());
    let payloads = vec![
        Payload::bytes("index.faiss", b"new"),
        Payload::stream("index.pkl", |out| {
            out.write_all(b"half a file")?;
            Err(std::io::Error::other("cannot go on"))
        }),
    ];
    let error = save_generation(&disk, Path::new(DIR), STEM, payloads, "{}").unwrap_err();
    let message =
        "nothing was saved, what /store held is as it was: cannot write /store/.index.pkl.writing: cannot go on";
    assert_eq!(error.to_string(), message);
    assert!(matches!(load_with(&disk).unwrap(), Loaded::Committed { meta, .. } if meta == first().meta));
    check_tidy(&disk, &first());
}
