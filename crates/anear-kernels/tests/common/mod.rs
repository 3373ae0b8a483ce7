//! What the integration tests share: every instruction set, random numbers, and the slow truth.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]
#![allow(clippy::print_stdout, reason = "a test that lacks its hardware says so")]

use anear_kernels::{Isa, Kernels, Metric, Neighbor, TopK};

/// The kernels of every instruction set of this machine. Says which are missing,
/// and fails if `ANEAR_REQUIRE` (a comma-separated list) names one of those.
pub fn every_isa() -> Vec<&'static Kernels> {
    let required = std::env::var("ANEAR_REQUIRE").unwrap_or_default();
    let mut found = Vec::new();
    for &isa in Isa::ALL {
        match Kernels::for_isa(isa) {
            Some(kernels) => found.push(kernels),
            None => {
                assert!(
                    !required.split(',').any(|name| name == isa.name()),
                    "ANEAR_REQUIRE: {isa} is not available"
                );
                println!("not tested: {isa} is not available on this machine");
            }
        }
    }
    found
}

/// SplitMix64: the same numbers everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    /// Uniform in -1..1.
    pub fn float(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub fn floats(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.float()).collect()
    }
}

/// Rows that are hard to tell apart in f32, each kind for its own reason.
pub fn adversarial(kind: usize, random: &mut Random, len: usize, dim: usize) -> Vec<f32> {
    let data = random.floats(len * dim);
    let of = |f: &dyn Fn(usize, f32) -> f32| data.iter().enumerate().map(|(i, &x)| f(i, x)).collect();
    match kind {
        // Plain.
        0 => data,
        // A large offset: the product loses all the digits that tell rows apart.
        1 => of(&|_, x| 10_000.0 + x),
        // Few values: duplicates and ties.
        2 => of(&|_, x| (x * 1.5).round()),
        // Tiny: squares underflow.
        3 => of(&|_, x| x * 1e-22),
        // Below the normal numbers.
        4 => of(&|_, x| x * 1e-39),
        // Huge: squares overflow.
        5 => of(&|_, x| x * 1e20),
        // Every magnitude at once.
        6 => of(&|i, x| x * 10_f32.powi((i / dim % 70) as i32 - 35)),
        // One component drowns the others.
        7 => of(&|i, x| if i % dim == 0 { 3e6 } else { x }),
        // Zero vectors, infinities and NaN among the rest.
        8 => of(&|i, x| match i / dim % 8 {
            0 => 0.0,
            1 if i % dim == 0 => f32::INFINITY,
            2 if i % dim == 0 => f32::NAN,
            _ => x,
        }),
        // All the same.
        _ => of(&|_, _| 0.1),
    }
}

/// The textbook formula in f64.
pub fn oracle(metric: Metric, x: &[f32], y: &[f32]) -> f64 {
    let pairs = || x.iter().zip(y).map(|(&x, &y)| (f64::from(x), f64::from(y)));
    let dot = |f: fn((f64, f64)) -> f64| pairs().map(f).sum::<f64>();
    match metric {
        Metric::L2 => dot(|(x, y)| (x - y).powi(2)),
        Metric::InnerProduct => -dot(|(x, y)| x * y),
        Metric::Cosine => {
            let norms = dot(|(x, _)| x * x).sqrt() * dot(|(_, y)| y * y).sqrt();
            if norms == 0.0 {
                1.0
            } else {
                1.0 - dot(|(x, y)| x * y) / norms
            }
        }
        Metric::L1 => dot(|(x, y)| (x - y).abs()),
        Metric::Linf => pairs().map(|(x, y)| (x - y).abs()).fold(0.0, f64::max),
        Metric::Lp(p) => pairs().map(|(x, y)| (x - y).abs().powf(p.get().into())).sum(),
        Metric::Canberra => dot(|(x, y)| {
            if x == y {
                0.0
            } else {
                (x - y).abs() / (x.abs() + y.abs())
            }
        }),
        Metric::BrayCurtis if x == y => 0.0,
        Metric::BrayCurtis => dot(|(x, y)| (x - y).abs()) / dot(|(x, y)| (x + y).abs()),
        Metric::JensenShannon => {
            let entropy = |x: f64| if x == 0.0 { 0.0 } else { x * x.ln() };
            pairs()
                .map(|(x, y)| entropy(x) / 2.0 + entropy(y) / 2.0 - entropy((x + y) / 2.0))
                .sum()
        }
        Metric::Jaccard if x == y => 0.0,
        Metric::Jaccard => 1.0 - dot(|(x, y)| x.min(y)) / dot(|(x, y)| x.max(y)),
        other => panic!("write the formula of {other} here"),
    }
}

/// The metrics that scans differ by: all with a product form, and two that stand for those without, the fastest.
pub const METRICS: [Metric; 5] = [
    Metric::L2,
    Metric::InnerProduct,
    Metric::Cosine,
    Metric::L1,
    Metric::Linf,
];

/// Components that the metric is made for: some want no negative ones.
pub fn suited(metric: Metric, components: &[f32]) -> Vec<f32> {
    match metric {
        Metric::JensenShannon | Metric::Jaccard => components.iter().map(|x| x.abs()).collect(),
        _ => components.to_vec(),
    }
}

/// Distances as bits, so that equal means equal.
pub fn bits(neighbors: &[Neighbor]) -> Vec<(u64, u32)> {
    neighbors
        .iter()
        .map(|neighbor| (neighbor.id, neighbor.distance.to_bits()))
        .collect()
}

pub fn sorted_bits(top: TopK) -> Vec<(u64, u32)> {
    bits(&top.into_sorted())
}
