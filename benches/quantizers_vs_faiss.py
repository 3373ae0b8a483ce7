"""Quantizers of anear against those of faiss-cpu, on one thread and the same data in one run, scanned as a whole.

    cargo build --release -p anear-quant --example quantizer_bench
    python benches/quantizers_vs_faiss.py [TOKEN ...]          (needs numpy and faiss-cpu)

Data: as in `kmeans_vs_faiss.py`. Both sides take turns for each token; each searches three times and the best counts.
Seconds are those that the thread had a processor, so that a busy machine counts less.
Recall is that of the exact ten nearest among the ten found.
"""

import os
import pathlib
import platform
import subprocess
import sys
import time

os.environ |= dict(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

from npm_data import ROOT, WORK
from kmeans_vs_faiss import synthetic

TOKENS = ["PQ16", "PQ32x4fs", "PQ16x12"]
N, DIM, NQ, K = 100_000, 128, 500, 10


class Anear:
    """The other process: told a token, it answers with three times and the ids found."""

    def __init__(self, base, queries):
        files = [WORK / "quantizers_base.f32", WORK / "quantizers_queries.f32"]
        for rows, file in zip([base, queries], files):
            rows.tofile(file)
        target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        program = target / "release" / "examples" / "quantizer_bench"
        arguments = [program, *files, DIM, K]
        self.process = subprocess.Popen(
            list(map(str, arguments)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.isa = self.process.stdout.readline().strip()

    def run(self, token):
        self.process.stdin.write(f"{token}\n")
        self.process.stdin.flush()
        train, add, search, *ids = self.process.stdout.readline().split()
        return float(train), float(add), float(search), ids

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def run_faiss(token, base, queries):
    import faiss

    index = faiss.index_factory(DIM, token)
    start = time.thread_time()
    index.train(base)
    train = time.thread_time() - start
    start = time.thread_time()
    index.add(base)
    add = time.thread_time() - start
    search = float("inf")
    for _ in range(3):
        start = time.thread_time()
        _, ids = index.search(queries, K)
        search = min(search, time.thread_time() - start)
    return train, add, search, ids.ravel()


def main():
    import faiss
    import numpy as np

    faiss.omp_set_num_threads(1)
    WORK.mkdir(parents=True, exist_ok=True)
    rows = synthetic(N + NQ, DIM).astype("float32")
    base, queries = np.ascontiguousarray(rows[:N]), np.ascontiguousarray(rows[N:])
    exact = faiss.IndexFlatL2(DIM)
    exact.add(base)
    _, truth = exact.search(queries, K)

    def recall(ids):
        found = np.array(ids, dtype="int64").reshape(NQ, K)
        return np.mean([len(set(f) & set(t)) / K for f, t in zip(found, truth)])

    anear = Anear(base, queries)
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores; anear on {anear.isa}; faiss-cpu {faiss.__version__}")
    print(f"{N:,} x {DIM}, {NQ} queries, k = {K}, one thread; seconds, and how many times faster anear is")
    print("| quantizer | recall anear / faiss | train | | add | | search | |")
    print("|---|---|---|---|---|---|---|---|")
    for token in sys.argv[1:] or TOKENS:
        ours, theirs = anear.run(token), run_faiss(token, base, queries)
        cells = [token, f"{recall(ours[3]):.3f} / {recall(theirs[3]):.3f}"]
        for our, their in zip(ours[:3], theirs[:3]):
            cells += [f"{our:.3f} / {their:.3f}", f"{their / our:.2f}x"]
        print("| " + " | ".join(cells) + " |", flush=True)
    anear.close()


if __name__ == "__main__":
    main()
