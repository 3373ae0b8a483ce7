//! What LangChain forgets and we do not: the metric, normalization, the model's name.

use anear_bytes::RealFs;
use anear_bytes::testing::CrashFs;
use anear_documents::Document;
use anear_embeddings::{Embeddings, FakeEmbeddings, Result as Embedded};
use anear_kernels::Metric;
use anear_store::{Error, LocalStore, LocalStoreBuilder, VectorStore, VectorStoreExt};

use super::scene::{DIM, DIR, METRICS, NAME, block_on, builder, empty, first, langchains, saved, written};

/// A model that does not say how wide its vectors are, and has a secret.
#[derive(Clone, Debug)]
struct Quiet {
    dim: usize,
    #[expect(dead_code, reason = "what must not leak")]
    key: &'static str,
}

const KEY: &str = "sk-canary-0123456789";

#[async_trait::async_trait]
impl Embeddings for Quiet {
    fn model(&self) -> &str {
        "quiet"
    }

    fn dim(&self) -> Option<usize> {
        None
    }

    async fn embed_documents(&self, texts: &[String]) -> Embedded<Vec<Vec<f32>>> {
        FakeEmbeddings::new(self.dim).embed_documents(texts).await
    }
}

fn quiet(dim: usize) -> Quiet {
    Quiet { dim, key: KEY }
}

/// Loads through the folder and through both kinds of bytes, with settings.
fn every_way(
    store: &LocalStore,
    disk: &CrashFs,
    set: impl Fn(LocalStoreBuilder) -> LocalStoreBuilder,
) -> [Result<LocalStore, Error>; 3] {
    block_on(store.save_local(DIR, NAME)).unwrap();
    let bytes = block_on(store.serialize_to_bytes()).unwrap();
    let pickle = block_on(store.serialize_to_pickle()).unwrap();
    [
        block_on(set(builder(disk.clone())).load_local(DIR, NAME)),
        block_on(set(builder(RealFs)).deserialize_from_bytes(bytes)),
        block_on(set(builder(RealFs)).deserialize_from_bytes(pickle)),
    ]
}

fn vectors() -> Vec<(Document, Vec<f32>)> {
    first().documents
}

#[test]
fn the_metric_and_normalization_come_back() {
    for metric in METRICS {
        for normalize in [false, true] {
            let disk = CrashFs::new();
            let store = builder(disk.clone()).metric(metric).normalize_l2(normalize).build();
            block_on(store.upsert_embeddings(vectors())).unwrap();
            for loaded in every_way(&store, &disk, |builder| builder) {
                let loaded = loaded.unwrap();
                assert_eq!((loaded.metric(), loaded.normalize_l2()), (metric, normalize));
                assert_eq!(written(&loaded), written(&store));
                // And what is added later is treated alike.
                let more = vec![(Document::new("more").with_id("more"), vec![3.0, 4.0, 0.0])];
                block_on(loaded.upsert_embeddings(more.clone())).unwrap();
                let twin = builder(RealFs).metric(metric).normalize_l2(normalize).build();
                block_on(twin.upsert_embeddings(vectors())).unwrap();
                block_on(twin.upsert_embeddings(more)).unwrap();
                assert_eq!(written(&loaded), written(&twin));
            }
            let again = every_way(&store, &disk, |builder| builder.metric(metric).normalize_l2(normalize));
            assert!(again.iter().all(Result::is_ok), "asking for what was saved is fine");
        }
    }
}

#[test]
fn a_folder_whose_manifest_was_lost_is_compared_as_before() {
    for metric in [Metric::L2, Metric::InnerProduct, Metric::Cosine] {
        for normalize in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let store = builder(RealFs).metric(metric).normalize_l2(normalize).build();
            block_on(store.upsert_embeddings(vectors())).unwrap();
            block_on(store.save_local(folder.path(), NAME)).unwrap();
            std::fs::remove_file(folder.path().join("index.anear.json")).unwrap();
            let loaded = block_on(builder(RealFs).load_local(folder.path(), NAME)).unwrap();
            assert_eq!((loaded.metric(), loaded.normalize_l2()), (metric, normalize));
            assert_eq!(loaded.saved_model(), Some("fake-3"));
            assert_eq!(written(&loaded), written(&store));
            let other = if metric == Metric::L2 {
                Metric::Cosine
            } else {
                Metric::L2
            };
            let error = block_on(builder(RealFs).metric(other).load_local(folder.path(), NAME)).unwrap_err();
            assert!(matches!(error, Error::SavedSetting { name: "metric", .. }), "{error:?}");
        }
    }
}

#[test]
fn asking_for_another_metric_than_the_saved_one_names_both() {
    let disk = CrashFs::new();
    let store = first().store(disk.clone());
    for result in every_way(&store, &disk, |builder| builder.metric(Metric::Cosine)) {
        let error = result.unwrap_err();
        assert!(
            matches!(&error, Error::SavedSetting { name: "metric", .. }),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(
            text.contains(Metric::L2.name()) && text.contains(Metric::Cosine.name()),
            "{text}"
        );
    }
    for result in every_way(&store, &disk, |builder| builder.normalize_l2(true)) {
        let error = result.unwrap_err();
        assert!(
            matches!(
                &error,
                Error::SavedSetting {
                    name: "normalize_l2",
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(
            error.to_string().contains("saved with normalize_l2 false, but true"),
            "{error}"
        );
    }
}

#[test]
fn a_model_of_another_width_is_refused_when_it_says_so_and_at_the_first_search_otherwise() {
    let disk = saved(&first());
    let wide = LocalStore::builder(FakeEmbeddings::new(DIM + 1)).fs(disk.clone());
    let error = block_on(wide.load_local(DIR, NAME)).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Dimension {
                expected: 3,
                got: 4,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("load the store with the model it was built with"),
        "{error}"
    );

    let store = block_on(
        LocalStore::builder(quiet(DIM + 1))
            .fs(disk.clone())
            .load_local(DIR, NAME),
    )
    .unwrap();
    let error = block_on(store.similarity_search("foo")).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Dimension {
                expected: 3,
                got: 4,
                ..
            }
        ),
        "{error:?}"
    );

    let store = block_on(LocalStore::builder(quiet(DIM)).fs(disk).load_local(DIR, NAME)).unwrap();
    assert_eq!(block_on(store.similarity_search("foo")).unwrap().len(), 2);
}

#[test]
fn the_saved_models_name_is_there_to_compare() {
    let disk = CrashFs::new();
    let store = LocalStore::builder(quiet(DIM)).fs(disk.clone()).build();
    assert_eq!(store.saved_model(), None);
    block_on(store.upsert_embeddings(vectors())).unwrap();
    for loaded in every_way(&store, &disk, |builder| builder) {
        let loaded = loaded.unwrap();
        assert_eq!(loaded.saved_model(), Some("quiet"));
        assert_eq!(loaded.embeddings().model(), "fake-3");
    }
    let foreign = block_on(builder(langchains()).load_local(DIR, NAME)).unwrap();
    assert_eq!(foreign.saved_model(), None);
}

#[test]
fn an_empty_store_comes_back_and_can_be_filled() {
    for metric in METRICS {
        for was_filled in [false, true] {
            let disk = CrashFs::new();
            let store = builder(disk.clone()).metric(metric).build();
            if was_filled {
                block_on(store.upsert_embeddings(vectors())).unwrap();
                block_on(store.delete_by_ids(["a", "b"])).unwrap();
            }
            for loaded in every_way(&store, &disk, |builder| builder) {
                let loaded = loaded.unwrap();
                assert_eq!(block_on(loaded.count(None)).unwrap(), 0);
                assert_eq!((loaded.metric(), loaded.dim()), (metric, was_filled.then_some(DIM)));
                block_on(loaded.upsert_embeddings(vectors())).unwrap();
                assert_eq!(block_on(loaded.count(None)).unwrap(), 2);
            }
        }
    }
}

#[test]
fn an_emptied_folder_keeps_no_vectors_of_the_store_before() {
    let disk = saved(&first());
    empty().save(disk.clone()).unwrap();
    assert!(disk.files().keys().all(|path| !path.ends_with("index.faiss")));
}

#[test]
fn the_manifest_says_what_people_look_for() {
    let strategies = ["EUCLIDEAN_DISTANCE", "MAX_INNER_PRODUCT", "COSINE", "l1", "linf"];
    for (metric, strategy) in METRICS.into_iter().zip(strategies) {
        let disk = CrashFs::new();
        let store = LocalStore::builder(quiet(DIM)).metric(metric).fs(disk.clone()).build();
        block_on(store.upsert_embeddings(vectors())).unwrap();
        block_on(store.save_local(DIR, NAME)).unwrap();
        let files = disk.files();
        let (_, manifest) = files
            .iter()
            .find(|(path, _)| path.ends_with("index.anear.json"))
            .unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(manifest).unwrap();
        let meta = serde_json::json!({
            "version": 1, "metric": metric.name(), "distance_strategy": strategy, "normalize_l2": false,
            "index": "Flat", "model": "quiet", "dim": 3, "documents": 2, "metadata_types": { "page": ["integer"] },
        });
        assert_eq!(manifest["store"]["meta"], meta);
    }
}

#[test]
fn a_models_secret_is_in_nothing_that_is_saved() {
    let disk = CrashFs::new();
    let store = LocalStore::builder(quiet(DIM)).fs(disk.clone()).build();
    block_on(store.add_texts(["foo", "bar"])).unwrap();
    assert!(format!("{:?}", store.embeddings()).contains(KEY), "the canary is alive");
    block_on(store.save_local(DIR, NAME)).unwrap();
    let bytes = block_on(store.serialize_to_bytes()).unwrap();
    let pickle = block_on(store.serialize_to_pickle()).unwrap();
    let error = block_on(store.save_local(DIR, "..")).unwrap_err();
    let said = format!("{error:?} {error}").into_bytes();
    let mut looked_at = 0;
    for bytes in disk.files().into_values().chain([bytes, pickle, said]) {
        assert!(!bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()));
        looked_at += bytes.len();
    }
    println!("{looked_at} saved bytes without the secret");
    assert!(looked_at > 1000);
}
