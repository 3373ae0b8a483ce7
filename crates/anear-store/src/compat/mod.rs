//! Forms of other programs, read and written as ours.

pub(crate) mod langchain;
