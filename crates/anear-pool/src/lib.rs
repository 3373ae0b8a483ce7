//! The compute pool of anear and the bridge by which async code awaits it.
//!
//! Arithmetic runs here and nowhere else: searches, adds, local embedding models, parsing. An async
//! function hands a closure to [`Pool::run`] and awaits its result, so an executor's thread is never
//! kept busy; synchronous code spreads a loop over the same threads with [`Pool::map`].
//!
//! The bridge is a oneshot channel: it needs no particular runtime.
//!
//! ```
//! # futures::executor::block_on(async {
//! let pool = anear_pool::Pool::new(2)?;
//! let sum = pool.run(|| (1..=100u64).sum::<u64>()).await?;
//! assert_eq!(sum, 5050);
//! assert_eq!(pool.map(4, |i| i * i), [0, 1, 4, 9]);
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```
#![forbid(unsafe_code)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use futures_channel::oneshot;
use rayon::prelude::*;

/// A set of compute threads of our own, shared by its clones.
#[derive(Clone, Debug)]
pub struct Pool(Arc<rayon::ThreadPool>);

/// The operating system refused the pool's threads.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {threads} compute threads: {source}")]
pub struct BuildError {
    threads: usize,
    source: rayon::ThreadPoolBuildError,
}

/// The work handed to [`Pool::run`] panicked; the pool itself lives on.
#[derive(Debug, thiserror::Error)]
#[error("a job on the compute pool panicked: {message}")]
pub struct Panicked {
    message: String,
}

impl Pool {
    /// A pool of `threads` threads; 0 means one per core.
    ///
    /// # Errors
    /// [`BuildError`] when the operating system gives no thread.
    pub fn new(threads: usize) -> Result<Self, BuildError> {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("anear-{i}"))
            .build()
            .map(|pool| Self(Arc::new(pool)))
            .map_err(|source| BuildError { threads, source })
    }

    /// The pool of this process, one thread per core, started at its first use.
    ///
    /// # Panics
    /// When the operating system gives no thread at that first use.
    pub fn global() -> &'static Self {
        static GLOBAL: LazyLock<Pool> = LazyLock::new(|| match Pool::new(0) {
            Ok(pool) => pool,
            Err(error) => panic!("{error}"),
        });
        &GLOBAL
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.0.current_num_threads()
    }

    /// `[f(0), .., f(n - 1)]`, computed on the pool; a panic in `f` reaches the caller.
    pub fn map<T: Send>(&self, n: usize, f: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
        self.0.install(|| (0..n).into_par_iter().map(f).collect())
    }

    /// Runs `work` on the pool and awaits its result.
    ///
    /// Work whose future is dropped before a thread takes it up is never begun; work that has begun runs to its
    /// end, also without its future.
    ///
    /// # Errors
    /// [`Panicked`] when `work` panics.
    pub async fn run<R: Send + 'static>(&self, work: impl FnOnce() -> R + Send + 'static) -> Result<R, Panicked> {
        let (sender, receiver) = oneshot::channel();
        self.0.spawn(move || {
            if !sender.is_canceled() {
                // Whoever shares state with `work` sees it as it was at the panic: the error says so.
                let outcome = catch_unwind(AssertUnwindSafe(work)).map_err(|panic| Panicked::new(&*panic));
                // A caller that no longer waits has no use for the outcome.
                drop(sender.send(outcome));
            }
        });
        receiver.await.unwrap_or_else(|_| {
            Err(Panicked {
                message: "the job was dropped".into(),
            })
        })
    }
}

impl Panicked {
    fn new(panic: &(dyn Any + Send)) -> Self {
        let message = panic
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".into());
        Self { message }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;

    use futures::Future as _;
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn map_keeps_the_order() {
        let pool = Pool::new(3).unwrap();
        assert_eq!(pool.map(1000, |i| 2 * i), (0..1000).map(|i| 2 * i).collect::<Vec<_>>());
        assert_eq!(pool.threads(), 3);
    }

    #[test]
    fn a_panic_is_an_error_and_the_pool_lives_on() {
        let pool = Pool::new(1).unwrap();
        let error = block_on(pool.run(|| panic!("seven"))).unwrap_err();
        assert_eq!(error.to_string(), "a job on the compute pool panicked: seven");
        assert_eq!(block_on(pool.run(|| 7)).unwrap(), 7);
    }

    #[test]
    fn work_dropped_before_it_begins_is_never_begun() {
        let pool = Pool::new(1).unwrap();
        let (release, gate) = mpsc::channel::<()>();
        let (begin, begun) = mpsc::channel();
        let blocker = pool.clone();
        let blocker = std::thread::spawn(move || {
            block_on(blocker.run(move || {
                begin.send(()).unwrap();
                gate.recv()
            }))
        });
        static BEGUN: AtomicBool = AtomicBool::new(false);
        // The only thread is held by the gate from here on, so the second job waits in the queue.
        begun.recv().unwrap();
        let mut queued = Box::pin(pool.run(|| BEGUN.store(true, Ordering::SeqCst)));
        let waker = futures::task::noop_waker();
        assert!(
            queued
                .as_mut()
                .poll(&mut std::task::Context::from_waker(&waker))
                .is_pending()
        );
        drop(queued);
        release.send(()).unwrap();
        blocker.join().unwrap().unwrap().unwrap();
        block_on(pool.run(|| ())).unwrap();
        assert!(!BEGUN.load(Ordering::SeqCst));
    }
}
