//! What vectors vary along, and where bits cut the error most.

use anear_kernels::{Metric, Random, Rows};

use super::{Projection, SEGMENT, Segment, TransformCode, nibbles};
use crate::transform::{Principal, TransformSpec, subsample, transform_runs};
use crate::{Result, Training};

/// Longer vectors are not turned by a matrix: it would take longer than everything else, and gigabytes to learn.
pub(super) const MATRIX_DIM_MAX: usize = 1024;

/// Vectors that the spectrum is learned from: enough for the directions that matter, of which there are hundreds.
const SAMPLE: usize = 10_000;

/// Bits, and for components of variance 1 that are distributed normally the step between levels and the mean squared
/// error of the best uniform quantizer (Max, *Quantizing for minimum distortion*, 1960).
const QUANTIZERS: [(u32, f32, f32); 4] = [
    (0, 0.0, 1.0),
    (1, 1.5958, 0.3634),
    (2, 0.9957, 0.1188),
    (4, 0.3352, 0.01154),
];

/// The step of so many bits for components of variance 1.
pub(super) fn step(bits: u32) -> f32 {
    let known = QUANTIZERS.iter().find(|(known, ..)| *known == bits);
    known.map_or(1.0, |(_, step, _)| *step)
}

/// The directions that a sample varies along, from the most to the least.
#[derive(Clone, Debug)]
pub struct Spectrum {
    mean: Vec<f32>,
    /// One row per direction; none where components are taken as they are.
    directions: Vec<f32>,
    /// Variance along each direction.
    variances: Vec<f32>,
}

impl Spectrum {
    /// Of the vectors of a sample.
    ///
    /// # Errors
    /// [`Error::TooFewTrainingVectors`](crate::Error::TooFewTrainingVectors) for fewer than two vectors,
    /// [`Error::Parameters`](crate::Error::Parameters) when they are too large.
    pub fn of(sample: Rows<'_>, training: &Training<'_>) -> Result<Self> {
        let dim = sample.dim();
        let mut random = Random::new(training.seed);
        let sample = subsample(sample, SAMPLE, &mut random);
        let sample = Rows::new(&sample, dim).expect("whole vectors");
        if dim > MATRIX_DIM_MAX {
            return Ok(Self::of_components(sample));
        }
        let what = TransformSpec::Pca {
            dim: 1,
            whiten: false,
            rotate: false,
        };
        let principal = Principal::of(&what, 1, sample, &mut random, training)?;
        let count = sample.len() as f32;
        Ok(Self {
            mean: principal.mean.iter().map(|x| *x as f32).collect(),
            directions: principal.components,
            variances: principal.eigenvalues.iter().map(|sum| sum / count).collect(),
        })
    }

    /// Components as they come, in which only the variances are learned.
    fn of_components(sample: Rows<'_>) -> Self {
        let mean = crate::transform::mean(sample);
        let mut variances = vec![0.0; sample.dim()];
        for vector in sample {
            for ((variance, x), mean) in variances.iter_mut().zip(vector).zip(&mean) {
                *variance += (x - mean) * (x - mean) / sample.len() as f32;
            }
        }
        Self {
            mean,
            directions: Vec::new(),
            variances,
        }
    }

    /// Nibbles of a code that gives each component four bits.
    pub fn nibbles_max(&self) -> usize {
        self.variances.len().next_multiple_of(2)
    }

    /// The code of about so many nibbles, spent where they cut the error most.
    pub fn code(&self, metric: Metric, nibbles: usize) -> TransformCode {
        let segments = self.spend(nibbles);
        let kept: usize = segments.iter().map(|segment| segment.len).sum();
        let dim = self.mean.len();
        let projection = if self.directions.is_empty() {
            Projection::Segments
        } else {
            let mut rows = self.directions[..kept * dim].to_vec();
            rotate_segments(&mut rows, dim);
            Projection::matrix(rows, dim)
        };
        TransformCode {
            metric,
            mean: self.mean.clone(),
            projection,
            segments,
        }
    }

    /// The segments that get bits: always the one next that cuts most of the error for its nibbles.
    fn spend(&self, budget: usize) -> Vec<Segment> {
        let variances: Vec<(usize, f32)> = segments(self.variances.len())
            .map(|range| {
                let len = range.len();
                (len, self.variances[range].iter().sum::<f32>() / len as f32)
            })
            .collect();
        let mut levels = vec![0; variances.len()];
        let mut spent = 0;
        let gain = |segment: usize, level: usize| {
            let (len, variance) = variances[segment];
            let [(bits, _, error), (more, _, less)] = [QUANTIZERS[level], QUANTIZERS[level + 1]];
            let cost = nibbles(len, more) - nibbles(len, bits);
            (cost, len as f32 * variance * (error - less) / cost.max(1) as f32)
        };
        loop {
            let open = (0..levels.len()).filter(|i| levels[*i] + 1 < QUANTIZERS.len());
            let affordable = open.filter(|i| spent + gain(*i, levels[*i]).0 <= budget.max(2));
            // The first of equals, so that bits fall from segment to segment.
            let best = affordable.reduce(|best, i| {
                if gain(i, levels[i]).1 > gain(best, levels[best]).1 {
                    i
                } else {
                    best
                }
            });
            let Some(best) = best else { break };
            spent += gain(best, levels[best]).0;
            levels[best] += 1;
        }
        // A code has a component at least.
        if levels.iter().all(|level| *level == 0) {
            levels[0] = 1;
        }
        let kept = levels.iter().rposition(|level| *level > 0).map_or(0, |last| last + 1);
        let spent = levels[..kept].iter().zip(&variances);
        let segments = spent.map(|(level, (len, variance))| {
            // A segment without bits before one with some, as where components are not sorted, gets one after all.
            let (bits, step, _) = QUANTIZERS[(*level).max(1)];
            Segment {
                len: *len,
                bits,
                step: step * variance.sqrt(),
            }
        });
        segments.collect()
    }
}

/// The segments of so many components: each is as long as a power of two up to [`SEGMENT`].
fn segments(dim: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let left = (dim - start).min(SEGMENT);
        let len = if left == 0 { return None } else { 1 << left.ilog2() };
        start += len;
        Some(start - len..start)
    })
}

/// Rotates the components of each segment at random: signs, then a Hadamard transform. A component is a run of `width`
/// numbers.
pub(super) fn rotate_segments(components: &mut [f32], width: usize) {
    let mut random = Random::new(SEGMENT as u64);
    for range in segments(components.len() / width) {
        let segment = &mut components[range.start * width..range.end * width];
        for component in segment.chunks_exact_mut(width) {
            if random.bits() & 1 == 1 {
                component.iter_mut().for_each(|x| *x = -*x);
            }
        }
        hadamard(segment, width);
    }
}

/// The orthonormal Hadamard transform of a power of two of components.
fn hadamard(segment: &mut [f32], width: usize) {
    transform_runs(segment, width);
    let scale = 1.0 / ((segment.len() / width) as f32).sqrt();
    segment.iter_mut().for_each(|x| *x *= scale);
}
