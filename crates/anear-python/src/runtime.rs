//! The bridge between Python's threads and event loops and Rust's futures.
//!
//! Two ways lead from a future to Python: [`block`] waits for it on the calling thread with the GIL released, and
//! [`awaitable`] makes an asyncio future of it. The rules of the house, which keep both free of deadlocks:
//!
//! * nobody waits for a lock, a thread or a future while attached to Python;
//! * the compute pool never attaches; what must call Python runs [`outside`], on a thread of its own;
//! * the answer to an asyncio future is handed over through a [`mailbox`](crate::mailbox) without touching the GIL.
//!
//! Threads do not survive a fork: the driver is one per process. `close` keeps threads away from an interpreter that
//! is going down.

use std::cell::Cell;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use anear::{PerProcess, Pool};
use futures::FutureExt as _;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

use crate::error::{panicked, shutting_down};
use crate::mailbox::{Letter, mailbox_of};

/// How often a waiting call looks whether Ctrl-C was pressed.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);
/// How long one stretch of work may keep the GIL, or an event loop, before others get their turn.
pub(crate) const STRETCH: Duration = Duration::from_millis(2);
/// How long the interpreter waits, before it goes down or forks, for what is under way.
const PATIENCE: Duration = Duration::from_secs(10);

/// The runtime that drives futures in this process: one thread, and timers and sockets for embedding clients.
static DRIVER: PerProcess<Runtime> = PerProcess::empty();

fn driver() -> PyResult<Arc<Runtime>> {
    let driver = DRIVER.get_or_try_init(|| {
        Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("anear-driver")
            .enable_all()
            .build()
    });
    driver.map_err(|error| PyRuntimeError::new_err(format!("cannot start anear's driver thread: {error}")))
}

/// Waits for a future on this thread, the GIL released; Ctrl-C interrupts the wait and drops the future.
pub(crate) fn block<T: Send>(py: Python<'_>, future: impl Future<Output = PyResult<T>> + Send) -> PyResult<T> {
    py.detach(|| {
        let driver = driver()?;
        let _context = driver.enter();
        wait(future)
    })
}

fn wait<T>(future: impl Future<Output = PyResult<T>>) -> PyResult<T> {
    let alarm = Arc::new(Alarm {
        sleeper: thread::current(),
        rung: AtomicBool::new(false),
    });
    let waker = Waker::from(alarm.clone());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return outcome;
        }
        let mut signals_due = Instant::now() + SIGNAL_INTERVAL;
        while !alarm.rung.swap(false, Ordering::Acquire) {
            thread::park_timeout(signals_due.saturating_duration_since(Instant::now()));
            if Instant::now() >= signals_due {
                attach(|py| py.check_signals()).unwrap_or(Ok(()))?;
                signals_due = Instant::now() + SIGNAL_INTERVAL;
            }
        }
    }
}

/// Wakes the thread that waits in [`wait`].
struct Alarm {
    sleeper: Thread,
    rung: AtomicBool,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.sleeper.unpark();
    }
}

/// An asyncio future of the running loop for a Rust future. `finish` makes the Python object of the outcome, on the
/// loop's thread: it must be quick.
///
/// Cancelling the asyncio future drops the Rust future.
pub(crate) fn awaitable<'py, T: Send + 'static>(
    py: Python<'py>,
    future: impl Future<Output = PyResult<T>> + Send + 'static,
    finish: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
) -> PyResult<Bound<'py, PyAny>> {
    let (event_loop, mailbox) = mailbox_of(py)?;
    let pending = event_loop.call_method0(pyo3::intern!(py, "create_future"))?;
    let to = pending.clone().unbind();
    let task = py.detach(driver)?.spawn(async move {
        let outcome = AssertUnwindSafe(future).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|panic| Err(panicked(&*panic)));
        mailbox.post(Letter::new(to, move |py| finish(py, outcome?)));
    });
    let canceller = Canceller(task.abort_handle());
    pending.call_method1(pyo3::intern!(py, "add_done_callback"), (canceller,))?;
    Ok(pending)
}

/// Drops the work of an asyncio future that was cancelled; of one that is done it finds nothing to drop.
#[pyclass(frozen)]
struct Canceller(AbortHandle);

#[pymethods]
impl Canceller {
    fn __call__(&self, _future: &Bound<'_, PyAny>) {
        self.0.abort();
    }
}

/// Runs `work` on a thread that may call Python and wait, which the compute pool's may not.
pub(crate) async fn outside<T: Send + 'static>(work: impl FnOnce() -> PyResult<T> + Send + 'static) -> PyResult<T> {
    let outcome = driver()?.spawn_blocking(work).await;
    outcome.unwrap_or_else(|failure| match failure.try_into_panic() {
        Ok(panic) => Err(panicked(&*panic)),
        Err(_) => Err(shutting_down()),
    })
}

/// [`outside`], attached to Python.
pub(crate) async fn attached<T: Send + 'static>(
    work: impl FnOnce(Python<'_>) -> PyResult<T> + Send + 'static,
) -> PyResult<T> {
    outside(move || attach(work).unwrap_or_else(|| Err(shutting_down()))).await
}

/// `callable` as it will run elsewhere: it sees the context variables of the running task.
pub(crate) fn in_context(py: Python<'_>, callable: Py<PyAny>) -> PyResult<Py<PyAny>> {
    let context = py.import("contextvars")?.call_method0("copy_context")?;
    let bound = py
        .import("functools")?
        .call_method1("partial", (context.getattr("run")?, callable))?;
    Ok(bound.unbind())
}

/// Threads attached through [`attach`]; the highest bit: the interpreter is going down.
static ATTACHED: AtomicUsize = AtomicUsize::new(0);
const CLOSED: usize = 1 << (usize::BITS - 1);

thread_local! {
    /// How deep this thread is within calls of [`attach`].
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Attaches this thread to Python, or gives `None` once the interpreter is going down.
pub(crate) fn attach<R>(work: impl FnOnce(Python<'_>) -> R) -> Option<R> {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            DEPTH.set(DEPTH.get() - 1);
            ATTACHED.fetch_sub(1, Ordering::AcqRel);
        }
    }
    let before = ATTACHED.fetch_add(1, Ordering::AcqRel);
    DEPTH.set(DEPTH.get() + 1);
    let _leave = Leave;
    if before & CLOSED != 0 {
        return None;
    }
    Python::try_attach(work)
}

/// Ties our threads to the life of the interpreter: its end and its forks.
pub(crate) fn register_hooks(py: Python<'_>) -> PyResult<()> {
    py.import("atexit")?
        .call_method1("register", (wrap_pyfunction!(close, py)?,))?;
    let os = py.import("os")?;
    if let Ok(register) = os.getattr("register_at_fork") {
        let hooks = PyDict::new(py);
        hooks.set_item("before", wrap_pyfunction!(before_fork, py)?)?;
        hooks.set_item("after_in_parent", wrap_pyfunction!(after_fork_in_parent, py)?)?;
        hooks.set_item("after_in_child", wrap_pyfunction!(after_fork_in_child, py)?)?;
        register.call((), Some(&hooks))?;
    }
    Ok(())
}

/// At exit: lets no further thread of ours attach, and waits for those that are.
#[pyfunction]
fn close(py: Python<'_>) {
    ATTACHED.fetch_or(CLOSED, Ordering::AcqRel);
    py.detach(|| {
        let deadline = Instant::now() + PATIENCE;
        while ATTACHED.load(Ordering::Acquire) != CLOSED && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
    });
}

/// Before a fork: lets running computations come to an end, so that the child does not inherit a half of one.
#[pyfunction]
fn before_fork(py: Python<'_>) {
    py.detach(|| Pool::pause(PATIENCE));
}

/// After a fork, in the parent.
#[pyfunction]
fn after_fork_in_parent() {
    Pool::resume();
}

/// After a fork, in the child: of the threads that were attached, only the one that forked exists there.
#[pyfunction]
fn after_fork_in_child() {
    ATTACHED.store(DEPTH.get(), Ordering::Release);
    Pool::resume();
}

/// Gives the GIL away every now and then during long work on Python objects.
pub(crate) struct Breather {
    since: Instant,
}

impl Breather {
    pub(crate) fn new() -> Self {
        Self { since: Instant::now() }
    }

    /// To be called between small pieces of work.
    pub(crate) fn breathe(&mut self, py: Python<'_>) -> PyResult<()> {
        if self.since.elapsed() < STRETCH {
            return Ok(());
        }
        // Whoever let go of an interpreter that is going down would never get hold of it again.
        if DEPTH.get() > 0 && ATTACHED.load(Ordering::Acquire) & CLOSED != 0 {
            return Err(shutting_down());
        }
        py.detach(thread::yield_now);
        py.check_signals()?;
        self.since = Instant::now();
        Ok(())
    }
}
