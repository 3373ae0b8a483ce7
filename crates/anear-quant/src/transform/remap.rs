//! Components picked, moved or filled with zeros (Faiss: `RemapDimensionsTransform`).

use anear_bytes::Cursor;
use anear_kernels::Rows;

use super::{Transform, TransformSpec, check_dim};
use crate::{Error, Result};

/// Each component that is made is one of those that come in, or zero.
///
/// ```
/// use anear_kernels::Rows;
/// use anear_quant::transform::{Remap, Transform};
///
/// let remap = Remap::new(2, &[1, -1, 0])?;
/// let mut out = Vec::new();
/// remap.apply(Rows::new(&[5.0, 7.0], 2).unwrap(), &mut out);
/// assert_eq!(out, [7.0, 0.0, 5.0]);
/// # Ok::<(), anear_quant::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remap {
    spec: TransformSpec,
    dim_in: usize,
    map: Vec<Option<u32>>,
}

impl Remap {
    /// Which component each one that is made comes from; -1 is zero, as in Faiss.
    ///
    /// # Errors
    /// [`Error::Parameters`] when there is no such component.
    pub fn new(dim_in: usize, map: &[i32]) -> Result<Self> {
        check_dim(dim_in)?;
        check_dim(map.len())?;
        let source = |&from: &i32| match usize::try_from(from) {
            Ok(from) if from < dim_in => Ok(Some(from as u32)),
            Err(_) if from == -1 => Ok(None),
            _ => Err(Error::Parameters(format!(
                "component {from} of {dim_in} does not exist (-1 means zero)"
            ))),
        };
        let map: Vec<_> = map.iter().map(source).collect::<Result<_>>()?;
        let padded = (0..map.len()).map(|i| (i < dim_in).then_some(i as u32));
        let spec = if map.len() > dim_in && map.iter().copied().eq(padded) {
            TransformSpec::Pad { dim: map.len() }
        } else {
            TransformSpec::Remap { dim: map.len() }
        };
        Ok(Self { spec, dim_in, map })
    }

    /// Zeros behind.
    pub(super) fn pad(spec: TransformSpec, dim_in: usize) -> Result<Self> {
        let dim_out = spec.dim_out(dim_in);
        check_dim(dim_out)?;
        let map: Vec<i32> = (0..dim_out).map(|i| if i < dim_in { i as i32 } else { -1 }).collect();
        Ok(Self {
            spec,
            ..Self::new(dim_in, &map)?
        })
    }

    pub(super) fn load(spec: TransformSpec, dim_in: usize, cursor: &mut Cursor<'_>) -> Result<Self> {
        let map = cursor.items(spec.dim_out(dim_in) as u64, size_of::<i32>(), "map")?;
        let map: Vec<i32> = map.as_chunks().0.iter().map(|x| i32::from_le_bytes(*x)).collect();
        Ok(Self {
            spec,
            ..Self::new(dim_in, &map)?
        })
    }

    /// Which component each one that is made comes from; -1 is zero.
    pub fn map(&self) -> impl ExactSizeIterator<Item = i32> + '_ {
        self.map.iter().map(|from| from.map_or(-1, |from| from as i32))
    }
}

impl Transform for Remap {
    fn spec(&self) -> TransformSpec {
        self.spec
    }

    fn dim_in(&self) -> usize {
        self.dim_in
    }

    fn dim_out(&self) -> usize {
        self.map.len()
    }

    fn apply(&self, vectors: Rows<'_>, out: &mut Vec<f32>) {
        assert_eq!(vectors.dim(), self.dim_in, "vectors of the transform's dimension");
        for vector in vectors {
            out.extend(
                self.map
                    .iter()
                    .map(|from| from.map_or(0.0, |from| vector[from as usize])),
            );
        }
    }

    /// Components that were dropped come back as zeros.
    fn reverse(&self, vectors: Rows<'_>, out: &mut Vec<f32>) -> Result<()> {
        assert_eq!(vectors.dim(), self.map.len(), "vectors that the transform made");
        for vector in vectors {
            let start = out.len();
            out.resize(start + self.dim_in, 0.0);
            for (from, x) in self.map.iter().zip(vector) {
                if let Some(from) = from {
                    out[start + *from as usize] = *x;
                }
            }
        }
        Ok(())
    }

    fn save(&self) -> Vec<u8> {
        match self.spec {
            TransformSpec::Pad { .. } => Vec::new(),
            _ => self.map().flat_map(i32::to_le_bytes).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_goes_there_and_back() {
        let remap = Remap::new(3, &[2, -1, 0]).unwrap();
        assert_eq!(remap.map().collect::<Vec<_>>(), [2, -1, 0]);
        let (mut there, mut back) = (Vec::new(), Vec::new());
        remap.apply(Rows::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3).unwrap(), &mut there);
        assert_eq!(there, [3.0, 0.0, 1.0, 6.0, 0.0, 4.0]);
        remap.reverse(Rows::new(&there, 3).unwrap(), &mut back).unwrap();
        assert_eq!(back, [1.0, 0.0, 3.0, 4.0, 0.0, 6.0]);
        let loaded = remap.spec().load(3, &remap.save()).unwrap();
        assert_eq!(loaded.save(), remap.save());
    }

    #[test]
    fn components_that_do_not_exist_are_refused() {
        for map in [&[3][..], &[-2], &[]] {
            assert!(Remap::new(3, map).is_err(), "{map:?}");
        }
    }

    #[test]
    fn zeros_behind_are_known_as_padding() {
        assert_eq!(
            Remap::new(2, &[0, 1, -1]).unwrap().spec(),
            TransformSpec::Pad { dim: 3 }
        );
        assert_eq!(Remap::new(2, &[0, 1]).unwrap().spec(), TransformSpec::Remap { dim: 2 });
    }
}
