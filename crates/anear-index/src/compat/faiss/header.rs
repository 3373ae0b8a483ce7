//! What every object begins with, after its code: dimension, number of vectors, metric.

use anear_kernels::Metric;

use super::sink::Sink;
use super::source::Source;
use super::{unsound, unsupported};
use crate::{MAX_DIM, Result, VectorIndex};

/// Stands twice in every header, where versions long past had fields.
const DUMMY: i64 = 1 << 20;

/// Faiss's numbers of the metrics that both sides have. Cosine is not one of Faiss's.
const METRICS: &[(i32, Metric)] = &[
    (0, Metric::InnerProduct),
    (1, Metric::L2),
    (2, Metric::L1),
    (3, Metric::Linf),
];

/// Metrics above this number carry an argument in the header.
const LAST_WITHOUT_ARGUMENT: i32 = 1;

/// A header.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Header {
    pub(super) dim: usize,
    pub(super) len: usize,
    pub(super) metric: Metric,
}

impl Header {
    /// What an index says of itself; a cosine index is one by inner product to Faiss.
    pub(super) fn of(index: &dyn VectorIndex) -> Self {
        Self {
            dim: index.dim(),
            len: index.len(),
            metric: match index.metric() {
                Metric::Cosine => Metric::InnerProduct,
                other => other,
            },
        }
    }

    pub(super) fn read(source: &mut Source<'_>) -> Result<Self> {
        let dim = dimension(source.i32("dimension")?)?;
        let len = source.i64("number of vectors")?;
        let len = usize::try_from(len).map_err(|_| unsound(format!("it says it has {len} vectors")))?;
        source.items(2, size_of::<i64>(), "unused header fields")?;
        if !source.bool("is_trained")? {
            return Err(unsound("it is untrained; train it before saving it"));
        }
        let number = source.i32("metric")?;
        let metric = metric(number)?;
        if number > LAST_WITHOUT_ARGUMENT {
            source.f32("metric argument")?;
        }
        Ok(Self { dim, len, metric })
    }

    /// Writes the header of an index.
    pub(super) fn write(index: &dyn VectorIndex, sink: &mut Sink) -> Result<()> {
        let Self { dim, len, metric } = Self::of(index);
        let number = METRICS.iter().find(|(_, known)| *known == metric);
        let number = number.map(|(number, _)| *number).ok_or_else(|| unsupported(index))?;
        sink.i32(dim as i32);
        sink.i64(len as i64);
        sink.i64(DUMMY);
        sink.i64(DUMMY);
        sink.bool(true);
        sink.i32(number);
        if number > LAST_WITHOUT_ARGUMENT {
            sink.f32(0.0);
        }
        Ok(())
    }

    /// Refuses an index within that differs from the one around it.
    pub(super) fn check_within(&self, index: &dyn VectorIndex) -> Result<()> {
        if *self == Self::of(index) {
            return Ok(());
        }
        Err(unsound(format!(
            "{} of dimension {} by {} are around {} of dimension {} by {}",
            self.len,
            self.dim,
            self.metric,
            index.len(),
            index.dim(),
            index.metric()
        )))
    }
}

/// A dimension as it stands in files.
pub(super) fn dimension(value: i32) -> Result<usize> {
    let dim = usize::try_from(value).ok().filter(|dim| (1..=MAX_DIM).contains(dim));
    dim.ok_or_else(|| unsound(format!("its dimension is {value}, expected 1 to {MAX_DIM}")))
}

fn metric(number: i32) -> Result<Metric> {
    let known = METRICS.iter().find(|(known, _)| *known == number);
    known.map(|(_, metric)| *metric).ok_or_else(|| {
        let readable: Vec<_> = METRICS.iter().map(|(n, metric)| format!("{n} ({metric})")).collect();
        unsound(format!(
            "its metric is number {number}; anear reads {}",
            readable.join(", ")
        ))
    })
}
