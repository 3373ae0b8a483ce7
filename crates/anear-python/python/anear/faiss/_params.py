"""What a search can be told."""

from __future__ import annotations

from typing import Any

from ._known import hint
from ._selectors import IDSelector


class SearchParameters:
    """Which ids may be found; the classes below add what kinds of indexes understand.

    Every parameter can be given by name. One that does not exist is refused when it is set.
    """

    sel: IDSelector | None = None

    def __init__(self, **parameters: Any) -> None:
        """Sets parameters by name.

        Raises:
            AssertionError: there is none of this name.
            TypeError: `sel` is no selector.
        """
        for name, value in parameters.items():
            assert self._has(name), f"{type(self).__name__} has no parameter {name!r}{hint(name, dir(type(self)))}"
            self._put(name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if not self._has(name):
            raise AttributeError(f"{type(self).__name__} has no parameter {name!r}{hint(name, dir(type(self)))}")
        self._put(name, value)

    def _put(self, name: str, value: Any) -> None:
        if name == "sel" and not isinstance(value, IDSelector | None):
            raise TypeError(f"sel must be a selector as IDSelectorBatch(ids), got {type(value).__name__}")
        object.__setattr__(self, name, value)

    @classmethod
    def _has(cls, name: str) -> bool:
        return not name.startswith("_") and hasattr(cls, name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


def checked(params: SearchParameters | None) -> SearchParameters | None:
    """What a search is told, if it is one of these classes.

    Raises:
        TypeError: it is not.
    """
    if isinstance(params, SearchParameters | None):
        return params
    kind = type(params).__name__
    raise TypeError(
        f"'params' must be search parameters, as SearchParametersIVF(nprobe=16) of lists or SearchParametersNear(recall=0.9) "
        f"of an index that is asked for a recall, got {kind}"
    )


class SearchParametersIVF(SearchParameters):
    """Parameters of inverted files."""

    nprobe = 1
    max_codes = 0
    max_lists_num = 0
    ensure_topk_full = False
    max_empty_result_buckets = 0
    quantizer_params: SearchParameters | None = None
    inverted_list_context: Any = None


IVFSearchParameters = SearchParametersIVF


class IVFPQSearchParameters(SearchParametersIVF):
    """Parameters of inverted files of product codes."""

    scan_table_threshold = 0
    polysemous_ht = 0


SearchParametersIVFPQ = IVFPQSearchParameters


class IVFRaBitQSearchParameters(SearchParametersIVF):
    """Parameters of inverted files of RaBitQ codes."""

    qb = 0
    centered = False


class SearchParametersHNSW(SearchParameters):
    """Parameters of graphs."""

    efSearch = 16
    check_relative_distance = True
    bounded_queue = True


class SearchParametersNear(SearchParameters):
    """Parameters of indexes that are asked for a recall; `None` stands for what the index has."""

    recall: float | None = None
    visits: int | None = None
    candidates: int | None = None


class SearchParametersPQ(SearchParameters):
    """Parameters of product codes."""

    search_type = 0
    polysemous_ht = 0


class RaBitQSearchParameters(SearchParameters):
    """Parameters of RaBitQ codes."""

    qb = 4
    centered = False


class SearchParametersPreTransform(SearchParameters):
    """Parameters for the index behind transforms."""

    index_params: SearchParameters | None = None


class IndexRefineSearchParameters(SearchParameters):
    """Parameters of indexes that rank anew."""

    k_factor = 1.0
    base_index_params: SearchParameters | None = None
