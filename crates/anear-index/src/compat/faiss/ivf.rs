//! Inverted files: `IndexIVFFlat` and those over codes.

use std::any::Any;
use std::sync::Arc;

use anear_quant::{Codes, FastScan, Layout, Product, Quantizer, RaBitQ, RaBitQFastScan, Raw, Residual, Scalar};

use super::blocks::{self, Blocks};
use super::header::Header;
use super::sink::Sink;
use super::source::{Source, labels};
use super::{flat, on_disk, quantizers, read_object, unsound, unsupported, write_object};
use crate::{Ivf, List, Result, VectorIndex};

/// What every inverted file begins with.
struct Head {
    header: Header,
    nlist: usize,
    nprobe: usize,
    coarse: Box<dyn VectorIndex>,
}

impl Head {
    fn read(source: &mut Source<'_>) -> Result<Self> {
        let header = Header::read(source)?;
        let (nlist, nprobe) = (source.size("nlist")?, source.size("nprobe")?);
        let coarse = read_object(source)?;
        if (coarse.dim(), coarse.len()) != (header.dim, nlist) {
            return Err(unsound(format!(
                "{nlist} lists of dimension {} have {} centroids of dimension {}",
                header.dim,
                coarse.len(),
                coarse.dim()
            )));
        }
        read_direct_map(source)?;
        Ok(Self {
            header,
            nlist,
            nprobe,
            coarse,
        })
    }

    fn write(index: &Ivf, sink: &mut Sink) -> Result<()> {
        Header::of(index).write(sink);
        sink.u64(index.nlist());
        sink.u64(index.nprobe());
        write_object(index.coarse(), sink)?;
        // No direct map: Faiss makes one when it is asked to.
        sink.u8(0);
        sink.u64(0);
        Ok(())
    }

    /// Reads the lists and puts everything together.
    fn with_lists(self, quantizer: Arc<dyn Quantizer>, by_residual: bool, source: &mut Source<'_>) -> Result<Ivf> {
        let mut index = Ivf::new(self.header.metric, self.coarse, quantizer, by_residual)?;
        index.set_nprobe(self.nprobe.max(1));
        read_lists(&mut index, self.nlist, source)?;
        if index.len() != self.header.len {
            return Err(unsound(format!(
                "its lists hold {} vectors, not {}",
                index.len(),
                self.header.len
            )));
        }
        Ok(index)
    }
}

/// Where Faiss found each id; anear finds out by itself.
fn read_direct_map(source: &mut Source<'_>) -> Result<()> {
    let kind = source.u8("kind of direct map")?;
    source.sizes("direct map")?;
    match kind {
        0 | 1 => Ok(()),
        2 => {
            let entries = source.size("entries of the direct map")?;
            source.items(entries, 2 * size_of::<i64>(), "direct map").map(drop)
        }
        kind => Err(unsound(format!("its direct map is of kind {kind}, expected 0 to 2"))),
    }
}

/// `IwFl`: vectors as they are.
pub(super) fn read_raw(source: &mut Source<'_>) -> Result<Ivf> {
    let head = Head::read(source)?;
    let quantizer = Arc::new(Raw::new(head.header.dim));
    head.with_lists(quantizer, false, source)
}

/// `IwSq` and the older `IwSQ`, which does not say that its codes are of residuals.
pub(super) fn read_scalar(code: [u8; 4], source: &mut Source<'_>) -> Result<Ivf> {
    let head = Head::read(source)?;
    let quantizer = quantizers::read_scalar(head.header.dim, source)?;
    quantizers::check_code_len(source.size("code size")?, quantizer.code_len())?;
    let by_residual = code == *b"IwSQ" || source.bool("by_residual")?;
    head.with_lists(Arc::new(quantizer), by_residual, source)
}

/// `IwPQ`: product quantizer.
pub(super) fn read_product(source: &mut Source<'_>) -> Result<Ivf> {
    let head = Head::read(source)?;
    let by_residual = source.bool("by_residual")?;
    let code_len = source.size("code size")?;
    let quantizer = quantizers::read_product(head.header.dim, source)?;
    quantizers::check_code_len(code_len, quantizer.code_len())?;
    head.with_lists(Arc::new(quantizer), by_residual, source)
}

/// `IwPf`: product quantizer, scanned in blocks.
pub(super) fn read_fast_scan(source: &mut Source<'_>) -> Result<Ivf> {
    let head = Head::read(source)?;
    let by_residual = source.bool("by_residual")?;
    let code_len = source.size("code size")?;
    let block_len = blocks::read_len(source)?;
    source.u64("M2")?;
    source.i32("implementation")?;
    source.u64("queries per block")?;
    let quantizer = quantizers::read_fast_scan(head.header.dim, source)?.with_file_block(block_len)?;
    quantizers::check_code_len(code_len, quantizer.code_len())?;
    head.with_lists(Arc::new(quantizer), by_residual, source)
}

/// `IwRQ`: residual quantizer.
pub(super) fn read_residual(source: &mut Source<'_>) -> Result<Ivf> {
    let head = Head::read(source)?;
    let code_len = source.size("code size")?;
    let quantizer = quantizers::read_residual(head.header.dim, source)?;
    quantizers::check_code_len(code_len, quantizer.code_len())?;
    let by_residual = source.bool("by_residual")?;
    source.i32("use_precomputed_table")?;
    head.with_lists(Arc::new(quantizer), by_residual, source)
}

/// `Iwrq`: RaBitQ of one bit; `Iwrr`: of more. The centre is that of each list.
pub(super) fn read_rabitq(code: [u8; 4], source: &mut Source<'_>) -> Result<Ivf> {
    let head = Head::read(source)?;
    let Header { dim, metric, .. } = head.header;
    let params = quantizers::read_rabitq(dim, metric, code == *b"Iwrr", source)?;
    let code_len = source.size("code size")?;
    let by_residual = source.bool("by_residual")?;
    let quantizer = quantizers::rabitq(params, vec![0.0; dim], source.u8("qb")?)?;
    quantizers::check_code_len(code_len, quantizer.code_len())?;
    head.with_lists(Arc::new(quantizer), by_residual, source)
}

/// `Iwrn`: RaBitQ, scanned in blocks.
pub(super) fn read_rabitq_fast_scan(source: &mut Source<'_>) -> Result<Ivf> {
    let head = Head::read(source)?;
    let Header { dim, metric, .. } = head.header;
    let params = quantizers::read_rabitq(dim, metric, true, source)?;
    let by_residual = source.bool("by_residual")?;
    let code_len = source.size("code size")?;
    let block_len = blocks::read_len(source)?;
    source.u64("queries per block")?;
    source.u64("M2")?;
    source.i32("implementation")?;
    let quantizer = quantizers::rabitq_fast_scan(params, vec![0.0; dim], source.u8("qb")?)?;
    let quantizer = quantizer.with_file_block(block_len)?;
    // How queries would be rounded; codes are the same.
    source.bool("centered")?;
    quantizers::check_code_len(code_len, quantizer.code_len())?;
    head.with_lists(Arc::new(quantizer), by_residual, source)
}

pub(super) fn write(index: &Ivf, sink: &mut Sink) -> Result<()> {
    let quantizer: &dyn Any = &**index.quantizer();
    if index.quantizer().is_exact() && !index.by_residual() {
        sink.put(b"IwFl");
        Head::write(index, sink)?;
    } else if let Some(scalar) = quantizer.downcast_ref::<Scalar>() {
        sink.put(b"IwSq");
        Head::write(index, sink)?;
        quantizers::write_scalar(scalar, sink);
        sink.u64(scalar.code_len());
        sink.bool(index.by_residual());
    } else if let Some(product) = quantizer.downcast_ref::<Product>() {
        sink.put(b"IwPQ");
        Head::write(index, sink)?;
        sink.bool(index.by_residual());
        sink.u64(product.code_len());
        quantizers::write_product(product, sink);
    } else if let Some(fast_scan) = quantizer.downcast_ref::<FastScan>() {
        let product = fast_scan.product();
        sink.put(b"IwPf");
        Head::write(index, sink)?;
        sink.bool(index.by_residual());
        sink.u64(fast_scan.code_len());
        sink.i32(fast_scan.file_block() as i32);
        sink.u64(product.m().next_multiple_of(2));
        sink.i32(0);
        sink.u64(0);
        quantizers::write_product(product, sink);
    } else if let Some(residual) = quantizer.downcast_ref::<Residual>() {
        sink.put(b"IwRQ");
        Head::write(index, sink)?;
        sink.u64(residual.code_len());
        quantizers::write_residual(residual, index.metric(), sink);
        sink.bool(index.by_residual());
        sink.i32(0);
    } else if let Some(rabitq) = quantizer.downcast_ref::<RaBitQ>() {
        check_uncentered(index, rabitq)?;
        sink.put(if rabitq.params().bits > 1 { b"Iwrr" } else { b"Iwrq" });
        Head::write(index, sink)?;
        let metric = Header::of(index).metric_number();
        quantizers::write_rabitq(rabitq, metric, rabitq.params().bits > 1, sink);
        sink.u64(rabitq.code_len());
        sink.bool(index.by_residual());
        sink.u8(rabitq.params().query_bits as u8);
    } else if let Some(fast_scan) = quantizer.downcast_ref::<RaBitQFastScan>() {
        let rabitq = fast_scan.rabitq();
        check_uncentered(index, rabitq)?;
        sink.put(b"Iwrn");
        Head::write(index, sink)?;
        quantizers::write_rabitq(rabitq, Header::of(index).metric_number(), true, sink);
        sink.bool(index.by_residual());
        sink.u64(rabitq.code_len());
        sink.i32(fast_scan.file_block() as i32);
        sink.u64(0);
        sink.u64(flat::rabitq_parts(index.dim()).next_multiple_of(2));
        sink.i32(0);
        sink.u8(quantizers::fast_scan_query_bits(rabitq));
        sink.bool(false);
    } else {
        return Err(unsupported(index));
    }
    write_lists(index, sink);
    Ok(())
}

/// Refuses a centre of the quantizer: in lists, Faiss knows no centre but those of the lists.
fn check_uncentered(index: &Ivf, rabitq: &RaBitQ) -> Result<()> {
    if rabitq.center().iter().all(|x| *x == 0.0) {
        return Ok(());
    }
    Err(unsupported(index))
}

fn read_lists(index: &mut Ivf, nlist: usize, source: &mut Source<'_>) -> Result<()> {
    match &source.code()? {
        b"ilar" => read_array_lists(index, nlist, source),
        b"ilbl" => read_block_lists(index, nlist, source),
        b"il00" => Ok(()),
        b"ilod" => {
            check_shape(source, nlist, index.quantizer().code_len())?;
            on_disk::read(index, source)
        }
        code => Err(unsound(format!(
            "its lists are of kind `{}`; anear reads ilar, ilbl and ilod",
            code.escape_ascii()
        ))),
    }
}

/// `ilar`: of each list all codes, then all ids.
fn read_array_lists(index: &mut Ivf, nlist: usize, source: &mut Source<'_>) -> Result<()> {
    let code_len = index.quantizer().code_len();
    check_shape(source, nlist, code_len)?;
    let mut lists = vec![List::new(index.quantizer().new_codes(), Vec::new()); nlist];
    for (number, size) in list_sizes(source, nlist)? {
        let rows = source.items(size, code_len, "codes of a list")?;
        let ids = labels(source.items(size, size_of::<i64>(), "ids of a list")?)?;
        let mut codes = index.quantizer().new_codes();
        match codes.layout() {
            Layout::Rows => codes = Codes::from_bytes(Layout::Rows, code_len, size, source.own(rows)?)?,
            Layout::Blocks { .. } => codes.extend_from_rows(rows)?,
        }
        lists[number] = List::new(codes, ids);
    }
    index.fill_lists(lists)
}

/// Which lists hold something, and how much; lists that are not mentioned are empty.
fn list_sizes(source: &mut Source<'_>, nlist: usize) -> Result<Vec<(usize, usize)>> {
    let form = source.code()?;
    let numbers = source.sizes("list sizes")?;
    let as_size = |size: u64| usize::try_from(size).map_err(|_| unsound(format!("a list of {size} vectors")));
    match &form {
        b"full" if numbers.len() == nlist => (0..).zip(numbers).map(|(i, size)| Ok((i, as_size(size)?))).collect(),
        b"sprs" => {
            let (pairs, rest) = numbers.as_chunks();
            let pairs = pairs.iter().map(|[list, size]| Ok((as_size(*list)?, as_size(*size)?)));
            let pairs = pairs.collect::<Result<Vec<_>>>()?;
            let ascending = pairs.is_sorted_by(|one, next| one.0 < next.0);
            if rest.is_empty() && ascending && pairs.last().is_none_or(|(list, _)| *list < nlist) {
                Ok(pairs)
            } else {
                Err(unsound("its list sizes are not those of ascending lists"))
            }
        }
        _ => Err(unsound(format!(
            "{} sizes of kind `{}` do not describe {nlist} lists",
            numbers.len(),
            form.escape_ascii()
        ))),
    }
}

/// `ilbl`: of each list all ids, then all blocks of codes.
fn read_block_lists(index: &mut Ivf, nlist: usize, source: &mut Source<'_>) -> Result<()> {
    let blocks = Blocks::of(&**index.quantizer());
    let lists = source.size("nlist")?;
    source.u64("code size")?;
    let (block_len, block_bytes) = (source.size("vectors per block")?, source.size("block size")?);
    let is_in_blocks = index.quantizer().layout() != Layout::Rows;
    if !is_in_blocks || (lists, block_len, block_bytes) != (nlist, blocks.len(), blocks.bytes()) {
        return Err(unsound(format!(
            "{lists} lists in blocks of {block_len} vectors and {block_bytes} bytes do not hold the codes of {nlist} lists"
        )));
    }
    let mut filled = Vec::with_capacity(nlist);
    for _ in 0..nlist {
        let ids = source.ids("ids of a list")?;
        let codes = source.bytes("codes of a list")?;
        let codes = blocks.read(ids.len(), codes, source)?;
        filled.push(List::new(codes, ids));
    }
    index.fill_lists(filled)
}

fn check_shape(source: &mut Source<'_>, nlist: usize, code_len: usize) -> Result<()> {
    let found = (source.size("nlist")?, source.size("code size")?);
    if found == (nlist, code_len) {
        return Ok(());
    }
    Err(unsound(format!(
        "its lists are {} of codes of {} bytes, expected {nlist} of {code_len}",
        found.0, found.1
    )))
}

fn write_lists(index: &Ivf, sink: &mut Sink) {
    let lists = || (0..index.nlist()).map(|number| index.list(number));
    if index.quantizer().layout() != Layout::Rows {
        let blocks = Blocks::of(&**index.quantizer());
        sink.put(b"ilbl");
        sink.u64(index.nlist());
        sink.u64(usize::MAX);
        sink.u64(blocks.len());
        sink.u64(blocks.bytes());
        for list in lists() {
            sink.u64(list.len());
            sink.ids(list.ids());
            sink.bytes(&blocks.written(list.codes()));
        }
        return;
    }
    if let (true, Some(file)) = (sink.leaves_lists(), index.list_file()) {
        on_disk::write(file, index.quantizer().code_len(), sink);
        return;
    }
    sink.put(b"ilar");
    sink.u64(index.nlist());
    sink.u64(index.quantizer().code_len());
    let filled = || (0..).zip(lists()).filter(|(_, list)| !list.is_empty());
    // Faiss's rule: sizes of all lists, unless at most half of them hold something.
    if filled().count() > index.nlist() / 2 {
        sink.put(b"full");
        sink.u64(index.nlist());
        lists().for_each(|list| sink.u64(list.len()));
    } else {
        sink.put(b"sprs");
        sink.u64(2 * filled().count());
        for (number, list) in filled() {
            sink.u64(number);
            sink.u64(list.len());
        }
    }
    for (_, list) in filled() {
        sink.put(list.codes().as_bytes());
        sink.ids(list.ids());
    }
}
