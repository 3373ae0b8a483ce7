//! Wrong input: a typed error that names the value, and a store that is exactly what it was.
#![allow(clippy::print_stdout, reason = "the messages are the result")]

mod support;

use std::sync::Arc;

use anear_documents::{Document, DocumentFilter, Filter};
use anear_embeddings::{Embeddings, FakeEmbeddings, TableEmbeddings};
use anear_kernels::Metric;
use anear_store::{Error, LocalStore, Result, SearchBatch, SearchRequest, VectorStore, VectorStoreExt};
use async_trait::async_trait;
use support::{contents, document};

const DIM: usize = 4;

async fn store() -> LocalStore {
    let rows = (0..9)
        .map(|i| (document(&format!("id-{i}"), i), vec![i as f32; DIM]))
        .collect();
    LocalStore::from_embeddings(rows, FakeEmbeddings::new(DIM))
        .await
        .unwrap()
}

/// The call fails, its message holds every one of `words`, and nothing has changed.
async fn refused<T: std::fmt::Debug>(words: &[&str], call: impl AsyncFnOnce(&LocalStore) -> Result<T>) {
    let store = store().await;
    let before = contents(&store).await;
    let error = call(&store).await.expect_err("this is refused").to_string();
    println!("refused: {error}");
    for word in words {
        assert!(error.contains(word), "`{error}` does not say `{word}`");
    }
    assert!(!error.contains('\n'), "`{error}` is one line");
    assert_eq!(contents(&store).await, before, "after `{error}`");
    // And it still works.
    store.upsert(vec![document("next", 1)]).await.unwrap();
    assert_eq!(store.count(None).await.unwrap(), 10);
}

fn with(vector: Vec<f32>) -> Vec<(Document, Vec<f32>)> {
    vec![(document("fine", 1), vec![1.0; DIM]), (document("wrong", 2), vector)]
}

#[tokio::test]
async fn wrong_additions_are_refused() {
    refused(&["nothing to add", "documents"], async |s| {
        s.add_documents(Vec::new()).await
    })
    .await;
    refused(&["nothing to add"], async |s| s.add_texts(Vec::<String>::new()).await).await;
    refused(&["nothing to add"], async |s| s.upsert_embeddings(Vec::new()).await).await;
    refused(&["dimension 4", "got 3"], async |s| {
        s.upsert_embeddings(with(vec![1.0; 3])).await
    })
    .await;
    refused(&["dimension 4", "got 0"], async |s| {
        s.upsert_embeddings(with(Vec::new())).await
    })
    .await;
    refused(&["NaN", "1"], async |s| {
        s.upsert_embeddings(with(vec![0.0, 0.0, f32::NAN, 0.0])).await
    })
    .await;
    refused(&["inf"], async |s| {
        s.upsert_embeddings(with(vec![f32::INFINITY; 4])).await
    })
    .await;
    refused(&["inf"], async |s| {
        s.upsert_embeddings(with(vec![f32::NEG_INFINITY; 4])).await
    })
    .await;
    let two = || vec![document("fine", 1), document("id-3", 2)];
    refused(&["nothing to add"], async |s| {
        s.upsert_rows(Vec::new(), Vec::new(), DIM).await
    })
    .await;
    refused(&["documents", "2", "vectors", "1"], async |s| {
        s.upsert_rows(two(), vec![0.0; DIM], DIM).await
    })
    .await;
    refused(&["dimension 4", "got 8"], async |s| {
        s.upsert_rows(two(), vec![0.0; 8], 8).await
    })
    .await;
    refused(&["vectors", "7 numbers for rows of 4"], async |s| {
        s.upsert_rows(two(), vec![0.0; 7], DIM).await
    })
    .await;
    refused(&["dimension 4", "got 0"], async |s| {
        s.insert_rows(two(), Vec::new(), 0).await
    })
    .await;
    refused(&["NaN"], async |s| {
        s.insert_rows(vec![document("new", 1)], vec![f32::NAN; DIM], DIM).await
    })
    .await;
    refused(&["already exist", "`id-3`", "nothing was added"], async |s| {
        s.insert_rows(two(), vec![0.0; 8], DIM).await
    })
    .await;
    let twice = || vec![document("a", 1), document("b", 2), document("a", 3)];
    refused(&["`a`", "more than once"], async |s| {
        s.insert_rows(twice(), vec![0.0; 12], DIM).await
    })
    .await;
    refused(&["`a`", "more than once"], async |s| s.add_documents(twice()).await).await;
    let lists = async |s: &LocalStore| s.add_texts_with_metadata(vec!["a".into(), "b".into()], vec![]).await;
    refused(&["texts", "metadatas", "2", "0"], lists).await;
}

#[tokio::test]
async fn wrong_searches_are_refused() {
    refused(&["k must be", "at least 1", "got 0"], async |s| {
        s.search(SearchRequest::new("x").k(0)).await
    })
    .await;
    refused(&["fetch_k", "got 0"], async |s| {
        s.search(SearchRequest::new("x").mmr(0, 0.5)).await
    })
    .await;
    refused(&["lambda_mult", "1.5"], async |s| {
        s.search(SearchRequest::new("x").mmr(20, 1.5)).await
    })
    .await;
    refused(&["lambda_mult", "NaN"], async |s| {
        s.search(SearchRequest::new("x").mmr(20, f32::NAN)).await
    })
    .await;
    refused(&["dimension 4", "got 5"], async |s| {
        s.similarity_search_by_vector(&[0.0; 5], 1).await
    })
    .await;
    refused(&["dimension 4", "got 8"], async |s| {
        s.similarity_search_by_vector(&[0.0; 8], 1).await
    })
    .await;
    refused(&["dimension 4", "got 0"], async |s| {
        s.similarity_search_by_vector(&[], 1).await
    })
    .await;
    refused(&["NaN"], async |s| {
        s.similarity_search_by_vector(&[f32::NAN; 4], 1).await
    })
    .await;
    refused(&["inf"], async |s| {
        s.similarity_search_by_vector(&[f32::INFINITY; 4], 1).await
    })
    .await;
    let batch = |queries, dim| SearchBatch::new(queries, dim);
    refused(&["k must be"], async |s| {
        s.search_batch(batch(vec![0.0; DIM], DIM).k(0)).await
    })
    .await;
    refused(&["score_threshold", "NaN"], async |s| {
        s.search_batch(batch(vec![0.0; DIM], DIM).score_threshold(f32::NAN))
            .await
    })
    .await;
    refused(&["dimension 4", "got 2"], async |s| {
        s.search_batch(batch(vec![0.0; 4], 2)).await
    })
    .await;
    refused(&["queries", "5 numbers for rows of 4"], async |s| {
        s.search_batch(batch(vec![0.0; 5], 4)).await
    })
    .await;
    refused(&["query 1 has NaN at component 0"], async |s| {
        s.search_batch(batch([vec![0.0; DIM], vec![f32::NAN; DIM]].concat(), DIM))
            .await
    })
    .await;
    let panics = || DocumentFilter::from_fn(|_| panic!("a filter of the caller's"));
    refused(&["a filter of the caller's"], async |s| {
        s.search(SearchRequest::new("x").filter(panics())).await
    })
    .await;
    let wide = || Filter::Or((0..5000).map(|i| Filter::eq("page", i)).collect());
    refused(&["4096"], async |s| {
        s.search(SearchRequest::new("x").filter(wide())).await
    })
    .await;
}

#[tokio::test]
async fn wrong_deletions_and_merges_are_refused() {
    refused(&["`ghost`", "`id-99`"], async |s| {
        s.delete_by_ids(["id-1", "ghost", "id-99"]).await
    })
    .await;
    refused(&["`id-1`", "more than once"], async |s| {
        s.delete_by_ids(["id-1", "id-1"]).await
    })
    .await;
    refused(&["itself"], async |s| s.merge_from(&s.clone()).await).await;
    let overlap = async |s: &LocalStore| {
        let other = store().await;
        let before = contents(&other).await;
        let result = s.merge_from(&other).await;
        assert_eq!(contents(&other).await, before, "the source is as it was");
        result
    };
    refused(&["`id-0`", "both"], overlap).await;
    let wide = LocalStore::from_texts(["x"], FakeEmbeddings::new(5)).await.unwrap();
    refused(&["dimension 4", "got 5"], async |s| s.merge_from(&wide).await).await;
    let cosine = LocalStore::builder(FakeEmbeddings::new(DIM))
        .metric(Metric::Cosine)
        .build();
    refused(&["cosine", "l2"], async |s| s.merge_from(&cosine).await).await;
}

#[tokio::test]
async fn a_first_vector_without_components_is_refused() {
    let store = LocalStore::new(TableEmbeddings::new([("x", vec![1.0])]));
    let error = store
        .upsert_embeddings(vec![(document("a", 1), Vec::new())])
        .await
        .expect_err("no width");
    assert!(error.to_string().contains("dimension"), "{error}");
    assert_eq!(store.dim(), None);
}

/// A model that does not do what it promises.
#[derive(Debug)]
struct Lying(Vec<Vec<f32>>);

#[async_trait]
impl Embeddings for Lying {
    fn model(&self) -> &str {
        "lying"
    }

    fn dim(&self) -> Option<usize> {
        None
    }

    async fn embed_documents(&self, _: &[String]) -> anear_embeddings::Result<Vec<Vec<f32>>> {
        Ok(self.0.clone())
    }
}

#[tokio::test]
async fn a_lying_model_changes_nothing() {
    let lies = [
        vec![],
        vec![vec![1.0; 4]],
        vec![vec![1.0; 4], vec![1.0; 3]],
        vec![vec![1.0; 4], vec![f32::NAN; 4]],
    ];
    for lie in lies.into_iter().chain([vec![vec![1.0; 4]; 3], vec![vec![]; 2]]) {
        let store = LocalStore::new(Lying(lie.clone()));
        store
            .upsert_embeddings(vec![(document("old", 1), vec![1.0; 4])])
            .await
            .unwrap();
        let error = store.add_texts(["two", "texts"]).await.expect_err("a lie").to_string();
        assert_eq!(store.count(None).await.unwrap(), 1, "after {lie:?}: {error}");
    }
}

#[tokio::test]
async fn a_failing_model_changes_nothing() {
    let store = LocalStore::new(TableEmbeddings::new([("known", vec![1.0, 0.0])]));
    store.add_texts(["known"]).await.unwrap();
    assert!(matches!(
        store.add_texts(["known", "unknown"]).await,
        Err(Error::Embedding(_))
    ));
    assert!(matches!(
        store.similarity_search("unknown").await,
        Err(Error::Embedding(_))
    ));
    assert_eq!(store.count(None).await.unwrap(), 1);
}

/// The most memory this process has held so far, where the system tells.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

#[tokio::test]
async fn huge_numbers_cost_no_memory() {
    const EXTRA_MAX: u64 = 512 << 20;
    let store = store().await;
    let before = peak_bytes();
    for k in [10, 100_000_000, 1 << 40, usize::MAX] {
        assert_eq!(
            store
                .search(SearchRequest::new(vec![0.0; DIM]).k(k))
                .await
                .unwrap()
                .len(),
            9
        );
        let diverse = SearchRequest::new(vec![1.0; DIM]).k(k).mmr(usize::MAX, 0.5);
        assert_eq!(store.search(diverse).await.unwrap().len(), 9);
    }
    match before.zip(peak_bytes()) {
        None => println!("NOT CHECKED: this system does not tell a process's memory"),
        Some((before, after)) => {
            println!("k up to {}: {} bytes more", usize::MAX, after - before);
            assert!(
                after - before < EXTRA_MAX,
                "searches with a huge k took {} bytes",
                after - before
            );
        }
    }
}

#[tokio::test]
async fn an_empty_store_answers() {
    let store = LocalStore::new(FakeEmbeddings::new(DIM));
    assert!(store.similarity_search("anything").await.unwrap().is_empty());
    assert!(
        store
            .max_marginal_relevance_search("anything")
            .await
            .unwrap()
            .is_empty()
    );
    assert!(store.list(None).await.unwrap().is_empty());
    assert_eq!(store.delete_existing(["nobody"]).await.unwrap(), 0);
    assert!(matches!(
        store.delete_by_ids(["nobody"]).await,
        Err(Error::UnknownIds { .. })
    ));
}

#[tokio::test]
async fn equal_texts_and_odd_ones_are_kept_apart() {
    let store = LocalStore::new(FakeEmbeddings::new(DIM));
    let texts = ["same", "same", "", " ", "\0", "🦀", "\u{202e}right to left", "x\r\ny"];
    let ids = store.add_texts(texts).await.unwrap();
    assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), texts.len());
    let back = store.get_by_ids(&ids).await.unwrap();
    assert_eq!(back.iter().map(|d| d.page_content.as_str()).collect::<Vec<_>>(), texts);
}

#[tokio::test]
async fn blocking_in_async_code_is_an_error() {
    let store = store().await;
    let blocking = anear_store::blocking::LocalStore::new(store).unwrap();
    assert!(matches!(blocking.count(None), Err(Error::BlockingInAsync)));
    // Dropping the last handle here must not block either.
    drop(blocking);
}

#[tokio::test]
async fn what_comes_back_is_a_copy() {
    let store = store().await;
    let before = contents(&store).await;
    let mut hits = store.similarity_search("x").await.unwrap();
    hits[0].page_content.clear();
    hits[0].metadata.clear();
    assert_eq!(contents(&store).await, before);
}

#[tokio::test]
async fn a_store_may_be_shared_and_boxed() {
    let store: Arc<dyn VectorStore> = Arc::new(store().await);
    assert_eq!(store.similarity_search("x").await.unwrap().len(), 4);
}

/// Where the caller stands: the stacks of the pool would not do to take such a filter apart.
#[test]
fn filters_that_nest_without_end_are_refused() {
    let refuse_all = || {
        let deep = || (0..200_000).fold(Filter::eq("a", 1), |filter, _| !filter);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let words = ["32"];
            refused(&words, async |store| store.count(Some(deep().into())).await).await;
            refused(&words, async |store| store.list(Some(deep().into())).await).await;
            refused(&words, async |store| store.delete_matching(deep()).await).await;
            let near = || SearchRequest::new(vec![0.0; DIM]).filter(deep());
            refused(&words, async |store| store.search(near()).await).await;
        });
    };
    let thread = std::thread::Builder::new().stack_size(1 << 30).spawn(refuse_all);
    thread.unwrap().join().unwrap();
}
