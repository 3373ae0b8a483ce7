"""Inverted lists: the codes and ids of an inverted file's lists, alone, stacked or within an index."""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex, cast

import numpy as np
import numpy.typing as npt

from ._arrays import Array, Codes, Ids, Int64Vector, Pointer, output, pointed
from ._known import Known
from ._params import SearchParameters, SearchParametersIVF
from ._selectors import IDSelectorAnd, IDSelectorArray


class InvertedLists(Known):
    """Lists of codes, each code with an id. What it shows are copies.

    The methods that begin with an underscore are what kinds of lists differ in.
    """

    SUBSET_TYPE_ID_RANGE, SUBSET_TYPE_ID_MOD, SUBSET_TYPE_ELEMENT_RANGE = range(3)
    SUBSET_TYPE_INVLIST_FRACTION, SUBSET_TYPE_INVLIST = range(3, 5)
    INVALID_CODE_SIZE = (1 << 64) - 1

    def __init__(self, nlist: SupportsIndex, code_size: SupportsIndex) -> None:
        """`nlist` empty lists of codes of `code_size` bytes."""
        self.nlist, self.code_size = operator.index(nlist), operator.index(code_size)

    def list_size(self, list_no: SupportsIndex) -> int:
        """How many codes are in a list.

        Raises:
            RuntimeError: there is no such list.
        """
        return len(self._list(self._number(list_no))[0])

    def is_empty(self, list_no: SupportsIndex) -> bool:
        """Whether a list has no code."""
        return self.list_size(list_no) == 0

    def get_ids(self, list_no: SupportsIndex) -> Pointer:
        """A copy of the ids of a list."""
        return Pointer(self._list(self._number(list_no))[0].copy())

    def get_codes(self, list_no: SupportsIndex) -> Pointer:
        """A copy of the codes of a list."""
        return Pointer(self._list(self._number(list_no))[1].copy())

    def get_single_id(self, list_no: SupportsIndex, offset: SupportsIndex) -> int:
        """The id at a place of a list."""
        return int(self._list(self._number(list_no))[0][operator.index(offset)])

    def get_single_code(self, list_no: SupportsIndex, offset: SupportsIndex) -> Pointer:
        """A copy of the code at a place of a list."""
        return Pointer(self._list(self._number(list_no))[1][operator.index(offset)].copy())

    def release_ids(self, list_no: SupportsIndex, ids: Any) -> None:
        """Nothing to do."""

    def release_codes(self, list_no: SupportsIndex, codes: Any) -> None:
        """Nothing to do."""

    def prefetch_lists(self, list_nos: Any, nlist: int) -> None:
        """Nothing to do."""

    def compute_ntotal(self) -> int:
        """How many codes there are in all lists."""
        return int(self._sizes().sum())

    def imbalance_factor(self) -> float:
        """1 for lists of equal size; `nlist` if one has all codes."""
        sizes = self._sizes().astype(float)
        total = sizes.sum()
        return float(len(sizes) * (sizes**2).sum() / total**2) if total else 1.0

    def print_stats(self) -> None:
        """Prints how many lists have how many codes."""
        sizes = self._sizes()
        for power in range(int(sizes.max(initial=0)).bit_length() + 1):
            low, high = 1 << power >> 1, 1 << power
            print(f"list size in {low} .. {high}: {int(((sizes >= low) & (sizes < high)).sum())} instances")

    def add_entry(self, list_no: SupportsIndex, theid: SupportsIndex, code: Any) -> int:
        """Appends a code; returns its place."""
        return self.add_entries(list_no, 1, np.array([operator.index(theid)], np.int64), code)

    def add_entries(self, list_no: SupportsIndex, n_entry: SupportsIndex, ids: Any, code: Any) -> int:
        """Appends `n_entry` codes; returns the place of the first."""
        number, count = self._number(list_no), operator.index(n_entry)
        place = self.list_size(number)
        if count:
            self._append(number, *self._entries(count, ids, code))
        return place

    def update_entry(self, list_no: SupportsIndex, offset: SupportsIndex, id: SupportsIndex, code: Any) -> None:
        """Puts another code at a place."""
        self.update_entries(list_no, offset, 1, np.array([operator.index(id)], np.int64), code)

    def update_entries(
        self, list_no: SupportsIndex, offset: SupportsIndex, n_entry: SupportsIndex, ids: Any, code: Any
    ) -> None:
        """Puts `n_entry` other codes at the places from `offset` on.

        Raises:
            RuntimeError: the list has not as many.
        """
        number, start, count = self._number(list_no), operator.index(offset), operator.index(n_entry)
        ids_now, codes_now = self._list(number)
        own_ids, own_codes = ids_now.copy(), codes_now.copy()
        if not 0 <= start <= start + count <= len(own_ids):
            raise RuntimeError(f"list {number} has {len(own_ids)} codes, none from {start} to {start + count}")
        own_ids[start : start + count], own_codes[start : start + count] = self._entries(count, ids, code)
        self._replace(number, own_ids, own_codes)

    def resize(self, list_no: SupportsIndex, new_size: SupportsIndex) -> None:
        """Cuts a list, or fills it up with zeros."""
        number, count = self._number(list_no), operator.index(new_size)
        ids, codes = self._list(number)
        more = max(0, count - len(ids))
        more_ids, more_codes = np.zeros(more, np.int64), np.zeros((more, self.code_size), np.uint8)
        self._replace(number, np.concatenate([ids[:count], more_ids]), np.vstack([codes[:count], more_codes]))

    def reset(self) -> None:
        """Empties all lists."""
        for number in range(self.nlist):
            self._replace(number, np.empty(0, np.int64), np.empty((0, self.code_size), np.uint8))

    def merge_from(self, oivf: InvertedLists, add_id: SupportsIndex) -> None:
        """Takes over the codes of other lists, which are empty then; their ids grow by `add_id`."""
        self._check_alike(oivf)
        lists = [oivf._list(number) for number in range(self.nlist)]
        self._append_all([(ids + operator.index(add_id), codes) for ids, codes in lists])
        oivf.reset()

    def _append_all(self, lists: list[tuple[Ids, Codes]]) -> None:
        for number, (ids, codes) in enumerate(lists):
            self._append_any(number, ids, codes)

    def _append_any(self, number: int, ids: Ids, codes: Codes) -> None:
        if len(ids):
            self._append(number, ids, codes)

    def copy_subset_to(self, other: InvertedLists, subset_type: int, a1: int, a2: int) -> int:
        """Appends some of the codes to other lists; returns how many.

        By the type: those with ids from `a1` to below `a2`; those whose ids leave `a2` when divided by `a1`; as many as
        from `a1` to `a2` of all, spread over the lists; of each list part `a2` of `a1`; those of lists from `a1` to `a2`.

        Raises:
            RuntimeError: there is no such type.
        """
        self._check_alike(other)
        first, copied, total, lists = 0, 0, max(1, self.compute_ntotal()), []
        for number in range(self.nlist):
            ids, codes = self._list(number)
            keep = self._chosen(subset_type, a1, a2, number, ids, first, total)
            lists.append((ids[keep], codes[keep]))
            first += len(ids)
        for number, (ids, codes) in enumerate(lists):
            copied += len(ids)
            if len(ids):
                other._append(number, ids, codes)
        return copied

    @classmethod
    def _chosen(cls, subset_type: int, a1: int, a2: int, number: int, ids: Ids, first: int, total: int) -> Array:
        """Which codes of list `number` are of a subset, where `first` of `total` codes are in the lists before."""
        if subset_type == cls.SUBSET_TYPE_ID_RANGE:
            return (ids >= a1) & (ids < a2)
        if subset_type == cls.SUBSET_TYPE_ID_MOD:
            return np.asarray(ids % a1 == a2)
        places = np.arange(len(ids))
        if subset_type == cls.SUBSET_TYPE_ELEMENT_RANGE:
            start, stop = ((first + len(ids)) * a // total - first * a // total for a in (a1, a2))
            return (places >= start) & (places < stop)
        if subset_type == cls.SUBSET_TYPE_INVLIST_FRACTION:
            return (places >= len(ids) * a2 // a1) & (places < len(ids) * (a2 + 1) // a1)
        if subset_type == cls.SUBSET_TYPE_INVLIST:
            return np.full(len(ids), a1 <= number < a2)
        raise RuntimeError(f"there is no subset of type {subset_type}; there are 0 to 4")

    def _check_alike(self, other: InvertedLists) -> None:
        if (self.nlist, self.code_size) != (other.nlist, other.code_size):
            raise RuntimeError(
                f"{other.nlist} lists of codes of {other.code_size} bytes do not match "
                f"{self.nlist} lists of codes of {self.code_size} bytes"
            )

    def _number(self, list_no: SupportsIndex) -> int:
        number = operator.index(list_no)
        if not 0 <= number < self.nlist:
            raise RuntimeError(f"there is no list {number}; there are {self.nlist}")
        return number

    def _entries(self, count: int, ids: Any, code: Any) -> tuple[Ids, Codes]:
        codes = pointed(code, count * self.code_size, np.uint8).reshape(count, self.code_size)
        return pointed(ids, count, np.int64), codes

    def _sizes(self) -> Ids:
        return np.array([len(self._list(number)[0]) for number in range(self.nlist)], np.int64)

    def _list(self, number: int) -> tuple[Ids, Codes]:
        raise NotImplementedError

    def _append(self, number: int, ids: Ids, codes: Codes) -> None:
        self._replace(number, ids, codes)

    def _replace(self, number: int, ids: Ids, codes: Codes) -> None:
        raise RuntimeError(f"{type(self).__name__} can only be read")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} nlist={self.nlist} code_size={self.code_size}>"


class ArrayInvertedLists(InvertedLists):
    """Lists in memory.

    >>> import numpy as np
    >>> lists = ArrayInvertedLists(2, 4)
    >>> lists.add_entries(1, 2, np.array([70, 80]), np.zeros((2, 4), np.uint8))
    0
    >>> lists.list_size(1), lists.get_single_id(1, 0)
    (2, 70)
    """

    def __init__(self, nlist: SupportsIndex, code_size: SupportsIndex) -> None:
        """`nlist` empty lists of codes of `code_size` bytes."""
        super().__init__(nlist, code_size)
        nothing = (np.empty(0, np.int64), np.empty((0, self.code_size), np.uint8))
        self._stored: list[tuple[Ids, Codes]] = [nothing] * self.nlist

    def permute_invlists(self, map: Any) -> None:
        """Makes list `map[i]` the list `i`."""
        order = pointed(map, self.nlist, np.int64)
        assert (np.sort(order) == np.arange(self.nlist)).all(), "expected every list once"
        lists = [self._list(int(source)) for source in order]
        self.reset()
        for number, (ids, codes) in enumerate(lists):
            self._append(number, ids, codes)

    def _list(self, number: int) -> tuple[Ids, Codes]:
        return self._stored[number]

    def _append(self, number: int, ids: Ids, codes: Codes) -> None:
        own_ids, own_codes = self._stored[number]
        self._replace(number, np.concatenate([own_ids, ids]), np.vstack([own_codes, codes]))

    def _replace(self, number: int, ids: Ids, codes: Codes) -> None:
        self._stored[number] = (ids, codes)


class ListsWithin(ArrayInvertedLists):
    """The lists of an inverted file, as they are now; what is done to them is done to the index."""

    def __init__(self, index: Any) -> None:
        """Shows the lists of `index`."""
        InvertedLists.__init__(self, index.nlist, index.code_size)
        self._of = index

    def reset(self) -> None:
        """Empties all lists."""
        self._of.reset()

    def _sizes(self) -> Ids:
        if self._of._index is None:
            return np.zeros(self.nlist, np.int64)
        sizes: Ids = self._of._list_sizes()
        return sizes

    def _list(self, number: int) -> tuple[Ids, Codes]:
        if self._of._index is None:
            return np.empty(0, np.int64), np.empty((0, self.code_size), np.uint8)
        found: tuple[Ids, Codes] = self._of._list_at(number)
        return found

    def _append(self, number: int, ids: Ids, codes: Codes) -> None:
        self._of._live.add_codes(np.full(len(ids), number, np.uint32), ids, np.ascontiguousarray(codes))

    def resize(self, list_no: SupportsIndex, new_size: SupportsIndex) -> None:
        """Cuts a list.

        Raises:
            RuntimeError: the list has fewer codes; those to come need ids, see `add_entries`.
        """
        size = self.list_size(list_no)
        if operator.index(new_size) > size:
            raise RuntimeError(f"list {list_no} of an index has {size} codes; add others under ids, by add_entries")
        super().resize(list_no, new_size)

    def _replace(self, number: int, ids: Ids, codes: Codes) -> None:
        before = self._list(number)
        if len(before[0]):
            self._of.remove_ids(before[0])
        try:
            self._append_any(number, ids, codes)
        except Exception:
            # Ids that are taken, say: the list is as it was.
            self._append_any(number, *before)
            raise


class InvertedListsPtrVector(list[InvertedLists]):
    """Several sets of lists, to be stacked."""

    def size(self) -> int:
        """How many there are."""
        return len(self)

    def at(self, n: SupportsIndex) -> InvertedLists:
        """Set `n`."""
        return self[operator.index(n)]

    def push_back(self, lists: InvertedLists) -> None:
        """Adds a set."""
        self.append(lists)

    def data(self) -> InvertedListsPtrVector:
        """What stands for a pointer to the sets: themselves."""
        return self


class ReadOnlyInvertedLists(InvertedLists):
    """Lists made of others, to be read; `replace_invlists` copies them into an index."""

    def reset(self) -> None:
        """Refused, as every change."""
        raise RuntimeError(f"{type(self).__name__} can only be read")


def _code_size(sets: list[InvertedLists]) -> int:
    sizes = {each.code_size for each in sets}
    if len(sizes) != 1:
        raise RuntimeError(f"lists to be stacked need codes of one size, got {sorted(sizes)}")
    return sizes.pop()


class HStackInvertedLists(ReadOnlyInvertedLists):
    """List `i` is the lists `i` of all sets, one behind the other."""

    def __init__(self, nil: SupportsIndex, ils: Any) -> None:
        """Stacks the first `nil` of the sets.

        Raises:
            RuntimeError: they have different numbers of lists or sizes of codes.
        """
        self.ils = InvertedListsPtrVector(ils[: operator.index(nil)])
        numbers = {each.nlist for each in self.ils}
        if len(numbers) != 1:
            raise RuntimeError(f"sets to be stacked need as many lists each, got {sorted(numbers)}")
        super().__init__(numbers.pop(), _code_size(self.ils))

    def _list(self, number: int) -> tuple[Ids, Codes]:
        lists = [each._list(number) for each in self.ils]
        return np.concatenate([ids for ids, _ in lists]), np.vstack([codes for _, codes in lists])


class VStackInvertedLists(ReadOnlyInvertedLists):
    """The lists of all sets, those of the first first."""

    def __init__(self, nil: SupportsIndex, ils: Any) -> None:
        """Stacks the first `nil` of the sets.

        Raises:
            RuntimeError: they have different sizes of codes.
        """
        self.ils = InvertedListsPtrVector(ils[: operator.index(nil)])
        super().__init__(sum(each.nlist for each in self.ils), _code_size(self.ils))

    def _list(self, number: int) -> tuple[Ids, Codes]:
        for each in self.ils:
            if number < each.nlist:
                return each._list(number)
            number -= each.nlist
        raise RuntimeError(f"there is no list {number + self.nlist}")


class SliceInvertedLists(ReadOnlyInvertedLists):
    """The lists from `i0` to below `i1` of a set."""

    def __init__(self, il: InvertedLists, i0: SupportsIndex, i1: SupportsIndex) -> None:
        """Cuts a set.

        Raises:
            RuntimeError: it has no such lists.
        """
        self.il, self.i0, self.i1 = il, operator.index(i0), operator.index(i1)
        if not 0 <= self.i0 <= self.i1 <= il.nlist:
            raise RuntimeError(f"there are no lists from {self.i0} to {self.i1}; there are {il.nlist}")
        super().__init__(self.i1 - self.i0, il.code_size)

    def _list(self, number: int) -> tuple[Ids, Codes]:
        return self.il._list(self.i0 + number)


class MaskedInvertedLists(ReadOnlyInvertedLists):
    """The lists of one set; where they are empty, those of another."""

    def __init__(self, il0: InvertedLists, il1: InvertedLists) -> None:
        """Lays one set over another of the same shape."""
        self.il0, self.il1 = il0, il1
        super().__init__(il0.nlist, il0.code_size)
        self._check_alike(il1)

    def _list(self, number: int) -> tuple[Ids, Codes]:
        own = self.il0._list(number)
        return own if len(own[0]) else self.il1._list(number)


class StopWordsInvertedLists(ReadOnlyInvertedLists):
    """The lists of a set that are not too long; the others are empty."""

    def __init__(self, il: InvertedLists, maxsize: SupportsIndex) -> None:
        """Leaves out lists of `maxsize` codes and more."""
        self.il0, self.maxsize = il, operator.index(maxsize)
        super().__init__(il.nlist, il.code_size)

    def _list(self, number: int) -> tuple[Ids, Codes]:
        ids, codes = self.il0._list(number)
        count = len(ids) if len(ids) < self.maxsize else 0
        return ids[:count], codes[:count]


def downcast_InvertedLists(lists: InvertedLists) -> InvertedLists:
    """The lists themselves: they are of their own class already."""
    return lists


class DirectMap:
    """Where each id is. The engine always knows, so this only remembers what was asked for."""

    NoMap, Array, Hashtable = range(3)

    def __init__(self, index: Any = None) -> None:
        """Knows nothing of `index` yet, as far as Faiss is concerned."""
        self.type = self.NoMap
        self._of = index

    @property
    def array(self) -> Int64Vector:
        """The list and the place in it of each id, `list << 32 | place`; -1 where there is none; nothing if not asked for."""
        if self.type != self.Array:
            return Int64Vector()
        numbers, places, ids = self._of._places()
        array = np.full(int(ids.max(initial=-1)) + 1, -1, np.int64)
        array[ids] = numbers << 32 | places
        return Int64Vector(array)

    def no(self) -> bool:
        """Whether Faiss would not know."""
        return self.type == self.NoMap


class InLists(SearchParametersIVF):
    """A search of lists that are given."""

    lists: Any = None


class Listed:
    """What inverted files do with their lists, of vectors of numbers or of bits."""

    nlist: int
    nprobe: int
    direct_map: DirectMap
    _index: Any
    _distance_type: npt.DTypeLike = np.float32

    @property
    def invlists(self) -> ListsWithin:
        """The lists."""
        return ListsWithin(self)

    def replace_invlists(self, il: InvertedLists, own: bool = False) -> None:
        """Takes the codes and ids of other lists, copied, in place of its own.

        Raises:
            RuntimeError: there are more or fewer of them, or codes have another size.
        """
        mine = self.invlists
        mine._check_alike(il)
        before, lists = ([each._list(number) for number in range(self.nlist)] for each in (mine, il))
        mine.reset()
        try:
            mine._append_all(lists)
        except Exception:
            mine.reset()
            mine._append_all(before)
            raise

    def _places(self) -> tuple[Ids, Ids, Ids]:
        """The list, the place in it and the id of every vector, list by list."""
        sizes = self.invlists._sizes()
        starts = np.cumsum(sizes) - sizes
        numbers = np.repeat(np.arange(self.nlist), sizes)
        return numbers, np.arange(len(numbers)) - starts[numbers], self._own_ids()

    def copy_subset_to(self, other: Listed, subset_type: int, a1: int, a2: int) -> None:
        """Adds some of the vectors to another index of the same lists, see `InvertedLists.copy_subset_to`."""
        self.invlists.copy_subset_to(other.invlists, subset_type, a1, a2)

    def get_list_size(self, list_no: SupportsIndex) -> int:
        """How many vectors are in a list."""
        return self.invlists.list_size(list_no)

    def make_direct_map(self, new_maintain_direct_map: bool = True) -> None:
        """Nothing to do: ids are always found."""
        self.direct_map.type = DirectMap.Array if new_maintain_direct_map else DirectMap.NoMap

    def set_direct_map_type(self, type: int) -> None:
        """Nothing to do: ids are always found."""
        self.direct_map.type = int(type)

    def search_preassigned(
        self,
        x: Any,
        k: SupportsIndex,
        Iq: Any,
        Dq: Any = None,
        *,
        params: SearchParameters | None = None,
        D: Array | None = None,
        I: Array | None = None,
    ) -> tuple[Array, Ids]:
        """`search` in lists that are given, a row per query; -1 is no list."""
        queries = self._queries(x)
        lists = self._given_lists(Iq, len(queries), params)
        me, count = cast(Any, self), operator.index(k)
        found = [
            me.search(query[None], count, params=self._everywhere(lists[row], params))
            for row, query in enumerate(queries)
        ]
        distances = output(D, (len(queries), count), self._distance_type)
        labels = output(I, (len(queries), count), np.int64)
        for row, (values, ids) in enumerate(found):
            distances[row], labels[row] = values[0], ids[0]
        return distances, labels

    def range_search_preassigned(
        self, x: Any, thresh: float, Iq: Any, Dq: Any = None, *, params: SearchParameters | None = None
    ) -> tuple[Array, Array, Ids]:
        """`range_search` in lists that are given, a row per query; -1 is no list."""
        queries = self._queries(x)
        lists = self._given_lists(Iq, len(queries), params)
        found = [
            cast(Any, self).range_search(query[None], thresh, params=self._everywhere(lists[row], params))
            for row, query in enumerate(queries)
        ]
        lims = np.cumsum([0, *(len(labels) for _, _, labels in found)]).astype(np.uint64)
        return (
            lims,
            np.concatenate([np.empty(0, np.float32), *(distances for _, distances, _ in found)]),
            np.concatenate([np.empty(0, np.int64), *(labels for _, _, labels in found)]),
        )

    def _given_lists(self, Iq: Any, count: int, params: SearchParameters | None) -> Ids:
        lists: Ids = np.ascontiguousarray(Iq, dtype=np.int64)
        shape = (count, params.nprobe if isinstance(params, SearchParametersIVF) else self.nprobe)
        assert lists.shape == shape, f"expected nprobe lists of each query: the shape {shape}, got {lists.shape}"
        return lists

    def _everywhere(self, lists: Ids, params: SearchParameters | None) -> InLists:
        """Parameters for a search of what is in some lists."""
        ids = [self._list_at(number)[0] for number in lists.tolist() if number >= 0]
        chosen: Any = IDSelectorArray(np.concatenate([np.empty(0, np.int64), *ids]))
        if params is not None and params.sel is not None:
            chosen = IDSelectorAnd(chosen, params.sel)
        return InLists(sel=chosen, nprobe=self.nlist, lists=lists)

    def _keeps_ids(self) -> bool:
        return True

    def _own_ids(self) -> Ids:
        lists = range(self.nlist if self._index is not None else 0)
        return np.concatenate([np.empty(0, np.int64), *(self._list_at(number)[0] for number in lists)])

    def _list_sizes(self) -> Ids:
        raise NotImplementedError

    def _list_at(self, number: int) -> tuple[Ids, Codes]:
        raise NotImplementedError

    def _queries(self, x: Any) -> Array:
        raise NotImplementedError
