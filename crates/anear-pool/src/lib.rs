//! The compute pool of anear and the bridge by which async code awaits it.
//!
//! Arithmetic runs here and nowhere else: searches, adds, local embedding models, parsing. An async
//! function hands a closure to [`Pool::run`] and awaits its result, so an executor's thread is never
//! kept busy; synchronous code spreads a loop over the same threads with [`Pool::map`].
//!
//! The bridge is a oneshot channel: it needs no particular runtime. Threads do not survive a fork of the process: a pool
//! that is used in a forked child starts new ones there.
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

mod gate;
mod per_process;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_channel::oneshot;
pub use per_process::PerProcess;
use rayon::prelude::*;

/// A set of compute threads of our own, shared by its clones.
#[derive(Clone, Debug)]
pub struct Pool(Arc<Threads>);

#[derive(Debug)]
struct Threads {
    /// 0 means one per core.
    wanted: usize,
    here: PerProcess<Arc<rayon::ThreadPool>>,
}

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
        let pool = Threads {
            wanted: threads,
            here: PerProcess::new(),
        };
        pool.here()?;
        Ok(Self(Arc::new(pool)))
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
        self.here().current_num_threads()
    }

    /// Before the process forks: lets no further job of any pool begin, and waits until none is running, `patience` at
    /// most. Otherwise the child would inherit what a job has half done, without the thread that could finish it.
    ///
    /// Each call is followed by [`resume`](Self::resume) in the parent and [`resume_in_child`](Self::resume_in_child) in
    /// the child.
    pub fn pause(patience: Duration) {
        gate::pause(patience);
    }

    /// After a fork, in the parent: jobs begin again.
    pub fn resume() {
        gate::resume();
    }

    /// After a fork, in the child: jobs begin again, on new threads.
    pub fn resume_in_child() {
        gate::reset();
    }

    /// The threads of this process.
    fn here(&self) -> Arc<rayon::ThreadPool> {
        match self.0.here() {
            Ok(threads) => threads,
            Err(error) => panic!("{error}"),
        }
    }

    /// `[f(0), .., f(n - 1)]`, computed on the pool; a panic in `f` reaches the caller.
    pub fn map<T: Send>(&self, n: usize, f: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
        self.here().install(|| (0..n).into_par_iter().map(f).collect())
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
        self.spawn(move || {
            if !sender.is_canceled() {
                // Whoever shares state with `work` sees it as it was at the panic: the error says so.
                let outcome = catch_unwind(AssertUnwindSafe(work)).map_err(|panic| Panicked::new(&*panic));
                // A caller that no longer waits has no use for the outcome.
                drop(sender.send(outcome));
            }
        });
        receiver.await.unwrap_or_else(|_| Err(Panicked::unanswered()))
    }

    /// Runs `work` on the pool; nobody waits for it. Should it panic, the pool lives on.
    pub fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        self.here().spawn(move || {
            let _running = gate::enter();
            // Whoever waits for something of `work` sees that it does not come.
            let _outcome = catch_unwind(AssertUnwindSafe(work));
        });
    }
}

impl Threads {
    fn here(&self) -> Result<Arc<rayon::ThreadPool>, BuildError> {
        self.here.get_or_try_init(|| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(self.wanted)
                .thread_name(|i| format!("anear-{i}"))
                .build()
                .map(Arc::new)
                .map_err(|source| BuildError {
                    threads: self.wanted,
                    source,
                })
        })
    }
}

impl Panicked {
    /// For those who wait for an answer of a job that ended without giving one.
    pub fn unanswered() -> Self {
        Self {
            message: "the job ended without an answer".into(),
        }
    }

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
    fn a_pause_waits_for_what_runs_and_holds_back_the_rest() {
        let pool = Pool::new(2).unwrap();
        let (finish, finished) = mpsc::channel::<()>();
        let running = pool.clone();
        let (begin, begun) = mpsc::channel();
        let running = std::thread::spawn(move || {
            block_on(running.run(move || {
                begin.send(()).unwrap();
                finished.recv()
            }))
        });
        begun.recv().unwrap();
        static BEGUN: AtomicBool = AtomicBool::new(false);
        let pausing = std::thread::spawn(|| Pool::pause(Duration::from_secs(60)));
        while !gate::is_paused() {
            std::thread::yield_now();
        }
        let held = std::thread::spawn(move || block_on(pool.run(|| BEGUN.store(true, Ordering::SeqCst))));
        finish.send(()).unwrap();
        pausing.join().unwrap();
        running.join().unwrap().unwrap().unwrap();
        assert!(!BEGUN.load(Ordering::SeqCst));
        Pool::resume();
        held.join().unwrap().unwrap();
        assert!(BEGUN.load(Ordering::SeqCst));
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
