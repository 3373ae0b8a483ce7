//! A graph in anear's container: its links, its slots, its codes.

use anear_bytes::{Container, ContainerWriter, Cursor};
use anear_kernels::Metric;
use anear_quant::Codes;

use super::Hnsw;
use super::graph::{Graph, GraphParts, NO_LINK};
use super::slots::Slots;
use crate::{Error, HnswSpec, Result, persist};

/// The section that holds levels and links.
pub(crate) const LINKS: [u8; 4] = *b"link";

/// The section that says which slots are in use, and their ids.
pub(crate) const SLOTS: [u8; 4] = *b"slot";

/// The section that holds the codes.
pub(crate) const CODES: [u8; 4] = *b"code";

pub(super) fn save<'a>(index: &'a Hnsw, out: ContainerWriter<'a>) -> ContainerWriter<'a> {
    let parts = index.graph.parts();
    let mut links = index.seed.to_le_bytes().to_vec();
    for count in [index.ef_search, index.ef_construction, index.graph.len()] {
        links.extend((count as u64).to_le_bytes());
    }
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

impl Hnsw {
    /// What [`save`] wrote.
    pub(crate) fn load(spec: &HnswSpec, dim: usize, metric: Metric, from: &Container<'_>) -> Result<Self> {
        let mut links = Cursor::new(from.section(LINKS)?);
        let seed = links.u64("seed")?;
        let [ef_search, ef_construction] = [links.u64("ef_search")?, links.u64("ef_construction")?]
            .map(|count| usize::try_from(count).unwrap_or(usize::MAX).max(1));
        let graph = load_graph(links)?;
        let quantizer = persist::load_quantizer(&spec.codes, dim, from)?;
        let codes = from.section(CODES)?;
        let codes = Codes::from_bytes(quantizer.layout(), quantizer.code_len(), graph.len(), codes)?;
        let slots = Slots::load(graph.len(), from.section(SLOTS)?)?;
        if graph.entry_point().is_some_and(|entry| !slots.is_living(entry)) {
            return Err(Error::Damaged("searches begin at a vector that was removed".into()));
        }
        Ok(Self {
            seed,
            ef_search,
            ef_construction,
            slots,
            ..Self::from_parts(quantizer, metric, codes, graph)?
        })
    }
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
