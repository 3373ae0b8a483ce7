//! Values that belong to one process: a forked child gets its own.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwapOption, Guard};

/// A value that is made at its first use, and again at its first use in a forked child.
///
/// A child inherits memory but no threads: a thread pool there has nobody to work, and a lock that another thread held
/// is held for ever. So the child leaves the parent's value alone, which is neither used nor dropped there, and makes
/// one of its own. Nothing waits here, not even while another thread makes the value.
///
/// ```
/// use std::sync::Mutex;
/// use anear_pool::PerProcess;
///
/// static COUNTER: PerProcess<Mutex<u32>> = PerProcess::empty();
/// *COUNTER.get().lock().unwrap() += 1;
/// assert_eq!(*COUNTER.get().lock().unwrap(), 1);
/// ```
pub struct PerProcess<T>(ArcSwapOption<Owned<T>>);

struct Owned<T> {
    process: u32,
    value: Arc<T>,
}

impl<T> PerProcess<T> {
    /// No value yet.
    pub const fn empty() -> Self {
        Self(ArcSwapOption::const_empty())
    }

    /// With the value of this process.
    pub fn new(value: T) -> Self {
        Self(ArcSwapOption::from_pointee(Owned {
            process: std::process::id(),
            value: Arc::new(value),
        }))
    }

    /// The value of this process, made now if there is none. Of two threads that make it at once one's value is kept.
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> Arc<T> {
        self.get_in(std::process::id(), make)
    }

    /// [`get_or_init`](Self::get_or_init) of what may fail to be made; then there is still none.
    ///
    /// # Errors
    /// What `make` reports.
    pub fn get_or_try_init<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        self.try_get_in(std::process::id(), make)
    }

    fn get_in(&self, process: u32, make: impl FnOnce() -> T) -> Arc<T> {
        let Ok(value) = self.try_get_in(process, || Ok::<_, Infallible>(make()));
        value
    }

    fn try_get_in<E>(&self, process: u32, make: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let found = self.0.load();
        if let Some(owned) = found.as_ref().filter(|owned| owned.process == process) {
            return Ok(owned.value.clone());
        }
        let value = Arc::new(make()?);
        let fresh = Arc::new(Owned {
            process,
            value: value.clone(),
        });
        let before = Guard::into_inner(self.0.compare_and_swap(&found, Some(fresh)));
        Ok(match before {
            Some(owned) if owned.process == process => owned.value.clone(),
            foreign => {
                // The parent's value, with threads that are not here and locks in any state.
                std::mem::forget(foreign);
                value
            }
        })
    }

    fn leave(&mut self, process: u32) {
        let last = self.0.swap(None);
        if last.as_ref().is_some_and(|owned| owned.process != process) {
            std::mem::forget(last);
        }
    }
}

impl<T: Default> PerProcess<T> {
    /// The value of this process, at first the default.
    pub fn get(&self) -> Arc<T> {
        self.get_or_init(T::default)
    }
}

impl<T> Default for PerProcess<T> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<T> Drop for PerProcess<T> {
    /// A value of the parent's is left alone.
    fn drop(&mut self) {
        self.leave(std::process::id());
    }
}

impl<T> fmt::Debug for PerProcess<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PerProcess(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const PARENT: u32 = 1;
    const CHILD: u32 = 2;

    /// Counts the values that were dropped.
    struct Counted<'a>(&'a AtomicUsize);

    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_process_keeps_its_value_and_a_child_makes_its_own() {
        let value = PerProcess::empty();
        assert_eq!(*value.get_in(PARENT, || "parent"), "parent");
        assert_eq!(*value.get_in(PARENT, || unreachable!()), "parent");
        assert_eq!(*value.get_in(CHILD, || "child"), "child");
        assert_eq!(*value.get_in(CHILD, || unreachable!()), "child");
    }

    #[test]
    fn a_child_drops_its_own_value_and_never_the_parents() {
        let dropped = AtomicUsize::new(0);
        let mut used = PerProcess::empty();
        drop(used.get_in(PARENT, || Counted(&dropped)));
        drop(used.get_in(CHILD, || Counted(&dropped)));
        assert_eq!(dropped.load(Ordering::SeqCst), 0);
        used.leave(CHILD);
        assert_eq!(dropped.load(Ordering::SeqCst), 1);

        let mut unused = PerProcess::empty();
        drop(unused.get_in(PARENT, || Counted(&dropped)));
        unused.leave(CHILD);
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn threads_agree_on_one_value() {
        for _ in 0..200 {
            let (value, made) = (PerProcess::empty(), AtomicUsize::new(0));
            let seen: Vec<usize> = std::thread::scope(|scope| {
                let get = || *value.get_or_init(|| made.fetch_add(1, Ordering::SeqCst));
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(get)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
        }
    }
}
