"""Faiss's names over anear's engine: `import anear as faiss`.

The same classes and functions, the same shapes and types of results, the same files. Wrong use raises: another
dimension is an `AssertionError`, what an index cannot do a `RuntimeError`.
"""

from ._arrays import copy_array_to_vector, vector_to_array
from ._autotune import (
    AutoTuneCriterion,
    IntersectionCriterion,
    OneRecallAtRCriterion,
    OperatingPoint,
    OperatingPoints,
    ParameterRange,
    ParameterSpace,
)
from ._clustering import Clustering, ClusteringInitMethod, ClusteringParameters, Kmeans, kmeans_clustering
from ._constants import (
    METRIC_INNER_PRODUCT,
    METRIC_L1,
    METRIC_L2,
    METRIC_BrayCurtis,
    METRIC_Canberra,
    METRIC_Jaccard,
    METRIC_JensenShannon,
    METRIC_Linf,
    METRIC_Lp,
    is_similarity_metric,
)
from ._factory import clone_index, downcast_index, extract_index_ivf, index_factory, try_extract_index_ivf
from ._functions import (
    ResultHeap,
    eval_intersection,
    kmax,
    kmin,
    knn,
    merge_knn_results,
    normalize_L2,
    omp_get_max_threads,
    omp_set_num_threads,
    pairwise_distances,
    rand,
    randint,
    randn,
)
from ._index import Index
from ._io import (
    IO_FLAG_MMAP,
    IO_FLAG_ONDISK_SAME_DIR,
    IO_FLAG_READ_ONLY,
    IO_FLAG_SKIP_IVF_DATA,
    IO_FLAG_SKIP_STORAGE,
    deserialize_index,
    read_index,
    serialize_index,
    write_index,
)
from ._kinds import (
    IndexFlat,
    IndexFlatCodes,
    IndexFlatIP,
    IndexFlatL2,
    IndexHNSW,
    IndexHNSWFlat,
    IndexHNSWPQ,
    IndexHNSWSQ,
    IndexIDMap,
    IndexIDMap2,
    IndexIVF,
    IndexIVFFlat,
    IndexIVFPQ,
    IndexIVFScalarQuantizer,
    IndexLSH,
    IndexPQ,
    IndexPQFastScan,
    IndexPreTransform,
    IndexRefine,
    IndexRefineFlat,
    IndexScalarQuantizer,
    ScalarQuantizer,
)
from ._selectors import (
    IDSelector,
    IDSelectorAll,
    IDSelectorAnd,
    IDSelectorArray,
    IDSelectorBatch,
    IDSelectorBitmap,
    IDSelectorNot,
    IDSelectorOr,
    IDSelectorRange,
    IDSelectorXOr,
    IndexRefineSearchParameters,
    IVFSearchParameters,
    SearchParameters,
    SearchParametersHNSW,
    SearchParametersIVF,
    SearchParametersIVFPQ,
    SearchParametersPQ,
    SearchParametersPreTransform,
)

__all__ = [name for name in dir() if not name.startswith("_")]
