//! Binary indexes side by side with Faiss itself: each reads what the other writes, and both find the same.
//!
//! Needs a Python with faiss-cpu, named by `ANEAR_PYTHON`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::fs;
use std::path::Path;
use std::process::Command;

use anear_index::SearchRequest;
use anear_index::binary::{BinaryIndex, BinarySpec, read_binary_index, write_binary_index};
use anear_kernels::Bits;

const DIM: usize = 64;
const VECTORS: usize = 500;
const QUERIES: usize = 40;
const K: usize = 10;

/// Beyond the kinds there are: maps over kinds that have ids of their own, which only Faiss makes.
const MAPPED: &[&str] = &["IDMap,BIVF16", "IDMap2,BHash12"];

/// The interpreter, or `None` where nobody promised one.
fn python() -> Option<String> {
    let python = std::env::var("ANEAR_PYTHON").ok();
    if python.is_none() {
        let required = std::env::var("ANEAR_REQUIRE").unwrap_or_default();
        assert!(
            !required.contains("python"),
            "ANEAR_REQUIRE promises python, but ANEAR_PYTHON is not set"
        );
        eprintln!("NOT RUN: ANEAR_PYTHON names no Python with faiss-cpu");
    }
    python
}

fn bytes(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as u8
    };
    (0..count * DIM / 8).map(|_| next()).collect()
}

fn id(position: usize) -> u64 {
    position as u64 * 7 + 3
}

fn vectors() -> Vec<u8> {
    bytes(VECTORS, 1)
}

/// As Faiss makes it, with the knobs turned up: then lists and graphs find all, and hashes a good part.
fn index(spec: &str) -> Box<dyn BinaryIndex> {
    let vectors = vectors();
    let rows = Bits::new(&vectors, DIM / 8).unwrap();
    let spec = spec
        .split(',')
        .next_back()
        .filter(|_| MAPPED.contains(&spec))
        .unwrap_or(spec);
    let spec: BinarySpec = spec.parse().unwrap();
    let mut index = spec.train(DIM, rows, 1, None).unwrap();
    if matches!(spec, BinarySpec::IdMap(..)) {
        let ids: Vec<u64> = (0..VECTORS).map(id).collect();
        index.add_with_ids(rows, &ids).unwrap();
    } else {
        index.add(rows).unwrap();
    }
    for (knob, value) in [("nprobe", 16.0), ("nflip", 2.0), ("efSearch", 600.0)] {
        if index.knobs().iter().any(|known| known.name == knob) {
            index.set_knob(knob, value).unwrap();
        }
    }
    index
}

fn read<const N: usize, T>(path: &Path, from: fn([u8; N]) -> T) -> Vec<T> {
    let bytes = fs::read(path).unwrap();
    bytes.as_chunks().0.iter().map(|chunk| from(*chunk)).collect()
}

/// The distances, and of those nearer than the last the ids, sorted: which of equally near ones are found, and in which
/// order, is up to Faiss's heap.
type Settled = (Vec<i32>, Vec<(i32, i64)>);

/// What Faiss found in the index that it read, or in the one that it made.
fn faiss_answers(stem: &Path, by: &str) -> Vec<Settled> {
    let ids = read(&stem.with_extension(format!("{by}.ids")), i64::from_le_bytes);
    let distances = read(&stem.with_extension(format!("{by}.distances")), i32::from_le_bytes);
    let rows = ids.chunks(K).zip(distances.chunks(K));
    rows.map(|(ids, distances)| {
        let found = ids.iter().zip(distances).filter(|(id, _)| **id >= 0);
        settled(found.map(|(id, distance)| (*distance, *id)).collect())
    })
    .collect()
}

fn own_answers(index: &dyn BinaryIndex) -> Vec<Settled> {
    let queries = bytes(QUERIES, 2);
    let found = index
        .search(Bits::new(&queries, DIM / 8).unwrap(), &SearchRequest::new(K))
        .unwrap();
    let own = |row: &[anear_kernels::Neighbor]| row.iter().map(|n| (n.distance as i32, n.id as i64)).collect();
    found.iter().map(|row| settled(own(row))).collect()
}

fn settled(mut found: Vec<(i32, i64)>) -> Settled {
    found.sort_unstable();
    let distances: Vec<i32> = found.iter().map(|(distance, _)| *distance).collect();
    let last = distances.last().copied().filter(|_| found.len() == K);
    found.retain(|(distance, _)| Some(*distance) != last);
    (distances, found)
}

#[test]
fn faiss_and_anear_read_each_other_and_find_the_same() {
    let Some(python) = python() else { return };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("binary_with_faiss");
    // Leftovers of an earlier run, if there was one.
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("vectors"), vectors()).unwrap();

    let specs = || BinarySpec::EXAMPLES.iter().chain(MAPPED);
    let stem = |spec: &str| folder.join(spec.replace(',', "_"));
    for spec in specs() {
        let stem = stem(spec);
        fs::write(stem.with_extension("faiss"), write_binary_index(&*index(spec)).unwrap()).unwrap();
        fs::write(stem.with_extension("queries"), bytes(QUERIES, 2)).unwrap();
        fs::write(stem.with_extension("spec"), spec).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/binary_with_faiss.py");
    let status = Command::new(python).arg(script).arg(&folder).status().unwrap();
    assert!(status.success());

    for spec in specs() {
        println!("{spec}");
        let (stem, own) = (stem(spec), index(spec));
        assert!(
            own_answers(&*own) == faiss_answers(&stem, "read"),
            "{spec} read by faiss"
        );

        let again = fs::read(stem.with_extension("again")).unwrap();
        if spec.contains("BHash") {
            // The order of buckets is up to Faiss's hash map.
            let again = read_binary_index(&again).unwrap();
            assert!(
                write_binary_index(&*again).unwrap() == write_binary_index(&*own).unwrap(),
                "{spec} again"
            );
        } else {
            assert!(again == write_binary_index(&*own).unwrap(), "{spec} again");
        }

        let made = fs::read(stem.with_extension("made")).unwrap();
        let restored = read_binary_index(&made).unwrap();
        let expected = faiss_answers(&stem, "made");
        if spec.contains("HNSW") {
            // With few candidates, the order among equally near ones decides where each side walks.
            let found = own_answers(&*restored);
            let same = found.iter().zip(&expected).filter(|(own, faiss)| own.0 == faiss.0);
            assert!(same.count() > QUERIES / 2, "{spec} made by faiss");
        } else {
            assert!(own_answers(&*restored) == expected, "{spec} made by faiss");
        }
        if !spec.contains("BHash") && !MAPPED.contains(spec) {
            assert!(
                write_binary_index(&*restored).unwrap() == made,
                "{spec} made by faiss, as anear writes it"
            );
        }
    }
}
