//! Locality-sensitive hashing: one bit per component, the side of a threshold on which it lies (Faiss: `IndexLSH`).
//!
//! Components may be rotated first, so that each bit speaks of all of them; then the share of bits in which two codes
//! differ estimates the angle between vectors (Charikar, *Similarity estimation techniques from rounding algorithms*,
//! 2002).

use anear_bytes::AlignedBytes;
use anear_kernels::{Metric, Random, Rows};

use crate::{Error, Quantizer, QuantizerSpec, Result, Scorer, Training};

/// How to train an [`Lsh`]. Its token is `LSH`, the number of bits, `r` for a rotation and `t` for thresholds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LshParams {
    /// Bits per vector; as many as components by default. Without a rotation, the first components have one each.
    pub nbits: Option<usize>,
    /// Whether components are rotated first.
    pub rotate: bool,
    /// Whether the median of each is its threshold, rather than 0.
    pub thresholds: bool,
}

/// More bits than any use has for them; the rotation of a file or token must not ask for all memory.
const NBITS_MAX: usize = 1 << 16;

impl LshParams {
    /// The parameters that a token names.
    pub fn parse(token: &str) -> Option<Self> {
        let rest = token.strip_prefix("LSH")?;
        let (rest, thresholds) = rest.strip_suffix('t').map_or((rest, false), |rest| (rest, true));
        let (rest, rotate) = rest.strip_suffix('r').map_or((rest, false), |rest| (rest, true));
        let is_number = rest.bytes().all(|byte| byte.is_ascii_digit());
        let nbits = if rest.is_empty() {
            None
        } else {
            Some(rest.parse().ok()?)
        };
        is_number.then_some(Self {
            nbits,
            rotate,
            thresholds,
        })
    }

    /// Draws the rotation from the seed and learns the thresholds of `sample`.
    ///
    /// # Errors
    /// [`Error::Parameters`] for a number of bits that cannot be had, [`Error::TooFewTrainingVectors`] when thresholds
    /// are to be learned from no vector.
    pub fn train(&self, sample: Rows<'_>, training: &Training<'_>) -> Result<Lsh> {
        let nbits = self.check(sample.dim())?;
        let rotation = self.rotate.then(|| orthonormal(nbits, sample.dim(), training.seed));
        let mut lsh = Lsh::from_parts(sample.dim(), nbits, rotation, None)?;
        if self.thresholds {
            if sample.is_empty() {
                return Err(Error::TooFewTrainingVectors {
                    what: self.to_string(),
                    needed: 1,
                    got: 0,
                });
            }
            lsh.thresholds = Some(lsh.medians(sample, training));
        }
        lsh.params = *self;
        Ok(lsh)
    }

    /// The number of bits of vectors with `dim` components.
    fn check(&self, dim: usize) -> Result<usize> {
        let nbits = self.nbits.unwrap_or(dim);
        if nbits == 0 || nbits > NBITS_MAX {
            return Err(Error::Parameters(format!(
                "LSH takes from 1 to {NBITS_MAX} bits, got {nbits}"
            )));
        }
        if nbits > dim && !self.rotate {
            return Err(Error::Parameters(format!(
                "LSH{nbits} has more bits than {dim} components; rotate them with LSH{nbits}r"
            )));
        }
        Ok(nbits)
    }
}

impl std::fmt::Display for LshParams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LSH")?;
        self.nbits.map_or(Ok(()), |nbits| write!(f, "{nbits}"))?;
        f.write_str(if self.rotate { "r" } else { "" })?;
        f.write_str(if self.thresholds { "t" } else { "" })
    }
}

/// One bit per component, rotated or not. Whatever the metric, the distance of two vectors is the number of bits in
/// which they differ.
///
/// ```
/// use anear_kernels::{Metric, Rows};
/// use anear_quant::{LshParams, Quantizer, Training};
///
/// let vectors = Rows::new(&[1.0, 2.0, -3.0, 4.0, -5.0, 6.0], 3).unwrap();
/// let lsh = LshParams::default().train(vectors, &Training::default())?;
/// let codes = lsh.codes_of(vectors)?;
/// assert_eq!(codes.as_bytes(), [0b011, 0b101]);
///
/// let mut distances = [0.0; 2];
/// lsh.scorer(Metric::L2, &[1.0, 1.0, 1.0]).score_block(codes.as_bytes(), &mut distances);
/// assert_eq!(distances, [1.0, 1.0]);
/// # Ok::<(), anear_quant::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Lsh {
    params: LshParams,
    dim: usize,
    nbits: usize,
    /// One row per bit.
    rotation: Option<Vec<f32>>,
    /// One per bit.
    thresholds: Option<Vec<f32>>,
}

impl Lsh {
    /// From the rows of the rotation, one per bit, and a threshold for each bit.
    ///
    /// # Errors
    /// [`Error::Parameters`] for a number of bits that cannot be had, [`Error::Damaged`] when rotation or thresholds
    /// have another length or are not finite.
    pub fn from_parts(
        dim: usize,
        nbits: usize,
        rotation: Option<Vec<f32>>,
        thresholds: Option<Vec<f32>>,
    ) -> Result<Self> {
        let params = LshParams {
            nbits: Some(nbits),
            rotate: rotation.is_some(),
            thresholds: thresholds.is_some(),
        };
        if dim == 0 {
            return Err(Error::Parameters("vectors have at least 1 component, got 0".to_owned()));
        }
        params.check(dim)?;
        let check = |what: &str, part: &Option<Vec<f32>>, wanted: usize| match part {
            Some(part) if part.len() != wanted => Err(Error::Damaged(format!(
                "the {what} of LSH{nbits} has {wanted} values for {dim} components, got {}",
                part.len()
            ))),
            Some(part) if part.iter().any(|value| !value.is_finite()) => Err(Error::Damaged(format!(
                "the {what} of LSH{nbits} has a value that is not finite"
            ))),
            _ => Ok(()),
        };
        check("rotation", &rotation, nbits.saturating_mul(dim))?;
        check("thresholds", &thresholds, nbits)?;
        Ok(Self {
            params,
            dim,
            nbits,
            rotation,
            thresholds,
        })
    }

    /// Bits per vector.
    pub fn nbits(&self) -> usize {
        self.nbits
    }

    /// The rows of the rotation, one per bit.
    pub fn rotation(&self) -> Option<&[f32]> {
        self.rotation.as_deref()
    }

    /// The threshold of each bit; 0 where there is none.
    pub fn thresholds(&self) -> Option<&[f32]> {
        self.thresholds.as_deref()
    }

    /// The quantizer that [`Quantizer::save`] wrote.
    ///
    /// # Errors
    /// Those of [`from_parts`](Self::from_parts).
    pub fn load(params: LshParams, dim: usize, saved: &[u8]) -> Result<Self> {
        let nbits = params.check(dim)?;
        let (floats, rest) = saved.as_chunks();
        let rotation_len = if params.rotate { nbits.saturating_mul(dim) } else { 0 };
        let threshold_len = if params.thresholds { nbits } else { 0 };
        if !rest.is_empty() || floats.len() != rotation_len.saturating_add(threshold_len) {
            return Err(Error::Damaged(format!(
                "{} bytes do not hold {params} of {dim} components",
                saved.len()
            )));
        }
        let (rotation, thresholds) = floats.split_at(rotation_len);
        let floats = |part: &[[u8; 4]]| part.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        let rotation = params.rotate.then(|| floats(rotation));
        let lsh = Self::from_parts(dim, nbits, rotation, params.thresholds.then(|| floats(thresholds)))?;
        Ok(Self { params, ..lsh })
    }

    /// What is compared with thresholds, in `out`.
    fn project(&self, vector: &[f32], out: &mut [f32]) {
        let Some(rotation) = &self.rotation else {
            out.copy_from_slice(&vector[..out.len()]);
            return;
        };
        let rows = Rows::new(rotation, self.dim).expect("rows of the quantizer's dimension");
        Metric::InnerProduct.distances(vector, rows, out);
        out.iter_mut().for_each(|negative| *negative = -*negative);
    }

    fn encode_one(&self, vector: &[f32], projected: &mut [f32], code: &mut [u8]) {
        self.project(vector, projected);
        if let Some(thresholds) = &self.thresholds {
            projected
                .iter_mut()
                .zip(thresholds)
                .for_each(|(x, threshold)| *x -= threshold);
        }
        for (byte, eight) in code.iter_mut().zip(projected.chunks(8)) {
            *byte = eight.iter().rev().fold(0, |byte, &x| byte << 1 | u8::from(x >= 0.0));
        }
    }

    /// The median of each bit's projection; between the middle two of an even number.
    fn medians(&self, sample: Rows<'_>, training: &Training<'_>) -> Vec<f32> {
        let mut projected = vec![0.0; sample.len() * self.nbits];
        for (vector, projected) in sample.iter().zip(projected.chunks_exact_mut(self.nbits)) {
            self.project(vector, projected);
        }
        let median = |bit: usize| {
            let mut values: Vec<f32> = projected[bit..].iter().step_by(self.nbits).copied().collect();
            let middle = values.len() / 2;
            let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f32::total_cmp);
            let lower = below.iter().copied().max_by(f32::total_cmp);
            match lower {
                Some(lower) if sample.len().is_multiple_of(2) => (lower + upper) / 2.0,
                _ => upper,
            }
        };
        match training.pool {
            Some(pool) => pool.map(self.nbits, median),
            None => (0..self.nbits).map(median).collect(),
        }
    }

    fn code_of(&self, vector: &[f32]) -> Vec<u8> {
        let mut code = vec![0; self.code_len()];
        self.encode_one(vector, &mut vec![0.0; self.nbits], &mut code);
        code
    }
}

impl Quantizer for Lsh {
    fn spec(&self) -> QuantizerSpec {
        QuantizerSpec::Lsh(self.params)
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn code_len(&self) -> usize {
        self.nbits.div_ceil(8)
    }

    fn supports(&self, metric: Metric) -> bool {
        matches!(metric, Metric::L2 | Metric::InnerProduct | Metric::Cosine)
    }

    fn encode(&self, vectors: Rows<'_>, codes: &mut AlignedBytes) {
        assert_eq!(vectors.dim(), self.dim, "rows of the quantizer's dimension");
        let start = codes.len();
        codes.resize(start + vectors.len() * self.code_len(), 0);
        let mut projected = vec![0.0; self.nbits];
        let places = codes.as_mut_slice()[start..].chunks_exact_mut(self.code_len());
        vectors
            .iter()
            .zip(places)
            .for_each(|(vector, code)| self.encode_one(vector, &mut projected, code));
    }

    /// The vector whose projections lie 1 above or below the thresholds; 0 where no bit tells of a component.
    fn decode(&self, codes: &[u8], vectors: &mut Vec<f32>) {
        assert!(codes.len().is_multiple_of(self.code_len()), "a whole number of codes");
        for code in codes.chunks_exact(self.code_len()) {
            let start = vectors.len();
            vectors.resize(start + self.dim, 0.0);
            let vector = &mut vectors[start..];
            for bit in 0..self.nbits {
                let side = if code[bit / 8] >> (bit % 8) & 1 == 1 { 1.0 } else { -1.0 };
                let projection = side + self.thresholds.as_ref().map_or(0.0, |thresholds| thresholds[bit]);
                match &self.rotation {
                    None => vector[bit] = projection,
                    Some(rotation) => {
                        let row = &rotation[bit * self.dim..][..self.dim];
                        vector.iter_mut().zip(row).for_each(|(x, row)| *x += projection * row);
                    }
                }
            }
        }
    }

    fn scorer<'a>(&'a self, metric: Metric, query: &'a [f32]) -> Box<dyn Scorer + 'a> {
        assert_eq!(query.len(), self.dim, "a query of the quantizer's dimension");
        assert!(self.supports(metric), "{} does not compare by {metric}", self.params);
        Box::new(Hamming {
            code: self.code_of(query),
            lsh: self,
            query,
        })
    }

    fn save(&self) -> Vec<u8> {
        let parts = [&self.rotation, &self.thresholds].into_iter().flatten().flatten();
        parts.flat_map(|value| value.to_le_bytes()).collect()
    }
}

/// Counts the bits in which codes differ from the query's.
struct Hamming<'a> {
    lsh: &'a Lsh,
    query: &'a [f32],
    code: Vec<u8>,
}

impl Hamming<'_> {
    fn distance(&self, code: &[u8]) -> f32 {
        let ((a, a_rest), (b, b_rest)) = (self.code.as_chunks(), code.as_chunks());
        let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
        let words: u32 = a.iter().zip(b).map(|(a, b)| (word(a) ^ word(b)).count_ones()).sum();
        let rest: u32 = a_rest.iter().zip(b_rest).map(|(a, b)| (a ^ b).count_ones()).sum();
        (words + rest) as f32
    }
}

impl Scorer for Hamming<'_> {
    fn rebase(&mut self, origin: &[f32]) {
        assert_eq!(origin.len(), self.query.len(), "an origin of the quantizer's dimension");
        let residual: Vec<f32> = self
            .query
            .iter()
            .zip(origin)
            .map(|(query, origin)| query - origin)
            .collect();
        self.code = self.lsh.code_of(&residual);
    }

    fn score_block(&self, codes: &[u8], out: &mut [f32]) {
        for (code, out) in codes.chunks_exact(self.code.len()).zip(out) {
            *out = self.distance(code);
        }
    }

    fn score_at(&self, codes: &[u8], slots: &[u32], out: &mut [f32]) {
        for (slot, out) in slots.iter().zip(out) {
            *out = self.distance(&codes[*slot as usize * self.code.len()..][..self.code.len()]);
        }
    }
}

/// A matrix of this many rows and columns, of which those that are fewer are orthonormal; random, from the seed.
fn orthonormal(rows: usize, columns: usize, seed: u64) -> Vec<f32> {
    let (few, long) = (rows.min(columns), rows.max(columns));
    let mut random = Random::new(seed);
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(few);
    while basis.len() < few {
        let mut vector: Vec<f64> = (0..long).map(|_| random.normal()).collect();
        // Gram-Schmidt, twice: once leaves the rounding errors of large projections.
        for other in basis.iter().chain(&basis) {
            let product: f64 = other.iter().zip(&vector).map(|(a, b)| a * b).sum();
            vector
                .iter_mut()
                .zip(other)
                .for_each(|(x, other)| *x -= product * other);
        }
        let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        // Next to nothing is left of a vector that nearly depends on the others: draw another.
        if norm > 1e-6 {
            vector.iter_mut().for_each(|x| *x /= norm);
            basis.push(vector);
        }
    }
    let at = |row: usize, column: usize| {
        if rows <= columns {
            basis[row][column]
        } else {
            basis[column][row]
        }
    };
    (0..rows * columns)
        .map(|i| at(i / columns, i % columns) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: [&str; 7] = ["LSH", "LSHr", "LSHt", "LSH16", "LSH16rt", "LSH70r", "LSH33t"];
    const DIM: usize = 40;

    fn vectors(count: usize) -> Vec<f32> {
        let mut random = Random::new(7);
        (0..count * DIM).map(|_| random.normal() as f32 + 0.3).collect()
    }

    fn train(token: &str, sample: &[f32]) -> Lsh {
        let sample = Rows::new(sample, DIM).unwrap();
        LshParams::parse(token)
            .unwrap()
            .train(sample, &Training::default())
            .unwrap()
    }

    fn signs(code: &[u8], nbits: usize) -> Vec<bool> {
        (0..nbits).map(|bit| code[bit / 8] >> (bit % 8) & 1 == 1).collect()
    }

    #[test]
    fn tokens_are_read_and_printed() {
        for token in TOKENS {
            assert_eq!(LshParams::parse(token).unwrap().to_string(), token);
        }
        for token in [
            "LS",
            "LSHx",
            "LSHtr",
            "LSH-1",
            "LSH+1",
            "LSH1.5",
            "LSH99999999999999999999",
        ] {
            assert_eq!(LshParams::parse(token), None, "{token}");
        }
    }

    #[test]
    fn a_bit_is_the_side_of_the_threshold() {
        let vectors = vectors(30);
        for token in TOKENS {
            let lsh = train(token, &vectors);
            let codes = lsh.codes_of(Rows::new(&vectors, DIM).unwrap()).unwrap();
            for (vector, code) in vectors.chunks(DIM).zip(codes.as_bytes().chunks(lsh.code_len())) {
                for (bit, sign) in signs(code, lsh.nbits()).into_iter().enumerate() {
                    let x: f64 = match lsh.rotation() {
                        None => vector[bit].into(),
                        Some(a) => vector.iter().zip(&a[bit * DIM..]).map(|(x, a)| f64::from(x * a)).sum(),
                    };
                    let margin = x - lsh.thresholds().map_or(0.0, |thresholds| f64::from(thresholds[bit]));
                    assert!(
                        sign == (margin >= 0.0) || margin.abs() < 1e-5,
                        "{token} bit {bit}: {margin}"
                    );
                }
            }
        }
    }

    #[test]
    fn thresholds_split_the_sample_in_halves() {
        for count in [30, 31] {
            let vectors = vectors(count);
            let lsh = train("LSH70rt", &vectors);
            let codes = lsh.codes_of(Rows::new(&vectors, DIM).unwrap()).unwrap();
            for bit in 0..70 {
                let codes = codes.as_bytes().chunks(lsh.code_len());
                let above = codes.filter(|code| signs(code, 70)[bit]).count();
                // The middle one of an odd number is its own threshold.
                assert_eq!(above, count.div_ceil(2), "bit {bit}");
            }
        }
    }

    #[test]
    fn a_rotation_is_orthonormal_along_its_short_side() {
        for (rows, columns) in [(16, 40), (40, 40), (70, 40), (1, 1)] {
            let a = orthonormal(rows, columns, 5);
            assert_eq!(a, orthonormal(rows, columns, 5));
            assert_ne!(a, orthonormal(rows, columns, 6));
            let at = |i: usize, k: usize| {
                if rows <= columns {
                    a[i * columns + k]
                } else {
                    a[k * columns + i]
                }
            };
            for i in 0..rows.min(columns) {
                for j in 0..=i {
                    let product: f64 = (0..rows.max(columns))
                        .map(|k| f64::from(at(i, k)) * f64::from(at(j, k)))
                        .sum();
                    assert!(
                        (product - f64::from(u8::from(i == j))).abs() < 1e-6,
                        "{i} {j}: {product}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_distance_counts_the_bits_that_differ() {
        let (vectors, query) = (vectors(30), vectors(31)[30 * DIM..].to_vec());
        for token in TOKENS {
            let lsh = train(token, &vectors);
            let codes = lsh.codes_of(Rows::new(&vectors, DIM).unwrap()).unwrap();
            let query_signs = signs(&lsh.code_of(&query), lsh.nbits());
            let differing = |code: &[u8]| {
                let pairs = signs(code, lsh.nbits()).into_iter().zip(&query_signs);
                pairs.filter(|(a, b)| a != *b).count() as f32
            };
            let want: Vec<f32> = codes.as_bytes().chunks(lsh.code_len()).map(differing).collect();
            let scorer = lsh.scorer(Metric::L2, &query);
            let (mut block, mut picked) = ([0.0; 30], [0.0; 3]);
            scorer.score_block(codes.as_bytes(), &mut block);
            scorer.score_at(codes.as_bytes(), &[29, 0, 7], &mut picked);
            assert_eq!(block[..], want, "{token}");
            assert_eq!(picked, [want[29], want[0], want[7]], "{token}");
        }
    }

    #[test]
    fn a_decoded_vector_has_the_code_it_came_from() {
        let vectors = vectors(30);
        // With more bits than components the projections of a vector are not free.
        for token in TOKENS.into_iter().filter(|token| !token.contains("70")) {
            let lsh = train(token, &vectors);
            let codes = lsh.codes_of(Rows::new(&vectors, DIM).unwrap()).unwrap();
            let mut decoded = Vec::new();
            lsh.decode(codes.as_bytes(), &mut decoded);
            let again = lsh.codes_of(Rows::new(&decoded, DIM).unwrap()).unwrap();
            assert_eq!(again.as_bytes(), codes.as_bytes(), "{token}");
        }
    }

    #[test]
    fn residuals_are_compared_by_the_query_without_its_origin() {
        let vectors = vectors(32);
        let (query, origin) = (&vectors[30 * DIM..31 * DIM], &vectors[31 * DIM..]);
        let residual: Vec<f32> = query.iter().zip(origin).map(|(q, o)| q - o).collect();
        let lsh = train("LSHr", &vectors);
        let codes = lsh.codes_of(Rows::new(&residual, DIM).unwrap()).unwrap();
        let mut scorer = lsh.scorer(Metric::L2, query);
        scorer.rebase(origin);
        let mut distance = [1.0];
        scorer.score_block(codes.as_bytes(), &mut distance);
        assert_eq!(distance, [0.0]);
    }

    #[test]
    fn a_saved_quantizer_comes_back_and_a_damaged_one_does_not() {
        for token in TOKENS {
            let lsh = train(token, &vectors(9));
            let saved = lsh.save();
            assert_eq!(Lsh::load(lsh.params, DIM, &saved).unwrap(), lsh);
            let longer = [&saved[..], &[0; 4]].concat();
            assert!(Lsh::load(lsh.params, DIM, &longer).is_err());
            assert!(Lsh::load(lsh.params, DIM, &longer[..longer.len() - 1]).is_err());
            assert!(Lsh::load(lsh.params, DIM + 1, &saved).is_err() || lsh.rotation().is_none());
        }
        assert!(Lsh::from_parts(2, 2, Some(vec![1.0, 0.0, 0.0, f32::NAN]), None).is_err());
        assert!(Lsh::from_parts(2, 2, None, Some(vec![0.0])).is_err());
    }

    #[test]
    fn bits_that_cannot_be_had_are_refused_with_the_way_out() {
        let sample = Rows::new(&[1.0, 2.0], 2).unwrap();
        let error = |token| {
            LshParams::parse(token)
                .unwrap()
                .train(sample, &Training::default())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            error("LSH3"),
            "LSH3 has more bits than 2 components; rotate them with LSH3r"
        );
        assert_eq!(error("LSH0"), "LSH takes from 1 to 65536 bits, got 0");
        assert_eq!(error("LSH70000r"), "LSH takes from 1 to 65536 bits, got 70000");
        let none = LshParams::parse("LSHt")
            .unwrap()
            .train(Rows::new(&[], 2).unwrap(), &Training::default());
        assert_eq!(
            none.unwrap_err().to_string(),
            "training LSHt needs at least 1 vectors, got 0"
        );
    }
}
