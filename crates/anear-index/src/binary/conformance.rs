//! What every binary index must do, whatever its kind: [`check`] runs over [`BinarySpec::EXAMPLES`].
//!
//! Searched as thoroughly as they can, all kinds are exact, so each is compared with a plain list of (id, vector) that
//! is sorted as a whole. Distances are small whole numbers: ties are everywhere, and their order is checked, too.

use anear_kernels::{Bitmap, Bits, IdSelector, Neighbor};
use anear_pool::Pool;

use super::{BinaryIndex, BinarySpec, from_bytes, read_binary_index, to_bytes, write_binary_index};
use crate::{Error, Neighbors, RangeRequest, SearchRequest};

const DIM: usize = 72;
const WIDE_DIM: usize = 256;
const SAMPLE: usize = 200;
const QUERIES: usize = 9;

fn check(spec: &BinarySpec) {
    let new = |vectors| Subject::new(spec, DIM, vectors);
    an_empty_index_finds_nothing(&new(0));
    search_equals_the_oracle(&new(300));
    selectors_restrict_every_search(&new(300));
    vectors_come_back(&new(50));
    removing_is_as_if_never_added(new(300));
    merging_is_as_if_added_here(&new);
    threads_and_batches_do_not_show(&Subject::new(spec, WIDE_DIM, 3_000));
    knobs_are_known_and_kept(new(300));
    files_bring_everything_back(new(300));
    a_copy_shares_nothing(new(20));
    bad_input_is_refused(new(20));
}

/// An index and what it should hold.
struct Subject {
    index: Box<dyn BinaryIndex>,
    model: Vec<(u64, Vec<u8>)>,
    queries: Vec<u8>,
    /// Vectors made so far, by this subject and those before it: no two are made from the same number.
    made: u64,
}

impl Subject {
    fn new(spec: &BinarySpec, dim: usize, vectors: usize) -> Self {
        let sample: Vec<u8> = (0..SAMPLE as u64).flat_map(|i| vector(i, dim)).collect();
        let sample = Bits::new(&sample, dim / 8).unwrap();
        let mut subject = Self {
            index: spec.train(dim, sample, 7, None).unwrap(),
            model: Vec::new(),
            queries: (0..QUERIES as u64).flat_map(|i| vector(1_000_000 + i, dim)).collect(),
            made: 0,
        };
        subject.be_thorough();
        subject.add(vectors);
        subject
    }

    fn copy(&self) -> Self {
        Self {
            index: self.index.boxed_clone(),
            model: self.model.clone(),
            queries: self.queries.clone(),
            made: self.made,
        }
    }

    fn be_thorough(&mut self) {
        for knob in self.index.knobs() {
            self.index.set_knob(knob.name, 1e6).unwrap();
        }
    }

    /// A second subject like this one, with vectors and ids that follow its own.
    fn successor(&self, vectors: usize) -> Self {
        let mut next = Self::new(&self.index.spec(), self.index.dim(), 0);
        next.made = self.made;
        next.add(vectors);
        next
    }

    fn queries(&self) -> Bits<'_> {
        Bits::new(&self.queries, self.index.code_len()).unwrap()
    }

    fn ids(&self) -> Vec<u64> {
        self.model.iter().map(|(id, _)| *id).collect()
    }

    fn has_own_ids(&self) -> bool {
        self.index.spec().has_own_ids()
    }

    fn add(&mut self, vectors: usize) {
        let dim = self.index.dim();
        let made = self.made..self.made + vectors as u64;
        let rows: Vec<u8> = made.clone().flat_map(|i| vector(i, dim)).collect();
        let rows = Bits::new(&rows, dim / 8).unwrap();
        if self.has_own_ids() {
            let ids: Vec<u64> = made.clone().map(own_id).collect();
            self.index.add_with_ids(rows, &ids).unwrap();
        } else {
            let first = self.index.len() as u64;
            assert_eq!(self.index.add(rows).unwrap(), first..first + vectors as u64);
        }
        self.made = made.end;
        self.model.extend(made.map(|i| (own_id(i), vector(i, dim))));
        self.renumber();
    }

    fn remove(&mut self, ids: &IdSelector<'_>) -> usize {
        let removed = self.index.remove(ids).unwrap();
        let before = self.model.len();
        self.model.retain(|(id, _)| !ids.contains(*id));
        assert_eq!(removed, before - self.model.len());
        self.renumber();
        removed
    }

    /// Where ids are positions, those of the model are, too.
    fn renumber(&mut self) {
        if !self.has_own_ids() {
            let numbered = self.model.iter_mut().zip(0..);
            numbered.for_each(|((id, _), position)| *id = position);
        }
        assert_eq!(self.index.len(), self.model.len());
    }

    fn search(&self, request: &SearchRequest<'_>) -> Neighbors {
        self.index.search(self.queries(), request).unwrap()
    }

    /// The selected vectors in the order in which a search by radius finds them.
    fn measured(&self, query: &[u8], keep: &IdSelector<'_>) -> Vec<Neighbor> {
        let selected = self.model.iter().filter(|(id, _)| keep.contains(*id));
        let mut measured: Vec<_> = selected
            .map(|(id, vector)| Neighbor {
                id: *id,
                distance: distance(query, vector),
            })
            .collect();
        if !matches!(self.index.spec(), BinarySpec::IdMap(..)) {
            measured.sort_by_key(|n| n.id);
        }
        measured
    }

    fn check_nearest(&self, k: usize, keep: &IdSelector<'_>) {
        let found = self.search(&SearchRequest::new(k).selecting(keep.clone()));
        assert_eq!(found.len(), QUERIES);
        for (query, found) in self.queries().iter().zip(found.iter()) {
            let mut expected = self.measured(query, keep);
            expected.sort_by(|a, b| a.distance.total_cmp(&b.distance));
            expected.truncate(k);
            assert_eq!(found, expected, "{k} of {keep:?}");
        }
    }

    fn check_within(&self, radius: f32, keep: &IdSelector<'_>) {
        let request = RangeRequest::new(radius).selecting(keep.clone());
        let found = self.index.range_search(self.queries(), &request).unwrap();
        for (query, found) in self.queries().iter().zip(found.iter()) {
            let mut expected = self.measured(query, keep);
            expected.retain(|n| n.distance < radius);
            assert_eq!(found, expected, "within {radius} of {keep:?}");
        }
    }
}

/// Ids in no order and with gaps, each once for the first 5,003 vectors: 5,003 is a prime.
fn own_id(made: u64) -> u64 {
    (made * 7_919) % 5_003 + 1
}

/// Bits that look random; every eleventh vector is zero.
fn vector(number: u64, dim: usize) -> Vec<u8> {
    let mut state = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state = (state ^ state >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (state >> 32) as u8
    };
    let mask = if number % 11 == 10 { 0 } else { 0xff };
    (0..dim / 8).map(|_| next() & mask).collect()
}

fn distance(x: &[u8], y: &[u8]) -> f32 {
    x.iter().zip(y).map(|(x, y)| (x ^ y).count_ones()).sum::<u32>() as f32
}

/// Every kind of selector, in the ids of the subject.
fn with_selectors(subject: &Subject, check: impl Fn(&IdSelector<'_>)) {
    let ids = subject.ids();
    let sorted = |mut ids: Vec<u64>| {
        ids.sort_unstable();
        ids
    };
    let third = sorted(ids.iter().copied().step_by(3).collect());
    let few = sorted(vec![ids[7], ids[200], ids[41], u64::MAX]);
    let end = *ids.iter().max().unwrap() as usize + 1;
    let even = Bitmap::from_indices(end, (0..end).step_by(2));
    let rule = |id: u64| id % 5 == 1;
    check(&IdSelector::Sorted(&third));
    check(&IdSelector::Sorted(&few));
    check(&IdSelector::Sorted(&[]));
    check(&IdSelector::Range(20..150));
    check(&IdSelector::Bitmap(&even));
    check(&IdSelector::Custom(&rule));
    check(&IdSelector::Not(Box::new(IdSelector::Sorted(&third))));
}

fn an_empty_index_finds_nothing(subject: &Subject) {
    assert!(subject.index.is_empty());
    let everything = RangeRequest::new(f32::INFINITY);
    let answers = [
        subject.search(&SearchRequest::new(3)),
        subject.index.range_search(subject.queries(), &everything).unwrap(),
    ];
    for found in answers {
        assert_eq!(found.len(), QUERIES);
        assert!(found.iter().all(<[_]>::is_empty));
    }
}

fn search_equals_the_oracle(subject: &Subject) {
    for k in [1, 10, 299, 300, 10_000, usize::MAX] {
        subject.check_nearest(k, &IdSelector::All);
    }
    for radius in [f32::NEG_INFINITY, -1.0, 0.0, 0.5, 1.0, 30.0, 30.5, f32::INFINITY] {
        subject.check_within(radius, &IdSelector::All);
    }
}

fn selectors_restrict_every_search(subject: &Subject) {
    with_selectors(subject, |keep| {
        for k in [1, 10, 1_000] {
            subject.check_nearest(k, keep);
        }
        for radius in [33.0, 1e9] {
            subject.check_within(radius, keep);
        }
    });
}

fn vectors_come_back(subject: &Subject) {
    for (id, vector) in &subject.model {
        assert_eq!(subject.index.reconstruct(*id).unwrap(), vector);
    }
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
    let len = subject.index.len();
    assert_eq!(subject.remove(&IdSelector::All), len);
    an_empty_index_finds_nothing(&subject);
    subject.add(10);
    subject.check_nearest(20, &IdSelector::All);
}

fn merging_is_as_if_added_here(new: &dyn Fn(usize) -> Subject) {
    let mut merged = new(120);
    let mut other = merged.successor(80);
    merged.index.merge(&mut *other.index).unwrap();
    merged.model.append(&mut other.model);
    merged.made = other.made;
    merged.renumber();
    assert!(other.index.is_empty());
    merged.check_nearest(300, &IdSelector::All);
    merged.add(5);
    merged.check_nearest(9, &IdSelector::All);
    vectors_come_back(&merged);

    let mut wider = Subject::new(&merged.index.spec(), DIM + 8, 3);
    let error = merged.index.merge(&mut *wider.index).unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    assert_eq!(wider.index.len(), 3);
    merged.check_nearest(9, &IdSelector::All);
}

fn threads_and_batches_do_not_show(subject: &Subject) {
    let third = subject
        .ids()
        .into_iter()
        .step_by(3)
        .collect::<std::collections::BTreeSet<_>>();
    let third: Vec<u64> = third.into_iter().collect();
    for keep in [IdSelector::All, IdSelector::Sorted(&third)] {
        let request = SearchRequest::new(17).selecting(keep.clone());
        let alone = subject.search(&request);
        let within = RangeRequest::new(alone.row(0)[9].distance).selecting(keep.clone());
        let inside = subject.index.range_search(subject.queries(), &within).unwrap();
        for threads in [1, 2, 7] {
            let pool = Pool::new(threads).unwrap();
            assert_eq!(subject.search(&request.clone().on(&pool)), alone, "{threads} threads");
            let found = subject.index.range_search(subject.queries(), &within.clone().on(&pool));
            assert_eq!(found.unwrap(), inside, "{threads} threads");
        }
        for (i, row) in alone.iter().enumerate() {
            let one = subject.queries().slice(i..i + 1);
            assert_eq!(
                subject.index.search(one, &request).unwrap().row(0),
                row,
                "query {i} alone"
            );
        }
    }
}

/// Setting a knob and naming it in a request are the same; both refuse what is not a whole number.
fn knobs_are_known_and_kept(mut subject: Subject) {
    let request = SearchRequest::new(5);
    for knob in subject.index.knobs() {
        let named = subject.search(&request.clone().with(knob.name, 2.0));
        subject.index.set_knob(knob.name, 2.0).unwrap();
        assert_eq!(subject.search(&request), named);
        assert_eq!(subject.index.knob(knob.name), Some(2.0));
        for value in [0.5, -1.0, f64::NAN, f64::INFINITY] {
            let refused = [
                subject.index.set_knob(knob.name, value).unwrap_err(),
                subject
                    .index
                    .search(subject.queries(), &request.clone().with(knob.name, value))
                    .unwrap_err(),
            ];
            for error in refused {
                assert!(
                    matches!(error, Error::KnobValue { name, .. } if name == knob.name),
                    "{error}"
                );
            }
        }
        assert_eq!(subject.search(&request), named);
    }
    assert_eq!(subject.index.knob("depth!"), None);
    let refused = [
        subject.index.set_knob("depth!", 1.0).unwrap_err(),
        subject
            .index
            .search(subject.queries(), &request.with("depth!", 1.0))
            .unwrap_err(),
    ];
    for error in refused {
        assert!(
            error.to_string().starts_with("unknown search parameter `depth!`"),
            "{error}"
        );
    }
}

/// Both forms of file: the same answers, the same bytes again, and it goes on as if it had never been away.
fn files_bring_everything_back(mut subject: Subject) {
    for knob in subject.index.knobs() {
        subject.index.set_knob(knob.name, 2.0).unwrap();
    }
    let file = write_binary_index(&*subject.index).unwrap();
    let bytes = to_bytes(&*subject.index).unwrap();
    for restored in [read_binary_index(&file).unwrap(), from_bytes(&bytes).unwrap()] {
        assert_eq!(write_binary_index(&*restored).unwrap(), file);
        let mut restored = Subject {
            index: restored,
            ..subject.copy()
        };
        assert_eq!(restored.index.spec(), subject.index.spec());
        let request = SearchRequest::new(5);
        assert_eq!(restored.search(&request), subject.search(&request));
        vectors_come_back(&restored);
        restored.be_thorough();
        restored.remove(&IdSelector::Range(10..20));
        restored.add(3);
        restored.check_nearest(30, &IdSelector::All);
    }
    let emptied = {
        let mut copy = subject.copy();
        copy.remove(&IdSelector::All);
        write_binary_index(&*copy.index).unwrap()
    };
    assert!(read_binary_index(&emptied).unwrap().is_empty());
    check_damage(&write_binary_index(&*subject.successor(7).index).unwrap());
}

/// What is cut or goes on is refused; what is changed is refused or is an index that can be searched.
fn check_damage(file: &[u8]) {
    assert!((0..file.len()).all(|len| read_binary_index(&file[..len]).is_err()));
    assert!(read_binary_index(&[file, &[0]].concat()).is_err());
    let query = [0b0101_0101; DIM / 8];
    for at in 0..file.len() {
        for value in [0, 1, 0x7f, 0xff, file[at] ^ 1, file[at].wrapping_add(1)] {
            let mut changed = file.to_vec();
            changed[at] = value;
            let Ok(mut index) = read_binary_index(&changed) else {
                continue;
            };
            let queries = Bits::new(&query, DIM / 8).unwrap();
            index.search(queries, &SearchRequest::new(5)).unwrap();
            index.range_search(queries, &RangeRequest::new(30.0)).unwrap();
            let added = match index.spec() {
                BinarySpec::IdMap(..) => index.add_with_ids(queries, &[1 << 50]).err(),
                _ => index.add(queries).err(),
            };
            assert!(matches!(added, None | Some(Error::IdTooLarge { .. })), "{added:?}");
            index.remove(&IdSelector::Range(0..3)).unwrap();
        }
    }
}

fn a_copy_shares_nothing(mut subject: Subject) {
    let copy = subject.copy();
    subject.remove(&IdSelector::All);
    copy.check_nearest(30, &IdSelector::All);
}

fn bad_input_is_refused(mut subject: Subject) {
    let wide = vec![0; DIM / 8 + 1];
    let wide = Bits::new(&wide, DIM / 8 + 1).unwrap();
    let refusals = [
        subject
            .index
            .add_with_ids(wide, &[1 << 40])
            .err()
            .filter(|_| subject.has_own_ids()),
        subject.index.add(wide).err().filter(|_| !subject.has_own_ids()),
        subject.index.search(wide, &SearchRequest::new(1)).err(),
        subject.index.range_search(wide, &RangeRequest::new(1.0)).err(),
    ];
    for error in refusals.into_iter().flatten() {
        assert_eq!(error.to_string(), "expected vectors of dimension 72, got 80");
    }
    let queries = subject.queries();
    let error = subject.index.search(queries, &SearchRequest::new(0)).unwrap_err();
    assert!(matches!(error, Error::ZeroK));
    let error = subject.index.range_search(queries, &RangeRequest::new(f32::NAN));
    assert!(matches!(error.unwrap_err(), Error::RadiusNaN));

    let (two, taken, free) = (vec![1; 2 * DIM / 8], subject.model[3].0, own_id(subject.made));
    let two = Bits::new(&two, DIM / 8).unwrap();
    let mut refused = |ids: &[u64]| subject.index.add_with_ids(two, ids).unwrap_err();
    if subject.model[0].0 == 0 {
        assert!(matches!(refused(&[free, free + 1]), Error::Unsupported { .. }));
    } else {
        assert!(matches!(refused(&[free, taken]), Error::DuplicateId { id } if id == taken));
        assert!(matches!(refused(&[free, free]), Error::RepeatedId { id } if id == free));
        assert!(matches!(refused(&[free, 1 << 63]), Error::IdTooLarge { id } if id == 1 << 63));
        assert!(matches!(refused(&[free]), Error::IdCount { vectors: 2, ids: 1 }));
    }
    subject.check_nearest(30, &IdSelector::All);
}

#[test]
#[allow(clippy::print_stdout)]
fn every_binary_index_conforms() {
    for spec in BinarySpec::EXAMPLES {
        println!("{spec}");
        check(&spec.parse().unwrap());
    }
}
