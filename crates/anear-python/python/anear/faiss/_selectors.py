"""Which ids a search may return, and the parameters of one search."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _native


class IDSelector:
    """A rule over ids."""

    _selector: _native.Selector

    def __init__(self, selector: _native.Selector) -> None:
        self._selector = selector

    def is_member(self, id: int) -> bool:
        """Whether `id` is selected."""
        return self._selector.contains(int(id))


class IDSelectorAll(IDSelector):
    """Every id."""

    def __init__(self) -> None:
        super().__init__(_native.Selector.all())


class IDSelectorRange(IDSelector):
    """The ids from `imin` up to but not including `imax`."""

    def __init__(self, imin: int, imax: int, assume_sorted: bool = False) -> None:
        super().__init__(_native.Selector.range(int(imin), int(imax)))
        self.imin, self.imax, self.assume_sorted = imin, imax, assume_sorted


class IDSelectorBatch(IDSelector):
    """The ids of an array."""

    def __init__(self, *indices: Any) -> None:
        # Also as in C++: how many, and which.
        ids = np.ascontiguousarray(indices[-1], dtype=np.int64).reshape(-1)
        super().__init__(_native.Selector.ids(ids))


class IDSelectorArray(IDSelectorBatch):
    """The ids of an array."""


class IDSelectorBitmap(IDSelector):
    """The ids whose bit is set, eight to a byte, lowest first."""

    def __init__(self, *bitmap: Any) -> None:
        bits = np.ascontiguousarray(bitmap[-1], dtype=np.uint8).reshape(-1)
        super().__init__(_native.Selector.bits(bits))


class IDSelectorNot(IDSelector):
    """The ids that another selector refuses."""

    def __init__(self, sel: IDSelector) -> None:
        super().__init__(_native.Selector.negated(sel._selector))


class IDSelectorAnd(IDSelector):
    """The ids that both select."""

    def __init__(self, lhs: IDSelector, rhs: IDSelector) -> None:
        super().__init__(_native.Selector.all_of([lhs._selector, rhs._selector]))


class IDSelectorOr(IDSelector):
    """The ids that one of both selects, or both."""

    def __init__(self, lhs: IDSelector, rhs: IDSelector) -> None:
        super().__init__(_native.Selector.any_of([lhs._selector, rhs._selector]))


class IDSelectorXOr(IDSelector):
    """The ids that just one of both selects."""

    def __init__(self, lhs: IDSelector, rhs: IDSelector) -> None:
        super().__init__(_native.Selector.one_of(lhs._selector, rhs._selector))


def as_selector(ids: Any) -> _native.Selector:
    """A selector, or one of the ids in an array."""
    if isinstance(ids, IDSelector):
        return ids._selector
    return _native.Selector.ids(np.ascontiguousarray(ids, dtype=np.int64).reshape(-1))


class SearchParameters:
    """What one search does otherwise than its index."""

    _names: tuple[str, ...] = ()
    sel: IDSelector | None

    def __init__(self, **parameters: Any) -> None:
        self.sel = None
        for name in self._names:
            setattr(self, name, None)
        for name, value in parameters.items():
            assert name == "sel" or name in self._names, f"{type(self).__name__} has no parameter {name}"
            setattr(self, name, value)

    def _knobs(self) -> dict[str, float]:
        named = ((name, getattr(self, name)) for name in self._names if name not in self._nested)
        knobs = {_KNOBS.get(name, name): float(value) for name, value in named if value is not None}
        for name, prefix in self._nested.items():
            inner = getattr(self, name)
            if isinstance(inner, SearchParameters):
                knobs.update({prefix + knob: value for knob, value in inner._knobs().items()})
        return {name: value for name, value in knobs.items() if value != 0 or name != "max_codes"}

    def _selection(self) -> _native.Selector | None:
        if self.sel is not None:
            return self.sel._selector
        for name in self._nested:
            inner = getattr(self, name)
            if name != "quantizer_params" and isinstance(inner, SearchParameters):
                return inner._selection()
        return None

    _nested: dict[str, str] = {}


# Names of parameters that the engine gives another one.
_KNOBS = {"k_factor": "k_factor_rf"}


class SearchParametersIVF(SearchParameters):
    """`nprobe`, `max_codes`, `quantizer_params`."""

    _names = ("nprobe", "max_codes", "quantizer_params")
    _nested = {"quantizer_params": "quantizer_"}


class IVFSearchParameters(SearchParametersIVF):
    """The older name of `SearchParametersIVF`."""


class SearchParametersIVFPQ(SearchParametersIVF):
    """As `SearchParametersIVF`."""


class SearchParametersHNSW(SearchParameters):
    """`efSearch`."""

    _names = ("efSearch",)


class SearchParametersPQ(SearchParameters):
    """Nothing but `sel`."""


class SearchParametersPreTransform(SearchParameters):
    """`index_params`: those of the index behind the transforms."""

    _names = ("index_params",)
    _nested = {"index_params": ""}


class IndexRefineSearchParameters(SearchParameters):
    """`k_factor`, and `base_index_params`: those of the index that finds candidates."""

    _names = ("k_factor", "base_index_params")
    _nested = {"base_index_params": ""}
