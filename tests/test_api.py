"""`import tribute` offers few names, typed and light, and each does what its docstring says."""

import inspect
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import get_type_hints

import pytest

import tribute
from tribute.errors import IntegrityError
from tribute.pipeline.runs.runs import all_runs
from tribute.workspace import Workspace


def test_the_names_are_those_promised():
    """`__all__` is what is public, and every function of it is typed and explained."""
    assert set(tribute.__all__) == {"__version__", "read_rewards", "read_shares", "verify_period"}
    for name in set(tribute.__all__) - {"__version__"}:
        function = getattr(tribute, name)
        assert inspect.getdoc(function)
        assert set(inspect.signature(function).parameters) | {"return"} == set(function.__annotations__)


def test_the_import_is_light():
    """Nothing heavy is imported until a function is called."""
    code = "import sys, tribute; print([n for n in ('pandas', 'numpy', 'torch', 'yaml', 'typer') if n in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_read_rewards_and_shares_and_verify(finished: Path):
    """A finished workspace is read and checked in three calls; shares of 1 go to who is paid."""
    (run,) = all_runs(Workspace.open(finished))

    rewards = tribute.read_rewards(finished / "rewards" / "2026-11")
    shares = tribute.read_shares(finished, run)
    checks = tribute.verify_period(finished / "rewards" / "2026-11")

    assert rewards["amount"].sum() == Decimal("100.00")
    assert list(shares["credit"]) == sorted(shares["credit"], reverse=True)
    assert shares["share"].sum() == pytest.approx(1)
    assert set(shares["contributor_id"]) <= set(rewards["contributor_id"])
    assert checks


def test_a_changed_period_is_refused(spare: Path):
    """verify_period names the file that was changed."""
    path = spare / "rewards" / "2026-11" / "allocation.csv"
    path.write_bytes(path.read_bytes().replace(b"ada", b"eve"))

    with pytest.raises(IntegrityError, match=r"allocation\.csv"):
        tribute.verify_period(path.parent)


def test_the_module_runs(tmp_path: Path):
    """`python -m tribute` is the command line."""
    done = subprocess.run([sys.executable, "-m", "tribute", "--version"], capture_output=True, text=True, check=True)

    assert done.stdout == f"tribute {tribute.__version__}\n"
    assert get_type_hints(tribute.verify_period)["return"] == list[str]
