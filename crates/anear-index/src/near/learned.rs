//! What is learned of the vectors, and built from them, once there are many.

use anear_kernels::{IdSelector, Metric, Random, Rows, TopK, scan_batch};
use anear_pool::Pool;
use anear_quant::{BLOCK_LEN, Codes, Spectrum, Training, TransformCode, TransformedQuery};

use super::NearShape;
use super::build::{self, Draft, Material};
use super::curve::JUMP;
use super::exact::{Exact, Form};
use super::fit::{Curves, NEIGHBORS, Probes, Trail};
use super::links::{Ends, Links, RowShape};
use super::lists::Lists;
use super::partition::Partition;
use super::space::{Space, lengthen, longest, offset};
use super::walk::{Ground, Scratch};
use crate::Result;
use crate::flat::on_pool;

/// Links of a vector, of which that is taken which reads fewer bytes: with 32, word embeddings (GloVe, 340,000 x 100) need
/// two and a half times as many visits for a recall of 0.95, sentence embeddings (100,000 x 384) one and a half.
const DEGREES: [usize; 2] = [64, 32];

/// A graph is built where a search that reads lists for a recall of 0.95 reads more bytes than this, which takes about
/// 0.05 ms: below that, what it would save is not worth building for several times as long and taking several times the
/// memory. Images (Fashion-MNIST, patches of photographs) are on this side, where walks take two thirds of the time; word and
/// sentence embeddings on the other, where they take a third.
const READ_MAX: f32 = 400_000.0;

/// The recall that this is decided by, and that is asked for where nothing else is said.
pub(super) const RECALL: f64 = 0.95;

/// How many times the median of the squared distances from the mean those of typical vectors are at most, and how many
/// times the largest of these that of a stranger is.
const ATYPICAL: f32 = 30.0;
const BEYOND: f32 = 2.0;

/// One in so many are a few: codes would not tell them from each other, and queries from there are compared with all.
const FEW: usize = 8;

/// Vectors that codes are learned from.
const SAMPLE: usize = 10_000;

/// Of fewer vectors a walk visits a good part, and comparing all takes no longer.
pub(super) const GRAPH_MIN: usize = 10_000;

/// Vectors that are encoded together.
const PART: usize = 4096;

/// Sizes of codes that are tried, in nibbles.
const NIBBLES: [usize; 8] = [32, 48, 64, 80, 96, 128, 192, 256];

/// Queries that they are tried with, and vectors near to each that compete for being among its neighbors: those farther
/// away are told apart by any code.
const QUERIES: usize = 64;
const COMPETING: usize = 511;

/// Codes that a search estimates about, all sets taken together.
const ESTIMATED: usize = 3000;

/// Codes, lists, links, and what they are good for.
#[derive(Clone, Debug)]
pub(super) struct Learned {
    pub(super) code: TransformCode,
    /// By slot.
    pub(super) codes: Codes,
    pub(super) lists: Lists,
    pub(super) links: Option<Links>,
    /// The squared length of the longest of the typical vectors.
    pub(super) longest: f32,
    /// How far from the mean the typical vectors are at most, squared.
    pub(super) radius: f32,
    pub(super) strangers: Strangers,
    /// Of reading lists, and of walks.
    pub(super) read: Curves,
    pub(super) walk: Curves,
}

/// How many vectors are far beyond the typical ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Strangers {
    /// Of those that were learned from, and of those that came since.
    pub(super) before: usize,
    pub(super) since: usize,
}

/// Those of some rows that are not much farther from their mean than most: a few that are would hide from codes and
/// clusters what tells the others apart. Where more than a few are, they are no exceptions, and all stay.
pub(super) fn typical(rows: Rows<'_>, all: Vec<usize>) -> Vec<usize> {
    let least = all.len() - all.len() / FEW;
    let mut drawn = all.clone();
    loop {
        let mut mean = vec![0.0; rows.dim()];
        let share = 1.0 / drawn.len() as f32;
        anear_kernels::weighted_sum(rows, &drawn, &vec![share; drawn.len()], &mut mean);
        let distances: Vec<f32> = drawn
            .iter()
            .map(|row| Metric::L2.distance(rows.row(*row), &mean))
            .collect();
        let mut sorted = distances.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        let most = ATYPICAL * sorted[sorted.len() / 2];
        let mut distances = distances.into_iter();
        let near = drawn.iter().copied().filter(|_| {
            let distance = distances.next().unwrap_or(f32::INFINITY);
            // What a file holds may be no number.
            distance.total_cmp(&most).is_le() || most.is_nan()
        });
        let near: Vec<usize> = near.collect();
        if near.len() < least {
            return all;
        }
        // The farthest of them moved the mean: without it others are seen to be far.
        if near.len() == drawn.len() {
            return drawn;
        }
        drawn = near;
    }
}

impl Learned {
    /// Whether a vector is far beyond all that the code was learned from: what it tells of such vectors is of no use.
    pub(super) fn is_stranger(&self, vector: &[f32]) -> bool {
        self.code.from_mean(vector) > BEYOND * self.radius
    }

    pub(super) fn strangers_among(&self, vectors: Rows<'_>) -> usize {
        vectors.iter().filter(|vector| self.is_stranger(vector)).count()
    }

    /// Rows that a graph may have: with the codes of their ends where those fit, which is faster; else without.
    pub(super) fn row_shapes(&self, shape: NearShape, exact: &Exact) -> Vec<RowShape> {
        let vector = exact.row_len() + self.code.code_len();
        let that_fit = |ends| {
            let rows = DEGREES.map(|degree| RowShape::new(&self.code, ends, degree));
            let rows = rows.into_iter().filter(|row| shape.admits(vector + row.bytes()));
            rows.collect::<Vec<_>>()
        };
        match (shape, that_fit(Ends::Inline)) {
            (NearShape::Lean, _) => that_fit(Ends::Lean),
            (_, none) if none.is_empty() => that_fit(Ends::Lean),
            (_, some) => some,
        }
    }

    /// Whether lists take too little time for a graph to be worth building.
    pub(super) fn is_little_read(&self, exact: &Exact) -> bool {
        let trail = Trail {
            learned: self,
            exact,
            links: None,
        };
        let effort = self.read[0].effort(RECALL);
        effort.is_some_and(|effort| trail.cost(effort) <= READ_MAX)
    }

    /// What walks go over, where there is a graph.
    pub(super) fn ground(&self) -> Option<Ground<'_>> {
        self.links.as_ref().map(|links| self.ground_of(links))
    }

    /// What walks go over, with these links.
    pub(super) fn ground_of<'a>(&'a self, links: &'a Links) -> Ground<'a> {
        Ground {
            links,
            lists: &self.lists,
            code: &self.code,
        }
    }

    /// Makes a query ready for estimating.
    pub(super) fn prepare(&self, query: &[f32], scratch: &mut Scratch) {
        let query = match self.code.metric() {
            Metric::L2 => query,
            metric => {
                scratch.lengthened.clear();
                scratch.lengthened.extend_from_slice(query);
                lengthen(metric, &mut scratch.lengthened, self.longest);
                &scratch.lengthened
            }
        };
        self.code.prepare(query, &mut scratch.query);
        scratch.offset = offset(&self.code, query, self.longest);
    }
}

/// What is built, the vectors in the order of its slots, and the row of each.
pub(super) struct Built {
    pub(super) learned: Learned,
    pub(super) exact: Exact,
    pub(super) order: Vec<u32>,
}

impl Built {
    /// From all vectors there are.
    ///
    /// # Errors
    /// [`Error::Quantizer`], [`Error::Cluster`], [`Error::OutOfMemory`].
    pub(super) fn of(rows: Rows<'_>, metric: Metric, shape: NearShape, seed: u64, pool: Option<&Pool>) -> Result<Self> {
        let sample = typical(
            rows,
            Random::new(seed).sorted_sample(rows.len(), SAMPLE.min(rows.len())),
        );
        let sample = rows.gathered(sample.into_iter());
        let sample = Rows::new(&sample, rows.dim()).expect("whole vectors");
        let longest = longest(sample);
        let code = choose(rows, sample, metric, longest, seed, pool)?;
        let radius = sample.iter().map(|row| code.from_mean(row)).fold(0.0, f32::max);
        let Partition { order, lists } = Partition::of(rows, &code, seed, pool)?;
        let mut exact = Exact::for_all(metric, rows)?;
        let (mut code_rows, mut codes) = (Vec::new(), Codes::new(code.layout(), code.code_len()));
        for part in order.chunks(PART) {
            let vectors = rows.gathered(part.iter().map(|row| *row as usize));
            let vectors = Rows::new(&vectors, rows.dim()).expect("whole vectors");
            exact.extend(vectors)?;
            code.encode(vectors, &mut code_rows);
        }
        codes.extend_from_rows(&code_rows)?;
        let mut learned = Learned {
            code,
            codes,
            lists,
            links: None,
            longest,
            radius,
            strangers: Strangers::default(),
            read: Default::default(),
            walk: Default::default(),
        };
        learned.strangers.before = learned.strangers_among(rows);
        let mut built = Self { learned, exact, order };
        built.fit([rows, sample], shape, &code_rows, seed, pool)?;
        Ok(built)
    }

    /// Measures, and builds a graph where that or the caller asks for one; of all rows, and usual ones among them.
    fn fit(
        &mut self,
        [rows, usual]: [Rows<'_>; 2],
        shape: NearShape,
        code_rows: &[u8],
        seed: u64,
        pool: Option<&Pool>,
    ) -> Result<()> {
        let mut slots = vec![0; self.order.len()];
        for (slot, row) in (0..).zip(&self.order) {
            slots[*row as usize] = slot;
        }
        let metric = self.learned.code.metric();
        let probes = Probes::draw(rows, &slots, &self.exact, metric, seed, pool);
        self.learned.read = probes.measure(self.trail(None), pool);
        let effort = self.learned.read[0].effort(RECALL);
        let is_cheap = rows.len() < GRAPH_MIN || self.learned.is_little_read(&self.exact);
        let row_shapes = self.learned.row_shapes(shape, &self.exact);
        let Some(widest) = row_shapes.first().filter(|_| !is_cheap || shape.wants_graph()) else {
            return Ok(());
        };
        let material = Material {
            space: Space::new(rows, usual, &self.order, metric, self.learned.longest),
            longest: self.learned.longest,
            code: &self.learned.code,
            codes: &self.learned.codes,
            code_rows,
            lists: &self.learned.lists,
        };
        let near = build::neighbors(&material, widest.degree(), pool);
        let mut best: Option<(f32, Draft)> = None;
        for row_shape in row_shapes {
            let draft = Draft::of(&material, &near, row_shape, pool)?;
            let cost = probes.cost(self.trail(Some(&draft.graph)), RECALL, pool);
            // Twice the memory is worth a tenth of the time.
            if best
                .as_ref()
                .is_none_or(|(more, _)| cost.is_finite() && 0.9 * cost <= *more)
            {
                best = Some((cost, draft));
            }
        }
        drop(near);
        let Some((_, draft)) = best else { return Ok(()) };
        let links = draft.improved(&material, pool);
        let walk = probes.measure(self.trail(Some(&links)), pool);
        // Where walks do not reach what lists do, a graph is of no use.
        if shape.wants_graph() || walk[0].effort(RECALL).is_some() || effort.is_none() {
            (self.learned.walk, self.learned.links) = (walk, Some(links));
        }
        Ok(())
    }

    fn trail<'a>(&'a self, links: Option<&'a Links>) -> Trail<'a> {
        Trail {
            learned: &self.learned,
            exact: &self.exact,
            links,
        }
    }
}

/// The code that reads fewest bytes: its own, and those of the candidates that it needs for nearly all neighbors.
fn choose(
    rows: Rows<'_>,
    sample: Rows<'_>,
    metric: Metric,
    longest: f32,
    seed: u64,
    pool: Option<&Pool>,
) -> Result<TransformCode> {
    let spectrum = Spectrum::of(sample, &Training { seed, pool })?;
    let row_len = Form::of(rows.as_slice()).bytes() * rows.dim();
    let trials = trials(rows, metric, seed, pool);
    let mut best: Option<(usize, TransformCode)> = None;
    for nibbles in NIBBLES {
        let code = spectrum.code(metric, nibbles);
        let candidates = needed(&code, longest, rows, &trials, pool);
        let cost = ESTIMATED * code.code_len() + candidates * row_len * JUMP;
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, code));
        }
        if nibbles >= spectrum.nibbles_max() {
            break;
        }
    }
    let (_, code) = best.expect("there are sizes to try");
    Ok(code)
}

/// A row, and those nearest to it, nearest first.
struct Trial {
    query: usize,
    near: Vec<usize>,
}

/// Some of the vectors as queries, beside what competes for being among their neighbors.
fn trials(rows: Rows<'_>, metric: Metric, seed: u64, pool: Option<&Pool>) -> Vec<Trial> {
    let drawn = Random::new(seed).sorted_sample(rows.len(), QUERIES.min(rows.len()));
    on_pool(pool, drawn.len(), |i| {
        let one = rows.slice(drawn[i]..drawn[i] + 1);
        let mut top = [TopK::new(COMPETING + 1)];
        scan_batch(metric, one, rows, 0, &IdSelector::All, &mut top);
        let [top] = top;
        let near = top.into_sorted().into_iter().map(|neighbor| neighbor.id as usize);
        Trial {
            query: drawn[i],
            near: near.filter(|row| *row != drawn[i]).collect(),
        }
    })
}

/// How many candidates by estimate hold 199 of 200 of the nearest.
fn needed(code: &TransformCode, longest: f32, rows: Rows<'_>, trials: &[Trial], pool: Option<&Pool>) -> usize {
    let ranks = on_pool(pool, trials.len(), |i| ranks(code, longest, rows, &trials[i]));
    let mut ranks = ranks.concat();
    ranks.sort_unstable();
    ranks.get(ranks.len() * 199 / 200).copied().unwrap_or(0) + 1
}

/// How many are estimated to be nearer than each of the nearest.
fn ranks(code: &TransformCode, longest: f32, rows: Rows<'_>, trial: &Trial) -> Vec<usize> {
    let near = rows.gathered(trial.near.iter().copied());
    let near = Rows::new(&near, code.dim()).expect("whole vectors");
    let (mut encoded, mut codes) = (Vec::new(), Codes::new(code.layout(), code.code_len()));
    code.encode(near, &mut encoded);
    codes.extend_from_rows(&encoded).expect("memory for some hundred codes");
    let mut query = TransformedQuery::default();
    let mut vector = rows.row(trial.query).to_vec();
    lengthen(code.metric(), &mut vector, longest);
    code.prepare(&vector, &mut query);
    let mut estimates = vec![[0.0; BLOCK_LEN]; near.len().div_ceil(BLOCK_LEN)];
    for (block, out) in codes.as_bytes().chunks(code.block_len()).zip(&mut estimates) {
        query.tables().estimates(block, f32::INFINITY, out);
    }
    let all = &estimates.as_flattened()[..near.len()];
    let nearest = all.iter().take(NEIGHBORS[0]);
    nearest
        .map(|own| all.iter().filter(|estimate| *estimate < own).count())
        .collect()
}
