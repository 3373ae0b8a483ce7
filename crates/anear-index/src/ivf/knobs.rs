//! The search parameters of an inverted file: its own, and those of the coarse quantizer, which it has under longer names:
//! `quantizer_efSearch`, as in Faiss's `ParameterSpace`.

use std::ptr;
use std::sync::{Mutex, PoisonError};

use super::{ENSURE_TOPK_FULL, MAX_CODES, NPROBE};
use crate::{Knob, Knobs};

const PREFIX: &str = "quantizer_";

/// Those of an inverted file whose coarse quantizer has these, under the names that the inverted file has for them.
pub(crate) fn over(coarse: &[&'static Knob]) -> Vec<&'static Knob> {
    [&[&NPROBE, &MAX_CODES, &ENSURE_TOPK_FULL], coarse].concat()
}

/// A parameter of the coarse quantizer as one of the inverted file.
///
/// Each is made once and kept for good: they are no more than the constants there are, times how deep inverted files lie in
/// each other.
pub(crate) fn outer(inner: &'static Knob) -> &'static Knob {
    static MADE: Mutex<Vec<(&Knob, &Knob)>> = Mutex::new(Vec::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, outer)) = made.iter().find(|(own, _)| ptr::eq(*own, inner)) {
        return outer;
    }
    let outer = Box::leak(Box::new(Knob {
        name: format!("{PREFIX}{}", inner.name).leak(),
        alias: format!("{PREFIX}{}", inner.alias).leak(),
        doc: format!("Of the coarse quantizer: {}", inner.doc).leak(),
        ..*inner
    }));
    made.push((inner, outer));
    outer
}

/// What the coarse quantizer calls its parameter of this name.
pub(super) fn inner_name(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX)
}

/// What is said to the coarse quantizer.
pub(super) fn inner(knobs: &Knobs) -> Knobs {
    let mut inner = Knobs::default();
    for (name, value) in knobs.iter() {
        if let Some(name) = inner_name(name) {
            inner.set(name, value);
        }
    }
    inner
}

#[cfg(test)]
mod tests {
    use anear_kernels::{Metric, Rows};

    use crate::{IndexSpec, Neighbors, SearchRequest, Training, VectorIndex, VectorIndexExt as _};

    fn numbers() -> Vec<f32> {
        (0..3000u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 16) as f32)
            .collect()
    }

    fn filled(spec: &str, vectors: Rows<'_>) -> Box<dyn VectorIndex> {
        let spec: IndexSpec = spec.parse().unwrap();
        let mut index = spec.train(Metric::L2, vectors, &Training::default()).unwrap();
        index.add(vectors).unwrap();
        index
    }

    #[test]
    fn a_request_reaches_the_coarse_quantizer() {
        let numbers = numbers();
        let vectors = Rows::new(&numbers, 6).unwrap();
        for (spec, name, alias) in [
            ("IVF200_HNSW2,Flat", "quantizer_ef_search", "quantizer_efSearch"),
            ("IVF200(IVF20,Flat),Flat", "quantizer_nprobe", "quantizer_nprobe"),
            (
                "IVF200(IVF40_HNSW2,Flat),Flat",
                "quantizer_quantizer_ef_search",
                "quantizer_quantizer_efSearch",
            ),
        ] {
            let mut index = filled(spec, vectors);
            assert!(index.knobs().iter().any(|knob| knob.name == name), "{spec}");
            let nearest = |index: &dyn VectorIndex, asked: Option<(&str, f64)>| -> Neighbors {
                let mut request = SearchRequest::new(3).with("nprobe", 1.0);
                asked
                    .into_iter()
                    .for_each(|(name, value)| request.knobs.set(name, value));
                index.search(vectors, &request).unwrap()
            };
            index.set_knob(alias, 1.0).unwrap();
            assert_eq!(index.knob(name), Some(1.0), "{spec}");
            let (few, many) = (nearest(&*index, None), nearest(&*index, Some((alias, 200.0))));
            assert!(few != many, "{spec}");
            index.set_knob(name, 200.0).unwrap();
            assert!(nearest(&*index, None) == many, "{spec}");
            assert!(nearest(&*index, Some((name, 1.0))) == few, "{spec}");
        }
    }

    #[test]
    fn a_name_that_the_coarse_quantizer_does_not_know_is_refused() {
        let numbers = numbers();
        let mut index = filled("IVF4,Flat", Rows::new(&numbers, 6).unwrap());
        let request = SearchRequest::new(1).with("quantizer_efSearch", 8.0);
        let error = index
            .search(Rows::new(&numbers[..6], 6).unwrap(), &request)
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("unknown search parameter `quantizer_efSearch`"),
            "{error}"
        );
        assert!(index.set_knob("quantizer_efSearch", 8.0).is_err());
    }
}
