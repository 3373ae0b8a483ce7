"""What a user writes, as `mypy --strict` sees it (`test_types.py`); it runs as well."""

import asyncio
from typing import assert_type

import numpy as np
import numpy.typing as npt
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import VectorStore, VectorStoreRetriever

import anear
from anear.langchain import FAISS, CharacterTextSplitter, DefaultEmbeddings, DistanceStrategy


class Shouting(FAISS):
    """A subclass that changes what all searches go through."""

    def _embed_query(self, text: str) -> list[float]:
        return DeterministicFakeEmbedding(size=8).embed_query(text.lower())


def synchronous() -> None:
    db = FAISS.from_texts(["foo", "bar"], DefaultEmbeddings(), metadatas=[{"page": 1}, {"page": 2}])
    assert_type(db, FAISS)
    store: VectorStore = db
    documents = db.similarity_search("foo", k=1, filter={"page": {"$gte": 1}})
    assert_type(documents, list[Document])
    scored = db.similarity_search_with_score("foo", filter=lambda metadata: metadata["page"] == 1)
    assert_type(scored, list[tuple[Document, float]])
    assert_type(db.similarity_search_batch(["foo", "bar"], k=1), list[list[Document]])
    assert_type(db.add_texts(["baz"], ids=["3"]), list[str])
    assert_type(db.count(), int)
    db.delete(filter={"page": 2})
    retriever: VectorStoreRetriever = store.as_retriever(search_kwargs={"k": 1})
    print(retriever.invoke("foo")[0].page_content, db.distance_strategy == DistanceStrategy.EUCLIDEAN_DISTANCE)
    index = anear.IndexFlatL2(8)
    index.add(np.zeros((1, 8), dtype=np.float32))
    distances, ids = index.search(np.zeros((1, 8), dtype=np.float32), 1)
    assert_type(distances, npt.NDArray[np.float32])
    print(distances, ids)


async def asynchronous() -> None:
    splitter = CharacterTextSplitter(chunk_size=10, chunk_overlap=0, separator=" ")
    db = await Shouting.afrom_documents(
        splitter.split_documents([Document(page_content="foo bar baz qux")]), DeterministicFakeEmbedding(size=8)
    )
    assert_type(db, Shouting)
    assert_type(await db.asimilarity_search("FOO"), list[Document])
    data = await db.aserialize_to_bytes()
    assert_type(data, bytes)
    again = await Shouting.adeserialize_from_bytes(data, DeterministicFakeEmbedding(size=8))
    print(await again.acount())


if __name__ == "__main__":
    synchronous()
    asyncio.run(asynchronous())
