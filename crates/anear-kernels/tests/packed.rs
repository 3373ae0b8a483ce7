//! Packed codes on every instruction set: against the formula in f64, and to the bit against each other.

mod common;

use anear_kernels::{PackedQuery, Packing};
use common::{Random, every_isa};

const COUNT: usize = 9;

/// The numbers of a code, one at a time.
fn unpack(packing: Packing, dim: usize, code: &[u8]) -> Vec<f64> {
    let bit = |at: usize| u32::from(code[at / 8] >> (at % 8) & 1);
    let number = |i: usize| {
        (0..packing.bits())
            .map(|b| bit(i * packing.bits() + b) << b)
            .sum::<u32>()
    };
    let value = |bits: u32| match packing {
        Packing::F16 => half(bits as u16),
        Packing::Bf16 => f64::from(f32::from_bits(bits << 16)),
        _ => f64::from(bits),
    };
    (0..dim).map(|i| value(number(i))).collect()
}

fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023) / 1024.0);
    let magnitude = if exponent == 0 { fraction * 2.0 } else { 1.0 + fraction };
    (if bits >> 15 == 1 { -magnitude } else { magnitude }) * f64::from(exponent - 15).exp2()
}

/// Random codes, of finite numbers of moderate size.
fn codes(random: &mut Random, packing: Packing, len: usize) -> Vec<u8> {
    let halves = |f: &dyn Fn(u64) -> u64, random: &mut Random| {
        (0..len / 2)
            .flat_map(|_| (f(random.bits()) as u16).to_le_bytes())
            .collect()
    };
    match packing {
        // Exponents up to 2^3; subnormals among them.
        Packing::F16 => halves(
            &|bits| {
                if bits >> 20 & 7 == 0 {
                    bits & 0x83ff
                } else {
                    bits & 0xcbff
                }
            },
            random,
        ),
        Packing::Bf16 => halves(&|bits| 0x3f00 + (bits & 0x80ff), random),
        _ => (0..len).map(|_| random.bits() as u8).collect(),
    }
}

/// a query of each form; for each code its distance in f64 and the sum of the terms' magnitudes.
fn cases(packing: Packing, dim: usize, codes: &[u8], random: &mut Random) -> Vec<(PackedQuery, Vec<[f64; 2]>)> {
    let (offsets, steps) = (random.floats(dim), random.floats(dim));
    let bias = random.float();
    let sums = |f: &dyn Fn(usize, f64) -> f64, bias: f64| {
        let sum = |code: &[u8]| {
            let terms: Vec<_> = unpack(packing, dim, code)
                .into_iter()
                .enumerate()
                .map(|(i, x)| f(i, x))
                .collect();
            [
                bias + terms.iter().sum::<f64>(),
                bias.abs() + terms.iter().map(|x| x.abs()).sum::<f64>(),
            ]
        };
        codes.chunks_exact(packing.code_len(dim)).map(sum).collect()
    };
    let squares = |i: usize, x: f64| (f64::from(offsets[i]) - f64::from(steps[i]) * x).powi(2);
    let products = |i: usize, x: f64| f64::from(steps[i]) * x;
    vec![
        (PackedQuery::squares(packing, &offsets, &steps), sums(&squares, 0.0)),
        (
            PackedQuery::products(packing, &steps, bias),
            sums(&products, bias.into()),
        ),
    ]
}

#[test]
fn distances_agree_with_the_formula_and_have_the_same_bits_on_every_isa() {
    let mut random = Random(4);
    for dim in (1..=70).chain([96, 100, 128, 384, 768, 784, 1031]) {
        for &packing in Packing::ALL {
            let code_len = packing.code_len(dim);
            let codes = codes(&mut random, packing, COUNT * code_len);
            for (query, want) in cases(packing, dim, &codes, &mut random) {
                check(&query, &codes, &want, &format!("{packing:?} dim={dim} {query:?}"));
            }
        }
    }
}

fn check(query: &PackedQuery, codes: &[u8], want: &[[f64; 2]], what: &str) {
    let list = [3, 0, 8, 3, 7, 1];
    let mut first = None;
    for kernels in every_isa() {
        let (mut run, mut listed) = ([0.0; COUNT], [0.0; 6]);
        kernels.packed_distances(query, codes, &mut run);
        kernels.packed_distances_at(query, codes, &list, &mut listed);
        for (got, [want, scale]) in run.iter().zip(want) {
            let error = (f64::from(*got) - want).abs();
            assert!(
                error <= 64.0 * f64::from(f32::EPSILON) * scale,
                "{kernels:?} {what}: {got}, not {want}"
            );
        }
        let run = run.map(f32::to_bits);
        assert_eq!(*first.get_or_insert(run), run, "{kernels:?} {what}");
        assert_eq!(
            listed.map(f32::to_bits),
            list.map(|i| run[i as usize]),
            "{kernels:?} {what}"
        );
    }
}

#[test]
fn numbers_come_out_of_a_code_as_its_bits_say() {
    let mut random = Random(5);
    for dim in (1..=70).chain([128, 784]) {
        for &packing in Packing::ALL {
            let code = codes(&mut random, packing, packing.code_len(dim));
            let mut numbers = vec![0.0; dim];
            packing.unpack(&code, &mut numbers);
            let want = unpack(packing, dim, &code);
            assert!(
                numbers.iter().map(|&number| f64::from(number)).eq(want),
                "{packing:?} dim={dim}"
            );
        }
    }
}

#[test]
fn bits_beyond_the_last_component_are_not_looked_at() {
    for packing in [Packing::U4, Packing::U6] {
        let query = PackedQuery::squares(packing, &[0.0; 5], &[1.0; 5]);
        let mut codes = vec![0; 2 * packing.code_len(5)];
        *codes.last_mut().unwrap() = 0xf0;
        for kernels in every_isa() {
            let mut distances = [1.0; 2];
            kernels.packed_distances(&query, &codes, &mut distances);
            assert_eq!(distances[0], 0.0, "{kernels:?}");
            let number = if packing == Packing::U4 { 0.0 } else { 48.0_f32 };
            assert_eq!(distances[1], number * number, "{kernels:?} {packing:?}");
        }
    }
}

#[test]
#[should_panic(expected = "one distance per code")]
fn a_wrong_number_of_codes_is_a_bug_of_the_caller() {
    PackedQuery::products(Packing::U8, &[1.0, 2.0], 0.0).distances(&[0; 5], &mut [0.0; 2]);
}
