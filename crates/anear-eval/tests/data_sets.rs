//! Data sets: what other programs wrote is read as they meant it, and what is no data set is refused.

use std::fs;
use std::path::{Path, PathBuf};

use anear_eval::datasets::{self, Synthetic};
use anear_eval::{InMemory, Vectors};
use anear_index::Neighbors;
use anear_kernels::Neighbor;
use tempfile::TempDir;

/// A file that `tests/data/make.py` wrote.
fn made(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// Everything in a file, read seven vectors at a time.
#[track_caller]
fn read(path: &Path) -> Vectors {
    let mut blocks = datasets::open(path).unwrap();
    let mut data = Vec::new();
    while blocks.next_block(7, &mut data).unwrap() > 0 {}
    let vectors = Vectors::new(data, blocks.dim()).unwrap();
    assert_eq!(vectors.rows().len(), blocks.len(), "{}", path.display());
    vectors
}

/// The error of reading all of a file.
fn refused(path: &Path) -> String {
    let read = datasets::open(path).and_then(|mut blocks| Vectors::read(&mut *blocks));
    read.map(|_| ()).unwrap_err().to_string()
}

/// `n` vectors, of components `i * 10 + j`.
fn vectors(n: usize) -> Vectors {
    let data = (0..n).flat_map(|i| (0..4).map(move |j| (i * 10 + j) as f32)).collect();
    Vectors::new(data, 4).unwrap()
}

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn ids(truth: &Neighbors) -> Vec<Vec<u64>> {
    truth.iter().map(|row| row.iter().map(|n| n.id).collect()).collect()
}

#[test]
fn what_is_saved_is_read_again() {
    let folder = folder(&[]);
    let all = vectors(50);
    for name in ["a.fvecs", "a.fbin", "a.npy"] {
        let path = folder.path().join(name);
        datasets::save(&path, &mut InMemory::new(all.rows())).unwrap();
        assert_eq!(read(&path), all, "{name}");
    }
    let row = |ids: &[u64]| ids.iter().map(|&id| Neighbor { id, distance: 0.0 }).collect::<Vec<_>>();
    let truth: Neighbors = [row(&[3, 1, 2]), row(&[7]), row(&[])].into_iter().collect();
    let path = folder.path().join("truth.ivecs");
    datasets::save_neighbors(&path, &truth, 2).unwrap();
    assert_eq!(ids(&datasets::neighbors(&path).unwrap()), [vec![3, 1], vec![7], vec![]]);
}

#[test]
fn bytes_and_whole_numbers_are_read_as_floats() {
    let bvecs: Vec<u8> = [[3, 0, 0, 0, 1, 2, 255], [3, 0, 0, 0, 4, 5, 6]].concat();
    let header = [2_u32, 3].map(u32::to_le_bytes).concat();
    let u8bin = [&header[..], &[1, 2, 255, 4, 5, 6]].concat();
    let ibin: Vec<u8> = [2_u32, 3, 1, 2, u32::MAX, 4, 5, 16_777_217]
        .map(u32::to_le_bytes)
        .concat();
    let folder = folder(&[
        ("a.bvecs", &bvecs),
        ("a.u8bin", &u8bin),
        ("a.i8bin", &u8bin),
        ("a.ibin", &ibin),
    ]);
    let components = |name: &str| read(&folder.path().join(name)).rows().as_slice().to_vec();
    assert_eq!(components("a.bvecs"), [1.0, 2.0, 255.0, 4.0, 5.0, 6.0]);
    assert_eq!(components("a.u8bin"), [1.0, 2.0, 255.0, 4.0, 5.0, 6.0]);
    assert_eq!(components("a.i8bin"), [1.0, 2.0, -1.0, 4.0, 5.0, 6.0]);
    // Ids are not floats: 2^24 + 1 keeps its last bit.
    let truth = datasets::neighbors(&folder.path().join("a.ibin")).unwrap();
    assert_eq!(ids(&truth), [vec![1, 2], vec![4, 5, 16_777_217]]);
}

#[test]
fn numpy_files_are_read_whatever_their_type() {
    let all = vectors(5);
    for name in ["f2.npy", "f4.npy", "f8.npy", "u1.npy", "i1.npy", "i4.npy", "i8.npy"] {
        let expected = all
            .rows()
            .as_slice()
            .iter()
            .map(|x| if name.starts_with('f') { x / 4.0 } else { x % 100.0 });
        assert_eq!(
            read(&made(name)).rows().as_slice(),
            expected.collect::<Vec<_>>(),
            "{name}"
        );
    }
    assert!(refused(&made("fortran.npy")).contains("Fortran order"));
    assert_eq!(ids(&datasets::neighbors(&made("i8.npy")).unwrap())[1], [10, 11, 12, 13]);
    assert!(
        datasets::neighbors(&made("f4.npy"))
            .unwrap_err()
            .to_string()
            .contains("it holds fractions, not ids")
    );
}

#[test]
fn a_file_that_is_cut_or_changed_is_refused_where_it_is_wrong() {
    let folder = folder(&[]);
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    for (name, header) in [("a.fvecs", 4), ("a.fbin", 8), ("a.npy", 128)] {
        let path = folder.path().join(name);
        datasets::save(&path, &mut InMemory::new(vectors(3).rows())).unwrap();
        let bytes = fs::read(&path).unwrap();
        // fvecs that end with a whole vector are shorter fvecs.
        for cut in (0..bytes.len()).filter(|cut| header > 4 || *cut == 0 || cut % 20 != 0) {
            let error = refused(&write(name, &bytes[..cut]));
            assert!(error.contains(name) && error.contains(" at byte "), "{error}");
        }
        // Whatever a header says, only what is there is read.
        for at in 0..header {
            for changed in [0, 0x7f, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = changed;
                let _ = datasets::open(&write(name, &bytes)).and_then(|mut blocks| Vectors::read(&mut *blocks));
            }
        }
    }
    let uneven = [1_u32, 0, 2, 0].map(u32::to_le_bytes).concat();
    assert!(refused(&write("b.fvecs", &uneven)).ends_with("vector 1 has dimension 2, the first has 1 at byte 8"));
    let huge = [u32::MAX, u32::MAX].map(u32::to_le_bytes).concat();
    assert!(refused(&write("b.fbin", &huge)).contains("dimension 4294967295 is not between 1 and"));
    assert!(refused(&write("c.fbin", &[u32::MAX, 128].map(u32::to_le_bytes).concat())).contains("there are 0"));
    assert!(refused(&write("b.txt", b"")).contains("known extensions: fvecs, "));
    assert!(refused(&folder.path().join("none.fvecs")).starts_with("cannot read "));
    assert!(
        refused(&{
            fs::create_dir(folder.path().join("d.fvecs")).unwrap();
            folder.path().join("d.fvecs")
        })
        .contains("it is a folder")
    );
}

#[test]
fn more_than_memory_holds_can_be_saved() {
    // A stand-in for that: the vectors are made as they are written, block by block.
    let folder = folder(&[]);
    let path = folder.path().join("made.fvecs");
    let data: Synthetic = "n=5000,d=128".parse().unwrap();
    datasets::save(&path, &mut data.base()).unwrap();
    assert_eq!(read(&path), Vectors::read(&mut data.base()).unwrap());
}

#[cfg(feature = "hdf5")]
#[test]
fn ann_benchmarks_files_are_read_whole_and_in_parts() {
    use anear_kernels::Metric;

    for name in ["plain.hdf5", "packed.hdf5"] {
        assert_eq!(read(&made(name)), vectors(60), "{name}");
        let queries = read(&made(&format!("{name}#test")));
        assert_eq!(queries.rows().row(2), [20.25, 21.25, 22.25, 23.25]);

        let mut set = datasets::ann_benchmarks(&made(name)).unwrap();
        assert_eq!(Vectors::read(&mut *set.base).unwrap(), vectors(60));
        assert_eq!((set.queries, set.metric), (queries, Some(Metric::L2)));
        assert_eq!(ids(&set.truth), [[0, 1], [1, 0], [2, 1]]);
        assert_eq!(set.truth.row(1)[1].distance, 19.5);
        assert_eq!(ids(&datasets::neighbors(&made(name)).unwrap()), ids(&set.truth));
        let missing = refused(&made(&format!("{name}#tset")));
        assert!(missing.contains(name) && missing.contains("tset"), "{missing}");
    }
}

#[cfg(feature = "hdf5")]
#[test]
fn damaged_hdf5_never_panics() {
    let bytes = fs::read(made("packed.hdf5")).unwrap();
    let folder = folder(&[]);
    let path = folder.path().join("a.hdf5");
    let read = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        datasets::ann_benchmarks(&path).and_then(|mut set| Vectors::read(&mut *set.base))
    };
    for cut in (0..bytes.len()).step_by(97) {
        // Behind the last dataset may be free space.
        assert!(read(&bytes[..cut]).is_err() || cut > 9000, "cut at {cut}");
    }
    for at in (0..bytes.len()).step_by(31) {
        let mut changed = bytes.clone();
        changed[at] ^= 0xff;
        let _ = read(&changed);
    }
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_columns_of_lists_are_read() {
    for compression in ["snappy", "zstd", "gzip", "lz4", "none"] {
        let name = format!("{compression}.parquet");
        assert_eq!(read(&made(&name)), vectors(60), "{name}");
        assert_eq!(read(&made(&format!("{name}#doubles"))).rows().row(59)[1], 295.5);
    }
    for (column, reason) in [
        ("uneven", "lists of another length than 1"),
        ("missing", "a list or a number of it is missing"),
        ("words", "no column `words` of lists of floats"),
        ("id", "its columns: id, words.list.element, emb.list.element"),
    ] {
        let error = refused(&made(&format!("snappy.parquet#{column}")));
        assert!(error.contains(reason), "{error}");
    }
}

#[cfg(feature = "parquet")]
#[test]
fn damaged_parquet_never_panics() {
    let bytes = fs::read(made("none.parquet")).unwrap();
    let folder = folder(&[]);
    let path = folder.path().join("a.parquet");
    for at in (0..bytes.len()).step_by(11) {
        let mut changed = bytes.clone();
        changed[at] ^= 0xff;
        fs::write(&path, &changed).unwrap();
        let _ = datasets::open(&path).and_then(|mut blocks| Vectors::read(&mut *blocks));
        fs::write(&path, &bytes[..at]).unwrap();
        assert!(datasets::open(&path).is_err());
    }
}

#[cfg(not(all(feature = "hdf5", feature = "parquet")))]
#[test]
fn a_format_that_was_left_out_names_its_feature() {
    for (extension, is_in) in [("hdf5", cfg!(feature = "hdf5")), ("parquet", cfg!(feature = "parquet"))] {
        let error = refused(&made(&format!("some.{extension}")));
        assert!(
            is_in || error.contains(&format!("needs the feature `{extension}`")),
            "{error}"
        );
    }
}
