//! The vectors themselves, kept without loss in as few bytes as they take.

use std::ops::Range;

use anear_bytes::AlignedBytes;
use anear_kernels::{Metric, PackedQuery, Packing, Rows, halves};

use crate::{Error, Result};

/// How a component is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// Whole numbers from 0 to 255, as of images.
    Byte,
    /// What half precision can tell apart, as many models give.
    Half,
    /// Everything else.
    Float,
}

impl Form {
    pub(super) const ALL: [Self; 3] = [Self::Byte, Self::Half, Self::Float];

    /// The narrowest in which nothing of these components is lost.
    pub(super) fn of(components: &[f32]) -> Self {
        let keeps = |form: &Self| components.chunks(1 << 12).all(|part| form.keeps(part));
        Self::ALL.into_iter().find(keeps).unwrap_or(Self::Float)
    }

    fn keeps(self, components: &[f32]) -> bool {
        match self {
            Self::Byte => components
                .iter()
                .all(|x| f32::from(*x as u8) == *x && x.is_sign_positive()),
            Self::Half => {
                let (mut bits, mut back) = (vec![[0; 2]; components.len()], vec![0.0; components.len()]);
                halves(components, &mut bits);
                Packing::F16.unpack(bits.as_flattened(), &mut back);
                back.iter().zip(components).all(|(a, b)| a.to_bits() == b.to_bits())
            }
            Self::Float => true,
        }
    }

    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Byte => 1,
            Self::Half => 2,
            Self::Float => 4,
        }
    }

    fn packing(self) -> Option<Packing> {
        match self {
            Self::Byte => Some(Packing::U8),
            Self::Half => Some(Packing::F16),
            Self::Float => None,
        }
    }

    fn write(self, components: &[f32], out: &mut AlignedBytes) {
        match self {
            Self::Byte => {
                let bytes: Vec<u8> = components.iter().map(|x| *x as u8).collect();
                out.extend_from_slice(&bytes);
            }
            Self::Half => {
                let mut bits = vec![[0; 2]; components.len()];
                halves(components, &mut bits);
                out.extend_from_slice(bits.as_flattened());
            }
            Self::Float => out.extend_from_slice(bytemuck::cast_slice(components)),
        }
    }
}

/// Vectors by slot.
#[derive(Clone, Debug)]
pub(super) struct Exact {
    metric: Metric,
    dim: usize,
    form: Form,
    bytes: AlignedBytes,
}

/// A query prepared for comparing, in memory that is used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Comparing {
    /// For vectors of this form.
    packed: Option<(Form, PackedQuery)>,
    positions: Vec<usize>,
}

impl Exact {
    pub(super) fn new(metric: Metric, dim: usize) -> Self {
        Self {
            metric,
            dim,
            form: Form::Byte,
            bytes: AlignedBytes::new(),
        }
    }

    /// Nothing yet, in the form that all of these vectors need, with room for them.
    ///
    /// # Errors
    /// [`anear_quant::Error::OutOfMemory`].
    pub(super) fn for_all(metric: Metric, vectors: Rows<'_>) -> Result<Self> {
        let form = Form::of(vectors.as_slice());
        let mut exact = Self::from_parts(metric, vectors.dim(), form, AlignedBytes::new());
        let bytes = vectors.len() * exact.row_len();
        reserve(&mut exact.bytes, bytes)?;
        Ok(exact)
    }

    /// Forgets the vectors from this slot on.
    pub(super) fn truncate(&mut self, len: usize) {
        let bytes = len * self.row_len();
        self.bytes.truncate(bytes);
    }

    pub(super) fn from_parts(metric: Metric, dim: usize, form: Form, bytes: AlignedBytes) -> Self {
        Self {
            metric,
            dim,
            form,
            bytes,
        }
    }

    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    pub(super) fn form(&self) -> Form {
        self.form
    }

    pub(super) fn as_bytes(&self) -> &AlignedBytes {
        &self.bytes
    }

    pub(super) fn row_len(&self) -> usize {
        self.dim * self.form.bytes()
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() / self.row_len()
    }

    /// Appends vectors; all are kept in a wider form from now on if these need it.
    ///
    /// # Errors
    /// [`anear_quant::Error::OutOfMemory`]; nothing is appended then.
    pub(super) fn extend(&mut self, vectors: Rows<'_>) -> Result<()> {
        let form = Form::of(vectors.as_slice()).max(self.form);
        if form != self.form {
            let mut wider = AlignedBytes::new();
            reserve(&mut wider, (self.len() + vectors.len()) * self.dim * form.bytes())?;
            let mut vector = Vec::with_capacity(self.dim);
            for slot in 0..self.len() {
                vector.clear();
                self.decode(slot as u32, &mut vector);
                form.write(&vector, &mut wider);
            }
            (self.form, self.bytes) = (form, wider);
        }
        let additional = vectors.len() * self.row_len();
        reserve(&mut self.bytes, additional)?;
        form.write(vectors.as_slice(), &mut self.bytes);
        Ok(())
    }

    fn row(&self, slot: u32) -> &[u8] {
        &self.bytes.as_slice()[slot as usize * self.row_len()..][..self.row_len()]
    }

    /// Appends the vector in a slot.
    pub(super) fn decode(&self, slot: u32, out: &mut Vec<f32>) {
        let start = out.len();
        out.resize(start + self.dim, 0.0);
        match self.form.packing() {
            Some(packing) => packing.unpack(self.row(slot), &mut out[start..]),
            None => bytemuck::cast_slice_mut(&mut out[start..]).copy_from_slice(self.row(slot)),
        }
    }

    /// Makes a query ready for [`distances`](Self::distances) and [`distances_in`](Self::distances_in).
    pub(super) fn prepare(&self, query: &[f32], into: &mut Comparing) {
        let Some(packing) = self.form.packing() else {
            return;
        };
        let packed = match (&mut into.packed, self.metric) {
            (Some((form, packed)), Metric::L2) if *form == self.form => return packed.set_offsets(query),
            (_, Metric::L2) => PackedQuery::squares(packing, query, &vec![1.0; self.dim]),
            _ => {
                let weights: Vec<f32> = query.iter().map(|x| -x).collect();
                PackedQuery::products(packing, &weights, 0.0)
            }
        };
        into.packed = Some((self.form, packed));
    }

    /// The vectors, where they are kept as floats.
    pub(super) fn rows(&self) -> Option<Rows<'_>> {
        (self.form == Form::Float).then(|| self.floats(self.bytes.as_slice()))
    }

    /// The distances of a query to the vectors in a run of slots.
    pub(super) fn distances_in(&self, query: &[f32], prepared: &Comparing, slots: Range<usize>, out: &mut [f32]) {
        let bytes = &self.bytes.as_slice()[slots.start * self.row_len()..slots.end * self.row_len()];
        match self.packed(prepared) {
            Some(packed) => packed.distances(bytes, out),
            None => self.metric.distances(query, self.floats(bytes), out),
        }
    }

    /// The distances of a query to the vectors in these slots.
    pub(super) fn distances(&self, query: &[f32], prepared: &mut Comparing, slots: &[u32], out: &mut [f32]) {
        if slots.is_sorted_by(|a, b| a.checked_add(1) == Some(*b))
            && let [first, ..] = *slots
        {
            let first = first as usize;
            return self.distances_in(query, prepared, first..first + slots.len(), out);
        }
        match self.packed(prepared) {
            Some(packed) => packed.distances_at(self.bytes.as_slice(), slots, out),
            None => {
                prepared.positions.clear();
                prepared.positions.extend(slots.iter().map(|slot| *slot as usize));
                let rows = self.floats(self.bytes.as_slice());
                self.metric.distances_at(query, rows, &prepared.positions, out);
            }
        }
    }

    /// What compares vectors that are kept in fewer bytes than floats.
    fn packed<'a>(&self, prepared: &'a Comparing) -> Option<&'a PackedQuery> {
        self.form.packing()?;
        let (_, packed) = prepared.packed.as_ref().expect("a prepared query");
        Some(packed)
    }

    fn floats<'a>(&self, bytes: &'a [u8]) -> Rows<'a> {
        Rows::new(bytemuck::cast_slice(bytes), self.dim).expect("whole vectors")
    }
}

fn reserve(bytes: &mut AlignedBytes, additional: usize) -> Result<()> {
    let refused = |_| Error::Quantizer(anear_quant::Error::OutOfMemory { bytes: additional });
    bytes.try_reserve(additional).map_err(refused)
}
