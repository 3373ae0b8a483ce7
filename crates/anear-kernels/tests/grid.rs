//! Vectors rounded to levels, on every instruction set, against the formula in f64.

mod common;

use anear_kernels::Grid;
use common::{Random, every_isa};

const SCALES: [f32; Grid::SCALES] = [0.5, 0.8, 1.0, 1.3, 1.7, 3.0];

/// The levels nearest to components times a scale.
fn levels(components: &[f32], grid: &[(f32, u32)], scale: f32) -> Vec<f64> {
    let each = components.iter().zip(grid).map(|(component, (step, bits))| {
        let (step, most) = (f64::from(*step), f64::from((1 << bits) - 1));
        let number = f64::from(component * scale) / step + most / 2.0;
        (number.round().clamp(0.0, most) - most / 2.0) * step
    });
    each.collect()
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn the_best_scale_is_found_with_the_same_bits_on_every_instruction_set() {
    let mut random = Random(6);
    for dim in [1, 3, 16, 31, 100, 320] {
        for stretch in [0.2, 1.0, 5.0] {
            let grid: Vec<(f32, u32)> = (0..dim)
                .map(|i| (0.05 + random.float().abs(), [4, 2, 1][i % 3]))
                .collect();
            let components: Vec<f32> = random.floats(dim).iter().map(|x| x * stretch).collect();
            let exact: Vec<f64> = components.iter().map(|x| f64::from(*x)).collect();
            let cosine = |levels: &[f64]| product(levels, &exact) / product(levels, levels).sqrt();
            let tried = SCALES.map(|scale| cosine(&levels(&components, &grid, scale)));
            let best = tried.into_iter().fold(f64::MIN, f64::max);
            let mut first = None;
            for kernels in every_isa() {
                let mut numbers = vec![0; dim];
                let rounded = Grid::new(grid.iter().copied());
                let found = rounded.round_on(kernels, &components, &SCALES, &mut numbers);
                let decoded: Vec<f64> = numbers
                    .iter()
                    .zip(&grid)
                    .map(|(number, (step, bits))| {
                        f64::from(*step) * (f64::from(*number) - f64::from((1 << bits) - 1) / 2.0)
                    })
                    .collect();
                let want = product(&decoded, &exact);
                let what = format!("{kernels:?}, {dim} components");
                assert!(
                    (f64::from(found) - want).abs() <= 1e-4 * want.abs(),
                    "{what}: {found} is not {want}"
                );
                assert!((cosine(&decoded) - best).abs() <= 1e-5 * best, "{what}");
                let same = (found.to_bits(), numbers);
                assert_eq!(*first.get_or_insert_with(|| same.clone()), same, "{what}");
            }
        }
    }
}

#[test]
fn vectors_without_a_direction_have_numbers_too() {
    let grid = Grid::new([(1.0, 4), (0.0, 2), (1.0, 1)].into_iter());
    for components in [[0.0; 3], [f32::NAN; 3], [f32::INFINITY, 1.0, 0.0]] {
        for kernels in every_isa() {
            let mut numbers = [99; 3];
            grid.round_on(kernels, &components, &SCALES, &mut numbers);
            assert!(numbers[0] < 16 && numbers[1] < 4 && numbers[2] < 2, "{numbers:?}");
        }
    }
}
