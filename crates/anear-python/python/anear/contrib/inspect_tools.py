"""Looking into indexes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..faiss._arrays import Float32Vector, rev_swig_ptr, vector_to_array
from ..faiss._transforms import LinearTransform

Array = npt.NDArray[Any]


def get_invlist(invlists: Any, l: int) -> tuple[Array, Array]:
    """The ids and the codes of a list."""
    size = invlists.list_size(l)
    ids = rev_swig_ptr(invlists.get_ids(l), size)
    codes = rev_swig_ptr(invlists.get_codes(l), size * invlists.code_size)
    return ids.copy(), codes.reshape(size, invlists.code_size).copy()


def get_invlist_sizes(invlists: Any) -> Array:
    """How many vectors are in each list."""
    return np.array([invlists.list_size(number) for number in range(invlists.nlist)])


def get_flat_data(index: Any) -> Array:
    """The vectors of an exact index."""
    return np.asarray(index.reconstruct_n(0, index.ntotal))


def get_flat_codes(index_flat: Any) -> Array:
    """The codes of an index that compares with all of them."""
    return vector_to_array(index_flat.codes).reshape(index_flat.ntotal, index_flat.code_size)


def get_pq_centroids(pq: Any) -> Array:
    """The centroids of a product quantizer: parts, centroids, components."""
    return vector_to_array(pq.centroids).reshape(pq.M, pq.ksub, pq.dsub)


def get_LinearTransform_matrix(pca: Any) -> tuple[Array, Array]:
    """The matrix and the offset of a linear transform."""
    return vector_to_array(pca.A).reshape(pca.d_out, pca.d_in), vector_to_array(pca.b)


def make_LinearTransform_matrix(A: Any, b: Any = None) -> LinearTransform:
    """The linear transform of a matrix and an offset."""
    matrix = np.asarray(A, dtype=np.float32)
    d_out, d_in = matrix.shape
    transform = LinearTransform(d_in, d_out, b is not None)
    transform.A = Float32Vector(matrix)
    if b is not None:
        transform.b = Float32Vector(np.asarray(b))
    transform.is_trained = True
    transform.set_is_orthonormal()
    return transform


def print_object_fields(obj: Any) -> None:
    """Prints what an object shows of itself."""
    for name in dir(obj):
        if not name.startswith("_") and not callable(getattr(obj, name)):
            print(f"{name} = {getattr(obj, name)}")


def get_additive_quantizer_codebooks(aq: Any) -> list[Array]:
    """The codebooks of an additive quantizer, an entry a row."""
    ends = np.cumsum([1 << int(bits) for bits in aq.nbits])[:-1]
    return np.split(vector_to_array(aq.codebooks).reshape(-1, aq.d), ends)


def get_NSG_neighbors(nsg: Any) -> Array:
    """The links of each vector, a row each; -1 where there is none."""
    return np.asarray(nsg._part("neighbors").reshape(nsg.ntotal, -1)[:, : nsg.R])
