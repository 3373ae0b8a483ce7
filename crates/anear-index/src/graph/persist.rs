//! A graph in anear's container: its links, its slots, its codes.

use anear_bytes::{Container, ContainerWriter, Cursor};
use anear_kernels::Metric;
use anear_quant::{Codes, QuantizerSpec};

use super::Linked;
use super::links::{Graph, GraphParts, NO_LINK};
use super::slots::Slots;
use crate::{Error, Result, persist};

/// The section that holds levels and links.
pub(crate) const LINKS: [u8; 4] = *b"link";

/// The section that says which slots are in use, and their ids.
pub(crate) const SLOTS: [u8; 4] = *b"slot";

/// The section that holds the codes.
pub(crate) const CODES: [u8; 4] = *b"code";

/// Writes an index and the numbers that are its own.
pub(crate) fn save<'a>(index: &'a Linked, own: &[u64], out: ContainerWriter<'a>) -> ContainerWriter<'a> {
    let parts = index.graph.parts();
    let mut links: Vec<u8> = own.iter().flat_map(|number| number.to_le_bytes()).collect();
    links.extend((index.graph.len() as u64).to_le_bytes());
    links.extend(index.graph.entry_point().unwrap_or(NO_LINK).to_le_bytes());
    links.extend((parts.cum_nneighbor_per_level.len() as u32).to_le_bytes());
    for numbers in [&parts.cum_nneighbor_per_level, &parts.levels, &parts.neighbors] {
        links.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }
    persist::save_quantizer(&*index.quantizer, out)
        .section(LINKS, links)
        .section(SLOTS, index.slots.save())
        .section(CODES, index.codes.as_bytes())
}

/// What [`save`] wrote, `N` numbers of the index's own among it.
pub(crate) fn load<const N: usize>(
    codes: &QuantizerSpec,
    dim: usize,
    metric: Metric,
    from: &Container<'_>,
) -> Result<(Linked, [u64; N])> {
    let mut links = Cursor::new(from.section(LINKS)?);
    let mut own = [0; N];
    for number in &mut own {
        *number = links.u64("setting")?;
    }
    let graph = load_graph(links)?;
    let quantizer = persist::load_quantizer(codes, dim, from)?;
    let codes = from.own(from.section(CODES)?)?;
    let codes = Codes::from_bytes(quantizer.layout(), quantizer.code_len(), graph.len(), codes)?;
    let slots = Slots::load(graph.len(), from.section(SLOTS)?)?;
    if graph.entry_point().is_some_and(|entry| !slots.is_living(entry)) {
        return Err(Error::Damaged("searches begin at a vector that was removed".into()));
    }
    let linked = Linked {
        slots,
        ..Linked::from_parts(quantizer, metric, codes, graph)?
    };
    Ok((linked, own))
}

fn load_graph(mut links: Cursor<'_>) -> Result<Graph> {
    let nodes = links.u64("number of nodes")?;
    let entry = links.u32("entry point")?;
    let levels = u64::from(links.u32("number of levels")?);
    let places = numbers(links.items(levels, size_of::<u32>(), "places per level")?);
    let levels = numbers(links.items(nodes, size_of::<u32>(), "levels")?);
    let left = links.bytes_left() as u64 / size_of::<u32>() as u64;
    let neighbors = numbers(links.items(left, size_of::<u32>(), "links")?);
    links.finish()?;
    // Levels that do not exist end nowhere, which is found out with everything else.
    let places_of = |levels: &u32| places.get(*levels as usize).map_or(0, |places| u64::from(*places));
    let ends = levels.iter().scan(0, |end, levels| {
        *end += places_of(levels);
        Some(*end)
    });
    Graph::from_parts(GraphParts {
        offsets: std::iter::once(0).chain(ends).collect(),
        levels,
        neighbors,
        cum_nneighbor_per_level: places,
        entry_point: Some(entry).filter(|entry| *entry != NO_LINK),
    })
}

fn numbers(bytes: &[u8]) -> Vec<u32> {
    let (numbers, _) = bytes.as_chunks();
    numbers.iter().map(|number| u32::from_le_bytes(*number)).collect()
}
