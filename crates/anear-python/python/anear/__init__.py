"""Vector search inside your program.

Exact indexes that need no documents are here; the vector store with documents is
`anear.langchain.FAISS`.
"""

from importlib.metadata import version

from ._index import (
    METRIC_INNER_PRODUCT,
    METRIC_L2,
    IndexFlat,
    IndexFlatIP,
    IndexFlatL2,
)
from ._native import InternalError

__version__: str = version("anear")

__all__ = [
    "METRIC_INNER_PRODUCT",
    "METRIC_L2",
    "IndexFlat",
    "IndexFlatIP",
    "IndexFlatL2",
    "InternalError",
    "__version__",
]
