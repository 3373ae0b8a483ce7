//! Indexes that hold indexes: id maps, transforms and refinement.

use super::header::Header;
use super::sink::Sink;
use super::source::Source;
use super::{gaps, read_object, transforms, unsound, write_object};
use crate::{IdMap, IdMapKind, IndexSpec, PreTransform, Refine, Result, VectorIndex as _};

const ID_MAP_2: [u8; 4] = *b"IxM2";

/// `IxMp`, `IxM2`.
pub(super) fn read_id_map(code: [u8; 4], source: &mut Source<'_>) -> Result<IdMap> {
    let header = Header::read(source)?;
    let inner = read_object(source)?;
    header.check_within(&*inner)?;
    let ids = source.ids("ids")?;
    if ids.len() != header.len {
        return Err(unsound(format!("{} vectors have {} ids", header.len, ids.len())));
    }
    let kind = if code == ID_MAP_2 {
        IdMapKind::IdMap2
    } else {
        IdMapKind::IdMap
    };
    IdMap::with_ids(kind, inner, ids)
}

pub(super) fn write_id_map(index: &IdMap, sink: &mut Sink) -> Result<()> {
    // Where the index within keeps its ids, those that are gone have no place in Faiss's list: its vectors are numbered anew.
    let living: Vec<u64> = index.living().collect();
    let mut renumbered = None;
    if living.len() != index.ids().len() {
        let mut inner = index.inner().boxed_clone();
        inner.renumber()?;
        renumbered = Some(inner);
    }
    let inner = renumbered.as_deref().unwrap_or(index.inner());
    sink.put(match index.spec() {
        IndexSpec::IdMap(IdMapKind::IdMap2, _) => ID_MAP_2,
        _ => *b"IxMp",
    });
    Header::of(index).write(sink);
    write_object(inner, sink)?;
    sink.u64(living.len());
    sink.ids(&living);
    Ok(())
}

/// `IxRF`: base, refining index, and how many candidates there are for each neighbor.
pub(super) fn read_refine(source: &mut Source<'_>) -> Result<Refine> {
    let header = Header::read(source)?;
    let base = read_object(source)?;
    let refine = read_object(source)?;
    header.check_within(&*base)?;
    header.check_within(&*refine)?;
    let k_factor = source.f32("k_factor")?;
    if !(1.0..=1000.0).contains(&k_factor) {
        return Err(unsound(format!("its k_factor is {k_factor}, expected 1 to 1000")));
    }
    let mut index = Refine::with_vectors(base, refine)?;
    // Ours counts whole candidates.
    index.set_k_factor(k_factor.ceil() as usize);
    Ok(index)
}

pub(super) fn write_refine(index: &Refine, sink: &mut Sink) -> Result<()> {
    sink.put(b"IxRF");
    Header::of(index).write(sink);
    write_object(index.base(), sink)?;
    write_object(index.by_position().ok_or_else(|| gaps(index))?, sink)?;
    sink.f32(index.k_factor() as f32);
    Ok(())
}

/// `IxPT`: transforms, and the index behind them.
pub(super) fn read_pre_transform(source: &mut Source<'_>) -> Result<PreTransform> {
    let header = Header::read(source)?;
    let count = source.i32("number of transforms")?;
    // Each has some bytes of its own: a count that is too large runs into the end of the file.
    let chain = (0..count).map(|_| transforms::read(source)).collect::<Result<_>>()?;
    let index = PreTransform::new(chain, read_object(source)?)?;
    header.check_within(&index)?;
    Ok(index)
}

pub(super) fn write_pre_transform(index: &PreTransform, sink: &mut Sink) -> Result<()> {
    sink.put(b"IxPT");
    Header::of(index).write(sink);
    sink.i32(index.chain().len() as i32);
    index
        .chain()
        .iter()
        .try_for_each(|transform| transforms::write(&**transform, sink))?;
    write_object(index.inner(), sink)
}
