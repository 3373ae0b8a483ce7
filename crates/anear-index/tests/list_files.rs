//! Inverted lists in a file of their own: searched there, written and read beside the index, refused when they lie.

use std::path::Path;

use anear_index::compat::faiss::{read_index, read_index_in, write_index, write_index_beside_lists};
use anear_index::{Error, Extent, IndexSpec, Ivf, ListFile, Mapping, Memory};
use anear_index::{SearchRequest, Training, VectorIndex, VectorIndexExt as _};
use anear_kernels::{IdSelector, Metric, Rows};

const DIM: usize = 8;
const NLIST: usize = 4;

fn numbers() -> Vec<f32> {
    let number = |i: usize| (i * 7919 % 1009) as f32 / 1009.0 + (i % 5) as f32;
    (0..300 * DIM).map(number).collect()
}

fn trained(spec: &str, sample: Rows<'_>) -> Ivf {
    let spec: IndexSpec = spec.parse().unwrap();
    let index = spec.train(Metric::L2, sample, &Training::default()).unwrap();
    let any: Box<dyn std::any::Any> = index;
    *any.downcast().unwrap()
}

/// Writes the lists of an index to a file, with room for three more codes each.
fn write_lists(index: &Ivf, path: &Path) -> Vec<Extent> {
    let (mut file, mut extents) = (Vec::new(), Vec::new());
    for number in 0..index.nlist() {
        let (list, offset) = (index.list(number), file.len() as u64);
        let mut codes = Vec::new();
        list.codes().copy_to(0..list.len(), &mut codes);
        file.extend(&codes);
        file.extend(vec![0xff; 3 * index.quantizer().code_len()]);
        list.ids().iter().for_each(|id| file.extend(id.to_le_bytes()));
        file.extend([0xff; 3 * 8]);
        let len = list.len() as u64;
        extents.push(Extent {
            len,
            capacity: len + 3,
            offset,
        });
    }
    std::fs::write(path, file).unwrap();
    extents
}

/// An index, and an empty copy of it that has its lists in `dir`.
fn pair(spec: &str, dir: &Path) -> (Ivf, Ivf) {
    let vectors = numbers();
    let vectors = Rows::new(&vectors, DIM).unwrap();
    let mut whole = trained(spec, vectors);
    let mut index = whole.clone();
    whole.add(vectors).unwrap();
    let path = dir.join("lists");
    let extents = write_lists(&whole, &path);
    let file = ListFile::new("lists".into(), Mapping::open(&path).unwrap(), extents);
    index.map_lists(file).unwrap();
    (whole, index)
}

fn check_same_answers(one: &dyn VectorIndex, other: &dyn VectorIndex) {
    let queries = numbers();
    let queries = Rows::new(&queries, DIM).unwrap().slice(0..20);
    let request = SearchRequest::new(5).with("nprobe", 2.0);
    assert_eq!(
        one.search(queries, &request).unwrap(),
        other.search(queries, &request).unwrap()
    );
}

#[test]
fn lists_in_a_file_answer_as_those_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    for spec in ["IVF4,Flat", "IVF4,SQ8", "IVF4,PQ4x4", "IVF4,RaBitQ"] {
        let (whole, mut index) = pair(spec, dir.path());
        check_same_answers(&whole, &index);
        let own: usize = (0..NLIST)
            .map(|number| Memory::from(index.list(number).codes()).owned)
            .sum();
        assert_eq!(own, 0, "{spec}: no code is in memory");
        assert_eq!(index.list_file().unwrap().name(), "lists");

        let before = std::fs::read(dir.path().join("lists")).unwrap();
        assert_eq!(index.remove(&IdSelector::Range(7..8)).unwrap(), 1);
        assert!(
            index.list_file().is_none(),
            "{spec}: they are not those of the file any more"
        );
        assert!(std::fs::read(dir.path().join("lists")).unwrap() == before, "{spec}");
        assert!(
            read_index(&write_index_beside_lists(&index).unwrap()).unwrap().len() == 299,
            "{spec}"
        );
    }
}

/// What leaves the lists as they are leaves them in the file.
#[test]
fn lists_are_in_their_file_until_they_change() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, index) = pair("IVF4,SQ8", dir.path());
    let none = Rows::new(&[], DIM).unwrap();
    let vectors = numbers();
    let vectors = Rows::new(&vectors, DIM).unwrap();
    type Change<'a> = &'a dyn Fn(&mut Ivf);
    let same: [Change<'_>; 4] = [
        &|index| assert!(index.add(none).unwrap().is_empty()),
        &|index| assert_eq!(index.remove(&IdSelector::Range(300..900)).unwrap(), 0),
        &|index| index.merge(&mut *whole.emptied()).unwrap(),
        &|index| index.set_knob("nprobe", 3.0).unwrap(),
    ];
    let other: [Change<'_>; 5] = [
        &|index| assert_eq!(index.add(vectors.slice(0..1)).unwrap().count(), 1),
        &|index| assert_eq!(index.remove(&IdSelector::Range(299..900)).unwrap(), 1),
        &|index| index.merge(&mut whole.clone()).unwrap(),
        &|index| index.renumber().unwrap(),
        &|index| {
            index
                .fill_lists((0..NLIST).map(|number| whole.list(number).clone()).collect())
                .unwrap()
        },
    ];
    for (changes, stays) in [(&same[..], true), (&other, false)] {
        for (i, change) in changes.iter().enumerate() {
            let mut copy = index.clone();
            change(&mut copy);
            assert_eq!(copy.list_file().is_some(), stays, "change {i}");
        }
    }
    assert!(index.list_file().is_some(), "a change of a copy is none of the index");
}

#[test]
fn an_index_is_written_beside_its_lists_and_read_from_one_folder_only() {
    let [dir, other] = [0, 1].map(|_| tempfile::tempdir().unwrap());
    let (whole, index) = pair("IVF4,SQ8", dir.path());
    let beside = write_index_beside_lists(&index).unwrap();
    assert!(
        beside.len() < write_index(&index).unwrap().len()
            && write_index(&index).unwrap() == write_index(&whole).unwrap()
    );
    let again = read_index_in(dir.path(), &beside, None).unwrap();
    check_same_answers(&whole, &*again);
    assert!(
        read_index(&beside)
            .unwrap_err()
            .to_string()
            .contains("in another file, `lists`")
    );
    let missing = read_index_in(other.path(), &beside, None).unwrap_err().to_string();
    assert!(missing.contains("where there is none"), "{missing}");
    let path = dir.path().join("index");
    std::fs::write(&path, &beside).unwrap();
    let file = Mapping::open(&path).unwrap();
    check_same_answers(
        &whole,
        &*read_index_in(dir.path(), file.as_slice(), Some(&file)).unwrap(),
    );
}

#[test]
fn a_refused_file_leaves_the_index_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (_, mut index) = pair("IVF4,Flat", dir.path());
    let path = dir.path().join("lists");
    let good = index.list_file().unwrap().extents().to_vec();
    let refused = |index: &mut Ivf, extents: Vec<Extent>| {
        let file = ListFile::new("lists".into(), Mapping::open(&path).unwrap(), extents);
        index.map_lists(file).unwrap_err()
    };
    let with = |number: usize, extent: Extent| {
        let mut extents = good.clone();
        extents[number] = extent;
        extents
    };
    let Extent { len, capacity, offset } = good[3];
    for extent in [
        Extent {
            len,
            capacity: len - 1,
            offset,
        },
        Extent {
            len,
            capacity,
            offset: offset + 8 * (capacity + 1),
        },
        Extent {
            len,
            capacity,
            offset: u64::MAX,
        },
        Extent {
            len: u64::MAX,
            capacity: u64::MAX,
            offset: 0,
        },
        Extent {
            len,
            capacity: u64::MAX / 8,
            offset,
        },
    ] {
        let error = refused(&mut index, with(3, extent));
        assert!(matches!(error, Error::Damaged(_)), "{extent:?}: {error}");
    }
    assert!(matches!(
        refused(&mut index, with(3, Extent { len: 1, ..good[0] })),
        Error::RepeatedId { .. }
    ));
    assert!(matches!(refused(&mut index, good[1..].to_vec()), Error::Damaged(_)));
    assert_eq!(index.len(), 300);
    assert!(index.list_file().is_some());
    let vectors = numbers();
    let mut blocks = trained("IVF4,PQ4x4fs", Rows::new(&vectors, DIM).unwrap());
    assert!(matches!(refused(&mut blocks, good.clone()), Error::Unsupported { .. }));
}

/// Otherwise a small file could ask for as many ids as it likes.
#[test]
fn lists_that_all_name_the_same_ids_are_refused_before_those_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("zeros");
    let (_, mut index) = pair("IVF4,SQ8", dir.path());
    let (len, room) = (1000, 1000 * (DIM as u64 + 8));
    let whole = Extent {
        len,
        capacity: len,
        offset: 0,
    };
    let mut refused = |bytes: u64| {
        std::fs::write(&path, vec![0; bytes as usize]).unwrap();
        let file = ListFile::new("lists".into(), Mapping::open(&path).unwrap(), vec![whole; NLIST]);
        index.map_lists(file).unwrap_err()
    };
    for bytes in [room, NLIST as u64 * room - 1] {
        let error = refused(bytes);
        assert!(
            matches!(&error, Error::Damaged(why) if why.contains("over each other")),
            "{error}"
        );
    }
    // A file that has room for all of them is read, and what it repeats is seen then.
    assert!(matches!(refused(NLIST as u64 * room), Error::RepeatedId { id: 0 }));
}

/// Nothing may panic, whatever the file says; what is read has as many vectors as its lists.
#[test]
fn every_flipped_bit_of_the_places_is_refused_or_harmless() {
    let dir = tempfile::tempdir().unwrap();
    let (_, index) = pair("IVF4,SQ8", dir.path());
    let file = write_index_beside_lists(&index).unwrap();
    let start = file.windows(4).position(|four| four == b"ilod").unwrap();
    for bit in start * 8..file.len() * 8 {
        let mut changed = file.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        if let Ok(index) = read_index_in(dir.path(), &changed, None) {
            assert_eq!(index.len(), 300, "bit {bit}");
        }
    }
    for len in start..file.len() {
        assert!(read_index_in(dir.path(), &file[..len], None).is_err(), "cut at {len}");
    }
}

#[test]
fn only_the_end_of_a_name_is_believed() {
    let dir = tempfile::tempdir().unwrap();
    let (_, index) = pair("IVF4,SQ8", dir.path());
    let file = write_index_beside_lists(&index).unwrap();
    let named = |name: &[u8]| {
        let at = file.len() - 8 - 5 - 8;
        assert_eq!(&file[at + 8..at + 13], b"lists");
        [&file[..at], &(name.len() as u64).to_le_bytes(), name, &file[at + 13..]].concat()
    };
    for name in ["/etc/lists", "../lists", "C:\\data\\lists", "a/b/lists"] {
        assert!(
            read_index_in(dir.path(), &named(name.as_bytes()), None).is_ok(),
            "{name}"
        );
    }
    for name in ["..", "", "lists/", "/", "C:lists", ".lists", "nul", "li\0sts"] {
        assert!(
            read_index_in(dir.path(), &named(name.as_bytes()), None).is_err(),
            "{name}"
        );
    }
    assert!(read_index_in(dir.path(), &named(b"\xff"), None).is_err());
}
