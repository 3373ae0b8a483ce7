"""anear and the engines that people use beside it: recall, speed, building and memory, in one run, one thread each.

    cargo xtask bench peers                       (installs the peers; two sets, half an hour)
    cargo xtask bench peers --set glove-100 --set patches-128 --engine hnswlib --engine "anear HNSW32"
    cargo xtask bench peers --set texts --texts FILE        (a passage a line; paths are from the repository's root)

Each engine is in a process of its own. They build one after the other; then all are measured setting by setting, taking
turns, in several rounds, and for rates the least time counts; p50 and p99 are those of single queries as they came.
Engines without a call for many queries have "-" for batch. Recall is by distance: what is as near as the tenth neighbor
counts, whatever its id. Between the settings of an engine its frontier is interpolated. Writes a table, and a picture
if matplotlib is there.
"""

import argparse
import math
import multiprocessing
import os
import pathlib
import sys
import tempfile

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import numpy as np  # noqa: E402
import worker  # noqa: E402
from data import load  # noqa: E402
from engines import ENGINES, K  # noqa: E402
from machine import processor  # noqa: E402

TARGETS = (0.95, 0.99)


class Peer:
    """An engine at work elsewhere."""

    def __init__(self, name, files, by):
        self.name, self.points, self.failed = name, [], None
        spawn = multiprocessing.get_context("spawn")
        self.connection, theirs = spawn.Pipe()
        self.process = spawn.Process(target=worker.run, args=(theirs, name, files, by), daemon=True)
        self.process.start()
        theirs.close()
        self.built = self.call("build")

    def call(self, *what):
        """What the engine answers; None from the first failure on."""
        if self.failed:
            return None
        try:
            self.connection.send(what)
            fine, answer = self.connection.recv()
        except (EOFError, OSError):
            fine, answer = False, "the process ended"
        if not fine:
            self.failed = answer
            print(f"  {self.name}: {answer}", file=sys.stderr)
        return answer if fine else None

    def end(self):
        if self.process.is_alive():
            self.connection.send(None)
        self.process.join(10)
        self.process.terminate()


class Truth:
    """The distance of the tenth neighbor of each query, and whether others are as near."""

    def __init__(self, base, queries, by):
        self.base, self.queries, self.by = base, queries, by
        self.limits = np.empty(len(queries))
        for i, query in enumerate(queries):
            near = np.argpartition(self.rough(query), 10 * K)[: 10 * K]
            self.limits[i] = np.sort(self.exact(query, near))[K - 1]

    def rough(self, query):
        products = self.base @ query
        if self.by == "ip":
            return -products
        if not hasattr(self, "norms"):
            self.norms = np.einsum("ij,ij->i", self.base, self.base)
        return self.norms - 2 * products

    def exact(self, query, ids):
        rows, query = self.base[ids].astype(np.float64), query.astype(np.float64)
        return -(rows @ query) if self.by == "ip" else ((rows - query) ** 2).sum(1)

    def recall(self, found):
        """The share of neighbors that are among the nearest; one that comes twice counts once."""
        hits = 0
        for query, limit, ids in zip(self.queries, self.limits, found):
            ids = np.unique(ids[ids >= 0])
            hits += min(K, int((self.exact(query, ids) <= limit + 1e-6 * abs(limit) + 1e-12).sum()))
        return hits / (K * len(found))


def frontier(points):
    """The points that no other beats in recall and speed, from fast to good."""
    best, kept = 0.0, []
    for point in sorted(points, key=lambda point: (-point["qps"], -point["recall"])):
        if point["recall"] > best:
            best = point["recall"]
            kept.append(point)
    return kept


def figures(rounds, count):
    """What the measurements of a setting with so many queries come to."""
    least, single, batch = zip(*rounds)
    p50, p99 = np.percentile(np.concatenate(single), (50, 99)) * 1e6
    found = {"qps": 1 / np.min(least, axis=0).mean(), "p50": p50, "p99": p99}
    return found if None in batch else found | {"batch": count / min(batch)}


def at(points, target, what):
    """A figure where the frontier passes a recall, between two points by how far the errors' logarithms are; or None."""
    kept = [point for point in frontier(points) if what in point]
    above = [point for point in kept if point["recall"] >= target]
    if not above:
        return None
    below = [point for point in kept if point["recall"] < target]
    if not below:
        return above[0][what]
    one, other = below[-1], above[0]
    error = lambda recall: math.log(max(1 - recall, 1e-5))  # noqa: E731
    share = (error(one["recall"]) - error(target)) / (error(one["recall"]) - error(other["recall"]))
    return math.exp(math.log(one[what]) * (1 - share) + math.log(other[what]) * share)


def compare(name, data, engines, args):
    """All engines on one data set: a row for each."""
    base, queries, by = data
    truth = Truth(base, queries, by)
    with tempfile.TemporaryDirectory() as folder:
        files = [pathlib.Path(folder) / part for part in ("base.npy", "queries.npy")]
        np.save(files[0], base)
        np.save(files[1], queries)
        peers = []
        for engine in engines:
            print(f"  building {engine}", file=sys.stderr)
            peers.append(Peer(engine, files, by))
    useful = []
    for peer in peers:
        for setting in peer.built["settings"] if peer.built else []:
            found = peer.call("answers", setting)
            if found is None:
                break
            useful.append((peer, setting, truth.recall(found)))
    measured = [[] for _ in useful]
    for turn in range(args.rounds):
        print(f"  round {turn + 1} of {args.rounds}", file=sys.stderr)
        for (peer, setting, _), times in zip(useful, measured):
            if answer := peer.call("measure", setting, args.seconds):
                times.append(answer)
    for (peer, setting, recall), times in zip(useful, measured):
        if times:
            peer.points.append({"setting": setting, "recall": recall, **figures(times, len(queries))})
    for peer in peers:
        peer.end()
    return [(peer.name, peer.built, peer.points, peer.failed) for peer in peers]


def table(name, data, rows):
    base = data[0]
    lines = [f"**{name}**, {len(base):,} x {base.shape[1]}, {'L2' if data[2] == 'l2' else 'cosine'}", ""]
    heads = ["engine", "QPS at .95", "at .99", "batch at .95", "at .99", "p50 / p99 at .95", "build CPU", "bytes a vector", "peak"]
    lines += ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for engine, built, points, failed in rows:
        if not points:
            lines.append(f"| {engine} | failed: {failed} |" + " |" * (len(heads) - 2))
            continue
        rates = [at(points, target, what) for what in ("qps", "batch") for target in TARGETS]
        cells = ["-" if rate is None else f"{rate:,.0f}" for rate in rates]
        p50, p99 = (at(points, TARGETS[0], what) for what in ("p50", "p99"))
        cells.append("-" if p50 is None else f"{p50:,.0f} / {p99:,.0f} us")
        cells += [f"{built['build']:.1f} s", f"{built['bytes'] / len(base):,.0f}", f"{built['peak'] / 1e6:,.0f} MB"]
        lines.append(f"| {engine} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def draw(path, results):
    """QPS over recall, a panel for each data set."""
    try:
        import matplotlib

        matplotlib.use("svg")
        from matplotlib import pyplot
    except ImportError:
        print("no picture: matplotlib is not installed", file=sys.stderr)
        return
    pairs = pyplot.get_cmap("tab20").colors
    colors = pairs[::2] + pairs[1::2]
    figure, panels = pyplot.subplots(1, len(results), figsize=(9 * len(results), 5.5), squeeze=False)
    for panel, (name, rows) in zip(panels[0], results.items()):
        for number, (engine, _, points, _) in enumerate(rows):
            kept = [point for point in frontier(points) if point["recall"] >= 0.8]
            style = {"linewidth": 2.4, "zorder": 3} if engine.startswith("anear") else {"linewidth": 1.2, "linestyle": "--"}
            places = [-math.log10(max(1 - point["recall"], 1e-4)) for point in kept]
            style |= {"marker": "o", "markersize": 3, "color": colors[number % len(colors)]}
            panel.plot(places, [point["qps"] for point in kept], label=engine, **style)
        ticks = [0.8, 0.9, 0.95, 0.98, 0.99, 0.999]
        panel.set_xticks([-math.log10(1 - tick) for tick in ticks], [str(tick) for tick in ticks])
        panel.set(yscale="log", title=name, xlabel=f"recall@{K}", ylabel="queries per second, one by one")
        panel.grid(True, alpha=0.3)
        panel.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0)
    figure.tight_layout()
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", action="append", help="fashion-mnist, glove-100, texts, patches-128, or an .hdf5 of ann-benchmarks")
    own = "a text of your own for the set texts: a passage a line, 2,000 lines or more, of which 1,000 become queries"
    parser.add_argument("--texts", type=pathlib.Path, metavar="FILE", help=own)
    parser.add_argument("--engine", action="append", choices=ENGINES, help="only these")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.3, help="for each setting in each round, at least")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("peers.md"), help="the table; the picture lies beside it")
    args = parser.parse_args()
    sets = args.set or ["fashion-mnist", "texts"]
    if args.texts and "texts" not in sets:
        parser.error("--texts goes with the set texts")
    results, tables = {}, [f"One thread each of {processor()}, single queries through Python, recall@{K} by distance.\n"]
    for name in sets:
        data = load(name, args.texts)
        if data is None:
            continue
        if name == "texts" and args.texts:
            name = f"texts of {args.texts.name}"
        results[name] = compare(name, data, args.engine or list(ENGINES), args)
        tables.append(table(name, data, results[name]))
        args.out.write_text("\n".join(tables))
        draw(args.out.with_suffix(".svg"), results)
    print("\n".join(tables))


if __name__ == "__main__":
    main()
