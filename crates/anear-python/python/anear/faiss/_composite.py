"""Indexes that hold indexes: ids of the caller's, transforms before, ranking anew, parts of a whole.

They hold the objects they are given, as Faiss's do: what is done to those shows here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _native
from ._arrays import Floats, Ids, Int64Vector, Pointer, rev_swig_ptr
from ._index import Index, IndexFlat, Knobs, Range, _distances, _rank, as_range, candidates
from ._named import GONE, Named
from ._params import IndexRefineSearchParameters, SearchParameters, SearchParametersPreTransform
from ._selectors import IDSelector
from ._transforms import VectorTransform, VectorTransformVector


class _Wrapper(Index):
    """An index around another one."""

    def __init__(self, index: Index) -> None:
        if not isinstance(index, Index):
            raise TypeError(f"expected an index, got {type(index).__name__}")
        super().__init__(index.d, index.metric_type)
        self._cosine, self.index = index._cosine, index

    @property
    def metric_arg(self) -> float:
        """The exponent of Lp, which is that of the index within."""
        return self.index.metric_arg

    @metric_arg.setter
    def metric_arg(self, value: float) -> None:
        if "index" in vars(self):
            self.index.metric_arg = value

    def _check_metric(self) -> None:
        """The index within knows it."""

    @property
    def metric(self) -> str:
        """The metric's name, in anear's words."""
        return self.index.metric

    @property
    def is_trained(self) -> bool:
        """Whether all that is within is trained."""
        return self.index.is_trained

    @is_trained.setter
    def is_trained(self, value: bool) -> None:
        self.index.is_trained = value

    def get_distance_computer(self) -> Any:
        """What compares one query after the other with vectors of the index within, by its positions."""
        return self.index.get_distance_computer()

    def _count(self) -> int:
        return self.index.ntotal

    def _is_of_faiss(self) -> bool:
        return self.index._is_of_faiss()

    def _knobs(self, params: SearchParameters | None) -> Knobs:
        return self.index._knobs(params)

    def _train(self, x: Floats) -> None:
        self.index.train(x)

    def _reset(self) -> None:
        self.index.reset()


class IndexIDMap(Named[Index], _Wrapper):
    """Ids of the caller's over an index that numbers its vectors.

    >>> import numpy as np
    >>> index = IndexIDMap(IndexFlat(1))
    >>> index.add_with_ids(np.array([[1.0], [2.0]], np.float32), np.array([70, 80]))
    >>> index.search(np.array([[2.1]], np.float32), 1)[1]
    array([[80]])
    """

    def __init__(self, index: Index) -> None:
        """Around `index`, which must be empty.

        Raises:
            RuntimeError: it is not.
        """
        super().__init__(index)
        if index.ntotal:
            raise RuntimeError(f"an id map needs an empty index, got one of {index.ntotal} vectors")
        self.id_map = Int64Vector()

    def _add_with_ids(self, x: Floats, ids: Ids) -> None:
        self._fit()
        self.index.add(x)
        self._append(ids)

    def _fit(self) -> None:
        """As many places as the index within has called vectors: the next one comes behind them."""
        if self.index._keeps_ids():
            count = self.index._next_id()
            gone = np.full(max(0, count - len(self._ids)), GONE, np.int64)
            self.id_map._values = np.concatenate([self._ids[:count], gone])

    def _add(self, x: Floats) -> None:
        raise RuntimeError("an id map has no ids of its own to give: use add_with_ids(x, ids)")

    def _search(self, x: Floats, params: SearchParameters | None, distances: Floats, labels: Ids) -> None:
        self.index.search(x, labels.shape[1], params=self._inner(params), D=distances, I=labels)
        self._rename(labels)

    def _range_search(self, x: Floats, radius: float, params: SearchParameters | None) -> Range:
        lims, distances, labels = self.index.range_search(x, radius, params=self._inner(params))
        self._rename(labels)
        return lims, distances, labels

    def _reset(self) -> None:
        self.index.reset()
        self.id_map.clear()

    def _merge(self, other: IndexIDMap, add_id: int) -> None:
        self._fit()
        other._fit()
        taken = np.where(other._ids == GONE, GONE, other._ids + add_id)
        self.index.merge_from(other.index, self.index._next_id() if self.index._keeps_ids() else 0)
        self._append(taken)
        self._fit()
        other.id_map.clear()

    def check_compatible_for_merge(self, otherIndex: Index) -> None:
        """Raises RuntimeError if the other index is no id map over an index alike."""
        super().check_compatible_for_merge(otherIndex)
        if isinstance(otherIndex, IndexIDMap):
            self.index.check_compatible_for_merge(otherIndex.index)

    def _engine(self) -> _native.VectorIndex:
        self._fit()
        return _native.VectorIndex.id_map(isinstance(self, IndexIDMap2), self.index._engine(), self._numbers())

    def sa_code_size(self) -> int:
        """Bytes of a vector's code."""
        return self.index.sa_code_size()

    def _encode(self, x: Floats) -> Any:
        return self.index._encode(x)

    def _decode(self, codes: Any) -> Floats:
        return self.index._decode(codes)


class IndexIDMap2(IndexIDMap):
    """Ids of the caller's over an index that numbers its vectors; gives the vectors back."""

    def _reconstruct(self, ids: Ids) -> Floats:
        return self.index._reconstruct(self._places(ids))

    def construct_rev_map(self) -> None:
        """Nothing to do: ids are always found."""

    def check_consistency(self) -> None:
        """Raises RuntimeError if there are not as many ids as vectors."""
        if len(self._living()) != self.index.ntotal:
            raise RuntimeError(f"{len(self._living())} ids for {self.index.ntotal} vectors")

    @property
    def rev_map(self) -> dict[int, int]:
        """The position of each id."""
        return dict(zip(self._own_ids().tolist(), self._living().tolist(), strict=True))


class IndexPreTransform(_Wrapper):
    """Transforms before an index."""

    def __init__(self, *parts: Any) -> None:
        """Transforms, the first first, and then the index."""
        *transforms, index = parts
        super().__init__(index)
        self.chain = VectorTransformVector()
        for transform in reversed(transforms):
            self.prepend_transform(transform)

    def prepend_transform(self, ltrans: VectorTransform) -> None:
        """Puts a transform before all others.

        Raises:
            RuntimeError: its images have another width than what follows takes.
        """
        if not isinstance(ltrans, VectorTransform):
            raise TypeError(f"expected a transform, got {type(ltrans).__name__}")
        if ltrans.d_out != self.d:
            raise RuntimeError(f"{ltrans!r} does not fit before an index of width {self.d}")
        self.chain.insert(0, ltrans)
        self.d = ltrans.d_in

    @property
    def is_trained(self) -> bool:
        """Whether all transforms and the index are trained."""
        return self.index.is_trained and all(transform.is_trained for transform in self.chain)

    @is_trained.setter
    def is_trained(self, value: bool) -> None:
        raise AttributeError("train the transforms and the index")

    def _train(self, x: Floats) -> None:
        for transform in self.chain:
            if not transform.is_trained:
                transform.train(x)
            x = transform.apply(x)
        if not self.index.is_trained:
            self.index.train(x)

    def apply_chain(self, *args: Any) -> Any:
        """The images of vectors under all transforms: of the rows of an array.

        As in Faiss, too: of a number of vectors at a pointer, and the answer is a pointer.
        """
        x = self._rows(*args) if len(args) == 2 else args[0]
        for transform in self.chain:
            x = transform.apply(x)
        images: Floats = np.asarray(x, dtype=np.float32)
        return Pointer(images) if len(args) == 2 else images

    def reverse_chain(self, x: Any) -> Floats:
        """Vectors that have these as their images."""
        for transform in reversed(self.chain):
            x = transform.reverse_transform(x)
        return np.asarray(x, dtype=np.float32)

    @staticmethod
    def _inner(params: SearchParameters | None) -> SearchParameters | None:
        if isinstance(params, SearchParametersPreTransform):
            if params.sel is not None:
                raise RuntimeError("give the selector to index_params")
            return params.index_params
        return params

    def _knobs(self, params: SearchParameters | None) -> Knobs:
        return self.index._knobs(self._inner(params))

    def _add(self, x: Floats) -> None:
        self.index.add(self.apply_chain(x))

    def _add_with_ids(self, x: Floats, ids: Ids) -> None:
        self.index.add_with_ids(self.apply_chain(x), ids)

    def _search(self, x: Floats, params: SearchParameters | None, distances: Floats, labels: Ids) -> None:
        self.index.search(self.apply_chain(x), labels.shape[1], params=self._inner(params), D=distances, I=labels)

    def _range_search(self, x: Floats, radius: float, params: SearchParameters | None) -> Range:
        return self.index.range_search(self.apply_chain(x), radius, params=self._inner(params))

    def _reconstruct(self, ids: Ids) -> Floats:
        return self.reverse_chain(self.index._reconstruct(ids))

    def _remove(self, selector: IDSelector) -> int:
        return self.index.remove_ids(selector)

    def _keeps_ids(self) -> bool:
        return self.index._keeps_ids()

    def _next_id(self) -> int:
        return self.index._next_id()

    def _merge(self, other: IndexPreTransform, add_id: int) -> None:
        self.index.merge_from(other.index, add_id)

    def check_compatible_for_merge(self, otherIndex: Index) -> None:
        """Raises RuntimeError if the other index is not alike, transforms included."""
        super().check_compatible_for_merge(otherIndex)
        if isinstance(otherIndex, IndexPreTransform):
            if len(self.chain) != len(otherIndex.chain):
                raise RuntimeError("the indexes have different transforms")
            for ours, theirs in zip(self.chain, otherIndex.chain, strict=True):
                ours.check_identical(theirs)
            self.index.check_compatible_for_merge(otherIndex.index)

    def _own_ids(self) -> Ids:
        return self.index._own_ids()

    def _engine(self) -> _native.VectorIndex:
        self._check_trained("saving")
        inner = self.index._engine()
        return _native.VectorIndex.pre_transform([each._live for each in self.chain], inner) if self.chain else inner

    def sa_code_size(self) -> int:
        """Bytes of a vector's code."""
        return self.index.sa_code_size()

    def _encode(self, x: Floats) -> Any:
        return self.index.sa_encode(self.apply_chain(x))

    def _decode(self, codes: Any) -> Floats:
        return self.reverse_chain(self.index.sa_decode(codes))


class IndexRefine(Index):
    """The candidates of one index, ranked by another."""

    def __init__(self, base_index: Index, refine_index: Index) -> None:
        """`k_factor` times as many candidates as are wanted come from `base_index`.

        Raises:
            RuntimeError: the indexes hold different numbers of vectors, or are of different width or metric.
        """
        super().__init__(base_index.d, base_index.metric_type)
        self._cosine = base_index._cosine
        if (base_index.d, base_index.metric_type) != (refine_index.d, refine_index.metric_type):
            raise RuntimeError(f"{refine_index!r} cannot rank what {base_index!r} finds")
        if base_index.ntotal != refine_index.ntotal:
            raise RuntimeError(f"{base_index!r} and {refine_index!r} hold different numbers of vectors")
        self.base_index, self.refine_index = base_index, refine_index
        self.k_factor = 1.0
        self.own_refine_index = False
        # What the base calls the vectors of `refine_index`, in their order; `None` where it calls them by position.
        self._names: Ids | None = None
        self._order: Ids | None = None

    def _is_of_faiss(self) -> bool:
        return self.base_index._is_of_faiss() and self.refine_index._is_of_faiss()

    @property
    def metric_arg(self) -> float:
        """The exponent of Lp, which is that of both indexes."""
        return self.base_index.metric_arg

    @metric_arg.setter
    def metric_arg(self, value: float) -> None:
        if "base_index" in vars(self):
            self.base_index.metric_arg = self.refine_index.metric_arg = value

    @property
    def is_trained(self) -> bool:  # type: ignore[override]
        """Whether both indexes are trained."""
        return self.base_index.is_trained and self.refine_index.is_trained

    def _count(self) -> int:
        return self.refine_index.ntotal

    def _train(self, x: Floats) -> None:
        self.base_index.train(x)
        self.refine_index.train(x)

    def _add(self, x: Floats) -> None:
        first = self.base_index._next_id()
        self.base_index.add(x)
        self.refine_index.add(x)
        if self._names is not None:
            self._name(np.concatenate([self._names, np.arange(first, first + len(x))]))

    def _reset(self) -> None:
        self.base_index.reset()
        self.refine_index.reset()
        self._name(np.empty(0, np.int64))

    def _name(self, names: Ids) -> None:
        """Takes over what the base calls the vectors, in their order, unless it counts them as `refine_index` does."""
        counted = len(names) == self._next_id() and (names == np.arange(len(names))).all()
        self._names = None if counted or not self._keeps_ids() else names
        self._order = None if self._names is None else np.argsort(names, kind="stable")

    def _own_ids(self) -> Ids:
        return np.arange(self.ntotal, dtype=np.int64) if self._names is None else self._names

    def _keeps_ids(self) -> bool:
        return self.base_index._keeps_ids()

    def _next_id(self) -> int:
        return self.base_index._next_id()

    def _positions(self, ids: Ids) -> Ids:
        """Where `refine_index` has the vectors that the base calls so; -1 where it has none."""
        names, order = self._names, self._order
        if names is None or order is None:
            return ids
        if len(names) != self.refine_index.ntotal:
            raise RuntimeError(f"{self!r} has lost track of its vectors: add and remove them through it, not within")
        at = np.append(order, -1)[np.searchsorted(names, ids, sorter=order)]
        return np.where((at >= 0) & (np.append(names, -1)[at] == ids), at, -1)

    def _told(self, params: SearchParameters | None) -> tuple[float, SearchParameters | None]:
        """How many candidates there are for each neighbor, and what the base is told."""
        factor, inner = self.k_factor, None
        if params is not None:
            if not isinstance(params, IndexRefineSearchParameters):
                raise RuntimeError(
                    f"'params' must be IndexRefineSearchParameters, got {type(params).__name__}; "
                    "those of the index within go into its base_index_params"
                )
            factor, inner = params.k_factor, params.base_index_params
            if params.sel is not None:
                inner = inner or SearchParameters(sel=params.sel)
        if factor < 1:
            raise RuntimeError(f"k_factor must be at least 1, got {factor}")
        return factor, inner

    def _knobs(self, params: SearchParameters | None) -> Knobs:
        factor, inner = self._told(params)
        return {"k_factor": float(max(1, int(factor))), **self.base_index._knobs(inner)}

    def _search(self, x: Floats, params: SearchParameters | None, distances: Floats, labels: Ids) -> None:
        factor, inner = self._told(params)
        count = candidates(labels.shape[1], factor, self.ntotal)
        _, found = self.base_index.search(x, count, params=inner)
        _rank(self.refine_index, x, self._positions(found), distances, labels)
        if self._names is not None:
            labels[:] = np.append(self._names, -1)[labels]

    def _range_search(self, x: Floats, radius: float, params: SearchParameters | None) -> Range:
        """What the base finds within a radius that is `k_factor` times as wide, if the refining index finds it within this one."""
        factor, inner = self._told(params)
        similar = self._is_similarity()
        wide = radius / factor if similar == (radius > 0) else radius * factor
        lims, _, ids = self.base_index.range_search(x, wide, params=inner)
        found = []
        for query, start, end in zip(x, lims[:-1], lims[1:], strict=True):
            own = ids[start:end]
            values = _distances(self.refine_index, query[None], self._positions(own)[None])[0]
            near = values > radius if similar else values < radius
            found.append((own[near], values[near]))
        return as_range(found)

    def _reconstruct(self, ids: Ids) -> Floats:
        positions = self._positions(ids)
        if self._names is not None and (positions < 0).any():
            raise RuntimeError(f"there is no vector with id {ids[positions < 0][0]}")
        return self.refine_index._reconstruct(positions)

    def _remove(self, selector: IDSelector) -> int:
        if self.refine_index._keeps_ids():
            raise self._cannot(f"remove_ids with {type(self.refine_index).__name__} as refine_index")
        names = self._own_ids()
        doomed = selector._over(lambda: names).mask(names)
        count = self.base_index.remove_ids(names[doomed])
        self.refine_index.remove_ids(np.flatnonzero(doomed))
        self._name(names[~doomed])
        return count

    @classmethod
    def _family(cls) -> type:
        return IndexRefine

    def check_compatible_for_merge(self, otherIndex: Index) -> None:
        """Raises RuntimeError if one of the indexes within is not like the other's."""
        super().check_compatible_for_merge(otherIndex)
        if isinstance(otherIndex, IndexRefine):
            self.base_index.check_compatible_for_merge(otherIndex.base_index)
            self.refine_index.check_compatible_for_merge(otherIndex.refine_index)

    def _merge(self, other: IndexRefine, add_id: int) -> None:
        offset = add_id or self._next_id() if self._keeps_ids() else add_id
        names = np.concatenate([self._own_ids(), other._own_ids() + offset])
        self.base_index.merge_from(other.base_index, offset)
        self.refine_index.merge_from(other.refine_index)
        self._name(names)
        other._name(names[:0])

    def _engine(self) -> _native.VectorIndex:
        index = _native.VectorIndex.refine(
            self.base_index._engine(), self.refine_index._engine(), self._own_ids()
        )
        index.set_knob("k_factor", float(max(1, int(self.k_factor))))
        return index

    def sa_code_size(self) -> int:
        """Bytes of a vector's code: both indexes' codes."""
        return self.base_index.sa_code_size() + self.refine_index.sa_code_size()

    def _encode(self, x: Floats) -> Any:
        return np.hstack([self.base_index.sa_encode(x), self.refine_index.sa_encode(x)])

    def _decode(self, codes: Any) -> Floats:
        return self.refine_index.sa_decode(codes[:, self.base_index.sa_code_size() :])


class IndexRefineFlat(IndexRefine):
    """The candidates of an index, ranked by the vectors as they are."""

    def __init__(self, base_index: Index, xb: Any = None) -> None:
        """Keeps the vectors beside `base_index`; those it has already are the rows of `xb`."""
        flat = IndexFlat(base_index.d, base_index.metric_type)
        flat.metric_arg = base_index.metric_arg
        if xb is not None:
            pointed = isinstance(xb, Pointer)
            flat.add(rev_swig_ptr(xb, base_index.ntotal * flat.d).reshape(-1, flat.d) if pointed else xb)
        super().__init__(base_index, flat)
        self.own_refine_index = True


def parameters_for(index: Index, params: SearchParameters) -> SearchParameters:
    """Parameters of the inverted file within an index, for the index itself."""
    if isinstance(index, IndexRefine):
        inner = parameters_for(index.base_index, params)
        return IndexRefineSearchParameters(k_factor=index.k_factor, base_index_params=inner)
    return params
