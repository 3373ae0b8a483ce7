//! Empty clusters: each takes a half of a big one.

use anear_kernels::Random;

use crate::random::Lottery;

/// By how much the two halves of a split centroid move apart, in each component.
const EPSILON: f32 = 1.0 / 1024.0;

/// Gives every centroid from number `first` on that has no mass a half of another one's, chosen with a probability in
/// proportion to its mass; the two centroids differ by a little. Says how many there were.
///
/// `sizes` counts the vectors of each cluster: one that has a single vector cannot be halved.
pub(super) fn split_empty(
    dim: usize,
    first: usize,
    sizes: &mut [usize],
    masses: &mut [f64],
    centroids: &mut [f32],
    random: &mut Random,
) -> usize {
    let mut splits = 0;
    for empty in first..masses.len() {
        if masses[empty] > 0.0 {
            continue;
        }
        let shares = (0..masses.len()).map(|i| if i >= first && sizes[i] > 1 { masses[i] } else { 0.0 });
        let Some(lottery) = Lottery::new(shares) else {
            break;
        };
        let donor = lottery.draw(random);
        share(dim, donor, empty, centroids);
        masses[empty] = masses[donor] / 2.0;
        masses[donor] /= 2.0;
        sizes[empty] = sizes[donor] / 2;
        sizes[donor] -= sizes[empty];
        splits += 1;
    }
    splits
}

fn share(dim: usize, donor: usize, empty: usize, centroids: &mut [f32]) {
    for i in 0..dim {
        let component = centroids[donor * dim + i];
        let step = if i % 2 == 0 { EPSILON } else { -EPSILON };
        centroids[empty * dim + i] = component * (1.0 + step);
        centroids[donor * dim + i] = component * (1.0 - step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;

    #[test]
    fn every_empty_cluster_takes_a_half_of_one_that_has_two() {
        let (mut sizes, mut masses) = (vec![8, 0, 1, 0], vec![8.0, 0.0, 1.0, 0.0]);
        let mut centroids = vec![1.0, 1.0, 0.0, 0.0, 5.0, 5.0, 0.0, 0.0];
        let splits = split_empty(2, 0, &mut sizes, &mut masses, &mut centroids, &mut stream(1, 0));
        assert_eq!(splits, 2);
        assert_eq!(masses.iter().sum::<f64>(), 9.0);
        assert_eq!(sizes.iter().sum::<usize>(), 9);
        assert!(masses.iter().all(|&mass| mass > 0.0));
        assert_eq!(centroids[4..6], [5.0, 5.0]);
        assert!(centroids[2..4].iter().all(|c| (c - 1.0).abs() < 0.01), "{centroids:?}");
    }

    #[test]
    fn nothing_is_taken_from_frozen_or_single_clusters() {
        let (mut sizes, mut masses) = (vec![8, 0, 1], vec![8.0, 0.0, 1.0]);
        let mut centroids = vec![1.0, 2.0, 3.0];
        let splits = split_empty(1, 1, &mut sizes, &mut masses, &mut centroids, &mut stream(1, 0));
        assert_eq!((splits, centroids), (0, vec![1.0, 2.0, 3.0]));
    }
}
