//! What every index must do, whatever its kind and metric.
//!
//! [`check`] panics at the first promise that is not kept. This crate's tests run it over [`IndexSpec::EXAMPLES`] and
//! every metric: kinds of index are a closed set, so there is nobody else to call it.
//!
//! Components are small integers, so that all arithmetic but cosine's is exact and ties are everywhere: the order of the
//! neighbors is then checked to the last place. Where codes lose something, the oracle compares with what the index gives
//! back. Search parameters are set so high that nothing is left out: what an index does with less is its own tests' and
//! the benchmarks' business.

mod subject;

use std::fs;

use anear_kernels::{Bitmap, IdSelector, Metric, Rows, TopK};
use anear_pool::Pool;

use self::subject::Subject;
use crate::compat::faiss;
use crate::{
    Cosine, Error, IndexSpec, Knob, Mapping, Memory, Neighbors, NeighborsMut, RangeRequest, SearchRequest, VectorIndex,
    VectorIndexExt as _, Verify, from_bytes, open_mapped, to_bytes,
};

/// Runs every check on indexes built from `spec` for `metric`.
///
/// # Panics
/// When a promise is not kept; the message says which and with what.
fn check(spec: &IndexSpec, metric: Metric) {
    let new = |vectors| Subject::new(spec, metric, vectors);
    if !subject::can_compare(spec, metric) {
        return;
    }
    search_equals_the_oracle(&new(300));
    bytes_bring_everything_back(&new(50));
    faiss_files_bring_everything_back(&new(50));
    if !subject::EVERYBODYS.contains(&metric) {
        // What is left does not depend on how vectors are compared.
        return;
    }
    an_empty_index_finds_nothing(&new(0));
    a_blueprint_knows_the_search_parameters(new(0));
    a_selector_restricts_the_search(&new(300));
    range_search_equals_the_oracle(&new(300));
    vectors_come_back(&new(50));
    removing_is_as_if_never_added(new(300));
    merging_is_as_if_added_here(&new);
    threads_and_batches_do_not_show(&Subject::wide(spec, metric, 2_000));
    segments_are_searched_as_one(&new(300));
    a_copy_shares_nothing(new(20));
    bad_input_is_refused(new(20));
    if metric == Metric::L2 {
        // Where codes lie has nothing to do with how they are compared.
        a_mapped_file_is_as_good_as_memory(&new);
    }
}

fn an_empty_index_finds_nothing(subject: &Subject) {
    assert!(subject.index.is_empty());
    let found = subject.search(&subject.request(3));
    assert!(found.iter().all(<[_]>::is_empty) && found.len() == subject.queries().len());
    assert!(
        subject
            .range_search(&subject.range_request(f32::INFINITY))
            .iter()
            .all(<[_]>::is_empty)
    );
}

fn a_blueprint_knows_the_search_parameters(mut subject: Subject) {
    let knobs = subject.index.knobs();
    assert_eq!(subject.index.spec().knobs(), knobs);
    for knob in knobs {
        for name in [knob.name, knob.alias] {
            assert_eq!(Knob::checked(name, knob.least, &[knob]).unwrap(), knob);
            subject.index.set_knob(name, knob.least).unwrap();
            assert_eq!(subject.index.knob(name), Some(knob.least));
            assert!(Knob::checked(name, knob.least - 1.0, &[knob]).is_err());
            assert!(subject.index.set_knob(name, knob.least - 1.0).is_err());
        }
    }
}

fn search_equals_the_oracle(subject: &Subject) {
    for k in [1, 10, 299, 300, 10_000, usize::MAX] {
        subject.check_nearest(k, &IdSelector::All);
    }
    let (queries, k) = (subject.queries(), 301);
    let (mut ids, mut distances) = (vec![0; queries.len() * k], vec![0.0; queries.len() * k]);
    let out = NeighborsMut {
        ids: &mut ids,
        distances: &mut distances,
    };
    subject.index.search_into(queries, &subject.request(k), out).unwrap();
    let found = subject.search(&subject.request(k));
    for (i, row) in found.iter().enumerate() {
        let places = || ids[i * k..].iter().zip(&distances[i * k..]).take(k);
        assert!(
            row.iter()
                .zip(places())
                .all(|(n, place)| (n.id as i64, n.distance) == (*place.0, *place.1))
        );
        assert!(places().skip(row.len()).all(|place| place == (&-1, &f32::INFINITY)));
    }
}

fn a_selector_restricts_the_search(subject: &Subject) {
    with_selectors(subject, |keep| {
        for k in [1, 10, 1_000] {
            subject.check_nearest(k, keep);
        }
    });
}

fn range_search_equals_the_oracle(subject: &Subject) {
    with_selectors(subject, |keep| {
        // Every fourth neighbor's own distance: there strictness shows.
        let radii: Vec<_> = subject
            .search(&subject.request(30))
            .row(0)
            .iter()
            .step_by(4)
            .map(|n| n.distance)
            .collect();
        for radius in radii.into_iter().chain([f32::NEG_INFINITY, f32::INFINITY]) {
            subject.check_within(radius, keep);
        }
    });
}

/// Every kind of selector, in the ids of the subject.
fn with_selectors(subject: &Subject, check: impl Fn(&IdSelector<'_>)) {
    let ids = subject.ids();
    let mut third: Vec<u64> = ids.iter().copied().step_by(3).collect();
    third.sort_unstable();
    let mut few = vec![ids[7], ids[200], ids[41], ids[41], u64::MAX];
    few.sort_unstable();
    let end = *ids.iter().max().expect("the subject has vectors") as usize + 1;
    let even = Bitmap::from_indices(end, (0..end).step_by(2));
    let rule = |id: u64| id % 5 == 1;
    check(&IdSelector::Sorted(&third));
    check(&IdSelector::Sorted(&few));
    check(&IdSelector::Sorted(&[]));
    check(&IdSelector::Range(20..150));
    check(&IdSelector::Bitmap(&even));
    check(&IdSelector::Custom(&rule));
    check(&IdSelector::Not(Box::new(IdSelector::Sorted(&third))));
    check(&IdSelector::And(vec![
        IdSelector::Bitmap(&even),
        IdSelector::Custom(&rule),
    ]));
}

/// Each vector under its id, in the model's order; no other id is known.
fn vectors_come_back(subject: &Subject) {
    assert_eq!(subject.index.len(), subject.model.len());
    for (id, vector) in &subject.model {
        let returned = subject.index.reconstruct(*id).unwrap();
        if subject.index.metric() == Metric::Cosine && subject.is_exact() {
            let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            assert_eq!(returned.len(), vector.len());
            assert!(returned.iter().zip(vector).all(|(a, b)| (a - b / length).abs() < 1e-6));
        } else {
            assert_eq!(returned, *vector);
        }
    }
    for pair in subject.model.windows(2).filter(|pair| pair[0].0 + 1 == pair[1].0) {
        let mut run = Vec::new();
        subject.index.reconstruct_n(pair[0].0..pair[1].0 + 1, &mut run).unwrap();
        let each = pair.iter().flat_map(|(id, _)| subject.index.reconstruct(*id).unwrap());
        assert!(run.into_iter().eq(each));
    }
    assert!(
        subject
            .index
            .reconstruct_n(1 << 50..(1 << 50) + 2, &mut Vec::new())
            .is_err()
    );
    let error = subject.index.reconstruct(1 << 50).unwrap_err();
    assert!(
        matches!(error, Error::UnknownId { id, len } if id == 1 << 50 && len == subject.model.len()),
        "{error}"
    );
}

fn removing_is_as_if_never_added(mut subject: Subject) {
    assert_eq!(subject.remove(&IdSelector::Sorted(&[])), 0);
    assert_eq!(subject.remove(&IdSelector::Sorted(&[1 << 50])), 0);
    for rule in [
        |id: u64| id.is_multiple_of(3),
        |id: u64| id % 7 < 2,
        |id: u64| id > 100 && id.is_multiple_of(2),
    ] {
        assert!(subject.remove(&IdSelector::Custom(&rule)) > 0);
        subject.check_nearest(7, &IdSelector::All);
        subject.check_nearest(7, &IdSelector::Range(10..90));
    }
    subject.add(30);
    subject.check_nearest(500, &IdSelector::All);
    vectors_come_back(&subject);
    bytes_bring_everything_back(&subject);
    subject.renumber_index();
    if !subject.has_own_ids() {
        subject.add(10);
    }
    subject.check_nearest(500, &IdSelector::All);
    vectors_come_back(&subject);
    emptied_learned_the_same(&subject);
    let len = subject.index.len();
    assert_eq!(subject.remove(&IdSelector::All), len);
    an_empty_index_finds_nothing(&subject);
}

/// An emptied index takes the other's vectors over as they are.
fn emptied_learned_the_same(subject: &Subject) {
    let mut emptied = subject.index.emptied();
    assert!(emptied.is_empty() && emptied.merge_offset() == 0);
    for knob in subject.index.knobs() {
        assert_eq!(emptied.knob(knob.name), subject.index.knob(knob.name));
    }
    emptied.merge(&mut *subject.index.boxed_clone()).unwrap();
    assert_eq!(
        emptied.search(subject.queries(), &subject.request(9)).unwrap(),
        subject.search(&subject.request(9))
    );
}

fn merging_is_as_if_added_here(new: &dyn Fn(usize) -> Subject) {
    let mut merged = new(120);
    let mut other = merged.successor(80);
    merged.index.merge(&mut *other.index).unwrap();
    merged.adopt(&mut other);
    assert!(other.index.is_empty());
    merged.check_nearest(300, &IdSelector::All);
    merged.add(5);
    merged.check_nearest(9, &IdSelector::All);

    let metric = merged.index.metric();
    let other_metric = if metric == Metric::L2 {
        Metric::InnerProduct
    } else {
        Metric::L2
    };
    for (more_dims, metric) in [(1, metric), (0, other_metric)] {
        let mut stranger = merged.stranger(more_dims, metric);
        let error = merged.index.merge(&mut *stranger).unwrap_err();
        assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    }
    merged.check_nearest(9, &IdSelector::All);
}

fn bytes_bring_everything_back(subject: &Subject) {
    let bytes = to_bytes(&*subject.index);
    let restored = from_bytes(&bytes).unwrap();
    assert_same_index(subject, &*restored);
    assert_eq!(restored.metric(), subject.index.metric());
    assert_eq!(to_bytes(&*restored), bytes);
}

/// Whatever is done to an index whose codes are in a file, it is as if they were in memory, and the file stays as it is.
fn a_mapped_file_is_as_good_as_memory(new: &dyn Fn(usize) -> Subject) {
    let dir = tempfile::tempdir().unwrap();
    let path = |vectors: usize| dir.path().join(vectors.to_string());
    let mapped = |vectors: usize| {
        let (subject, path) = (new(vectors), path(vectors));
        if !path.exists() {
            fs::write(&path, to_bytes(&*subject.index)).unwrap();
        }
        let index = open_mapped(&path, Verify::Structure).unwrap();
        let Memory { owned, mapped } = index.memory();
        assert_eq!((owned, mapped), (0, subject.index.memory().owned));
        subject.with_index(index)
    };
    search_equals_the_oracle(&mapped(300));
    range_search_equals_the_oracle(&mapped(300));
    vectors_come_back(&mapped(50));
    bytes_bring_everything_back(&mapped(50));
    removing_is_as_if_never_added(mapped(300));
    merging_is_as_if_added_here(&mapped);
    a_copy_shares_nothing(mapped(20));
    bad_input_is_refused(mapped(20));
    for vectors in [20, 50, 120, 300] {
        let file = fs::read(path(vectors)).unwrap();
        assert_eq!(file, to_bytes(&*new(vectors).index), "a change reached the file");
    }
}

fn faiss_files_bring_everything_back(subject: &Subject) {
    let written = faiss::write_index(&*subject.index);
    if subject.is_foreign_to_faiss() {
        let message = written.unwrap_err().to_string();
        assert!(
            message.ends_with("Faiss files; save it in anear's own format"),
            "{message}"
        );
        return;
    }
    let file = written.unwrap();
    assert!(faiss::class_name(&file).is_some(), "{}", subject.index.spec());
    let restored = faiss::read_index(&file).unwrap();
    assert_eq!(faiss::write_index(&*restored).unwrap(), file);
    a_mapped_faiss_file_is_as_good_as_memory(subject, &file);
    let spec = restored.spec().to_string();
    if spec.contains("Linear") {
        // How a matrix came about is not in the file.
        return;
    }
    if subject.index.metric() == Metric::Cosine {
        assert_eq!(restored.metric(), Metric::InnerProduct);
        assert_same_index(subject, &*Cosine::restored(restored).unwrap());
        return;
    }
    assert_same_index(subject, &*restored);
}

fn a_mapped_faiss_file_is_as_good_as_memory(subject: &Subject, file: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.faiss");
    fs::write(&path, file).unwrap();
    let mut owned = faiss::read_index(file).unwrap();
    let mut mapped = faiss::read_index_mapped(&Mapping::open(&path).unwrap()).unwrap();
    let memory = mapped.memory();
    assert_eq!(memory.owned + memory.mapped, owned.memory().owned);
    let assert_same = |owned: &dyn VectorIndex, mapped: &dyn VectorIndex| {
        let (queries, request) = (subject.queries(), subject.request(20));
        assert_eq!(
            owned.search(queries, &request).unwrap(),
            mapped.search(queries, &request).unwrap()
        );
        assert_eq!(to_bytes(owned), to_bytes(mapped));
    };
    assert_same(&*owned, &*mapped);
    for index in [&mut owned, &mut mapped] {
        let mut more = index.emptied();
        more.merge(&mut *index.boxed_clone()).unwrap();
        index.remove(&IdSelector::Custom(&|id| id % 3 == 1)).unwrap();
        if !subject.has_own_ids() {
            index.merge(&mut *more).unwrap();
        }
    }
    assert_same(&*owned, &*mapped);
    assert_eq!(fs::read(&path).unwrap(), file, "a change reached the file");
}

fn assert_same_index(subject: &Subject, other: &dyn VectorIndex) {
    let (index, queries) = (&*subject.index, subject.queries());
    assert_eq!(
        subject.search(&subject.request(20)),
        other.search(queries, &subject.request(20)).unwrap()
    );
    assert_eq!(
        (index.spec(), index.dim(), index.len()),
        (other.spec(), other.dim(), other.len())
    );
}

fn threads_and_batches_do_not_show(subject: &Subject) {
    let mut third: Vec<u64> = subject.ids().into_iter().step_by(3).collect();
    third.sort_unstable();
    let few: Vec<u64> = third.iter().copied().step_by(100).collect();
    for keep in [IdSelector::All, IdSelector::Sorted(&third), IdSelector::Sorted(&few)] {
        // As it comes, and with nothing left out.
        for request in [SearchRequest::new(17), subject.request(17)] {
            let request = request.selecting(keep.clone());
            let alone = subject.search(&request);
            for threads in [1, 2, 7] {
                let pool = Pool::new(threads).unwrap();
                assert_eq!(subject.search(&request.clone().on(&pool)), alone, "{threads} threads");
            }
            let queries = subject.queries();
            for (i, row) in alone.iter().enumerate() {
                let one = subject.index.search(queries.slice(i..i + 1), &request).unwrap();
                assert_eq!(one.row(0), row, "query {i} alone");
            }
        }
        let radius = subject.search(&subject.request(17)).row(0)[9].distance;
        for request in [RangeRequest::new(radius), subject.range_request(radius)] {
            let request = request.selecting(keep.clone());
            let within = subject.range_search(&request);
            for threads in [1, 2, 7] {
                let pool = Pool::new(threads).unwrap();
                assert_eq!(
                    subject.range_search(&request.clone().on(&pool)),
                    within,
                    "{threads} threads"
                );
            }
        }
    }
}

/// Two indexes that push into the same top-ks, as a store with segments does it.
fn segments_are_searched_as_one(subject: &Subject) {
    if subject.has_own_ids() {
        return pushed_ids_are_offset(subject);
    }
    let queries = subject.queries();
    let second = subject.successor(90);
    let mut whole = subject.copy();
    whole.index.merge(&mut *second.index.boxed_clone()).unwrap();
    let offset = subject.index.merge_offset();
    let pool = Pool::new(2).unwrap();
    for request in [subject.request(11), subject.request(11).on(&pool)] {
        let mut tops: Vec<_> = (0..queries.len()).map(|_| TopK::new(11)).collect();
        subject.index.search_top(queries, &request, 0, &mut tops).unwrap();
        second.index.search_top(queries, &request, offset, &mut tops).unwrap();
        let together = Neighbors::from_tops(whole.index.metric(), tops);
        let at_once = whole.search(&request);
        if whole.index.metric() == Metric::Cosine {
            // Products that round to the same cosine stand for each other.
            let distances = |found: &Neighbors| found.iter().flatten().map(|n| n.distance).collect::<Vec<_>>();
            assert_eq!(distances(&together), distances(&at_once));
        } else {
            assert_eq!(together, at_once);
        }
    }
    pushed_ids_are_offset(subject);
}

/// The selector speaks of the index's own ids, the answer of those plus the offset.
fn pushed_ids_are_offset(subject: &Subject) {
    let (queries, offset) = (subject.queries(), 10_000);
    let ids = subject.ids();
    let keep = IdSelector::Range(0..ids[ids.len() / 2]);
    let request = subject.request(5).selecting(keep.clone());
    let mut tops: Vec<_> = (0..queries.len()).map(|_| TopK::new(5)).collect();
    subject.index.search_top(queries, &request, offset, &mut tops).unwrap();
    for (top, row) in tops.into_iter().zip(subject.search(&request).iter()) {
        let mut expected: Vec<_> = row.iter().map(|n| n.id + offset).collect();
        let mut pushed: Vec<_> = top.into_sorted().iter().map(|n| n.id).collect();
        expected.sort_unstable();
        pushed.sort_unstable();
        assert_eq!(pushed, expected);
    }
}

fn a_copy_shares_nothing(mut subject: Subject) {
    let copy = subject.copy();
    subject.remove(&IdSelector::All);
    copy.check_nearest(30, &IdSelector::All);
}

fn bad_input_is_refused(mut subject: Subject) {
    let dim = subject.index.dim();
    let before = to_bytes(&*subject.index);
    let good = vec![1.0; dim];
    for (column, value, word) in [
        (0, f32::NAN, "NaN"),
        (dim - 1, f32::INFINITY, "inf"),
        (1, -f32::INFINITY, "-inf"),
    ] {
        let mut bad = [&good[..], &good].concat();
        bad[dim + column] = value;
        let rows = Rows::new(&bad, dim).unwrap();
        let tail = format!("1 has {word} at component {column}; only finite numbers can be compared");
        let refusals = [
            (subject.try_add(rows).unwrap_err(), "vector"),
            (subject.index.search(rows, &SearchRequest::new(1)).unwrap_err(), "query"),
            (
                subject.index.range_search(rows, &RangeRequest::new(1.0)).unwrap_err(),
                "query",
            ),
        ];
        for (error, what) in refusals {
            assert_eq!(error.to_string(), format!("{what} {tail}"));
        }
    }

    let wide = vec![1.0; dim + 1];
    let rows = Rows::new(&wide, dim + 1).unwrap();
    let refusals = [
        subject.try_add(rows).unwrap_err(),
        subject.index.search(rows, &SearchRequest::new(1)).unwrap_err(),
        subject.index.range_search(rows, &RangeRequest::new(1.0)).unwrap_err(),
    ];
    for error in refusals {
        assert_eq!(
            error.to_string(),
            format!("expected vectors of dimension {dim}, got {}", dim + 1)
        );
    }

    let rows = Rows::new(&good, dim).unwrap();
    let refused = |request: SearchRequest<'_>| subject.index.search(rows, &request).unwrap_err().to_string();
    assert_eq!(refused(SearchRequest::new(0)), "k must be at least 1, got 0");
    assert!(refused(SearchRequest::new(1).with("depth!", 1.0)).starts_with("unknown search parameter `depth!`"));
    let nan = subject
        .index
        .range_search(rows, &RangeRequest::new(f32::NAN))
        .unwrap_err();
    assert!(matches!(nan, Error::RadiusNaN));
    let short = NeighborsMut {
        ids: &mut [0; 2],
        distances: &mut [0.0; 1],
    };
    let error = subject
        .index
        .search_into(rows, &SearchRequest::new(2), short)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the result needs 2 places (1 queries x k = 2), got 1"
    );
    subject.check_duplicate_ids_are_refused();
    assert_eq!(to_bytes(&*subject.index), before, "a refused call changes nothing");
}

#[cfg(test)]
#[allow(clippy::print_stdout)]
mod tests {
    use super::*;

    #[test]
    fn every_index_conforms_by_every_metric() {
        Pool::global().map(IndexSpec::EXAMPLES.len(), |i| {
            let spec = IndexSpec::EXAMPLES[i];
            // Those whose values the model has to the last digit; to an index the others differ in nothing but the kernel.
            for metric in [
                Metric::L2,
                Metric::InnerProduct,
                Metric::Cosine,
                Metric::L1,
                Metric::Linf,
            ] {
                println!("{spec} by {metric}");
                check(&spec.parse().unwrap(), metric);
            }
        });
    }
}
