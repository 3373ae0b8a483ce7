//! The anear half of `benches/flat_vs_faiss.py`: loads rows, then runs what standard input asks for and answers with
//! the seconds that took.
//!
//! `flat_bench BASE.f32 QUERIES.f32 DIM METRIC K THREADS`; the files are little-endian `f32` rows.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::time::Instant;

use anear_index::{IndexSpec, SearchRequest, VectorIndex, VectorIndexExt};
use anear_kernels::{Metric, Rows};
use anear_pool::Pool;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [base, queries, dim, metric, k, threads] = &arguments[..] else {
        return Err("usage: flat_bench BASE.f32 QUERIES.f32 DIM METRIC K THREADS".into());
    };
    let (dim, k) = (dim.parse()?, k.parse()?);
    let metric: Metric = metric.parse()?;
    let pool = Pool::new(threads.parse()?)?;
    let mut index = "Flat".parse::<IndexSpec>()?.build(dim, metric)?;
    index.add(Rows::new(&read(base)?, dim).ok_or("the base is not rows of DIM components")?)?;
    let queries = read(queries)?;
    let queries = Rows::new(&queries, dim).ok_or("the queries are not rows of DIM components")?;
    serve(&*index, queries, &SearchRequest::new(k).on(&pool))
}

fn serve(index: &dyn VectorIndex, queries: Rows<'_>, request: &SearchRequest<'_>) -> Result<(), Box<dyn Error>> {
    for line in io::stdin().lock().lines() {
        let line = line?;
        let start = Instant::now();
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["isa"] => println!("{}", anear_kernels::isa().name()),
            ["distances"] => println!("{:?}", distances(index, queries, request)?),
            ["batch"] => {
                index.search(queries, request)?;
                println!("{}", start.elapsed().as_secs_f64());
            }
            ["single", count] => {
                for row in 0..count.parse::<usize>()?.min(queries.len()) {
                    index.search(queries.slice(row..row + 1), request)?;
                }
                println!("{}", start.elapsed().as_secs_f64());
            }
            _ => return Err(format!("unknown request `{line}`").into()),
        }
        io::stdout().flush()?;
    }
    Ok(())
}

/// Faiss's values, one list per query.
fn distances(
    index: &dyn VectorIndex,
    queries: Rows<'_>,
    request: &SearchRequest<'_>,
) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
    let found = index.search(queries, request)?;
    let metric = index.metric();
    let values = |row: &[anear_kernels::Neighbor]| {
        row.iter()
            .map(|n| anear_index::faiss_value(metric, n.distance))
            .collect()
    };
    Ok(found.iter().map(values).collect())
}

fn read(path: &str) -> io::Result<Vec<f32>> {
    let bytes = std::fs::read(path)?;
    Ok(bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect())
}
