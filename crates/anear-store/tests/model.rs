//! Random operations on a store and on a naive list: after each, both answer alike.
#![allow(clippy::print_stdout, reason = "the counts are the result")]

mod support;

use anear_documents::{Document, Filter, Value};
use anear_embeddings::FakeEmbeddings;
use anear_kernels::Metric;
use anear_store::{Deletion, LocalStore, SearchRequest, VectorStore, VectorStoreExt};
use futures::executor::block_on;
use support::{Model, Random, ids};

const DIM: usize = 7;

fn random_document(random: &mut Random) -> (Document, Vec<f32>) {
    let document = support::document(&format!("id-{}", random.below(60)), random.below(5) as i64);
    let document = match random.below(3) {
        0 => document.with_metadata("lang", "en"),
        1 => document.with_metadata("lang", "ko"),
        _ => document,
    };
    (document, random.vector(DIM))
}

fn random_filter(random: &mut Random, depth: usize) -> Filter {
    match random.below(if depth == 0 { 5 } else { 8 }) {
        0 => Filter::eq("page", random.below(6) as i64),
        1 => Filter::gte("page", random.below(6) as i64),
        2 => Filter::is_in("lang", [Value::from("en"), Value::Null]),
        3 => Filter::ne("lang", "ko"),
        4 => Filter::exists("lang", random.below(2) == 0),
        5 => Filter::And(vec![random_filter(random, depth - 1), random_filter(random, depth - 1)]),
        6 => Filter::Or(vec![random_filter(random, depth - 1), random_filter(random, depth - 1)]),
        _ => Filter::Not(Box::new(random_filter(random, depth - 1))),
    }
}

async fn step(store: &LocalStore, model: &mut Model, random: &mut Random) {
    match random.below(4) {
        0 | 1 => {
            let mut batch: Vec<(Document, Vec<f32>)> = Vec::new();
            for _ in 0..=random.below(8) {
                let new = random_document(random);
                if !batch.iter().any(|(old, _)| old.id == new.0.id) {
                    batch.push(new);
                }
            }
            store.upsert_embeddings(batch.clone()).await.unwrap();
            model.upsert(&batch);
        }
        2 => {
            let doomed: Vec<String> = (0..4).map(|_| format!("id-{}", random.below(60))).collect();
            let before = model.rows.len();
            model
                .rows
                .retain(|(document, _)| !doomed.contains(document.id.as_ref().unwrap()));
            let deleted = store.delete(Deletion::Existing(doomed)).await.unwrap();
            assert_eq!(deleted, before - model.rows.len());
        }
        _ => {
            let filter = Filter::And(vec![
                random_filter(random, 1),
                Filter::eq("page", random.below(5) as i64),
            ]);
            let before = model.rows.len();
            model.rows.retain(|(document, _)| !filter.matches(&document.metadata));
            assert_eq!(store.delete_matching(filter).await.unwrap(), before - model.rows.len());
        }
    }
}

async fn compare(store: &LocalStore, model: &Model, random: &mut Random) -> usize {
    let listed: Vec<String> = model
        .rows
        .iter()
        .map(|(document, _)| document.id.clone().unwrap())
        .collect();
    assert_eq!(store.list(None).await.unwrap(), listed);
    let query = random.vector(DIM);
    let filters = [None, Some(random_filter(random, 2)), Some(random_filter(random, 0))];
    for filter in &filters {
        for k in [1, 3, 100] {
            let mut request = SearchRequest::new(&query[..]).k(k);
            request.filter = filter.clone().map(Into::into);
            let hits = store.search(request).await.unwrap();
            let expected = model.search(store.metric(), &query, k, filter.as_ref());
            let got: Vec<(String, f32)> = ids(&hits)
                .into_iter()
                .zip(&hits)
                .map(|(id, hit)| {
                    (
                        id,
                        if store.metric() == Metric::InnerProduct {
                            -hit.score
                        } else {
                            hit.score
                        },
                    )
                })
                .collect();
            assert_eq!(got, expected, "k = {k}, filter {filter:?}");
        }
    }
    9
}

#[test]
fn a_store_answers_like_a_list_that_is_sorted() {
    let mut compared = 0;
    for (seed, metric) in (0..).zip([Metric::L2, Metric::InnerProduct, Metric::L1, Metric::Linf]) {
        let mut random = Random(seed);
        let store = LocalStore::builder(FakeEmbeddings::new(DIM)).metric(metric).build();
        let mut model = Model::default();
        block_on(async {
            for _ in 0..150 {
                step(&store, &mut model, &mut random).await;
                compared += compare(&store, &model, &mut random).await;
            }
        });
    }
    println!("{compared} searches equal, bit for bit");
}

#[test]
fn a_filtered_search_returns_the_nearest_matching_however_rare() {
    let mut random = Random(9);
    let mut rows = Vec::new();
    for i in 0..5000 {
        rows.push((support::document(&format!("id-{i}"), i % 1000), random.vector(DIM)));
    }
    let model = Model { rows: rows.clone() };
    block_on(async {
        let store = LocalStore::from_embeddings(rows, FakeEmbeddings::new(DIM))
            .await
            .unwrap();
        for page in [0, 500, 999] {
            let query = random.vector(DIM);
            let filter = Filter::eq("page", page);
            let hits = store
                .search(SearchRequest::new(&query[..]).k(4).filter(filter.clone()))
                .await
                .unwrap();
            let expected = model.search(Metric::L2, &query, 4, Some(&filter));
            assert_eq!(
                ids(&hits),
                expected.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>()
            );
            assert_eq!(hits.len(), 4);
        }
    });
}
