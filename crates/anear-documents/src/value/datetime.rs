//! A date and time with an optional offset from UTC, as ISO 8601 writes it.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::Offset;

use crate::{Error, Result};

/// A date and time: *naive* (no offset from UTC) or *aware* (with one), as Python names them.
///
/// Aware values compare as instants, naive ones by their fields; a naive and an aware value are never equal and never
/// ordered. The text form keeps the offset as given.
///
/// Kept are whole microseconds, as in Python: finer fractions of a second are cut off, so that what one program saves
/// the other loads unchanged.
///
/// ```
/// use anear_documents::DateTime;
///
/// let paris: DateTime = "2026-01-31T12:00:00+01:00".parse()?;
/// let london: DateTime = "2026-01-31T11:00:00Z".parse()?;
/// let naive: DateTime = "2026-01-31".parse()?;
/// assert_eq!(paris, london);
/// assert_eq!(paris.to_string(), "2026-01-31T12:00:00+01:00");
/// assert_eq!(naive.partial_cmp(&paris), None);
/// # Ok::<(), anear_documents::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DateTime {
    civil: civil::DateTime,
    aware: Option<(Offset, Timestamp)>,
}

impl DateTime {
    /// A naive date and time.
    pub fn naive(civil: civil::DateTime) -> Self {
        Self {
            civil: whole_microseconds(civil),
            aware: None,
        }
    }

    /// An aware date and time: the fields as a clock at this offset shows them.
    ///
    /// # Errors
    /// [`Error::DateTime`] when the instant lies outside the years -9999 to 9999.
    pub fn aware(civil: civil::DateTime, offset: Offset) -> Result<Self> {
        let civil = whole_microseconds(civil);
        let instant = offset.to_timestamp(civil).map_err(|_| Error::DateTime {
            text: format!("{civil}{}", OffsetText(offset)),
        })?;
        Ok(Self {
            civil,
            aware: Some((offset, instant)),
        })
    }

    /// The fields of calendar and clock.
    pub fn civil(&self) -> civil::DateTime {
        self.civil
    }

    /// The offset from UTC; `None` for a naive value.
    pub fn offset(&self) -> Option<Offset> {
        self.aware.map(|(offset, _)| offset)
    }

    /// The instant; `None` for a naive value.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.aware.map(|(_, instant)| instant)
    }
}

impl PartialEq for DateTime {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl Eq for DateTime {}

impl PartialOrd for DateTime {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self.timestamp(), other.timestamp()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            (None, None) => Some(self.civil.cmp(&other.civil)),
            _ => None,
        }
    }
}

impl Hash for DateTime {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.timestamp() {
            Some(instant) => instant.hash(state),
            None => self.civil.hash(state),
        }
    }
}

impl FromStr for DateTime {
    type Err = Error;

    /// Reads ISO 8601 and RFC 3339: a date alone is its midnight, `T` or a blank stands before the time, `Z` is the
    /// offset 0.
    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::DateTime { text: text.into() };
        let (civil, offset) = split_offset(text).ok_or_else(bad)?;
        let civil = civil.parse::<civil::DateTime>().map_err(|_| bad())?;
        match offset {
            None => Ok(Self::naive(civil)),
            Some(offset) => Self::aware(civil, offset).map_err(|_| bad()),
        }
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.civil)?;
        self.offset()
            .map_or(Ok(()), |offset| write!(f, "{}", OffsetText(offset)))
    }
}

fn whole_microseconds(civil: civil::DateTime) -> civil::DateTime {
    let nanosecond = civil.subsec_nanosecond();
    let whole = civil.with().subsec_nanosecond(nanosecond - nanosecond % 1000).build();
    whole.expect("a fraction of a second cut short is one")
}

/// Parts `date[Ttime][offset]` before the offset; `None` for what is surely no date.
fn split_offset(text: &str) -> Option<(&str, Option<Offset>)> {
    // A year first: a cheap refusal of ordinary texts, which filters try to read as dates.
    if text.len() > 48 || !text.is_ascii() || !text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+') {
        return None;
    }
    let time = match text.find(['T', 't', ' ']) {
        Some(at) => at + 1,
        None => return Some((text, None)),
    };
    if text.ends_with(['Z', 'z']) {
        return Some((&text[..text.len() - 1], Some(Offset::UTC)));
    }
    match text[time..].find(['+', '-']) {
        None => Some((text, None)),
        Some(at) => {
            let (civil, offset) = text.split_at(time + at);
            Some((civil, Some(read_offset(offset)?)))
        }
    }
}

/// Reads `+hh`, `+hhmm`, `+hh:mm` or `+hh:mm:ss`.
fn read_offset(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.split_at(1) {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let digits = match digits.len() {
        2 | 4 if !digits.contains(':') => digits.to_owned(),
        5 if digits.as_bytes()[2] == b':' => digits.replacen(':', "", 1),
        8 if digits.as_bytes()[2] == b':' && digits.as_bytes()[5] == b':' => digits.replacen(':', "", 2),
        _ => return None,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let field = |at: usize| digits.get(at..at + 2).map_or(Some(0), |text| text.parse::<i32>().ok());
    let (hours, minutes, seconds) = (field(0)?, field(2)?, field(4)?);
    if minutes > 59 || seconds > 59 {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60 + seconds)).ok()
}

/// `+hh:mm`, with `:ss` only when there are seconds.
struct OffsetText(Offset);

impl fmt::Display for OffsetText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.seconds();
        let sign = if seconds < 0 { '-' } else { '+' };
        let seconds = seconds.abs();
        write!(f, "{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60)?;
        match seconds % 60 {
            0 => Ok(()),
            rest => write!(f, ":{rest:02}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> DateTime {
        text.parse().unwrap()
    }

    #[test]
    fn every_accepted_text_prints_in_one_form() {
        for (text, printed) in [
            ("2026-01-31", "2026-01-31T00:00:00"),
            ("2026-01-31T12:30", "2026-01-31T12:30:00"),
            ("2026-01-31 12:30:01.5", "2026-01-31T12:30:01.5"),
            ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00+00:00"),
            ("2026-01-31T12:00:00+0530", "2026-01-31T12:00:00+05:30"),
            (
                "2026-01-31T12:00:00.000001-03:00:09",
                "2026-01-31T12:00:00.000001-03:00:09",
            ),
            ("20260131T120000+01", "2026-01-31T12:00:00+01:00"),
        ] {
            assert_eq!(read(text).to_string(), printed);
            assert_eq!(read(printed).to_string(), printed);
        }
    }

    #[test]
    fn fractions_below_a_microsecond_are_cut_off() {
        for (text, printed) in [
            ("2026-01-31T12:00:00.123456999", "2026-01-31T12:00:00.123456"),
            ("2026-01-31T12:00:00.000000999Z", "2026-01-31T12:00:00+00:00"),
            (
                "-000001-12-31T23:59:59.9999999+01:00",
                "-000001-12-31T23:59:59.999999+01:00",
            ),
        ] {
            assert_eq!(read(text).to_string(), printed);
            assert_eq!(read(text), read(printed));
        }
    }

    #[test]
    fn what_is_no_date_is_refused_by_name() {
        for text in [
            "",
            "foo",
            "2026",
            "2026-13-01",
            "2026-01-31T25:00",
            "2026-01-31T12:00:00+1",
            "2026-01-31T12:00+25:99",
            "١٢",
            "2026-01-31T12:00:00+é",
        ] {
            let error = text.parse::<DateTime>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }

    #[test]
    fn instants_compare_across_offsets() {
        assert_eq!(read("2026-01-01T00:00:00+09:00"), read("2025-12-31T15:00:00Z"));
        assert!(read("2026-01-01T00:00:00+09:00") < read("2025-12-31T16:00:00Z"));
        assert_ne!(read("2026-01-01T00:00:00"), read("2026-01-01T00:00:00Z"));
    }
}
