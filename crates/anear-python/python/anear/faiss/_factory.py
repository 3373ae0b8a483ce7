"""From factory strings, and from indexes of the engine, to objects of Faiss's classes."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, SupportsIndex

import numpy as np

from .. import _native
from ._arrays import Int64Vector
from ._codes import (
    IndexLSH,
    IndexPQ,
    IndexPQFastScan,
    IndexRaBitQ,
    IndexRaBitQFastScan,
    IndexResidualQuantizer,
    IndexScalarQuantizer,
    check_factory_string,
    unnormed_search,
)
from ._coarse import MultiIndexQuantizer, ResidualCoarseQuantizer
from ._coded import (
    IndexIVFLocalSearchQuantizer,
    IndexIVFProductLocalSearchQuantizer,
    IndexIVFProductResidualQuantizer,
    IndexLocalSearchQuantizer,
    IndexProductLocalSearchQuantizer,
    IndexProductResidualQuantizer,
)
from ._coded_blocks import (
    IndexIVFLocalSearchQuantizerFastScan,
    IndexIVFProductLocalSearchQuantizerFastScan,
    IndexIVFProductResidualQuantizerFastScan,
    IndexLocalSearchQuantizerFastScan,
    IndexProductLocalSearchQuantizerFastScan,
    IndexProductResidualQuantizerFastScan,
)
from ._composite import IndexIDMap, IndexIDMap2, IndexPreTransform, IndexRefine, IndexRefineFlat
from ._constants import METRIC_L2, metric_number
from ._encoders import Index2Layer, IndexRowwiseMinMax, IndexRowwiseMinMaxFP16
from ._graph import (
    IndexHNSW,
    IndexHNSWFlat,
    IndexHNSWPQ,
    IndexHNSWSQ,
    IndexNSGFlat,
    IndexNSGPQ,
    IndexNSGSQ,
)
from ._index import EngineIndex, Index, IndexFlat, IndexFlatIP, IndexFlatL2
from ._ivf import (
    IndexIVF,
    IndexIVFFlat,
    IndexIVFFlatDedup,
    IndexIVFPQ,
    IndexIVFPQFastScan,
    IndexIVFRaBitQ,
    IndexIVFRaBitQFastScan,
    IndexIVFResidualQuantizer,
    IndexIVFScalarQuantizer,
)
from ._near import SHAPE, IndexNear
from ._panorama import IndexHNSWFlatPanorama, IndexIVFFlatPanorama, of_panorama
from ._refined import IndexIVFPQR
from ._quantizers import SCALAR_NUMBERS, SEARCHES, ResidualQuantizer
from ._transforms import (
    CenteringTransform,
    HadamardRotation,
    ITQTransform,
    NormalizationTransform,
    OPQMatrix,
    PCAMatrix,
    RandomRotationMatrix,
    RemapDimensionsTransform,
    VectorTransform,
    transform_around,
)

_TRANSFORM = re.compile(r"(PCAW?R?|L2norm|L2Norm|RR|HR|ITQ|OPQ|Pad|Center)(\d*)(?:_(\d+))?")
_COARSE = re.compile(r"IVF(\d+)([kM]?)(?:_(HNSW|NSG)(\d*)|\((.*)\))?")
_PANORAMA = re.compile(r"(Flat|FlatL2|FlatIP)Panorama(\d*)(?:_(\d+))?")
_MULTI = re.compile(r"IMI(\d+)x(\d+)")
_RCQ = re.compile(r"RCQ(\d+x\d+(?:_\d+x\d+)*)")
_TWO_LAYERS = re.compile(r"Residual(?:(\d+)|(\d+)x(\d+)),PQ(\d+)(?:x(\d+))?")
_HNSW = re.compile(r"HNSW(\d*)(?:[,_](.+))?")
_NSG = re.compile(r"NSG(\d*)(?:[,_](.+))?")
_PQ = re.compile(r"PQ(\d+)(?:x(\d+))?(np)?")
_PQ_TWICE = re.compile(r"PQ(\d+)\+(\d+)")
_PQ_FAST = re.compile(r"PQ(\d+)x4fs(r?)(?:_(\d+))?")
_RABITQ = re.compile(r"RaBitQ(fs)?(\d*)(?:_(\d+))?")
_RQ = re.compile(r"RQ\d+x\d+(?:_\d+x\d+)*(?:_N\w+)?")
_ADDITIVE = re.compile(r"(LSQ|PRQ|PLSQ)(\d+)x(\d+)(?:x(\d+))?(?:(fsr?)(?:_(\d+))?)?(?:_(N\w+))?")
_LSH = re.compile(r"LSH(\d*)(r?)(t?)")
# Additive quantizers: alone, in lists, and both in blocks.
_ADDITIVE_CODES: dict[str, Callable[..., Index]] = {
    "LSQ": IndexLocalSearchQuantizer,
    "PRQ": IndexProductResidualQuantizer,
    "PLSQ": IndexProductLocalSearchQuantizer,
}
_ADDITIVE_LISTS: dict[str, Callable[..., IndexIVF]] = {
    "LSQ": IndexIVFLocalSearchQuantizer,
    "PRQ": IndexIVFProductResidualQuantizer,
    "PLSQ": IndexIVFProductLocalSearchQuantizer,
}
_ADDITIVE_BLOCKS: dict[str, Callable[..., Index]] = {
    "LSQ": IndexLocalSearchQuantizerFastScan,
    "PRQ": IndexProductResidualQuantizerFastScan,
    "PLSQ": IndexProductLocalSearchQuantizerFastScan,
}
_ADDITIVE_BLOCK_LISTS: dict[str, Callable[..., IndexIVF]] = {
    "LSQ": IndexIVFLocalSearchQuantizerFastScan,
    "PRQ": IndexIVFProductResidualQuantizerFastScan,
    "PLSQ": IndexIVFProductLocalSearchQuantizerFastScan,
}
_SCALE = {"": 1, "k": 1 << 10, "M": 1 << 20}
_NLIST_MAX = 1 << 30
# Indexes within each other, as in Faiss's files.
_DEPTH_MAX = 50
# What the engine says of a factory string: what is wrong, and where.
_REFUSAL = re.compile(r"cannot read index `.*`: (.*) at character (\d+)", re.DOTALL)
# Characters of a factory string that a message repeats.
_EXCERPT_MAX = 200


class _Part(NamedTuple):
    """Some of a factory string, and how many characters come before it."""

    text: str
    at: int = 0

    def cut(self, start: int = 0, end: int | None = None) -> _Part:
        """The characters from `start` to below `end`."""
        return _Part(self.text[start:end], self.at + start)


class _Fault(Exception):
    """What is wrong, and at which character."""

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(at, reason)
        self.at, self.reason = at, reason


class _Unknown(_Fault):
    """No index is called so."""

    def __init__(self, part: _Part) -> None:
        super().__init__(part.at, f"unknown index `{_excerpt(part.text)}`")


def _excerpt(text: str) -> str:
    return text if len(text) <= _EXCERPT_MAX else text[:_EXCERPT_MAX] + "..."


@contextmanager
def _placed(part: _Part) -> Iterator[None]:
    """Says of what is refused where it stands."""
    try:
        yield
    except _Fault:
        raise
    except (RuntimeError, ValueError, TypeError, OverflowError) as error:
        refusal, token = _REFUSAL.fullmatch(str(error)), f"`{_excerpt(part.text)}`"
        reason = refusal[1] if refusal else str(error)
        raise _Fault(part.at, reason if token in reason else f"{token}: {reason}") from error


def index_factory(
    d: SupportsIndex, description: str, metric: int | str = METRIC_L2, own_invlists: bool = True
) -> Index:
    """The index that a factory string names, for vectors of width `d`.

    >>> index_factory(64, "IDMap2,Flat")
    <IndexIDMap2 d=64 ntotal=0 metric=l2>

    Raises:
        RuntimeError: it names none.
        TypeError: it is no string.
    """
    check_factory_string(description)
    try:
        whole = _Part(description)
        with _placed(whole):
            return _owning(_index(operator.index(d), whole, metric))
    except _Fault as fault:
        found = fault
    # The engine may know more of it.
    if isinstance(found, _Unknown):
        try:
            _native.check_spec(description)
        except RuntimeError as error:
            refusal = _REFUSAL.fullmatch(str(error))
            if refusal and int(refusal[2]) >= found.at:
                raise
    raise RuntimeError(f"cannot read index `{_excerpt(description)}`: {found.reason} at character {found.at}")


def _owning(index: Index) -> Index:
    """Says of an index around others that they are its own."""
    for name in ("index", "base_index"):
        inner = vars(index).get(name)
        if inner is not None:
            index.own_fields = True
            _owning(inner)
    return index


def _index(d: int, part: _Part, metric: int | str, depth: int = 0) -> Index:
    if depth > _DEPTH_MAX:
        raise _Fault(part.at, f"more than {_DEPTH_MAX} indexes within each other")

    def within(part: _Part) -> Index:
        return _index(d, part, metric, depth + 1)

    kind: Callable[[Index], Index]
    text = part.text
    for kind, token in ((IndexIDMap2, "IDMap2"), (IndexIDMap, "IDMap")):
        if text.endswith("," + token):
            return kind(within(part.cut(0, -len(token) - 1)))
        if text.startswith(token + ","):
            return kind(within(part.cut(len(token) + 1)))
    if text.endswith(",RFlat"):
        return IndexRefineFlat(within(part.cut(0, -6)))
    if start := _refine_at(text):
        base, ranking = within(part.cut(0, start - 1)), within(part.cut(start + len("Refine("), -1))
        with _placed(part.cut(start)):
            return IndexRefine(base, ranking)
    for kind, token in ((IndexRowwiseMinMax, "MinMax,"), (IndexRowwiseMinMaxFP16, "MinMaxFP16,")):
        if text.startswith(token):
            return kind(within(part.cut(len(token))))
    head, comma, _ = text.partition(",")
    transform = _TRANSFORM.fullmatch(head) if comma else None
    if transform:
        with _placed(part.cut(0, len(head))):
            before = _transform(d, transform, part.cut(0, len(head)))
        inner = _index(before.d_out, part.cut(len(head) + 1), metric, depth + 1)
        if isinstance(inner, IndexPreTransform):
            inner.prepend_transform(before)
            return inner
        return IndexPreTransform(before, inner)
    if text.startswith(("IVF", "IMI")):
        return _in_lists(d, part, metric, depth)
    with _placed(part):
        return _plain(d, part, metric)


def _transform(d: int, match: re.Match[str], part: _Part) -> VectorTransform:
    name, first, second = match[1], match[2], match[3]
    number = int(first) if first else None
    if name.startswith("PCA") and number is not None:
        return PCAMatrix(d, number, -0.5 if "W" in name else 0.0, name.endswith("R"))
    if name == "OPQ" and number is not None:
        return OPQMatrix(d, number, int(second) if second else -1)
    if name == "Pad" and number is not None:
        return RemapDimensionsTransform(d, max(d, number), False)
    simple: dict[str, Callable[[], VectorTransform]] = {
        "L2norm": lambda: NormalizationTransform(d),
        "L2Norm": lambda: NormalizationTransform(d),
        "Center": lambda: CenteringTransform(d),
        "RR": lambda: RandomRotationMatrix(d, d if number is None else number),
        "HR": lambda: HadamardRotation(d, 12345 if number is None else number),
        "ITQ": lambda: ITQTransform(d, d if number is None else number, number is not None),
    }
    if name not in simple or second:
        raise _Unknown(part)
    return simple[name]()


def _plain(d: int, part: _Part, metric: int | str) -> Index:
    """An index that holds no other one."""
    text = part.text
    if text == "Flat":
        return IndexFlat(d, metric)
    if text in SCALAR_NUMBERS:
        return IndexScalarQuantizer(d, SCALAR_NUMBERS[text], metric)
    if match := _PQ_FAST.fullmatch(text):
        return IndexPQFastScan(d, int(match[1]), 4, metric, int(match[3] or 32))
    if match := _PQ.fullmatch(text):
        return IndexPQ(d, int(match[1]), int(match[2] or 8), metric)
    if match := _RABITQ.fullmatch(text):
        bits = int(match[2] or 1)
        return IndexRaBitQFastScan(d, metric, int(match[3] or 32), bits) if match[1] else IndexRaBitQ(d, metric, bits)
    if _RQ.fullmatch(text):
        rq = _residual(d, text, metric)
        return IndexResidualQuantizer(d, rq.M, list(rq.nbits), metric, rq.search_type)
    if match := _RCQ.fullmatch(text):
        pairs = [part.split("x") for part in match[1].split("_")]
        return ResidualCoarseQuantizer(d, [int(bits) for count, bits in pairs for _ in range(int(count))], None, metric)
    if match := _PANORAMA.fullmatch(text):
        found = of_panorama(match[1], int(match[2] or 8), int(match[3] or 1024), d, metric) if match[2] else None
        if found is None:
            raise _Unknown(part)
        return found
    if match := _TWO_LAYERS.fullmatch(text):
        return _two_layers(d, match, metric)
    if match := _ADDITIVE.fullmatch(text):
        numbers, search, bbs = _additive(match, metric, part)
        if bbs:
            return _ADDITIVE_BLOCKS[match[1]](d, *numbers, metric, search, bbs)
        return _ADDITIVE_CODES[match[1]](d, *numbers, metric, search)
    if match := _LSH.fullmatch(text):
        if metric not in (METRIC_L2, "l2"):
            raise RuntimeError(f"`{text}` compares by the metric L2 only")
        return IndexLSH(d, int(match[1] or d), bool(match[2]), bool(match[3]))
    if SHAPE.fullmatch(text):
        return IndexNear(d, text, metric)
    if match := _HNSW.fullmatch(text):
        return _hnsw(d, _links(match, part), _graph_codes(match, part), metric)
    if match := _NSG.fullmatch(text):
        return _nsg(d, _links(match, part), _graph_codes(match, part), metric)
    head, rest = _split(text)
    if rest:
        _plain(d, part.cut(0, len(head)), metric)  # If that is unknown, it is what is wrong.
        raise _Fault(part.at + len(head) + 1, f"`{_excerpt(rest)}` is one part too many")
    raise _Unknown(part)


def _links(match: re.Match[str], part: _Part) -> int:
    """The links per vector of a graph."""
    with _placed(part.cut(0, match.end(1))):
        _native.check_spec(part.text[: match.end(1)])
    return int(match[1] or 32)


def _graph_codes(match: re.Match[str], part: _Part) -> _Part:
    return part.cut(match.start(2)) if match[2] else _Part("Flat", part.at)


def _residual(d: int, text: str, metric: int | str) -> ResidualQuantizer:
    _native.check_spec(text)
    number = metric_number(metric)[0] if isinstance(metric, str) else metric
    return ResidualQuantizer._of(d, text, unnormed_search(number))


def _two_layers(d: int, match: re.Match[str], metric: int | str) -> Index2Layer:
    combined = MultiIndexQuantizer(d, int(match[2]), int(match[3])) if match[2] else None
    nlist = 1 << int(match[2]) * int(match[3]) if match[2] else int(match[1])
    made = Index2Layer(combined or IndexFlat(d, metric), nlist, int(match[4]), int(match[5] or 8), metric)
    made.q1.quantizer_trains_alone = 1 if combined else 0
    return made


def _additive(match: re.Match[str], metric: int | str, part: _Part) -> tuple[list[int], int, int]:
    """The numbers that these quantizers are made with, the type of the search, and codes in a block, if they lie in some."""
    numbers = [int(number) for number in match.group(2, 3, 4) if number]
    if len(numbers) != (2 if match[1] == "LSQ" else 3) or (match[7] and match[7] not in SEARCHES):
        raise _Unknown(part)
    number = metric_number(metric)[0] if isinstance(metric, str) else metric
    search = SEARCHES[match[7]] if match[7] else unnormed_search(number)
    return numbers, search, int(match[6] or 32) if match[5] else 0


def _hnsw(d: int, m: int, part: _Part, metric: int | str) -> Index:
    codes = part.text
    if codes == "Flat":
        return IndexHNSWFlat(d, m, metric)
    if (match := _PANORAMA.fullmatch(codes)) and match[1] == "Flat":
        return IndexHNSWFlatPanorama(d, m, int(match[2] or 8), metric)
    if codes in SCALAR_NUMBERS:
        return IndexHNSWSQ(d, SCALAR_NUMBERS[codes], m, metric)
    if match := _PQ.fullmatch(codes):
        with _placed(part):
            return IndexHNSWPQ(d, int(match[1]), m, int(match[2] or 8), metric)
    raise _Unknown(part)


def _nsg(d: int, r: int, part: _Part, metric: int | str) -> Index:
    codes = part.text
    if codes == "Flat":
        return IndexNSGFlat(d, r, metric)
    if codes in SCALAR_NUMBERS:
        return IndexNSGSQ(d, SCALAR_NUMBERS[codes], r, metric)
    if match := _PQ.fullmatch(codes):
        with _placed(part):
            return IndexNSGPQ(d, int(match[1]), r, int(match[2] or 8), metric)
    raise _Unknown(part)


def _in_lists(d: int, part: _Part, metric: int | str, depth: int) -> Index:
    """An inverted file."""
    head, rest = _split(part.text)
    codes = part.cut(len(head) + 1)
    multi = _MULTI.fullmatch(head)
    if multi and rest and metric in (METRIC_L2, "l2"):
        m, nbits = int(multi[1]), int(multi[2])
        with _placed(part.cut(0, len(head))):
            pairs = MultiIndexQuantizer(d, m, nbits)
        with _placed(codes):
            combined = _lists(pairs, d, 1 << m * nbits, codes, metric)
        combined.own_fields, combined.quantizer_trains_alone = True, 1
        return combined
    match = _COARSE.fullmatch(head)
    if not match or not rest:
        raise _Unknown(part.cut(0, len(head)))
    nlist = int(match[1]) * _SCALE[match[2]]
    if not 1 <= nlist <= _NLIST_MAX:
        raise _Fault(part.at + 3, f"an inverted file has 1 to {_NLIST_MAX} lists")
    if match[3]:
        with _placed(part.cut(match.start(3), len(head))):
            coarse: Index = (IndexHNSWFlat if match[3] == "HNSW" else IndexNSGFlat)(d, int(match[4] or 32), metric)
    elif match[5] is not None:
        coarse = _index(d, part.cut(*match.span(5)), metric, depth + 1)
    else:
        coarse = IndexFlat(d, metric)
    with _placed(codes):
        found = _lists(coarse, d, nlist, codes, metric)
    found.own_fields = True
    if not isinstance(coarse, IndexFlat):
        found.quantizer_trains_alone = 1 if isinstance(coarse, ResidualCoarseQuantizer) else 2
    return found


def _split(text: str) -> tuple[str, str]:
    """The part before the first comma that is not within parentheses, and the rest."""
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            return text[:at], text[at + 1 :]
    return text, ""


def _refine_at(text: str) -> int:
    """Where `Refine(...)` begins, if that is the last part; otherwise 0."""
    depth = 0
    for at in range(len(text) - 1, 0, -1):
        depth += (text[at] == ")") - (text[at] == "(")
        if text[at] == "," and depth == 0:
            return at + 1 if text.startswith("Refine(", at + 1) and text.endswith(")") else 0
    return 0


def _lists(coarse: Index, d: int, nlist: int, part: _Part, metric: int | str) -> IndexIVF:
    codes = part.text
    if codes == "Flat":
        return IndexIVFFlat(coarse, d, nlist, metric)
    if codes.endswith("nr"):
        _native.check_spec(f"IVF{nlist},{codes}")
        of_vectors = _lists(coarse, d, nlist, part.cut(0, -2), metric)
        of_vectors.by_residual = False
        return of_vectors
    if (match := _PANORAMA.fullmatch(codes)) and match[1] == "Flat":
        levels, batch_size = int(match[2] or 8), int(match[3] or 1024)
        return IndexIVFFlatPanorama(coarse, d, nlist, levels, metric, True, batch_size)
    if codes == "FlatDedup":
        return IndexIVFFlatDedup(coarse, d, nlist, metric)
    if codes in SCALAR_NUMBERS:
        return IndexIVFScalarQuantizer(coarse, d, nlist, SCALAR_NUMBERS[codes], metric)
    if match := _PQ_FAST.fullmatch(codes):
        fast = IndexIVFPQFastScan(coarse, d, nlist, int(match[1]), 4, metric, int(match[3] or 32))
        fast.by_residual = bool(match[2])
        return fast
    if match := _PQ_TWICE.fullmatch(codes):
        if metric not in (METRIC_L2, "l2"):
            raise RuntimeError(f"`{codes}` compares by the metric L2 only")
        return IndexIVFPQR(coarse, d, nlist, int(match[1]), 8, int(match[2]), 8)
    if match := _PQ.fullmatch(codes):
        return IndexIVFPQ(coarse, d, nlist, int(match[1]), int(match[2] or 8), metric)
    if match := _RABITQ.fullmatch(codes):
        bits = int(match[2] or 1)
        if match[1]:
            return IndexIVFRaBitQFastScan(coarse, d, nlist, metric, int(match[3] or 32), True, bits)
        return IndexIVFRaBitQ(coarse, d, nlist, metric, True, bits)
    if _RQ.fullmatch(codes):
        rq = _residual(d, codes, metric)
        return IndexIVFResidualQuantizer(coarse, d, nlist, rq.M, list(rq.nbits), metric, rq.search_type)
    if match := _ADDITIVE.fullmatch(codes):
        numbers, search, bbs = _additive(match, metric, part)
        if not bbs:
            return _ADDITIVE_LISTS[match[1]](coarse, d, nlist, *numbers, metric, search)
        in_blocks = _ADDITIVE_BLOCK_LISTS[match[1]](coarse, d, nlist, *numbers, metric, search, bbs)
        in_blocks.by_residual = match[5] == "fsr"
        return in_blocks
    raise _Unknown(part)


def around(index: _native.VectorIndex) -> Index:
    """An object of Faiss's class around an index of the engine."""
    inner = _native.Parts(index).inner()
    if inner is None:
        found: Index = _class_of(index)._around(index)
        return found
    kind, parts = inner
    if kind == "refine":
        return _refine(index, *parts)
    if kind == "pre_transform":
        return IndexPreTransform(*map(transform_around, _native.Parts(index).chain()), around(parts[0]))
    outer_kind = IndexIDMap2 if kind == "id_map2" else IndexIDMap
    within = around(parts[0])
    outer = outer_kind.__new__(outer_kind)
    Index.__init__(outer, within.d, within.metric)
    outer.index, outer.id_map = within, Int64Vector(_native.Parts(index).ids())
    outer._close()
    return outer


def _refine(index: _native.VectorIndex, base: _native.VectorIndex, refine: _native.VectorIndex) -> IndexRefine:
    kind = IndexRefineFlat if refine.spec == "Flat" else IndexRefine
    outer = kind.__new__(kind)
    IndexRefine.__init__(outer, around(base), around(refine))
    outer.k_factor = float(index.knob("k_factor") or 1.0)
    if outer._keeps_ids() and not outer.refine_index._keeps_ids():
        outer._name(_native.Parts(index).ids())
    outer._close()
    return outer


def _class_of(index: _native.VectorIndex) -> type[EngineIndex]:
    spec = index.spec
    if spec == "Flat":
        return {"l2": IndexFlatL2, "inner_product": IndexFlatIP}.get(index.metric, IndexFlat)
    if spec.startswith("IVF"):
        return _class_of_lists(_split(spec)[1])
    if spec.startswith("HNSW"):
        codes = spec.partition(",")[2]
        return IndexHNSWFlat if codes in ("", "Flat") else IndexHNSWSQ if codes.startswith("SQ") else IndexHNSWPQ
    if spec.startswith("NSG"):
        codes = spec.partition(",")[2]
        return IndexNSGFlat if codes in ("", "Flat") else IndexNSGSQ if codes.startswith("SQ") else IndexNSGPQ
    kinds: tuple[tuple[re.Pattern[str], type[EngineIndex]], ...] = (
        (SHAPE, IndexNear),
        (_PQ_FAST, IndexPQFastScan),
        (_PQ, IndexPQ),
        (re.compile(r"RaBitQfs.*"), IndexRaBitQFastScan),
        (_RABITQ, IndexRaBitQ),
        (_RQ, IndexResidualQuantizer),
        (_LSH, IndexLSH),
        (re.compile(r"SQ.*"), IndexScalarQuantizer),
    )
    found = next((kind for pattern, kind in kinds if pattern.fullmatch(spec)), None)
    if found is None:
        raise RuntimeError(f"no class of Faiss's stands for `{spec}`")
    return found


def _class_of_lists(codes: str) -> type[EngineIndex]:
    if codes == "Flat":
        return IndexIVFFlat
    if codes.startswith("SQ"):
        return IndexIVFScalarQuantizer
    if _PQ_FAST.fullmatch(codes):
        return IndexIVFPQFastScan
    if codes.startswith("PQ"):
        return IndexIVFPQ
    if codes.startswith("RQ"):
        return IndexIVFResidualQuantizer
    if codes.startswith("RaBitQfs"):
        return IndexIVFRaBitQFastScan
    if codes.startswith("RaBitQ"):
        return IndexIVFRaBitQ
    raise RuntimeError(f"no class of Faiss's stands for lists of `{codes}`")


def downcast_index(index: Index) -> Index:
    """The index itself: it is of its own class already."""
    return index


__all__ = ["IndexHNSW", "around", "downcast_index", "index_factory"]
