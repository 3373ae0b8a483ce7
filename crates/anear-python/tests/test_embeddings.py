"""anear's own models: built in, behind a server of OpenAI's kind, and from a folder of weights."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import multiprocessing
import pickle
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.embeddings import Embeddings
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests
from pydantic import SecretStr

from anear.langchain import FAISS, DefaultEmbeddings, HuggingFaceEmbeddings, OpenAIEmbeddings
from support import path_from

TEXTS = ["The ferry leaves at noon.", "Bread needs flour and water.", "When does the boat depart?"]


class TestDefaultUnit(EmbeddingsUnitTests):
    @property
    def embeddings_class(self) -> type[DefaultEmbeddings]:
        return DefaultEmbeddings


class TestDefault(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[DefaultEmbeddings]:
        return DefaultEmbeddings


async def test_the_built_in_model_knows_what_belongs_together() -> None:
    model = DefaultEmbeddings()
    vectors = np.array(model.embed_documents(TEXTS))
    assert vectors.shape == (3, 128)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    ferry, bread, boat = vectors
    assert ferry @ boat > bread @ boat
    assert await model.aembed_documents(TEXTS) == model.embed_documents(TEXTS)
    assert await model.aembed_query(TEXTS[0]) == model.embed_query(TEXTS[0]) == model.embed_documents(TEXTS)[0]
    assert type(model.embed_query("a")[0]) is float
    assert model.embed_documents([]) == await model.aembed_documents([]) == []


def test_texts_must_be_texts() -> None:
    wrong: list[Any] = ["one text", [1], [None], None, 5]
    for texts in wrong:
        with pytest.raises(TypeError):
            DefaultEmbeddings().embed_documents(texts)
        with pytest.raises(TypeError):
            asyncio.run(DefaultEmbeddings().aembed_documents(texts))


async def test_many_texts_hold_the_event_loop_for_no_time() -> None:
    texts = [f"text number {i} of many" for i in range(20_000)]
    embedding = asyncio.ensure_future(DefaultEmbeddings().aembed_documents(texts))
    turns = 0
    while not embedding.done():
        await asyncio.sleep(0)
        turns += 1
    # A loop that was held got one turn or two.
    assert turns > 10
    assert np.array(await embedding).shape == (20_000, 128)


class Shouting(DefaultEmbeddings):
    """Embeds otherwise than its class."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return super().embed_documents([text + "!!! warning" for text in texts])

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


async def test_subclasses_that_embed_otherwise_are_heard() -> None:
    shouting = Shouting()
    assert shouting.embed_query("bread") != DefaultEmbeddings().embed_query("bread")
    assert await shouting.aembed_query("bread") == shouting.embed_query("bread")
    assert await shouting.aembed_documents(["bread"]) == shouting.embed_documents(["bread"])
    db = FAISS.from_texts(["bread"], shouting)
    assert db.similarity_search_with_score("bread")[0][1] == 0.0
    assert type(pickle.loads(pickle.dumps(shouting))) is type(copy.deepcopy(shouting)) is Shouting


# -- a server of OpenAI's kind


@dataclass
class Server:
    """Answers each text with a vector that says its length; first with these statuses, if any."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    pause: float = 0

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        width = body.get("dimensions", 4)
        vectors = [[float(len(text))] + [1.0] * (width - 1) for text in body["input"]]
        return {"data": [{"index": i, "embedding": vector} for i, vector in enumerate(vectors)], "model": "m"}


def handler_of(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            server.bodies.append(body)
            server.headers.append(dict(self.headers))
            server.paths.append(self.path)
            time.sleep(server.pause)
            status = server.statuses.pop(0) if server.statuses else 200
            # Servers quote keys back.
            refusal = {"error": {"message": f"no: {self.headers['authorization']} {self.headers.get('x-secret')}"}}
            answer = json.dumps(server.answer(body) if status == 200 else refusal).encode()
            # Some tests hang up before they are answered.
            with contextlib.suppress(ConnectionError):
                self.send_response(status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("OPENAI_API_KEY", "OPENAI_API_BASE", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    server = Server()
    listener = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(server))
    listener.daemon_threads = True
    server.url = f"http://127.0.0.1:{listener.server_port}/v1"
    threading.Thread(target=listener.serve_forever, args=(0.01,), name="server", daemon=True).start()
    yield server
    listener.shutdown()
    listener.server_close()


KEY = "sk-very-secret-0123456789"


def client(server: Server, **settings: Any) -> OpenAIEmbeddings:
    return OpenAIEmbeddings(**{"api_key": KEY, "base_url": server.url, **settings})


async def test_batches_come_back_in_order(server: Server) -> None:
    texts = ["x" * (i % 7) for i in range(25)]
    model = client(server, chunk_size=10, dimensions=3, model="m")
    expected = [[float(len(text)), 1.0, 1.0] for text in texts]
    assert model.embed_documents(texts) == expected
    assert sorted(len(body["input"]) for body in server.bodies) == [5, 10, 10]
    assert await model.aembed_documents(texts) == expected
    assert await model.aembed_query("abc") == model.embed_query("abc") == [3.0, 1.0, 1.0]
    assert {(body["model"], body["dimensions"]) for body in server.bodies} == {("m", 3)}
    assert set(server.paths) == {"/v1/embeddings"}
    assert (model.model, model.dimensions, model.chunk_size) == ("m", 3, 10)


def test_settings_reach_the_server(server: Server) -> None:
    model = OpenAIEmbeddings(
        openai_api_key=SecretStr(KEY),
        openai_api_base=server.url,
        openai_organization="org",
        default_headers={"x-secret": "h"},
        default_query={"api-version": "1"},
        request_timeout=30,
        check_embedding_ctx_length=False,
        tiktoken_enabled=True,
        show_progress_bar=False,
        model_kwargs={},
    )
    model.embed_query("a")
    assert server.paths == ["/v1/embeddings?api-version=1"]
    headers = {name.lower(): value for name, value in server.headers[0].items()}
    assert headers["authorization"] == f"Bearer {KEY}"
    assert (headers["openai-organization"], headers["x-secret"]) == ("org", "h")


def test_the_environment_says_what_is_not_given(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="OPENAI_API_KEY"):
        OpenAIEmbeddings(base_url=server.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_BASE", server.url)
    OpenAIEmbeddings().embed_query("a")
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert server.bodies[0]["model"] == "text-embedding-ada-002"


async def test_refusals_that_pass_are_tried_again(server: Server) -> None:
    server.statuses = [500, 429]
    assert client(server).embed_query("ab")[0] == 2.0
    assert len(server.bodies) == 3
    server.statuses = [503]
    assert (await client(server).aembed_query("ab"))[0] == 2.0
    server.statuses = [500, 500]
    with pytest.raises(RuntimeError, match="answered 500 .* after 1 attempt"):
        client(server, max_retries=0).embed_query("ab")


async def test_a_server_that_is_slow_or_absent_is_named(server: Server) -> None:
    server.pause = 1
    with pytest.raises(TimeoutError, match="did not answer"):
        await client(server, timeout=0.1, max_retries=0).aembed_query("a")
    with pytest.raises(ConnectionError, match="cannot reach"):
        client(server, base_url="http://127.0.0.1:1/v1", max_retries=0).embed_query("a")


def test_keys_are_shown_nowhere(server: Server) -> None:
    for key in (KEY, SecretStr(KEY)):
        model = client(server, api_key=key, default_headers={"x-secret": "hidden-header"})
        server.statuses = [401]
        with pytest.raises(RuntimeError, match="401") as error:
            model.embed_query("a")
        shown = "".join(traceback.format_exception(error.value)) + repr(model)
        assert "[hidden]" in shown
        assert KEY not in shown and "hidden-header" not in shown
        assert KEY not in str(vars(model)) and KEY.encode() not in pickle.dumps(model)


def test_copies_keep_the_key_and_pickles_take_the_environments(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = client(server, dimensions=2)
    for twin in (copy.copy(model), copy.deepcopy(model)):
        assert twin.embed_query("abc") == [3.0, 1.0]
    pickled = pickle.dumps(model)
    with pytest.raises(ValueError, match="OPENAI_API_KEY"):
        pickle.loads(pickled)
    monkeypatch.setenv("OPENAI_API_KEY", "another")
    server.headers.clear()
    assert pickle.loads(pickled).embed_query("abc") == [3.0, 1.0]
    assert server.headers[0]["authorization"] == "Bearer another"


@pytest.mark.parametrize(
    ("setting", "error", "way_out"),
    [
        ({"api_key": lambda: KEY}, TypeError, "call a function yourself"),
        ({"api_key": 5}, TypeError, "got int"),
        ({"nonsense": 1}, TypeError, "unexpected keyword argument 'nonsense'"),
        ({"http_client": object()}, ValueError, "HTTPS_PROXY"),
        ({"openai_proxy": "http://p"}, ValueError, "HTTPS_PROXY"),
        ({"tiktoken_enabled": False}, ValueError, "check_embedding_ctx_length=False"),
        ({"show_progress_bar": True}, ValueError, "show_progress=True"),
        ({"deployment": "d"}, ValueError, "as model"),
        ({"model_kwargs": {"a": 1}}, ValueError, "default_query"),
        ({"chunk_size": 0}, ValueError, "chunk_size"),
        ({"dimensions": 0}, ValueError, "dimensions"),
        ({"timeout": -1.0}, ValueError, "timeout"),
        ({"base_url": "nonsense"}, ValueError, "base_url"),
        ({"default_headers": {"a b": "c"}}, ValueError, "header"),
    ],
    ids=lambda value: str(next(iter(value))) if isinstance(value, dict) else "",
)
def test_settings_that_cannot_be_are_refused_with_the_way_out(
    setting: dict[str, Any], error: type[Exception], way_out: str, server: Server
) -> None:
    with pytest.raises(error, match=way_out) as refused:
        client(server, **setting)
    assert KEY not in str(refused.value)


async def test_awaiting_takes_no_thread_however_many_wait(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = client(server)
    await model.aembed_query("warm")
    monkeypatch.setattr(asyncio.get_running_loop(), "run_in_executor", None)
    server.pause = 0.3
    before = {thread.name for thread in threading.enumerate()}
    waiting = [asyncio.ensure_future(model.aembed_query("x" * i)) for i in range(20)]
    await asyncio.sleep(0.1)
    # The server has threads of its own here.
    threads = {thread.name for thread in threading.enumerate() if "request" not in thread.name}
    assert threads <= before
    vectors = await asyncio.gather(*waiting)
    assert [vector[0] for vector in vectors] == [float(i) for i in range(20)]


async def test_a_cancelled_call_ends_before_its_answer(server: Server) -> None:
    server.pause = 5
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(client(server).aembed_query("a"), 0.1)


def answer_of(model: Embeddings, send: Callable[[Any], None]) -> None:
    try:
        send(model.embed_query("abc"))
    except Exception as error:
        send(error)


def in_a_forked_child(model: Embeddings) -> Any:
    """What a child that is forked now gets of the model."""
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe()
    child = fork.Process(target=answer_of, args=(model, sender.send), daemon=True)
    child.start()
    assert receiver.poll(20), "the child hangs"
    answer = receiver.recv()
    child.join()
    return answer


forks = pytest.mark.skipif(sys.platform == "win32", reason="no fork")


@forks
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_client_that_was_used_works_in_a_forked_child(server: Server) -> None:
    model = client(server, timeout=5, max_retries=0)
    assert model.embed_query("a")[0] == 1.0
    assert in_a_forked_child(model)[0] == 3.0
    assert model.embed_query("ab")[0] == 2.0


@forks
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_built_in_model_works_in_a_forked_child() -> None:
    model = DefaultEmbeddings()
    assert in_a_forked_child(model) == model.embed_query("abc") == in_a_forked_child(model)


# -- a folder of weights


@pytest.fixture(scope="module")
def minilm() -> Path:
    return path_from("ANEAR_MINILM", "minilm")


@pytest.fixture(scope="module")
def model(minilm: Path) -> HuggingFaceEmbeddings:
    return HuggingFaceEmbeddings(model_name=str(minilm))


def test_minilm_agrees_with_the_reference(model: HuggingFaceEmbeddings) -> None:
    reference = Path(__file__).parents[2] / "anear-embeddings" / "tests" / "reference"
    texts = json.loads((reference / "texts.json").read_text("utf-8"))
    expected = np.fromfile(reference / "minilm.f32", "<f4").reshape(len(texts), -1)
    # Every tenth: all of them are compared in Rust.
    cosines = (np.array(model.embed_documents(texts[::10])) * expected[::10]).sum(axis=1)
    assert cosines.min() > 0.9999


async def test_minilm_knows_what_belongs_together(model: HuggingFaceEmbeddings) -> None:
    vectors = np.array(model.embed_documents(TEXTS))
    assert vectors.shape == (3, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    ferry, bread, boat = vectors
    assert ferry @ boat > bread @ boat + 0.3
    assert np.allclose(await model.aembed_documents(TEXTS), vectors, atol=1e-6)
    assert np.allclose(await model.aembed_query(TEXTS[1]), bread, atol=1e-5)
    assert np.allclose(model.embed_query("a\nb"), model.embed_query("a b"))


async def test_vectors_are_scaled_where_that_is_wanted(minilm: Path, tmp_path: Path) -> None:
    unscaled = without_normalize(minilm, tmp_path / "unscaled")
    raw = HuggingFaceEmbeddings(unscaled)
    lengths = np.linalg.norm(raw.embed_documents(TEXTS), axis=1)
    assert not np.allclose(lengths, 1, atol=0.01)
    scaled = HuggingFaceEmbeddings(model=unscaled, encode_kwargs={"normalize_embeddings": True, "batch_size": 8})
    assert np.allclose(np.linalg.norm(scaled.embed_documents(TEXTS), axis=1), 1, atol=1e-5)
    assert np.isclose(np.linalg.norm(await scaled.aembed_query(TEXTS[0])), 1, atol=1e-5)
    queries = HuggingFaceEmbeddings(unscaled, query_encode_kwargs={"normalize_embeddings": True})
    assert np.allclose(np.linalg.norm(await queries.aembed_documents(TEXTS), axis=1), lengths)
    assert np.isclose(np.linalg.norm(queries.embed_query(TEXTS[0])), 1, atol=1e-5)
    assert pickle.loads(pickle.dumps(queries)).embed_query("a") == queries.embed_query("a")


@forks
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_says_that_a_local_model_cannot_follow(model: HuggingFaceEmbeddings) -> None:
    expected = model.embed_query("abc")
    answer = in_a_forked_child(model)
    assert isinstance(answer, RuntimeError) and "spawn" in str(answer)
    assert model.embed_query("abc") == expected


def without_normalize(minilm: Path, folder: Path) -> Path:
    """The model without its last step."""
    folder.mkdir()
    for file in minilm.iterdir():
        (folder / file.name).symlink_to(file)
    (folder / "modules.json").unlink()
    modules = json.loads((minilm / "modules.json").read_text())
    kept = [module for module in modules if not module["type"].endswith("Normalize")]
    (folder / "modules.json").write_text(json.dumps(kept))
    return folder


def test_a_model_in_the_hubs_cache_has_its_name(
    minilm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: HuggingFaceEmbeddings
) -> None:
    snapshots = tmp_path / "models--sentence-transformers--all-MiniLM-L6-v2" / "snapshots"
    snapshots.mkdir(parents=True)
    (snapshots / "0a1b").symlink_to(minilm, target_is_directory=True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for cached in (HuggingFaceEmbeddings(), HuggingFaceEmbeddings(model_name="all-MiniLM-L6-v2")):
        assert cached.model == "sentence-transformers/all-MiniLM-L6-v2"
        assert cached.embed_query("a") == model.embed_query("a")


def test_a_model_that_is_nowhere_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("all-MiniLM-L6-v2", "some/model", str(tmp_path / "missing"), "./missing"):
        with pytest.raises(FileNotFoundError, match=Path(name).name):
            HuggingFaceEmbeddings(name)
    with pytest.raises(ValueError, match="organization/name"):
        HuggingFaceEmbeddings("a/b/c")


@pytest.mark.parametrize(
    ("setting", "way_out"),
    [
        ({"cache_folder": "x"}, "HF_HUB_CACHE"),
        ({"multi_process": True}, "all cores"),
        ({"show_progress": True}, "show_progress=True"),
        ({"model_kwargs": {"device": "cuda"}}, "device='cpu'"),
        ({"model_kwargs": {"trust_remote_code": True}}, "trust_remote_code"),
        ({"encode_kwargs": {"prompt": "query: "}}, "prompt"),
        ({"query_encode_kwargs": {"precision": "int8"}}, "precision"),
        ({"encode_kwargs": {"show_progress_bar": True}}, "show_progress=True"),
    ],
    ids=str,
)
def test_what_cannot_be_honored_is_refused_with_the_way_out(setting: dict[str, Any], way_out: str) -> None:
    with pytest.raises(ValueError, match=way_out):
        HuggingFaceEmbeddings(**setting)
    with pytest.raises(TypeError, match="nonsense"):
        HuggingFaceEmbeddings(nonsense=1)  # type: ignore[call-arg]
