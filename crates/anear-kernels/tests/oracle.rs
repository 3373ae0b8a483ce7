//! Every metric on every instruction set: against an f64 oracle, and to the bit against each other.

mod common;

use anear_kernels::{Exponent, Metric, Rows};
use common::{Random, every_isa, oracle, suited};

fn dims() -> impl Iterator<Item = usize> {
    (1..=70).chain([96, 100, 128, 384, 768, 784, 1024, 1031])
}

/// Largest error of a canonical sum of `dim` terms whose magnitudes add up to `scale`.
fn tolerance(dim: usize, scale: f64) -> f64 {
    (dim / 32 + 16) as f64 * f64::from(f32::EPSILON) * scale
}

#[test]
fn distances_agree_with_the_oracle_at_every_dimension_and_alignment() {
    let mut random = Random(1);
    for dim in dims() {
        let (xs, ys) = (random.floats(dim + 7), random.floats(dim + 7));
        for skip in 0..7 {
            for &metric in Metric::ALL {
                // Not copied, so that alignments differ.
                let [xs, ys] = [&xs, &ys].map(|components| suited(metric, components));
                let (x, y) = (&xs[skip..][..dim], &ys[7 - skip..][..dim]);
                let want = oracle(metric, x, y);
                let scale: f64 = match metric {
                    Metric::InnerProduct => x.iter().zip(y).map(|(x, y)| f64::from((x * y).abs())).sum(),
                    Metric::Cosine => 2.0,
                    // Terms cancel, and are at most ln 2 times as large.
                    Metric::JensenShannon => x.iter().zip(y).map(|(x, y)| f64::from(x + y)).sum(),
                    // A quotient of two sums.
                    Metric::BrayCurtis | Metric::Jaccard => 2.0 * want,
                    _ => want,
                };
                for kernels in every_isa() {
                    let got = f64::from(kernels.distance(metric, x, y));
                    let error = (got - want).abs();
                    assert!(
                        error <= tolerance(dim, scale),
                        "{kernels:?} {metric} dim={dim}: {got}, not {want}"
                    );
                }
            }
        }
    }
}

#[test]
fn distances_are_the_same_bits_on_every_isa_alone_in_a_run_and_in_a_list() {
    let mut random = Random(2);
    for dim in dims() {
        let (data, query) = (random.floats(11 * dim + 17), random.floats(dim));
        for &metric in Metric::ALL {
            let (data, query) = (suited(metric, &data), suited(metric, &query));
            // On a cache line, where some kernels differ, and off by one float, where no vector load would like to be.
            let aligned = data.as_ptr().align_offset(64);
            for start in [aligned, aligned + 1] {
                check_same_bits(metric, &query, Rows::new(&data[start..][..11 * dim], dim).unwrap());
            }
        }
    }
}

fn check_same_bits(metric: Metric, query: &[f32], rows: Rows<'_>) {
    let isas = every_isa();
    let want: Vec<u32> = rows
        .iter()
        .map(|row| isas[0].distance(metric, query, row).to_bits())
        .collect();
    let list = [3, 0, 10, 3, 7];
    for kernels in isas {
        let what = format!("{kernels:?} {metric} dim={}", rows.dim());
        let (mut run, mut listed) = ([0.0; 11], [0.0; 5]);
        kernels.distances(metric, query, rows, &mut run);
        kernels.distances_at(metric, query, rows, &list, &mut listed);
        assert_eq!(run.map(f32::to_bits)[..], want, "{what}");
        assert_eq!(listed.map(f32::to_bits), list.map(|i| want[i]), "{what}");
        assert_eq!(
            kernels.distance(metric, query, rows.row(4)).to_bits(),
            want[4],
            "{what}"
        );
    }
}

#[test]
fn a_vector_is_at_distance_exactly_zero_from_itself() {
    let mut random = Random(3);
    for dim in dims() {
        for scale in [1e-30, 1.0, 1e30] {
            let x: Vec<f32> = random.floats(dim).iter().map(|x| x * scale).collect();
            for &metric in Metric::ALL.iter().filter(|&&metric| metric != Metric::InnerProduct) {
                let x = suited(metric, &x);
                for kernels in every_isa() {
                    assert_eq!(
                        kernels.distance(metric, &x, &x),
                        0.0,
                        "{kernels:?} {metric} dim={dim} scale={scale}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_would_be_zero_by_zero_is_no_distance() {
    let (zero, x) = ([0.0; 3], [0.0, 1.0, 0.0]);
    for kernels in every_isa() {
        for metric in [
            Metric::Canberra,
            Metric::BrayCurtis,
            Metric::JensenShannon,
            Metric::Jaccard,
        ] {
            assert_eq!(kernels.distance(metric, &zero, &zero), 0.0, "{kernels:?} {metric}");
        }
        assert_eq!(kernels.distance(Metric::Canberra, &zero, &x), 1.0);
        // The smallest float is not nothing.
        assert_eq!(kernels.distance(Metric::Canberra, &[f32::from_bits(1)], &[0.0]), 1.0);
        assert_eq!(kernels.distance(Metric::Jaccard, &zero, &x), 1.0);
    }
}

#[test]
fn a_metric_is_read_as_it_is_printed() {
    let lp = |p| Metric::Lp(Exponent::new(p).unwrap());
    for metric in Metric::ALL.iter().copied().chain([lp(0.5), lp(1e-30), lp(f32::MAX)]) {
        assert_eq!(metric.to_string().parse(), Ok(metric));
    }
    assert_eq!(lp(1.5).to_string(), "lp1.5");
    for name in ["lp", "lp0", "lp-1", "lpinf", "lpnan", "l3"] {
        let message = name.parse::<Metric>().unwrap_err().to_string();
        assert!(
            message.contains(name) && message.contains("lp3 (or another exponent), canberra"),
            "{message}"
        );
    }
}

#[test]
fn nan_in_any_component_gives_nan() {
    for dim in dims() {
        for at in [0, dim / 2, dim - 1] {
            for plain in [0.0, 1.0, f32::INFINITY] {
                let (mut bad, good) = (vec![plain; dim], vec![plain; dim]);
                bad[at] = f32::NAN;
                for kernels in every_isa() {
                    for &metric in Metric::ALL {
                        assert!(
                            kernels.distance(metric, &bad, &good).is_nan(),
                            "{kernels:?} {metric} dim={dim}"
                        );
                        assert!(
                            kernels.distance(metric, &good, &bad).is_nan(),
                            "{kernels:?} {metric} dim={dim}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn too_large_is_infinite_and_never_nan() {
    let (x, y) = ([f32::MAX; 40], [f32::MIN; 40]);
    for kernels in every_isa() {
        assert_eq!(kernels.distance(Metric::L2, &x, &y), f32::INFINITY);
        assert_eq!(kernels.distance(Metric::L1, &x, &y), f32::INFINITY);
        assert_eq!(kernels.distance(Metric::Linf, &x, &y), f32::INFINITY);
        assert_eq!(kernels.distance(Metric::InnerProduct, &x, &x), f32::NEG_INFINITY);
        assert_eq!(kernels.distance(Metric::InnerProduct, &x, &y), f32::INFINITY);
        assert_eq!(kernels.distance(Metric::Cosine, &x, &y), 2.0);
    }
}

#[test]
fn cosine_holds_for_huge_tiny_and_zero_vectors() {
    for kernels in every_isa() {
        for scale in [1e-44, 1e-30, 1e-14, 1e-3, 1e18, 1e38] {
            let distance = kernels.distance(Metric::Cosine, &[scale, 0.0, scale], &[0.0, 0.0, 2.0]);
            assert!(
                (distance - (1.0 - 0.5_f32.sqrt())).abs() < 1e-6,
                "{kernels:?} scale={scale}: {distance}"
            );
        }
        let zero = [0.0; 3];
        assert_eq!(kernels.distance(Metric::Cosine, &zero, &[1.0, 2.0, 3.0]), 1.0);
        assert_eq!(kernels.distance(Metric::Cosine, &[1.0, 2.0, 3.0], &zero), 1.0);
        assert_eq!(kernels.distance(Metric::Cosine, &zero, &zero), 1.0);
    }
}

#[test]
#[should_panic(expected = "different lengths")]
fn vectors_of_different_lengths_are_a_bug_of_the_caller() {
    Metric::L2.distance(&[1.0, 2.0], &[1.0]);
}
