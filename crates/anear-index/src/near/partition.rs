//! Dealing vectors to clusters, and slots to the vectors of each cluster in turn.

use anear_cluster::{KMeansParams, Training};
use anear_kernels::{Metric, Random, Rows};
use anear_pool::Pool;
use anear_quant::{Codes, TransformCode};

use super::lists::Lists;
use super::space::typical;
use crate::Result;
use crate::tiles::{on_pool, parts};

/// Vectors that are dealt together: their components are a few megabytes.
const PART: usize = 8192;

/// Components that clusters are told apart by: the first carry most of the variance, and time grows with their number.
const DIM_MAX: usize = 96;

/// Vectors per centroid that centroids are learned from, and how often they move: more made recall no better.
const SAMPLE: usize = 40;
const ITERATIONS: usize = 6;

/// Which row has which slot, and where the lists are.
pub(super) struct Partition {
    /// The row of each slot: list after list, and within a list by number.
    pub(super) order: Vec<u32>,
    pub(super) lists: Lists,
}

/// Twice the root: then finding the nearest centroids takes about as long as reading what belongs to some of them.
fn nlist(len: usize) -> usize {
    ((2.0 * (len as f64).sqrt()) as usize).clamp(1, len)
}

impl Partition {
    pub(super) fn of(rows: Rows<'_>, code: &TransformCode, seed: u64, pool: Option<&Pool>) -> Result<Self> {
        let centroids = centroids(rows, code, seed, pool)?;
        let dim = code.kept().min(DIM_MAX);
        let centroids = Rows::new(&centroids, dim).expect("whole centroids");
        let (mut ids, mut distances) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for part in parts(rows.len(), PART) {
            let components = components(rows.slice(part), code);
            let components = Rows::new(&components, dim).expect("whole vectors");
            let nearest = anear_cluster::assign(components, centroids, Metric::L2, pool)?;
            ids.extend(nearest.ids);
            distances.extend(nearest.distances);
        }
        Ok(Self::dealt(rows, code, &ids, &distances))
    }

    /// Of which cluster each row is, and how far from its middle.
    fn dealt(rows: Rows<'_>, code: &TransformCode, ids: &[u32], distances: &[f32]) -> Self {
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.sort_by_key(|row| ids[*row as usize]);
        let (mut starts, mut middle_slots, mut means) = (vec![0], Vec::new(), Vec::new());
        for members in order.chunk_by(|a, b| ids[*a as usize] == ids[*b as usize]) {
            let start = starts[starts.len() - 1];
            let nearer = |a: &usize, b: &usize| {
                let distance = |i: &usize| distances[members[*i] as usize];
                distance(a).total_cmp(&distance(b))
            };
            let middle = (0..members.len()).min_by(nearer).expect("a cluster has members");
            middle_slots.push(start + middle as u32);
            starts.push(start + members.len() as u32);
            means.extend(mean(rows, members));
        }
        let means = Rows::new(&means, rows.dim()).expect("whole vectors");
        let middle_rows = middle_slots.iter().map(|slot| order[*slot as usize] as usize);
        let middles = rows.gathered(middle_rows);
        let middles = Rows::new(&middles, rows.dim()).expect("whole vectors");
        let lists = Lists {
            starts,
            centroids: in_blocks(code, means),
            middles: in_blocks(code, middles),
            middle_slots,
        };
        Self { order, lists }
    }
}

fn centroids(rows: Rows<'_>, code: &TransformCode, seed: u64, pool: Option<&Pool>) -> Result<Vec<f32>> {
    let nlist = nlist(rows.len());
    let mut random = Random::new(seed);
    let drawn = random.sorted_sample(rows.len(), (nlist * SAMPLE).min(rows.len()));
    let sample = rows.gathered(typical(rows, drawn).into_iter());
    let sample = Rows::new(&sample, rows.dim()).expect("whole vectors");
    let parts: Vec<_> = parts(sample.len(), PART).collect();
    let sample = on_pool(pool, parts.len(), |i| components(sample.slice(parts[i].clone()), code)).concat();
    let sample = Rows::new(&sample, code.kept().min(DIM_MAX)).expect("whole vectors");
    let params = KMeansParams {
        niter: ITERATIONS,
        seed,
        ..KMeansParams::new(nlist)
    };
    let training = Training {
        pool,
        ..Training::default()
    };
    Ok(params.train(sample, &training)?.into_centroids())
}

/// The first components of each vector, as a code has them.
fn components(vectors: Rows<'_>, code: &TransformCode) -> Vec<f32> {
    let mut all = Vec::new();
    code.project(vectors, &mut all);
    if code.kept() <= DIM_MAX {
        return all;
    }
    let mut first = Vec::with_capacity(vectors.len() * DIM_MAX);
    all.chunks_exact(code.kept())
        .for_each(|row| first.extend_from_slice(&row[..DIM_MAX]));
    first
}

fn mean(rows: Rows<'_>, members: &[u32]) -> Vec<f32> {
    let positions: Vec<usize> = members.iter().map(|row| *row as usize).collect();
    let share = 1.0 / members.len() as f32;
    let mut mean = vec![0.0; rows.dim()];
    anear_kernels::weighted_sum(rows, &positions, &vec![share; members.len()], &mut mean);
    mean
}

fn in_blocks(code: &TransformCode, vectors: Rows<'_>) -> Codes {
    let mut rows = Vec::new();
    code.encode(vectors, &mut rows);
    let mut codes = Codes::new(code.layout(), code.code_len());
    codes.extend_from_rows(&rows).expect("memory for a code per list");
    codes
}
