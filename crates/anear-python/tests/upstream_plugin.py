"""A pytest plugin for LangChain's own tests: they meet our FAISS under LangChain's name."""

from __future__ import annotations

import langchain_community.vectorstores.faiss as langchain_faiss

from anear.langchain import FAISS

FAISS.compat = "langchain"
langchain_faiss.FAISS = FAISS


def pytest_terminal_summary(terminalreporter: object) -> None:
    print(f"\nFAISS under test: {langchain_faiss.FAISS.__module__}, compat={langchain_faiss.FAISS.compat}")
