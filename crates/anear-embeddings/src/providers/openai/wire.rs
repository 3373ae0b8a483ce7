//! Reads a server's answers.

use std::fmt;
use std::sync::OnceLock;

use base64::Engine as _;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::Value;

use crate::providers::secret::Redactor;
use crate::{Error, Result, check_batch};

#[derive(serde::Deserialize)]
struct Answer {
    data: Vec<Item>,
}

#[derive(serde::Deserialize)]
struct Item {
    /// Some compatible servers leave it out and answer in order.
    #[serde(default)]
    index: Option<usize>,
    embedding: Vector,
}

/// A JSON array of numbers, or base64 of little-endian f32.
struct Vector(Vec<f32>);

/// The `count` vectors in `body`, in the order of the request, verified and of one width with all earlier ones.
pub(super) fn read(
    body: &[u8],
    model: &str,
    count: usize,
    width: &OnceLock<usize>,
    redactor: &Redactor,
) -> Result<Vec<Vec<f32>>> {
    let malformed = |message: &str| Error::Malformed {
        model: model.to_owned(),
        message: redactor.clean(message),
    };
    let answer: Answer = serde_json::from_slice(body).map_err(|error| malformed(&error.to_string()))?;
    let mut items = answer.data;
    if items.len() == count && items.iter().all(|item| item.index.is_some()) {
        items.sort_by_key(|item| item.index);
        if let Some(wrong) = items
            .iter()
            .enumerate()
            .find_map(|(i, item)| item.index.filter(|index| *index != i))
        {
            return Err(malformed(&format!(
                "index {wrong} is repeated or out of range for {count} text(s)"
            )));
        }
    }
    let vectors: Vec<Vec<f32>> = items.into_iter().map(|item| item.embedding.0).collect();
    let found = check_batch(model, count, width.get().copied(), &vectors)?;
    // Another batch may have set another width since.
    let agreed = found.map(|found| *width.get_or_init(|| found));
    if agreed != found {
        check_batch(model, count, agreed, &vectors)?;
    }
    Ok(vectors)
}

/// What an error answer says, wherever servers put it: `{"error": {"message": ..}}`, `{"error": ..}`,
/// `{"message": ..}`, `{"detail": ..}`, or plain text.
pub(super) fn message(body: &[u8]) -> String {
    let Ok(json) = serde_json::from_slice::<Value>(body) else {
        return String::from_utf8_lossy(body).into_owned();
    };
    let places = ["/error/message", "/error", "/message", "/detail"];
    let text = places.iter().find_map(|place| json.pointer(place)?.as_str());
    text.map_or_else(|| json.to_string(), ToOwned::to_owned)
}

/// Whether the server says that there is no money left: waiting does not help.
pub(super) fn quota_is_used_up(body: &[u8]) -> bool {
    let json = serde_json::from_slice::<Value>(body).unwrap_or_default();
    ["/error/code", "/error/type"]
        .iter()
        .any(|place| json.pointer(place) == Some(&Value::from("insufficient_quota")))
}

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VectorVisitor)
    }
}

struct VectorVisitor;

impl<'de> Visitor<'de> for VectorVisitor {
    type Value = Vector;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers, or base64 of 32-bit floats")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vector, A::Error> {
        let mut vector = Vec::new();
        while let Some(x) = seq.next_element::<f32>()? {
            vector.push(x);
        }
        Ok(Vector(vector))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vector, E> {
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(text)
            .map_err(E::custom)?;
        let (floats, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(E::custom(format!(
                "base64 of {} bytes is not a list of 32-bit floats",
                bytes.len()
            )));
        }
        Ok(Vector(floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()))
    }
}
