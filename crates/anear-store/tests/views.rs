//! Views: positions, vectors and searches agree with a naive list, whatever was added, replaced and deleted before.

mod support;

use anear_documents::{DocumentFilter, Filter, Value};
use anear_embeddings::FakeEmbeddings;
use anear_kernels::{Metric, Rows};
use anear_store::{Deletion, Error, LocalStore, SearchRequest, VectorStore, VectorStoreExt, View};
use futures::executor::block_on;
use support::{Model, Random, document, ids};

const DIM: usize = 5;

/// A store and its naive twin after random additions, replacements and deletions.
fn changed(metric: Metric, random: &mut Random, steps: usize) -> (LocalStore, Model) {
    let store = LocalStore::builder(FakeEmbeddings::new(DIM)).metric(metric).build();
    let mut model = Model::default();
    for _ in 0..steps {
        if random.below(3) > 0 {
            let first = random.below(300);
            let batch: Vec<_> = (first..=first + random.below(40))
                .map(|id| (document(&format!("id-{id}"), id as i64 % 7), random.vector(DIM)))
                .collect();
            block_on(store.upsert_embeddings(batch.clone())).unwrap();
            model.upsert(&batch);
        } else {
            let doomed: Vec<String> = (0..30).map(|_| format!("id-{}", random.below(340))).collect();
            model
                .rows
                .retain(|(document, _)| !doomed.contains(document.id.as_ref().unwrap()));
            block_on(store.delete(Deletion::Existing(doomed))).unwrap();
        }
    }
    (store, model)
}

fn check_positions(view: &View, model: &Model) {
    assert_eq!(view.len(), model.rows.len());
    assert!(view.documents().map(|d| &**d).eq(model.rows.iter().map(|(d, _)| d)));
    for (position, (document, vector)) in model.rows.iter().enumerate() {
        let id = document.id.as_ref().unwrap();
        assert_eq!(view.document(position).unwrap().id.as_ref(), Some(id));
        assert_eq!(view.position(id), Some(position));
        assert_eq!(**view.get(id).unwrap(), *document);
        assert_eq!(view.vector(position).unwrap(), *vector);
    }
    assert!(view.document(view.len()).is_none());
    assert_eq!((view.position("nobody"), view.get("nobody")), (None, None));
}

fn check_vectors(view: &View, model: &Model, random: &mut Random) {
    let all: Vec<f32> = model.rows.iter().flat_map(|(_, vector)| vector).copied().collect();
    assert_eq!(view.vectors(0..view.len()).unwrap(), all);
    for _ in 0..20 {
        let start = random.below(view.len() + 1);
        let end = start + random.below(view.len() - start + 1);
        assert_eq!(view.vectors(start..end).unwrap(), all[start * DIM..end * DIM]);
    }
}

/// The model's rows at these positions, which keep their order.
fn only(model: &Model, positions: &[usize]) -> Model {
    let rows = model.rows.iter().enumerate().filter(|(at, _)| positions.contains(at));
    Model {
        rows: rows.map(|(_, row)| row.clone()).collect(),
    }
}

fn check_searches(view: &View, model: &Model, random: &mut Random) {
    let queries: Vec<Vec<f32>> = (0..6).map(|_| random.vector(DIM)).collect();
    let flat = queries.concat();
    // In any order, some twice.
    let among: Vec<usize> = (0..view.len() / 2).map(|_| random.below(view.len())).collect();
    for among in [None, Some(&among[..]), Some(&[][..])] {
        let wanted = among.map_or_else(|| model.clone(), |positions| only(model, positions));
        let found = view.nearest(Rows::new(&flat, DIM).unwrap(), 9, among).unwrap();
        assert_eq!(found.len(), queries.len());
        for (query, found) in queries.iter().zip(found) {
            let named = |(position, score): (usize, f32)| {
                let id = view.document(position).unwrap().id.clone().unwrap();
                (
                    id,
                    if view.metric() == Metric::InnerProduct {
                        -score
                    } else {
                        score
                    },
                )
            };
            let found: Vec<_> = found.into_iter().map(named).collect();
            assert_eq!(found, wanted.search(view.metric(), query, 9, None));
        }
        let filter = Filter::gte("page", 4);
        let request = SearchRequest::new(&queries[0][..]).k(9).filter(filter.clone());
        let hits = view.search(&request, among).unwrap();
        let expected = wanted.search(view.metric(), &queries[0], 9, Some(&filter));
        assert_eq!(ids(&hits), expected.into_iter().map(|(id, _)| id).collect::<Vec<_>>());
    }
}

fn check_selections(view: &View, model: &Model) {
    for filter in [Filter::eq("page", 3), Filter::all(), Filter::eq("page", Value::Null)] {
        let rows = model.rows.iter().enumerate();
        let expected: Vec<usize> = rows
            .filter(|(_, (document, _))| filter.matches(&document.metadata))
            .map(|(position, _)| position)
            .collect();
        assert_eq!(view.select(&filter.into()).unwrap(), expected);
    }
}

#[test]
fn a_view_answers_like_a_list() {
    for (seed, metric) in (0..).zip([Metric::L2, Metric::InnerProduct, Metric::L1]) {
        let mut random = Random(seed);
        for steps in 1..25 {
            let (store, model) = changed(metric, &mut random, steps);
            let view = store.view();
            check_positions(&view, &model);
            if !view.is_empty() {
                check_vectors(&view, &model, &mut random);
                check_searches(&view, &model, &mut random);
                check_selections(&view, &model);
            }
        }
    }
}

#[test]
fn a_view_stays_as_it_was_taken() {
    let mut random = Random(21);
    let (store, model) = changed(Metric::L2, &mut random, 12);
    let view = store.view();
    block_on(store.delete_matching(Filter::lt("page", 5))).unwrap();
    block_on(store.add_texts(["new"])).unwrap();
    check_positions(&view, &model);
    check_vectors(&view, &model, &mut random);
}

#[test]
fn stores_and_views_give_the_same_hits() {
    let mut random = Random(4);
    for normalize in [false, true] {
        let builder = LocalStore::builder(FakeEmbeddings::new(DIM)).normalize_l2(normalize);
        let rows = (0..90)
            .map(|i| (document(&i.to_string(), i % 4), random.vector(DIM)))
            .collect();
        let store = block_on(builder.from_embeddings(rows)).unwrap();
        let query = random.vector(DIM);
        let request = SearchRequest::new(&query[..]).k(6).score_threshold(2.5);
        for request in [
            request.clone(),
            request.clone().mmr(30, 0.4),
            request.filter(Filter::eq("page", 2)),
        ] {
            let hits = store.view().search(&request, None).unwrap();
            assert_eq!(hits, block_on(store.search(request)).unwrap());
            assert!(!hits.is_empty());
        }
        let found = store.view().nearest(Rows::new(&query, DIM).unwrap(), 6, None).unwrap();
        let hits = block_on(store.search(SearchRequest::new(&query[..]).k(6))).unwrap();
        assert!(found[0].iter().map(|f| f.1).eq(hits.iter().map(|hit| hit.score)));
    }
}

#[test]
fn vectors_are_given_as_they_are_stored() {
    let rows = vec![(document("a", 1), vec![3.0, 4.0]), (document("b", 2), vec![0.0, 2.0])];
    let builder = LocalStore::builder(FakeEmbeddings::new(2)).normalize_l2(true);
    let view = block_on(builder.from_embeddings(rows)).unwrap().view();
    assert_eq!(view.vectors(0..2).unwrap(), [0.6, 0.8, 0.0, 1.0]);
}

#[test]
fn what_a_view_cannot_answer_is_refused_by_name() {
    let rows = (0..3)
        .map(|i| (document(&i.to_string(), i), vec![i as f32; DIM]))
        .collect();
    let view = block_on(LocalStore::from_embeddings(rows, FakeEmbeddings::new(DIM)))
        .unwrap()
        .view();
    let query = SearchRequest::new(vec![0.0; DIM]);
    let rows = Rows::new(&[0.0; DIM], DIM).unwrap();
    let refused = |error: Option<Error>, words: &[&str]| {
        let error = error.expect("this is refused").to_string();
        assert!(
            words.iter().all(|word| error.contains(word)),
            "`{error}` lacks {words:?}"
        );
    };
    refused(view.vector(3).err(), &["position 3", "holds 3"]);
    refused(view.vector(usize::MAX).err(), &["18446744073709551615", "holds 3"]);
    refused(view.vectors(1..9).err(), &["position 3"]);
    refused(view.vectors(7..9).err(), &["position 7"]);
    refused(view.nearest(rows, 1, Some(&[0, 5])).err(), &["position 5"]);
    refused(view.nearest(rows, 0, None).err(), &["k must be"]);
    refused(
        view.nearest(Rows::new(&[0.0], 1).unwrap(), 1, None).err(),
        &["dimension 5", "got 1"],
    );
    refused(
        view.search(&SearchRequest::new("text"), None).err(),
        &["a vector", "a text"],
    );
    refused(view.search(&query.clone().k(0), None).err(), &["k must be"]);
    refused(
        view.search(&SearchRequest::new(vec![f32::NAN; DIM]), None).err(),
        &["NaN"],
    );
    let wide = Filter::Or((0..5000).map(|i| Filter::eq("page", i)).collect());
    refused(view.select(&DocumentFilter::from(wide)).err(), &["4096"]);
    assert!(view.vectors(3..3).unwrap().is_empty() && view.vectors(9..9).unwrap().is_empty());
}

#[test]
fn an_empty_store_knows_the_width_it_was_told() {
    let builder = || LocalStore::builder(FakeEmbeddings::new(DIM));
    let store = builder().dim(DIM).unwrap().build();
    assert_eq!(
        (store.dim(), store.view().dim(), store.view().is_empty()),
        (Some(DIM), Some(DIM), true)
    );
    assert!(
        block_on(store.search(SearchRequest::new(vec![0.0; DIM])))
            .unwrap()
            .is_empty()
    );
    let error = block_on(store.search(SearchRequest::new(vec![0.0; 3]))).unwrap_err();
    assert!(error.to_string().contains("dimension 5, got 3"), "{error}");
    let error = block_on(store.upsert_embeddings(vec![(document("a", 1), vec![0.0; 3])])).unwrap_err();
    assert!(error.to_string().contains("dimension 5, got 3"), "{error}");
    for dim in [0, (1 << 20) + 1] {
        assert!(builder().dim(dim).unwrap_err().to_string().contains(&dim.to_string()));
    }
    let saved = block_on(store.serialize_to_bytes()).unwrap();
    let load = |dim| block_on(builder().dim(dim).unwrap().deserialize_from_bytes(saved.clone()));
    assert_eq!(load(DIM).unwrap().dim(), Some(DIM));
    assert!(load(3).unwrap_err().to_string().contains("saved with dimension 5"));
}

#[test]
fn fields_and_memory_are_counted() {
    let (store, model) = changed(Metric::L2, &mut Random(8), 10);
    let view = store.view();
    let fields = view.metadata_fields();
    assert_eq!(
        fields,
        [("page".to_owned(), [("int".to_owned(), model.rows.len())].into())].into()
    );
    let usage = view.memory();
    assert!(
        usage.vectors >= model.rows.len() * DIM * 4 && usage.documents > model.rows.len() * 100,
        "{usage:?}"
    );
}
