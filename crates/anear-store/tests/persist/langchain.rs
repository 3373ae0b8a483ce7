//! Folders and bytes that LangChain wrote, and docstores that are not as they should be.

use std::fs;
use std::path::Path;

use anear_bytes::RealFs;
use anear_bytes::testing::CrashFs;
use anear_documents::{Document, Metadata, Value};
use anear_index::compat::faiss::write_index;
use anear_index::{Flat, VectorIndex, VectorIndexExt};
use anear_kernels::{Metric, Rows};
use anear_pickle::{self as pickle, SavedDocstore, SavedDocument};
use anear_store::{Error, LocalStore, VectorStore, VectorStoreExt};

use super::scene::{DIM, DIR, NAME, all_hits, block_on, builder, fixtures, written};

/// What the fixtures' README says.
fn check_fixture(store: &LocalStore) {
    let ids = block_on(store.list(None)).unwrap();
    let given = ids == ["id-a", "id-b"];
    assert!(given || ids.iter().all(|id| id.len() == 36), "{ids:?}");
    let list = Value::List(vec![1.into(), "a".into()]);
    let map = Metadata::from_iter([("k".to_owned(), Value::from("v"))]);
    let first = Document::new("foo")
        .with_id(&ids[0])
        .with_metadata("page", 1)
        .with_metadata("score", 0.5)
        .with_metadata("ok", true)
        .with_metadata("none", Value::Null)
        .with_metadata("l", list)
        .with_metadata("d", map);
    let second = Document::new("bar").with_id(&ids[1]).with_metadata("page", 2);
    assert_eq!(
        block_on(store.get_by_ids(&ids)).unwrap(),
        [first.clone(), second.clone()]
    );

    assert_eq!((store.metric(), store.dim()), (Metric::L2, Some(3)));
    let hits = all_hits(store, vec![1.0, 2.0, 3.0]);
    let found: Vec<_> = hits.into_iter().map(|hit| (hit.document, hit.score)).collect();
    assert_eq!(found, [(second, 4.0), (first, 9.0)]);
}

#[test]
fn the_folders_and_bytes_of_every_release_load() {
    let (mut folders, mut bytes) = (0, 0);
    for entry in fs::read_dir(fixtures()).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let store = block_on(builder(RealFs).load_local(&folder, NAME)).unwrap();
        check_fixture(&store);
        folders += 1;
        let Ok(serialized) = fs::read(folder.join("bytes.pkl")) else {
            continue;
        };
        let same = block_on(builder(RealFs).deserialize_from_bytes(serialized)).unwrap();
        check_fixture(&same);
        bytes += 1;
    }
    println!("{folders} folders, {bytes} bytes.pkl");
    assert_eq!((folders, bytes), (9, 6));
}

#[test]
fn a_loaded_folder_of_langchains_can_be_extended_and_saved_as_ours() {
    let disk = super::scene::langchains();
    let store = block_on(builder(disk.clone()).load_local(DIR, NAME)).unwrap();
    block_on(store.upsert_embeddings(vec![(Document::new("baz").with_id("c"), vec![0.0, 0.0, 1.0])])).unwrap();
    block_on(store.save_local(DIR, NAME)).unwrap();
    let again = block_on(builder(disk).load_local(DIR, NAME)).unwrap();
    assert_eq!(written(&again), written(&store));
    assert_eq!(again.saved_model(), Some("fake-3"));
}

/// LangChain would read its own `index.faiss` beside our documents.
#[test]
fn an_index_that_faiss_does_not_have_takes_the_place_of_langchains_file_whenever_the_power_fails() {
    let disk = super::scene::langchains();
    let before = super::scene::load(disk.clone()).unwrap();
    let store = builder(disk.clone()).index("HNSW4,RaBitQ").unwrap().build();
    block_on(store.upsert_embeddings(super::scene::second().documents)).unwrap();
    disk.record();
    block_on(store.save_local(DIR, NAME)).unwrap();

    assert!(before.is_some());
    let has = |disk: &CrashFs, name: &str| disk.files().contains_key(&Path::new(DIR).join(name));
    assert!(has(&disk, "index.vectors") && has(&disk, "index.pkl") && !has(&disk, "index.faiss"));
    let pickle = |disk: &CrashFs| disk.files().remove(&Path::new(DIR).join("index.pkl"));
    let ours = pickle(&disk);
    let boundaries = disk.boundaries();
    for image in boundaries.iter().flat_map(CrashFs::crash_images).chain([disk]) {
        let found = super::scene::load(image.clone()).unwrap();
        assert!(found == before || found == Some(written(&store)), "{found:?}");
        assert!(!has(&image, "index.faiss") || pickle(&image) != ours);
    }
}

/// A folder as LangChain would write it.
pub(crate) fn foreign(metric: Metric, vectors: &[f32], saved: &SavedDocstore) -> CrashFs {
    let mut index = Flat::new(DIM, metric).unwrap();
    index.add(Rows::new(vectors, DIM).unwrap()).unwrap();
    let disk = CrashFs::new();
    disk.put(
        format!("{DIR}/index.faiss"),
        &write_index(&index as &dyn VectorIndex).unwrap(),
    );
    disk.put(format!("{DIR}/index.pkl"), &pickle::write_index_pkl(saved).unwrap());
    disk
}

fn document(id: &str) -> SavedDocument {
    SavedDocument {
        id: id.into(),
        page_content: format!("text of {id}"),
        metadata: Default::default(),
    }
}

pub(crate) fn docstore(ids: &[&str], positions: &[(i64, &str)]) -> SavedDocstore {
    SavedDocstore {
        documents: ids.iter().map(|id| document(id)).collect(),
        positions: positions.iter().map(|(at, id)| (*at, (*id).to_owned())).collect(),
    }
}

pub(crate) const VECTORS: [f32; 6] = [1.0, 0.0, 0.0, 0.0, 3.0, 4.0];

#[test]
fn without_a_manifest_the_file_says_the_metric_and_the_builder_may_say_another() {
    let two = docstore(&["a", "b"], &[(0, "a"), (1, "b")]);
    for metric in [Metric::L2, Metric::InnerProduct] {
        let disk = foreign(metric, &VECTORS, &two);
        let store = block_on(builder(disk.clone()).load_local(DIR, NAME)).unwrap();
        assert_eq!(store.metric(), metric);
        for asked in super::scene::METRICS {
            let store = block_on(builder(disk.clone()).metric(asked).load_local(DIR, NAME)).unwrap();
            let twin = builder(RealFs).metric(asked).build();
            let documents = ["a", "b"].map(|id| Document::new(format!("text of {id}")).with_id(id));
            let vectors = VECTORS.chunks(DIM).map(<[f32]>::to_vec);
            block_on(twin.upsert_embeddings(documents.into_iter().zip(vectors).collect())).unwrap();
            assert_eq!(written(&store), written(&twin), "{metric} as {asked}");
        }
    }
}

#[test]
fn positions_say_which_vector_is_whose_in_whatever_order_they_stand() {
    let disk = foreign(Metric::L2, &VECTORS, &docstore(&["a", "b"], &[(1, "a"), (0, "b")]));
    let store = block_on(builder(disk).load_local(DIR, NAME)).unwrap();
    assert_eq!(block_on(store.list(None)).unwrap(), ["b", "a"]);
    let nearest = all_hits(&store, VECTORS[..3].to_vec()).remove(0);
    assert_eq!((nearest.document.id.as_deref(), nearest.score), (Some("b"), 0.0));
}

#[test]
fn vectors_and_documents_that_do_not_match_are_refused_by_name() {
    let cases: [(&str, SavedDocstore, &str); 7] = [
        (
            "a gap",
            docstore(&["a", "b"], &[(0, "a"), (2, "b")]),
            "first at position 1",
        ),
        (
            "begins at 1",
            docstore(&["a", "b"], &[(1, "a"), (2, "b")]),
            "first at position 0",
        ),
        (
            "a negative position",
            docstore(&["a", "b"], &[(-1, "a"), (0, "b")]),
            "first at position 0",
        ),
        ("too few", docstore(&["a"], &[(0, "a")]), "2 vectors and 1 positions"),
        (
            "too many",
            docstore(&["a", "b", "c"], &[(0, "a"), (1, "b"), (2, "c")]),
            "2 vectors and 3 positions do not match, first at position 2",
        ),
        (
            "an extra document",
            docstore(&["a", "b", "lost"], &[(0, "a"), (1, "b")]),
            "document `lost` has no vector",
        ),
        (
            "twice the same",
            docstore(&["twice"], &[(0, "twice"), (1, "twice")]),
            "document `twice` has more than one",
        ),
    ];
    for (what, saved, needle) in &cases {
        let error = block_on(builder(foreign(Metric::L2, &VECTORS, saved)).load_local(DIR, NAME)).unwrap_err();
        assert!(
            matches!(&error, Error::File { path, .. } if path.ends_with("index.pkl")),
            "{what}: {error:?}"
        );
        assert!(error.to_string().contains(needle), "{what}: {error}");
    }
}

#[test]
fn a_folder_of_an_index_that_cannot_be_read_or_numbers_its_own_way_is_refused() {
    let disk = foreign(Metric::L2, &VECTORS, &docstore(&["a", "b"], &[(0, "a"), (1, "b")]));
    let mut file = disk.files()[Path::new(DIR).join("index.faiss").as_path()].clone();
    file[..4].copy_from_slice(b"IxLa");
    disk.put(format!("{DIR}/index.faiss"), &file);
    let error = block_on(builder(disk).load_local(DIR, NAME)).unwrap_err();
    assert!(
        matches!(&error, Error::File { path, .. } if path.ends_with("index.faiss")),
        "{error:?}"
    );
    assert!(error.to_string().contains("IxLa"), "{error}");

    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../anear-index/tests/data/id_map.faiss");
    let disk = CrashFs::new();
    disk.put(format!("{DIR}/index.faiss"), &fs::read(sample).unwrap());
    let index =
        anear_index::compat::faiss::read_index(&disk.files()[Path::new(DIR).join("index.faiss").as_path()]).unwrap();
    let ids: Vec<String> = (0..index.len()).map(|i| i.to_string()).collect();
    let positions = (0..).zip(ids.iter().cloned()).collect();
    let saved = SavedDocstore {
        documents: ids.iter().map(|id| document(id)).collect(),
        positions,
    };
    disk.put(format!("{DIR}/index.pkl"), &pickle::write_index_pkl(&saved).unwrap());
    let quiet = LocalStore::builder(anear_embeddings::TableEmbeddings::new([] as [(&str, Vec<f32>); 0])).fs(disk);
    let error = block_on(quiet.load_local(DIR, NAME)).unwrap_err();
    assert!(matches!(error, Error::OwnIds { .. }), "{error:?}");
}

#[test]
fn bytes_that_are_nobodys_are_refused() {
    for bytes in [&b""[..], b"ANEAR", b"{}", b"\x00", b"PK\x03\x04", b"(lp0\n."] {
        let error = block_on(builder(RealFs).deserialize_from_bytes(bytes.to_vec())).unwrap_err();
        assert!(
            matches!(error, Error::NotAStore { len } if len == bytes.len()),
            "{bytes:?}: {error:?}"
        );
        assert!(
            error.to_string().contains(&format!("these {} bytes", bytes.len())),
            "{error}"
        );
    }
    // A pickle, but of a folder, not of a store.
    let pickle = fs::read(fixtures().join("lc042_py311/index.pkl")).unwrap();
    let error = block_on(builder(RealFs).deserialize_from_bytes(pickle)).unwrap_err();
    assert!(matches!(error, Error::Pickle(_)), "{error:?}");
}

#[test]
fn a_pickle_that_would_run_code_is_refused_by_the_name_it_calls() {
    // `os.system("echo pwned")`, as pickle protocol 4 writes a call.
    let attack = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0aecho pwned\x85R.";
    let error = block_on(builder(RealFs).deserialize_from_bytes(attack.to_vec())).unwrap_err();
    assert!(
        matches!(error, Error::Pickle(_)) && error.to_string().contains("os.system"),
        "{error:?}"
    );

    let disk = super::scene::langchains();
    disk.put(format!("{DIR}/index.pkl"), attack);
    let error = block_on(builder(disk).load_local(DIR, NAME)).unwrap_err();
    assert!(
        matches!(&error, Error::File { path, .. } if path.ends_with("index.pkl")),
        "{error:?}"
    );
    assert!(error.to_string().contains("os.system"), "{error}");
}

#[test]
fn a_text_query_finds_in_a_foreign_store_as_the_model_embeds_it() {
    let saved = docstore(&["a", "b"], &[(0, "a"), (1, "b")]);
    let model = anear_embeddings::TableEmbeddings::new([("second", VECTORS[3..].to_vec())]);
    let store = LocalStore::builder(model).fs(foreign(Metric::L2, &VECTORS, &saved));
    let store = block_on(store.load_local(DIR, NAME)).unwrap();
    assert_eq!(
        block_on(store.similarity_search("second")).unwrap()[0].id.as_deref(),
        Some("b")
    );
}
