//! The anear half of `benches/kmeans_vs_faiss.py`: loads rows, then trains as often as standard input asks for it, and
//! answers each line `K NITER SEED` with one line `seconds processor-seconds objective iterations`. The processor time is
//! that of the calling thread where the system tells (on Linux), else the elapsed time again.
//!
//! `kmeans_bench ROWS.f32 DIM THREADS`; the file is little-endian `f32` rows. 0 threads: none but the caller's.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::time::Instant;

use anear_cluster::{KMeansParams, Training};
use anear_kernels::Rows;
use anear_pool::Pool;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [rows, dim, threads] = &arguments[..] else {
        return Err("usage: kmeans_bench ROWS.f32 DIM THREADS".into());
    };
    let rows = read(rows)?;
    let rows = Rows::new(&rows, dim.parse()?).ok_or("the file is not rows of DIM components")?;
    let threads = threads.parse()?;
    let pool = (threads > 0).then(|| Pool::new(threads)).transpose()?;
    println!("{}", anear_kernels::isa().name());
    for line in io::stdin().lock().lines() {
        let numbers: Vec<usize> = line?.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [k, niter, seed] = numbers[..] else {
            return Err("each line is `K NITER SEED`".into());
        };
        let params = KMeansParams {
            niter,
            seed: seed as u64,
            ..KMeansParams::new(k)
        };
        let training = Training {
            pool: pool.as_ref(),
            ..Training::default()
        };
        let (start, cpu) = (Instant::now(), cpu_seconds());
        let kmeans = params.train(rows, &training)?;
        let seconds = start.elapsed().as_secs_f64();
        let cpu = cpu_seconds().zip(cpu).map_or(seconds, |(end, start)| end - start);
        println!("{seconds} {cpu} {} {}", kmeans.objective(), kmeans.stats().len());
        io::stdout().flush()?;
    }
    Ok(())
}

fn cpu_seconds() -> Option<f64> {
    let nanoseconds = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(nanoseconds.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}

fn read(path: &str) -> io::Result<Vec<f32>> {
    let bytes = std::fs::read(path)?;
    let floats = bytes.as_chunks::<4>().0;
    Ok(floats.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
}
