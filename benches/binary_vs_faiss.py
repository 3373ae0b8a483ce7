"""Binary indexes of anear against faiss-cpu's, paired in one run, on one thread each.

    cargo bench -p anear-index --bench binary --no-run
    python benches/binary_vs_faiss.py PATH_OF_THE_BENCH_EXECUTABLE [flat|ivf|hnsw|hash ...]

Data: bit vectors around 1,000 random ones, 15 % of the bits turned over (`flat`: without structure). The two sides
take turns, anear in a process of its own, so both see the same machine; times are the fastest and the median of the
rounds. Recall is measured against Faiss's flat index, counting what is as near as the k-th neighbor.
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import faiss
import numpy as np

K = 10
ROUNDS = 7
faiss.omp_set_num_threads(1)


class Anear:
    """The other process."""

    def __init__(self, program, dim, base, queries):
        self.folder = tempfile.TemporaryDirectory()
        paths = [pathlib.Path(self.folder.name) / name for name in ("base", "queries", "ids")]
        base.tofile(paths[0])
        queries.tofile(paths[1])
        self.ids_path = paths[2]
        command = [program, str(dim), *map(str, paths[:2])]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.isa = self.process.stdout.readline().strip()

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def ids(self, nq, *knobs):
        self.ask("ids", nq, K, self.ids_path, *knobs)
        return np.fromfile(self.ids_path, "int64").reshape(nq, K)


def clustered(rng, dim, n, centers):
    noise = np.packbits(rng.random((n, dim), dtype="float32") < 0.15, axis=1)
    return centers[rng.integers(0, len(centers), n)] ^ noise


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def recall(base, queries, ids, worst):
    """The share of places that are filled by something as near as the k-th neighbor."""
    counts = np.unpackbits(base[ids] ^ queries[:, None], axis=2).sum(2)
    return float(((counts <= worst[:, None]) & (ids >= 0)).mean())


def compare(title, anear, index, queries, nq, repeats, *knobs):
    own, theirs = [], []
    batches = [queries[i * nq : (i + 1) * nq] for i in range(repeats)]
    for _ in range(ROUNDS):
        own.append(anear.ask("search", nq, repeats, K, *knobs) / repeats)
        theirs.append(seconds(lambda: [index.search(batch, K) for batch in batches]) / repeats)
    ratio = min(theirs) / min(own)
    print(
        f"{title:24} nq {nq:4}  anear {min(own) * 1e3:9.3f} ms (median {statistics.median(own) * 1e3:9.3f})"
        f"   faiss {min(theirs) * 1e3:9.3f} ms (median {statistics.median(theirs) * 1e3:9.3f})   {ratio:5.2f}x"
    )


def flat(program):
    rng = np.random.default_rng(1)
    for dim, n in ((256, 1_000_000), (64, 1_000_000), (128, 1_000_000), (512, 500_000), (1024, 200_000), (768, 200_000)):
        base, queries = (rng.integers(0, 256, (m, dim // 8), "uint8") for m in (n, 400))
        anear = Anear(program, dim, base, queries)
        anear.ask("build", "BFlat")
        index = faiss.IndexBinaryFlat(dim)
        index.add(base)
        # Faiss's ids of ties depend on its heap; distances do not.
        counts = np.unpackbits(base[anear.ids(100)] ^ queries[:100, None], axis=2).sum(2)
        assert (np.sort(counts, 1) == np.sort(index.search(queries[:100], K)[0], 1)).all()
        for nq, repeats in ((1, 20), (100, 1)):
            compare(f"BFlat {dim} x {n}", anear, index, queries, nq, repeats)


def approximate(program, spec, n, settings):
    rng, dim = np.random.default_rng(1), 256
    centers = rng.integers(0, 256, (1000, dim // 8), "uint8")
    base, queries = clustered(rng, dim, n, centers), clustered(rng, dim, 400, centers)
    exact = faiss.IndexBinaryFlat(dim)
    exact.add(base)
    worst = exact.search(queries, K)[0][:, -1]
    anear = Anear(program, dim, base, queries)
    index = faiss.index_binary_factory(dim, spec)
    own = anear.ask("build", spec)
    theirs = seconds(lambda: (index.train(base), index.add(base)))
    print(f"{spec} {n} x {dim}: built in {own:.2f} s by anear, in {theirs:.2f} s by faiss")
    for knob, value, set_in_faiss in settings:
        set_in_faiss(index, value)
        knobs = [f"{knob}={value}"]
        recalls = [recall(base, queries, ids, worst) for ids in (anear.ids(400, *knobs), index.search(queries, K)[1])]
        print(f"{knob} {value}: recall {recalls[0]:.4f} by anear, {recalls[1]:.4f} by faiss")
        compare(f"{spec} {knob}={value}", anear, index, queries, 100, 4, *knobs)
        compare(f"{spec} {knob}={value}", anear, index, queries, 1, 200, *knobs)


def ivf(program):
    def set_nprobe(index, value):
        index.nprobe = value

    approximate(program, "BIVF256", 200_000, [("nprobe", value, set_nprobe) for value in (1, 4, 16)])


def hnsw(program):
    def set_ef(index, value):
        index.hnsw.efSearch = value

    approximate(program, "BHNSW32", 100_000, [("efSearch", value, set_ef) for value in (16, 64, 256)])


def hash(program):
    def set_nflip(index, value):
        index.nflip = value

    approximate(program, "BHash16", 200_000, [("nflip", value, set_nflip) for value in (0, 2, 4)])
    approximate(program, "BHash8x16", 200_000, [("nflip", value, set_nflip) for value in (0, 2)])


if __name__ == "__main__":
    print("faiss", faiss.__version__, faiss.get_compile_options().strip(), "| k =", K, "| one thread each")
    for name in sys.argv[2:] or ("flat", "ivf", "hnsw", "hash"):
        globals()[name](sys.argv[1])
