//! The anear half of `benches/binary_vs_faiss.py`, which starts it and tells it when to do what.
//!
//!     binary DIM BASE QUERIES      (files of packed bit vectors)
//!
//! then on standard input, one line each, answered by the seconds it took:
//!
//!     build SPEC                   trains on the base and adds it
//!     search NQ REPEATS K [KNOB=VALUE]    the first NQ queries at once, REPEATS times with NQ more each time
//!     ids NQ K PATH [KNOB=VALUE]          writes what is found, as i64
#![allow(clippy::print_stdout, reason = "answers go to standard output")]

use std::io::{BufRead as _, Write as _};
use std::time::Instant;
use std::{env, fs};

use anear_index::SearchRequest;
use anear_index::binary::{BinaryIndex, BinarySpec};
use anear_kernels::{Bits, isa_report};

fn main() {
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let [dim, base, queries] = &args[..] else {
        println!("run benches/binary_vs_faiss.py, which runs this");
        return;
    };
    let dim: usize = dim.parse().expect("a dimension");
    let [base, queries] = [base, queries].map(|path| fs::read(path).expect("a file of bit vectors"));
    let [base, queries] = [&base, &queries].map(|bytes| Bits::new(bytes, dim / 8).expect("whole vectors"));
    println!("{}", isa_report());
    let mut index: Option<Box<dyn BinaryIndex>> = None;
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("text");
        let words: Vec<&str> = line.split(' ').collect();
        let start = Instant::now();
        match words[..] {
            ["build", spec] => {
                let spec: BinarySpec = spec.parse().expect("a factory string");
                let mut built = spec.train(dim, base, 1, None).expect("training succeeds");
                built.add(base).expect("adding succeeds");
                index = Some(built);
            }
            ["search", nq, repeats, k, ref knobs @ ..] => {
                let index = index.as_deref().expect("an index was built");
                let (nq, request) = (number(nq), request(k, knobs));
                for repeat in 0..number(repeats) {
                    let batch = queries.slice(repeat * nq..(repeat + 1) * nq);
                    std::hint::black_box(index.search(batch, &request).expect("searching succeeds"));
                }
            }
            ["ids", nq, k, path, ref knobs @ ..] => {
                let index = index.as_deref().expect("an index was built");
                let request = request(k, knobs);
                let found = index
                    .search(queries.slice(0..number(nq)), &request)
                    .expect("searching succeeds");
                let mut ids = vec![-1i64; found.len() * request.k];
                for (row, ids) in found.iter().zip(ids.chunks_mut(request.k)) {
                    row.iter().zip(ids).for_each(|(n, id)| *id = n.id as i64);
                }
                let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
                fs::write(path, bytes).expect("the file can be written");
            }
            _ => panic!("unknown command `{line}`"),
        }
        println!("{}", start.elapsed().as_secs_f64());
        std::io::stdout().flush().expect("standard output is open");
    }
}

fn request<'a>(k: &str, knobs: &[&str]) -> SearchRequest<'a> {
    let knobs = knobs.iter().map(|knob| knob.split_once('=').expect("KNOB=VALUE"));
    knobs.fold(SearchRequest::new(number(k)), |request, (name, value)| {
        request.with(name, value.parse().expect("a number"))
    })
}

fn number(word: &str) -> usize {
    word.parse().expect("a whole number")
}
