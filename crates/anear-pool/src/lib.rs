//! The compute pool of anear and the bridge by which async code awaits it.
//!
//! Arithmetic runs here and nowhere else: searches, adds, local embedding models, parsing. An async
//! function hands a closure to [`Pool::run`] and awaits its result, so an executor's thread is never
//! kept busy; synchronous code spreads a loop over the same threads with [`Pool::map`].
//!
//! The bridge is a oneshot channel: it needs no particular runtime.
//!
//! Somebody waits for a search, and a build takes minutes: urgent work has threads of its own ([`Pool::urgent`]).
//!
//! A process may be forked: a child has no threads but the one that forked, so every pool starts new ones at its first
//! use there ([`PerProcess`]). [`Pool::pause`] and [`Pool::resume`] around the fork see to it that the child inherits
//! nothing half-built.
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
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_channel::oneshot;
use rayon::prelude::*;

pub use per_process::PerProcess;

/// Compute threads of our own, shared by all clones.
///
/// Jobs begin in the order in which they came, urgent ones ([`Pool::urgent`]) and others each among themselves. A forked
/// child starts threads of its own at the pool's first use there, which panics when the operating system gives none; jobs
/// that waited in the parent are the parent's.
#[derive(Clone, Debug)]
pub struct Pool {
    inner: Arc<Inner>,
    is_urgent: bool,
}

#[derive(Debug)]
struct Inner {
    /// As many threads in each crew; 0 means one per core.
    size: usize,
    crews: PerProcess<Crews>,
}

/// The threads of one process.
struct Crews {
    urgent: Arc<Crew>,
    other: Arc<Crew>,
}

/// Threads, and the jobs that wait for them.
struct Crew {
    rayon: rayon::ThreadPool,
    jobs: Mutex<VecDeque<Job>>,
}

type Job = Box<dyn FnOnce() + Send>;

/// The operating system refused the pool's threads.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {threads} compute threads: {source}")]
pub struct BuildError {
    threads: usize,
    source: rayon::ThreadPoolBuildError,
}

/// The work handed to [`Pool::run`] panicked; the pool itself lives on.
#[derive(Clone, Debug, thiserror::Error)]
#[error("a job on the compute pool panicked: {message}")]
pub struct Panicked {
    message: String,
}

impl Pool {
    /// A pool of `threads` threads, and as many for urgent work; 0 means one per core.
    ///
    /// # Errors
    /// [`BuildError`] when the operating system gives no thread.
    pub fn new(threads: usize) -> Result<Self, BuildError> {
        Ok(Self::with(threads, PerProcess::new(Crews::start(threads)?)))
    }

    fn with(size: usize, crews: PerProcess<Crews>) -> Self {
        Self {
            inner: Arc::new(Inner { size, crews }),
            is_urgent: false,
        }
    }

    /// The pool of this process, one thread per core, started at its first use.
    ///
    /// # Panics
    /// At that first use, when the operating system gives no thread.
    pub fn global() -> &'static Self {
        static GLOBAL: LazyLock<Pool> = LazyLock::new(|| Pool::with(0, PerProcess::empty()));
        &GLOBAL
    }

    /// The same pool for urgent work, which waits for none that is not, however much of that there is and however long it
    /// takes: what is asked of this handle is done by threads of its own, which sleep while nothing is urgent. Where both
    /// are busy, the operating system shares the cores among them.
    ///
    /// For searches, and whatever else is short and awaited by somebody.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// let pool = anear_pool::Pool::new(1)?;
    /// let (finish, finished) = std::sync::mpsc::channel::<()>();
    /// pool.spawn(move || finished.recv().unwrap());
    /// // The thread is taken until somebody finishes.
    /// assert_eq!(pool.urgent().run(|| 7).await?, 7);
    /// finish.send(())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn urgent(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            is_urgent: true,
        }
    }

    /// Number of threads, those for other work than this handle's not counted.
    pub fn threads(&self) -> usize {
        self.crew().rayon.current_num_threads()
    }

    /// `[f(0), .., f(n - 1)]`, computed on the pool; a panic in `f` reaches the caller.
    ///
    /// Within a job of this pool it is a part of the job, and as urgent.
    pub fn map<T: Send>(&self, n: usize, f: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
        let crews = self.crews();
        let crew = crews.of_caller().unwrap_or_else(|| crews.of(self.is_urgent));
        Self::here(|| crew.rayon.install(|| (0..n).into_par_iter().map(f).collect()))
    }

    /// Does `work` on the calling thread, as a job like any other: [`Pool::pause`] waits for it.
    ///
    /// For synchronous work that takes locks which a forked child would find held.
    pub fn here<R>(work: impl FnOnce() -> R) -> R {
        let _entered = gate::enter();
        work()
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
                // A caller that no longer waits has no use for the outcome.
                drop(sender.send(Panicked::catch(work)));
            }
        });
        receiver.await.unwrap_or_else(|_| Err(Panicked::lost()))
    }

    /// Runs `work` on the pool, behind the jobs that wait already; nobody awaits it. A panic ends it and nothing else.
    ///
    /// ```
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// anear_pool::Pool::global().spawn(move || sender.send(7).unwrap());
    /// assert_eq!(receiver.recv(), Ok(7));
    /// ```
    pub fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        let crew = self.crew();
        crew.jobs().push_back(Box::new(work));
        crew.call();
    }

    /// Lets no job of any pool of this process begin any more, and waits until none is running, for `timeout` at most;
    /// says whether none is. Jobs that come meanwhile wait for [`Pool::resume`].
    ///
    /// For the moment before a fork, so that no lock is held and nothing half-built when the child gets its copy. The
    /// thread that paused may still use [`map`](Self::map) and [`here`](Self::here). Pauses add up: each wants a
    /// [`resume`](Self::resume) of its own, on the same thread.
    ///
    /// ```
    /// use anear_pool::Pool;
    /// use std::time::Duration;
    ///
    /// assert!(Pool::pause(Duration::from_secs(1)));
    /// // fork here, and in both processes:
    /// Pool::resume();
    /// ```
    pub fn pause(timeout: Duration) -> bool {
        gate::shut(timeout)
    }

    /// Ends a [`pause`](Self::pause), in the process that paused and likewise in a child forked since: there jobs may
    /// begin at once, and those that waited in the parent are the parent's.
    pub fn resume() {
        gate::open();
    }

    fn crews(&self) -> Arc<Crews> {
        let start = || Crews::start(self.inner.size).unwrap_or_else(|error| panic!("{error}"));
        self.inner.crews.get_or_init(start)
    }

    fn crew(&self) -> Arc<Crew> {
        self.crews().of(self.is_urgent).clone()
    }
}

impl Crews {
    fn start(threads: usize) -> Result<Self, BuildError> {
        Ok(Self {
            urgent: Arc::new(Crew::start(threads, "anear-urgent")?),
            other: Arc::new(Crew::start(threads, "anear")?),
        })
    }

    fn of(&self, is_urgent: bool) -> &Arc<Crew> {
        match is_urgent {
            true => &self.urgent,
            false => &self.other,
        }
    }

    /// The one that the calling thread belongs to.
    fn of_caller(&self) -> Option<&Arc<Crew>> {
        let crews = [&self.urgent, &self.other];
        crews
            .into_iter()
            .find(|crew| crew.rayon.current_thread_index().is_some())
    }
}

impl Crew {
    fn start(threads: usize, name: &'static str) -> Result<Self, BuildError> {
        let rayon = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(move |i| format!("{name}-{i}"))
            .start_handler(|_| gate::on_compute_thread())
            .build()
            .map_err(|source| BuildError { threads, source })?;
        let jobs = Mutex::default();
        Ok(Self { rayon, jobs })
    }

    fn jobs(&self) -> MutexGuard<'_, VecDeque<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls a thread for one job. Which one is decided when the thread comes: the longest waiting, whereas rayon would
    /// let a job that was spawned by another one pass all those from outside.
    fn call(self: &Arc<Self>) {
        let crew = self.clone();
        self.rayon.spawn(move || crew.work());
    }

    fn work(self: Arc<Self>) {
        let again = self.clone();
        let Some(_running) = gate::begin(move || again.call()) else {
            return;
        };
        let job = self.jobs().pop_front();
        if let Some(job) = job {
            // A panic has reached whoever awaits the job, in `run`.
            drop(Panicked::catch(job));
        }
    }
}

impl Panicked {
    /// Does `work` on the calling thread; a panic is an error.
    ///
    /// # Errors
    /// [`Panicked`]. Whoever shares state with `work` sees it as it was at the panic.
    pub fn catch<R>(work: impl FnOnce() -> R) -> Result<R, Self> {
        catch_unwind(AssertUnwindSafe(work)).map_err(|panic| Self::new(&*panic))
    }

    /// Whoever should have given the outcome is gone and left none.
    pub fn lost() -> Self {
        Self {
            message: "the job was dropped".into(),
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
    use std::sync::{Barrier, mpsc};

    use futures::Future as _;
    use futures::executor::block_on;

    use super::*;

    /// Both handles of a pool of one thread.
    fn both() -> [Pool; 2] {
        let pool = Pool::new(1).unwrap();
        [pool.urgent(), pool]
    }

    #[test]
    fn map_keeps_the_order() {
        let pool = Pool::new(3).unwrap();
        for pool in [pool.urgent(), pool] {
            assert_eq!(pool.map(1000, |i| 2 * i), (0..1000).map(|i| 2 * i).collect::<Vec<_>>());
            assert_eq!(pool.threads(), 3);
        }
    }

    #[test]
    fn urgent_work_waits_for_no_map_that_has_all_threads_and_no_job_behind_it() {
        let pool = Pool::new(2).unwrap();
        let (begun, ended) = (Arc::new(Barrier::new(3)), Arc::new(Barrier::new(3)));
        let (tell, told) = mpsc::channel();
        let (inner, begin, end) = (pool.clone(), begun.clone(), ended.clone());
        pool.spawn(move || {
            let build = |i| {
                begin.wait();
                end.wait();
                i
            };
            tell.send(inner.map(2, build)).unwrap();
        });
        begun.wait();
        // Both threads wait for the third at `ended` from here on.
        let (behind, came) = mpsc::channel();
        pool.spawn(move || behind.send(()).unwrap());
        let urgent = pool.urgent();
        let (inner, nested) = (pool.clone(), urgent.clone());
        let search = move || [inner.map(3, |i| i * i), nested.map(3, |i| i + i)];
        assert_eq!(block_on(urgent.run(search)).unwrap(), [[0, 1, 4], [0, 2, 4]]);
        assert_eq!(urgent.map(3, |i| i), [0, 1, 2]);
        assert!(told.try_recv().is_err() && came.try_recv().is_err());
        ended.wait();
        assert_eq!(told.recv(), Ok(vec![0, 1]));
        assert_eq!(came.recv(), Ok(()));
    }

    #[test]
    fn other_work_waits_for_no_urgent_job() {
        let pool = Pool::new(1).unwrap();
        let (release, gate) = mpsc::channel::<()>();
        let (begin, begun) = mpsc::channel();
        pool.urgent().spawn(move || {
            begin.send(()).unwrap();
            gate.recv().unwrap();
        });
        begun.recv().unwrap();
        let (inner, nested) = (pool.clone(), pool.urgent());
        let build = move || [inner.map(2, |i| i), nested.map(2, |i| i)];
        assert_eq!(block_on(pool.run(build)).unwrap(), [[0, 1], [0, 1]]);
        release.send(()).unwrap();
    }

    #[test]
    fn a_panic_is_an_error_and_the_pool_lives_on() {
        for pool in both() {
            let error = block_on(pool.run(|| panic!("seven"))).unwrap_err();
            assert_eq!(error.to_string(), "a job on the compute pool panicked: seven");
            assert_eq!(block_on(pool.run(|| 7)).unwrap(), 7);
        }
    }

    #[test]
    fn jobs_begin_in_the_order_they_came_also_those_spawned_by_jobs() {
        for pool in both() {
            let (sender, order) = mpsc::channel();
            let (inner, tell) = (pool.clone(), sender.clone());
            let (release, gate) = mpsc::channel::<()>();
            pool.spawn(move || {
                gate.recv().unwrap();
                inner.spawn(move || tell.send("from within").unwrap());
            });
            pool.spawn(move || sender.send("from outside").unwrap());
            release.send(()).unwrap();
            assert_eq!(order.iter().collect::<Vec<_>>(), ["from outside", "from within"]);
        }
    }

    #[test]
    fn a_panic_of_a_job_that_nobody_awaits_ends_only_it() {
        for pool in both() {
            pool.spawn(|| panic!("eight"));
            assert_eq!(block_on(pool.run(|| 8)).unwrap(), 8);
        }
    }

    #[test]
    fn work_dropped_before_it_begins_is_never_begun() {
        for pool in both() {
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
}
