//! What filters admit, and what is left where others were removed.

use anear_kernels::{Bitmap, IdSelector, Metric, Random, Rows};

use super::{DIM, K, LEN, built_and_read_by_vectors, clustered, far_clustered, index, recall, rows, visits, widened};
use crate::near::{Near, NearShape};
use crate::{SearchRequest, VectorIndex as _, VectorIndexExt as _};

#[test]
fn filters_lower_no_recall_also_where_they_have_to_do_with_the_query() {
    let mut random = Random::new(5);
    for (shape, vectors) in built_and_read_by_vectors() {
        let (base, queries) = (vectors(1, LEN), vectors(2, 100));
        let index = index(shape, Metric::L2, &base);
        let without = recall(&index, &queries, &SearchRequest::new(K));
        for share in [0.5, 0.1, 0.01, 0.001] {
            let ids: Vec<u64> = (0..LEN as u64).filter(|_| random.unit() < share).collect();
            let got = recall(
                &index,
                &queries,
                &SearchRequest::new(K).selecting(IdSelector::Sorted(&ids)),
            );
            assert!(got >= without - 0.01, "{shape:?}, {share}: {got}, {without} without");
        }
        // Only what is far from a query is selected, or only what is near.
        let mut sums = [0.0; 2];
        for query in queries.chunks(DIM) {
            let distance = |id: &u64| Metric::L2.distance(query, rows(&base).row(*id as usize));
            let mut ids: Vec<u64> = (0..LEN as u64).collect();
            ids.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
            for (part, sum) in [&mut ids[LEN / 2..].to_vec(), &mut ids[..LEN / 4].to_vec()]
                .into_iter()
                .zip(&mut sums)
            {
                part.sort_unstable();
                *sum += recall(
                    &index,
                    query,
                    &SearchRequest::new(K).selecting(IdSelector::Sorted(part)),
                );
            }
        }
        for sum in sums {
            assert!(
                sum / 100.0 >= without - 0.02,
                "{shape:?}: {sum} of 100, {without} without"
            );
        }
    }
}

#[test]
fn filters_lower_no_recall_where_it_is_looked_for_what_they_admit() {
    const TIMES: usize = 16;
    let mut random = Random::new(5);
    for (shape, vectors) in built_and_read_by_vectors() {
        let [base, queries] = [(1, LEN), (2, 100)].map(|(seed, len)| widened(&vectors(seed, len), TIMES));
        let mut index = Near::new(shape, TIMES * DIM, Metric::L2, 7).unwrap();
        index.add(Rows::new(&base, TIMES * DIM).unwrap()).unwrap();
        let without = recall(&index, &queries, &SearchRequest::new(K));
        for share in [0.8, 0.5] {
            let ids: Vec<u64> = (0..LEN as u64).filter(|_| random.unit() < share).collect();
            let request = SearchRequest::new(K).selecting(IdSelector::Sorted(&ids));
            assert!(
                visits(&index, &queries, &request) > 0.0,
                "{shape:?}, {share}: all were compared"
            );
            let got = recall(&index, &queries, &request);
            assert!(got >= without - 0.01, "{shape:?}, {share}: {got}, {without} without");
        }
    }
}

#[test]
fn ways_to_say_the_same_filter_and_batches_change_nothing() {
    let (base, queries) = (clustered(1, LEN), clustered(2, 20));
    for shape in [NearShape::Lists, NearShape::Graph] {
        let mut index = index(shape, Metric::L2, &base);
        for gone in [0..0, 10..20] {
            index.remove(&IdSelector::Range(gone.clone())).unwrap();
            for (step, recall) in [(2, 0.95), (2, 1.0), (300, 0.95)] {
                let ids: Vec<u64> = (0..LEN as u64 + 50).step_by(step).collect();
                let bits = Bitmap::from_indices(LEN + 50, ids.iter().map(|id| *id as usize));
                let rule = |id: u64| id.is_multiple_of(step as u64);
                let [listed, others] = [
                    IdSelector::Sorted(&ids),
                    IdSelector::And(vec![IdSelector::Custom(&rule), IdSelector::Range(0..LEN as u64)]),
                ];
                let request = |keep| SearchRequest::new(K).with("recall", recall).selecting(keep);
                let found = index.search(rows(&queries), &request(listed.clone())).unwrap();
                for other in [IdSelector::Bitmap(&bits), others] {
                    assert_eq!(index.search(rows(&queries), &request(other)).unwrap(), found);
                }
                for (i, query) in queries.chunks(DIM).enumerate() {
                    let alone = index.search(rows(query), &request(listed.clone())).unwrap();
                    assert_eq!(alone.row(0), found.row(i), "{shape:?} without {gone:?}, one in {step}");
                }
            }
        }
    }
}

#[test]
fn a_filter_makes_a_search_read_no_fewer_lists() {
    // Few vectors in most places, and many where queries come from.
    let mut random = Random::new(8);
    let mut base = clustered(1, LEN);
    for vector in base.chunks_exact_mut(DIM).skip(LEN / 4) {
        vector.iter_mut().for_each(|x| *x = 0.3 * random.normal() as f32);
    }
    let queries: Vec<f32> = (0..100 * DIM).map(|_| 0.3 * random.normal() as f32).collect();
    let index = index(NearShape::Lists, Metric::L2, &base);
    let all = SearchRequest::new(K);
    let some: Vec<u64> = (0..LEN as u64).filter(|id| id % 10 > 0).collect();
    let filtered = all.clone().selecting(IdSelector::Sorted(&some));
    let (without, with) = (visits(&index, &queries, &all), visits(&index, &queries, &filtered));
    assert!(with >= without, "{with} lists instead of {without}");
}

#[test]
fn what_is_gone_around_a_query_hides_nothing_behind_it() {
    let mut random = Random::new(5);
    // Without middles far from each other, what is left is everywhere at about the same distance.
    let noisy: Vec<f32> = clustered(1, LEN).iter().map(|x| x + random.normal() as f32).collect();
    for (base, shape) in [
        (clustered(1, LEN), NearShape::Lists),
        (noisy.clone(), NearShape::Lists),
        (far_clustered(1, LEN), NearShape::Lists),
        (clustered(1, LEN), NearShape::Graph),
        (noisy, NearShape::Graph),
    ] {
        let index = index(shape, Metric::L2, &base);
        for share in [0.003, 0.01, 0.03, 0.1, 0.2] {
            let (mut removed, mut excluded) = (0.0, 0.0);
            for query in base.chunks(DIM).step_by(LEN / 20) {
                let count = (share * LEN as f64) as usize;
                let all = SearchRequest::new(count).with("recall", 1.0);
                let found = index.search(rows(query), &all).unwrap();
                let mut gone: Vec<u64> = found.row(0).iter().map(|neighbor| neighbor.id).collect();
                gone.sort_unstable();
                let mut without = index.clone();
                without.remove(&IdSelector::Sorted(&gone)).unwrap();
                removed += recall(&without, query, &SearchRequest::new(K)) / 20.0;
                let others = IdSelector::Not(Box::new(IdSelector::Sorted(&gone)));
                excluded += recall(&index, query, &SearchRequest::new(K).selecting(others)) / 20.0;
            }
            let said = format!("{shape:?} without the nearest {share}: {removed} removed, {excluded} excluded");
            assert!(removed > 0.9 && excluded > 0.9, "{said}");
        }
    }
}

#[test]
fn half_of_all_may_be_gone() {
    let (base, queries) = (clustered(1, LEN), clustered(2, 100));
    for metric in [Metric::L2, Metric::InnerProduct] {
        let mut index = index(NearShape::Graph, metric, &base);
        let some = IdSelector::Range(0..LEN as u64 * 9 / 20);
        index.remove(&some).unwrap();
        assert!(index.len() < LEN * 6 / 10 && index.built().1);
        let got = recall(&index, &queries, &SearchRequest::new(K));
        assert!(got > 0.93, "{metric}: {got}");
    }
}
