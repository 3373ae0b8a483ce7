//! Operating points: how good and how slow each of several settings is, and which of them are worth having.

/// One setting that was tried.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatingPoint<T> {
    /// How good; larger is better, for example recall.
    pub perf: f64,
    /// How slow; smaller is better, for example seconds per query.
    pub time: f64,
    /// What was tried.
    pub key: T,
}

/// Settings that were tried, and among them the frontier: those than which none is better without being slower
/// (Faiss: `OperatingPoints`).
///
/// ```
/// use anear_eval::{OperatingPoint, OperatingPoints};
///
/// let mut points = OperatingPoints::default();
/// for (perf, time, key) in [(0.5, 1.0, "nprobe=1"), (0.9, 2.0, "nprobe=8"), (0.8, 4.0, "nprobe=4")] {
///     points.add(OperatingPoint { perf, time, key });
/// }
/// let keys: Vec<_> = points.optimal().iter().map(|point| point.key).collect();
/// assert_eq!(keys, ["nprobe=1", "nprobe=8"]);
/// assert_eq!(points.t_for_perf(0.7), Some(2.0));
/// assert_eq!(points.t_for_perf(0.95), None);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct OperatingPoints<T> {
    all: Vec<OperatingPoint<T>>,
    /// Ascending in both perf and time.
    optimal: Vec<OperatingPoint<T>>,
}

impl<T> Default for OperatingPoints<T> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            optimal: Vec::new(),
        }
    }
}

impl<T: Clone> OperatingPoints<T> {
    /// Takes a point in; says whether it is on the frontier.
    ///
    /// A point as good and as fast as one that is there already is not, nor is one of no merit (`perf` not above 0).
    pub fn add(&mut self, point: OperatingPoint<T>) -> bool {
        self.all.push(point.clone());
        let is_covered = |other: &OperatingPoint<T>| other.perf >= point.perf && other.time <= point.time;
        let has_merit = point.perf > 0.0 && !point.time.is_nan();
        if !has_merit || self.optimal.iter().any(is_covered) {
            return false;
        }
        self.optimal
            .retain(|other| other.perf > point.perf || other.time < point.time);
        let place = self.optimal.partition_point(|other| other.perf < point.perf);
        self.optimal.insert(place, point);
        true
    }

    /// Takes in all points of `other`, with their keys renamed; says how many of them are on the frontier when they
    /// come.
    pub fn merge_with(&mut self, other: &Self, rename: impl Fn(&T) -> T) -> usize {
        let renamed = other.all.iter().map(|point| OperatingPoint {
            key: rename(&point.key),
            ..*point
        });
        renamed.map(|point| usize::from(self.add(point))).sum()
    }

    /// The time it takes to be at least so good; `None` when no point is. Being of no merit takes no time.
    pub fn t_for_perf(&self, perf: f64) -> Option<f64> {
        if perf <= 0.0 {
            return Some(0.0);
        }
        let place = self.optimal.partition_point(|point| point.perf < perf);
        self.optimal.get(place).map(|point| point.time)
    }

    /// Every point, in the order in which they came.
    pub fn all(&self) -> &[OperatingPoint<T>] {
        &self.all
    }

    /// The frontier, from fast to good.
    pub fn optimal(&self) -> &[OperatingPoint<T>] {
        &self.optimal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(perf: f64, time: f64, key: &str) -> OperatingPoint<String> {
        let key = key.to_owned();
        OperatingPoint { perf, time, key }
    }

    fn keys(points: &OperatingPoints<String>) -> String {
        points.optimal().iter().map(|point| point.key.as_str()).collect()
    }

    #[test]
    fn the_frontier_grows_as_in_faiss() {
        // faiss 1.15.1: whether each of these is on the frontier when it comes, and the frontier after it.
        let steps = [
            (point(0.5, 2.0, "a"), true, "a"),
            (point(0.5, 1.0, "b"), true, "b"),
            (point(0.6, 3.0, "c"), true, "bc"),
            (point(0.55, 4.0, "d"), false, "bc"),
            (point(0.7, 2.5, "e"), true, "be"),
            (point(0.0, 0.5, "z"), false, "be"),
            (point(-1.0, 0.0, "n"), false, "be"),
            (point(0.7, 2.5, "f"), false, "be"),
            (point(0.9, 2.5, "g"), true, "bg"),
            (point(0.3, 1.0, "h"), false, "bg"),
            (point(0.95, 10.0, "i"), true, "bgi"),
        ];
        let mut points = OperatingPoints::default();
        for (point, is_optimal, frontier) in steps {
            assert_eq!(points.add(point.clone()), is_optimal, "{point:?}");
            assert_eq!(keys(&points), frontier, "{point:?}");
        }
        assert_eq!(points.all().len(), 11);
        let times = [0.0, 0.1, 0.5, 0.6, 0.9, 0.91, 0.95, 0.96].map(|perf| points.t_for_perf(perf));
        let (one, two, ten) = (Some(1.0), Some(2.5), Some(10.0));
        assert_eq!(times, [Some(0.0), one, one, two, two, ten, ten, None]);

        let mut other = OperatingPoints::default();
        other.add(point(0.97, 20.0, "q"));
        other.add(point(0.5, 0.9, "r"));
        assert_eq!(points.merge_with(&other, |key| format!("[{key}]")), 2);
        assert_eq!(keys(&points), "[r]gi[q]");
        assert_eq!(points.all().len(), 13);
    }

    #[test]
    fn the_frontier_is_what_no_point_beats() {
        let mut random = crate::random::stream(1, 0);
        let mut points = OperatingPoints::default();
        for i in 0..300 {
            let mut coarse = || random.below(12) as f64 + 1.0;
            points.add(point(coarse(), coarse(), &i.to_string()));
        }
        let beats = |a: &OperatingPoint<String>, b: &OperatingPoint<String>| {
            a.perf >= b.perf && a.time <= b.time && (a.perf, a.time) != (b.perf, b.time)
        };
        let best = |b: &&OperatingPoint<String>| !points.all().iter().any(|a| beats(a, b));
        let mut expected: Vec<_> = points.all().iter().filter(best).map(|p| (p.perf, p.time)).collect();
        expected.sort_by(|a, b| a.partial_cmp(b).unwrap());
        expected.dedup();
        let got: Vec<_> = points.optimal().iter().map(|p| (p.perf, p.time)).collect();
        assert_eq!(got, expected);
    }
}
