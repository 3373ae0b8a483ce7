//! The nearest candidate is the one that a scan finds, to the bit, on every instruction set and on hostile data;
//! sums of rows are those of a plain loop.

mod common;

use anear_kernels::{IdSelector, Kernels, Metric, Nearest, NearestBySketch, Rows, Subspace, TopK};
use common::{METRICS, Random, adversarial, every_isa};

fn by_scanning(kernels: &Kernels, metric: Metric, vectors: Rows<'_>, candidates: Rows<'_>) -> Vec<(u32, u32)> {
    let nearest = |vector| {
        let mut top = TopK::new(1);
        kernels.scan(metric, vector, candidates, 0, &IdSelector::All, &mut top);
        top.into_sorted().first().map_or((0, f32::NAN.to_bits()), |found| {
            (found.id as u32, found.distance.to_bits())
        })
    };
    vectors.iter().map(nearest).collect()
}

fn check(vectors: &[f32], candidates: &[f32], dim: usize) {
    let (vectors, candidates) = (Rows::new(vectors, dim).unwrap(), Rows::new(candidates, dim).unwrap());
    let every_isa = every_isa();
    for metric in METRICS {
        let want = by_scanning(every_isa[0], metric, vectors, candidates);
        for kernels in &every_isa {
            let (mut ids, mut distances) = (vec![7; vectors.len()], vec![7.0; vectors.len()]);
            Nearest::on(kernels, metric, candidates).find(vectors, &mut ids, &mut distances);
            let distances = distances.into_iter().map(f32::to_bits);
            let got: Vec<_> = ids.into_iter().zip(distances).collect();
            assert!(got == want, "{kernels:?} {metric} {vectors:?} {candidates:?}");
            if let Some(got) = by_sketch(kernels, metric, vectors, candidates) {
                assert!(
                    got == want,
                    "by sketch: {kernels:?} {metric} {vectors:?} {candidates:?}"
                );
            }
        }
    }
}

/// Improves random guesses by sketches.
fn by_sketch(
    kernels: &'static Kernels,
    metric: Metric,
    vectors: Rows<'_>,
    candidates: Rows<'_>,
) -> Option<Vec<(u32, u32)>> {
    let subspace = Subspace::on(kernels, vectors, vectors.dim() / 4)?;
    let mut random = Random(3);
    let guess = |_| (random.bits() % candidates.len() as u64) as u32;
    let mut ids: Vec<u32> = (0..vectors.len()).map(guess).collect();
    let mut distances = vec![7.0; vectors.len()];
    let nearest = NearestBySketch::new(metric, candidates, &subspace)?;
    nearest.improve(vectors, &subspace.sketch(vectors), &mut ids, &mut distances);
    Some(ids.into_iter().zip(distances.into_iter().map(f32::to_bits)).collect())
}

#[test]
fn nearest_is_what_a_scan_finds_on_hostile_data() {
    let mut random = Random(15);
    for kind in 0..10 {
        for dim in [1, 7, 33, 100] {
            let candidates = adversarial(kind, &mut random, 101, dim);
            let mut vectors = adversarial(kind, &mut random, 137, dim);
            vectors[..5 * dim].copy_from_slice(&candidates[50 * dim..55 * dim]);
            check(&vectors, &candidates, dim);
        }
    }
}

#[test]
fn vectors_and_candidates_may_be_of_different_magnitude() {
    let mut random = Random(16);
    for (left, right) in [
        (0, 1),
        (1, 0),
        (3, 5),
        (5, 3),
        (4, 0),
        (0, 4),
        (6, 6),
        (7, 0),
        (8, 6),
        (0, 8),
    ] {
        let candidates = adversarial(left, &mut random, 50, 40);
        let vectors = adversarial(right, &mut random, 60, 40);
        check(&vectors, &candidates, 40);
    }
}

#[test]
fn any_number_of_vectors_and_candidates_fits() {
    let mut random = Random(17);
    for len in [1, 5, 15, 16, 17, 31, 32, 33, 65] {
        for count in [0, 1, 6, 11, 12, 13, 95, 96, 97, 200] {
            let (candidates, vectors) = (random.floats(len * 9), random.floats(count * 9));
            check(&vectors, &candidates, 9);
        }
    }
}

#[test]
fn wide_vectors_and_many_candidates_change_nothing() {
    let mut random = Random(18);
    let (candidates, vectors) = (random.floats(300 * 784), random.floats(150 * 784));
    check(&vectors, &candidates, 784);
}

#[test]
fn of_equal_candidates_the_first_is_nearest() {
    let mut random = Random(19);
    let mut candidates = random.floats(100 * 24);
    let vectors = candidates[30 * 24..70 * 24].to_vec();
    candidates.copy_within(30 * 24..70 * 24, 60 * 24);
    check(&vectors, &candidates, 24);
}

#[test]
fn a_sum_of_rows_is_that_of_a_plain_loop_on_every_instruction_set() {
    let mut random = Random(20);
    for dim in [1, 31, 63, 64, 65, 127, 128, 129, 300] {
        let data = random.floats(40 * dim);
        let rows = Rows::new(&data, dim).unwrap();
        for len in [0, 1, 2, 50] {
            let list: Vec<usize> = (0..len).map(|_| random.bits() as usize % 40).collect();
            let weights = random.floats(len);
            let mut want = vec![0.0; dim];
            for (&position, &weight) in list.iter().zip(&weights) {
                for (total, &component) in want.iter_mut().zip(rows.row(position)) {
                    *total += component * weight;
                }
            }
            for kernels in every_isa() {
                let mut got = vec![f32::NAN; dim];
                kernels.weighted_sum(rows, &list, &weights, &mut got);
                assert_eq!(got, want, "{kernels:?} dim={dim} len={len}");
            }
        }
    }
}

#[test]
fn sketches_rule_out_most_of_what_lies_in_a_subspace() {
    let mut random = Random(21);
    let (dim, inner) = (96, 8);
    let directions = random.floats(inner * dim);
    let data: Vec<f32> = (0..1000)
        .flat_map(|_| {
            let mut row = random.floats(dim);
            row.iter_mut().for_each(|x| *x *= 0.1);
            for direction in directions.chunks_exact(dim) {
                let length = random.float();
                row.iter_mut().zip(direction).for_each(|(x, y)| *x += length * y);
            }
            row
        })
        .collect();
    let vectors = Rows::new(&data, dim).unwrap();
    let candidates = vectors.slice(0..100);
    for kernels in every_isa() {
        let Some(subspace) = Subspace::on(kernels, vectors, inner) else {
            continue;
        };
        let sketches = subspace.sketch(vectors);
        let (mut ids, mut distances) = (vec![0; 1000], vec![0.0; 1000]);
        Nearest::on(kernels, Metric::L2, candidates).find(vectors, &mut ids, &mut distances);
        let nearest = NearestBySketch::new(Metric::L2, candidates, &subspace).unwrap();
        let measured = nearest.improve(vectors, &sketches, &mut ids, &mut distances);
        assert!(measured < 5 * 1000, "{kernels:?}: {measured} of {}", 100 * 1000);
    }
}
