//! The token table of anear's built-in embedding model, distilled from all-MiniLM-L6-v2.
//!
//! A static model: every token has one row, learned beforehand, and a text's vector is the
//! **sum of its tokens' rows, scaled to unit length**. Nothing is averaged or weighted besides;
//! how much a token matters is in the length of its row. Tokens are those of BERT's uncased
//! WordPiece over [`VOCAB`] (clean, lower-case, strip accents, split at white space and
//! punctuation, then the longest pieces first). The rows of `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]`
//! and `[MASK]` are zero, so it makes no difference whether a tokenizer adds them. A text without
//! any other token has no direction: its sum is the zero vector.
//!
//! Two texts compare by inner product, which for unit vectors is the cosine. English only.
//! How well the table agrees with its teacher is measured in `AGREEMENT.md`; how it was made, and
//! how to make it again, in `tools/distill` of the repository.
//!
//! ```
//! use anear_static_model::{DIM, VOCAB, row};
//!
//! /// The unit vector of a text that is given as whole tokens.
//! fn vector(tokens: &[&str]) -> Vec<f32> {
//!     let mut sum = vec![0.0; DIM];
//!     for token in tokens {
//!         let id = VOCAB.lines().position(|line| line == *token).expect("a token of the vocabulary");
//!         let (codes, scale) = row(id as u32).expect("every line of the vocabulary has a row");
//!         sum.iter_mut().zip(codes).for_each(|(sum, &code)| *sum += scale * f32::from(code));
//!     }
//!     let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
//!     sum.iter().map(|x| x / length).collect()
//! }
//! let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
//!
//! let doctor = vector(&["the", "doctor", "cured", "her"]);
//! let physician = vector(&["a", "physician", "healed", "the", "patient"]);
//! let train = vector(&["the", "train", "was", "late"]);
//! assert!(dot(&doctor, &physician) > 0.3 + dot(&doctor, &train));
//! ```

#![forbid(unsafe_code)]

/// Width of a row, and so of a text's vector.
pub const DIM: usize = 128;

/// Number of tokens: lines of [`VOCAB`], rows of the table.
pub const TOKENS: usize = 30_522;

/// The model's name. It changes whenever a vector does, so that a saved store can tell.
pub const MODEL: &str = "anear/static-minilm-128-v1";

/// The vocabulary of BERT uncased and MiniLM: one token a line, a token's id is its line counted from 0.
///
/// A piece that continues a word begins with `##`.
pub static VOCAB: &str = include_str!("../data/vocab.txt");

/// [`TOKENS`] rows of [`DIM`] codes.
static CODES: &[u8; TOKENS * DIM] = include_bytes!("../data/codes.i8");

/// One `f32` a row, little-endian.
static SCALES: &[u8; TOKENS * size_of::<f32>()] = include_bytes!("../data/scales.f32");

/// A token's row: its [`DIM`] codes and the scale that they are multiplied with.
///
/// `None` for an id outside of the vocabulary.
///
/// ```
/// use anear_static_model::{DIM, TOKENS, row};
///
/// let (codes, scale) = row(2003).unwrap();
/// assert_eq!(codes.len(), DIM);
/// assert!(scale > 0.0);
/// assert_eq!(row(TOKENS as u32), None);
/// ```
#[must_use]
pub fn row(token: u32) -> Option<(&'static [i8], f32)> {
    let token = usize::try_from(token).ok()?;
    let codes = CODES.as_chunks::<DIM>().0.get(token)?;
    let scale = SCALES.as_chunks::<4>().0.get(token)?;
    Some((bytemuck::cast_slice(codes), f32::from_le_bytes(*scale)))
}
