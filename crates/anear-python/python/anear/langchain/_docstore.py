"""Places that keep documents by id, as LangChain has them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from langchain_core.documents import Document


class Docstore(ABC):
    """A place that finds documents by id."""

    @abstractmethod
    def search(self, search: str) -> str | Document:
        """The document with this id, or a text that says why there is none."""

    def delete(self, ids: list[str]) -> None:
        """Forgets these documents. Places that cannot raise NotImplementedError."""
        raise NotImplementedError


class AddableMixin(ABC):
    """A place that takes documents."""

    @abstractmethod
    def add(self, texts: dict[str, Document]) -> None:
        """Keeps these documents under their ids."""


class InMemoryDocstore(Docstore, AddableMixin):
    """Documents in a dict.

    A store takes over the documents of the one it is made with; what the store holds later, its own `docstore` shows.
    """

    def __init__(self, _dict: dict[str, Document] | None = None) -> None:
        """Keeps documents in `_dict`, or in a new dict."""
        self._dict: Any = {} if _dict is None else _dict

    def add(self, texts: dict[str, Document]) -> None:
        """Keeps these documents under their ids.

        Raises:
            ValueError: an id is taken; nothing is added.
        """
        taken = self._dict.keys() & texts.keys()
        if taken:
            raise ValueError(f"Tried to add ids that already exist: {taken}")
        self._dict = {**self._dict, **texts}

    def delete(self, ids: list[str]) -> None:
        """Forgets these documents.

        Raises:
            ValueError: none of them is here.
            KeyError: one of them is not here; nothing is deleted.
        """
        check_any_known(ids, self._dict)
        unknown = [id_ for id_ in ids if id_ not in self._dict]
        if unknown:
            raise KeyError(unknown[0])
        for id_ in set(ids):
            del self._dict[id_]

    def search(self, search: str) -> str | Document:
        """The document with this id, or a text that says that there is none."""
        document: Document | None = self._dict.get(search)
        return not_found(search) if document is None else document


def check_any_known(ids: list[str], known: Any) -> None:
    """Raises ValueError, in LangChain's words, when none of the ids is known."""
    if not any(id_ in known for id_ in ids):
        raise ValueError(f"Tried to delete ids that does not  exist: {ids}")


def not_found(id_: object) -> str:
    """What a docstore answers for an id that it does not hold."""
    return f"ID {id_} not found."


def is_addable(docstore: object) -> bool:
    """Whether documents can be added: our mixin, LangChain's, or anything with a method `add`."""
    return callable(getattr(docstore, "add", None))


def found(docstore: Any, id_: Any) -> Document:
    """The document with this id.

    Raises:
        ValueError: the docstore answers with something else.
    """
    answer = docstore.search(id_)
    if not isinstance(answer, Document):
        raise ValueError(f"Could not find document for id {id_}, got {answer}")
    return answer
