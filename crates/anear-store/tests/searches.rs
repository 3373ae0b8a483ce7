//! Every way to search: scores belong to their documents, thresholds and relevance point the right way.

mod support;

use std::sync::mpsc;

use anear_documents::Filter;
use anear_embeddings::{DefaultEmbeddings, FakeEmbeddings, TableEmbeddings};
use anear_kernels::Metric;
use anear_pool::Pool;
use anear_store::{Error, LocalStore, SearchBatch, SearchRequest, SearchType, VectorStore, VectorStoreExt, blocking};
use futures::executor::block_on;
use support::{Random, document, ids};

const DIM: usize = 12;
const METRICS: [Metric; 5] = [
    Metric::L2,
    Metric::InnerProduct,
    Metric::Cosine,
    Metric::L1,
    Metric::Linf,
];

fn filled(metric: Metric) -> (LocalStore, Vec<Vec<f32>>) {
    let mut random = Random(11);
    let vectors: Vec<Vec<f32>> = (0..200).map(|_| random.vector(DIM)).collect();
    let rows = (0..)
        .zip(&vectors)
        .map(|(i, vector)| (document(&i.to_string(), i % 10), vector.clone()));
    let builder = LocalStore::builder(FakeEmbeddings::new(DIM)).metric(metric);
    (block_on(builder.from_embeddings(rows.collect())).unwrap(), vectors)
}

#[test]
fn scores_of_diverse_results_belong_to_their_documents() {
    for metric in METRICS {
        let (store, vectors) = filled(metric);
        let query = Random(5).vector(DIM);
        let request = SearchRequest::new(&query[..]).k(5).mmr(40, 0.3);
        for request in [request.clone(), request.filter(Filter::eq("page", 3))] {
            let hits = block_on(store.search(request)).unwrap();
            assert_eq!(hits.len(), 5);
            for hit in hits {
                let vector = &vectors[hit.document.id.unwrap().parse::<usize>().unwrap()];
                let distance = metric.distance(&query, vector);
                let expected = if metric == Metric::InnerProduct {
                    -distance
                } else {
                    distance
                };
                assert!(
                    (hit.score - expected).abs() < 1e-5,
                    "{metric}: {} is not {expected}",
                    hit.score
                );
            }
        }
    }
}

#[test]
fn thresholds_keep_what_is_good_enough() {
    for metric in METRICS {
        let (store, _) = filled(metric);
        let query = Random(6).vector(DIM);
        let all = block_on(store.similarity_search_with_score_by_vector(&query, 200)).unwrap();
        let middle = all[50].score;
        let kept = block_on(store.search(SearchRequest::new(&query[..]).k(200).score_threshold(middle))).unwrap();
        assert_eq!(ids(&kept), ids(&all[..51]), "{metric}");
    }
}

#[test]
fn a_batch_finds_what_each_query_finds_alone() {
    for metric in METRICS {
        let (store, _) = filled(metric);
        let queries = Random(9).vector(40 * DIM);
        let batch = || SearchBatch::new(queries.clone(), DIM).k(7);
        let alone = |change: fn(SearchRequest) -> SearchRequest| -> Vec<_> {
            let request = |query: &[f32]| change(SearchRequest::new(query).k(7));
            let queries = queries.chunks_exact(DIM);
            queries
                .map(|query| block_on(store.search(request(query))).unwrap())
                .collect()
        };
        assert_eq!(block_on(store.search_batch(batch())).unwrap(), alone(|request| request));
        let filtered = batch().filter(Filter::eq("page", 3));
        let filtered = block_on(store.search_batch(filtered)).unwrap();
        assert_eq!(filtered, alone(|request| request.filter(Filter::eq("page", 3))));
        let good = block_on(store.search_batch(batch().score_threshold(1.0))).unwrap();
        assert_eq!(good, alone(|request| request.score_threshold(1.0)));
    }
    let (store, _) = filled(Metric::L2);
    assert!(
        block_on(store.search_batch(SearchBatch::new(Vec::new(), DIM)))
            .unwrap()
            .is_empty()
    );
    let empty = LocalStore::new(FakeEmbeddings::new(DIM));
    let nothing = block_on(empty.search_batch(SearchBatch::new(vec![0.0; 2 * DIM], DIM))).unwrap();
    assert_eq!(nothing, [[], []]);
}

#[test]
fn readers_wait_for_no_writer_that_has_all_threads() {
    let pool = Pool::new(1).unwrap();
    let model = DefaultEmbeddings::on(pool.clone());
    let builder = LocalStore::builder(model).pool(pool.clone());
    let documents = (0..200).map(|i| document(&i.to_string(), i % 10));
    let store = block_on(builder.from_documents(documents.collect())).unwrap();
    let (begin, begun) = mpsc::channel();
    let (finish, finished) = mpsc::channel::<()>();
    pool.spawn(move || {
        begin.send(()).unwrap();
        finished.recv().unwrap();
    });
    begun.recv().unwrap();
    // The only thread for writers is taken until somebody finishes.
    block_on(async {
        let mut write = std::pin::pin!(store.upsert(vec![document("new", 8)]));
        assert!(futures::poll!(write.as_mut()).is_pending());
        let request = SearchRequest::new("text of 7").k(2);
        for request in [
            request.clone(),
            request.clone().mmr(20, 0.5),
            request.filter(Filter::all()),
        ] {
            let hits = store.search(request).await.unwrap();
            assert_eq!(hits[0].document.id.as_deref(), Some("7"));
        }
        let dim = store.dim().unwrap();
        let batch = SearchBatch::new(store.view().vectors(0..20).unwrap(), dim).k(3);
        assert_eq!(store.search_batch(batch).await.unwrap().len(), 20);
        assert_eq!(store.count(Some(Filter::eq("page", 3).into())).await.unwrap(), 20);
        let ids = store.list(None).await.unwrap();
        assert_eq!(store.get_by_ids(&ids).await.unwrap().len(), 200);
        assert!(futures::poll!(write.as_mut()).is_pending());
        finish.send(()).unwrap();
        assert_eq!(write.await.unwrap(), ["new"]);
    });
}

#[test]
fn rows_are_added_like_single_vectors() {
    for metric in METRICS {
        let (one, vectors) = filled(metric);
        let two = LocalStore::builder(FakeEmbeddings::new(DIM))
            .metric(metric)
            .normalize_l2(false)
            .build();
        let documents = |range: std::ops::Range<i64>| range.map(|i| document(&i.to_string(), i % 10)).collect();
        block_on(two.insert_rows(documents(0..150), vectors[..150].concat(), DIM)).unwrap();
        block_on(two.upsert_rows(documents(150..200), vectors[150..].concat(), DIM)).unwrap();
        assert_eq!(
            one.view().vectors(0..200).unwrap(),
            two.view().vectors(0..200).unwrap(),
            "{metric}"
        );
        let ids = block_on(two.upsert_rows(documents(7..8), vec![0.5; DIM], DIM)).unwrap();
        assert_eq!(
            (ids, two.view().position("7"), two.view().len()),
            (vec!["7".into()], Some(199), 200)
        );
    }
}

#[test]
fn one_of_two_inserts_of_an_id_is_refused() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let store = LocalStore::new(FakeEmbeddings::new(DIM));
    for round in 0..50 {
        let insert = |_| {
            let (store, id) = (store.clone(), round.to_string());
            runtime.spawn(async move { store.insert_rows(vec![document(&id, 1)], vec![0.5; DIM], DIM).await })
        };
        let racers: Vec<_> = (0..4).map(insert).collect();
        let results: Vec<_> = racers
            .into_iter()
            .map(|racer| runtime.block_on(racer).unwrap())
            .collect();
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert!(
            results
                .into_iter()
                .filter_map(Result::err)
                .all(|error| matches!(error, Error::ExistingIds { .. }))
        );
    }
    assert_eq!(store.view().len(), 50);
}

#[test]
fn relevance_falls_with_distance_and_is_one_for_the_same() {
    for metric in METRICS {
        let store = LocalStore::builder(FakeEmbeddings::new(DIM)).metric(metric);
        let store = block_on(store.from_texts(["foo", "bar", "baz", "qux", "quux"])).unwrap();
        let found = block_on(store.similarity_search_with_relevance_scores("foo")).unwrap();
        assert_eq!(found[0].0.page_content, "foo");
        assert!((found[0].1 - 1.0).abs() < 1e-5, "{metric}: {}", found[0].1);
        assert!(found.is_sorted_by(|a, b| a.1 >= b.1), "{metric}");
        assert!(
            found.iter().all(|(_, relevance)| (0.0..=1.0).contains(relevance)),
            "{metric}"
        );
    }
    let own = LocalStore::builder(FakeEmbeddings::new(DIM)).relevance_score_fn(|score| 0.5 - score);
    let own = block_on(own.from_texts(["foo"])).unwrap();
    assert_eq!(
        block_on(own.similarity_search_with_relevance_scores("foo")).unwrap()[0].1,
        0.5
    );
}

fn compass() -> TableEmbeddings {
    let table = [
        ("north", [0.0, 1.0]),
        ("north-east", [0.6, 0.8]),
        ("east", [1.0, 0.0]),
        ("north again", [0.01, 1.0]),
    ];
    TableEmbeddings::new(table.map(|(text, vector)| (text, vector.to_vec())))
}

#[test]
fn retrievers_search_by_each_type() {
    let texts = |documents: Vec<anear_documents::Document>| -> Vec<String> {
        documents.into_iter().map(|document| document.page_content).collect()
    };
    block_on(async {
        let store = LocalStore::from_texts(["north", "north-east", "east", "north again"], compass())
            .await
            .unwrap();
        let retriever = store.as_retriever().k(2);
        assert_eq!(
            texts(retriever.invoke("north").await.unwrap()),
            ["north", "north again"]
        );
        let diverse = retriever.clone().search_type(SearchType::Mmr {
            fetch_k: 4,
            lambda_mult: 0.2,
        });
        assert_eq!(texts(diverse.invoke("north").await.unwrap()), ["north", "east"]);
        let relevant = retriever
            .clone()
            .search_type(SearchType::SimilarityScoreThreshold(0.5))
            .k(4);
        assert_eq!(
            texts(relevant.invoke("north").await.unwrap()),
            ["north", "north again", "north-east"]
        );
        let wrong = retriever.clone().search_type(SearchType::SimilarityScoreThreshold(1.5));
        assert!(wrong.invoke("north").await.unwrap_err().to_string().contains("1.5"));
        assert!(
            retriever
                .filter(Filter::eq("page", 1))
                .invoke("north")
                .await
                .unwrap()
                .is_empty()
        );
    });
}

#[test]
fn a_choice_that_would_take_minutes_is_refused() {
    let rows = (0..12_000).map(|i| (document(&i.to_string(), i), vec![i as f32]));
    let store = block_on(LocalStore::from_embeddings(rows.collect(), FakeEmbeddings::new(1))).unwrap();
    let request = SearchRequest::new(vec![0.0]).k(usize::MAX).mmr(usize::MAX, 0.5);
    let error = block_on(store.search(request)).unwrap_err().to_string();
    assert!(error.contains("k * fetch_k") && error.contains("144000000"), "{error}");
}

#[test]
fn the_blocking_store_answers_like_the_async_one() {
    let (store, _) = filled(Metric::L2);
    let waiting = blocking::LocalStore::new(store.clone()).unwrap();
    let query = Random(7).vector(DIM);
    let request = || SearchRequest::new(&query[..]).k(7).filter(Filter::lt("page", 5));
    assert_eq!(
        waiting.search(request()).unwrap(),
        block_on(store.search(request())).unwrap()
    );
    assert_eq!(waiting.upsert(vec![document("new", 1)]).unwrap(), ["new"]);
    assert_eq!(waiting.delete_by_ids(vec!["new".into()]).unwrap(), 1);
    let folder = tempfile::tempdir().unwrap();
    waiting.save_local(folder.path(), "index").unwrap();
    let builder = LocalStore::builder(FakeEmbeddings::new(DIM));
    let again = blocking::LocalStore::load_local(folder.path(), "index", builder).unwrap();
    assert_eq!(again.list(None).unwrap(), waiting.list(None).unwrap());
}

#[test]
fn saves_of_one_store_wait_for_each_other() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let (store, _) = filled(Metric::L2);
    let folder = tempfile::tempdir().unwrap();
    let save = |_| {
        let (store, path) = (store.clone(), folder.path().to_owned());
        runtime.spawn(async move { store.save_local(path, "index").await })
    };
    let saves: Vec<_> = (0..16).map(save).collect();
    for save in saves {
        runtime.block_on(save).unwrap().unwrap();
    }
}
