"""LangChain's own tests of its FAISS, unchanged, pass with ours under `compat="langchain"`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

from support import path_from

# In the release that CI tests with; one of them LangChain skips itself.
PASSED, SKIPPED = 83, 1


def test_all_tests_of_langchain_pass(tmp_path: Path) -> None:
    root = unpacked(path_from("ANEAR_LANGCHAIN_SDIST", "upstream"), tmp_path)
    output = run(root)
    print(output.splitlines()[-1])
    assert "FAISS under test: anear.langchain._faiss, compat=langchain" in output
    assert counts(output) == {"passed": PASSED, "skipped": SKIPPED}, output[-4000:]


def unpacked(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    (root,) = folder.iterdir()
    # LangChain's own settings ask for plugins that these tests do not need.
    (root / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
        "markers =\n    requires: needs a package\n"
    )
    return root


def run(root: Path) -> str:
    here = Path(__file__).parent
    command = [sys.executable, "-m", "pytest", "-q", "-p", "upstream_plugin", "-p", "no:cacheprovider"]
    command.append("tests/unit_tests/vectorstores/test_faiss.py")
    # The archive holds LangChain's code too: the installed one is tested, the archive gives the tests.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(here), str(root)]), "PYTHONSAFEPATH": "1"}
    finished = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    return finished.stdout + finished.stderr


def counts(output: str) -> dict[str, int]:
    kinds = "passed|failed|skipped|error"
    return {kind: int(count) for count, kind in re.findall(rf"(\d+) ({kinds})", output.splitlines()[-1])}
