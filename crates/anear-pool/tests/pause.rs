//! A paused process: what runs is waited for, what comes waits, and nobody waits for himself.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anear_pool::Pool;

const SOON: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_secs(20);

/// Pauses are the whole process's: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn jobs_that_come_during_a_pause_begin_after_it() {
    let _alone = alone();
    let pool = Pool::new(2).unwrap();
    assert!(Pool::pause(LONG));
    let (sender, receiver) = mpsc::channel();
    for job in 0..5 {
        let sender = sender.clone();
        let pool = if job % 2 == 0 { pool.clone() } else { pool.urgent() };
        pool.spawn(move || sender.send(job).unwrap());
    }
    let (mapper, mapped) = (pool.clone(), sender.clone());
    let outside = std::thread::spawn(move || mapped.send(mapper.map(3, |i| i).len()).unwrap());
    assert_eq!(receiver.recv_timeout(SOON), Err(RecvTimeoutError::Timeout));
    drop(sender);
    Pool::resume();
    let mut done: Vec<usize> = receiver.iter().collect();
    done.sort_unstable();
    assert_eq!(done, [0, 1, 2, 3, 3, 4]);
    outside.join().unwrap();
}

/// A pause waits for work that `begin` has begun.
fn check_waited_for(begin: impl FnOnce(Box<dyn FnOnce() + Send>)) {
    let (release, gate) = mpsc::channel::<()>();
    let (tell, begun) = mpsc::channel();
    begin(Box::new(move || {
        tell.send(()).unwrap();
        gate.recv().unwrap();
    }));
    begun.recv().unwrap();
    assert!(!Pool::pause(SOON), "the work is running");
    Pool::resume();
    let releaser = std::thread::spawn(move || {
        std::thread::sleep(SOON);
        release.send(()).unwrap();
    });
    assert!(Pool::pause(LONG), "the work has ended");
    Pool::resume();
    releaser.join().unwrap();
}

#[test]
fn a_pause_waits_for_running_jobs_and_for_work_on_other_threads() {
    let _alone = alone();
    let pool = Pool::new(1).unwrap();
    check_waited_for(|work| pool.spawn(work));
    check_waited_for(|work| pool.urgent().spawn(work));
    check_waited_for(|work| drop(std::thread::spawn(|| Pool::here(work))));
}

#[test]
fn a_running_job_finishes_its_maps_during_a_pause() {
    let _alone = alone();
    let (pool, other) = (Pool::new(2).unwrap(), Pool::new(1).unwrap());
    let (release, gate) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let inner = pool.clone();
    pool.spawn(move || {
        tell.send(0).unwrap();
        gate.recv().unwrap();
        tell.send(inner.map(8, |i| other.map(2, |j| i + j).len()).len())
            .unwrap();
    });
    assert_eq!(told.recv(), Ok(0));
    assert!(!Pool::pause(Duration::ZERO));
    release.send(()).unwrap();
    assert_eq!(told.recv_timeout(LONG), Ok(8));
    Pool::resume();
}

#[test]
fn the_thread_that_paused_may_compute_and_pauses_add_up() {
    let _alone = alone();
    let pool = Pool::new(2).unwrap();
    assert!(Pool::pause(LONG) && Pool::pause(LONG));
    assert_eq!(pool.map(3, |i| i), [0, 1, 2]);
    Pool::resume();
    let (sender, receiver) = mpsc::channel();
    pool.spawn(move || sender.send(()).unwrap());
    assert_eq!(receiver.recv_timeout(SOON), Err(RecvTimeoutError::Timeout));
    Pool::resume();
    receiver.recv_timeout(LONG).unwrap();
    // A resume too many opens nothing that is not open.
    Pool::resume();
    assert!(Pool::pause(LONG));
    Pool::resume();
}
