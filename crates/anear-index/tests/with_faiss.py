"""The Faiss half of `with_faiss.rs`: for each case in a folder, do in Faiss what the test does in anear.

A case is `NAME.faiss`, written by anear, and `NAME.queries`, f32 rows. Written for each: the index as Faiss writes it
again, ids and values of the 10 nearest of each query, the index after `remove_ids`, and after `merge_from` itself.
"""

import pathlib
import sys

import faiss
import numpy as np

K = 10

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.faiss")):
    case = path.with_suffix("")
    index = faiss.read_index(str(path))
    faiss.write_index(index, f"{case}.again")
    queries = np.fromfile(f"{case}.queries", "float32").reshape(-1, index.d)
    values, ids = index.search(queries, K)
    ids.tofile(f"{case}.ids")
    values.astype("float32").tofile(f"{case}.values")

    other = faiss.read_index(str(path))
    index.remove_ids(faiss.IDSelectorRange(20, 90))
    faiss.write_index(index, f"{case}.removed")
    index.merge_from(other, 0)
    faiss.write_index(index, f"{case}.merged")

print("done with faiss", faiss.__version__)
