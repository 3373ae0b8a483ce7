"""Which ids may be found."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, SupportsIndex

import numpy as np

from .. import _native
from ._arrays import Array, Ids, Pointer, rev_swig_ptr, whole


class IDSelector:
    """A rule over ids: a search returns, or `remove_ids` removes, only those it admits."""

    _rule: _native.Selector

    def is_member(self, id: SupportsIndex) -> bool:
        """Whether the rule admits this id."""
        return self._rule.contains(int(id))

    def _over(self, ids: Callable[[], Ids]) -> _native.Selector:
        """The rule, to be asked about `ids` only; few rules want to know them, and an index may have to gather them."""
        return self._rule

    def __getattr__(self, name: str) -> Any:
        if name == "_rule":
            raise TypeError(f"{type(self).__name__} is no rule of its own; PyCallbackIDSelector(function) asks a function")
        raise AttributeError(f"{type(self).__name__} has no {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(f"{type(self).__name__} cannot be pickled; make it anew of its ids")


def selector_of(ids: Any) -> IDSelector:
    """A selector as it is, or one of the ids in an array.

    Raises:
        AssertionError: the array has more than one dimension.
    """
    if isinstance(ids, IDSelector):
        return ids
    array = np.asarray(ids)
    assert array.ndim == 1, f"expected ids in an array of one dimension, got the shape {array.shape}"
    return IDSelectorBatch(array)


def _inner(sel: Any) -> IDSelector:
    """What another selector is made of."""
    if isinstance(sel, IDSelector):
        return sel
    raise TypeError(f"expected a selector as IDSelectorBatch(ids), got {type(sel).__name__}")


def _listed(args: tuple[Any, ...]) -> Ids:
    """Ids from an array, or from a number and a pointer."""
    if len(args) == 2 and isinstance(args[1], Pointer):
        return rev_swig_ptr(args[1], args[0]).astype(np.int64)
    if len(args) != 1:
        raise TypeError(f"expected an array of ids, got {len(args)} arguments")
    return whole(args[0]).ravel()


class IDSelectorAll(IDSelector):
    """Every id."""

    def __init__(self) -> None:
        """Admits all."""
        self._rule = _native.Selector.all()


class IDSelectorRange(IDSelector):
    """The ids from `imin` to below `imax`."""

    def __init__(self, imin: SupportsIndex, imax: SupportsIndex, assume_sorted: bool = False) -> None:
        """Admits a range."""
        self.imin, self.imax, self.assume_sorted = operator.index(imin), operator.index(imax), assume_sorted
        self._rule = _native.Selector.range(self.imin, self.imax)


class IDSelectorArray(IDSelector):
    """The ids in an array."""

    def __init__(self, *args: Any) -> None:
        """Admits the ids of one array."""
        ids = _listed(args)
        self.n = len(ids)
        self._rule = _native.Selector.ids(ids)


class IDSelectorBatch(IDSelectorArray):
    """The ids in an array."""


class IDSelectorBitmap(IDSelector):
    """The ids whose bit is set: id `i` is bit `i % 8` of byte `i // 8`."""

    def __init__(self, *args: Any) -> None:
        """Admits the ids marked in one array of bytes; before it may stand how many bytes count."""
        *counts, bitmap = args
        array = bitmap.array if isinstance(bitmap, Pointer) else np.asarray(bitmap)
        assert array.dtype == np.uint8, f"expected an array of uint8, got {array.dtype}"
        marked: Array = np.ascontiguousarray(array).ravel()
        self.n = int(counts[0]) if counts else len(marked)
        self._rule = _native.Selector.bits(marked[: self.n])


class IDSelectorNot(IDSelector):
    """The ids that another selector refuses."""

    def __init__(self, sel: IDSelector) -> None:
        """Turns `sel` over."""
        self.sel = _inner(sel)

    @property
    def _rule(self) -> _native.Selector:  # type: ignore[override]
        return _native.Selector.negated(self.sel._rule)

    def _over(self, ids: Callable[[], Ids]) -> _native.Selector:
        return _native.Selector.negated(self.sel._over(ids))


class _Pair(IDSelector):
    def __init__(self, lhs: IDSelector, rhs: IDSelector) -> None:
        """Combines two selectors."""
        self.lhs, self.rhs = _inner(lhs), _inner(rhs)

    @property
    def _rule(self) -> _native.Selector:  # type: ignore[override]
        return self._combined(self.lhs._rule, self.rhs._rule)

    def _over(self, ids: Callable[[], Ids]) -> _native.Selector:
        return self._combined(self.lhs._over(ids), self.rhs._over(ids))

    def _combined(self, lhs: _native.Selector, rhs: _native.Selector) -> _native.Selector:
        raise NotImplementedError


class IDSelectorAnd(_Pair):
    """The ids that both selectors admit."""

    def _combined(self, lhs: _native.Selector, rhs: _native.Selector) -> _native.Selector:
        return _native.Selector.all_of([lhs, rhs])


class IDSelectorOr(_Pair):
    """The ids that at least one of two selectors admits."""

    def _combined(self, lhs: _native.Selector, rhs: _native.Selector) -> _native.Selector:
        return _native.Selector.any_of([lhs, rhs])


class IDSelectorXOr(_Pair):
    """The ids that exactly one of two selectors admits."""

    def _combined(self, lhs: _native.Selector, rhs: _native.Selector) -> _native.Selector:
        return _native.Selector.one_of(lhs, rhs)


class IDSelectorTranslated(IDSelector):
    """Position `i` if another selector admits `id_map[i]`."""

    def __init__(self, id_map: Any, sel: IDSelector | None = None) -> None:
        """Asks `sel` about the id at each position."""
        ids = np.ascontiguousarray(id_map, dtype=np.int64)
        self.sel = sel or IDSelectorAll()
        self._rule = self.sel._over(lambda: ids).positions(ids)


class PyCallbackIDSelector(IDSelector):
    """The ids that a Python function admits; it is asked about each id of the index before the search."""

    def __init__(self, callback: Callable[[int], bool]) -> None:
        """Asks `callback`."""
        if not callable(callback):
            raise TypeError(f"expected a function of an id, got {type(callback).__name__}")
        self.callback = callback

    def is_member(self, id: SupportsIndex) -> bool:
        """Whether the function admits this id."""
        return bool(self.callback(int(id)))

    @property
    def _rule(self) -> _native.Selector:  # type: ignore[override]
        raise RuntimeError("a Python function can select only where the ids of an index are known beforehand")

    def _over(self, ids: Callable[[], Ids]) -> _native.Selector:
        known = ids()
        return _native.Selector.ids(known[[self.is_member(id_) for id_ in known.tolist()]])
