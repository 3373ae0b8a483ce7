//! OpenAI's tokenizers on texts of any length.

use tiktoken_rs::{CoreBPE, Rank};

/// The regular expression beneath gives up, by a panic, where a run of blanks is about a million characters long.
const WINDOW: usize = 256 << 10;

/// The tokens of `text`; what looks like a special token is plain text.
///
/// A text beyond a window is cut before a blank that follows no other one, where no token ever spans; only a window without
/// any such place is cut elsewhere, which may split a token.
pub(crate) fn encode(encoder: &CoreBPE, text: &str) -> Vec<Rank> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(cut(rest));
        tokens.extend(encoder.encode_ordinary(now));
        rest = later;
    }
    tokens
}

/// Where the first window of `text` ends.
fn cut(text: &str) -> usize {
    if text.len() <= WINDOW {
        return text.len();
    }
    let end = (0..=WINDOW)
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(WINDOW);
    let mut blanks = text[..end].rmatch_indices(' ').map(|(at, _)| at);
    let safe = |at: &usize| {
        text[..*at]
            .chars()
            .next_back()
            .is_some_and(|before| !before.is_whitespace())
    };
    blanks.find(safe).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_do_not_change_the_tokens_of_prose() {
        let encoder = tiktoken_rs::cl100k_base_singleton();
        let prose: String = (0..60_000)
            .map(|i| format!("line {i}: naïve  words,\n\n 한국어 (and so on); "))
            .collect();
        assert!(prose.len() > 8 * WINDOW);
        assert_eq!(encode(encoder, &prose), encoder.encode_ordinary(&prose));
        assert!(encode(encoder, "").is_empty());
    }

    #[test]
    fn millions_of_blanks_are_tokens_like_any_other() {
        let encoder = tiktoken_rs::cl100k_base_singleton();
        for text in [
            " ".repeat(3_000_000) + "x",
            "\u{3000}".repeat(1_000_000),
            "é".repeat(500_000),
        ] {
            let tokens = encode(encoder, &text);
            assert_eq!(encoder.decode_bytes(&tokens).unwrap(), text.as_bytes());
        }
    }
}
