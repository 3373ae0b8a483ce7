//! A store on the index that is asked for a recall.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anear_documents::{Document, Filter};
use anear_embeddings::FakeEmbeddings;
use anear_kernels::Metric;
use anear_store::{Deletion, LocalStore, LocalStoreBuilder, SearchRequest, VectorStore, VectorStoreExt};

const DIM: usize = 16;
const MANY: usize = 3000;
const INDEXES: [&str; 2] = ["auto", "NearGraph"];
const METRICS: [Metric; 3] = [Metric::L2, Metric::InnerProduct, Metric::Cosine];

fn builder(index: &str, metric: Metric) -> LocalStoreBuilder {
    let builder = LocalStore::builder(FakeEmbeddings::new(DIM)).metric(metric);
    builder.index(index).unwrap()
}

fn documents(numbers: impl Iterator<Item = usize>) -> Vec<Document> {
    let document = |i: usize| Document::new(format!("text {i}")).with_id(format!("{i}"));
    numbers.map(|i| document(i).with_metadata("n", i as i64)).collect()
}

fn nearest(i: usize) -> SearchRequest {
    SearchRequest::new(format!("query {i}")).k(10)
}

async fn ids(store: &LocalStore, request: SearchRequest) -> Vec<String> {
    let hits = store.search(request).await.unwrap();
    hits.into_iter().filter_map(|hit| hit.document.id).collect()
}

/// Of 20 queries, the share of the neighbors in `flat` that `store` finds.
async fn recall(store: &LocalStore, flat: &LocalStore, ask: impl Fn(SearchRequest) -> SearchRequest) -> f64 {
    let (mut found, mut wanted) = (0, 0);
    for i in 0..20 {
        let got: BTreeSet<_> = ids(store, ask(nearest(i))).await.into_iter().collect();
        let want = ids(flat, nearest(i)).await;
        found += want.iter().filter(|id| got.contains(*id)).count();
        wanted += want.len();
    }
    found as f64 / wanted as f64
}

/// Exact where that is asked for, good enough where it is not, also among few and in a diverse choice.
async fn assert_good(store: &LocalStore, flat: &LocalStore) {
    let what = format!("{} by {}: {:?}", store.index(), store.metric(), store.view().explain());
    assert_eq!(store.count(None).await.unwrap(), flat.count(None).await.unwrap());
    assert!(recall(store, flat, |request| request).await > 0.85, "{what}");
    assert_eq!(
        recall(store, flat, |request| request.with("recall", 1.0)).await,
        1.0,
        "{what}"
    );
    for filter in [Filter::gte("n", 2990), Filter::lt("n", 1500)] {
        let (request, filter) = (|| nearest(3).filter(filter.clone()), &filter);
        let (found, all) = (ids(store, request()).await, ids(flat, request()).await);
        assert_eq!(found.len(), all.len(), "{what}: {filter:?}");
        assert_eq!(
            ids(store, request().with("recall", 1.0)).await,
            all,
            "{what}: {filter:?}"
        );
    }
    assert_eq!(store.max_marginal_relevance_search("text 5").await.unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_grows_from_ten_documents_to_thousands_while_it_is_read() {
    for index in INDEXES {
        let store = Arc::new(builder(index, Metric::L2).build());
        let flat = builder("Flat", Metric::L2).build();
        store.upsert(documents(0..10)).await.unwrap();
        assert!(store.view().explain().unwrap().contains("all 10 vectors are compared"));
        let is_done = Arc::new(AtomicBool::new(false));
        let reader = tokio::spawn({
            let (store, is_done) = (store.clone(), is_done.clone());
            async move {
                for i in 0.. {
                    let found = ids(&store, nearest(i)).await;
                    assert_eq!(
                        found.iter().collect::<BTreeSet<_>>().len(),
                        10,
                        "of {}",
                        store.view().len()
                    );
                    if is_done.load(Ordering::Relaxed) {
                        return;
                    }
                }
            }
        });
        for start in (10..MANY).step_by(130) {
            store.upsert(documents(start..MANY.min(start + 130))).await.unwrap();
            let last = SearchRequest::new(format!("text {start}")).k(1);
            assert_eq!(ids(&store, last).await, [start.to_string()]);
        }
        is_done.store(true, Ordering::Relaxed);
        reader.await.unwrap();
        flat.upsert(documents(0..MANY)).await.unwrap();
        assert!(
            store.view().explain().unwrap().contains("lists"),
            "{:?}",
            store.view().explain()
        );
        assert_good(&store, &flat).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_promises_through_deletions_saves_and_merges() {
    for (index, metric) in INDEXES
        .into_iter()
        .flat_map(|index| METRICS.map(|metric| (index, metric)))
    {
        let stores = [builder(index, metric).build(), builder("Flat", metric).build()];
        for store in &stores {
            store.upsert(documents(0..MANY)).await.unwrap();
            let few = Deletion::Matching(Filter::lt("n", 40).into());
            store.delete(few).await.unwrap();
            store.upsert(documents(30..50)).await.unwrap();
        }
        let [store, flat] = stores;
        assert_good(&store, &flat).await;

        let folder = tempfile::tempdir().unwrap();
        store.save_local(folder.path(), "index").await.unwrap();
        assert!(!folder.path().join("index.faiss").exists(), "Faiss has no such index");
        let (bytes, pickle) = (store.serialize_to_bytes(), store.serialize_to_pickle());
        let (bytes, pickle) = (bytes.await.unwrap(), pickle.await.unwrap());
        let model = || LocalStore::builder(FakeEmbeddings::new(DIM));
        for again in [
            model().load_local(folder.path(), "index").await.unwrap(),
            model().deserialize_from_bytes(bytes).await.unwrap(),
            model().deserialize_from_bytes(pickle).await.unwrap(),
        ] {
            assert_good(&again, &flat).await;
            again
                .delete(Deletion::Matching(Filter::lt("n", 2000).into()))
                .await
                .unwrap();
            again.merge_from(&flat_of(metric, 0..2000).await).await.unwrap();
            let whole = flat_of(metric, 0..MANY).await;
            assert_good(&again, &whole).await;
        }
    }
}

async fn flat_of(metric: Metric, numbers: std::ops::Range<usize>) -> LocalStore {
    let store = builder("Flat", metric).build();
    store.upsert(documents(numbers)).await.unwrap();
    store
}

async fn saved(store: &LocalStore) -> LocalStore {
    let bytes = store.serialize_to_bytes().await.unwrap();
    LocalStore::deserialize_from_bytes(bytes, FakeEmbeddings::new(DIM))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_recall_between_0_and_1_is_kept_as_it_is() {
    let store = builder("auto", Metric::Cosine).knob("recall", 0.9).build();
    assert_eq!(store.view().knob("recall"), Some(0.9));
    let error = store.set_knob("recall", 1.5).await.unwrap_err().to_string();
    assert!(
        error.contains("recall must be a share between 0 and 1, got 1.5"),
        "{error}"
    );
    assert_eq!(saved(&store).await.view().knob("recall"), Some(0.9));
    store.upsert(documents(0..2100)).await.unwrap();
    for recall in [0.9, 0.995, 0.0, 1.0] {
        store.set_knob("recall", recall).await.unwrap();
        let again = saved(&store).await;
        assert_eq!(again.view().knob("recall"), Some(recall));
        assert_eq!(again.view().explain(), store.view().explain());
        let said = again.view().explain().unwrap();
        assert!(said.contains(&format!("for a recall of {recall} ")), "{said}");
    }
}
