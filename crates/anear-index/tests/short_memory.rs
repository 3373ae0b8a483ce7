//! Indexes on a mapped file that is larger than the memory there is: a removal that has to copy says so and changes nothing.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::process::Command;
use std::sync::Arc;

use anear_bytes::AlignedBytes;
use anear_index::{Error, Flat, Hnsw, Ivf, List, Mapping, VectorIndex, VectorIndexExt as _};
use anear_kernels::{IdSelector, Metric, Rows};
use anear_quant::{Codes, Error::OutOfMemory, Quantizer as _, Raw};

const LEN: usize = 8;
/// Vectors of 256 MiB.
const DIM: usize = 1 << 26;
/// The file and half of its size once more.
const LIMIT_KIB: usize = 3 << 20;

/// Codes in a file that takes no space: all of it is a hole.
fn on_a_file() -> Codes {
    let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    let bytes = LEN * Raw::new(DIM).code_len();
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(bytes as u64)
        .unwrap();
    let mapping = Mapping::open(&path).unwrap();
    let bytes = AlignedBytes::of(mapping.as_slice(), Some(&mapping)).unwrap();
    Codes::from_bytes(Raw::new(DIM).layout(), Raw::new(DIM).code_len(), LEN, bytes).unwrap()
}

fn graph(codes: Codes) -> Hnsw {
    let mut small = Hnsw::new(Arc::new(Raw::new(1)), Metric::L2, 4, 7).unwrap();
    small
        .add(Rows::new(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 1).unwrap())
        .unwrap();
    Hnsw::from_parts(Arc::new(Raw::new(DIM)), Metric::L2, codes, small.graph().clone()).unwrap()
}

/// One list, whose centroid begins the file, too.
fn inverted(codes: Codes) -> Ivf {
    let mut centroid = codes.clone();
    centroid.truncate(1).unwrap();
    let coarse = Flat::with_codes(Arc::new(Raw::new(DIM)), Metric::L2, centroid).unwrap();
    let mut index = Ivf::new(Metric::L2, Box::new(coarse), Arc::new(Raw::new(DIM)), false).unwrap();
    index
        .fill_lists(vec![List::new(codes, (0..LEN as u64).collect())])
        .unwrap();
    index
}

#[test]
#[ignore = "run by the other test, under a limit on memory"]
fn within_the_limit() {
    let codes = on_a_file();
    let flat = Flat::with_codes(Arc::new(Raw::new(DIM)), Metric::L2, codes.clone()).unwrap();
    let indexes: [Box<dyn VectorIndex>; 3] = [
        Box::new(flat),
        Box::new(graph(codes.clone())),
        Box::new(inverted(codes)),
    ];
    for mut index in indexes {
        let before = index.memory();
        let refused = index.remove(&IdSelector::Sorted(&[0, 1, 2, 3, 4]));
        assert!(
            matches!(refused, Err(Error::Quantizer(OutOfMemory { .. }))),
            "{}: {refused:?}",
            index.spec()
        );
        assert_eq!((index.len(), index.memory()), (LEN, before), "{}", index.spec());
    }
}

#[test]
fn a_removal_without_memory_for_a_copy_is_refused() {
    let this = std::env::current_exe().unwrap();
    let run = format!("ulimit -v {LIMIT_KIB} && exec \"$0\" --exact --ignored within_the_limit");
    let output = Command::new("sh").arg("-c").arg(run).arg(this).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
}
