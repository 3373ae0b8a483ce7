//! Exact search on one thread: queries per second of a single-query scan, of the same through rounded rows and sketches, of a
//! batch and of the same through sketches, for every instruction set.
//!
//!     cargo bench -p anear-kernels --bench scan -- [ROWS.f32 DIM]
//!
//! `ROWS.f32` holds little-endian f32, row after row, the last 1,000 of which are the queries; without it, 60,000 x 784
//! uniform random numbers, which no sketch can be made of.
//! Rounds of all candidates are interleaved and the fastest round of each counts, in processor time of the thread
//! (on Linux), so that a busy machine slows all of them alike.
#![allow(clippy::print_stdout, reason = "a benchmark reports to the terminal")]

use std::{env, fs, slice, time::Instant};

use anear_kernels::{
    ByteQuery, ByteRows, ByteRun, IdSelector, Isa, Kernels, Metric, Random, Rows, Sketcher, TopK, isa, isa_report,
};

const K: usize = 10;
const ROUNDS: usize = 5;
const SINGLE: usize = 20;
const BATCH: usize = 1000;

fn main() {
    let (data, dim) = input();
    let all = Rows::new(&data, dim).expect("whole rows");
    let (rows, queries) = (all.slice(0..all.len() - BATCH), all.slice(all.len() - BATCH..all.len()));
    let kernels: Vec<_> = Isa::ALL.iter().filter_map(|&isa| Kernels::for_isa(isa)).collect();
    println!("machine: {}; {}", processor(), isa_report());
    println!(
        "data: {} x {dim}, k = {K}, one thread, fastest of {ROUNDS} interleaved rounds",
        rows.len()
    );
    let start = Instant::now();
    let bytes = ByteRows::new(rows).expect("memory for bytes");
    println!("rounded to bytes in {:.0} ms", 1e3 * start.elapsed().as_secs_f64());
    let start = Instant::now();
    let sketched = Sketched::new(rows);
    let sketcher = sketched.as_ref().map(|sketched| &sketched.sketcher);
    println!("{sketcher:?} in {:.0} ms", 1e3 * start.elapsed().as_secs_f64());
    let input = Input {
        rows,
        queries,
        bytes: ByteRun::all(&bytes, rows),
        sketched: sketched.as_ref(),
    };
    for metric in [
        Metric::L2,
        Metric::InnerProduct,
        Metric::Cosine,
        Metric::L1,
        Metric::Linf,
    ] {
        let mut least = vec![[f64::INFINITY; WAYS.len()]; kernels.len()];
        for _ in 0..ROUNDS {
            for (kernels, least) in kernels.iter().zip(&mut least) {
                for ((_, _, way), least) in WAYS.iter().zip(least) {
                    let (start, before) = (Instant::now(), cpu_seconds());
                    if std::hint::black_box(way(kernels, metric, &input)).is_some() {
                        *least = least.min(seconds(start, before));
                    }
                }
            }
        }
        for (kernels, least) in kernels.iter().zip(least) {
            print!("{:7} {:13}", kernels.isa(), metric);
            for ((name, count, _), seconds) in WAYS.iter().zip(least).filter(|(_, seconds)| seconds.is_finite()) {
                print!("   {name}: {:.1} QPS", *count as f64 / seconds);
            }
            println!();
        }
    }
}

/// What is searched, and by what.
struct Input<'a> {
    rows: Rows<'a>,
    queries: Rows<'a>,
    bytes: ByteRun<'a>,
    sketched: Option<&'a Sketched>,
}

/// Sketches are made, and single queries compared with them, on the machine's own instruction set.
struct Sketched {
    sketcher: Sketcher,
    bytes: ByteRows,
}

impl Sketched {
    fn new(rows: Rows<'_>) -> Option<Self> {
        let sample = rows.gathered(Random::new(1).sorted_sample(rows.len(), 2048).into_iter());
        let sketcher = Sketcher::learn(Rows::new(&sample, rows.dim())?, &[31, 95, 191, 255], 0.1)?;
        let bytes = ByteRows::sketched(rows, &sketcher)?;
        Some(Self { sketcher, bytes })
    }
}

/// How many neighbors were found; `None` where there is no such way.
type Way = fn(&'static Kernels, Metric, &Input<'_>) -> Option<usize>;

/// The ways to search, and how many queries each is given.
const WAYS: [(&str, usize, Way); 5] = [
    ("one query", SINGLE, scan_each),
    ("through bytes", SINGLE, scan_bytes),
    ("through sketches", SINGLE, scan_sketches),
    ("batch of 1000", BATCH, scan_batch),
    ("batch through sketches", BATCH, scan_batch_sketched),
];

fn scan_each(kernels: &'static Kernels, metric: Metric, input: &Input<'_>) -> Option<usize> {
    each(input, |query, top| {
        kernels.scan(metric, query, input.rows, 0, &IdSelector::All, top);
        Some(())
    })
}

fn scan_bytes(kernels: &'static Kernels, metric: Metric, input: &Input<'_>) -> Option<usize> {
    each(input, |query, top| {
        let query = ByteQuery::on(kernels, metric, query)?;
        query.scan(slice::from_ref(&input.bytes), &IdSelector::All, top);
        Some(())
    })
}

fn scan_sketches(kernels: &'static Kernels, metric: Metric, input: &Input<'_>) -> Option<usize> {
    let Sketched { sketcher, bytes } = input.sketched.filter(|_| kernels.isa() == isa())?;
    each(input, |query, top| {
        let query = ByteQuery::sketched(metric, query, sketcher)?;
        query.scan(&[ByteRun::all(bytes, input.rows)], &IdSelector::All, top);
        Some(())
    })
}

fn each(input: &Input<'_>, scan: impl Fn(&[f32], &mut TopK) -> Option<()>) -> Option<usize> {
    let mut found = 0;
    for query in input.queries.slice(0..SINGLE) {
        let mut top = TopK::new(K);
        scan(query, &mut top)?;
        found += top.len();
    }
    Some(found)
}

fn scan_batch(kernels: &'static Kernels, metric: Metric, input: &Input<'_>) -> Option<usize> {
    if metric != Metric::L2 || kernels.isa() == Isa::Scalar {
        return None;
    }
    let mut tops = vec![TopK::new(K); input.queries.len()];
    kernels.scan_batch(metric, input.queries, input.rows, 0, &IdSelector::All, &mut tops);
    Some(tops.iter().map(TopK::len).sum())
}

fn scan_batch_sketched(kernels: &'static Kernels, metric: Metric, input: &Input<'_>) -> Option<usize> {
    let Sketched { sketcher, bytes } = input.sketched.filter(|_| metric == Metric::L2)?;
    let (queries, run) = (input.queries, ByteRun::all(bytes, input.rows));
    let mut tops = vec![TopK::new(K); queries.len()];
    let sketches = sketcher.sketch(metric, queries);
    kernels.scan_batch_sketched(metric, queries, &sketches, &run, &IdSelector::All, &mut tops)?;
    Some(tops.iter().map(TopK::len).sum())
}

/// Processor time of this thread where the system tells, else elapsed time.
fn seconds(start: Instant, cpu: Option<f64>) -> f64 {
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
        _ => (random((60_000 + BATCH) * 784, 1), 784),
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
