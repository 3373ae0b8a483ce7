//! k-means keeps its promises: against a naive Lloyd in f64, on data where the answer is known, and to the bit where
//! bits are promised.

use anear_cluster::{
    BalancedParams, Error, HierarchicalParams, Init, IterationStats, KMeans, KMeansParams, MiniBatchParams, Training,
    assign,
};
use anear_kernels::{Metric, Rows};
use anear_pool::Pool;

/// SplitMix64: the same numbers everywhere.
struct Random(u64);

impl Random {
    /// Uniform in -1..1.
    fn float(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ x >> 31) >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn floats(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.float()).collect()
    }
}

/// `n` rows around `clusters` centers, `spread` wide; the `i`-th belongs to center `i % clusters`.
fn clustered(n: usize, dim: usize, clusters: usize, spread: f32) -> Vec<f32> {
    let mut random = Random(n as u64);
    let centers = random.floats(clusters * dim);
    let center = |i: usize| &centers[i % clusters * dim..][..dim];
    (0..n)
        .flat_map(|i| {
            center(i)
                .iter()
                .map(|c| c + spread * random.float())
                .collect::<Vec<_>>()
        })
        .collect()
}

fn rows(data: &[f32], dim: usize) -> Rows<'_> {
    Rows::new(data, dim).unwrap()
}

fn train(params: &KMeansParams, data: Rows<'_>) -> KMeans {
    params.train(data, &Training::default()).unwrap()
}

fn bits(kmeans: &KMeans) -> Vec<u32> {
    kmeans.centroids().as_slice().iter().map(|c| c.to_bits()).collect()
}

/// Lloyd as in the textbook. Returns centroids and the objective of each iteration.
fn naive_lloyd(
    data: Rows<'_>,
    weights: &[f64],
    mut centroids: Vec<Vec<f64>>,
    niter: usize,
) -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut objectives = Vec::new();
    for _ in 0..niter {
        let mut sums = vec![vec![0.0; data.dim()]; centroids.len()];
        let mut masses = vec![0.0; centroids.len()];
        let mut objective = 0.0;
        for (row, &weight) in data.iter().zip(weights) {
            let square = |c: &Vec<f64>| row.iter().zip(c).map(|(&x, c)| (f64::from(x) - c).powi(2)).sum::<f64>();
            let squares: Vec<f64> = centroids.iter().map(square).collect();
            let best = (0..squares.len())
                .min_by(|&a, &b| squares[a].total_cmp(&squares[b]))
                .unwrap();
            objective += weight * squares[best];
            masses[best] += weight;
            sums[best]
                .iter_mut()
                .zip(row)
                .for_each(|(sum, &x)| *sum += weight * f64::from(x));
        }
        for ((centroid, sum), mass) in centroids.iter_mut().zip(sums).zip(masses) {
            *centroid = sum.iter().map(|sum| sum / mass).collect();
        }
        objectives.push(objective);
    }
    (centroids, objectives)
}

#[test]
fn training_is_lloyd_of_the_textbook_with_and_without_weights() {
    let data = clustered(600, 20, 12, 0.4);
    let data = rows(&data, 20);
    let mut random = Random(4);
    let uneven: Vec<f32> = random.floats(600).iter().map(|x| x + 1.5).collect();
    for weights in [None, Some(&uneven[..])] {
        let training = Training {
            weights,
            init_centroids: Some(data.slice(0..12)),
            ..Training::default()
        };
        let params = KMeansParams {
            niter: 6,
            ..KMeansParams::new(12)
        };
        let kmeans = params.train(data, &training).unwrap();
        let first = data
            .slice(0..12)
            .iter()
            .map(|row| row.iter().map(|&x| x.into()).collect())
            .collect();
        let weights: Vec<f64> = (0..600).map(|i| weights.map_or(1.0, |w| w[i].into())).collect();
        let (centroids, objectives) = naive_lloyd(data, &weights, first, kmeans.stats().len());
        for (got, want) in kmeans.centroids().as_slice().iter().zip(centroids.iter().flatten()) {
            assert!((f64::from(*got) - want).abs() < 1e-5, "{got} {want}");
        }
        for (got, want) in kmeans.stats().iter().zip(&objectives) {
            assert!((got.objective - want).abs() < 1e-4 * want, "{got:?} {want}");
        }
    }
}

#[test]
fn many_iterations_are_one_iteration_many_times() {
    // One iteration has nothing to begin with; many begin with the previous assignment, by sketches where they pay.
    let (n, dim, inner) = (3000, 128, 6);
    let mut random = Random(5);
    let directions = random.floats(inner * dim);
    let data: Vec<f32> = (0..n)
        .flat_map(|_| {
            let along = random.floats(inner);
            let inside = |i: usize| (0..inner).map(|j| along[j] * directions[j * dim + i]).sum::<f32>();
            (0..dim).map(|i| inside(i) + 0.05 * random.float()).collect::<Vec<_>>()
        })
        .collect();
    let data = rows(&data, dim);
    for metric in [Metric::L2, Metric::InnerProduct] {
        let params = |niter| KMeansParams {
            niter,
            metric,
            spherical: metric == Metric::InnerProduct,
            ..KMeansParams::new(64)
        };
        let many = train(&params(8), data);
        let mut once = train(&params(1), data);
        for _ in 1..8 {
            assert_eq!(once.stats()[0].splits, 0, "a split would draw from a fresh seed");
            let before = once.into_centroids();
            let training = Training {
                init_centroids: Some(rows(&before, dim)),
                ..Training::default()
            };
            once = params(1).train(data, &training).unwrap();
        }
        assert_eq!(bits(&many), bits(&once), "{metric}");
    }
}

#[test]
fn threads_change_no_bit() {
    let data = clustered(5000, 24, 40, 0.7);
    let data = rows(&data, 24);
    for init in [Init::Random, Init::PlusPlus, Init::AfkMc2 { chain_length: 20 }] {
        let params = KMeansParams {
            init,
            nredo: 2,
            niter: 6,
            max_points_per_centroid: 60,
            ..KMeansParams::new(48)
        };
        let alone = train(&params, data);
        for threads in [1, 2, 3] {
            let pool = Pool::new(threads).unwrap();
            let training = Training {
                pool: Some(&pool),
                ..Training::default()
            };
            let together = params.train(data, &training).unwrap();
            assert_eq!(bits(&alone), bits(&together), "{init:?} {threads}");
            assert_eq!(alone.stats(), together.stats());
        }
    }
}

#[test]
fn the_objective_of_every_iteration_is_at_most_that_before() {
    let data = clustered(4000, 16, 30, 0.9);
    let kmeans = train(&KMeansParams::new(50), rows(&data, 16));
    for pair in kmeans.stats().windows(2) {
        assert!(
            pair[1].objective <= pair[0].objective * (1.0 + 1e-6) || pair[0].splits > 0,
            "{pair:?}"
        );
    }
    assert_eq!(kmeans.objective(), kmeans.stats().last().unwrap().objective);
}

#[test]
fn good_first_centroids_find_every_cluster() {
    let data = clustered(2000, 8, 20, 0.01);
    let data = rows(&data, 8);
    for init in [Init::PlusPlus, Init::AfkMc2 { chain_length: 200 }] {
        let params = KMeansParams {
            init,
            ..KMeansParams::new(20)
        };
        let ids = train(&params, data).assign(data, None).unwrap().ids;
        let mut of_centers = ids[..20].to_vec();
        of_centers.sort_unstable();
        assert_eq!(of_centers, (0..20).collect::<Vec<_>>(), "{init:?}");
        assert!((0..2000).all(|i| ids[i] == ids[i % 20]), "{init:?}");
    }
}

#[test]
fn empty_clusters_are_filled() {
    let data = clustered(1000, 4, 5, 0.5);
    let data = rows(&data, 4);
    // All begin at one place: all but the first are empty.
    let first = data.row(0).repeat(30);
    let training = Training {
        init_centroids: Some(rows(&first, 4)),
        ..Training::default()
    };
    let kmeans = KMeansParams::new(30).train(data, &training).unwrap();
    assert_eq!(kmeans.stats()[0].splits, 29);
    assert_eq!(kmeans.stats()[0].imbalance_factor, 30.0);
    let sizes = kmeans.assign(data, None).unwrap().sizes(30);
    assert!(sizes.iter().all(|&size| size > 0), "{sizes:?}");
}

#[test]
fn as_many_clusters_as_vectors_are_the_vectors() {
    let data = clustered(10, 3, 10, 0.1);
    let kmeans = train(&KMeansParams::new(10), rows(&data, 3));
    assert_eq!(kmeans.centroids().as_slice(), data);
    assert_eq!(kmeans.objective(), 0.0);
    let warning = kmeans.warning().unwrap();
    assert_eq!((warning.got, warning.wanted), (10, 390));
}

#[test]
fn centroids_have_the_form_that_is_asked_for() {
    let data: Vec<f32> = clustered(800, 6, 8, 0.5).iter().map(|x| 100.0 * x).collect();
    let data = rows(&data, 6);
    for centroid in train(&KMeansParams::spherical(8), data).centroids() {
        let length: f32 = centroid.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-5);
    }
    let integers = KMeansParams {
        int_centroids: true,
        ..KMeansParams::new(8)
    };
    assert!(
        train(&integers, data)
            .centroids()
            .as_slice()
            .iter()
            .all(|x| x.fract() == 0.0)
    );
    let frozen = KMeansParams {
        frozen_centroids: true,
        ..KMeansParams::new(8)
    };
    let given = Training {
        init_centroids: Some(data.slice(0..3)),
        ..Training::default()
    };
    let kmeans = frozen.train(data, &given).unwrap();
    assert_eq!(kmeans.centroids().slice(0..3).as_slice(), data.slice(0..3).as_slice());
    assert_ne!(kmeans.centroids().row(5), train(&frozen, data).centroids().row(5));
}

#[test]
fn spherical_training_maximizes_the_inner_product() {
    let data = clustered(1500, 12, 10, 0.4);
    let kmeans = train(&KMeansParams::spherical(10), rows(&data, 12));
    let objectives: Vec<f64> = kmeans.stats().iter().map(|stats| stats.objective).collect();
    assert!(objectives[0] > 0.0 && objectives.is_sorted(), "{objectives:?}");
}

#[test]
fn the_best_of_several_runs_counts() {
    let data = clustered(1500, 5, 15, 0.2);
    let params = KMeansParams {
        nredo: 5,
        ..KMeansParams::new(15)
    };
    let kmeans = train(&params, rows(&data, 5));
    let last_of = |redo| {
        kmeans
            .stats()
            .iter()
            .rfind(|stats| stats.redo == redo)
            .unwrap()
            .objective
    };
    let best = (0..5).map(last_of).fold(f64::INFINITY, f64::min);
    assert_eq!(kmeans.objective(), best);
}

#[test]
fn training_stops_early_where_it_may() {
    let data = clustered(3000, 8, 30, 0.8);
    let data = rows(&data, 8);
    let told = std::cell::RefCell::new(Vec::<IterationStats>::new());
    let progress = |stats: &IterationStats| told.borrow_mut().push(stats.clone());
    let training = Training {
        progress: Some(&progress),
        ..Training::default()
    };
    let params = KMeansParams {
        early_stop_threshold: 0.05,
        ..KMeansParams::new(40)
    };
    let kmeans = params.train(data, &training).unwrap();
    assert!(kmeans.stats().len() < 25);
    assert_eq!(*told.borrow(), kmeans.stats());
}

#[test]
fn unfit_input_is_refused_by_name() {
    let data = clustered(10, 3, 2, 0.1);
    let data = rows(&data, 3);
    let message = |params: KMeansParams, training: &Training<'_>| params.train(data, training).unwrap_err().to_string();
    let nothing = Training::default();
    assert_eq!(
        message(KMeansParams::new(11), &nothing),
        "11 clusters need at least 11 vectors, got 10; ask for fewer clusters or bring more vectors"
    );
    assert!(message(KMeansParams::new(0), &nothing).starts_with("`k` must be between"));
    let cosine = KMeansParams {
        metric: Metric::Cosine,
        ..KMeansParams::new(2)
    };
    assert!(matches!(
        cosine.train(data, &nothing),
        Err(Error::Metric { metric: Metric::Cosine })
    ));
    for (weights, row) in [
        ([1.0; 9].as_slice(), None),
        (&[1., 1., -1., 1., 1., 1., 1., 1., 1., 1.], Some(2)),
    ] {
        let training = Training {
            weights: Some(weights),
            ..nothing
        };
        let error = KMeansParams::new(2).train(data, &training).unwrap_err();
        match row {
            None => assert!(matches!(error, Error::Weights { vectors: 10, got: 9 })),
            Some(row) => assert!(matches!(error, Error::Weight { row: bad, .. } if bad == row)),
        }
    }
    let wide = [0.0; 8];
    let training = Training {
        init_centroids: Some(rows(&wide, 4)),
        ..nothing
    };
    assert_eq!(
        message(KMeansParams::new(2), &training),
        "expected initial centroids of dimension 3, got 4"
    );
    let bad = [0.0, 1.0, f32::NAN, 3.0];
    let error = train_error(rows(&bad, 2));
    assert_eq!(
        error,
        "vector 1 has NaN at component 0; only finite numbers can be compared"
    );
    assert!(matches!(
        assign(data, data.slice(0..0), Metric::L2, None),
        Err(Error::NoCentroids)
    ));
}

fn train_error(data: Rows<'_>) -> String {
    let error = KMeansParams::new(1).train(data, &Training::default()).unwrap_err();
    error.to_string()
}

#[test]
fn two_levels_are_nearly_as_good_as_one() {
    let data = clustered(6000, 10, 300, 0.6);
    let data = rows(&data, 10);
    let one = train(&KMeansParams::new(100), data);
    let two = HierarchicalParams::new(100).train(data, None).unwrap();
    assert_eq!(two.centroids().len(), 100);
    let exact: f64 = two
        .assign(data, None)
        .unwrap()
        .distances
        .iter()
        .map(|&d| f64::from(d))
        .sum();
    assert!(
        exact <= two.objective() * 1.0001 && exact < 1.1 * one.objective(),
        "{exact} {}",
        one.objective()
    );
    let pool = Pool::new(2).unwrap();
    assert_eq!(
        bits(&two),
        bits(&HierarchicalParams::new(100).train(data, Some(&pool)).unwrap())
    );
}

#[test]
fn mini_batches_are_nearly_as_good_as_all_vectors() {
    let data = clustered(20_000, 10, 30, 0.6);
    let data = rows(&data, 10);
    let all = KMeansParams {
        init: Init::PlusPlus,
        max_points_per_centroid: 1000,
        ..KMeansParams::new(30)
    };
    let all = train(&all, data);
    let few = MiniBatchParams::new(30).train(data, None).unwrap();
    let exact: f64 = few
        .assign(data, None)
        .unwrap()
        .distances
        .iter()
        .map(|&d| f64::from(d))
        .sum();
    assert!(exact < 1.1 * all.objective(), "{exact} {}", all.objective());
    assert!(
        (few.objective() / exact - 1.0).abs() < 0.1,
        "{} {exact}",
        few.objective()
    );
}

#[test]
fn a_batch_is_never_larger_than_the_data() {
    let data = clustered(500, 4, 5, 0.6);
    let data = rows(&data, 4);
    let trained = |batch_len| {
        let params = MiniBatchParams {
            batch_len,
            ..MiniBatchParams::new(5)
        };
        bits(&params.train(data, None).unwrap())
    };
    assert_eq!(trained(usize::MAX), trained(500));
    assert_ne!(trained(499), trained(500));
}

#[test]
fn balanced_clusters_are_never_too_large_and_not_much_worse() {
    // Clusters of very unequal size: two thirds of all vectors around one center.
    let mut data = clustered(1500, 6, 1, 0.5);
    data.extend(clustered(700, 6, 14, 0.5));
    let data = rows(&data, 6);
    let plain = train(&KMeansParams::new(16), data);
    for max_size in [1.0, 1.1, 2.0] {
        let params = BalancedParams {
            max_size,
            ..BalancedParams::new(16)
        };
        let balanced = params.train(data, None).unwrap();
        let sizes = balanced.assignment.sizes(16);
        let limit = (max_size * 2200.0 / 16.0).ceil() as usize;
        assert!(sizes.iter().all(|&size| size <= limit), "{max_size}: {sizes:?}");
        let ratio = balanced.kmeans.objective() / plain.objective();
        assert!(ratio < 1.5, "{max_size}: {ratio}");
    }
}
