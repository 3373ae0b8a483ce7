//! The stores of these tests, the disks they are saved on, and how stores are compared.

use std::fs;
use std::path::{Path, PathBuf};

use anear_bytes::testing::CrashFs;
use anear_bytes::{Fs, RealFs};
use anear_documents::{DateTime, Document, Metadata, Value};
use anear_embeddings::FakeEmbeddings;
use anear_kernels::Metric;
use anear_store::{Error, Hit, LocalStore, LocalStoreBuilder, SearchRequest, VectorStore, VectorStoreExt};
pub(crate) use futures::executor::block_on;

/// On disks in memory; does not exist at first.
pub(crate) const DIR: &str = "/store";
pub(crate) const NAME: &str = "index";
/// As wide as the vectors in the folders of real LangChain releases.
pub(crate) const DIM: usize = 3;

pub(crate) const METRICS: [Metric; 5] = [
    Metric::L2,
    Metric::InnerProduct,
    Metric::Cosine,
    Metric::L1,
    Metric::Linf,
];

/// What a store is made of.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) metric: Metric,
    pub(crate) documents: Vec<(Document, Vec<f32>)>,
}

impl Version {
    pub(crate) fn store(&self, fs: impl Fs + 'static) -> LocalStore {
        let store = builder(fs).metric(self.metric).build();
        if !self.documents.is_empty() {
            block_on(store.upsert_embeddings(self.documents.clone())).unwrap();
        }
        store
    }

    pub(crate) fn save(&self, fs: impl Fs + 'static) -> Result<(), Error> {
        block_on(self.store(fs).save_local(DIR, NAME))
    }

    pub(crate) fn written(&self) -> String {
        written(&self.store(RealFs))
    }
}

pub(crate) fn builder(fs: impl Fs + 'static) -> LocalStoreBuilder {
    LocalStore::builder(FakeEmbeddings::new(DIM)).fs(fs)
}

pub(crate) fn empty() -> Version {
    Version {
        metric: Metric::L2,
        documents: Vec::new(),
    }
}

pub(crate) fn first() -> Version {
    let document = |id: &str, text: &str| Document::new(text).with_id(id).with_metadata("page", 1);
    Version {
        metric: Metric::L2,
        documents: vec![
            (document("a", "foo"), vec![1.0, 2.0, 3.0]),
            (document("b", "bar"), vec![-1.0, 0.5, 0.0]),
        ],
    }
}

/// Nothing in it is as in the first.
pub(crate) fn second() -> Version {
    let document = |id: &str| Document::new(format!("text of {id}")).with_id(id);
    Version {
        metric: Metric::InnerProduct,
        documents: vec![
            (
                document("c").with_metadata("when", moment("2026-01-31T12:00:00Z")),
                vec![0.0, 1.0, 0.0],
            ),
            (document("a"), vec![4.0, 0.0, 0.25]),
            (document("d").with_metadata("l", [1, 2]), vec![2.0, 2.0, 2.0]),
        ],
    }
}

/// Different vectors under the same documents as the first.
pub(crate) fn first_elsewhere() -> Version {
    let mut version = first();
    version.documents.iter_mut().for_each(|(_, vector)| vector.reverse());
    version
}

/// A disk, the version that is saved on it, and what this is called.
pub(crate) fn scenes() -> Vec<(&'static str, CrashFs, Version)> {
    vec![
        ("first save", CrashFs::new(), first()),
        ("over ours", saved(&first()), second()),
        ("over ours, documents the same", saved(&first()), first_elsewhere()),
        ("over LangChain's", langchains(), first()),
        ("an empty store over ours", saved(&first()), empty()),
        ("over an empty store", saved(&empty()), second()),
    ]
}

/// A disk on which a version was saved long ago.
pub(crate) fn saved(version: &Version) -> CrashFs {
    let disk = CrashFs::new();
    version.save(disk.clone()).unwrap();
    durable(&disk)
}

/// A disk with the folder that LangChain 0.4.2 wrote.
pub(crate) fn langchains() -> CrashFs {
    let (disk, folder) = (CrashFs::new(), fixtures().join("lc042_py311"));
    for name in ["index.faiss", "index.pkl"] {
        disk.put(format!("{DIR}/{name}"), &fs::read(folder.join(name)).unwrap());
    }
    disk
}

/// The folders that real LangChain releases wrote.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../anear-pickle/tests/fixtures/langchain")
}

/// The same disk with everything certain.
pub(crate) fn durable(disk: &CrashFs) -> CrashFs {
    let copy = CrashFs::new();
    disk.files().iter().for_each(|(path, bytes)| copy.put(path, bytes));
    copy
}

/// What someone who loads the folder finds: `None` when nothing was ever saved there.
pub(crate) fn load(fs: impl Fs + 'static) -> Result<Option<String>, Error> {
    match block_on(builder(fs).load_local(DIR, NAME)) {
        Ok(store) => Ok(Some(written(&store))),
        Err(Error::NothingSaved { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Everything in a store, in a form in which equal means the same: its settings, its documents in order (JSON tells
/// apart what `==` takes for equal: -0, offsets of dates, the order of keys), and its vectors as searches see them.
pub(crate) fn written(store: &LocalStore) -> String {
    let mut lines = vec![format!("{} {} {:?}", store.metric(), store.normalize_l2(), store.dim())];
    let ids = block_on(store.list(None)).unwrap();
    let documents = block_on(store.get_by_ids(&ids)).unwrap();
    lines.extend(
        documents
            .iter()
            .map(|document| serde_json::to_string(document).unwrap()),
    );
    for probe in probes(store.dim().unwrap_or(0)) {
        lines.extend(all_hits(store, probe).iter().map(|hit| {
            let id = hit.document.id.as_deref().unwrap();
            format!("{id} {:x}", hit.score.to_bits())
        }));
    }
    lines.join("\n")
}

/// The unit vectors and one askew: together they see every component of every vector.
fn probes(dim: usize) -> Vec<Vec<f32>> {
    let unit = |at: usize| (0..dim).map(|i| if i == at { 1.0 } else { 0.0 }).collect();
    let askew = (0..dim).map(|i| 0.75 - i as f32).collect();
    (0..dim).map(unit).chain((dim > 0).then_some(askew)).collect()
}

/// Every document with its score.
pub(crate) fn all_hits(store: &LocalStore, query: Vec<f32>) -> Vec<Hit> {
    let k = block_on(store.count(None)).unwrap().max(1);
    block_on(store.similarity_search_with_score(SearchRequest::new(query).k(k))).unwrap()
}

pub(crate) fn moment(text: &str) -> DateTime {
    text.parse().unwrap()
}

/// A document with every kind of value, and every value that one of the forms could lose.
pub(crate) fn rich_document(id: &str) -> Document {
    let map = |pairs: Vec<(&str, Value)>| -> Metadata { pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect() };
    let metadata = map(vec![
        ("null", Value::Null),
        ("bools", [true, false].into()),
        ("ints", [i64::MIN, -1, 0, 255, 256, 65_536, 1 << 31, i64::MAX].into()),
        ("floats", [0.1 + 0.2, -0.0, 5e-324, f64::MAX, 1.0].into()),
        ("not finite", [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].into()),
        ("z comes before a", "한국어 \u{1f600} \u{10ffff} \0 \r\n \"\\".into()),
        ("", "".into()),
        ("naive", moment("2026-01-31T23:59:59.999999").into()),
        ("midnight", moment("0001-01-01").into()),
        ("aware", moment("2026-01-31T12:00:00.5+09:00").into()),
        ("west, with seconds", moment("9998-12-31T00:00:00-03:00:09").into()),
        ("empty list", Value::List(vec![])),
        ("empty map", Metadata::new().into()),
        (
            "nested",
            map(vec![
                ("z", Value::from(vec![Value::from([1, 2]), Value::Null])),
                ("a", map(vec![("$datetime", "2026-01-31".into())]).into()),
                ("lc", 1.into()),
            ])
            .into(),
        ),
        ("$map", map(vec![("$float", "nan".into())]).into()),
        ("a", Value::Null),
    ]);
    Document {
        id: Some(id.into()),
        page_content: format!("text of {id}\n\0 ünïcödé 한국어 \u{1f600}"),
        metadata,
    }
}
