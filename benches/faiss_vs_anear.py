"""Every kind of index in both engines on the same data: recall, time, and files both ways.

    python benches/faiss_vs_anear.py [--vectors 100000] [--dim 128] [--threads 1] [--quick] [SPEC ...]

Needs the packages `anear` and `faiss-cpu`. Each row is built and searched by Faiss and by anear in the same run, one
after the other, the best of several searches counts: times are anear's, and how many times as long Faiss takes, above 1
where anear is faster. Recall is of the 10 nearest, against exact search. "files" is the share of neighbors that an index
finds again after the other engine has read its file, Faiss's file first.
"""

import argparse
import platform
import time

import anear
import faiss
import numpy as np

K = 10
SEARCH_FOR = 1.0  # seconds

# Factory string and search parameters.
ROWS = [
    ("Flat", ""),
    ("SQ8", ""),
    ("SQ4", ""),
    ("SQfp16", ""),
    ("PQ16", ""),
    ("PQ32x4fs", ""),
    ("RR,RaBitQ", ""),
    ("RQ4x8", ""),
    ("IVF1024,Flat", "nprobe=1"),
    ("IVF1024,Flat", "nprobe=16"),
    ("IVF1024,SQ8", "nprobe=16"),
    ("IVF1024,PQ16", "nprobe=16"),
    ("IVF1024,PQ32x4fs", "nprobe=16"),
    ("IVF1024_HNSW16,Flat", "nprobe=16"),
    ("IVF1024,RaBitQ", "nprobe=16"),
    ("OPQ16_64,IVF1024,PQ16", "nprobe=16"),
    ("PCA64,IVF1024,SQ8", "nprobe=16"),
    ("IVF1024,PQ32x4fs,RFlat", "nprobe=16,k_factor_rf=8"),
    ("HNSW32", "efSearch=64"),
    ("HNSW32,SQ8", "efSearch=64"),
    ("NSG32", "search_L=64"),
]


def clustered(n: int, dim: int, seed: int) -> np.ndarray:
    """Vectors around 1,000 centers, most of their spread in a quarter of the dimensions."""
    shape = np.random.default_rng(5)
    centers = shape.standard_normal((1000, dim), dtype=np.float32)
    directions = shape.standard_normal((dim // 4, dim), dtype=np.float32) / np.sqrt(dim / 4)
    random = np.random.default_rng(seed)
    spread = random.standard_normal((n, dim // 4), dtype=np.float32) @ directions
    noise = random.standard_normal((n, dim), dtype=np.float32)
    return (0.5 * centers[random.integers(0, 1000, n)] + 0.6 * spread + 0.1 * noise).astype(np.float32)


def timed(call):
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def tell(module, index, settings: str) -> None:
    """Sets search parameters. Faiss's parameter space does not know that of NSG."""
    if hasattr(index, "nsg"):
        index.nsg.search_L = int(settings.removeprefix("search_L="))
    elif settings:
        module.ParameterSpace().set_index_parameters(index, settings)


def measure(module, spec: str, settings: str, xb, xq):
    """Index, ids found, and the seconds of training, adding and the best search."""
    index = module.index_factory(xb.shape[1], spec)
    _, train = timed(lambda: index.train(xb))
    _, add = timed(lambda: index.add(xb))
    tell(module, index, settings)
    search, began = float("inf"), time.perf_counter()
    while time.perf_counter() - began < SEARCH_FOR:
        (_, ids), spent = timed(lambda: index.search(xq, K))
        search = min(search, spent)
    return index, ids, (train, add, search)


def recall(ids, truth) -> float:
    return np.mean([len(np.intersect1d(a, b)) for a, b in zip(ids, truth)]) / K


def compared(theirs: float, ours: float) -> str:
    """Our time and the ratio of theirs to it; nothing where there was nothing to do."""
    if theirs < 1e-4:
        return ""
    time = f"{ours:.2f} s" if ours >= 1 else f"{ours * 1e3:.0f} ms"
    return f"{time}, {theirs / ours:.2f}x"


def exchanged(theirs, ours, xq, settings: str) -> tuple[float, float]:
    """The shares of neighbors found again after a file went from Faiss to anear, and from anear to Faiss."""
    shares = []
    for source, sink, index in ((faiss, anear, theirs), (anear, faiss, ours)):
        again = sink.deserialize_index(source.serialize_index(index))
        tell(sink, again, settings)
        shares.append(recall(again.search(xq, K)[1], index.search(xq, K)[1]))
    return tuple(shares)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="10,000 vectors, to see that everything runs")
    parser.add_argument("specs", nargs="*", help="only rows of these factory strings")
    options = parser.parse_args()
    if options.quick:
        options.vectors, options.queries = 10_000, 100
    xb, xq = clustered(options.vectors, options.dim, 1), clustered(options.queries, options.dim, 2)
    for module in (anear, faiss):
        module.omp_set_num_threads(options.threads)
    _, truth = faiss.knn(xq, xb, K)
    print(f"{options.vectors} x {options.dim}, {options.queries} queries, {options.threads} thread(s), ", end="")
    print(f"faiss-cpu {faiss.__version__}, anear {anear.__version__}, {platform.machine()}\n")
    print("| index | setting | recall faiss / anear | train | add | search | bytes a vector | files |")
    print("|---|---|---|---|---|---|---|---|")
    for spec, settings in ROWS:
        if options.specs and spec not in options.specs:
            continue
        if options.quick:
            spec = spec.replace("IVF1024", "IVF64")
        theirs, their_ids, their_times = measure(faiss, spec, settings, xb, xq)
        ours, our_ids, our_times = measure(anear, spec, settings, xb, xq)
        times = " | ".join(map(compared, their_times, our_times))
        size = anear.serialize_index(ours).nbytes / options.vectors
        there, back = exchanged(theirs, ours, xq, settings)
        recalls = f"{recall(their_ids, truth):.3f} / {recall(our_ids, truth):.3f}"
        print(f"| `{spec}` | {settings} | {recalls} | {times} | {size:.0f} | {there:.3f}, {back:.3f} |", flush=True)


if __name__ == "__main__":
    main()
