//! The program as a user runs it: arguments in, exit code and both outputs out.

#![allow(dead_code, reason = "each test file uses a part of this")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const QUESTION: &str = "What did the president say about Ketanji Brown Jackson";

/// The text that the README asks.
pub(crate) fn speech() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../anear/examples/nomination.txt")
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// `anear` with arguments, in an environment without keys.
pub(crate) fn command<I: IntoIterator<Item: AsRef<std::ffi::OsStr>>>(args: I) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anear"));
    command.args(args).stdin(Stdio::null());
    for key in [
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "OPENAI_API_BASE",
        "ANEAR_ISA",
        "FAISS_NO_AVX2",
    ] {
        command.env_remove(key);
    }
    command
}

pub(crate) fn anear<I: IntoIterator<Item: AsRef<std::ffi::OsStr>>>(args: I) -> Run {
    command(args).output().expect("the program starts").into()
}

/// The same with `input` on standard input.
pub(crate) fn anear_reading<I: IntoIterator<Item: AsRef<std::ffi::OsStr>>>(args: I, input: &[u8]) -> Run {
    let mut child = command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child
        .stdin
        .take()
        .expect("it is piped")
        .write_all(input)
        .expect("the program reads its input");
    child.wait_with_output().expect("the program ends").into()
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("answers are UTF-8"),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Run {
    /// The answers of a run with `--json` that found something.
    #[track_caller]
    pub(crate) fn answers(&self) -> Vec<Value> {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).expect("each line is JSON"))
            .collect()
    }

    /// A run that ends with `code` and says in one line what is wrong, with all of `words` in it.
    #[track_caller]
    pub(crate) fn complains(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "", "nothing but answers goes to standard output");
        assert!(self.stderr.starts_with("anear: "), "{}", self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "no `{word}` in: {}", self.stderr);
        }
    }
}

/// A folder with these files in it.
pub(crate) fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).expect("a temporary file");
    }
    folder
}

/// A path as an argument.
pub(crate) fn arg(path: impl AsRef<Path>) -> String {
    path.as_ref().to_str().expect("test paths are UTF-8").to_owned()
}

/// About `len` bytes of prose without repetition of whole paragraphs, the same every time.
pub(crate) fn prose(len: usize) -> String {
    const WORDS: [&str; 24] = [
        "harbor", "the", "ship", "winter", "a", "letter", "of", "stone", "carried", "and", "music", "over", "quiet",
        "market", "in", "forest", "seldom", "river", "under", "wrote", "with", "seven", "lanterns", "old",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut text = String::with_capacity(len + 16);
    for i in 1.. {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text.push_str(WORDS[(state >> 33) as usize % WORDS.len()]);
        text.push_str(match i % 97 {
            0 => ".\n\n",
            n if n % 12 == 0 => ". ",
            _ => " ",
        });
        if text.len() >= len {
            break;
        }
    }
    text
}
