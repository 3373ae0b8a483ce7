"""The package's types, as a user's `mypy --strict` sees them."""

import subprocess
import sys
from pathlib import Path

import anear

HERE = Path(__file__).parent


def mypy(*targets: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *targets], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_users_script_is_strictly_typed() -> None:
    mypy(str(HERE / "user_script.py"))


def test_the_users_script_runs() -> None:
    subprocess.run([sys.executable, str(HERE / "user_script.py")], check=True, capture_output=True)


def test_the_package_itself_is_strictly_typed() -> None:
    mypy("--package", "anear")


def test_the_package_says_that_it_is_typed() -> None:
    assert Path(anear.__file__).with_name("py.typed").exists()
