//! Which lists a query visits, and how a search is spread over threads.
//!
//! The nearest of the vectors visited are the same in whatever order lists are visited and on however many threads: a
//! distance has the same bits wherever it is computed, and top-ks are ordered by (distance, id).

use std::borrow::Cow;
use std::mem;
use std::ops::Range;

use anear_kernels::{IdSelector, Metric, Neighbor, Rows, TopK};
use anear_pool::Pool;
use anear_quant::Scorer;

use super::{ENSURE_TOPK_FULL, Ivf, List, MAX_CODES, NPROBE, knobs};
use crate::tiles::{on_pool, parts};
use crate::{Knobs, Neighbors, RangeRequest, Result, SearchRequest, VectorIndex as _};

/// Codes scored per call of a scorer; what it takes at most.
const BLOCK: usize = 256;

/// What an inner product's distance, `-<q, r>`, counts in `|q - c - r|^2`.
const SCALE: f32 = 2.0;

/// With fewer queries than this in a list they are compared one after the other: a register tile would be mostly empty.
const QUERIES_PER_LIST: usize = 4;

/// Queries of one task: enough to hide handing it over, few enough that all threads end together.
const TASK_QUERIES: usize = 8;

/// The nearest in the lists visited; in further lists, too, as long as fewer than `wanted[i]` are found for query `i`.
pub(super) fn nearest(
    index: &Ivf,
    queries: Rows<'_>,
    request: &SearchRequest<'_>,
    wanted: &[usize],
) -> Result<Neighbors> {
    let visit = Visit::new(index, &request.knobs)?;
    let k = request.k.min(index.len().max(1));
    if let Some(matches) = visit.few_matches(&request.selector)? {
        let lists: Vec<(usize, &List)> = matches.iter().map(|(number, list)| (*number, &**list)).collect();
        let tops = over_queries(queries.len(), request.pool, |i, threads| {
            scan(index, queries.row(i), &lists, k, &IdSelector::All, threads)
        });
        return Ok(Neighbors::from_tops(index.metric, tops));
    }
    let mut tops: Vec<_> = (0..queries.len()).map(|_| TopK::new(k)).collect();
    let mut open: Vec<usize> = (0..queries.len()).collect();
    let (mut visited, mut nprobe) = (0, visit.nprobe);
    while !open.is_empty() && visited < index.nlist() {
        let gathered = gather(queries, &open);
        let rows = Rows::new(&gathered, queries.dim()).expect("whole queries");
        let probes = visit.lists(rows, nprobe, request.pool)?;
        let probes: Vec<_> = probes.iter().map(|row| &row[visited.min(row.len())..]).collect();
        let found = visit_all(index, rows, &probes, k, request);
        for (&query, top) in open.iter().zip(found) {
            tops[query].merge(top);
        }
        (visited, nprobe) = (nprobe, nprobe.saturating_mul(4).min(index.nlist()));
        open.retain(|query| visit.goes_on && tops[*query].len() < wanted[*query].min(k));
    }
    Ok(Neighbors::from_tops(index.metric, tops))
}

/// Everything strictly within the radius in the lists visited.
pub(super) fn within(index: &Ivf, queries: Rows<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
    let visit = Visit::new(index, &request.knobs)?;
    let probes = visit.lists(queries, visit.nprobe, request.pool)?;
    let rows = over_queries(queries.len(), request.pool, |i, _| {
        let mut found = Vec::new();
        let shifted = shifted(index, queries.row(i));
        let mut walk = Walk::new(index, queries.row(i), shifted.as_deref());
        for probe in probes.row(i) {
            let (number, list) = index.lists.numbered(probe.id);
            walk.scan_range(number, list, &request.selector, request.radius, &mut found);
        }
        found
    });
    Ok(rows.into_iter().collect())
}

/// The nearest of each query in its lists: all queries of a list at once where that pays, query by query otherwise.
fn visit_all(
    index: &Ivf,
    queries: Rows<'_>,
    probes: &[&[Neighbor]],
    k: usize,
    request: &SearchRequest<'_>,
) -> Vec<TopK> {
    let visits: usize = probes.iter().map(|probes| probes.len()).sum();
    let by_list = index.quantizer.scans_batches() && !index.by_residual;
    if !by_list || visits < QUERIES_PER_LIST * index.nlist() {
        return over_queries(queries.len(), request.pool, |i, threads| {
            let lists = probes[i].iter().map(|probe| index.lists.numbered(probe.id));
            let lists: Vec<_> = lists.collect();
            scan(index, queries.row(i), &lists, k, &request.selector, threads)
        });
    }
    let threads = request.pool.map_or(1, Pool::threads);
    let shares: Vec<_> = parts(queries.len(), queries.len().div_ceil(threads)).collect();
    let found = on_pool(request.pool, shares.len(), |share| {
        let share = shares[share].clone();
        scan_by_list(
            index,
            queries.slice(share.clone()),
            &probes[share],
            k,
            &request.selector,
        )
    });
    found.into_iter().flatten().collect()
}

/// The nearest of each query in its lists; each list is read once, for all queries that visit it.
fn scan_by_list(index: &Ivf, queries: Rows<'_>, probes: &[&[Neighbor]], k: usize, keep: &IdSelector<'_>) -> Vec<TopK> {
    let visits = |(query, probes): (usize, &&[Neighbor])| probes.iter().map(move |p| (p.id, query)).collect::<Vec<_>>();
    let mut visits: Vec<(u64, usize)> = probes.iter().enumerate().flat_map(visits).collect();
    visits.sort_unstable();
    let mut tops: Vec<_> = (0..queries.len()).map(|_| TopK::new(k)).collect();
    for visit in visits.chunk_by(|one, next| one.0 == next.0) {
        let visitors: Vec<usize> = visit.iter().map(|(_, query)| *query).collect();
        let gathered = gather(queries, &visitors);
        let rows = Rows::new(&gathered, queries.dim()).expect("whole queries");
        let mut lent: Vec<_> = visitors
            .iter()
            .map(|query| mem::replace(&mut tops[*query], TopK::new(0)))
            .collect();
        let list = index.lists.get(visit[0].0 as usize);
        index
            .quantizer
            .scan_list(index.metric, rows, list.codes(), list.ids(), keep, &mut lent);
        for (query, top) in visitors.into_iter().zip(lent) {
            tops[query] = top;
        }
    }
    tops
}

fn gather(queries: Rows<'_>, which: &[usize]) -> Vec<f32> {
    which.iter().flat_map(|i| queries.row(*i)).copied().collect()
}

/// What matches a selector, list by list with the list's number.
type Matches<'a> = Vec<(usize, Cow<'a, List>)>;

/// How far the queries of one request go.
struct Visit<'a> {
    index: &'a Ivf,
    nprobe: usize,
    max_codes: usize,
    /// What the request says to the coarse quantizer.
    coarse: Knobs,
    /// Whether a query that found too few goes on to further lists.
    goes_on: bool,
}

impl<'a> Visit<'a> {
    fn new(index: &'a Ivf, knobs: &Knobs) -> Result<Self> {
        let max_codes = knobs.count(&MAX_CODES, index.max_codes)?;
        let ensures_topk_full = knobs.count(&ENSURE_TOPK_FULL, index.ensures_topk_full.into())?;
        Ok(Self {
            index,
            nprobe: knobs.count(&NPROBE, index.nprobe)?.min(index.nlist()),
            max_codes,
            coarse: knobs::inner(knobs),
            goes_on: max_codes == usize::MAX && ensures_topk_full > 0,
        })
    }

    /// All that match, list by list, where comparing them is no more work than finding lists and comparing what is in
    /// them: then the answer is exact.
    ///
    /// A visit compares a query with every centroid and with the share `nprobe / nlist` of the vectors, which is
    /// counted before the filter, since ids are looked at after distances. So few match under a strict filter, and in
    /// a small segment of a store.
    fn few_matches(&self, keep: &IdSelector<'a>) -> Result<Option<Matches<'a>>> {
        let (index, nlist) = (self.index, self.index.nlist());
        let compared = nlist + (index.len() as f64 * self.nprobe as f64 / nlist as f64) as usize;
        let are_few = |matches: usize| self.goes_on && matches <= compared;
        let owned =
            |lists: Vec<(usize, List)>| Some(lists.into_iter().map(|(n, list)| (n, Cow::Owned(list))).collect());
        Ok(match keep {
            IdSelector::All if self.nprobe < nlist && are_few(index.len()) => {
                let lists = (0..nlist).map(|number| (number, index.lists.get(number)));
                let filled = lists.filter(|(_, list)| !list.is_empty());
                Some(filled.map(|(number, list)| (number, Cow::Borrowed(list))).collect())
            }
            IdSelector::Sorted(ids) if are_few(ids.len()) => owned(index.lists.selected(ids.iter().copied())?),
            IdSelector::Bitmap(ids) if are_few(ids.count()) => {
                owned(index.lists.selected(ids.iter().map(|id| id as u64))?)
            }
            _ => None,
        })
    }

    /// The nearest lists of each query, nearest first, as many as `nprobe` and `max_codes` allow.
    fn lists(&self, queries: Rows<'_>, nprobe: usize, pool: Option<&Pool>) -> Result<Neighbors> {
        let probes = self.index.router.nearest(queries, nprobe, &self.coarse, pool)?;
        if self.max_codes == usize::MAX {
            return Ok(probes);
        }
        let cut = |row: &[Neighbor]| {
            let mut codes = 0;
            let visited = row.iter().take_while(|probe| {
                let goes_on = codes < self.max_codes;
                codes += self.index.lists.get(probe.id as usize).len();
                goes_on
            });
            visited.copied().collect()
        };
        Ok(probes.iter().map(cut).collect())
    }
}

/// `[task(0, ..), ...]`, one per query; fewer queries than threads leave each some threads of its own.
fn over_queries<T: Send>(
    queries: usize,
    pool: Option<&Pool>,
    task: impl Fn(usize, Option<&Pool>) -> T + Send + Sync,
) -> Vec<T> {
    let Some(pool) = pool.filter(|pool| pool.threads() > 1) else {
        return (0..queries).map(|i| task(i, None)).collect();
    };
    if queries < pool.threads() {
        return (0..queries).map(|i| task(i, Some(pool))).collect();
    }
    let tasks: Vec<Range<usize>> = parts(queries, TASK_QUERIES).collect();
    let done = on_pool(Some(pool), tasks.len(), |part| {
        tasks[part].clone().map(|i| task(i, None)).collect::<Vec<_>>()
    });
    done.into_iter().flatten().collect()
}

/// The nearest of one query in these lists.
fn scan(
    index: &Ivf,
    query: &[f32],
    lists: &[(usize, &List)],
    k: usize,
    keep: &IdSelector<'_>,
    pool: Option<&Pool>,
) -> TopK {
    let shifted = shifted(index, query);
    let shares = pool.map_or(1, Pool::threads).min(lists.len()).max(1);
    let found = on_pool(pool, shares, |share| {
        let mut top = TopK::new(k);
        let mut walk = Walk::new(index, query, shifted.as_deref());
        for (number, list) in lists.iter().skip(share).step_by(shares) {
            walk.scan(*number, list, keep, &mut top);
        }
        top
    });
    found.into_iter().fold(TopK::new(k), |mut all, top| {
        all.merge(top);
        all
    })
}

/// One query on its way through lists.
struct Walk<'a> {
    index: &'a Ivf,
    query: &'a [f32],
    scorer: Box<dyn Scorer + 'a>,
}

/// Where lists are compared through inner products, the query without the mean.
fn shifted(index: &Ivf, query: &[f32]) -> Option<Vec<f32>> {
    index.terms.as_ref().map(|terms| terms.shifted(query).collect())
}

impl<'a> Walk<'a> {
    /// For `query`, of which `shifted` is what the function of that name says.
    fn new(index: &'a Ivf, query: &'a [f32], shifted: Option<&'a [f32]>) -> Self {
        let scorer = match shifted {
            Some(shifted) => index.quantizer.scorer(Metric::InnerProduct, shifted),
            None => index.quantizer.scorer(index.metric, query),
        };
        Self { index, query, scorer }
    }

    /// Pushes what is near in the list of this number.
    fn scan(&mut self, number: usize, list: &List, keep: &IdSelector<'_>, top: &mut TopK) {
        let bias = self.enter(number);
        for block in parts(list.len(), BLOCK) {
            let (codes, ids) = (list.codes().bytes_of(block.clone()), &list.ids()[block.clone()]);
            match bias {
                Some(bias) => {
                    let terms = &list.terms()[block];
                    self.scorer.scan_with_terms(codes, ids, SCALE, bias, terms, keep, top);
                }
                None => self.scorer.scan(codes, ids, keep, top),
            }
        }
    }

    /// Appends what is closer than `radius` in the list of this number.
    fn scan_range(&mut self, number: usize, list: &List, keep: &IdSelector<'_>, radius: f32, out: &mut Vec<Neighbor>) {
        let bias = self.enter(number);
        let mut distances = [0.0; BLOCK];
        for block in parts(list.len(), BLOCK) {
            let (codes, ids) = (list.codes().bytes_of(block.clone()), &list.ids()[block.clone()]);
            let Some(bias) = bias else {
                self.scorer.scan_range(codes, ids, keep, radius, out);
                continue;
            };
            let distances = &mut distances[..ids.len()];
            self.scorer.score_block(codes, distances);
            for ((&id, &score), &term) in ids.iter().zip(&*distances).zip(&list.terms()[block]) {
                let distance = bias + term + SCALE * score;
                if distance < radius && keep.contains(id) {
                    out.push(Neighbor { id, distance });
                }
            }
        }
    }

    /// From here on codes are of the list of this number; where lists are compared through inner products, the distance
    /// of its centroid.
    fn enter(&mut self, number: usize) -> Option<f32> {
        let centroid = self.index.router.centroid(number);
        let bias = self
            .index
            .terms
            .as_ref()
            .map(|_| Metric::L2.distance(self.query, centroid));
        if self.index.by_residual && bias.is_none() {
            self.scorer.rebase(centroid);
        }
        bias
    }
}
