//! From files to passages: read, split, and note where each passage begins.

use std::path::{Path, PathBuf};
use std::{fs, io};

use anear::{
    Document, Metadata, Pool, RecursiveCharacterTextSplitter, SplitOptions, TextLoader, TextSplitter as _, Value,
};
use tempfile::NamedTempFile;

use crate::args::TextArgs;
use crate::error::{Error, Result};
use crate::progress::When;

/// The file name that means standard input.
pub(crate) const STDIN: &str = "-";
/// Metadata: the file, as it was named.
pub(crate) const SOURCE: &str = "source";
/// Metadata: where the passage begins, in characters from 0.
pub(crate) const START_INDEX: &str = "start_index";
/// Metadata: the line on which the passage begins, from 1.
pub(crate) const START_LINE: &str = "start_line";

/// The passages of all files, in order; at least one for each.
pub(crate) async fn passages(args: &TextArgs, progress: When) -> Result<Vec<Document>> {
    let cutter = Cutter::new(args)?;
    let texts = read(&args.files, &args.encoding, progress).await?;
    let _stage = progress.endless("splitting");
    let cut = move || {
        texts
            .into_iter()
            .map(|text| cutter.passages(text))
            .collect::<Result<Vec<_>>>()
    };
    let passages = Pool::global().run(cut).await.map_err(anear::documents::Error::from)??;
    Ok(passages.into_iter().flatten().collect())
}

/// One document for each file.
async fn read(files: &[PathBuf], encoding: &str, progress: When) -> Result<Vec<Document>> {
    let sizes = check(files)?;
    let stage = progress.bytes("reading", sizes.iter().sum());
    let mut texts = Vec::with_capacity(files.len());
    for (path, size) in files.iter().zip(sizes) {
        let text = if path.as_os_str() == STDIN {
            load_stdin(encoding).await
        } else {
            load(path, encoding).await
        };
        let text = text.map_err(|error| named(error, path))?;
        if text.page_content.is_empty() {
            return Err(Error::Empty { path: path.clone() });
        }
        texts.push(text.with_metadata(SOURCE, &*path.to_string_lossy()));
        stage.advance(size);
    }
    Ok(texts)
}

/// Refuses what can be refused before any work is done; the size of each file in bytes, 0 for standard input.
fn check(files: &[PathBuf]) -> Result<Vec<u64>> {
    if files.iter().filter(|path| path.as_os_str() == STDIN).count() > 1 {
        return Err(Error::Usage(
            "standard input can be read only once; name `-` once".into(),
        ));
    }
    files
        .iter()
        .map(|path| if path.as_os_str() == STDIN { Ok(0) } else { size(path) })
        .collect()
}

fn size(path: &Path) -> Result<u64> {
    let metadata = fs::metadata(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    if metadata.is_dir() {
        Err(Error::Folder { path: path.to_owned() })
    } else {
        Ok(metadata.len())
    }
}

async fn load(path: &Path, encoding: &str) -> Result<Document> {
    let loader = match encoding {
        "auto" => TextLoader::new(path).autodetect_encoding(true),
        label => TextLoader::new(path).encoding(label),
    };
    let documents = loader.aload().await?;
    Ok(documents.into_iter().next().unwrap_or_default())
}

/// Standard input goes through a file, so that it is decoded exactly as a file is.
async fn load_stdin(encoding: &str) -> Result<Document> {
    let copied = NamedTempFile::new().and_then(|mut file| io::copy(&mut io::stdin().lock(), &mut file).map(|_| file));
    let file = copied.map_err(|source| Error::Read {
        path: STDIN.into(),
        source,
    })?;
    load(file.path(), encoding).await
}

/// A loader's error in the words of the command line, about the file as the user named it.
fn named(error: Error, path: &Path) -> Error {
    use anear::documents::Error as Documents;
    let path = path.to_owned();
    match error {
        Error::Documents(Documents::Read { source, .. }) => Error::Read { path, source },
        Error::Documents(Documents::FileTooLarge { limit, .. }) => Error::TooLarge { path, limit },
        Error::Documents(Documents::NotText { encoding, offset, .. }) => Error::Encoding { path, encoding, offset },
        other => other,
    }
}

/// How a text becomes passages.
#[derive(Debug)]
struct Cutter {
    splitter: RecursiveCharacterTextSplitter,
    /// For a text of nothing but white space: it is somebody's text too, so it is not stripped to nothing.
    unstripped: RecursiveCharacterTextSplitter,
}

impl Cutter {
    fn new(args: &TextArgs) -> Result<Self> {
        let options = SplitOptions {
            add_start_index: true,
            ..SplitOptions::sized(args.chunk_size, args.chunk_overlap)
        };
        let unstripped = SplitOptions {
            strip_whitespace: false,
            ..options.clone()
        };
        let (splitter, unstripped) = (
            RecursiveCharacterTextSplitter::new(options)?,
            RecursiveCharacterTextSplitter::new(unstripped)?,
        );
        Ok(Self { splitter, unstripped })
    }

    fn passages(&self, text: Document) -> Result<Vec<Document>> {
        let text = [text];
        let mut passages = self.splitter.split_documents(&text)?;
        if passages.is_empty() {
            passages = self.unstripped.split_documents(&text)?;
        }
        let [text] = text;
        let newlines = newlines(&text.page_content);
        for passage in &mut passages {
            note_line(&mut passage.metadata, &newlines);
        }
        Ok(passages)
    }
}

/// Where the lines of a text end, in characters.
fn newlines(text: &str) -> Vec<usize> {
    text.chars()
        .enumerate()
        .filter(|(_, char)| *char == '\n')
        .map(|(index, _)| index)
        .collect()
}

/// Adds the line on which a passage begins, if it is known where it begins.
fn note_line(metadata: &mut Metadata, newlines: &[usize]) {
    let start = metadata.get(START_INDEX).and_then(Value::as_i64);
    if let Some(start) = start.and_then(|start| usize::try_from(start).ok()) {
        let line = newlines.partition_point(|&newline| newline < start) + 1;
        metadata.insert(START_LINE.into(), (line as i64).into());
    }
}
