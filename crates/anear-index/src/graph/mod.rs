//! Codes linked in a graph: what HNSW and NSG are made of.
//!
//! The links are in `links.rs`, how they are walked in `walk.rs`, which links a node gets in `select.rs`, how new nodes are
//! linked in `link.rs`, how nodes leave in `remove.rs`, whether to walk at all in `search.rs`.

use std::ops::Range;
use std::sync::Arc;

use anear_bytes::AlignedBytes;
use anear_kernels::{Metric, Rows};
use anear_pool::Pool;
use anear_quant::{Codes, Layout, Quantizer};

use self::link::Linker;
use self::select::{Selector, Space};
use self::slots::Slots;
use self::walk::Walker;
use crate::error::{check_dim, check_finite};
use crate::flat::{check_metric, check_unit, encode_for, is_same_quantizer};
use crate::idle::Idle;
use crate::ids::MAX_ID;
use crate::index::unsupported;
use crate::{Error, Result};

pub(crate) mod link;
mod links;
pub(crate) mod persist;
pub(crate) mod remove;
pub(crate) mod search;
mod select;
mod slots;
pub(crate) mod walk;

pub(crate) use links::SLOTS_MAX;
pub use links::{Graph, GraphParts, NO_LINK};

/// Codes, the links between them, and the ids of their slots.
#[derive(Clone, Debug)]
pub(crate) struct Linked {
    pub(crate) metric: Metric,
    pub(crate) quantizer: Arc<dyn Quantizer>,
    pub(crate) codes: Codes,
    pub(crate) graph: Graph,
    pub(crate) slots: Slots,
    walkers: Walkers,
}

impl Linked {
    /// Of codes and links that are there already, one node per code.
    ///
    /// # Errors
    /// [`Error::Damaged`] when there are not as many nodes as codes, [`Error::Metric`] when the quantizer cannot compare
    /// by `metric`, [`Error::Unsupported`] when its codes lie in blocks, as those of fast scans,
    /// [`anear_quant::Error::OutOfMemory`] when they lie askew and cannot be copied.
    ///
    /// # Panics
    /// When the codes are not the quantizer's.
    pub(crate) fn from_parts(
        quantizer: Arc<dyn Quantizer>,
        metric: Metric,
        mut codes: Codes,
        graph: Graph,
    ) -> Result<Self> {
        check_metric(&*quantizer, metric)?;
        if quantizer.layout() != Layout::Rows {
            return Err(unsupported(
                "graph",
                "codes that lie in blocks; choose a quantizer that is not made for fast scans",
            ));
        }
        assert_eq!(codes.code_len(), quantizer.code_len(), "codes of the quantizer");
        if codes.len() != graph.len() {
            let (codes, nodes) = (codes.len(), graph.len());
            return Err(Error::Damaged(format!("{codes} vectors in a graph of {nodes} nodes")));
        }
        codes.try_align(quantizer.alignment())?;
        Ok(Self {
            metric,
            quantizer,
            slots: Slots::counted(codes.len()),
            codes,
            graph,
            walkers: Walkers::default(),
        })
    }

    /// [`VectorIndex::become_cosine`](crate::VectorIndex::become_cosine).
    pub(crate) fn become_cosine(&mut self) -> Result<()> {
        check_unit(&*self.quantizer, &self.codes)?;
        self.metric = Metric::Cosine;
        Ok(())
    }

    pub(crate) fn space(&self) -> Space<'_> {
        Space {
            metric: self.metric,
            quantizer: &*self.quantizer,
            codes: &self.codes,
        }
    }

    pub(crate) fn linker<'a>(&'a self, pool: Option<&'a Pool>) -> Linker<'a> {
        Linker {
            space: self.space(),
            slots: &self.slots,
            walkers: &self.walkers,
            pool,
        }
    }

    /// The graph, to be changed beside the codes it links and put back.
    pub(crate) fn take_graph(&mut self) -> Graph {
        std::mem::replace(&mut self.graph, Graph::level(2))
    }

    /// What is linked, with another graph, of which nothing is linked yet; this is without vectors from here on.
    pub(crate) fn with_graph(&mut self, graph: Graph) -> Self {
        let codes = std::mem::replace(&mut self.codes, self.quantizer.new_codes());
        Self {
            metric: self.metric,
            quantizer: self.quantizer.clone(),
            codes,
            graph,
            slots: std::mem::take(&mut self.slots),
            walkers: Walkers::default(),
        }
    }

    /// Appends vectors, which are no nodes yet; returns the slot of the first, and their ids.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::NotFinite`], [`Error::OutOfMemory`]; nothing is appended then.
    pub(crate) fn append(&mut self, vectors: Rows<'_>, pool: Option<&Pool>) -> Result<(u32, Range<u64>)> {
        check_dim(self.quantizer.dim(), vectors)?;
        check_finite("vector", vectors)?;
        self.check_room(vectors.len())?;
        let mut codes = AlignedBytes::new();
        encode_for(&*self.quantizer, self.metric, vectors, pool, &mut codes);
        let ids = self.slots.next_id()..self.slots.next_id() + vectors.len() as u64;
        let first = self.append_codes(codes.as_slice(), ids.clone())?;
        Ok((first, ids))
    }

    fn append_codes(&mut self, codes: &[u8], ids: impl Iterator<Item = u64>) -> Result<u32> {
        self.codes.extend_from_rows(codes)?;
        let first = self.slots.len() as u32;
        self.slots.extend(ids);
        Ok(first)
    }

    /// Appends the vector with this id.
    ///
    /// # Errors
    /// [`Error::UnknownId`].
    pub(crate) fn reconstruct(&self, id: u64, out: &mut Vec<f32>) -> Result<()> {
        let len = self.slots.living();
        let slot = self.slots.slot(id).ok_or(Error::UnknownId { id, len })?;
        self.space().decode(std::iter::once(slot), out);
        Ok(())
    }

    pub(crate) fn check_room(&self, more: usize) -> Result<()> {
        let ids = self.slots.next_id().checked_add(more as u64);
        if self.slots.len() + more <= SLOTS_MAX && ids.is_some_and(|end| end <= MAX_ID) {
            return Ok(());
        }
        let bytes = more.saturating_mul(self.codes.code_len());
        Err(Error::OutOfMemory { bytes })
    }

    /// Refuses what cannot be taken over with `add_id` added to its ids. Ids are given in ascending order: those of
    /// `other` come behind all there have been.
    pub(crate) fn check_merge(&self, other: &Self, add_id: u64) -> Result<()> {
        self.check_room(other.slots.living())?;
        let raised = |slot| other.slots.id(slot).saturating_add(add_id);
        match (
            other.slots.in_use().next().map(raised),
            other.slots.in_use().last().map(raised),
        ) {
            (_, Some(last)) if last >= MAX_ID => Err(Error::IdTooLarge { id: last }),
            (Some(first), _) if first < self.slots.next_id() => Err(Error::DuplicateId { id: first }),
            _ => Ok(()),
        }
    }

    /// Whether both hold codes that stand for the same vectors by the same metric.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.metric == other.metric && is_same_quantizer(&self.quantizer, &other.quantizer)
    }

    /// Appends the vectors of `other`, which has none afterwards; none are nodes yet. Returns their slots.
    ///
    /// # Errors
    /// [`anear_quant::Error::OutOfMemory`]; nothing is appended then.
    pub(crate) fn take_over(&mut self, other: &mut Self, add_id: u64) -> Result<Range<u32>> {
        let slots: Vec<u32> = other.slots.in_use().collect();
        let mut codes = Vec::with_capacity(slots.len() * self.codes.code_len());
        for &slot in &slots {
            other.codes.copy_to(slot as usize..slot as usize + 1, &mut codes);
        }
        let ids = slots.iter().map(|slot| other.slots.id(*slot) + add_id);
        let first = self.append_codes(&codes, ids)?;
        if !slots.is_empty() {
            self.slots.count_on_from(other.slots.next_id() + add_id);
        }
        other.clear();
        other.slots = Slots::default();
        Ok(first..self.slots.len() as u32)
    }

    /// The vectors of these slots, as they are compared.
    pub(crate) fn vectors_of(&self, slots: Range<u32>) -> Vec<f32> {
        let mut vectors = Vec::with_capacity(slots.len() * self.quantizer.dim());
        self.space().decode(slots, &mut vectors);
        vectors
    }

    pub(crate) fn rows<'v>(&self, vectors: &'v [f32]) -> Rows<'v> {
        Rows::new(vectors, self.quantizer.dim()).expect("whole vectors")
    }

    /// Without vectors, nodes and ids, and with as many links for those to come.
    pub(crate) fn emptied(&self) -> Self {
        Self {
            metric: self.metric,
            quantizer: self.quantizer.clone(),
            codes: self.quantizer.new_codes(),
            graph: self.graph.emptied(),
            slots: Slots::default(),
            walkers: Walkers::default(),
        }
    }

    /// Gives the vectors the ids 0, 1, 2, ... in the order of their old ones.
    ///
    /// # Errors
    /// [`anear_quant::Error::OutOfMemory`]; nothing is changed then.
    pub(crate) fn renumber(&mut self) -> Result<()> {
        if !self.slots.are_counted() {
            remove::compact(self)?;
        }
        self.slots = Slots::counted(self.slots.len());
        Ok(())
    }

    /// Without vectors; ids are counted on.
    pub(crate) fn clear(&mut self) {
        self.codes = self.quantizer.new_codes();
        self.graph = self.graph.emptied();
        let next_id = self.slots.next_id();
        self.slots = Slots::default();
        self.slots.count_on_from(next_id);
    }
}

/// The memory of walks and selections that are not going on just now.
pub(crate) type Walkers = Idle<Scratch>;

#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) walker: Walker,
    pub(crate) selector: Selector,
}
