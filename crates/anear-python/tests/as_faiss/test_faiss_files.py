"""Files and readers: several objects in one, transforms and quantizers alone."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faiss_twins import D, both, outcome, upstream, vectors

import anear

BASE = vectors(300)
QUERIES = vectors(10, 2)


def flat(module: Any) -> Any:
    index = module.IndexFlatL2(D)
    index.add(BASE)
    return index


def bits(module: Any) -> Any:
    index = module.IndexBinaryFlat(64)
    index.add(np.random.RandomState(1).randint(256, size=(50, 8)).astype(np.uint8))
    return index


def test_objects_follow_each_other_in_one_reader(tmp_path: Path) -> None:
    name = str(tmp_path / "two")

    def through_memory(module: Any) -> Any:
        writer, reader = module.VectorIOWriter(), module.VectorIOReader()
        module.write_index(flat(module), writer)
        module.write_index_binary(bits(module), writer)
        module.write_index(module.index_factory(8, "SQfp16"), writer)
        module.copy_array_to_vector(module.vector_to_array(writer.data), reader.data)
        first, second, third = module.read_index(reader), module.read_index_binary(reader), module.read_index(reader)
        return first.search(QUERIES, 3), second.ntotal, third.d, outcome(lambda: module.read_index(reader))

    def through_a_file(module: Any) -> Any:
        writer = module.FileIOWriter(name)
        module.write_index(flat(module), writer)
        module.write_index(module.IndexFlatIP(3), writer)
        del writer
        reader = module.FileIOReader(name)
        return module.read_index(reader).ntotal, module.read_index(reader).d

    def through_functions(module: Any) -> Any:
        file = io.BytesIO()
        writer = module.PyCallbackIOWriter(file.write, 1000)
        module.write_index(flat(module), writer)
        module.write_index(module.IndexFlatIP(3), writer)
        file.seek(0)
        reader = module.PyCallbackIOReader(file.read, 1000)
        return module.read_index(reader).ntotal, module.read_index(reader).d

    for call in (through_memory, through_a_file, through_functions):
        both(call)


@pytest.mark.parametrize("kind", ["PCAMatrix", "OPQMatrix", "RandomRotationMatrix", "CenteringTransform"])
def test_transforms_go_to_faiss_and_back(kind: str, tmp_path: Path) -> None:
    module, name = upstream(), str(tmp_path / "transform")
    sizes = {"PCAMatrix": (D, 5), "OPQMatrix": (D, 4), "RandomRotationMatrix": (D, D), "CenteringTransform": (D,)}
    transform = getattr(anear, kind)(*sizes[kind])
    transform.train(BASE)
    anear.write_VectorTransform(transform, name)
    theirs = module.read_VectorTransform(name)
    np.testing.assert_allclose(theirs.apply(QUERIES), transform.apply(QUERIES), rtol=1e-4, atol=1e-4)
    module.write_VectorTransform(theirs, name)
    again = anear.read_VectorTransform(name)
    assert (again.apply(QUERIES) == transform.apply(QUERIES)).all()


def test_product_quantizers_go_to_faiss_and_back(tmp_path: Path) -> None:
    module, name = upstream(), str(tmp_path / "pq")
    pq = anear.ProductQuantizer(D, 4, 5)
    pq.train(BASE)
    anear.write_ProductQuantizer(pq, name)
    theirs = module.read_ProductQuantizer(name)
    assert (theirs.compute_codes(QUERIES) == pq.compute_codes(QUERIES)).all()
    module.write_ProductQuantizer(theirs, name)
    again = anear.read_ProductQuantizer(name)
    assert (again.M, again.nbits, again.d) == (4, 5, D)
    assert (again.decode(again.compute_codes(QUERIES)) == pq.decode(pq.compute_codes(QUERIES))).all()


def test_what_is_no_such_object_is_refused(tmp_path: Path) -> None:
    name = str(tmp_path / "index")
    anear.write_index(flat(anear), name)
    for read in (anear.read_VectorTransform, anear.read_ProductQuantizer, anear.read_index_binary):
        assert isinstance(outcome(lambda read=read: read(name)), RuntimeError)
    assert isinstance(outcome(lambda: anear.write_VectorTransform(anear.PCAMatrix(4, 2), name)), RuntimeError)
    assert isinstance(outcome(lambda: anear.write_ProductQuantizer(anear.ProductQuantizer(4, 2, 2), name)), RuntimeError)
    assert anear.read_index(name).ntotal == 300


def test_a_quantizer_serves_a_second_index() -> None:
    for first, second in (
        (anear.IndexPQ(D, 4, 5), anear.IndexPQ(D, 4, 5)),
        (anear.index_factory(D, "IVF4,SQ8"), anear.index_factory(D, "IVF4,SQ8")),
    ):
        name = "pq" if isinstance(first, anear.IndexPQ) else "sq"
        first.train(BASE)
        first.add(BASE)
        if name == "sq":
            second.quantizer.add(first.quantizer.reconstruct_n())
        setattr(second, name, getattr(first, name))
        second.is_trained = True
        second.add(BASE)
        assert (second.search(QUERIES, 5)[1] == first.search(QUERIES, 5)[1]).all()
