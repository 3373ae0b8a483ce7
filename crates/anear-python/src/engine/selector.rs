//! Which ids may be found: Faiss's `IDSelector`s, over ids with a sign.

use std::ops::Range;
use std::sync::Arc;

use anear::kernels::{Bitmap, IdSelector};
use numpy::{IntoPyArray as _, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A rule over ids.
#[pyclass(frozen, module = "anear._native")]
pub(crate) struct Selector(Arc<Selection>);

enum Selection {
    All,
    Range(Range<i64>),
    /// Ascending.
    Listed(Vec<u64>),
    Marked(Bitmap),
    Not(Arc<Selection>),
    And(Vec<Arc<Selection>>),
    Or(Vec<Arc<Selection>>),
    Xor(Arc<Selection>, Arc<Selection>),
}

/// Ids in a list take 64 bits each; where a bitmap takes no more, it is faster.
const BITS_PER_LISTED: u64 = 64;

impl Selection {
    fn as_selector(&self) -> IdSelector<'_> {
        match self {
            Self::All => IdSelector::All,
            Self::Range(range) => {
                let bound = |id: i64| u64::try_from(id).unwrap_or(0);
                IdSelector::Range(bound(range.start)..bound(range.end))
            }
            Self::Listed(ids) => IdSelector::Sorted(ids),
            Self::Marked(bitmap) => IdSelector::Bitmap(bitmap),
            Self::Not(inner) => IdSelector::Not(Box::new(inner.as_selector())),
            Self::And(parts) => IdSelector::And(parts.iter().map(|part| part.as_selector()).collect()),
            Self::Or(parts) => IdSelector::Or(parts.iter().map(|part| part.as_selector()).collect()),
            Self::Xor(left, right) => IdSelector::Xor(Box::new(left.as_selector()), Box::new(right.as_selector())),
        }
    }

    /// Also for ids below 0, which no index of the engine has.
    fn contains(&self, id: i64) -> bool {
        match (self, u64::try_from(id)) {
            (Self::All, _) => true,
            (Self::Range(range), _) => range.contains(&id),
            (Self::Not(inner), _) => !inner.contains(id),
            (Self::And(parts), _) => parts.iter().all(|part| part.contains(id)),
            (Self::Or(parts), _) => parts.iter().any(|part| part.contains(id)),
            (Self::Xor(left, right), _) => left.contains(id) != right.contains(id),
            (Self::Listed(_) | Self::Marked(_), Ok(id)) => self.as_selector().contains(id),
            (Self::Listed(_) | Self::Marked(_), Err(_)) => false,
        }
    }

    /// The listed ids, in the shape that is asked fastest.
    fn listed(mut ids: Vec<u64>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        match ids.last() {
            Some(&last) if last / BITS_PER_LISTED <= ids.len() as u64 => Self::Marked(Bitmap::from_indices(
                last as usize + 1,
                ids.iter().map(|id| *id as usize),
            )),
            _ => Self::Listed(ids),
        }
    }
}

impl Selector {
    /// As the engine asks it.
    pub(crate) fn as_selector(&self) -> IdSelector<'_> {
        self.0.as_selector()
    }

    fn new(selection: Selection) -> Self {
        Self(Arc::new(selection))
    }
}

#[pymethods]
impl Selector {
    #[staticmethod]
    fn all() -> Self {
        Self::new(Selection::All)
    }

    #[staticmethod]
    fn range(start: i64, stop: i64) -> Self {
        Self::new(Selection::Range(start..stop))
    }

    #[staticmethod]
    fn ids(py: Python<'_>, ids: PyReadonlyArray1<'_, i64>) -> PyResult<Self> {
        let ids = ids.as_slice()?;
        Ok(py.detach(|| {
            Self::new(Selection::listed(
                ids.iter().filter_map(|id| (*id).try_into().ok()).collect(),
            ))
        }))
    }

    /// Id `i` is bit `i % 8` of byte `i / 8`.
    #[staticmethod]
    fn bits(bytes: PyReadonlyArray1<'_, u8>) -> PyResult<Self> {
        let bytes = bytes.as_slice()?;
        let word = |bytes: &[u8]| {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(word)
        };
        let words = bytes.chunks(8).map(word).collect();
        let bitmap = Bitmap::from_words(words, bytes.len() * 8);
        let bitmap = bitmap.ok_or_else(|| PyValueError::new_err("a bitmap of another length"))?;
        Ok(Self::new(Selection::Marked(bitmap)))
    }

    #[staticmethod]
    fn negated(inner: &Self) -> Self {
        Self::new(Selection::Not(inner.0.clone()))
    }

    #[staticmethod]
    fn all_of(parts: Vec<PyRef<'_, Self>>) -> Self {
        Self::new(Selection::And(parts.iter().map(|part| part.0.clone()).collect()))
    }

    #[staticmethod]
    fn any_of(parts: Vec<PyRef<'_, Self>>) -> Self {
        Self::new(Selection::Or(parts.iter().map(|part| part.0.clone()).collect()))
    }

    #[staticmethod]
    fn one_of(left: &Self, right: &Self) -> Self {
        Self::new(Selection::Xor(left.0.clone(), right.0.clone()))
    }

    fn contains(&self, id: i64) -> bool {
        self.0.contains(id)
    }

    /// For each id, whether it is selected.
    fn mask<'py>(&self, py: Python<'py>, ids: PyReadonlyArray1<'_, i64>) -> PyResult<Bound<'py, PyArray1<bool>>> {
        let ids = ids.as_slice()?;
        let mask: Vec<bool> = py.detach(|| ids.iter().map(|id| self.0.contains(*id)).collect());
        Ok(mask.into_pyarray(py))
    }

    /// The positions in `ids` whose id is selected.
    fn positions(&self, py: Python<'_>, ids: PyReadonlyArray1<'_, i64>) -> PyResult<Self> {
        let ids = ids.as_slice()?;
        let chosen = || {
            ids.iter()
                .enumerate()
                .filter(|(_, id)| self.0.contains(**id))
                .map(|(at, _)| at)
        };
        Ok(py.detach(|| Self::new(Selection::Marked(Bitmap::from_indices(ids.len(), chosen())))))
    }
}
