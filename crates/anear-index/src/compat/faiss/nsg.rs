//! Graphs on one level: `IndexNSGFlat` and those over codes.

use super::header::Header;
use super::sink::Sink;
use super::source::Source;
use super::{flat, gaps, unsound, unsupported};
use crate::graph::{Graph, GraphParts, NO_LINK};
use crate::{Nsg, NsgSpec, Result, VectorIndex};

/// What Faiss builds a graph from by default, `GK` and the parameters of its NN-descent: nobody asks any more.
const BUILT_FROM: [i32; 4] = [10, 100, 114, 10];
const NEAREST: i32 = 64;

/// A file keeps links, but memory has places for as many as a node may have: so many for each link, or in a small graph,
/// are still believed.
const PLACES_PER_LINK: usize = 32;
const PLACES_MIN: usize = 1 << 16;

/// `INSf`, `INSp`, `INSs`: the graph, and an index with the vectors of its nodes.
pub(super) fn read(source: &mut Source<'_>) -> Result<Nsg> {
    let header = Header::read(source)?;
    source.i32("GK")?;
    source.u8("build type")?;
    source.items(BUILT_FROM.len(), size_of::<i32>(), "parameters of NN-descent")?;
    let (graph, search_l) = read_graph(source, header.len)?;
    let (quantizer, codes) = flat::read_linked(header, source)?;
    let mut index = Nsg::from_parts(quantizer, header.metric, codes, graph)?;
    index.set_knob("search_l", search_l.into())?;
    Ok(index)
}

/// The graph, and what it says of `search_L`.
fn read_graph(source: &mut Source<'_>, len: usize) -> Result<(Graph, i32)> {
    let nodes = source.i32("number of nodes")?;
    let r = source.i32("R")?;
    source.i32("L")?;
    source.i32("C")?;
    let search_l = source.i32("search_L")?;
    let entry = source.i32("entry point")?;
    let is_built = source.bool("is_built")?;
    if (usize::try_from(nodes), is_built) != (Ok(len), len > 0) {
        return Err(unsound(format!("{len} vectors are in a graph of {nodes} nodes")));
    }
    let r = usize::try_from(r).ok().filter(|r| (2..=NsgSpec::R_MAX).contains(r));
    let r = r.ok_or_else(|| unsound(format!("its nodes do not have 2 to {} links", NsgSpec::R_MAX)))?;
    // First: that there are so many nodes is believed where there are their links.
    let neighbors = read_places(source, len, r)?;
    let graph = Graph::from_parts(GraphParts {
        levels: vec![1; len],
        offsets: (0..=len as u64).map(|node| node * r as u64).collect(),
        neighbors,
        cum_nneighbor_per_level: vec![0, r as u32],
        entry_point: u32::try_from(entry).ok().filter(|_| len > 0),
    })?;
    Ok((graph, search_l))
}

/// The links of all nodes, in `r` places for each.
fn read_places(source: &mut Source<'_>, len: usize, r: usize) -> Result<Vec<u32>> {
    let (mut links, mut ends) = (Vec::new(), Vec::new());
    for _ in 0..len {
        read_links(source, r, &mut links)?;
        ends.push(links.len());
    }
    if !are_borne_out(len, r, links.len()) {
        let links = links.len();
        return Err(unsound(format!(
            "{len} nodes with places for {r} links have no more than {links}"
        )));
    }
    let mut neighbors = Vec::with_capacity(len * r);
    let mut start = 0;
    for (node, end) in ends.into_iter().enumerate() {
        neighbors.extend_from_slice(&links[start..end]);
        neighbors.resize((node + 1) * r, NO_LINK);
        start = end;
    }
    Ok(neighbors)
}

/// Whether so many links in a file justify `r` places for each of `len` nodes in memory.
fn are_borne_out(len: usize, r: usize, links: usize) -> bool {
    len.saturating_mul(r) <= PLACES_MIN.max(PLACES_PER_LINK * (links + len))
}

/// The links of a node, `r` at most, which end with -1.
fn read_links(source: &mut Source<'_>, r: usize, links: &mut Vec<u32>) -> Result<()> {
    let end = links.len() + r;
    loop {
        match source.i32("link")? {
            -1 => return Ok(()),
            link if links.len() < end => links.push(link as u32),
            _ => return Err(unsound(format!("a node has more than {r} links"))),
        }
    }
}

pub(super) fn write(index: &Nsg, sink: &mut Sink) -> Result<()> {
    // Removed vectors have no place in Faiss's graph, nor does one that would not be read again.
    let links = (0..index.graph().len() as u32).map(|node| index.graph().links(node, 0).len());
    if !index.is_gapless() {
        return Err(gaps(index));
    }
    if !are_borne_out(index.len(), index.r(), links.sum()) {
        return Err(unsupported(index));
    }
    let code = flat::linked_code(&**index.quantizer(), [b"INSf", b"INSs", b"INSp"]);
    sink.put(code.ok_or_else(|| unsupported(index))?);
    Header::of(index).write(sink);
    sink.i32(NEAREST);
    sink.u8(0);
    BUILT_FROM.iter().for_each(|number| sink.i32(*number));
    write_graph(index, sink);
    flat::write_codes(index, index.quantizer(), index.codes(), sink)
}

fn write_graph(index: &Nsg, sink: &mut Sink) {
    let (graph, r) = (index.graph(), index.r() as i32);
    for number in [index.len() as i32, r, r + 32, r + 100] {
        sink.i32(number);
    }
    sink.i32(index.search_l().try_into().unwrap_or(i32::MAX));
    sink.i32(graph.entry_point().map_or(-1, |entry| entry as i32));
    sink.bool(!index.is_empty());
    for node in 0..graph.len() as u32 {
        graph.links(node, 0).iter().for_each(|link| sink.i32(*link as i32));
        sink.i32(-1);
    }
}
