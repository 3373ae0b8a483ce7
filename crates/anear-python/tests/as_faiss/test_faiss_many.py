"""Shards and replicas, of vectors of numbers and of bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from faiss_twins import D, both, outcome, vectors

import anear

BASE = vectors(300)
QUERIES = vectors(10, 2)
BITS = np.random.RandomState(3).randint(256, size=(300, 8)).astype(np.uint8)


@pytest.mark.parametrize("threaded", [False, True])
def test_shards_of_bits_answer_as_one_index(threaded: bool) -> None:
    def call(module: Any) -> Any:
        shards, parts = module.IndexBinaryShards(64, threaded, True), [module.IndexBinaryFlat(64) for _ in range(3)]
        for part in parts:
            shards.add_shard(part)
        shards.add(BITS)
        return shards.ntotal, shards.search(BITS[:9], 4)[0], parts[1].ntotal, shards.count(), shards.d

    both(call)


def test_replicas_of_bits_answer_as_one_index() -> None:
    def call(module: Any) -> Any:
        replicas, parts = module.IndexBinaryReplicas(64), [module.IndexBinaryFlat(64) for _ in range(2)]
        for part in parts:
            replicas.add_replica(part)
        replicas.add(BITS)
        return replicas.ntotal, replicas.at(1).ntotal, replicas.search(BITS[:9], 4)[0]

    both(call)


@pytest.mark.parametrize("threaded", [False, True])
def test_threads_change_no_answer(threaded: bool) -> None:
    def call(module: Any) -> Any:
        shards, replicas = module.IndexShards(D, threaded, True), module.IndexReplicas(D, threaded)
        parts = [module.IndexFlatL2(D) for _ in range(6)]
        for part in parts[:3]:
            shards.add_shard(part)
        for part in parts[3:]:
            replicas.add_replica(part)
        shards.add(BASE)
        replicas.add(BASE)
        return shards.search(QUERIES, 5), replicas.search(QUERIES, 5)

    both(call)


def test_shards_share_a_quantizer() -> None:
    whole, quantizer = anear.index_factory(D, "IVF6,Flat"), anear.IndexFlatL2(D)
    shards = anear.IndexShardsIVF(quantizer, 6)
    for _ in range(2):
        shards.add_shard(anear.IndexIVFFlat(quantizer, D, 6))
    shards.train(BASE)
    assert shards.is_trained and quantizer.ntotal == 6
    shards.add(BASE)
    whole.quantizer.add(quantizer.reconstruct_n())
    whole.train(BASE)
    whole.add(BASE)
    for part in (whole, shards.at(0), shards.at(1)):
        part.nprobe = 6
    assert (shards.search(QUERIES, 5)[1] == whole.search(QUERIES, 5)[1]).all()
    assert isinstance(outcome(lambda: shards.add_shard(anear.IndexFlatL2(D))), RuntimeError)


def test_a_shard_of_another_width_is_refused() -> None:
    both(lambda module: module.IndexShards(D).add_shard(module.IndexFlatL2(D + 1)))
    both(lambda module: module.IndexBinaryShards(64).add_shard(module.IndexBinaryFlat(72)))
