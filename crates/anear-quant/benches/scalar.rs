//! Scalar codes on one thread: what comparing them costs beside decoding and measuring, and the search of all of them.
//!
//!     cargo bench -p anear-quant --bench scalar -- [COUNT DIM TOKEN...]
//!
//! Without arguments, 100,000 vectors of 128 components in every kind, uniform random. Rounds of all kinds are interleaved and the
//! fastest of each counts; batches take part in every fifth.
#![allow(clippy::print_stdout, reason = "a benchmark reports to the terminal")]

use std::{env, time::Instant};

use anear_kernels::{IdSelector, Metric, Rows, TopK, isa_report};
use anear_quant::{CodeRun, Codes, Quantizer, Scalar, ScalarKind, ScalarParams, Training};

const K: usize = 10;
const ROUNDS: usize = 15;
const BLOCK: usize = 256;
const BATCH: usize = 100;

fn main() {
    let mut args = env::args().skip(1).filter(|arg| arg != "--bench");
    let mut number = |default| args.next().map_or(default, |arg| arg.parse().expect("a number"));
    let (count, dim): (usize, usize) = (number(100_000), number(128));
    let (base, queries) = (random(count * dim, 1), random(BATCH * dim, 2));
    let queries = Rows::new(&queries, dim).expect("whole rows");
    println!(
        "{}; {count} x {dim}, k = {K}, fastest of {ROUNDS} interleaved rounds",
        isa_report()
    );
    let wanted: Vec<String> = args.collect();
    let kinds = ScalarKind::ALL
        .iter()
        .filter(|kind| wanted.is_empty() || wanted.iter().any(|token| token == kind.token()));
    let kinds: Vec<_> = kinds
        .map(|&kind| kept(kind, Rows::new(&base, dim).expect("whole rows")))
        .collect();
    for metric in [Metric::L2, Metric::InnerProduct] {
        let mut best = vec![[f64::INFINITY; 4]; kinds.len()];
        for round in 0..ROUNDS {
            for ((scalar, codes), best) in kinds.iter().zip(&mut best) {
                let with_batch = round % 5 == 0;
                let times = [
                    seconds(|| score(scalar, metric, queries.row(0), codes)),
                    seconds(|| decode_and_measure(scalar, metric, queries.row(0), codes)),
                    seconds(|| search(scalar, metric, queries.slice(0..1), codes)),
                    if with_batch {
                        seconds(|| search(scalar, metric, queries, codes)) / BATCH as f64
                    } else {
                        f64::INFINITY
                    },
                ];
                best.iter_mut()
                    .zip(times)
                    .for_each(|(best, time)| *best = best.min(time));
            }
        }
        for ((scalar, _), [scored, measured, one, batch]) in kinds.iter().zip(best) {
            let per_code = |seconds: f64| seconds * 1e9 / count as f64;
            println!(
                "{metric:13} {:17} score {:6.1} ns a code, decode and measure {:6.1}; \
                 search: one {:7.3} ms, each of {BATCH} {:7.3} ms",
                scalar.kind().token(),
                per_code(scored),
                per_code(measured),
                one * 1e3,
                batch * 1e3
            );
        }
    }
}

fn kept(kind: ScalarKind, base: Rows<'_>) -> (Scalar, Codes) {
    let scalar = ScalarParams::new(kind)
        .train(base, &Training::default())
        .expect("vectors to train on");
    let codes = scalar.codes_of(base).expect("memory for the codes");
    (scalar, codes)
}

fn score(scalar: &Scalar, metric: Metric, query: &[f32], codes: &Codes) {
    let (scorer, mut out) = (scalar.scorer(metric, query), [0.0; BLOCK]);
    for codes in codes.as_bytes().chunks(BLOCK * scalar.code_len()) {
        scorer.score_block(codes, &mut out[..codes.len() / scalar.code_len()]);
    }
    std::hint::black_box(out);
}

fn decode_and_measure(scalar: &Scalar, metric: Metric, query: &[f32], codes: &Codes) {
    let (mut rows, mut out) = (Vec::new(), [0.0; BLOCK]);
    for codes in codes.as_bytes().chunks(BLOCK * scalar.code_len()) {
        rows.clear();
        scalar.decode(codes, &mut rows);
        let rows = Rows::new(&rows, query.len()).expect("whole rows");
        metric.distances(query, rows, &mut out[..rows.len()]);
    }
    std::hint::black_box(out);
}

fn search(scalar: &Scalar, metric: Metric, queries: Rows<'_>, codes: &Codes) {
    let mut tops = vec![TopK::new(K); queries.len()];
    scalar.scan(metric, queries, &CodeRun::all(codes), &IdSelector::All, &mut tops);
    std::hint::black_box(tops);
}

fn seconds(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64()
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
