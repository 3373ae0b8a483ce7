//! Indexes that compare every code: `IndexFlat` and the indexes of codes.

use std::any::Any;
use std::sync::Arc;

use anear_bytes::AlignedBytes;
use anear_kernels::Metric;
use anear_quant::{Codes, FastScan, Product, Quantizer, RaBitQ, RaBitQFastScan, Raw, Residual, Scalar};

use super::blocks::{self, Blocks};
use super::header::Header;
use super::sink::Sink;
use super::source::Source;
use super::{quantizers, read_object, unsound, unsupported};
use crate::{Flat, Result, VectorIndex};

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
    let vectors = source.words("vectors")?;
    let codes = source.own(vectors)?;
    filled(Arc::new(Raw::new(header.dim)), header, codes)
}

/// The vectors that a graph links, which lie in an index of their own.
pub(super) fn read_linked(header: Header, source: &mut Source<'_>) -> Result<(Arc<dyn Quantizer>, Codes)> {
    let storage: Box<dyn Any> = read_object(source)?;
    let storage = storage
        .downcast::<Flat>()
        .map_err(|_| unsound("the vectors of its graph are in an index that compares more than codes"))?;
    header.check_within(&*storage)?;
    Ok(storage.into_parts())
}

/// Which code a graph over these codes begins with: of vectors as they are, of scalar or of product codes.
pub(super) fn linked_code(
    quantizer: &dyn Quantizer,
    [raw, scalar, product]: [&'static [u8; 4]; 3],
) -> Option<&'static [u8; 4]> {
    let quantizer: &dyn Any = quantizer;
    if quantizer.is::<Raw>() {
        Some(raw)
    } else if quantizer.is::<Scalar>() {
        Some(scalar)
    } else {
        quantizer.is::<Product>().then_some(product)
    }
}

/// `IxSQ`: scalar quantizer.
pub(super) fn read_scalar(source: &mut Source<'_>) -> Result<Flat> {
    let header = Header::read(source)?;
    let quantizer = quantizers::read_scalar(header.dim, source)?;
    filled(Arc::new(quantizer), header, source.codes()?)
}

/// `IxHe`: hashed to bits.
pub(super) fn read_lsh(source: &mut Source<'_>) -> Result<Flat> {
    let header = Header::read(source)?;
    let quantizer = quantizers::read_lsh(header.dim, source)?;
    filled(Arc::new(quantizer), header, source.codes()?)
}

/// `IxPq`: product quantizer.
pub(super) fn read_product(source: &mut Source<'_>) -> Result<Flat> {
    let header = Header::read(source)?;
    let quantizer = quantizers::read_product(header.dim, source)?;
    let codes = source.codes()?;
    // How Faiss would search it; what its polysemous codes are for, anear does without.
    source.i32("search type")?;
    source.bool("encode_signs")?;
    source.i32("polysemous_ht")?;
    filled(Arc::new(quantizer), header, codes)
}

/// `IPfs`: product quantizer, scanned in blocks.
pub(super) fn read_fast_scan(source: &mut Source<'_>) -> Result<Flat> {
    let header = Header::read(source)?;
    let quantizer = quantizers::read_fast_scan(header.dim, source)?;
    source.i32("implementation")?;
    let quantizer = quantizer.with_file_block(blocks::read_len(source)?)?;
    source.i32("queries per block")?;
    check_blocks(header, quantizer.file_block(), quantizer.product().m(), source)?;
    filled_in_blocks(Arc::new(quantizer), header, source)
}

/// `IxRq`: residual quantizer.
pub(super) fn read_residual(source: &mut Source<'_>) -> Result<Flat> {
    let header = Header::read(source)?;
    let quantizer = quantizers::read_residual(header.dim, source)?;
    quantizers::check_code_len(source.size("code size")?, quantizer.code_len())?;
    filled(Arc::new(quantizer), header, source.codes()?)
}

/// `Ixrq`: RaBitQ of one bit; `Ixrr`: of more.
pub(super) fn read_rabitq(code: [u8; 4], source: &mut Source<'_>) -> Result<Flat> {
    let header = Header::read(source)?;
    let params = quantizers::read_rabitq(header.dim, header.metric, code == *b"Ixrr", source)?;
    let codes = source.codes()?;
    let center = read_center(header.dim, source)?;
    let quantizer = quantizers::rabitq(params, center, source.u8("qb")?)?;
    filled(Arc::new(quantizer), header, codes)
}

/// `Irfn`: RaBitQ, scanned in blocks.
pub(super) fn read_rabitq_fast_scan(source: &mut Source<'_>) -> Result<Flat> {
    let header = Header::read(source)?;
    let params = quantizers::read_rabitq(header.dim, header.metric, true, source)?;
    let center = read_center(header.dim, source)?;
    let quantizer = quantizers::rabitq_fast_scan(params, center, source.u8("qb")?)?;
    let quantizer = quantizer.with_file_block(blocks::read_len(source)?)?;
    check_blocks(header, quantizer.file_block(), rabitq_parts(header.dim), source)?;
    quantizers::check_code_len(source.size("code size")?, quantizer.code_len())?;
    filled_in_blocks(Arc::new(quantizer), header, source)
}

fn read_center(dim: usize, source: &mut Source<'_>) -> Result<Vec<f32>> {
    let center = source.floats("center")?;
    if center.len() != dim {
        return Err(unsound(format!(
            "its center has {} components, expected {dim}",
            center.len()
        )));
    }
    Ok(center)
}

/// How many parts of four bits the signs of a code are.
pub(super) fn rabitq_parts(dim: usize) -> usize {
    dim.div_ceil(4)
}

/// Reads what fast scans keep of the shape of their blocks and refuses another than of `parts`.
fn check_blocks(header: Header, block_len: usize, parts: usize, source: &mut Source<'_>) -> Result<()> {
    let padded = (source.size("number of vectors in blocks")?, source.size("M2")?);
    let expected = (header.len.next_multiple_of(block_len), parts.next_multiple_of(2));
    if padded != expected {
        return Err(unsound(format!(
            "its blocks of {block_len} vectors hold {padded:?}, expected {expected:?}"
        )));
    }
    Ok(())
}

pub(super) fn write(index: &Flat, sink: &mut Sink) -> Result<()> {
    write_codes(index, index.quantizer(), index.codes(), sink)
}

/// The codes of an index, as the index that compares all of them.
pub(super) fn write_codes(
    index: &dyn VectorIndex,
    quantizer: &Arc<dyn Quantizer>,
    codes: &Codes,
    sink: &mut Sink,
) -> Result<()> {
    let header = Header::of(index);
    let any: &dyn Any = &**quantizer;
    let blocks = Blocks::of(&**quantizer);
    let in_blocks = blocks.written(codes);
    let codes = codes.as_bytes();
    if any.is::<Raw>() {
        sink.put(raw_code(header.metric));
        header.write(sink);
        sink.u64(codes.len() / size_of::<f32>());
        sink.put(codes);
    } else if let Some(scalar) = any.downcast_ref() {
        sink.put(b"IxSQ");
        header.write(sink);
        quantizers::write_scalar(scalar, sink);
        sink.bytes(codes);
    } else if let Some(lsh) = any.downcast_ref() {
        sink.put(b"IxHe");
        header.write(sink);
        quantizers::write_lsh(lsh, sink);
        sink.bytes(codes);
    } else if let Some(product) = any.downcast_ref() {
        sink.put(b"IxPq");
        header.write(sink);
        quantizers::write_product(product, sink);
        sink.bytes(codes);
        sink.i32(0);
        sink.bool(false);
        sink.i32(0);
    } else if let Some(fast_scan) = any.downcast_ref::<FastScan>() {
        let product = fast_scan.product();
        sink.put(b"IPfs");
        header.write(sink);
        quantizers::write_product(product, sink);
        sink.i32(0);
        sink.i32(blocks.len() as i32);
        sink.i32(0);
        sink.u64(header.len.next_multiple_of(blocks.len()));
        sink.u64(product.m().next_multiple_of(2));
        sink.bytes(&in_blocks);
    } else if let Some(residual) = any.downcast_ref::<Residual>() {
        sink.put(b"IxRq");
        header.write(sink);
        quantizers::write_residual(residual, header.metric, sink);
        sink.u64(residual.code_len());
        sink.bytes(codes);
    } else if let Some(rabitq) = any.downcast_ref::<RaBitQ>() {
        sink.put(if rabitq.params().bits > 1 { b"Ixrr" } else { b"Ixrq" });
        header.write(sink);
        quantizers::write_rabitq(rabitq, header.metric_number(), rabitq.params().bits > 1, sink);
        sink.bytes(codes);
        sink.floats(rabitq.center());
        sink.u8(rabitq.params().query_bits as u8);
    } else if let Some(fast_scan) = any.downcast_ref::<RaBitQFastScan>() {
        let rabitq = fast_scan.rabitq();
        sink.put(b"Irfn");
        header.write(sink);
        quantizers::write_rabitq(rabitq, header.metric_number(), true, sink);
        sink.floats(rabitq.center());
        sink.u8(quantizers::fast_scan_query_bits(rabitq));
        sink.i32(blocks.len() as i32);
        sink.u64(header.len.next_multiple_of(blocks.len()));
        sink.u64(rabitq_parts(header.dim).next_multiple_of(2));
        sink.u64(rabitq.code_len());
        sink.bytes(&in_blocks);
    } else {
        return Err(unsupported(index));
    }
    Ok(())
}

/// The index of these codes, if they are as many as the header says.
fn filled(quantizer: Arc<dyn Quantizer>, header: Header, codes: AlignedBytes) -> Result<Flat> {
    let (layout, code_len) = (quantizer.layout(), quantizer.code_len());
    let codes = Codes::from_bytes(layout, code_len, header.len, codes)?;
    Flat::with_codes(quantizer, header.metric, codes)
}

/// As [`filled`], of codes that come in blocks.
fn filled_in_blocks(quantizer: Arc<dyn Quantizer>, header: Header, source: &mut Source<'_>) -> Result<Flat> {
    let bytes = source.bytes("codes")?;
    let codes = Blocks::of(&*quantizer).read(header.len, bytes, source)?;
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
