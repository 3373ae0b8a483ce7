"""Inverted lists in files of their own: written, merged, searched, read from Faiss and given to it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faiss_twins import D, both, check_alike, outcome, recall, upstream, vectors
from test_faiss_lists import content, entries

import anear
from anear.contrib.ondisk import merge_ondisk

BASE, QUERIES = vectors(600), vectors(20, 2)
CODES = ["Flat", "SQ8", "PQ8", "RaBitQ"]


def trained(module: Any, codes: str = "Flat") -> Any:
    index = module.index_factory(D, f"IVF8,{codes}")
    index.train(BASE)
    index.nprobe = 3
    return index


def parts(module: Any, folder: Path, trained: Any, shift_ids: bool = False) -> list[str]:
    """Files of three indexes, with a third of the vectors each."""
    names = []
    for number in range(3):
        part = module.clone_index(trained)
        ids = np.arange(200) if shift_ids else np.arange(200 * number, 200 * number + 200)
        part.add_with_ids(BASE[200 * number : 200 * number + 200], ids)
        names.append(str(folder / f"part{number}.index"))
        module.write_index(part, names[-1])
    return names


def on_disk(folder: Path, codes: str = "Flat") -> Any:
    """An index whose lists are in `folder / "lists"`, which anear wrote."""
    index = trained(anear, codes)
    merge_ondisk(index, parts(anear, folder, index), folder / "lists")
    return index


def once(file: Path) -> Any:
    """A function that gives the bytes of a file, then none."""
    pieces = [file.read_bytes()]
    return lambda _: pieces.pop() if pieces else b""


def changed(file: Path, old: bytes, new: bytes) -> None:
    data = file.read_bytes()
    assert data.count(old) == 1, "what is changed is there once"
    file.write_bytes(data.replace(old, new))


@pytest.mark.parametrize("codes", CODES)
@pytest.mark.parametrize("shift_ids", [False, True])
def test_parts_merged_on_disk_are_searched_like_a_whole(tmp_path: Path, codes: str, shift_ids: bool) -> None:
    index, whole = trained(anear, codes), trained(anear, codes)
    whole.add(BASE)
    merge_ondisk(index, parts(anear, tmp_path, index, shift_ids), tmp_path / "lists", shift_ids)
    assert index.ntotal == 600 and (tmp_path / "lists").stat().st_size == 600 * (index.code_size + 8)
    check_alike(index.search(QUERIES, 5), whole.search(QUERIES, 5))
    check_alike(index.range_search(QUERIES, 30.0), whole.range_search(QUERIES, 30.0))
    check_alike(index.reconstruct_n(0, 600), whole.reconstruct_n(0, 600))


@pytest.mark.parametrize("codes", CODES)
def test_faiss_and_anear_read_the_lists_of_each_other(tmp_path: Path, codes: str) -> None:
    theirs = upstream()
    from faiss.contrib.ondisk import merge_ondisk as merge_theirs

    for writer, reader, merge in ((theirs, anear, merge_theirs), (anear, theirs, merge_ondisk)):
        folder = tmp_path / writer.__name__.split(".")[0]
        folder.mkdir()
        index = trained(writer, codes)
        merge(index, parts(writer, folder, index), str(folder / "lists"))
        writer.write_index(index, str(folder / "whole.index"))
        again = reader.read_index(str(folder / "whole.index"), reader.IO_FLAG_ONDISK_SAME_DIR)
        assert (again.ntotal, again.nprobe) == (600, 3)
        assert recall(again.search(QUERIES, 10)[1], index.search(QUERIES, 10)[1]) > 0.95
        assert b"ilod" in (folder / "whole.index").read_bytes()


def test_faiss_goes_on_with_lists_that_anear_wrote(tmp_path: Path) -> None:
    theirs = upstream()
    anear.write_index(on_disk(tmp_path), tmp_path / "whole.index")
    index = theirs.read_index(str(tmp_path / "whole.index"))
    index.add_with_ids(QUERIES, np.arange(20) + 1000)
    assert index.ntotal == 620 and (index.search(QUERIES, 1)[1].ravel() == np.arange(20) + 1000).all()
    theirs.write_index(index, str(tmp_path / "whole.index"))
    again = anear.read_index(tmp_path / "whole.index")
    check_alike(again.search(QUERIES, 5), index.search(QUERIES, 5))


def test_an_index_by_faiss_comes_back_to_the_same_places(tmp_path: Path) -> None:
    theirs = upstream()
    from faiss.contrib.ondisk import merge_ondisk as merge_theirs

    index = trained(theirs)
    merge_theirs(index, parts(theirs, tmp_path, index), str(tmp_path / "lists"))
    theirs.write_index(index, str(tmp_path / "theirs"))
    anear.write_index(anear.read_index(tmp_path / "theirs"), tmp_path / "ours")
    ours, other = ((tmp_path / name).read_bytes().partition(b"ilod")[2] for name in ("ours", "theirs"))
    places = 3 * 8 + 8 * 24
    assert ours[:places] == other[:places]


@pytest.mark.parametrize("flags", [0, anear.IO_FLAG_MMAP, anear.IO_FLAG_ONDISK_SAME_DIR])
def test_what_is_written_names_the_file_of_lists(tmp_path: Path, flags: int) -> None:
    index = on_disk(tmp_path)
    anear.write_index(index, tmp_path / "whole.index")
    size = (tmp_path / "whole.index").stat().st_size
    assert size < 8 * 4 * D + 8 * 24 + 400
    again = anear.read_index(tmp_path / "whole.index", flags)
    check_alike(again.search(QUERIES, 5), index.search(QUERIES, 5))
    anear.write_index(again, tmp_path / "again.index")
    assert (tmp_path / "again.index").stat().st_size == size


def test_within_other_indexes_lists_stay_in_their_file(tmp_path: Path) -> None:
    index = anear.index_factory(D, "PCA8,IVF8,Flat")
    index.train(BASE)
    whole = anear.clone_index(index)
    whole.add(BASE)
    merge_ondisk(index, parts(anear, tmp_path, index), tmp_path / "lists")
    anear.write_index(index, tmp_path / "whole.index")
    again = anear.read_index(tmp_path / "whole.index")
    assert again.ntotal == index.ntotal == 600
    check_alike(again.search(QUERIES, 5), whole.search(QUERIES, 5))
    assert b"ilod" in (tmp_path / "whole.index").read_bytes()


def test_a_changed_index_is_written_whole_and_its_file_stays(tmp_path: Path) -> None:
    index = on_disk(tmp_path)
    before = (tmp_path / "lists").read_bytes()
    changes = (
        lambda index: index.add(BASE[:1]),
        lambda index: index.remove_ids(np.array([5])),
        lambda index: index.replace_invlists(trained(anear).invlists),
    )
    for change in changes:
        other = anear.clone_index(index)
        change(other)
        anear.write_index(other, tmp_path / "changed.index")
        assert b"ilod" not in (tmp_path / "changed.index").read_bytes()
        assert anear.read_index(tmp_path / "changed.index").ntotal == other.ntotal
    assert (tmp_path / "lists").read_bytes() == before
    assert anear.deserialize_index(anear.serialize_index(index)).ntotal == 600


def test_a_file_of_lists_is_looked_for_where_the_caller_says_only(tmp_path: Path) -> None:
    index, elsewhere = on_disk(tmp_path), tmp_path / "elsewhere"
    elsewhere.mkdir()
    anear.write_index(index, elsewhere / "whole.index")
    assert "say in which folder" in str(outcome(lambda: anear.read_index(elsewhere / "whole.index")))
    assert anear.read_index(elsewhere / "whole.index", ondisk_dir=tmp_path).ntotal == 600
    assert anear.read_index(elsewhere / "whole.index", anear.IO_FLAG_MMAP, ondisk_dir=tmp_path).ntotal == 600
    reader = anear.PyCallbackIOReader(once(elsewhere / "whole.index"))
    assert "another file" in str(outcome(lambda: anear.read_index(reader)))
    (elsewhere / "lists").symlink_to(tmp_path / "lists")
    assert isinstance(outcome(lambda: anear.read_index(elsewhere / "whole.index")), RuntimeError)
    (elsewhere / "lists").unlink()
    shutil.move(tmp_path / "lists", elsewhere / "lists")
    assert anear.read_index(elsewhere / "whole.index").ntotal == 600


@pytest.mark.parametrize("name", [b"..", b"a/..", b"", b"/", b"C:x", b".hidden", b"a\0b", b"con", b"\xff\xfe"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: bytes) -> None:
    anear.write_index(on_disk(tmp_path), tmp_path / "whole.index")
    own = str(tmp_path / "lists").encode()
    length = lambda name: len(name).to_bytes(8, "little")
    changed(tmp_path / "whole.index", length(own) + own, length(name) + name)
    assert isinstance(outcome(lambda: anear.read_index(tmp_path / "whole.index")), RuntimeError)


def test_places_outside_the_file_are_refused(tmp_path: Path) -> None:
    lists = anear.OnDiskInvertedLists(8, 4 * D, tmp_path / "lists")
    lists.add_entries(3, 2, np.array([1, 2]), np.zeros((2, 4 * D), np.uint8))
    index = trained(anear)
    index.replace_invlists(lists)
    anear.write_index(index, tmp_path / "whole.index")
    good = np.array([2, 2, 0], "<u8").tobytes()
    for size, capacity, offset in [(2, 2, 1), (3, 3, 0), (2, 1, 0), (2, 2, 1 << 63), (1 << 61, 1 << 61, 8), (2, 1 << 62, 0)]:
        file = tmp_path / "changed.index"
        shutil.copy(tmp_path / "whole.index", file)
        changed(file, good, np.array([size, capacity, offset], "<u8").tobytes())
        assert isinstance(outcome(lambda file=file: anear.read_index(file)), RuntimeError), (size, capacity, offset)
    with (tmp_path / "lists").open("r+b") as data:
        data.truncate(10)
    assert isinstance(outcome(lambda: anear.read_index(tmp_path / "whole.index")), RuntimeError)


def test_cut_files_are_refused(tmp_path: Path) -> None:
    anear.write_index(on_disk(tmp_path), tmp_path / "whole.index")
    whole = (tmp_path / "whole.index").read_bytes()
    for length in range(whole.index(b"ilod"), len(whole)):
        (tmp_path / "cut.index").write_bytes(whole[:length])
        assert isinstance(outcome(lambda: anear.read_index(tmp_path / "cut.index")), RuntimeError), length


def test_parts_with_the_same_ids_are_refused_and_the_index_stays_empty(tmp_path: Path) -> None:
    index = trained(anear)
    names = parts(anear, tmp_path, index, shift_ids=True)
    with pytest.raises(RuntimeError, match="id"):
        merge_ondisk(index, names, tmp_path / "lists")
    assert index.ntotal == 0
    merge_ondisk(index, names, tmp_path / "lists", shift_ids=True)
    with pytest.raises(AssertionError):
        merge_ondisk(index, names, tmp_path / "other")


def test_entries_in_a_file_are_added_changed_and_removed(tmp_path: Path) -> None:
    def call(module: Any) -> Any:
        lists = module.OnDiskInvertedLists(3, 4, str(tmp_path / module.__name__))
        seen = [(lists.totsize, lists.compute_ntotal())]
        for number, ids in ((0, (1, 2)), (2, (4,)), (0, (3, 5, 6)), (1, (7, 8, 9))):
            seen.append((lists.add_entries(number, *entries(module, *ids)), lists.list_size(number)))
        codes = module.swig_ptr(np.arange(4, dtype=np.uint8))
        lists.update_entry(0, 1, 90, codes)
        lists.resize(1, 2)
        first = content(module, lists)
        lists.crop_invlists(0, 2)
        second = content(module, lists)
        return tuple(seen), first, second, lists.nlist, lists.imbalance_factor()

    both(call)


def test_sizes_of_lists_are_known_without_their_file(tmp_path: Path) -> None:
    lists = anear.OnDiskInvertedLists(3, 4, tmp_path / "lists")
    assert lists.add_entry(1, 70, np.zeros(4, np.uint8)) == 0
    assert lists.add_entry(1, 80, np.zeros(4, np.uint8)) == 1
    (tmp_path / "lists").unlink()
    assert [lists.list_size(number) for number in range(3)] == [0, 2, 0]
    assert lists.is_empty(2) and not lists.is_empty(1)
    assert "no list 3" in str(outcome(lambda: lists.list_size(3)))


def test_sets_are_merged_into_a_file(tmp_path: Path) -> None:
    def call(module: Any, shift_ids: bool) -> Any:
        sets = module.InvertedListsPtrVector()
        kept = []
        for number, ids in enumerate(((1, 2), (5, 7), (3, 4))):
            kept.append(module.ArrayInvertedLists(2, 4))
            kept[-1].add_entries(number % 2, *entries(module, *ids))
            sets.push_back(kept[-1])
        lists = module.OnDiskInvertedLists(2, 4, str(tmp_path / module.__name__))
        count = lists.merge_from_multiple(sets.data(), sets.size(), shift_ids)
        again = outcome(lambda: lists.merge_from_multiple(sets.data(), sets.size(), shift_ids))
        return count, lists.totsize, (tmp_path / module.__name__).stat().st_size, content(module, lists), type(again).__name__

    both(lambda module: call(module, False))
    both(lambda module: call(module, True))


@pytest.mark.parametrize("stacked", [False, True])
def test_sets_may_be_in_the_file_that_they_are_merged_into(tmp_path: Path, stacked: bool) -> None:
    old = anear.OnDiskInvertedLists(2, 4, tmp_path / "lists")
    old.add_entries(0, *entries(anear, 1, 2))
    old.add_entries(1, *entries(anear, 3))
    more = anear.ArrayInvertedLists(2, 4)
    more.add_entries(1, *entries(anear, 7, 8))
    stack = anear.HStackInvertedLists(2, [old, more])
    expected = content(anear, stack)
    lists = anear.OnDiskInvertedLists(2, 4, tmp_path / "lists")
    assert lists.merge_from_multiple([stack] if stacked else [old, more], 1 if stacked else 2) == 5
    check_alike(content(anear, lists), expected)
    assert [path.name for path in tmp_path.iterdir()] == ["lists"]


def test_a_merge_that_fails_leaves_the_file_of_that_name_and_empty_lists(tmp_path: Path) -> None:
    old = anear.OnDiskInvertedLists(2, 4, tmp_path / "lists")
    old.add_entries(0, *entries(anear, 1, 2))
    cut = anear.OnDiskInvertedLists(2, 4, tmp_path / "cut")
    cut.add_entries(1, *entries(anear, 3))
    (tmp_path / "cut").write_bytes(b"")
    expected = content(anear, old)
    lists = anear.OnDiskInvertedLists(2, 4, tmp_path / "lists")
    with pytest.raises(RuntimeError, match="not all of list 1"):
        lists.merge_from_multiple([old, cut], 2)
    assert (lists.totsize, lists.compute_ntotal()) == (0, 0)
    check_alike(content(anear, old), expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut", "lists"]
    assert lists.merge_from_1(old) == 2


def test_ids_of_sets_of_different_sizes_never_meet(tmp_path: Path) -> None:
    index = trained(anear)
    names = []
    for number, part in enumerate((BASE[:300], BASE[300:310], BASE[310:])):
        each = anear.clone_index(index)
        each.add(part)
        names.append(tmp_path / str(number))
        anear.write_index(each, names[-1])
    merge_ondisk(index, names, tmp_path / "lists", shift_ids=True)
    np.testing.assert_array_equal(index.reconstruct_n(0, 600), BASE)


def test_lists_that_an_index_searches_are_not_changed_in_their_file(tmp_path: Path) -> None:
    index = trained(anear)
    lists = anear.OnDiskInvertedLists(8, 4 * D, tmp_path / "lists")
    whole = trained(anear)
    whole.add(BASE)
    lists.merge_from_multiple([whole.invlists], 1)
    index.replace_invlists(lists, True)
    before, found = (tmp_path / "lists").read_bytes(), index.search(QUERIES, 5)
    lists.add_entries(0, 1, np.array([900]), np.zeros((1, 4 * D), np.uint8))
    lists.update_entry(1, 0, 901, np.zeros(4 * D, np.uint8))
    assert (tmp_path / "lists").read_bytes()[: len(before)] == before
    check_alike(index.search(QUERIES, 5), found)
    index.replace_invlists(lists, True)
    assert index.ntotal == 601 and index.reconstruct(900).sum() == 0


def test_a_file_of_lists_made_anew_leaves_the_old_one_to_its_index(tmp_path: Path) -> None:
    index = on_disk(tmp_path)
    found = index.search(QUERIES, 5)
    other = anear.OnDiskInvertedLists(8, 4 * D, tmp_path / "lists")
    other.add_entries(0, 1, np.array([0]), np.zeros((1, 4 * D), np.uint8))
    check_alike(index.search(QUERIES, 5), found)


def test_lists_of_bits_are_copied_from_a_file(tmp_path: Path) -> None:
    bits = np.random.RandomState(3).randint(256, size=(100, 4)).astype(np.uint8)
    index = anear.index_binary_factory(32, "BIVF4")
    index.train(bits)
    index.add(bits)
    lists = anear.OnDiskInvertedLists(4, 4, tmp_path / "lists")
    lists.merge_from_1(index.invlists)
    index.replace_invlists(lists)
    index.nprobe = 4
    assert (index.search(bits[:9], 1)[0] == 0).all()
