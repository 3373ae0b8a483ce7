"""Vector search inside your program.

`import anear as faiss` gives a program that was written for Faiss all it needs: indexes, selectors, transforms,
clustering, tuning, files. The vector store with documents is `anear.langchain.FAISS`.

Everything is loaded when it is first asked for.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import contrib as contrib
    from . import faiss as faiss
    from ._native import InternalError as InternalError
    from .faiss import *

__version__: str = version("anear")

_MODULES = ("contrib", "faiss", "langchain")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name == "InternalError":
        return import_module("._native", __name__).InternalError
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(".faiss", __name__)
    if name not in module.__all__:
        near = difflib.get_close_matches(name, module.__all__, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, "InternalError", *import_module(".faiss", __name__).__all__})
