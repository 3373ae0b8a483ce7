//! The store's promises on every kind of index: what holds on exact search holds on all.

use std::collections::BTreeSet;

use anear_documents::{Document, Filter};
use anear_embeddings::FakeEmbeddings;
use anear_kernels::Metric;
use anear_store::{Deletion, Error, LocalStore, LocalStoreBuilder, SearchRequest, VectorStore, VectorStoreExt};

const DIM: usize = 8;
const FIRST: usize = 400;

/// Kinds of index, and whether a thorough search of one is exact.
const INDEXES: [(&str, bool); 10] = [
    ("Flat", true),
    ("auto", true),
    ("SQ8", false),
    ("PQ4x4", false),
    ("RaBitQ4", false),
    ("HNSW8", false),
    ("IVF8,Flat", true),
    ("IVF8,SQ8", false),
    ("IVF8,PQ4x4fs,RFlat", false),
    ("RR,IVF8,Flat", false),
];

const METRICS: [Metric; 3] = [Metric::L2, Metric::InnerProduct, Metric::Cosine];

/// A builder whose searches leave nothing out.
fn builder(index: &str, metric: Metric) -> LocalStoreBuilder {
    let builder = LocalStore::builder(FakeEmbeddings::new(DIM))
        .metric(metric)
        .index(index)
        .unwrap();
    let builder = if index.contains("IVF") {
        builder.knob("nprobe", 8.0)
    } else {
        builder
    };
    let builder = if index.contains("RFlat") {
        builder.knob("k_factor", 1000.0)
    } else {
        builder
    };
    let builder = if index.contains("HNSW") {
        builder.knob("efSearch", 1000.0)
    } else {
        builder
    };
    if index == "auto" || index.contains("Near") {
        builder.knob("recall", 0.999)
    } else {
        builder
    }
}

fn documents(numbers: impl Iterator<Item = usize>) -> Vec<Document> {
    numbers
        .map(|i| {
            Document::new(format!("text {i}"))
                .with_id(format!("{i}"))
                .with_metadata("n", i as i64)
        })
        .collect()
}

fn nearest(query: &str) -> SearchRequest {
    SearchRequest::new(query).k(10)
}

async fn ids(store: &LocalStore, request: SearchRequest) -> Vec<String> {
    let hits = store.search(request).await.unwrap();
    hits.into_iter().filter_map(|hit| hit.document.id).collect()
}

/// Everything that can be asked of both stores has the same answer.
async fn assert_alike(store: &LocalStore, flat: &LocalStore, is_exact: bool) {
    assert_eq!(store.list(None).await.unwrap(), flat.list(None).await.unwrap());
    for query in ["text 3", "text 77", "something else"] {
        let filter = Filter::gt("n", 380);
        let (found, expected) = (ids(store, nearest(query)).await, ids(flat, nearest(query)).await);
        assert_eq!(found.len(), expected.len());
        let filtered = ids(store, nearest(query).filter(filter.clone())).await;
        let wanted = ids(flat, nearest(query).filter(filter)).await;
        assert_eq!(filtered.len(), wanted.len(), "a filter leaves as many as there are");
        assert!(filtered.iter().all(|id| id.parse::<usize>().unwrap() > 380));
        assert_eq!(filtered.iter().collect::<BTreeSet<_>>().len(), filtered.len());
        if is_exact {
            assert_eq!((found, filtered), (expected, wanted));
        }
    }
    let view = store.view();
    for position in [0, view.len() / 2, view.len() - 1] {
        let document = view.document(position).unwrap();
        assert_eq!(view.vector(position).unwrap().len(), DIM);
        let found = ids(store, SearchRequest::new(view.vector(position).unwrap()).k(20)).await;
        let id = document.id.clone().unwrap();
        assert!(
            store.metric() == Metric::InnerProduct || found.contains(&id),
            "{} by {}: {id} among {found:?}",
            store.index(),
            store.metric()
        );
    }
    assert_eq!(store.max_marginal_relevance_search("text 5").await.unwrap().len(), 4);
}

async fn lives(index: &str, is_exact: bool, metric: Metric) {
    let folder = tempfile::tempdir().unwrap();
    let stores = [builder(index, metric).build(), builder("Flat", metric).build()];
    for store in &stores {
        store.upsert(documents(0..FIRST)).await.unwrap();
        store.upsert(documents(FIRST..FIRST + 7)).await.unwrap();
        store
            .delete(Deletion::Matching(Filter::lt("n", 150).into()))
            .await
            .unwrap();
        store.upsert(documents(140..160)).await.unwrap();
        store
            .delete(Deletion::Ids(vec!["200".into(), "405".into()]))
            .await
            .unwrap();
    }
    let [store, flat] = &stores;
    assert_alike(store, flat, is_exact).await;

    store.save_local(folder.path(), "index").await.unwrap();
    let again = builder(index, metric).load_local(folder.path(), "index").await.unwrap();
    assert_eq!(again.index(), store.index());
    assert_alike(&again, flat, is_exact).await;
    for bytes in [
        store.serialize_to_bytes().await.unwrap(),
        store.serialize_to_pickle().await.unwrap(),
    ] {
        let again = builder(index, metric).deserialize_from_bytes(bytes).await.unwrap();
        assert_alike(&again, flat, is_exact).await;
        again.upsert(documents(900..910)).await.unwrap();
        assert_eq!(again.count(None).await.unwrap(), flat.count(None).await.unwrap() + 10);
    }

    // One that learned the same, and one that learned something else.
    let same = builder(index, metric).load_local(folder.path(), "index").await.unwrap();
    same.delete(Deletion::Matching(Filter::gte("n", 0).into()))
        .await
        .unwrap();
    same.upsert(documents(500..520)).await.unwrap();
    let other = builder(index, metric).build();
    other.upsert(documents(600..600 + FIRST)).await.unwrap();
    for source in [same, other] {
        store.merge_from(&source).await.unwrap();
    }
    flat.upsert(documents((500..520).chain(600..600 + FIRST)))
        .await
        .unwrap();
    assert_alike(store, flat, is_exact).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_index_keeps_the_promises_of_exact_search() {
    for metric in METRICS {
        for (index, is_exact) in INDEXES {
            lives(index, is_exact, metric).await;
        }
    }
}

#[tokio::test]
async fn a_first_batch_too_small_to_learn_from_is_refused_and_says_what_to_do() {
    let store = builder("IVF8,SQ8", Metric::L2).build();
    let error = store.upsert(documents(0..3)).await.unwrap_err();
    assert!(matches!(&error, Error::Untrained { got: 3, .. }), "{error}");
    let text = error.to_string();
    assert!(
        ["IVF8,SQ8", "first batch of 3", "8", "`train`"]
            .iter()
            .all(|word| text.contains(word)),
        "{text}"
    );
    assert_eq!(store.count(None).await.unwrap(), 0);

    let sample = (0..100 * DIM).map(|i| (i * 7919 % 101) as f32).collect();
    store.train(sample, DIM).await.unwrap();
    store.upsert(documents(0..3)).await.unwrap();
    assert_eq!(ids(&store, nearest("text 1")).await.len(), 3);
}

#[tokio::test]
async fn an_index_that_is_none_or_no_use_is_refused() {
    let refused = |index: &str| {
        LocalStore::builder(FakeEmbeddings::new(DIM))
            .index(index)
            .unwrap_err()
            .to_string()
    };
    assert!(
        refused("IVF8,Flop").contains("at character 5"),
        "{}",
        refused("IVF8,Flop")
    );
    assert!(refused("IDMap,Flat").contains("leave out the id map"));

    let store = LocalStore::builder(FakeEmbeddings::new(DIM))
        .index("HNSW8")
        .unwrap()
        .knob("nprobe", 1.0)
        .build();
    let error = store.upsert(documents(0..3)).await.unwrap_err().to_string();
    assert!(error.contains("nprobe") && error.contains("ef_search"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let store = builder("SQ8", Metric::L2).build();
    store.upsert(documents(0..50)).await.unwrap();
    store.save_local(folder.path(), "index").await.unwrap();
    let error = builder("HNSW8", Metric::L2)
        .load_local(folder.path(), "index")
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("SQ8") && error.contains("HNSW8"), "{error}");
}

#[tokio::test]
async fn what_is_merged_is_searched_as_thoroughly_as_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let thorough = builder("IVF8,Flat", Metric::L2)
        .from_documents(documents(0..FIRST))
        .await
        .unwrap();
    thorough.save_local(folder.path(), "index").await.unwrap();
    let hasty = LocalStore::builder(FakeEmbeddings::new(DIM)).knob("nprobe", 1.0);
    let hasty = hasty.load_local(folder.path(), "index").await.unwrap();
    thorough
        .delete(Deletion::Matching(Filter::gte("n", 0).into()))
        .await
        .unwrap();
    thorough.merge_from(&hasty).await.unwrap();

    let flat = LocalStore::from_documents(documents(0..FIRST), FakeEmbeddings::new(DIM))
        .await
        .unwrap();
    for i in 0..20 {
        let query = format!("query {i}");
        assert_eq!(ids(&thorough, nearest(&query)).await, ids(&flat, nearest(&query)).await);
    }
}

#[tokio::test]
async fn a_search_may_ask_for_more_than_the_store_does() {
    let builder = LocalStore::builder(FakeEmbeddings::new(DIM))
        .index("IVF32,Flat")
        .unwrap();
    let store = builder.from_documents(documents(0..FIRST)).await.unwrap();
    let flat = LocalStore::from_documents(documents(0..FIRST), FakeEmbeddings::new(DIM))
        .await
        .unwrap();
    let mut missed = 0;
    for i in 0..20 {
        let (query, expected) = (format!("query {i}"), ids(&flat, nearest(&format!("query {i}"))).await);
        missed += usize::from(ids(&store, nearest(&query)).await != expected);
        assert_eq!(ids(&store, nearest(&query).with("nprobe", 32.0)).await, expected);
    }
    assert!(missed > 0, "one list of 32 does not hold all neighbors");
}

#[tokio::test]
async fn a_search_parameter_holds_from_the_next_search_on_and_survives_a_save() {
    let store = builder("IVF32,Flat", Metric::L2).build();
    store.upsert(documents(0..FIRST)).await.unwrap();
    store.set_knob("nprobe", 32.0).await.unwrap();
    let flat = builder("Flat", Metric::L2).build();
    flat.upsert(documents(0..FIRST)).await.unwrap();
    assert_alike(&store, &flat, true).await;
    assert!(store.set_knob("nprob", 1.0).await.is_err());
    assert!(store.set_knob("nprobe", 0.5).await.is_err());

    let folder = tempfile::tempdir().unwrap();
    store.save_local(folder.path(), "index").await.unwrap();
    let bytes = store.serialize_to_bytes().await.unwrap();
    let model = || LocalStore::builder(FakeEmbeddings::new(DIM));
    for (again, nprobe) in [
        (model().load_local(folder.path(), "index").await.unwrap(), 32.0),
        (model().deserialize_from_bytes(bytes.clone()).await.unwrap(), 32.0),
        (
            model().knob("nprobe", 4.0).deserialize_from_bytes(bytes).await.unwrap(),
            4.0,
        ),
    ] {
        assert_eq!(again.view().knob("nprobe"), Some(nprobe));
    }
}

#[tokio::test]
async fn a_search_parameter_is_checked_and_holds_before_there_is_an_index() {
    let store = LocalStore::builder(FakeEmbeddings::new(DIM))
        .index("IVF32_HNSW8,Flat")
        .unwrap()
        .build();
    assert_eq!(store.view().knob("nprobe"), Some(1.0));
    for (name, value, reason) in [
        (
            "nprob",
            4.0,
            "unknown search parameter `nprob`; this index has: nprobe, max_codes",
        ),
        (
            "efSearch",
            4.0,
            "unknown search parameter `efSearch`; this index has: nprobe",
        ),
        ("nprobe", 0.0, "nprobe must be a whole number of at least 1, got 0"),
        (
            "ensure_topk_full",
            -1.0,
            "ensure_topk_full must be a whole number of at least 0, got -1",
        ),
    ] {
        let error = store.set_knob(name, value).await.unwrap_err().to_string();
        assert!(error.starts_with(reason), "{error}");
        let error = store
            .search(nearest("text 1").with(name, value))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(reason), "{error}");
    }
    let set = [("nprobe", 8.0), ("quantizer_efSearch", 64.0), ("ensure_topk_full", 0.0)];
    for (name, value) in set {
        store.set_knob(name, value).await.unwrap();
    }
    assert!(ids(&store, nearest("text 1").with("nprobe", 2.0)).await.is_empty());

    store.upsert(documents(0..FIRST)).await.unwrap();
    store.upsert(documents(FIRST..FIRST + 9)).await.unwrap();
    let bytes = store.serialize_to_bytes().await.unwrap();
    let again = LocalStore::deserialize_from_bytes(bytes, FakeEmbeddings::new(DIM))
        .await
        .unwrap();
    for (name, value) in set {
        assert_eq!(
            (store.view().knob(name), again.view().knob(name)),
            (Some(value), Some(value))
        );
    }
}

/// Segments are searched as one: however documents came, a search visits the same lists.
#[tokio::test]
async fn a_store_filled_bit_by_bit_finds_what_one_filled_at_once_does() {
    for metric in METRICS {
        let sample: Vec<f32> = {
            let all = builder("Flat", metric).build();
            all.upsert(documents(0..FIRST)).await.unwrap();
            all.view().vectors(0..FIRST).unwrap()
        };
        let stores =
            ["IVF8,Flat", "IVF8,SQ8"].map(|index| (builder(index, metric).build(), builder(index, metric).build()));
        for (at_once, bit_by_bit) in stores {
            at_once.train(sample.clone(), DIM).await.unwrap();
            bit_by_bit.train(sample.clone(), DIM).await.unwrap();
            at_once.upsert(documents(0..FIRST)).await.unwrap();
            for start in (0..FIRST).step_by(7) {
                bit_by_bit.upsert(documents(start..FIRST.min(start + 7))).await.unwrap();
            }
            assert_alike(&bit_by_bit, &at_once, true).await;
        }
    }
}

#[tokio::test]
async fn a_loaded_store_gives_the_same_scores_to_the_bit() {
    for index in [
        "Flat",
        "HNSW8",
        "Near",
        "NSG8",
        "LSH64r",
        "LSH8t",
        "LSH64r,RFlat",
        "HNSW8,RFlat",
        "IVF8,Flat",
        "IVF8,LSH16r",
        "HNSW8,SQ8",
    ] {
        for metric in METRICS {
            let folder = tempfile::tempdir().unwrap();
            let builder = || LocalStore::builder(FakeEmbeddings::new(DIM));
            let store = builder().metric(metric).index(index).unwrap();
            let store = store.from_documents(documents(0..FIRST)).await.unwrap();
            store.save_local(folder.path(), "index").await.unwrap();
            let pickle = store.serialize_to_pickle().await.unwrap();
            for again in [
                builder().load_local(folder.path(), "index").await.unwrap(),
                builder().deserialize_from_bytes(pickle).await.unwrap(),
            ] {
                for query in ["text 3", "something else"] {
                    let (before, after) = (store.search(nearest(query)).await, again.search(nearest(query)).await);
                    assert_eq!(after.unwrap(), before.unwrap(), "{index} by {metric}");
                }
            }
        }
    }
}

#[tokio::test]
async fn hashing_counts_bits_by_every_metric_and_relevance_is_the_share_that_agrees() {
    for metric in METRICS {
        for (index, bits) in [
            ("LSH64r", 64.0),
            ("LSH", 8.0),
            ("IVF4,LSH16r", 16.0),
            ("HNSW8,LSH8", 8.0),
            ("PCA4,LSH", 4.0),
        ] {
            let store = LocalStore::builder(FakeEmbeddings::new(DIM))
                .metric(metric)
                .index(index)
                .unwrap();
            let store = store.from_documents(documents(0..FIRST)).await.unwrap();
            let hits = store.search(nearest("text 7")).await.unwrap();
            assert_eq!(hits[0].score, 0.0, "{index} by {metric}");
            for hit in hits {
                assert_eq!(hit.score.fract(), 0.0, "{index} by {metric}");
                assert_eq!(
                    store.relevance(hit.score),
                    1.0 - hit.score.abs() / bits,
                    "{index} by {metric}"
                );
            }
            assert_eq!(store.max_marginal_relevance_search("text 5").await.unwrap().len(), 4);
        }
    }
}

#[tokio::test]
async fn where_codes_have_no_way_back_diversity_is_refused_with_the_way_out() {
    let builder = |index| LocalStore::builder(FakeEmbeddings::new(DIM)).index(index).unwrap();
    let store = builder("ITQ4,LSH").from_documents(documents(0..FIRST)).await.unwrap();
    let error = store.max_marginal_relevance_search("text 5").await.unwrap_err();
    assert!(matches!(error, Error::NoVectors { .. }), "{error:?}");
    assert!(
        error.to_string().contains("build the store on `ITQ4,LSH,RFlat`"),
        "{error}"
    );
    let store = builder("ITQ4,LSH,RFlat")
        .from_documents(documents(0..FIRST))
        .await
        .unwrap();
    assert_eq!(store.max_marginal_relevance_search("text 5").await.unwrap().len(), 4);
}

/// Faiss has no graph over such codes.
#[tokio::test]
async fn an_index_that_faiss_does_not_have_is_saved_in_our_own_form() {
    let folder = tempfile::tempdir().unwrap();
    let store = builder("HNSW8,RaBitQ4", Metric::L2).build();
    store.upsert(documents(0..50)).await.unwrap();
    store.save_local(folder.path(), "index").await.unwrap();
    let again = builder("HNSW8,RaBitQ4", Metric::L2)
        .load_local(folder.path(), "index")
        .await
        .unwrap();
    assert_alike(&again, &store, true).await;
    let bytes = store.serialize_to_pickle().await.unwrap();
    let again = builder("HNSW8,RaBitQ4", Metric::L2)
        .deserialize_from_bytes(bytes)
        .await
        .unwrap();
    assert_alike(&again, &store, true).await;
}

#[tokio::test]
async fn where_few_documents_match_the_nearest_of_them_are_found_however_few_lists_are_visited() {
    for metric in METRICS {
        let model = || LocalStore::builder(FakeEmbeddings::new(DIM)).metric(metric);
        let store = model()
            .index("IVF32,Flat")
            .unwrap()
            .from_documents(documents(0..FIRST))
            .await
            .unwrap();
        let flat = model().from_documents(documents(0..FIRST)).await.unwrap();
        for i in 0..20 {
            let request = || nearest(&format!("query {i}")).filter(Filter::gte("n", (FIRST - 40) as i64));
            assert_eq!(ids(&store, request()).await, ids(&flat, request()).await, "{metric}");
        }
    }
}

#[test]
fn what_is_said_after_a_trained_index_counts() {
    futures::executor::block_on(async {
        let index = "HNSW8"
            .parse::<anear_index::IndexSpec>()
            .unwrap()
            .build(DIM, Metric::L2)
            .unwrap();
        let builder = || {
            LocalStore::builder(FakeEmbeddings::new(DIM))
                .trained_index(&*index)
                .unwrap()
        };

        let store = builder().knob("efSearch", 77.0).build();
        store.add_texts(["foo"]).await.unwrap();
        assert_eq!(store.view().knob("ef_search"), Some(77.0));
        let unknown = builder().knob("nprobe", 4.0).build().add_texts(["foo"]).await;
        assert!(unknown.unwrap_err().to_string().contains("nprobe"));

        let flat = builder().index("Flat").unwrap().build();
        flat.add_texts(["foo"]).await.unwrap();
        assert!(flat.view().knob("ef_search").is_none());
    });
}

/// Indexes whose codes lie in their files as searches want them.
const STAYING: [&str; 7] = [
    "auto",
    "NearGraph",
    "NearLean",
    "SQ8",
    "IVF8,Flat",
    "IVF8,SQ8",
    "RR,IVF8,Flat",
];

/// So many vectors that `auto` learns codes and lists.
const LEARNED: usize = 2100;

#[tokio::test]
async fn a_mapped_store_answers_changes_and_is_saved_as_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let all = INDEXES.map(|(index, _)| (index, Metric::L2, FIRST));
    let others = [
        ("auto", Metric::L2, LEARNED),
        ("NearGraph", Metric::InnerProduct, LEARNED),
        ("NearLean", Metric::L2, LEARNED),
        ("SQ8", Metric::InnerProduct, FIRST),
    ];
    for (index, metric, first) in all.into_iter().chain(others) {
        let store = builder(index, metric)
            .from_documents(documents(0..first))
            .await
            .unwrap();
        store.save_local(folder, "index").await.unwrap();
        let mapped = builder(index, metric)
            .mapped(true)
            .load_local(folder, "index")
            .await
            .unwrap();
        if STAYING.contains(&index) {
            assert!(mapped.view().memory().mapped > 0, "{index}");
        }
        let few = Filter::lt("n", 30);
        let check = async |mapped: &LocalStore| {
            for request in [nearest("text 7"), nearest("text 7").filter(few.clone())] {
                let want = ids(&store, request.clone()).await;
                assert_eq!(ids(mapped, request).await, want, "{index}");
            }
        };
        check(&mapped).await;
        for store in [&store, &mapped] {
            store.add_documents(documents(first..first + 20)).await.unwrap();
            store.delete(Deletion::Ids(vec!["3".into(), "7".into()])).await.unwrap();
        }
        check(&mapped).await;
        // A system may refuse to replace what is mapped.
        if cfg!(unix) {
            mapped.save_local(folder, "index").await.unwrap();
            check(&mapped).await;
            check(
                &LocalStore::load_local(folder, "index", FakeEmbeddings::new(DIM))
                    .await
                    .unwrap(),
            )
            .await;
        }
    }
}
