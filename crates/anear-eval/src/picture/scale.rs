//! From numbers to places on paper.

/// An axis: a range of numbers, how it is bent, and where it lies.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    bend: Bend,
    /// The numbers at its ends, bent.
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

#[derive(Clone, Copy, Debug)]
enum Bend {
    /// By the logarithm.
    Log,
    /// By the logarithm of what is missing to 1.
    Missing,
}

/// A line of the grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tick {
    pub(super) value: f64,
    pub(super) is_major: bool,
    pub(super) is_labeled: bool,
}

/// As if so much were missing even when nothing is: gives a recall of 1 a place, as far from 0.99 as that from 0.9.
const NEVER_MISSING: f64 = 0.001;

const RECALLS: [f64; 12] = [0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0];

/// Lines of the grid with a number, at most.
const LABELS: usize = 9;

impl Bend {
    fn of(self, value: f64) -> f64 {
        match self {
            Self::Log => value.log10(),
            Self::Missing => -(1.0 - value + NEVER_MISSING).log10(),
        }
    }
}

impl Scale {
    /// Recall up to 1, from the last number of the grid below all of `values`.
    pub(super) fn recall(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let least = values.fold(0.9, f64::min);
        let start = RECALLS
            .iter()
            .rev()
            .find(|tick| **tick <= least)
            .copied()
            .unwrap_or(0.0);
        Self::new(Bend::Missing, start, 1.0, 0.025, from, to)
    }

    /// Queries per second, all of `values` and a little around them.
    pub(super) fn qps(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = values.fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
        let (low, high) = if low <= high { (low, high) } else { (100.0, 10_000.0) };
        // Half a decade at least, so that noise does not look like news.
        let middle = (low * high).sqrt();
        let (low, high) = (low.min(middle / 1.8), high.max(middle * 1.8));
        Self::new(Bend::Log, low, high, 0.06, from, to)
    }

    fn new(bend: Bend, low: f64, high: f64, margin: f64, from: f64, to: f64) -> Self {
        let (low, high) = (bend.of(low), bend.of(high));
        let margin = (high - low) * margin;
        let (low, high) = (low - margin, high + margin);
        Self {
            bend,
            low,
            high,
            from,
            to,
        }
    }

    /// Whether `value` lies between the ends.
    pub(super) fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&self.bend.of(value))
    }

    /// Where `value` lies.
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = (self.bend.of(value) - self.low) / (self.high - self.low);
        self.from + share * (self.to - self.from)
    }

    /// The lines of the grid.
    pub(super) fn ticks(&self) -> Vec<Tick> {
        match self.bend {
            Bend::Missing => RECALLS
                .iter()
                .copied()
                .filter(|recall| self.holds(*recall))
                .map(Tick::major)
                .collect(),
            Bend::Log => self.log_ticks(),
        }
    }

    /// Lines at the powers of ten, and at as many of their multiples as have numbers that can be read.
    fn log_ticks(&self) -> Vec<Tick> {
        let decades = self.low.floor() as i32..=self.high.ceil() as i32;
        let values = decades.flat_map(|power| (1..10).map(move |digit| (digit, f64::from(digit) * 10_f64.powi(power))));
        let values: Vec<(i32, f64)> = values.filter(|(_, value)| self.holds(*value)).collect();
        let choices: [&[i32]; 4] = [&[1, 2, 3, 4, 5, 6, 7, 8, 9], &[1, 2, 5], &[1, 3], &[1]];
        let fits = |digits: &&&[i32]| values.iter().filter(|(digit, _)| digits.contains(digit)).count() <= LABELS;
        let labeled = choices.iter().find(fits).unwrap_or(&choices[3]);
        let tick = |(digit, value): (i32, f64)| Tick {
            value,
            is_major: digit == 1,
            is_labeled: labeled.contains(&digit),
        };
        let ticks = values.into_iter().map(tick);
        ticks.filter(|tick| tick.is_labeled || tick.is_major).collect()
    }
}

impl Tick {
    fn major(value: f64) -> Self {
        Self {
            value,
            is_major: true,
            is_labeled: true,
        }
    }
}

/// A number as short as it can be: `500`, `2k`, `1.5M`.
pub(super) fn axis_number(value: f64) -> String {
    let (scaled, unit) = match value {
        1e9.. => (value / 1e9, "G"),
        1e6.. => (value / 1e6, "M"),
        1e3.. => (value / 1e3, "k"),
        _ => (value, ""),
    };
    // One digit counts; the others are what powers of ten leave in binary.
    let rounded = (scaled * 1e6).round() / 1e6;
    format!("{rounded}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_percents_have_room() {
        let scale = Scale::recall([0.55].into_iter(), 0.0, 1000.0);
        let gap = |a: f64, b: f64| scale.place(b) - scale.place(a);
        assert!(gap(0.9, 0.99) > gap(0.5, 0.9));
        assert!(gap(0.99, 1.0) > 0.0 && scale.place(1.0) < 1000.0);
        let values: Vec<f64> = scale.ticks().iter().map(|tick| tick.value).collect();
        assert_eq!(values, [0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0]);
    }

    #[test]
    fn speeds_have_some_numbers_but_not_too_many() {
        for (low, high) in [(900.0, 1100.0), (3.0, 4e6), (100.0, 20_000.0), (1e-3, 1e9)] {
            let scale = Scale::qps([low, high].into_iter(), 0.0, 500.0);
            let labels = scale.ticks().iter().filter(|tick| tick.is_labeled).count();
            assert!((2..=13).contains(&labels), "{low} {high}: {labels}");
        }
        let numbers = [0.2, 500.0, 2000.0, 30_000.0, 1.5e6].map(axis_number);
        assert_eq!(numbers, ["0.2", "500", "2k", "30k", "1.5M"]);
    }
}
