"""What a store does where anear and LangChain differ.

`Behavior` is anear's; `_compat.py` has LangChain's. A store picks one when it is made and asks it ever after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document

from .. import _native
from . import _model
from ._distance import DistanceStrategy, metric_of, strategy_of

if TYPE_CHECKING:
    from ._searching import Searches

Scored = list[tuple[Document, float]]
Params = Mapping[str, float]
Filter = dict[str, Any] | Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Search:
    """What the caller of a similarity search asked for."""

    vector: Any
    k: int
    filter: Filter | None
    fetch_k: int
    score_threshold: float | None
    params: Params | None


@dataclass(frozen=True)
class Diverse:
    """What the caller of a search by maximal marginal relevance asked for."""

    vector: Any
    k: int
    fetch_k: int
    lambda_mult: float
    filter: Filter | None
    params: Params | None


class Behavior:
    """What anear does: the k nearest that match, real cosine, replacing of existing ids, all or nothing."""

    replace = True
    """Whether adding an existing id replaces its document."""

    takes_pairs = True
    """Whether the store in Rust may check pairs of texts and vectors, or each list is looked at first."""

    def settle(self, strategy: str, index_metric: str | None, normalize: bool) -> tuple[str, str]:
        """The metric and the strategy of a new store; `index_metric` is that of the index it was given.

        Raises:
            ValueError: the strategy is unknown, or the index compares otherwise.
        """
        metric = metric_of(strategy)
        if index_metric is None or metric == index_metric:
            return metric, DistanceStrategy(strategy)
        # The default of the signature cannot be told from a wish, and the index is one.
        if metric == "l2":
            return index_metric, strategy_of(index_metric)
        if metric == "cosine":
            return metric, DistanceStrategy(strategy)
        raise ValueError(
            f"distance_strategy {DistanceStrategy(strategy).value} and an index by {index_metric} contradict each "
            f"other: give an IndexFlatIP, or leave out distance_strategy"
        )

    def restated(self, strategy: str, metric: str) -> str:
        """A strategy assigned to a store that compares by `metric`.

        Raises:
            ValueError: it is another one.
        """
        if metric_of(strategy) != metric:
            raise ValueError(
                f"this store compares by {metric}; for {DistanceStrategy(strategy).value} make another one: "
                "`FAISS.from_embeddings(..., distance_strategy=...)`"
            )
        return DistanceStrategy(strategy)

    def relevance(self, strategy: str, store: _native.Store) -> Callable[[float], float]:
        """The function from scores to relevances."""
        return store.relevance

    def load_settings(self, strategy: str | None, normalize: bool | None) -> tuple[str | None, bool | None]:
        """The metric and the normalization that a saved store must have; None: those it has."""
        return (None if strategy is None else metric_of(strategy)), normalize

    def check_load(self, allow_dangerous_deserialization: bool, kwargs: dict[str, Any]) -> None:
        """Takes out of `kwargs` what loading accepts without effect. Nothing is dangerous: no pickle is executed."""
        kwargs.pop("asynchronous", None)

    def check_saved_model(self, saved: str | None, model: object) -> None:
        """Warns where a store is opened with another model than it was saved with."""
        _model.warn_of_another(saved, model)

    def check_model(self, function: object) -> None:
        """Whether asynchronous methods may call a plain function to embed. They may."""

    def check_texts(self, texts: Sequence[str], *, first: bool) -> None:
        """Whether this many texts may be added, `first` to a new store. Any number may."""

    def check_pairs(self) -> None:
        """Whether no pairs of texts and vectors at all may be added. They may."""

    def checked_vectors(self, store: _native.Store, vectors: Any) -> Any:
        """Vectors to add; the store itself checks them."""
        return vectors

    def check_new_ids(self, store: _native.Store, ids: Sequence[Any] | None) -> None:
        """Whether these ids may be added. All may: those that exist are replaced."""

    def as_documents(self, texts: list[str], metadatas: list[Any] | None) -> tuple[list[str], list[Any] | None]:
        """Texts and metadatas to add; the store itself checks them."""
        return texts, metadatas

    def ids_to_delete(self, store: _native.Store, ids: Any) -> list[Any]:
        """The ids that a call of `delete` means; unknown ones do no harm."""
        if isinstance(ids, (str, bytes)):
            raise TypeError(f"delete takes a list of ids; for one id: delete([{ids!r}])")
        return list(ids)

    def check_merge(self, store: _native.Store, other: _native.Store) -> None:
        """Whether all documents of `other` may be added to `store`; the store itself checks that."""

    def search_arguments(self, search: Search) -> dict[str, Any]:
        """The arguments of the search in Rust."""
        return {
            "vector": search.vector,
            "k": search.k,
            "filter": search.filter,
            "score_threshold": search.score_threshold,
            "params": search.params,
        }

    def check_search(self, db: Searches, search: Search) -> None:
        """Whether the search makes sense; the store itself checks that."""

    def selected(self, db: Searches, search: Search, found: Scored) -> Scored:
        """The results among what the search in Rust found."""
        return found

    def can_batch(self) -> bool:
        """Whether many searches may run as one in Rust."""
        return True

    def mmr(self, db: Searches, diverse: Diverse) -> Scored:
        """Results by maximal marginal relevance: among the `fetch_k` nearest that match, with their own scores."""
        return db._with_documents(db._store.mmr(**_mmr_arguments(diverse)))

    async def ammr(self, db: Searches, diverse: Diverse) -> Scored:
        """Results by maximal marginal relevance, without a thread."""
        return await db._awith_documents(await db._store.ammr(**_mmr_arguments(diverse)))


def _mmr_arguments(diverse: Diverse) -> dict[str, Any]:
    return {
        "vector": diverse.vector,
        "k": diverse.k,
        "fetch_k": diverse.fetch_k,
        "lambda_mult": diverse.lambda_mult,
        "filter": diverse.filter,
        "params": diverse.params,
    }
