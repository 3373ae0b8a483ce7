//! The anear half of `benches/quantizers_vs_faiss.py`: trains, fills and searches a quantizer as often as standard input
//! asks for it, and answers each token with one line `train_seconds add_seconds search_seconds ids...`.
//!
//! Seconds are those that the thread had a processor: the machine may be busy with other things.
//!
//! `quantizer_bench BASE.f32 QUERIES.f32 DIM K`; the files are little-endian `f32` rows. One thread, by L2.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::{self, BufRead, Write};

use anear_kernels::{IdSelector, Metric, Rows, TopK};
use anear_quant::{CodeRun, QuantizerSpec, Training};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [base, queries, dim, k] = &arguments[..] else {
        return Err("usage: quantizer_bench BASE.f32 QUERIES.f32 DIM K".into());
    };
    let (base, queries) = (read(base)?, read(queries)?);
    let (dim, k) = (dim.parse()?, k.parse()?);
    let rows = |numbers| Rows::new(numbers, dim).ok_or("the file is not rows of DIM components");
    let (base, queries) = (rows(&base)?, rows(&queries)?);
    println!("{}", anear_kernels::isa().name());
    for line in io::stdin().lock().lines() {
        let line = line?;
        let spec = QuantizerSpec::parse(&line).ok_or_else(|| format!("no quantizer is called `{line}`"))?;
        let start = cpu_seconds()?;
        let quantizer = spec.train(Metric::L2, base, &Training::default())?;
        let train = cpu_seconds()? - start;
        let start = cpu_seconds()?;
        let codes = quantizer.codes_of(base)?;
        let add = cpu_seconds()? - start;
        let mut search = f64::INFINITY;
        let mut ids = Vec::new();
        for _ in 0..3 {
            let start = cpu_seconds()?;
            let mut tops = vec![TopK::new(k); queries.len()];
            quantizer.scan(Metric::L2, queries, &CodeRun::all(&codes), &IdSelector::All, &mut tops);
            ids = tops
                .into_iter()
                .flat_map(TopK::into_sorted)
                .map(|found| found.id.to_string())
                .collect();
            search = search.min(cpu_seconds()? - start);
        }
        println!("{train} {add} {search} {}", ids.join(" "));
        io::stdout().flush()?;
    }
    Ok(())
}

/// Linux: the first number is the thread's time on a processor, in nanoseconds.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = stat.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanoseconds * 1e-9)
}

fn read(path: &str) -> io::Result<Vec<f32>> {
    let bytes = std::fs::read(path)?;
    let floats = bytes.as_chunks::<4>().0;
    Ok(floats.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
}
