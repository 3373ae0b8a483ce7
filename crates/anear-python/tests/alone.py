"""What must hold in an environment with nothing but the wheel and NumPy: run as a script, not by pytest."""

import importlib.metadata
import importlib.util

import numpy as np

import anear


def main() -> None:
    for package in ("langchain_core", "langchain_community", "faiss"):
        assert importlib.util.find_spec(package) is None, f"this environment is not clean: it has {package}"
    required = [line for line in importlib.metadata.requires("anear") or [] if "extra ==" not in line]
    assert required == ["numpy>=1.24"], required
    index = anear.IndexFlatL2(4)
    index.add(np.eye(4, dtype=np.float32))
    distances, ids = index.search(np.eye(4, dtype=np.float32)[2:3], 2)
    assert (ids[0][0], distances[0][0]) == (2, 0.0)
    try:
        importlib.import_module("anear.langchain")
    except ImportError as error:
        assert "anear[langchain]" in str(error), error
    else:
        raise AssertionError("anear.langchain cannot be there without langchain-core")
    print(f"anear {anear.__version__} works alone, with NumPy {np.__version__}")


if __name__ == "__main__":
    main()
