//! An index under test beside its model: a plain list of (id, vector), searched in f64 by sorting everything.

use std::collections::HashMap;

use anear_kernels::{IdSelector, Metric, Neighbor, Rows};

use anear_quant::QuantizerSpec;

use crate::{
    Error, IndexSpec, Neighbors, RangeRequest, Result, SearchRequest, Training, VectorIndex, VectorIndexExt as _,
};

const DIM: usize = 5;
const WIDE_DIM: usize = 37;
const QUERIES: usize = 9;
const WIDE_QUERIES: usize = 40;

/// What rounding may do to a distance, for lengths around 1: cosine, and vectors that came out of codes.
const TOLERANCE: f64 = 1e-6;

/// Metrics by which every kind of index compares.
pub(super) const EVERYBODYS: [Metric; 3] = [Metric::L2, Metric::InnerProduct, Metric::Cosine];

/// Vectors that an index learns from.
const SAMPLE: u64 = 400;

/// Whether indexes of this kind compare by `metric`; if not, they say so.
pub(super) fn can_compare(spec: &IndexSpec, metric: Metric) -> bool {
    match trained(spec, DIM, metric) {
        Ok(_) => true,
        Err(Error::Metric { .. }) => {
            assert!(!EVERYBODYS.contains(&metric), "{spec} does not know {metric}");
            false
        }
        Err(error) => panic!("{spec} by {metric}: {error}"),
    }
}

/// An empty index that has learned what there is to learn.
fn trained(spec: &IndexSpec, dim: usize, metric: Metric) -> Result<Box<dyn VectorIndex>> {
    let sample: Vec<f32> = (0..SAMPLE).flat_map(|i| vector(i, dim)).collect();
    let sample = Rows::new(&sample, dim).expect("whole vectors");
    spec.train(metric, sample, &Training::default())
}

/// Whether distances are estimated otherwise than from what the index gives back.
fn is_estimate(spec: &IndexSpec) -> bool {
    let estimates = |codes: &QuantizerSpec| {
        matches!(
            codes,
            QuantizerSpec::Lsh(_) | QuantizerSpec::RaBitQ { .. } | QuantizerSpec::RaBitQFastScan { .. }
        )
    };
    match spec {
        IndexSpec::Flat(codes) => estimates(codes),
        IndexSpec::Ivf(spec) => estimates(&spec.codes),
        IndexSpec::Hnsw(spec) => estimates(&spec.codes),
        IndexSpec::Nsg(spec) => estimates(&spec.codes),
        IndexSpec::Near(_) => false,
        IndexSpec::PreTransform(..) => true,
        IndexSpec::IdMap(_, inner) | IndexSpec::Refine(_, inner) => is_estimate(inner),
    }
}

/// Whether an index of this kind keeps vectors as they are.
fn is_exact(spec: &IndexSpec) -> bool {
    match spec {
        IndexSpec::Flat(codes) => *codes == QuantizerSpec::Raw,
        IndexSpec::Ivf(spec) => spec.codes == QuantizerSpec::Raw && !spec.by_residual,
        IndexSpec::Hnsw(spec) => spec.codes == QuantizerSpec::Raw,
        IndexSpec::Nsg(spec) => spec.codes == QuantizerSpec::Raw,
        IndexSpec::Near(_) => true,
        IndexSpec::PreTransform(..) => false,
        IndexSpec::IdMap(_, inner) | IndexSpec::Refine(_, inner) => is_exact(inner),
    }
}

/// An index and what it should hold.
pub(super) struct Subject {
    pub(super) index: Box<dyn VectorIndex>,
    pub(super) model: Vec<(u64, Vec<f32>)>,
    spec: IndexSpec,
    queries: Vec<f32>,
    /// Vectors made so far, by this subject and those before it: no two are made from the same number.
    made: u64,
}

impl Subject {
    /// With `vectors` vectors of few components: most distances occur many times.
    pub(super) fn new(spec: &IndexSpec, metric: Metric, vectors: usize) -> Self {
        Self::build(spec, metric, DIM, QUERIES, vectors)
    }

    /// With enough components and queries that the work is spread over threads.
    pub(super) fn wide(spec: &IndexSpec, metric: Metric, vectors: usize) -> Self {
        Self::build(spec, metric, WIDE_DIM, WIDE_QUERIES, vectors)
    }

    fn build(spec: &IndexSpec, metric: Metric, dim: usize, queries: usize, vectors: usize) -> Self {
        let mut subject = Self {
            index: trained(spec, dim, metric).unwrap(),
            model: Vec::new(),
            spec: spec.clone(),
            queries: (0..queries).flat_map(|i| vector(1_000_000 + i as u64, dim)).collect(),
            made: 0,
        };
        subject.add(vectors);
        subject
    }

    /// A second subject like this one, with vectors and ids that follow its own.
    pub(super) fn successor(&self, vectors: usize) -> Self {
        let mut next = Self {
            index: self.stranger(0, self.index.metric()),
            model: Vec::new(),
            spec: self.spec.clone(),
            queries: self.queries.clone(),
            made: self.made,
        };
        next.add(vectors);
        next
    }

    /// An empty index of the same kind for longer vectors or another metric.
    pub(super) fn stranger(&self, more_dims: usize, metric: Metric) -> Box<dyn VectorIndex> {
        trained(&self.spec, self.index.dim() + more_dims, metric).unwrap()
    }

    /// Whether vectors are kept as they are.
    pub(super) fn is_exact(&self) -> bool {
        is_exact(&self.spec)
    }

    /// Whether Faiss has no such index.
    pub(super) fn is_foreign_to_faiss(&self) -> bool {
        match &self.spec {
            IndexSpec::IdMap(_, inner) => matches!(**inner, IndexSpec::Near(_)),
            spec => matches!(spec, IndexSpec::Near(_)),
        }
    }

    /// Whether a range search may miss what candidates with coarser codes put beyond the radius.
    fn range_may_miss(&self) -> bool {
        matches!(&self.spec, IndexSpec::Refine(base, _) if !is_exact(base))
    }

    /// A search that leaves nothing out.
    pub(super) fn request<'a>(&self, k: usize) -> SearchRequest<'a> {
        let knobs = self.index.knobs();
        knobs.iter().fold(SearchRequest::new(k), |request, knob| {
            request.with(knob.name, f64::INFINITY)
        })
    }

    /// A range search that leaves nothing out.
    pub(super) fn range_request<'a>(&self, radius: f32) -> RangeRequest<'a> {
        let knobs = self.index.knobs();
        knobs.iter().fold(RangeRequest::new(radius), |request, knob| {
            request.with(knob.name, f64::INFINITY)
        })
    }

    pub(super) fn copy(&self) -> Self {
        Self {
            spec: self.spec.clone(),
            index: self.index.boxed_clone(),
            model: self.model.clone(),
            queries: self.queries.clone(),
            made: self.made,
        }
    }

    /// The same vectors, in another index.
    pub(super) fn with_index(self, index: Box<dyn VectorIndex>) -> Self {
        Self { index, ..self }
    }

    /// Takes over the model of a subject whose index was merged.
    pub(super) fn adopt(&mut self, other: &mut Self) {
        let offset = if self.has_own_ids() { 0 } else { self.next_id() };
        self.model
            .extend(other.model.drain(..).map(|(id, vector)| (id + offset, vector)));
        self.made = other.made;
        self.renumber();
    }

    pub(super) fn queries(&self) -> Rows<'_> {
        Rows::new(&self.queries, self.index.dim()).expect("whole queries")
    }

    pub(super) fn ids(&self) -> Vec<u64> {
        self.model.iter().map(|(id, _)| *id).collect()
    }

    /// Whether ids are the caller's; otherwise they are positions.
    pub(super) fn has_own_ids(&self) -> bool {
        matches!(self.spec, IndexSpec::IdMap(..))
    }

    /// The id that comes next where the index counts them.
    fn next_id(&self) -> u64 {
        self.model.iter().map(|(id, _)| id + 1).max().unwrap_or(0)
    }

    /// Adds vectors to the index and to the model.
    pub(super) fn add(&mut self, vectors: usize) {
        let dim = self.index.dim();
        let made = self.made..self.made + vectors as u64;
        let rows: Vec<f32> = made.clone().flat_map(|i| vector(i, dim)).collect();
        let rows = Rows::new(&rows, dim).expect("whole vectors");
        let ids: Vec<u64> = if self.has_own_ids() {
            let ids: Vec<u64> = made.clone().map(own_id).collect();
            self.index.add_with_ids(rows, &ids).unwrap();
            ids
        } else {
            self.index.add(rows).unwrap().collect()
        };
        assert_eq!(ids.len(), vectors);
        self.made = made.end;
        for (id, row) in ids.iter().zip(rows) {
            let vector = if self.is_exact() {
                row.to_vec()
            } else {
                self.index.reconstruct(*id).unwrap()
            };
            self.model.push((*id, vector));
        }
        self.renumber();
    }

    /// Tries to add; the model does not change.
    pub(super) fn try_add(&mut self, rows: Rows<'_>) -> Result<()> {
        if self.has_own_ids() {
            let ids: Vec<u64> = (0..rows.len() as u64).map(|i| own_id(self.made + i)).collect();
            self.index.add_with_ids(rows, &ids)
        } else {
            self.index.add(rows).map(drop)
        }
    }

    /// Removes from the index and from the model; returns how many.
    pub(super) fn remove(&mut self, ids: &IdSelector<'_>) -> usize {
        let removed = self.index.remove(ids).unwrap();
        let before = self.model.len();
        self.model.retain(|(id, _)| !ids.contains(*id));
        assert_eq!(removed, before - self.model.len());
        self.renumber();
        removed
    }

    /// Numbers the index and the model anew, in the order of the ids.
    pub(super) fn renumber_index(&mut self) {
        self.index.renumber().unwrap();
        let mut ids = self.ids();
        ids.sort_unstable();
        for (id, _) in &mut self.model {
            *id = ids.partition_point(|other| other < id) as u64;
        }
    }

    /// Where ids are positions, those of the model are, too.
    fn renumber(&mut self) {
        if !self.index.keeps_ids() {
            self.model
                .iter_mut()
                .zip(0..)
                .for_each(|((id, _), position)| *id = position);
        }
        assert_eq!(self.index.len(), self.model.len());
    }

    pub(super) fn search(&self, request: &SearchRequest<'_>) -> Neighbors {
        self.index.search(self.queries(), request).unwrap()
    }

    pub(super) fn range_search(&self, request: &RangeRequest<'_>) -> Neighbors {
        self.index.range_search(self.queries(), request).unwrap()
    }

    /// The index finds what sorting everything finds.
    pub(super) fn check_nearest(&self, k: usize, keep: &IdSelector<'_>) {
        let found = self.search(&self.request(k).selecting(keep.clone()));
        assert_eq!(found.len(), self.queries().len());
        for (query, found) in self.queries().iter().zip(found.iter()) {
            let mut expected = self.distances(query, keep);
            expected.sort_by(|a, b| a.1.partial_cmp(&b.1).expect("no distance is NaN"));
            expected.truncate(k);
            if self.index.metric() == Metric::InnerProduct {
                expected.chunk_by_mut(|a, b| a.1 == b.1).for_each(<[_]>::reverse);
            }
            self.assert_same(found, &expected);
            assert!(found.is_sorted_by(|a, b| a.distance <= b.distance));
        }
    }

    /// The index finds everything within the radius, and nothing else.
    pub(super) fn check_within(&self, radius: f32, keep: &IdSelector<'_>) {
        let found = self.range_search(&self.range_request(radius).selecting(keep.clone()));
        for (query, found) in self.queries().iter().zip(found.iter()) {
            assert!(found.iter().all(|n| n.distance < radius));
            // Rounding decides about what is on the very edge of a radius.
            let edge =
                |distance: f64| self.tolerance() > 0.0 && (distance - f64::from(radius)).abs() < self.tolerance();
            let mut expected = self.distances(query, keep);
            expected.sort_by_key(|(id, _)| *id);
            let is_on_edge = |id: u64| expected.iter().any(|(other, distance)| *other == id && edge(*distance));
            let mut found: Vec<_> = found.iter().copied().filter(|n| !is_on_edge(n.id)).collect();
            found.sort_by_key(|n| n.id);
            let inside = |distance: f64| distance < f64::from(radius) && !edge(distance);
            let may_miss = self.range_may_miss();
            let is_found = |id: u64| found.iter().any(|neighbor| neighbor.id == id);
            let expected: Vec<_> = expected
                .iter()
                .copied()
                .filter(|(id, distance)| inside(*distance) && (!may_miss || is_found(*id)))
                .collect();
            self.assert_same(&found, &expected);
        }
    }

    pub(super) fn check_duplicate_ids_are_refused(&mut self) {
        if !self.has_own_ids() {
            return;
        }
        let (dim, taken, free) = (self.index.dim(), self.model[3].0, own_id(self.made));
        let two = vec![1.0; 2 * dim];
        let rows = Rows::new(&two, dim).expect("two vectors");
        let mut refused = |ids: &[u64]| self.index.add_with_ids(rows, ids).unwrap_err();
        assert!(matches!(refused(&[free, taken]), Error::DuplicateId { id } if id == taken));
        assert!(matches!(refused(&[free, free]), Error::RepeatedId { id } if id == free));
        assert!(matches!(refused(&[free, 1 << 63]), Error::IdTooLarge { id } if id == 1 << 63));
        assert!(matches!(refused(&[free]), Error::IdCount { vectors: 2, ids: 1 }));
    }

    /// The same neighbors at the same distances; where cosine rounds, equally near ones may stand for each other.
    fn assert_same(&self, found: &[Neighbor], expected: &[(u64, f64)]) {
        let tolerance = self.tolerance();
        assert_eq!(found.len(), expected.len());
        for (neighbor, (id, distance)) in found.iter().zip(expected) {
            let difference = (f64::from(neighbor.distance) - distance).abs();
            assert!(difference <= tolerance, "{neighbor:?} but expected {id} at {distance}");
            assert!(
                neighbor.id == *id || tolerance > 0.0,
                "{neighbor:?} but expected {id} at {distance}"
            );
        }
        let mut ids: Vec<_> = found.iter().map(|n| n.id).collect();
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "an id twice");
    }

    /// Ids and distances of the selected vectors, in the order in which they were added.
    fn distances(&self, query: &[f32], keep: &IdSelector<'_>) -> Vec<(u64, f64)> {
        let selected = self.model.iter().filter(|(id, _)| keep.contains(*id));
        if is_estimate(&self.spec) {
            let estimates = self.estimates(query);
            return selected.map(|(id, _)| (*id, estimates[id])).collect();
        }
        let distances = selected.map(|(id, vector)| (*id, self.distance(query, vector)));
        // What cannot be compared is never found.
        distances.filter(|(_, distance)| !distance.is_nan()).collect()
    }

    /// What the index itself thinks of every vector.
    fn estimates(&self, query: &[f32]) -> HashMap<u64, f64> {
        let query = Rows::new(query, self.index.dim()).expect("one query");
        let all = self
            .index
            .range_search(query, &self.range_request(f32::INFINITY))
            .unwrap();
        let estimates = all.row(0).iter().map(|n| (n.id, f64::from(n.distance)));
        estimates.collect()
    }

    fn distance(&self, query: &[f32], vector: &[f32]) -> f64 {
        match self.index.metric() {
            Metric::Cosine if !self.is_exact() => {
                // Codes stand for unit vectors and are taken by their word.
                let length = -distance(Metric::InnerProduct, query, query);
                let product = -distance(Metric::InnerProduct, query, vector);
                1.0 - product / length.sqrt().max(f64::MIN_POSITIVE)
            }
            metric => distance(metric, query, vector),
        }
    }

    fn tolerance(&self) -> f64 {
        match self.index.metric() {
            Metric::Cosine => TOLERANCE,
            _ if self.is_exact() => 0.0,
            // Squared lengths of the vectors here, and then some.
            _ => TOLERANCE * 100.0 * self.index.dim() as f64,
        }
    }
}

/// Ids in no order and with gaps, each once for the first 5,003 vectors: 5,003 is a prime.
fn own_id(made: u64) -> u64 {
    (made * 7_919) % 5_003 + 1
}

/// Small integers that look random; every eleventh vector is zero.
fn vector(number: u64, dim: usize) -> Vec<f32> {
    let component = |i: usize| {
        let mixed =
            (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (i as u64 + 1).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed.wrapping_mul(0x94d0_49bb_1331_11eb) >> 40) % 9
    };
    let scale = if number % 11 == 10 { 0.0 } else { 1.0 };
    (0..dim).map(|i| scale * (component(i) as f32 - 4.0)).collect()
}

/// Metrics as they are defined.
fn distance(metric: Metric, x: &[f32], y: &[f32]) -> f64 {
    let pairs = || x.iter().zip(y).map(|(x, y)| (f64::from(*x), f64::from(*y)));
    let product: f64 = pairs().map(|(x, y)| x * y).sum();
    match metric {
        Metric::L2 => pairs().map(|(x, y)| (x - y).powi(2)).sum(),
        Metric::InnerProduct => -product,
        Metric::Cosine => {
            let length = |v: &[f32]| v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            let lengths = length(x) * length(y);
            if lengths == 0.0 { 1.0 } else { 1.0 - product / lengths }
        }
        Metric::L1 => pairs().map(|(x, y)| (x - y).abs()).sum(),
        Metric::Linf => pairs().map(|(x, y)| (x - y).abs()).fold(0.0, f64::max),
        // The kernels have an oracle of their own.
        other => f64::from(other.distance(x, y)),
    }
}
