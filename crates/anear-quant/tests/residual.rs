//! Residual quantizers compared with the plain loop over all ways to choose, and with decoded vectors.

use anear_kernels::{Metric, Rows};
use anear_pool::Pool;
use anear_quant::{Codes, NormKind, Quantizer, QuantizerSpec, Residual, ResidualParams, Training};

/// Numbers without pattern, uniform in -1..1 (SplitMix64).
fn floats(n: usize, seed: u64) -> Vec<f32> {
    let number = |i: u64| {
        let x = (seed << 32 | i).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n as u64).map(number).collect()
}

fn rows(numbers: &[f32], dim: usize) -> Rows<'_> {
    Rows::new(numbers, dim).unwrap()
}

fn distance(metric: Metric, x: &[f32], y: &[f32]) -> f64 {
    let pairs = x.iter().zip(y).map(|(&x, &y)| (f64::from(x), f64::from(y)));
    match metric {
        Metric::L2 => pairs.map(|(x, y)| (x - y).powi(2)).sum(),
        _ => -pairs.map(|(x, y)| x * y).sum::<f64>(),
    }
}

fn random(dim: usize, params: ResidualParams) -> Residual {
    let entries: usize = params.nbits.iter().map(|nbits| 1 << nbits).sum();
    Residual::from_parts(dim, params, floats(entries * dim, 1), Vec::new()).unwrap()
}

fn decoded(residual: &Residual, codes: &Codes) -> Vec<f32> {
    let mut vectors = Vec::new();
    residual.decode(codes.as_bytes(), &mut vectors);
    vectors
}

#[test]
fn a_beam_as_wide_as_all_ways_finds_the_best_sum() {
    let (dim, beam) = (5, 1 << 6);
    let residual = random(
        dim,
        ResidualParams {
            beam,
            ..ResidualParams::new([2, 1, 3])
        },
    );
    let entries = residual.entries();
    let vectors = floats(40 * dim, 2);
    let codes = residual.codes_of(rows(&vectors, dim)).unwrap();
    for (vector, decoded) in vectors.chunks(dim).zip(decoded(&residual, &codes).chunks(dim)) {
        let ways = (0..4).flat_map(|a| (4..6).flat_map(move |b| (6..14).map(move |c| [a, b, c])));
        let loss = |way: [usize; 3]| {
            let sum: Vec<f32> = (0..dim)
                .map(|i| way.iter().map(|&entry| entries.row(entry)[i]).sum())
                .collect();
            distance(Metric::L2, vector, &sum)
        };
        let best = ways.map(loss).fold(f64::MAX, f64::min);
        assert!(distance(Metric::L2, vector, decoded) < best + 1e-5);
    }
}

#[test]
fn distances_are_those_to_the_decoded_vectors() {
    for (nbits, norm) in [
        (vec![8, 8], NormKind::None),
        (vec![8, 8], NormKind::Float),
        (vec![3, 6, 6], NormKind::None),
        (vec![3, 6, 12], NormKind::Float),
    ] {
        let dim = 12;
        let residual = random(
            dim,
            ResidualParams {
                norm,
                ..ResidualParams::new(nbits)
            },
        );
        let (vectors, query, origin) = (floats(dim * 50, 2), floats(dim, 3), floats(dim, 4));
        let codes = residual.codes_of(rows(&vectors, dim)).unwrap();
        for metric in [Metric::L2, Metric::InnerProduct] {
            let mut scorer = residual.scorer(metric, &query);
            let (mut plain, mut rebased) = ([0.0; 50], [0.0; 50]);
            scorer.score_block(codes.as_bytes(), &mut plain);
            scorer.rebase(&origin);
            scorer.score_block(codes.as_bytes(), &mut rebased);
            for (i, vector) in decoded(&residual, &codes).chunks(dim).enumerate() {
                let moved: Vec<f32> = vector.iter().zip(&origin).map(|(x, o)| x + o).collect();
                for (got, vector) in [(plain[i], vector), (rebased[i], &moved)] {
                    let truth = distance(metric, &query, vector);
                    assert!((f64::from(got) - truth).abs() < 1e-4, "{metric}: {got} is not {truth}");
                }
            }
            let mut picked = [0.0; 3];
            scorer.score_at(codes.as_bytes(), &[49, 0, 33], &mut picked);
            assert_eq!(picked, [rebased[49], rebased[0], rebased[33]]);
        }
    }
}

#[test]
fn norms_of_few_bits_move_distances_by_their_steps() {
    let dim = 8;
    let (vectors, query) = (floats(2000 * dim, 2), floats(dim, 3));
    let vectors = rows(&vectors, dim);
    for (token, within) in [
        ("RQ3x6_Nfloat", 1e-4),
        ("RQ3x6_Nqint8", 0.02),
        ("RQ3x6_Nqint4", 0.3),
        ("RQ3x6_Ncqint8", 0.02),
        ("RQ3x6_Ncqint4", 0.5),
    ] {
        let spec = QuantizerSpec::parse(token).unwrap();
        let quantizer = spec.train(Metric::L2, vectors, &Training::default()).unwrap();
        let codes = quantizer.codes_of(vectors).unwrap();
        let (mut decoded, mut distances) = (Vec::new(), vec![0.0; 2000]);
        quantizer.decode(codes.as_bytes(), &mut decoded);
        quantizer
            .scorer(Metric::L2, &query)
            .score_block(codes.as_bytes(), &mut distances);
        let errors = distances.iter().zip(decoded.chunks(dim));
        let mean = errors
            .map(|(got, vector)| (f64::from(*got) - distance(Metric::L2, &query, vector)).abs())
            .sum::<f64>()
            / 2000.0;
        assert!(mean < within, "{token}: {mean}");
        assert!(token.ends_with("Nfloat") || mean > 1e-5, "{token}: {mean}");
    }
}

#[test]
fn each_codebook_takes_some_of_the_loss_and_a_wider_beam_as_well() {
    let vectors = floats(2000 * 8, 7);
    let vectors = rows(&vectors, 8);
    let pool = Pool::new(3).unwrap();
    let loss = |nbits: Vec<u32>, beam| {
        let params = ResidualParams {
            beam,
            ..ResidualParams::new(nbits)
        };
        let alone = params.train(vectors, &Training::default()).unwrap();
        let shared = Training {
            pool: Some(&pool),
            ..Training::default()
        };
        assert_eq!(alone.save(), params.train(vectors, &shared).unwrap().save());
        distance(
            Metric::L2,
            vectors.as_slice(),
            &decoded(&alone, &alone.codes_of(vectors).unwrap()),
        )
    };
    let losses = [loss(vec![5], 5), loss(vec![5, 5], 5), loss(vec![5, 5, 5], 5)];
    assert!(losses[1] < 0.7 * losses[0] && losses[2] < 0.7 * losses[1], "{losses:?}");
    assert!(losses[2] < 0.98 * loss(vec![5, 5, 5], 1));
}

#[test]
fn a_saved_quantizer_comes_back_and_others_are_refused() {
    for token in ["RQ2x4", "RQ1x5_2x3_Nfloat", "RQ2x4_Nqint4", "RQ2x4_Ncqint8"] {
        let spec = QuantizerSpec::parse(token).unwrap();
        let vectors = floats(300 * 6, 7);
        let vectors = rows(&vectors, 6);
        let quantizer = spec.train(Metric::L2, vectors, &Training::default()).unwrap();
        assert_eq!(quantizer.spec(), spec);
        let saved = quantizer.save();
        let again = spec.load(6, &saved).unwrap();
        assert_eq!(saved, again.save());
        let [codes, codes_again] = [&quantizer, &again].map(|one| one.codes_of(vectors).unwrap());
        assert_eq!(codes.as_bytes(), codes_again.as_bytes());
        let no_beam = [&[0; 4], &saved[4..]].concat();
        for damaged in [&saved[1..], &saved[4..], &[&saved[..], &saved].concat(), &no_beam, &[]] {
            assert!(spec.load(6, damaged).is_err(), "{token}");
        }
    }
}

#[test]
fn what_cannot_be_trained_is_refused_with_the_reason() {
    let vectors = floats(100 * 6, 7);
    let refused = |token: &str| {
        let spec = QuantizerSpec::parse(token).unwrap();
        spec.train(Metric::L2, rows(&vectors, 6), &Training::default())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused("RQ2x4_1x8"),
        "training RQ2x4_1x8 needs at least 256 vectors, got 100"
    );
    assert_eq!(refused("RQ2x17"), "codes have 1 to 16 bits per codebook, not 17");
    assert_eq!(refused("RQ99999999x4"), "1 to 1024 codebooks, not 1025");
}
