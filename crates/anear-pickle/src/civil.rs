//! Python's dates and times, each valid by construction; they display as Python's `isoformat`.

use std::fmt;

/// Seconds in a day.
const DAY: u32 = 86_400;

/// A `datetime.date`: a day of the Gregorian calendar, years 1 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The day, if the calendar has it.
    ///
    /// ```
    /// use anear_pickle::Date;
    /// assert_eq!(Date::new(2024, 2, 29).unwrap().to_string(), "2024-02-29");
    /// assert!(Date::new(2023, 2, 29).is_none());
    /// ```
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let exists = (1..=9999).contains(&year) && (1..=12).contains(&month) && day >= 1;
        (exists && day <= days_in(year, month)).then_some(Self { year, month, day })
    }

    /// Year, 1 to 9999.
    pub fn year(&self) -> u16 {
        self.year
    }

    /// Month, 1 to 12.
    pub fn month(&self) -> u8 {
        self.month
    }

    /// Day of the month, from 1.
    pub fn day(&self) -> u8 {
        self.day
    }
}

fn days_in(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u8::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// A fixed distance from UTC (`datetime.timezone`): less than a day, in whole seconds, east positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(i32);

impl Offset {
    /// Coordinated universal time.
    pub const UTC: Self = Self(0);

    /// The offset of `seconds`, if less than a day.
    pub fn new(seconds: i32) -> Option<Self> {
        (seconds.unsigned_abs() < DAY).then_some(Self(seconds))
    }

    /// Seconds east of UTC.
    pub fn seconds(&self) -> i32 {
        self.0
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { '-' } else { '+' };
        let total = self.0.unsigned_abs();
        write!(f, "{sign}{:02}:{:02}", total / 3600, total / 60 % 60)?;
        if total.is_multiple_of(60) {
            Ok(())
        } else {
            write!(f, ":{:02}", total % 60)
        }
    }
}

/// A `datetime.time`: a time of day to the microsecond, with an optional offset from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Time {
    hour: u8,
    minute: u8,
    second: u8,
    microsecond: u32,
    /// Whether this is the second of two equal wall-clock times at the end of daylight saving.
    pub fold: bool,
    /// Distance from UTC; `None` for a naive time.
    pub offset: Option<Offset>,
}

impl Time {
    /// The naive time of day, if the clock has it (no leap seconds, as in Python).
    ///
    /// ```
    /// use anear_pickle::{Offset, Time};
    /// let mut time = Time::new(9, 5, 0, 0).unwrap();
    /// time.offset = Offset::new(9 * 3600);
    /// assert_eq!(time.to_string(), "09:05:00+09:00");
    /// ```
    pub fn new(hour: u8, minute: u8, second: u8, microsecond: u32) -> Option<Self> {
        let exists = hour < 24 && minute < 60 && second < 60 && microsecond < 1_000_000;
        exists.then_some(Self {
            hour,
            minute,
            second,
            microsecond,
            fold: false,
            offset: None,
        })
    }

    /// Hour, 0 to 23.
    pub fn hour(&self) -> u8 {
        self.hour
    }

    /// Minute, 0 to 59.
    pub fn minute(&self) -> u8 {
        self.minute
    }

    /// Second, 0 to 59.
    pub fn second(&self) -> u8 {
        self.second
    }

    /// Microsecond, 0 to 999,999.
    pub fn microsecond(&self) -> u32 {
        self.microsecond
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.hour, self.minute, self.second)?;
        if self.microsecond != 0 {
            write!(f, ".{:06}", self.microsecond)?;
        }
        self.offset.map_or(Ok(()), |offset| offset.fmt(f))
    }
}

/// A `datetime.datetime`: a day and a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DateTime {
    /// The day.
    pub date: Date,
    /// The time of day, with its offset from UTC if there is one.
    pub time: Time,
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}T{}", self.date, self.time)
    }
}

/// A `datetime.timedelta`, normalized as Python does: only the days may be negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Delta {
    days: i32,
    seconds: u32,
    microseconds: u32,
}

impl Delta {
    /// The duration, if normalized: days within ±999,999,999, seconds below 86,400, microseconds
    /// below 1,000,000.
    ///
    /// ```
    /// use anear_pickle::Delta;
    /// assert_eq!(Delta::new(-1, 86_399, 0).unwrap().to_string(), "-1 day, 23:59:59");
    /// ```
    pub fn new(days: i32, seconds: u32, microseconds: u32) -> Option<Self> {
        let normal = days.unsigned_abs() <= 999_999_999 && seconds < DAY && microseconds < 1_000_000;
        normal.then_some(Self {
            days,
            seconds,
            microseconds,
        })
    }

    /// Days, negative for a negative duration.
    pub fn days(&self) -> i32 {
        self.days
    }

    /// Seconds on top of the days, 0 to 86,399.
    pub fn seconds(&self) -> u32 {
        self.seconds
    }

    /// Microseconds on top of the seconds, 0 to 999,999.
    pub fn microseconds(&self) -> u32 {
        self.microseconds
    }

    /// The duration in seconds.
    pub fn total_seconds(&self) -> f64 {
        let whole = i64::from(self.days) * i64::from(DAY) + i64::from(self.seconds);
        whole as f64 + f64::from(self.microseconds) / 1e6
    }
}

impl From<Offset> for Delta {
    fn from(offset: Offset) -> Self {
        let days = if offset.0 < 0 { -1 } else { 0 };
        Self {
            days,
            seconds: offset.0.rem_euclid(DAY as i32) as u32,
            microseconds: 0,
        }
    }
}

/// Python's `str(timedelta)`.
impl fmt::Display for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.days != 0 {
            let plural = if self.days.abs() == 1 { "" } else { "s" };
            write!(f, "{} day{plural}, ", self.days)?;
        }
        write!(
            f,
            "{}:{:02}:{:02}",
            self.seconds / 3600,
            self.seconds / 60 % 60,
            self.seconds % 60
        )?;
        if self.microseconds == 0 {
            Ok(())
        } else {
            write!(f, ".{:06}", self.microseconds)
        }
    }
}
