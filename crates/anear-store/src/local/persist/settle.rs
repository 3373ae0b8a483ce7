//! From what was read to a store: the builder's settings and the saved ones must agree.

use std::any::Any;
use std::sync::Arc;

use anear_documents::DocumentSet;
use anear_index::{Cosine, Flat, IndexSpec, VectorIndex, VectorIndexExt};
use anear_kernels::{Metric, Rows};

use super::Opened;
use super::meta::Meta;
use crate::error::{Error, Result};
use crate::local::{LocalStore, LocalStoreBuilder, set_knobs};
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
            let kind = meta.index()?;
            agree("index", &kind, self.index.as_ref())?;
            self.index = Some(kind);
            self.dim = self.dim.or(meta.dim.filter(|_| index.is_none()));
        }
        let is_ours = meta.is_some();
        let saved_knobs = meta.as_ref().map(Meta::knobs).unwrap_or_default();
        self.saved_model = meta.map(|meta| meta.model);
        let Some(index) = index else {
            return match documents.into_iter().next() {
                None => {
                    let mut knobs = saved_knobs;
                    self.knobs.iter().for_each(|(name, value)| knobs.set(name, value));
                    self.knobs = knobs;
                    Ok(self.build())
                }
                Some(document) => Err(Error::NoVector {
                    id: document.id.unwrap_or_default(),
                }),
            };
        };
        agree("dimension", index.dim(), self.dim)?;
        self.check_dim(index.dim())?;
        let metric = *self.metric.get_or_insert(index.metric());
        let mut index = with_metric(index, metric, is_ours)?;
        if index.as_add().is_none() {
            return Err(Error::OwnIds {
                index: index.spec().to_string(),
            });
        }
        // Where ids stay when others are removed, LangChain goes on as if they had moved up.
        index.renumber()?;
        set_knobs(&mut *index, &saved_knobs)?;
        set_knobs(&mut *index, &self.knobs)?;
        self.index.get_or_insert_with(|| index.spec());
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
fn with_metric(index: Box<dyn VectorIndex>, metric: Metric, is_ours: bool) -> Result<Box<dyn VectorIndex>> {
    let found = index.metric();
    if found == metric {
        return Ok(index);
    }
    // How a cosine index stands in a Faiss file.
    let is_cosine = (found, metric) == (Metric::InnerProduct, Metric::Cosine);
    if index.spec() != IndexSpec::default() {
        if is_cosine && is_ours {
            return Ok(Cosine::restored(index)?);
        }
        return agree("metric", found, Some(metric)).map(|()| index);
    }
    let any: Box<dyn Any> = index;
    let flat = any.downcast::<Flat>().expect("a flat index is one");
    Ok(match flat.clone().into_cosine() {
        Ok(cosine) if is_cosine => Box::new(cosine),
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
