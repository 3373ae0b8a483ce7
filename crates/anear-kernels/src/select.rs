//! The k nearest of a stream of candidates.

use crate::metric::Metric;

/// One search result: smaller `distance` is closer, for every metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbor {
    /// Which vector.
    pub id: u64,
    /// How far from the query; see [`Metric`] for the meaning.
    pub distance: f32,
}

impl Neighbor {
    /// Ascends as results do: by distance, ties by id. Compared without a branch, which could not be predicted.
    fn rank(&self) -> u128 {
        // The same bits for both zeros; then those of negative numbers descend, and come before the others.
        let bits = (self.distance + 0.0).to_bits();
        let ascending = bits ^ if bits >> 31 == 1 { u32::MAX } else { 1 << 31 };
        u128::from(ascending) << 64 | u128::from(self.id)
    }

    fn precedes(&self, other: &Self) -> bool {
        self.distance < other.distance || (self.distance == other.distance && self.id < other.id)
    }
}

// Up to here a sorted array with insertion beats a reservoir: most candidates that pass the threshold land near its end.
const SORTED_MAX: usize = 64;

/// Keeps the `k` smallest neighbors by (distance, id), whatever the order they come in.
///
/// NaN never enters; infinity may, while there is room. Memory follows what was pushed, at most `2 k` neighbors.
///
/// ```
/// use anear_kernels::{Neighbor, TopK};
///
/// let mut top = TopK::new(2);
/// for (id, distance) in [(0, 3.0), (1, f32::NAN), (2, 1.0), (3, 1.0)] {
///     top.push(Neighbor { id, distance });
/// }
/// assert_eq!(top.threshold(), 1.0);
/// let ids: Vec<u64> = top.into_sorted().iter().map(|neighbor| neighbor.id).collect();
/// assert_eq!(ids, [2, 3]);
/// ```
#[derive(Clone, Debug)]
pub struct TopK {
    k: usize,
    // k <= SORTED_MAX: sorted, at most k. Otherwise a reservoir: unordered, fewer than 2k, the k best among them.
    kept: Vec<Neighbor>,
    // Once full: what a candidate must precede to be of interest.
    bound: Option<Neighbor>,
}

impl TopK {
    /// Room for `k` neighbors; 0 keeps nothing.
    pub fn new(k: usize) -> Self {
        let nothing_precedes = Neighbor {
            id: 0,
            distance: f32::NEG_INFINITY,
        };
        Self {
            k,
            kept: Vec::new(),
            bound: (k == 0).then_some(nothing_precedes),
        }
    }

    /// How many neighbors there is room for.
    pub fn k(&self) -> usize {
        self.k
    }

    /// How many neighbors are held, at most `k`.
    pub fn len(&self) -> usize {
        self.kept.len().min(self.k)
    }

    /// Whether no neighbor is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// No candidate beyond this distance can enter (one exactly at it may, by its id).
    /// Infinity until `k` neighbors are held; never grows.
    #[inline]
    pub fn threshold(&self) -> f32 {
        self.bound.map_or(f32::INFINITY, |bound| bound.distance)
    }

    /// Takes a candidate in, if it is among the `k` smallest so far.
    #[inline]
    pub fn push(&mut self, candidate: Neighbor) {
        let wanted = self
            .bound
            .map_or(!candidate.distance.is_nan(), |bound| candidate.precedes(&bound));
        if wanted {
            self.insert(candidate);
        }
    }

    /// Takes in a block of candidates, of which the `i`-th is so far and has the id `id(i)`.
    #[inline]
    pub fn push_block(&mut self, distances: &[f32], id: impl Fn(usize) -> u64) {
        let threshold = self.threshold();
        // Without a branch per distance; hardly any block has one close enough.
        if !distances
            .iter()
            .fold(false, |any, &distance| any | (distance <= threshold))
        {
            return;
        }
        for (i, &distance) in distances.iter().enumerate() {
            if distance <= self.threshold() {
                self.push(Neighbor { id: id(i), distance });
            }
        }
    }

    /// Takes in all that `other` holds.
    pub fn merge(&mut self, other: Self) {
        if self.kept.is_empty() && self.k == other.k {
            *self = other;
            return;
        }
        other.kept.into_iter().for_each(|neighbor| self.push(neighbor));
    }

    /// What is held, nearest first, ties by ascending id.
    pub fn into_sorted(mut self) -> Vec<Neighbor> {
        if self.kept.len() > self.k {
            self.settle();
        }
        self.kept.sort_unstable_by_key(Neighbor::rank);
        self.kept
    }

    fn insert(&mut self, candidate: Neighbor) {
        if self.kept.is_empty() {
            self.kept.reserve(self.k.min(SORTED_MAX));
        }
        if self.k <= SORTED_MAX {
            self.insert_sorted(candidate);
        } else {
            self.insert_unordered(candidate);
        }
    }

    fn insert_sorted(&mut self, candidate: Neighbor) {
        self.kept.truncate(self.k - 1);
        let mut place = self.kept.len();
        self.kept.push(candidate);
        while place > 0 && candidate.precedes(&self.kept[place - 1]) {
            self.kept[place] = self.kept[place - 1];
            place -= 1;
        }
        self.kept[place] = candidate;
        if self.kept.len() == self.k {
            self.bound = self.kept.last().copied();
        }
    }

    fn insert_unordered(&mut self, candidate: Neighbor) {
        self.kept.push(candidate);
        let len = self.kept.len();
        if len == self.k || len == self.k.saturating_mul(2) {
            self.settle();
        }
    }

    /// Keeps the `k` best of at least `k`.
    fn settle(&mut self) {
        let (_, worst, _) = self.kept.select_nth_unstable_by_key(self.k - 1, Neighbor::rank);
        self.bound = Some(*worst);
        self.kept.truncate(self.k);
    }
}

/// Reorders sorted results the way Faiss returns them: ties ascend by id for distances,
/// but descend for the inner product.
///
/// `neighbors` is sorted by (distance, id), as [`TopK::into_sorted`] returns it.
pub fn faiss_tie_order(metric: Metric, neighbors: &mut [Neighbor]) {
    if metric == Metric::InnerProduct {
        neighbors
            .chunk_by_mut(|a, b| a.distance == b.distance)
            .for_each(<[Neighbor]>::reverse);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbor(id: u64, distance: f32) -> Neighbor {
        Neighbor { id, distance }
    }

    /// Few distinct distances, so that ties are everywhere; some infinite, some NaN; ids in no order.
    fn candidates(n: u64) -> Vec<Neighbor> {
        let distance = |x: u64| match x % 23 {
            21 => f32::INFINITY,
            22 => f32::NAN,
            3 => -0.0,
            small => small as f32 - 3.0,
        };
        (0..n)
            .map(|i| neighbor(i * 7919 % n, distance(i.wrapping_mul(2654435761) >> 7)))
            .collect()
    }

    fn by_sorting(k: usize, candidates: &[Neighbor]) -> Vec<Neighbor> {
        let mut all: Vec<_> = candidates.iter().copied().filter(|c| !c.distance.is_nan()).collect();
        all.sort_by(|a, b| a.distance.partial_cmp(&b.distance).unwrap().then(a.id.cmp(&b.id)));
        all.truncate(k);
        all
    }

    fn pushed(k: usize, candidates: &[Neighbor]) -> TopK {
        let mut top = TopK::new(k);
        candidates.iter().for_each(|&candidate| top.push(candidate));
        top
    }

    #[test]
    fn top_k_equals_sorting_everything() {
        for n in [0, 1, 10, 500] {
            let candidates = candidates(n);
            for k in [0, 1, 2, 10, SORTED_MAX, SORTED_MAX + 1, 100, 499, 500, 501, usize::MAX] {
                let (top, want) = (pushed(k, &candidates), by_sorting(k, &candidates));
                assert_eq!(top.len(), want.len(), "k={k} n={n}");
                assert_eq!(top.into_sorted(), want, "k={k} n={n}");
            }
        }
    }

    #[test]
    fn merging_parts_equals_one_pass() {
        let candidates = candidates(600);
        for k in [1, 10, 100, 1000] {
            let mut parts = candidates.chunks(170).map(|part| pushed(k, part));
            let mut top = parts.next().unwrap();
            parts.for_each(|part| top.merge(part));
            assert_eq!(top.into_sorted(), by_sorting(k, &candidates));
        }
    }

    #[test]
    fn the_threshold_is_infinite_until_full_and_never_below_the_worst() {
        let candidates = candidates(600);
        for k in [1, 10, 100] {
            let mut top = TopK::new(k);
            let mut last = f32::INFINITY;
            for (i, &candidate) in candidates.iter().enumerate() {
                top.push(candidate);
                let worst = by_sorting(k, &candidates[..=i])
                    .last()
                    .map_or(f32::INFINITY, |worst| worst.distance);
                assert!(if top.len() < k {
                    top.threshold() == f32::INFINITY
                } else {
                    top.threshold() >= worst
                });
                assert!(top.threshold() <= last);
                last = top.threshold();
            }
        }
    }

    #[test]
    fn infinity_enters_while_there_is_room_and_leaves_first() {
        let mut top = pushed(
            2,
            &[
                neighbor(5, f32::INFINITY),
                neighbor(4, f32::INFINITY),
                neighbor(6, f32::INFINITY),
            ],
        );
        top.push(neighbor(9, 1.0));
        assert_eq!(top.into_sorted(), [neighbor(9, 1.0), neighbor(4, f32::INFINITY)]);
    }

    #[test]
    fn memory_follows_what_was_pushed() {
        assert_eq!(TopK::new(usize::MAX).kept.capacity(), 0);
        let many: Vec<_> = (0..100_000).rev().map(|i| neighbor(i, i as f32)).collect();
        assert!(pushed(1000, &many).kept.capacity() <= 2048);
    }

    #[test]
    fn only_the_inner_product_turns_ties_around() {
        let sorted = [
            neighbor(3, -2.0),
            neighbor(1, -1.0),
            neighbor(4, -1.0),
            neighbor(8, -1.0),
            neighbor(0, 0.0),
        ];
        for &metric in Metric::ALL {
            let mut neighbors = sorted;
            faiss_tie_order(metric, &mut neighbors);
            let ids = neighbors.map(|neighbor| neighbor.id);
            assert_eq!(
                ids,
                if metric == Metric::InnerProduct {
                    [3, 8, 4, 1, 0]
                } else {
                    [3, 1, 4, 8, 0]
                }
            );
        }
    }
}
