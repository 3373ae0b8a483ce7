//! Product quantizers and fast scan compared with the plain loop over decoded vectors.

use std::sync::Arc;

use anear_kernels::{IdSelector, Metric, Neighbor, Rows, TopK};
use anear_pool::Pool;
use anear_quant::{
    CodeRun, Codes, Error, FastScan, FastScanParams, Product, ProductParams, Quantizer, QuantizerSpec, Scorer, Training,
};

const METRICS: [Metric; 2] = [Metric::L2, Metric::InnerProduct];

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

/// A quantizer of random centroids.
fn product(dim: usize, m: usize, nbits: u32) -> Product {
    Product::from_parts(dim, m, nbits, floats(dim << nbits, 1)).unwrap()
}

fn distance(metric: Metric, x: &[f32], y: &[f32]) -> f64 {
    let pairs = x.iter().zip(y).map(|(&x, &y)| (f64::from(x), f64::from(y)));
    match metric {
        Metric::L2 => pairs.map(|(x, y)| (x - y).powi(2)).sum(),
        _ => -pairs.map(|(x, y)| x * y).sum::<f64>(),
    }
}

fn decoded(quantizer: &dyn Quantizer, codes: &Codes) -> Vec<f32> {
    let (mut rows, mut vectors) = (Vec::new(), Vec::new());
    codes.copy_to(0..codes.len(), &mut rows);
    quantizer.decode(&rows, &mut vectors);
    vectors
}

fn scores(scorer: &dyn Scorer, codes: &Codes) -> Vec<f32> {
    let mut out = vec![0.0; codes.len()];
    scorer.score_block(codes.as_bytes(), &mut out);
    out
}

#[test]
fn each_part_becomes_its_nearest_centroid() {
    for (dim, m, nbits) in [(12, 3, 4), (8, 8, 5), (10, 2, 8), (9, 3, 9), (4, 1, 12)] {
        let product = product(dim, m, nbits);
        let vectors = floats(dim * 50, 2);
        let codes = product.codes_of(rows(&vectors, dim)).unwrap();
        assert_eq!(codes.code_len(), (m * nbits as usize).div_ceil(8));
        let decoded = decoded(&product, &codes);
        let parts = vectors.chunks(dim / m).zip(decoded.chunks(dim / m));
        for (i, (part, chosen)) in parts.enumerate() {
            let all = product.codebook(i % m);
            let nearest = all
                .iter()
                .map(|c| distance(Metric::L2, part, c))
                .fold(f64::MAX, f64::min);
            assert!(distance(Metric::L2, part, chosen) <= nearest + 1e-6, "PQ{m}x{nbits}");
        }
    }
}

#[test]
fn numbers_of_a_code_are_a_string_of_bits_from_the_lowest() {
    // The centroid of number i is i itself: what is encoded is the code.
    let centroids: Vec<f32> = (0..2 * 4096).map(|i| (i % 4096) as f32).collect();
    let product = Product::from_parts(2, 2, 12, centroids).unwrap();
    let codes = product
        .codes_of(rows(&[f32::from(0xabc_u16), f32::from(0xdef_u16)], 2))
        .unwrap();
    assert_eq!(codes.as_bytes(), [0xbc, 0xfa, 0xde]);
}

#[test]
fn distances_are_those_to_the_decoded_vectors() {
    for (dim, m, nbits) in [(12, 3, 4), (8, 8, 6), (10, 2, 8), (40, 20, 8), (9, 3, 10)] {
        let fast = FastScan::from_parts(dim, m, floats(dim << 4, 1)).unwrap();
        let quantizers: [&dyn Quantizer; 2] = [&product(dim, m, nbits), &fast];
        for quantizer in quantizers {
            for metric in METRICS {
                check_distances(quantizer, metric);
            }
        }
    }
}

fn check_distances(quantizer: &dyn Quantizer, metric: Metric) {
    let dim = quantizer.dim();
    let (vectors, query, origin) = (floats(dim * 70, 2), floats(dim, 3), floats(dim, 4));
    let codes = quantizer.codes_of(rows(&vectors, dim)).unwrap();
    let mut scorer = quantizer.scorer(metric, &query);
    let plain = scores(&*scorer, &codes);
    scorer.rebase(&origin);
    let rebased = scores(&*scorer, &codes);
    for (i, vector) in decoded(quantizer, &codes).chunks(dim).enumerate() {
        let moved: Vec<f32> = vector.iter().zip(&origin).map(|(x, o)| x + o).collect();
        for (got, vector) in [(plain[i], vector), (rebased[i], &moved)] {
            let truth = distance(metric, &query, vector);
            assert!((f64::from(got) - truth).abs() < 1e-4, "{metric}: {got} is not {truth}");
        }
    }
    let mut picked = [0.0; 3];
    scorer.score_at(codes.as_bytes(), &[69, 0, 33], &mut picked);
    assert_eq!(picked, [rebased[69], rebased[0], rebased[33]]);
}

/// The same 4-bit codes, one after the other and in blocks.
struct Twins {
    plain: (Product, Codes),
    fast: (FastScan, Codes),
}

impl Twins {
    /// `scale` is that of the last part: it decides how much the bytes of the others say.
    fn new(dim: usize, m: usize, len: usize, scale: f32) -> Self {
        let mut centroids = floats(dim << 4, 1);
        let last = centroids.len() - ((dim / m) << 4);
        centroids[last..].iter_mut().for_each(|number| *number *= scale);
        let plain = Product::from_parts(dim, m, 4, centroids.clone()).unwrap();
        let fast = FastScan::from_parts(dim, m, centroids).unwrap();
        // Few different vectors over and over: many ties.
        let vectors: Vec<f32> = floats(dim * 300, 2).into_iter().cycle().take(dim * len).collect();
        let vectors = rows(&vectors, dim);
        let codes = (plain.codes_of(vectors).unwrap(), fast.codes_of(vectors).unwrap());
        Self {
            plain: (plain, codes.0),
            fast: (fast, codes.1),
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        let shapes = [
            (8, 2, 1000, 1.0),
            (15, 5, 333, 1.0),
            (32, 32, 1000, 50.0),
            (64, 16, 2048, 1e-3),
            (260, 260, 500, 1.0),
        ];
        shapes
            .into_iter()
            .map(|(dim, m, len, scale)| Self::new(dim, m, len, scale))
    }

    fn dim(&self) -> usize {
        self.fast.0.dim()
    }

    /// Asserts that both find the same.
    fn agree(&self, what: &str, find: impl Fn(&dyn Quantizer, &Codes) -> Vec<Vec<Neighbor>>) {
        let (plain, fast) = (&self.plain, &self.fast);
        assert_eq!(
            find(&plain.0, &plain.1),
            find(&fast.0, &fast.1),
            "{}: {what}",
            fast.0.spec()
        );
    }
}

fn selectors() -> [IdSelector<'static>; 3] {
    let few = IdSelector::Range(1100..1140);
    [IdSelector::All, few.clone(), IdSelector::Not(Box::new(few))]
}

#[test]
fn fast_scan_finds_what_the_plain_quantizer_finds() {
    for twins in Twins::all() {
        let queries = floats(twins.dim() * 5, 3);
        let queries = rows(&queries, twins.dim());
        for metric in METRICS {
            for (k, keep) in [0, 1, 10, 200, 5000]
                .into_iter()
                .flat_map(|k| selectors().map(|keep| (k, keep)))
            {
                twins.agree(&format!("{metric}, k = {k}, {keep:?}"), |quantizer, codes| {
                    let run = CodeRun {
                        first_id: 1000,
                        ..CodeRun::all(codes)
                    };
                    let mut tops = vec![TopK::new(k); queries.len()];
                    quantizer.scan(metric, queries, &run, &keep, &mut tops);
                    let mut found: Vec<Vec<Neighbor>> = tops.into_iter().map(TopK::into_sorted).collect();
                    // Some are exactly at the radius, which excludes them.
                    let radius = found[0].last().map_or(0.0, |last| last.distance);
                    found.push(quantizer.scan_range(metric, queries.row(0), &run, &keep, radius));
                    found
                });
            }
        }
    }
}

#[test]
fn among_no_codes_nothing_is_found() {
    let (plain, fast) = (product(8, 4, 4), FastScan::from_parts(8, 4, floats(8 << 4, 1)).unwrap());
    for quantizer in [&plain as &dyn Quantizer, &fast] {
        let (scorer, mut top) = (quantizer.scorer(Metric::L2, &[0.5; 8]), TopK::new(3));
        scorer.scan(&[], &[], &IdSelector::All, &mut top);
        scorer.scan_with_terms(&[], &[], 1.0, 0.0, &[], &IdSelector::All, &mut top);
        assert!(top.is_empty());
    }
}

#[test]
fn fast_scan_with_terms_finds_what_the_plain_quantizer_finds() {
    for twins in Twins::all() {
        let query = floats(twins.dim(), 3);
        let len = twins.fast.1.len().min(256);
        let ids: Vec<u64> = (1000..1000 + len as u64).collect();
        let parts = [
            (2.0, 3.5, 1.0),
            (2.0, -1e6, 1e3),
            (0.1, 0.0, 0.0),
            (-1.0, 1.0, 1.0),
            (2.0, 0.0, f32::NAN),
        ];
        for (scale, bias, wide) in parts {
            let terms: Vec<f32> = floats(len, 5).into_iter().map(|term| term * wide).collect();
            for keep in selectors() {
                twins.agree(&format!("scale {scale}, bias {bias}, {keep:?}"), |quantizer, codes| {
                    let scorer = quantizer.scorer(Metric::InnerProduct, &query);
                    let mut top = TopK::new(7);
                    let codes = codes.bytes_of(0..len);
                    // Twice: the second time there is a threshold from the beginning.
                    scorer.scan_with_terms(codes, &ids, scale, bias, &terms, &keep, &mut top);
                    scorer.scan_with_terms(codes, &ids, scale, bias, &terms, &keep, &mut top);
                    vec![top.into_sorted()]
                });
            }
        }
    }
}

#[test]
fn training_is_the_same_for_any_number_of_threads_and_better_with_more_bits() {
    let vectors = floats(3000 * 8, 7);
    let vectors = rows(&vectors, 8);
    let loss = |product: &Product| {
        let decoded = decoded(product, &product.codes_of(vectors).unwrap());
        distance(Metric::L2, vectors.as_slice(), &decoded)
    };
    let pool = Pool::new(3).unwrap();
    let mut last = f64::MAX;
    for nbits in [1, 4, 6, 8] {
        let params = ProductParams { m: 4, nbits };
        let alone = params.train(vectors, &Training::default()).unwrap();
        let shared = Training {
            pool: Some(&pool),
            ..Training::default()
        };
        assert_eq!(alone.centroids(), params.train(vectors, &shared).unwrap().centroids());
        assert!(loss(&alone) < 0.8 * last, "{nbits} bits");
        last = loss(&alone);
    }
}

#[test]
fn a_saved_quantizer_comes_back_and_others_are_refused() {
    for token in ["PQ2", "PQ2x5", "PQ2x4fs"] {
        let spec = QuantizerSpec::parse(token).unwrap();
        let vectors = floats(300 * 6, 7);
        let vectors = rows(&vectors, 6);
        let quantizer = spec.train(Metric::L2, vectors, &Training::default()).unwrap();
        assert_eq!(quantizer.spec(), spec);
        let saved = quantizer.save();
        let again: Arc<dyn Quantizer> = spec.load(6, &saved).unwrap();
        let [codes, codes_again] = [&quantizer, &again].map(|one| one.codes_of(vectors).unwrap());
        assert_eq!(codes.as_bytes(), codes_again.as_bytes());
        assert_eq!(saved, again.save());
        for damaged in [&saved[1..], &saved[4..], &[saved.clone(), saved.clone()].concat(), &[]] {
            assert!(matches!(spec.load(6, damaged), Err(Error::Damaged(_))), "{token}");
        }
        let mut infinite = saved;
        infinite[20..24].copy_from_slice(&f32::INFINITY.to_le_bytes());
        assert!(matches!(spec.load(6, &infinite), Err(Error::Damaged(_))), "{token}");
    }
}

#[test]
fn what_cannot_be_trained_is_refused_with_the_reason() {
    let vectors = floats(100 * 6, 7);
    let vectors = rows(&vectors, 6);
    let refused = |m, nbits| {
        let trained = ProductParams { m, nbits }.train(vectors, &Training::default());
        trained.unwrap_err().to_string()
    };
    assert_eq!(
        refused(4, 4),
        "4 parts do not divide 6 components; choose a divisor of the dimension"
    );
    assert_eq!(
        refused(0, 4),
        "0 parts do not divide 6 components; choose a divisor of the dimension"
    );
    assert_eq!(refused(2, 17), "codes have 1 to 16 bits per part, not 17");
    assert_eq!(refused(2, 8), "training PQ2 needs at least 256 vectors, got 100");
    let nan = [f32::NAN; 32];
    let error = FastScanParams { m: 1 }
        .train(rows(&nan, 2), &Training::default())
        .unwrap_err();
    assert!(error.to_string().contains("NaN"), "{error}");
    assert!(Product::from_parts(usize::MAX, 1, 16, vec![]).is_err());
}
