//! Where the range of a component begins and how wide it is.

use anear_kernels::Rows;

use super::{Ranges, Scalar, ScalarKind};
use crate::{Error, Result, Training};

/// What of a sample decides where a range begins and ends (Faiss: `RangeStat`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RangeStat {
    /// The smallest and the largest value, moved apart by the argument times their distance on both sides.
    #[default]
    MinMax,
    /// The argument times the standard deviation on both sides of the mean.
    MeanStd,
    /// The values that leave the argument's share of all below and above.
    Quantiles,
    /// What makes the mean squared error of the sample smallest; the argument means nothing.
    Optim,
}

/// How to train a [`Scalar`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScalarParams {
    /// What components are kept as.
    pub kind: ScalarKind,
    /// How ranges are chosen. Faiss's is [`MinMax`](RangeStat::MinMax), too.
    pub range_stat: RangeStat,
    /// What the statistic is given; 0 by default.
    pub range_stat_arg: f32,
}

impl ScalarParams {
    /// The usual range: from the smallest to the largest value.
    pub fn new(kind: ScalarKind) -> Self {
        Self {
            kind,
            range_stat: RangeStat::MinMax,
            range_stat_arg: 0.0,
        }
    }

    /// Learns the ranges of `sample`; kinds without ranges look at its dimension alone.
    ///
    /// # Errors
    /// [`Error::TooFewTrainingVectors`] when ranges are to be learned from no vector. [`Error::Parameters`] when the
    /// argument makes no sense for the statistic, or a range is not finite.
    pub fn train(&self, sample: Rows<'_>, training: &Training<'_>) -> Result<Scalar> {
        let dim = sample.dim();
        let trained = match self.kind.row().3 {
            Ranges::None => Vec::new(),
            Ranges::PerComponent => self.ranges(sample, training)?,
            Ranges::Uniform => self.ranges(
                Rows::new(sample.as_slice(), 1).expect("rows of one component"),
                training,
            )?,
        };
        if trained.iter().any(|value| !value.is_finite()) {
            return Err(Error::Parameters(format!(
                "training {} needs finite components whose range is a finite f32",
                self.kind.token()
            )));
        }
        Scalar::from_parts(self.kind, dim, trained)
    }

    /// The beginnings of the ranges, then their widths.
    fn ranges(&self, sample: Rows<'_>, training: &Training<'_>) -> Result<Vec<f32>> {
        self.check()?;
        if sample.is_empty() {
            return Err(Error::TooFewTrainingVectors {
                what: self.kind.token().to_owned(),
                needed: 1,
                got: 0,
            });
        }
        let bounds = match self.range_stat {
            RangeStat::MinMax => min_max(sample, self.range_stat_arg),
            _ => {
                let bounds = |i| self.bounds(sample.iter().map(|vector| vector[i]).collect());
                match training.pool {
                    Some(pool) => pool.map(sample.dim(), bounds),
                    None => (0..sample.dim()).map(bounds).collect(),
                }
            }
        };
        let lows = bounds.iter().map(|(low, _)| *low);
        Ok(lows.chain(bounds.iter().map(|(low, high)| high - low)).collect())
    }

    fn check(&self) -> Result<()> {
        let arg = self.range_stat_arg;
        let (is_valid, wanted) = match self.range_stat {
            RangeStat::MinMax => (arg > -0.5, "MinMax widens a range by a share above -0.5"),
            RangeStat::MeanStd => (arg > 0.0, "MeanStd takes a positive number of standard deviations"),
            RangeStat::Quantiles => (
                (0.0..0.5).contains(&arg),
                "Quantiles leaves out a share from 0 to below 0.5",
            ),
            RangeStat::Optim => (true, ""),
        };
        if is_valid && arg.is_finite() {
            Ok(())
        } else {
            Err(Error::Parameters(format!("{wanted}, got {arg}")))
        }
    }

    /// Where the range of these values begins and ends.
    fn bounds(&self, mut values: Vec<f32>) -> (f32, f32) {
        let arg = self.range_stat_arg;
        match self.range_stat {
            RangeStat::MinMax => min_max(Rows::new(&values, 1).expect("rows of one component"), arg)[0],
            RangeStat::MeanStd => {
                let (mean, deviation) = mean_and_deviation(&values);
                let half = deviation * f64::from(arg);
                ((mean - half) as f32, (mean + half) as f32)
            }
            RangeStat::Quantiles => {
                let last = values.len() - 1;
                // Below half of them, so that the bounds are in order.
                let out = ((f64::from(arg) * values.len() as f64) as usize).min(last / 2);
                let low = *values.select_nth_unstable_by(out, f32::total_cmp).1;
                (low, *values.select_nth_unstable_by(last - out, f32::total_cmp).1)
            }
            RangeStat::Optim => least_error(&values, self.kind.levels().expect("a kind with ranges")),
        }
    }
}

/// The smallest and largest value of each component, moved apart.
fn min_max(sample: Rows<'_>, widen: f32) -> Vec<(f32, f32)> {
    let mut bounds = vec![(f32::INFINITY, f32::NEG_INFINITY); sample.dim()];
    for vector in sample {
        for ((low, high), &value) in bounds.iter_mut().zip(vector) {
            (*low, *high) = (low.min(value), high.max(value));
        }
    }
    for (low, high) in &mut bounds {
        let more = (*high - *low) * widen;
        (*low, *high) = (*low - more, *high + more);
    }
    bounds
}

fn mean_and_deviation(values: &[f32]) -> (f64, f64) {
    let mean_of = |f: &dyn Fn(f64) -> f64| values.iter().map(|&x| f(x.into())).sum::<f64>() / values.len() as f64;
    let mean = mean_of(&|x| x);
    (mean, mean_of(&|x| (x - mean).powi(2)).sqrt())
}

/// Rounds of [`least_error`] at most. With 15 levels the error after 20 rounds was still 15% above that after 200 (3000
/// normal numbers); with 255 it ends by itself after 10.
const ROUNDS: usize = 100;

/// From all values, then by turns: which number each gets, and the line through numbers and values that has the least
/// squared error (Lloyd's algorithm, with points that must lie at equal distances).
fn least_error(values: &[f32], levels: f32) -> (f32, f32) {
    let levels = f64::from(levels);
    let (low, high) = min_max(Rows::new(values, 1).expect("rows of one component"), 0.0)[0];
    let mut best = (f64::INFINITY, (low, high));
    let (mut low, mut span) = (f64::from(low), f64::from(high) - f64::from(low));
    for _ in 0..ROUNDS {
        if span <= 0.0 {
            break;
        }
        let fit = Fit::new(values, |x| ((x - low) / span * levels).trunc().clamp(0.0, levels) + 0.5);
        let error = fit.error(low, span / levels);
        if error >= best.0 {
            break;
        }
        best = (error, (low as f32, (low + span) as f32));
        let (origin, step) = fit.line();
        (low, span) = (origin, step * levels);
    }
    best.1
}

/// Sums over pairs of a position `p` and a value `x`, from which lines through them follow.
#[derive(Default)]
struct Fit {
    n: f64,
    p: f64,
    x: f64,
    pp: f64,
    px: f64,
    xx: f64,
}

impl Fit {
    fn new(values: &[f32], position: impl Fn(f64) -> f64) -> Self {
        let mut fit = Self::default();
        for &x in values {
            let (x, p) = (f64::from(x), position(x.into()));
            fit.n += 1.0;
            fit.p += p;
            fit.x += x;
            fit.pp += p * p;
            fit.px += p * x;
            fit.xx += x * x;
        }
        fit
    }

    /// Sum of `(origin + step * p - x)^2`.
    fn error(&self, origin: f64, step: f64) -> f64 {
        let cross = 2.0 * (origin * step * self.p - origin * self.x - step * self.px);
        origin * origin * self.n + step * step * self.pp + self.xx + cross
    }

    /// Origin and step of the line with the least error.
    fn line(&self) -> (f64, f64) {
        let step = (self.n * self.px - self.p * self.x) / (self.n * self.pp - self.p * self.p);
        ((self.x - step * self.p) / self.n, step)
    }
}
