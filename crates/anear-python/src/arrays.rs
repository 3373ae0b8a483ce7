//! Vectors from Python: NumPy arrays are read in place, lists of numbers item by item.

use numpy::ndarray::Dimension;
use numpy::{Element, PyReadonlyArray, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArray, PyUntypedArrayMethods as _};
use pyo3::exceptions::{PyMemoryError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::runtime::Breather;
use crate::values::type_name;

/// Vectors, row by row.
#[derive(Default)]
pub(crate) struct Matrix {
    pub(crate) data: Vec<f32>,
    pub(crate) rows: usize,
    /// Components per vector; 0 when there is no vector.
    pub(crate) dim: usize,
}

impl Matrix {
    /// Any two-dimensional array, or any iterable of vectors.
    pub(crate) fn from_python(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        if object.cast::<PyUntypedArray>().is_ok() {
            return Self::from_array(object);
        }
        let mut matrix = Self::default();
        let mut breather = Breather::new();
        let rows = object.try_iter().map_err(|_| no_vectors(object))?;
        for row in rows {
            matrix.push(&row?)?;
            breather.breathe(object.py())?;
        }
        Ok(matrix)
    }

    fn from_array(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let array = contiguous::<f32, _>(object).map_err(|_| no_vectors(object))?;
        let array: PyReadonlyArray2<'_, f32> = array;
        let (rows, dim) = (array.shape()[0], array.shape()[1]);
        let slice = array.as_slice()?;
        let mut data = Vec::new();
        data.try_reserve_exact(slice.len())
            .map_err(|_| PyMemoryError::new_err(format!("no memory for an array of shape {:?}", array.shape())))?;
        object.py().detach(|| data.extend_from_slice(slice));
        let dim = if rows == 0 { 0 } else { dim };
        Ok(Self { data, rows, dim })
    }

    /// One more vector, as wide as those before it.
    pub(crate) fn push(&mut self, row: &Bound<'_, PyAny>) -> PyResult<()> {
        let before = self.data.len();
        append(row, &mut self.data).map_err(|error| in_vector(row.py(), self.rows, error))?;
        let got = self.data.len() - before;
        if self.rows == 0 {
            self.dim = got;
        }
        if got != self.dim {
            return Err(PyValueError::new_err(format!(
                "vector {} has {got} components, the ones before it have {}; all must come from one embedding model",
                self.rows, self.dim
            )));
        }
        self.rows += 1;
        Ok(())
    }
}

/// One vector: a one-dimensional array or an iterable of numbers.
pub(crate) fn vector(object: &Bound<'_, PyAny>) -> PyResult<Vec<f32>> {
    let mut vector = Vec::new();
    append(object, &mut vector)?;
    Ok(vector)
}

fn append(object: &Bound<'_, PyAny>, to: &mut Vec<f32>) -> PyResult<()> {
    if let Ok(list) = object.cast::<PyList>() {
        to.reserve(list.len());
        return list.iter().try_for_each(|number| push(&number, to));
    }
    if object.cast::<PyUntypedArray>().is_ok() {
        let array = contiguous::<f32, _>(object).map_err(|_| no_vector(object))?;
        let array: PyReadonlyArray1<'_, f32> = array;
        to.extend_from_slice(array.as_slice()?);
        return Ok(());
    }
    if let Ok(tuple) = object.cast::<PyTuple>() {
        return tuple.iter().try_for_each(|number| push(&number, to));
    }
    if object.is_instance_of::<pyo3::types::PyString>() || object.is_instance_of::<pyo3::types::PyBytes>() {
        return Err(no_vector(object));
    }
    let numbers = object.try_iter().map_err(|_| no_vector(object))?;
    for number in numbers {
        push(&number?, to)?;
    }
    Ok(())
}

fn push(number: &Bound<'_, PyAny>, to: &mut Vec<f32>) -> PyResult<()> {
    // Python's floats are 64 bits wide; what is too large for 32 becomes an infinity, which the index refuses.
    to.push(number.extract::<f64>()? as f32);
    Ok(())
}

/// The array itself if it lies in memory as is wanted, else a copy that does.
fn contiguous<'py, T: Element, D: Dimension>(object: &Bound<'py, PyAny>) -> PyResult<PyReadonlyArray<'py, T, D>> {
    if let Ok(array) = object.extract::<PyReadonlyArray<'py, T, D>>()
        && array.as_slice().is_ok()
        && array.is_c_contiguous()
    {
        return Ok(array);
    }
    let numpy = object.py().import("numpy")?;
    let copy = numpy.call_method1("ascontiguousarray", (object, numpy::dtype::<T>(object.py())))?;
    copy.extract::<PyReadonlyArray<'py, T, D>>()
}

fn no_vectors(object: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!(
        "expected vectors, a two-dimensional array or a list of lists of numbers, got {}",
        describe(object)
    ))
}

fn no_vector(object: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!(
        "expected a vector, a one-dimensional array or a list of numbers, got {}",
        describe(object)
    ))
}

fn describe(object: &Bound<'_, PyAny>) -> String {
    let name = type_name(object).unwrap_or_default();
    match object.cast::<PyUntypedArray>() {
        Ok(array) => format!("an array of shape {:?} and type {}", array.shape(), array.dtype()),
        Err(_) => name,
    }
}

/// Says which vector it was; other errors than those about the vector itself stay as they are.
fn in_vector(py: Python<'_>, row: usize, error: PyErr) -> PyErr {
    let text = || format!("vector {row}: {}", error.value(py));
    let named = if error.is_instance_of::<PyTypeError>(py) {
        PyTypeError::new_err(text())
    } else if error.is_instance_of::<PyValueError>(py) {
        PyValueError::new_err(text())
    } else {
        return error;
    };
    named.set_cause(py, Some(error));
    named
}
