//! Searches that come at the same time are answered together, each as if it had been alone.

mod support;

use anear_documents::Document;
use anear_embeddings::FakeEmbeddings;
use anear_store::{Error, Hit, LocalStore, SearchRequest, VectorStore};
use futures::executor::block_on;
use futures::future::join_all;
use support::{Random, document};

const DIM: usize = 24;

fn store(documents: usize, normalize: bool) -> LocalStore {
    let mut random = Random(3);
    let store = LocalStore::builder(FakeEmbeddings::new(DIM))
        .normalize_l2(normalize)
        .build();
    let texts: Vec<Document> = (0..documents).map(|i| document(&format!("id-{i}"), i as i64)).collect();
    let vectors = random.vector(documents * DIM);
    block_on(store.upsert_rows(texts, vectors, DIM)).unwrap();
    store
}

fn requests(n: usize) -> Vec<SearchRequest> {
    let mut random = Random(11);
    let request = |i: usize| {
        let request = SearchRequest::new(random.vector(DIM)).k(1 + i % 17);
        match i % 5 {
            0 => request.mmr(20, 0.3),
            1 => request.score_threshold(5.0),
            _ => request,
        }
    };
    (0..n).map(request).collect()
}

/// Scores by their bits.
fn exact(hits: &[Hit]) -> Vec<(String, u32)> {
    hits.iter()
        .map(|hit| (hit.document.id.clone().unwrap(), hit.score.to_bits()))
        .collect()
}

#[test]
fn a_thousand_at_once_are_answered_as_one_by_one() {
    for normalize in [false, true] {
        let store = store(3_000, normalize);
        let requests = requests(1_000);
        let together = block_on(join_all(requests.iter().map(|request| store.search(request.clone()))));
        for (request, together) in requests.iter().zip(together) {
            let alone = store.view().search(request, None).unwrap();
            assert_eq!(exact(&together.unwrap()), exact(&alone));
        }
    }
}

#[test]
fn one_that_cannot_be_answered_spoils_nobody_elses_answer() {
    let store = store(500, false);
    let mut requests = requests(100);
    requests[10] = SearchRequest::new(vec![0.0; DIM + 1]);
    requests[50] = SearchRequest::new(vec![f32::NAN; DIM]);
    let answers = block_on(join_all(requests.iter().map(|request| store.search(request.clone()))));
    for (i, (request, answer)) in requests.iter().zip(answers).enumerate() {
        match i {
            10 => assert!(matches!(answer, Err(Error::Dimension { .. }))),
            50 => assert!(answer.unwrap_err().to_string().contains("NaN")),
            _ => assert_eq!(
                exact(&answer.unwrap()),
                exact(&store.view().search(request, None).unwrap())
            ),
        }
    }
}

#[test]
fn those_who_leave_do_not_keep_the_others_waiting() {
    let store = store(500, false);
    for round in 0..20 {
        let mut searches: Vec<_> = requests(50).into_iter().map(|request| store.search(request)).collect();
        let waker = futures::task::noop_waker();
        for search in &mut searches {
            // They all wait now, or have their answer.
            let _begun = search.as_mut().poll(&mut std::task::Context::from_waker(&waker));
        }
        let kept = searches.split_off(round * 2 + 1);
        drop(searches);
        assert!(block_on(join_all(kept)).iter().all(Result::is_ok));
    }
}

#[test]
fn an_empty_store_answers_with_nothing() {
    let store = LocalStore::new(FakeEmbeddings::new(DIM));
    let answers = block_on(join_all(requests(20).into_iter().map(|request| store.search(request))));
    assert!(answers.into_iter().all(|answer| answer.unwrap().is_empty()));
}
