"""Opens stores that anear saved with the real LangChain, and saves some of LangChain's own.

Usage: langchain.py FOLDER [again]

For each FOLDER/ours/<case>: loads `index` and sealed.pkl, writes what both hold and find to found.json, adds a document
and saves the store to FOLDER/theirs/extended_<case>. Then saves stores of its own to FOLDER/theirs/<case>, as a folder
and as bytes.pkl, with expected.json beside them.

With `again`: checks that FOLDER/again, which anear saved from theirs/exact, holds the same values of the same types.
"""

import json
import math
import sys
import warnings
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from uuid import UUID

import numpy as np

warnings.filterwarnings("ignore")

from langchain_community.vectorstores import FAISS  # noqa: E402
from langchain_community.vectorstores.utils import DistanceStrategy  # noqa: E402
from langchain_core.documents import Document  # noqa: E402
from langchain_core.embeddings import Embeddings  # noqa: E402


class Table(Embeddings):
    """Knows the vectors of some texts."""

    def __init__(self, vectors):
        self.vectors = vectors

    def embed_documents(self, texts):
        return [self.vectors[text] for text in texts]

    def embed_query(self, text):
        return self.vectors[text]


def plain(value):
    """A metadata value in anear's JSON form, or the nearest that this has."""
    if isinstance(value, datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, date):
        return {"$datetime": f"{value}T00:00:00"}
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal) or (isinstance(value, int) and not -(2**63) <= value < 2**63):
        return plain(float(value))
    if isinstance(value, complex):
        return [plain(value.real), plain(value.imag)]
    if isinstance(value, timezone):
        return str(value).removeprefix("UTC")
    if isinstance(value, (time, UUID, PurePath)):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": "nan" if value != value else "inf" if value > 0 else "-inf"}
    if isinstance(value, np.floating):
        return plain(float(value))
    if isinstance(value, dict):
        inner = {str(key): plain(item) for key, item in value.items()}
        tagged = "$map" in value or (len(value) == 1 and next(iter(value)).startswith("$"))
        return {"$map": inner} if tagged else inner
    if isinstance(value, (list, tuple, set, frozenset, bytes, bytearray)):
        return [plain(item) for item in value]
    return value


def exactly(value):
    """The value as text, in which all types differ and the order of a set does not count."""
    if isinstance(value, dict):
        inner = [f"{exactly(key)}: {exactly(item)}" for key, item in value.items()]
    elif isinstance(value, (list, tuple)):
        inner = [exactly(item) for item in value]
    elif isinstance(value, (set, frozenset)):
        inner = sorted(exactly(item) for item in value)
    else:
        inner = repr(value)
    return f"{type(value).__name__} {inner}"


def document(doc):
    metadata = {key: plain(value) for key, value in doc.metadata.items()}
    return {"id": doc.id, "page_content": doc.page_content, "metadata": metadata}


def report(store, queries):
    ids = list(store.index_to_docstore_id.values())
    hits = [
        [[doc.id, float(score)] for doc, score in store.similarity_search_with_score_by_vector(query, k=len(ids))]
        for query in queries
    ]
    return {"documents": [document(store.docstore._dict[id]) for id in ids], "hits": hits}


def open_ours(case, theirs):
    queries = json.loads((case / "queries.json").read_text())
    embeddings = Table({"added": queries[0]})
    store = FAISS.load_local(str(case), embeddings, allow_dangerous_deserialization=True)
    # Pydantic accepts the documents as its own: copies, compares and dumps them.
    for doc in store.docstore._dict.values():
        assert type(doc) is Document and doc.model_copy().id == doc.id and doc.model_dump()["type"] == "Document"
    found = json.dumps(report(store, queries))
    assert json.dumps(report(from_bytes(case / "sealed.pkl", embeddings), queries)) == found
    (case / "found.json").write_text(found)
    extended = theirs / f"extended_{case.name}"
    store.add_texts(["added"], metadatas=[{"by": "LangChain"}], ids=["added"])
    save(store, extended, queries)


def from_bytes(file, embeddings):
    return FAISS.deserialize_from_bytes(file.read_bytes(), embeddings, allow_dangerous_deserialization=True)


def save(store, folder, queries):
    folder.mkdir(parents=True)
    store.save_local(str(folder))
    (folder / "bytes.pkl").write_bytes(store.serialize_to_bytes())
    (folder / "queries.json").write_text(json.dumps(queries))
    (folder / "expected.json").write_text(json.dumps(report(store, queries)))


def rich_metadata():
    return {
        "null": None,
        "bools": [True, False],
        "ints": [-(2**63), -1, 0, 255, 65536, 2**31, 2**63 - 1],
        "floats": [0.1 + 0.2, -0.0, 5e-324, sys.float_info.max, 1.0],
        "not finite": [float("nan"), float("inf"), float("-inf")],
        "numpy": np.float32(0.25),
        "z before a": "한국어 \U0001f600 \U0010ffff \0 \r\n \"\\",
        "": "",
        "naive": datetime(2026, 1, 31, 23, 59, 59, 999999),
        "first": datetime(1, 1, 1),
        "aware": datetime(2026, 1, 31, 12, tzinfo=timezone.utc),
        "west": datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=timezone(-timedelta(hours=3, seconds=9))),
        "tuple": (1, "a"),
        "empty": [[], {}],
        "nested": {"z": [[1, 2], None], "a": {"$datetime": "2026-01-31"}, "lc": 1},
        "$map": {"$float": "nan"},
        "long": "x" * 70000,
    }


def exact_metadata():
    return {
        "tuple": (1, (), [{2}]),
        "set": {"x", 3},
        "frozenset": frozenset({(1, 2)}),
        "bytes": b"\x00\xff\n",
        "bytearray": bytearray(b"\x01"),
        "complex": 1.5 - 2j,
        "big": 2**63,
        "negative": -(10**30),
        "decimal": Decimal("-1.50"),
        "uuid": UUID(int=2**127 + 5),
        "date": date(2026, 1, 31),
        "time": time(9, 5, tzinfo=timezone.utc),
        "delta": timedelta(days=-1, microseconds=5),
        "zone": timezone(timedelta(hours=-3, minutes=-30)),
        "fold": datetime(2026, 10, 25, 2, 30, fold=1),
        "aware": datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=9))),
        "path": Path("a/b"),
        "posix": PurePosixPath("/a"),
        "windows": PureWindowsPath("C:/a"),
        "keys": {1: "int", None: (1,)},
        "inside": [{"k": (1,), "l": [frozenset(), 2.5]}],
        "nan": float("nan"),
        "plain": [1, 2.0, True, None, "x", {"k": {}}],
    }


def check_again(again):
    stores = [
        FAISS.load_local(str(again), Table({}), allow_dangerous_deserialization=True),
        from_bytes(again / "sealed.pkl", Table({})),
    ]
    for store in stores:
        (doc,) = store.docstore._dict.values()
        assert exactly(doc.metadata) == exactly(exact_metadata()), doc.metadata


def save_ours(theirs):
    texts = ["foo", "bar", "baz", "a long text: " + "lorem ipsum " * 500]
    vectors = [[1.0, 2.0, 3.0, -1.0], [0.0, 4.0, -2.0, 5.0], [2.0, -3.0, 1.0, 1.0], [7.0, 0.0, 0.0, -6.0]]
    metadatas = [rich_metadata(), {}, {"page": 3}, {"page": 4}]
    ids = ["a", "b", "색인 \0", ""]
    kinds = {
        "l2": {},
        "inner_product": {"distance_strategy": DistanceStrategy.MAX_INNER_PRODUCT},
        "normalized": {"normalize_L2": True},
    }
    for name, settings in kinds.items():
        pairs = list(zip(texts, vectors))
        store = FAISS.from_embeddings(pairs, Table({}), metadatas=metadatas, ids=ids, **settings)
        save(store, theirs / name, [[1.0, 0.0, -2.0, 3.0], [0.0, 1.0, 0.0, 0.0]])
    exact = FAISS.from_embeddings([("exact", vectors[0])], Table({}), metadatas=[exact_metadata()], ids=["exact"])
    save(exact, theirs / "exact", [vectors[0]])


def main():
    folder = Path(sys.argv[1])
    if sys.argv[2:] == ["again"]:
        return check_again(folder / "again")
    theirs = folder / "theirs"
    theirs.mkdir()
    for case in sorted((folder / "ours").iterdir()):
        open_ours(case, theirs)
    save_ours(theirs)


if __name__ == "__main__":
    main()
