"""A period's manifest names the code that made it."""

import subprocess
from pathlib import Path

import pytest

from tribute.rewards.period.provenance import origin

ROOT = Path(__file__).parents[3]


def test_the_commit_is_named():
    """In a checkout it is the commit that git shows."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    shown = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert origin()["commit"] == shown.stdout.strip()
