//! A dropped future leaves the store as it was or as it would have been, and never in the way of the next writer.
#![allow(clippy::print_stdout, reason = "the counts are the result")]

mod support;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use anear_documents::Filter;
use anear_embeddings::FakeEmbeddings;
use anear_store::{LocalStore, Result, VectorStore, VectorStoreExt};
use support::{Random, contents, document};

const DIM: usize = 6;

type Call = fn(LocalStore) -> Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Every method that changes a store.
const CALLS: &[(&str, Call)] = &[
    ("upsert", |store| {
        Box::pin(async move {
            store
                .upsert(vec![document("id-3", 7), document("new", 8)])
                .await
                .map(drop)
        })
    }),
    ("upsert_embeddings", |store| {
        Box::pin(async move {
            store
                .upsert_embeddings(vec![(document("id-3", 7), vec![0.5; DIM])])
                .await
                .map(drop)
        })
    }),
    ("delete", |store| {
        Box::pin(async move { store.delete_by_ids(["id-1", "id-2"]).await.map(drop) })
    }),
    ("delete_existing", |store| {
        Box::pin(async move { store.delete_existing(["id-1", "nobody"]).await.map(drop) })
    }),
    ("delete_matching", |store| {
        Box::pin(async move { store.delete_matching(Filter::gte("page", 40)).await.map(drop) })
    }),
    ("merge_from", |store| {
        Box::pin(async move {
            let source = LocalStore::new(FakeEmbeddings::new(DIM));
            source.upsert(vec![document("other", 9)]).await?;
            store.merge_from(&source).await.map(drop)
        })
    }),
];

async fn store() -> LocalStore {
    let mut random = Random(3);
    let rows = (0..50)
        .map(|i| (document(&format!("id-{i}"), i), random.vector(DIM)))
        .collect();
    LocalStore::from_embeddings(rows, FakeEmbeddings::new(DIM))
        .await
        .unwrap()
}

/// Polls `call` `polls` times, then drops it; whether it had ended by then.
async fn polled<F: Future + ?Sized>(mut call: Pin<Box<F>>, polls: usize, pause: Duration) -> bool {
    for _ in 0..polls {
        let ended =
            std::future::poll_fn(|context: &mut Context<'_>| Poll::Ready(call.as_mut().poll(context).is_ready()));
        if ended.await {
            return true;
        }
        tokio::time::sleep(pause).await;
    }
    false
}

#[tokio::test]
async fn a_dropped_write_is_whole_or_not_there() {
    let mut dropped = 0;
    for (name, call) in CALLS {
        let before = contents(&store().await).await;
        let done = store().await;
        call(done.clone()).await.unwrap();
        let after = contents(&done).await;
        assert_ne!(before, after, "{name} changes something");
        for polls in 0..8 {
            for pause_us in [0, 20, 200, 1000] {
                let store = store().await;
                let ended = polled(call(store.clone()), polls, Duration::from_micros(pause_us)).await;
                dropped += usize::from(!ended);
                // The next writer gets its turn, and after it the dropped one cannot act any more.
                store.delete_existing(["nobody"]).await.unwrap();
                let now = contents(&store).await;
                assert!(
                    now == before || now == after,
                    "{name} dropped after {polls} polls left something else"
                );
                assert!(!ended || now == after, "{name} was acknowledged");
            }
        }
    }
    println!("{dropped} dropped calls: 0 half-applied");
    assert!(dropped >= 20, "only {dropped} calls were dropped on their way");
}

#[tokio::test]
async fn dropped_readers_leave_nothing_behind() {
    let store = store().await;
    let before = contents(&store).await;
    for polls in 0..4 {
        polled(Box::pin(store.similarity_search("text")), polls, Duration::ZERO).await;
        polled(Box::pin(store.serialize_to_bytes()), polls, Duration::ZERO).await;
        polled(Box::pin(store.serialize_to_pickle()), polls, Duration::ZERO).await;
    }
    assert_eq!(contents(&store).await, before);
}
