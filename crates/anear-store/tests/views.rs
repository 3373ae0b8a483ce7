//! A view against a plain list of what was added and not deleted since.

mod support;

use anear_documents::{Document, Filter};
use anear_embeddings::FakeEmbeddings;
use anear_kernels::Rows;
use anear_store::{Deletion, Error, LocalStore, SearchRequest, VectorStore, View};
use futures::executor::block_on;

use support::Random;

const DIM: usize = 4;

/// What a store holds, in insertion order.
type Model = Vec<(String, Vec<f32>)>;

fn upsert(store: &LocalStore, model: &mut Model, ids: &[usize], dice: &mut Random) {
    let added: Model = ids
        .iter()
        .map(|id| (format!("id-{id}"), (0..DIM).map(|_| dice.below(100) as f32).collect()))
        .collect();
    let documents = added.iter().map(|(id, vector)| {
        Document::new("")
            .with_id(id.as_str())
            .with_metadata("even", vector[0] as i64 % 2 == 0)
    });
    let vectors = added.iter().flat_map(|(_, vector)| vector.clone()).collect();
    block_on(store.upsert_rows(documents.collect(), vectors, DIM)).unwrap();
    model.retain(|(id, _)| added.iter().all(|(new, _)| new != id));
    model.extend(added);
}

fn delete(store: &LocalStore, model: &mut Model, ids: &[usize]) {
    let ids: Vec<String> = ids.iter().map(|id| format!("id-{id}")).collect();
    block_on(store.delete(Deletion::Existing(ids.clone()))).unwrap();
    model.retain(|(id, _)| !ids.contains(id));
}

/// Squared distances of the chosen positions, nearest first, ties by position.
fn nearest(model: &Model, query: &[f32], k: usize, among: &[usize]) -> Vec<(usize, f32)> {
    let distance = |vector: &[f32]| vector.iter().zip(query).map(|(x, y)| (x - y) * (x - y)).sum::<f32>();
    let mut all: Vec<_> = among.iter().map(|&i| (i, distance(&model[i].1))).collect();
    all.sort_by(|x, y| x.1.total_cmp(&y.1).then(x.0.cmp(&y.0)));
    all.truncate(k);
    all
}

fn check(view: &View, model: &Model, dice: &mut Random) {
    assert_eq!(view.len(), model.len());
    let flat: Vec<f32> = model.iter().flat_map(|(_, vector)| vector.clone()).collect();
    assert_eq!(view.vectors(0..model.len()).unwrap(), flat);
    for (position, (id, vector)) in model.iter().enumerate() {
        assert_eq!(view.document(position).unwrap().id.as_ref(), Some(id));
        assert_eq!(view.position(id), Some(position));
        assert_eq!(&view.vector(position).unwrap(), vector);
    }
    assert!(view.document(model.len()).is_none());
    assert!(matches!(view.vector(model.len()), Err(Error::Position { .. })));
    let query: Vec<f32> = (0..DIM).map(|_| dice.below(100) as f32).collect();
    let everything: Vec<usize> = (0..model.len()).collect();
    let among: Vec<usize> = everything.iter().copied().filter(|_| dice.below(3) == 0).collect();
    let rows = Rows::new(&query, DIM).unwrap();
    assert_eq!(
        view.nearest(rows, 5, None).unwrap()[0],
        nearest(model, &query, 5, &everything)
    );
    assert_eq!(
        view.nearest(rows, 5, Some(&among)).unwrap()[0],
        nearest(model, &query, 5, &among)
    );
    let even: Vec<usize> = among.into_iter().filter(|&i| model[i].1[0] as i64 % 2 == 0).collect();
    let request = SearchRequest::new(&query[..]).k(5).filter(Filter::eq("even", true));
    let found = view.search(&request, Some(&even)).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|hit| (view.position(hit.document.id.as_ref().unwrap()).unwrap(), hit.score))
        .collect();
    assert_eq!(found, nearest(model, &query, 5, &even));
}

#[test]
fn a_view_is_the_list_of_what_is_there() {
    let mut dice = Random(7);
    let store = LocalStore::builder(FakeEmbeddings::new(DIM)).dim(DIM).unwrap().build();
    let mut model = Model::new();
    let mut kept = Vec::new();
    for round in 0..60 {
        let mut ids: Vec<usize> = (0..1 + dice.below(20)).map(|_| dice.below(150)).collect();
        ids.sort_unstable();
        ids.dedup();
        match dice.below(3) {
            0 => delete(&store, &mut model, &ids),
            _ => upsert(&store, &mut model, &ids, &mut dice),
        }
        check(&store.view(), &model, &mut dice);
        if round % 20 == 0 {
            kept.push((store.view(), model.clone()));
        }
    }
    // Later changes do not show.
    for (view, model) in kept {
        check(&view, &model, &mut dice);
    }
}

#[test]
fn inserting_an_id_that_is_there_changes_nothing() {
    let store = LocalStore::builder(FakeEmbeddings::new(DIM)).build();
    let document = |id: &str| Document::new("").with_id(id);
    block_on(store.insert_rows(vec![document("a")], vec![0.0; DIM], DIM)).unwrap();
    let again = store.insert_rows(vec![document("b"), document("a")], vec![1.0; 2 * DIM], DIM);
    let error = block_on(again).unwrap_err();
    assert!(error.to_string().contains("already: `a`; nothing was added"), "{error}");
    assert_eq!(store.view().len(), 1);
    let short = store.upsert_rows(vec![document("b"), document("c")], vec![1.0; DIM], DIM);
    assert!(matches!(block_on(short), Err(Error::Lengths { .. })));
}

#[test]
fn an_empty_store_may_know_its_width() {
    let store = LocalStore::builder(FakeEmbeddings::new(DIM)).dim(DIM).unwrap().build();
    assert_eq!(store.dim(), Some(DIM));
    let wide = store.upsert_rows(vec![Document::new("")], vec![0.0; 8], 8);
    assert!(matches!(
        block_on(wide),
        Err(Error::Dimension {
            expected: 4,
            got: 8,
            ..
        })
    ));
    assert!(LocalStore::builder(FakeEmbeddings::new(DIM)).dim(0).is_err());
}

#[test]
fn a_view_names_fields_and_counts_bytes() {
    let store = LocalStore::builder(FakeEmbeddings::new(DIM)).build();
    let documents = vec![
        Document::new("x").with_metadata("page", 1),
        Document::new("y").with_metadata("page", "one"),
    ];
    block_on(store.upsert_rows(documents, vec![0.0; 2 * DIM], DIM)).unwrap();
    let fields = store.view().metadata_fields();
    assert_eq!(fields["page"]["integer"], 1);
    assert_eq!(fields["page"]["string"], 1);
    let memory = store.view().memory();
    assert_eq!(memory.vectors, 2 * DIM * 4);
    assert!(memory.documents > 2 * size_of::<Document>());
}
