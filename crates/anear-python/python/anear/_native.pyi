"""The Rust half of anear. Private: the public names are in `anear` and `anear.langchain`."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt
from asyncio import Future

Vector: TypeAlias = Sequence[float] | npt.NDArray[Any]
Vectors: TypeAlias = Sequence[Sequence[float]] | Sequence[npt.NDArray[Any]] | npt.NDArray[Any]
Filter: TypeAlias = Mapping[str, Any] | Callable[[dict[str, Any]], Any]
Path: TypeAlias = str | os.PathLike[str]
Record: TypeAlias = tuple[str, str, dict[str, Any]]
"""Id, text, metadata (a fresh dict)."""
Hit: TypeAlias = tuple[str, str, dict[str, Any], float]
"""Id, text, metadata, score."""

class InternalError(RuntimeError):
    """A bug in anear: something panicked. The store is as it was before the call."""

_F32: TypeAlias = npt.NDArray[np.float32]
_I32: TypeAlias = npt.NDArray[np.int32]
_I64: TypeAlias = npt.NDArray[np.int64]
_U8: TypeAlias = npt.NDArray[np.uint8]
_U64: TypeAlias = npt.NDArray[np.uint64]
_Knobs: TypeAlias = Mapping[str, float] | None
_Within: TypeAlias = tuple[npt.NDArray[np.uint64], _F32, _I64]
"""Bounds of the rows, values and ids of a range search."""

@final
class VectorIndex:
    """Any index of the engine. Arrays are contiguous; refusals are RuntimeErrors; ids are at least 0."""

    d: int
    ntotal: int
    metric: str
    spec: str
    @staticmethod
    def build(spec: str, metric: str, sample: _F32, seed: int = 1234) -> VectorIndex:
        """The index of a factory string, trained on `sample`; where nothing is to be learned, that may be empty."""
    @staticmethod
    def ivf(coarse: VectorIndex, codes: str, metric: str, by_residual: bool, sample: _F32, seed: int) -> VectorIndex:
        """An inverted file whose lists are those of the vectors in a copy of `coarse`."""
    @staticmethod
    def id_map(two: bool, inner: VectorIndex, ids: Sequence[int]) -> VectorIndex:
        """Ids over a copy of `inner`, one per vector."""
    @staticmethod
    def pre_transform(chain: Sequence[Transform], inner: VectorIndex) -> VectorIndex:
        """Transforms, the first first, before a copy of `inner`."""
    @staticmethod
    def refine(base: VectorIndex, refine: VectorIndex, ids: _I64) -> VectorIndex:
        """Copies of two indexes of the same vectors, of which the second ranks what the first finds.

        Its `i`-th vector has the id `ids[i]` in the first, if that keeps ids.
        """
    @staticmethod
    def from_bytes(data: bytes) -> VectorIndex: ...
    def to_bytes(self) -> bytes:
        """anear's own container, checksummed."""
    @staticmethod
    def is_own(data: _U8) -> bool:
        """Whether bytes begin as those of `to_bytes` do."""
    @staticmethod
    def map_own(path: str) -> VectorIndex:
        """The index of a file of `to_bytes`'s, in which its codes stay."""
    @staticmethod
    def from_faiss(data: _U8, folder: str | None = None) -> VectorIndex:
        """The index of a file of Faiss's, with lists that it leaves to another file in `folder`."""
    @staticmethod
    def map_faiss(path: str, folder: str) -> VectorIndex:
        """The index of a file of Faiss's, in which its codes stay, with lists that it leaves to another file in `folder`."""
    @staticmethod
    def first_of_faiss(data: _U8) -> tuple[VectorIndex, int]:
        """The index that a file of Faiss's begins with, and how many bytes it is."""
    @staticmethod
    def first_product_of_faiss(data: _U8) -> tuple[VectorIndex, int]:
        """An index over the product quantizer that a file of Faiss's begins with, and how many bytes that is."""
    @staticmethod
    def product(dim: int, m: int, nbits: int, centroids: _F32) -> VectorIndex:
        """An index over a product quantizer of these centroids, those of the first part first."""
    def to_faiss(self, beside_lists: bool = False) -> _U8:
        """A file for Faiss; lists in a file of their own stay there if that is wanted."""
    def map_lists(self, path: str, name: str, extents: _U64) -> None:
        """Makes the lists of the file at `path` those of an inverted file; others find it as `name`.

        Of each list: its size, its capacity and where it begins.
        """
    def in_blocks(self, file_block: int) -> VectorIndex:
        """A copy whose product codes of 4 bits lie in blocks, in files in blocks of so many."""
    def add_codes(self, lists: npt.NDArray[np.uint32], ids: _I64, codes: _U8) -> None:
        """Appends the `i`-th of these codes to list `lists[i]` of an inverted file, under the id `ids[i]`."""
    def copy(self) -> VectorIndex: ...
    @property
    def next_id(self) -> int:
        """What to add to the ids of another index so that none of them is taken here.

        It is the id of the next vector, where they are numbered here; 0 where ids are the caller's.
        """
    def knobs(self) -> list[tuple[str, str, float, list[float]]]:
        """What searches can be told: name, alias, default, values worth trying."""
    def knob(self, name: str) -> float | None: ...
    def set_knob(self, name: str, value: float) -> None: ...
    def explain(self) -> str | None:
        """One sentence on how searches are answered, and why, of an index that finds that out by itself."""
    def add(self, x: _F32) -> None: ...
    def add_with_ids(self, x: _F32, ids: _I64) -> None: ...
    def search(self, x: _F32, distances: _F32, labels: _I64, selector: Selector | None = None, knobs: _Knobs = None) -> None:
        """Fills `distances` and `labels`, a row per query; -1 and the worst distance where there are fewer."""
    def range_search(self, x: _F32, radius: float, selector: Selector | None = None, knobs: _Knobs = None) -> _Within: ...
    def reconstruct(self, ids: _I64, out: _F32) -> None: ...
    def distances(self, x: _F32, labels: _I64, out: _F32) -> None:
        """From each query to the vectors with the ids in its row of `labels`; NaN where those are below 0."""
    def rank(self, x: _F32, candidates: _I64, distances: _F32, labels: _I64) -> None:
        """The nearest of the candidates in each query's row, the first of those that are equally near; -1 stands for none."""
    def remove(self, selector: Selector) -> int: ...
    def merge(self, other: VectorIndex, add_id: int) -> None:
        """Takes over all vectors of `other`, whose ids grow by `add_id`."""

@final
class Parts:
    """What an index consists of. Arrays and indexes are copies."""

    def __new__(cls, index: VectorIndex) -> Parts: ...
    def inner(self) -> tuple[str, Sequence[VectorIndex]] | None:
        """`id_map`, `id_map2`, `pre_transform` or `refine`, and the indexes within."""
    def chain(self) -> Sequence[Transform]: ...
    def ids(self) -> _I64: ...
    def coarse(self) -> VectorIndex: ...
    def by_residual(self) -> bool: ...
    def list_sizes(self) -> _I64: ...
    def list(self, number: int) -> tuple[_I64, _U8]: ...
    def code_size(self) -> int: ...
    def codes(self) -> _U8: ...
    def encode(self, x: _F32, origins: _F32 | None = None) -> _U8: ...
    def decode(self, codes: _U8) -> _F32: ...
    def flat(self, metric: str) -> VectorIndex:
        """An empty index of codes by the same quantizer, which compares all of them."""
    def ivf(self, coarse: VectorIndex, metric: str, by_residual: bool) -> VectorIndex:
        """An empty inverted file of codes by the same quantizer, over a copy of `coarse`."""
    def product_to_faiss(self) -> _U8:
        """The product quantizer, as Faiss writes it."""
    def learned(self) -> dict[str, _F32]:
        """What the quantizer learned, by Faiss's names."""
    def graph(self) -> dict[str, Any]:
        """The links of a graph, in Faiss's arrays."""

@final
class BinaryIndex:
    """Any index of the engine over bit vectors."""

    d: int
    ntotal: int
    spec: str
    @staticmethod
    def build(spec: str, d: int, sample: _U8 | None = None, seed: int = 1234) -> BinaryIndex: ...
    @staticmethod
    def ivf(coarse: BinaryIndex) -> BinaryIndex: ...
    @staticmethod
    def hnsw(d: int, m: int, ef_construction: int) -> BinaryIndex: ...
    @staticmethod
    def id_map(two: bool, inner: BinaryIndex, ids: Sequence[int]) -> BinaryIndex: ...
    @staticmethod
    def from_bytes(data: bytes) -> BinaryIndex: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_faiss(data: _U8) -> BinaryIndex: ...
    @staticmethod
    def first_of_faiss(data: _U8) -> tuple[BinaryIndex, int]: ...
    def to_faiss(self) -> _U8: ...
    def copy(self) -> BinaryIndex: ...
    def knobs(self) -> list[tuple[str, str]]: ...
    def knob(self, name: str) -> float | None: ...
    def set_knob(self, name: str, value: float) -> None: ...
    def inner(self) -> tuple[BinaryIndex, _I64] | None: ...
    def coarse(self) -> BinaryIndex: ...
    def list(self, number: int) -> tuple[_I64, _U8]: ...
    def add_codes(self, lists: npt.NDArray[np.uint32], ids: _I64, codes: _U8) -> None: ...
    def add(self, x: _U8) -> None: ...
    def add_with_ids(self, x: _U8, ids: _I64) -> None: ...
    def search(self, x: _U8, distances: _I32, labels: _I64, selector: Selector | None = None, knobs: _Knobs = None) -> None: ...
    def range_search(self, x: _U8, radius: float, selector: Selector | None = None, knobs: _Knobs = None) -> _Within: ...
    def reconstruct(self, ids: _I64, out: _U8) -> None: ...
    def remove(self, selector: Selector) -> int: ...
    def merge(self, other: BinaryIndex) -> None: ...

@final
class Selector:
    """A rule over ids."""

    @staticmethod
    def all() -> Selector: ...
    @staticmethod
    def range(start: int, stop: int) -> Selector: ...
    @staticmethod
    def ids(ids: _I64) -> Selector: ...
    @staticmethod
    def bits(bytes: _U8) -> Selector:
        """Id `i` is bit `i % 8` of byte `i // 8`."""
    @staticmethod
    def negated(inner: Selector) -> Selector: ...
    @staticmethod
    def all_of(parts: Sequence[Selector]) -> Selector: ...
    @staticmethod
    def any_of(parts: Sequence[Selector]) -> Selector: ...
    @staticmethod
    def one_of(left: Selector, right: Selector) -> Selector: ...
    def contains(self, id: int) -> bool: ...
    def mask(self, ids: _I64) -> npt.NDArray[np.bool_]: ...
    def positions(self, ids: _I64) -> Selector:
        """The positions in `ids` whose id is selected."""

@final
class Transform:
    """A transform of vectors that is trained."""

    token: str
    d_in: int
    d_out: int
    @staticmethod
    def train(token: str, x: _F32, seed: int) -> Transform: ...
    @staticmethod
    def linear(matrix: _F32, bias: _F32) -> Transform: ...
    @staticmethod
    def center(mean: _F32) -> Transform: ...
    @staticmethod
    def remap(dim: int, map: _I32) -> Transform: ...
    @staticmethod
    def load(token: str, dim: int, saved: bytes) -> Transform: ...
    @staticmethod
    def first_of_faiss(data: _U8) -> tuple[Transform, int]: ...
    def to_faiss(self) -> _U8: ...
    def apply(self, x: _F32) -> _F32: ...
    def reverse(self, x: _F32) -> _F32: ...
    def learned(self) -> dict[str, _F32]:
        """What it learned, by Faiss's names."""

def pairwise(x: _F32, y: _F32, metric: str) -> _F32: ...
def pairwise_hamming(x: _U8, y: _U8) -> _I32: ...
def normalize_rows(x: _F32) -> None:
    """Scales each row to length 1, in place."""
def kmeans(
    x: _F32, params: Mapping[str, Any], weights: _F32 | None = None, init_centroids: _F32 | None = None
) -> tuple[_F32, float, list[tuple[float, float, int]], str | None]:
    """Centroids, the objective of the best run, objective, imbalance and splits of each iteration, a warning."""
def minibatch_kmeans(x: _F32, params: Mapping[str, Any], batch_len: int | None) -> _F32: ...
def hierarchical_kmeans(x: _F32, params: Mapping[str, Any], parts: int) -> _F32: ...
def balanced_kmeans(x: _F32, params: Mapping[str, Any], max_size: float) -> tuple[_F32, npt.NDArray[np.uint32]]:
    """Centroids, and the cluster of each vector."""
def check_spec(spec: str) -> tuple[str, bool]:
    """The usual spelling of a factory string, and whether its index must be trained; RuntimeError if there is none."""
def check_binary_spec(spec: str) -> str: ...
def instruction_set() -> str: ...
def set_threads(count: int) -> None: ...
def threads() -> int: ...

@final
class Store:
    """Documents and the index of their vectors. Any number of threads and tasks may use one store at once.

    Metrics: "l2" (squared), "inner_product", "cosine", "l1", "linf". Vectors are NumPy arrays or lists of numbers.
    Every method named `a...` returns an asyncio future of the running loop and takes no Python thread.
    """

    def __new__(cls, *, metric: str = "l2", normalize_l2: bool = False, dim: int | None = None,
                index: str | VectorIndex | None = None, model: str = "") -> Store:
        """`index`: a factory string, or an index that has learned what it must and whose vectors do not count."""
    @staticmethod
    def load(
        folder: Path,
        name: str,
        *,
        metric: str | None = None,
        normalize_l2: bool | None = None,
        model: str = "",
        mapped: bool = False,
    ) -> Store: ...
    @staticmethod
    def aload(
        folder: Path,
        name: str,
        *,
        metric: str | None = None,
        normalize_l2: bool | None = None,
        model: str = "",
        mapped: bool = False,
    ) -> Future[Store]: ...
    @staticmethod
    def from_bytes(data: bytes, *, metric: str | None = None, normalize_l2: bool | None = None, model: str = "") -> Store: ...
    @staticmethod
    def afrom_bytes(data: bytes, *, metric: str | None = None, normalize_l2: bool | None = None, model: str = "") -> Future[Store]: ...

    metric: str
    normalize_l2: bool
    dim: int | None
    index: str
    saved_model: str | None
    """What the model was called with which a loaded store was saved; None where nobody said."""
    is_trained: bool
    def __len__(self) -> int: ...
    def relevance(self, score: float) -> float:
        """How relevant a result with this score is, between 0 and 1."""
    def train(self, vectors: Vectors) -> None:
        """Lets the index learn before the first vectors come; without effect where it has."""
    def empty_index(self) -> VectorIndex | None:
        """A copy without vectors; None before there was a vector."""
    def knob(self, name: str) -> float | None: ...
    def set_knob(self, name: str, value: float) -> None:
        """For searches that do not name it. ValueError: the index has none of this name, or not with this value."""
    def explain(self) -> str | None:
        """One sentence on how searches are answered, and why, by an index that finds that out by itself."""

    def add(self, texts: Sequence[str], vectors: Vectors, metadatas: Sequence[Mapping[str, Any] | None] | None = None,
            ids: Sequence[str | int | None] | None = None, *, replace: bool = True) -> list[str]:
        """Adds all or nothing; returns the ids. `replace=False`: existing ids are a ValueError. None ids: random ones.

        ValueError: lengths differ, an id twice, wrong dimension, NaN or infinity. TypeError: a text that is no str,
        metadata that is no mapping or has keys that are no str, ids that are neither str nor int.
        """
    def aadd(self, texts: Sequence[str], vectors: Vectors, metadatas: Sequence[Mapping[str, Any] | None] | None = None,
             ids: Sequence[str | int | None] | None = None, *, replace: bool = True) -> Future[list[str]]: ...

    def add_pairs(self, pairs: Iterable[tuple[str, Vector]], metadatas: Sequence[Mapping[str, Any] | None] | None = None,
                  ids: Sequence[str | int | None] | None = None, *, replace: bool = True) -> list[str]:
        """`add` of (text, vector) pairs; the iterable is run once."""
    def aadd_pairs(self, pairs: Iterable[tuple[str, Vector]], metadatas: Sequence[Mapping[str, Any] | None] | None = None,
                   ids: Sequence[str | int | None] | None = None, *, replace: bool = True) -> Future[list[str]]:
        """`aadd` of (text, vector) pairs; the iterable is run once, off the event loop's thread."""

    def search(self, vector: Vector, k: int, *, filter: Filter | None = None, score_threshold: float | None = None,
               params: Mapping[str, float] | None = None) -> list[Hit]:
        """The k nearest that match, always k where there are k. Fewer than one `k`: ValueError."""
    def asearch(self, vector: Vector, k: int, *, filter: Filter | None = None, score_threshold: float | None = None,
               params: Mapping[str, float] | None = None) -> Future[list[Hit]]: ...
    def mmr(self, vector: Vector, k: int, *, fetch_k: int, lambda_mult: float, filter: Filter | None = None,
            params: Mapping[str, float] | None = None) -> list[Hit]: ...
    def ammr(self, vector: Vector, k: int, *, fetch_k: int, lambda_mult: float, filter: Filter | None = None,
            params: Mapping[str, float] | None = None) -> Future[list[Hit]]: ...
    def search_batch(self, vectors: Vectors, k: int, *, filter: Filter | None = None, score_threshold: float | None = None,
               params: Mapping[str, float] | None = None) -> list[list[Hit]]: ...
    def asearch_batch(self, vectors: Vectors, k: int, *, filter: Filter | None = None, score_threshold: float | None = None,
               params: Mapping[str, float] | None = None) -> Future[list[list[Hit]]]: ...

    def get(self, ids: Sequence[str | int]) -> list[Record]:
        """In the order given, repeats kept, unknown ids left out."""
    def aget(self, ids: Sequence[str | int]) -> Future[list[Record]]: ...
    def delete(self, ids: Sequence[str | int]) -> int:
        """Deletes those that are there; returns how many."""
    def adelete(self, ids: Sequence[str | int]) -> Future[int]: ...
    def delete_matching(self, filter: Filter) -> int: ...
    def adelete_matching(self, filter: Filter) -> Future[int]: ...
    def merge(self, other: Store) -> int:
        """Adds the documents of `other`, which keeps them. ValueError (nothing changed): an id in both, itself, other settings."""
    def amerge(self, other: Store) -> Future[int]: ...
    def save(self, folder: Path, name: str) -> None: ...
    def asave(self, folder: Path, name: str) -> Future[None]: ...
    def to_bytes(self) -> bytes:
        """Opens in LangChain too; settings are sealed behind the pickle."""
    def ato_bytes(self) -> Future[bytes]: ...
    def count(self, filter: Filter | None = None) -> int: ...
    def acount(self, filter: Filter | None = None) -> Future[int]: ...
    def list_ids(self, filter: Filter | None = None) -> list[str]: ...
    def alist_ids(self, filter: Filter | None = None) -> Future[list[str]]: ...
    def metadata_fields(self) -> dict[str, dict[str, int]]: ...
    def memory(self) -> tuple[int, int, int]:
        """Bytes of the vectors in memory, and about how many of the documents."""
    def view(self) -> View: ...

@final
class View:
    """A store at one moment: later changes do not show. Positions count documents from 0 in insertion order."""

    def __len__(self) -> int: ...
    dim: int | None
    metric: str
    def ids(self) -> list[str]: ...
    def id(self, position: int) -> str | None: ...
    def position(self, id: str) -> int | None: ...
    def record(self, id: str) -> Record | None: ...
    def records(self, start: int = 0, stop: int | None = None) -> list[Record]: ...
    def vector(self, position: int) -> npt.NDArray[np.float32]: ...
    def vectors(self, start: int = 0, stop: int | None = None) -> npt.NDArray[np.float32]: ...
    def nearest(self, x: npt.ArrayLike, k: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Scores and positions, (n, k) each, padded with -1 as Faiss does (scores: inf, or -inf for inner products)."""

def maximal_marginal_relevance(query: Vector, candidates: Vectors, lambda_mult: float = 0.5, k: int = 4) -> list[int]: ...

@final
class Embeddings:
    """A model of anear's. Made by the functions below. Vectors come as float32 arrays."""

    model: str
    dim: int | None
    def embed_documents(self, texts: Sequence[str]) -> npt.NDArray[np.float32]: ...
    def aembed_documents(self, texts: Sequence[str]) -> Future[npt.NDArray[np.float32]]: ...
    def embed_query(self, text: str) -> npt.NDArray[np.float32]: ...
    def aembed_query(self, text: str) -> Future[npt.NDArray[np.float32]]: ...

def default_embeddings() -> Embeddings: ...
def openai_embeddings(
    *, model: str, api_key: str | None, base_url: str | None, dimensions: int | None, organization: str | None,
    chunk_size: int, embedding_ctx_length: int, check_embedding_ctx_length: bool | None, skip_empty: bool, max_retries: int,
    timeout: float | None, headers: Mapping[str, str] | None, query: Mapping[str, str] | None,
) -> Embeddings: ...
def huggingface_embeddings(
    name: str, *, normalize_documents: bool = False, normalize_queries: bool = False
) -> Embeddings: ...

@final
class TextLoader:
    """Reads one text file; newlines are its line ends."""

    def __new__(cls, path: Path, encoding: str | None = None, autodetect_encoding: bool = False) -> TextLoader: ...
    def load(self) -> str: ...
    def aload(self) -> Future[str]: ...

@final
class Splitter:
    """Cuts texts as langchain-text-splitters does, chunk for chunk."""

    @staticmethod
    def character(separator: str, is_regex: bool, **options: Any) -> Splitter: ...
    @staticmethod
    def recursive(separators: Sequence[str] | None, is_regex: bool, **options: Any) -> Splitter: ...
    @staticmethod
    def separators_for_language(language: str) -> list[str]: ...
    def split_texts(self, texts: Sequence[str]) -> tuple[list[list[str]], list[tuple[int, int]]]:
        """The chunks of each text; length and wanted size of each chunk that is too long."""
    def asplit_texts(self, texts: Sequence[str]) -> Future[tuple[list[list[str]], list[tuple[int, int]]]]: ...
