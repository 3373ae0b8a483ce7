"""Asynchronous methods that stay true to subclasses written for synchronous code."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, TypeVar, cast

from langchain_core.runnables.config import run_in_executor

AsyncMethod = TypeVar("AsyncMethod", bound=Callable[..., Coroutine[Any, Any, Any]])


def twin(method: AsyncMethod) -> AsyncMethod:
    """Marks `method`, named `a...`, as the twin of a synchronous method of its class.

    In a subclass that overrides the synchronous one only, the asynchronous one runs that in the loop's executor.
    """
    name = method.__name__
    sync_name = name.replace("a", "", 1)

    @wraps(method)
    async def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        if _is_overridden(type(self), sync_name) and getattr(type(self), name) is call:
            return await run_in_executor(None, getattr(self, sync_name), *args, **kwargs)
        return await method(self, *args, **kwargs)

    return cast("AsyncMethod", call)


def _is_overridden(kind: type, name: str) -> bool:
    """Whether a class outside this package defines `name` for `kind`."""
    definer = next(base for base in kind.__mro__ if name in vars(base))
    return not definer.__module__.startswith("anear.")
