"""Trying settings, and what `faiss.contrib` has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from faiss_twins import D, both, check_alike, upstream, vectors

import anear
from anear.contrib import datasets, evaluation, exhaustive_search, factory_tools, inspect_tools, vecs_io

BASE = vectors(2000)
QUERIES = vectors(50, 2)
TRUTH = anear.knn(QUERIES, BASE, 10)


def trained(module: Any, spec: str) -> Any:
    index = module.index_factory(D, spec)
    index.train(BASE)
    index.add(BASE)
    return index


def test_an_index_has_the_parameters_of_faisss() -> None:
    for spec in ("IVF64,Flat", "HNSW16", "IVF64,SQ8,RFlat", "IVF64_HNSW8,Flat", "PCA8,IVF32,Flat"):

        def call(module: Any, spec: str = spec) -> Any:
            space = module.ParameterSpace()
            space.initialize(module.index_factory(D, spec))
            ranges = [space.parameter_ranges.at(i) for i in range(space.parameter_ranges.size())]
            names = tuple(each.name for each in ranges)
            return names, space.n_combinations(), space.combination_name(space.n_combinations() - 1)

        both(call)


def test_settings_reach_the_index() -> None:
    index = trained(anear, "IVF16_HNSW8,Flat")
    space = anear.ParameterSpace()
    space.set_index_parameters(index, "nprobe=4,quantizer_efSearch=40")
    assert (index.nprobe, index.quantizer.hnsw.efSearch) == (4, 40)
    both(lambda module: module.ParameterSpace().set_index_parameter(module.IndexFlatL2(3), "nprobe", 3))


def test_exploring_finds_better_settings_for_more_time() -> None:
    criterion = anear.IntersectionCriterion(50, 10)
    criterion.set_groundtruth(None, TRUTH[1])
    space = anear.ParameterSpace()
    index = trained(anear, "IVF64,Flat")
    space.initialize(index)
    points = space.explore(index, QUERIES, criterion)
    best = max(point.perf for point in points.optimal_pts)
    assert best > 0.99 and points.all_pts.size() >= 2
    assert points.t_for_perf(0.5) <= points.t_for_perf(best)


def test_criteria_count_as_faisss() -> None:
    index = anear.IndexIVFFlat(anear.IndexFlatL2(D), D, 64)
    index.train(BASE)
    index.add(BASE)
    found = index.search(QUERIES, 10)

    def call(module: Any) -> Any:
        values = []
        for criterion in (module.OneRecallAtRCriterion(50, 3), module.IntersectionCriterion(50, 5)):
            criterion.set_groundtruth(None, TRUTH[1])
            values.append(round(criterion.evaluate(*map(module.swig_ptr, found)), 6))
        return tuple(values)

    both(call)


def test_operating_points_keep_the_best() -> None:
    def call(module: Any) -> Any:
        points = module.OperatingPoints()
        added = tuple(points.add(perf, t, key, 1) for perf, t, key in ((0.5, 1.0, "a"), (0.6, 0.5, "b"), (0.4, 0.7, "c")))
        return added, points.optimal_pts.size(), points.all_pts.size(), points.t_for_perf(0.55)

    both(call)


def test_evaluation_is_that_of_faisss() -> None:
    upstream()
    from faiss.contrib import evaluation as theirs

    exact = anear.IndexFlatL2(D)
    exact.add(BASE)
    right = exact.range_search(QUERIES, 25.0)
    found = exact.range_search(QUERIES, 20.0)
    for mode in ("overall", "average"):
        for ours, other in zip(
            evaluation.range_PR(right[0], right[2], found[0], found[2], mode),
            theirs.range_PR(right[0].astype(int), right[2], found[0].astype(int), found[2], mode),
            strict=True,
        ):
            assert np.isclose(ours, other)
    assert evaluation.knn_intersection_measure(TRUTH[1], TRUTH[1]) == 1.0
    evaluation.check_ref_knn_with_draws(*TRUTH, *exact.search(QUERIES, 10))
    evaluation.check_ref_range_results(*right, *right)
    lims, distances, _ = evaluation.filter_range_results(*right, 20.0)
    np.testing.assert_array_equal(lims, found[0])
    assert (distances < 20).all()
    for module in (evaluation, theirs):
        points = module.OperatingPointsWithRanges()
        points.add_range("a", [1, 2, 3])
        points.add_range("b", [4, 5])
        assert points.num_experiments() == 6 and points.get_parameters(points.cno_to_key(4)) == {"a": 2, "b": 5}
        assert points.add_operating_point((1, 0), 0.5, 1.0) and not points.add_operating_point((0, 0), 0.4, 1.5)
    timer = evaluation.RepeatTimer(warmup=1, runs=3)
    assert len([None for _ in timer]) == 3 and timer.nruns() == 2
    check_alike(evaluation.sort_range_res_2(*right), theirs.sort_range_res_2(*right))


def test_exact_answers_come_from_pieces() -> None:
    pieces = [BASE[start : start + 300] for start in range(0, 2000, 300)]
    distances, labels = exhaustive_search.knn_ground_truth(QUERIES, iter(pieces), 10)
    np.testing.assert_array_equal(labels, TRUTH[1])
    np.testing.assert_allclose(distances, TRUTH[0])
    exact = anear.IndexFlatL2(D)
    exact.add(BASE)
    evaluation.check_ref_range_results(
        *exact.range_search(QUERIES, 20.0), *exhaustive_search.range_ground_truth(QUERIES, iter(pieces), 20.0)
    )
    batches = exhaustive_search.exponential_query_iterator(QUERIES, 4)
    radius, lims, _, _ = exhaustive_search.range_search_max_results(exact, batches, 30.0, max_results=500)
    assert radius < 30.0 and lims[-1] <= 500


def test_data_sets_and_their_files(tmp_path: Path) -> None:
    data = datasets.SyntheticDataset(16, 100, 200, 10)
    data.check_sizes()
    assert sum(len(piece) for piece in data.database_iterator(bs=30, split=(2, 1))) == 100
    vecs_io.fvecs_write(tmp_path / "x.fvecs", data.get_database())
    np.testing.assert_array_equal(vecs_io.fvecs_read(tmp_path / "x.fvecs"), data.get_database())
    np.testing.assert_array_equal(vecs_io.fvecs_mmap(tmp_path / "x.fvecs"), data.get_database())


def test_factory_strings_come_back() -> None:
    upstream()
    from faiss.contrib import factory_tools as theirs

    for spec in ("Flat", "SQ8", "IVF16,Flat", "IVF16,SQ8", "IDMap,Flat", "PCA8,IVF16,Flat", "L2norm,Flat", "SQ4,RFlat"):
        index = anear.index_factory(D, spec)
        assert factory_tools.reverse_index_factory(index) == spec
    for spec in ("Flat", "SQ8", "IVF16,Flat", "IVF16,SQ8", "PCA8,Flat"):
        assert factory_tools.get_code_size(D, spec) == theirs.get_code_size(D, spec), spec


def test_indexes_can_be_looked_into() -> None:
    index = trained(anear, "IVF8,Flat")
    ids, codes = inspect_tools.get_invlist(index.invlists, 3)
    assert len(ids) == len(codes) == inspect_tools.get_invlist_sizes(index.invlists)[3]
    np.testing.assert_array_equal(codes[0].view(np.float32), BASE[ids[0]])
    flat = trained(anear, "Flat")
    np.testing.assert_array_equal(inspect_tools.get_flat_data(flat), BASE)
    matrix = inspect_tools.make_LinearTransform_matrix(np.eye(3), np.ones(3))
    np.testing.assert_array_equal(matrix.apply(np.zeros((1, 3))), [[1, 1, 1]])
