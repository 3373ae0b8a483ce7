//! Transform codes beside what they estimate.

use anear_kernels::{Metric, Random, Rows};

use super::*;
use crate::{BLOCK_LEN, Codes, Training};

/// Vectors that vary less and less from direction to direction, around a mean.
fn decaying(seed: u64, len: usize, dim: usize) -> Vec<f32> {
    let mut random = Random::new(seed);
    let vector = |_| {
        (0..dim)
            .map(|i| (3.0 + random.normal() / (1.0 + i as f64 / 8.0)) as f32)
            .collect::<Vec<_>>()
    };
    (0..len).flat_map(vector).collect()
}

fn blocks(code: &TransformCode, vectors: Rows<'_>) -> Codes {
    let mut rows = Vec::new();
    code.encode(vectors, &mut rows);
    let mut codes = Codes::new(code.layout(), code.code_len());
    codes.extend_from_rows(&rows).unwrap();
    codes
}

/// What a query's tables estimate of whole blocks.
fn estimates(code: &TransformCode, codes: &Codes, query: &TransformedQuery) -> Vec<f32> {
    let blocks = codes.as_bytes().chunks(code.block_len());
    let estimates = blocks.flat_map(|block| {
        let mut out = [0.0; BLOCK_LEN];
        query.tables().estimates(block, f32::INFINITY, &mut out);
        out
    });
    estimates.collect()
}

/// The squared error of estimated inner products, as a share of the distances' variance.
fn error(code: &TransformCode, vectors: Rows<'_>, queries: Rows<'_>) -> f64 {
    let codes = blocks(code, vectors);
    let (mut wrong, mut varied) = (0.0, 0.0);
    let mut query_tables = TransformedQuery::default();
    for query in queries {
        code.prepare(query, &mut query_tables);
        let truth: Vec<f64> = vectors
            .iter()
            .map(|v| f64::from(code.metric.distance(query, v)))
            .collect();
        let mean = truth.iter().sum::<f64>() / truth.len() as f64;
        let estimates = estimates(code, &codes, &query_tables);
        // What all estimates of a query lack is the same for all.
        let lack = truth
            .iter()
            .zip(&estimates)
            .map(|(t, e)| t - f64::from(*e))
            .sum::<f64>()
            / truth.len() as f64;
        for (truth, estimate) in truth.iter().zip(estimates) {
            wrong += (truth - lack - f64::from(estimate)).powi(2);
            varied += (truth - mean).powi(2);
        }
    }
    wrong / varied
}

#[test]
fn more_nibbles_estimate_better_by_both_metrics() {
    for dim in [1, 3, 37, 64, 100] {
        let (base, asked) = (decaying(1, 320, dim), decaying(2, 20, dim));
        let [base, asked] = [&base, &asked].map(|numbers| Rows::new(numbers, dim).unwrap());
        let spectrum = Spectrum::of(base, &Training::default()).unwrap();
        for metric in [Metric::L2, Metric::InnerProduct] {
            let errors: Vec<f64> = [
                spectrum.nibbles_max() / 4,
                spectrum.nibbles_max() / 2,
                spectrum.nibbles_max(),
            ]
            .iter()
            .map(|nibbles| error(&spectrum.code(metric, *nibbles), base, asked))
            .collect();
            assert!(errors.is_sorted_by(|a, b| a >= b), "{dim} by {metric}: {errors:?}");
            assert!(errors[2] < 0.02, "{dim} by {metric}: {errors:?}");
        }
    }
}

#[test]
fn estimates_are_right_on_average() {
    let (vectors, queries) = (decaying(1, 2048, 96), decaying(2, 40, 96));
    let [vectors, queries] = [&vectors, &queries].map(|numbers| Rows::new(numbers, 96).unwrap());
    let spectrum = Spectrum::of(vectors, &Training::default()).unwrap();
    for metric in [Metric::L2, Metric::InnerProduct] {
        for nibbles in [32, 64] {
            let code = spectrum.code(metric, nibbles);
            let codes = blocks(&code, vectors);
            let mut query_tables = TransformedQuery::default();
            let (mut truths, mut errors) = (Vec::new(), Vec::new());
            for query in queries {
                code.prepare(query, &mut query_tables);
                let truth = vectors.iter().map(|v| f64::from(metric.distance(query, v)));
                truths.extend(truth);
                let lacking = code.lacking(query);
                let estimates = estimates(&code, &codes, &query_tables);
                errors.extend(estimates.iter().map(|estimate| f64::from(estimate + lacking)));
            }
            errors
                .iter_mut()
                .zip(&truths)
                .for_each(|(error, truth)| *error -= truth);
            let mean = |numbers: &[f64]| numbers.iter().sum::<f64>() / numbers.len() as f64;
            let middle = mean(&truths);
            let varied = mean(&truths.iter().map(|truth| (truth - middle).powi(2)).collect::<Vec<_>>());
            assert!(mean(&errors).abs() < 0.02 * varied.sqrt(), "{metric}, {nibbles}");
            // Nor are those of far vectors too near.
            let together = errors
                .iter()
                .zip(&truths)
                .map(|(error, truth)| error * (truth - middle));
            let slope = mean(&together.collect::<Vec<_>>()) / varied;
            assert!(slope.abs() < 0.03, "{metric}, {nibbles}: {slope}");
        }
    }
}

#[test]
fn weights_and_tables_estimate_alike() {
    let dim = 96;
    let (vectors, queries) = (decaying(1, 400, dim), decaying(2, 10, dim));
    let (vectors, queries) = (Rows::new(&vectors, dim).unwrap(), Rows::new(&queries, dim).unwrap());
    let code = Spectrum::of(vectors, &Training::default())
        .unwrap()
        .code(Metric::L2, 64);
    let codes = blocks(&code, vectors);
    let (mut rows, mut components) = (Vec::new(), Vec::new());
    code.encode(vectors, &mut rows);
    code.project(queries, &mut components);
    let positions: Vec<u32> = (0..vectors.len() as u32).collect();
    for (vector, components) in queries.iter().zip(components.chunks_exact(code.kept())) {
        let mut query = TransformedQuery::default();
        code.prepare(vector, &mut query);
        let by_tables = estimates(&code, &codes, &query);
        let variance = by_tables[..vectors.len()].iter().map(|x| x * x).sum::<f32>() / vectors.len() as f32;
        for prepare in [0, 1] {
            match prepare {
                0 => code.prepare(vector, &mut query),
                _ => code.prepare_components(components, &mut query),
            }
            code.weigh(&mut query);
            let mut by_weights = vec![0.0; vectors.len()];
            query
                .weights()
                .estimates_at(&rows, code.code_len(), &positions, &mut by_weights);
            let apart = by_weights
                .iter()
                .zip(&by_tables)
                .map(|(a, b)| (a - b).powi(2))
                .sum::<f32>();
            let share = apart / vectors.len() as f32 / variance;
            assert!(share < 1e-4, "{share}");
        }
    }
}

#[test]
#[should_panic(expected = "a query that was weighed")]
fn weights_of_the_query_before_are_not_handed_out() {
    let vectors = decaying(1, 200, 16);
    let vectors = Rows::new(&vectors, 16).unwrap();
    let code = Spectrum::of(vectors, &Training::default())
        .unwrap()
        .code(Metric::L2, 16);
    let mut query = TransformedQuery::default();
    code.prepare(vectors.row(0), &mut query);
    code.weigh(&mut query);
    code.prepare(vectors.row(1), &mut query);
    query.weights();
}

#[test]
fn long_vectors_have_codes_without_a_matrix() {
    let dim = spectrum::MATRIX_DIM_MAX + 40;
    let (base, asked) = (decaying(1, 96, dim), decaying(2, 4, dim));
    let [base, asked] = [&base, &asked].map(|numbers| Rows::new(numbers, dim).unwrap());
    let code = Spectrum::of(base, &Training::default()).unwrap().code(Metric::L2, dim);
    assert!(error(&code, base, asked) < 0.02);
    let again = TransformCode::load(Metric::L2, dim, &code.save()).unwrap();
    assert_eq!(blocks(&again, base).as_bytes(), blocks(&code, base).as_bytes());
}

#[test]
fn bits_go_where_the_variance_is() {
    let base = decaying(1, 500, 128);
    let spectrum = Spectrum::of(Rows::new(&base, 128).unwrap(), &Training::default()).unwrap();
    for nibbles in [8, 32, 64, 96] {
        let code = spectrum.code(Metric::L2, nibbles);
        assert!(
            code.segments.is_sorted_by(|a, b| a.bits >= b.bits),
            "{:?}",
            code.segments
        );
        assert!((nibbles / 2..=nibbles).contains(&code.nibbles()), "{}", code.nibbles());
    }
    assert_eq!(spectrum.code(Metric::L2, 1 << 20).nibbles(), 128);
}

#[test]
fn vectors_that_are_all_alike_have_codes_too() {
    let base = vec![2.5; 40 * 8];
    let base = Rows::new(&base, 8).unwrap();
    let code = Spectrum::of(base, &Training::default()).unwrap().code(Metric::L2, 8);
    let codes = blocks(&code, base);
    let (mut query, mut out) = (TransformedQuery::default(), [0.0; BLOCK_LEN]);
    code.prepare(base.row(0), &mut query);
    query.tables().estimates(codes.as_bytes(), 1.0, &mut out);
    assert_eq!(out, [0.0; BLOCK_LEN]);
    assert!(Spectrum::of(base.slice(0..1), &Training::default()).is_err());
}

#[test]
fn a_saved_code_is_the_same_and_a_damaged_one_is_refused() {
    let base = decaying(1, 100, 37);
    let base = Rows::new(&base, 37).unwrap();
    let code = Spectrum::of(base, &Training::default())
        .unwrap()
        .code(Metric::InnerProduct, 24);
    let saved = code.save();
    let again = TransformCode::load(Metric::InnerProduct, 37, &saved).unwrap();
    assert_eq!(blocks(&again, base).as_bytes(), blocks(&code, base).as_bytes());
    assert_eq!(again.save(), saved);
    for len in 0..saved.len() {
        assert!(
            TransformCode::load(Metric::L2, 37, &saved[..len]).is_err(),
            "cut at {len}"
        );
    }
    assert!(TransformCode::load(Metric::L2, 36, &saved).is_err());
}

#[test]
fn absent_codes_are_farther_than_everything() {
    let base = decaying(1, 40, 16);
    let base = Rows::new(&base, 16).unwrap();
    let code = Spectrum::of(base, &Training::default()).unwrap().code(Metric::L2, 16);
    let mut codes = Codes::new(code.layout(), code.code_len());
    (0..BLOCK_LEN).for_each(|_| codes.extend_from_rows(&code.absent()).unwrap());
    let (mut query, mut out) = (TransformedQuery::default(), [0.0; BLOCK_LEN]);
    code.prepare(base.row(0), &mut query);
    assert_eq!(query.tables().estimates(codes.as_bytes(), f32::INFINITY, &mut out), 0);
    assert_eq!(out, [f32::INFINITY; BLOCK_LEN]);
}
