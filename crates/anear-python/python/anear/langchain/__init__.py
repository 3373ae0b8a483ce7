"""LangChain's FAISS vector store, faster, safer and asynchronous throughout.

>>> from anear.langchain import FAISS, DefaultEmbeddings
>>> db = FAISS.from_texts(["foo", "bar"], DefaultEmbeddings())
"""

try:
    import langchain_core as _langchain_core  # noqa: F401
except ImportError as error:
    raise ImportError("anear.langchain needs langchain-core: pip install 'anear[langchain]'") from error

from langchain_core.documents import Document

from ._distance import DistanceStrategy
from ._docstore import AddableMixin, Docstore, InMemoryDocstore
from ._embeddings import DefaultEmbeddings, HuggingFaceEmbeddings, OpenAIEmbeddings
from ._faiss import FAISS, dependable_faiss_import
from ._mmr import maximal_marginal_relevance
from ._text import CharacterTextSplitter, Language, RecursiveCharacterTextSplitter, TextLoader, TextSplitter

__all__ = [
    "FAISS",
    "AddableMixin",
    "CharacterTextSplitter",
    "DefaultEmbeddings",
    "DistanceStrategy",
    "Docstore",
    "Document",
    "HuggingFaceEmbeddings",
    "InMemoryDocstore",
    "Language",
    "OpenAIEmbeddings",
    "RecursiveCharacterTextSplitter",
    "TextLoader",
    "TextSplitter",
    "dependable_faiss_import",
    "maximal_marginal_relevance",
]
