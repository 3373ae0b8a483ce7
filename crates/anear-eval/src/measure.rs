//! How long searching takes: all queries in one call, or one call for each.

use std::time::{Duration, Instant};

use anear_index::{Neighbors, SearchRequest, VectorIndex};
use anear_kernels::Rows;

use crate::{Error, Result};

/// Time since some moment that does not change while it is measured; [`wall_clock`] makes one.
pub type Clock<'a> = &'a dyn Fn() -> Duration;

/// How thoroughly a setting is timed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// Queries that are searched for untimed before anything is timed, so that caches and threads are warm.
    pub warm_up: usize,
    /// The queries are searched for again and again until so much time is spent; a batch twice at least, so that one
    /// disturbance does not count.
    pub min_duration: Duration,
}

/// How fast a batch is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// Queries per second, in the fastest run: what the machine does when nothing else disturbs it.
    pub qps: f64,
    /// How many runs there were.
    pub runs: usize,
}

/// How fast single queries are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// Queries per second, one after the other: one divided by the mean latency.
    pub qps: f64,
    /// Half of the queries were answered within so many microseconds.
    pub latency_us_p50: f64,
    /// And 99 of 100 within so many.
    pub latency_us_p99: f64,
}

impl Default for Effort {
    /// 100 queries to warm up, then 0.2 seconds.
    fn default() -> Self {
        Self {
            warm_up: 100,
            min_duration: Duration::from_millis(200),
        }
    }
}

/// The time since now, by the clock of the machine that only goes forward.
pub fn wall_clock() -> impl Fn() -> Duration {
    let start = Instant::now();
    move || start.elapsed()
}

/// What one call for all queries finds, and how fast it is.
///
/// # Errors
/// [`Error::TooFewQueries`] without a query, and those of the search.
pub fn measure_batch(
    index: &dyn VectorIndex,
    queries: Rows<'_>,
    request: &SearchRequest<'_>,
    effort: &Effort,
    clock: Clock<'_>,
) -> Result<(Neighbors, Timing)> {
    check(queries)?;
    index.search(queries.slice(0..queries.len().min(effort.warm_up)), request)?;
    let (mut fastest, mut spent, mut runs) = (Duration::MAX, Duration::ZERO, 0);
    loop {
        let start = clock();
        let found = index.search(queries, request)?;
        let took = clock().saturating_sub(start);
        (fastest, spent, runs) = (fastest.min(took), spent + took, runs + 1);
        if (spent >= effort.min_duration && runs >= RUNS_MIN) || runs == RUNS_MAX {
            let qps = rate(queries.len(), fastest);
            return Ok((found, Timing { qps, runs }));
        }
    }
}

/// What a call for each query finds, and how fast they are.
///
/// # Errors
/// Those of [`measure_batch`].
pub fn measure_one_by_one(
    index: &dyn VectorIndex,
    queries: Rows<'_>,
    request: &SearchRequest<'_>,
    effort: &Effort,
    clock: Clock<'_>,
) -> Result<(Neighbors, Latency)> {
    check(queries)?;
    let query = |i: usize| index.search(queries.slice(i..i + 1), request);
    for i in 0..queries.len().min(effort.warm_up) {
        query(i)?;
    }
    let (mut found, mut took) = (Neighbors::default(), Vec::new());
    let (mut spent, mut runs) = (Duration::ZERO, 0);
    while runs == 0 || (spent < effort.min_duration && runs < RUNS_MAX) {
        for i in 0..queries.len() {
            let start = clock();
            let neighbors = query(i)?;
            took.push(clock().saturating_sub(start));
            if runs == 0 {
                found.push_row(neighbors.row(0));
            }
        }
        spent = took.iter().sum();
        runs += 1;
    }
    took.sort_unstable();
    let latency = Latency {
        qps: rate(took.len(), spent),
        latency_us_p50: percentile(&took, 50),
        latency_us_p99: percentile(&took, 99),
    };
    Ok((found, latency))
}

/// The fastest of one is no choice.
const RUNS_MIN: usize = 2;

/// A clock that stands still must not stop us.
const RUNS_MAX: usize = 10_000;

fn check(queries: Rows<'_>) -> Result<()> {
    if queries.is_empty() {
        return Err(Error::TooFewQueries { needed: 1, got: 0 });
    }
    Ok(())
}

fn rate(queries: usize, took: Duration) -> f64 {
    // Nothing is faster than the clock can tell.
    queries as f64 / took.max(Duration::from_nanos(1)).as_secs_f64()
}

/// The smallest value that `percent` of `sorted` do not exceed, in microseconds.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1].as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use anear_index::{Flat, VectorIndexExt as _};
    use anear_kernels::Metric;

    use super::*;

    fn index() -> Flat {
        let mut index = Flat::new(1, Metric::L2).unwrap();
        index.add(Rows::new(&[0.0, 1.0, 5.0], 1).unwrap()).unwrap();
        index
    }

    fn effort(micros: u64) -> Effort {
        Effort {
            warm_up: 1,
            min_duration: Duration::from_micros(micros),
        }
    }

    #[test]
    fn a_batch_is_as_fast_as_its_fastest_run() {
        // Between start and end of the runs pass 1, 2, 3, ... microseconds.
        let (now, calls) = (Cell::new(0), Cell::new(0));
        let clock = || {
            calls.set(calls.get() + 1);
            now.set(now.get() + if calls.get() % 2 == 0 { calls.get() / 2 } else { 100 });
            Duration::from_micros(now.get())
        };
        let queries = Rows::new(&[0.4, 4.0], 1).unwrap();
        let (found, timing) = measure_batch(&index(), queries, &SearchRequest::new(1), &effort(6), &clock).unwrap();
        assert_eq!((found.row(0)[0].id, found.row(1)[0].id), (0, 2));
        assert_eq!(timing.runs, 3, "1 + 2 + 3 microseconds");
        assert!(
            (timing.qps - 2e6).abs() < 1.0,
            "two queries in one microsecond: {}",
            timing.qps
        );
    }

    #[test]
    fn latencies_are_counted_query_by_query() {
        // Query i of 100 takes i + 1 microseconds.
        let (now, calls) = (Cell::new(0), Cell::new(0));
        let clock = || {
            calls.set(calls.get() + 1);
            now.set(now.get() + if calls.get() % 2 == 0 { calls.get() / 2 } else { 0 });
            Duration::from_micros(now.get())
        };
        let queries = vec![0.4; 100];
        let queries = Rows::new(&queries, 1).unwrap();
        let request = SearchRequest::new(1);
        let (found, latency) = measure_one_by_one(&index(), queries, &request, &effort(0), &clock).unwrap();
        assert_eq!(found.len(), 100);
        let close = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-9;
        assert!(
            close(latency.latency_us_p50, 50.0) && close(latency.latency_us_p99, 99.0),
            "{latency:?}"
        );
        assert!(close(latency.qps, 1e6 / 50.5), "{latency:?}");
    }

    #[test]
    fn a_clock_that_stands_still_ends_all_the_same() {
        let queries = Rows::new(&[0.4], 1).unwrap();
        let stands_still = || Duration::ZERO;
        let (_, timing) = measure_batch(&index(), queries, &SearchRequest::new(1), &effort(1), &stands_still).unwrap();
        assert_eq!(timing.runs, RUNS_MAX);
        let nothing = Rows::new(&[], 1).unwrap();
        let refused = measure_batch(&index(), nothing, &SearchRequest::new(1), &effort(1), &stands_still);
        assert_eq!(refused.unwrap_err().to_string(), "1 queries are needed at least, got 0");
    }
}
