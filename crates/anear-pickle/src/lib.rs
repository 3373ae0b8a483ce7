//! Reads Python pickles as data, never as code, and writes the ones LangChain opens.
//!
//! A pickle is a program for a small stack machine, and Python's own loader lets that program import
//! and call anything. This crate runs the same opcodes over plain data instead: a name in the pickle
//! is a symbol that is looked up in one fixed table ([`Error::Forbidden`] otherwise), calling a symbol
//! means checking its arguments and writing down the value they describe, and nothing is ever imported
//! or executed. No option changes that. Work and memory stay proportional to the input ([`Limits`]).
//!
//! * [`read_index_pkl`] and [`read_bytes_pkl`] read what any release of LangChain's FAISS store wrote;
//!   [`write_index_pkl`] and [`write_bytes_pkl`] write what all of them open.
//! * [`read()`] and [`write()`] do the same for one plain [`Value`].
//!
//! ```
//! use anear_pickle::{Value, read, write};
//!
//! let value = Value::List(vec![Value::Int(1), Value::Str("eins".into())]);
//! assert_eq!(read(&write(&value)?)?, value);
//!
//! let attack = b"cos\nsystem\n(S'true'\ntR.";
//! assert_eq!(
//!     read(attack).unwrap_err().to_string(),
//!     "the pickle names `os.system`, which is refused: only data can be loaded from a pickle, never code",
//! );
//! # Ok::<(), anear_pickle::Error>(())
//! ```
#![forbid(unsafe_code)]

mod allowed;
mod civil;
mod construct;
mod decode;
mod error;
mod graph;
mod input;
mod langchain;
mod limits;
mod literal;
mod machine;
mod number;
mod numpy;
mod opcode;
mod path;
mod read;
mod value;
mod write;

pub use allowed::FaissClass;
pub use civil::{Date, DateTime, Delta, Offset, Time};
pub use error::{Error, Result};
pub use langchain::{
    FaissIndex, SavedDocstore, SavedDocument, read_bytes_pkl, read_bytes_pkl_with, read_index_pkl, read_index_pkl_with,
    write_bytes_pkl, write_index_pkl,
};
pub use limits::Limits;
pub use number::{BigInt, Decimal, Uuid};
pub use read::{read, read_with};
pub use value::Value;
pub use write::write;
