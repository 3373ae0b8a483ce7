"""Every engine in the same four words: build, set, one, many. Parameters are those of each one's own documentation.

An engine is imported where it runs: in a process of its own, which then has no other engine in it.
"""

import json
import math
import pathlib
import shutil
import tempfile

K = 10
EF = (10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536)


class Engine:
    """`rows` are float32, `by` is `l2` or `ip`; for `ip` they are of length 1."""

    settings = EF
    # The ids of the nearest to each of the queries, in one call; None where the engine has no such call.
    many = None

    def build(self, rows, by):
        """Makes the index, on one thread."""
        raise NotImplementedError

    def set(self, setting):
        """Takes over a setting; what depends on it is not timed."""
        self.setting = setting

    def one(self, query):
        """The ids of the nearest to one query, of shape (d,)."""
        raise NotImplementedError

    def save(self, folder):
        """Writes the index into an empty folder: its size is what counts as bytes of a vector."""
        raise NotImplementedError


class Factory(Engine):
    """An index of Faiss's grammar, in Faiss or in anear."""

    def __init__(self, module, spec, names, values):
        self.module, self.spec, self.names, self.settings = module, spec, names, values

    def build(self, rows, by):
        self.lib = __import__(self.module)
        self.lib.omp_set_num_threads(1)
        (n, dim), metric = rows.shape, self.lib.METRIC_L2 if by == "l2" else self.lib.METRIC_INNER_PRODUCT
        spec = self.spec.format(nlist=1 << round(math.log2(4 * math.sqrt(n))), half=dim // 2)
        self.index = self.lib.index_factory(dim, spec, metric)
        if spec.startswith("HNSW"):
            self.index.hnsw.efConstruction = 200  # As the graphs beside it; the default of Faiss is 40.
        self.index.train(rows)
        self.index.add(rows)

    def set(self, setting):
        values = setting if isinstance(setting, tuple) else (setting,)
        text = ",".join(f"{name}={value}" for name, value in zip(self.names, values))
        if text:
            self.lib.ParameterSpace().set_index_parameters(self.index, text)

    def one(self, query):
        return self.index.search(query[None], K)[1][0]

    def many(self, queries):
        return self.index.search(queries, K)[1]

    def save(self, folder):
        self.lib.write_index(self.index, str(folder / "index"))


class Hnswlib(Engine):
    def build(self, rows, by):
        import hnswlib

        self.index = hnswlib.Index(space=by, dim=rows.shape[1])
        self.index.init_index(max_elements=len(rows), M=16, ef_construction=200)
        self.index.set_num_threads(1)
        self.index.add_items(rows)

    def set(self, setting):
        self.index.set_ef(setting)

    def one(self, query):
        return self.index.knn_query(query, K)[0][0]

    def many(self, queries):
        return self.index.knn_query(queries, K)[0]

    def save(self, folder):
        self.index.save_index(str(folder / "index"))


class Usearch(Engine):
    def build(self, rows, by):
        import numpy as np
        from usearch.index import Index

        metric = "l2sq" if by == "l2" else "ip"
        self.index = Index(ndim=rows.shape[1], metric=metric, dtype="f32", connectivity=16, expansion_add=200)
        self.index.add(np.arange(len(rows)), rows, threads=1)

    def set(self, setting):
        self.index.expansion_search = setting

    def one(self, query):
        return self.index.search(query, K, threads=1).keys

    def many(self, queries):
        return self.index.search(queries, K, threads=1).keys

    def save(self, folder):
        self.index.save(str(folder / "index"))


class Voyager(Engine):
    def build(self, rows, by):
        import voyager

        space = voyager.Space.Euclidean if by == "l2" else voyager.Space.InnerProduct
        self.index = voyager.Index(space, num_dimensions=rows.shape[1], M=16, ef_construction=200)
        self.index.add_items(rows, num_threads=1)

    def one(self, query):
        return self.index.query(query, K, query_ef=self.setting)[0]

    def many(self, queries):
        return self.index.query(queries, K, num_threads=1, query_ef=self.setting)[0]

    def save(self, folder):
        self.index.save(str(folder / "index"))


class Ngt(Engine):
    """The graph as it comes: the quantized one (QG) is built by a command that the package for Python does not have."""

    settings = (0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.3)

    def build(self, rows, by):
        import ngtpy

        self.path = str(pathlib.Path(tempfile.mkdtemp()) / "index")
        distance = "L2" if by == "l2" else "Normalized Cosine"
        ngtpy.create(self.path, rows.shape[1], distance_type=distance)
        self.index = ngtpy.Index(self.path)
        self.index.batch_insert(rows, num_threads=1)
        self.index.build_index(num_threads=1)

    def one(self, query):
        return self.index.search(query, K, epsilon=self.setting, with_distance=False)

    def save(self, folder):
        self.index.save()
        shutil.copytree(self.path, folder / "index")


class Scann(Engine):
    """Leaves to search, and candidates to compare exactly."""

    settings = tuple((share, candidates) for candidates in (60, 150, 400) for share in (0.01, 0.02, 0.04, 0.08, 0.16, 0.3))

    def build(self, rows, by):
        import scann

        self.leaves = int(math.sqrt(len(rows)))
        builder = scann.scann_ops_pybind.builder(rows, K, "squared_l2" if by == "l2" else "dot_product")
        builder = builder.tree(self.leaves, max(1, self.leaves // 20), training_sample_size=min(len(rows), 250_000))
        builder = builder.score_ah(2, anisotropic_quantization_threshold=0.2).reorder(100)
        self.index = builder.set_n_training_threads(1).build()

    def set(self, setting):
        share, candidates = setting
        self.options = {"leaves_to_search": max(1, int(share * self.leaves)), "pre_reorder_num_neighbors": candidates}

    def one(self, query):
        return self.index.search(query, **self.options)[0]

    def many(self, queries):
        return self.index.search_batched(queries, **self.options)[0]

    def save(self, folder):
        self.index.serialize(str(folder))


class Vsag(Engine):
    def build(self, rows, by):
        import numpy as np
        import pyvsag

        pyvsag.set_logger_off()
        index = {"base_quantization_type": "sq8_uniform", "use_reorder": True, "precise_quantization_type": "fp32"}
        index |= {"max_degree": 32, "ef_construction": 300, "build_thread_count": 1}
        parameters = {"dtype": "float32", "metric_type": by, "dim": rows.shape[1], "index_param": index}
        self.index = pyvsag.Index("hgraph", json.dumps(parameters))
        self.index.build(rows.ravel(), np.arange(len(rows), dtype=np.int64), *rows.shape)

    def set(self, setting):
        self.parameters = json.dumps({"hgraph": {"ef_search": setting}})

    def one(self, query):
        return self.index.knn_search(query, K, self.parameters)[0]

    def save(self, folder):
        self.index.save(str(folder / "index"))


class SymphonyQg(Engine):
    def build(self, rows, by):
        import rabitqlib

        self.index = rabitqlib.SymqgIndex(rows.shape[1], 32, by)
        self.index.build(rows, 400)

    def one(self, query):
        return self.index.search(query[None], K, self.setting)[0][0]

    def many(self, queries):
        return self.index.search_batch(queries, K, self.setting)[0]

    def save(self, folder):
        self.index.save(str(folder / "index"))


# Lists to visit, and candidates for each neighbor that are compared exactly.
VISITS = tuple((nprobe, k_factor) for k_factor in (8, 32) for nprobe in (1, 2, 4, 8, 16, 32, 64, 128, 256))


def factory(module):
    """The indexes that Faiss and anear both have."""
    lists = ("nprobe", "k_factor_rf")
    return {
        f"{module} Flat": Factory(module, "Flat", (), ((),)),
        f"{module} HNSW32": Factory(module, "HNSW32", ("efSearch",), EF),
        f"{module} HNSW32,SQ8": Factory(module, "HNSW32,SQ8", ("efSearch",), EF),
        f"{module} IVF,PQ(d/2)x4fs,RFlat": Factory(module, "IVF{nlist},PQ{half}x4fs,RFlat", lists, VISITS),
        f"{module} IVF,RaBitQ,RFlat": Factory(module, "IVF{nlist},RaBitQ,RFlat", lists, VISITS),
    }


# What anear's own index may be, and shares of the neighbors that it is asked for.
SHAPES = ("Near", "NearLists", "NearGraph", "NearLean")
RECALLS = (0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998)

ENGINES = {
    **{f"anear {shape}": Factory("anear", shape, ("recall",), RECALLS) for shape in SHAPES},
    **factory("anear"),
    **factory("faiss"),
    "hnswlib": Hnswlib(),
    "usearch": Usearch(),
    "voyager": Voyager(),
    "NGT": Ngt(),
    "ScaNN": Scann(),
    "VSAG hgraph": Vsag(),
    "SymphonyQG": SymphonyQg(),
}
