//! RaBitQ beside Faiss's codes and beside plain arithmetic.
#![allow(
    clippy::excessive_precision,
    clippy::type_complexity,
    reason = "numbers as Faiss printed them, in a table that is read once"
)]

use anear_bytes::AlignedBytes;
use anear_kernels::{IdSelector, Metric, Rows, TopK};
use anear_quant::transform::TransformSpec;
use anear_quant::{CodeRun, Codes, Layout, Quantizer, QuantizerSpec, RaBitQ, RaBitQFastScan, RaBitQParams, Training};

const VECTORS: [[f32; 12]; 4] = [
    [1.0, -0.75, 4.75, -0.5, 0.25, 3.25, -1.75, -1.25, 0.5, -0.75, -2.5, -0.5],
    [
        -0.75, 1.25, -3.25, -1.5, 2.25, 3.75, -3.0, 1.25, -2.0, -1.75, -1.75, -0.75,
    ],
    [2.0, 1.5, 0.0, -0.75, 0.0, -0.25, 1.5, -1.25, -0.0, -0.25, -0.0, 0.5],
    [0.5, 2.75, -0.25, 3.0, -0.5, -1.0, 0.25, 0.75, 0.5, 2.5, 2.25, 1.0],
];
const QUERY: [f32; 12] = [-0.75, -0.25, 2.75, 0.5, -2.5, -1.5, -1.25, 2.25, -0.25, 4.5, 1.25, 0.25];
/// Bits, metric, the codes of the vectors as Faiss 1.15.1 wrote them, and its distances with queries as they are and
/// rounded to 4 bits (which only products with signs alone are).
const FAISS: [(u32, Metric, &str, [f32; 4], [f32; 4]); 10] = [
    (
        1,
        Metric::L2,
        "2501004c0b427a0ffa40b20000cc224279b6e340430d00b048418c868f40ca0f00cc0e42ac53e140",
        [
            121.00316619873047,
            149.4971466064453,
            83.99899291992188,
            43.34331512451172,
        ],
        [
            120.27001953125,
            148.52139282226562,
            85.90876007080078,
            43.80066680908203,
        ],
    ),
    (
        2,
        Metric::L2,
        "2501004c0b427a0ffa40d5cfbb40fc0a014c0b427aef78c0b20000cc224279b6e3403f2b6740b00800cc22426d9c34c0430d00b048418c868f4033cd49405d0201b04841d01b0fc0ca0f00cc0e42ac53e140e19b88401f06ffcb0e429b4559c0",
        [107.9603500366211, 146.46142578125, 79.25635528564453, 44.49104309082031],
        [107.9603500366211, 146.46142578125, 79.25635528564453, 44.49104309082031],
    ),
    (
        4,
        Metric::L2,
        "2501004c0b427a0ffa40d5cfbb40e0fdb5f10c014c0b42ff7b89bfb20000cc224279b6e3403f2b674004466b1b0b00cc2242c0c34ebf430d00b048418c868f4033cd49408dd97cb90201b04841721c07bfca0f00cc0e42ac53e140e19b8840a74f4cfa05ffcb0e42fc0534bf",
        [
            99.53862762451172,
            150.56915283203125,
            70.62152862548828,
            38.26188278198242,
        ],
        [
            99.53862762451172,
            150.56915283203125,
            70.62152862548828,
            38.26188278198242,
        ],
    ),
    (
        7,
        Metric::L2,
        "2501004c0b427a0ffa40d5cfbb40c369e7bc35cbc97de6014c0b42283c26beb20000cc224279b6e3403f2b674029809c1bc95564c9ce00cc224211b402be430d00b048418c868f4033cd4940e081b3b36593c6ce2801b0484100b5a7bdca0f00cc0e42ac53e140e19b88407c57dbad2441ce3b47ffcb0e42f7a5dbbd",
        [93.1880111694336, 148.51708984375, 71.40142059326172, 40.835811614990234],
        [93.1880111694336, 148.51708984375, 71.40142059326172, 40.835811614990234],
    ),
    (
        9,
        Metric::L2,
        "2501004c0b427a0ffa40d5cfbb400fa1d7e4f358cfc924de9ee4014c0b425c6a28bdb20000cc224279b6e3403f2b6740a90329a1698b7852969ab4ce00cc22428df307bd430d00b048418c868f4033cd49407d1de2b2d05ed69417ee2f2901b0484196adabbcca0f00cc0e42ac53e140e19b8840f272d6d7b64d494036bbc944ffcb0e42d794dfbc",
        [
            93.735107421875,
            148.58258056640625,
            71.56704711914062,
            40.71935272216797,
        ],
        [
            93.735107421875,
            148.58258056640625,
            71.56704711914062,
            40.71935272216797,
        ],
    ),
    (
        1,
        Metric::InnerProduct,
        "250100d041c17a0ffa40b20000d069c179b6e340430d0080c53f8c868f40ca0f00608c40ac53e140",
        [
            -14.282833099365234,
            -24.342323303222656,
            -13.749496459960938,
            16.73459243774414,
        ],
        [
            -13.916259765625,
            -23.854442596435547,
            -14.70438003540039,
            16.505916595458984,
        ],
    ),
    (
        2,
        Metric::InnerProduct,
        "250100d041c17a0ffa40d5cf3b40fc0a00405d407aeff83fb20000d069c179b6e3403f2be73fb00800a096406d9cb43f430d0080c53f8c868f4033cdc93f5d0200c057c0d01b8f3fca0f00608c40ac53e140e19b08401f06006099c09b45d93f",
        [
            -7.7614264488220215,
            -22.824466705322266,
            -11.378177642822266,
            16.160728454589844,
        ],
        [
            -7.7614264488220215,
            -22.824466705322266,
            -11.378177642822266,
            16.160728454589844,
        ],
    ),
    (
        4,
        Metric::InnerProduct,
        "250100d041c17a0ffa40d5cf3b40e0fdb5f10c00405d40ff7b093fb20000d069c179b6e3403f2be73f04466b1b0b00a09640c0c3ce3e430d0080c53f8c868f4033cdc93f8dd97cb90200c057c0721c873eca0f00608c40ac53e140e19b0840a74f4cfa05006099c0fc05b43e",
        [
            -3.550565242767334,
            -24.878328323364258,
            -7.060763835906982,
            19.27530860900879,
        ],
        [
            -3.550565242767334,
            -24.878328323364258,
            -7.060763835906982,
            19.27530860900879,
        ],
    ),
    (
        7,
        Metric::InnerProduct,
        "250100d041c17a0ffa40d5cf3b40c369e7bc35cbc97de600405d40283ca63db20000d069c179b6e3403f2be73f29809c1bc95564c9ce00a0964011b4823d430d0080c53f8c868f4033cdc93fe081b3b36593c6ce2800c057c000b5273dca0f00608c40ac53e140e19b08407c57dbad2441ce3b47006099c0f7a55b3d",
        [
            -0.37525609135627747,
            -23.852294921875,
            -7.450708389282227,
            17.988344192504883,
        ],
        [
            -0.37525609135627747,
            -23.852294921875,
            -7.450708389282227,
            17.988344192504883,
        ],
    ),
    (
        9,
        Metric::InnerProduct,
        "250100d041c17a0ffa40d5cf3b400fa1d7e4f358cfc924de9ee400405d405c6aa83cb20000d069c179b6e3403f2be73fa90329a1698b7852969ab4ce00a096408df3873c430d0080c53f8c868f4033cdc93f7d1de2b2d05ed69417ee2f2900c057c096ad2b3cca0f00608c40ac53e140e19b0840f272d6d7b64d494036bbc944006099c0d7945f3c",
        [
            -0.6488028764724731,
            -23.88503646850586,
            -7.533524990081787,
            18.046573638916016,
        ],
        [
            -0.6488028764724731,
            -23.88503646850586,
            -7.533524990081787,
            18.046573638916016,
        ],
    ),
];

const METRICS: [Metric; 2] = [Metric::L2, Metric::InnerProduct];

fn rabitq(bits: u32, metric: Metric, sample: Rows<'_>) -> RaBitQ {
    let params = RaBitQParams {
        bits,
        metric,
        query_bits: 0,
    };
    params.train(sample).unwrap()
}

/// SplitMix64 and the sum of twelve numbers: nearly Gaussian.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ x >> 31) >> 40) as f32 / (1 << 24) as f32
    }

    fn floats(&mut self, n: usize) -> Vec<f32> {
        (0..n)
            .map(|_| (0..12).map(|_| self.unit()).sum::<f32>() - 6.0)
            .collect()
    }
}

fn decoded(quantizer: &dyn Quantizer, codes: &[u8]) -> Vec<f32> {
    let mut vectors = Vec::new();
    quantizer.decode(codes, &mut vectors);
    vectors
}

fn distances(quantizer: &dyn Quantizer, metric: Metric, query: &[f32], codes: &Codes) -> Vec<f32> {
    let mut out = vec![0.0; codes.len()];
    quantizer.scorer(metric, query).score_block(codes.as_bytes(), &mut out);
    out
}

fn assert_near(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        let near = (found - expected).abs() <= tolerance * (1.0 + expected.abs());
        assert!(near, "{what}: {found} but expected {expected}");
    }
}

#[test]
fn codes_of_faiss_have_its_distances() {
    let vectors = Rows::new(VECTORS.as_flattened(), 12).unwrap();
    for (bits, metric, hex, plain, rounded) in FAISS {
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
            .collect();
        let rabitq = rabitq(bits, metric, vectors);
        let codes = Codes::from_bytes(Layout::Rows, rabitq.code_len(), 4, bytes[..].into()).unwrap();
        for (query_bits, expected) in [(0, plain), (4, rounded)] {
            let rabitq = rabitq.with_query_bits(query_bits).unwrap();
            let found: Vec<f32> = distances(&rabitq, metric, &QUERY, &codes)
                .iter()
                .map(|distance| if metric == Metric::L2 { *distance } else { -distance })
                .collect();
            assert_near(
                &found,
                &expected,
                1e-5,
                &format!("{bits} bits, {metric}, query of {query_bits} bits"),
            );
        }
    }
}

#[test]
fn signs_and_their_factors_are_those_of_faiss() {
    let vectors = Rows::new(VECTORS.as_flattened(), 12).unwrap();
    for (bits, metric, hex, ..) in FAISS {
        let rabitq = rabitq(bits, metric, vectors);
        let codes = rabitq.codes_of(vectors).unwrap();
        let own: String = codes.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(own.len(), hex.len());
        for (own, faiss) in own
            .as_bytes()
            .chunks(2 * rabitq.code_len())
            .zip(hex.as_bytes().chunks(2 * rabitq.code_len()))
        {
            // Signs to the bit, factors to rounding.
            assert_eq!(own[..4], faiss[..4], "{bits} bits, {metric}");
            let factors = |hex: &[u8], at: usize| -> [f32; 2] {
                let byte =
                    |i: usize| u8::from_str_radix(std::str::from_utf8(&hex[2 * i..2 * i + 2]).unwrap(), 16).unwrap();
                [at, at + 4].map(|at| f32::from_le_bytes(std::array::from_fn(|i| byte(at + i))))
            };
            assert_near(&factors(own, 2), &factors(faiss, 2), 1e-5, "factors");
            if bits > 1 {
                assert_near(&factors(own, 6)[1..], &factors(faiss, 6)[1..], 1e-5, "error");
            }
        }
    }
}

#[test]
fn estimates_of_many_bits_are_distances_to_what_codes_stand_for() {
    let mut random = Random(1);
    for dim in [3, 16, 45] {
        let (vectors, query) = (random.floats(30 * dim), random.floats(dim));
        let rows = Rows::new(&vectors, dim).unwrap();
        for metric in METRICS {
            for bits in [1, 2, 5, 9] {
                let rabitq = rabitq(bits, metric, rows);
                let codes = rabitq.codes_of(rows).unwrap();
                let restored = decoded(&rabitq, codes.as_bytes());
                let found = distances(&rabitq, metric, &query, &codes);
                for ((vector, restored), found) in rows.iter().zip(restored.chunks(dim)).zip(found) {
                    // By the estimate, <r, q - c> is that of the restored vector; by L2, lengths are those of the original.
                    let center = rabitq.center();
                    let part = |x: &[f32], y: &[f32]| -> f64 {
                        (0..dim)
                            .map(|i| f64::from(x[i] - center[i]) * f64::from(y[i] - center[i]))
                            .sum()
                    };
                    let squared = part(vector, vector) + part(&query, &query) - 2.0 * part(restored, &query);
                    let want = match metric {
                        Metric::L2 => squared.max(0.0),
                        _ => {
                            let dot = |x: &[f32], y: &[f32]| -> f64 {
                                x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
                            };
                            (squared - dot(vector, vector) - dot(&query, &query)) / 2.0
                        }
                    };
                    assert_near(&[found], &[want as f32], 2e-4, &format!("{bits} bits, {dim}, {metric}"));
                }
            }
        }
    }
}

#[test]
fn every_bit_makes_codes_better() {
    let mut random = Random(2);
    let vectors = random.floats(100 * 64);
    let rows = Rows::new(&vectors, 64).unwrap();
    for metric in METRICS {
        let loss = |bits| {
            let rabitq = rabitq(bits, metric, rows);
            let restored = decoded(&rabitq, rabitq.codes_of(rows).unwrap().as_bytes());
            restored.iter().zip(&vectors).map(|(x, y)| (x - y).powi(2)).sum::<f32>() / vectors.len() as f32
        };
        let losses: Vec<f32> = (1..=9).map(loss).collect();
        // Signs keep 2 / pi of a Gaussian; the estimate without bias stretches them. Each bit more leaves a third or less.
        assert!((0.4..0.7).contains(&losses[0]), "{losses:?}");
        assert!(losses.windows(2).all(|pair| pair[1] < pair[0] / 2.9), "{losses:?}");
    }
}

#[test]
fn residuals_are_scored_as_the_vectors_they_came_from() {
    let mut random = Random(3);
    let dim = 20;
    let (vectors, query, origins) = (random.floats(40 * dim), random.floats(dim), random.floats(2 * dim));
    let of: Vec<u32> = (0..40).map(|i| i % 2).collect();
    let origins = Rows::new(&origins, dim).unwrap();
    let residuals: Vec<f32> = (0..40 * dim)
        .map(|i| vectors[i] - origins.row(i / dim % 2)[i % dim])
        .collect();
    for metric in METRICS {
        for bits in [1, 4, 9] {
            let spec = QuantizerSpec::RaBitQ { bits };
            let sample = Rows::new(&residuals, dim).unwrap();
            let rabitq = spec.train_for_residuals(metric, sample, &Training::default()).unwrap();
            let mut codes = AlignedBytes::new();
            rabitq.encode_residuals(sample, origins, &of, &mut codes);
            let mut scorer = rabitq.scorer(metric, &query);
            for origin in [1, 0] {
                scorer.rebase(origins.row(origin));
                // A quantizer whose centre is the origin makes the same of the vectors themselves.
                let params = RaBitQParams {
                    bits,
                    metric,
                    query_bits: 0,
                };
                let plain = RaBitQ::new(params, origins.row(origin).to_vec()).unwrap();
                let plain_codes = plain.codes_of(Rows::new(&vectors, dim).unwrap()).unwrap();
                let want = distances(&plain, metric, &query, &plain_codes);
                let (mut block, mut picked) = (vec![0.0; 40], [0.0]);
                scorer.score_block(codes.as_slice(), &mut block);
                for i in (origin..40).step_by(2) {
                    scorer.score_at(codes.as_slice(), &[i as u32], &mut picked);
                    assert_eq!(picked[0], block[i]);
                    assert_near(&picked, &want[i..i + 1], 1e-4, &format!("{bits} bits, {metric}"));
                }
            }
        }
    }
}

#[test]
fn neighbors_are_found_among_rotated_vectors() {
    let mut random = Random(4);
    let dim = 48;
    // Stretched along the axes: signs alone say little without a rotation.
    let stretch = |floats: Vec<f32>| -> Vec<f32> {
        floats
            .iter()
            .enumerate()
            .map(|(i, x)| x / (1 + i % dim) as f32)
            .collect()
    };
    let (vectors, queries) = (stretch(random.floats(2000 * dim)), stretch(random.floats(20 * dim)));
    let (vectors, queries) = (Rows::new(&vectors, dim).unwrap(), Rows::new(&queries, dim).unwrap());
    let rotation = TransformSpec::parse("RR")
        .unwrap()
        .train(vectors, &Training::default())
        .unwrap();
    let (mut turned, mut turned_queries) = (Vec::new(), Vec::new());
    rotation.apply(vectors, &mut turned);
    rotation.apply(queries, &mut turned_queries);
    let (turned, turned_queries) = (
        Rows::new(&turned, dim).unwrap(),
        Rows::new(&turned_queries, dim).unwrap(),
    );
    let top = |quantizer: &dyn Quantizer, metric, queries: Rows<'_>, codes: &Codes| -> Vec<Vec<u64>> {
        let mut tops = vec![TopK::new(10); queries.len()];
        quantizer.scan(metric, queries, &CodeRun::all(codes), &IdSelector::All, &mut tops);
        tops.into_iter()
            .map(|top| top.into_sorted().iter().map(|n| n.id).collect())
            .collect()
    };
    for metric in METRICS {
        let raw = anear_quant::Raw::new(dim);
        let truth = top(&raw, metric, queries, &raw.codes_of(vectors).unwrap());
        for (bits, least) in [(1, 0.35), (4, 0.85), (8, 0.97)] {
            let rabitq = rabitq(bits, metric, turned);
            let found = top(&rabitq, metric, turned_queries, &rabitq.codes_of(turned).unwrap());
            let hits = found
                .iter()
                .zip(&truth)
                .map(|(found, truth)| found.iter().filter(|id| truth.contains(id)).count());
            let recall = hits.sum::<usize>() as f32 / (10 * truth.len()) as f32;
            assert!(recall > least, "{bits} bits, {metric}: recall {recall}");
        }
    }
}

#[test]
fn what_was_saved_is_loaded_and_damage_is_refused() {
    let vectors = Rows::new(VECTORS.as_flattened(), 12).unwrap();
    for metric in METRICS {
        let rabitq = rabitq(4, metric, vectors).with_query_bits(6).unwrap();
        let (spec, saved) = (rabitq.spec(), rabitq.save());
        let loaded = spec.load(12, &saved).unwrap();
        assert_eq!(loaded.save(), saved);
        assert!(loaded.supports(metric) && METRICS.iter().filter(|metric| loaded.supports(**metric)).count() == 1);
        assert!((0..saved.len()).all(|len| spec.load(12, &saved[..len]).is_err()));
        assert!(spec.load(13, &saved).is_err());
        for (at, byte) in [(0, 2), (1, 9), (saved.len() - 1, 0x7f)] {
            let mut changed = saved.clone();
            changed[at] = byte;
            changed[saved.len() - 2] |= if at > 1 { 0x80 } else { 0 };
            assert!(spec.load(12, &changed).is_err(), "byte {at}");
        }
    }
}

#[test]
fn parameters_that_make_no_code_are_refused() {
    let good = RaBitQParams {
        bits: 1,
        metric: Metric::L2,
        query_bits: 0,
    };
    let sample = Rows::new(&QUERY, 12).unwrap();
    let bad = [
        RaBitQParams { bits: 0, ..good },
        RaBitQParams { bits: 10, ..good },
        RaBitQParams { query_bits: 9, ..good },
        RaBitQParams {
            metric: Metric::L1,
            ..good
        },
    ];
    assert!(good.train(sample).is_ok());
    assert!(bad.iter().all(|params| params.train(sample).is_err()));
    assert!(good.train(Rows::new(&[], 12).unwrap()).is_err());
    assert!(RaBitQ::new(good, vec![f32::NAN]).is_err() && RaBitQ::new(good, vec![]).is_err());
}

#[test]
fn a_vector_at_the_center_has_the_distance_of_the_center() {
    for metric in METRICS {
        for bits in [1, 2, 9] {
            let params = RaBitQParams {
                bits,
                metric,
                query_bits: 0,
            };
            let rabitq = RaBitQ::new(params, QUERY.to_vec()).unwrap();
            let codes = rabitq.codes_of(Rows::new(&QUERY, 12).unwrap()).unwrap();
            assert_eq!(decoded(&rabitq, codes.as_bytes()), QUERY);
            let found = distances(&rabitq, metric, &VECTORS[0], &codes);
            assert_near(
                &found,
                &[metric.distance(&QUERY, &VECTORS[0])],
                1e-5,
                &format!("{bits} bits, {metric}"),
            );
        }
    }
}

/// The neighbors that a scan finds among these codes.
fn tops(quantizer: &dyn Quantizer, metric: Metric, queries: Rows<'_>, codes: &[u8], k: usize) -> Vec<Vec<(u64, u32)>> {
    let mut own = quantizer.new_codes();
    own.extend_from_rows(codes).unwrap();
    let mut tops = vec![TopK::new(k); queries.len()];
    let keep = IdSelector::Range(3..900);
    quantizer.scan(metric, queries, &CodeRun::all(&own), &keep, &mut tops);
    let bits = |top: TopK| top.into_sorted().iter().map(|n| (n.id, n.distance.to_bits())).collect();
    tops.into_iter().map(bits).collect()
}

#[test]
fn fast_scan_finds_what_the_plain_quantizer_finds() {
    let mut random = Random(6);
    for dim in [1, 6, 48, 130] {
        let (vectors, queries) = (random.floats(1000 * dim), random.floats(8 * dim));
        let (vectors, queries) = (Rows::new(&vectors, dim).unwrap(), Rows::new(&queries, dim).unwrap());
        for metric in METRICS {
            for (bits, query_bits) in [(1, 0), (1, 3), (2, 0), (7, 0)] {
                let plain = rabitq(bits, metric, vectors).with_query_bits(query_bits).unwrap();
                let fast = RaBitQFastScan::new(plain.clone());
                let mut codes = AlignedBytes::new();
                plain.encode(vectors, &mut codes);
                for k in [1, 10, 2000] {
                    let both = [&fast as &dyn Quantizer, &plain];
                    let [fast, plain] = both.map(|q| tops(q, metric, queries, codes.as_slice(), k));
                    if bits == 1 {
                        assert_eq!(fast, plain, "{dim}, {metric}");
                        continue;
                    }
                    // Rarely, what the signs say is above what all bits say; of few components, often by rounding.
                    if dim < 48 {
                        continue;
                    }
                    let pairs = fast.iter().zip(&plain);
                    let common: usize = pairs
                        .map(|(a, b)| a.iter().filter(|found| b.contains(found)).count())
                        .sum();
                    let least = 0.98 * plain.iter().flatten().count() as f32;
                    assert!(common as f32 >= least, "{bits} bits, {dim}, {metric}: {common}");
                }
            }
        }
    }
}

#[test]
fn a_fast_scan_finds_the_smallest_of_the_distances_it_gives() {
    let mut random = Random(7);
    let dim = 37;
    let (vectors, query) = (random.floats(500 * dim), random.floats(dim));
    let vectors = Rows::new(&vectors, dim).unwrap();
    for metric in METRICS {
        for bits in [1, 4] {
            let fast = RaBitQFastScan::new(rabitq(bits, metric, vectors));
            let codes = fast.codes_of(vectors).unwrap();
            let all = distances(&fast, metric, &query, &codes);
            let mut picked = vec![0.0; 500];
            let slots: Vec<u32> = (0..500).rev().collect();
            fast.scorer(metric, &query)
                .score_at(codes.as_bytes(), &slots, &mut picked);
            picked.reverse();
            assert_eq!(picked, all);

            let mut order: Vec<usize> = (0..500).collect();
            order.sort_by(|a, b| all[*a].total_cmp(&all[*b]));
            let (mut tops, run) = ([TopK::new(20)], CodeRun::all(&codes));
            fast.scan(
                metric,
                Rows::new(&query, dim).unwrap(),
                &run,
                &IdSelector::All,
                &mut tops,
            );
            let [top] = tops;
            let found: Vec<usize> = top.into_sorted().iter().map(|n| n.id as usize).collect();
            assert_eq!(found, order[..20], "{bits} bits, {metric}");

            let radius = all[order[30]];
            let near = fast.scan_range(metric, &query, &run, &IdSelector::All, radius);
            assert!(near.iter().all(|n| n.distance == all[n.id as usize]));
            assert_eq!(near.len(), all.iter().filter(|distance| **distance < radius).count());
        }
    }
}

#[test]
fn lists_of_residuals_are_scanned_alike_in_blocks_and_rows() {
    let mut random = Random(8);
    let dim = 20;
    let (residuals, query, origin) = (random.floats(100 * dim), random.floats(dim), random.floats(dim));
    let (residuals, origins) = (Rows::new(&residuals, dim).unwrap(), Rows::new(&origin, dim).unwrap());
    let ids: Vec<u64> = (500..600).collect();
    for metric in METRICS {
        let params = RaBitQParams {
            bits: 1,
            metric,
            query_bits: 0,
        };
        let plain = RaBitQ::new(params, vec![0.0; dim]).unwrap();
        let fast = RaBitQFastScan::new(plain.clone());
        let [plain, fast] = [&plain as &dyn Quantizer, &fast].map(|quantizer| {
            let (mut rows, mut codes, mut top) = (AlignedBytes::new(), quantizer.new_codes(), TopK::new(7));
            quantizer.encode_residuals(residuals, origins, &[0; 100], &mut rows);
            codes.extend_from_rows(rows.as_slice()).unwrap();
            let mut scorer = quantizer.scorer(metric, &query);
            scorer.rebase(&origin);
            scorer.scan(codes.as_bytes(), &ids, &IdSelector::All, &mut top);
            top.into_sorted()
        });
        assert_eq!(plain, fast, "{metric}");
    }
}
