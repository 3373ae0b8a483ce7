//! Randomized Hadamard transforms (Faiss: `HadamardRotation`).

use anear_kernels::{Random, Rows};

use super::{Transform, TransformSpec, check_dim};
use crate::Result;

/// Three rounds of random signs and a Hadamard transform of vectors padded with zeros to a power of two: close to a
/// random rotation, at `d log d` instead of `d^2` (Ailon & Chazelle, *The fast Johnson-Lindenstrauss transform*, 2009).
///
/// Equal to Faiss's of the same seed, bit by bit.
///
/// ```
/// use anear_kernels::Rows;
/// use anear_quant::transform::{Hadamard, Transform};
///
/// let mut out = Vec::new();
/// Hadamard::new(3, 7)?.apply(Rows::new(&[1.0, 0.0, 0.0], 3).unwrap(), &mut out);
/// assert_eq!(out.len(), 4);
/// assert_eq!(out.iter().map(|x| x * x).sum::<f32>(), 1.0);
/// # Ok::<(), anear_quant::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Hadamard {
    dim_in: usize,
    seed: u32,
    /// 1 or -1.
    signs: [Vec<f32>; 3],
}

impl Hadamard {
    /// For vectors of `dim_in` components, with the signs that `seed` makes.
    ///
    /// # Errors
    /// [`Error::Parameters`](crate::Error::Parameters) when there are no components, or too many.
    pub fn new(dim_in: usize, seed: u32) -> Result<Self> {
        check_dim(dim_in)?;
        let mut random = Random::new(seed.into());
        let mut signs = || if random.bits() & 1 == 1 { 1.0 } else { -1.0 };
        let signs = [(); 3].map(|()| (0..dim_in.next_power_of_two()).map(|_| signs()).collect());
        Ok(Self { dim_in, seed, signs })
    }

    /// What the signs are made of.
    pub fn seed(&self) -> u32 {
        self.seed
    }

    /// Each transform makes vectors longer by the root of their dimension.
    fn scale(&self) -> f32 {
        let dim = self.dim_out() as f32;
        1.0 / (dim * dim.sqrt())
    }
}

/// The unnormalized transform, in place.
fn transform(vector: &mut [f32]) {
    transform_runs(vector, 1);
}

/// As [`transform`], where a component is a run of `width` numbers.
pub(crate) fn transform_runs(vector: &mut [f32], width: usize) {
    let mut half = width;
    while half < vector.len() {
        for pair in vector.chunks_exact_mut(2 * half) {
            let (upper, lower) = pair.split_at_mut(half);
            for (x, y) in upper.iter_mut().zip(lower) {
                (*x, *y) = (*x + *y, *x - *y);
            }
        }
        half *= 2;
    }
}

fn flip(vector: &mut [f32], signs: &[f32]) {
    vector.iter_mut().zip(signs).for_each(|(x, sign)| *x *= sign);
}

impl Transform for Hadamard {
    fn spec(&self) -> TransformSpec {
        TransformSpec::Hadamard { seed: self.seed }
    }

    fn dim_in(&self) -> usize {
        self.dim_in
    }

    fn dim_out(&self) -> usize {
        self.signs[0].len()
    }

    fn apply(&self, vectors: Rows<'_>, out: &mut Vec<f32>) {
        assert_eq!(vectors.dim(), self.dim_in, "vectors of the transform's dimension");
        for vector in vectors {
            let start = out.len();
            out.extend_from_slice(vector);
            out.resize(start + self.dim_out(), 0.0);
            let image = &mut out[start..];
            for signs in &self.signs {
                flip(image, signs);
                transform(image);
            }
            image.iter_mut().for_each(|x| *x *= self.scale());
        }
    }

    fn reverse(&self, vectors: Rows<'_>, out: &mut Vec<f32>) -> Result<()> {
        assert_eq!(vectors.dim(), self.dim_out(), "vectors that the transform made");
        let mut vector = vec![0.0; self.dim_out()];
        for image in vectors {
            vector.copy_from_slice(image);
            for signs in self.signs.iter().rev() {
                transform(&mut vector);
                flip(&mut vector, signs);
            }
            out.extend(vector[..self.dim_in].iter().map(|x| x * self.scale()));
        }
        Ok(())
    }

    fn save(&self) -> Vec<u8> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_those_of_faiss_bit_by_bit() {
        let vector = Rows::new(&[1.5, -2.25, 3.125, 0.5, -0.75, 7.0], 6).unwrap();
        // Written by Faiss 1.15.1.
        let expected = [
            (
                3,
                [
                    0x3f07_c3b6,
                    0x3f1e_6455,
                    0x409e_6455,
                    0x3f35_04f3,
                    0xc09e_6455,
                    0x3fb5_04f3,
                    0xbf07_c3b6,
                    0xc073_3ea7,
                ],
            ),
            (
                u32::MAX,
                [
                    0x409d_af50,
                    0x400c_01d4,
                    0x3f84_efa2,
                    0xbf24_0c7c,
                    0xbf02_1b8f,
                    0x4052_b7c3,
                    0x3fac_88b8,
                    0xc09a_db3c,
                ],
            ),
        ];
        for (seed, bits) in expected {
            let mut out = Vec::new();
            Hadamard::new(6, seed).unwrap().apply(vector, &mut out);
            assert_eq!(
                out.iter().map(|x| x.to_bits()).collect::<Vec<u32>>(),
                bits,
                "seed {seed}"
            );
        }
    }
}
