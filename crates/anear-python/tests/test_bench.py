"""The paired benchmark runs; what it measures is for machines that are quiet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[3] / "benches/langchain_vs_anear.py"


def test_the_benchmark_compares_both_sides_and_prints_its_table() -> None:
    pytest.importorskip("langchain_community")
    pytest.importorskip("faiss")
    done = subprocess.run([sys.executable, BENCH, "--quick"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert any("similarity_search" in row for row in rows)
    assert {row.count("|") for row in rows} == {7}
