//! How many threads the engine may use: Faiss's `omp_set_num_threads`.

use std::sync::{PoisonError, RwLock};
use std::thread;

use anear::Pool;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::refused;

#[derive(Clone)]
enum Threads {
    /// One per core: the pool of this process.
    All,
    /// The caller's.
    One,
    Pool(usize, Pool),
}

static THREADS: RwLock<Threads> = RwLock::new(Threads::All);

/// Lets the engine use `count` threads from now on.
#[pyfunction]
pub(crate) fn set_threads(py: Python<'_>, count: usize) -> PyResult<()> {
    let threads = match count {
        0 => return Err(PyValueError::new_err("at least one thread is needed, got 0")),
        1 => Threads::One,
        count if count == cores() => Threads::All,
        count => Threads::Pool(count, py.detach(|| Pool::new(count)).map_err(refused)?),
    };
    *THREADS.write().unwrap_or_else(PoisonError::into_inner) = threads;
    Ok(())
}

/// How many threads the engine uses.
#[pyfunction]
pub(crate) fn threads() -> usize {
    match current() {
        Threads::All => cores(),
        Threads::One => 1,
        Threads::Pool(count, _) => count,
    }
}

/// Works with the pool that is allowed, if any.
pub(super) fn with_pool<T>(work: impl FnOnce(Option<&Pool>) -> T) -> T {
    match current() {
        Threads::All => work(Some(Pool::global())),
        Threads::One => work(None),
        Threads::Pool(_, pool) => work(Some(&pool)),
    }
}

fn current() -> Threads {
    THREADS.read().unwrap_or_else(PoisonError::into_inner).clone()
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
