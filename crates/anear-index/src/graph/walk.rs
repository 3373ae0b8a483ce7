//! Walking a graph towards a query: the nearest found so far, in order, and what was seen already.

use anear_kernels::prefetch;
use anear_quant::Scorer;

use super::links::{Graph, SLOTS_MAX};

/// A slot that was reached, with its distance: ordered by distance, then by slot.
///
/// One number, so that comparing is one instruction: the distance's bits, the slot, and whether it was expanded and
/// whether it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reached(u64);

const REFUSED: u64 = 1;
const EXPANDED: u64 = 2;
const SIGN: u32 = 1 << 31;

// The slot's bits lie above the two flags.
const _: () = assert!(SLOTS_MAX << 2 <= 1 << 32);

impl Reached {
    pub(crate) fn new(distance: f32, slot: u32) -> Self {
        // Adding 0 makes one zero of two; NaN is farther than everything.
        let bits = match distance.is_nan() {
            true => u32::MAX,
            false => (distance + 0.0).to_bits(),
        };
        let ordered = if bits & SIGN == 0 || distance.is_nan() {
            bits | SIGN
        } else {
            !bits
        };
        Self(u64::from(ordered) << 32 | u64::from(slot) << 2)
    }

    pub(crate) fn slot(self) -> u32 {
        self.0 as u32 >> 2
    }

    pub(crate) fn distance(self) -> f32 {
        let ordered = (self.0 >> 32) as u32;
        f32::from_bits(if ordered & SIGN == 0 { !ordered } else { ordered & !SIGN })
    }

    fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }
}

/// The nearest slots reached so far, ascending, and which of them were expanded.
///
/// Ends with the `width`-th that is not refused: what is farther is of no interest.
#[derive(Debug, Default)]
pub(crate) struct Beam {
    reached: Vec<Reached>,
    /// How many that are not refused are kept, and are there.
    width: usize,
    accepted: usize,
    /// All before this one were expanded.
    next: usize,
}

impl Beam {
    pub(crate) fn begin(&mut self, width: usize) {
        self.reached.clear();
        (self.width, self.accepted, self.next) = (width, 0, 0);
    }

    /// What is farther than this is of no interest.
    #[inline]
    pub(crate) fn bound(&self) -> f32 {
        match self.reached.last() {
            Some(last) if self.accepted == self.width => last.distance(),
            _ => f32::INFINITY,
        }
    }

    /// Whether something at this distance would still be of interest.
    #[inline]
    pub(crate) fn wants(&self, candidate: Reached) -> bool {
        self.accepted < self.width || self.reached.last().is_none_or(|last| candidate < *last)
    }

    pub(crate) fn push(&mut self, candidate: Reached) {
        let place = self.reached.partition_point(|reached| *reached < candidate);
        self.reached.insert(place, candidate);
        self.next = self.next.min(place);
        if !candidate.has(REFUSED) {
            self.accepted += 1;
            self.cut();
        }
    }

    /// What is not refused, nearest first.
    pub(crate) fn found(&self) -> impl Iterator<Item = Reached> + '_ {
        self.reached.iter().copied().filter(|reached| !reached.has(REFUSED))
    }

    /// Forgets what is behind the last that is wanted.
    fn cut(&mut self) {
        while self.accepted > self.width {
            if self.reached.pop().is_some_and(|last| !last.has(REFUSED)) {
                self.accepted -= 1;
            }
        }
        if self.accepted == self.width {
            while self.reached.last().is_some_and(|last| last.has(REFUSED)) {
                self.reached.pop();
            }
        }
    }

    /// The distance of what has `before` nearer ones, what is refused not counted.
    #[inline]
    pub(crate) fn distance_of(&self, before: usize) -> Option<f32> {
        let reached = match self.accepted == self.reached.len() {
            true => self.reached.get(before).copied(),
            false => self.found().nth(before),
        };
        reached.map(Reached::distance)
    }

    /// How much that is refused is nearer than the last of the `count` nearest that are not.
    pub(crate) fn refused_before(&self, count: usize) -> usize {
        let refused = self.reached.iter().scan(0, |accepted, reached| {
            *accepted += usize::from(!reached.has(REFUSED));
            (*accepted < count).then_some(usize::from(reached.has(REFUSED)))
        });
        refused.sum()
    }

    /// Forgets what is farther than this.
    #[inline]
    pub(crate) fn narrow(&mut self, bound: f32) {
        while let Some(last) = self.reached.last().filter(|last| last.distance() > bound) {
            self.accepted -= usize::from(!last.has(REFUSED));
            self.reached.pop();
        }
        self.next = self.next.min(self.reached.len());
    }

    /// The nearest that was not expanded.
    pub(crate) fn nearest(&mut self) -> Option<Reached> {
        let skipped = self.reached[self.next..]
            .iter()
            .position(|reached| !reached.has(EXPANDED))?;
        self.next += skipped;
        Some(self.reached[self.next])
    }

    /// The nearest that was not expanded; it counts as expanded from here on.
    pub(crate) fn expand(&mut self) -> Option<Reached> {
        self.nearest()?;
        let reached = &mut self.reached[self.next];
        reached.0 |= EXPANDED;
        self.next += 1;
        Some(*reached)
    }
}

/// Slots that were seen: one bit each, cleared by what was set.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    words: Vec<u64>,
    seen: Vec<u32>,
}

impl Seen {
    pub(crate) fn begin(&mut self, slots: usize) {
        for slot in self.seen.drain(..) {
            self.words[slot as usize / 64] = 0;
        }
        if self.words.len() < slots.div_ceil(64) {
            self.words.resize(slots.div_ceil(64), 0);
        }
    }

    /// Whether this is the first time.
    #[inline]
    pub(crate) fn insert(&mut self, slot: u32) -> bool {
        let (word, bit) = (&mut self.words[slot as usize / 64], 1 << (slot % 64));
        let is_new = *word & bit == 0;
        if is_new {
            *word |= bit;
            self.seen.push(slot);
        }
        is_new
    }
}

/// The memory of a walk, kept from one to the next: nothing is allocated per query.
#[derive(Default)]
pub(crate) struct Walker {
    beam: Beam,
    seen: Seen,
    fresh: Vec<u32>,
    distances: Vec<f32>,
}

/// What a walk compares: one query with the codes of a graph's nodes.
#[derive(Clone, Copy)]
pub(crate) struct Towards<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) codes: &'a [u8],
    pub(crate) scorer: &'a dyn Scorer,
}

impl Towards<'_> {
    pub(crate) fn distance(&self, slot: u32) -> f32 {
        let mut distance = [0.0];
        self.scorer.score_at(self.codes, &[slot], &mut distance);
        distance[0]
    }
}

impl Walker {
    /// The node from which no link of `level` leads closer to the query.
    pub(crate) fn descend(&mut self, towards: Towards<'_>, from: Reached, level: usize) -> Reached {
        let mut nearest = from;
        loop {
            let links = towards.graph.links(nearest.slot(), level);
            let distances = places(&mut self.distances, links.len());
            towards.scorer.score_at(towards.codes, links, distances);
            let reached = distances
                .iter()
                .zip(links)
                .map(|(distance, link)| Reached::new(*distance, *link));
            match reached.min() {
                Some(closer) if closer < nearest => nearest = closer,
                _ => return nearest,
            }
        }
    }

    /// Walks on `level` until the `width` nearest that `accepts` admits are found and nothing closer is left to expand
    /// (Malkov and Yashunin, Algorithm 2), or until more than `distances_max` were computed: then the answer is `false`.
    pub(crate) fn walk(
        &mut self,
        towards: Towards<'_>,
        from: Reached,
        level: usize,
        width: usize,
        distances_max: usize,
        accepts: impl Fn(u32) -> bool,
    ) -> bool {
        self.seen.begin(towards.graph.len());
        self.seen.insert(from.slot());
        self.beam.begin(width);
        self.beam.push(marked(from, &accepts));
        while let Some(slot) = self.beam.expand().map(Reached::slot) {
            self.fresh.clear();
            for &link in towards.graph.links(slot, level) {
                if self.seen.insert(link) {
                    towards.graph.prefetch_place(link);
                    self.fresh.push(link);
                }
            }
            if self.seen.seen.len() > distances_max {
                return false;
            }
            let distances = places(&mut self.distances, self.fresh.len());
            towards.scorer.score_at(towards.codes, &self.fresh, distances);
            for (&distance, &slot) in distances.iter().zip(&self.fresh) {
                let reached = Reached::new(distance, slot);
                if self.beam.wants(reached) {
                    // Most often it will be expanded, and its links are there then.
                    prefetch(towards.graph.places_of(slot, level));
                    self.beam.push(marked(reached, &accepts));
                }
            }
        }
        true
    }

    /// What the last walk found, nearest first.
    pub(crate) fn found(&self) -> impl Iterator<Item = Reached> + '_ {
        self.beam.found()
    }

    /// Everything closer than `radius` that can be reached from what the last walk found without leaving the radius,
    /// in no order; `None` when more than `distances_max` distances would have to be computed.
    pub(crate) fn within(&mut self, towards: Towards<'_>, radius: f32, distances_max: usize) -> Option<Vec<Reached>> {
        self.seen.begin(towards.graph.len());
        let near = |reached: &Reached| reached.distance() < radius;
        let mut inside: Vec<_> = self.beam.reached.iter().copied().filter(near).collect();
        for reached in &inside {
            self.seen.insert(reached.slot());
        }
        let mut next = 0;
        while let Some(reached) = inside.get(next) {
            next += 1;
            self.fresh.clear();
            for &link in towards.graph.links(reached.slot(), 0) {
                if self.seen.insert(link) {
                    self.fresh.push(link);
                }
            }
            if self.seen.seen.len() > distances_max {
                return None;
            }
            let distances = places(&mut self.distances, self.fresh.len());
            towards.scorer.score_at(towards.codes, &self.fresh, distances);
            let fresh = distances
                .iter()
                .zip(&self.fresh)
                .map(|(distance, slot)| Reached::new(*distance, *slot));
            inside.extend(fresh.filter(near));
        }
        Some(inside)
    }
}

pub(crate) fn marked(mut reached: Reached, accepts: impl Fn(u32) -> bool) -> Reached {
    if !accepts(reached.slot()) {
        reached.0 |= REFUSED;
    }
    reached
}

/// The first `len` of as many places as were ever needed.
fn places(distances: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if distances.len() < len {
        distances.resize(len, 0.0);
    }
    &mut distances[..len]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reached_slots_are_ordered_by_distance_then_by_slot() {
        let ascending = [
            (f32::NEG_INFINITY, 9),
            (-2.5, 3),
            (-2.5, 4),
            (-0.0, 0),
            (0.0, 1),
            (f32::MIN_POSITIVE, 0),
            (7.0, SLOTS_MAX as u32 - 1),
            (f32::INFINITY, 0),
            (-f32::NAN, 1),
            (f32::NAN, 2),
        ];
        let reached = ascending.map(|(distance, slot)| Reached::new(distance, slot));
        assert!(reached.is_sorted_by(|a, b| a < b));
        for ((distance, slot), reached) in ascending.into_iter().zip(reached) {
            assert_eq!(reached.slot(), slot);
            assert!(reached.distance() == distance || distance.is_nan() && reached.distance().is_nan());
        }
    }

    #[test]
    fn a_beam_keeps_the_nearest_that_are_accepted_and_what_is_before_them() {
        let distances = |i: u32| (i.wrapping_mul(2_654_435_761) >> 20) as f32;
        for width in [1, 3, 10] {
            let mut beam = Beam::default();
            beam.begin(width);
            for slot in 0..200 {
                let candidate = marked(Reached::new(distances(slot), slot), |slot| slot % 3 == 0);
                if beam.wants(candidate) {
                    beam.push(candidate);
                }
            }
            let mut all: Vec<_> = (0..200).map(|slot| Reached::new(distances(slot), slot)).collect();
            all.sort_unstable();
            let accepted = all.iter().filter(|reached| reached.slot() % 3 == 0);
            let last = accepted.copied().nth(width - 1).unwrap();
            all.retain(|reached| *reached <= last);
            let slots: Vec<u32> = beam.reached.iter().map(|reached| reached.slot()).collect();
            assert_eq!(slots, all.iter().map(|reached| reached.slot()).collect::<Vec<_>>());
            let expanded: Vec<u32> = std::iter::from_fn(|| beam.expand()).map(Reached::slot).collect();
            assert_eq!(expanded, slots, "nearest first, each once");
        }
    }

    #[test]
    fn a_narrowed_beam_forgets_what_is_farther_and_goes_on_from_there() {
        let mut beam = Beam::default();
        beam.begin(8);
        for slot in 0..8 {
            beam.push(marked(Reached::new(slot as f32, slot), |slot| slot != 2));
        }
        assert_eq!((beam.distance_of(1), beam.distance_of(2)), (Some(1.0), Some(3.0)));
        assert_eq!(beam.distance_of(7), None, "what is refused does not count");
        assert_eq!((beam.refused_before(2), beam.refused_before(3)), (0, 1));
        assert_eq!((0..4).filter_map(|_| beam.expand()).count(), 4);
        beam.narrow(4.5);
        assert_eq!(beam.bound(), f32::INFINITY, "there is room again");
        assert_eq!(beam.nearest().map(Reached::slot), Some(4));
        beam.narrow(1.0);
        assert_eq!(beam.nearest(), None);
        beam.push(Reached::new(0.5, 9));
        let found: Vec<u32> = beam.found().map(Reached::slot).collect();
        assert_eq!((found, beam.nearest().map(Reached::slot)), (vec![0, 9, 1], Some(9)));
    }
}
