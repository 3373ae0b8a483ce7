//! Scans of one query: the k nearest, filtered, and all within a radius, against naive search.

mod common;

use anear_kernels::{Bitmap, IdSelector, Kernels, Metric, Neighbor, Rows, TopK};
use common::{Random, bits, every_isa, sorted_bits};

const FIRST: u64 = 1000;

/// All accepted rows by (distance, id), each measured alone.
fn naive(kernels: &Kernels, metric: Metric, query: &[f32], rows: Rows<'_>, keep: &IdSelector<'_>) -> Vec<Neighbor> {
    let all = (FIRST..).zip(rows).filter(|(id, _)| keep.contains(*id));
    let mut all: Vec<_> = all
        .map(|(id, row)| Neighbor {
            id,
            distance: kernels.distance(metric, query, row),
        })
        .collect();
    all.retain(|neighbor| !neighbor.distance.is_nan());
    all.sort_by(|a, b| a.distance.partial_cmp(&b.distance).unwrap().then(a.id.cmp(&b.id)));
    all
}

/// Calls `check` with selectors from none to all, sparse, dense and in runs.
fn with_selectors(len: u64, check: impl Fn(&IdSelector<'_>)) {
    let ids = FIRST..FIRST + len;
    let bit = |id: u64| id as usize;
    let bitmap = |keep: fn(u64) -> bool| Bitmap::from_indices(bit(ids.end), ids.clone().filter(|&i| keep(i)).map(bit));
    let (sparse, dense) = (bitmap(|i| i % 37 == 0), bitmap(|i| i % 37 != 0));
    let runs = bitmap(|i| i / 100 % 2 == 0);
    let sorted: Vec<u64> = (0..FIRST + 2 * len).step_by(11).collect();
    let rule = |id: u64| id % 3 == 1;
    check(&IdSelector::All);
    check(&IdSelector::Range(0..FIRST));
    check(&IdSelector::Range(FIRST + 5..FIRST + len / 2 + 1));
    check(&IdSelector::Sorted(&sorted));
    check(&IdSelector::Not(Box::new(IdSelector::Sorted(&sorted))));
    check(&IdSelector::Custom(&rule));
    for bitmap in [&sparse, &dense, &runs] {
        check(&IdSelector::Bitmap(bitmap));
        check(&IdSelector::And(vec![
            IdSelector::Bitmap(bitmap),
            IdSelector::Custom(&rule),
        ]));
        check(&IdSelector::Or(vec![
            IdSelector::Bitmap(bitmap),
            IdSelector::Custom(&rule),
        ]));
    }
}

/// Small integers: ties everywhere. One row in ten has a NaN or an infinity.
fn rows_with_ties(len: usize, dim: usize) -> Vec<f32> {
    let mut random = Random(4);
    let mut data: Vec<f32> = (0..len * dim).map(|_| (random.bits() % 3) as f32).collect();
    for row in (0..len).step_by(10) {
        data[row * dim + row % dim] = if row % 20 == 0 { f32::NAN } else { f32::INFINITY };
    }
    data
}

#[test]
fn a_scan_finds_the_nearest_accepted_rows_and_never_nan() {
    for (len, dim) in [(0, 4), (1, 1), (63, 3), (64, 8), (65, 5), (700, 4), (333, 33)] {
        let data = rows_with_ties(len, dim);
        let (rows, query) = (Rows::new(&data, dim).unwrap(), vec![1.0; dim]);
        with_selectors(len as u64, |keep| {
            for kernels in every_isa() {
                for &metric in Metric::ALL {
                    let want = bits(&naive(kernels, metric, &query, rows, keep));
                    for k in [0, 1, 10, 100, 1000] {
                        let mut top = TopK::new(k);
                        kernels.scan(metric, &query, rows, FIRST, keep, &mut top);
                        let want = &want[..want.len().min(k)];
                        assert_eq!(
                            sorted_bits(top),
                            want,
                            "{kernels:?} {metric} {len} x {dim}, k={k}, {keep:?}"
                        );
                    }
                }
            }
        });
    }
}

#[test]
fn a_range_scan_finds_what_is_strictly_closer_in_order_of_ids() {
    let (len, dim) = (700, 4);
    let data = rows_with_ties(len, dim);
    let (rows, query) = (Rows::new(&data, dim).unwrap(), vec![1.0; dim]);
    with_selectors(len as u64, |keep| {
        for kernels in every_isa() {
            for &metric in Metric::ALL {
                let mut all = naive(kernels, metric, &query, rows, keep);
                all.sort_by_key(|neighbor| neighbor.id);
                for radius in [f32::NAN, f32::NEG_INFINITY, -3.0, 0.0, 1.0, 2.0, f32::INFINITY] {
                    let mut got = Vec::new();
                    kernels.scan_range(metric, &query, rows, FIRST, keep, radius, &mut got);
                    let want: Vec<_> = all
                        .iter()
                        .copied()
                        .filter(|neighbor| neighbor.distance < radius)
                        .collect();
                    assert_eq!(bits(&got), bits(&want), "{kernels:?} {metric} radius={radius} {keep:?}");
                }
            }
        }
    });
}

#[test]
fn parts_scanned_apart_and_merged_equal_one_scan() {
    let (len, dim) = (500, 6);
    let data = rows_with_ties(len, dim);
    let (rows, query) = (Rows::new(&data, dim).unwrap(), vec![1.0; dim]);
    for k in [1, 10, 100] {
        let scan = |from: usize, to: usize| {
            let mut top = TopK::new(k);
            let first_id = FIRST + from as u64;
            anear_kernels::scan(
                Metric::L2,
                &query,
                rows.slice(from..to),
                first_id,
                &IdSelector::All,
                &mut top,
            );
            top
        };
        // Later parts first: the answer must not depend on who finishes when.
        let mut merged = scan(317, 500);
        merged.merge(scan(64, 317));
        merged.merge(scan(0, 64));
        assert_eq!(sorted_bits(merged), sorted_bits(scan(0, 500)));
    }
}

#[test]
#[should_panic(expected = "dimension of the rows")]
fn a_query_of_another_dimension_is_a_bug_of_the_caller() {
    let rows = Rows::new(&[0.0; 6], 3).unwrap();
    anear_kernels::scan(Metric::L2, &[0.0; 2], rows, 0, &IdSelector::All, &mut TopK::new(1));
}
