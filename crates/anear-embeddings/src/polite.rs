//! Long loops in async code that let others have the thread in between.

use std::future::poll_fn;
use std::task::Poll;

/// A slice of work is at most so many texts, and, besides its first, so many bytes: well below a millisecond of copying.
const SLICE_TEXTS: usize = 256;
const SLICE_BYTES: usize = 1 << 20;

/// Gives the executor's thread away once.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// `texts` in consecutive slices that are small enough to be copied at one go.
pub(crate) fn slices(texts: &[String]) -> impl Iterator<Item = &[String]> {
    let mut rest = texts;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = rest.iter().take(SLICE_TEXTS).take_while(|text| {
            bytes += text.len();
            bytes <= SLICE_BYTES
        });
        let (now, later) = rest.split_at(fits.count().max(1).min(rest.len()));
        rest = later;
        (!now.is_empty()).then_some(now)
    })
}

/// A copy of `texts`, made slice by slice.
#[cfg(feature = "openai")]
pub(crate) async fn copied(texts: &[String]) -> Vec<String> {
    let mut copy = Vec::with_capacity(texts.len());
    for slice in slices(texts) {
        copy.extend_from_slice(slice);
        yield_now().await;
    }
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_put_together_are_the_texts_and_none_is_large() {
        let lengths = [0, 5, SLICE_BYTES + 7, 1, SLICE_BYTES / 2, SLICE_BYTES / 2, 1];
        let mut texts: Vec<String> = lengths.iter().map(|len| "x".repeat(*len)).collect();
        texts.extend((0..1000).map(|i| i.to_string()));
        assert_eq!(
            slices(&texts).flatten().collect::<Vec<_>>(),
            texts.iter().collect::<Vec<_>>()
        );
        for slice in slices(&texts) {
            let bytes: usize = slice.iter().map(String::len).sum();
            assert!(slice.len() == 1 || (slice.len() <= SLICE_TEXTS && bytes <= SLICE_BYTES));
        }
        assert_eq!(slices(&[]).count(), 0);
    }
}
