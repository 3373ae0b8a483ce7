//! Exact indexes side by side with Faiss itself: the same files, the same neighbors in the same order, the same
//! removals and merges.
//!
//! Needs a Python with faiss-cpu, named by `ANEAR_PYTHON`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::fs;
use std::path::Path;
use std::process::Command;

use anear_index::compat::faiss::write_index;
use anear_index::{IndexSpec, SearchRequest, VectorIndex, VectorIndexExt as _, faiss_value};
use anear_kernels::{IdSelector, Metric, Rows};

/// The indexes whose files and answers must equal Faiss's bit for bit; the others are compared through Python.
const EXACT: [&str; 3] = ["Flat", "IDMap,Flat", "IDMap2,Flat"];
const DIM: usize = 6;
const VECTORS: usize = 400;
const K: usize = 10;

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

/// One index and the searches on it.
#[derive(Clone, Copy)]
struct Case {
    spec: &'static str,
    metric: Metric,
    /// One query and many take different ways through Faiss.
    queries: usize,
    /// Different values a component may have; with one, all vectors are equal.
    values: u64,
}

impl Case {
    fn all() -> Vec<Self> {
        let mut cases = Vec::new();
        for spec in EXACT {
            for metric in [Metric::L2, Metric::InnerProduct, Metric::L1, Metric::Linf] {
                for (queries, values) in [(1, 7), (64, 7), (1, 1), (64, 1)] {
                    cases.push(Self {
                        spec,
                        metric,
                        queries,
                        values,
                    });
                }
            }
        }
        cases
    }

    fn name(&self) -> String {
        let spec = self.spec.replace(',', "_");
        format!("{spec}_{}_{}_{}", self.metric, self.queries, self.values)
    }
}

/// Small integers: Faiss's arithmetic is exact on them too, and ties are everywhere.
fn integers(count: usize, values: u64, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % values) as f32 - 3.0
    };
    (0..count * DIM).map(|_| next()).collect()
}

fn index(case: &Case) -> Box<dyn VectorIndex> {
    let mut index = case.spec.parse::<IndexSpec>().unwrap().build(DIM, case.metric).unwrap();
    let vectors = integers(VECTORS, case.values, 1);
    let rows = Rows::new(&vectors, DIM).unwrap();
    if case.spec == "Flat" {
        index.add(rows).unwrap();
    } else {
        let ids: Vec<u64> = (0..VECTORS as u64).map(|i| (i * 7_919) % 10_007).collect();
        index.add_with_ids(rows, &ids).unwrap();
    }
    index
}

fn read<const N: usize, T>(path: &Path, from: fn([u8; N]) -> T) -> Vec<T> {
    let bytes = fs::read(path).unwrap();
    bytes.as_chunks().0.iter().map(|chunk| from(*chunk)).collect()
}

#[test]
fn faiss_reads_finds_removes_and_merges_the_same() {
    let Some(python) = python() else { return };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("with_faiss");
    // Leftovers of an earlier run, if there was one.
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();

    let cases = Case::all();
    for case in &cases {
        let stem = folder.join(case.name());
        fs::write(stem.with_extension("faiss"), write_index(&*index(case)).unwrap()).unwrap();
        let queries: Vec<u8> = queries(case).iter().flat_map(|x| x.to_le_bytes()).collect();
        fs::write(stem.with_extension("queries"), queries).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/with_faiss.py");
    assert!(
        Command::new(python)
            .arg(script)
            .arg(&folder)
            .status()
            .unwrap()
            .success()
    );
    for case in &cases {
        println!("{}", case.name());
        compare(case, &folder.join(case.name()));
    }
}

fn queries(case: &Case) -> Vec<f32> {
    integers(case.queries, case.values, 2)
}

fn compare(case: &Case, stem: &Path) {
    let mut index = index(case);
    let same_file = |index: &dyn VectorIndex, extension: &str| {
        let file = fs::read(stem.with_extension(extension)).unwrap();
        assert!(write_index(index).unwrap() == file, "{extension}");
    };
    same_file(&*index, "again");

    let ids = read(&stem.with_extension("ids"), i64::from_le_bytes);
    let values = read(&stem.with_extension("values"), f32::from_le_bytes);
    let faiss: Vec<_> = ids.into_iter().zip(values).collect();
    let found = index
        .search(Rows::new(&queries(case), DIM).unwrap(), &SearchRequest::new(K))
        .unwrap();
    for (row, faiss) in found.iter().zip(faiss.chunks(K)) {
        let own: Vec<_> = row
            .iter()
            .map(|n| (n.id as i64, faiss_value(case.metric, n.distance)))
            .collect();
        assert_eq!(settled(case, &own), settled(case, faiss));
    }

    let mut other = index.boxed_clone();
    index.remove(&IdSelector::Range(20..90)).unwrap();
    same_file(&*index, "removed");
    if case.spec == "Flat" {
        index.merge(&mut *other).unwrap();
        same_file(&*index, "merged");
    }
}

/// The answer, without the ids on whose choice one cannot agree.
///
/// Where several inner products tie for the last places, Faiss's heap throws the earliest of them out when a better one
/// comes late, so its choice depends on the order of everything else; ours are always the earliest.
fn settled(case: &Case, row: &[(i64, f32)]) -> Vec<(i64, f32)> {
    let last = row[K - 1].1;
    let open = case.metric == Metric::InnerProduct && case.values > 1;
    row.iter()
        .map(|&(id, value)| {
            if open && value == last {
                (-1, value)
            } else {
                (id, value)
            }
        })
        .collect()
}
