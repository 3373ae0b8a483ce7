//! An inverted file in anear's container: the coarse index, then all ids and all codes, list by list.

use anear_bytes::{Container, ContainerWriter, Cursor};
use anear_kernels::Metric;
use anear_quant::Codes;

use super::{Ivf, List};
use crate::{Error, IvfSpec, Result, persist};

/// The section that holds the coarse index.
pub(crate) const COARSE: [u8; 4] = *b"cors";

/// The section that says how long each list is, and its ids.
pub(crate) const ENTRIES: [u8; 4] = *b"entr";

/// The section that holds the codes.
pub(crate) const LISTS: [u8; 4] = *b"list";

pub(super) fn save<'a>(index: &'a Ivf, out: ContainerWriter<'a>) -> ContainerWriter<'a> {
    let lists = || (0..index.nlist()).map(|number| index.list(number));
    let mut entries = (index.nprobe as u64).to_le_bytes().to_vec();
    entries.extend(index.lists.next_id().to_le_bytes());
    entries.extend(lists().flat_map(|list| (list.len() as u64).to_le_bytes()));
    entries.extend(lists().flat_map(List::ids).flat_map(|id| id.to_le_bytes()));
    let codes: Vec<u8> = lists().flat_map(|list| list.codes().as_bytes()).copied().collect();
    persist::save_quantizer(&*index.quantizer, out)
        .section(COARSE, persist::to_bytes(index.coarse()))
        .section(ENTRIES, entries)
        .section(LISTS, codes)
}

impl Ivf {
    /// What [`save`] wrote.
    pub(crate) fn load(spec: &IvfSpec, dim: usize, metric: Metric, from: &Container<'_>) -> Result<Self> {
        let coarse = persist::from_section(from, COARSE)?;
        let quantizer = persist::load_quantizer(&spec.codes, dim, from)?;
        let mut index = Self::new(metric, coarse, quantizer, spec.by_residual)?;
        let mut entries = Cursor::new(from.section(ENTRIES)?);
        let mut codes = Cursor::new(from.section(LISTS)?);
        index.nprobe = usize::try_from(entries.u64("nprobe")?).unwrap_or(usize::MAX).max(1);
        let next_id = entries.u64("next id")?;
        let sizes = numbers(entries.items(index.nlist() as u64, size_of::<u64>(), "list sizes")?);
        let mut lists = Vec::with_capacity(index.nlist());
        for size in sizes {
            let ids = numbers(entries.items(size, size_of::<u64>(), "ids of a list")?).collect::<Vec<_>>();
            let (layout, code_len) = (index.quantizer.layout(), index.quantizer.code_len());
            let bytes = codes.take(layout.bytes_for(ids.len(), code_len), "codes of a list")?;
            let codes = Codes::from_bytes(layout, code_len, ids.len(), from.own(bytes)?)?;
            lists.push(List::new(codes, ids));
        }
        index.fill_lists(lists)?;
        entries.finish()?;
        codes.finish()?;
        if index.lists.next_id() > next_id {
            return Err(Error::Damaged("an id is larger than the largest there has been".into()));
        }
        index.lists.count_on_from(next_id);
        Ok(index)
    }
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let (numbers, _) = bytes.as_chunks();
    numbers.iter().map(|number| u64::from_le_bytes(*number))
}
