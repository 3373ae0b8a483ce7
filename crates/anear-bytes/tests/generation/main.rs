//! Saved stores: the old version or the new one, whatever happens while one replaces the other.
#![allow(clippy::print_stdout, reason = "the tests say how much they covered")]

mod crashes;
mod damage;
mod faults;
mod readers;
mod real;
mod scene;
