//! Times an index on data of the caller's: `index_bench SPEC DIM K THREADS BASE QUERIES OUT [KNOB=VALUE...]`.
//!
//! `BASE` and `QUERIES` are raw little-endian `f32`; the ids found go to `OUT` as raw `i64`. Prints one line of JSON:
//! seconds to train, to add, and for the best of several searches. `benches/faiss_vs_anear.py` runs it beside Faiss.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

use anear_index::{IndexSpec, NeighborsMut, SearchRequest, Training};
use anear_kernels::{Metric, Rows};
use anear_pool::Pool;

/// Searches are repeated at least this long; the best counts.
const SEARCH_FOR: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [spec, metric, dim, k, threads, base, queries, out, knobs @ ..] = &arguments[..] else {
        return Err("usage: index_bench SPEC METRIC DIM K THREADS BASE QUERIES OUT [KNOB=VALUE...]".into());
    };
    let (dim, k): (usize, usize) = (dim.parse()?, k.parse()?);
    let pool = Pool::new(threads.parse()?)?;
    let (base, queries) = (floats(base)?, floats(queries)?);
    let rows = |floats| Rows::new(floats, dim).ok_or("the file does not hold whole vectors");
    let (base, queries) = (rows(&base)?, rows(&queries)?);
    let metric: Metric = metric.parse()?;

    let start = Instant::now();
    let training = Training {
        pool: Some(&pool),
        ..Training::default()
    };
    let mut index = spec.parse::<IndexSpec>()?.train(metric, base, &training)?;
    let train = start.elapsed();
    let start = Instant::now();
    index
        .as_add()
        .ok_or("the index cannot add")?
        .add_on(base, Some(&pool))?;
    let add = start.elapsed();

    let mut request = SearchRequest::new(k).on(&pool);
    for knob in knobs {
        let (name, value) = knob.split_once('=').ok_or("knobs are written NAME=VALUE")?;
        request = request.with(name, value.parse()?);
    }
    let (mut ids, mut distances) = (vec![0; queries.len() * k], vec![0.0; queries.len() * k]);
    let (began, mut search) = (Instant::now(), Duration::MAX);
    while began.elapsed() < SEARCH_FOR {
        let start = Instant::now();
        let out = NeighborsMut {
            ids: &mut ids,
            distances: &mut distances,
        };
        index.search_into(queries, &request, out)?;
        search = search.min(start.elapsed());
    }
    fs::write(out, ids.iter().flat_map(|id| id.to_le_bytes()).collect::<Vec<_>>())?;
    println!(
        "{{\"train\": {}, \"add\": {}, \"search\": {}, \"len\": {}}}",
        train.as_secs_f64(),
        add.as_secs_f64(),
        search.as_secs_f64(),
        index.len()
    );
    Ok(())
}

fn floats(path: &str) -> Result<Vec<f32>, Box<dyn Error>> {
    let bytes = fs::read(path)?;
    let (floats, _) = bytes.as_chunks();
    Ok(floats.iter().map(|float| f32::from_le_bytes(*float)).collect())
}
