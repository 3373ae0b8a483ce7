//! Many tasks add and search one store at once: `cargo run --example concurrent`.
#![allow(clippy::print_stdout, reason = "an example shows its results")]

use anear::{DefaultEmbeddings, LocalStore, VectorStore, VectorStoreExt};

const TASKS: usize = 100;
const TEXTS: usize = 10;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = LocalStore::from_texts(["the first text of all"], DefaultEmbeddings::new()).await?;

    let mut tasks = Vec::new();
    for task in 0..TASKS {
        // A clone is another handle to the same store.
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            let texts = (0..TEXTS).map(|i| format!("text {i} of task {task}"));
            store.add_texts(texts).await?;
            // What a task has added, it finds, whatever the others are doing.
            let found = store.similarity_search(format!("text 7 of task {task}")).await?;
            assert_eq!(found[0].page_content, format!("text 7 of task {task}"));
            store.count(None).await
        }));
    }
    for (task, handle) in tasks.into_iter().enumerate() {
        let count = handle.await??;
        if task % 20 == 0 {
            println!("task {task} saw {count} documents when it was done");
        }
    }

    let count = store.count(None).await?;
    assert_eq!(count, 1 + TASKS * TEXTS);
    println!("{count} documents in the end");
    Ok(())
}
