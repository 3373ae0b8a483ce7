//! Parameters and training: k-means on what the codebooks so far leave over, one codebook after the other.

use std::fmt;

use anear_cluster::KMeansParams;
use anear_kernels::{Random, Rows};

use super::norms::{NormKind, Norms};
use super::{Beam, Residual, squared_norm};
use crate::{Error, QuantizerSpec, Result, Training, product::codebook, spec::number};

/// The widest codebook: 65536 entries.
const NBITS_MAX: u32 = 16;

/// More codebooks or paths than this are a mistake.
const MANY: usize = 1024;

/// What a residual quantizer is trained with and encodes by.
///
/// ```
/// use anear_quant::{NormKind, QuantizerSpec, ResidualParams};
///
/// let params = ResidualParams { norm: NormKind::Float, ..ResidualParams::new([8, 8, 6]) };
/// assert_eq!(QuantizerSpec::Residual(params).to_string(), "RQ2x8_1x6_Nfloat");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResidualParams {
    /// Bits of the number of each codebook, from 1 to 16.
    pub nbits: Vec<u32>,
    /// What is kept behind a code of the squared norm of what it stands for: then distances by L2 need no decoding.
    pub norm: NormKind,
    /// How many ways to encode a vector are followed; Faiss's `max_beam_size`.
    pub beam: usize,
}

impl ResidualParams {
    /// No norm and a beam of 5, Faiss's defaults.
    pub fn new(nbits: impl Into<Vec<u32>>) -> Self {
        Self {
            nbits: nbits.into(),
            norm: NormKind::None,
            beam: 5,
        }
    }

    /// What follows `RQ` in a token: `4x8`, `2x8_4x6`, either with `_Nfloat`, `_Nqint8`, ... behind it.
    pub(crate) fn parse(token: &str) -> Option<Self> {
        let (groups, norm) = NormKind::strip(token);
        let mut nbits = Vec::new();
        for group in groups.split('_') {
            let (count, bits) = group.split_once('x')?;
            let (count, bits) = (number(count)?, number(bits)?.try_into().ok()?);
            nbits.extend(std::iter::repeat_n::<u32>(bits, count.min(MANY + 1)));
        }
        Some(Self {
            norm,
            ..Self::new(nbits)
        })
    }

    /// Learns the codebooks of vectors like those of `sample`.
    ///
    /// # Errors
    /// [`Error::Parameters`] for parameters that cannot be or a sample that is not finite,
    /// [`Error::TooFewTrainingVectors`] when there are fewer vectors than entries in a codebook.
    pub fn train(&self, sample: Rows<'_>, training: &Training<'_>) -> Result<Residual> {
        self.check()?;
        let widest: usize = 1 << self.nbits.iter().max().expect("checked: at least one codebook");
        let needed = widest.max(self.norm.needed());
        if sample.len() < needed {
            return Err(Error::TooFewTrainingVectors {
                what: QuantizerSpec::Residual(self.clone()).to_string(),
                needed,
                got: sample.len(),
            });
        }
        let most = needed.saturating_mul(KMeansParams::new(needed).max_points_per_centroid);
        let chosen = Random::new(training.seed).sorted_sample(sample.len(), most);
        let chosen: Vec<f32> = chosen.into_iter().flat_map(|row| sample.row(row)).copied().collect();
        let chosen = Rows::new(&chosen, sample.dim()).expect("whole rows");
        let (mut entries, mut rest) = (Vec::new(), chosen.as_slice().to_vec());
        for (stage, &nbits) in self.nbits.iter().enumerate() {
            let seed = training.seed.wrapping_add(stage as u64);
            let rows = Rows::new(&rest, sample.dim()).expect("whole rows");
            entries.extend(codebook(rows, 1 << nbits, seed, training.pool)?);
            if stage + 1 < self.nbits.len() || self.norm.levels() > 0 {
                rest = self
                    .first(stage + 1, entries.clone(), sample.dim())?
                    .rests(chosen, training);
            }
        }
        let norms = norms(chosen, &rest);
        let levels = Norms::train(self.norm, &norms, training)?.levels().to_vec();
        Residual::from_parts(sample.dim(), self.clone(), entries, levels)
    }

    /// The quantizer of the first codebooks, without norms.
    fn first(&self, stages: usize, entries: Vec<f32>, dim: usize) -> Result<Residual> {
        let params = Self {
            nbits: self.nbits[..stages].to_vec(),
            norm: NormKind::None,
            ..self.clone()
        };
        Residual::from_parts(dim, params, entries, Vec::new())
    }

    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |what: String| Err(Error::Parameters(what));
        if !(1..=MANY).contains(&self.nbits.len()) {
            return refuse(format!("1 to {MANY} codebooks, not {}", self.nbits.len()));
        }
        if let Some(nbits) = self.nbits.iter().find(|nbits| !(1..=NBITS_MAX).contains(*nbits)) {
            return refuse(format!("codes have 1 to {NBITS_MAX} bits per codebook, not {nbits}"));
        }
        if !(1..=MANY).contains(&self.beam) {
            return refuse(format!("a beam of 1 to {MANY} paths, not {}", self.beam));
        }
        Ok(())
    }
}

impl fmt::Display for ResidualParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RQ")?;
        for (i, group) in self.nbits.chunk_by(|a, b| a == b).enumerate() {
            let between = if i > 0 { "_" } else { "" };
            write!(f, "{between}{}x{}", group.len(), group[0])?;
        }
        match self.norm {
            NormKind::None => Ok(()),
            norm => f.write_str(norm.suffix()),
        }
    }
}

/// The squared norm of each vector without what is left of it.
fn norms(vectors: Rows<'_>, rest: &[f32]) -> Vec<f32> {
    let mut encoded = Vec::new();
    let pairs = vectors.iter().zip(rest.chunks_exact(vectors.dim()));
    let norm = |(vector, rest): (&[f32], &[f32])| {
        encoded.clear();
        encoded.extend(vector.iter().zip(rest).map(|(x, rest)| x - rest));
        squared_norm(&encoded)
    };
    pairs.map(norm).collect()
}

/// Vectors of one task of a training.
const STRETCH: usize = 1024;

impl Residual {
    /// What encoding leaves of each vector.
    fn rests(&self, vectors: Rows<'_>, training: &Training<'_>) -> Vec<f32> {
        let stretch = |i: usize| {
            let rows = vectors.slice(i * STRETCH..vectors.len().min((i + 1) * STRETCH));
            let mut rests = Vec::with_capacity(rows.as_slice().len());
            Beam::new(self).encode(rows, |_, rest| rests.extend_from_slice(rest));
            rests
        };
        let stretches = vectors.len().div_ceil(STRETCH);
        let rests: Vec<Vec<f32>> = match training.pool {
            Some(pool) => pool.map(stretches, stretch),
            None => (0..stretches).map(stretch).collect(),
        };
        rests.concat()
    }
}
