"""Inverted lists: alone, stacked, within an index, moved from one to another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from faiss_twins import D, both, check_alike, outcome, recall, upstream, vectors

import anear

BASE = vectors(400)
QUERIES = vectors(10, 2)
CENTROIDS = vectors(4, 7)
BITS = np.random.RandomState(3).randint(256, size=(300, 8)).astype(np.uint8)


def inverted(module: Any, nprobe: int = 4, codes: str = "Flat") -> Any:
    """The same empty lists in both."""
    quantizer = module.IndexFlatL2(D)
    quantizer.add(CENTROIDS)
    if codes == "Flat":
        index = module.IndexIVFFlat(quantizer, D, 4)
    else:
        index = module.IndexIVFScalarQuantizer(quantizer, D, 4, module.ScalarQuantizer.QT_8bit)
    index.train(BASE)
    index.nprobe = nprobe
    return index


def filled(module: Any, nprobe: int = 4) -> Any:
    index = inverted(module, nprobe)
    index.add(BASE)
    return index


def of_bits(module: Any) -> Any:
    quantizer = module.IndexBinaryFlat(64)
    quantizer.add(BITS[:4])
    index = module.IndexBinaryIVF(quantizer, 64, 4)
    index.train(BITS)
    index.nprobe = 4
    return index


def content(module: Any, lists: Any) -> tuple[Any, ...]:
    """Ids and codes of all lists; Faiss has no pointer to those of an empty one."""
    sizes = {number: lists.list_size(number) for number in range(lists.nlist)}
    full = [number for number, size in sizes.items() if size]
    ids = tuple(module.rev_swig_ptr(lists.get_ids(i), sizes[i]).copy() for i in full)
    codes = tuple(module.rev_swig_ptr(lists.get_codes(i), sizes[i] * lists.code_size).copy() for i in full)
    return tuple(sizes.values()), ids, codes


def entries(module: Any, *ids: int) -> tuple[int, Any, Any]:
    """Arguments of `add_entries`; codes have four bytes and tell of their ids."""
    codes = np.repeat(np.array(ids, np.uint8), 4)
    return len(ids), module.swig_ptr(np.array(ids, np.int64)), module.swig_ptr(codes)


def stack(module: Any, *sets: tuple[tuple[int, ...], ...]) -> list[Any]:
    made = []
    for lists in sets:
        each = module.ArrayInvertedLists(len(lists), 4)
        for number, ids in enumerate(lists):
            each.add_entries(number, *entries(module, *ids))
        made.append(each)
    return made


def test_entries_are_added_changed_and_removed() -> None:
    def call(module: Any) -> Any:
        (lists,) = stack(module, ((1, 2, 3), (), (4,)))
        codes = module.swig_ptr(np.arange(4, dtype=np.uint8))
        lists.update_entry(0, 1, 9, codes)
        lists.add_entry(2, 5, codes)
        lists.resize(0, 2)
        first = content(module, lists)
        lists.reset()
        return first, lists.compute_ntotal(), lists.is_empty(0), lists.nlist, lists.code_size

    both(call)


def test_lists_take_over_those_of_others() -> None:
    def call(module: Any) -> Any:
        one, other = stack(module, ((1, 2), (3,)), ((4,), (5, 6)))
        one.merge_from(other, 100)
        return content(module, one), other.compute_ntotal()

    both(call)


def test_stacks_show_what_is_below() -> None:
    def call(module: Any) -> Any:
        one, other = stack(module, ((1, 2), (), (3,)), ((4,), (5, 6, 7), (8,)))
        pointers = module.InvertedListsPtrVector()
        pointers.push_back(one)
        pointers.push_back(other)
        sets = [
            module.HStackInvertedLists(2, pointers.data()),
            module.VStackInvertedLists(2, pointers.data()),
            module.SliceInvertedLists(other, 1, 3),
            module.MaskedInvertedLists(one, other),
        ]
        stopped = module.StopWordsInvertedLists(other, 3)
        sizes = tuple(stopped.list_size(number) for number in range(3))
        return tuple(content(module, each) for each in sets), sizes

    both(call)


def test_what_is_read_only_stays_as_it_is() -> None:
    (one,) = stack(anear, ((1, 2), (3,)))
    part = anear.SliceInvertedLists(one, 0, 1)
    for refused in (part.reset, lambda: part.add_entries(0, *entries(anear, 5)), lambda: part.list_size(1)):
        assert isinstance(outcome(refused), RuntimeError)
    assert one.compute_ntotal() == 3


@pytest.mark.parametrize("subset", [(0, 5, 50), (1, 3, 1), (2, 10, 200), (3, 2, 0), (3, 3, 1), (4, 1, 3)])
def test_subsets_are_those_of_faiss(subset: tuple[int, int, int]) -> None:
    def call(module: Any) -> Any:
        whole, part, alone = filled(module), inverted(module), module.ArrayInvertedLists(4, 4 * D)
        whole.copy_subset_to(part, *subset)
        count = whole.invlists.copy_subset_to(alone, *subset)
        return part.ntotal, content(module, part.invlists), count, content(module, alone)

    both(call)


def test_an_index_searches_lists_that_were_filled_by_hand() -> None:
    def call(module: Any) -> Any:
        whole, index = filled(module), inverted(module)
        lists = module.ArrayInvertedLists(4, 4 * D)
        for number in range(4):
            size = whole.invlists.list_size(number)
            lists.add_entries(number, size, whole.invlists.get_ids(number), whole.invlists.get_codes(number))
        index.replace_invlists(lists, False)
        index.ntotal = whole.ntotal
        return index.search(QUERIES, 5), index.ntotal

    both(call)


def test_lists_of_another_shape_are_refused() -> None:
    for lists in (anear.ArrayInvertedLists(3, 4 * D), anear.ArrayInvertedLists(4, 4)):
        assert isinstance(outcome(lambda lists=lists: inverted(anear).replace_invlists(lists)), RuntimeError)


def test_codes_of_residuals_find_their_vectors_again() -> None:
    index = inverted(anear, codes="SQ8")
    index.add_sa_codes(index.sa_encode(BASE), np.arange(400) + 7)
    alone = inverted(anear, codes="SQ8")
    alone.add_with_ids(BASE, np.arange(400) + 7)
    check_alike(index.search(QUERIES, 5), alone.search(QUERIES, 5))


def test_codes_come_with_what_is_found() -> None:
    both(lambda module: filled(module).search_and_return_codes(QUERIES, 3))
    both(lambda module: filled(module).search_and_return_codes(QUERIES, 3, include_listnos=True))


def test_ranges_of_lists_are_copied_and_exchanged() -> None:
    def call(module: Any) -> Any:
        index, other = filled(module), inverted(module)
        part = module.get_invlist_range(index, 1, 3)
        module.set_invlist_range(other, 1, 3, part)
        return part.nlist, part.compute_ntotal(), content(module, other.invlists), other.ntotal

    both(call)


def test_a_window_slides_over_slices() -> None:
    def call(module: Any) -> Any:
        index = inverted(module)
        window = module.SlidingIndexWindow(index)
        seen: list[Any] = []
        for number in range(5):
            part = inverted(module)
            part.add_with_ids(BASE[number * 50 : number * 50 + 50], np.arange(number * 50, number * 50 + 50))
            window.step(part, number >= 2)
            seen.append((index.ntotal, window.n_slice, index.search(QUERIES, 3)))
        window.step(None, True)
        return tuple(seen), index.ntotal

    both(call)
    assert isinstance(outcome(lambda: anear.SlidingIndexWindow(inverted(anear)).step(None, True)), RuntimeError)


def test_lists_of_vectors_and_of_results_are_told() -> None:
    def call(module: Any) -> Any:
        index = filled(module, nprobe=2)
        lists, found = np.empty(10, np.int64), np.empty((10, 3), np.int64)
        distances, labels, of_queries = np.empty((10, 3), np.float32), np.empty((10, 3), np.int64), np.empty(10, np.int64)
        pointer = module.swig_ptr
        module.search_centroid(index, pointer(QUERIES), 10, pointer(lists))
        module.search_and_return_centroids(
            index, 10, pointer(QUERIES), 3, pointer(distances), pointer(labels), pointer(of_queries), pointer(found)
        )
        return lists, distances, labels, of_queries, found

    both(call)


def test_the_direct_map_says_where_ids_are() -> None:
    def call(module: Any) -> Any:
        index = filled(module)
        index.set_direct_map_type(module.DirectMap.Array)
        return module.vector_to_array(index.direct_map.array)

    both(call)


def test_lists_of_bits_are_those_of_faiss() -> None:
    def call(module: Any) -> Any:
        index, other, third = of_bits(module), of_bits(module), of_bits(module)
        index.add(BITS)
        other.add(BITS)
        seen = content(module, index.invlists)
        third.replace_invlists(index.invlists, False)
        third.ntotal = index.ntotal
        found = third.search(BITS[:5], 3)[0]
        index.merge_from(other, 300)
        _, lists = index.quantizer.search(BITS[:5], 3)
        index.nprobe = 3
        within = index.range_search(BITS[:9], 25)[0]
        return within, seen, found, index.ntotal, other.ntotal, index.search_preassigned(BITS[:5], 4, lists, None)[0]

    both(call)


def test_product_codes_go_over_to_fast_scans() -> None:
    module = upstream()
    for kind, fast in (("IndexPQ", "IndexPQFastScan"), ("IndexIVFPQ", "IndexIVFPQFastScan")):
        found = []
        for engine in (anear, module):
            quantizer = engine.IndexFlatL2(D)
            plain = engine.IndexPQ(D, 8, 4) if kind == "IndexPQ" else engine.IndexIVFPQ(quantizer, D, 4, 8, 4)
            plain.train(BASE)
            plain.add(BASE)
            scanned = getattr(engine, fast)(plain)
            assert (scanned.ntotal, scanned.d, scanned.bbs, scanned.M) == (400, D, 32, 8)
            if kind == "IndexIVFPQ":
                plain.nprobe = scanned.nprobe = 4
                assert scanned.by_residual
            found.append((scanned.search(QUERIES, 10)[1], plain.search(QUERIES, 10)[1]))
        assert (found[0][0] == found[0][1]).all()
        assert recall(*found[1]) > 0.8
    assert isinstance(outcome(lambda: anear.IndexPQFastScan(anear.IndexPQ(D, 8, 8))), RuntimeError)


def test_centroids_and_lists_are_rearranged_together() -> None:
    from anear.contrib import ivf_tools

    index = filled(anear, nprobe=2)
    before, sizes = index.search(QUERIES, 5), index.invlists._sizes()
    ivf_tools.permute_invlists(index, [2, 0, 3, 1])
    assert index.invlists._sizes().tolist() == sizes[[2, 0, 3, 1]].tolist()
    ivf_tools.sort_invlists_by_size(index)
    assert index.invlists._sizes().tolist() == sorted(sizes.tolist())
    old = ivf_tools.replace_ivf_quantizer(index, anear.IndexHNSWFlat(D, 8))
    assert isinstance(old, anear.IndexFlat) and isinstance(index.quantizer, anear.IndexHNSW)
    check_alike(index.search(QUERIES, 5), before)
    ivf_tools.add_preassigned(index, BASE[:3], [3, 3, 3], np.array([900, 901, 902]))
    assert set(index.invlists._list(3)[0].tolist()) >= {900, 901, 902}


def test_a_refused_change_leaves_lists_as_they_were() -> None:
    index = filled(anear)
    lists = index.invlists
    number = int(np.argmax([lists.list_size(each) for each in range(index.nlist)]))
    ids, codes = lists._list(number)
    other = next(each for each in range(index.nlist) if each != number and lists.list_size(each))
    taken = lists._list(other)[0][:1]
    with pytest.raises((RuntimeError, ValueError)):
        lists.update_entries(number, 0, 1, taken, codes[:1])
    with pytest.raises(RuntimeError, match="add_entries"):
        lists.resize(number, len(ids) + 2)
    again, codes_again = lists._list(number)
    order, order_again = np.argsort(ids), np.argsort(again)
    assert (ids[order] == again[order_again]).all()
    assert (codes[order] == codes_again[order_again]).all()
    source = filled(anear)
    with pytest.raises((RuntimeError, ValueError)):
        lists.merge_from(source.invlists, 0)
    assert source.ntotal == filled(anear).ntotal


def test_codes_of_vectors_in_given_lists_are_those_of_faiss() -> None:
    base, queries = vectors(200), vectors(20, 2)

    def coded(module: Any) -> Any:
        coarse = module.IndexFlatL2(D)
        coarse.add(base[:8])
        index = module.IndexIVFFlat(coarse, D, 8)
        index.train(base)
        lists, number = coarse.assign(queries, 1).ravel(), np.zeros(1, np.uint8)
        codes, with_lists = np.zeros((20, 4 * D), np.uint8), np.zeros((20, 4 * D + 1), np.uint8)
        x, at, out = module.swig_ptr(queries), module.swig_ptr(lists), module.swig_ptr(codes)
        index.encode_vectors(20, x, at, out)
        index.encode_vectors(20, x, at, module.swig_ptr(with_lists), True)
        again = np.zeros_like(queries)
        index.decode_vectors(20, out, at, module.swig_ptr(again))
        index.encode_listno(5, module.swig_ptr(number))
        return codes, with_lists, again, number, np.array(index.decode_listno(module.swig_ptr(number)))

    both(coded)
