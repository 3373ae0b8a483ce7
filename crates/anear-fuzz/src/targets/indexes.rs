//! Factory strings, and files that hold an index.

use anear_bytes::ContainerWriter;
use anear_index::binary::{BinarySpec, read_binary_index, write_binary_index};
use anear_index::compat::faiss::{read_index, write_index};
use anear_index::{
    IndexSpec, SearchRequest, Training, VectorIndex, VectorIndexExt, Verify, from_bytes, open_mapped, to_bytes,
};
use anear_kernels::{Bits, Metric, Rows};
use fastrand::Rng;

use super::Target;
use crate::mutate::changed;

const DIM: usize = 8;
const VECTORS: usize = 300;
const BITS: usize = 64;

pub(super) const FACTORY: Target = Target {
    name: "factory",
    seeds: || {
        IndexSpec::EXAMPLES
            .iter()
            .map(|spec| spec.as_bytes().to_vec())
            .collect()
    },
    change: changed,
    read: |input| {
        let text = String::from_utf8_lossy(input);
        let Ok(spec) = text.parse::<IndexSpec>() else {
            return false;
        };
        assert_eq!(spec.to_string().parse::<IndexSpec>().ok().as_ref(), Some(&spec));
        // Most want training; what they say then is as good as an index.
        drop(spec.build(DIM, Metric::L2));
        true
    },
};

pub(super) const FAISS: Target = Target {
    name: "faiss",
    seeds: || {
        let own = examples().filter_map(|index| write_index(&*index).ok());
        own.chain(super::documents::fixtures("index.faiss")).collect()
    },
    change: changed,
    read: |input| {
        let Ok(index) = read_index(input) else {
            return false;
        };
        search(&*index);
        let written = write_index(&*index).expect("what Faiss wrote can be written for Faiss");
        assert!(read_index(&written).is_ok(), "what was written is read");
        true
    },
};

pub(super) const FAISS_BINARY: Target = Target {
    name: "faiss-binary",
    seeds: || {
        let mut rng = Rng::with_seed(1);
        let bytes: Vec<u8> = (0..VECTORS * BITS / 8).map(|_| rng.u8(..)).collect();
        let vectors = Bits::new(&bytes, BITS / 8).expect("whole vectors");
        let specs = BinarySpec::EXAMPLES.iter().map(|spec| spec.parse::<BinarySpec>());
        specs
            .map(|spec| {
                let spec = spec.expect("examples are right");
                let mut index = spec.train(BITS, vectors, 1, None).expect("a sample is enough");
                if spec.has_own_ids() {
                    let ids: Vec<u64> = (0..VECTORS as u64).map(|i| 3 * i).collect();
                    index.add_with_ids(vectors, &ids).expect("ids are new");
                } else {
                    index.add(vectors).expect("vectors are as wide as the index");
                }
                write_binary_index(&*index).expect("Faiss has every kind of binary index")
            })
            .collect()
    },
    change: changed,
    read: |input| {
        let Ok(index) = read_binary_index(input) else {
            return false;
        };
        let width = index.dim() / 8;
        let query = vec![0x5a; width];
        if let Some(query) = Bits::new(&query, width) {
            index
                .search(query, &SearchRequest::new(3))
                .expect("a query as wide as the index");
        }
        true
    },
};

pub(super) const CONTAINER: Target = Target {
    name: "container",
    seeds: || examples().chain(learned()).map(|index| to_bytes(&*index)).collect(),
    change: resealed,
    read: |input| {
        let Ok(index) = from_bytes(input) else {
            return false;
        };
        search(&*index);
        true
    },
};

pub(super) const MAPPED: Target = Target {
    name: "mapped",
    seeds: CONTAINER.seeds,
    change: changed,
    read: |input| {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(&file, input).expect("room for a file");
        // What a checksum would refuse is read too.
        let Ok(index) = open_mapped(&file, Verify::Structure) else {
            return false;
        };
        search(&*index);
        true
    },
};

/// An index of each kind, with vectors.
fn examples() -> impl Iterator<Item = Box<dyn VectorIndex>> {
    let mut rng = Rng::with_seed(1);
    let data: Vec<f32> = (0..VECTORS * DIM).map(|_| rng.f32()).collect();
    IndexSpec::EXAMPLES.iter().map(move |spec| {
        let spec: IndexSpec = spec.parse().expect("examples are right");
        let rows = Rows::new(&data, DIM).expect("whole vectors");
        let mut index = spec
            .train(Metric::L2, rows, &Training::default())
            .expect("a sample is enough");
        if matches!(spec, IndexSpec::IdMap(..)) {
            let ids: Vec<u64> = (0..VECTORS as u64).map(|i| 3 * i).collect();
            index.add_with_ids(rows, &ids).expect("ids are new");
        } else {
            index.add(rows).expect("vectors are as wide as the index");
        }
        index
    })
}

/// What anear's own index makes of so many vectors that it learns from them: lists, and graphs.
fn learned() -> impl Iterator<Item = Box<dyn VectorIndex>> {
    let mut rng = Rng::with_seed(2);
    let data: Vec<f32> = (0..2048 * DIM).map(|_| rng.f32()).collect();
    let kinds = [
        ("NearLists", Metric::L2),
        ("NearGraph", Metric::InnerProduct),
        ("NearLean", Metric::L2),
    ];
    kinds.into_iter().map(move |(spec, metric)| {
        let spec: IndexSpec = spec.parse().expect("a kind that there is");
        let mut index = spec.build(DIM, metric).expect("it needs no training");
        index
            .add(Rows::new(&data, DIM).expect("whole vectors"))
            .expect("vectors are as wide as the index");
        index
    })
}

fn search(index: &dyn VectorIndex) {
    let query = vec![0.5; index.dim()];
    if let Some(query) = Rows::new(&query, index.dim()) {
        index
            .search(query, &SearchRequest::new(3))
            .expect("a query as wide as the index");
    }
}

/// A container with one section changed and its checksums right: otherwise they would see every change.
fn resealed(good: &[u8], rng: &mut Rng) -> Vec<u8> {
    let sections = sections(good);
    let victim = rng.usize(..sections.len());
    let sections = sections.into_iter().enumerate();
    let writer = sections.fold(ContainerWriter::new(kind(good)), |writer, (i, (tag, bytes))| {
        let bytes = if i == victim {
            changed(bytes, rng)
        } else {
            bytes.to_vec()
        };
        writer.section(tag, bytes)
    });
    writer.finish()
}

/// The kind that a container's header names.
fn kind(container: &[u8]) -> [u8; 4] {
    field(container, 12)
}

/// Tags and contents, as the table of a container has them.
fn sections(container: &[u8]) -> Vec<([u8; 4], &[u8])> {
    let count = u32::from_le_bytes(field(container, 20)) as usize;
    let entries = container[64..].chunks_exact(32).take(count);
    let entries = entries.map(|entry| {
        let [at, len] = [8, 16].map(|at| u64::from_le_bytes(field(entry, at)) as usize);
        (field(entry, 0), &container[at..at + len])
    });
    entries.collect()
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("N bytes")
}
