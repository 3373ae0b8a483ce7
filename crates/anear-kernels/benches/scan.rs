//! Exact search on one thread: queries per second of a single-query scan, of the same through rounded rows and of a batch,
//! for every instruction set.
//!
//!     cargo bench -p anear-kernels --bench scan -- [ROWS.f32 DIM]
//!
//! `ROWS.f32` holds little-endian f32, row after row; without it, 60,000 x 784 uniform random numbers.
//! Rounds of all candidates are interleaved and the fastest round of each counts, in processor time of the thread
//! (on Linux), so that a busy machine slows all of them alike.
#![allow(clippy::print_stdout, reason = "a benchmark reports to the terminal")]

use std::{env, fs, time::Instant};

use anear_kernels::{ByteQuery, ByteRows, ByteRun, IdSelector, Isa, Kernels, Metric, Rows, TopK, isa_report};

const K: usize = 10;
const ROUNDS: usize = 5;
const SINGLE: usize = 20;
const BATCH: usize = 1000;

fn main() {
    let (data, dim) = input();
    let rows = Rows::new(&data, dim).expect("whole rows");
    let queries: Vec<f32> = random(BATCH * dim, 2);
    let queries = Rows::new(&queries, dim).expect("whole rows");
    let kernels: Vec<_> = Isa::ALL.iter().filter_map(|&isa| Kernels::for_isa(isa)).collect();
    println!("machine: {}; {}", processor(), isa_report());
    println!(
        "data: {} x {dim}, k = {K}, one thread, fastest of {ROUNDS} interleaved rounds",
        rows.len()
    );
    let start = Instant::now();
    let bytes = ByteRows::new(rows).expect("memory for bytes");
    println!("rounded to bytes in {:.0} ms", 1e3 * start.elapsed().as_secs_f64());
    for metric in [
        Metric::L2,
        Metric::InnerProduct,
        Metric::Cosine,
        Metric::L1,
        Metric::Linf,
    ] {
        let mut single = vec![f64::INFINITY; kernels.len()];
        let mut rounded = vec![f64::INFINITY; kernels.len()];
        let mut batch = vec![f64::INFINITY; kernels.len()];
        for _ in 0..ROUNDS {
            for (i, kernels) in kernels.iter().enumerate() {
                single[i] = single[i].min(seconds(|| scan_each(kernels, metric, queries.slice(0..SINGLE), rows)));
                if ByteQuery::on(kernels, metric, queries.row(0)).is_some() {
                    let run = ByteRun::all(&bytes, rows);
                    rounded[i] =
                        rounded[i].min(seconds(|| scan_bytes(kernels, metric, queries.slice(0..SINGLE), &run)));
                }
                if metric == Metric::L2 && kernels.isa() != Isa::Scalar {
                    batch[i] = batch[i].min(seconds(|| scan_batch(kernels, metric, queries, rows)));
                }
            }
        }
        for (i, kernels) in kernels.iter().enumerate() {
            report(kernels, metric, rows, single[i], rounded[i], batch[i]);
        }
    }
}

fn report(kernels: &Kernels, metric: Metric, rows: Rows<'_>, single: f64, rounded: f64, batch: f64) {
    let qps = SINGLE as f64 / single;
    let gigabytes = qps * size_of_val(rows.as_slice()) as f64 / 1e9;
    print!(
        "{:7} {:13} one query: {qps:7.1} QPS {gigabytes:6.1} GB/s",
        kernels.isa(),
        metric
    );
    if rounded.is_finite() {
        print!("   through bytes: {:7.1} QPS", SINGLE as f64 / rounded);
    }
    if batch.is_finite() {
        let qps = BATCH as f64 / batch;
        let gigaflops = qps * 2.0 * rows.as_slice().len() as f64 / 1e9;
        print!("   batch of {BATCH}: {qps:7.1} QPS {gigaflops:6.1} GFLOP/s");
    }
    println!();
}

fn scan_each(kernels: &Kernels, metric: Metric, queries: Rows<'_>, rows: Rows<'_>) -> usize {
    let mut found = 0;
    for query in queries {
        let mut top = TopK::new(K);
        kernels.scan(metric, query, rows, 0, &IdSelector::All, &mut top);
        found += top.len();
    }
    found
}

fn scan_bytes(kernels: &'static Kernels, metric: Metric, queries: Rows<'_>, run: &ByteRun<'_>) -> usize {
    let mut found = 0;
    for query in queries {
        let mut top = TopK::new(K);
        let query = ByteQuery::on(kernels, metric, query).expect("a metric that has a bound");
        query.scan(run, &IdSelector::All, &mut top);
        found += top.len();
    }
    found
}

fn scan_batch(kernels: &Kernels, metric: Metric, queries: Rows<'_>, rows: Rows<'_>) -> usize {
    let mut tops = vec![TopK::new(K); queries.len()];
    kernels.scan_batch(metric, queries, rows, 0, &IdSelector::All, &mut tops);
    tops.iter().map(TopK::len).sum()
}

/// Processor time of this thread where the system tells, else elapsed time.
fn seconds(f: impl FnOnce() -> usize) -> f64 {
    let (start, cpu) = (Instant::now(), cpu_seconds());
    std::hint::black_box(f());
    match (cpu, cpu_seconds()) {
        (Some(start), Some(end)) => end - start,
        _ => start.elapsed().as_secs_f64(),
    }
}

fn cpu_seconds() -> Option<f64> {
    let nanoseconds = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(nanoseconds.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}

fn input() -> (Vec<f32>, usize) {
    let mut args = env::args().skip(1).filter(|arg| arg != "--bench");
    match (args.next(), args.next()) {
        (Some(path), Some(dim)) => {
            let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
            let floats = bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
            (floats.collect(), dim.parse().expect("the dimension is a number"))
        }
        _ => (random(60_000 * 784, 1), 784),
    }
}

/// Uniform in 0..1, by SplitMix64.
fn random(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ x >> 31) >> 40) as f32 / (1 << 24) as f32
    };
    (0..n).map(|_| next()).collect()
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or("unknown", |(_, name)| name).to_owned()
}
