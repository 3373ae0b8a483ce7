"""Writes the files beside this one: what h5py, pyarrow and numpy make of a few vectors.

pip install numpy h5py pyarrow && python make.py
"""

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

# Vector i has the components i * 10 + j, so that a wrong place shows.
base = (np.arange(60)[:, None] * 10 + np.arange(4)).astype("float32")
queries = base[:3] + 0.25
neighbors = np.array([[0, 1], [1, 0], [2, 1]], dtype="int32")
distances = np.array([[0.5, 19.5], [0.5, 19.5], [0.5, 19.5]], dtype="float32")

for name, options in {
    "plain.hdf5": {},
    "packed.hdf5": {"chunks": (7, 4), "compression": "gzip", "shuffle": True, "fletcher32": True},
}.items():
    # Times would make every run a new file.
    with h5py.File(name, "w", track_order=False) as file:
        file.attrs["distance"] = "euclidean"
        file.create_dataset("train", data=base, track_times=False, **options)
        file.create_dataset("test", data=queries, track_times=False)
        file.create_dataset("neighbors", data=neighbors, track_times=False)
        file.create_dataset("distances", data=distances, track_times=False)

table = pa.table(
    {
        "id": pa.array(range(60)),
        "words": pa.array([["a"]] * 60),
        "emb": pa.array(base.tolist(), type=pa.list_(pa.float32())),
        "doubles": pa.array((base / 2).astype("float64").tolist(), type=pa.list_(pa.float64())),
        "uneven": pa.array([[1.0]] * 40 + [[1.0, 2.0]] * 20, type=pa.list_(pa.float32())),
        "missing": pa.array([[1.0]] * 40 + [None] * 20, type=pa.list_(pa.float32())),
    }
)
for compression in ["snappy", "zstd", "gzip", "lz4", "none"]:
    pq.write_table(table, f"{compression}.parquet", compression=compression, row_group_size=25)

for dtype in ["f2", "f4", "f8", "u1", "i1", "i4", "i8"]:
    np.save(f"{dtype}.npy", (base[:5] / 4 if dtype[0] == "f" else base[:5] % 100).astype(dtype))
np.save("fortran.npy", np.asfortranarray(base[:5]))
