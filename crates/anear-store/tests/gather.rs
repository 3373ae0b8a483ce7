//! Searches at the same time share scans, and nobody can tell by the answers.
#![allow(clippy::print_stdout, reason = "the figures are the result")]

mod support;

use std::time::{Duration, Instant};

use anear_embeddings::FakeEmbeddings;
use anear_kernels::Metric;
use anear_pool::Pool;
use anear_store::{Hit, LocalStore, Result, SearchRequest, VectorStore, VectorStoreExt};
use futures::future::join_all;
use support::{Random, document, ids};
use tokio::runtime::{Builder, Runtime};

const DIM: usize = 24;

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(4)
        .enable_time()
        .build()
        .unwrap()
}

async fn filled(metric: Metric, len: i64, dim: usize) -> LocalStore {
    let mut random = Random(31);
    let documents = (0..len).map(|i| document(&i.to_string(), i % 10)).collect();
    let vectors = (0..len).flat_map(|_| random.vector(dim)).collect();
    let store = LocalStore::builder(FakeEmbeddings::new(dim)).metric(metric).build();
    store.insert_rows(documents, vectors, dim).await.unwrap();
    store
        .delete_existing((0..len).step_by(17).map(|i| i.to_string()))
        .await
        .unwrap();
    store
}

/// Requests with all kinds of `k`, rankings and thresholds, also some that go alone.
fn requests(n: usize) -> Vec<SearchRequest> {
    let mut random = Random(32);
    let request = |i| {
        let request = SearchRequest::new(random.vector(DIM)).k(1 + random.below(40));
        match i % 5 {
            0 => request.k(1 + random.below(2000)),
            1 => request.mmr(50, 0.5),
            2 => request.score_threshold(6.0),
            _ => request,
        }
    };
    (0..n).map(request).collect()
}

async fn at_once(store: &LocalStore, requests: &[SearchRequest]) -> Vec<Result<Vec<Hit>>> {
    let search = |request: &SearchRequest| {
        let (store, request) = (store.clone(), request.clone());
        tokio::spawn(async move { store.search(request).await })
    };
    let searches: Vec<_> = requests.iter().map(search).collect();
    join_all(searches)
        .await
        .into_iter()
        .map(|search| search.unwrap())
        .collect()
}

#[test]
fn a_thousand_searches_at_once_answer_as_one_by_one() {
    for metric in [Metric::L2, Metric::InnerProduct, Metric::Cosine, Metric::L1] {
        runtime().block_on(async {
            let store = filled(metric, 3000, DIM).await;
            let requests = requests(1000);
            let hits = at_once(&store, &requests).await;
            for (request, hits) in requests.iter().zip(hits) {
                assert_eq!(hits.unwrap(), store.view().search(request, None).unwrap(), "{metric}");
            }
        });
    }
}

#[test]
fn wrong_searches_fail_alone() {
    runtime().block_on(async {
        let store = filled(Metric::L2, 3000, DIM).await;
        let mut mixed = requests(300);
        for (i, request) in mixed.iter_mut().enumerate() {
            match i % 10 {
                3 => request.query = vec![0.0; DIM + i].into(),
                7 => request.query = vec![f32::NAN; DIM].into(),
                _ => {}
            }
        }
        for (i, hits) in at_once(&store, &mixed).await.into_iter().enumerate() {
            let error = hits.as_ref().err().map(ToString::to_string).unwrap_or_default();
            match i % 10 {
                3 => assert!(error.contains(&format!("got {}", DIM + i)), "{error}"),
                7 => assert!(error.contains("query 0 has NaN"), "{error}"),
                _ => assert_eq!(hits.unwrap(), store.view().search(&mixed[i], None).unwrap()),
            }
        }
    });
}

#[test]
fn dropped_searches_leave_the_others_untouched() {
    runtime().block_on(async {
        let store = filled(Metric::L2, 3000, DIM).await;
        let requests = requests(400);
        for patience_us in [0, 50, 500, 2000] {
            let search = |(i, request): (usize, &SearchRequest)| {
                let (store, request) = (store.clone(), request.clone());
                tokio::spawn(async move {
                    let patience = Duration::from_micros(if i % 2 == 0 { patience_us } else { 60_000_000 });
                    tokio::time::timeout(patience, store.search(request)).await
                })
            };
            let searches: Vec<_> = requests.iter().enumerate().map(search).collect();
            for (i, search) in searches.into_iter().enumerate().filter(|(i, _)| i % 2 == 1) {
                let hits = search.await.unwrap().expect("a minute is enough").unwrap();
                assert_eq!(hits, store.view().search(&requests[i], None).unwrap());
            }
        }
    });
}

#[test]
fn every_search_sees_what_was_written_before_it() {
    runtime().block_on(async {
        let store = filled(Metric::L2, 1000, DIM).await;
        let task = |i: usize| {
            let store = store.clone();
            tokio::spawn(async move {
                let (id, vector) = (format!("own-{i}"), vec![2.0 + i as f32; DIM]);
                store
                    .upsert_embeddings(vec![(document(&id, 1), vector.clone())])
                    .await
                    .unwrap();
                let hits = store.search(SearchRequest::new(vector).k(1)).await.unwrap();
                assert_eq!((ids(&hits), hits[0].score), (vec![id], 0.0));
            })
        };
        for task in join_all((0..300).map(task)).await {
            task.unwrap();
        }
    });
}

#[test]
fn one_thread_serves_searches_without_end_and_a_writer_too() {
    runtime().block_on(async {
        let pool = Pool::new(1).unwrap();
        let store = LocalStore::builder(FakeEmbeddings::new(DIM)).pool(pool).build();
        store.add_texts((0..2000).map(|i| i.to_string())).await.unwrap();
        let searching = |i: usize| {
            let store = store.clone();
            tokio::spawn(async move {
                loop {
                    store.search(SearchRequest::new(vec![i as f32; DIM])).await.unwrap();
                }
            })
        };
        let searchers: Vec<_> = (0..8).map(searching).collect();
        for i in 0..20 {
            let write = store.add_texts([format!("new {i}")]);
            tokio::time::timeout(Duration::from_secs(20), write)
                .await
                .expect("its turn comes")
                .unwrap();
        }
        searchers.iter().for_each(|searcher| searcher.abort());
    });
}

/// `cargo test -p anear-store --test gather -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn how_much_faster_gathered_searches_are() {
    const DIM: usize = 128;
    runtime().block_on(async {
        let store = filled(Metric::L2, 20_000, DIM).await;
        let mut random = Random(33);
        let requests: Vec<_> = (0..1000).map(|_| SearchRequest::new(random.vector(DIM)).k(4)).collect();
        for round in 0..5 {
            let start = Instant::now();
            let alone = requests.iter().map(|request| {
                let (view, request) = (store.view(), request.clone());
                Pool::global().run(move || view.search(&request, None))
            });
            let alone = join_all(alone).await;
            let (apart, start) = (start.elapsed(), Instant::now());
            let together = at_once(&store, &requests).await;
            let gathered = start.elapsed();
            for (alone, together) in alone.into_iter().zip(together) {
                assert_eq!(alone.unwrap().unwrap(), together.unwrap());
            }
            let (begin, lone) = (Instant::now(), &requests[..100]);
            for request in lone {
                store.search(request.clone()).await.unwrap();
            }
            let idle = begin.elapsed() / lone.len() as u32;
            let begin = Instant::now();
            for request in lone {
                let (view, request) = (store.view(), request.clone());
                Pool::global()
                    .run(move || view.search(&request, None))
                    .await
                    .unwrap()
                    .unwrap();
            }
            let idle_alone = begin.elapsed() / lone.len() as u32;
            println!(
                "round {round}: 1000 at once over 20,000 x {DIM}: each alone {apart:?}, gathered {gathered:?}; \
                 one when idle: alone {idle_alone:?}, gathered {idle:?}"
            );
        }
    });
}
