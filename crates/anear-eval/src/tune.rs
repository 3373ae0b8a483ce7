//! The fastest setting that reaches a recall, found by measuring.
//!
//! Recall rises along every ladder, so the search bisects: along all ladders at once, then down each of them. From
//! there it climbs: one parameter a step up, another down as far as the recall allows, as long as that is faster. At
//! last it looks between the steps of the ladders. It measures on one half of the queries and reports on the other:
//! what was chosen because it did well on some queries must not be praised for it.

use std::ops::ControlFlow;

use anear_index::{Knobs, Neighbors, SearchRequest, VectorIndex};
use anear_kernels::Rows;
use anear_pool::Pool;

use crate::error::check_truth;
use crate::{Clock, Effort, Error, ParameterSpace, Result, Vectors, measure_batch, measure_one_by_one, recall_at_k};

/// What to tune for, and how much to spend on it.
#[derive(Clone, Copy, Debug)]
pub struct Goal<'a> {
    /// The recall to reach, above 0 and at most 1.
    pub recall: f64,
    /// Among how many neighbors.
    pub k: usize,
    /// Whether queries will come one by one; otherwise all of them in one call.
    pub one_by_one: bool,
    /// How thoroughly each setting is timed.
    pub effort: Effort,
    /// No more settings than this are tried.
    pub trials: usize,
    /// The threads to search on.
    pub pool: Option<&'a Pool>,
}

/// A setting that was tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// The search parameters.
    pub knobs: Knobs,
    /// Recall on the queries for tuning.
    pub recall: f64,
    /// Queries per second on them.
    pub qps: f64,
}

/// The setting that was chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuned {
    /// Its search parameters.
    pub knobs: Knobs,
    /// Recall on the other half of the queries, which had no say in the choice.
    pub recall: f64,
    /// Queries per second on them.
    pub qps: f64,
    /// Whether the recall was reached on the queries for tuning; if not, this is the best there is.
    pub is_reached: bool,
    /// Everything that was tried, in order.
    pub trials: Vec<Trial>,
}

impl Goal<'_> {
    /// A recall among `k` neighbors, for queries in one call on the calling thread.
    pub fn new(recall: f64, k: usize) -> Self {
        Self {
            recall,
            k,
            one_by_one: false,
            effort: Effort::default(),
            trials: 60,
            pool: None,
        }
    }
}

/// Finds the fastest setting of `index` that reaches the recall of `goal`.
///
/// `truth` has the true neighbors of the queries, `goal.k` of them at least. `progress` hears of every trial, and may
/// end the search: the best so far is chosen then.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use anear_eval::{Goal, InMemory, Vectors, datasets::Synthetic, knn_ground_truth, tune, wall_clock};
/// use anear_index::{IndexSpec, Training, VectorIndexExt};
/// use anear_kernels::Metric;
///
/// let data: Synthetic = "n=2000,d=16,nq=100".parse()?;
/// let (base, queries) = (Vectors::read(&mut data.base())?, Vectors::read(&mut data.queries())?);
/// let truth = knn_ground_truth(Metric::L2, queries.rows(), &mut data.base(), 10, None, &mut |_, _| ())?;
/// let mut index = "IVF32,Flat".parse::<IndexSpec>()?.train(Metric::L2, base.rows(), &Training::default())?;
/// index.add(base.rows())?;
///
/// # let goal = Goal { effort: anear_eval::Effort { warm_up: 1, min_duration: std::time::Duration::ZERO }, ..Goal::new(0.9, 10) };
/// # /*
/// let goal = Goal::new(0.9, 10);
/// # */
/// let tuned = tune(&*index, queries.rows(), &truth, &goal, &wall_clock(), &mut |_| ControlFlow::Continue(()))?;
/// assert!(tuned.is_reached && tuned.recall > 0.8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::Target`], [`Error::TruthCount`], [`Error::TooFewQueries`] for fewer than two, and those of the search.
pub fn tune(
    index: &dyn VectorIndex,
    queries: Rows<'_>,
    truth: &Neighbors,
    goal: &Goal<'_>,
    clock: Clock<'_>,
    progress: &mut dyn FnMut(&Trial) -> ControlFlow<()>,
) -> Result<Tuned> {
    if !(goal.recall > 0.0 && goal.recall <= 1.0) {
        return Err(Error::Target { got: goal.recall });
    }
    check_truth(queries.len(), truth.len())?;
    if queries.len() < 2 {
        let (needed, got) = (2, queries.len());
        return Err(Error::TooFewQueries { needed, got });
    }
    let (own, others) = (Half::new(queries, truth, 0), Half::new(queries, truth, 1));
    let mut climb = Climb {
        space: ParameterSpace::of(index),
        target: goal.recall,
        most: goal.trials.max(1),
        trials: Vec::new(),
        measure: &mut |knobs| own.measure(index, knobs, goal, clock),
        progress,
    };
    match climb.all() {
        Ok(()) | Err(Halt::Enough) => {}
        Err(Halt::Failed(error)) => return Err(error),
    }
    let trials = climb.trials;
    let (best, is_reached) = best(&trials, goal.recall).expect("one setting was tried at least");
    let knobs = best.knobs.clone();
    let (recall, qps) = others.measure(index, &knobs, goal, clock)?;
    Ok(Tuned {
        knobs,
        recall,
        qps,
        is_reached,
        trials,
    })
}

/// The fastest trial that reaches the target, otherwise the one nearest to it.
fn best(trials: &[Trial], target: f64) -> Option<(&Trial, bool)> {
    let reached = trials.iter().filter(|trial| trial.recall >= target);
    let fastest = reached.max_by(|a, b| a.qps.total_cmp(&b.qps));
    let nearest = || {
        let by_recall_then_speed =
            |a: &&Trial, b: &&Trial| (a.recall.total_cmp(&b.recall)).then(a.qps.total_cmp(&b.qps));
        trials.iter().max_by(by_recall_then_speed)
    };
    fastest
        .map(|trial| (trial, true))
        .or_else(|| nearest().map(|trial| (trial, false)))
}

/// Every other query, with its true neighbors.
struct Half {
    queries: Vectors,
    truth: Neighbors,
}

impl Half {
    fn new(queries: Rows<'_>, truth: &Neighbors, first: usize) -> Self {
        let every_other = || (first..queries.len()).step_by(2);
        Self {
            queries: Vectors::gather(queries, every_other()),
            truth: every_other().map(|i| truth.row(i).to_vec()).collect(),
        }
    }

    /// Recall and queries per second.
    fn measure(&self, index: &dyn VectorIndex, knobs: &Knobs, goal: &Goal<'_>, clock: Clock<'_>) -> Result<(f64, f64)> {
        let mut request = SearchRequest::new(goal.k);
        (request.knobs, request.pool) = (knobs.clone(), goal.pool);
        let (queries, effort) = (self.queries.rows(), &goal.effort);
        let (found, qps) = if goal.one_by_one {
            let (found, latency) = measure_one_by_one(index, queries, &request, effort, clock)?;
            (found, latency.qps)
        } else {
            let (found, timing) = measure_batch(index, queries, &request, effort, clock)?;
            (found, timing.qps)
        };
        Ok((recall_at_k(&found, &self.truth, goal.k), qps))
    }
}

/// Why the search for the best setting ends before its time.
enum Halt {
    Enough,
    Failed(Error),
}

/// Faster by less than this is noise.
const GAIN: f64 = 1.02;

/// Values that are looked at between two steps of a ladder, at most.
const BETWEEN: usize = 15;

struct Climb<'a> {
    space: ParameterSpace,
    target: f64,
    /// Trials that may be made.
    most: usize,
    trials: Vec<Trial>,
    measure: &'a mut dyn FnMut(&Knobs) -> Result<(f64, f64)>,
    progress: &'a mut dyn FnMut(&Trial) -> ControlFlow<()>,
}

impl Climb<'_> {
    fn all(&mut self) -> Result<(), Halt> {
        let Some(mut places) = self.bisect_all()? else {
            return Ok(());
        };
        self.lower(&mut places)?;
        while self.step(&mut places)? {}
        self.refine(&places)
    }

    /// The lowest place along all ladders at once that reaches the target.
    fn bisect_all(&mut self) -> Result<Option<Vec<usize>>, Halt> {
        let lens: Vec<usize> = self.space.ranges().iter().map(|range| range.values.len()).collect();
        let steps = lens.iter().copied().max().unwrap_or(1);
        let places = |step: usize| -> Vec<usize> {
            let place = |len: &usize| (step * (len - 1)).div_ceil((steps - 1).max(1));
            lens.iter().map(place).collect()
        };
        let step = lowest(steps, |step| self.reaches(&places(step)))?;
        Ok((step < steps).then(|| places(step)))
    }

    /// Lowers each parameter in turn as far as the target allows.
    fn lower(&mut self, places: &mut [usize]) -> Result<(), Halt> {
        for i in 0..places.len() {
            let mut trial = places.to_vec();
            places[i] = lowest(places[i], |place| {
                trial[i] = place;
                self.reaches(&trial)
            })?;
        }
        Ok(())
    }

    /// Raises one parameter by a step and lowers another, where that is faster; says whether it was.
    fn step(&mut self, places: &mut Vec<usize>) -> Result<bool, Halt> {
        let qps = self.trial(&self.space.at(places))?.1;
        for raised in 0..places.len() {
            if places[raised] + 1 == self.space.ranges()[raised].values.len() {
                continue;
            }
            for lowered in (0..places.len()).filter(|&i| i != raised) {
                let mut trial = places.clone();
                trial[raised] += 1;
                let place = lowest(places[lowered], |place| {
                    trial[lowered] = place;
                    self.reaches(&trial)
                })?;
                if place == places[lowered] {
                    continue;
                }
                trial[lowered] = place;
                if self.trial(&self.space.at(&trial))?.1 > qps * GAIN {
                    *places = trial;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Lowers each parameter to a whole number between its step and the one below.
    fn refine(&mut self, places: &[usize]) -> Result<(), Halt> {
        let mut knobs = self.space.at(places);
        for (i, &place) in places.iter().enumerate() {
            let range = &self.space.ranges()[i];
            let Some(below) = place.checked_sub(1).map(|place| range.values[place]) else {
                continue;
            };
            let (name, between) = (range.name.clone(), between(below, range.values[place]));
            let mut trial = knobs.clone();
            let found = lowest(between.len(), |i| {
                trial.set(name.as_str(), between[i]);
                Ok(self.trial(&trial)?.0 >= self.target)
            })?;
            if let Some(&value) = between.get(found) {
                knobs.set(name, value);
            }
        }
        Ok(())
    }

    fn reaches(&mut self, places: &[usize]) -> Result<bool, Halt> {
        Ok(self.trial(&self.space.at(places))?.0 >= self.target)
    }

    /// Recall and queries per second of a setting, each measured once.
    fn trial(&mut self, knobs: &Knobs) -> Result<(f64, f64), Halt> {
        if let Some(known) = self.trials.iter().find(|trial| trial.knobs == *knobs) {
            return Ok((known.recall, known.qps));
        }
        if self.trials.len() == self.most {
            return Err(Halt::Enough);
        }
        let (recall, qps) = (self.measure)(knobs).map_err(Halt::Failed)?;
        let knobs = knobs.clone();
        let trial = Trial { knobs, recall, qps };
        let go_on = (self.progress)(&trial);
        self.trials.push(trial);
        match go_on {
            ControlFlow::Continue(()) => Ok((recall, qps)),
            ControlFlow::Break(()) => Err(Halt::Enough),
        }
    }
}

/// The first of `0..n` that reaches the target; `n` if none does. Those above one that does, do too.
fn lowest(n: usize, mut reaches: impl FnMut(usize) -> Result<bool, Halt>) -> Result<usize, Halt> {
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = low + (high - low) / 2;
        if reaches(middle)? {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

/// Whole numbers strictly between two steps of a ladder, evenly spread.
fn between(below: f64, above: f64) -> Vec<f64> {
    if !above.is_finite() || above - below <= 1.0 {
        return Vec::new();
    }
    let parts = (BETWEEN + 1) as f64;
    let mut values: Vec<f64> = (1..=BETWEEN)
        .map(|i| (below + (above - below) * i as f64 / parts).round())
        .filter(|value| *value > below && *value < above)
        .collect();
    values.dedup();
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A made-up index: recall and speed from two parameters, counted in place of measured.
    fn climb(target: f64, most: usize, stop_after: usize, simulate: fn(f64, f64) -> (f64, f64)) -> Vec<Trial> {
        let mut space = ParameterSpace::default();
        space.add_range("ef", (2..10).map(|i| f64::from(1 << i)).collect());
        space.add_range("nprobe", (0..8).map(|i| f64::from(1 << i)).collect());
        let mut count = 0;
        let mut climb = Climb {
            space,
            target,
            most,
            trials: Vec::new(),
            measure: &mut |knobs| {
                let values: Vec<f64> = knobs.iter().map(|(_, value)| value).collect();
                Ok(simulate(values[0], values[1]))
            },
            progress: &mut |_| {
                count += 1;
                if count == stop_after {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            },
        };
        let halted = climb.all();
        assert!(!matches!(halted, Err(Halt::Failed(_))));
        climb.trials
    }

    /// `ef` is dear and helps little.
    fn simulate(ef: f64, nprobe: f64) -> (f64, f64) {
        let recall = (1.0 - 1.0 / (1.0 + ef)) * (1.0 - 1.0 / (1.0 + nprobe));
        (recall, 1e6 / (20.0 * ef + 3.0 * nprobe))
    }

    #[test]
    fn the_fastest_setting_is_found_with_few_trials() {
        for target in [0.3, 0.6, 0.8, 0.9, 0.95, 0.98] {
            let trials = climb(target, 1000, 1000, simulate);
            let (found, is_reached) = best(&trials, target).unwrap();
            let every =
                (4..=512).flat_map(|ef| (1..=128).map(move |nprobe| simulate(f64::from(ef), f64::from(nprobe))));
            let reached = every.filter(|(recall, _)| *recall >= target);
            let fastest = reached.map(|(_, qps)| qps).fold(0.0, f64::max);
            assert!(is_reached && found.recall >= target);
            assert!(
                found.qps > 0.85 * fastest,
                "target {target}: {} of {fastest}",
                found.qps
            );
            assert!(trials.len() < 60, "target {target}: {} trials", trials.len());
            let mut knobs: Vec<_> = trials.iter().map(|trial| format!("{:?}", trial.knobs)).collect();
            knobs.sort_unstable();
            knobs.dedup();
            assert_eq!(knobs.len(), trials.len(), "nothing is measured twice");
        }
    }

    #[test]
    fn what_cannot_be_reached_ends_with_the_best() {
        let trials = climb(1.0, 1000, 1000, simulate);
        let (best, is_reached) = best(&trials, 1.0).unwrap();
        assert!(!is_reached);
        assert_eq!(best.recall, simulate(512.0, 128.0).0);
    }

    #[test]
    fn it_ends_when_told_to() {
        assert_eq!(climb(0.9, 5, 1000, simulate).len(), 5);
        assert_eq!(climb(0.9, 1000, 3, simulate).len(), 3);
    }

    #[test]
    fn between_two_steps_are_whole_numbers() {
        assert_eq!(between(4.0, 8.0), [5.0, 6.0, 7.0]);
        assert_eq!(between(1.0, 2.0), [0.0; 0]);
        assert_eq!(between(64.0, f64::INFINITY), [0.0; 0]);
        let wide = between(1024.0, 2048.0);
        assert!(wide.len() == BETWEEN && wide.is_sorted());
    }
}
