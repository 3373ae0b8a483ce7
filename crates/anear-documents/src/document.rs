//! A text with its id and metadata.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::Value;

/// The name under which a document is kept.
pub type DocumentId = String;

/// What is known about a document besides its text: names and values, in the order given.
///
/// Equality ignores the order.
pub type Metadata = IndexMap<String, Value>;

/// A text, what is known about it, and (once stored) its id.
///
/// The JSON form is stable: `{"id": "a", "page_content": "foo", "metadata": {"page": 1}}`; `id` and `metadata` may
/// be missing, metadata values are written as [`Value`] describes.
///
/// ```
/// use anear_documents::Document;
///
/// let document = Document::new("foo").with_id("a").with_metadata("page", 1);
/// let json = serde_json::to_string(&document)?;
/// assert_eq!(json, r#"{"id":"a","page_content":"foo","metadata":{"page":1}}"#);
/// assert_eq!(serde_json::from_str::<Document>(&json)?, document);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// The id; `None` until someone gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<DocumentId>,
    /// The text.
    pub page_content: String,
    /// What is known about the text.
    #[serde(default)]
    pub metadata: Metadata,
}

impl Document {
    /// A document with this text, no id and no metadata.
    pub fn new(page_content: impl Into<String>) -> Self {
        Self {
            page_content: page_content.into(),
            ..Self::default()
        }
    }

    /// The same document under this id.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<DocumentId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The same document with one more metadata value; an older value of this name is replaced.
    #[must_use]
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }
}
