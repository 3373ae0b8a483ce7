"""Threads that add, delete, search and save at once, against a model of what each of them did."""

import faulthandler
import os
import random
import threading
import time
from pathlib import Path

from langchain_core.embeddings import DeterministicFakeEmbedding

from anear.langchain import FAISS

SECONDS = float(os.environ.get("ANEAR_STRESS_SECONDS", "60"))
THREADS = 8


def test_threads_mixing_everything_lose_nothing_and_invent_nothing(tmp_path: Path) -> None:
    """Each thread owns the ids that begin with its number, so it knows exactly which of them must be there."""
    faulthandler.enable()
    embeddings = DeterministicFakeEmbedding(size=16)
    db = FAISS.from_texts(["base"], embeddings, ids=["base"])
    end = time.monotonic() + SECONDS
    failures: list[str] = []
    models: list[dict[str, str]] = [{} for _ in range(THREADS)]
    done = [0] * THREADS

    def work(n: int) -> None:
        rng, model = random.Random(n), models[n]
        while time.monotonic() < end and not failures:
            done[n] += 1
            match rng.randrange(10):
                case 0 | 1 | 2:
                    new = {f"{n}:{rng.randrange(200)}": f"{n} {rng.random()}" for _ in range(rng.randrange(1, 9))}
                    db.add_texts(list(new.values()), ids=list(new), metadatas=[{"owner": n}] * len(new))
                    model.update(new)
                case 3:
                    gone = rng.sample(sorted(model), min(len(model), 3))
                    db.delete(gone)
                    for id in gone:
                        del model[id]
                case 4 if rng.randrange(20) == 0:
                    folder = tmp_path / f"{n}"
                    db.save_local(str(folder))
                    check(FAISS.load_local(str(folder), embeddings), n, model)
                case 5:
                    ids = rng.sample(sorted(model), min(len(model), 5)) + [f"{n}:none"]
                    found = {document.id: document.page_content for document in db.get_by_ids(ids)}
                    expect(found == {id: model[id] for id in ids if id in model}, f"get_by_ids of {n}")
                case 6 if model:
                    id = rng.choice(sorted(model))
                    document, score = db.similarity_search_with_score(model[id], k=1, filter={"owner": n})[0]
                    expect((document.id, document.page_content, score) == (id, model[id], 0.0), f"search of {n}")
                case 7 if rng.randrange(10) == 0:
                    check(db, n, model)
                case _:
                    for document in db.similarity_search("anything", k=5):
                        owner = document.metadata.get("owner")
                        expect(owner is None or document.id.startswith(f"{owner}:"), "a document of two owners")

    def check(store: FAISS, n: int, model: dict[str, str]) -> None:
        ids = store.list_ids(filter={"owner": n})
        expect(sorted(ids) == sorted(model), f"ids of {n}: {len(ids)} in the store, {len(model)} in the model")
        found = store.similarity_search("anything", k=len(model) + 1, filter={"owner": n})
        expect({d.id: d.page_content for d in found} == model, f"documents of {n}")

    def expect(holds: bool, what: str) -> None:
        if not holds:
            failures.append(what)

    def guarded(n: int) -> None:
        try:
            work(n)
        except BaseException as failure:
            failures.append(f"thread {n}: {failure!r}")

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[:5]
    for n, model in enumerate(models):
        check(db, n, model)
    assert not failures, failures[:5]
    assert db.index.ntotal == 1 + sum(map(len, models))
    print(f"{sum(done):,} operations of {THREADS} threads in {SECONDS:.0f} s, {db.index.ntotal} documents at the end")
