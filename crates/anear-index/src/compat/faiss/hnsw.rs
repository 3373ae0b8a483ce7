//! Graphs of near neighbors: `IndexHNSWFlat` and those over codes.

use super::header::Header;
use super::sink::Sink;
use super::source::Source;
use super::{flat, gaps, unsound, unsupported};
use crate::graph::{Graph, GraphParts};
use crate::{Hnsw, Result, VectorIndex};

/// `IHNf`, `IHNs`, `IHNp`, `IH00`: the graph, and an index with the vectors of its nodes.
pub(super) fn read(source: &mut Source<'_>) -> Result<Hnsw> {
    let header = Header::read(source)?;
    let (graph, efs) = read_graph(source)?;
    let (quantizer, codes) = flat::read_linked(header, source)?;
    let mut index = Hnsw::from_parts(quantizer, header.metric, codes, graph)?;
    for (name, value) in ["ef_construction", "ef_search"].into_iter().zip(efs) {
        index.set_knob(name, value.into())?;
    }
    Ok(index)
}

/// The graph, and what it says of `ef_construction` and `ef_search`.
fn read_graph(source: &mut Source<'_>) -> Result<(Graph, [i32; 2])> {
    source.items_of_count(size_of::<f64>(), "level probabilities")?;
    let cum_nneighbor_per_level = source.u32s("places per level")?;
    let levels = source.u32s("levels")?;
    let offsets = source.sizes("offsets")?;
    let neighbors = source.u32s("links")?;
    let entry_point = source.i32("entry point")?;
    let max_level = source.i32("highest level")?;
    let efs = [source.i32("efConstruction")?, source.i32("efSearch")?];
    source.i32("unused field of the graph")?;
    let graph = Graph::from_parts(GraphParts {
        levels,
        offsets,
        neighbors,
        cum_nneighbor_per_level,
        entry_point: u32::try_from(entry_point).ok(),
    })?;
    let top = graph.entry_point().map_or(-1, |entry| graph.top_level(entry) as i32);
    if max_level != top {
        return Err(unsound(format!(
            "its highest level is {max_level}, that of its entry point {top}"
        )));
    }
    Ok((graph, efs))
}

pub(super) fn write(index: &Hnsw, sink: &mut Sink) -> Result<()> {
    // Removed vectors have no place in Faiss's graph.
    if !index.is_gapless() {
        return Err(gaps(index));
    }
    let code = flat::linked_code(&**index.quantizer(), [b"IHNf", b"IHNs", b"IHNp"]);
    sink.put(code.ok_or_else(|| unsupported(index))?);
    Header::of(index).write(sink);
    write_graph(index, sink);
    flat::write_codes(index, index.quantizer(), index.codes(), sink)
}

fn write_graph(index: &Hnsw, sink: &mut Sink) {
    let parts = index.graph().parts();
    let levels = parts.cum_nneighbor_per_level.len() - 1;
    let m = index.graph().m() as f64;
    sink.u64(levels);
    // What Faiss draws the levels of new nodes by: each with 1/m of the nodes below.
    (0..levels).for_each(|level| sink.f64(m.powi(-(level as i32)) * (1.0 - 1.0 / m)));
    sink.u32s(&parts.cum_nneighbor_per_level);
    sink.u32s(&parts.levels);
    sink.u64(parts.offsets.len());
    sink.ids(&parts.offsets);
    sink.u32s(&parts.neighbors);
    let entry = index.graph().entry_point();
    sink.i32(entry.map_or(-1, |entry| entry as i32));
    sink.i32(entry.map_or(-1, |entry| index.graph().top_level(entry) as i32));
    sink.i32(index.ef_construction().try_into().unwrap_or(i32::MAX));
    sink.i32(index.ef_search().try_into().unwrap_or(i32::MAX));
    sink.i32(1);
}
