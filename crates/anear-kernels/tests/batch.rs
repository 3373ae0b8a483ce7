//! A batch gives every query the answer it would get alone, to the bit, on data made to break that.

mod common;

use anear_kernels::{IdSelector, Kernels, Metric, Rows, TopK};
use common::{METRICS, Random, adversarial, every_isa, sorted_bits};
use proptest::prelude::*;

fn alone(
    kernels: &Kernels,
    metric: Metric,
    queries: Rows<'_>,
    rows: Rows<'_>,
    keep: &IdSelector<'_>,
    k: usize,
) -> Vec<Vec<(u64, u32)>> {
    let scan = |query| {
        let mut top = TopK::new(k);
        kernels.scan(metric, query, rows, 7, keep, &mut top);
        sorted_bits(top)
    };
    queries.iter().map(scan).collect()
}

fn together(
    kernels: &Kernels,
    metric: Metric,
    queries: Rows<'_>,
    rows: Rows<'_>,
    keep: &IdSelector<'_>,
    k: usize,
) -> Vec<Vec<(u64, u32)>> {
    let mut tops = vec![TopK::new(k); queries.len()];
    kernels.scan_batch(metric, queries, rows, 7, keep, &mut tops);
    tops.into_iter().map(sorted_bits).collect()
}

/// As [`together`], of rows that a list names.
fn by_list(
    kernels: &Kernels,
    metric: Metric,
    queries: Rows<'_>,
    rows: Rows<'_>,
    keep: &IdSelector<'_>,
    k: usize,
) -> Vec<Vec<(u64, u32)>> {
    let kept: Vec<u32> = keep
        .matches_in(7..7 + rows.len() as u64)
        .map(|id| id as u32 - 7)
        .collect();
    let id_of = |at| u64::from(at) + 7;
    let mut tops = vec![TopK::new(k); queries.len()];
    // In any order and any parts.
    for list in [&kept[kept.len() / 3..], &kept[..kept.len() / 3]] {
        kernels.scan_batch_at(metric, queries, rows, list, id_of, &mut tops);
    }
    tops.into_iter().map(sorted_bits).collect()
}

/// Every batch on every instruction set equals scalar scans of one query.
fn check(queries: &[f32], rows: &[f32], dim: usize, keep: &IdSelector<'_>) {
    let (queries, rows) = (Rows::new(queries, dim).unwrap(), Rows::new(rows, dim).unwrap());
    let kernels = every_isa();
    for metric in METRICS {
        for k in [0, 1, 10, 70] {
            let want = alone(kernels[0], metric, queries, rows, keep, k);
            for kernels in &kernels {
                for got in [together, by_list].map(|scan| scan(kernels, metric, queries, rows, keep, k)) {
                    assert!(got == want, "{kernels:?} {metric} {queries:?} {rows:?} k={k} {keep:?}");
                }
            }
        }
    }
}

#[test]
fn a_batch_equals_single_queries_on_adversarial_data() {
    let mut random = Random(5);
    for kind in 0..10 {
        for dim in [1, 7, 33, 100] {
            let rows = adversarial(kind, &mut random, 301, dim);
            let mut queries = adversarial(kind, &mut random, 37, dim);
            // Some queries are rows: their nearest distance is exactly zero.
            queries[..5 * dim].copy_from_slice(&rows[200 * dim..205 * dim]);
            check(&queries, &rows, dim, &IdSelector::All);
        }
    }
}

#[test]
fn queries_and_rows_may_be_of_different_magnitude() {
    let mut random = Random(6);
    let dim = 40;
    for (left, right) in [(0, 1), (1, 0), (3, 5), (5, 3), (4, 0), (0, 4), (6, 6), (7, 0), (8, 6)] {
        let rows = adversarial(left, &mut random, 150, dim);
        let queries = adversarial(right, &mut random, 20, dim);
        check(&queries, &rows, dim, &IdSelector::All);
    }
}

#[test]
fn any_number_of_queries_and_rows_fits() {
    let mut random = Random(7);
    for len in [0, 1, 5, 6, 7, 11, 12, 13, 25] {
        for count in [0, 1, 3, 4, 16, 31, 32, 33, 65] {
            let (rows, queries) = (random.floats(len * 9), random.floats(count * 9));
            check(&queries, &rows, 9, &IdSelector::All);
        }
    }
}

#[test]
fn many_blocks_and_wide_rows_change_nothing() {
    let mut random = Random(8);
    let (rows, queries) = (random.floats(500 * 784), random.floats(40 * 784));
    check(&queries, &rows, 784, &IdSelector::All);
}

#[test]
fn a_filter_restricts_every_query_of_a_batch() {
    let mut random = Random(9);
    let (rows, queries) = (random.floats(400 * 20), random.floats(35 * 20));
    let sorted: Vec<u64> = (0..500).step_by(17).collect();
    let odd = |id: u64| id % 2 == 1;
    for keep in [
        IdSelector::Sorted(&sorted),
        IdSelector::Custom(&odd),
        IdSelector::Range(0..3),
        IdSelector::Or(vec![]),
    ] {
        check(&queries, &rows, 20, &keep);
    }
}

#[test]
fn what_was_found_before_counts() {
    let mut random = Random(10);
    let (data, queries) = (random.floats(300 * 12), random.floats(20 * 12));
    let (rows, queries) = (Rows::new(&data, 12).unwrap(), Rows::new(&queries, 12).unwrap());
    for kernels in every_isa() {
        let mut tops = vec![TopK::new(5); 20];
        // Ids fall: a tie must be found although a larger id is already there.
        for (from, to) in [(170, 300), (40, 170), (0, 40)] {
            let part = rows.slice(from..to);
            kernels.scan_batch(Metric::L2, queries, part, 7 + from as u64, &IdSelector::All, &mut tops);
        }
        let got: Vec<_> = tops.into_iter().map(sorted_bits).collect();
        assert_eq!(got, alone(kernels, Metric::L2, queries, rows, &IdSelector::All, 5));
    }
}

/// Products of the long rows cancel out, and are what rounding makes of them; the short ones' are about the same.
#[test]
fn a_row_that_is_no_number_hides_no_long_one() {
    let (mut random, dim) = (Random(11), 24);
    for _ in 0..20 {
        let direction = random.floats(dim);
        let product = |row: &[f32]| row.iter().zip(&direction).map(|(x, y)| x * y).sum::<f32>();
        let mut rows: Vec<f32> = random.floats(24 * dim).into_iter().map(|x| x * 1e5).collect();
        for row in rows.chunks_exact_mut(dim) {
            row[0] -= (product(row) - 5.0) / direction[0];
        }
        rows.extend(vec![f32::NAN; dim]);
        for i in 0..40 {
            let mut row = random.floats(dim);
            row[0] -= (product(&row) - 5.0 - 0.002 * i as f32) / direction[0];
            rows.extend(row);
        }
        let queries = (1..13).flat_map(|i| direction.iter().map(move |x| x * i as f32 / 7.0));
        check(&queries.collect::<Vec<_>>(), &rows, dim, &IdSelector::All);
    }
}

fn any_component() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -2.0..2.0_f32,
        1 => (-45..38_i32).prop_map(|exponent| 10_f32.powi(exponent)),
        1 => prop::sample::select(vec![0.0, -0.0, 1.0, f32::MAX, f32::MIN_POSITIVE, 4096.0, 4096.0005]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_batch_equals_single_queries_on_any_data(
        dim in 1..20_usize,
        components in prop::collection::vec(any_component(), 600),
    ) {
        let rows = components.len() / dim / 4 * 3;
        let (rows, queries) = components.split_at(rows * dim);
        let queries = &queries[..queries.len() / dim * dim];
        check(queries, rows, dim, &IdSelector::All);
    }
}
