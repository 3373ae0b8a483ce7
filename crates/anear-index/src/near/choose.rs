//! Choosing the code: sizes are tried on some of the vectors.

use anear_kernels::{IdSelector, Metric, Random, Rows, TopK, scan_batch};
use anear_pool::Pool;
use anear_quant::{BLOCK_LEN, Codes, Spectrum, Training, TransformCode, TransformedQuery};

use super::curve::NEIGHBORS;
use super::effort::JUMP;
use super::exact::Form;
use super::space::lengthen;
use crate::Result;
use crate::tiles::on_pool;

/// Sizes of codes that are tried, in nibbles.
const NIBBLES: [usize; 8] = [32, 48, 64, 80, 96, 128, 192, 256];

/// Queries that they are tried with, and vectors near to each that compete for being among its neighbors: those farther
/// away are told apart by any code.
const QUERIES: usize = 64;
const COMPETING: usize = 511;

/// Codes that a search estimates about, all sets taken together.
const ESTIMATED: usize = 3000;

/// The code that reads fewest bytes: its own, and those of the candidates that it needs for nearly all neighbors.
pub(super) fn choose(
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
        // Its copies are found by any code.
        let is_other = |row: &usize| rows.row(*row) != rows.row(drawn[i]);
        Trial {
            query: drawn[i],
            near: near.filter(is_other).collect(),
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
