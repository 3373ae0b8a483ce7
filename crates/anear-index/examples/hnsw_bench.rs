//! Times a graph index on data of the caller's: `hnsw_bench SPEC METRIC DIM K THREADS BASE QUERIES TRUTH EF...`.
//!
//! `BASE` and `QUERIES` are raw little-endian `f32`, `TRUTH` is raw `i64` of the `K` nearest of each query. Prints
//! seconds to build, then recall and queries per second for each `EF`, one line each; for the last `EF` also where few
//! vectors are selected, beside an exact search, and after half of them were removed. On one thread of Linux, seconds are
//! of the processor's time: what else runs on the machine does not count.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use anear_index::{Flat, IndexSpec, Neighbors, SearchRequest, Training, VectorIndex, VectorIndexExt as _};
use anear_kernels::{Bitmap, IdSelector, Metric, Rows};
use anear_pool::Pool;

/// Searches are repeated at least this long.
const SEARCH_FOR: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [spec, metric, dim, k, threads, base, queries, truth, efs @ ..] = &arguments[..] else {
        return Err("usage: hnsw_bench SPEC METRIC DIM K THREADS BASE QUERIES TRUTH EF...".into());
    };
    let (dim, k): (usize, usize) = (dim.parse()?, k.parse()?);
    let threads = threads.parse()?;
    let pool = (threads > 1).then(|| Pool::new(threads)).transpose()?;
    let now = || seconds(threads);
    let (base, queries, truth) = (floats(base)?, floats(queries)?, ids(truth)?);
    let rows = |floats| Rows::new(floats, dim).ok_or("the file does not hold whole vectors");
    let (base, queries) = (rows(&base)?, rows(&queries)?);
    let metric: Metric = metric.parse()?;

    let start = now();
    let training = Training {
        pool: pool.as_ref(),
        ..Training::default()
    };
    let mut index = spec.parse::<IndexSpec>()?.train(metric, base, &training)?;
    let add = index.as_add().ok_or("the index cannot add")?;
    add.add_on(base, pool.as_ref())?;
    println!("build {:.3} s", now() - start);

    let search = |index: &dyn VectorIndex, request: &SearchRequest<'_>| -> Result<_, Box<dyn Error>> {
        let (began, start, mut answered) = (Instant::now(), now(), 0);
        let mut found = Neighbors::default();
        while began.elapsed() < SEARCH_FOR {
            found = index.search(queries, request)?;
            answered += queries.len();
        }
        Ok((found, answered as f64 / (now() - start)))
    };
    let mut request = SearchRequest {
        pool: pool.as_ref(),
        ..SearchRequest::new(k)
    };
    let width = index.knobs().first().ok_or("the index has no search parameter")?.name;
    for ef in efs {
        request = request.with(width, ef.parse()?);
        let (found, qps) = search(&*index, &request)?;
        println!("ef {ef} recall {:.4} qps {qps:.0}", recall(&found, &truth));
    }

    let mut flat = Flat::new(dim, metric)?;
    flat.add(base)?;
    let beside_exact = |index: &dyn VectorIndex, selector: &IdSelector<'_>| -> Result<_, Box<dyn Error>> {
        let exact = SearchRequest::new(k).selecting(selector.clone());
        let (truth, exact) = search(&flat, &exact)?;
        let truth: Vec<i64> = truth.iter().flatten().map(|n| n.id as i64).collect();
        let (found, qps) = search(index, &request.clone().selecting(selector.clone()))?;
        Ok((recall(&found, &truth), qps, exact))
    };
    for one_in in [2, 5, 10, 20, 50, 200, 1000] {
        let kept = (0..base.len()).filter(|id| hash(*id as u64).is_multiple_of(one_in));
        let kept = Bitmap::from_indices(base.len(), kept);
        let (recall, qps, exact) = beside_exact(&*index, &IdSelector::Bitmap(&kept))?;
        println!("one in {one_in} recall {recall:.4} qps {qps:.0}, exact {exact:.0}");
    }
    let kept = |id: u64| hash(id).is_multiple_of(2);
    let start = now();
    let removed = index.remove(&IdSelector::Not(Box::new(IdSelector::Custom(&kept))))?;
    let seconds = now() - start;
    let (recall, qps, _) = beside_exact(&*index, &IdSelector::Custom(&kept))?;
    println!("{removed} removed in {seconds:.3} s: recall {recall:.4} qps {qps:.0}");
    Ok(())
}

/// A number that looks random, another for each.
fn hash(id: u64) -> u64 {
    id.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}

/// Seconds since some moment: of this thread on a processor, where there is but one and the system tells.
fn seconds(threads: usize) -> f64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let wall = BEGAN.elapsed().as_secs_f64();
    if threads > 1 {
        return wall;
    }
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = told.split(' ').next().and_then(|told| told.parse::<f64>().ok());
    nanoseconds.map_or(wall, |told| told / 1e9)
}

/// The share of the true neighbors that were found.
fn recall(found: &Neighbors, truth: &[i64]) -> f64 {
    let rows = found.iter().zip(truth.chunks(truth.len() / found.len()));
    let hits: usize = rows
        .map(|(found, truth)| found.iter().filter(|n| truth.contains(&(n.id as i64))).count())
        .sum();
    hits as f64 / truth.len() as f64
}

fn floats(path: &str) -> Result<Vec<f32>, Box<dyn Error>> {
    let bytes = fs::read(path)?;
    let (floats, _) = bytes.as_chunks();
    Ok(floats.iter().map(|float| f32::from_le_bytes(*float)).collect())
}

fn ids(path: &str) -> Result<Vec<i64>, Box<dyn Error>> {
    let bytes = fs::read(path)?;
    let (ids, _) = bytes.as_chunks();
    Ok(ids.iter().map(|id| i64::from_le_bytes(*id)).collect())
}
