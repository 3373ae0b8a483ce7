//! Keeps a model within the pace its provider allows.

use std::collections::VecDeque;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

use crate::{Embeddings, Error, Result};

/// A model that is called at most so often, and by at most so many callers at once; the others wait in order.
///
/// The pace counts calls of the wrapped model, not texts. Needs tokio's timer.
///
/// ```
/// use std::time::Duration;
/// use anear_embeddings::{Embeddings, FakeEmbeddings, RateLimitedEmbeddings};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let model = RateLimitedEmbeddings::new(FakeEmbeddings::new(8))
///     .max_concurrent(4)?
///     .calls_per(500, Duration::from_secs(60))?;
/// assert_eq!(model.embed_query("a").await?.len(), 8);
/// # Ok::<(), anear_embeddings::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct RateLimitedEmbeddings<E> {
    inner: E,
    slots: Option<Semaphore>,
    pace: Option<Pace>,
}

impl<E: Embeddings> RateLimitedEmbeddings<E> {
    /// No limit yet: set one with [`max_concurrent`](Self::max_concurrent) or [`calls_per`](Self::calls_per).
    pub fn new(inner: E) -> Self {
        Self {
            inner,
            slots: None,
            pace: None,
        }
    }

    /// At most `calls` at the same time.
    ///
    /// # Errors
    /// [`Error::Setting`] when `calls` is 0.
    pub fn max_concurrent(mut self, calls: usize) -> Result<Self> {
        at_least_one("max_concurrent", calls)?;
        self.slots = Some(Semaphore::new(calls.min(Semaphore::MAX_PERMITS)));
        Ok(self)
    }

    /// At most `calls` starting within any `interval`.
    ///
    /// # Errors
    /// [`Error::Setting`] when `calls` is 0.
    pub fn calls_per(mut self, calls: usize, interval: Duration) -> Result<Self> {
        at_least_one("calls_per", calls)?;
        self.pace = Some(Pace {
            calls,
            interval,
            started: Mutex::new(VecDeque::new()),
        });
        Ok(self)
    }

    /// The model within.
    pub fn inner(&self) -> &E {
        &self.inner
    }

    /// Waits for a turn, which lasts as long as the permit.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        let permit = match &self.slots {
            Some(slots) => Some(slots.acquire().await.expect("the semaphore is never closed")),
            None => None,
        };
        if let Some(pace) = &self.pace {
            pace.wait().await;
        }
        permit
    }
}

fn at_least_one(name: &'static str, value: usize) -> Result<()> {
    match value {
        0 => Err(Error::Setting {
            name,
            value: "0".into(),
            reason: "nothing could ever be sent; give 1 or more".into(),
        }),
        _ => Ok(()),
    }
}

/// The starts of the last `calls` calls: the next may start `interval` after the oldest of them.
#[derive(Debug)]
struct Pace {
    calls: usize,
    interval: Duration,
    started: Mutex<VecDeque<Instant>>,
}

impl Pace {
    /// The lock is held while waiting, so callers start in the order in which they came.
    async fn wait(&self) {
        let mut started = self.started.lock().await;
        if started.len() >= self.calls {
            sleep_until(started[0] + self.interval).await;
            started.pop_front();
        }
        started.push_back(Instant::now());
    }
}

#[async_trait]
impl<E: Embeddings> Embeddings for RateLimitedEmbeddings<E> {
    fn model(&self) -> &str {
        self.inner.model()
    }

    fn dim(&self) -> Option<usize> {
        self.inner.dim()
    }

    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        let _turn = self.turn().await;
        self.inner.embed_documents(texts).await
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>> {
        let _turn = self.turn().await;
        self.inner.embed_query(text).await
    }
}
