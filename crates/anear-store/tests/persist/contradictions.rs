//! Containers whose checksums hold and whose sections do not belong together, as no save of ours writes them.

use anear_bytes::{Container, ContainerWriter, RealFs};
use anear_store::{Error, LocalStore};

use super::scene::{Version, block_on, builder, empty, first, second, written};

const TAGS: [[u8; 4]; 3] = [*b"meta", *b"docs", *b"indx"];

/// The sections of a serialized store.
#[derive(Clone)]
struct Sections {
    meta: String,
    documents: String,
    index: Option<Vec<u8>>,
}

impl Sections {
    fn of(version: &Version) -> Self {
        let bytes = block_on(version.store(RealFs).serialize_to_bytes()).unwrap();
        let container = Container::parse(&bytes, *b"stor", &TAGS).unwrap();
        let text = |tag| String::from_utf8(container.section(tag).unwrap().to_vec()).unwrap();
        Self {
            meta: text(*b"meta"),
            documents: text(*b"docs"),
            index: container.optional(*b"indx").map(<[u8]>::to_vec),
        }
    }

    fn load(&self) -> Result<LocalStore, Error> {
        let container = ContainerWriter::new(*b"stor")
            .section(*b"meta", self.meta.as_bytes())
            .section(*b"docs", self.documents.as_bytes());
        let bytes = match &self.index {
            Some(index) => container.section(*b"indx", &index[..]).finish(),
            None => container.finish(),
        };
        block_on(builder(RealFs).deserialize_from_bytes(bytes))
    }

    fn refused(change: impl FnOnce(&mut Self)) -> Error {
        let mut sections = Self::of(&first());
        change(&mut sections);
        sections.load().expect_err("sections that do not belong together")
    }
}

#[test]
fn sections_put_together_as_they_were_are_the_store() {
    assert_eq!(written(&Sections::of(&first()).load().unwrap()), first().written());
}

#[test]
fn sections_that_contradict_each_other_are_refused() {
    let (one, other, none) = (Sections::of(&first()), Sections::of(&second()), Sections::of(&empty()));
    let meta = |error: Error, needle: &str| {
        assert!(matches!(error, Error::Meta(_)), "{error:?}");
        assert!(error.to_string().contains(needle), "{error}");
    };
    meta(
        Sections::refused(|s| s.documents = other.documents.clone()),
        "it says number of documents 2, but 3 is there",
    );
    meta(
        Sections::refused(|s| s.documents = none.documents.clone()),
        "it says number of documents 2, but 0 is there",
    );
    meta(
        Sections::refused(|s| s.meta = none.meta.clone()),
        "it says number of documents 0, but 2 is there",
    );
    meta(
        Sections::refused(|s| s.index = None),
        "it says dimension 3, but 0 is there",
    );
    meta(
        Sections::refused(|s| s.meta = s.meta.replace("\"dim\":3", "\"dim\":4")),
        "it says dimension 4, but 3 is there",
    );
    let metric = format!("\"metric\":\"{}\"", anear_kernels::Metric::L2.name());
    assert!(one.meta.contains(&metric));
    meta(
        Sections::refused(|s| s.meta = s.meta.replace(&metric, "\"metric\":\"cosine\"")),
        "metric",
    );
    meta(
        Sections::refused(|s| s.meta = s.meta.replace(&metric, "\"metric\":\"hamming\"")),
        "`hamming`",
    );
    meta(
        Sections::refused(|s| s.documents = s.documents.replace("\"foo\"", "\"foo")),
        "document 0",
    );
    meta(Sections::refused(|s| s.meta.push('x')), "trailing");
    meta(
        Sections::refused(|s| s.meta = s.meta.replacen('{', "{\"extra\":1,", 1)),
        "extra",
    );

    let error = Sections::refused(|s| s.index = other.index.clone());
    assert!(matches!(error, Error::Meta(_) | Error::Lengths { .. }), "{error:?}");
    let no_vectors = |s: &mut Sections| {
        s.index = None;
        s.meta = s.meta.replace("\"dim\":3", "\"dim\":null");
    };
    let error = Sections::refused(no_vectors);
    assert!(matches!(&error, Error::NoVector { id } if id == "a"), "{error:?}");
}

#[test]
fn documents_without_an_id_or_with_the_same_are_refused() {
    for (from, to) in [("\"id\":\"b\",", ""), ("\"id\":\"b\"", "\"id\":\"a\"")] {
        let error = Sections::refused(|s| s.documents = s.documents.replace(from, to));
        assert!(matches!(error, Error::Documents(_)), "{error:?}");
    }
}

#[test]
fn a_store_of_a_later_anear_is_refused_as_such() {
    let newer = |s: &mut Sections| s.meta = "{\"version\":2,\"all\":\"new\"}".to_owned();
    let error = Sections::refused(newer);
    assert!(matches!(error, Error::NewerStore { found: 2, known: 1 }), "{error:?}");
    assert!(error.to_string().contains("update anear"), "{error}");
}
