//! What a graph must do beside what every index must: find enough, the same on any number of threads, whatever was
//! added, removed or filtered.

use std::sync::Arc;

use anear_bytes::AlignedBytes;
use anear_kernels::{IdSelector, Metric, Rows};
use anear_pool::Pool;
use anear_quant::{Codes, Layout, Quantizer, QuantizerSpec, Raw, Scorer, Training};

use super::Hnsw;
use crate::{
    Add as _, Error, Flat, HnswSpec, IndexSpec, Mapping, Merge as _, Neighbors, RangeRequest, SearchRequest,
    VectorIndex, VectorIndexExt as _, from_bytes, to_bytes,
};

const DIM: usize = 16;

/// Vectors around some centers, in no order.
fn clustered(count: usize, seed: u64) -> Vec<f32> {
    const CLUSTERS: u64 = 40;
    let mut state = seed;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f32 / (1u64 << 31) as f32
    };
    let mut vectors = Vec::new();
    for _ in 0..count {
        let cluster = (random() * CLUSTERS as f32) as u64;
        let center = |i: usize| ((cluster * 37 + i as u64 * 101) % 17) as f32 / 8.0;
        vectors.extend((0..DIM).map(|i| center(i) + random() + random() - 1.0));
    }
    vectors
}

fn rows(vectors: &[f32]) -> Rows<'_> {
    Rows::new(vectors, DIM).unwrap()
}

fn empty(metric: Metric) -> Hnsw {
    Hnsw::new(Arc::new(Raw::new(DIM)), metric, 8, 7).unwrap()
}

fn filled(vectors: &[f32]) -> Hnsw {
    let mut index = empty(Metric::L2);
    index.add_on(rows(vectors), None).unwrap();
    index
}

/// The share of what comparing everything finds.
fn recall(index: &dyn VectorIndex, vectors: &[f32], queries: &[f32], request: &SearchRequest<'_>) -> f64 {
    let mut flat = Flat::new(DIM, index.metric()).unwrap();
    flat.add(rows(vectors)).unwrap();
    let exact = SearchRequest {
        knobs: Default::default(),
        ..request.clone()
    };
    let expected = flat.search(rows(queries), &exact).unwrap();
    let found = index.search(rows(queries), request).unwrap();
    share(&found, &expected)
}

fn share(found: &Neighbors, expected: &Neighbors) -> f64 {
    let (mut hits, mut all) = (0, 0);
    for (found, expected) in found.iter().zip(expected.iter()) {
        all += expected.len();
        hits += found.iter().filter(|n| expected.iter().any(|e| e.id == n.id)).count();
    }
    hits as f64 / all as f64
}

fn assert_at_least(share: f64, least: f64) {
    assert!(share >= least, "{share} of the neighbors are found, expected {least}");
}

#[test]
fn most_neighbors_are_found_by_every_metric_of_a_norm() {
    let (vectors, queries) = (clustered(3_000, 1), clustered(50, 2));
    for metric in [
        Metric::L2,
        Metric::InnerProduct,
        Metric::Cosine,
        Metric::L1,
        Metric::Linf,
    ] {
        let mut index = empty(metric);
        index.add_on(rows(&vectors), None).unwrap();
        let request = SearchRequest::new(10).with("efSearch", 50.0);
        assert_at_least(recall(&index, &vectors, &queries, &request), 0.97);
    }
}

#[test]
fn codes_are_searched_as_vectors_are() {
    let (vectors, queries) = (clustered(3_000, 1), clustered(50, 2));
    let spec: IndexSpec = "HNSW8,SQ8".parse().unwrap();
    let mut index = spec.train(Metric::L2, rows(&vectors), &Training::default()).unwrap();
    index.add(rows(&vectors)).unwrap();
    let request = SearchRequest::new(10).with("ef_search", 50.0);
    assert_at_least(recall(&*index, &vectors, &queries, &request), 0.9);
    let restored = from_bytes(&to_bytes(&*index)).unwrap();
    assert_eq!(
        restored.search(rows(&queries), &request).unwrap(),
        index.search(rows(&queries), &request).unwrap()
    );
}

#[test]
fn the_graph_is_the_same_on_any_number_of_threads() {
    let vectors = clustered(4_000, 3);
    let build = |pool: Option<&Pool>| {
        let mut index = empty(Metric::L2);
        for part in [0..1, 1..700, 700..4_000] {
            index.add_on(rows(&vectors).slice(part), pool).unwrap();
        }
        index
    };
    let alone = build(None);
    for threads in [1, 2, 7] {
        let pool = Pool::new(threads).unwrap();
        assert!(build(Some(&pool)).graph() == alone.graph(), "{threads} threads");
    }
    let mut other_seed = Hnsw::new(Arc::new(Raw::new(DIM)), Metric::L2, 8, 8).unwrap();
    other_seed.add_on(rows(&vectors), None).unwrap();
    assert!(other_seed.graph() != alone.graph());
}

#[test]
fn vectors_that_come_cluster_by_cluster_are_found() {
    let vectors = clustered(4_000, 4);
    let mut sorted: Vec<&[f32]> = rows(&vectors).iter().collect();
    sorted.sort_by(|a, b| a[..4].partial_cmp(&b[..4]).unwrap());
    let sorted = sorted.concat();
    let mut index = empty(Metric::L2);
    for start in (0..4_000).step_by(80) {
        index.add_on(rows(&sorted).slice(start..start + 80), None).unwrap();
    }
    let request = SearchRequest::new(10).with("ef_search", 50.0);
    assert_at_least(recall(&index, &sorted, &clustered(50, 5), &request), 0.97);
}

#[test]
fn equal_vectors_do_not_hide_the_others() {
    let mut vectors = clustered(2_000, 6);
    vectors[DIM * 300..DIM * 900].fill(0.5);
    let index = filled(&vectors);
    let request = SearchRequest::new(10).with("ef_search", 50.0);
    // The equal ones are far from most queries; which of them are found is their own affair.
    let queries = [&vectors[..DIM * 30], &vectors[DIM * 1_900..]].concat();
    assert_at_least(recall(&index, &vectors, &queries, &request), 0.95);
}

#[test]
fn filters_of_every_selectivity_leave_recall_as_it_is() {
    let (vectors, queries) = (clustered(6_000, 8), clustered(40, 9));
    let index = filled(&vectors);
    for one_in in [1, 2, 5, 10, 50, 200, 1_000, 6_000] {
        let rule = |id: u64| id % one_in == 3 % one_in;
        let request = SearchRequest::new(10)
            .with("ef_search", 40.0)
            .selecting(IdSelector::Custom(&rule));
        let found = index.search(rows(&queries), &request).unwrap();
        assert!(found.iter().flatten().all(|neighbor| rule(neighbor.id)));
        let expected = 10.min(6_000 / one_in as usize);
        assert!(found.iter().all(|row| row.len() == expected), "one in {one_in}");
        assert_at_least(recall(&index, &vectors, &queries, &request), 0.96);
    }
}

#[test]
fn after_half_was_removed_recall_is_that_of_a_fresh_graph() {
    let (vectors, queries) = (clustered(4_000, 10), clustered(50, 11));
    let removed = |id: u64| id * 7 % 20 < 9;
    let request = SearchRequest::new(10).with("ef_search", 30.0);
    let kept: Vec<f32> = (0..)
        .zip(rows(&vectors))
        .filter(|(id, _)| !removed(*id))
        .flat_map(|(_, v)| v)
        .copied()
        .collect();
    let fresh = recall(&filled(&kept), &kept, &queries, &request);

    let at_once = || {
        let mut index = filled(&vectors);
        assert_eq!(index.remove(&IdSelector::Custom(&removed)).unwrap(), 1_800);
        index
    };
    let one_by_one = || {
        let mut index = filled(&vectors);
        for id in (0..4_000).filter(|id| removed(*id)) {
            assert_eq!(index.remove(&IdSelector::Range(id..id + 1)).unwrap(), 1);
        }
        index
    };
    for index in [at_once(), one_by_one()] {
        assert_eq!(index.len(), 2_200);
        let rule = |id: u64| !removed(id);
        let found = index.search(rows(&queries), &request).unwrap();
        assert!(found.iter().flatten().all(|neighbor| rule(neighbor.id)));
        let selecting = request.clone().selecting(IdSelector::Custom(&rule));
        assert_at_least(recall(&index, &vectors, &queries, &selecting), 0.97 * fresh);
    }
}

#[test]
fn ids_survive_the_moving_together_of_what_is_left() {
    let vectors = clustered(1_000, 12);
    let mut index = filled(&vectors);
    let request = SearchRequest::new(1).with("ef_search", 50.0);
    let rule = |id: u64| id % 5 != 2;
    assert_eq!(index.remove(&IdSelector::Custom(&rule)).unwrap(), 800);
    assert_eq!((index.len(), index.codes().len()), (200, 200), "moved together");
    for id in (2..1_000).step_by(5) {
        let vector = rows(&vectors).slice(id..id + 1);
        assert_eq!(index.search(vector, &request).unwrap().row(0)[0].id, id as u64);
        assert_eq!(index.reconstruct(id as u64).unwrap(), vector.as_slice());
    }
    let restored = from_bytes(&to_bytes(&index)).unwrap();
    assert_eq!(to_bytes(&*restored), to_bytes(&index));
    assert_eq!(
        index.add(rows(&vectors).slice(0..2)).unwrap(),
        1_000..1_002,
        "ids are given once"
    );
    assert_eq!(
        index.search(rows(&vectors).slice(1..2), &request).unwrap().row(0)[0].id,
        1_001
    );
    assert_eq!(index.remove(&IdSelector::All).unwrap(), 202);
    assert!(index.is_empty() && index.graph().is_empty());
    assert_eq!(index.add(rows(&vectors).slice(0..1)).unwrap(), 1_002..1_003);
}

#[test]
fn a_graph_with_removed_vectors_comes_back_from_bytes() {
    let vectors = clustered(1_000, 13);
    let mut index = filled(&vectors);
    index.remove(&IdSelector::Range(100..300)).unwrap();
    index.set_knob("efSearch", 77.0).unwrap();
    index.set_knob("efConstruction", 33.0).unwrap();
    let mut restored = from_bytes(&to_bytes(&index)).unwrap();
    assert_eq!(restored.knob("ef_search"), Some(77.0));
    assert_eq!(restored.knob("ef_construction"), Some(33.0));
    let more = clustered(200, 14);
    assert_eq!(restored.add(rows(&more)).unwrap(), index.add(rows(&more)).unwrap());
    assert_eq!(to_bytes(&*restored), to_bytes(&index), "the same seed, the same graph");
}

#[test]
fn merged_vectors_are_found_under_raised_ids() {
    let (vectors, queries) = (clustered(2_000, 15), clustered(50, 16));
    let (mut index, mut other) = (filled(&vectors[..DIM * 1_200]), filled(&vectors[DIM * 1_200..]));
    other.remove(&IdSelector::Range(0..10)).unwrap();
    assert!(matches!(
        index.check_merge(&other, 1_189),
        Err(Error::DuplicateId { id: 1_199 })
    ));
    assert!(matches!(
        index.check_merge(&other, u64::MAX),
        Err(Error::IdTooLarge { .. })
    ));
    index.merge_from(&mut other, 1_200, None).unwrap();
    assert_eq!((index.len(), other.len()), (1_990, 0));
    let rule = |id: u64| !(1_200..1_210).contains(&id);
    let request = SearchRequest::new(10)
        .with("ef_search", 50.0)
        .selecting(IdSelector::Custom(&rule));
    assert_at_least(recall(&index, &vectors, &queries, &request), 0.97);
    assert_eq!(index.add(rows(&queries).slice(0..1)).unwrap(), 2_000..2_001);
}

#[test]
fn a_range_search_finds_what_lies_within_the_radius() {
    let (vectors, queries) = (clustered(4_000, 17), clustered(40, 18));
    let index = filled(&vectors);
    let mut flat = Flat::new(DIM, Metric::L2).unwrap();
    flat.add(rows(&vectors)).unwrap();
    for radius in [0.5, 2.0, 3.5, f32::INFINITY] {
        let request = RangeRequest::new(radius).selecting(IdSelector::Range(100..3_500));
        let found = index.range_search(rows(&queries), &request).unwrap();
        let expected = flat.range_search(rows(&queries), &request).unwrap();
        for row in found.iter() {
            assert!(row.is_sorted_by(|a, b| a.id < b.id));
            assert!(row.iter().all(|n| n.distance < radius && (100..3_500).contains(&n.id)));
        }
        assert_at_least(
            share(&found, &expected).max(f64::from(u8::from(expected.iter().all(<[_]>::is_empty)))),
            0.95,
        );
    }
}

/// Raw vectors that are said to lie in blocks.
#[derive(Debug)]
struct InBlocks(Raw);

impl Quantizer for InBlocks {
    fn spec(&self) -> QuantizerSpec {
        self.0.spec()
    }
    fn dim(&self) -> usize {
        self.0.dim()
    }
    fn code_len(&self) -> usize {
        self.0.code_len()
    }
    fn layout(&self) -> Layout {
        Layout::Blocks { nibbles: 2 }
    }
    fn supports(&self, metric: Metric) -> bool {
        self.0.supports(metric)
    }
    fn encode(&self, vectors: Rows<'_>, codes: &mut AlignedBytes) {
        self.0.encode(vectors, codes);
    }
    fn decode(&self, codes: &[u8], vectors: &mut Vec<f32>) {
        self.0.decode(codes, vectors);
    }
    fn scorer<'a>(&'a self, metric: Metric, query: &'a [f32]) -> Box<dyn Scorer + 'a> {
        self.0.scorer(metric, query)
    }
    fn save(&self) -> Vec<u8> {
        self.0.save()
    }
}

#[test]
fn what_no_graph_can_be_is_refused() {
    let refused = |quantizer: Arc<dyn Quantizer>, m| Hnsw::new(quantizer, Metric::L2, m, 1).unwrap_err().to_string();
    assert_eq!(
        refused(Arc::new(InBlocks(Raw::new(4))), 8),
        "graph index does not support codes that lie in blocks; choose a quantizer that is not made for fast scans"
    );
    for m in [0, 1, HnswSpec::M_MAX + 1] {
        let message = refused(Arc::new(Raw::new(4)), m);
        assert_eq!(
            message,
            format!("the number of links per vector must be between 2 and 4096, got {m}")
        );
    }
}

#[test]
fn codes_at_an_odd_place_of_a_file_are_searched_as_others() {
    let vectors = clustered(200, 5);
    let even = filled(&vectors);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("codes");
    std::fs::write(&path, [b"?", even.codes().as_bytes()].concat()).unwrap();
    let mapping = Mapping::open(&path).unwrap();
    let bytes = AlignedBytes::of(&mapping.as_slice()[1..], Some(&mapping)).unwrap();
    let codes = Codes::from_bytes(Layout::Rows, even.codes().code_len(), 200, bytes).unwrap();

    let quantizer = even.quantizer().clone();
    let odd = Hnsw::from_parts(quantizer.clone(), Metric::L2, codes.clone(), even.graph().clone()).unwrap();
    let request = SearchRequest::new(5);
    assert_eq!(
        odd.search(rows(&vectors), &request).unwrap(),
        even.search(rows(&vectors), &request).unwrap()
    );
    let flat = Flat::with_codes(quantizer, Metric::L2, codes).unwrap();
    assert_eq!(flat.rows().unwrap().as_slice(), vectors);
}
