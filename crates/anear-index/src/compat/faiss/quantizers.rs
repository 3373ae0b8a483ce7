//! Quantizers as they stand in the files of the indexes that use them.

use anear_kernels::Metric;
use anear_quant::{
    FastScan, Lsh, NormKind, Product, Quantizer as _, RaBitQ, RaBitQFastScan, RaBitQParams, Residual, ResidualParams,
    Scalar, ScalarKind,
};

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

/// What an index of hashed vectors has besides its codes.
pub(super) fn read_lsh(dim: usize, source: &mut Source<'_>) -> Result<Lsh> {
    let nbits = source.i32("number of bits")?;
    let nbits = usize::try_from(nbits).map_err(|_| unsound(format!("its codes have {nbits} bits")))?;
    let (rotate, has_thresholds) = (source.bool("rotate")?, source.bool("train_thresholds")?);
    let thresholds = source.floats("thresholds")?;
    let code_len = source.i32("code size")?;
    let rotation = read_rotation(source)?;
    let lsh = Lsh::from_parts(
        dim,
        nbits,
        rotate.then_some(rotation),
        has_thresholds.then_some(thresholds),
    )?;
    check_code_len(usize::try_from(code_len).unwrap_or(0), lsh.code_len())?;
    Ok(lsh)
}

pub(super) fn write_lsh(quantizer: &Lsh, sink: &mut Sink) {
    sink.i32(quantizer.nbits() as i32);
    sink.bool(quantizer.rotation().is_some());
    sink.bool(quantizer.thresholds().is_some());
    sink.floats(quantizer.thresholds().unwrap_or_default());
    sink.i32(quantizer.code_len() as i32);
    sink.put(b"rrot");
    sink.bool(false);
    sink.floats(quantizer.rotation().unwrap_or_default());
    sink.floats(&[]);
    sink.i32(quantizer.dim() as i32);
    sink.i32(quantizer.nbits() as i32);
    sink.bool(quantizer.rotation().is_some());
}

/// The rows of a rotation; none where it was never drawn.
fn read_rotation(source: &mut Source<'_>) -> Result<Vec<f32>> {
    let code = source.code()?;
    if code != *b"rrot" {
        return Err(unsound(format!(
            "`{}` stands where a rotation should",
            code.escape_ascii()
        )));
    }
    let has_bias = source.bool("have_bias")?;
    let rows = source.floats("rotation")?;
    let bias = source.floats("bias")?;
    source.items(2, size_of::<i32>(), "dimensions of the rotation")?;
    source.bool("is_trained")?;
    if has_bias || !bias.is_empty() {
        return Err(unsound("its rotation has a bias"));
    }
    Ok(rows)
}

/// A product quantizer for vectors of dimension `dim`.
pub(super) fn read_product(dim: usize, source: &mut Source<'_>) -> Result<Product> {
    check_dim(dim, source)?;
    product(dim, source)
}

/// A product quantizer of any dimension.
pub(super) fn read_lone_product(source: &mut Source<'_>) -> Result<Product> {
    let dim = source.size("dimension of the quantizer")?;
    product(dim, source)
}

fn product(dim: usize, source: &mut Source<'_>) -> Result<Product> {
    let (m, nbits) = (source.size("M")?, source.size("nbits")?);
    let nbits = u32::try_from(nbits).map_err(|_| unsound(format!("its codes have {nbits} bits per part")))?;
    Ok(Product::from_parts(dim, m, nbits, source.floats("centroids")?)?)
}

pub(super) fn write_product(quantizer: &Product, sink: &mut Sink) {
    sink.u64(quantizer.dim());
    sink.u64(quantizer.m());
    sink.u64(quantizer.nbits() as usize);
    sink.floats(quantizer.centroids());
}

/// A product quantizer whose codes are scanned in blocks.
pub(super) fn read_fast_scan(dim: usize, source: &mut Source<'_>) -> Result<FastScan> {
    let product = read_product(dim, source)?;
    if product.nbits() != 4 {
        return Err(unsound(format!(
            "its codes for fast scans have {} bits per part, expected 4",
            product.nbits()
        )));
    }
    Ok(FastScan::from_parts(dim, product.m(), product.centroids().to_vec())?)
}

/// A RaBitQ quantizer, without its centre. `with_bits` says whether the file tells how many bits there are.
pub(super) fn read_rabitq(
    dim: usize,
    metric: Metric,
    with_bits: bool,
    source: &mut Source<'_>,
) -> Result<RaBitQParams> {
    check_dim(dim, source)?;
    source.size("code size")?;
    source.i32("metric of the quantizer")?;
    let bits = if with_bits { source.size("nb_bits")? } else { 1 };
    Ok(RaBitQParams {
        bits: u32::try_from(bits).unwrap_or(u32::MAX),
        metric,
        query_bits: 0,
    })
}

/// The quantizer of these parameters around a centre, for queries of `query_bits`.
pub(super) fn rabitq(params: RaBitQParams, center: Vec<f32>, query_bits: u8) -> Result<RaBitQ> {
    let params = RaBitQParams {
        query_bits: query_bits.into(),
        ..params
    };
    Ok(RaBitQ::new(params, center)?)
}

/// `with_bits` says whether the file tells how many bits there are.
pub(super) fn write_rabitq(quantizer: &RaBitQ, metric: i32, with_bits: bool, sink: &mut Sink) {
    sink.u64(quantizer.dim());
    sink.u64(quantizer.code_len());
    sink.i32(metric);
    if with_bits {
        sink.u64(quantizer.params().bits as usize);
    }
}

/// Bits to which Faiss rounds queries of a fast scan. It always does; 8 stand for the queries as they are.
const UNROUNDED: u8 = 8;

/// As [`rabitq`], of a fast scan.
pub(super) fn rabitq_fast_scan(params: RaBitQParams, center: Vec<f32>, query_bits: u8) -> Result<RaBitQFastScan> {
    let query_bits = if query_bits == UNROUNDED { 0 } else { query_bits };
    Ok(RaBitQFastScan::new(rabitq(params, center, query_bits)?))
}

pub(super) fn fast_scan_query_bits(quantizer: &RaBitQ) -> u8 {
    match quantizer.params().query_bits {
        0 => UNROUNDED,
        bits => bits as u8,
    }
}

/// What each kind of norm is called in files.
const NORMS: [(i32, NormKind); 6] = [
    (0, NormKind::None),
    (3, NormKind::Float),
    (4, NormKind::Qint8),
    (5, NormKind::Qint4),
    (6, NormKind::Cqint8),
    (7, NormKind::Cqint4),
];

/// Without norms, where codes are not to be decoded: what Faiss does by inner product.
const LOOKED_UP: i32 = 1;

/// How Faiss trains by default; nobody asks any more.
const TRAIN_TYPE: i32 = 1;

/// A residual quantizer.
pub(super) fn read_residual(dim: usize, source: &mut Source<'_>) -> Result<Residual> {
    check_dim(dim, source)?;
    let count = source.size("M")?;
    let nbits = source.sizes("nbits")?;
    if nbits.len() != count {
        return Err(unsound(format!("{count} codebooks have {} widths", nbits.len())));
    }
    let nbits: Vec<u32> = nbits
        .iter()
        .map(|bits| u32::try_from(*bits).unwrap_or(u32::MAX))
        .collect();
    source.bool("is_trained")?;
    let codebooks = source.floats("codebooks")?;
    let search_type = source.i32("search type")?;
    let known = NORMS.iter().find(|(number, _)| *number == search_type);
    let norm = match known {
        Some((_, norm)) => *norm,
        None if search_type == LOOKED_UP => NormKind::None,
        None => {
            return Err(unsound(format!(
                "the norms of its codes are of kind {search_type}, which anear does not read"
            )));
        }
    };
    let range = vec![source.f32("norm_min")?, source.f32("norm_max")?];
    let levels = match norm {
        NormKind::None | NormKind::Float => Vec::new(),
        NormKind::Qint8 | NormKind::Qint4 => range,
        NormKind::Cqint8 | NormKind::Cqint4 => source.floats("norms")?,
    };
    source.i32("train type")?;
    let beam = source.i32("max_beam_size")?;
    let params = ResidualParams {
        norm,
        beam: usize::try_from(beam).unwrap_or(0),
        ..ResidualParams::new(nbits)
    };
    Ok(Residual::from_parts(dim, params, codebooks, levels)?)
}

pub(super) fn write_residual(quantizer: &Residual, metric: Metric, sink: &mut Sink) {
    let params = quantizer.params();
    let (norm, levels) = (params.norm, quantizer.norm_levels());
    let number = NORMS
        .iter()
        .find(|(_, known)| *known == norm)
        .map_or(0, |(number, _)| *number);
    sink.u64(quantizer.dim());
    sink.u64(params.nbits.len());
    sink.u64(params.nbits.len());
    params.nbits.iter().for_each(|bits| sink.u64(*bits as usize));
    sink.bool(true);
    sink.floats(quantizer.entries().as_slice());
    sink.i32(match norm {
        NormKind::None if metric == Metric::InnerProduct => LOOKED_UP,
        _ => number,
    });
    sink.f32(levels.first().copied().unwrap_or_default());
    sink.f32(levels.last().copied().unwrap_or_default());
    if matches!(norm, NormKind::Cqint8 | NormKind::Cqint4) {
        sink.floats(levels);
    }
    sink.i32(TRAIN_TYPE);
    sink.i32(params.beam as i32);
}
