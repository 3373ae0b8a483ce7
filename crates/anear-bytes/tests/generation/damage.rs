//! Changed, cut, mixed and missing files are reported, never answered from; bad names are refused.

use std::path::{Path, PathBuf};

use anear_bytes::testing::CrashFs;
use anear_bytes::{Error, Fs, Loaded, Payload, load_generation, save_generation};

use super::scene::{DIR, STEM, State, boxed, check_alone, check_tidy, durable, first, load, save, saved, second};

fn with_file(disk: &CrashFs, path: &Path, bytes: &[u8]) -> CrashFs {
    let copy = durable(disk);
    copy.put(path, bytes);
    copy
}

fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

#[test]
fn every_flipped_bit_and_every_cut_of_every_file_is_an_error() {
    let disk = saved(&first());
    let (mut flips, mut cuts) = (0, 0);
    for (path, bytes) in disk.files().iter().filter(|(_, bytes)| !bytes.is_empty()) {
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                let result = load(&with_file(&disk, path, &damaged));
                assert!(result.is_err(), "bit {bit} of byte {at} of {}", path.display());
                flips += 1;
            }
            assert!(
                load(&with_file(&disk, path, &bytes[..at])).is_err(),
                "{} cut to {at}",
                path.display()
            );
            cuts += 1;
        }
        assert!(
            load(&with_file(&disk, path, &[bytes, &b"\0"[..]].concat())).is_err(),
            "{} longer",
            path.display()
        );
    }
    println!("{flips} flipped bits and {cuts} cuts, all detected");
}

#[test]
fn files_of_two_versions_are_never_mixed() {
    let (old, new) = (saved(&first()), saved(&second()));
    let mut mixtures = 0;
    for (path, bytes) in new.files().iter().filter(|(_, bytes)| !bytes.is_empty()) {
        assert!(
            load(&with_file(&old, path, bytes)).is_err(),
            "{} of the other version",
            path.display()
        );
        mixtures += 1;
    }
    assert_eq!(mixtures, 3);
}

#[test]
fn a_missing_or_replaced_file_is_named_with_the_way_out() {
    let disk = saved(&first());
    disk.remove(&path("index.pkl")).unwrap();
    let error = load(&disk).unwrap_err().to_string();
    assert!(error.starts_with("/store/index.pkl is damaged or was replaced by another program (it has nothing,"));
    assert!(error.ends_with("remove /store/index.anear.json"), "{error}");

    disk.put(path("index.pkl"), b"another program's");
    assert!(load(&disk).unwrap_err().to_string().contains("it has 17 bytes"));
    disk.remove(&path("index.anear.json")).unwrap();
    assert!(matches!(load(&disk).unwrap(), State::Foreign(_)));
}

#[test]
fn a_damaged_store_can_be_saved_over() {
    for damaged in ["index.anear.json", "index.faiss", "index.pkl"] {
        let disk = with_file(&saved(&first()), &path(damaged), b"damage");
        save(&disk, &second()).unwrap();
        assert_eq!(load(&disk).unwrap(), State::Saved(second()));
        check_tidy(&disk, &second());
    }
}

#[test]
fn a_damaged_staged_file_does_not_replace_a_whole_one() {
    let disk = saved(&first());
    let digest = anear_bytes::digest::sha256(b"first vectors");
    disk.put(path(&format!(".index.faiss.{}.staged", &digest[..16])), b"damage");
    assert_eq!(load(&disk).unwrap(), State::Saved(first()));
    let failing = Payload::stream("index.faiss", |_| Err(std::io::Error::other("cannot go on")));
    save_generation(&disk, Path::new(DIR), STEM, vec![failing], "{}").unwrap_err();
    assert_eq!(load(&disk).unwrap(), State::Saved(first()));
    check_tidy(&disk, &first());
}

#[test]
fn a_retired_file_goes_unless_somebody_else_wrote_it() {
    let disk = saved(&first());
    disk.put(path("index.pkl"), b"another program's");
    let payloads = vec![Payload::bytes("index.anear", b"all in one box")];
    save_generation(&disk, Path::new(DIR), STEM, payloads, &boxed().meta).unwrap();
    let names: Vec<_> = disk.files().into_keys().collect();
    assert!(
        names.contains(&path("index.pkl")) && !names.contains(&path("index.faiss")),
        "{names:?}"
    );
    assert_eq!(load(&disk).unwrap(), State::Saved(boxed()));
}

/// Whose manifest is not to be read, whose files are another program's, who wrote between two saves.
#[test]
fn a_file_that_is_to_be_absent_goes_whoever_wrote_it() {
    let damaged = with_file(&saved(&first()), &path("index.anear.json"), b"damage");
    let replaced = with_file(&saved(&first()), &path("index.pkl"), b"another program's");
    let between = with_file(&saved(&boxed()), &path("index.faiss"), b"another program's");
    for disk in [damaged, replaced, between] {
        save(&disk, &boxed()).unwrap();
        check_alone(&disk, &boxed());
        assert_eq!(load(&disk).unwrap(), State::Saved(boxed()));
    }
}

/// As a program sees it that reads `index.faiss` and `index.pkl` and nothing else.
#[test]
fn other_programs_never_see_an_old_file_beside_a_new_one_without_it() {
    let disk = saved(&first());
    let texts: &[u8] = b"texts of an index in another file";
    let payloads = vec![
        Payload::bytes("index.vectors", b"vectors"),
        Payload::bytes("index.pkl", texts),
        Payload::absent("index.faiss"),
    ];
    disk.record();
    save_generation(&disk, Path::new(DIR), STEM, payloads, "{}").unwrap();
    let mut disks = 0;
    for boundary in disk.boundaries() {
        for image in std::iter::once(boundary.clone()).chain(boundary.crash_images()) {
            let files = image.files();
            let is_new = files.get(&path("index.pkl")).is_some_and(|bytes| bytes == texts);
            assert!(
                !(is_new && files.contains_key(&path("index.faiss"))),
                "{:?}",
                files.keys()
            );
            disks += 1;
        }
    }
    assert!(disks > 20, "{disks}");
}

#[test]
fn only_leftovers_of_this_store_are_swept() {
    let disk = CrashFs::new();
    let others = [
        ".index.b.faiss.0123456789abcdef.staged",
        ".index2.faiss.0123456789abcdef.staged",
        ".index.faiss.0123456789abcdeg.staged",
        ".index.faiss.staged",
        ".index.b.anear.json.writing",
        ".env",
        "index.txt",
        "notes.staged",
    ];
    let ours = [
        ".index.old.0123456789abcdef.staged",
        ".index.faiss.writing",
        ".index.anear.json.writing",
    ];
    others.iter().chain(&ours).for_each(|name| disk.put(path(name), b"x"));
    save(&disk, &first()).unwrap();
    let names: Vec<_> = disk.files().into_keys().collect();
    assert!(others.iter().all(|name| names.contains(&path(name))), "{names:?}");
    assert!(ours.iter().all(|name| !names.contains(&path(name))), "{names:?}");
}

#[test]
fn stores_of_different_names_share_a_folder() {
    let disk = CrashFs::new();
    let dir = Path::new(DIR);
    let stems = ["a", "a.b", "a.anear", "ab", "색인"];
    for stem in stems {
        let name = format!("{stem}.faiss");
        let meta = format!("\"{stem}\"");
        save_generation(&disk, dir, stem, vec![Payload::bytes(&name, stem.as_bytes())], &meta).unwrap();
    }
    for stem in stems {
        let Loaded::Committed { meta, files } = load_generation(&disk, dir, stem, &[]).unwrap() else {
            panic!("{stem}")
        };
        assert_eq!(meta, format!("\"{stem}\""));
        assert_eq!(*files[&format!("{stem}.faiss")], *stem.as_bytes());
    }
    assert_eq!(load_generation(&disk, dir, "b", &[]).unwrap(), Loaded::Missing);
}

#[test]
fn names_that_leave_the_folder_touch_nothing() {
    let disk = CrashFs::new();
    let dir = Path::new(DIR);
    for stem in ["../index", "/etc/passwd", "a/b", "", ".", "nul", "a\0"] {
        let error = save_generation(&disk, dir, stem, vec![], "{}").unwrap_err();
        assert!(matches!(error, Error::Name { .. }), "{error}");
        assert!(matches!(
            load_generation(&disk, dir, stem, &[]),
            Err(Error::Name { .. })
        ));
    }
    let twice = vec!["index.pkl", "index.pkl"];
    let long = format!("index.{}", "x".repeat(33));
    let odd = [
        "index",
        "index.",
        "other.pkl",
        "index.a.b",
        "index./x",
        "../index.pkl",
        "index.\u{e9}",
        &long,
    ];
    for names in odd.map(|name| vec![name]).into_iter().chain([twice]) {
        let payloads = names.iter().map(|name| Payload::bytes(name, b"x")).collect();
        let error = save_generation(&disk, dir, "index", payloads, "{}").unwrap_err();
        assert!(matches!(error, Error::PayloadName { .. }), "{names:?}: {error}");
    }
    let manifest_of_another = vec![Payload::bytes("index.anear.json", b"x")];
    assert!(save_generation(&disk, dir, "index.anear", manifest_of_another, "{}").is_err());
    assert!(matches!(
        save_generation(&disk, dir, "index", vec![], "{"),
        Err(Error::Metadata(_))
    ));
    assert!(disk.files().is_empty());
}

#[test]
fn a_store_of_a_later_anear_is_neither_read_nor_replaced() {
    let disk = saved(&first());
    let crc = crc32c::crc32c(b"9{}");
    let text = format!("{{\"anear\":\"saved store\",\"format\":9,\"crc32c\":\"{crc:08x}\",\"store\":\n{{}}\n}}\n");
    disk.put(path("index.anear.json"), text.as_bytes());
    let message = "the manifest has format version 9, this anear reads up to 1; update anear to read it";
    assert_eq!(load(&disk).unwrap_err().to_string(), message);
    assert!(save(&disk, &second()).unwrap_err().to_string().ends_with(message));
    assert_eq!(disk.files()[&path("index.anear.json")], text.as_bytes());
}
