"""Opens the store in the folder given as argument with the real LangChain, checks it, saves it to `again`."""

import datetime as dt
import decimal
import pathlib
import sys
import uuid

from langchain_community.vectorstores import FAISS
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings


class Fixed(Embeddings):
    def embed_documents(self, texts):
        return [[1.0, 2.0, 0.0] for _ in texts]

    def embed_query(self, text):
        return [1.0, 2.0, 1.0]


def check(store):
    date, clock = dt.date(2024, 2, 29), dt.time(23, 59, 58, 123456, fold=1)
    west = dt.timezone(dt.timedelta(seconds=-19800))
    expected = {
        "none": None,
        "int": -(2**63),
        "big": -123456789012345678901234567890,
        "float": -0.1,
        "complex": 1 - 2.5j,
        "text": "ünï\n😀",
        "bytes": b"\x00\xff\n",
        "tuple": (1, ()),
        "bytearray": bytearray(b"\0\1"),
        "set": {frozenset({"frozen"})},
        "frozenset": frozenset(),
        "dict": {1: "one", (2,): "two"},
        "date": date,
        "time": clock,
        "zoned time": clock.replace(tzinfo=west),
        "datetime": dt.datetime.combine(date, clock),
        "zoned": dt.datetime.combine(date, clock, tzinfo=west),
        "delta": dt.timedelta(-3, 4, 5),
        "zone": dt.timezone(dt.timedelta(seconds=34200)),
        "decimal": decimal.Decimal("-1.50E+3"),
        "uuid": uuid.UUID(int=2**128 - 2),
        "path": pathlib.Path("a/b.txt"),
        "posix": pathlib.PurePosixPath("/a/b"),
        "windows": pathlib.PureWindowsPath("C:/a"),
    }
    document = store.docstore.search("id-a")
    assert document == Document(id="id-a", page_content="föö", metadata=expected), document
    assert {k: type(v) for k, v in document.metadata.items()} == {k: type(v) for k, v in expected.items()}
    assert document.metadata["zoned"].fold == 1 and document.metadata["time"].fold == 1
    assert document.model_dump()["id"] == "id-a" and list(document.metadata) == list(expected)
    assert store.index_to_docstore_id == {0: "id-b", 1: "id-a"}
    assert store.similarity_search("x", k=1)[0].id == "id-a"


folder = pathlib.Path(sys.argv[1])
saved = FAISS.load_local(str(folder), Fixed(), allow_dangerous_deserialization=True)
check(saved)
saved.save_local(str(folder / "again"))
saved.add_documents([Document(page_content="new", id="id-c")])
assert saved.delete(["id-a"]) and len(saved.docstore._dict) == 2
check(FAISS.deserialize_from_bytes((folder / "bytes.pkl").read_bytes(), Fixed(), allow_dangerous_deserialization=True))
