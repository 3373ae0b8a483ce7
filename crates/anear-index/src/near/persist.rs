//! An index in anear's container.

use anear_bytes::{AlignedBytes, Container, ContainerWriter, Cursor};
use anear_kernels::Metric;
use anear_quant::{Codes, TransformCode};

use super::curve::{Curve, Curves};
use super::effort::By;
use super::exact::{Exact, Form};
use super::ids::Ids;
use super::learned::{Learned, Strangers};
use super::links::Links;
use super::lists::Lists;
use super::{Near, NearShape};
use crate::{Error, Result};

/// Settings, the form of the vectors, and whether there is more than these.
pub(crate) const SETTINGS: [u8; 4] = *b"nset";
/// The vectors.
pub(crate) const VECTORS: [u8; 4] = *b"nvec";
/// The ids of slots.
pub(crate) const IDS: [u8; 4] = *b"nids";
/// What the code learned.
pub(crate) const CODE: [u8; 4] = *b"ncod";
/// Codes in blocks.
pub(crate) const BLOCKS: [u8; 4] = *b"nblk";
/// Where lists begin, their middles, and what was measured.
pub(crate) const LISTS: [u8; 4] = *b"nlis";
/// The codes of centroids, and of the vectors in the middle.
pub(crate) const CENTROIDS: [u8; 4] = *b"ncen";
pub(crate) const MIDDLES: [u8; 4] = *b"nmid";
/// Rows of the graph.
pub(crate) const LINKS: [u8; 4] = *b"nlnk";
/// The codes of slots once more, where the graph is lean: so a mapped one needs no copy of them.
pub(crate) const SLOT_CODES: [u8; 4] = *b"nlea";

pub(super) fn save<'a>(index: &'a Near, out: ContainerWriter<'a>) -> ContainerWriter<'a> {
    let mut settings = index.seed.to_le_bytes().to_vec();
    settings.extend(index.recall.to_le_bytes());
    settings.extend((index.visits as u64).to_le_bytes());
    settings.extend((index.candidates as u64).to_le_bytes());
    settings.push(index.exact.form() as u8);
    settings.push(index.learned.is_some().into());
    let out = out
        .section(SETTINGS, settings)
        .section(VECTORS, index.exact.as_bytes().as_slice())
        .section(IDS, index.ids.save());
    let Some(learned) = &index.learned else { return out };
    let lists = &learned.lists;
    let mut saved = (lists.len() as u32).to_le_bytes().to_vec();
    for numbers in [&lists.starts, &lists.middle_slots] {
        saved.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }
    let degree = learned.links.as_ref().map_or(0, |links| links.shape().degree());
    saved.extend((degree as u32).to_le_bytes());
    saved.extend(learned.longest.to_le_bytes());
    saved.extend(learned.radius.to_le_bytes());
    for count in [learned.strangers.before, learned.strangers.since] {
        saved.extend((count as u64).to_le_bytes());
    }
    for curve in learned.read.iter().chain(&learned.walk) {
        curve.save(&mut saved);
    }
    let links = learned.links.as_ref();
    let out = out
        .section(CODE, learned.code.save())
        .section(BLOCKS, learned.codes.as_bytes())
        .section(LISTS, saved)
        .section(CENTROIDS, lists.centroids.as_bytes())
        .section(MIDDLES, lists.middles.as_bytes())
        .section(LINKS, links.map(Links::as_bytes).unwrap_or_default());
    match links.and_then(Links::slot_codes) {
        Some(codes) => out.section(SLOT_CODES, codes.as_bytes()),
        None => out,
    }
}

pub(super) fn load(shape: NearShape, dim: usize, metric: Metric, from: &Container<'_>) -> Result<Near> {
    let mut settings = Cursor::new(from.section(SETTINGS)?);
    let seed = settings.u64("seed")?;
    let mut index = Near::new(shape, dim, metric, seed)?;
    index.recall = f64::from_bits(settings.u64("recall")?);
    if !(0.0..=1.0).contains(&index.recall) {
        return Err(Error::Damaged(format!("a recall of {}", index.recall)));
    }
    index.visits = usize::try_from(settings.u64("visits")?).unwrap_or(usize::MAX);
    index.candidates = usize::try_from(settings.u64("candidates")?).unwrap_or(usize::MAX);
    let form = settings.u8("form of the vectors")?;
    let form = Form::ALL.into_iter().find(|known| *known as u8 == form);
    let form = form.ok_or_else(|| Error::Damaged("vectors in a form that there is not".into()))?;
    let is_learned = match settings.u8("what there is")? {
        0 => false,
        1 => true,
        other => {
            return Err(Error::Damaged(format!(
                "{other} says neither that something was learned nor that not"
            )));
        }
    };
    settings.finish()?;
    index.ids = Ids::load(from.section(IDS)?)?;
    let vectors = from.own(from.section(VECTORS)?)?;
    index.exact = exact(metric, dim, form, vectors, index.ids.slots())?;
    if is_learned {
        index.learned = Some(learned(dim, metric, index.ids.slots(), from)?);
    }
    Ok(index)
}

fn exact(metric: Metric, dim: usize, form: Form, mut vectors: AlignedBytes, slots: usize) -> Result<Exact> {
    if slots.checked_mul(dim * form.bytes()) != Some(vectors.len()) {
        return Err(Error::Damaged(format!(
            "{} bytes of vectors for {slots} slots",
            vectors.len()
        )));
    }
    if !vectors.as_slice().as_ptr().addr().is_multiple_of(align_of::<f32>()) {
        vectors.try_own()?;
    }
    Ok(Exact::from_parts(metric, dim, form, vectors))
}

fn learned(dim: usize, metric: Metric, slots: usize, from: &Container<'_>) -> Result<Learned> {
    let code = TransformCode::load(metric, dim, from.section(CODE)?)?;
    let codes_of = |section, len| {
        let bytes = from.own(from.section(section)?)?;
        Ok::<_, Error>(Codes::from_bytes(code.layout(), code.code_len(), len, bytes)?)
    };
    let mut cursor = Cursor::new(from.section(LISTS)?);
    let nlist = cursor.u32("number of lists")?;
    let starts = numbers(cursor.items(u64::from(nlist) + 1, 4, "starts of lists")?);
    let middle_slots = numbers(cursor.items(nlist.into(), 4, "middles of lists")?);
    let degree = cursor.u32("links per vector")? as usize;
    let longest = f32::from_bits(cursor.u32("longest vector")?);
    let radius = f32::from_bits(cursor.u32("farthest typical vector")?);
    let mut count = || Ok::<_, Error>(usize::try_from(cursor.u64("number of strangers")?).unwrap_or(usize::MAX));
    let strangers = Strangers {
        before: count()?,
        since: count()?,
    };
    if ![longest, radius]
        .iter()
        .all(|square| (0.0..f32::INFINITY).contains(square))
    {
        return Err(Error::Damaged(format!("squared lengths of {longest} and {radius}")));
    }
    let read = curves(&mut cursor, &By::ALL)?;
    let walk = curves(&mut cursor, &[By::Codes])?;
    cursor.finish()?;
    let lists = Lists {
        centroids: codes_of(CENTROIDS, nlist as usize)?,
        middles: codes_of(MIDDLES, nlist as usize)?,
        starts,
        middle_slots,
    };
    let is_in_order = lists.starts.first() == Some(&0) && lists.starts.is_sorted_by(|a, b| a < b);
    let is_within = lists.listed() <= slots && lists.middle_slots.iter().all(|slot| (*slot as usize) < slots);
    if nlist == 0 || !is_in_order || !is_within {
        return Err(Error::Damaged(format!(
            "{nlist} lists of {slots} vectors are in no order"
        )));
    }
    let (rows, slot_codes) = (from.section(LINKS)?, from.optional(SLOT_CODES));
    let links = match degree {
        0 if rows.is_empty() && slot_codes.is_none() => None,
        0 => return Err(Error::Damaged("rows of a graph without links".into())),
        _ => {
            let slot_codes = slot_codes.map(|codes| from.own(codes)).transpose()?;
            Some(Links::from_bytes(&code, degree, slots, from.own(rows)?, slot_codes)?)
        }
    };
    Ok(Learned {
        codes: codes_of(BLOCKS, slots)?,
        code,
        lists,
        links,
        longest,
        radius,
        strangers,
        read,
        walk,
    })
}

fn curves(cursor: &mut Cursor<'_>, by: &[By]) -> Result<Curves> {
    let mut curves = Curves::default();
    for curve in &mut curves {
        *curve = Curve::load(cursor, by)?;
    }
    Ok(curves)
}

fn numbers(bytes: &[u8]) -> Vec<u32> {
    let (numbers, _) = bytes.as_chunks();
    numbers.iter().map(|number| u32::from_le_bytes(*number)).collect()
}
