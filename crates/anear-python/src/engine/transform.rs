//! What turns vectors into other vectors: Faiss's `VectorTransform`s.

use std::any::Any;
use std::sync::Arc;

use anear::index::compat::faiss::{read_first_transform, write_transform};
use anear::kernels::Rows;
use anear::quant::Training;
use anear::quant::transform::{Center, Itq, Linear, Pca, Remap, Transform, TransformSpec};
use numpy::{IntoPyArray as _, PyArray1, PyArray2, PyArrayMethods as _, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::{detached, refused, rows};
use crate::error::guarded;

/// A transform that is trained.
#[pyclass(frozen, module = "anear._native")]
#[pyo3(name = "Transform")]
pub(crate) struct NativeTransform(pub(super) Arc<dyn Transform>);

#[pymethods]
impl NativeTransform {
    /// The transform of a token, trained on `x`.
    #[staticmethod]
    fn train(py: Python<'_>, token: &str, x: PyReadonlyArray2<'_, f32>, seed: u64) -> PyResult<Self> {
        guarded(|| {
            let spec = TransformSpec::parse(token).ok_or_else(|| refused(format!("no transform `{token}`")))?;
            let x = rows(&x)?;
            detached(py, |pool| spec.train(x, &Training { seed, pool }))
                .map(Self)
                .map_err(refused)
        })
    }

    /// `A x + b`.
    #[staticmethod]
    fn linear(matrix: PyReadonlyArray2<'_, f32>, bias: PyReadonlyArray1<'_, f32>) -> PyResult<Self> {
        let (matrix, bias) = (rows(&matrix)?, bias.as_slice()?.to_vec());
        let linear = Linear::new(matrix.dim(), matrix.len(), matrix.as_slice().to_vec(), bias).map_err(refused)?;
        Ok(Self(Arc::new(linear)))
    }

    /// `x - mean`.
    #[staticmethod]
    fn center(mean: PyReadonlyArray1<'_, f32>) -> PyResult<Self> {
        let center = Center::new(mean.as_slice()?.to_vec()).map_err(refused)?;
        Ok(Self(Arc::new(center)))
    }

    /// Component `map[i]` becomes the `i`-th; -1 is 0.
    #[staticmethod]
    fn remap(dim: usize, map: PyReadonlyArray1<'_, i32>) -> PyResult<Self> {
        Ok(Self(Arc::new(Remap::new(dim, map.as_slice()?).map_err(refused)?)))
    }

    /// The transform that a file of Faiss's begins with, and how many bytes it is.
    #[staticmethod]
    fn first_of_faiss(data: PyReadonlyArray1<'_, u8>) -> PyResult<(Self, usize)> {
        guarded(|| {
            let (transform, len) = read_first_transform(data.as_slice()?).map_err(refused)?;
            Ok((Self(transform), len))
        })
    }

    /// A file for Faiss.
    fn to_faiss<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<u8>>> {
        Ok(write_transform(&*self.0).map_err(refused)?.into_pyarray(py))
    }

    /// What trains one like this.
    #[getter]
    fn token(&self) -> String {
        self.0.spec().to_string()
    }

    #[getter]
    fn d_in(&self) -> usize {
        self.0.dim_in()
    }

    #[getter]
    fn d_out(&self) -> usize {
        self.0.dim_out()
    }

    fn apply<'py>(&self, py: Python<'py>, x: PyReadonlyArray2<'_, f32>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        guarded(|| {
            let x = self.checked(rows(&x)?, self.0.dim_in())?;
            let out = detached(py, |_| {
                let mut out = Vec::with_capacity(x.len() * self.0.dim_out());
                self.0.apply(x, &mut out);
                out
            });
            out.into_pyarray(py).reshape([x.len(), self.0.dim_out()])
        })
    }

    fn reverse<'py>(&self, py: Python<'py>, x: PyReadonlyArray2<'_, f32>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        guarded(|| {
            let x = self.checked(rows(&x)?, self.0.dim_out())?;
            let out = detached(py, |_| {
                let mut out = Vec::with_capacity(x.len() * self.0.dim_in());
                self.0.reverse(x, &mut out).map(|()| out)
            });
            out.map_err(refused)?
                .into_pyarray(py)
                .reshape([x.len(), self.0.dim_in()])
        })
    }

    /// What it learned, by Faiss's names.
    fn learned<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (name, values) in learned(&*self.0) {
            dict.set_item(name, values.into_pyarray(py))?;
        }
        Ok(dict)
    }

    #[staticmethod]
    fn load(token: &str, dim: usize, saved: &[u8]) -> PyResult<Self> {
        let spec = TransformSpec::parse(token).ok_or_else(|| refused(format!("no transform `{token}`")))?;
        spec.load(dim, saved).map(Self).map_err(refused)
    }

    #[allow(clippy::type_complexity, reason = "what pickle wants: a function and its arguments")]
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (String, usize, Bound<'py, PyBytes>))> {
        let load = py.get_type::<Self>().getattr("load")?;
        let saved = PyBytes::new(py, &self.0.save());
        Ok((load, (self.0.spec().to_string(), self.0.dim_in(), saved)))
    }
}

impl NativeTransform {
    fn checked<'a>(&self, x: Rows<'a>, dim: usize) -> PyResult<Rows<'a>> {
        if x.dim() == dim {
            return Ok(x);
        }
        Err(refused(format!("expected vectors of dimension {dim}, got {}", x.dim())))
    }
}

fn learned(transform: &dyn Transform) -> Vec<(&'static str, Vec<f32>)> {
    let transform = transform as &dyn Any;
    let linear = |linear: &Linear| {
        vec![
            ("A", linear.matrix().as_slice().to_vec()),
            ("b", linear.bias().to_vec()),
        ]
    };
    if let Some(pca) = transform.downcast_ref::<Pca>() {
        let parts = pca.parts();
        let mut learned = linear(&parts.linear);
        learned.push(("mean", parts.mean.clone()));
        learned.push(("eigenvalues", parts.eigenvalues.clone()));
        learned.push(("PCAMat", parts.components.clone()));
        return learned;
    }
    if let Some(itq) = transform.downcast_ref::<Itq>() {
        let mut learned = linear(&itq.parts().linear);
        learned.push(("mean", itq.parts().mean.clone()));
        return learned;
    }
    if let Some(center) = transform.downcast_ref::<Center>() {
        return vec![("mean", center.mean().to_vec())];
    }
    if let Some(remap) = transform.downcast_ref::<Remap>() {
        // Positions of components are small enough for floats.
        return vec![("map", remap.map().map(|from| from as f32).collect())];
    }
    transform.downcast_ref::<Linear>().map(linear).unwrap_or_default()
}
