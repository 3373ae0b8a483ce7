"""Ids of the caller's for the vectors of an index within: what id maps of float and of bit vectors share."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from ._arrays import Ids, Int64Vector
from ._params import SearchParameters
from ._selectors import IDSelector, IDSelectorTranslated

GONE = -1
"""Stands where the index within has no vector any more, though it keeps the ids of the others."""


class Within(Protocol):
    """An index that an id map is around."""

    def _keeps_ids(self) -> bool: ...

    def remove_ids(self, x: Any) -> int:
        """Removes what is selected."""
        ...


I = TypeVar("I", bound=Within)


class Named(Generic[I]):
    """`id_map[i]` is the id of the vector that the index within calls `i`."""

    index: I
    id_map: Int64Vector

    @property
    def _ids(self) -> Ids:
        return self.id_map._values

    def _living(self) -> Ids:
        """What the index within calls its vectors."""
        keeps_ids = self.index._keeps_ids()
        return np.flatnonzero(self._ids != GONE) if keeps_ids else np.arange(len(self._ids))

    def _own_ids(self) -> Ids:
        return self._ids[self._living()]

    def _inner(self, params: SearchParameters | None) -> SearchParameters | None:
        """The parameters, with a selector of what the index within calls its vectors."""
        if params is None or params.sel is None:
            return params
        inner = type(params)(**vars(params))
        inner.sel = IDSelectorTranslated(self._ids, params.sel)
        return inner

    def _rename(self, found: Ids) -> None:
        named = found >= 0
        found[named] = self._ids[found[named]]

    def _append(self, ids: Ids) -> None:
        self.id_map._values = np.concatenate([self._ids, ids])

    def _remove(self, selector: IDSelector) -> int:
        living = self._living()
        ids = self._ids[living]
        doomed = living[selector._over(lambda: ids).mask(ids)]
        count = self.index.remove_ids(doomed)
        if self.index._keeps_ids():
            self._ids[doomed] = GONE
        else:
            self.id_map._values = np.delete(self._ids, doomed)
        return count

    def _places(self, ids: Ids) -> Ids:
        """What the index within calls the vectors of these ids: the newest of those that share one.

        Raises:
            RuntimeError: there is no such vector.
        """
        living = self._living()
        own = self._ids[living]
        order = np.argsort(own, kind="stable")
        places = np.searchsorted(own, ids, sorter=order, side="right") - 1
        missing = (places < 0) | (own[order[np.maximum(places, 0)]] != ids) if len(order) else ids == ids
        if missing.any():
            raise RuntimeError(f"key {ids[missing][0]} not found")
        return living[order[places]]

    def _numbers(self) -> list[int]:
        """The ids as the engine takes them.

        Raises:
            RuntimeError: one is below 0.
        """
        if (self._own_ids() < 0).any():
            raise RuntimeError("ids below 0 cannot be saved")
        numbers: list[int] = self._ids.astype(np.uint64).tolist()
        return numbers
