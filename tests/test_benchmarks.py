"""Theorem: the benchmarks, which run for hours and so not in the tests, still import what they measure."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_benchmark_says_how_it_is_run(script: Path):
    """`--help` imports the script and its helpers in benchmarks/lib, and prints the usage."""
    done = subprocess.run([sys.executable, script, "--help"], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert f"usage: {script.name}" in done.stdout


def test_the_scripts_are_the_benchmarks():
    """What cannot be run by itself is a helper."""
    assert all("__main__" in script.read_text(encoding="utf-8") for script in SCRIPTS)
    assert not any(
        "__main__" in helper.read_text(encoding="utf-8") for helper in (ROOT / "benchmarks/lib").glob("*.py")
    )
