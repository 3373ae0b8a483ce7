//! The disk of this machine: whole saves, locks, readers beside writers, and files that are not files.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use anear_bytes::{
    Entry, Error, FileWriter, Fs, Loaded, Lock, Payload, RealFs, Result, load_generation, save_generation,
};

use super::scene::{STEM, Version, first, second};

/// All files of a version.
const FILES: &[&str] = &["index.faiss", "index.pkl"];

fn load_by(dir: &Path, map: &[&str]) -> Result<Version> {
    match load_generation(&RealFs, dir, STEM, map)? {
        Loaded::Committed { meta, files } => {
            for (name, file) in &files {
                assert_eq!(file.mapping().is_some(), map.contains(&name.as_str()), "{name}");
            }
            Ok(Version::loaded(meta, files))
        }
        other => panic!("{other:?}"),
    }
}

/// Reads all files, and maps one or all.
fn load(dir: &Path) -> Result<Version> {
    let read = load_by(dir, &[])?;
    for map in [&FILES[..1], FILES] {
        assert_eq!(load_by(dir, map)?, read);
    }
    Ok(read)
}

#[cfg(unix)]
#[test]
fn what_is_mapped_stays_what_it_is_when_it_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    first().save(&RealFs, dir.path()).unwrap();
    let Loaded::Committed { meta, files } = load_generation(&RealFs, dir.path(), STEM, FILES).unwrap() else {
        panic!("it was saved")
    };
    second().save(&RealFs, dir.path()).unwrap();
    assert_eq!(Version::loaded(meta, files), first());
    assert_eq!(load(dir.path()).unwrap(), second());
}

#[test]
fn saves_and_loads_in_a_new_folder_in_a_new_folder() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("a/b");
    assert_eq!(load_generation(&RealFs, &dir, STEM, &[]).unwrap(), Loaded::Missing);
    for version in [first(), second(), first()] {
        version.save(&RealFs, &dir).unwrap();
        assert_eq!(load(&dir).unwrap(), version);
    }
    let mut names = RealFs.list(&dir).unwrap();
    names.sort();
    assert_eq!(names, [".index.lock", "index.anear.json", "index.faiss", "index.pkl"]);
}

#[test]
fn a_streamed_payload_is_the_sum_of_its_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let whole: Vec<u8> = (0..3_000_000u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let pieces = Payload::stream("index.faiss", |out| {
        whole.chunks(4099).try_for_each(|piece| out.write_all(piece))
    });
    save_generation(&RealFs, dir.path(), STEM, vec![pieces], "{}").unwrap();
    assert!(load(dir.path()).unwrap().files["index.faiss"] == whole);
}

/// This machine's disk, where only manifests may be read as a whole, and no file that is longer than this.
#[derive(Debug)]
struct InPieces {
    len_max: u64,
}

impl Fs for InPieces {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>> {
        assert!(
            path.ends_with("index.anear.json"),
            "{} was read as a whole",
            path.display()
        );
        RealFs.read(path, limit)
    }

    fn read_pieces(&self, path: &Path, take: &mut dyn FnMut(&[u8])) -> Result<u64> {
        let len = RealFs.read_pieces(path, &mut |piece| {
            assert!(piece.len() <= 1 << 20);
            take(piece);
        })?;
        assert!(len <= self.len_max, "all {len} bytes of {} were read", path.display());
        Ok(len)
    }

    fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        RealFs.entry(path)
    }

    fn create(&self, path: &Path) -> Result<Box<dyn FileWriter>> {
        RealFs.create(path)
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        RealFs.create_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        RealFs.rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        RealFs.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        RealFs.sync_dir(dir)
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        RealFs.list(dir)
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>> {
        RealFs.lock(path)
    }
}

#[test]
fn a_save_holds_none_of_the_files_it_replaces_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let large = vec![7; 3_000_000];
    let disk = InPieces { len_max: 3_000_000 };
    std::fs::write(dir.path().join("index.vectors"), &large).unwrap();
    for is_later in [false, true] {
        let kept = [("index.faiss", true), ("index.vectors", false)];
        let payloads = kept.map(|(name, kept)| match kept != is_later {
            true => Payload::bytes(name, &large),
            false => Payload::absent(name),
        });
        save_generation(&disk, dir.path(), STEM, payloads.into(), "{}").unwrap();
        for (name, kept) in kept {
            assert_eq!(dir.path().join(name).exists(), kept != is_later, "{name}");
        }
    }
}

#[test]
fn what_others_put_in_the_place_of_a_file_is_not_read_where_its_length_says_enough() {
    let dir = tempfile::tempdir().unwrap();
    first().save(&RealFs, dir.path()).unwrap();
    let theirs = dir.path().join("index.pkl");
    std::fs::write(&theirs, [7; 1000]).unwrap();
    let payloads = vec![Payload::bytes("index.anear", b"all in one box")];
    save_generation(&InPieces { len_max: 999 }, dir.path(), STEM, payloads, "{}").unwrap();
    assert_eq!(std::fs::read(theirs).unwrap(), [7; 1000]);
}

#[test]
fn a_second_writer_is_told_to_wait() {
    let dir = tempfile::tempdir().unwrap();
    first().save(&RealFs, dir.path()).unwrap();
    let within = Payload::stream("index.faiss", |out| {
        let error = second().save(&RealFs, dir.path()).unwrap_err();
        assert!(
            matches!(&error, Error::NotSaved { source, .. } if matches!(**source, Error::Locked { .. })),
            "{error}"
        );
        assert_eq!(load(dir.path()).unwrap(), first(), "readers need no lock");
        out.write_all(b"third")
    });
    save_generation(&RealFs, dir.path(), STEM, vec![within], "{}").unwrap();
    second().save(&RealFs, dir.path()).unwrap();
    assert_eq!(load(dir.path()).unwrap(), second());
}

#[test]
fn readers_beside_a_writer_see_one_version() {
    let dir = tempfile::tempdir().unwrap();
    first().save(&RealFs, dir.path()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut readings = 0;
                    while !done.load(Relaxed) {
                        // What is mapped, Windows does not replace.
                        let map = if cfg!(unix) && readings % 2 == 1 { FILES } else { &[] };
                        match load_by(dir.path(), map) {
                            Ok(seen) => assert!(seen == first() || seen == second(), "{seen:?}"),
                            Err(Error::Busy { .. }) => {}
                            Err(error) => panic!("{error}"),
                        }
                        readings += 1;
                    }
                    readings
                })
            })
            .collect();
        for round in 0..40 {
            let version = if round % 2 == 0 { second() } else { first() };
            version.save(&RealFs, dir.path()).unwrap();
        }
        done.store(true, Relaxed);
        let readings: usize = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
        println!("{readings} readings beside 40 saves");
    });
}

#[test]
fn only_regular_files_within_the_limit_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, b"12345").unwrap();
    assert_eq!(RealFs.read(&file, 5).unwrap(), b"12345");
    assert_eq!(*RealFs.map(&file, 5).unwrap(), *b"12345");
    assert!(matches!(
        RealFs.map(&file, 4),
        Err(Error::TooLong { len: 5, limit: 4, .. })
    ));
    assert!(matches!(RealFs.map(dir.path(), 5), Err(Error::NotAFile { .. })));
    assert!(RealFs.map(&dir.path().join("none"), 5).unwrap_err().is_not_found());
    assert!(matches!(
        RealFs.read(&file, 4),
        Err(Error::TooLong { len: 5, limit: 4, .. })
    ));
    assert!(matches!(
        RealFs.read(dir.path(), 100),
        Err(Error::NotAFile { found: "a folder", .. })
    ));
    assert!(RealFs.read(&dir.path().join("none"), 100).unwrap_err().is_not_found());
    assert_eq!(RealFs.entry(&file).unwrap(), Some(Entry::File { len: 5 }));
    assert_eq!(RealFs.entry(dir.path()).unwrap(), Some(Entry::Folder));
    assert_eq!(RealFs.entry(&dir.path().join("none")).unwrap(), None);
}

#[test]
fn create_takes_no_place_that_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, b"kept").unwrap();
    assert!(RealFs.create(&file).is_err());
    assert_eq!(std::fs::read(&file).unwrap(), b"kept");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn links_pipes_and_devices_are_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("secret"), b"secret").unwrap();
        symlink(at("secret"), at("link")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        let cases = [
            (at("link"), "a symbolic link"),
            (at("dangling"), "a symbolic link"),
            (at("pipe"), "a pipe, socket or device"),
            ("/dev/zero".into(), "a pipe, socket or device"),
        ];
        for (path, what) in cases {
            let error = RealFs.read(&path, u64::MAX).unwrap_err();
            assert!(
                matches!(error, Error::NotAFile { found, .. } if found == what),
                "{error}"
            );
            assert_eq!(RealFs.entry(&path).unwrap(), Some(Entry::Other));
        }
        assert!(RealFs.create(&at("dangling")).is_err());
        assert!(RealFs.lock(&at("link")).is_err() && RealFs.lock(&at("pipe")).is_err());
        assert!(!at("nowhere").exists());
    }

    #[test]
    fn a_store_whose_files_are_links_or_pipes_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        first().save(&RealFs, dir.path()).unwrap();
        let file = dir.path().join("index.pkl");
        std::fs::rename(&file, dir.path().join("elsewhere")).unwrap();
        symlink(dir.path().join("elsewhere"), &file).unwrap();
        assert!(matches!(load(dir.path()), Err(Error::NotAFile { .. })));
        std::fs::remove_file(&file).unwrap();
        mknodat(CWD, &file, FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert!(matches!(load(dir.path()), Err(Error::NotAFile { .. })));
    }

    #[test]
    fn a_link_to_a_folder_is_a_folder() {
        let root = tempfile::tempdir().unwrap();
        let (real, link) = (root.path().join("real"), root.path().join("link"));
        std::fs::create_dir(&real).unwrap();
        symlink(&real, &link).unwrap();
        first().save(&RealFs, &link).unwrap();
        assert_eq!(load(&real).unwrap(), first());
    }
}
