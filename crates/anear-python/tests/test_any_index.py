"""Stores on indexes of every kind: by factory strings, by objects, in LangChain's folders with real Faiss, both ways."""

import copy
import functools
import pickle
import warnings

import numpy as np
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding

from anear import faiss as anear_faiss
from anear.langchain import FAISS, DistanceStrategy

DIM = 16
TEXTS = [f"text {i}" for i in range(300)]
METADATAS = [{"n": i} for i in range(300)]
IDS = [str(i) for i in range(300)]
MODEL = DeterministicFakeEmbedding(size=DIM)

# What makes a search of each leave nothing out.
INDEXES = {
    "IVF8,Flat": {"nprobe": 8},
    "IVF8,SQ8": {"nprobe": 8},
    "HNSW16": {"efSearch": 300},
    "SQ8": {},
    "PQ8x4": {},
}


def made(index, **kwargs):
    return FAISS.from_texts(TEXTS, MODEL, METADATAS, IDS, index=index, **kwargs)


def found(db, query="text 7", k=5, **kwargs):
    return [(document.id, document.page_content) for document in db.similarity_search(query, k, **kwargs)]


@pytest.mark.parametrize("index", INDEXES)
@pytest.mark.parametrize("strategy", ["EUCLIDEAN_DISTANCE", "MAX_INNER_PRODUCT", "COSINE"])
def test_a_store_on_any_index_keeps_the_promises(index, strategy):
    params = INDEXES[index]
    db, flat = (made(kind, distance_strategy=strategy) for kind in (index, None))
    for store in (db, flat):
        store.delete([str(i) for i in range(100)])
        store.add_texts(["new", "newer"], [{"n": 1000}, {"n": 1001}], ["new", "299"])
    few = {"n": {"$gte": 290}}
    assert len(found(db, k=50, filter=few, params=params)) == len(found(flat, k=50, filter=few)) == 11
    if index in ("IVF8,Flat", "HNSW16"):
        assert found(db, k=20, params=params) == found(flat, k=20)
    assert len(db.max_marginal_relevance_search("text 150", params=params)) == 4
    batch = db.similarity_search_with_score_batch(["text 150", "new"], 3, params=params)
    assert [len(hits) for hits in batch] == [3, 3]

    again = pickle.loads(pickle.dumps(db))
    assert again._store.index == db._store.index
    assert found(again, params=params) == found(db, params=params)


@pytest.mark.parametrize("index", ["LSH64r", "IVF8,LSH64r"])
@pytest.mark.parametrize("strategy", ["EUCLIDEAN_DISTANCE", "MAX_INNER_PRODUCT", "COSINE"])
def test_relevance_of_hashing_is_the_share_of_bits_that_agree(index, strategy):
    db = made(index, distance_strategy=strategy)
    scores = [abs(score) for _, score in db.similarity_search_with_score("text 7", 20)]
    relevances = [relevance for _, relevance in db.similarity_search_with_relevance_scores("text 7", 20)]
    assert relevances == [1.0 - score / 64 for score in scores]
    assert relevances[0] == 1.0 and len(set(relevances)) > 2
    assert len(db.max_marginal_relevance_search("text 7")) == 4


def test_diversity_where_codes_have_no_way_back_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match="build the store on `ITQ8,LSH,RFlat`, which keeps them"):
        made("ITQ8,LSH").max_marginal_relevance_search("text 7")
    assert len(made("ITQ8,LSH,RFlat").max_marginal_relevance_search("text 7")) == 4


@pytest.mark.parametrize("index", ["RaBitQ", "IVF8,RaBitQ", "LSH64r", "ITQ8,LSH", "HNSW16"])
@pytest.mark.parametrize("again", [lambda db: pickle.loads(pickle.dumps(db)), copy.deepcopy])
def test_codes_survive_pickling_as_they_are(index, again):
    db = made(index)
    db.delete(IDS[:50])
    copied = again(db)
    assert copied.serialize_to_bytes() == db.serialize_to_bytes()
    assert copied.similarity_search_with_score("text 7", 20) == db.similarity_search_with_score("text 7", 20)
    copied.add_texts(["new"])
    assert (copied.count(), db.count()) == (251, 250)


def test_what_only_pickle_can_hold_is_pickled_on_any_index_that_gives_vectors_back():
    db = FAISS.from_texts(TEXTS, MODEL, [{"kind": DistanceStrategy, "n": i} for i in range(300)], IDS, index="IVF8,Flat")
    copied = pickle.loads(pickle.dumps(db))
    assert copied.similarity_search("text 7", 1)[0].metadata["kind"] is DistanceStrategy
    assert found(copied) == found(db)


@pytest.mark.asyncio
async def test_the_asynchronous_half_takes_search_parameters_too():
    db = await FAISS.afrom_texts(TEXTS, MODEL, index="IVF8,Flat")
    flat = FAISS.from_texts(TEXTS, MODEL)
    texts = [document.page_content for document in await db.asimilarity_search("text 9", 10, params={"nprobe": 8})]
    assert texts == [document.page_content for document in flat.similarity_search("text 9", 10)]
    assert len(await db.amax_marginal_relevance_search("text 9", params={"nprobe": 8})) == 4
    retriever = db.as_retriever(search_kwargs={"k": 2, "params": {"nprobe": 8}})
    assert len(await retriever.ainvoke("text 9")) == 2


def test_search_parameters_are_set_as_on_faiss():
    db = made("IVF8,Flat")
    assert db.index.nprobe == 1
    db.index.nprobe = 8
    assert found(db, k=20) == found(made(None), k=20)
    with pytest.raises(ValueError, match="nprob"):
        db.similarity_search("text", params={"nprob": 8})
    with pytest.raises(AttributeError, match="ef_search"):
        _ = db.index.hnsw
    graph = made("HNSW16")
    graph.index.hnsw.efSearch = 300
    assert graph.index.hnsw.efSearch == 300
    again = pickle.loads(pickle.dumps(graph))
    assert again.index.hnsw.efSearch == 300


def test_a_search_parameter_that_is_no_number_is_refused_by_its_name():
    db = made("auto")
    for value in (".9", None, [0.9]):
        with pytest.raises(TypeError, match="the search parameter `recall` must be a number, got "):
            db.similarity_search("text", params={"recall": value})
    with pytest.raises(ValueError, match="recall must be a share between 0 and 1, got 7"):
        db.similarity_search("text", params={"target_recall": 0.5, "recall": 7})
    with pytest.raises(OverflowError):
        db.similarity_search("text", params={"recall": 10**400})


def test_flags_that_are_no_number_are_refused(tmp_path):
    made(None).save_local(str(tmp_path))
    load = functools.partial(FAISS.load_local, str(tmp_path), MODEL)
    with pytest.raises(TypeError, match="io_flags must be a sum of flags such as IO_FLAG_MMAP, got 'mmap'"):
        load(io_flags="mmap")
    assert found(load(io_flags=np.int64(anear_faiss.IO_FLAG_MMAP))) == found(made(None))


def test_search_parameters_are_set_before_there_is_a_text():
    db, graph = (FAISS(MODEL, index, None, {}) for index in ("IVF8,Flat", "HNSW16"))
    with pytest.raises(ValueError, match="nprobe must be a whole number of at least 1, got 0"):
        db.index.nprobe = 0
    with pytest.raises(ValueError, match="`k_factor`; this index has: nprobe"):
        db.index.k_factor = 4
    with pytest.raises(ValueError, match="`nprob`; this index has: nprobe"):
        db.similarity_search("text", params={"nprob": 8})
    assert db.similarity_search("text", params={"nprobe": 8}) == []
    db.index.nprobe = 8
    graph.index.hnsw.efSearch = 300
    for store in (db, graph):
        store.add_texts(TEXTS, METADATAS, IDS)
    assert (db.index.nprobe, graph.index.hnsw.efSearch) == (8, 300)
    assert found(db, k=20) == found(made(None), k=20) == found(graph, k=20)


def test_an_index_learns_from_the_first_texts_or_before():
    with pytest.raises(ValueError, match="`IVF8,Flat`.*add more at once"):
        FAISS.from_texts(["one"], MODEL, index="IVF8,Flat")
    with pytest.raises(ValueError, match="at character 5"):
        FAISS.from_texts(["one"], MODEL, index="IVF8,Flop")
    db = FAISS(MODEL, "IVF8,Flat", None, {})
    assert not db.index.is_trained
    db.index.train(MODEL.embed_documents(TEXTS))
    assert db.index.is_trained
    db.add_texts(["one"])
    assert db.similarity_search("one")[0].page_content == "one"


def index_of(module, kind):
    if kind == "ivf":
        index = module.IndexIVFFlat(module.IndexFlatL2(DIM), DIM, 8)
        index.train(np.array(MODEL.embed_documents(TEXTS), np.float32))
        return index
    return module.IndexHNSWFlat(DIM, 16)


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
@pytest.mark.parametrize("whose", ["anear", "faiss"])
def test_an_index_object_is_searched_by(kind, whose):
    module = anear_faiss if whose == "anear" else pytest.importorskip("faiss")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        db = FAISS(MODEL, index_of(module, kind), None, {})
    assert db._store.index == {"ivf": "IVF8,Flat", "hnsw": "HNSW16,Flat"}[kind]
    db.add_texts(["one", "two"])
    assert db.similarity_search("two", 1)[0].page_content == "two"


@pytest.mark.parametrize(
    "spec",
    [
        "IVF4_HNSW8,PQ4",
        "IVF4(SQ8),Flat",
        "IVF4,SQ8nr",
        "IVF4,PQ4x4fsr",
        "IVF4_NSG8,Flat",
        "OPQ4_16,IVF4,PQ4",
        "PCA8,SQ8",
        "IVF4,SQ8,RFlat",
        "HNSW8,SQ8",
        "SQ4,Refine(SQfp16)",
        "LSH16rt",
    ],
)
def test_an_index_object_that_has_not_learned_yet_is_kept_whole(spec):
    index = anear_faiss.index_factory(DIM, spec)
    assert not index.is_trained
    db = FAISS.from_texts(TEXTS, MODEL, index=index)
    assert db._store.index == spec


def test_what_an_index_object_was_told_before_it_learned_is_kept():
    index = anear_faiss.index_factory(DIM, "IVF4_HNSW8,SQ8,RFlat")
    index.k_factor, index.base_index.nprobe, index.base_index.quantizer.hnsw.efSearch = 3, 2, 77
    db = FAISS.from_texts(TEXTS, MODEL, index=index)
    assert (db.index.k_factor, db.index.nprobe, db._store.knob("quantizer_ef_search")) == (3, 2, 77)


@pytest.mark.parametrize(
    ("spec", "path", "value", "knob", "kept"),
    [
        ("IVF4,SQ8,RFlat", "k_factor", 1.5, "k_factor", 1),
        ("PCA8,NSG8,Flat", "index.nsg.search_L", 77, "search_L", 77),
        ("IVF4_NSG8,Flat", "quantizer.nsg.search_L", 77, "quantizer_search_L", 77),
        ("PCA8,HNSW8,Flat", "index.hnsw.efSearch", 77, "ef_search", 77),
        ("IVF4,Flat", "max_codes", 55, "max_codes", 55),
        ("IVF4,RaBitQ", "nprobe", 2, "nprobe", 2),
        ("RaBitQ,RFlat", "k_factor", 3, "k_factor", 3),
        ("PCA8,IVF4(RaBitQ),Flat", "index.nprobe", 2, "nprobe", 2),
    ],
)
def test_whatever_an_index_object_was_told_before_it_learned_is_kept(spec, path, value, knob, kept):
    index = anear_faiss.index_factory(DIM, spec)
    *within, name = path.split(".")
    setattr(functools.reduce(getattr, within, index), name, value)
    db = FAISS.from_texts(TEXTS, MODEL, index=index)
    assert db._store.knob(knob) == kept
    assert db._store.knob("ensure_topk_full") in (None, 1)
    assert db.similarity_search(TEXTS[0], 1)[0].page_content == TEXTS[0]


@pytest.mark.parametrize("spec", ["IMI2x2,Flat", "MinMax,SQ8", "Residual16,PQ4", "LSQ2x4", "IDMap,IVF4,Flat"])
def test_an_index_object_that_no_store_learns_like_is_refused_with_the_way_out(spec):
    index = anear_faiss.index_factory(DIM, spec)
    with pytest.raises(ValueError, match="not trained yet .*; train it before, or name the index by a factory string"):
        FAISS.from_texts(TEXTS, MODEL, index=index)


def test_an_index_object_of_faiss_that_has_not_learned_yet_is_refused():
    index = pytest.importorskip("faiss").index_factory(DIM, "IVF4_HNSW8,PQ4")
    with pytest.raises(ValueError, match="IndexIVFPQ would, which is not trained yet"):
        FAISS.from_texts(TEXTS, MODEL, index=index)


@pytest.mark.parametrize("whose", ["anear", "faiss"])
def test_an_index_of_bit_vectors_is_refused(whose):
    module = anear_faiss if whose == "anear" else pytest.importorskip("faiss")
    index = module.IndexBinaryFlat(DIM)
    with pytest.raises(TypeError, match="bit vectors.*a store takes indexes of float vectors"):
        FAISS.from_texts(["one"], MODEL, index=index)
    db = made(None)
    with pytest.raises(TypeError, match="bit vectors"):
        db.index = index
    assert db.count() == 300


@pytest.mark.parametrize("index", INDEXES)
def test_langchain_on_faiss_opens_the_folder(index, tmp_path):
    theirs = pytest.importorskip("langchain_community.vectorstores")
    pytest.importorskip("faiss")
    db = made(index)
    db.delete([str(i) for i in range(50)])
    db.add_texts(["new"], ids=["new"])
    for name, value in INDEXES[index].items():
        db._store.set_knob(name, value)
    db.save_local(tmp_path)
    opened = theirs.FAISS.load_local(str(tmp_path), MODEL, allow_dangerous_deserialization=True)
    for query in ("new", "text 77", "text 200"):
        ours = [(document.page_content, score) for document, score in db.similarity_search_with_score(query, 5)]
        other = [(document.page_content, score) for document, score in opened.similarity_search_with_score(query, 5)]
        if index == "PQ8x4":
            assert [score for _, score in ours] == pytest.approx([score for _, score in other], rel=1e-3)
        else:
            assert [text for text, _ in ours] == [text for text, _ in other]
    opened = theirs.FAISS.deserialize_from_bytes(
        db.serialize_to_bytes(), MODEL, allow_dangerous_deserialization=True
    )
    assert opened.index.ntotal == 251


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_a_folder_of_langchain_on_faiss_opens_here(kind, tmp_path):
    theirs = pytest.importorskip("langchain_community.vectorstores")
    faiss = pytest.importorskip("faiss")
    docstore = pytest.importorskip("langchain_community.docstore.in_memory").InMemoryDocstore()
    db = theirs.FAISS(MODEL, index_of(faiss, kind), docstore, {})
    db.add_texts(TEXTS, METADATAS, ids=IDS)
    db.save_local(str(tmp_path))
    opened = FAISS.load_local(tmp_path, MODEL)
    assert opened._store.index == {"ivf": "IVF8,Flat", "hnsw": "HNSW16,Flat"}[kind]
    params = {"nprobe": 8} if kind == "ivf" else {"efSearch": 300}
    assert found(opened, k=10, params=params) == found(made(None), k=10)
    opened.delete(["7"])
    opened.add_texts(["more"])
    assert opened.similarity_search("more", 1)[0].page_content == "more"
    opened.save_local(tmp_path / "again")
    again = theirs.FAISS.load_local(str(tmp_path / "again"), MODEL, allow_dangerous_deserialization=True)
    assert again.index.ntotal == 300
    opened = FAISS(MODEL, db.index, db.docstore, db.index_to_docstore_id)
    assert opened._store.index == {"ivf": "IVF8,Flat", "hnsw": "HNSW16,Flat"}[kind]
    assert found(opened, k=10, params=params) == found(made(None), k=10)


def test_stores_on_different_indexes_merge():
    db, other = made("IVF8,SQ8"), FAISS.from_texts(["else"], MODEL, ids=["else"], index="HNSW16")
    db.merge_from(other)
    assert db.count() == 301
    assert db.similarity_search("else", 1, params={"nprobe": 8})[0].page_content == "else"
    assert DistanceStrategy(db.distance_strategy) == DistanceStrategy.EUCLIDEAN_DISTANCE


def test_a_store_asked_for_a_recall_grows_and_comes_back(tmp_path):
    db = FAISS.from_texts(TEXTS[:10], MODEL, METADATAS[:10], IDS[:10], index="auto")
    flat = made(None)
    db.add_texts(TEXTS[10:], METADATAS[10:], IDS[10:])
    assert found(db, k=20) == found(flat, k=20) and "300 vectors are compared" in db.index.explain()
    more = [f"more {i}" for i in range(2000)]
    for store in (db, flat):
        store.add_texts(more, [{"n": 1000 + i} for i in range(2000)], more)
        store.delete(IDS[:5])
    exact = {"params": {"recall": 1.0}}
    assert "lists" in db.index.explain()
    assert found(db, k=20, **exact) == found(flat, k=20)
    few = {"n": {"$gte": 2990}}
    assert found(db, k=20, filter=few, **exact) == found(flat, k=20, filter=few)
    assert len(db.max_marginal_relevance_search("text 150", params={"recall": 0.9})) == 4
    db.index.recall = 0.9
    with pytest.raises(ValueError, match="recall must be a share between 0 and 1, got 2"):
        db.index.recall = 2
    with pytest.raises(AttributeError, match="recall"):
        _ = flat.index.recall
    assert flat.index.explain() is None
    db.save_local(str(tmp_path))
    loaded = FAISS.load_local(str(tmp_path), MODEL)
    for again in (loaded, pickle.loads(pickle.dumps(db)), FAISS.deserialize_from_bytes(db.serialize_to_bytes(), MODEL)):
        assert (again.index.recall, again._store.index, again.count()) == (0.9, "Near", 2295)
        assert found(again, k=20, **exact) == found(flat, k=20)
    loaded.merge_from(FAISS.from_texts(["new"], MODEL, index="auto"))
    assert loaded.similarity_search("new", 1, **exact)[0].page_content == "new"


def test_a_near_index_is_searched_by():
    index = anear_faiss.index_factory(DIM, "NearLists")
    index.recall = 0.8
    db = FAISS(MODEL, index, None, {})
    assert (db._store.index, db.index.recall) == ("NearLists", 0.8)
    db.add_texts(TEXTS, METADATAS, IDS)
    assert found(db, k=20) == found(made(None), k=20)


@pytest.mark.parametrize("index", ["auto", "IVF8,SQ8"])
def test_a_store_stays_in_its_folder_where_faiss_would_map_it(tmp_path, index):
    db = made(index)
    db.save_local(str(tmp_path))
    load = functools.partial(FAISS.load_local, str(tmp_path), MODEL)
    mapped = load(io_flags=anear_faiss.IO_FLAG_MMAP)
    (vectors, in_file, _), (all_vectors, nothing, _) = mapped._store.memory(), load(io_flags=anear_faiss.IO_FLAG_READ_ONLY)._store.memory()
    assert (vectors + in_file, nothing) == (all_vectors, 0)
    assert in_file and "in their file" in mapped._repr_html_()
    assert found(mapped) == found(db)
    mapped.add_texts(["new"], ids=["new"])
    mapped.delete(["7"])
    db.add_texts(["new"], ids=["new"])
    db.delete(["7"])
    assert found(mapped) == found(db)
