//! From a binary index to a Faiss file, byte for byte as Faiss writes it.

use std::any::Any;

use super::bit_string::BitWriter;
use super::{FLAT, HASH, HNSW, ID_MAP, ID_MAP_2, IVF, LISTS, LISTS_FULL, LISTS_SPARSE, METRIC, MULTI_HASH};
use crate::binary::graph::Graph;
use crate::binary::lists::Lists;
use crate::binary::{
    BinaryFlat, BinaryHash, BinaryHnsw, BinaryIdMap, BinaryIndex, BinaryIvf, BinaryMultiHash, BinarySpec,
};
use crate::{Error, IdMapKind, Result};

/// The file that Faiss would write for this index; of hashes, with the buckets by ascending key, where Faiss has no
/// order.
///
/// # Errors
/// [`Error::Unsupported`] for indexes of types that Faiss does not have.
pub fn write_binary_index(index: &dyn BinaryIndex) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(index.len() * (index.code_len() + size_of::<i64>()) + 256);
    write_object(index, &mut out)?;
    Ok(out)
}

fn write_object(index: &dyn BinaryIndex, out: &mut Vec<u8>) -> Result<()> {
    let any: &dyn Any = index;
    if let Some(flat) = any.downcast_ref::<BinaryFlat>() {
        write_flat(flat, out);
    } else if let Some(ivf) = any.downcast_ref::<BinaryIvf>() {
        write_ivf(ivf, out)?;
    } else if let Some(hnsw) = any.downcast_ref::<BinaryHnsw>() {
        write_hnsw(hnsw, out);
    } else if let Some(hash) = any.downcast_ref::<BinaryHash>() {
        write_hash(hash, out);
    } else if let Some(hash) = any.downcast_ref::<BinaryMultiHash>() {
        write_multi_hash(hash, out);
    } else if let Some(map) = any.downcast_ref::<BinaryIdMap>() {
        write_id_map(map, out)?;
    } else {
        return Err(Error::Unsupported {
            index: index.kind(),
            operation: "Faiss files",
        });
    }
    Ok(())
}

fn write_header(code: [u8; 4], index: &dyn BinaryIndex, out: &mut Vec<u8>) {
    out.extend(code);
    put_i32(index.dim(), out);
    put_i32(index.code_len(), out);
    put_u64(index.len(), out);
    out.push(true.into());
    out.extend(METRIC.to_le_bytes());
}

fn write_flat(index: &BinaryFlat, out: &mut Vec<u8>) {
    write_header(FLAT, index, out);
    put_bytes(index.codes().as_slice(), out);
}

fn write_id_map(index: &BinaryIdMap, out: &mut Vec<u8>) -> Result<()> {
    let code = match index.spec() {
        BinarySpec::IdMap(IdMapKind::IdMap2, _) => ID_MAP_2,
        _ => ID_MAP,
    };
    let living = index.living();
    write_header(code, index, out);
    match living.len() == index.ids().len() {
        true => write_object(index.inner(), out)?,
        // Those that are gone have no place in Faiss's list.
        false => write_object(&*index.inner_renumbered()?, out)?,
    }
    put_u64(living.len(), out);
    put_ids(&living, out);
    Ok(())
}

fn write_ivf(index: &BinaryIvf, out: &mut Vec<u8>) -> Result<()> {
    write_header(IVF, index, out);
    put_u64(index.coarse().len(), out);
    put_u64(index.nprobe(), out);
    write_object(index.coarse(), out)?;
    // No direct map: the kind, and an empty array.
    out.push(0);
    put_u64(0, out);
    write_lists(index.lists(), index.code_len(), out);
    Ok(())
}

fn write_lists(lists: &Lists, code_len: usize, out: &mut Vec<u8>) {
    let lists = lists.as_slice();
    out.extend(LISTS);
    put_u64(lists.len(), out);
    put_u64(code_len, out);
    let sizes = || lists.iter().map(|list| list.ids.len()).enumerate();
    let filled = sizes().filter(|(_, size)| *size > 0).count();
    if filled > lists.len() / 2 {
        out.extend(LISTS_FULL);
        put_u64(lists.len(), out);
        sizes().for_each(|(_, size)| put_u64(size, out));
    } else {
        out.extend(LISTS_SPARSE);
        put_u64(2 * filled, out);
        for (list, size) in sizes().filter(|(_, size)| *size > 0) {
            put_u64(list, out);
            put_u64(size, out);
        }
    }
    for list in lists {
        out.extend_from_slice(&list.codes);
        put_ids(&list.ids, out);
    }
}

fn write_hnsw(index: &BinaryHnsw, out: &mut Vec<u8>) {
    write_header(HNSW, index, out);
    write_graph(index.graph(), index.ef_search(), out);
    write_flat(index.storage(), out);
}

fn write_graph(graph: &Graph, ef_search: usize, out: &mut Vec<u8>) {
    put_u64(graph.level_shares.len(), out);
    out.extend(graph.level_shares.iter().flat_map(|share| share.to_le_bytes()));
    put_u32s(&graph.first_link, out);
    put_u32s(&graph.levels, out);
    put_u64(graph.offsets.len(), out);
    graph.offsets.iter().for_each(|offset| put_u64(*offset, out));
    put_u32s(&graph.links, out);
    // Where there is no node, -1.
    let entry = graph.entry.map_or(-1, |entry| entry as i32);
    out.extend(entry.to_le_bytes());
    out.extend(graph.max_level().to_le_bytes());
    put_i32(graph.ef_construction, out);
    put_i32(ef_search, out);
    put_i32(1, out);
}

fn write_hash(index: &BinaryHash, out: &mut Vec<u8>) {
    write_header(HASH, index, out);
    let buckets = index.buckets();
    put_i32(index.bits(), out);
    put_i32(index.nflip(), out);
    put_u64(buckets.len(), out);
    let longest = buckets.iter().map(|(_, list)| list.ids.len()).max().unwrap_or(0);
    let size_bits = bits_for(longest);
    put_i32(size_bits, out);
    let mut keys = BitWriter::default();
    for (key, list) in &buckets {
        keys.push(*key, index.bits());
        keys.push(list.ids.len() as u64, size_bits);
    }
    put_bytes(&keys.into_bytes(), out);
    for (_, list) in buckets {
        put_u64(list.ids.len(), out);
        put_ids(&list.ids, out);
        put_bytes(&list.codes, out);
    }
}

fn write_multi_hash(index: &BinaryMultiHash, out: &mut Vec<u8>) {
    write_header(MULTI_HASH, index, out);
    write_flat(index.storage(), out);
    put_i32(index.bits(), out);
    put_i32(index.tables().len(), out);
    put_i32(index.nflip(), out);
    for table in index.tables() {
        // For the largest id, as in Faiss, and for the longest bucket, which Faiss forgets.
        let longest = table.iter().map(|(_, bucket)| bucket.len()).max().unwrap_or(0);
        let id_bits = bits_for(longest.max(index.len().saturating_sub(1)));
        let mut buckets = BitWriter::default();
        for (key, bucket) in &table {
            buckets.push(*key, index.bits());
            buckets.push(bucket.len() as u64, id_bits);
            bucket.iter().for_each(|id| buckets.push(*id, id_bits));
        }
        put_i32(id_bits, out);
        put_u64(table.len(), out);
        put_bytes(&buckets.into_bytes(), out);
    }
}

/// Bits that numbers up to `largest` need.
fn bits_for(largest: usize) -> usize {
    (usize::BITS - largest.leading_zeros()) as usize
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_u64(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Ids are below 2^63: as signed numbers they are the same bytes.
fn put_ids(ids: &[u64], out: &mut Vec<u8>) {
    out.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
}

fn put_u32s(numbers: &[u32], out: &mut Vec<u8>) {
    put_u64(numbers.len(), out);
    out.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

fn put_u64(number: usize, out: &mut Vec<u8>) {
    out.extend((number as u64).to_le_bytes());
}

/// For numbers that are checked to be small where they come in.
fn put_i32(number: usize, out: &mut Vec<u8>) {
    out.extend(i32::try_from(number).unwrap_or(i32::MAX).to_le_bytes());
}
