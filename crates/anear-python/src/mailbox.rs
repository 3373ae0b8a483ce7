//! How answers reach an event loop: a queue that worker threads fill without the GIL, and a bell that the loop hears.
//!
//! A thread that wanted to set the result of an asyncio future itself would have to win the GIL from the very loop it
//! reports to, once for each answer. Here it pushes a letter and, if the queue was empty, writes one byte to a socket
//! that the loop watches; the loop then opens all letters in one callback.

use std::collections::VecDeque;
#[cfg(unix)]
use std::io::{Read as _, Write as _};
#[cfg(unix)]
use std::os::{fd::AsRawFd as _, unix::net::UnixStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::error::guarded;
use crate::runtime::{STRETCH, attach};

/// An outcome on its way to the asyncio future that waits for it.
pub(crate) struct Letter {
    to: Py<PyAny>,
    content: Content,
}

type Content = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

impl Letter {
    pub(crate) fn new(to: Py<PyAny>, content: impl FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send + 'static) -> Self {
        let content = Box::new(content);
        Self { to, content }
    }

    /// Settles the future, unless somebody cancelled it.
    fn open(self, py: Python<'_>) -> PyResult<()> {
        let future = self.to.bind(py);
        if future.call_method0(pyo3::intern!(py, "done"))?.is_truthy()? {
            return Ok(());
        }
        match guarded(|| (self.content)(py)) {
            Ok(value) => future.call_method1(pyo3::intern!(py, "set_result"), (value,))?,
            Err(error) => {
                let error = as_result_of_future(py, error);
                future.call_method1(pyo3::intern!(py, "set_exception"), (error.into_value(py),))?
            }
        };
        Ok(())
    }
}

/// The same error where a future can hold it: asyncio refuses `StopIteration`, which would end the awaiting coroutine.
fn as_result_of_future(py: Python<'_>, error: PyErr) -> PyErr {
    if !error.is_instance_of::<PyStopIteration>(py) {
        return error;
    }
    let held = PyRuntimeError::new_err("a callback raised StopIteration");
    held.set_cause(py, Some(error));
    held
}

/// The letters for one event loop.
pub(crate) struct Mailbox {
    letters: Mutex<VecDeque<Letter>>,
    bell: Bell,
}

impl Mailbox {
    pub(crate) fn post(&self, letter: Letter) {
        let mut letters = self.letters();
        letters.push_back(letter);
        let first = letters.len() == 1;
        drop(letters);
        if first {
            self.bell.ring();
        }
    }

    /// Opens letters until there is none or the time is up; then the bell rings again. A letter that cannot be delivered
    /// is reported and does not keep back those behind it.
    fn empty(&self, py: Python<'_>) {
        self.bell.hush();
        let end = Instant::now() + STRETCH;
        while Instant::now() < end {
            let Some(letter) = self.letters().pop_front() else {
                return;
            };
            if let Err(error) = guarded(|| letter.open(py)) {
                error.write_unraisable(py, None);
            }
        }
        if !self.letters().is_empty() {
            self.bell.ring();
        }
    }

    /// The lock is held for a push or a pop only, never across a call into Python.
    fn letters(&self) -> MutexGuard<'_, VecDeque<Letter>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the loop calls when the bell rang.
#[pyclass(frozen, weakref)]
struct Postman(Arc<Mailbox>);

#[pymethods]
impl Postman {
    fn __call__(&self, py: Python<'_>) {
        self.0.empty(py);
    }
}

/// How a loop is told that there are letters.
enum Bell {
    /// A pair of sockets: we write to the first, the loop watches the second.
    #[cfg(unix)]
    Socket(UnixStream, UnixStream),
    /// For loops that watch no sockets: a weak reference to the loop, whose `call_soon_threadsafe` is called.
    Call(Py<PyAny>),
}

impl Bell {
    fn ring(&self) {
        match self {
            #[cfg(unix)]
            Self::Socket(bell, _) => {
                // A full buffer rings already; a loop that is closed hears nothing, and nobody waits for it.
                let _rung = (&*bell).write(&[1]);
            }
            Self::Call(event_loop) => {
                // A closed loop raises RuntimeError: nobody waits there any more.
                let _rung = attach(|py| call_soon(event_loop.bind(py)));
            }
        }
    }

    /// Takes back all rings so far.
    fn hush(&self) {
        #[cfg(unix)]
        if let Self::Socket(_, ear) = self {
            let mut rings = [0; 64];
            while (&*ear).read(&mut rings).is_ok_and(|read| read == rings.len()) {}
        }
    }
}

fn call_soon(event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = event_loop.py();
    let event_loop = event_loop.call0()?;
    if !event_loop.is_none() {
        let postman = postmen(py)?.get_item(&event_loop)?;
        event_loop.call_method1(pyo3::intern!(py, "call_soon_threadsafe"), (postman,))?;
    }
    Ok(())
}

/// The postman of each living event loop.
fn postmen(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static POSTMEN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = POSTMEN.get_or_try_init(py, || -> PyResult<_> {
        Ok(py.import("weakref")?.getattr("WeakKeyDictionary")?.call0()?.unbind())
    })?;
    Ok(made.bind(py))
}

/// The running event loop and its mailbox, made at its first use.
pub(crate) fn mailbox_of(py: Python<'_>) -> PyResult<(Bound<'_, PyAny>, Arc<Mailbox>)> {
    static GET_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let event_loop = GET_LOOP.import(py, "asyncio", "get_running_loop")?.call0()?;
    let known = postmen(py)?.call_method1(pyo3::intern!(py, "get"), (&event_loop,))?;
    let postman = match known.cast_into::<Postman>() {
        Ok(postman) => postman,
        Err(_) => {
            let postman = hire(py, &event_loop)?;
            postmen(py)?.set_item(&event_loop, &postman)?;
            postman
        }
    };
    Ok((event_loop, postman.get().0.clone()))
}

/// A postman for a mailbox that `event_loop` empties.
fn hire<'py>(py: Python<'py>, event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Postman>> {
    let postman = |bell| {
        let letters = Mutex::default();
        Bound::new(py, Postman(Arc::new(Mailbox { letters, bell })))
    };
    #[cfg(unix)]
    {
        let (bell, ear) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        let fd = ear.as_raw_fd();
        let postman = postman(Bell::Socket(bell, ear))?;
        if event_loop
            .call_method1(pyo3::intern!(py, "add_reader"), (fd, &postman))
            .is_ok()
        {
            return Ok(postman);
        }
    }
    let weak = py.import("weakref")?.getattr("ref")?.call1((event_loop,))?;
    postman(Bell::Call(weak.unbind()))
}
