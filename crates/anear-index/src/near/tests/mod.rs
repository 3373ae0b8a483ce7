//! The index beside a plain list: what it learns, finds, forgets and keeps.

use std::any::Any;

use anear_kernels::{IdSelector, Metric, Random, Rows};
use anear_pool::Pool;
use anear_quant::Codes;

use super::learned::Learned;
use super::links::Links;
use super::{LEARNED_MIN, Near, NearShape};
use crate::{Add, Error, SearchRequest, VectorIndex, VectorIndexExt as _, from_bytes, open_mapped, to_bytes};

mod filters;

const DIM: usize = 24;
const LEN: usize = 2 * LEARNED_MIN;
const K: usize = 10;

/// What there may be beside the vectors.
const BUILT: [NearShape; 3] = [NearShape::Lists, NearShape::Graph, NearShape::Lean];

/// Vectors around some middles, as those of real things are.
fn clustered(seed: u64, len: usize) -> Vec<f32> {
    around(64, 1.0, 0.4, seed, len)
}

/// Vectors around few middles far from each other: next to that, codes do not tell how far neighbors are.
fn far_clustered(seed: u64, len: usize) -> Vec<f32> {
    around(20, 60.0, 1.5, seed, len)
}

fn around(count: usize, apart: f64, within: f64, seed: u64, len: usize) -> Vec<f32> {
    let mut middles = Random::new(99);
    let middles: Vec<f32> = (0..count * DIM).map(|_| (apart * middles.normal()) as f32).collect();
    let mut random = Random::new(seed);
    let mut vectors = Vec::with_capacity(len * DIM);
    for _ in 0..len {
        let middle = random.below(count) * DIM;
        vectors.extend(
            middles[middle..middle + DIM]
                .iter()
                .map(|x| x + (within * random.normal()) as f32),
        );
    }
    vectors
}

/// So many vectors of a seed.
type Vectors = fn(u64, usize) -> Vec<f32>;

/// Everything that is built, of vectors that codes tell apart, and lists of others.
fn built_and_read_by_vectors() -> [(NearShape, Vectors); 4] {
    let [a, b, c]: [(NearShape, Vectors); 3] = BUILT.map(|shape| (shape, clustered as Vectors));
    [a, b, c, (NearShape::Lists, far_clustered)]
}

fn rows(numbers: &[f32]) -> Rows<'_> {
    Rows::new(numbers, DIM).unwrap()
}

fn index(shape: NearShape, metric: Metric, base: &[f32]) -> Near {
    let mut index = Near::new(shape, DIM, metric, 7).unwrap();
    index.add(rows(base)).unwrap();
    index
}

/// The share of true neighbors among the selected that are found, by distance.
fn recall(index: &dyn VectorIndex, queries: &[f32], request: &SearchRequest<'_>) -> f64 {
    let all = request.clone().with("recall", 1.0).with("visits", 0.0);
    let queries = Rows::new(queries, index.dim()).unwrap();
    let truth = index.search(queries, &all).unwrap();
    let found = index.search(queries, request).unwrap();
    let mut hits = 0;
    for (truth, found) in truth.iter().zip(found.iter()) {
        let limit = truth.last().unwrap().distance;
        hits += found.iter().filter(|neighbor| neighbor.distance <= limit).count();
        assert_eq!(truth.len(), found.len());
    }
    hits as f64 / truth.iter().map(<[_]>::len).sum::<usize>() as f64
}

/// Rows or lists that searches read on average: none where all that is selected is compared.
fn visits(index: &Near, queries: &[f32], request: &SearchRequest<'_>) -> f64 {
    let visits = |query| {
        index.scratches.with(|scratch| scratch.visits = 0);
        index.search(query, request).unwrap();
        index.scratches.with(|scratch| scratch.visits)
    };
    let queries = Rows::new(queries, index.dim()).unwrap();
    let all: usize = (0..queries.len()).map(|i| visits(queries.slice(i..i + 1))).sum();
    all as f64 / queries.len() as f64
}

/// Each vector so many times one after the other: neighbors are the same, and comparing takes as many times longer.
fn widened(vectors: &[f32], times: usize) -> Vec<f32> {
    vectors.chunks(DIM).flat_map(|vector| vector.repeat(times)).collect()
}

#[test]
fn a_recall_that_is_asked_for_is_reached_in_every_shape_and_metric() {
    let (base, queries) = (clustered(1, LEN), clustered(2, 300));
    for shape in NearShape::ALL {
        for metric in [Metric::L2, Metric::InnerProduct] {
            let index = index(shape, metric, &base);
            let has_graph = matches!(shape, NearShape::Graph | NearShape::Lean);
            assert_eq!(index.built(), (true, has_graph), "{}", index.explain());
            for wanted in [0.8, 0.95, 0.99] {
                let got = recall(&index, &queries, &SearchRequest::new(K).with("recall", wanted));
                assert!(got > wanted - 0.02, "{shape:?} by {metric}: {got} for {wanted}");
            }
            let many = recall(&index, &queries, &SearchRequest::new(150));
            assert!(many > 0.93, "{shape:?} by {metric}: {many} of 150");
        }
    }
}

#[test]
fn neighbors_that_codes_do_not_tell_apart_are_told_apart_by_vectors() {
    let wholes = |numbers: Vec<f32>| {
        numbers
            .into_iter()
            .map(|x| (x + 120.0).clamp(0.0, 255.0).round())
            .collect()
    };
    let halves = |numbers: Vec<f32>| numbers.into_iter().map(|x| (4.0 * x).round() / 4.0).collect();
    let [base, queries] = [(1, LEN), (2, 300)].map(|(seed, len)| far_clustered(seed, len));
    for [base, queries] in [
        [wholes(base.clone()), wholes(queries.clone())],
        [halves(base.clone()), halves(queries.clone())],
        [base, queries],
    ] {
        let index = index(NearShape::Lists, Metric::L2, &base);
        assert!(index.explain().contains("all vectors in them"), "{}", index.explain());
        for wanted in [0.9, 0.95, 0.99] {
            let request = SearchRequest::new(K).with("recall", wanted);
            let got = recall(&index, &queries, &request);
            assert!(got > wanted - 0.015, "{got} for {wanted}");
            let visits = visits(&index, &queries, &request);
            assert!((1.0..20.0).contains(&visits), "{visits}: {}", index.explain());
        }
        let got = recall(&index, &queries, &SearchRequest::new(150));
        assert!(got > 0.93, "{got} of 150");
        // Who tells how far to look finds no less where more recall is asked for than was measured.
        let told = SearchRequest::new(K).with("visits", 8.0).with("candidates", 20.0);
        let [usual, more] = [0.95, 0.99999].map(|asked| recall(&index, &queries, &told.clone().with("recall", asked)));
        assert!(more >= usual, "{more} and {usual}");
        let again = from_bytes(&to_bytes(&index)).unwrap();
        let found = |index: &dyn VectorIndex| index.search(rows(&queries), &SearchRequest::new(K)).unwrap();
        assert_eq!(found(&*again), found(&index));
    }
    let index = index(NearShape::Auto, Metric::L2, &far_clustered(1, 3 * LEN));
    let why = "codes do not tell neighbors apart: for a recall of 0.95";
    assert!(index.explain().contains(why), "{}", index.explain());
}

#[test]
fn a_graph_is_built_within_the_bytes_that_are_given_to_a_vector() {
    // Nothing but noise, in which a walk leads nowhere.
    let mut random = Random::new(3);
    let base: Vec<f32> = (0..3 * LEN * 128).map(|_| random.normal() as f32).collect();
    let built = |shape| {
        let mut index = Near::new(shape, 128, Metric::L2, 7).unwrap();
        index.add(Rows::new(&base, 128).unwrap()).unwrap();
        index
    };
    let graph = built(NearShape::Graph);
    let learned = graph.learned.as_ref().unwrap();
    let links = learned.links.as_ref().unwrap();
    let beside = graph.exact.row_len() + learned.code.code_len();
    let fitting = |bytes: usize| {
        let shapes = learned.row_shapes(NearShape::Within(bytes as u32), &graph.exact);
        shapes
            .into_iter()
            .map(|shape| shape.bytes_per_slot())
            .collect::<Vec<_>>()
    };
    let [wide, narrow] = fitting(usize::from(u16::MAX))[..] else {
        panic!("rows of 64 and of 32 links")
    };
    assert!(wide > narrow && [wide, narrow].contains(&links.shape().bytes_per_slot()));
    assert_eq!(fitting(beside + wide - 1), [narrow]);
    let lean = fitting(beside + narrow - 1);
    assert!(lean.len() == 2 && lean[0] > lean[1] && lean[0] < narrow / 2, "{lean:?}");
    assert_eq!(fitting(beside + lean[0] - 1), lean[1..]);
    assert!(fitting(beside + lean[1] - 1).is_empty());
    for (shape, why) in [
        (NearShape::Auto, "walks over a graph save nothing"),
        (NearShape::Within(64), "within 64 bytes a vector"),
    ] {
        let index = built(shape);
        assert!(!index.built().1 && index.explain().contains(why), "{}", index.explain());
    }
}

#[test]
fn a_recall_of_one_is_what_sorting_all_distances_says() {
    let (base, queries) = (clustered(1, LEN), clustered(2, 20));
    for metric in [Metric::L2, Metric::InnerProduct] {
        let index = index(NearShape::Graph, metric, &base);
        let found = index
            .search(rows(&queries), &SearchRequest::new(K).with("recall", 1.0))
            .unwrap();
        for (query, found) in rows(&queries).iter().zip(found.iter()) {
            let mut all: Vec<(f32, u64)> = rows(&base)
                .iter()
                .zip(0..)
                .map(|(row, id)| (metric.distance(query, row), id))
                .collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0));
            let want: Vec<f32> = all[..K].iter().map(|(distance, _)| *distance).collect();
            assert_eq!(found.iter().map(|neighbor| neighbor.distance).collect::<Vec<_>>(), want);
        }
    }
}

#[test]
fn few_vectors_are_all_compared_and_more_are_learned_from() {
    let base = clustered(1, LEN);
    let mut index = Near::new(NearShape::Auto, DIM, Metric::L2, 7).unwrap();
    let part = 100 * DIM;
    for (i, some) in base.chunks(part).enumerate() {
        let ids = index.add(rows(some)).unwrap();
        assert_eq!(ids.start, i as u64 * 100);
        assert_eq!(index.built().0, index.len() >= LEARNED_MIN, "{}", index.len());
        let request = SearchRequest::new(1).with("recall", 0.999);
        let found = index.search(rows(&some[..DIM]), &request).unwrap();
        assert_eq!(found.row(0)[0].id, ids.start, "of {}", index.len());
    }
    assert!(index.explain().contains("lists"), "{}", index.explain());
    index.set_knob("visits", 3.0).unwrap();
    assert!(
        index.explain().ends_with("it was told visits = 3"),
        "{}",
        index.explain()
    );
}

#[test]
fn vectors_come_and_go_for_twenty_rounds_and_recall_stays() {
    let (base, queries) = (clustered(1, LEN), clustered(2, 400));
    let mut random = Random::new(11);
    for shape in BUILT {
        let mut index = index(shape, Metric::L2, &base);
        for round in 0..20 {
            let gone: Vec<u64> = index
                .ids
                .iter()
                .map(|(id, _)| id)
                .filter(|_| random.unit() < 0.05)
                .collect();
            assert_eq!(index.remove(&IdSelector::Sorted(&gone)).unwrap(), gone.len());
            index.add(rows(&clustered(100 + round, LEN - index.len()))).unwrap();
            assert_eq!(index.len(), LEN);
            let found = index.search(rows(&queries), &SearchRequest::new(K)).unwrap();
            assert!(
                found
                    .iter()
                    .flatten()
                    .all(|neighbor| gone.binary_search(&neighbor.id).is_err())
            );
        }
        let mut fresh = Vec::new();
        index
            .ids
            .iter()
            .for_each(|(_, slot)| index.exact.decode(slot, &mut fresh));
        let fresh = self::index(shape, Metric::L2, &fresh);
        let request = SearchRequest::new(K).with("recall", 0.98);
        let (got, want) = (recall(&index, &queries, &request), recall(&fresh, &queries, &request));
        assert!(got > 0.97, "{shape:?}: {got}");
        assert!(got > want - 0.01, "{shape:?}: {got}, built anew {want}");
        // What was removed is passed through, or read.
        let (made, anew) = (visits(&index, &queries, &request), visits(&fresh, &queries, &request));
        let more = index.ids.slots() as f64 / index.len() as f64;
        assert!(made < 2.0 * more * anew, "{shape:?}: {made} visits, built anew {anew}");
    }
}

#[test]
fn recall_stays_while_vectors_come() {
    for (shape, vectors) in built_and_read_by_vectors() {
        let (all, queries) = (vectors(1, 3 * LEN), vectors(2, 400));
        let mut index = index(shape, Metric::L2, &all[..2 * LEN * DIM]);
        index.add(rows(&all[2 * LEN * DIM..][..(LEN - 10) * DIM])).unwrap();
        assert!(
            index.explain().contains(&format!("{} came since", LEN - 10)),
            "{}",
            index.explain()
        );
        for (k, wanted) in [(K, 0.9), (K, 0.95), (K, 0.99), (100, 0.95)] {
            let got = recall(&index, &queries, &SearchRequest::new(k).with("recall", wanted));
            assert!(got > wanted - 0.01, "{shape:?}, {k} neighbors, {wanted}: {got}");
        }
    }
}

#[test]
fn threads_and_batches_change_nothing() {
    let (base, queries) = (clustered(1, LEN), clustered(2, 50));
    let pool = Pool::new(3).unwrap();
    for shape in NearShape::ALL {
        let alone = index(shape, Metric::InnerProduct, &base);
        let mut together = Near::new(shape, DIM, Metric::InnerProduct, 7).unwrap();
        Add::add_on(&mut together, rows(&base), Some(&pool)).unwrap();
        assert!(to_bytes(&alone) == to_bytes(&together), "{shape:?}");
        let request = SearchRequest::new(K);
        let all = alone.search(rows(&queries), &request).unwrap();
        assert_eq!(
            together.search(rows(&queries), &request.clone().on(&pool)).unwrap(),
            all
        );
        for (i, query) in queries.chunks(DIM).enumerate() {
            assert_eq!(alone.search(rows(query), &request).unwrap().row(0), all.row(i));
        }
    }
}

#[test]
fn saved_and_mapped_it_answers_the_same_and_goes_on() {
    let (base, queries) = (clustered(1, LEN), clustered(2, 50));
    let dir = tempfile::tempdir().unwrap();
    for shape in NearShape::ALL {
        let mut index = index(shape, Metric::L2, &base);
        index.remove(&IdSelector::Range(10..100)).unwrap();
        index.set_knob("recall", 0.9).unwrap();
        let (path, bytes) = (dir.path().join(shape.to_string()), to_bytes(&index));
        std::fs::write(&path, &bytes).unwrap();
        let request = SearchRequest::new(K);
        let want = index.search(rows(&queries), &request).unwrap();
        let mut mapped = open_mapped(&path, crate::Verify::Everything).unwrap();
        assert_eq!(mapped.memory().owned, 0);
        index.add(rows(&queries)).unwrap();
        for other in [&mut from_bytes(&bytes).unwrap(), &mut mapped] {
            assert_eq!(other.knob("recall"), Some(0.9));
            assert_eq!(other.search(rows(&queries), &request).unwrap(), want);
            other.add(rows(&queries)).unwrap();
            assert!(to_bytes(&**other) == to_bytes(&index), "{shape:?}");
        }
    }
}

#[test]
fn lists_that_are_in_no_order_are_refused() {
    let index = index(NearShape::Lists, Metric::L2, &clustered(1, LEARNED_MIN + 10));
    let mut damaged = index.clone();
    damaged.learned.as_mut().unwrap().lists.middle_slots[0] = u32::MAX - 5;
    assert!(from_bytes(&to_bytes(&damaged)).is_err(), "a middle that is not there");
    let mut damaged = index;
    damaged.learned.as_mut().unwrap().lists.starts[1] = 0;
    assert!(from_bytes(&to_bytes(&damaged)).is_err(), "lists in no order");
}

#[test]
fn rows_and_codes_of_another_number_are_refused() {
    let base = clustered(1, LEARNED_MIN + 10);
    for shape in [NearShape::Graph, NearShape::Lean] {
        let index = index(shape, Metric::L2, &base);
        let learned = index.learned.as_ref().unwrap();
        let links = learned.links.as_ref().unwrap();
        let again = |fewer_rows: usize, fewer_codes: usize| {
            let codes = links.slot_codes().map(|codes| codes.as_bytes());
            Links::from_bytes(
                &learned.code,
                links.shape().degree(),
                links.len(),
                links.as_bytes()[fewer_rows..].into(),
                codes.map(|codes| codes[fewer_codes.min(codes.len())..].into()),
            )
        };
        assert!(again(0, 0).is_ok());
        assert!(again(1, 0).is_err() && again(links.as_bytes().len(), 0).is_err());
        assert_eq!(again(0, 1).is_err(), shape == NearShape::Lean);
        assert_eq!(again(0, usize::MAX).is_err(), shape == NearShape::Lean);
    }
}

#[test]
fn damaged_graphs_answer_without_a_panic() {
    let base = clustered(1, LEARNED_MIN + 10);
    for shape in [NearShape::Graph, NearShape::Lean] {
        let index = index(shape, Metric::L2, &base);
        for nonsense in [0x00, 0xa5, 0xff] {
            // Links alone, which are behind the codes; then whole rows.
            for len in [4 * 32, usize::MAX] {
                let mut damaged = index.clone();
                let links = damaged.learned.as_mut().unwrap().links.as_mut().unwrap();
                for slot in 0..LEARNED_MIN {
                    let (_, row) = links.rows_mut(slot..slot + 1);
                    let start = row.len().saturating_sub(len);
                    row[start..].fill(nonsense);
                }
                answers_and_goes_on(&damaged, &base);
            }
            let mut damaged = index.clone();
            let learned = damaged.learned.as_mut().unwrap();
            let links = learned.links.as_ref().unwrap();
            let codes = links.slot_codes().map(|codes| vec![nonsense; codes.as_bytes().len()]);
            let codes = codes.map(|codes| codes.as_slice().into());
            let (degree, rows) = (links.shape().degree(), links.as_bytes().into());
            learned.links = Some(Links::from_bytes(&learned.code, degree, links.len(), rows, codes).unwrap());
            answers_and_goes_on(&damaged, &base);
        }
    }
}

#[test]
fn damaged_centroids_answer_without_a_panic() {
    let base = clustered(1, LEARNED_MIN + 10);
    for nonsense in [0x00, 0xa5, 0xff] {
        let mut damaged = index(NearShape::Lists, Metric::L2, &base);
        let Learned { code, lists, .. } = damaged.learned.as_mut().unwrap();
        let bytes = vec![nonsense; lists.centroids.as_bytes().len()];
        let len = lists.len();
        lists.centroids = Codes::from_bytes(code.layout(), code.code_len(), len, bytes.as_slice().into()).unwrap();
        answers_and_goes_on(&damaged, &base);
        let odd: Vec<u64> = (0..LEARNED_MIN as u64).filter(|id| id % 2 == 1).collect();
        for request in [
            SearchRequest::new(K).with("visits", 1e6).with("candidates", 50.0),
            SearchRequest::new(K).selecting(IdSelector::Sorted(&odd)),
        ] {
            let found = damaged.search(rows(&base[..DIM * 20]), &request).unwrap();
            assert!(found.iter().all(|found| found.len() == K));
        }
    }
}

fn answers_and_goes_on(damaged: &Near, base: &[f32]) {
    let mut again = from_bytes(&to_bytes(damaged)).unwrap();
    for _ in 0..2 {
        let found = again.search(rows(&base[..DIM * 20]), &SearchRequest::new(K)).unwrap();
        assert!(found.iter().all(|found| found.len() == K));
        again.add(rows(&base[..DIM * 20])).unwrap();
    }
}

#[test]
fn merged_indexes_hold_both() {
    let (base, more) = (clustered(1, LEN), clustered(3, 500));
    let (mut own, mut other) = (
        index(NearShape::Lists, Metric::L2, &base),
        index(NearShape::Auto, Metric::L2, &more),
    );
    own.merge(&mut other).unwrap();
    assert_eq!((own.len(), other.len()), (LEN + 500, 0));
    let found = own.search(rows(&more[..DIM]), &SearchRequest::new(1)).unwrap();
    assert_eq!(found.row(0)[0].id, LEN as u64);
    assert!(
        own.merge(&mut Near::new(NearShape::Auto, DIM + 1, Metric::L2, 7).unwrap())
            .is_err()
    );
}

#[test]
fn vectors_are_kept_without_loss_in_as_few_bytes_as_they_take() {
    let whole: Vec<f32> = (0..LEN * DIM).map(|i| (i * 37 % 251) as f32).collect();
    let mut index = index(NearShape::Auto, Metric::L2, &whole);
    assert_eq!(index.exact.row_len(), DIM);
    assert_eq!(
        index
            .search(rows(&whole[..DIM]), &SearchRequest::new(1))
            .unwrap()
            .row(0)[0]
            .distance,
        0.0
    );
    let halves: Vec<f32> = whole[..DIM].iter().map(|x| x + 0.5).collect();
    index.add(rows(&halves)).unwrap();
    assert_eq!(index.exact.row_len(), 2 * DIM);
    let odd: Vec<f32> = whole[..DIM].iter().map(|x| x + 0.1).collect();
    index.add(rows(&odd)).unwrap();
    assert_eq!(index.exact.row_len(), 4 * DIM);
    assert_eq!(index.reconstruct(5).unwrap(), whole[5 * DIM..6 * DIM]);
    assert_eq!(index.reconstruct(LEN as u64).unwrap(), halves);
    // Queries that were prepared for bytes before are prepared anew.
    let found = index
        .search(rows(&halves), &SearchRequest::new(1).with("recall", 0.999))
        .unwrap();
    assert_eq!((found.row(0)[0].id, found.row(0)[0].distance), (LEN as u64, 0.0));
    assert_eq!(index.reconstruct(LEN as u64 + 1).unwrap(), odd);
}

#[test]
fn odd_vectors_are_found_as_well() {
    for (dim, kind) in [(1, 0), (3, 0), (3, 1), (8, 2), (1200, 0)] {
        let mut random = Random::new(4);
        let len = LEARNED_MIN + 100;
        let number = |i: usize, random: &mut Random| match kind {
            0 => random.normal() as f32,
            // All alike, and most components without any difference.
            1 => 2.5,
            _ => {
                if i.is_multiple_of(4) {
                    (1e15 * random.normal()) as f32
                } else {
                    0.0
                }
            }
        };
        let base: Vec<f32> = (0..len * dim).map(|i| number(i, &mut random)).collect();
        let base = Rows::new(&base, dim).unwrap();
        let mut index = Near::new(NearShape::Graph, dim, Metric::L2, 7).unwrap();
        index.add(base).unwrap();
        let found = index
            .search(base.slice(5..6), &SearchRequest::new(K).with("recall", 0.999))
            .unwrap();
        assert_eq!(
            (found.row(0).len(), found.row(0)[0].distance),
            (K, 0.0),
            "{dim}, {kind}"
        );
    }
}

#[test]
fn knobs_are_shares_and_counts() {
    let mut index = Near::new(NearShape::Auto, DIM, Metric::L2, 7).unwrap();
    let said = |index: &mut Near, name: &str, value: f64| index.set_knob(name, value).unwrap_err().to_string();
    assert_eq!(
        said(&mut index, "recall", 1.5),
        "recall must be a share between 0 and 1, got 1.5"
    );
    assert!(said(&mut index, "recal", 0.5).contains("this index has: recall, visits, candidates"));
    index.set_knob("nprobe", 5.0).unwrap();
    assert_eq!(index.knob("visits"), Some(5.0));
    assert!(matches!(
        Near::new(NearShape::Auto, DIM, Metric::L1, 7),
        Err(Error::Metric { .. })
    ));
    let copy = index.boxed_clone();
    assert_eq!((&*copy as &dyn Any).downcast_ref::<Near>().unwrap().visits, 5);
}

#[test]
fn copies_of_a_vector_do_not_hide_what_is_behind_them() {
    let mut base = clustered(1, LEN);
    for copy in 1..300 {
        base.copy_within(..DIM, copy * DIM);
    }
    let index = index(NearShape::Graph, Metric::L2, &base);
    let request = SearchRequest::new(100).with("recall", 0.99);
    let got = recall(&index, &clustered(2, 100), &request);
    assert!(got > 0.97, "{got}");
    let found = index.search(rows(&base[..DIM]), &SearchRequest::new(10)).unwrap();
    assert!(found.row(0).iter().all(|neighbor| neighbor.distance == 0.0));
}

#[test]
fn copies_that_come_one_by_one_hide_nothing_either() {
    let (base, queries) = (clustered(1, LEN), clustered(2, 50));
    let mut index = index(NearShape::Graph, Metric::L2, &base);
    for _ in 0..200 {
        index.add(rows(&base[..DIM])).unwrap();
    }
    let got = recall(&index, &queries, &SearchRequest::new(K));
    assert!(got > 0.93, "{got}");
    // Those behind the copies.
    let around = recall(&index, &base[..DIM], &SearchRequest::new(250));
    assert!(around > 0.9, "{around}");
}

#[test]
fn a_component_of_another_scale_ruins_no_graph() {
    let [base, queries] = [(1, LEN), (2, 100)].map(|(seed, len)| {
        let mut vectors = clustered(seed, len);
        vectors.iter_mut().step_by(DIM).for_each(|x| *x *= 1000.0);
        vectors
    });
    for metric in [Metric::L2, Metric::InnerProduct] {
        let index = index(NearShape::Graph, metric, &base);
        let (trail, _) = index.measured(0.95).unwrap();
        assert!(trail.links.is_some(), "{metric}: {}", index.explain());
        let got = recall(&index, &queries, &SearchRequest::new(K));
        assert!(got > 0.93, "{metric}: {got}");
    }
}

#[test]
fn vectors_unlike_those_before_are_found_as_soon_as_they_come() {
    let base = clustered(1, LEN);
    // Around other middles.
    let strange: Vec<f32> = clustered(8, LEN / 4)
        .chunks(DIM)
        .flat_map(|x| x.iter().rev().copied())
        .collect();
    let mut index = index(NearShape::Graph, Metric::L2, &base);
    for one in strange.chunks(DIM) {
        index.add(rows(one)).unwrap();
    }
    let got = recall(&index, &strange[..100 * DIM], &SearchRequest::new(K));
    assert!(got > 0.9, "{got}");
}

#[test]
fn vectors_far_from_all_before_are_found_and_soon_learned_from() {
    let base = clustered(1, LEN);
    let far: Vec<f32> = clustered(2, 400).iter().map(|x| x + 50.0).collect();
    for shape in BUILT {
        let mut index = index(shape, Metric::L2, &base);
        // Too few to learn from: what is near to them is compared as it is.
        index.add(rows(&far[..20 * DIM])).unwrap();
        assert_eq!(index.learned.as_ref().unwrap().strangers.since, 20);
        assert_eq!(
            recall(&index, &far[..20 * DIM], &SearchRequest::new(K)),
            1.0,
            "{shape:?}"
        );
        let mut again = from_bytes(&to_bytes(&index)).unwrap();
        for index in [&mut index as &mut dyn VectorIndex, &mut *again] {
            index.add(rows(&far[20 * DIM..])).unwrap();
            let got = recall(index, &far[..100 * DIM], &SearchRequest::new(K));
            assert!(got > 0.9, "{shape:?}: {got}");
        }
        assert_eq!(index.learned.as_ref().unwrap().strangers.since, 0, "all was built anew");
        assert!(to_bytes(&index) == to_bytes(&*again));
    }
}

#[test]
fn a_few_huge_vectors_do_not_hide_what_tells_the_others_apart() {
    let (mut base, queries) = (clustered(1, LEN), clustered(2, 100));
    base[5 * DIM] = 1e6;
    base[900 * DIM + 3] = -1e12;
    let index = index(NearShape::Lists, Metric::L2, &base);
    assert!(index.measured(0.95).is_some(), "{}", index.explain());
    let got = recall(&index, &queries, &SearchRequest::new(K));
    assert!(got > 0.93, "{got}");
    let found = index
        .search(rows(&base[5 * DIM..6 * DIM]), &SearchRequest::new(1))
        .unwrap();
    assert_eq!(found.row(0)[0].id, 5);
}

#[test]
fn queries_of_any_length_find_the_same_by_inner_product() {
    let (base, queries) = (clustered(1, LEN), clustered(2, 50));
    for shape in BUILT {
        let index = index(shape, Metric::InnerProduct, &base);
        let ids = |scale: f32| {
            let scaled: Vec<f32> = queries.iter().map(|x| x * scale).collect();
            let found = index.search(rows(&scaled), &SearchRequest::new(K)).unwrap();
            let ids = found.iter().flatten().map(|neighbor| neighbor.id);
            ids.collect::<Vec<u64>>()
        };
        // Powers of two, by which nothing is rounded otherwise; squares of the last are too large a number.
        for power in [-60, -4, 4, 70] {
            assert!(ids(2.0_f32.powi(power)) == ids(1.0), "{shape:?}: 2^{power}");
        }
    }
}

#[test]
fn lengths_that_differ_by_orders_of_magnitude_keep_the_recall_by_inner_product() {
    let mut random = Random::new(6);
    let mut drawn = |len: usize| {
        let mut vectors = Vec::with_capacity(len * DIM);
        for _ in 0..len {
            let length = (2.0 * random.normal()).exp();
            vectors.extend((0..DIM).map(|_| (length * random.normal()) as f32));
        }
        vectors
    };
    let (base, queries) = (drawn(3 * LEN), drawn(500));
    for shape in BUILT {
        let index = index(shape, Metric::InnerProduct, &base);
        for wanted in [0.9, 0.95] {
            let got = recall(&index, &queries, &SearchRequest::new(K).with("recall", wanted));
            assert!((got - wanted).abs() < 0.03, "{shape:?}: {got} for {wanted}");
        }
    }
}

#[test]
fn a_few_long_vectors_hide_no_others_by_inner_product() {
    let (mut base, queries) = (clustered(1, LEN), clustered(2, 200));
    for x in &mut base[..8 * DIM] {
        *x *= 40.0;
    }
    let index = index(NearShape::Graph, Metric::InnerProduct, &base);
    let effort = index.measured(0.95).unwrap().1;
    assert!(effort.visits < 200, "{effort:?}");
    let got = recall(&index, &queries, &SearchRequest::new(K));
    assert!(got > 0.93, "{got}");
}

#[test]
fn recall_is_measured_on_what_is_not_there_many_times() {
    let (mut base, queries) = (clustered(1, 2 * LEN), clustered(2, 200));
    let copied = base[..DIM].to_vec();
    let mut random = Random::new(9);
    for vector in base.chunks_mut(DIM).filter(|_| random.unit() < 0.9) {
        vector.copy_from_slice(&copied);
    }
    let index = index(NearShape::Lists, Metric::L2, &base);
    let got = recall(&index, &queries, &SearchRequest::new(K));
    assert!(got > 0.9, "{got}: {}", index.explain());
}

#[test]
fn what_holds_one_vector_alone_is_saved_and_loaded() {
    let base = [1.0; DIM].repeat(LEN);
    for shape in BUILT {
        let index = index(shape, Metric::L2, &base);
        let loaded = from_bytes(&to_bytes(&index)).unwrap();
        let found = loaded.search(rows(&base[..DIM]), &SearchRequest::new(K)).unwrap();
        assert_eq!(found.row(0).len(), K, "{shape:?}");
    }
}

#[test]
fn recall_is_measured_as_if_copies_were_not_there() {
    let mut random = Random::new(9);
    let mut normal = |len: usize| -> Vec<f32> { (0..len * DIM).map(|_| random.normal() as f32).collect() };
    let (once, queries) = (normal(LEN / 8), normal(200));
    let often: Vec<f32> = once.chunks(DIM).flat_map(|vector| vector.repeat(16)).collect();
    let mut few = normal(2 * LEN);
    few[DIM * LEN / 50..].fill(0.0);
    for metric in [Metric::L2, Metric::InnerProduct] {
        for shape in BUILT {
            let index = index(shape, metric, &often);
            for wanted in [0.95, 0.99] {
                let got = recall(&index, &queries, &SearchRequest::new(K).with("recall", wanted));
                assert!(got > wanted - 0.03, "{shape:?} by {metric}: {got}, {}", index.explain());
            }
        }
    }
    // Too few to know the recall well; but for these probes nothing was found.
    let index = index(NearShape::Lists, Metric::InnerProduct, &few);
    let got = recall(&index, &queries, &SearchRequest::new(K));
    assert!(got > 0.75, "{got}: {}", index.explain());
}

#[test]
fn the_form_of_vectors_changes_no_recall_that_is_measured() {
    let base: Vec<f32> = clustered(1, LEN).iter().map(|x| (x * 64.0).round() / 64.0).collect();
    let mut wider = base.clone();
    wider[5] += 1e-4;
    for metric in [Metric::L2, Metric::InnerProduct] {
        let (half, float) = (
            index(NearShape::Lists, metric, &base),
            index(NearShape::Lists, metric, &wider),
        );
        assert_eq!((half.exact.row_len(), float.exact.row_len()), (2 * DIM, 4 * DIM));
        for index in [half, float] {
            assert!(index.measured(0.995).is_some(), "{metric}");
        }
    }
}

#[test]
fn vectors_too_large_to_learn_from_are_refused_and_what_was_there_stays() {
    let (base, queries) = (clustered(1, LEARNED_MIN - 1), clustered(2, 20));
    let mut large = queries.clone();
    large[DIM] = 1e20;
    let mut index = index(NearShape::Graph, Metric::InnerProduct, &base);
    let before = to_bytes(&index);
    assert_eq!(
        index.add(rows(&large)).unwrap_err().to_string(),
        "vector 1 is too large: its squared components must add up to 1e34 at most; scale vectors down"
    );
    assert!(to_bytes(&index) == before);
    index.add(rows(&queries)).unwrap();
    assert_eq!(index.built(), (true, true));
}

#[test]
fn huge_wishes_are_answered_by_comparing_everything() {
    let base = clustered(1, LEN);
    for shape in BUILT {
        let index = index(shape, Metric::L2, &base);
        for request in [
            SearchRequest::new(usize::MAX),
            SearchRequest::new(K)
                .with("visits", f64::INFINITY)
                .with("candidates", f64::INFINITY),
        ] {
            assert_eq!(recall(&index, &base[..DIM * 3], &request), 1.0, "{shape:?}");
        }
        let twice = SearchRequest::new(3).selecting(IdSelector::Sorted(&[7, 7, 9]));
        let found = index.search(rows(&base[..DIM]), &twice).unwrap();
        let mut ids: Vec<u64> = found.row(0).iter().map(|neighbor| neighbor.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, [7, 9]);
    }
}
