//! Which jobs run in this process, and whether others may begin.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

static RUNNING: AtomicUsize = AtomicUsize::new(0);
static PAUSED: AtomicBool = AtomicBool::new(false);

/// How often those look who wait for the gate. They wait around a fork only, for moments.
const INTERVAL: Duration = Duration::from_micros(200);

/// Counts as running until dropped.
pub(crate) struct Running(());

/// Waits while paused, then counts as running.
pub(crate) fn enter() -> Running {
    loop {
        RUNNING.fetch_add(1, Ordering::SeqCst);
        let running = Running(());
        if !is_paused() {
            return running;
        }
        drop(running);
        thread::sleep(INTERVAL);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(crate) fn is_paused() -> bool {
    PAUSED.load(Ordering::SeqCst)
}

/// Lets nobody enter, and waits until nobody is inside or `patience` is over.
pub(crate) fn pause(patience: Duration) {
    PAUSED.store(true, Ordering::SeqCst);
    let end = Instant::now() + patience;
    while RUNNING.load(Ordering::SeqCst) > 0 && Instant::now() < end {
        thread::sleep(INTERVAL);
    }
}

/// Lets everybody enter again.
pub(crate) fn resume() {
    PAUSED.store(false, Ordering::SeqCst);
}

/// Lets everybody enter a gate at which nobody is: those who were stayed in the parent process.
pub(crate) fn reset() {
    RUNNING.store(0, Ordering::SeqCst);
    resume();
}
