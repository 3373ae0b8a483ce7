//! What every object begins with, after its code: dimension, number of vectors, metric.

use anear_kernels::{Exponent, Metric};

use super::sink::Sink;
use super::source::Source;
use super::unsound;
use crate::{MAX_DIM, Result, VectorIndex};

/// Stands twice in every header, where versions long past had fields.
const DUMMY: i64 = 1 << 20;

/// Faiss's numbers of the metrics that both sides have. Cosine is not one of Faiss's; Lp has an argument of its own.
const METRICS: &[(i32, Metric)] = &[
    (0, Metric::InnerProduct),
    (1, Metric::L2),
    (2, Metric::L1),
    (3, Metric::Linf),
    (20, Metric::Canberra),
    (21, Metric::BrayCurtis),
    (22, Metric::JensenShannon),
    (23, Metric::Jaccard),
];

/// Faiss's number of the metric whose argument is its exponent.
const LP: i32 = 4;

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
        let argument = if number > LAST_WITHOUT_ARGUMENT {
            source.f32("metric argument")?
        } else {
            0.0
        };
        let metric = metric(number, argument)?;
        Ok(Self { dim, len, metric })
    }

    pub(super) fn write(&self, sink: &mut Sink) {
        let (number, argument) = number_of(self.metric);
        sink.i32(self.dim as i32);
        sink.i64(self.len as i64);
        sink.i64(DUMMY);
        sink.i64(DUMMY);
        sink.bool(true);
        sink.i32(number);
        if number > LAST_WITHOUT_ARGUMENT {
            sink.f32(argument);
        }
    }

    /// Faiss's number of the metric.
    pub(super) fn metric_number(&self) -> i32 {
        number_of(self.metric).0
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

fn metric(number: i32, argument: f32) -> Result<Metric> {
    if number == LP {
        let exponent =
            Exponent::new(argument).ok_or_else(|| unsound(format!("its metric is Lp with p = {argument}")))?;
        return Ok(Metric::Lp(exponent));
    }
    let known = METRICS.iter().find(|(known, _)| *known == number);
    known.map(|(_, metric)| *metric).ok_or_else(|| {
        let readable: Vec<_> = METRICS.iter().map(|(n, metric)| format!("{n} ({metric})")).collect();
        unsound(format!(
            "its metric is number {number}; anear reads {}, {LP} (lp)",
            readable.join(", ")
        ))
    })
}

/// Faiss's number of a metric, and its argument.
fn number_of(metric: Metric) -> (i32, f32) {
    if let Metric::Lp(exponent) = metric {
        return (LP, exponent.get());
    }
    let known = METRICS.iter().find(|(_, known)| *known == metric);
    (known.expect("every metric but cosine is in the list").0, 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::faiss::{read_index, write_index};

    #[test]
    fn metrics_come_back_with_their_argument() {
        let lp = Metric::Lp(Exponent::new(1.5).unwrap());
        for metric in METRICS.iter().map(|(_, metric)| *metric).chain([lp]) {
            let file = write_index(&crate::Flat::new(2, metric).unwrap()).unwrap();
            assert_eq!(read_index(&file).unwrap().metric(), metric);
        }
        assert!(metric(LP, -1.0).is_err());
        assert!(metric(24, 0.0).unwrap_err().to_string().contains("0 (inner_product)"));
    }
}
