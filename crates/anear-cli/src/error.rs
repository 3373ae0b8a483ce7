//! What can go wrong, in one line each, and the exit code it leaves.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use crate::corpus::STDIN;

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// Something was found, or the work is done.
    Done = 0,
    /// The search was in order and found nothing.
    NothingFound = 1,
    /// The command line asks for something that cannot be.
    WrongUsage = 2,
    /// The work failed.
    Failed = 3,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
    #[error("{} is empty; there is no text to search", shown(path))]
    Empty { path: PathBuf },
    #[error("{} is a folder; name the files in it, for example {}", path.display(), path.join("*.txt").display())]
    Folder { path: PathBuf },
    #[error("cannot read {}: {source}", shown(path))]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is larger than {limit} bytes; cut it into several files", shown(path))]
    TooLarge { path: PathBuf, limit: u64 },
    #[error(
        "{} is not valid {encoding} at byte {offset}; name its encoding with --encoding, or let --encoding auto guess",
        shown(path)
    )]
    Encoding {
        path: PathBuf,
        encoding: &'static str,
        offset: usize,
    },
    #[error("{} was built with the model {saved:?}; say which to use with --embeddings", folder.display())]
    UnknownModel { folder: PathBuf, saved: String },
    #[error("{} does not say which model it was built with; name it with --embeddings", folder.display())]
    NoModel { folder: PathBuf },
    #[error("no API key: set {variable} to yours, or OPENAI_BASE_URL to a server that needs none")]
    NoKey { variable: &'static str },
    #[error("cannot write the answer: {0}")]
    Write(#[source] io::Error),
    #[error("cannot start the program's threads: {0}")]
    Runtime(#[source] io::Error),
    #[error("cannot write {}: {source}", path.display())]
    Picture { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Index(#[from] anear::index::Error),
    #[error(transparent)]
    Eval(#[from] anear::eval::Error),
    #[error(transparent)]
    Documents(#[from] anear::documents::Error),
    #[error(transparent)]
    Embeddings(#[from] anear::embeddings::Error),
    #[error(transparent)]
    Store(#[from] anear::Error),
}

impl Error {
    /// How the run ends.
    pub(crate) fn outcome(&self) -> Outcome {
        use anear::documents::Error as Documents;
        use anear::eval::Error as Eval;
        use anear::index::Error as Index;
        match self {
            // Whoever reads our answer has seen enough (`anear ask ... | head`): no failure of ours.
            Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe => Outcome::Done,
            Self::Usage(_) | Self::Index(Index::Metric { .. }) => Outcome::WrongUsage,
            Self::Eval(Eval::Extension { .. } | Eval::Synthetic { .. } | Eval::Target { .. }) => Outcome::WrongUsage,
            Self::Documents(
                Documents::ChunkSize(_) | Documents::ChunkOverlap { .. } | Documents::UnknownEncoding { .. },
            ) => Outcome::WrongUsage,
            _ => Outcome::Failed,
        }
    }

    /// The message with its causes, in one line.
    pub(crate) fn line(&self) -> String {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !line.contains(&text) {
                write!(line, ": {text}").expect("a string takes all text");
            }
            cause = error.source();
        }
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// A path as people read it.
pub(crate) fn shown(path: &Path) -> Cow<'_, str> {
    if path.as_os_str() == STDIN {
        "standard input".into()
    } else {
        path.to_string_lossy()
    }
}
