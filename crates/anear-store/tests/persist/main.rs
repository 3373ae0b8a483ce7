//! Saved stores: what comes back, from our folders and bytes and from LangChain's, and what a failing disk, a power
//! cut, damage or a hostile name can do to them.
// The counts are part of what these tests report.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod contradictions;
mod crashes;
mod damage;
mod faults;
mod langchain;
mod meanwhile;
mod paths;
mod python;
mod round_trip;
mod scene;
mod settings;
mod values;
