//! What is true of the shipped table: its size, its digest, its rows.

use anear_static_model::{DIM, MODEL, TOKENS, VOCAB, row};
use sha2::{Digest, Sha256};

const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

fn rows() -> impl Iterator<Item = (&'static str, &'static [i8], f32)> {
    VOCAB.lines().zip(0..).map(|(token, id)| {
        let (codes, scale) = row(id).expect("a row for every line");
        (token, codes, scale)
    })
}

#[test]
fn vocabulary_is_that_of_bert_uncased() {
    let tokens: Vec<&str> = VOCAB.lines().collect();
    assert_eq!(tokens.len(), TOKENS);
    assert_eq!(
        (tokens[0], tokens[100], tokens[101], tokens[102]),
        ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
    );
    assert_eq!((tokens[1996], tokens[TOKENS - 1]), ("the", "##\u{ff5e}"));
    assert!(!VOCAB.contains('\r') && VOCAB.ends_with('\n'));
}

#[test]
fn ids_beyond_the_vocabulary_have_no_row() {
    assert!(row(TOKENS as u32 - 1).is_some());
    assert_eq!(row(TOKENS as u32), None);
    assert_eq!(row(u32::MAX), None);
}

#[test]
fn rows_are_finite_and_use_the_whole_range_of_their_codes() {
    for (token, codes, scale) in rows().filter(|(token, ..)| !SPECIAL.contains(token)) {
        assert_eq!(codes.len(), DIM);
        assert!(scale.is_finite() && scale > 0.0, "{token}: scale {scale}");
        assert_eq!(codes.iter().map(|code| code.unsigned_abs()).max(), Some(127), "{token}");
    }
}

#[test]
fn special_tokens_say_nothing() {
    for (token, codes, scale) in rows().filter(|(token, ..)| SPECIAL.contains(token)) {
        assert!(scale == 0.0 && codes.iter().all(|&code| code == 0), "{token}");
    }
}

#[test]
fn rare_tokens_outweigh_common_ones() {
    let length = |wanted: &str| {
        let (_, codes, scale) = rows().find(|(token, ..)| *token == wanted).expect("in the vocabulary");
        scale * codes.iter().map(|&code| f32::from(code).powi(2)).sum::<f32>().sqrt()
    };
    for common in ["the", "of", "and", "to", ",", "."] {
        for rare in ["jackson", "brown", "ukraine", "insulin", "##ji"] {
            assert!(
                length(rare) > 3.0 * length(common),
                "{rare} {} {common} {}",
                length(rare),
                length(common)
            );
        }
    }
}

/// Golden: a change of one byte moves vectors in stored indexes apart from new ones.
/// Whoever changes the table changes the version in `MODEL` with it.
#[test]
fn table_is_the_one_that_the_name_promises() {
    let mut digest = Sha256::new();
    digest.update(VOCAB);
    for (_, codes, scale) in rows() {
        digest.update(bytemuck::cast_slice::<i8, u8>(codes));
        digest.update(scale.to_le_bytes());
    }
    let hex: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        (MODEL, hex.as_str()),
        (
            "anear/static-minilm-128-v1",
            "b288323233e7b744c621848810cf783cfea99bd6325128c98c9e8bf8a83fc171"
        )
    );
}
