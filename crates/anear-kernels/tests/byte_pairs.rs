//! Distances between rounded rows: those of whole numbers, the same on every instruction set, and near exact ones.

mod common;

use anear_kernels::{BytePairs, Metric, Rows};
use common::{Random, adversarial, every_isa, oracle};

#[test]
fn distances_are_near_exact_ones_and_the_same_on_every_instruction_set() {
    let mut random = Random(1);
    for kind in 0..10 {
        for (len, dim) in [(2, 1), (40, 3), (33, 32), (50, 100), (21, 784), (12, 4_096)] {
            let components = adversarial(kind, &mut random, len, dim);
            let rows = Rows::new(&components, dim).unwrap();
            let range = (0..dim)
                .map(|at| {
                    let column = || rows.iter().map(|row| f64::from(row[at]));
                    column().fold(f64::MIN, f64::max) - column().fold(f64::MAX, f64::min)
                })
                .fold(0.0, f64::max);
            // Squares of what is larger, or smaller, are no floats.
            if !(1e-15..1e14).contains(&range) {
                continue;
            }
            let order: Vec<u32> = (0..len as u32).collect();
            let pairs = BytePairs::new(rows, &order);
            // Not in order, and one of them twice.
            let others: Vec<u32> = (0..len as u32).rev().chain([0]).collect();
            let mut first = Vec::new();
            for kernels in every_isa() {
                let mut distances = vec![f32::NAN; others.len()];
                pairs.squared_distances_on(kernels, 1, &others, &mut distances);
                for (distance, other) in distances.iter().zip(&others) {
                    // Either end is off by half a step in each component.
                    let exact = oracle(Metric::L2, rows.row(1), rows.row(*other as usize)).sqrt();
                    let most = 1.01 * range / 255.0 * (dim as f64).sqrt() + 1e-5 * exact;
                    let off = (f64::from(*distance).sqrt() - exact).abs();
                    assert!(off <= most, "kind {kind}, {dim} components: {off} > {most}");
                }
                if first.is_empty() {
                    first.clone_from(&distances);
                }
                assert_eq!(distances, first, "{kernels:?}, kind {kind}, {dim} components");
            }
        }
    }
}

#[test]
fn whole_numbers_are_exact() {
    let components = [0.0, 255.0, 7.0, 100.0, 13.0, 13.0, 255.0, 0.0];
    let pairs = BytePairs::new(Rows::new(&components, 2).unwrap(), &[3, 0, 1, 2]);
    let mut distances = [0.0; 3];
    pairs.squared_distances(1, &[1, 2, 3], &mut distances);
    assert_eq!(distances, [0.0, 7.0 * 7.0 + 155.0 * 155.0, 13.0 * 13.0 + 242.0 * 242.0]);
}

#[test]
fn no_number_of_components_is_too_large_to_add_up() {
    for dim in [33_100, 90_550, 131_072] {
        let mut components = vec![0.0; dim];
        components.resize(3 * dim, 1.0);
        let pairs = BytePairs::new(Rows::new(&components, dim).unwrap(), &[0, 1, 2]);
        for kernels in every_isa() {
            let mut distances = [f32::NAN; 2];
            pairs.squared_distances_on(kernels, 1, &[0, 2], &mut distances);
            assert!(
                (distances[0] - dim as f32).abs() < 0.001 * dim as f32,
                "{dim}: {distances:?}"
            );
            assert_eq!(distances[1], 0.0, "{kernels:?}, {dim}");
        }
    }
}

#[test]
fn rows_that_are_all_alike_are_no_distance_apart() {
    let rows = Rows::new(&[5.0; 12], 4).unwrap();
    let mut distances = [1.0; 2];
    BytePairs::new(rows, &[0, 1, 2]).squared_distances(0, &[1, 2], &mut distances);
    assert_eq!(distances, [0.0; 2]);
}
