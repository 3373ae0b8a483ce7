//! Rows rounded to bytes, which prove of nearly all of them that they are too far away: an exact search that reads a
//! quarter of the memory.
//!
//! A row `x` of `d` components is kept as bytes `b`, which stand for `y_i = low + step * b_i`, and with the error
//! `e >= |x - y|`. A query `q` is rounded to whole numbers `n`, which stand for `p = scale * n`, with the error
//! `f >= |q - p|`. The product `<n, b>` is a whole number, and so exact: with it,
//!
//! ```text
//! <p, y> = scale * (low * sum(n) + step * <n, b>)
//! |p - y|^2 = |p|^2 + |y|^2 - 2 <p, y>
//! ```
//!
//! * L2: `|q - x| >= |p - y| - e - f`, so a row is beyond the threshold `t` if `|p - y|^2 > (sqrt(t) + e + f)^2`.
//! * inner product: `<q, x> <= <p, y> + |q| e + f |y|`, so it is if that is below `-t`.
//! * cosine: so it is if that is below `(1 - t) |q| |x|`, where `|y| - e <= |x| <= m`.
//!
//! Let `m` be `sqrt(d)` times the largest magnitude of a component: `m >= |y|`. All that is computed in `f32` is a sum of
//! terms that are at most `|p|^2 + m^2` or `|q| m`, in at most `d / 8 + 64` roundings; so much of these is allowed for, the
//! roundings of canonical distances (see `bounds.rs`) included. What is not finite or too large lets the row pass.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
pub(crate) mod matrix;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
pub(crate) mod pairs;
pub(crate) mod sketched;

use std::ops::Range;

use self::sketched::{Drift, Probe};
use crate::{
    bitmap::ones,
    bounds::U,
    kernels::Kernels,
    metric::{Metric, cosine::SAFE_SQUARED_NORM},
    rows::Rows,
    select::{Neighbor, TopK},
    selector::IdSelector,
};

/// The largest byte.
const LEVELS: f32 = 255.0;

/// Bytes of a row are a multiple of this, so that no instruction set has a rest to care for.
pub(crate) const CHUNK: usize = 32;

/// How many rows ahead in a list memory is fetched.
const AHEAD: usize = 8;

/// Rows whose products are taken at a time: the ids in a selector's word.
const BLOCK: usize = 64;

/// With fewer wanted rows than this among 64, their floats are no more to read than the bytes of all.
const SPARSE: u32 = 16;

/// Larger whole numbers would say no more: the error is that of the rows by then.
const LARGEST_NUMBER: i64 = 1 << 14;

/// What underflow takes from an error at most: the root of 2^-149 per component, and more than any dimension makes of it.
const UNDERFLOW: f64 = 1e-19;

/// The kernels of one instruction set.
pub(crate) struct Entry {
    /// The bytes of a row, and what is to be known of it; bytes beyond its components stay.
    pub(crate) round: unsafe fn(&[f32], &mut [u8]) -> Rounded,
    /// The whole numbers that a query is rounded to; those beyond its components stay, a multiple of [`CHUNK`] in all.
    pub(crate) numbers: unsafe fn(&[f32], &mut [i16]) -> Whole,
    /// The products of a query's numbers with the bytes of rows, as many as there are places. Lengths are multiples of
    /// [`CHUNK`].
    pub(crate) products: unsafe fn(&[i16], &[u8], &mut [i32]),
    /// The squared distances of a row's bytes to those of the rows at some positions, as many as there are places.
    pub(crate) squares_at: SquaresAt,
}

/// See [`Entry::squares_at`].
type SquaresAt = unsafe fn(&[u8], &[u8], &[u32], &mut [i32]);

/// The [`Entry`] of plain functions.
pub(crate) static SCALAR: Entry = Entry {
    round,
    numbers: to_numbers,
    products,
    squares_at,
};

/// What rounding made of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rounded {
    low: f32,
    step: f32,
    squared_norm: f32,
    squared_error: f32,
    largest: f32,
}

/// What is to be known of the whole numbers that a query was rounded to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Whole {
    /// What 1 stands for.
    scale: f32,
    sum: i32,
}

/// Rows rounded to bytes: a quarter of their size, and twenty bytes a row.
///
/// ```
/// use anear_kernels::{ByteQuery, ByteRows, ByteRun, IdSelector, Metric, Rows, TopK};
///
/// let components: Vec<f32> = (0..2_000).map(|i| (i * 37 % 101) as f32).collect();
/// let rows = Rows::new(&components, 20).expect("a hundred rows");
/// let bytes = ByteRows::new(rows).expect("memory");
/// let query = ByteQuery::new(Metric::L2, rows.row(7)).expect("a metric that has a bound");
/// let mut top = TopK::new(1);
/// let measured = query.scan(&[ByteRun::all(&bytes, rows)], &IdSelector::All, &mut top);
/// assert_eq!(top.into_sorted()[0].id, 7);
/// assert!(measured < 100);
/// ```
#[derive(Clone, Debug)]
pub struct ByteRows {
    /// Components of the rows.
    dim: usize,
    /// Where sketches of the rows were rounded: what they hide.
    drift: Option<Drift>,
    /// Components of what is rounded, and the bytes that they take.
    width: usize,
    stride: usize,
    codes: Vec<u8>,
    lows: Vec<f32>,
    steps: Vec<f32>,
    /// `|y|^2`, less what rounding may have added to it and to all that is computed from it; NaN if not to be trusted.
    norms: Vec<f32>,
    /// `e`, and what rounding may add to it.
    errors: Vec<f32>,
    /// `m`.
    reaches: Vec<f32>,
}

impl ByteRows {
    /// Rounds rows. `None` if memory is short.
    pub fn new(rows: Rows<'_>) -> Option<Self> {
        Self::on(Kernels::get(), rows)
    }

    /// As [`new`](Self::new), on the instruction set of `kernels`.
    #[doc(hidden)]
    pub fn on(kernels: &Kernels, rows: Rows<'_>) -> Option<Self> {
        let mut bytes = Self::with_capacity(rows.len(), rows.dim())?;
        bytes.extend(kernels, rows);
        Some(bytes)
    }

    /// None yet, and memory for so many. `None` if it is short.
    fn with_capacity(len: usize, width: usize) -> Option<Self> {
        let mut bytes = Self {
            dim: width,
            drift: None,
            width,
            stride: width.next_multiple_of(CHUNK),
            codes: Vec::new(),
            lows: Vec::new(),
            steps: Vec::new(),
            norms: Vec::new(),
            errors: Vec::new(),
            reaches: Vec::new(),
        };
        for facts in bytes.facts_mut() {
            facts.try_reserve_exact(len).ok()?;
        }
        bytes.codes.try_reserve_exact(len * bytes.stride).ok()?;
        Some(bytes)
    }

    fn extend(&mut self, kernels: &Kernels, rows: Rows<'_>) {
        for row in rows {
            let start = self.codes.len();
            self.codes.resize(start + self.stride, 0);
            let code = &mut self.codes[start..][..self.width];
            // SAFETY: `for_isa` hands out kernels only where their instruction set is available.
            let rounded = unsafe { (kernels.bytes.round)(row, code) };
            self.push_facts(&rounded);
        }
    }

    fn push_facts(&mut self, rounded: &Rounded) {
        let reach = f64::from(rounded.largest) * (self.width as f64).sqrt();
        let slack = slack(self.width);
        let norm = f64::from(rounded.squared_norm) - slack * reach * reach;
        let is_trusted = reach * reach <= f64::from(*SAFE_SQUARED_NORM.end());
        let error = f64::from(rounded.squared_error).sqrt() * (1.0 + slack) + slack * reach + UNDERFLOW;
        self.lows.push(rounded.low);
        self.steps.push(rounded.step);
        self.norms.push(if is_trusted { norm as f32 } else { f32::NAN });
        self.errors.push(error as f32);
        self.reaches.push(reach as f32);
    }

    fn facts_mut(&mut self) -> [&mut Vec<f32>; 5] {
        [
            &mut self.lows,
            &mut self.steps,
            &mut self.norms,
            &mut self.errors,
            &mut self.reaches,
        ]
    }

    /// How far what is trusted may be from what was rounded.
    fn largest_error(&self) -> f64 {
        let trusted = self.errors.iter().zip(&self.norms).filter(|(_, norm)| !norm.is_nan());
        trusted.map(|(error, _)| f64::from(*error)).fold(0.0, f64::max)
    }

    /// What the bytes of some rows stand for, to the bit; NaN where that is not to be trusted.
    fn decoded(&self, slots: Range<usize>) -> Vec<f32> {
        let mut decoded = Vec::with_capacity(slots.len() * self.width);
        for slot in slots {
            let (low, step) = match self.norms[slot].is_nan() {
                true => (f32::NAN, f32::NAN),
                false => (self.lows[slot], self.steps[slot]),
            };
            let code = &self.codes[slot * self.stride..][..self.width];
            decoded.extend(code.iter().map(|byte| low + step * f32::from(*byte)));
        }
        decoded
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.lows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lows.is_empty()
    }

    /// Bytes of memory held.
    pub fn memory(&self) -> usize {
        self.codes.len() + 5 * size_of::<f32>() * self.len()
    }
}

/// How much of the largest terms all roundings together may be.
fn slack(dim: usize) -> f64 {
    (dim / 8 + 64) as f64 * U
}

/// Some rows that lie one after the other, with what they were rounded to.
#[derive(Clone, Debug)]
pub struct ByteRun<'a> {
    /// What the rows were rounded to, all of them.
    pub bytes: &'a ByteRows,
    /// The rows.
    pub rows: Rows<'a>,
    /// Those of them that are meant.
    pub slots: Range<usize>,
    /// The id of the first that is meant; the others count on from there.
    pub first_id: u64,
}

impl<'a> ByteRun<'a> {
    /// All rows, under their positions.
    pub fn all(bytes: &'a ByteRows, rows: Rows<'a>) -> Self {
        Self {
            bytes,
            rows,
            slots: 0..rows.len(),
            first_id: 0,
        }
    }

    fn check(&self, dim: usize) {
        assert_eq!(
            (self.rows.len(), self.rows.dim()),
            (self.bytes.len(), self.bytes.dim),
            "the rows that were rounded"
        );
        assert_eq!(self.rows.dim(), dim, "rows as long as the query");
        assert!(self.slots.end <= self.rows.len(), "a range of the rows");
    }
}

/// A query that is compared with [`ByteRows`] before it is compared with the rows themselves.
#[derive(Clone, Debug)]
pub struct ByteQuery<'a> {
    kernels: &'static Kernels,
    metric: Metric,
    query: &'a [f32],
    image: Image,
    /// Of a query that is compared by its sketch.
    probe: Option<Probe>,
}

/// What rounded rows are compared with: the query, or its sketch, as whole numbers.
#[derive(Clone, Debug)]
struct Image {
    metric: Metric,
    /// `n`; zeros behind.
    numbers: Vec<i16>,
    scale: f64,
    sum: f64,
    /// `|p|^2`.
    squared_norm: f64,
    /// `|q|`.
    length: f64,
    /// `f`.
    error: f64,
    slack: f64,
}

impl<'a> ByteQuery<'a> {
    /// A query prepared to be compared with rows. `None` where the metric or the query has no bound that is of use.
    pub fn new(metric: Metric, query: &'a [f32]) -> Option<Self> {
        Self::on(Kernels::get(), metric, query)
    }

    /// As [`new`](Self::new), on the instruction set of `kernels`.
    #[doc(hidden)]
    pub fn on(kernels: &'static Kernels, metric: Metric, query: &'a [f32]) -> Option<Self> {
        Some(Self {
            kernels,
            metric,
            query,
            image: Image::new(kernels, metric, query, query.len())?,
            probe: None,
        })
    }

    /// As [`scan`](crate::scan) for the rows of some runs, with the same answers to the bit. Returns how many had to be
    /// measured.
    ///
    /// # Panics
    /// If the rows are not those that were rounded or not as long as the query, or there are fewer than are meant.
    pub fn scan(&self, runs: &[ByteRun<'_>], keep: &IdSelector<'_>, top: &mut TopK) -> usize {
        let seen = self.look(runs, keep);
        let (limit, measured) = self.limit(runs, &seen, top.k());
        let threshold = |top: &TopK| top.threshold().min(limit);
        let found = |neighbor: Neighbor, top: &mut TopK| {
            if neighbor.distance <= top.threshold() {
                top.push(neighbor);
            }
        };
        measured + self.visit(runs, &seen, top, threshold, found)
    }

    /// As [`scan_range`](crate::scan_range) for the rows of some runs; see [`scan`](Self::scan).
    ///
    /// # Panics
    /// As [`scan`](Self::scan).
    pub fn scan_range(
        &self,
        runs: &[ByteRun<'_>],
        keep: &IdSelector<'_>,
        radius: f32,
        out: &mut Vec<Neighbor>,
    ) -> usize {
        let seen = self.look(runs, keep);
        let found = |neighbor: Neighbor, out: &mut Vec<Neighbor>| {
            if neighbor.distance < radius {
                out.push(neighbor);
            }
        };
        self.visit(runs, &seen, out, |_| radius, found)
    }

    /// Compares the query with what the wanted rows were rounded to.
    fn look(&self, runs: &[ByteRun<'_>], keep: &IdSelector<'_>) -> Vec<Seen> {
        let mut seen = Vec::new();
        for (number, run) in runs.iter().enumerate() {
            run.check(self.query.len());
            assert_eq!(
                (run.bytes.drift.is_some(), run.bytes.stride),
                (self.probe.is_some(), self.image.numbers.len()),
                "a query by the sketches that were rounded, if these were"
            );
            for (id, wanted) in keep.words_in(run.first_id..run.first_id + run.slots.len() as u64) {
                let start = run.slots.start + (id - run.first_id) as usize;
                let len = BLOCK.min(run.slots.end - start);
                let mut values = [f32::NAN; BLOCK];
                if wanted.count_ones() >= SPARSE {
                    self.image.values(self.kernels, run.bytes, start, &mut values[..len]);
                }
                seen.push(Seen {
                    run: number,
                    start,
                    len,
                    wanted,
                    values,
                });
            }
        }
        seen
    }

    /// No neighbor among the `k` nearest is beyond this: so far are those that seem to be the nearest. And how many were
    /// measured for it.
    fn limit(&self, runs: &[ByteRun<'_>], seen: &[Seen], k: usize) -> (f32, usize) {
        let mut promising = TopK::new(k);
        for (number, seen) in seen.iter().enumerate() {
            for (bit, &distance) in seen.values.iter().enumerate() {
                if distance < promising.threshold() && seen.wanted >> bit & 1 == 1 {
                    let id = (number * BLOCK + bit) as u64;
                    promising.push(Neighbor { id, distance });
                }
            }
        }
        if promising.len() < k {
            return (f32::INFINITY, 0);
        }
        let distance = |neighbor: Neighbor| {
            let (seen, bit) = (&seen[neighbor.id as usize / BLOCK], neighbor.id as usize % BLOCK);
            let row = runs[seen.run].rows.row(seen.start + bit);
            self.kernels.distance_or_infinity(self.metric, self.query, row)
        };
        let distances = promising.into_sorted().into_iter().map(distance);
        (distances.fold(f32::NEG_INFINITY, f32::max), k)
    }

    /// Hands the wanted rows that may be within the threshold to `found`, ascending by id; returns how many they are.
    fn visit<T>(
        &self,
        runs: &[ByteRun<'_>],
        seen: &[Seen],
        state: &mut T,
        threshold: impl Fn(&T) -> f32,
        found: impl Fn(Neighbor, &mut T),
    ) -> usize {
        let (mut distances, mut positions, mut measured) = ([0.0; BLOCK], [0; BLOCK], 0);
        for seen in seen {
            let run = &runs[seen.run];
            let near = self.near(run.bytes, seen, threshold(state));
            let count = near.count_ones() as usize;
            let places = positions.iter_mut().zip(ones(near));
            places.for_each(|(position, bit)| *position = seen.start + bit);
            let (positions, distances) = (&positions[..count], &mut distances[..count]);
            self.kernels
                .distances_at(self.metric, self.query, run.rows, positions, distances);
            for (position, &mut distance) in positions.iter().zip(distances) {
                let id = run.first_id + (position - run.slots.start) as u64;
                found(Neighbor { id, distance }, state);
            }
            measured += count;
        }
        measured
    }

    /// Which of the wanted rows may be within the threshold, the first of them in the lowest bit.
    fn near(&self, rows: &ByteRows, seen: &Seen, threshold: f32) -> u64 {
        let threshold = match (&rows.drift, &self.probe) {
            (Some(drift), Some(probe)) => drift.raised(self.metric, probe, threshold),
            // Bytes of the rows themselves hide nothing but their errors.
            _ => threshold,
        };
        let values = &seen.values[..seen.len];
        seen.wanted & !self.image.far(rows, seen.start, values, threshold)
    }
}

/// What was seen of at most 64 rows that lie one after the other.
struct Seen {
    /// Number of the run.
    run: usize,
    /// The slot of the first.
    start: usize,
    len: usize,
    /// Which of them are wanted.
    wanted: u64,
    /// How near they seem; NaN where nothing is known. See [`Image::values`].
    values: [f32; BLOCK],
}

impl Image {
    /// `query` as whole numbers, for rows of vectors of `dim` components. `None` where nothing could be proven.
    fn new(kernels: &Kernels, metric: Metric, query: &[f32], dim: usize) -> Option<Self> {
        let squared_norm = squared_norm(query);
        let least = match metric {
            Metric::L2 => f64::MIN_POSITIVE,
            // Terms of a smaller query lose digits to underflow that nothing else makes up for.
            Metric::InnerProduct | Metric::Cosine => (*SAFE_SQUARED_NORM.start()).into(),
            _ => return None,
        };
        let is_trusted = squared_norm >= least && squared_norm * dim as f64 <= f64::from(*SAFE_SQUARED_NORM.end());
        is_trusted.then(|| Self::rounded(kernels, metric, query, slack(dim)))
    }

    fn rounded(kernels: &Kernels, metric: Metric, query: &[f32], slack: f64) -> Self {
        let mut numbers = vec![0; query.len().next_multiple_of(CHUNK)];
        // SAFETY: `for_isa` hands out kernels only where their instruction set is available.
        let whole = unsafe { (kernels.bytes.numbers)(query, &mut numbers) };
        let scale = f64::from(whole.scale);
        let (mut squares, mut error) = (0.0, 0.0);
        for (number, x) in numbers.iter().zip(query) {
            let number = f64::from(*number);
            squares += number * number;
            error += (f64::from(*x) - scale * number).powi(2);
        }
        Self {
            metric,
            numbers,
            scale,
            sum: whole.sum.into(),
            squared_norm: scale * scale * squares,
            length: squared_norm(query).sqrt(),
            error: error.sqrt() * (1.0 + slack),
            slack,
        }
    }

    /// How near the rows from `start` on seem, nearer ones having smaller values; NaN where a norm is not to be trusted.
    ///
    /// By L2: `|p - y|^2` at least; else the negative of the inner product at most.
    fn values(&self, kernels: &Kernels, rows: &ByteRows, start: usize, values: &mut [f32]) {
        let mut products = [0; BLOCK];
        let (products, stride) = (&mut products[..values.len()], rows.stride);
        let codes = &rows.codes[start * stride..][..values.len() * stride];
        // SAFETY: `for_isa` hands out kernels only where their instruction set is available.
        unsafe { (kernels.bytes.products)(&self.numbers, codes, products) };
        match self.metric {
            Metric::L2 => self.values_by_l2(rows, start, products, values),
            _ => self.values_by_product(rows, start, products, values),
        }
    }

    fn values_by_l2(&self, rows: &ByteRows, start: usize, products: &[i32], values: &mut [f32]) {
        let norm = (self.squared_norm * (1.0 - self.slack)) as f32;
        let (of_low, of_step) = ((2.0 * self.scale * self.sum) as f32, (2.0 * self.scale) as f32);
        let [lows, steps, norms] =
            [&rows.lows, &rows.steps, &rows.norms].map(|facts| &facts[start..][..products.len()]);
        for (i, (value, product)) in values.iter_mut().zip(products).enumerate() {
            let twice = of_low * lows[i] + of_step * *product as f32 * steps[i];
            *value = norm + norms[i] - twice;
        }
    }

    fn values_by_product(&self, rows: &ByteRows, start: usize, products: &[i32], values: &mut [f32]) {
        let slack = self.slack;
        let (of_low, of_step) = ((self.scale * self.sum) as f32, self.scale as f32);
        let (of_error, of_reach) = (
            (self.length * (1.0 + slack)) as f32,
            ((self.error + 3.0 * slack * self.length) * (1.0 + slack)) as f32,
        );
        let [lows, steps, norms, errors, reaches] = [&rows.lows, &rows.steps, &rows.norms, &rows.errors, &rows.reaches]
            .map(|facts| &facts[start..][..products.len()]);
        for (i, (value, product)) in values.iter_mut().zip(products).enumerate() {
            let rounded = of_low * lows[i] + of_step * *product as f32 * steps[i];
            *value = -(rounded + of_error * errors[i] + of_reach * reaches[i] + 0.0 * norms[i]);
        }
    }

    /// Which of the rows from `start` on are certainly beyond the threshold by their values, the first in the lowest bit.
    fn far(&self, rows: &ByteRows, start: usize, values: &[f32], threshold: f32) -> u64 {
        let mut far = [false; BLOCK];
        match self.metric {
            Metric::L2 => self.far_by_l2(rows, start, threshold, values, &mut far),
            Metric::InnerProduct => self.far_by_product(threshold, values, &mut far),
            _ => self.far_by_cosine(rows, start, threshold, values, &mut far),
        }
        far.iter().rev().fold(0, |far, &is_far| far << 1 | u64::from(is_far))
    }

    fn far_by_l2(&self, rows: &ByteRows, start: usize, threshold: f32, values: &[f32], far: &mut [bool; BLOCK]) {
        let slack = self.slack;
        let root = (f64::from(threshold) * (1.0 + slack)).sqrt() + self.error;
        let root = (root * (1.0 + slack)) as f32;
        let errors = &rows.errors[start..][..values.len()];
        for ((far, value), error) in far.iter_mut().zip(values).zip(errors) {
            let reach = root + error;
            *far = *value > reach * reach;
        }
    }

    fn far_by_product(&self, threshold: f32, values: &[f32], far: &mut [bool; BLOCK]) {
        let most = f64::from(threshold) + f64::from(threshold.abs()) * self.slack + f64::from(f32::MIN_POSITIVE);
        let most = most as f32;
        for (far, value) in far.iter_mut().zip(values) {
            *far = *value > most;
        }
    }

    fn far_by_cosine(&self, rows: &ByteRows, start: usize, threshold: f32, values: &[f32], far: &mut [bool; BLOCK]) {
        let slack = self.slack;
        let cosine = 1.0 - f64::from(threshold) - slack;
        let [norms, errors, reaches] =
            [&rows.norms, &rows.errors, &rows.reaches].map(|facts| &facts[start..][..values.len()]);
        let of_length = (cosine * self.length * (1.0 - slack.copysign(cosine))) as f32;
        for (i, (far, value)) in far.iter_mut().zip(values).enumerate() {
            let length = match cosine >= 0.0 {
                true => norms[i].sqrt() - errors[i],
                false => reaches[i],
            };
            // Digits that underflow lost are missed where what they are compared with is as small.
            *far = norms[i] >= *SAFE_SQUARED_NORM.start() && -*value < of_length * length;
        }
    }
}

/// `|x|^2`.
pub(crate) fn squared_norm(x: &[f32]) -> f64 {
    x.iter().map(|x| f64::from(*x).powi(2)).sum()
}

/// Lanes of sums: those of the widest registers.
const LANES: usize = 16;

#[inline(always)]
pub(crate) fn round(row: &[f32], code: &mut [u8]) -> Rounded {
    let (low, high) = (least(row, |x| x), -least(row, |x| -x));
    let apart = row.iter().fold(0, |apart, x| apart | u32::from(nearest(*x) != *x));
    // Whole numbers that a byte has room for stay what they are.
    let step = if apart == 0 && high - low <= LEVELS {
        1.0
    } else {
        (high - low) / LEVELS
    };
    let per_step = if step > 0.0 { 1.0 / step } else { 0.0 };
    let mut sums = [[0.0; LANES]; 2];
    let (rows, rest) = row.as_chunks::<LANES>();
    let (codes, codes_rest) = code.as_chunks_mut::<LANES>();
    for (row, code) in rows.iter().zip(codes) {
        round_lanes(row, code, low, step, per_step, &mut sums);
    }
    // Lanes that are made up are at the low end, where there is no error; their norms are not counted.
    if !rest.is_empty() {
        let (mut last, mut bytes, norms) = ([low; LANES], [0; LANES], sums[0]);
        last[..rest.len()].copy_from_slice(rest);
        round_lanes(&last, &mut bytes, low, step, per_step, &mut sums);
        codes_rest.copy_from_slice(&bytes[..rest.len()]);
        sums[0][rest.len()..].copy_from_slice(&norms[rest.len()..]);
    }
    Rounded {
        low,
        step,
        squared_norm: sums[0].iter().sum(),
        squared_error: sums[1].iter().sum(),
        largest: low.abs().max(high.abs()),
    }
}

/// Rounds some components; adds the squares of what they became, and those of the errors.
#[inline(always)]
fn round_lanes(
    row: &[f32; LANES],
    code: &mut [u8; LANES],
    low: f32,
    step: f32,
    per_step: f32,
    [norms, errors]: &mut [[f32; LANES]; 2],
) {
    for i in 0..LANES {
        let whole = nearest((row[i] - low) * per_step).clamp(0.0, LEVELS);
        code[i] = (whole + WHOLE).to_bits() as u8;
        let rounded = low + step * whole;
        norms[i] += rounded * rounded;
        errors[i] += (row[i] - rounded) * (row[i] - rounded);
    }
}

/// From here on floats are whole numbers, and their lowest bits are those of the number.
const WHOLE: f32 = (1 << 23) as f32;

/// The nearest whole number, for magnitudes up to 2^22; larger floats come out changed or as they are.
#[inline(always)]
fn nearest(x: f32) -> f32 {
    let magnitude = (x.abs() + WHOLE) - WHOLE;
    magnitude.copysign(x)
}

/// The smallest of what `of` makes of the components.
#[inline(always)]
fn least(row: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let smaller = |a: f32, b: f32| if b < a { b } else { a };
    let (rows, rest) = row.as_chunks::<LANES>();
    let mut lanes = [f32::INFINITY; LANES];
    for row in rows {
        for i in 0..LANES {
            lanes[i] = smaller(lanes[i], of(row[i]));
        }
    }
    let rest = rest.iter().map(|x| of(*x));
    lanes.into_iter().chain(rest).fold(f32::INFINITY, smaller)
}

/// A query as whole numbers, the largest of which is as large as it may be.
#[inline(always)]
pub(crate) fn to_numbers(query: &[f32], numbers: &mut [i16]) -> Whole {
    let largest = -least(query, |x| -x.abs());
    // Then no sum of products, with bytes of up to 255, is beyond 32 bits.
    let most = (i64::from(i32::MAX) / (LEVELS as i64 * numbers.len() as i64)).min(LARGEST_NUMBER - 1) as f32;
    let scale = largest.max(0.0) / most;
    let per_scale = if scale > 0.0 { (1.0 / scale).min(f32::MAX) } else { 0.0 };
    for (number, x) in numbers.iter_mut().zip(query) {
        let whole = nearest(x * per_scale).max(-most).min(most);
        // From here on below twice as much floats are whole numbers, whose lowest bits are those of what was added.
        *number = (whole + 1.5 * WHOLE).to_bits() as i16;
    }
    let sum = numbers.iter().map(|number| i32::from(*number)).sum();
    Whole { scale, sum }
}

pub(crate) fn products(numbers: &[i16], codes: &[u8], out: &mut [i32]) {
    for (code, out) in codes.chunks_exact(numbers.len()).zip(out) {
        let products = numbers
            .iter()
            .zip(code)
            .map(|(number, byte)| i32::from(*number) * i32::from(*byte));
        *out = products.sum();
    }
}

pub(crate) fn squares_at(own: &[u8], codes: &[u8], positions: &[u32], out: &mut [i32]) {
    for (position, out) in positions.iter().zip(out) {
        let code = code_at(codes, own.len(), *position);
        let squares = own.iter().zip(code).map(|(a, b)| i32::from(a.abs_diff(*b)).pow(2));
        *out = squares.sum();
    }
}

/// Of rows of so many bytes, the one at a position.
#[inline(always)]
fn code_at(codes: &[u8], len: usize, position: u32) -> &[u8] {
    &codes[position as usize * len..][..len]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{isa::Isa, random::Random};

    fn every_isa() -> impl Iterator<Item = &'static Kernels> {
        Isa::ALL.iter().filter_map(|isa| Kernels::for_isa(*isa))
    }

    fn floats(random: &mut Random, len: usize) -> Vec<f32> {
        (0..len).map(|_| random.unit() as f32 - 0.3).collect()
    }

    #[test]
    fn rows_are_rounded_and_multiplied_the_same_on_every_instruction_set() {
        let mut random = Random::new(1);
        for dim in [1, 3, 16, 31, 32, 33, 100, 784] {
            let components = floats(&mut random, 13 * dim);
            let rows = Rows::new(&components, dim).unwrap();
            let query = floats(&mut random, dim);
            let of = |kernels: &'static Kernels| {
                let bytes = ByteRows::on(kernels, rows).unwrap();
                let numbers = ByteQuery::on(kernels, Metric::L2, &query).unwrap().image.numbers;
                let mut found = [0; 13];
                // SAFETY: `for_isa` hands out kernels only where their instruction set is available.
                unsafe { (kernels.bytes.products)(&numbers, &bytes.codes, &mut found) };
                (bytes.codes, bytes.norms, bytes.errors, numbers, found)
            };
            let want = of(Kernels::for_isa(Isa::Scalar).unwrap());
            for kernels in every_isa() {
                assert_eq!(of(kernels), want, "{kernels:?}, {dim} components");
            }
        }
    }

    #[test]
    fn the_largest_products_fit() {
        for dim in [784, 8_192, 65_536] {
            let components: Vec<f32> = (0..2 * dim)
                .map(|i| if i < dim { 1.0 } else { (i % 2) as f32 * 255.0 })
                .collect();
            let rows = Rows::new(&components, dim).unwrap();
            let bytes = ByteRows::new(rows).unwrap();
            for kernels in every_isa() {
                let query = ByteQuery::on(kernels, Metric::InnerProduct, rows.row(0)).unwrap();
                let numbers = &query.image.numbers;
                let sum = numbers.iter().map(|number| i64::from(*number)).sum::<i64>() / 2 * 255;
                let mut products = [0; 2];
                // SAFETY: `for_isa` hands out kernels only where their instruction set is available.
                unsafe { (kernels.bytes.products)(numbers, &bytes.codes, &mut products) };
                assert_eq!(products.map(i64::from), [0, sum], "{kernels:?}, {dim} components");
            }
        }
    }

    #[test]
    fn whole_numbers_lose_nothing() {
        let components: Vec<f32> = (0..64).map(|i| (i * 37 % 256) as f32 - 100.0).collect();
        let bytes = ByteRows::new(Rows::new(&components, 64).unwrap()).unwrap();
        let decoded = bytes
            .codes
            .iter()
            .map(|byte| bytes.lows[0] + bytes.steps[0] * f32::from(*byte));
        assert!(decoded.eq(components));
    }

    #[test]
    fn most_rows_need_no_second_look() {
        let mut random = Random::new(2);
        let components = floats(&mut random, 640 * 48);
        let rows = Rows::new(&components, 48).unwrap();
        let bytes = ByteRows::new(rows).unwrap();
        for metric in [Metric::L2, Metric::InnerProduct, Metric::Cosine] {
            let query = floats(&mut random, 48);
            let prepared = ByteQuery::new(metric, &query).unwrap();
            let mut distances: Vec<f32> = rows.iter().map(|row| metric.distance(&query, row)).collect();
            distances.sort_by(f32::total_cmp);
            let run = [ByteRun::all(&bytes, rows)];
            let near = prepared.scan_range(&run, &IdSelector::All, distances[9], &mut Vec::new());
            assert!((10..40).contains(&near), "{metric}: {near}");
        }
    }
}
