//! A thousand tasks at once: every reader sees whole batches of one moment, every register of ids is linearizable,
//! and what was acknowledged is there.
#![allow(clippy::print_stdout, reason = "the counts are the result")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anear_documents::{Document, Filter, Value};
use anear_embeddings::FakeEmbeddings;
use anear_store::{Deletion, LocalStore, SearchRequest, VectorStore, VectorStoreExt};
use support::Random;
use tokio::sync::Mutex;

const DIM: usize = 8;

/// One operation on one id as its caller saw it: begun, ended, what it wrote or read.
#[derive(Clone, Copy, Debug)]
struct Op {
    begun: u64,
    ended: u64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// `Some`: upserted with this version; `None`: deleted.
    Write(Option<i64>),
    Read(Option<i64>),
}

/// Whether some order of `ops` that respects their times explains every read (Wing & Gong's search).
fn linearizable(ops: &[Op], value: Option<i64>, done: &mut Vec<bool>) -> bool {
    let open = |done: &[bool], i: usize| !done[i];
    let Some(first_end) = (0..ops.len()).filter(|&i| open(done, i)).map(|i| ops[i].ended).min() else {
        return true;
    };
    for i in 0..ops.len() {
        if done[i] || ops[i].begun > first_end {
            continue;
        }
        let next = match ops[i].kind {
            Kind::Read(seen) if seen != value => continue,
            Kind::Read(_) => value,
            Kind::Write(written) => written,
        };
        done[i] = true;
        if linearizable(ops, next, done) {
            return true;
        }
        done[i] = false;
    }
    false
}

#[test]
fn the_checker_knows_a_stale_read() {
    let op = |begun, ended, kind| Op { begun, ended, kind };
    let stale = [
        op(0, 1, Kind::Write(Some(1))),
        op(2, 3, Kind::Write(Some(2))),
        op(4, 5, Kind::Read(Some(1))),
    ];
    assert!(!linearizable(&stale, None, &mut vec![false; 3]));
    let overlapping = [
        op(0, 1, Kind::Write(Some(1))),
        op(2, 9, Kind::Write(Some(2))),
        op(4, 5, Kind::Read(Some(1))),
    ];
    assert!(linearizable(&overlapping, None, &mut vec![false; 3]));
}

async fn register_op(store: &LocalStore, clock: &AtomicU64, id: &str, version: i64, choice: usize) -> Op {
    let begun = clock.fetch_add(1, Ordering::SeqCst);
    let kind = match choice {
        0 => {
            let document = Document::new("text").with_id(id).with_metadata("version", version);
            store
                .upsert_embeddings(vec![(document, vec![version as f32; DIM])])
                .await
                .unwrap();
            Kind::Write(Some(version))
        }
        1 => {
            store.delete(Deletion::Existing(vec![id.to_owned()])).await.unwrap();
            Kind::Write(None)
        }
        2 => {
            let found = store.get_by_ids(&[id.to_owned()]).await.unwrap();
            Kind::Read(found.first().map(version_of))
        }
        _ => {
            let own = move |metadata: &anear_documents::Metadata| metadata.contains_key("version");
            let request = SearchRequest::new(vec![0.0; DIM]).k(1000);
            let hits = store
                .search(request.filter(anear_documents::DocumentFilter::from_fn(own)))
                .await
                .unwrap();
            let hit = hits.iter().find(|hit| hit.document.id.as_deref() == Some(id));
            Kind::Read(hit.map(|hit| {
                let version = version_of(&hit.document);
                let distance = (version * version * DIM as i64) as f32;
                assert_eq!(
                    hit.score, distance,
                    "the vector belongs to the document of the same moment"
                );
                version
            }))
        }
    };
    Op {
        begun,
        ended: clock.fetch_add(1, Ordering::SeqCst),
        kind,
    }
}

fn version_of(document: &Document) -> i64 {
    match document.metadata["version"] {
        Value::Int(version) => version,
        ref other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn every_id_is_a_linearizable_register() {
    const ROUNDS: usize = 100;
    const IDS: usize = 100;
    const TASKS_PER_ID: usize = 10;
    let mut checked = 0;
    for round in 0..ROUNDS {
        let store = LocalStore::new(FakeEmbeddings::new(DIM));
        let clock = Arc::new(AtomicU64::new(0));
        let histories: Vec<_> = (0..IDS).map(|_| Arc::new(Mutex::new(Vec::new()))).collect();
        let mut random = Random(round as u64);
        let mut tasks = Vec::new();
        for task in 0..IDS * TASKS_PER_ID {
            let (store, clock, id) = (store.clone(), clock.clone(), task % IDS);
            let (history, choice) = (histories[id].clone(), random.below(4));
            tasks.push(tokio::spawn(async move {
                let op = register_op(&store, &clock, &format!("id-{id}"), 1 + task as i64, choice).await;
                history.lock().await.push(op);
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        for history in histories {
            let ops = history.lock().await.clone();
            assert!(
                linearizable(&ops, None, &mut vec![false; ops.len()]),
                "round {round}: {ops:?}"
            );
            checked += 1;
        }
    }
    println!(
        "{checked} histories of {TASKS_PER_ID} operations, {} tasks at once: 0 violations",
        IDS * TASKS_PER_ID
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn readers_see_whole_batches_and_their_own_writes() {
    const BATCH: usize = 8;
    let store = LocalStore::new(FakeEmbeddings::new(DIM));
    let task = |task: usize| {
        let store = store.clone();
        async move {
            let mut random = Random(task as u64);
            let batch = |version: i64| -> Vec<(Document, Vec<f32>)> {
                let document = |i| Document::new("text").with_id(format!("{task}-{i}"));
                let document = |i| {
                    document(i)
                        .with_metadata("task", task as i64)
                        .with_metadata("version", version)
                };
                (0..BATCH)
                    .map(|i| (document(i), vec![(task + i) as f32; DIM]))
                    .collect()
            };
            let own = Filter::eq("task", task as i64);
            store.upsert_embeddings(batch(1)).await.unwrap();
            assert_eq!(store.count(Some(own.clone().into())).await.unwrap(), BATCH);
            store.upsert_embeddings(batch(2)).await.unwrap();
            // Somebody else's batch: whole and of one version, or not there.
            let other = Filter::eq("task", random.below(1000) as i64);
            let request = SearchRequest::new(random.vector(DIM)).k(100).filter(other);
            let hits = store.search(request).await.unwrap();
            let versions: Vec<i64> = hits.iter().map(|hit| version_of(&hit.document)).collect();
            assert!([0, BATCH].contains(&versions.len()), "{versions:?}");
            assert!(versions.windows(2).all(|pair| pair[0] == pair[1]), "{versions:?}");
            if task.is_multiple_of(2) {
                assert_eq!(store.delete_matching(own.clone()).await.unwrap(), BATCH);
                assert_eq!(store.count(Some(own.into())).await.unwrap(), 0);
            }
        }
    };
    let tasks: Vec<_> = (0..1000).map(|i| tokio::spawn(task(i))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(store.count(None).await.unwrap(), 500 * BATCH);
    let odd = (0..1000).filter(|i| i % 2 == 1);
    let mut expected: Vec<String> = odd
        .flat_map(|task| (0..BATCH).map(move |i| format!("{task}-{i}")))
        .collect();
    let mut listed = store.list(None).await.unwrap();
    expected.sort();
    listed.sort();
    assert_eq!(listed, expected);
    println!("1000 tasks, {} documents left: 0 torn batches", listed.len());
}
