//! Quantizers as they stand in the files of the indexes that use them.

use anear_quant::{Quantizer as _, Scalar, ScalarKind};

use super::sink::Sink;
use super::source::Source;
use super::unsound;
use crate::Result;

/// A scalar quantizer.
pub(super) fn read_scalar(dim: usize, source: &mut Source<'_>) -> Result<Scalar> {
    let number = source.i32("kind of scalar quantizer")?;
    let kind = ScalarKind::from_faiss_number(number).ok_or_else(|| {
        unsound(format!(
            "its scalar quantizer is of kind {number}, which anear does not read"
        ))
    })?;
    source.i32("rangestat")?;
    source.f32("rangestat argument")?;
    check_dim(dim, source)?;
    let code_len = source.size("code size")?;
    let quantizer = Scalar::from_parts(kind, dim, source.floats("ranges")?)?;
    check_code_len(code_len, quantizer.code_len())?;
    Ok(quantizer)
}

pub(super) fn write_scalar(quantizer: &Scalar, sink: &mut Sink) {
    sink.i32(quantizer.kind().faiss_number());
    // How ranges were found: by the smallest and the largest component. Nobody asks any more.
    sink.i32(0);
    sink.f32(0.0);
    sink.u64(quantizer.dim());
    sink.u64(quantizer.code_len());
    sink.floats(quantizer.trained());
}

/// Reads the dimension a quantizer has on its own.
pub(super) fn check_dim(dim: usize, source: &mut Source<'_>) -> Result<()> {
    match source.size("dimension of the quantizer")? {
        found if found == dim => Ok(()),
        found => Err(unsound(format!(
            "vectors of dimension {dim} have codes of dimension {found}"
        ))),
    }
}

/// Refuses codes of another length than the quantizer makes.
pub(super) fn check_code_len(found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(unsound(format!("its codes have {found} bytes, expected {expected}")))
}
