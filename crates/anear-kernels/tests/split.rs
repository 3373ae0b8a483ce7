//! Split numbers on every instruction set: against plain sums, and to the bit against each other.

mod common;

use anear_kernels::SplitQuery;
use common::{Random, every_isa};

#[test]
fn products_are_those_of_the_numbers_on_every_instruction_set() {
    let mut random = Random(1);
    for dim in [1_usize, 7, 8, 31, 32, 33, 64, 100, 200] {
        for rest in 0..=8_usize {
            let rest_at = dim.div_ceil(8) + 3;
            let code_len = rest_at + (dim * rest).div_ceil(8) + 4;
            let codes: Vec<u8> = (0..6 * code_len).map(|_| random.bits() as u8).collect();
            let values = random.floats(dim);
            let bit = |code: &[u8], at: usize| u32::from(code[at / 8] >> (at % 8) & 1);
            let number = |code: &[u8], i: usize| {
                let low = (0..rest).map(|b| bit(&code[rest_at..], i * rest + b) << b).sum::<u32>();
                f64::from(low + (bit(code, i) << rest))
            };
            let want: Vec<f64> = codes
                .chunks(code_len)
                .map(|code| (0..dim).map(|i| f64::from(values[i]) * number(code, i)).sum())
                .collect();

            let query = SplitQuery::new(&values, rest, rest_at, code_len);
            let found = every_isa().into_iter().map(|kernels| {
                let (mut run, mut list) = ([0.0; 6], [0.0; 4]);
                query.products_on(kernels, &codes, &mut run);
                query.products_at_on(kernels, &codes, &[5, 0, 3, 3], &mut list);
                assert_eq!(list, [run[5], run[0], run[3], run[3]]);
                run.map(f32::to_bits)
            });
            let found: Vec<_> = found.collect();
            assert!(found.iter().all(|bits| *bits == found[0]), "dim {dim}, rest {rest}");
            for (bits, want) in found[0].iter().zip(want) {
                let got = f64::from(f32::from_bits(*bits));
                let scale = 1e-6 * dim as f64 * f64::from(1_u32 << rest);
                assert!((got - want).abs() < scale, "dim {dim}, rest {rest}: {got}, not {want}");
            }
        }
    }
}
