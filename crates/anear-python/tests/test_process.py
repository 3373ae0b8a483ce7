"""The life of the process: forks, exits, signals, and callbacks that call the store back.

Each scene runs in a Python of its own under faulthandler, so that a hang or a crash is seen for what it is.
"""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

START = """
import asyncio, faulthandler, os, sys, threading, time
faulthandler.enable()
import numpy as np
from langchain_core.embeddings import DeterministicFakeEmbedding
from anear.langchain import FAISS
embeddings = DeterministicFakeEmbedding(size=32)
db = FAISS.from_texts([f"text {i}" for i in range(2000)], embeddings, metadatas=[{"page": i % 10} for i in range(2000)])
vector = embeddings.embed_query("text 7")
"""


def run(scene: str, timeout: float = 60) -> str:
    """What the scene prints; it must end by itself, with 0, and without a panic."""
    done = subprocess.run(
        [sys.executable, "-c", START + textwrap.dedent(scene)], capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "panicked" not in done.stderr, done.stderr
    return done.stdout


CHILD = """
def in_child(work):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            print("child", work(), flush=True)
        finally:
            os._exit(0)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert status == 0, status
            return
        time.sleep(0.01)
    os.kill(child, 9)
    raise SystemExit("the child hangs")

def everything():
    hits = db.similarity_search_with_score("text 7", k=1, filter={"page": 7})
    db.add_texts(["new"], ids=["new"])
    db.delete(["new"])
    found = asyncio.run(db.asimilarity_search("text 7", k=1))
    return hits[0][0].page_content, hits[0][1], found[0].page_content, len(db.list_ids())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
class TestFork:
    def test_a_child_searches_and_writes_after_the_parent_did(self) -> None:
        out = run(CHILD + "everything()\nin_child(everything)\nprint('parent', everything())")
        assert out.count("('text 7', 0.0, 'text 7', 2000)") == 2

    def test_a_child_of_a_child_too(self) -> None:
        out = run(CHILD + "everything()\nin_child(lambda: in_child(everything) or 'done')")
        assert "child ('text 7', 0.0, 'text 7', 2000)" in out

    def test_forks_amid_searches_and_adds_of_other_threads(self) -> None:
        scene = """
        stop = threading.Event()
        def busy(n):
            while not stop.is_set():
                db.similarity_search_by_vector(vector, k=3, filter={"page": n})
                db.add_embeddings([("busy", vector)], ids=[f"busy-{n}"])
        threads = [threading.Thread(target=busy, args=(n,)) for n in range(4)]
        for thread in threads: thread.start()
        for _ in range(20):
            in_child(lambda: db.similarity_search_with_score_by_vector(vector, k=1, filter={"page": 7})[0][1]
                     == db.similarity_search_with_score_by_vector(vector, k=1)[0][1] == 0.0
                     and db.add_texts(["x"], ids=["x"]) == ["x"])
        stop.set()
        for thread in threads: thread.join()
        print("parent", everything()[:3])
        """
        out = run(CHILD + textwrap.dedent(scene), timeout=120)
        assert out.count("child True") == 20
        assert "parent ('text 7', 0.0, 'text 7')" in out


class TestExit:
    def test_with_threads_in_the_middle_of_calls(self) -> None:
        scene = """
        def busy():
            while True:
                db.similarity_search_by_vector(vector, k=50)
                db.add_embeddings([("busy", vector)])
        for _ in range(6): threading.Thread(target=busy, daemon=True).start()
        time.sleep(0.3)
        print("leaving")
        """
        for _ in range(5):
            assert run(scene) == "leaving\n"

    def test_with_async_work_in_flight(self) -> None:
        scene = """
        async def main():
            vectors = np.random.rand(50_000, 32).tolist()
            asyncio.create_task(db.aadd_embeddings(zip(["t"] * 50_000, vectors)))
            for _ in range(100): asyncio.create_task(db.asimilarity_search("x", filter=lambda metadata: True))
            await asyncio.sleep(0.05)
        asyncio.run(main())
        print("leaving")
        """
        for _ in range(3):
            assert run(scene) == "leaving\n"

    def test_with_a_loop_that_was_closed_over_its_work(self) -> None:
        scene = """
        loop = asyncio.new_event_loop()
        async def begin(): return [asyncio.ensure_future(db.asimilarity_search_by_vector(vector)) for _ in range(50)]
        tasks = loop.run_until_complete(begin())
        loop.close()
        time.sleep(0.2)
        print(len(asyncio.run(db.asimilarity_search_by_vector(vector))))
        """
        assert run(scene) == "4\n"


@pytest.mark.skipif(os.name == "nt", reason="this system sends no SIGINT to a process")
def test_ctrl_c_interrupts_a_long_call_and_the_store_is_whole() -> None:
    scene = START + textwrap.dedent("""
        big = np.random.rand(400_000, 32)
        print("ready", flush=True)
        try:
            while True:
                db.add_embeddings(zip(["t"] * len(big), big))
                db.delete([id for id in db.list_ids()[2000:]])
        except KeyboardInterrupt:
            print("interrupted", db.index.ntotal == len(db.index_to_docstore_id), flush=True)
    """)
    process = subprocess.Popen([sys.executable, "-c", scene], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.7)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out == "interrupted True\n"
    print(f"interrupted after {time.monotonic() - began:.2f} s")


def test_callbacks_may_call_the_store_back() -> None:
    scene = """
    def nosy(metadata):
        db.similarity_search_by_vector(vector, k=1)
        db.add_embeddings([("from within", vector)], ids=["within"])
        return metadata.get("page") == 7
    found = db.similarity_search_by_vector(vector, k=1, filter=nosy)
    async def main():
        return await asyncio.gather(*[db.asimilarity_search_by_vector(vector, k=1, filter=nosy) for _ in range(4)])
    print(found[0].page_content, {hits[0].page_content for hits in asyncio.run(main())})
    """
    assert run(scene, timeout=120) == "text 7 {'text 7'}\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_lone_index_survives_forks_beside_its_adds() -> None:
    scene = CHILD + textwrap.dedent("""
    import anear
    index = anear.IndexFlatL2(32)
    rows = np.random.rand(20_000, 32).astype("float32")
    stop = threading.Event()
    def busy():
        while not stop.is_set():
            index.add(rows)
            index.reset()
    thread = threading.Thread(target=busy)
    thread.start()
    for _ in range(10):
        in_child(lambda: index.ntotal >= 0)
    stop.set()
    thread.join()
    """)
    assert run(scene, timeout=120).count("child True") == 10
