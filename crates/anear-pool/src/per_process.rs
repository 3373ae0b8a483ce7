//! A value for each process: what a fork must not share.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

/// A value that belongs to one process, such as threads or a lock that threads hold: a forked child makes its own at its
/// first use, and leaves the parent's untouched.
///
/// ```
/// use std::convert::Infallible;
/// use anear_pool::PerProcess;
///
/// let value = PerProcess::new();
/// assert_eq!(value.get_or_try_init(|| Ok::<_, Infallible>(1)), Ok(1));
/// assert_eq!(value.get_or_try_init(|| Ok::<_, Infallible>(2)), Ok(1));
/// ```
pub struct PerProcess<T>(ArcSwapOption<(u32, T)>);

impl<T: Clone> PerProcess<T> {
    /// No value yet.
    pub const fn new() -> Self {
        Self(ArcSwapOption::const_empty())
    }

    /// This process's value, made now if there is none. Two threads that come first at the same time may both make one;
    /// one of the two is kept.
    ///
    /// # Errors
    /// What `make` reports; then there is still none.
    pub fn get_or_try_init<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.get_in(std::process::id(), make)
    }

    fn get_in<E>(&self, process: u32, make: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let known = self.0.load();
        if let Some((_, value)) = known.as_deref().filter(|(owner, _)| *owner == process) {
            return Ok(value.clone());
        }
        let made = Arc::new((process, make()?));
        let before = self.0.compare_and_swap(&known, Some(made.clone()));
        match &*before {
            // Another thread of this process was quicker.
            Some(other) if other.0 == process => Ok(other.1.clone()),
            // What stays behind belongs to the parent process: dropping it would wait for threads that do not exist here.
            stranger => {
                std::mem::forget(stranger.clone());
                Ok(made.1.clone())
            }
        }
    }
}

impl<T: Clone> Default for PerProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for PerProcess<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PerProcess")
            .field(&self.0.load().as_deref().map(|known| &known.1))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_has_its_own_and_the_parents_is_never_dropped() {
        struct Parents(Arc<()>);
        let kept = Arc::new(());
        let value = PerProcess::new();
        let of = |process| {
            let kept = kept.clone();
            value.get_in(process, || Ok::<_, ()>(Arc::new(Parents(kept))))
        };
        let first = of(1).unwrap();
        assert!(Arc::ptr_eq(&first, &of(1).unwrap()));
        let second = of(2).unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&second, &of(2).unwrap()));
        drop(first);
        assert_eq!(Arc::strong_count(&second.0), 3, "the one of process 1 lives on");
    }

    #[test]
    fn a_failure_leaves_room_for_another_try() {
        let value = PerProcess::new();
        assert_eq!(value.get_in(1, || Err("no")), Err("no"));
        assert_eq!(value.get_in(1, || Ok::<_, &str>(5)), Ok(5));
    }
}
