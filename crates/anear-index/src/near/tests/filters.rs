//! What filters admit, and what is left where others were removed.

use anear_kernels::{Bitmap, IdSelector, Metric, Random, Rows};
use anear_pool::Pool;

use super::{
    BUILT, DIM, K, LEN, around, built_and_read_by_vectors, clustered, far_clustered, index, recall, rows, visits,
    widened,
};
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

/// What sorting all distances to selected vectors says.
fn by_sorting(metric: Metric, base: &[f32], query: &[f32], ids: &[u64], k: usize) -> Vec<(f32, u64)> {
    let distance = |id: &u64| metric.distance(query, rows(base).row(*id as usize));
    let mut all: Vec<(f32, u64)> = ids.iter().map(|id| (distance(id), *id)).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    all.truncate(k);
    all
}

#[test]
fn what_is_compared_is_what_sorting_says_in_every_form_and_on_every_number_of_threads() {
    let whole = |numbers: Vec<f32>| -> Vec<f32> { numbers.iter().map(|x| (30.0 * x).round() + 128.0).collect() };
    let eighths = |numbers: Vec<f32>| -> Vec<f32> { numbers.iter().map(|x| (8.0 * x).round() / 8.0).collect() };
    let pool = Pool::new(3).unwrap();
    for form in [whole, eighths, |numbers| numbers] {
        let [base, queries] = [(1, LEN), (2, 20)].map(|(seed, len)| form(clustered(seed, len)));
        for metric in [Metric::L2, Metric::InnerProduct] {
            let mut index = index(NearShape::Lists, metric, &base);
            index.remove(&IdSelector::Range(10..20)).unwrap();
            for (step, k) in [(3, K), (300, 2 * LEN / 300), (LEN, K)] {
                let ids: Vec<u64> = (0..LEN as u64).step_by(step).collect();
                let left: Vec<u64> = ids.iter().copied().filter(|id| !(10..20).contains(id)).collect();
                let request = SearchRequest::new(k)
                    .with("recall", 1.0)
                    .selecting(IdSelector::Sorted(&ids));
                let found = index.search(rows(&queries), &request).unwrap();
                assert_eq!(index.search(rows(&queries), &request.clone().on(&pool)).unwrap(), found);
                for (i, query) in queries.chunks(DIM).enumerate() {
                    let want = by_sorting(metric, &base, query, &left, k);
                    let got: Vec<(f32, u64)> = found.row(i).iter().map(|near| (near.distance, near.id)).collect();
                    assert_eq!(got.len(), want.len());
                    for (got, want) in got.iter().zip(&want) {
                        // Numbers of fewer bytes are multiplied and added up in one step.
                        assert!(
                            (got.0 - want.0).abs() <= 1e-5 * want.0.abs(),
                            "{metric}: {got:?}, {want:?}"
                        );
                    }
                    let alone = index.search(rows(query), &request.clone().on(&pool)).unwrap();
                    assert_eq!(alone.row(0), found.row(i), "{metric}, one in {step}");
                }
                let nothing = request.clone().selecting(IdSelector::Range(10..20));
                assert!(
                    index
                        .search(rows(&queries), &nothing)
                        .unwrap()
                        .iter()
                        .all(<[_]>::is_empty)
                );
            }
        }
    }
}

#[test]
fn many_among_few_are_found_beyond_the_cluster_that_they_are_asked_in() {
    const TIMES: usize = 16;
    let mut random = Random::new(5);
    // Half as many vectors in each cluster as are within the distance of the last answer.
    let vectors = |seed, len| widened(&around(80, 2.0, 1.0, seed, len), TIMES);
    let (base, queries) = (vectors(1, LEN), vectors(2, 50));
    for shape in BUILT {
        let mut index = Near::new(shape, TIMES * DIM, Metric::L2, 7).unwrap();
        index.add(Rows::new(&base, TIMES * DIM).unwrap()).unwrap();
        let ids: Vec<u64> = (0..LEN as u64).filter(|_| random.unit() < 0.5).collect();
        let request = SearchRequest::new(50).selecting(IdSelector::Sorted(&ids));
        let got = recall(&index, &queries, &request);
        assert!(got > 0.94, "{shape:?}: {got}");
    }
}

#[test]
fn copies_that_few_links_lead_to_are_found_with_a_filter() {
    let mut random = Random::new(5);
    let mut normal = |len: usize| -> Vec<f32> { (0..len * DIM).map(|_| random.normal() as f32).collect() };
    let (mut base, queries) = (normal(LEN), normal(100));
    base.chunks_exact_mut(DIM)
        .step_by(2)
        .for_each(|vector| vector.fill(0.0));
    let ids: Vec<u64> = (0..LEN as u64).filter(|id| id % 5 < 2).collect();
    for shape in BUILT {
        let index = index(shape, Metric::L2, &base);
        for k in [2, K] {
            let request = SearchRequest::new(k).selecting(IdSelector::Sorted(&ids));
            let got = recall(&index, &queries, &request);
            assert!(got > 0.9, "{shape:?}, {k}: {got}");
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
                // It knows of no ids but those of the index.
                let mask: Vec<bool> = (0..LEN).map(|id| id.is_multiple_of(step)).collect();
                let rule = |id: u64| mask[id as usize];
                let listed = IdSelector::Sorted(&ids);
                let not_others = IdSelector::Not(Box::new(IdSelector::Not(Box::new(listed.clone()))));
                let request = |keep| SearchRequest::new(K).with("recall", recall).selecting(keep);
                let found = index.search(rows(&queries), &request(listed.clone())).unwrap();
                for other in [IdSelector::Bitmap(&bits), IdSelector::Custom(&rule), not_others] {
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
