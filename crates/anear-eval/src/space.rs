//! All settings of an index: the values of its knobs and their combinations (Faiss: `ParameterSpace`).

use std::fmt::Write as _;

use anear_index::{IndexSpec, Knobs, VectorIndex};

use crate::random::{permutation, stream};
use crate::{OperatingPoint, OperatingPoints};

/// One search parameter and the values to try, from fast to thorough.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// Its name in a request.
    pub name: String,
    /// At least one value.
    pub values: Vec<f64>,
}

/// The combinations of the values of several search parameters.
///
/// They are numbered: the first parameter's value changes fastest, number 0 is the fastest setting and the last number
/// the most thorough.
///
/// ```
/// use anear_eval::ParameterSpace;
/// use anear_index::{IndexSpec, Training};
/// use anear_kernels::{Metric, Rows};
///
/// let vectors: Vec<f32> = (0..200).map(|i| (i * 37 % 101) as f32).collect();
/// let spec: IndexSpec = "IVF8,Flat".parse()?;
/// let index = spec.train(Metric::L2, Rows::new(&vectors, 2).unwrap(), &Training::default())?;
/// let space = ParameterSpace::of(&*index);
/// assert_eq!(space.combinations(), 4);
/// assert_eq!(space.name(3), "nprobe=8");
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParameterSpace {
    ranges: Vec<Range>,
}

impl ParameterSpace {
    /// The parameters of `index` with their ladders; those with a single value worth trying are left alone.
    ///
    /// No more lists are visited than there are.
    pub fn of(index: &dyn VectorIndex) -> Self {
        let spec = index.spec();
        let mut space = Self::default();
        for knob in index.knobs() {
            let most = lists(&spec, knob.name);
            let most = most.map_or(f64::INFINITY, |most| most as f64);
            let mut values: Vec<f64> = knob.ladder.iter().map(|value| value.min(most)).collect();
            values.dedup();
            if values.len() > 1 {
                space.add_range(knob.name, values);
            }
        }
        space
    }

    /// Sets the values to try of one parameter, from fast to thorough (Faiss: `add_range`).
    ///
    /// # Panics
    /// If there is no value.
    pub fn add_range(&mut self, name: impl Into<String>, values: Vec<f64>) {
        assert!(!values.is_empty(), "a parameter has at least one value");
        let name = name.into();
        match self.ranges.iter_mut().find(|range| range.name == name) {
            Some(range) => range.values = values,
            None => self.ranges.push(Range { name, values }),
        }
    }

    /// The parameters, the one that changes fastest first.
    pub fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// Number of combinations, at least 1; `usize::MAX` if there are more.
    pub fn combinations(&self) -> usize {
        let lengths = self.ranges.iter().map(|range| range.values.len());
        lengths.fold(1, usize::saturating_mul)
    }

    /// The values of combination `number`.
    pub fn knobs(&self, number: usize) -> Knobs {
        self.at(&self.places(number))
    }

    /// The values at these places of the ranges.
    pub(crate) fn at(&self, places: &[usize]) -> Knobs {
        let mut knobs = Knobs::default();
        for (range, &place) in self.ranges.iter().zip(places) {
            knobs.set(range.name.as_str(), range.values[place]);
        }
        knobs
    }

    /// Combination `number` in words, such as `nprobe=8,ef_search=16` (Faiss: `combination_name`).
    pub fn name(&self, number: usize) -> String {
        let mut name = String::new();
        for (range, place) in self.ranges.iter().zip(self.places(number)) {
            let comma = if name.is_empty() { "" } else { "," };
            let value = range.values[place];
            write!(name, "{comma}{}={value}", range.name).expect("a string takes all text");
        }
        name
    }

    /// Whether no parameter of combination `a` is below that of `b` (Faiss: `combination_ge`): then `a` is no faster
    /// and no less thorough.
    pub fn is_at_least(&self, a: usize, b: usize) -> bool {
        self.places(a).iter().zip(self.places(b)).all(|(a, b)| *a >= b)
    }

    fn places(&self, mut number: usize) -> Vec<usize> {
        let place = |range: &Range| {
            let place = number % range.values.len();
            number /= range.values.len();
            place
        };
        self.ranges.iter().map(place).collect()
    }

    /// Tries the combinations; the operating points have their numbers as keys (Faiss: `ParameterSpace::explore`).
    ///
    /// With `experiments` 0 every one is tried, in order. Otherwise that many at most: the fastest, the most thorough,
    /// then others in an order drawn from `seed`. Perf and time rise with every parameter; so a combination is passed
    /// over when a known point is as good as it could be, in no more time than it must take. `experiment` says of a
    /// combination how good (perf) and how slow (time) it is.
    ///
    /// # Errors
    /// The first error of an experiment.
    pub fn explore<E>(
        &self,
        experiments: usize,
        seed: u64,
        mut experiment: impl FnMut(usize, Knobs) -> Result<(f64, f64), E>,
    ) -> Result<OperatingPoints<usize>, E> {
        let mut points = OperatingPoints::default();
        for number in self.order(experiments, seed) {
            if experiments > 0 && points.all().len() == experiments {
                break;
            }
            if experiments == 0 || self.is_promising(number, &points) {
                let (perf, time) = experiment(number, self.knobs(number))?;
                let key = number;
                points.add(OperatingPoint { perf, time, key });
            }
        }
        Ok(points)
    }

    /// The combinations in the order in which they are considered.
    fn order(&self, experiments: usize, seed: u64) -> Vec<usize> {
        let n = self.combinations();
        if experiments == 0 || n <= 2 {
            return (0..n).collect();
        }
        let mut random = stream(seed, 0);
        let between = match n - 2 {
            few @ ..LISTED_MAX => permutation(few, &mut random),
            many => (0..LISTED_MAX).map(|_| random.below(many)).collect(),
        };
        [0, n - 1]
            .into_iter()
            .chain(between.into_iter().map(|i| i + 1))
            .collect()
    }

    /// Whether a combination may be on the frontier, as far as the points so far can tell.
    fn is_promising(&self, number: usize, points: &OperatingPoints<usize>) -> bool {
        let (mut best_perf, mut least_time) = (f64::INFINITY, 0.0_f64);
        for point in points.all() {
            if self.is_at_least(number, point.key) {
                least_time = least_time.max(point.time);
            }
            if self.is_at_least(point.key, number) {
                best_perf = best_perf.min(point.perf);
            }
        }
        points.t_for_perf(best_perf).is_none_or(|time| time > least_time)
    }
}

/// Of more combinations than this so many are drawn, instead of listing all; hardly one is drawn twice.
const LISTED_MAX: usize = 1 << 20;

/// How many inverted lists an index visits at most, where that is what the knob of this name says.
fn lists(spec: &IndexSpec, knob: &str) -> Option<usize> {
    match spec {
        IndexSpec::Ivf(spec) if knob == "nprobe" => Some(spec.nlist),
        IndexSpec::Ivf(spec) => lists(&spec.coarse, knob.strip_prefix("quantizer_")?),
        IndexSpec::IdMap(_, inner) | IndexSpec::Refine(inner, _) => lists(inner, knob),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use anear_index::Training;
    use anear_kernels::{Metric, Rows};

    use super::*;

    fn space() -> ParameterSpace {
        let mut space = ParameterSpace::default();
        space.add_range("nprobe", (0..6).map(|i| f64::from(1 << i)).collect());
        space.add_range("quantizer_efSearch", (2..10).map(|i| f64::from(1 << i)).collect());
        space.add_range("ht", vec![2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 32.0]);
        space
    }

    #[test]
    fn an_index_brings_the_parameters_of_its_coarse_quantizer() {
        let numbers: Vec<f32> = (0..400).map(|i| (i * 37 % 101) as f32).collect();
        let ranges = |spec: &str| {
            let spec: IndexSpec = spec.parse().unwrap();
            let sample = Rows::new(&numbers, 2).unwrap();
            let index = spec.train(Metric::L2, sample, &Training::default()).unwrap();
            let ranges = ParameterSpace::of(&*index).ranges.into_iter();
            ranges
                .map(|range| (range.name, range.values.last().copied()))
                .collect::<Vec<_>>()
        };
        let nested = [("nprobe", 20.0), ("quantizer_nprobe", 4.0)].map(|(name, most)| (name.into(), Some(most)));
        assert_eq!(ranges("IVF20(IVF4,Flat),Flat"), nested);
        let names: Vec<_> = ranges("IVF20_HNSW4,Flat").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["nprobe", "quantizer_ef_search"]);
    }

    /// More of everything is better and slower, with less and less to gain.
    fn simulate(knobs: &Knobs) -> (f64, f64) {
        let logs: Vec<f64> = knobs.iter().map(|(_, value)| value.log2()).collect();
        let perf = logs.iter().map(|log| 1.0 - 0.6_f64.powf(log + 1.0)).product();
        let prices = [1.0, 1.3, 1.7];
        (
            perf,
            knobs
                .iter()
                .zip(prices)
                .map(|((_, value), price)| price * value.sqrt())
                .sum(),
        )
    }

    #[test]
    fn combinations_are_numbered_as_in_faiss() {
        // faiss 1.15.1: the ranges of IVF64_HNSW8,PQ4, combination_name and combination_ge.
        let space = space();
        assert_eq!(space.combinations(), 432);
        for (number, name) in [
            (0, "nprobe=1,quantizer_efSearch=4,ht=2"),
            (1, "nprobe=2,quantizer_efSearch=4,ht=2"),
            (9, "nprobe=8,quantizer_efSearch=8,ht=2"),
            (30, "nprobe=1,quantizer_efSearch=128,ht=2"),
        ] {
            assert_eq!(space.name(number), name);
        }
        assert!(space.is_at_least(9, 1) && !space.is_at_least(1, 9));
        assert_eq!(ParameterSpace::default().combinations(), 1);
        assert_eq!(ParameterSpace::default().name(0), "");
    }

    #[test]
    fn what_is_passed_over_is_not_on_the_frontier() {
        let space = space();
        let explore = |experiments| {
            let tried = |_, knobs| Ok::<_, Infallible>(simulate(&knobs));
            let Ok(points) = space.explore(experiments, 5, tried);
            points
        };
        let (all, pruned) = (explore(0), explore(432));
        assert_eq!(all.all().len(), 432);
        assert!(pruned.all().len() < 432, "nothing was passed over");
        assert_eq!(pruned.optimal(), all.optimal());
        let few = explore(20);
        assert_eq!(few.all().len(), 20);
        assert_eq!((few.all()[0].key, few.all()[1].key), (0, 431));
        assert_eq!(few, explore(20), "same seed, same experiments");
    }

    #[test]
    fn more_combinations_than_can_be_listed_are_drawn_from() {
        let mut space = ParameterSpace::default();
        for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            space.add_range(name, (0..1000).map(f64::from).collect());
        }
        let points = space.explore(5, 1, |number, _| Ok::<_, Infallible>((number as f64, 1.0)));
        assert_eq!(points.unwrap_or_default().all().len(), 5);
    }
}
