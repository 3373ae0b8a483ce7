"""`import anear as faiss`: the same calls on both give the same shapes, types and neighbors, and the same files."""

import copy
import pickle
from typing import Any

import anear
import numpy as np
import pytest
from anear.contrib import evaluation

D, N, NQ, K = 16, 2000, 20, 10

# Factory strings and how much of the neighbors both must have in common; what is drawn at random differs.
EXACT = ["Flat", "SQ8", "SQ4", "SQ6", "SQfp16", "SQbf16", "IDMap2,Flat", "IDMap,Flat", "L2norm,Flat"]
LEARNED = [
    "IVF16,Flat",
    "IVF16,SQ8",
    "IVF16,PQ4x8",
    "IVF16,PQ4x4fs",
    "IVF16_HNSW8,Flat",
    "HNSW16,Flat",
    "HNSW16,SQ8",
    "NSG16,Flat",
    "PQ4",
    "PQ8x4fs",
    "PQ4x6",
    "LSH16r",
    "LSH16rt",
    "PCA8,Flat",
    "PCAR8,IVF16,Flat",
    "RR,IVF16,SQ8",
    "OPQ4_8,PQ4",
    "ITQ8,LSH",
    "IVF16,Flat,RFlat",
    "PQ4,RFlat",
    "RaBitQ",
    "RaBitQ4",
    "IVF16,RaBitQ",
    "RR,IVF16,RaBitQ4",
]


def faiss() -> Any:
    return pytest.importorskip("faiss")


def data() -> tuple[Any, Any]:
    random = np.random.default_rng(1)
    return random.random((N, D), dtype=np.float32), random.random((NQ, D), dtype=np.float32)


def filled(module: Any, spec: str, metric: int = 1) -> Any:
    xb, _ = data()
    index = module.index_factory(D, spec, metric)
    index.train(xb)
    if spec.startswith("IDMap"):
        index.add_with_ids(xb, np.arange(N) + 5)
    else:
        index.add(xb)
    return index


def tolerance(spec: str) -> float:
    # On processors with instructions for bf16, Faiss rounds the query as well; anear does not.
    return 2e-2 if "bf16" in spec else 1e-5


def common(one: Any, other: Any) -> float:
    return float(evaluation.knn_intersection_measure(one, other))


@pytest.mark.parametrize("metric", [anear.METRIC_L2, anear.METRIC_INNER_PRODUCT])
@pytest.mark.parametrize("spec", EXACT)
def test_what_draws_nothing_finds_the_same(spec: str, metric: int) -> None:
    _, xq = data()
    D1, I1 = filled(anear, spec, metric).search(xq, K)
    D2, I2 = filled(faiss(), spec, metric).search(xq, K)
    assert (D1.dtype, I1.dtype, D1.shape, I1.shape) == (D2.dtype, I2.dtype, D2.shape, I2.shape)
    np.testing.assert_allclose(D1, D2, rtol=tolerance(spec), atol=1e-5)
    assert common(I1, I2) > (0.99 if tolerance(spec) < 1e-3 else 0.9)


@pytest.mark.parametrize("spec", EXACT + LEARNED)
def test_files_of_faiss_find_the_same_here_and_back_again(spec: str) -> None:
    _, xq = data()
    theirs = filled(faiss(), spec)
    D1, I1 = theirs.search(xq, K)
    ours = anear.deserialize_index(faiss().serialize_index(theirs))
    assert (ours.ntotal, ours.d, ours.is_trained) == (N, D, True)
    D2, I2 = ours.search(xq, K)
    if "fs" in spec:
        # Faiss rounds the distances of fast scans to bytes; anear does not.
        assert common(I1, I2) > 0.7
    else:
        np.testing.assert_allclose(D2, D1, rtol=tolerance(spec), atol=1e-5)
        assert common(I1, I2) > (0.99 if tolerance(spec) < 1e-3 else 0.9)

    own = filled(anear, spec)
    D3, I3 = own.search(xq, K)
    D4, I4 = faiss().deserialize_index(anear.serialize_index(own)).search(xq, K)
    assert common(I3, I4) > (0.7 if "fs" in spec else 0.99 if tolerance(spec) < 1e-3 else 0.9)


@pytest.mark.parametrize("spec", ["Flat", "IVF16,Flat", "HNSW16,Flat", "SQ8", "PCA8,Flat", "IDMap2,Flat"])
def test_an_index_survives_copies_and_pickles(spec: str) -> None:
    _, xq = data()
    index = filled(anear, spec)
    expected = index.search(xq, K)
    for again in (copy.deepcopy(index), pickle.loads(pickle.dumps(index)), anear.clone_index(index)):
        assert type(again) is type(index)
        for one, other in zip(again.search(xq, K), expected, strict=True):
            np.testing.assert_array_equal(one, other)


def refusal(call: Any) -> type[BaseException]:
    with pytest.raises(Exception) as caught:
        call()
    return caught.type


def test_wrong_use_raises_what_faiss_raises() -> None:
    xb, xq = data()
    for module in (anear, faiss()):
        flat = module.IndexFlatL2(D)
        assert refusal(lambda flat=flat: flat.add(xb[:, :3])) is AssertionError
        assert refusal(lambda flat=flat: flat.search(xq, 0)) is AssertionError
        assert refusal(lambda flat=flat: flat.search(xq, 3.0)) is TypeError
        assert refusal(lambda flat=flat: flat.search(xq[:, :3], 3)) is AssertionError
        assert refusal(lambda flat=flat: flat.reconstruct(30)) is RuntimeError
        assert refusal(lambda flat=flat: flat.add_with_ids(xb, np.arange(N))) is RuntimeError
        assert refusal(lambda module=module: module.index_factory(D, "Flop")) is RuntimeError
        assert refusal(lambda module=module: module.index_factory(D, "IVF4,Flat").add(xb)) is RuntimeError
        assert refusal(lambda module=module: module.index_factory(D, "IVF4,Flat").search(xq, 3)) is RuntimeError
        assert refusal(lambda module=module: module.index_factory(D, "IVF4000,Flat").train(xb)) is RuntimeError
        assert refusal(lambda module=module: module.SearchParametersIVF(foo=1)) is AssertionError
        assert refusal(lambda module=module: module.IndexIDMap2(module.IndexFlatL2(D)).add(xb)) is RuntimeError


def test_places_without_a_neighbor_are_padded_as_in_faiss() -> None:
    xb, xq = data()
    for name in ("IndexFlatL2", "IndexFlatIP"):
        answers = []
        for module in (anear, faiss()):
            index = getattr(module, name)(D)
            index.add(xb[:3])
            answers.append(index.search(xq, 5))
        np.testing.assert_array_equal(answers[0][1], answers[1][1])
        np.testing.assert_allclose(answers[0][0], answers[1][0], rtol=1e-5, atol=1e-5)


def test_queries_that_are_not_numbers_find_nothing() -> None:
    xb, xq = data()
    xq = xq.copy()
    xq[3, 2] = np.nan
    for module in (anear, faiss()):
        index = module.IndexFlatL2(D)
        index.add(xb)
        _, ids = index.search(xq, K)
        assert (ids[3] == -1).all() and (ids[2] >= 0).all()


@pytest.mark.parametrize("spec", ["Flat", "IVF16,Flat", "SQ8", "HNSW16,Flat", "IDMap2,Flat", "PCA16,Flat", "PQ4"])
def test_selectors_restrict_every_index(spec: str) -> None:
    _, xq = data()
    index = filled(anear, spec)
    first = 5 if spec.startswith("IDMap") else 0
    selectors = {
        anear.IDSelectorRange(100, 300): lambda i: 100 <= i < 300,
        anear.IDSelectorBatch(np.arange(0, N, 7)): lambda i: i % 7 == 0,
        anear.IDSelectorArray(np.array([9, 90, 900])): lambda i: i in (9, 90, 900),
        anear.IDSelectorNot(anear.IDSelectorRange(100, 2100)): lambda i: i < 100,
        anear.IDSelectorAnd(anear.IDSelectorRange(0, 300), anear.IDSelectorBatch(np.arange(0, N, 3))): lambda i: (
            i < 300 and i % 3 == 0
        ),
    }
    for selector, rule in selectors.items():
        params = anear.SearchParameters(sel=selector)
        if spec.startswith("IVF"):
            params = anear.SearchParametersIVF(sel=selector, nprobe=16)
        _, ids = index.search(xq, K, params=params)
        expected = [i for i in range(first, N + first) if rule(i)]
        assert all(rule(i) for i in ids[ids >= 0])
        assert (ids >= 0).sum(axis=1).min() == min(K, len(expected))
        assert all(selector.is_member(i) == rule(i) for i in (0, 9, 150, 299))


def test_range_results_and_ids_are_those_of_faiss() -> None:
    _, xq = data()
    for metric, radius in ((anear.METRIC_L2, 1.0), (anear.METRIC_INNER_PRODUCT, 5.5)):
        L1, D1, I1 = filled(anear, "Flat", metric).range_search(xq, radius)
        L2, D2, I2 = filled(faiss(), "Flat", metric).range_search(xq, radius)
        assert (L1.dtype, D1.dtype, I1.dtype) == (L2.dtype, D2.dtype, I2.dtype)
        evaluation.check_ref_range_results(L2, D2, I2, L1, D1, I1)
        assert evaluation.range_PR(L2, I2, L1, I1) == (1.0, 1.0)


def test_the_methods_of_an_index_do_what_faiss_says() -> None:
    xb, xq = data()
    for module in (anear, faiss()):
        index = module.IndexFlatL2(D)
        index.add(xb)
        np.testing.assert_array_equal(index.reconstruct(7), xb[7])
        np.testing.assert_array_equal(index.reconstruct_n(5, 10), xb[5:15])
        np.testing.assert_array_equal(index.reconstruct_batch([3, 9]), xb[[3, 9]])
        np.testing.assert_array_equal(index.assign(xq, 2), index.search(xq, 2)[1])
        _, ids, vectors = index.search_and_reconstruct(xq, 3)
        np.testing.assert_array_equal(vectors, xb[ids])
        np.testing.assert_array_equal(index.sa_decode(index.sa_encode(xb)), xb)
        assert index.sa_code_size() == 4 * D
        assert index.remove_ids(np.array([0, 5, 9])) == 3
        assert index.remove_ids(module.IDSelectorRange(0, 10)) == 10
        np.testing.assert_array_equal(index.reconstruct(0), xb[13])
        other = module.IndexFlatL2(D)
        other.add(xb[:4])
        index.merge_from(other)
        assert (index.ntotal, other.ntotal) == (N - 13 + 4, 0)
        index.reset()
        assert index.ntotal == 0


def test_search_parameters_are_set_on_the_index_and_per_search() -> None:
    xb, xq = data()
    index = anear.IndexIVFFlat(anear.IndexFlatL2(D), D, 16)
    index.nprobe = 3
    assert (index.is_trained, index.nprobe, index.nlist) == (False, 3, 16)
    index.train(xb)
    index.add(xb)
    assert (index.nprobe, index.quantizer.ntotal, index.ntotal) == (3, 16, N)
    index.nprobe = 16
    _, all_lists = index.search(xq, K)
    _, one_list = index.search(xq, K, params=anear.SearchParametersIVF(nprobe=1))
    _, exact = anear.knn(xq, xb, K)
    assert common(all_lists, exact) == 1.0 > common(one_list, exact)
    assert sum(index.get_list_size(i) for i in range(16)) == N
    graph = anear.IndexHNSWFlat(D, 8)
    graph.hnsw.efConstruction = 30
    graph.add(xb)
    graph.hnsw.efSearch = 64
    assert (graph.hnsw.efSearch, graph.hnsw.efConstruction) == (64, 30)


def test_a_trained_quantizer_is_taken_as_it_is() -> None:
    xb, xq = data()
    quantizer = anear.IndexFlatL2(D)
    quantizer.add(xb[:16])
    index = anear.IndexIVFFlat(quantizer, D, 16)
    index.train(xb)
    index.add(xb)
    np.testing.assert_array_equal(index.quantizer.reconstruct_n(), xb[:16])


def test_shards_and_replicas_find_what_one_index_finds() -> None:
    xb, xq = data()
    whole = anear.IndexFlatL2(D)
    whole.add(xb)
    expected = whole.search(xq, K)
    for threaded in (False, True):
        shards, replicas = anear.IndexShards(D, threaded), anear.IndexReplicas(D, threaded)
        for _ in range(3):
            shards.add_shard(anear.IndexFlatL2(D))
            replicas.add_replica(anear.IndexFlatL2(D))
        for group in (shards, replicas):
            group.add(xb)
            assert (group.ntotal, group.count()) == (N, 3)
            for one, other in zip(group.search(xq, K), expected, strict=True):
                np.testing.assert_array_equal(one, other)
    with pytest.raises(RuntimeError, match="at once"):
        shards.add(xb)


def test_clustering_reaches_the_objective_of_faiss() -> None:
    xb, xq = data()
    objectives = []
    for module in (anear, faiss()):
        kmeans = module.Kmeans(D, 20, niter=15, seed=7)
        kmeans.train(xb)
        assert kmeans.centroids.shape == (20, D) and len(kmeans.obj) == 15 == len(kmeans.iteration_stats)
        distances, ids = kmeans.assign(xq)
        assert distances.shape == ids.shape == (NQ,)
        objectives.append(kmeans.obj[-1])
    assert objectives[0] < 1.02 * objectives[1]


@pytest.mark.parametrize("metric", [0, 1, 2, 3, 20, 21, 22, 23])
def test_functions_without_an_index_agree(metric: int) -> None:
    xb, xq = data()
    theirs, ours = (module.pairwise_distances(xq, xb, metric) for module in (faiss(), anear))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    D1, I1 = anear.knn(xq, xb, K, metric)
    D2, I2 = faiss().knn(xq, xb, K, metric)
    np.testing.assert_allclose(D1, D2, rtol=1e-4, atol=1e-5)
    assert common(I1, I2) > 0.98


def test_rows_are_normalized_in_place() -> None:
    xb, _ = data()
    one, other = xb.copy(), xb.copy()
    anear.normalize_L2(one)
    faiss().normalize_L2(other)
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_parameters_are_explored_for_the_best() -> None:
    xb, xq = data()
    index = filled(anear, "IVF64,Flat")
    _, truth = anear.knn(xq, xb, 1)
    criterion = anear.OneRecallAtRCriterion(NQ, 1)
    criterion.set_groundtruth(None, truth)
    space = anear.ParameterSpace()
    space.initialize(index)
    points = space.explore(index, xq, criterion)
    assert points.optimal_pts[-1].perf == 1.0
    assert points.t_for_perf(0.5) <= points.t_for_perf(1.0)
    space.set_index_parameters(index, "nprobe=7")
    assert index.nprobe == 7
    ivf = anear.extract_index_ivf(filled(anear, "PCA8,IVF16,Flat"))
    assert ivf.nlist == 16


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(AttributeError, match="did you mean IndexFlatL2"):
        getattr(anear, "IndexFlatL3")
    with pytest.raises(AttributeError, match="nprob"):
        getattr(filled(anear, "IVF16,Flat"), "nprob")


def test_files_are_written_whole(tmp_path: Any) -> None:
    index = filled(anear, "IVF16,SQ8")
    path = str(tmp_path / "index.faiss")
    anear.write_index(index, path)
    _, xq = data()
    np.testing.assert_array_equal(anear.read_index(path).search(xq, K)[1], index.search(xq, K)[1])
    np.testing.assert_array_equal(faiss().read_index(path).search(xq, K)[1], index.search(xq, K)[1])
    assert [file.name for file in tmp_path.iterdir()] == ["index.faiss"]
    with pytest.raises(RuntimeError, match="no such file"):
        anear.read_index(str(tmp_path / "nothing"))
    with pytest.raises(RuntimeError, match="it is no file"):
        anear.read_index(str(tmp_path))


def test_what_is_no_id_or_parameter_is_refused() -> None:
    index = filled(anear, "IVF16,Flat")
    _, xq = data()
    with pytest.raises(TypeError, match="SearchParametersIVF.*got dict"):
        index.search(xq, K, params={"nprobe": 2})
    with pytest.raises(TypeError, match="got dict"):
        index.range_search(xq, 1.0, params={"nprobe": 2})
    with pytest.raises(AssertionError, match="whole numbers, got 1.5"):
        index.add_with_ids(xq[:2], np.array([1.0, 1.5]))
    with pytest.raises(AssertionError, match="whole numbers, got 2.5"):
        index.add_with_ids(xq[:1], 2.5)
    index.add_with_ids(xq[:2], np.array([7000.0, 8000.0]))
    assert set(index.search(xq[:1], 2)[1][0]) >= {7000}
