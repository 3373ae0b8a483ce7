//! Estimates of codes that lie apart, as walks over a lean graph make them, on one thread: nanoseconds per code, for every
//! instruction set.
//!
//!     cargo bench -p anear-kernels --bench codes -- [COUNT]
//!
//! Without an argument, 340,000 codes, of 100 and of 128 nibbles. `near` looks at the same forty codes all the time, `far`
//! at forty others of all of them each time, after the processor was told, as a walk does. Rounds of all candidates are
//! interleaved and the fastest round of each counts.
#![allow(clippy::print_stdout, reason = "a benchmark reports to the terminal")]

use std::{env, time::Instant};

use anear_kernels::{BitWeights, CodedPart, Isa, Kernels, Random, isa_report, prefetch};

const ROUNDS: usize = 15;
const VISITS: usize = 2000;
const TOGETHER: usize = 40;

fn main() {
    let mut args = env::args().skip(1).filter(|arg| arg != "--bench");
    let count: usize = args.next().map_or(340_000, |arg| arg.parse().expect("a number"));
    println!(
        "{}; {count} codes, ns per code, fastest of {ROUNDS} interleaved rounds",
        isa_report()
    );
    let mut random = Random::new(1);
    let far: Vec<u32> = (0..VISITS * TOGETHER).map(|_| random.below(count) as u32).collect();
    for nibbles in [100, 128] {
        let components: Vec<f32> = (0..nibbles).map(|i| (i * 37 % 101) as f32 - 50.0).collect();
        let mut weights = BitWeights::default();
        weights.fill(std::iter::once(CodedPart {
            components: &components,
            bits: 4,
            step: 0.1,
        }));
        let stride = weights.code_len().next_multiple_of(32);
        let codes: Vec<u8> = (0..count * stride).map(|i| (i * 31 % 251) as u8).collect();
        let kernels: Vec<_> = Isa::ALL.iter().filter_map(|&isa| Kernels::for_isa(isa)).collect();
        let mut best = vec![[f64::INFINITY; 2]; kernels.len()];
        let mut out = [0.0; TOGETHER];
        for _ in 0..ROUNDS {
            for (kernels, best) in kernels.iter().zip(&mut best) {
                for (is_far, best) in best.iter_mut().enumerate() {
                    let start = Instant::now();
                    for visit in far.chunks(TOGETHER) {
                        let positions = if is_far == 1 { visit } else { &far[..TOGETHER] };
                        if is_far == 1 {
                            for position in positions {
                                prefetch(&codes[*position as usize * stride..][..weights.code_len()]);
                            }
                        }
                        weights.estimates_at_on(kernels, &codes, stride, positions, &mut out);
                    }
                    *best = best.min(start.elapsed().as_secs_f64() * 1e9 / far.len() as f64);
                }
            }
        }
        for (kernels, [near, far]) in kernels.iter().zip(best) {
            println!(
                "{nibbles} nibbles, {:7} near {near:5.1}, far {far:5.1}",
                kernels.isa().name()
            );
        }
    }
}
