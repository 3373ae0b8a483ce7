"""`compat="langchain"`: what LangChain 0.4 does, to the letter, also where anear thinks better of it.

Two things stay anear's: a call that fails changes nothing, and results are copies.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from langchain_core.documents import Document
from langchain_core.runnables.config import run_in_executor
from langchain_core.vectorstores import VectorStore

from .. import _native
from ._behavior import Behavior, Diverse, Scored, Search
from ._distance import DistanceStrategy
from ._filters import predicate
from ._mmr import maximal_marginal_relevance
from ._model import FUNCTION_AS_MODEL

if TYPE_CHECKING:
    from ._searching import Searches

# Larger is closer; JACCARD is LangChain's wish, not a fact.
_ASCENDING = (DistanceStrategy.MAX_INNER_PRODUCT, DistanceStrategy.JACCARD)

_RELEVANCES: dict[str, Callable[[float], float]] = {
    DistanceStrategy.MAX_INNER_PRODUCT: VectorStore._max_inner_product_relevance_score_fn,
    DistanceStrategy.EUCLIDEAN_DISTANCE: VectorStore._euclidean_relevance_score_fn,
    DistanceStrategy.COSINE: VectorStore._cosine_relevance_score_fn,
}


class LangChainBehavior(Behavior):
    """What LangChain does."""

    replace = False
    takes_pairs = False

    def settle(self, strategy: str, index_metric: str | None, normalize: bool) -> tuple[str, str]:
        """The index alone decides; without one, only MAX_INNER_PRODUCT means inner products."""
        if normalize and strategy != DistanceStrategy.EUCLIDEAN_DISTANCE:
            warnings.warn(f"Normalizing L2 is not applicable for metric type: {strategy}", stacklevel=4)
        by_strategy = "inner_product" if strategy == DistanceStrategy.MAX_INNER_PRODUCT else "l2"
        return index_metric or by_strategy, strategy

    def restated(self, strategy: str, metric: str) -> str:
        """Anything goes."""
        return strategy

    def relevance(self, strategy: str, store: _native.Store) -> Callable[[float], float]:
        """LangChain's formulas, the inverted one of inner products too.

        Raises:
            ValueError: the strategy has none.
        """
        function = _RELEVANCES.get(strategy)
        if function is None:
            raise ValueError("Unknown distance strategy, must be cosine, max_inner_product, or euclidean")
        return function

    def load_settings(self, strategy: str | None, normalize: bool | None) -> tuple[str | None, bool | None]:
        """The saved index decides."""
        return None, normalize

    def check_load(self, allow_dangerous_deserialization: bool, kwargs: dict[str, Any]) -> None:
        """Raises ValueError without the flag."""
        if not allow_dangerous_deserialization:
            raise ValueError(
                "LangChain loads pickle files only with `allow_dangerous_deserialization=True`, and so does "
                'compat="langchain"; anear itself needs no such flag, because it executes nothing'
            )

    def check_saved_model(self, saved: str | None, model: object) -> None:
        """Says nothing."""

    def check_model(self, function: object) -> None:
        """Raises a bare Exception."""
        raise Exception(FUNCTION_AS_MODEL)

    def check_texts(self, texts: Sequence[str], *, first: bool) -> None:
        """Raises the accidents of LangChain's code when there are none."""
        if texts:
            return
        if first:
            raise IndexError("list index out of range")
        raise ValueError("not enough values to unpack (expected 2, got 1)")

    def check_pairs(self) -> None:
        """Raises the accident of LangChain's code."""
        raise ValueError("not enough values to unpack (expected 2, got 0)")

    def checked_vectors(self, store: _native.Store, vectors: Any) -> Any:
        """Raises AssertionError for another dimension."""
        array = np.array(vectors, dtype=np.float32)
        _, width = array.shape
        assert store.dim in (None, width)
        return array

    def check_new_ids(self, store: _native.Store, ids: Sequence[Any] | None) -> None:
        """Raises ValueError for ids that exist."""
        view = store.view()
        taken = {id_ for id_ in ids or () if id_ is not None and view.position(str(id_)) is not None}
        if taken:
            raise ValueError(f"Tried to add ids that already exist: {taken}")

    def as_documents(self, texts: list[str], metadatas: list[Any] | None) -> tuple[list[str], list[Any] | None]:
        """What LangChain's Document makes of them; its errors where it does not."""
        rows = zip(texts, metadatas or ({} for _ in texts), strict=False)
        documents = [Document(page_content=text, metadata=metadata) for text, metadata in rows]
        return [document.page_content for document in documents], [document.metadata for document in documents]

    def ids_to_delete(self, store: _native.Store, ids: Any) -> list[Any]:
        """Raises ValueError for unknown ids and for none, KeyError for one that comes twice."""
        wanted, view = list(ids), store.view()
        missing = {id_ for id_ in wanted if view.position(str(id_)) is None}
        if missing:
            raise ValueError(f"Some specified ids do not exist in the current store. Ids not found: {missing}")
        if not wanted:
            raise ValueError(f"Tried to delete ids that does not  exist: {ids}")
        seen: set[Any] = set()
        for id_ in wanted:
            if id_ in seen:
                raise KeyError(id_)
            seen.add(id_)
        return wanted

    def check_merge(self, store: _native.Store, other: _native.Store) -> None:
        """Raises ValueError for ids that are in both."""
        self.check_new_ids(store, other.view().ids())

    def search_arguments(self, search: Search) -> dict[str, Any]:
        """The nearest, and with a filter `fetch_k` of them; they are filtered afterwards."""
        count = search.k if search.filter is None else search.fetch_k
        return {"vector": search.vector, "k": count, "filter": None, "score_threshold": None, "params": search.params}

    def check_search(self, db: Searches, search: Search) -> None:
        """Raises AssertionError for another dimension or fewer than one."""
        _check_count(db._store, search.vector, search.k if search.filter is None else search.fetch_k)

    def selected(self, db: Searches, search: Search, found: Scored) -> Scored:
        """Filters, compares with the threshold, cuts: in this order."""
        if search.filter is not None:
            wanted = predicate(search.filter)
            found = [(document, score) for document, score in found if wanted(document.metadata)]
        if search.score_threshold is not None:
            reaches = operator.ge if db._strategy in _ASCENDING else operator.le
            found = [hit for hit in found if reaches(np.float32(hit[1]), search.score_threshold)]
        return found[: search.k]

    def can_batch(self) -> bool:
        """One by one, so that every search is filtered as it should."""
        return False

    def mmr(self, db: Searches, diverse: Diverse) -> Scored:
        """Candidates by the query as it came, scores of whoever stands at that place before filtering."""
        store, query = db._store, np.array(diverse.vector, dtype=np.float32)
        count = diverse.fetch_k if diverse.filter is None else diverse.fetch_k * 2
        _check_count(store, query, count)
        view = store.view()
        positions = _nearest(view, query, count)
        vectors = [view.vector(position) for position in positions]
        scores = _scores(view.metric, query, vectors)
        if diverse.filter is not None:
            wanted = predicate(diverse.filter)
            documents = db._with_documents([_hit(view, position) for position in positions])
            kept = [i for i, (document, _) in enumerate(documents) if wanted(document.metadata)]
            positions, vectors = [positions[i] for i in kept], [vectors[i] for i in kept]
        chosen = maximal_marginal_relevance(query, vectors, diverse.lambda_mult, diverse.k)
        return db._with_documents([_hit(view, positions[i], scores[i]) for i in chosen])

    async def ammr(self, db: Searches, diverse: Diverse) -> Scored:
        """The same in the loop's executor, as LangChain does it."""
        return await run_in_executor(None, self.mmr, db, diverse)


def _check_count(store: _native.Store, vector: Any, count: int) -> None:
    assert store.dim is None or len(vector) == store.dim
    assert count > 0


def _nearest(view: _native.View, query: Any, count: int) -> list[int]:
    _, positions = view.nearest(query[None, :], min(count, max(len(view), 1)))
    return [int(position) for position in positions[0] if position >= 0]


def _scores(metric: str, query: Any, vectors: list[Any]) -> list[float]:
    """Scores of the query as it came: LangChain does not scale it to unit length here."""
    if not vectors:
        return []
    rows = np.array(vectors)
    scores = rows @ query if metric == "inner_product" else np.square(rows - query).sum(axis=1)
    return [float(score) for score in scores]


def _hit(view: _native.View, position: int, score: float = 0.0) -> _native.Hit:
    record = view.record(view.id(position) or "")
    assert record is not None
    return *record, score
