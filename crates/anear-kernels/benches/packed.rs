//! Distances to packed codes on one thread: nanoseconds per code, for every instruction set, beside rows of floats.
//!
//!     cargo bench -p anear-kernels --bench packed -- [COUNT DIM]
//!
//! Without arguments, 100,000 codes of 128 components. Codes come in blocks of 256, as an index asks for them. Rounds of
//! all candidates are interleaved and the fastest round of each counts.
#![allow(clippy::print_stdout, reason = "a benchmark reports to the terminal")]

use std::{env, time::Instant};

use anear_kernels::{Isa, Kernels, Metric, PackedQuery, Packing, Rows, isa_report};

const ROUNDS: usize = 15;
const BLOCK: usize = 256;

fn main() {
    let mut args = env::args().skip(1).filter(|arg| arg != "--bench");
    let mut number = |default| args.next().map_or(default, |arg| arg.parse().expect("a number"));
    let (count, dim): (usize, usize) = (number(100_000), number(128));
    println!(
        "{}; {count} codes of {dim}, ns per code, fastest of {ROUNDS} interleaved rounds",
        isa_report()
    );
    let kernels: Vec<_> = Isa::ALL.iter().filter_map(|&isa| Kernels::for_isa(isa)).collect();
    let query: Vec<f32> = (0..dim).map(|i| i as f32 / dim as f32).collect();
    // As halves of either kind they are numbers of moderate size: subnormal ones would be slow.
    let bytes: Vec<u8> = (0..count * dim * 2).map(|i| 0x3c + (i * 31 % 5) as u8).collect();
    let rows: Vec<f32> = bytes[..count * dim].iter().map(|&byte| byte.into()).collect();
    let rows = Rows::new(&rows, dim).expect("whole rows");
    let forms = |packing| {
        [
            PackedQuery::squares(packing, &query, &vec![0.01; query.len()]),
            PackedQuery::products(packing, &query, 0.0),
        ]
    };
    let queries: Vec<_> = Packing::ALL.iter().map(|&packing| (packing, forms(packing))).collect();
    let mut out = [0.0; BLOCK];
    let mut best = vec![f64::INFINITY; kernels.len() * (queries.len() + 1) * 2];
    for _ in 0..ROUNDS {
        let mut place = best.iter_mut();
        let mut time = |run: &mut dyn FnMut()| {
            let start = Instant::now();
            run();
            let best = place.next().expect("a place for each candidate");
            *best = best.min(start.elapsed().as_secs_f64() * 1e9 / count as f64);
        };
        for kernels in &kernels {
            for (packing, forms) in &queries {
                let code_len = packing.code_len(dim);
                for query in forms {
                    time(&mut || {
                        for codes in bytes[..count * code_len].chunks(BLOCK * code_len) {
                            kernels.packed_distances(query, codes, &mut out[..codes.len() / code_len]);
                        }
                    });
                }
            }
            for metric in [Metric::L2, Metric::InnerProduct] {
                time(&mut || {
                    for start in (0..count).step_by(BLOCK) {
                        let block = rows.slice(start..count.min(start + BLOCK));
                        kernels.distances(metric, &query, block, &mut out[..block.len()]);
                    }
                });
            }
        }
    }
    let names = Packing::ALL
        .iter()
        .map(|packing| format!("{packing:?}"))
        .chain(["f32".to_owned()]);
    let names: Vec<_> = names.collect();
    for (kernels, best) in kernels.iter().zip(best.chunks(2 * names.len())) {
        for (name, best) in names.iter().zip(best.chunks(2)) {
            println!(
                "{:7} {name:5} squares {:7.1}   products {:7.1}",
                kernels.isa(),
                best[0],
                best[1]
            );
        }
    }
}
