//! Rows by their sketches, rounded to bytes: where vectors differ in few directions, an exact search reads a small part of
//! the memory that it would read of their bytes.
//!
//! What is sketched of a row `x` is `x' = x - mean`. Its sketch `s(x')` (see `sketch.rs`) holds the coordinates and the
//! length of the rest, rounded up. With the subspace's `error` `a`, and `g` for what the roundings of a norm may do:
//!
//! * `<s(q), s(x')> >= <q, x'> - a |q| |x'|`.
//! * `|x'|^2 <= |s(x')|^2 <= |x'|^2 (1 + a + 3 g)`.
//! * so, for `q' = q - mean`, `|s(q') - s(x')|^2 <= |q - x|^2 + (2 a + 3 g) (|q'|^2 + |x'|^2)`.
//!
//! Subtracting the mean rounds each component by at most `U` of what it becomes. That moves `q' - x'` by at most
//! `U (|q'| + |x'|)`, its square by at most `2 U (|q'| + |x'|)^2` and a little, so by less than `6 U (|q'|^2 + |x'|^2)`; and
//! an inner product with `x'` by at most `U |q| |x'|`.
//!
//! Who looks for what is within `t` of a vector looks for sketches within a threshold that is larger by all that:
//!
//! * L2: `t` and `(2 a + 3 g + 6 U) (|q'|^2 + max |x'|^2)`.
//! * inner product: `<q, x> = <q, x'> + <q, mean>`. So it is `t + <q, mean>` and `(a + U) |q| max |x'|`, and what the canonical
//!   sum may be off, a part of `|q| |x|`, for `x` and for the mean.
//! * cosine `c = 1 - t` at least: an inner product of at least `c |q| |x|`, where `|x|` is the shortest row if `c` is positive,
//!   and the longest if not. Rows of zeros are at the distance 1: if `c` is positive, they are too far away, too, and need not
//!   count as the shortest.
//!
//! Rounding adds at most `E`, the error of the bytes. Where many queries share a bound, with the largest `E` of all rows:
//! `|s(q') - y| <= |s(q') - s(x')| + E`, and `<s(q), y> >= <s(q), s(x')> - |s(q)| E`.

use std::fmt;

use super::{ByteQuery, ByteRows, ByteRun, Image, slack, squared_norm};
use crate::{
    batch::{Batch, Candidate, Queries},
    bounds::{Margin, U, gamma, up},
    kernels::Kernels,
    metric::{Metric, cosine::SAFE_SQUARED_NORM},
    rows::Rows,
    select::TopK,
    selector::IdSelector,
    sketch::{Sketches, Subspace},
};

/// If so many directions hold no more than this many times what as many of vectors that differ in all directions would,
/// more of them will not do.
const PROMISE: f64 = 2.0;

/// Rows that are sketched at a time, so that what they become on the way stays in the cache.
const STRETCH: usize = 512;

/// The few directions in which vectors differ, by which rows and queries are sketched.
///
/// ```
/// use anear_kernels::{ByteQuery, ByteRows, ByteRun, IdSelector, Metric, Rows, Sketcher, TopK};
///
/// // Along seven directions.
/// let component = |i: usize| ((i / 64 + 1) * (i % 7 + 3)) as f32 % 31.0;
/// let components: Vec<f32> = (0..100 * 64).map(component).collect();
/// let rows = Rows::new(&components, 64).expect("a hundred rows");
/// // Some processors have no instructions for it.
/// if let Some(sketcher) = Sketcher::learn(rows, &[15, 31], 0.1) {
///     let bytes = ByteRows::sketched(rows, &sketcher).expect("memory");
///     let query = ByteQuery::sketched(Metric::L2, rows.row(7), &sketcher).expect("a metric that has a bound");
///     let mut top = TopK::new(1);
///     query.scan(&[ByteRun::all(&bytes, rows)], &IdSelector::All, &mut top);
///     assert_eq!(top.into_sorted()[0].id, 7);
/// }
/// ```
pub struct Sketcher {
    mean: Vec<f32>,
    subspace: Subspace,
}

impl Sketcher {
    /// The first of the numbers of directions that leaves out at most `rest` of the spread of `sample` around its mean.
    ///
    /// `None` where none does, directions are more than half the components or rows, or there is no instruction set for it.
    pub fn learn(sample: Rows<'_>, lens: &[usize], rest: f64) -> Option<Self> {
        Self::on(Kernels::get(), sample, lens, rest)
    }

    /// As [`learn`](Self::learn), on the instruction set of `kernels`.
    #[doc(hidden)]
    pub fn on(kernels: &'static Kernels, sample: Rows<'_>, lens: &[usize], rest: f64) -> Option<Self> {
        let everywhere: Vec<usize> = (0..sample.len()).collect();
        let mut mean = vec![0.0; sample.dim()];
        kernels.weighted_sum(
            sample,
            &everywhere,
            &vec![1.0 / sample.len() as f32; sample.len()],
            &mut mean,
        );
        let centered = centered(sample, &mean);
        let centered = Rows::new(&centered, sample.dim())?;
        for &len in lens {
            let subspace = Subspace::on(kernels, centered, len)?;
            let left = subspace.left_out(centered);
            if left <= rest {
                let subspace = subspace.mixed()?;
                return Some(Self { mean, subspace });
            }
            if 1.0 - left < PROMISE * len as f64 / sample.dim() as f64 {
                return None;
            }
        }
        None
    }

    /// Components of a sketch.
    pub fn sketch_dim(&self) -> usize {
        self.subspace.sketch_dim()
    }

    /// The sketches of rows; `drift` learns of them.
    fn sketch_rows(&self, rows: Rows<'_>, drift: &mut Drift) -> Sketches {
        let centered = centered(rows, &self.mean);
        let centered = Rows::new(&centered, rows.dim()).expect("whole rows");
        let mut sketches = self.subspace.sketch(centered);
        for (i, (row, centered)) in rows.iter().zip(centered).enumerate() {
            let (squared_norm, spread) = (self.subspace.kernels().squared_norm(row), sketches.squared_norm(i));
            if is_trusted(row, squared_norm) && is_trusted(centered, spread) {
                drift.add(squared_norm.into(), spread.into());
            } else {
                sketches.distrust(i);
            }
        }
        sketches
    }

    /// The sketches of queries.
    ///
    /// # Panics
    /// If they are not as long as the vectors of the sample.
    pub fn sketch(&self, metric: Metric, queries: Rows<'_>) -> SketchedQueries {
        let (mut sketches, squared_norms) = match metric {
            Metric::L2 => {
                let centered = centered(queries, &self.mean);
                let centered = Rows::new(&centered, queries.dim()).expect("whole rows");
                (self.subspace.sketch(centered), norms(centered))
            }
            _ => (self.subspace.sketch(queries), norms(queries)),
        };
        let trusted = f64::from(*SAFE_SQUARED_NORM.start())..=f64::from(*SAFE_SQUARED_NORM.end());
        for (query, squared_norm) in squared_norms.iter().enumerate() {
            if !trusted.contains(squared_norm) {
                sketches.distrust(query);
            }
        }
        let probe = |(query, squared_norm)| Probe {
            squared_norm,
            with_mean: match metric {
                Metric::L2 => 0.0,
                _ => dot(query, &self.mean),
            },
        };
        let probes = queries.iter().zip(squared_norms).map(probe).collect();
        SketchedQueries {
            metric,
            sketches,
            probes,
        }
    }
}

impl fmt::Debug for Sketcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sketcher({:?})", self.subspace)
    }
}

/// Queries by their sketches, with what is to be known of each.
#[derive(Debug)]
pub struct SketchedQueries {
    metric: Metric,
    sketches: Sketches,
    probes: Vec<Probe>,
}

/// What is to be known of a query that is compared by its sketch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    /// Of what was sketched.
    squared_norm: f64,
    /// By inner product: that with the mean.
    with_mean: f64,
}

impl<'a> ByteQuery<'a> {
    /// A query prepared to be compared with rows that were [`sketched`](ByteRows::sketched) by the same sketcher. `None` where
    /// the metric or the query has no bound that is of use.
    ///
    /// # Panics
    /// If the query is not as long as the vectors of the sketcher's sample.
    pub fn sketched(metric: Metric, query: &'a [f32], sketcher: &Sketcher) -> Option<Self> {
        let sketched = sketcher.sketch(metric, Rows::new(query, query.len())?);
        let (kernels, sketch) = (sketcher.subspace.kernels(), sketched.sketches.all().row(0));
        Some(Self {
            kernels,
            metric,
            query,
            image: Image::new(kernels, metric_of_sketches(metric), sketch, query.len())?,
            probe: Some(sketched.probes[0]),
        })
    }
}

impl ByteRows {
    /// Rounds the sketches of rows. `None` if memory is short.
    ///
    /// # Panics
    /// If the rows are not as long as the vectors of the sketcher's sample.
    pub fn sketched(rows: Rows<'_>, sketcher: &Sketcher) -> Option<Self> {
        let mut drift = Drift::new(sketcher);
        let mut bytes = Self::with_capacity(rows.len(), sketcher.sketch_dim())?;
        for start in (0..rows.len()).step_by(STRETCH) {
            let rows = rows.slice(start..rows.len().min(start + STRETCH));
            let sketches = sketcher.sketch_rows(rows, &mut drift);
            bytes.extend(sketcher.subspace.kernels(), sketches.all());
        }
        drift.rounding = bytes.largest_error();
        (bytes.dim, bytes.drift) = (rows.dim(), Some(drift));
        Some(bytes)
    }
}

/// As [`scan_batch`](crate::scan_batch) for the rows of a run whose sketches were rounded, with the same answers to the bit.
/// `sketched` are the queries by the same sketcher. Returns how many pairs had to be measured; `None` where the metric or
/// the instruction set has no product.
///
/// # Panics
/// If a length does not fit, or not the sketches of the rows were rounded.
pub fn scan_batch_sketched(
    metric: Metric,
    queries: Rows<'_>,
    sketched: &SketchedQueries,
    run: &ByteRun<'_>,
    keep: &IdSelector<'_>,
    tops: &mut [TopK],
) -> Option<usize> {
    Kernels::get().scan_batch_sketched(metric, queries, sketched, run, keep, tops)
}

impl Kernels {
    /// As [`scan_batch_sketched`], on this instruction set.
    pub fn scan_batch_sketched(
        &self,
        metric: Metric,
        queries: Rows<'_>,
        sketched: &SketchedQueries,
        run: &ByteRun<'_>,
        keep: &IdSelector<'_>,
        tops: &mut [TopK],
    ) -> Option<usize> {
        run.check(queries.dim());
        assert!(
            queries.len() == tops.len() && queries.len() == sketched.probes.len(),
            "a sketch and a top-k per query"
        );
        assert_eq!(metric, sketched.metric, "the metric that queries were sketched for");
        let batch = Batch {
            kernels: self,
            product: self.product.as_ref()?,
            margin: Margin::new(metric_of_sketches(metric), queries.dim())?,
            metric,
            drift: Some(run.bytes.drift.as_ref().expect("rows that were sketched")),
        };
        let rounded = run.bytes.decoded(run.slots.clone());
        let images = Rows::new(&rounded, run.bytes.width).expect("whole rows");
        let queries = Queries {
            vectors: queries,
            images: sketched.sketches.all(),
            probes: Some(&sketched.probes),
        };
        let ids = run.first_id..run.first_id + run.slots.len() as u64;
        Some(batch.scan_all(&queries, tops, || {
            keep.matches_in(ids.clone()).map(|id| {
                let place = (id - run.first_id) as usize;
                Candidate {
                    id,
                    vector: run.rows.row(run.slots.start + place),
                    image: images.row(place),
                }
            })
        }))
    }
}

/// How sketches are compared for vectors that are compared by `metric`: a cosine of vectors is an inner product of sketches.
fn metric_of_sketches(metric: Metric) -> Metric {
    match metric {
        Metric::Cosine => Metric::InnerProduct,
        _ => metric,
    }
}

/// What sketches may hide of distances, at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drift {
    dim: usize,
    /// That of the subspace.
    error: f64,
    mean_length: f64,
    /// The largest squared norm of what was sketched.
    spread: f64,
    /// The smallest squared norm of a row that is not zero, and the largest.
    squared_norm_min: f64,
    squared_norm_max: f64,
    /// How far a rounded sketch may be from the sketch.
    rounding: f64,
}

impl Drift {
    /// Of no row yet.
    fn new(sketcher: &Sketcher) -> Self {
        Self {
            dim: sketcher.mean.len(),
            error: sketcher.subspace.error(),
            mean_length: squared_norm(&sketcher.mean).sqrt(),
            spread: 0.0,
            squared_norm_min: f64::INFINITY,
            squared_norm_max: 0.0,
            rounding: 0.0,
        }
    }

    /// Takes a row into account.
    fn add(&mut self, squared_norm: f64, spread: f64) {
        if squared_norm > 0.0 {
            self.squared_norm_min = self.squared_norm_min.min(squared_norm);
        }
        self.squared_norm_max = self.squared_norm_max.max(squared_norm);
        self.spread = self.spread.max(spread * (1.0 + slack(self.dim)));
    }

    /// The threshold for sketches of vectors that are within `threshold` of a query.
    pub(crate) fn raised(&self, metric: Metric, query: &Probe, threshold: f32) -> f32 {
        let (threshold, slack) = (f64::from(threshold), slack(self.dim));
        if metric == Metric::L2 {
            let relative = 2.0 * self.error + 3.0 * gamma(self.dim / 32 + 9) + 6.0 * U;
            return up(threshold + relative * (query.squared_norm + self.spread));
        }
        let length = query.squared_norm.sqrt();
        let least = match metric {
            Metric::InnerProduct => -threshold,
            _ => self.least_product(1.0 - threshold - slack, length),
        };
        let of_sketches = (self.error + U) * self.spread.sqrt();
        let of_sums = slack * (self.squared_norm_max.sqrt() + self.mean_length);
        up(query.with_mean - least + length * (of_sketches + of_sums))
    }

    /// The least inner product of a query of this length with a row, if they have such a cosine.
    fn least_product(&self, cosine: f64, length: f64) -> f64 {
        let squared_norm = match cosine >= 0.0 {
            true => self.squared_norm_min,
            false => self.squared_norm_max,
        };
        cosine * length * squared_norm.sqrt() * (1.0 - slack(self.dim).copysign(cosine))
    }

    /// The threshold for rounded sketches of vectors that are within `threshold` of a query.
    pub(crate) fn raised_by_rounding(&self, metric: Metric, query: &Probe, threshold: f32) -> f32 {
        let (raised, slack) = (f64::from(self.raised(metric, query, threshold)), slack(self.dim));
        up(match metric {
            Metric::L2 => ((raised * (1.0 + slack)).sqrt() + self.rounding).powi(2),
            _ => raised + query.squared_norm.sqrt() * self.rounding * (1.0 + self.error + slack),
        })
    }
}

fn centered(rows: Rows<'_>, mean: &[f32]) -> Vec<f32> {
    let mut centered = rows.as_slice().to_vec();
    for row in centered.chunks_exact_mut(rows.dim()) {
        row.iter_mut().zip(mean).for_each(|(x, mean)| *x -= mean);
    }
    centered
}

fn norms(rows: Rows<'_>) -> Vec<f64> {
    rows.iter().map(squared_norm).collect()
}

fn dot(x: &[f32], y: &[f32]) -> f64 {
    x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

/// Whether the computed norm is that of the vector, but for roundings.
fn is_trusted(vector: &[f32], squared_norm: f32) -> bool {
    SAFE_SQUARED_NORM.contains(&squared_norm) || vector.iter().all(|x| *x == 0.0)
}
