//! Where bytes live: aligned buffers, a checksummed container, bounded reading of foreign files,
//! and saved folders that a crash cannot tear.
//!
//! Nothing here knows of vectors or documents, and nothing here is async.
//!
//! * [`AlignedBytes`]: a growing buffer that can be viewed as numbers of any width, or a piece of a [`Mapping`].
//! * [`Mapping`]: a file that is in memory only where it is looked at; its promise is the one `unsafe` of this crate beside
//!   the advice to the system of [`try_reserve_large`]. [`Contents`] are mapped or in memory.
//! * [`Container`] and [`ContainerWriter`]: anear's own file format, in which every flipped bit is seen.
//! * [`Cursor`]: reads files that others wrote, never past their end, never allocating on their word.
//! * [`Fs`]: the one way to files, so that every fault of a disk is an ordinary test (feature `testing`).
//! * [`save_generation`] and [`load_generation`]: replace a set of files as one, whatever happens meanwhile.
//! * [`digest::sha256`] and [`name::check`]: what identifies a file, and what may name one.
#![deny(unsafe_code)]

mod aligned;
mod container;
mod contents;
mod cursor;
pub mod digest;
mod error;
mod fs;
mod generation;
mod mapping;
pub mod name;
mod pages;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use aligned::{ALIGNMENT, AlignedBytes};
pub use container::{Container, ContainerWriter, FORMAT_VERSION, Verify};
pub use contents::Contents;
pub use cursor::Cursor;
pub use error::{Error, Result};
pub use fs::{Entry, FileWriter, Fs, Lock, RealFs};
pub use generation::{Loaded, Payload, load_generation, save_generation};
pub use mapping::Mapping;
pub use pages::try_reserve_large;
