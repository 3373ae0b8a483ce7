"""A docstore of somebody else's beside a store: it has the last word on texts and metadata of results.

Docstores are synchronous; asynchronous methods ask them in the loop's executor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.documents import Document

from .. import _native
from ._behavior import Scored
from ._docstore import found, is_addable


def check_addable(docstore: Any) -> None:
    """Raises ValueError when documents cannot be added."""
    if not is_addable(docstore):
        raise ValueError(
            f"If trying to add texts, the underlying docstore should support adding items, which {docstore} does not"
        )


def look_up(docstore: Any, hits: Sequence[_native.Hit]) -> Scored:
    """The documents of hits, as the docstore has them.

    Raises:
        ValueError: it does not have one of them.
    """
    return [(found(docstore, id_), score) for id_, _, _, score in hits]


def put(docstore: Any, documents: dict[str, Document], replaced: list[str]) -> None:
    """Adds documents, after taking out those that they replace; what was there comes back when that fails."""
    answers = {id_: docstore.search(id_) for id_ in replaced}
    before = {id_: answer for id_, answer in answers.items() if isinstance(answer, Document)}
    if before:
        docstore.delete(list(before))
    try:
        docstore.add(documents)
    except Exception:
        if before:
            docstore.add(before)
        raise
