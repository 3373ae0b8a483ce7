//! BERT's uncased WordPiece: clean, lower-case, strip accents, split at blanks and punctuation, longest pieces first.
//!
//! In ASCII, all but the last step is a matter of bytes: done here, 20 times as fast as by the general tokenizer (1 MB of
//! prose on one thread: 69 ms against 1.5 s), which does the rest and is the tests' oracle.

use std::sync::LazyLock;

use anear_static_model::VOCAB;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::bert::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{Model as _, Result, Tokenizer};

static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| {
    let vocab = WordPiece::read_bytes(VOCAB.as_bytes()).expect("the vocabulary in memory has one token a line");
    let model = WordPiece::builder()
        .vocab(vocab)
        .build()
        .expect("a vocabulary that is given needs no file");
    let mut tokenizer = Tokenizer::new(model);
    tokenizer
        .with_normalizer(Some(BertNormalizer::new(true, true, None, true)))
        .expect("the normalizer changes no added token: there are none")
        .with_pre_tokenizer(Some(BertPreTokenizer));
    tokenizer
});

/// Calls `each` with the tokens of `text`, in order.
pub(super) fn tokens(text: &str, mut each: impl FnMut(u32)) -> Result<()> {
    if text.is_ascii() {
        return ascii(text, &mut each);
    }
    // No token and no normalization spans a blank.
    for part in text.split([' ', '\t', '\n', '\r']) {
        if part.is_ascii() {
            ascii(part, &mut each)?
        } else {
            general(part, &mut each)?
        }
    }
    Ok(())
}

fn general(text: &str, each: &mut impl FnMut(u32)) -> Result<()> {
    let encoding = TOKENIZER.encode_fast(text, false)?;
    encoding.get_ids().iter().for_each(|token| each(*token));
    Ok(())
}

fn ascii(text: &str, each: &mut impl FnMut(u32)) -> Result<()> {
    let mut word = String::new();
    for c in text.chars() {
        match c {
            ' ' | '\t' | '\n' | '\r' => flush(&mut word, each)?,
            c if c.is_ascii_control() => {}
            c if c.is_ascii_punctuation() => {
                flush(&mut word, each)?;
                word.push(c);
                flush(&mut word, each)?;
            }
            c => word.push(c.to_ascii_lowercase()),
        }
    }
    flush(&mut word, each)
}

/// The tokens of one word, which is emptied.
fn flush(word: &mut String, each: &mut impl FnMut(u32)) -> Result<()> {
    if word.is_empty() {
        return Ok(());
    }
    let model = TOKENIZER.get_model();
    match model.token_to_id(word) {
        Some(token) => each(token),
        None => model.tokenize(word)?.into_iter().for_each(|piece| each(piece.id)),
    }
    word.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::next_u64;

    fn check_same(text: &str) {
        let (mut fast, mut slow) = (Vec::new(), Vec::new());
        tokens(text, |token| fast.push(token)).unwrap();
        general(text, &mut |token| slow.push(token)).unwrap();
        assert_eq!(fast, slow, "{text:?}");
    }

    #[test]
    fn texts_are_cut_as_by_the_general_tokenizer() {
        let long = "a".repeat(101);
        let known = [
            "",
            " ",
            "[CLS] ##ing",
            "a\u{b}b \u{c}c \0d\u{7f}e",
            "Don't (STOP)!",
            "x\r\n\ty",
            "x_y-z",
            &long,
        ];
        known.iter().for_each(|text| check_same(text));
        let words: Vec<&str> = VOCAB.lines().collect();
        // Accents alone and composed, blanks of other kinds, scripts, joiners, marks that change places.
        let others: Vec<char> = "éİßñ\u{301}\u{323}\u{a0}\u{2003}\u{3000}\u{200b}\u{200d}\u{ad}한日本🙂“”—ﬁ½я"
            .chars()
            .collect();
        let mut state = 1;
        let mut pick = |n: usize| (next_u64(&mut state) % n as u64) as usize;
        for _ in 0..3000 {
            let mut text = String::new();
            for _ in 0..pick(20) {
                match pick(4) {
                    0 => text.push(char::from(pick(128) as u8)),
                    1 => text.push_str(words[pick(words.len())]),
                    2 => text.push(others[pick(others.len())]),
                    _ => text.push(' '),
                }
            }
            check_same(&text);
        }
    }
}
