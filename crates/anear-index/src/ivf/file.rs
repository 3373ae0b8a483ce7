//! Lists in a file of their own: codes stay there, ids come into memory (Faiss: `OnDiskInvertedLists`).

use std::sync::Arc;

use anear_bytes::{AlignedBytes, Mapping};
use anear_quant::{Codes, Layout};

use super::{Ivf, List};
use crate::{Error, Result};

/// Bytes of an id.
const ID: u64 = size_of::<u64>() as u64;

/// Where in a file a list is: from byte `offset` on there is room for `capacity` codes, behind it for as many ids of
/// eight bytes, the lowest first; the first `len` of both are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Vectors of the list.
    pub len: u64,
    /// Vectors for which there is room.
    pub capacity: u64,
    /// The first byte; means nothing where there is no room.
    pub offset: u64,
}

/// A file that holds the lists of an index, for [`Ivf::map_lists`].
///
/// ```
/// use anear_index::{Extent, Flat, Ivf, ListFile, Mapping, SearchRequest, VectorIndex, VectorIndexExt};
/// use anear_kernels::{Metric, Rows};
/// # use std::sync::Arc;
/// # use anear_quant::Raw;
///
/// let mut coarse = Flat::new(1, Metric::L2)?;
/// coarse.add(Rows::new(&[0.0, 10.0], 1).unwrap())?;
/// let mut index = Ivf::new(Metric::L2, Box::new(coarse), Arc::new(Raw::new(1)), false)?;
///
/// // The second list has one vector, 9, whose id is 70.
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("lists");
/// std::fs::write(&path, [&9.0f32.to_le_bytes()[..], &70u64.to_le_bytes()].concat()).unwrap();
/// let places = [(0, 0, 0), (1, 1, 0)].map(|(len, capacity, offset)| Extent { len, capacity, offset });
/// index.map_lists(ListFile::new("lists".into(), Mapping::open(&path)?, places.to_vec()))?;
///
/// let found = index.search(Rows::new(&[8.0], 1).unwrap(), &SearchRequest::new(1))?;
/// assert_eq!((found.row(0)[0].id, found.row(0)[0].distance), (70, 1.0));
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ListFile {
    name: String,
    data: Mapping,
    extents: Vec<Extent>,
}

impl ListFile {
    /// The mapped file that others are to find under `name`, with a list in each of `extents`.
    pub fn new(name: String, data: Mapping, extents: Vec<Extent>) -> Self {
        Self { name, data, extents }
    }

    /// By what name others find it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the lists are.
    pub fn extents(&self) -> &[Extent] {
        &self.extents
    }

    /// Bytes of the file.
    pub fn size(&self) -> usize {
        self.data.as_slice().len()
    }

    /// The codes and the ids of a list, as far as they are within the file.
    fn list(&self, number: usize, code_len: usize) -> Result<(&[u8], &[u8])> {
        let Extent { len, capacity, offset } = self.extents[number];
        if len == 0 {
            return Ok((&[], &[]));
        }
        let code_len = code_len as u64;
        let piece = |start: Option<u64>, size: u64| {
            let end = start?.checked_add(len.checked_mul(size)?)?;
            self.data
                .as_slice()
                .get(usize::try_from(start?).ok()?..usize::try_from(end).ok()?)
        };
        let ids = capacity
            .checked_mul(code_len)
            .and_then(|codes| codes.checked_add(offset));
        let pieces = (piece(Some(offset), code_len), piece(ids, ID));
        match pieces {
            (Some(codes), Some(ids)) if len <= capacity => Ok((codes, ids)),
            _ => Err(Error::Damaged(format!(
                "list {number}, of {len} codes of {code_len} bytes in room for {capacity} at byte {offset}, is not within \
                 the {} bytes of {}",
                self.size(),
                self.name
            ))),
        }
    }

    /// Refuses lists that together have more than the file: then some of them name the same bytes.
    fn check_size(&self, code_len: usize) -> Result<()> {
        let size = |extent: &Extent| extent.len.checked_mul(code_len as u64 + ID);
        let mut extents = self.extents.iter();
        let needed = extents.try_fold(0_u64, |sum, extent| sum.checked_add(size(extent)?));
        if needed.is_some_and(|needed| needed <= self.size() as u64) {
            return Ok(());
        }
        Err(Error::Damaged(format!(
            "the lists in {} do not fit in its {} bytes without lying over each other",
            self.name,
            self.size()
        )))
    }

    /// A list whose codes stay in the file.
    fn mapped(&self, number: usize, code_len: usize) -> Result<List> {
        let (codes, bytes) = self.list(number, code_len)?;
        let mut ids = Vec::new();
        let no_memory = |_| Error::OutOfMemory { bytes: bytes.len() };
        ids.try_reserve_exact(bytes.len() / ID as usize).map_err(no_memory)?;
        ids.extend(numbers(bytes));
        let codes = AlignedBytes::of(codes, Some(&self.data))?;
        let codes = Codes::from_bytes(Layout::Rows, code_len, ids.len(), codes)?;
        Ok(List::new(codes, ids))
    }
}

impl Ivf {
    /// Makes the lists of a file those of this index, in place of its own.
    ///
    /// Codes stay in the file and are in memory only where searches look at them; ids are read, and of codes that are
    /// compared through inner products one number each is computed. What is changed later is copied first: nothing is
    /// ever written to the file.
    ///
    /// # Errors
    /// [`Error::Damaged`] where there are not as many lists, they are not within the file or lie over each other,
    /// [`Error::Unsupported`] for codes in blocks, [`Error::RepeatedId`], [`Error::IdTooLarge`], [`Error::OutOfMemory`]; the
    /// index is as it was then.
    pub fn map_lists(&mut self, file: ListFile) -> Result<()> {
        if self.quantizer.layout() != Layout::Rows {
            return Err(Error::Unsupported {
                index: "ivf of codes in blocks",
                operation: "lists in a file of their own",
            });
        }
        if file.extents.len() != self.nlist() {
            let (found, nlist) = (file.extents.len(), self.nlist());
            return Err(Error::Damaged(format!(
                "{} has {found} lists, expected {nlist}",
                file.name
            )));
        }
        let code_len = self.quantizer.code_len();
        file.check_size(code_len)?;
        let lists = (0..self.nlist()).map(|number| file.mapped(number, code_len));
        self.fill_lists(lists.collect::<Result<_>>()?)?;
        self.lists.file = Some(Arc::new(file));
        Ok(())
    }

    /// The file that has all lists as they are now, if there is one; it ends to be one at the first change.
    pub fn list_file(&self) -> Option<&ListFile> {
        self.lists.file.as_deref()
    }
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let (numbers, _) = bytes.as_chunks();
    numbers.iter().map(|number| u64::from_le_bytes(*number))
}
