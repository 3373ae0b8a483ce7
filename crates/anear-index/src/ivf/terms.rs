//! What lets lists of residuals be compared through inner products, prepared once for all lists.
//!
//! For a query `q`, a centroid `c` and a decoded residual `r`, both of the former without the mean of all centroids,
//!
//! ```text
//! |q - c - r|^2 = |q - c|^2 + (|r|^2 + 2 <c, r>) - 2 <q, r>
//! ```
//!
//! of which the second term belongs to the vector and is kept beside its code, the first is one distance per list, and
//! only the last depends on query and code. Without the mean, which cancels, the terms are no larger than the distance
//! they make up, and nothing is lost to rounding. Faiss keeps a table of such terms per list and sub-vector instead.

use anear_kernels::{Metric, Rows};
use anear_quant::{Codes, Quantizer};

/// Codes of a list that are decoded together.
const BLOCK: usize = 1 << 12;

/// Room for what is decoded, used again for one list after the other.
#[derive(Default)]
pub(super) struct Scratch {
    codes: Vec<u8>,
    vectors: Vec<f32>,
}

/// The mean of the centroids.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    mean: Vec<f32>,
}

impl Terms {
    pub(super) fn new(centroids: Rows<'_>) -> Self {
        let mut sums = vec![0.0_f64; centroids.dim()];
        for centroid in centroids {
            sums.iter_mut().zip(centroid).for_each(|(sum, x)| *sum += f64::from(*x));
        }
        let count = centroids.len().max(1) as f64;
        Self {
            mean: sums.iter().map(|sum| (sum / count) as f32).collect(),
        }
    }

    /// `x` without the mean.
    pub(super) fn shifted(&self, x: &[f32]) -> impl Iterator<Item = f32> {
        x.iter().zip(&self.mean).map(|(x, mean)| x - mean)
    }

    /// The terms of a list with this centroid.
    pub(super) fn of_list(
        &self,
        quantizer: &dyn Quantizer,
        centroid: &[f32],
        list: &Codes,
        scratch: &mut Scratch,
    ) -> Vec<f32> {
        let Scratch { codes, vectors } = scratch;
        let mut terms = Vec::with_capacity(list.len());
        for start in (0..list.len()).step_by(BLOCK) {
            codes.clear();
            list.copy_to(start..list.len().min(start + BLOCK), codes);
            self.extend(quantizer, centroid, codes, vectors, &mut terms);
        }
        terms
    }

    /// The term of each of these codes, one after the other, in the list of this centroid, appended to `out`. Where codes
    /// keep the norm of what they stand for, it is that, as in Faiss. What `vectors` holds is overwritten.
    pub(super) fn extend(
        &self,
        quantizer: &dyn Quantizer,
        centroid: &[f32],
        codes: &[u8],
        vectors: &mut Vec<f32>,
        out: &mut Vec<f32>,
    ) {
        let product = |x: &[f32], y: &[f32]| -Metric::InnerProduct.distance(x, y);
        vectors.clear();
        vectors.extend(self.shifted(centroid));
        quantizer.decode(codes, vectors);
        let (centroid, residuals) = vectors.split_at(quantizer.dim());
        let residuals = Rows::new(residuals, quantizer.dim()).expect("whole vectors");
        let terms = residuals.iter().zip(codes.chunks_exact(quantizer.code_len()));
        out.extend(terms.map(|(r, code)| {
            let norm = quantizer.kept_norm(code).unwrap_or_else(|| product(r, r));
            norm + 2.0 * product(centroid, r)
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IndexSpec;
    use anear_bytes::AlignedBytes;
    use anear_quant::Training;

    #[test]
    fn a_list_has_the_terms_of_its_codes_one_by_one() {
        let vectors: Vec<f32> = (0..(2 * BLOCK + 7) * 2)
            .map(|i| (i * 7919 % 1009) as f32 / 64.0)
            .collect();
        let vectors = Rows::new(&vectors, 2).unwrap();
        for spec in ["PQ2x4", "PQ2x4fs", "RQ2x4"] {
            let Ok(IndexSpec::Flat(codes)) = spec.parse() else {
                panic!("{spec} is flat");
            };
            let sample = vectors.slice(0..200);
            let quantizer = codes.train(Metric::L2, sample, &Training::default()).unwrap();
            let terms = Terms::new(vectors.slice(0..3));
            let (mut rows, mut scratch, mut expected) = (AlignedBytes::new(), Scratch::default(), Vec::new());
            quantizer.encode(vectors, &mut rows);
            for code in rows.as_slice().chunks_exact(quantizer.code_len()) {
                terms.extend(&*quantizer, vectors.row(1), code, &mut Vec::new(), &mut expected);
            }
            for len in [0, 1, BLOCK, BLOCK + 1, vectors.len()] {
                let mut list = quantizer.new_codes();
                list.extend_from_rows(&rows.as_slice()[..len * quantizer.code_len()])
                    .unwrap();
                let found = terms.of_list(&*quantizer, vectors.row(1), &list, &mut scratch);
                assert!(found == expected[..len], "{spec}, {len} codes");
            }
            let room = scratch.vectors.capacity() / quantizer.dim();
            assert!(room <= 2 * BLOCK, "{spec}: {room} vectors at once");
        }
    }
}
