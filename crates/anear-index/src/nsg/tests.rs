//! What this graph must do beside what every index must: lead to everything, find enough, be the same on any number of
//! threads.

use anear_kernels::{IdSelector, Metric, Rows};
use anear_pool::Pool;
use anear_quant::Training;

use super::Nsg;
use crate::compat::faiss::{read_index, write_index};
use crate::{Add as _, Error, Flat, IndexSpec, Merge as _, NsgSpec, SearchRequest, VectorIndex, VectorIndexExt as _};

const DIM: usize = 12;

/// Vectors around some centers, in no order.
fn clustered(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f32 / (1u64 << 31) as f32
    };
    let mut vectors = Vec::new();
    for _ in 0..count {
        let cluster = (random() * 30.0) as usize;
        vectors.extend((0..DIM).map(|i| ((cluster * 37 + i * 101) % 17) as f32 / 8.0 + random() + random()));
    }
    vectors
}

fn rows(vectors: &[f32]) -> Rows<'_> {
    Rows::new(vectors, DIM).unwrap()
}

fn empty(r: usize) -> Nsg {
    let spec = NsgSpec {
        r,
        codes: anear_quant::QuantizerSpec::Raw,
    };
    Nsg::train(&spec, Metric::L2, rows(&[]), &Training::default()).unwrap()
}

fn filled(vectors: &[f32]) -> Nsg {
    let mut index = empty(12);
    index.add_on(rows(vectors), None).unwrap();
    index
}

/// The share of the ten nearest that a search of this width finds.
fn recall(index: &dyn VectorIndex, vectors: &[f32], width: f64) -> f64 {
    let queries = clustered(60, 99);
    let mut flat = Flat::new(DIM, Metric::L2).unwrap();
    flat.add(rows(vectors)).unwrap();
    let expected = flat.search(rows(&queries), &SearchRequest::new(10)).unwrap();
    let request = SearchRequest::new(10).with("search_L", width);
    let found = index.search(rows(&queries), &request).unwrap();
    let pairs = found.iter().zip(expected.iter());
    let hits = pairs.map(|(found, expected)| found.iter().filter(|n| expected.iter().any(|e| e.id == n.id)).count());
    hits.sum::<usize>() as f64 / 600.0
}

/// How many nodes the links lead to, from where searches begin.
fn reachable(index: &Nsg) -> usize {
    let graph = index.graph();
    let mut reached = vec![false; graph.len()];
    let mut open: Vec<u32> = graph.entry_point().into_iter().collect();
    while let Some(node) = open.pop() {
        if !std::mem::replace(&mut reached[node as usize], true) {
            open.extend(graph.links(node, 0));
        }
    }
    reached.iter().filter(|reached| **reached).count()
}

#[test]
fn the_middle_leads_to_every_node_and_few_links_find_most_neighbors() {
    let vectors = clustered(5_000, 1);
    let index = filled(&vectors);
    assert_eq!(reachable(&index), 5_000);
    let graph = index.graph();
    assert!((0..5_000).all(|node| graph.links(node, 0).len() <= 12 && !graph.links(node, 0).contains(&node)));
    let found = recall(&index, &vectors, 48.0);
    assert!(found > 0.97, "{found}");
}

#[test]
fn searches_begin_at_the_vector_nearest_to_the_mean() {
    let vectors = clustered(900, 5);
    let index = filled(&vectors);
    let mean: Vec<f64> = (0..DIM)
        .map(|i| vectors.iter().skip(i).step_by(DIM).map(|x| f64::from(*x)).sum::<f64>() / 900.0)
        .collect();
    let distance = |vector: &[f32]| -> f64 { vector.iter().zip(&mean).map(|(x, m)| (f64::from(*x) - m).powi(2)).sum() };
    let nearest = (0..900).min_by(|a, b| distance(rows(&vectors).row(*a)).total_cmp(&distance(rows(&vectors).row(*b))));
    assert_eq!(index.graph().entry_point(), nearest.map(|node| node as u32));
}

#[test]
fn the_graph_is_the_same_on_any_number_of_threads() {
    let vectors = clustered(4_500, 3);
    let build = |pool: Option<&Pool>| {
        let mut index = empty(8);
        for part in [0..1, 1..4_000, 4_000..4_500] {
            index.add_on(rows(&vectors).slice(part), pool).unwrap();
        }
        index
    };
    let alone = build(None);
    for threads in [2, 3] {
        let pool = Pool::new(threads).unwrap();
        assert!(build(Some(&pool)).graph() == alone.graph(), "{threads} threads");
    }
}

#[test]
fn vectors_that_come_later_are_found_as_those_before() {
    let vectors = clustered(5_000, 2);
    let mut index = filled(&vectors[..4_000 * DIM]);
    for part in [4_000..4_001, 4_001..4_100, 4_100..5_000] {
        index.add_on(rows(&vectors).slice(part), None).unwrap();
    }
    let found = recall(&index, &vectors, 48.0);
    assert!(found > 0.96, "{found}");
    // Each new vector is found where it is.
    let request = SearchRequest::new(1).with("search_L", 48.0);
    let found = index.search(rows(&vectors).slice(4_000..5_000), &request).unwrap();
    let hits = (4_000..)
        .zip(found.iter())
        .filter(|(id, found)| found[0].id == *id)
        .count();
    assert!(hits >= 990, "{hits}");
}

#[test]
fn what_is_left_is_found_when_most_is_removed_and_the_graph_is_built_anew() {
    let vectors = clustered(4_000, 4);
    let mut index = filled(&vectors);
    let middle = u64::from(index.graph().entry_point().unwrap());
    index.remove(&IdSelector::Sorted(&[middle])).unwrap();
    assert_ne!(index.graph().entry_point(), Some(middle as u32));
    index.remove(&IdSelector::Range(0..1_500)).unwrap();
    let mut other = filled(&vectors[..3_000 * DIM]);
    let offset = index.merge_offset();
    index.merge_from(&mut other, offset, None).unwrap();
    assert!(other.is_empty());
    assert_eq!(reachable(&index), index.len());
    let request = SearchRequest::new(1).with("search_L", 48.0);
    let found = index.search(rows(&vectors).slice(0..1_000), &request).unwrap();
    let hits = (offset..).zip(found.iter()).filter(|(id, found)| found[0].id == *id);
    assert!(hits.count() >= 990);
}

#[test]
fn files_that_contradict_themselves_are_refused() {
    let vectors = clustered(20, 6);
    let spec: IndexSpec = "NSG4,Flat".parse().unwrap();
    let mut index = spec.build(DIM, Metric::L2).unwrap();
    index.add(rows(&vectors)).unwrap();
    let file = write_index(&*index).unwrap();
    assert!(file.starts_with(b"INSf"));
    // After the code, 33 bytes of header and 21 of how it was built.
    let at = 4 + 33 + 21;
    let refused = |offset: usize, number: i32| {
        let mut file = file.clone();
        file[at + offset..][..4].copy_from_slice(&number.to_le_bytes());
        read_index(&file).is_err()
    };
    assert!(read_index(&file).is_ok());
    for (offset, number) in [
        (0, 19),
        (0, -1),
        (4, 1),
        (4, 1 << 20),
        (16, 0),
        (20, 20),
        (20, -1),
        (25, 20),
        (25, -2),
    ] {
        assert!(refused(offset, number), "{number} at {offset}");
    }
    (0..file.len()).for_each(|len| assert!(read_index(&file[..len]).is_err(), "cut at {len}"));
}

#[test]
fn places_that_links_do_not_bear_out_are_neither_written_nor_read() {
    // All vectors are alike: nodes have few links.
    let vectors = vec![1.0; 600 * DIM];
    let spec: IndexSpec = "NSG512,Flat".parse().unwrap();
    let mut index = spec.build(DIM, Metric::L2).unwrap();
    index.add(rows(&vectors)).unwrap();
    match write_index(&*index) {
        Ok(file) => assert_eq!(read_index(&file).unwrap().len(), 600),
        Err(error) => assert!(matches!(error, Error::Unsupported { .. }), "{error}"),
    }
}
