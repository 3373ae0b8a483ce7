//! How found passages are written: as text for people, as one JSON object a line for programs.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};

use anear::{Hit, LocalStore, Metadata, Value, VectorStore as _};
use serde::Serialize;

use crate::corpus::{SOURCE, START_INDEX, START_LINE};
use crate::error::{Error, Outcome, Result};

/// One found passage, as `--json` writes it.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    /// 1 for the best.
    rank: usize,
    /// What the metric of the store measured.
    score: f32,
    /// Between 0 and 1, larger is better.
    relevance: f32,
    /// The file, as it was named.
    source: Option<&'a str>,
    /// Where in the file the passage begins, in characters from 0.
    start_index: Option<i64>,
    page_content: &'a str,
    metadata: &'a Metadata,
}

/// Writes what was found to standard output.
pub(crate) fn write_hits(store: &LocalStore, hits: &[Hit], json: bool) -> Result<Outcome> {
    let mut out = BufWriter::new(io::stdout().lock());
    let answers = hits
        .iter()
        .enumerate()
        .map(|(i, hit)| Answer::new(i + 1, hit, store.relevance(hit.score)));
    let mut written = answers.into_iter().try_for_each(|answer| match json {
        true => write_json(&mut out, &answer),
        false => answer.write_text(&mut out),
    });
    written = written.and_then(|()| out.flush());
    written.map_err(Error::Write)?;
    Ok(if hits.is_empty() {
        Outcome::NothingFound
    } else {
        Outcome::Done
    })
}

/// Writes one line of JSON.
pub(crate) fn write_json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}

/// Writes rows of a table, as wide as they need: words, in the first `words` columns, begin at the left, numbers end at
/// the right.
pub(crate) fn write_aligned<const N: usize>(
    out: &mut impl Write,
    words: usize,
    rows: &[[String; N]],
) -> io::Result<()> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            line += &match column < words {
                true => format!("{cell:width$}  "),
                false => format!("{cell:>width$}  "),
            };
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// A whole number with a comma every three digits.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl<'a> Answer<'a> {
    fn new(rank: usize, hit: &'a Hit, relevance: f32) -> Self {
        let Hit { document, score } = hit;
        let metadata = &document.metadata;
        Self {
            rank,
            score: *score,
            relevance,
            source: metadata.get(SOURCE).and_then(Value::as_str),
            start_index: metadata.get(START_INDEX).and_then(Value::as_i64),
            page_content: &document.page_content,
            metadata,
        }
    }

    fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        let Self {
            rank,
            score,
            relevance,
            source,
            page_content,
            ..
        } = self;
        if *rank > 1 {
            writeln!(out)?;
        }
        write!(out, "{rank}. {}", harmless(source.unwrap_or("(no source)")))?;
        match (self.metadata.get(START_LINE).and_then(Value::as_i64), self.start_index) {
            (Some(line), _) => write!(out, ":{line}")?,
            (None, Some(start)) => write!(out, ", from character {start}")?,
            (None, None) => {}
        }
        writeln!(out, "  score {score:.4}, relevance {relevance:.2}")?;
        writeln!(out, "{}", harmless(page_content))
    }
}

/// The text with its control characters written out, so that a file cannot speak to the terminal.
fn harmless(text: &str) -> Cow<'_, str> {
    let speaks = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(speaks) {
        return Cow::Borrowed(text);
    }
    let written = |c: char| match speaks(c) {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    Cow::Owned(text.chars().map(written).collect())
}

#[cfg(test)]
mod tests {
    use super::{grouped, harmless, write_aligned};

    #[test]
    fn control_characters_are_written_out() {
        assert_eq!(
            harmless("a\u{1b}[31mred\u{7}\tb\nc\0"),
            "a\\u{1b}[31mred\\u{7}\tb\nc\\u{0}"
        );
        assert_eq!(harmless("한국어, emoji 🦀"), "한국어, emoji 🦀");
    }

    #[test]
    fn digits_come_in_threes() {
        let texts = [0.4, 999.0, 1000.0, 123_456.7, 1e9].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "123,457", "1,000,000,000"]);
    }

    #[test]
    fn words_begin_at_the_left_and_numbers_end_at_the_right() {
        let rows = [["index", "QPS"], ["Flat", "1,243"], ["IVF256,Flat", "9"]].map(|row| row.map(str::to_owned));
        let mut out = Vec::new();
        write_aligned(&mut out, 1, &rows).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "index          QPS\nFlat         1,243\nIVF256,Flat      9\n"
        );
    }
}
