//! Disks for tests: one that fails at the Nth call, and one that can be cut from power.
//!
//! Both are behind the feature `testing`, for every crate that saves through [`Fs`](crate::Fs).

mod countdown;
mod crash;

pub use countdown::{CountdownFs, Fault};
pub use crash::{CRASH_IMAGES_MAX, CrashFs};
