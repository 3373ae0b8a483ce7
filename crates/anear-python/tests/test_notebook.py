"""`examples/notebook.ipynb`, executed: what the reference prints, our cells print."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from support import path_from

ROOT = Path(__file__).parents[3]
NOTEBOOK = ROOT / "examples/notebook.ipynb"
SPEECH = ROOT / "crates/anear/examples/nomination.txt"
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"

# Nobody is there to type a key.
NO_PROMPT = {'getpass.getpass("OpenAI API Key:")': '"a key"'}

# The same cells with everything but the store from LangChain, and vectors of its fake model.
OF_LANGCHAIN = {
    "from anear.langchain import FAISS, CharacterTextSplitter, OpenAIEmbeddings, TextLoader": """
from anear.langchain import FAISS
from langchain_community.document_loaders import TextLoader
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_text_splitters import CharacterTextSplitter

OpenAIEmbeddings = lambda: DeterministicFakeEmbedding(size=384)""",
    "from anear.langchain import HuggingFaceEmbeddings": """
HuggingFaceEmbeddings = lambda model_name: DeterministicFakeEmbedding(size=384)""",
    "from anear.langchain import Document": "from langchain_core.documents import Document",
}


class OpenAI(BaseHTTPRequestHandler):
    """The embeddings of the service's protocol: texts that share long words are near each other."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/v1/embeddings", self.path
        assert self.headers["Authorization"] == "Bearer a key"
        texts = request["input"]
        rows = [{"object": "embedding", "index": i, "embedding": words(text)} for i, text in enumerate(texts)]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        answer = json.dumps({"object": "list", "data": rows, "model": request["model"], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


def words(text: str) -> list[float]:
    """A count of the words of five letters and more, at places that their checksums give, of unit length."""
    counts = [0.0] * 1536
    for word in re.findall(r"\w{5,}", text.lower()):
        counts[zlib.crc32(word.encode()) % len(counts)] += 1.0
    length = math.hypot(*counts) or 1.0
    return [count / length for count in counts]


@pytest.fixture
def openai(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server on this machine in place of OpenAI's."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), OpenAI)
    Thread(target=server.serve_forever, daemon=True).start()
    for name in ("OPENAI_API_BASE", "OPENAI_ORG_ID", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    yield
    server.shutdown()
    server.server_close()


@pytest.fixture
def minilm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The sentence-transformers model where the hub's tools would have put it."""
    weights = path_from("ANEAR_MINILM", "notebook")
    revision = hashlib.sha1(b"any").hexdigest()
    model = tmp_path / "hf/hub/models--sentence-transformers--all-MiniLM-L6-v2"
    shutil.copytree(weights, model / "snapshots" / revision)
    (model / "refs").mkdir()
    (model / "refs/main").write_text(revision)
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))


class Executed:
    """A notebook with what its cells printed."""

    def __init__(self, cells: list[Any]) -> None:
        self._cells = cells

    def output(self, cell: str, nth: int = 0) -> str:
        """The text below the `nth` of the cells that contain `cell`."""
        found = [each for each in self._cells if each.cell_type == "code" and cell in each.source]
        outputs = [output for output in found[nth].outputs if output.get("name") != "stderr"]
        return "".join(o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs).rstrip("\n")


def execute(folder: Path, replacements: dict[str, str] | None = None) -> Executed:
    """Runs a copy of the notebook beside a copy of the text that it loads."""
    nbformat, nbclient = tools()
    (folder / "examples").mkdir()
    (folder / "crates/anear/examples").mkdir(parents=True)
    shutil.copy(SPEECH, folder / "crates/anear/examples")
    book = nbformat.read(NOTEBOOK, as_version=4)
    for before, after in {**NO_PROMPT, **(replacements or {})}.items():
        [cell] = [cell for cell in book.cells if before in cell.source]
        cell.source = cell.source.replace(before, after)
    where = {"metadata": {"path": str(folder / "examples")}}
    nbclient.NotebookClient(book, timeout=300, kernel_name="python3", resources=where).execute()
    return Executed(book.cells)


def tools() -> tuple[Any, Any]:
    """What executes notebooks; without it the test is skipped, unless ANEAR_REQUIRE promises it."""
    try:
        import ipykernel  # noqa: F401
        import nbclient
        import nbformat
    except ImportError as error:
        if "notebook" in os.environ.get("ANEAR_REQUIRE", ""):
            pytest.fail(f"ANEAR_REQUIRE promises notebook, but {error}")
        pytest.skip(str(error))
    return nbformat, nbclient


def check_what_the_reference_prints(book: Executed) -> None:
    """Everything that does not depend on the model."""
    assert re.fullmatch(rf"\{{'({UUID})': Document\(id='\1', metadata=\{{\}}, page_content='foo'\)\}}", first(book))
    assert "page_content='bar'" in book.output("db2.docstore._dict")
    assert book.output("db1.merge_from(db2)") == ""
    merged = book.output("db1.docstore._dict", 1)
    assert merged.startswith(first(book)[:-1])
    assert re.findall("page_content='([^']*)'", merged) == ["foo", "bar"]

    everywhere = [f"Content: foo, Metadata: {{'page': {page}}}, Score: 0.0" for page in (1, 2, 3, 4)]
    assert book.output("list_of_documents").splitlines() == everywhere
    foo, bar = book.output('asimilarity_search_with_score("foo", filter=dict(page=1))').splitlines()
    assert foo == "Content: foo, Metadata: {'page': 1}, Score: 0.0"
    assert float(bar.removeprefix("Content: bar, Metadata: {'page': 1}, Score: ")) > 0.1
    on_page_1 = ["Content: foo, Metadata: {'page': 1}", "Content: bar, Metadata: {'page': 1}"]
    assert book.output("amax_marginal_relevance_search").splitlines() == on_page_1
    assert book.output("fetch_k=4").splitlines() == on_page_1[:1]
    assert book.output("db.delete(") == "True"
    # Positions are counted anew, in LangChain too; the notebook says so.
    assert book.output("0 in db.index_to_docstore_id") == "True"


def first(book: Executed) -> str:
    return book.output("db1.docstore._dict")


@pytest.mark.usefixtures("openai", "minilm")
def test_the_notebook_prints_what_the_reference_prints(tmp_path: Path) -> None:
    book = execute(tmp_path)
    answer = book.output("print(docs[0].page_content)")
    assert answer.startswith("A president fills few offices")
    assert answer in SPEECH.read_text(encoding="utf-8")
    source = "metadata={'source': '../crates/anear/examples/nomination.txt'}"
    scored = book.output("docs_and_scores[0]")
    assert re.match(rf"\(Document\(id='{UUID}', ", scored) and source in scored
    assert 0 < float(scored.rsplit(maxsplit=1)[1].rstrip(")")) < 2
    loaded = book.output("load_local")
    assert source in loaded and "My nominee for the Supreme Court" in loaded
    assert (tmp_path / "examples/faiss_index/index.faiss").exists()
    assert (tmp_path / "examples/faiss_index/index.pkl").exists()
    check_what_the_reference_prints(book)


def test_the_notebook_runs_with_langchains_own_parts(tmp_path: Path) -> None:
    pytest.importorskip("langchain_community")
    book = execute(tmp_path, OF_LANGCHAIN)
    assert book.output("print(docs[0].page_content)") in SPEECH.read_text(encoding="utf-8")
    check_what_the_reference_prints(book)
