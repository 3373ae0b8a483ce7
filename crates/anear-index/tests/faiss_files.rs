//! Files that Faiss wrote: read, written again to the same bytes, and refused when they lie.
#![allow(clippy::print_stdout)]

use anear_index::compat::faiss::{read_index, read_index_mapped, write_index};
use anear_index::{Error, Flat, IndexSpec, Mapping, Memory, SearchRequest, Training, VectorIndex, VectorIndexExt as _};
use anear_kernels::{Metric, Rows};

const LANGCHAIN: &[u8] = include_bytes!("data/langchain_0.4.2.faiss");
const FLAT_IP: &[u8] = include_bytes!("data/flat_ip.faiss");
const FLAT_L2: &[u8] = include_bytes!("data/flat_l2.faiss");
const FLAT_L1: &[u8] = include_bytes!("data/flat_l1.faiss");
const FLAT_LINF: &[u8] = include_bytes!("data/flat_linf.faiss");
const FLAT_EMPTY: &[u8] = include_bytes!("data/flat_empty.faiss");
const ID_MAP: &[u8] = include_bytes!("data/id_map.faiss");
const ID_MAP_2: &[u8] = include_bytes!("data/id_map_2.faiss");

const ALL: [&[u8]; 8] = [
    LANGCHAIN, FLAT_IP, FLAT_L2, FLAT_L1, FLAT_LINF, FLAT_EMPTY, ID_MAP, ID_MAP_2,
];

/// Where the fields of a file lie that begins with a flat index by L2 or inner product.
const DIM: usize = 4;
const LEN: usize = 8;
const IS_TRAINED: usize = 32;
const METRIC: usize = 33;
const COUNT: usize = 37;

fn with_bytes(file: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut changed = file.to_vec();
    changed[at..at + bytes.len()].copy_from_slice(bytes);
    changed
}

fn refusal(file: &[u8]) -> String {
    read_index(file).unwrap_err().to_string()
}

#[test]
fn what_faiss_wrote_is_written_again_to_the_byte() {
    for file in ALL {
        let index = read_index(file).unwrap();
        assert!(write_index(&*index).unwrap() == file, "{index:?}");
    }
}

#[test]
fn vectors_metrics_and_ids_are_those_of_the_file() {
    let index = read_index(LANGCHAIN).unwrap();
    assert_eq!(index.metric(), Metric::L2);
    assert_eq!(index.reconstruct(1).unwrap(), [1.0, 2.0, 1.0]);
    let query = Rows::new(&[1.0, 2.0, 0.0], 3).unwrap();
    let found = index.search(query, &SearchRequest::new(2)).unwrap();
    let distances: Vec<_> = found.row(0).iter().map(|n| (n.id, n.distance)).collect();
    assert_eq!(distances, [(0, 0.0), (1, 1.0)]);

    let metrics = [FLAT_IP, FLAT_L2, FLAT_L1, FLAT_LINF].map(|file| read_index(file).unwrap().metric());
    assert_eq!(metrics, [Metric::InnerProduct, Metric::L2, Metric::L1, Metric::Linf]);
    assert!(read_index(FLAT_EMPTY).unwrap().is_empty());
    for file in [ID_MAP, ID_MAP_2] {
        let index = read_index(file).unwrap();
        assert_eq!(index.reconstruct(1 << 40).unwrap(), [-1.0, 2.0]);
        assert_eq!(index.reconstruct(500).unwrap(), [3.0, 4.0]);
    }
}

#[test]
fn every_cut_is_refused_and_so_is_a_byte_too_many() {
    for file in ALL {
        for len in 0..file.len() {
            assert!(read_index(&file[..len]).is_err(), "cut at {len}");
        }
        let error = refusal(&[file, &[0]].concat());
        assert!(error.contains("1 bytes are left over"), "{error}");
    }
}

/// Faiss's files have no checksum: a changed vector cannot be seen, but nothing may panic or grow without bound.
#[test]
fn every_flipped_bit_is_refused_or_gives_an_index_of_the_same_size() {
    let mut tried = 0;
    for file in ALL {
        for bit in 0..file.len() * 8 {
            let mut changed = file.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(index) = read_index(&changed) {
                let expected = read_index(file).unwrap();
                assert_eq!(index.len() * index.dim(), expected.len() * expected.dim(), "bit {bit}");
            }
            tried += 1;
        }
    }
    println!("{tried} flipped bits tried");
}

#[test]
fn a_header_that_lies_is_refused_by_name() {
    let cases: [(usize, &[u8], &str); 9] = [
        (DIM, &0i32.to_le_bytes(), "its dimension is 0"),
        (DIM, &(-3i32).to_le_bytes(), "its dimension is -3"),
        (DIM, &((1i32 << 20) + 1).to_le_bytes(), "its dimension is 1048577"),
        (LEN, &(-1i64).to_le_bytes(), "it says it has -1 vectors"),
        (
            LEN,
            &i64::MAX.to_le_bytes(),
            "9223372036854775807 codes of 8 bytes do not fill 24 bytes",
        ),
        (IS_TRAINED, &[2], "is_trained at byte 32 is 2, expected 0 or 1"),
        (IS_TRAINED, &[0], "it is untrained"),
        (
            METRIC,
            &99i32.to_le_bytes(),
            "its metric is number 99; anear reads 0 (inner_product), 1 (l2)",
        ),
        (
            METRIC,
            &0i32.to_le_bytes(),
            "`IxF2` contradicts its metric, inner_product",
        ),
    ];
    for (at, bytes, expected) in cases {
        let error = refusal(&with_bytes(FLAT_L2, at, bytes));
        assert!(error.contains(expected), "{error}");
    }
    for count in [7, u64::MAX, 1 << 62] {
        let error = refusal(&with_bytes(FLAT_L2, COUNT, &count.to_le_bytes()));
        assert!(error.contains("vectors at byte"), "{error}");
    }
}

#[test]
fn an_id_map_that_contradicts_itself_is_refused() {
    let ids_at = ID_MAP.len() - 24;
    let error = refusal(&with_bytes(ID_MAP, ids_at, &7i64.to_le_bytes()));
    assert!(error.starts_with("id 7 is given twice"), "{error}");
    let error = refusal(&with_bytes(ID_MAP, ids_at, &(-1i64).to_le_bytes()));
    assert!(error.contains("it has the id -1; ids must not be negative"), "{error}");

    let two_ids = [&with_bytes(ID_MAP, ids_at - 8, &2u64.to_le_bytes())[..ids_at], &[1; 16]].concat();
    assert!(refusal(&two_ids).contains("3 vectors have 2 ids"));
    let error = refusal(&with_bytes(ID_MAP, LEN, &2i64.to_le_bytes()));
    assert!(
        error.contains("2 of dimension 2 by inner_product are around 3"),
        "{error}"
    );
    // What follows is read as another id map's, and is none.
    assert!(read_index(&with_bytes(ID_MAP, COUNT, b"IxMp")).is_err());
}

#[test]
fn other_kinds_are_refused_by_name() {
    let error = refusal(&with_bytes(FLAT_L2, 0, b"IxLa"));
    assert!(
        error.starts_with("`IxLa` (IndexLattice) cannot be read yet; anear reads IxF2, "),
        "{error}"
    );
    assert!(refusal(&with_bytes(ID_MAP, COUNT, b"IwEe")).contains("`IwEe` (IndexIVFEDEN)"));
    assert!(refusal(b"PK\x03\x04").contains("`PK\\x03\\x04`, which is none of Faiss's kinds"));
    assert!(refusal(b"").contains("index code at byte 0 needs 4 bytes"));
}

#[test]
fn unit_vectors_become_a_cosine_index_without_losing_a_bit() {
    let mut index = Flat::new(2, Metric::Cosine).unwrap();
    index
        .add(Rows::new(&[1.0, 3.0, 0.0, 0.0, -5.0, 0.1], 2).unwrap())
        .unwrap();
    let file = write_index(&index).unwrap();
    assert!(file.starts_with(b"IxFI"));
    let restored: Box<dyn std::any::Any> = read_index(&file).unwrap();
    let restored = restored.downcast::<Flat>().unwrap().into_cosine().unwrap();
    let rows = |index: &Flat| index.rows().expect("raw vectors").as_slice().to_vec();
    assert_eq!(rows(&restored), rows(&index));
    assert_eq!(restored.metric(), Metric::Cosine);

    let other: Box<dyn std::any::Any> = read_index(FLAT_IP).unwrap();
    let error = other.downcast::<Flat>().unwrap().into_cosine().unwrap_err();
    assert!(matches!(error, Error::NotNormalized { row: 0, length: 5.0 }), "{error}");
}

#[test]
fn vectors_that_are_not_finite_are_read_and_never_found() {
    let file = with_bytes(FLAT_L2, COUNT + 8, &f32::NAN.to_le_bytes());
    let index = read_index(&file).unwrap();
    let query = Rows::new(&[3.0, 4.0], 2).unwrap();
    let found = index.search(query, &SearchRequest::new(3)).unwrap();
    assert_eq!(found.row(0).iter().map(|n| n.id).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn codes_stay_in_a_mapped_file_and_flat_vectors_where_they_are_aligned() {
    let dir = tempfile::tempdir().unwrap();
    let vectors: Vec<f32> = (0..400 * 8).map(|i| (i * 7_919 % 101) as f32).collect();
    let vectors = Rows::new(&vectors, 8).unwrap();
    // The vectors of a flat index and the centroids of an inverted file lie askew in Faiss's files.
    for (spec, owned) in [
        ("Flat", 400 * 32),
        ("SQ8", 0),
        ("PQ4x4fs", 0),
        ("HNSW4,SQ8", 0),
        ("IVF4,Flat", 4 * 32),
        ("IVF4,SQ8", 4 * 32),
        ("IVF4,PQ4x4fs", 4 * 32),
        ("RaBitQ", 0),
    ] {
        let parsed: IndexSpec = spec.parse().unwrap();
        let mut index = parsed.train(Metric::L2, vectors, &Training::default()).unwrap();
        index.add(vectors).unwrap();
        let path = dir.path().join(spec);
        std::fs::write(&path, write_index(&*index).unwrap()).unwrap();
        let mapped = read_index_mapped(&Mapping::open(&path).unwrap()).unwrap();
        let expected = Memory {
            owned,
            mapped: index.memory().owned - owned,
        };
        assert_eq!(mapped.memory(), expected, "{spec}");
    }
}

#[test]
fn every_cut_of_a_mapped_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for len in 0..ID_MAP.len() {
        let path = dir.path().join(len.to_string());
        std::fs::write(&path, &ID_MAP[..len]).unwrap();
        assert!(
            read_index_mapped(&Mapping::open(&path).unwrap()).is_err(),
            "cut at {len}"
        );
    }
}
