//! Building everything: the code, lists, a graph where it is worth its time, and what recall efforts have.

use anear_kernels::{Metric, Random, Rows};
use anear_pool::Pool;
use anear_quant::Codes;

use super::NearShape;
use super::choose::choose;
use super::curve::{Curves, RECALL};
use super::draft::{self, Draft, Material};
use super::exact::Exact;
use super::fit::Probes;
use super::learned::{Learned, Strangers};
use super::links::{Links, RowShape};
use super::partition::Partition;
use super::space::{Space, longest, typical};
use super::trail::Trail;
use crate::Result;

/// Vectors that codes are learned from.
const SAMPLE: usize = 10_000;

/// Of fewer vectors a walk visits a good part, and comparing all takes no longer.
pub(super) const GRAPH_MIN: usize = 10_000;

/// Vectors that are encoded together.
const PART: usize = 4096;

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
        let metric = self.learned.code.metric();
        let probes = Probes::draw(rows, &self.slots(), &self.exact, metric, seed, pool);
        self.learned.read = probes.measure(self.trail(None), pool);
        let by_lists = self.trail(None);
        let is_worth_it = rows.len() >= GRAPH_MIN && by_lists.codes_tell() && !by_lists.takes_little();
        let row_shapes = self.learned.row_shapes(shape, &self.exact);
        // Before anything is made for building a graph.
        if row_shapes.is_empty() || !is_worth_it && !shape.wants_graph() {
            return Ok(());
        }
        let material = Material {
            space: Space::new(rows, usual, &self.order, metric, self.learned.longest),
            longest: self.learned.longest,
            code: &self.learned.code,
            codes: &self.learned.codes,
            code_rows,
            lists: &self.learned.lists,
        };
        let Some(draft) = self.best_draft(&material, row_shapes, &probes, pool)? else {
            return Ok(());
        };
        let links = draft.improved(&material, pool);
        let walk = probes.measure(self.trail(Some(&links)), pool);
        if shape.wants_graph() || self.saves_time(&links, &walk) {
            self.learned.links = Some(links);
        }
        self.learned.walk = walk;
        Ok(())
    }

    /// Of the graphs with rows of these shapes, the widest first, the one that searches fastest, as far as that can be told
    /// before it is improved.
    fn best_draft(
        &self,
        material: &Material<'_>,
        row_shapes: Vec<RowShape>,
        probes: &Probes<'_>,
        pool: Option<&Pool>,
    ) -> Result<Option<Draft>> {
        let Some(widest) = row_shapes.first() else {
            return Ok(None);
        };
        let near = draft::neighbors(material, widest.degree(), pool);
        let mut best: Option<(f32, Draft)> = None;
        for row_shape in row_shapes {
            let draft = Draft::of(material, &near, row_shape, pool)?;
            let cost = probes.cost(self.trail(Some(&draft.graph)), RECALL, pool);
            // Half the memory is worth a tenth of the time.
            let is_better = |(least, _): &(f32, Draft)| cost.is_finite() && 0.9 * cost <= *least;
            if best.as_ref().is_none_or(is_better) {
                best = Some((cost, draft));
            }
        }
        Ok(best.map(|(_, draft)| draft))
    }

    /// Whether walks take less time than reading lists, or reach what lists do not.
    fn saves_time(&self, links: &Links, walk: &Curves) -> bool {
        let cost = |trail: Trail<'_>, curves: &Curves| Some(trail.cost_beside_others(curves[0].effort(RECALL)?));
        let by_lists = cost(self.trail(None), &self.learned.read);
        let by_links = cost(self.trail(Some(links)), walk);
        match (by_links, by_lists) {
            (Some(by_links), Some(by_lists)) => by_links < by_lists,
            (_, by_lists) => by_lists.is_none(),
        }
    }

    /// The slot of each row.
    fn slots(&self) -> Vec<u32> {
        let mut slots = vec![0; self.order.len()];
        for (slot, row) in (0..).zip(&self.order) {
            slots[*row as usize] = slot;
        }
        slots
    }

    fn trail<'a>(&'a self, links: Option<&'a Links>) -> Trail<'a> {
        Trail {
            learned: &self.learned,
            exact: &self.exact,
            links,
        }
    }
}
