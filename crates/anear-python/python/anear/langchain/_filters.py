"""LangChain's filters as Python code: for `compat="langchain"` and for programs that call `_create_filter_func`.

The store's own filters, which can more, are evaluated in Rust.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

Predicate = Callable[[dict[str, Any]], Any]

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "$eq": operator.eq,
    "$neq": operator.ne,
    "$gt": operator.gt,
    "$lt": operator.lt,
    "$gte": operator.ge,
    "$lte": operator.le,
    "$in": lambda value, wanted: value in wanted,
    "$nin": lambda value, wanted: value not in wanted,
}

_COMBINING = ("$and", "$or", "$not")

# Longer lists are looked up by hash, so their elements must be hashable.
_LIST_AS_SET = 10


def predicate(filter: Any) -> Predicate:
    """A function of the metadata that says whether LangChain's filter lets a document through.

    Raises:
        ValueError: an operator that LangChain does not know, or neither a dict nor a callable.
    """
    if callable(filter):
        chosen: Predicate = filter
        return chosen
    if not isinstance(filter, dict):
        raise ValueError(f"filter must be a dict of metadata or a callable, not {type(filter)}")
    for key in filter:
        if key and key.startswith("$") and key not in _OPERATORS and key not in _COMBINING:
            raise _unsupported(key)
    return _all_of(filter)


def _all_of(filter: dict[str, Any]) -> Predicate:
    # The first of these keys is all that counts: LangChain does not look at what stands beside it.
    if "$and" in filter:
        parts = [_all_of(part) for part in filter["$and"]]
        return lambda metadata: all(part(metadata) for part in parts)
    if "$or" in filter:
        parts = [_all_of(part) for part in filter["$or"]]
        return lambda metadata: any(part(metadata) for part in parts)
    if "$not" in filter:
        inner = _all_of(filter["$not"])
        return lambda metadata: not inner(metadata)
    fields = [_field(name, condition) for name, condition in filter.items()]
    return lambda metadata: all(field(metadata) for field in fields)


def _field(name: str, condition: Any) -> Predicate:
    if isinstance(condition, dict):
        return _operators(name, condition)
    if isinstance(condition, list):
        wanted = frozenset(condition) if len(condition) > _LIST_AS_SET else condition
        return lambda metadata: metadata.get(name) in wanted
    return lambda metadata: metadata.get(name) == condition


def _operators(name: str, condition: dict[str, Any]) -> Predicate:
    tests = []
    for key, wanted in condition.items():
        if key not in _OPERATORS:
            raise _unsupported(key)
        tests.append((_OPERATORS[key], wanted))
    return lambda metadata: all(test(metadata.get(name), wanted) for test, wanted in tests)


def _unsupported(key: object) -> ValueError:
    return ValueError(f"filter contains unsupported operator: {key}")
