"""The Faiss half of `binary_with_faiss.rs`.

A case is `NAME.faiss`, a binary index that anear wrote, and `NAME.queries`, packed bits. Written for each: the index as
Faiss writes it again, and ids and distances of the 10 nearest of each query, also from an index that Faiss made itself
from the vectors of `vectors` by the factory string in `NAME.spec`, which is saved as `NAME.made`.
"""

import pathlib
import sys

import faiss
import numpy as np

K = 10
folder = pathlib.Path(sys.argv[1])
vectors = np.fromfile(folder / "vectors", "uint8")


def write_answers(index, queries, stem):
    distances, ids = index.search(queries, K)
    ids.tofile(f"{stem}.ids")
    distances.astype("int32").tofile(f"{stem}.distances")


for path in sorted(folder.glob("*.faiss")):
    case = path.with_suffix("")
    index = faiss.read_index_binary(str(path))
    faiss.write_index_binary(index, f"{case}.again")
    base, queries = (x.reshape(-1, index.d // 8) for x in (vectors, np.fromfile(f"{case}.queries", "uint8")))
    write_answers(index, queries, f"{case}.read")

    made = faiss.index_binary_factory(index.d, pathlib.Path(f"{case}.spec").read_text())
    made.train(base)
    if case.name.startswith("IDMap"):
        made.add_with_ids(base, np.arange(len(base)) * 7 + 3)
    else:
        made.add(base)
    faiss.write_index_binary(made, f"{case}.made")
    write_answers(made, queries, f"{case}.made")

print("done with faiss", faiss.__version__)
