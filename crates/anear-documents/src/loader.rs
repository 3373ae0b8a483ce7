//! Text files as documents.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anear_pool::Pool;
use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use futures::{Stream, TryStreamExt, stream};

use crate::{Document, Error, Result, TextSplitter};

/// Names that Python users write and the WHATWG Encoding Standard lacks.
const PYTHON_NAMES: [(&str, &str); 7] = [
    ("utf-8-sig", "utf-8"),
    ("utf_8", "utf-8"),
    ("latin-1", "windows-1252"),
    ("cp949", "euc-kr"),
    ("cp932", "shift_jis"),
    ("cp936", "gbk"),
    ("cp950", "big5"),
];

/// Loads one text file as one document, as LangChain's `TextLoader` does.
///
/// * The document's metadata is `{"source": path}`, the path as given.
/// * `\r\n` and `\r` become `\n`.
/// * The encoding is UTF-8 unless another is named; a byte order mark at the beginning is removed.
/// * Bytes that do not fit are an error that says where they are; with
///   [`autodetect_encoding`](TextLoader::autodetect_encoding) other encodings are tried first.
///
/// ```
/// use anear_documents::TextLoader;
///
/// let path = std::env::temp_dir().join(format!("anear-loader-{}.txt", std::process::id()));
/// std::fs::write(&path, "two\r\nlines")?;
/// let documents = TextLoader::new(&path).load()?;
/// assert_eq!(documents[0].page_content, "two\nlines");
/// assert_eq!(documents[0].metadata["source"].as_str(), path.to_str());
/// # std::fs::remove_file(path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TextLoader {
    path: PathBuf,
    encoding: Option<String>,
    autodetect: bool,
    bytes_max: u64,
}

impl TextLoader {
    /// Most bytes a file may have unless [`max_bytes`](TextLoader::max_bytes) says otherwise: 1 GiB.
    pub const MAX_BYTES: u64 = 1 << 30;

    /// A loader of the file at `path`, which is opened when it is loaded.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            encoding: None,
            autodetect: false,
            bytes_max: Self::MAX_BYTES,
        }
    }

    /// Reads the file in this encoding: a label of the WHATWG Encoding Standard, for instance `utf-8`, `euc-kr`,
    /// `shift_jis`, `utf-16le`; `latin1` means windows-1252 there. Python's `cp949`, `cp932`, `cp936`, `cp950`, `latin-1` and
    /// `utf-8-sig` are known too.
    #[must_use]
    pub fn encoding(mut self, label: impl Into<String>) -> Self {
        self.encoding = Some(label.into());
        self
    }

    /// Whether a file that is not in the expected encoding is read in the one its bytes suggest.
    #[must_use]
    pub fn autodetect_encoding(mut self, autodetect: bool) -> Self {
        self.autodetect = autodetect;
        self
    }

    /// Refuses files of more bytes than this.
    #[must_use]
    pub fn max_bytes(mut self, max: u64) -> Self {
        self.bytes_max = max;
        self
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::FileTooLarge`], [`Error::UnknownEncoding`], or [`Error::NotText`] with the offset of
    /// the first byte that does not fit.
    pub fn load(&self) -> Result<Vec<Document>> {
        self.lazy_load().collect()
    }

    /// The documents one by one; the file is read when the first is asked for.
    pub fn lazy_load(&self) -> impl Iterator<Item = Result<Document>> + '_ {
        std::iter::once_with(|| self.read())
    }

    /// Reads the file on the compute pool.
    ///
    /// # Errors
    /// As [`load`](TextLoader::load), and [`Error::Panicked`].
    pub async fn aload(&self) -> Result<Vec<Document>> {
        self.alazy_load().try_collect().await
    }

    /// The documents one by one, each read on the compute pool when it is asked for.
    pub fn alazy_load(&self) -> impl Stream<Item = Result<Document>> + Send + 'static {
        let loader = self.clone();
        stream::once(async move { Pool::global().run(move || loader.read()).await? })
    }

    /// Reads the file and cuts its text.
    ///
    /// # Errors
    /// As [`load`](TextLoader::load) and [`TextSplitter::split_documents`].
    pub fn load_and_split(&self, splitter: &dyn TextSplitter) -> Result<Vec<Document>> {
        splitter.split_documents(&self.load()?)
    }

    fn read(&self) -> Result<Document> {
        let encoding = self.named_encoding()?;
        let text = self.decode(self.bytes()?, encoding)?;
        Ok(Document::new(universal_newlines(text)).with_metadata("source", self.path.to_string_lossy().as_ref()))
    }

    fn named_encoding(&self) -> Result<&'static Encoding> {
        match &self.encoding {
            None => Ok(UTF_8),
            Some(label) => {
                let alias = PYTHON_NAMES
                    .iter()
                    .find(|(python, _)| label.eq_ignore_ascii_case(python));
                let standard = alias.map_or(label.as_str(), |(_, standard)| standard);
                Encoding::for_label(standard.as_bytes()).ok_or_else(|| Error::UnknownEncoding { label: label.clone() })
            }
        }
    }

    fn bytes(&self) -> Result<Vec<u8>> {
        let failed = |source| Error::Read {
            path: self.path.clone(),
            source,
        };
        let file = File::open(&self.path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        let mut bytes = Vec::with_capacity(len.min(self.bytes_max) as usize);
        // One byte more than allowed shows that there is more, also where the length is not known.
        file.take(self.bytes_max.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if bytes.len() as u64 > self.bytes_max {
            return Err(Error::FileTooLarge {
                path: self.path.clone(),
                limit: self.bytes_max,
            });
        }
        Ok(bytes)
    }

    fn decode(&self, bytes: Vec<u8>, encoding: &'static Encoding) -> Result<String> {
        let (bytes, offset) = match decode(bytes, encoding) {
            Ok(text) => return Ok(text),
            Err(failure) => failure,
        };
        if !self.autodetect {
            return Err(not_text(
                &self.path,
                encoding,
                offset,
                "name its encoding with `encoding` or let `autodetect_encoding` find it",
            ));
        }
        let detected = detect(&bytes);
        decode(bytes, detected).map_err(|(_, offset)| {
            not_text(
                &self.path,
                detected,
                offset,
                "no encoding fits; name the right one with `encoding`",
            )
        })
    }
}

fn not_text(path: &Path, encoding: &'static Encoding, offset: usize, hint: &'static str) -> Error {
    Error::NotText {
        path: path.into(),
        encoding: encoding.name(),
        offset,
        hint,
    }
}

/// The encoding that the byte order mark names, else the one the bytes look like.
fn detect(bytes: &[u8]) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    detector.guess(None, Utf8Detection::Allow)
}

/// Decodes all bytes, or gives them back with the offset of the first that does not fit.
fn decode(bytes: Vec<u8>, encoding: &'static Encoding) -> Result<String, (Vec<u8>, usize)> {
    let (encoding, mark) = match Encoding::for_bom(&bytes) {
        // A label `utf-16` means little endian; the mark knows better.
        Some((marked, mark)) if marked == encoding || is_utf_16(marked) && is_utf_16(encoding) => (marked, mark),
        _ => (encoding, 0),
    };
    if encoding == UTF_8 {
        return match String::from_utf8(bytes) {
            Ok(mut text) => {
                text.drain(..mark);
                Ok(text)
            }
            Err(error) => {
                let offset = error.utf8_error().valid_up_to();
                Err((error.into_bytes(), offset))
            }
        };
    }
    decode_foreign(&bytes[mark..], encoding).map_err(|offset| (bytes, mark + offset))
}

fn is_utf_16(encoding: &'static Encoding) -> bool {
    encoding == UTF_16LE || encoding == UTF_16BE
}

fn decode_foreign(bytes: &[u8], encoding: &'static Encoding) -> Result<String, usize> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut text = String::with_capacity(
        decoder
            .max_utf8_buffer_length_without_replacement(bytes.len())
            .unwrap_or(0),
    );
    let mut read = 0;
    loop {
        let (result, more) = decoder.decode_to_string_without_replacement(&bytes[read..], &mut text, true);
        read += more;
        match result {
            DecoderResult::InputEmpty => return Ok(text),
            DecoderResult::OutputFull => text.reserve(4096),
            DecoderResult::Malformed(bad, after) => return Err(read - usize::from(bad) - usize::from(after)),
        }
    }
}

/// Turns `\r\n` and `\r` into `\n`.
fn universal_newlines(text: String) -> String {
    if !text.contains('\r') {
        return text;
    }
    let mut lines = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((line, after)) = rest.split_once('\r') {
        lines.push_str(line);
        lines.push('\n');
        rest = after.strip_prefix('\n').unwrap_or(after);
    }
    lines + rest
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    /// A file that is removed when the test ends.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str, bytes: &[u8]) -> Self {
            let path = std::env::temp_dir().join(format!("anear-documents-{}-{name}.txt", std::process::id()));
            std::fs::write(&path, bytes).unwrap();
            Self(path)
        }

        fn loader(&self) -> TextLoader {
            TextLoader::new(&self.0)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).unwrap();
        }
    }

    fn text(loader: &TextLoader) -> String {
        loader.load().unwrap().remove(0).page_content
    }

    #[test]
    fn every_line_end_becomes_a_newline() {
        let file = Scratch::new("lines", b"a\r\nb\rc\nd\r\r\n\re\r");
        assert_eq!(text(&file.loader()), "a\nb\nc\nd\n\n\ne\n");
    }

    #[test]
    fn a_byte_order_mark_is_removed() {
        let file = Scratch::new("mark", "\u{feff}가".as_bytes());
        assert_eq!(text(&file.loader()), "가");
        let wide: Vec<u8> = [0xfe, 0xff]
            .into_iter()
            .chain("\u{ac00}b".encode_utf16().flat_map(u16::to_be_bytes))
            .collect();
        let file = Scratch::new("wide", &wide);
        assert_eq!(text(&file.loader().encoding("utf-16")), "가b");
        assert_eq!(text(&file.loader().autodetect_encoding(true)), "가b");
    }

    #[test]
    fn bytes_that_are_not_text_are_named_with_the_way_out() {
        let file = Scratch::new("latin", b"caf\xe9 au lait, d\xe9j\xe0 vu, tr\xe8s bien");
        let error = file.loader().load().unwrap_err().to_string();
        assert!(
            error.contains("latin.txt is not valid UTF-8 at byte 3") && error.contains("autodetect_encoding"),
            "{error}"
        );
        assert_eq!(
            text(&file.loader().autodetect_encoding(true)),
            "café au lait, déjà vu, très bien"
        );
        assert_eq!(
            text(&file.loader().encoding("latin1")),
            "café au lait, déjà vu, très bien"
        );
        let error = file.loader().encoding("euc-kr").load().unwrap_err().to_string();
        assert!(error.contains("not valid EUC-KR at byte 3"), "{error}");
    }

    #[test]
    fn korean_in_another_encoding_is_detected() {
        let korean = "나라의 말이 중국과 달라 문자와 서로 통하지 아니하므로 어리석은 백성이 말하고자 하는 바가 있어도";
        let file = Scratch::new("korean", &encoding_rs::EUC_KR.encode(korean).0);
        assert_eq!(text(&file.loader().autodetect_encoding(true)), korean);
        assert_eq!(text(&file.loader().encoding("cp949")), korean);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let missing = TextLoader::new("no/such/file.txt");
        assert!(
            missing
                .load()
                .unwrap_err()
                .to_string()
                .starts_with("cannot read no/such/file.txt: ")
        );
        assert!(matches!(block_on(missing.aload()), Err(Error::Read { .. })));
        let file = Scratch::new("large", &[b'x'; 100]);
        assert!(
            file.loader()
                .max_bytes(99)
                .load()
                .unwrap_err()
                .to_string()
                .contains("larger than 99 bytes")
        );
        assert_eq!(text(&file.loader().max_bytes(100)).len(), 100);
        assert!(
            file.loader()
                .encoding("utf-9")
                .load()
                .unwrap_err()
                .to_string()
                .contains("unknown encoding `utf-9`")
        );
        assert!(TextLoader::new(std::env::temp_dir()).load().is_err());
    }

    #[test]
    fn an_empty_file_is_an_empty_document_in_every_way_of_loading() {
        let file = Scratch::new("empty", b"");
        let expected = vec![Document::new("").with_metadata("source", file.0.to_str().unwrap())];
        assert_eq!(file.loader().load().unwrap(), expected);
        assert_eq!(file.loader().lazy_load().collect::<Result<Vec<_>>>().unwrap(), expected);
        assert_eq!(block_on(file.loader().aload()).unwrap(), expected);
        assert_eq!(
            block_on(file.loader().alazy_load().try_collect::<Vec<_>>()).unwrap(),
            expected
        );
    }
}
