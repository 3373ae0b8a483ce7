//! Searches through rounded rows have the answers of those through the rows themselves, to the bit.

mod common;

use anear_kernels::{
    Bitmap, ByteQuery, ByteRows, ByteRun, IdSelector, Isa, Kernels, Metric, Neighbor, Rows, RowsMut, Sketcher, TopK,
    normalize,
};
use common::{Random, adversarial, every_isa, oracle};

const FIRST_ID: u64 = 1_000;

const METRICS: [Metric; 3] = [Metric::L2, Metric::InnerProduct, Metric::Cosine];

/// A sketcher that leaves out as much as it wants to.
fn any_sketcher(kernels: &'static Kernels, rows: Rows<'_>) -> Option<Sketcher> {
    Sketcher::on(kernels, rows, &[(rows.dim() / 4).clamp(1, rows.len() / 2)], 1.0)
}

/// Rounds the rows, then their sketches.
fn check(kernels: &'static Kernels, metric: Metric, query: &[f32], rows: Rows<'_>, keep: &IdSelector<'_>, what: &str) {
    if let Some(prepared) = ByteQuery::on(kernels, metric, query) {
        let bytes = ByteRows::on(kernels, rows).unwrap();
        check_rounded(kernels, metric, query, rows, keep, &prepared, &bytes, what);
    }
    let Some(sketcher) = any_sketcher(kernels, rows) else {
        return;
    };
    if let Some(prepared) = ByteQuery::sketched(metric, query, &sketcher) {
        let bytes = ByteRows::sketched(rows, &sketcher).unwrap();
        let what = format!("{what}, {sketcher:?}");
        check_rounded(kernels, metric, query, rows, keep, &prepared, &bytes, &what);
    }
}

#[allow(
    clippy::too_many_arguments,
    reason = "what is searched, what with, and what the answers come from"
)]
fn check_rounded(
    kernels: &Kernels,
    metric: Metric,
    query: &[f32],
    rows: Rows<'_>,
    keep: &IdSelector<'_>,
    prepared: &ByteQuery<'_>,
    bytes: &ByteRows,
    what: &str,
) {
    let slots = rows.len() / 5..rows.len();
    let part = rows.slice(slots.clone());
    let run = ByteRun {
        slots: slots.clone(),
        first_id: FIRST_ID,
        ..ByteRun::all(bytes, rows)
    };
    let run = [run];
    for k in [1, 10, 70] {
        let [mut want, mut found] = [TopK::new(k), TopK::new(k)];
        kernels.scan(metric, query, part, FIRST_ID, keep, &mut want);
        prepared.scan(&run, keep, &mut found);
        let want = want.into_sorted();
        assert_eq!(found.into_sorted(), want, "{kernels:?}, {metric}, {what}, k = {k}");
        check_with_oracle(metric, query, rows, slots.start, keep, &want, what);
        // A radius that a row meets exactly: the comparison is strict.
        if let Some(Neighbor { distance, .. }) = want.last() {
            let [mut want, mut found] = [Vec::new(), Vec::new()];
            kernels.scan_range(metric, query, part, FIRST_ID, keep, *distance, &mut want);
            prepared.scan_range(&run, keep, *distance, &mut found);
            assert_eq!(found, want, "{kernels:?}, {metric}, {what}, within {distance}");
        }
    }
}

/// The nearest are the nearest in f64, too, but for what roundings may make of distances that are nearly equal.
fn check_with_oracle(
    metric: Metric,
    query: &[f32],
    rows: Rows<'_>,
    first: usize,
    keep: &IdSelector<'_>,
    found: &[Neighbor],
    what: &str,
) {
    let terms = |row: &[f32]| match metric {
        Metric::L2 => oracle(metric, query, row),
        _ => oracle(Metric::InnerProduct, &magnitudes(query), &magnitudes(row)).abs(),
    };
    let kept = (first..rows.len()).filter(|slot| keep.contains(FIRST_ID + (slot - first) as u64));
    let kept: Vec<&[f32]> = kept.map(|slot| rows.row(slot)).collect();
    let largest = kept.iter().map(|row| terms(row)).fold(0.0, f64::max);
    // Cosines have norms besides; what is too large for f32 is not compared with anything.
    if metric == Metric::Cosine || largest > 1e37 {
        return;
    }
    let rounding = 2.0 * (rows.dim() / 32 + 16) as f64 * f64::from(f32::EPSILON) * largest;
    let mut truth: Vec<f64> = kept.iter().map(|row| oracle(metric, query, row)).collect();
    if truth.iter().any(|distance| !distance.is_finite()) {
        return;
    }
    truth.sort_by(f64::total_cmp);
    for (neighbor, truth) in found.iter().zip(truth) {
        let row = rows.row(first + (neighbor.id - FIRST_ID) as usize);
        let off = (oracle(metric, query, row) - truth).abs();
        assert!(
            off <= rounding + f64::from(f32::MIN_POSITIVE),
            "{metric}, {what}: {off} from {truth}"
        );
    }
}

fn magnitudes(vector: &[f32]) -> Vec<f32> {
    vector.iter().map(|x| x.abs()).collect()
}

#[test]
fn answers_are_those_of_the_rows_on_every_instruction_set() {
    let mut random = Random(1);
    for kernels in every_isa() {
        for kind in 0..10 {
            for (dim, len) in [(1, 400), (3, 400), (17, 400), (64, 400), (200, 400), (4_096, 40)] {
                let components = adversarial(kind, &mut random, len, dim);
                let rows = Rows::new(&components, dim).unwrap();
                let stranger = adversarial(kind, &mut random, 1, dim);
                for metric in METRICS {
                    for query in [&stranger, rows.row(len / 2)] {
                        let what = format!("kind {kind}, {dim} components");
                        check(kernels, metric, query, rows, &IdSelector::All, &what);
                    }
                }
            }
        }
    }
}

/// Searches by many queries at once through sketches; how many pairs were measured.
fn check_batch(
    kernels: &'static Kernels,
    metric: Metric,
    queries: Rows<'_>,
    rows: Rows<'_>,
    keep: &IdSelector<'_>,
    sketcher: &Sketcher,
    what: &str,
) -> Option<usize> {
    let bytes = ByteRows::sketched(rows, sketcher).unwrap();
    let slots = rows.len() / 5..rows.len();
    let part = rows.slice(slots.clone());
    let run = ByteRun {
        slots,
        first_id: FIRST_ID,
        ..ByteRun::all(&bytes, rows)
    };
    let mut measured = 0;
    for k in [1, 10, 70] {
        let mut found = vec![TopK::new(k); queries.len()];
        measured += kernels.scan_batch_sketched(
            metric,
            queries,
            &sketcher.sketch(metric, queries),
            &run,
            keep,
            &mut found,
        )?;
        for (query, found) in queries.iter().zip(found) {
            let mut want = TopK::new(k);
            kernels.scan(metric, query, part, FIRST_ID, keep, &mut want);
            let what = format!("{kernels:?}, {metric}, {what}, {sketcher:?}, k = {k}");
            assert_eq!(found.into_sorted(), want.into_sorted(), "{what}");
        }
    }
    Some(measured)
}

#[test]
fn batches_find_what_single_queries_find_through_sketches() {
    let mut random = Random(5);
    for kernels in every_isa() {
        for kind in 0..10 {
            for (dim, len) in [(3, 400), (64, 900), (200, 400), (4_096, 90)] {
                let components = adversarial(kind, &mut random, len, dim);
                let rows = Rows::new(&components, dim).unwrap();
                let strangers = adversarial(kind, &mut random, 20, dim);
                let queries = [&strangers, rows.slice(0..21).as_slice()].concat();
                let queries = Rows::new(&queries, dim).unwrap();
                let Some(sketcher) = any_sketcher(kernels, rows) else {
                    continue;
                };
                let what = format!("kind {kind}, {dim} components");
                for metric in METRICS {
                    let measured = check_batch(kernels, metric, queries, rows, &IdSelector::All, &sketcher, &what);
                    assert!(measured.is_some(), "{what}");
                }
            }
        }
    }
}

/// Vectors of length 1 that are long in few directions, all of them away from the origin.
fn long_in_few_directions(random: &mut Random, len: usize, dim: usize, few: usize) -> Vec<f32> {
    let directions = random.floats(few * dim);
    let mut vectors = random.floats(len * dim);
    for vector in vectors.chunks_exact_mut(dim) {
        vector.iter_mut().for_each(|x| *x = 0.1 * *x + 1.0);
        for direction in directions.chunks_exact(dim) {
            let weight = random.floats(1)[0];
            vector.iter_mut().zip(direction).for_each(|(x, y)| *x += weight * y);
        }
    }
    normalize(&mut RowsMut::new(&mut vectors, dim).unwrap());
    vectors
}

#[test]
fn sketches_spare_most_of_what_is_long_in_few_directions() {
    let (dim, len) = (192, 2_000);
    let components = long_in_few_directions(&mut Random(6), len, dim, 10);
    let rows = Rows::new(&components, dim).unwrap();
    let queries = rows.slice(0..40);
    for kernels in every_isa() {
        let Some(sketcher) = Sketcher::on(kernels, rows, &[7, 31, 63], 0.1) else {
            assert_eq!(kernels.isa(), Isa::Scalar);
            continue;
        };
        assert_eq!(sketcher.sketch_dim(), 32, "ten directions want more than seven");
        let bytes = ByteRows::sketched(rows, &sketcher).unwrap();
        assert!(bytes.memory() < size_of_val(components.as_slice()) / 12);
        for metric in METRICS {
            let all = &IdSelector::All;
            let mut single = 0;
            for query in queries {
                let prepared = ByteQuery::sketched(metric, query, &sketcher).unwrap();
                single += prepared.scan(&[ByteRun::all(&bytes, rows)], all, &mut TopK::new(10));
            }
            assert!(single < 40 * len / 8, "{kernels:?}, {metric}: {single}");
            let measured = check_batch(kernels, metric, queries, rows, all, &sketcher, "few directions").unwrap();
            // For 1, 10 and 70 neighbors.
            assert!(measured < 3 * 40 * len / 4, "{kernels:?}, {metric}: {measured}");
        }
    }
}

/// Rows and queries about which nothing is known, among others.
#[test]
fn what_is_not_to_be_trusted_is_measured() {
    let (dim, len) = (64, 700);
    let mut random = Random(8);
    let clean = long_in_few_directions(&mut random, len, dim, 5);
    for kernels in every_isa() {
        let Some(sketcher) = Sketcher::on(kernels, Rows::new(&clean, dim).unwrap(), &[15], 0.5) else {
            assert_eq!(kernels.isa(), Isa::Scalar);
            continue;
        };
        let mut dirty = clean.clone();
        let oddities = [f32::NAN, -f32::NAN, f32::INFINITY, 1e30, -1e30, 1e-30, 1e-44, 0.0];
        for (i, row) in dirty.chunks_exact_mut(dim).enumerate().filter(|(i, _)| i % 5 == 0) {
            let oddity = oddities[i / 5 % oddities.len()];
            match i % 2 {
                0 => row.fill(oddity),
                _ => row[i % dim] = oddity,
            }
        }
        let rows = Rows::new(&dirty, dim).unwrap();
        for metric in METRICS {
            check_batch(
                kernels,
                metric,
                rows.slice(130..260),
                rows,
                &IdSelector::All,
                &sketcher,
                "oddities",
            )
            .unwrap();
            let bytes = ByteRows::sketched(rows, &sketcher).unwrap();
            for query in rows.slice(130..180) {
                if let Some(prepared) = ByteQuery::sketched(metric, query, &sketcher) {
                    check_rounded(
                        kernels,
                        metric,
                        query,
                        rows,
                        &IdSelector::All,
                        &prepared,
                        &bytes,
                        "oddities",
                    );
                }
            }
        }
    }
}

#[test]
fn what_underflows_is_not_missed() {
    let (dim, len) = (153, 327);
    let mut random = Random(11);
    // All of one sign, so that products add up to more than what is lost to underflow anyway.
    let (components, query) = (magnitudes(&random.floats(len * dim)), magnitudes(&random.floats(dim)));
    let scaled = |components: &[f32], exponent: i32| -> Vec<f32> {
        let scale = 2_f32.powi(exponent);
        components.iter().map(|x| x * scale).collect()
    };
    for kernels in every_isa() {
        for of_rows in (-100..-20).step_by(9) {
            let rows = scaled(&components, of_rows);
            let rows = Rows::new(&rows, dim).unwrap();
            // Products that are as small as what they are made of allows.
            for of_product in -132..-118 {
                let query = scaled(&query, of_product - of_rows);
                let what = format!("2^{of_rows}, products of 2^{of_product}");
                for metric in METRICS {
                    check(kernels, metric, &query, rows, &IdSelector::All, &what);
                }
            }
        }
    }
}

/// The canonical sum of one query rounds more often than the strips of many.
#[test]
fn the_longest_vectors_are_no_exception() {
    let (dim, len) = (16_384, 48);
    let components = long_in_few_directions(&mut Random(9), len, dim, 3);
    let rows = Rows::new(&components, dim).unwrap();
    for kernels in every_isa() {
        for metric in METRICS {
            check(
                kernels,
                metric,
                rows.row(20),
                rows,
                &IdSelector::All,
                "16,384 components",
            );
        }
    }
}

#[test]
#[should_panic(expected = "a query by the sketches")]
fn a_query_that_is_not_sketched_is_not_compared_with_sketches() {
    let components = long_in_few_directions(&mut Random(10), 200, 64, 3);
    let rows = Rows::new(&components, 64).unwrap();
    let Some(sketcher) = any_sketcher(Kernels::get(), rows) else {
        panic!("a query by the sketches: no instruction set for them");
    };
    let bytes = ByteRows::sketched(rows, &sketcher).unwrap();
    let query = ByteQuery::new(Metric::L2, rows.row(0)).unwrap();
    query.scan(&[ByteRun::all(&bytes, rows)], &IdSelector::All, &mut TopK::new(1));
}

#[test]
fn sketches_that_leave_out_too_much_are_none() {
    let mut random = Random(7);
    let components = random.floats(1_000 * 128);
    let rows = Rows::new(&components, 128).unwrap();
    let same = vec![1.5; 300 * 128];
    let same = Rows::new(&same, 128).unwrap();
    for kernels in every_isa() {
        assert!(Sketcher::on(kernels, rows, &[31, 63], 0.1).is_none());
        assert!(Sketcher::on(kernels, rows, &[], 0.1).is_none());
        assert!(Sketcher::on(kernels, rows, &[65], 1.0).is_none());
        // What does not differ at all has no directions.
        assert!(Sketcher::on(kernels, same, &[31], 0.1).is_none());
    }
}

#[test]
fn filters_hold() {
    let mut random = Random(2);
    let components = random.floats(500 * 24);
    let rows = Rows::new(&components, 24).unwrap();
    let query = random.floats(24);
    let few: Vec<u64> = (0..500).step_by(37).map(|i| FIRST_ID + i).collect();
    let many = Bitmap::from_indices(2_000, (0..2_000).filter(|i| i % 3 != 0));
    let selectors = [
        IdSelector::Sorted(&few),
        IdSelector::Bitmap(&many),
        IdSelector::Range(FIRST_ID + 70..FIRST_ID + 290),
        IdSelector::Not(Box::new(IdSelector::Sorted(&few))),
        IdSelector::Sorted(&[]),
    ];
    for kernels in every_isa() {
        for keep in &selectors {
            for metric in METRICS {
                check(kernels, metric, &query, rows, keep, &format!("{keep:?}"));
                if let Some(sketcher) = Sketcher::on(kernels, rows, &[8], 1.0) {
                    check_batch(
                        kernels,
                        metric,
                        rows.slice(0..9),
                        rows,
                        keep,
                        &sketcher,
                        &format!("{keep:?}"),
                    );
                }
            }
        }
    }
}

#[test]
fn long_rows_and_rows_of_one_number_are_no_exception() {
    let mut random = Random(3);
    let components = random.floats(150 * 4_096);
    let constant = vec![7.5; 150 * 96];
    for (components, dim) in [(&components, 4_096), (&constant, 96)] {
        let rows = Rows::new(components, dim).unwrap();
        let query = random.floats(dim);
        for kernels in every_isa() {
            for metric in METRICS {
                check(
                    kernels,
                    metric,
                    &query,
                    rows,
                    &IdSelector::All,
                    &format!("{dim} components"),
                );
            }
        }
    }
}

#[test]
fn what_has_no_bound_is_said_to_have_none() {
    for (metric, query) in [
        (Metric::L1, [1.0, 2.0]),
        (Metric::L2, [0.0, 0.0]),
        (Metric::L2, [1e30, 0.0]),
        (Metric::InnerProduct, [f32::NAN, 1.0]),
    ] {
        assert!(ByteQuery::new(metric, &query).is_none(), "{metric} {query:?}");
    }
}
