//! The gate that all work passes before it begins, of all pools of this process: shut while the process is forked.

use std::cell::Cell;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::PerProcess;

static GATE: PerProcess<Gate> = PerProcess::empty();

thread_local! {
    /// More than 0 on compute threads, and on others while they do work or keep the gate shut: what they begin is a part
    /// of work that has begun and waits for nobody.
    static WITHIN: Cell<usize> = const { Cell::new(0) };
}

#[derive(Default)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// How often the gate was shut and not opened since.
    shut: usize,
    running: usize,
    /// What calls the jobs up again that came meanwhile.
    parked: Vec<Box<dyn FnOnce() + Send>>,
}

/// Work that has passed the gate; dropped at its end.
pub(crate) struct Running(Arc<Gate>);

/// The same on a thread that is no compute thread.
pub(crate) struct Entered {
    /// `None` for a part of work that has passed the gate already.
    _running: Option<Running>,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.running -= 1;
        let is_awaited = state.shut > 0;
        drop(state);
        // Most often by nobody, and then it takes no call of the system.
        if is_awaited {
            self.0.changed.notify_all();
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        WITHIN.set(WITHIN.get() - 1);
    }
}

/// Marks the calling thread as a compute thread.
pub(crate) fn on_compute_thread() {
    WITHIN.set(1);
}

/// Begins work on the calling thread, when the gate is open.
pub(crate) fn enter() -> Entered {
    let running = (WITHIN.get() == 0).then(|| {
        let gate = GATE.get();
        let open = gate.changed.wait_while(gate.lock(), |state| state.shut > 0);
        open.unwrap_or_else(PoisonError::into_inner).running += 1;
        Running(gate)
    });
    WITHIN.set(WITHIN.get() + 1);
    Entered { _running: running }
}

/// Begins a job on a compute thread, or keeps `again` for when the gate is open.
pub(crate) fn begin(again: impl FnOnce() + Send + 'static) -> Option<Running> {
    let gate = GATE.get();
    let mut state = gate.lock();
    if state.shut > 0 {
        state.parked.push(Box::new(again));
        return None;
    }
    state.running += 1;
    drop(state);
    Some(Running(gate))
}

/// Lets nothing begin any more and waits until nothing runs, for `timeout` at most; whether nothing does.
pub(crate) fn shut(timeout: Duration) -> bool {
    WITHIN.set(WITHIN.get() + 1);
    let gate = GATE.get();
    let mut state = gate.lock();
    state.shut += 1;
    let waited = gate
        .changed
        .wait_timeout_while(state, timeout, |state| state.running > 0);
    let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
    state.running == 0
}

/// Undoes one [`shut`]. In a forked child, whose gate is new and open, there is nothing to undo but the mark.
pub(crate) fn open() {
    WITHIN.set(WITHIN.get().saturating_sub(1));
    let gate = GATE.get();
    let mut state = gate.lock();
    state.shut = state.shut.saturating_sub(1);
    let parked = match state.shut {
        0 => std::mem::take(&mut state.parked),
        _ => Vec::new(),
    };
    drop(state);
    gate.changed.notify_all();
    parked.into_iter().for_each(|again| again());
}
