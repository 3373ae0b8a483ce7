//! The pieces into which a separator cuts a text, one by one.

use std::borrow::Cow;
use std::ops::Range;

use super::KeepSeparator;
use super::pattern::Pattern;
use crate::Result;

/// Calls `take` with each piece that is not empty, in order.
///
/// Pieces are borrowed from the text and made one at a time, so that a text of any length costs no more memory than its
/// chunks. What comes out is what Python's `re.split` and LangChain's gluing of separators to pieces make of it.
pub(super) fn for_each_piece<'t>(
    text: &'t str,
    pattern: &Pattern,
    keep: KeepSeparator,
    mut take: impl FnMut(Cow<'t, str>) -> Result<()>,
) -> Result<()> {
    let mut take = |piece: Cow<'t, str>| if piece.is_empty() { Ok(()) } else { take(piece) };
    if pattern.is_everywhere() {
        return characters(text).try_for_each(|piece| take(piece.into()));
    }
    if pattern.groups() > 0 {
        return grouped(text, pattern, keep)?.into_iter().try_for_each(take);
    }
    let mut start = 0;
    let mut last: Option<Range<usize>> = None;
    while let Some(found) = pattern.next_match(text, last.as_ref())? {
        let (end, next) = match keep {
            KeepSeparator::No => (found.start, found.end),
            KeepSeparator::Start => (found.start, found.start),
            KeepSeparator::End => (found.end, found.end),
        };
        take(text[start..end].into())?;
        start = next;
        last = Some(found);
    }
    take(text[start..].into())
}

fn characters(text: &str) -> impl Iterator<Item = &str> {
    text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()])
}

/// The pieces when the separator has groups of its own: `re.split` puts what they matched into its list, and
/// LangChain glues neighbors of that list together two by two, whatever they are.
///
/// Where LangChain fails (a group that took no part, a list of even length), nothing is glued.
fn grouped<'t>(text: &'t str, pattern: &Pattern, keep: KeepSeparator) -> Result<Vec<Cow<'t, str>>> {
    let mut list = Vec::new();
    let mut start = 0;
    let mut last: Option<Range<usize>> = None;
    while let Some(found) = pattern.next_match(text, last.as_ref())? {
        list.push(&text[start..found.start]);
        if keep != KeepSeparator::No {
            list.push(&text[found.clone()]);
        }
        list.extend(
            pattern
                .group_texts(text, &found)?
                .into_iter()
                .map(Option::unwrap_or_default),
        );
        start = found.end;
        last = Some(found);
    }
    list.push(&text[start..]);
    let glued = |pairs: &[&str]| Cow::Owned(pairs.concat());
    Ok(match keep {
        KeepSeparator::No => list.into_iter().map(Cow::Borrowed).collect(),
        KeepSeparator::Start => {
            let pairs = list[1..].chunks(2).map(glued);
            std::iter::once(Cow::Borrowed(list[0])).chain(pairs).collect()
        }
        KeepSeparator::End => {
            // With a list of even length LangChain takes the last entry three times.
            let end = list[list.len() - 1];
            let again = if list.len() % 2 == 0 { 2 } else { 1 };
            let pairs = list.chunks_exact(2).map(glued);
            pairs.chain(std::iter::repeat_n(Cow::Borrowed(end), again)).collect()
        }
    })
}
