//! The nearest of few candidates for each of many vectors, on one thread: billions of multiplications and additions per
//! second, for every instruction set.
//!
//!     cargo bench -p anear-kernels --bench nearest -- [ROWS.f32 DIM]
//!
//! `ROWS.f32` holds little-endian f32, row after row, of which every 200th is a candidate; without it, normal random
//! numbers. Rounds of all instruction sets are interleaved and the fastest of each counts, in processor time of the
//! thread (on Linux).
#![allow(clippy::print_stdout, reason = "a benchmark reports to the terminal")]

use std::{env, fs, time::Instant};

use anear_kernels::{Isa, Kernels, Metric, Nearest, Rows, isa_report};

const ROUNDS: usize = 7;

fn main() {
    println!("{}", isa_report());
    let mut args = env::args().skip(1).filter(|arg| arg != "--bench");
    if let (Some(path), Some(dim)) = (args.next(), args.next()) {
        let dim = dim.parse().expect("the dimension is a number");
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let floats = bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
        compare(&floats.collect::<Vec<f32>>(), dim, 200);
    } else {
        for (dim, k) in [(8, 256), (64, 16), (64, 256), (64, 1024), (784, 256)] {
            compare(&random(k * 20 * dim), dim, 20);
        }
    }
}

fn compare(data: &[f32], dim: usize, step: usize) {
    let vectors = Rows::new(data, dim).expect("whole rows");
    let candidates: Vec<f32> = vectors.iter().step_by(step).flatten().copied().collect();
    let candidates = Rows::new(&candidates, dim).expect("whole rows");
    let kernels: Vec<_> = Isa::ALL.iter().filter_map(|&isa| Kernels::for_isa(isa)).collect();
    let (mut ids, mut distances) = (vec![0; vectors.len()], vec![0.0; vectors.len()]);
    let mut best = vec![f64::INFINITY; kernels.len()];
    for _ in 0..ROUNDS {
        for (best, kernels) in best.iter_mut().zip(&kernels).filter(|(_, k)| k.isa() != Isa::Scalar) {
            let start = seconds();
            Nearest::on(kernels, Metric::L2, candidates).find(vectors, &mut ids, &mut distances);
            *best = best.min(seconds() - start);
        }
    }
    for (best, kernels) in best.iter().zip(&kernels).filter(|(_, k)| k.isa() != Isa::Scalar) {
        let billions = 2e-9 * data.len() as f64 * candidates.len() as f64 / best;
        println!("{:7} {vectors:?} {candidates:?}: {billions:6.1} GFLOP/s", kernels.isa());
    }
}

/// Processor time of this thread where the system tells, else the time since the first call.
fn seconds() -> f64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let cpu = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let cpu = cpu.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    cpu.map_or_else(
        || START.get_or_init(Instant::now).elapsed().as_secs_f64(),
        |nanoseconds| nanoseconds / 1e9,
    )
}

/// Sums of four uniform numbers, by SplitMix64.
fn random(n: usize) -> Vec<f32> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ x >> 31) >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..n).map(|_| (0..4).map(|_| next()).sum()).collect()
}
