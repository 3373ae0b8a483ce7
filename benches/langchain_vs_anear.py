"""`anear.langchain.FAISS` against langchain-community's FAISS with faiss-cpu, paired in one run.

    pip install './crates/anear-python[langchain]' langchain-community==0.4.2 faiss-cpu==1.15.1
    python benches/langchain_vs_anear.py            (--quick: a small smoke run)

Both sides run the same lines of Python over the same documents: the one class is imported from the one package or the
other, and LangChain is told `fetch_k` = all documents where a filter shall find everything. Vectors come from a table,
so that a model costs neither side anything.

Time: each side has a process of its own, and the two take turns, so that both see the same machine at the same moment
and neither sees the other's objects or threads. Before anything is timed, the answers are compared. Memory: one fresh
process per side and row, which sets the kernel's high-water mark back (`/proc/self/clear_refs`) right before the row;
what is printed is how far the row rose above what was held before. Without `/proc` the columns stay empty.
"""

import argparse
import asyncio
import ctypes
import gc
import json
import os
import pathlib
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time

from machine import processor

FULL = dict(documents=100_000, width=384, queries=200, filtered=20, singles=200, listed=10_000, deleted=1_000, few=20)
BRIEF = FULL | dict(queries=50, filtered=4, singles=100, few=5)
QUICK = dict(documents=2_000, width=32, queries=20, filtered=5, singles=10, listed=200, deleted=100, few=5)
CATEGORIES = ["art", "biology", "chemistry", "design", "ecology", "finance", "geology", "history", "italian", "jazz"]
FILTERS = {
    "10 %": {"category": "history"},
    "1 %": {"page": {"$gte": 10, "$lt": 20}},
    "0.1 %": {"page": 42},
}
SIDES = ["anear", "langchain"]


class Data:
    """Documents, queries and their vectors; the same in every process."""

    def __init__(self, sizes):
        import numpy as np

        rng, words = np.random.default_rng(1), random.Random(1)
        count, self.sizes = sizes["documents"], sizes
        self.vectors = self.rows(rng, count, sizes["width"])
        self.queries = self.rows(rng, sizes["queries"], sizes["width"])
        vocabulary = ["".join(words.choices("abcdefghijklmnopqrstuvwxyz", k=words.randint(2, 9))) for _ in range(5_000)]
        self.texts = [f"{i}: " + " ".join(words.choices(vocabulary, k=60)) for i in range(count)]
        self.ids = [f"document-{i}" for i in range(count)]
        self.metadatas = [
            {
                "category": words.choice(CATEGORIES),
                "page": words.randrange(1_000),
                "tags": words.sample(vocabulary, 3),
                "published": f"20{words.randrange(10, 26)}-{words.randrange(1, 13):02}-{words.randrange(1, 29):02}",
            }
            for _ in range(count)
        ]

    @staticmethod
    def rows(rng, count, width):
        import numpy as np

        rows = rng.standard_normal((count, width), dtype="float32")
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Side:
    """One of the two stores and what the rows do with it."""

    def __init__(self, name, sizes):
        if name == "anear":
            from anear.langchain import FAISS
        else:
            from langchain_community.vectorstores import FAISS
        from langchain_core.embeddings import Embeddings

        class Table(Embeddings):
            """Looks vectors up; like the models of LangChain it returns lists of floats."""

            def __init__(self):
                self.rows = {}

            def embed_documents(self, texts):
                return [self.rows[text] for text in texts]

            def embed_query(self, text):
                return self.rows[text]

            async def aembed_query(self, text):
                return self.rows[text]

        self.name, self.FAISS, self.sizes = name, FAISS, sizes
        self.load = {} if name == "anear" else {"allow_dangerous_deserialization": True}
        self.complete = {} if name == "anear" else {"fetch_k": sizes["documents"]}
        self.model, self.loop = Table(), asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.saved = pathlib.Path(self.folder.name) / "saved"
        self.db = None

    def generate(self):
        self.data = Data(self.sizes)
        self.questions = [f"question {i}" for i in range(self.sizes["queries"])]
        self.model.rows.update(zip(self.questions, self.data.queries.tolist(), strict=True))

    def build(self):
        data = self.data
        return self.FAISS.from_embeddings(
            zip(data.texts, data.vectors, strict=True), self.model, metadatas=data.metadatas, ids=data.ids
        )

    def ids_of(self, documents):
        return [document.id for document in documents]

    def scored(self, **kwargs):
        """Ids and scores of what a search finds, for each of a few queries."""
        questions = self.questions[: self.sizes["filtered"]]
        found = [self.db.similarity_search_with_score(question, **kwargs) for question in questions]
        return [[(document.id, float(score)) for document, score in hits] for hits in found]


class Row:
    """One line of the table: `prepare` is not timed and returns what `run` gets."""

    name = ""
    rounds = 5

    def calls(self, sizes):
        return 1

    def prepare(self, side, round):
        return None

    def run(self, side, prepared):
        raise NotImplementedError

    def answers(self, side):
        """What both sides must agree about: hits with scores, or anything that is equal."""
        return None

    def found(self, side):
        """How many hits this call has in all, where the sides may differ."""
        return None


class FromEmbeddings(Row):
    name, rounds = "`from_embeddings`, {documents:,} NumPy vectors", 3

    def run(self, side, prepared):
        side.other = side.build()


class FromTexts(Row):
    name, rounds = "`from_texts`, {listed:,} vectors as lists of floats", 3

    def prepare(self, side, round):
        count = side.sizes["listed"]
        texts = side.data.texts[:count]
        side.model.rows.update(zip(texts, side.data.vectors[:count].tolist(), strict=True))
        return texts, side.data.metadatas[:count]

    def run(self, side, prepared):
        texts, metadatas = prepared
        side.other = side.FAISS.from_texts(texts, side.model, metadatas)


class AddOne(Row):
    name, rounds = "`add_texts`, one text a call", 3

    def calls(self, sizes):
        return sizes["singles"]

    def prepare(self, side, round):
        import numpy as np

        rng, count = np.random.default_rng(100 + round), side.sizes["singles"]
        texts = [f"added in round {round}, number {i}" for i in range(count)]
        side.model.rows.update(zip(texts, side.data.rows(rng, count, side.sizes["width"]).tolist(), strict=True))
        return texts

    def run(self, side, prepared):
        for text in prepared:
            side.db.add_texts([text], [{"category": "added", "page": -1}], ids=[text])

    def answers(self, side):
        return len(side.db.index_to_docstore_id)


class Search(Row):
    name = "`similarity_search`, k = 4"

    def __init__(self, share=None, complete=True, function=False):
        self.filter = FILTERS[share] if share else None
        self.complete, self.function = complete, function
        if function:
            self.name += f", a Python function that lets {share} through"
            self.filter = lambda metadata: 10 <= metadata["page"] < 20
            self.rounds = 3
        elif share:
            self.name += f", filter that lets {share} through"
        if not complete:
            self.name += "; LangChain with its `fetch_k` of 20"

    def calls(self, sizes):
        return sizes["few" if self.function else "filtered"] if self.filter else sizes["queries"]

    def arguments(self, side):
        if not self.filter:
            return {}
        return {"filter": self.filter, **(side.complete if self.complete else {})}

    def run(self, side, prepared):
        arguments = self.arguments(side)
        for question in side.questions[: self.calls(side.sizes)]:
            side.db.similarity_search(question, k=4, **arguments)

    def answers(self, side):
        return side.scored(k=4, **self.arguments(side)) if self.complete else None

    def found(self, side):
        if self.complete:
            return None
        return sum(len(side.db.similarity_search(question, k=4, filter=self.filter)) for question in side.questions)


class FirstFilter(Row):
    name, rounds = "the first search with a filter after loading", 3

    def prepare(self, side, round):
        if not side.saved.exists():
            side.db.save_local(str(side.saved))
        return side.FAISS.load_local(str(side.saved), side.model, **side.load)

    def run(self, side, prepared):
        prepared.similarity_search(side.questions[0], k=4, filter=FILTERS["1 %"], **side.complete)


class Diverse(Row):
    name = "`max_marginal_relevance_search`, k = 4 of 20"

    def calls(self, sizes):
        return sizes["queries"]

    def run(self, side, prepared):
        for question in side.questions:
            side.db.max_marginal_relevance_search(question)

    def answers(self, side):
        return [side.ids_of(side.db.max_marginal_relevance_search(question)) for question in side.questions]


class Together(Row):
    name = "`asimilarity_search`, 100 at once (`asyncio.gather`)"

    def run(self, side, prepared):
        side.loop.run_until_complete(self.gather(side))

    async def gather(self, side):
        questions = [side.questions[i % len(side.questions)] for i in range(100)]
        return await asyncio.gather(*(side.db.asimilarity_search(question, k=4) for question in questions))

    def answers(self, side):
        return [side.ids_of(documents) for documents in side.loop.run_until_complete(self.gather(side))]


class GetByIds(Row):
    name = "`get_by_ids`, {deleted:,} ids"

    def run(self, side, prepared):
        side.db.get_by_ids(side.data.ids[-side.sizes["deleted"] :])

    def answers(self, side):
        documents = side.db.get_by_ids(side.data.ids[-side.sizes["deleted"] :])
        return [[document.id, document.page_content, document.metadata] for document in documents]


class Delete(Row):
    rounds = 3

    def __init__(self, size, single):
        self.size, self.single = size, single
        self.name = "`delete`, one id a call" if single else "`delete`, {deleted:,} ids in one call"

    def calls(self, sizes):
        return sizes[self.size] if self.single else 1

    def prepare(self, side, round):
        # Each round and each of the two rows has documents of its own to delete.
        count, start = side.sizes[self.size], 0 if self.single else side.sizes["documents"] // 2
        return side.data.ids[start + round * count : start + (round + 1) * count]

    def run(self, side, prepared):
        for ids in [[id] for id in prepared] if self.single else [prepared]:
            side.db.delete(ids)

    def answers(self, side):
        return len(side.db.index_to_docstore_id)


class Save(Row):
    name, rounds = "`save_local`", 3

    def prepare(self, side, round):
        return str(pathlib.Path(side.folder.name) / f"round{round}")

    def run(self, side, prepared):
        side.db.save_local(prepared)


class Load(Row):
    name, rounds = "`load_local`", 3

    def prepare(self, side, round):
        side.other = None
        if not side.saved.exists():
            side.db.save_local(str(side.saved))

    def run(self, side, prepared):
        side.other = side.FAISS.load_local(str(side.saved), side.model, **side.load)


class ToBytes(Row):
    name, rounds = "`serialize_to_bytes`", 3

    def run(self, side, prepared):
        side.other = side.db.serialize_to_bytes()


class FromBytes(Row):
    name, rounds = "`deserialize_from_bytes`", 3

    def prepare(self, side, round):
        side.other = None
        return side.db.serialize_to_bytes()

    def run(self, side, prepared):
        side.other = side.FAISS.deserialize_from_bytes(prepared, side.model, **side.load)


# Rows that change the store come last; both sides run all of them in this order.
ROWS = [
    FromEmbeddings(),
    FromTexts(),
    Search(),
    Search("10 %"),
    Search("1 %"),
    Search("0.1 %"),
    Search("10 %", complete=False),
    Search("1 %", complete=False),
    Search("0.1 %", complete=False),
    Search("1 %", function=True),
    FirstFilter(),
    Diverse(),
    Together(),
    GetByIds(),
    Save(),
    Load(),
    ToBytes(),
    FromBytes(),
    AddOne(),
    Delete("deleted", single=False),
    Delete("few", single=True),
]


class Memory:
    """The resident size of this process, in bytes; None where the kernel does not say."""

    def settle(self):
        gc.collect()
        try:
            ctypes.CDLL(None).malloc_trim(0)
        except (AttributeError, OSError, TypeError):
            pass

    def reset_peak(self):
        try:
            pathlib.Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            pass

    def read(self, field):
        try:
            lines = pathlib.Path("/proc/self/status").read_text().splitlines()
        except OSError:
            return None
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


class Work:
    """What a worker process does when it is told to."""

    def __init__(self, name, sizes):
        self.side = Side(name, sizes)
        self.memory = Memory()

    def build(self):
        self.side.generate()
        self.side.db = self.side.build()

    def save(self):
        self.side.db.save_local(str(self.side.saved))
        return str(self.side.saved)

    def held(self, folder):
        """What a loaded store occupies, in a process that has none of its texts and vectors already."""
        self.memory.settle()
        before = self.memory.read("VmRSS")
        self.side.db = self.side.FAISS.load_local(folder, self.side.model, **self.side.load)
        self.memory.settle()
        return None if before is None else self.memory.read("VmRSS") - before

    def time(self, row, round):
        prepared = ROWS[row].prepare(self.side, round)
        gc.collect()
        start = time.perf_counter()
        ROWS[row].run(self.side, prepared)
        seconds = time.perf_counter() - start
        self.side.other = None
        return seconds

    def peak(self, row):
        prepared = ROWS[row].prepare(self.side, 0)
        if isinstance(ROWS[row], (FromEmbeddings, FromTexts, Load, FromBytes)):
            self.side.db = None  # these make a store: measured beside no other
        self.memory.settle()
        before = self.memory.read("VmRSS")
        self.memory.reset_peak()
        ROWS[row].run(self.side, prepared)
        return None if before is None else max(0, self.memory.read("VmHWM") - before)

    def answers(self, row):
        return ROWS[row].answers(self.side)

    def found(self, row):
        return ROWS[row].found(self.side)


def work(name, sizes):
    """Obeys lines of JSON on standard input until it ends."""
    worker = Work(name, sizes)
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        print(json.dumps(getattr(worker, command)(*arguments)), flush=True)


class Worker:
    def __init__(self, name, option):
        # LangChain's package announces its end at each import.
        command = [sys.executable, "-W", "ignore::DeprecationWarning", __file__, "--worker", name, *option]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"a worker ended at {command}")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def check_same(name, ours, theirs):
    """Stops the run when the two sides answer differently; hits of nearly equal scores may change places."""
    if ours == theirs or (ours and isinstance(ours, list) and all(map(same_hits, ours, theirs))):
        return
    raise SystemExit(f"{name}: the answers differ: {str(ours)[:500]} and {str(theirs)[:500]}")


def same_hits(ours, theirs):
    if ours == theirs:
        return True
    scores = [[hit[1] for hit in hits if isinstance(hit, list)] for hits in (ours, theirs)]
    return len(ours) == len(scores[0]) == len(scores[1]) and all(abs(a - b) < 1e-5 for a, b in zip(*scores))


def times(workers, row):
    """Seconds of each round of both sides, taking turns, after a round that warms up."""
    rows = {side: [] for side in SIDES}
    for round in range(ROWS[row].rounds + 1):
        for side in SIDES if round % 2 else reversed(SIDES):
            time.sleep(0.02)  # threads of the other side that still spin come to rest
            seconds = workers[side].ask("time", row, round)
            if round:
                rows[side].append(seconds)
    return rows


def peaks(row, option):
    """Peak memory of both sides, each in a fresh process."""
    found = {}
    for side in SIDES:
        with Worker(side, option) as worker:
            worker.ask("build")
            found[side] = worker.ask("peak", row)
    return found


def duration(seconds):
    for unit, size in [("s", 1), ("ms", 1e-3), ("µs", 1e-6)]:
        if seconds >= size or unit == "µs":
            return f"{seconds / size:.3g} {unit}" if seconds / size < 100 else f"{seconds / size:,.0f} {unit}"


def megabytes(count):
    return "" if count is None else f"{count / 1e6:,.1f}" if count < 10e6 else f"{count / 1e6:,.0f}"


def line(row, sizes, seconds, memory, hits):
    """One row of the table; times are of one call."""
    calls, name = ROWS[row].calls(sizes), ROWS[row].name.format(**sizes)
    if hits["langchain"] is not None:
        name += f", which finds {hits['langchain'] / hits['anear']:.1%} of the answer"
    ours, theirs = ([second / calls for second in seconds[side]] for side in SIDES)
    cells = [name]
    for mine in (ours, theirs):
        cells.append(f"{duration(min(mine))} ({duration(statistics.median(mine))})")
    cells.append(f"{min(theirs) / min(ours):.3g}")
    cells += [megabytes(memory[side]) for side in SIDES]
    return "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--brief", action="store_true", help="all the data, but fewer calls and no memory")
    parser.add_argument("--quick", action="store_true", help="small data, to see whether it runs")
    parser.add_argument("--worker", choices=SIDES, help="be one side (used by the script itself)")
    arguments = parser.parse_args()
    sizes = QUICK if arguments.quick else BRIEF if arguments.brief else FULL
    option = ["--quick"] if arguments.quick else ["--brief"] if arguments.brief else []
    if arguments.worker:
        return work(arguments.worker, sizes)

    import faiss
    from importlib.metadata import version

    workers, held = {side: Worker(side, option) for side in SIDES}, {}
    for side, worker in workers.items():
        worker.ask("build")
        with Worker(side, option) as fresh:
            held[side] = fresh.ask("held", worker.ask("save"))
    print(
        f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}; anear {version('anear')}; "
        f"langchain-community {version('langchain-community')}, faiss-cpu {faiss.__version__} "
        f"({faiss.get_compile_options().strip()})"
    )
    print(f"{sizes['documents']:,} documents, {sizes['width']} components, metadata of four fields")
    print(f"a loaded store holds: anear {megabytes(held['anear'])} MB, LangChain {megabytes(held['langchain'])} MB\n")
    print("| one call | anear: best (median) | LangChain: best (median) | ratio (best) | anear peak MB | LangChain peak MB |")
    print("|---|---|---|---|---|---|")
    for row, what in enumerate(ROWS):
        check_same(what.name, *(workers[side].ask("answers", row) for side in SIDES))
        seconds = times(workers, row)
        check_same(what.name, *(workers[side].ask("answers", row) for side in SIDES))
        hits = {side: workers[side].ask("found", row) for side in SIDES}
        # A smoke run starts fresh processes for one row only.
        measured = not option or arguments.quick and row == 0
        memory = peaks(row, option) if measured else dict.fromkeys(SIDES)
        print(line(row, sizes, seconds, memory, hits), flush=True)
    for worker in workers.values():
        worker.close()


if __name__ == "__main__":
    main()
