//! Awaiting the store never keeps the executor's thread busy: no single poll of its futures uses 5 ms of CPU time.
#![allow(clippy::print_stdout, reason = "the figures are the result")]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use anear_documents::{Document, Filter};
use anear_embeddings::FakeEmbeddings;
use anear_store::{LocalStore, SearchRequest, VectorStore, VectorStoreExt};
use rustix::time::{ClockId, clock_gettime};

/// The longest a single poll may use the thread.
const POLL_CPU_MAX: Duration = Duration::from_millis(5);

/// A future that measures its polls by the thread's CPU clock.
struct Measured<F> {
    future: Pin<Box<F>>,
    name: &'static str,
    longest: Duration,
}

fn thread_cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Lets the allocator put in order what the pool has freed of the hundred thousand vectors that this thread made: it
/// would do so, ten thousand at a time, within whichever poll allocates next.
fn tidy_heap() {
    for _ in 0..32 {
        drop(std::hint::black_box(Vec::<u8>::with_capacity(1 << 16)));
    }
}

impl<F: Future> Future for Measured<F> {
    type Output = (F::Output, Duration);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        tidy_heap();
        let start = thread_cpu();
        let poll = self.future.as_mut().poll(context);
        self.longest = self.longest.max(thread_cpu() - start);
        poll.map(|output| {
            println!("{}: the longest poll used {:?}", self.name, self.longest);
            (output, self.longest)
        })
    }
}

/// What the future gives, and the longest of its polls.
fn timed<F: Future>(name: &'static str, future: F) -> Measured<F> {
    Measured {
        future: Box::pin(future),
        name,
        longest: Duration::ZERO,
    }
}

/// What the future gives, if no poll was too long.
async fn measured<F: Future>(name: &'static str, future: F) -> F::Output {
    let (output, longest) = timed(name, future).await;
    assert!(longest < POLL_CPU_MAX, "{name}: a poll used {longest:?} of CPU time");
    output
}

#[tokio::test(flavor = "current_thread")]
async fn no_poll_keeps_the_executor_busy() {
    const LEN: usize = 100_000;
    const DIM: usize = 256;
    let vector = |i: usize| {
        (0..DIM)
            .map(|c| ((i * 31 + c * 17) % 1009) as f32 / 1009.0)
            .collect::<Vec<f32>>()
    };
    let document = |i: usize| {
        Document::new(format!("text {i}"))
            .with_id(format!("id-{i}"))
            .with_metadata("page", i as i64 % 100)
    };
    let embedded: Vec<_> = (0..LEN).map(|i| (document(i), vector(i))).collect();
    // The least of three: what the allocator and a busy machine cost comes and goes, work on the thread would stay.
    let mut store = LocalStore::new(FakeEmbeddings::new(DIM));
    let mut least = Duration::MAX;
    for _ in 0..3 {
        store = LocalStore::new(FakeEmbeddings::new(DIM));
        let (added, longest) = timed("add 100k x 256", store.upsert_embeddings(embedded.clone())).await;
        added.unwrap();
        least = least.min(longest);
    }
    assert!(least < POLL_CPU_MAX, "adding: a poll used {least:?} of CPU time");
    let search = store.search(SearchRequest::new(vector(7)).k(10));
    assert_eq!(
        measured("search", search).await.unwrap()[0].document.id.as_deref(),
        Some("id-7")
    );
    let filtered = SearchRequest::new(vector(7)).k(10).filter(Filter::eq("page", 3));
    assert_eq!(
        measured("filtered search", store.search(filtered)).await.unwrap().len(),
        10
    );
    let diverse = SearchRequest::new(vector(7)).k(10).mmr(1000, 0.5);
    assert_eq!(measured("mmr search", store.search(diverse)).await.unwrap().len(), 10);
    let texts: Vec<Document> = (0..20_000)
        .map(|i| Document::new(format!("another text {i}")))
        .collect();
    measured("embed and add 20k", store.add_documents(texts)).await.unwrap();
    let ids: Vec<String> = (0..1000).map(|i| format!("id-{i}")).collect();
    assert_eq!(measured("get 1000", store.get_by_ids(&ids)).await.unwrap().len(), 1000);
    assert_eq!(measured("delete 1000", store.delete_by_ids(ids)).await.unwrap(), 1000);
    let bytes = measured("serialize", store.serialize_to_bytes()).await.unwrap();
    measured("serialize to pickle", store.serialize_to_pickle())
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    measured("save", store.save_local(folder.path(), "index"))
        .await
        .unwrap();
    let load = LocalStore::load_local(folder.path(), "index", FakeEmbeddings::new(DIM));
    assert_eq!(
        measured("load", load).await.unwrap().count(None).await.unwrap(),
        LEN + 19_000
    );
    let other = LocalStore::deserialize_from_bytes(bytes, FakeEmbeddings::new(DIM));
    let other = measured("deserialize", other).await.unwrap();
    let target = LocalStore::new(FakeEmbeddings::new(DIM));
    assert_eq!(
        measured("merge", target.merge_from(&other)).await.unwrap(),
        LEN + 19_000
    );
}
