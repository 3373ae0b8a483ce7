"""Filters as data agree with a naive evaluation, for every method that takes one."""

from __future__ import annotations

import operator
import random
from typing import Any

import numpy as np
import pytest

from anear.langchain import FAISS
from support import Numbers

FIELDS = ["a", "b", "a.c", "deep.x", "deep.y.z", "none"]
VALUES: list[Any] = [None, True, 0, 1, 2, 1.0, 1.5, "x", "y", "xy", "", ["x"], ["x", 1], []]
SCALARS = [value for value in VALUES if not isinstance(value, list)]


def metadata(random: random.Random) -> dict[str, Any]:
    made = {field: random.choice(VALUES) for field in ("a", "b", "a.c", "none") if random.random() < 0.7}
    if random.random() < 0.6:
        made["deep"] = {"x": random.choice(VALUES), "y": {"z": random.choice(VALUES)}}
    return made


def condition(random: random.Random, depth: int) -> Any:
    kind = random.randrange(4)
    if kind == 0:
        return random.choice(SCALARS)
    if kind == 1:
        return random.choices(SCALARS, k=random.randrange(14))
    operators: dict[str, Any] = {}
    for operator in random.sample(["$eq", "$neq", "$ne", "$gt", "$gte", "$lt", "$lte"], random.randint(1, 2)):
        operators[operator] = random.choice(VALUES)
    if random.random() < 0.3:
        operators[random.choice(["$in", "$nin"])] = random.choices(VALUES, k=random.randrange(13))
    if random.random() < 0.2:
        operators["$exists"] = random.random() < 0.5
    if random.random() < 0.2:
        operators["$contains"] = random.choice(SCALARS)
    if depth and random.random() < 0.2:
        operators["$not"] = condition(random, depth - 1)
    return operators


def filter_of(random: random.Random, depth: int = 3) -> dict[str, Any]:
    made = {field: condition(random, depth) for field in random.sample(FIELDS, random.randrange(3))}
    for key in ("$and", "$or"):
        if depth and random.random() < 0.3:
            made[key] = [filter_of(random, depth - 1) for _ in range(random.randrange(3))]
    if depth and random.random() < 0.3:
        made["$not"] = filter_of(random, depth - 1)
    return made


# -- the naive evaluator

MISSING = object()
ORDER = {"$gt": operator.gt, "$gte": operator.ge, "$lt": operator.lt, "$lte": operator.le}


def matches(filter: dict[str, Any], metadata: dict[str, Any]) -> bool:
    return all(entry_holds(key, value, metadata) for key, value in filter.items())


def entry_holds(key: str, value: Any, metadata: dict[str, Any]) -> bool:
    match key:
        case "$and":
            return all(matches(part, metadata) for part in value)
        case "$or":
            return any(matches(part, metadata) for part in value)
        case "$not":
            return not matches(value, metadata)
        case _:
            return condition_holds(value, field(key, metadata))


def field(name: str, metadata: dict[str, Any]) -> Any:
    """The entry of this name, or of its first part the entry of the rest."""
    if name in metadata:
        return metadata[name]
    value: Any = metadata
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            return MISSING
        value = value[part]
    return value


def condition_holds(condition: Any, stored: Any) -> bool:
    if isinstance(condition, dict):
        return all(operator_holds(name, wanted, stored) for name, wanted in condition.items())
    return operator_holds("$in" if isinstance(condition, list) else "$eq", condition, stored)


def operator_holds(name: str, wanted: Any, stored: Any) -> bool:
    value = None if stored is MISSING else stored
    match name:
        case "$eq":
            return bool(value == wanted)
        case "$neq" | "$ne":
            return bool(value != wanted)
        case "$in":
            return value in wanted
        case "$nin":
            return value not in wanted
        case "$exists":
            return (stored is not MISSING) is wanted
        case "$contains":
            return contains(value, wanted)
        case "$not":
            return not condition_holds(wanted, stored)
    try:
        return bool(ORDER[name](value, wanted))
    except TypeError:
        return False


def contains(value: Any, wanted: Any) -> bool:
    if isinstance(value, str):
        return isinstance(wanted, str) and wanted in value
    return isinstance(value, list) and wanted in value


# -- the tests


@pytest.mark.parametrize("strategy", ["EUCLIDEAN_DISTANCE", "MAX_INNER_PRODUCT", "COSINE"])
async def test_filtered_searches_give_the_nearest_that_match(strategy: str) -> None:
    draw = random.Random(strategy)
    metadatas = [metadata(draw) for _ in range(300)]
    texts = [f"text {number}" for number in range(300)]
    db = FAISS.from_texts(texts, Numbers(), metadatas, ids=[str(i) for i in range(300)], distance_strategy=strategy)
    nearest = [document.id for document in db.similarity_search("query", k=300)]
    for _ in range(150):
        filter, k = filter_of(draw), draw.choice([1, 4, 300])
        wanted = {str(i) for i, metadata in enumerate(metadatas) if matches(filter, metadata)}
        expected = [id_ for id_ in nearest if id_ in wanted][:k]
        found = db.similarity_search("query", k=k, filter=filter)
        assert [document.id for document in found] == expected, filter
        assert await db.asimilarity_search("query", k=k, filter=filter) == found
        assert db.similarity_search_batch(["query"], k=k, filter=filter) == [found]
        assert set(db.list_ids(filter)) == wanted and db.count(filter) == len(wanted)


def test_diverse_searches_choose_among_the_nearest_that_match_with_their_own_scores() -> None:
    draw = random.Random(5)
    metadatas = [metadata(draw) for _ in range(200)]
    db = FAISS.from_texts([f"text {i}" for i in range(200)], Numbers(), metadatas)
    for _ in range(50):
        filter = filter_of(draw)
        candidates = db.similarity_search_with_score("query", k=8, filter=filter)
        found = db.max_marginal_relevance_search_with_score("query", k=3, fetch_k=8, filter=filter)
        assert len(found) == min(3, len(candidates))
        assert all(hit in candidates for hit in found)
        assert found[:1] == [] or found[0][0].id in [document.id for document, _ in candidates]


def test_deleting_by_a_filter_deletes_what_matches() -> None:
    draw = random.Random(6)
    metadatas = [metadata(draw) for _ in range(200)]
    db = FAISS.from_texts([f"text {i}" for i in range(200)], Numbers(), metadatas, ids=[str(i) for i in range(200)])
    for _ in range(20):
        filter = filter_of(draw)
        expected = [i for i in db.list_ids() if not matches(filter, metadatas[int(i)])]
        assert db.delete(filter=filter) is True
        assert db.list_ids() == expected
        if not expected:
            break


@pytest.mark.parametrize(
    "filter",
    [{"$bad": 1}, {"a": {"$bad": 1}}, {"$and": [{"$bad": []}]}, {"a": {"$not": {"$bad": 1}}}, {"a": {"b": 1}}],
    ids=str,
)
async def test_unknown_operators_are_refused_wherever_they_stand(filter: dict[str, Any]) -> None:
    db = FAISS.from_texts(["a"], Numbers())
    for empty in (db, FAISS.from_texts([], Numbers())):
        for call in (empty.similarity_search, empty.max_marginal_relevance_search):
            with pytest.raises(ValueError, match="unsupported operator"):
                call("a", filter=filter)
        with pytest.raises(ValueError, match="unsupported operator"):
            await empty.asimilarity_search("a", filter=filter)
        for other in (empty.count, empty.list_ids, lambda filter: empty.delete(filter=filter)):
            with pytest.raises(ValueError, match="unsupported operator"):
                other(filter)


@pytest.mark.parametrize("filter", [3, "page", ["page"], ("page", 1)], ids=str)
def test_filters_of_other_types_are_refused(filter: Any) -> None:
    db = FAISS.from_texts(["a"], Numbers())
    with pytest.raises(ValueError, match="filter must be a dict of metadata or a callable, not <class"):
        db.similarity_search("a", filter=filter)


def test_values_of_numpy_are_found_by_plain_ones() -> None:
    db = FAISS.from_texts(["a", "b"], Numbers(), [{"n": np.float32(0.5)}, {"n": np.int64(3)}])
    assert db.count({"n": 0.5}) == db.count({"n": {"$gte": 3}}) == db.count({"n": np.int64(3)}) == 1


def test_limits_of_filters_are_errors_that_name_them() -> None:
    db = FAISS.from_texts(["a"], Numbers())
    deep: dict[str, Any] = {"a": 1}
    for _ in range(200):
        deep = {"$not": deep}
    for filter in (deep, {"$or": [{"a": i} for i in range(10_000)]}, {"a": list(range(20_000))}):
        with pytest.raises(ValueError):
            db.similarity_search("a", filter=filter)
