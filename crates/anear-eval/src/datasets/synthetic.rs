//! Made-up vectors that are as hard to search as real ones: clusters in few dimensions, spread over many (in the
//! manner of Faiss's `SyntheticDataset`, with clusters added).

use std::fmt;
use std::str::FromStr;

use crate::random;
use crate::{Blocks, Error, Result, Vectors};

/// A data set made from a seed: each vector depends on the seed and its number alone, so it may be larger than memory
/// and is the same in blocks of any length.
///
/// A vector is a linear image of a point of few coordinates, which is normally distributed about the center of a
/// cluster, and a little noise.
///
/// ```
/// use anear_eval::{Blocks, datasets::Synthetic};
///
/// let data: Synthetic = "n=1000,d=32,nq=10".parse()?;
/// assert_eq!((data.base().len(), data.base().dim(), data.queries().len()), (1000, 32, 10));
/// assert_eq!(data.to_string(), "n=1000,d=32,nq=10,clusters=100,seed=1338");
/// # Ok::<(), anear_eval::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synthetic {
    /// Number of vectors to search.
    pub n: usize,
    /// Components per vector.
    pub d: usize,
    /// Number of queries.
    pub nq: usize,
    /// Number of clusters.
    pub clusters: usize,
    /// Fixes all of it.
    pub seed: u64,
}

/// Coordinates of the points before they are spread over `d` components; data from life has 10 to 25.
const INTRINSIC: usize = 16;

/// How wide a cluster is in each coordinate, beside the spread of the centers, which is 1.
const WIDTH: f32 = 1.0;

/// What the few coordinates do not explain.
const NOISE: f32 = 0.05;

/// The streams of random numbers, one for each thing that is drawn.
const MAP: u64 = 0;
const CENTERS: u64 = 1;
const BASE: u64 = 2;
const QUERIES: u64 = 3;

impl Default for Synthetic {
    fn default() -> Self {
        Self {
            n: 100_000,
            d: 64,
            nq: 1000,
            clusters: 100,
            seed: 1338,
        }
    }
}

impl Synthetic {
    /// The vectors to search.
    pub fn base(&self) -> SyntheticBlocks {
        SyntheticBlocks::new(self, self.n, BASE)
    }

    /// The queries: of the same kind, but none of the vectors themselves.
    pub fn queries(&self) -> SyntheticBlocks {
        SyntheticBlocks::new(self, self.nq, QUERIES)
    }

    fn normals(&self, stream: u64, count: usize) -> Vec<f32> {
        let mut random = random::stream(self.seed, stream);
        (0..count).map(|_| random.normal() as f32).collect()
    }
}

impl fmt::Display for Synthetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            n,
            d,
            nq,
            clusters,
            seed,
        } = self;
        write!(f, "n={n},d={d},nq={nq},clusters={clusters},seed={seed}")
    }
}

impl FromStr for Synthetic {
    type Err = Error;

    /// Reads `n=100000,d=64,nq=1000,clusters=100,seed=1`; what is not said is as in [`Synthetic::default`].
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |reason: String| Error::Synthetic {
            text: text.into(),
            reason,
        };
        let mut data = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| wrong(format!("`{part}` has no value")))?;
            let number: u64 = value
                .replace('_', "")
                .parse()
                .map_err(|_| wrong(format!("`{value}` is not a whole number")))?;
            let place = match name {
                "n" => &mut data.n,
                "d" => &mut data.d,
                "nq" => &mut data.nq,
                "clusters" => &mut data.clusters,
                "seed" => {
                    data.seed = number;
                    continue;
                }
                _ => return Err(wrong(format!("`{name}` is not known"))),
            };
            *place = usize::try_from(number).map_err(|_| wrong(format!("{number} is too large")))?;
        }
        let most = anear_index::MAX_DIM;
        match data {
            Self { d, .. } if !(1..=most).contains(&d) => Err(wrong(format!("d must be between 1 and {most}"))),
            Self { clusters, .. } if !(1..=1 << 20).contains(&clusters) => {
                Err(wrong("clusters must be between 1 and 1048576".into()))
            }
            Self { n: 0, .. } | Self { nq: 0, .. } => Err(wrong("n and nq must be at least 1".into())),
            data => Ok(data),
        }
    }
}

/// The vectors of a [`Synthetic`] data set, as they are made.
#[derive(Clone, Debug)]
pub struct SyntheticBlocks {
    seed: u64,
    stream: u64,
    len: usize,
    done: usize,
    centers: Vectors,
    /// Where each of the few coordinates goes: one row of `d` components for each.
    map: Vectors,
}

impl SyntheticBlocks {
    fn new(data: &Synthetic, len: usize, stream: u64) -> Self {
        let centers = data.normals(CENTERS, data.clusters * INTRINSIC);
        let map = data.normals(MAP, INTRINSIC * data.d);
        Self {
            seed: data.seed,
            stream,
            len,
            done: 0,
            centers: Vectors::new(centers, INTRINSIC).expect("a center for each cluster"),
            map: Vectors::new(map, data.d).expect("a row for each coordinate"),
        }
    }

    /// Appends vector `number`.
    fn make(&self, number: usize, out: &mut Vec<f32>) {
        let mut random = random::stream(
            self.seed ^ (number as u64).wrapping_mul(0xd6e8_feb8_6659_fd93),
            self.stream,
        );
        let center = self.centers.rows().row(random.below(self.centers.rows().len()));
        let start = out.len();
        out.extend((0..self.dim()).map(|_| NOISE * random.normal() as f32));
        let vector = &mut out[start..];
        for (center, row) in center.iter().zip(self.map.rows()) {
            let coordinate = center + WIDTH * random.normal() as f32;
            vector
                .iter_mut()
                .zip(row)
                .for_each(|(x, weight)| *x += coordinate * weight);
        }
    }
}

impl Blocks for SyntheticBlocks {
    fn dim(&self) -> usize {
        self.map.rows().dim()
    }

    fn len(&self) -> usize {
        self.len
    }

    fn next_block(&mut self, max: usize, out: &mut Vec<f32>) -> Result<usize> {
        let count = max.min(self.len - self.done);
        (self.done..self.done + count).for_each(|number| self.make(number, out));
        self.done += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_and_the_blocks_do_not() {
        let data = Synthetic {
            n: 50,
            d: 9,
            nq: 5,
            ..Synthetic::default()
        };
        let all = Vectors::read(&mut data.base()).unwrap();
        let mut parts = Vec::new();
        let mut blocks = data.base();
        while blocks.next_block(7, &mut parts).unwrap() > 0 {}
        assert_eq!(Vectors::new(parts, 9).unwrap(), all);
        assert_ne!(
            Vectors::read(&mut data.queries()).unwrap().rows().row(0),
            all.rows().row(0)
        );
        let other = Synthetic { seed: 1, ..data };
        assert_ne!(Vectors::read(&mut other.base()).unwrap(), all);
    }

    #[test]
    fn the_first_vector_stays_what_it_is() {
        // A change here means that figures measured before can no longer be compared.
        let mut first = Vec::new();
        Synthetic::default().base().next_block(1, &mut first).unwrap();
        let bits: Vec<u32> = first[..3].iter().map(|x| x.to_bits()).collect();
        assert_eq!(bits, [1_092_318_715, 1_089_430_296, 3_239_974_742]);
    }

    #[test]
    fn descriptions_say_what_is_wrong_with_them() {
        for (text, reason) in [
            ("n", "`n` has no value"),
            ("n=many", "`many` is not a whole number"),
            ("k=3", "`k` is not known"),
            ("d=0", "d must be between"),
            ("nq=0", "n and nq must be at least 1"),
        ] {
            let error = text.parse::<Synthetic>().unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        assert_eq!("".parse::<Synthetic>().unwrap(), Synthetic::default());
        assert_eq!("n=1_000".parse::<Synthetic>().unwrap().n, 1000);
    }
}
