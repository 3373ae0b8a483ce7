//! Indexes in anear's own container: checksummed, versioned, every byte accounted for.
//!
//! ```text
//! container of kind `indx`
//!   head   version u32 | dim u64 | len u64 | metric: u8 length, name | spec: u8 length, factory string
//!   vecs   the vectors, f32, of a flat index
//!   `ids ` the ids, u64, of an id map
//! ```
//!
//! Putting the bytes where a crash cannot tear them is the business of whoever writes the file.

use std::path::Path;
use std::sync::Arc;

use anear_bytes::{Container, ContainerWriter, Cursor, Fs as _, Mapping, RealFs, Verify};
use anear_kernels::Metric;
use anear_quant::{Quantizer, QuantizerSpec};

use crate::combine::{cosine, id_map, pre_transform, refine};
use crate::error::check_index_dim;
use crate::{
    Cosine, Error, Flat, Hnsw, IdMap, IndexSpec, Ivf, Near, Nsg, PreTransform, Refine, Result, VectorIndex, flat,
    graph, ivf, near,
};

const KIND: [u8; 4] = *b"indx";
const HEAD: [u8; 4] = *b"head";
const VERSION: u32 = 1;

/// Every section of any kind of index.
const SECTIONS: &[[u8; 4]] = &[
    HEAD,
    QUANTIZER,
    flat::VECTORS,
    id_map::IDS,
    cosine::INNER,
    pre_transform::CHAIN,
    pre_transform::INNER,
    refine::BASE,
    refine::REFINE,
    ivf::COARSE,
    ivf::ENTRIES,
    ivf::LISTS,
    graph::persist::LINKS,
    graph::persist::SLOTS,
    graph::persist::CODES,
    near::persist::SETTINGS,
    near::persist::VECTORS,
    near::persist::IDS,
    near::persist::CODE,
    near::persist::BLOCKS,
    near::persist::LISTS,
    near::persist::CENTROIDS,
    near::persist::MIDDLES,
    near::persist::LINKS,
    near::persist::SLOT_CODES,
];

/// What a quantizer learned.
const QUANTIZER: [u8; 4] = *b"qant";

/// The index as one block of bytes, which [`from_bytes`] reads.
///
/// ```
/// use anear_index::{Flat, VectorIndex, VectorIndexExt, from_bytes, to_bytes};
/// use anear_kernels::{Metric, Rows};
///
/// let mut index = Flat::new(2, Metric::Cosine)?;
/// index.add(Rows::new(&[3.0, 4.0], 2).unwrap())?;
/// let restored = from_bytes(&to_bytes(&index))?;
/// assert_eq!(restored.len(), 1);
/// assert_eq!(restored.metric(), Metric::Cosine);
/// # Ok::<(), anear_index::Error>(())
/// ```
pub fn to_bytes(index: &dyn VectorIndex) -> Vec<u8> {
    let writer = ContainerWriter::new(KIND).section(HEAD, Head::of(index).to_bytes());
    index.save(writer).finish()
}

/// Whether bytes begin as those of [`to_bytes`] do: as every container of anear's.
pub fn is_container(bytes: &[u8]) -> bool {
    Container::is_one(bytes)
}

/// The index that [`to_bytes`] wrote.
///
/// Everything is verified; memory is taken only for bytes that are there.
///
/// # Errors
/// [`Error::Bytes`] when the bytes were cut or changed, [`Error::Damaged`] when they contradict each other,
/// [`Error::NewerIndex`] when a later anear wrote them.
pub fn from_bytes(bytes: &[u8]) -> Result<Box<dyn VectorIndex>> {
    load(&Container::parse(bytes, KIND, SECTIONS)?)
}

/// The index in the file at `path`, which holds what [`to_bytes`] wrote, read into memory.
///
/// # Errors
/// Those of [`from_bytes`], and [`Error::Bytes`] when there is no such file, or a link, folder, pipe or device.
pub fn open(path: impl AsRef<Path>) -> Result<Box<dyn VectorIndex>> {
    from_bytes(&RealFs.read(path.as_ref(), u64::MAX)?)
}

/// As [`open`], but the codes stay in the file, which is mapped: they are in memory only where a search looks at them.
///
/// Answers are the same, and the index can be changed: what a change touches (of an inverted file one list, otherwise
/// all codes) is copied into memory first, and the file stays as it is. Ids, what was learned, and links other than those of
/// [`Near`](crate::Near) are read into memory. What [`Mapping`] asks for holds here: nobody may
/// change or cut the file, only replace it.
///
/// ```
/// use anear_index::{Flat, Verify, VectorIndex, VectorIndexExt, open_mapped, to_bytes};
/// use anear_kernels::{Metric, Rows};
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("index.anear");
/// let mut index = Flat::new(2, Metric::L2)?;
/// index.add(Rows::new(&[3.0, 4.0], 2).unwrap())?;
/// std::fs::write(&path, to_bytes(&index))?;
///
/// let mut index = open_mapped(&path, Verify::Everything)?;
/// assert_eq!((index.memory().owned, index.memory().mapped), (0, 8));
/// index.add(Rows::new(&[5.0, 6.0], 2).unwrap())?;
/// assert_eq!((index.memory().owned, index.memory().mapped), (16, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`open`].
pub fn open_mapped(path: impl AsRef<Path>, verify: Verify) -> Result<Box<dyn VectorIndex>> {
    from_mapping(&Mapping::open(path.as_ref())?, verify)
}

/// As [`open_mapped`], of a file that is mapped already.
///
/// # Errors
/// Those of [`from_bytes`].
pub fn from_mapping(file: &Mapping, verify: Verify) -> Result<Box<dyn VectorIndex>> {
    load(&Container::parse_mapped(file, verify, KIND, SECTIONS)?)
}

/// The index in a section, as [`to_bytes`] wrote it.
pub(crate) fn from_section(from: &Container<'_>, tag: [u8; 4]) -> Result<Box<dyn VectorIndex>> {
    load(&from.container(tag, KIND, SECTIONS)?)
}

fn load(container: &Container<'_>) -> Result<Box<dyn VectorIndex>> {
    let head = Head::parse(container.section(HEAD)?)?;
    check_index_dim(head.dim)?;
    let index = head.load(&head.spec, container)?;
    head.check(&*index)?;
    Ok(index)
}

/// Adds what the quantizer learned; raw vectors need nothing.
pub(crate) fn save_quantizer<'a>(quantizer: &dyn Quantizer, out: ContainerWriter<'a>) -> ContainerWriter<'a> {
    match quantizer.spec() {
        QuantizerSpec::Raw => out,
        _ => out.section(QUANTIZER, quantizer.save()),
    }
}

/// The quantizer that [`save_quantizer`] wrote.
pub(crate) fn load_quantizer(spec: &QuantizerSpec, dim: usize, from: &Container<'_>) -> Result<Arc<dyn Quantizer>> {
    let learned = match spec {
        QuantizerSpec::Raw => &[],
        _ => from.section(QUANTIZER)?,
    };
    Ok(spec.load(dim, learned)?)
}

struct Head {
    dim: usize,
    len: usize,
    metric: Metric,
    spec: IndexSpec,
}

impl Head {
    fn of(index: &dyn VectorIndex) -> Self {
        Self {
            dim: index.dim(),
            len: index.len(),
            metric: index.metric(),
            spec: index.spec(),
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        bytes.extend((self.dim as u64).to_le_bytes());
        bytes.extend((self.len as u64).to_le_bytes());
        for name in [self.metric.to_string(), self.spec.to_string()] {
            let len = u8::try_from(name.len()).expect("names of metrics and indexes are short");
            bytes.push(len);
            bytes.extend(name.as_bytes());
        }
        bytes
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        let version = cursor.u32("index version")?;
        check_version(version)?;
        let dim = size(cursor.u64("dimension")?)?;
        let len = size(cursor.u64("number of vectors")?)?;
        let metric = name(&mut cursor, "metric")?;
        let metric = metric.parse().map_err(|error| Error::Damaged(format!("{error}")))?;
        let spec = name(&mut cursor, "index kind")?.parse()?;
        cursor.finish()?;
        Ok(Self { dim, len, metric, spec })
    }

    fn load(&self, spec: &IndexSpec, from: &Container<'_>) -> Result<Box<dyn VectorIndex>> {
        if self.metric == Metric::Cosine && from.optional(cosine::INNER).is_some() {
            return Ok(Box::new(Cosine::load(from)?));
        }
        Ok(match spec {
            IndexSpec::Flat(codes) => Box::new(Flat::load(codes, self.dim, self.metric, self.len, from)?),
            IndexSpec::Ivf(spec) => Box::new(Ivf::load(spec, self.dim, self.metric, from)?),
            IndexSpec::Hnsw(spec) => Box::new(Hnsw::load(spec, self.dim, self.metric, from)?),
            IndexSpec::Nsg(spec) => Box::new(Nsg::load(spec, self.dim, self.metric, from)?),
            IndexSpec::Near(shape) => Box::new(Near::load(*shape, self.dim, self.metric, from)?),
            IndexSpec::IdMap(kind, inner) => Box::new(IdMap::load(*kind, self.load(inner, from)?, from)?),
            IndexSpec::PreTransform(chain, _) => Box::new(PreTransform::load(chain, self.dim, from)?),
            IndexSpec::Refine(_, refine) => Box::new(Refine::load(refine, from)?),
        })
    }

    /// Refuses an index that is not what the head says.
    fn check(&self, index: &dyn VectorIndex) -> Result<()> {
        if (index.dim(), index.len(), index.metric()) == (self.dim, self.len, self.metric) && index.spec() == self.spec
        {
            return Ok(());
        }
        Err(Error::Damaged("the index is not what its head says".into()))
    }
}

/// Versions are counted from 1.
fn check_version(version: u32) -> Result<()> {
    match version {
        0 => Err(Error::Damaged("it has version 0, which no anear wrote".into())),
        1..=VERSION => Ok(()),
        _ => Err(Error::NewerIndex {
            found: version,
            known: VERSION,
        }),
    }
}

fn size(value: u64) -> Result<usize> {
    usize::try_from(value).map_err(|_| Error::Damaged(format!("{value} is more than this machine can hold")))
}

fn name<'a>(cursor: &mut Cursor<'a>, what: &'static str) -> Result<&'a str> {
    let len = cursor.u8(what)?;
    let bytes = cursor.take(len.into(), what)?;
    std::str::from_utf8(bytes).map_err(|_| Error::Damaged(format!("its {what} is not text")))
}

#[cfg(test)]
mod tests {
    use anear_kernels::Rows;

    use super::*;
    use crate::VectorIndexExt as _;

    fn sample() -> Box<dyn VectorIndex> {
        let mut index = "IDMap2,Flat"
            .parse::<IndexSpec>()
            .unwrap()
            .build(3, Metric::L2)
            .unwrap();
        let vectors = [1.0, 2.0, 0.0, 1.0, 2.0, 1.0];
        index
            .add_with_ids(Rows::new(&vectors, 3).unwrap(), &[5, 1 << 40])
            .unwrap();
        index
    }

    /// The sample's container, but with another head or without its vectors.
    fn forged(head: &[u8], vectors: &[u8]) -> Result<Box<dyn VectorIndex>> {
        let bytes = ContainerWriter::new(KIND)
            .section(HEAD, head)
            .section(flat::VECTORS, vectors);
        from_bytes(&bytes.finish())
    }

    fn head(dim: usize, len: usize) -> Vec<u8> {
        let (metric, spec) = (Metric::L2, IndexSpec::Flat(QuantizerSpec::Raw));
        Head { dim, len, metric, spec }.to_bytes()
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_seen() {
        let whole = to_bytes(&*sample());
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(from_bytes(&bytes).is_err(), "bit {bit}");
        }
        for len in 0..whole.len() {
            assert!(from_bytes(&whole[..len]).is_err(), "cut at {len}");
        }
        assert!(from_bytes(&whole).is_ok());
    }

    #[test]
    fn a_mapped_file_is_refused_where_it_was_cut_or_changed() {
        let dir = tempfile::tempdir().unwrap();
        let whole = to_bytes(&*sample());
        let write = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        for len in 0..whole.len() {
            let path = write(&format!("cut at {len}"), &whole[..len]);
            for verify in [Verify::Everything, Verify::Structure] {
                assert!(open_mapped(&path, verify).is_err(), "cut at {len}");
            }
            let mut changed = whole.clone();
            changed[len] ^= 1;
            let path = write(&format!("changed at {len}"), &changed);
            assert!(open_mapped(&path, Verify::Everything).is_err(), "byte {len}");
            assert!(open(&path).is_err(), "byte {len}");
        }
        assert!(matches!(open(dir.path()), Err(Error::Bytes(_))), "a folder");
        assert!(
            matches!(open_mapped(dir.path(), Verify::Everything), Err(Error::Bytes(_))),
            "a folder"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_mapped_index_outlives_the_name_of_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        std::fs::write(&path, to_bytes(&*sample())).unwrap();
        let index = open_mapped(&path, Verify::Everything).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(index.reconstruct(1 << 40).unwrap(), [1.0, 2.0, 1.0]);
    }

    #[test]
    fn a_count_that_the_bytes_do_not_bear_out_is_refused() {
        assert_eq!(forged(&head(3, 1), &[0; 12]).unwrap().len(), 1);
        for (dim, len) in [
            (3, 2),
            (3, 0),
            (4, 1),
            (3, usize::MAX),
            (crate::MAX_DIM, usize::MAX / 4),
        ] {
            let error = forged(&head(dim, len), &[0; 12]).unwrap_err();
            assert!(matches!(error, Error::Damaged(_) | Error::Quantizer(_)), "{error}");
        }
        assert!(matches!(
            forged(&head(0, 1), &[]),
            Err(Error::DimensionRange { got: 0 })
        ));
    }

    #[test]
    fn a_head_of_another_version_is_refused_and_only_a_newer_one_asks_for_an_update() {
        let refused = |version: u32| {
            let mut head = head(3, 1);
            head[..4].copy_from_slice(&version.to_le_bytes());
            forged(&head, &[0; 12]).unwrap_err()
        };
        for found in [VERSION + 1, u32::MAX] {
            let error = refused(found);
            assert!(
                matches!(error, Error::NewerIndex { found: f, known: VERSION } if f == found),
                "{error}"
            );
        }
        assert!(matches!(refused(0), Error::Damaged(_)), "{}", refused(0));
    }

    #[test]
    fn a_head_with_unknown_words_is_refused() {
        let with_words = |metric: &[u8], spec: &[u8]| {
            let mut bytes = head(3, 1)[..20].to_vec();
            for word in [metric, spec] {
                bytes.push(word.len() as u8);
                bytes.extend(word);
            }
            forged(&bytes, &[0; 12])
        };
        assert!(with_words(b"l2", b"Flat").is_ok());
        assert!(with_words(b"l3", b"Flat").unwrap_err().to_string().contains("l3"));
        assert!(with_words(b"l2", b"Flop").unwrap_err().to_string().contains("Flop"));
        assert!(
            with_words(b"\xff", b"Flat")
                .unwrap_err()
                .to_string()
                .contains("not text")
        );
    }

    #[test]
    fn a_missing_section_is_named() {
        let head = Head {
            dim: 3,
            len: 1,
            metric: Metric::L2,
            spec: "IDMap,Flat".parse().unwrap(),
        };
        let message = forged(&head.to_bytes(), &[0; 12]).unwrap_err().to_string();
        assert_eq!(message, "the container has no section `ids `");
    }
}
