//! Scalar quantizers: Faiss's codes, the distances of what codes stand for, ranges that are what they say.

use anear_kernels::{IdSelector, Metric, Neighbor, Rows, TopK};
use anear_pool::Pool;
use anear_quant::{CodeRun, Quantizer, RangeStat, Scalar, ScalarKind, ScalarParams, Training};

const DIM: usize = 37;

/// `count` vectors of `dim` components between -8 and 8, the same each time.
fn vectors(count: usize, dim: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 20) as f32 - 8.0
    };
    (0..count * dim).map(|_| next()).collect()
}

/// Components that this kind can hold.
fn suited(kind: ScalarKind, mut vectors: Vec<f32>) -> Vec<f32> {
    if kind == ScalarKind::Direct {
        vectors.iter_mut().for_each(|x| *x = (*x + 8.0) * 15.0);
    }
    vectors
}

fn train(kind: ScalarKind, sample: &[f32], dim: usize) -> Scalar {
    let sample = Rows::new(sample, dim).unwrap();
    ScalarParams::new(kind).train(sample, &Training::default()).unwrap()
}

fn decoded(scalar: &Scalar, codes: &[u8]) -> Vec<f32> {
    let mut vectors = Vec::new();
    scalar.decode(codes, &mut vectors);
    vectors
}

/// What Faiss 1.15.1 makes of four vectors after training on the first three: all codes, and the bits of the second
/// vector decoded. A change here means that Faiss's files are read wrongly.
#[test]
fn codes_and_values_are_those_of_faiss() {
    let third = |kind| match kind {
        ScalarKind::DirectSigned => [120.9, -128.0],
        _ => [250.9, 3.0],
    };
    for (kind, codes, second) in [
        (
            ScalarKind::Sq8,
            "660000ff63ffff0000ff007000d400bf9100ff4c",
            [0x3fda1a1a, 0x40807070, 0x40100000, 0xc0ef6f6f, 0x437b62d5_u32],
        ),
        (
            ScalarKind::Sq4,
            "06f005ff000f60c0008bf004",
            [0x3fe22222, 0x40877777, 0x40100000, 0xc0e66666, 0x438194e8],
        ),
        (
            ScalarKind::Sq6,
            "1900fc18ff0f003fc006d0002f09fc12",
            [0x3fdba1ba, 0x4081c71c, 0x40100000, 0xc0edb6db, 0x437cde11],
        ),
        (
            ScalarKind::Fp16,
            "003800c28040003e4056cd3e0044804080c7d75bcdb4662e804000000042cd3c003c80401054db54",
            [0x3fd9a000, 0x40800000, 0x40100000, 0xc0f00000, 0x437ae000],
        ),
        (
            ScalarKind::Bf16,
            "003f40c01040c03fc842da3f80401040f0c07b439abecd3d1040000040409a3f803f104082429b42",
            [0x3fda0000, 0x40800000, 0x40100000, 0xc0f00000, 0x437b0000],
        ),
        (
            ScalarKind::Direct,
            "000302016401040207fa0000020003010102414d",
            [0x3f800000, 0x40800000, 0x40000000, 0x40e00000, 0x437a0000],
        ),
        (
            ScalarKind::DirectSigned,
            "807d8281e481848278f87f80828000818182c1cd",
            [0x3f800000, 0x40800000, 0x40000000, 0xc1000000, 0x42f00000],
        ),
        (
            ScalarKind::Uniform8,
            "070409086a090b0900ff070709070a0808094754",
            [0x40081b50, 0x4084e81c, 0x40081b50, 0xc0dfc963, 0x437b681a],
        ),
        (
            ScalarKind::Uniform4,
            "00000600000f000000004004",
            [0x3f8e81b8, 0x3f8e81b8, 0x3f8e81b8, 0x3f8e81b8, 0x4381c1b4],
        ),
    ] {
        let [large, last] = third(kind);
        #[rustfmt::skip]
        let mut vectors = vec![
            0.5, -3.0, 2.25, 1.5, 100.0,
            1.7, 4.0, 2.25, -7.5, large,
            -0.3, 0.1, 2.25, 0.0, last,
            1.2, 1.0, 2.25, 65.0, 77.7,
        ];
        if kind == ScalarKind::Direct {
            vectors.iter_mut().for_each(|x: &mut f32| *x = x.abs());
        }
        let scalar = train(kind, &vectors[..15], 5);
        let got = scalar.codes_of(Rows::new(&vectors, 5).unwrap()).unwrap();
        let hex: String = got.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, codes, "{kind:?}");
        let values: Vec<u32> = decoded(&scalar, got.as_bytes())[5..10]
            .iter()
            .map(|x| x.to_bits())
            .collect();
        assert_eq!(values, second, "{kind:?}");
    }
}

#[test]
fn halves_round_to_nearest_and_ties_away_from_zero() {
    let below = |x: f32| x.next_down();
    for (component, bits) in [
        (1.0, 0x3c00),
        (1.0 + 1.0 / 2048.0, 0x3c01),
        (below(1.0 + 1.0 / 2048.0), 0x3c00),
        (-2.0 - 1.0 / 1024.0, 0xc001),
        (65504.0, 0x7bff),
        (65520.0, 0x7c00),
        (below(65520.0), 0x7bff),
        (1e30, 0x7c00),
        (-0.0, 0x8000),
        (2.0_f32.powi(-14), 0x0400),
        (below(2.0_f32.powi(-14)), 0x0400),
        (2.0_f32.powi(-24), 0x0001),
        (2.0_f32.powi(-25), 0x0001),
        (below(2.0_f32.powi(-25)), 0x0000),
        (f32::NEG_INFINITY, 0xfc00),
    ] {
        let codes = train(ScalarKind::Fp16, &[component], 1)
            .codes_of(Rows::new(&[component], 1).unwrap())
            .unwrap();
        assert_eq!(
            u16::from_le_bytes(codes.as_bytes().try_into().unwrap()),
            bits,
            "{component:e}"
        );
    }
}

#[test]
fn what_comes_back_is_within_a_step() {
    for &kind in ScalarKind::ALL {
        let vectors = suited(kind, vectors(50, DIM, 1));
        let scalar = train(kind, &vectors, DIM);
        let codes = scalar.codes_of(Rows::new(&vectors, DIM).unwrap()).unwrap();
        let step = match kind {
            ScalarKind::Sq8 | ScalarKind::Uniform8 => 16.0 / 255.0,
            ScalarKind::Sq6 => 16.0 / 63.0,
            ScalarKind::Sq4 | ScalarKind::Uniform4 => 16.0 / 15.0,
            ScalarKind::Direct | ScalarKind::DirectSigned => 2.0,
            ScalarKind::Fp16 => 8.0 / 1024.0,
            _ => 8.0 / 128.0,
        };
        for (x, y) in vectors.iter().zip(decoded(&scalar, codes.as_bytes())) {
            assert!((x - y).abs() <= step * 0.501, "{kind:?}: {x} came back as {y}");
        }
    }
}

fn metrics() -> impl Iterator<Item = Metric> {
    // Negative components have no divergence.
    let others = |metric: &Metric| !matches!(metric, Metric::Cosine | Metric::JensenShannon);
    Metric::ALL.iter().copied().filter(others)
}

#[test]
fn a_distance_is_that_of_the_decoded_vector() {
    for &kind in ScalarKind::ALL {
        let (base, query) = (suited(kind, vectors(70, DIM, 1)), suited(kind, vectors(1, DIM, 2)));
        let scalar = train(kind, &base, DIM);
        let codes = scalar.codes_of(Rows::new(&base, DIM).unwrap()).unwrap();
        let rows = decoded(&scalar, codes.as_bytes());
        for metric in metrics() {
            let scorer = scalar.scorer(metric, &query);
            let (mut block, mut picked) = ([0.0; 70], [0.0; 3]);
            scorer.score_block(codes.as_bytes(), &mut block);
            scorer.score_at(codes.as_bytes(), &[69, 0, 33], &mut picked);
            assert_eq!(picked, [block[69], block[0], block[33]], "{kind:?} {metric}");
            for (row, got) in rows.chunks(DIM).zip(block) {
                let want = metric.distance(&query, row);
                let scale: f32 = query.iter().zip(row).map(|(x, y)| x.abs().max(y.abs()).powi(2)).sum();
                assert!(
                    (got - want).abs() <= 1e-5 * scale,
                    "{kind:?} {metric}: {got}, not {want}"
                );
            }
        }
    }
}

#[test]
fn residuals_are_compared_as_the_vectors_they_came_from() {
    let (query, origin) = (vectors(1, DIM, 2), vectors(1, DIM, 3));
    for &kind in ScalarKind::ALL
        .iter()
        .filter(|kind| !matches!(kind, ScalarKind::Direct))
    {
        let residuals = vectors(40, DIM, 1);
        let scalar = train(kind, &residuals, DIM);
        let codes = scalar.codes_of(Rows::new(&residuals, DIM).unwrap()).unwrap();
        let rows = decoded(&scalar, codes.as_bytes());
        for metric in [Metric::L2, Metric::InnerProduct] {
            let mut scorer = scalar.scorer(metric, &query);
            // The second origin replaces the first.
            scorer.rebase(&query);
            scorer.rebase(&origin);
            let mut distances = [0.0; 40];
            scorer.score_block(codes.as_bytes(), &mut distances);
            for (row, got) in rows.chunks(DIM).zip(distances) {
                let vector: Vec<f32> = row.iter().zip(&origin).map(|(r, o)| r + o).collect();
                let want = metric.distance(&query, &vector);
                assert!((got - want).abs() <= 1e-2, "{kind:?} {metric}: {got}, not {want}");
            }
        }
    }
}

#[test]
fn a_saved_quantizer_comes_back_and_a_damaged_one_does_not() {
    for &kind in ScalarKind::ALL {
        let scalar = train(kind, &vectors(20, DIM, 1), DIM);
        let saved = scalar.save();
        assert_eq!(Scalar::load(kind, DIM, &saved).unwrap(), scalar);
        assert_eq!(ScalarKind::parse(kind.token()), Some(kind));
        assert_eq!(ScalarKind::from_faiss_number(kind.faiss_number()), Some(kind));
        let longer = [&saved[..], &[0; 4]].concat();
        assert!(Scalar::load(kind, DIM, &longer).is_err());
        assert!(Scalar::load(kind, DIM, &longer[..longer.len() - 1]).is_err());
        assert!(Scalar::from_parts(kind, 0, Vec::new()).is_err());
        let mut trained = scalar.trained().to_vec();
        if let Some(last) = trained.last_mut() {
            *last = f32::NAN;
            assert!(Scalar::from_parts(kind, DIM, trained).is_err());
        }
    }
}

fn ranges(stat: RangeStat, arg: f32, values: &[f32], dim: usize) -> Vec<(f32, f32)> {
    let params = ScalarParams {
        kind: ScalarKind::Sq4,
        range_stat: stat,
        range_stat_arg: arg,
    };
    let alone = params
        .train(Rows::new(values, dim).unwrap(), &Training::default())
        .unwrap();
    let pool = Pool::new(2).unwrap();
    let training = Training {
        pool: Some(&pool),
        ..Training::default()
    };
    assert_eq!(params.train(Rows::new(values, dim).unwrap(), &training).unwrap(), alone);
    let (lows, spans) = alone.trained().split_at(dim);
    lows.iter().copied().zip(spans.iter().copied()).collect()
}

#[test]
fn a_range_is_what_its_statistic_says() {
    // 0, 1, ..., 100 in some order, and the same times -2.
    let values: Vec<f32> = (0..101)
        .flat_map(|i| [i * 37 % 101, i * -2])
        .map(|x| x as f32)
        .collect();
    for (stat, arg, want) in [
        (RangeStat::MinMax, 0.0, [(0.0, 100.0), (-200.0, 200.0)]),
        (RangeStat::MinMax, 0.25, [(-25.0, 150.0), (-250.0, 300.0)]),
        (RangeStat::Quantiles, 0.0, [(0.0, 100.0), (-200.0, 200.0)]),
        (RangeStat::Quantiles, 0.1, [(10.0, 80.0), (-180.0, 160.0)]),
    ] {
        assert_eq!(ranges(stat, arg, &values, 2), want, "{stat:?} {arg}");
    }
    // The standard deviation of 0..=100 is the root of (101^2 - 1) / 12.
    let deviation = 850.0_f32.sqrt();
    for ((low, span), scale) in ranges(RangeStat::MeanStd, 2.0, &values, 2)
        .into_iter()
        .zip([1.0, -2.0_f32])
    {
        assert!((low - (50.0 * scale - 2.0 * deviation * scale.abs())).abs() < 1e-3);
        assert!((span - 4.0 * deviation * scale.abs()).abs() < 1e-3);
    }
}

#[test]
fn the_optimal_range_errs_less_than_the_widest() {
    // Nearly normal: most values near 0, a few far out.
    let values: Vec<f32> = vectors(2000, 8, 1).chunks(8).map(|eight| eight.iter().sum()).collect();
    let rows = Rows::new(&values, 1).unwrap();
    let error = |range_stat| {
        let params = ScalarParams {
            range_stat,
            ..ScalarParams::new(ScalarKind::Sq4)
        };
        let scalar = params.train(rows, &Training::default()).unwrap();
        let codes = scalar.codes_of(rows).unwrap();
        decoded(&scalar, codes.as_bytes())
            .iter()
            .zip(&values)
            .map(|(x, y)| (x - y).powi(2))
            .sum::<f32>()
    };
    let [widest, optimal] = [RangeStat::MinMax, RangeStat::Optim].map(error);
    assert!(optimal < 0.7 * widest, "{optimal} is not much below {widest}");
    // Equal values have a range of no width, and come back.
    assert_eq!(ranges(RangeStat::Optim, 0.0, &[3.5; 9], 1), [(3.5, 0.0)]);
}

#[test]
fn senseless_training_is_refused_with_its_reason() {
    let values = [1.0, 2.0];
    for (stat, arg) in [
        (RangeStat::MinMax, -0.5),
        (RangeStat::MeanStd, 0.0),
        (RangeStat::Quantiles, 0.5),
        (RangeStat::MinMax, f32::NAN),
    ] {
        let params = ScalarParams {
            range_stat: stat,
            range_stat_arg: arg,
            ..ScalarParams::new(ScalarKind::Sq8)
        };
        let error = params
            .train(Rows::new(&values, 1).unwrap(), &Training::default())
            .unwrap_err();
        assert!(error.to_string().ends_with(&format!("got {arg}")), "{error}");
    }
    let sq8 =
        |sample: &[f32]| ScalarParams::new(ScalarKind::Sq8).train(Rows::new(sample, 1).unwrap(), &Training::default());
    assert_eq!(
        sq8(&[]).unwrap_err().to_string(),
        "training SQ8 needs at least 1 vectors, got 0"
    );
    for bad in [f32::MAX, f32::INFINITY] {
        assert!(sq8(&[bad, -f32::MAX]).is_err(), "{bad}");
    }
}

/// More codes than are compared with several queries while they are in the cache.
#[test]
fn many_queries_find_what_each_finds_alone() {
    let (count, dim, first_id) = (6000, 64, 50);
    let base = vectors(count, dim, 1);
    let scalar = train(ScalarKind::Sq8, &base, dim);
    let codes = scalar.codes_of(Rows::new(&base, dim).unwrap()).unwrap();
    let queries = vectors(21, dim, 2);
    let queries = Rows::new(&queries, dim).unwrap();
    let run = CodeRun {
        codes: &codes,
        slots: 7..count - 5,
        first_id,
    };
    let keep = IdSelector::Range(60..5900);
    let mut tops: Vec<_> = queries.iter().map(|_| TopK::new(9)).collect();
    scalar.scan(Metric::L2, queries, &run, &keep, &mut tops);
    for (query, top) in queries.iter().zip(tops) {
        let mut distances = vec![0.0; count];
        scalar
            .scorer(Metric::L2, query)
            .score_block(codes.as_bytes(), &mut distances);
        let mut plain = TopK::new(9);
        for (id, &distance) in (first_id..).zip(&distances[run.slots.clone()]) {
            if keep.contains(id) {
                plain.push(Neighbor { id, distance });
            }
        }
        assert_eq!(top.into_sorted(), plain.into_sorted());
    }
}

#[test]
fn codes_that_are_longer_than_a_share_of_the_cache_are_found() {
    let dim = 200_000;
    let base = vectors(3, dim, 1);
    let (scalar, base) = (train(ScalarKind::Sq8, &base, dim), Rows::new(&base, dim).unwrap());
    let codes = scalar.codes_of(base).unwrap();
    let mut tops = vec![TopK::new(1); 3];
    scalar.scan(Metric::L2, base, &CodeRun::all(&codes), &IdSelector::All, &mut tops);
    let nearest: Vec<u64> = tops.into_iter().map(|top| top.into_sorted()[0].id).collect();
    assert_eq!(nearest, [0, 1, 2]);
}
