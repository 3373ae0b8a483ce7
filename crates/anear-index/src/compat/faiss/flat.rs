//! Indexes that compare every code: `IndexFlat` and the indexes of codes.

use std::any::Any;
use std::sync::Arc;

use anear_kernels::Metric;
use anear_quant::{Codes, Quantizer, Raw};

use super::header::Header;
use super::sink::Sink;
use super::source::Source;
use super::{quantizers, unsound, unsupported};
use crate::{Flat, Result};

const FLAT_L2: [u8; 4] = *b"IxF2";
const FLAT_IP: [u8; 4] = *b"IxFI";
const FLAT: [u8; 4] = *b"IxFl";

/// `IxF2`, `IxFI`, `IxFl`: vectors as they are.
pub(super) fn read_raw(code: [u8; 4], source: &mut Source<'_>) -> Result<Flat> {
    let header = Header::read(source)?;
    if code != FLAT && code != raw_code(header.metric) {
        let code = code.escape_ascii();
        return Err(unsound(format!("`{code}` contradicts its metric, {}", header.metric)));
    }
    let codes = source.words("vectors")?;
    filled(Arc::new(Raw::new(header.dim)), header, codes)
}

/// `IxSQ`: scalar quantizer.
pub(super) fn read_scalar(source: &mut Source<'_>) -> Result<Flat> {
    let header = Header::read(source)?;
    let quantizer = quantizers::read_scalar(header.dim, source)?;
    filled(Arc::new(quantizer), header, source.bytes("codes")?)
}

pub(super) fn write(index: &Flat, sink: &mut Sink) -> Result<()> {
    let quantizer: &dyn Any = &**index.quantizer();
    if let Some(rows) = index.rows() {
        sink.put(raw_code(Header::of(index).metric));
        Header::write(index, sink)?;
        sink.floats(rows.as_slice());
    } else if let Some(scalar) = quantizer.downcast_ref() {
        sink.put(b"IxSQ");
        Header::write(index, sink)?;
        quantizers::write_scalar(scalar, sink);
        sink.bytes(index.codes().as_bytes());
    } else {
        return Err(unsupported(index));
    }
    Ok(())
}

/// The index of these codes, if they are as many as the header says.
fn filled(quantizer: Arc<dyn Quantizer>, header: Header, codes: &[u8]) -> Result<Flat> {
    let (layout, code_len) = (quantizer.layout(), quantizer.code_len());
    let codes = Codes::from_bytes(layout, code_len, header.len, codes)?;
    Flat::with_codes(quantizer, header.metric, codes)
}

/// The code of raw vectors by this metric.
fn raw_code(metric: Metric) -> [u8; 4] {
    match metric {
        Metric::L2 => FLAT_L2,
        Metric::InnerProduct => FLAT_IP,
        _ => FLAT,
    }
}
