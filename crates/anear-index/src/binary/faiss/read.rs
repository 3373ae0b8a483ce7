//! From a Faiss file to a binary index.

use anear_bytes::Cursor;
use anear_kernels::Bits;

use super::bit_string::BitReader;
use super::{FLAT, HASH, HNSW, ID_MAP, ID_MAP_2, IVF, LISTS, LISTS_FULL, LISTS_SPARSE, MULTI_HASH};
use crate::binary::buckets::{MAX_BITS, NFLIP};
use crate::binary::graph::{Graph, NONE};
use crate::binary::hnsw::EF_SEARCH;
use crate::binary::ivf::NPROBE;
use crate::binary::lists::{List, Lists};
use crate::binary::{BinaryFlat, BinaryHash, BinaryHnsw, BinaryIdMap, BinaryIndex, BinaryIvf, BinaryMultiHash};
use crate::{Error, IdMapKind, MAX_DIM, Result};

const READABLE: &str = "IBxF, IBwF, IBHf, IBHh, IBHm, IBMp and IBM2";

/// Codes of binary indexes that are not read and their classes.
const UNREADABLE: &[([u8; 4], &str)] = &[
    (*b"IBFf", "IndexBinaryFromFloat"),
    (*b"IBHc", "IndexBinaryHNSWCagra"),
    (*b"null", "no index at all"),
];

/// The binary index in a file that Faiss wrote, all of it.
///
/// # Errors
/// [`Error::FaissKind`] for kinds that are not read, [`Error::Faiss`] and [`Error::Bytes`] for files that are cut, go
/// on after their end or contradict themselves, [`Error::RepeatedId`] for two vectors with one id.
pub fn read_binary_index(file: &[u8]) -> Result<Box<dyn BinaryIndex>> {
    let mut cursor = Cursor::new(file);
    let index = read(&mut cursor)?;
    cursor.finish()?;
    Ok(index)
}

/// The binary index that a file begins with, and how many bytes of the file it is: other objects may follow.
///
/// # Errors
/// As [`read_binary_index`], but for what comes after the index.
pub fn read_first_binary_index(file: &[u8]) -> Result<(Box<dyn BinaryIndex>, usize)> {
    let mut cursor = Cursor::new(file);
    let index = read(&mut cursor)?;
    Ok((index, cursor.offset()))
}

fn read(cursor: &mut Cursor<'_>) -> Result<Box<dyn BinaryIndex>> {
    let code = cursor.array("index code")?;
    Ok(match code {
        ID_MAP => id_map(IdMapKind::IdMap, cursor)?,
        ID_MAP_2 => id_map(IdMapKind::IdMap2, cursor)?,
        IVF => Box::new(ivf(cursor)?),
        HASH => Box::new(hash(cursor)?),
        _ => by_position(code, cursor)?,
    })
}

/// An index whose ids are positions.
fn by_position(code: [u8; 4], cursor: &mut Cursor<'_>) -> Result<Box<dyn BinaryIndex>> {
    Ok(match code {
        FLAT => Box::new(flat(cursor)?),
        HNSW => Box::new(hnsw(cursor)?),
        MULTI_HASH => Box::new(multi_hash(cursor)?),
        _ => return Err(unreadable(code)),
    })
}

fn unreadable(code: [u8; 4]) -> Error {
    let fourcc = code.escape_ascii().to_string();
    match UNREADABLE.iter().find(|(known, _)| *known == code) {
        Some((_, name)) => Error::FaissKind {
            fourcc,
            name,
            readable: READABLE,
        },
        None => unsound(format!("`{fourcc}` is not a binary index; anear reads {READABLE} here")),
    }
}

/// What every object begins with, after its code.
#[derive(PartialEq)]
struct Header {
    dim: usize,
    len: usize,
}

impl Header {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let bits = cursor.i32("dimension")?;
        let dim = usize::try_from(bits).ok();
        let dim = dim.filter(|dim| dim.is_multiple_of(8) && (8..=MAX_DIM).contains(dim));
        let dim = dim.ok_or_else(|| {
            unsound(format!(
                "its dimension is {bits}, expected a multiple of 8 up to {MAX_DIM}"
            ))
        })?;
        let code_len = cursor.i32("code size")?;
        if i64::from(code_len) * 8 != dim as i64 {
            return Err(unsound(format!("vectors of {dim} bits do not take {code_len} bytes")));
        }
        let len = cursor.i64("number of vectors")?;
        let len = usize::try_from(len).map_err(|_| unsound(format!("it says it has {len} vectors")))?;
        if !cursor.bool("is_trained")? {
            return Err(unsound(
                "it is untrained; train it in Faiss, or train a new one here".into(),
            ));
        }
        match cursor.i32("metric")? {
            0..=4 | 20..=25 => Ok(Self { dim, len }),
            metric => Err(unsound(format!(
                "its metric is number {metric}, which Faiss does not have"
            ))),
        }
    }

    fn code_len(&self) -> usize {
        self.dim / 8
    }

    /// Says that an index within has the same dimension and this many vectors.
    fn check_within(&self, what: &str, inner: &dyn BinaryIndex, len: usize) -> Result<()> {
        if (inner.dim(), inner.len()) == (self.dim, len) {
            return Ok(());
        }
        let (dim, found) = (inner.dim(), inner.len());
        let expected = format!("expected {len} of {}", self.dim);
        Err(unsound(format!(
            "{what} holds {found} vectors of {dim} bits, {expected}"
        )))
    }
}

fn flat(cursor: &mut Cursor<'_>) -> Result<BinaryFlat> {
    let header = Header::read(cursor)?;
    let codes = cursor.counted_items(1, "vectors")?;
    if Some(codes.len()) != header.len.checked_mul(header.code_len()) {
        let Header { dim, len } = header;
        return Err(unsound(format!(
            "{len} vectors of {dim} bits do not fill {} bytes",
            codes.len()
        )));
    }
    let mut index = BinaryFlat::new(header.dim)?;
    index.add(whole_codes(codes, header.code_len()))?;
    Ok(index)
}

fn id_map(kind: IdMapKind, cursor: &mut Cursor<'_>) -> Result<Box<dyn BinaryIndex>> {
    let outer = Header::read(cursor)?;
    let code = cursor.array("code of the index within")?;
    Ok(match code {
        // Faiss lets maps nest fifty deep; nobody makes such files, and each level is a call deeper.
        ID_MAP | ID_MAP_2 => return Err(unsound("an id map within an id map is not read".into())),
        IVF => named(kind, &outer, Box::new(ivf(cursor)?), cursor)?,
        HASH => named(kind, &outer, Box::new(hash(cursor)?), cursor)?,
        _ => named(kind, &outer, by_position(code, cursor)?, cursor)?,
    })
}

fn named(
    kind: IdMapKind,
    outer: &Header,
    inner: Box<dyn BinaryIndex>,
    cursor: &mut Cursor<'_>,
) -> Result<Box<dyn BinaryIndex>> {
    outer.check_within("the index within the id map", &*inner, outer.len)?;
    let ids = ids(cursor.counted_items(size_of::<i64>(), "ids")?)?;
    match ids.len() == outer.len {
        true => Ok(Box::new(BinaryIdMap::new(kind, inner, &ids)?)),
        false => Err(unsound(format!("{} vectors have {} ids", outer.len, ids.len()))),
    }
}

fn ivf(cursor: &mut Cursor<'_>) -> Result<BinaryIvf> {
    let header = Header::read(cursor)?;
    let nlist = cursor.u64("number of lists")?;
    let nprobe = cursor.u64("nprobe")?;
    let coarse: Box<dyn BinaryIndex> = match cursor.array("code of the centroids")? {
        FLAT => Box::new(flat(cursor)?),
        HNSW => Box::new(hnsw(cursor)?),
        code => {
            let code = code.escape_ascii();
            return Err(unsound(format!(
                "centroids in `{code}` are not read; anear reads IBxF and IBHf there"
            )));
        }
    };
    let nlist = usize::try_from(nlist).unwrap_or(usize::MAX);
    header.check_within("the index of the centroids", &*coarse, nlist)?;
    let map = DirectMap::read(cursor)?;
    let lists = lists(&header, nlist, cursor)?;
    map.check(&lists)?;
    let lists = Lists::from_lists(header.code_len(), lists)?;
    if lists.len() != header.len {
        let (len, found) = (header.len, lists.len());
        return Err(unsound(format!("it says it has {len} vectors, its lists hold {found}")));
    }
    let mut index = BinaryIvf::with_lists(coarse, lists)?;
    index.set_knob(NPROBE.name, nprobe as f64)?;
    Ok(index)
}

/// Where Faiss says each id is. It must be sound; anear keeps its own.
struct DirectMap(Vec<i64>);

impl DirectMap {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let kind = cursor.u8("kind of direct map")?;
        let mut places = numbers(
            cursor.counted_items(size_of::<i64>(), "direct map")?,
            i64::from_le_bytes,
        );
        match kind {
            0 | 1 => {}
            2 => {
                let pairs = cursor.counted_items(2 * size_of::<i64>(), "direct map")?;
                places.extend(numbers(pairs, i64::from_le_bytes).chunks(2).map(|pair| pair[1]));
            }
            _ => {
                return Err(unsound(format!(
                    "its direct map is of kind {kind}, which Faiss does not have"
                )));
            }
        }
        Ok(Self(places))
    }

    fn check(&self, lists: &[List]) -> Result<()> {
        let is_sound = |place: &i64| {
            let (list, offset) = (*place >> 32, *place as u32 as usize);
            let list = usize::try_from(list).ok().and_then(|list| lists.get(list));
            *place == -1 || list.is_some_and(|list| offset < list.ids.len())
        };
        match self.0.iter().find(|place| !is_sound(place)) {
            None => Ok(()),
            Some(place) => Err(unsound(format!(
                "its direct map points to {place:#x}, where nothing is"
            ))),
        }
    }
}

fn lists(header: &Header, nlist: usize, cursor: &mut Cursor<'_>) -> Result<Vec<List>> {
    let code = cursor.array("code of the lists")?;
    if code != LISTS {
        let code = code.escape_ascii();
        return Err(unsound(format!(
            "lists of kind `{code}` are not read; anear reads ilar"
        )));
    }
    let (count, code_len) = (cursor.u64("number of lists")?, cursor.u64("code size")?);
    if (count, code_len) != (nlist as u64, header.code_len() as u64) {
        let expected = format!("expected {nlist} of {}", header.code_len());
        return Err(unsound(format!(
            "it has {count} lists of codes of {code_len} bytes, {expected}"
        )));
    }
    // As many as there are centroids in the file.
    let mut lists = vec![List::default(); nlist];
    for (list, size) in list_sizes(nlist, cursor)? {
        let list = &mut lists[list];
        if size == 0 || !list.ids.is_empty() {
            return Err(unsound(
                "a list is there twice, or empty where only full ones are".into(),
            ));
        }
        list.codes = cursor.items(size, header.code_len(), "codes of a list")?.to_vec();
        list.ids = ids(cursor.items(size, size_of::<i64>(), "ids of a list")?)?;
    }
    Ok(lists)
}

/// The lists that are not empty and their sizes.
fn list_sizes(nlist: usize, cursor: &mut Cursor<'_>) -> Result<Vec<(usize, u64)>> {
    let kind = cursor.array("code of the list sizes")?;
    let sizes = numbers(
        cursor.counted_items(size_of::<u64>(), "list sizes")?,
        u64::from_le_bytes,
    );
    let is_sparse = kind == LISTS_SPARSE;
    let in_range = |list: &u64| *list < nlist as u64;
    match kind {
        LISTS_FULL if sizes.len() == nlist => Ok(sizes.into_iter().enumerate().filter(|(_, size)| *size > 0).collect()),
        LISTS_SPARSE if sizes.len().is_multiple_of(2) && sizes.iter().step_by(2).all(in_range) => {
            Ok(sizes.chunks(2).map(|pair| (pair[0] as usize, pair[1])).collect())
        }
        LISTS_FULL | LISTS_SPARSE => {
            let how = if is_sparse { "sparse" } else { "full" };
            Err(unsound(format!(
                "{} {how} list sizes do not describe {nlist} lists",
                sizes.len()
            )))
        }
        _ => {
            let kind = kind.escape_ascii();
            Err(unsound(format!(
                "list sizes of kind `{kind}`, which Faiss does not have"
            )))
        }
    }
}

fn hnsw(cursor: &mut Cursor<'_>) -> Result<BinaryHnsw> {
    let header = Header::read(cursor)?;
    let (graph, ef_search) = graph(header.len, cursor)?;
    let code = cursor.array("code of the storage")?;
    if code != FLAT {
        let code = code.escape_ascii();
        return Err(unsound(format!("the storage of a binary graph is IBxF, not `{code}`")));
    }
    let storage = flat(cursor)?;
    header.check_within("the storage of the graph", &storage, header.len)?;
    let mut index = BinaryHnsw::from_parts(storage, graph);
    index.set_knob(EF_SEARCH.name, ef_search.into())?;
    Ok(index)
}

fn graph(len: usize, cursor: &mut Cursor<'_>) -> Result<(Graph, i32)> {
    let level_shares = numbers(cursor.counted_items(8, "level probabilities")?, f64::from_le_bytes);
    let first_link = numbers(cursor.counted_items(4, "links per level")?, i32::from_le_bytes);
    let levels = numbers(cursor.counted_items(4, "levels")?, i32::from_le_bytes);
    let offsets = numbers(cursor.counted_items(8, "offsets of links")?, u64::from_le_bytes);
    let links = numbers(cursor.counted_items(4, "links")?, i32::from_le_bytes);
    let (entry, max_level) = (cursor.i32("entry point")?, cursor.i32("highest level")?);
    let (ef_construction, ef_search) = (cursor.i32("efConstruction")?, cursor.i32("efSearch")?);
    cursor.i32("upper_beam")?;

    let counts = [("levels", levels.len(), len), ("offsets", offsets.len(), len + 1)];
    if let Some((what, found, expected)) = counts.into_iter().find(|(_, found, expected)| found != expected) {
        return Err(unsound(format!(
            "a graph of {len} vectors has {found} {what}, expected {expected}"
        )));
    }
    let natural = |number: i32, what: &str| {
        u32::try_from(number).map_err(|_| unsound(format!("{what} {number} must not be negative")))
    };
    let all = |numbers: Vec<i32>, what: &str| {
        numbers
            .into_iter()
            .map(|n| natural(n, what))
            .collect::<Result<Vec<_>>>()
    };
    let to_node = |link: i32| match link {
        -1 => Ok(NONE),
        _ => natural(link, "link"),
    };
    let to_offset = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    let graph = Graph {
        first_link: all(first_link, "number of links")?,
        level_shares,
        levels: all(levels, "level")?,
        offsets: offsets.into_iter().map(to_offset).collect(),
        links: links.into_iter().map(to_node).collect::<Result<_>>()?,
        entry: Some(to_node(entry)?).filter(|entry| *entry != NONE),
        ef_construction: natural(ef_construction, "efConstruction")?.max(1) as usize,
    };
    graph.check(max_level).map_err(unsound)?;
    Ok((graph, ef_search))
}

fn hash(cursor: &mut Cursor<'_>) -> Result<BinaryHash> {
    let header = Header::read(cursor)?;
    let (bits, nflip) = (hash_bits(cursor)?, cursor.i32("nflip")?);
    let count = cursor.u64("number of buckets")?;
    let size_bits = cursor.i32("bits of a bucket's size")?;
    let size_bits = usize::try_from(size_bits).ok().filter(|bits| *bits <= MAX_BITS);
    let size_bits = size_bits.ok_or_else(|| unsound("the sizes of buckets have more than 64 bits".into()))?;
    let keys = cursor.counted_items(1, "keys of buckets")?;
    let needed = u128::from(count) * (bits + size_bits) as u128;
    if keys.len() as u128 != needed.div_ceil(8) {
        return Err(unsound(format!(
            "{} bytes do not hold the keys of {count} buckets",
            keys.len()
        )));
    }
    let mut keys = BitReader::new(keys);
    let mut index = BinaryHash::new(header.dim, bits)?;
    for _ in 0..count {
        let (key, size) = (keys.next(bits), keys.next(size_bits));
        let ids = ids(cursor.counted_items(size_of::<i64>(), "ids of a bucket")?)?;
        let codes = cursor.counted_items(1, "codes of a bucket")?;
        let expected = ids.len().checked_mul(header.code_len());
        if ids.len() as u64 != size || expected != Some(codes.len()) {
            let (ids, bytes) = (ids.len(), codes.len());
            return Err(unsound(format!(
                "a bucket of size {size} has {ids} ids and {bytes} bytes of codes"
            )));
        }
        let codes = whole_codes(codes, header.code_len());
        if !index.has_key(key, codes) {
            return Err(unsound(format!("the bucket {key:#x} holds vectors of another one")));
        }
        index.add_with_ids(codes, &ids).map_err(|error| match error {
            Error::DuplicateId { id } => Error::RepeatedId { id },
            other => other,
        })?;
    }
    if index.len() != header.len {
        let (len, found) = (header.len, index.len());
        return Err(unsound(format!(
            "it says it has {len} vectors, its buckets hold {found}"
        )));
    }
    index.set_knob(NFLIP.name, nflip.into())?;
    Ok(index)
}

/// The tables follow from the vectors and are made anew: Faiss 1.15.1 writes one that it cannot read where a bucket
/// holds all of 2, 4, 8, .. vectors.
fn multi_hash(cursor: &mut Cursor<'_>) -> Result<BinaryMultiHash> {
    let header = Header::read(cursor)?;
    let code = cursor.array("code of the storage")?;
    if code != FLAT {
        let code = code.escape_ascii();
        return Err(unsound(format!(
            "the storage of a binary multi-hash is IBxF, not `{code}`"
        )));
    }
    let storage = flat(cursor)?;
    header.check_within("the storage of the hash", &storage, header.len)?;
    let bits = hash_bits(cursor)?;
    let (hashes, nflip) = (cursor.i32("number of hashes")?, cursor.i32("nflip")?);
    for _ in 0..hashes {
        cursor.i32("bits of an id")?;
        cursor.u64("number of buckets")?;
        cursor.counted_items(1, "buckets")?;
    }
    let hashes = usize::try_from(hashes).unwrap_or(0);
    let mut index = BinaryMultiHash::over(storage, hashes, bits)?;
    index.set_knob(NFLIP.name, nflip.into())?;
    Ok(index)
}

/// Checked against the dimension where the index is made.
fn hash_bits(cursor: &mut Cursor<'_>) -> Result<usize> {
    let bits = cursor.i32("bits of a hash")?;
    usize::try_from(bits).map_err(|_| unsound(format!("its hash has {bits} bits")))
}

fn ids(bytes: &[u8]) -> Result<Vec<u64>> {
    let ids = numbers(bytes, i64::from_le_bytes).into_iter();
    ids.map(|id| u64::try_from(id).map_err(|_| unsound(format!("it has the id {id}; ids must not be negative"))))
        .collect()
}

fn numbers<const N: usize, T>(bytes: &[u8], from: fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|chunk| from(*chunk)).collect()
}

fn whole_codes(codes: &[u8], code_len: usize) -> Bits<'_> {
    Bits::new(codes, code_len).expect("the length was checked")
}

fn unsound(reason: String) -> Error {
    Error::Faiss(reason)
}
