//! From what was read to a store: the builder's settings and the saved ones must agree.

use std::any::Any;
use std::sync::Arc;

use anear_documents::DocumentSet;
use anear_index::{Flat, VectorIndex, VectorIndexExt};
use anear_kernels::{Metric, Rows};

use super::Opened;
use crate::error::{Error, Result};
use crate::local::{LocalStore, LocalStoreBuilder};
use crate::segment::Segment;
use crate::snapshot::Snapshot;

impl LocalStoreBuilder {
    /// A store of what was read.
    pub(super) fn settle(mut self, opened: Opened) -> Result<LocalStore> {
        let Opened { meta, documents, index } = opened;
        if let Some(meta) = &meta {
            let metric = meta.metric()?;
            agree("metric", metric, self.metric)?;
            agree("normalize_l2", meta.normalize_l2, self.normalize_l2)?;
            self.metric = Some(metric);
            self.normalize_l2 = Some(meta.normalize_l2);
            meta.check(&documents, index.as_deref())?;
        }
        self.saved_model = meta.map(|meta| meta.model);
        let Some(index) = index else {
            return match documents.into_iter().next() {
                None => Ok(self.build()),
                Some(document) => Err(Error::NoVector {
                    id: document.id.unwrap_or_default(),
                }),
            };
        };
        agree("dimension", index.dim(), self.dim)?;
        self.check_dim(index.dim())?;
        let metric = *self.metric.get_or_insert(index.metric());
        let index = with_metric(index, metric)?;
        let segment = Segment::new(DocumentSet::new(documents)?, index)?;
        Ok(self.with_snapshot(Snapshot::of(Arc::new(segment))))
    }

    /// A model of another width could never search this store.
    fn check_dim(&self, dim: usize) -> Result<()> {
        match self.embeddings.dim() {
            Some(got) if got != dim => Err(Error::Dimension {
                expected: dim,
                got,
                hint: " from the model; load the store with the model it was built with",
            }),
            _ => Ok(()),
        }
    }
}

fn agree<T: PartialEq + std::fmt::Display>(name: &'static str, saved: T, chosen: Option<T>) -> Result<()> {
    match chosen {
        Some(asked) if asked != saved => Err(Error::SavedSetting {
            name,
            saved: saved.to_string(),
            asked: asked.to_string(),
        }),
        _ => Ok(()),
    }
}

/// The same vectors under `metric`.
fn with_metric(index: Box<dyn VectorIndex>, metric: Metric) -> Result<Box<dyn VectorIndex>> {
    let (kind, found) = (index.kind(), index.metric());
    let any: Box<dyn Any> = index;
    let Ok(flat) = any.downcast::<Flat>() else {
        return Err(Error::IndexKind { kind });
    };
    Ok(match (found, metric) {
        (found, wanted) if found == wanted => flat,
        // How a cosine index stands in a Faiss file.
        (Metric::InnerProduct, Metric::Cosine) => match flat.clone().into_cosine() {
            Ok(cosine) => Box::new(cosine),
            Err(_) => rebuilt(&flat, metric)?,
        },
        _ => rebuilt(&flat, metric)?,
    })
}

/// The vectors added to a new index, as if they had just been embedded.
fn rebuilt(flat: &Flat, metric: Metric) -> Result<Box<dyn VectorIndex>> {
    let mut index = Flat::new(flat.dim(), metric)?;
    let mut vectors = Vec::new();
    flat.reconstruct_n(0..flat.len() as u64, &mut vectors)?;
    index.add(Rows::new(&vectors, flat.dim()).expect("whole vectors were given back"))?;
    Ok(Box::new(index))
}
