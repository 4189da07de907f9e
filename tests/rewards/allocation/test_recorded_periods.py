"""Theorem: what a policy promised before version 0.2.0 still holds: its periods verify, its file is not misread."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.rewards.helpers.forging import rehash
from tribute.artifacts import Kind, Store, read_artifact, write_manifest
from tribute.errors import ConfigError
from tribute.rewards.period import draft
from tribute.rewards.policy.policy import load_policy, recorded_policy
from tribute.rewards.verification.recompute import verify_deep
from tribute.rewards.verification.verify import verify_period
from tribute.settings import read_yaml

TOOL = Path(__file__).parents[3] / "tools" / "verify_rewards.py"
CAPPED = """id: p
version: v1.0.0
description: d
pools:
  answers: {part: "0.25", pays: queries, user_cap: "0.5"}
  evaluation: {part: "0.75", pays: shares, user_cap: "1"}
"""


@pytest.fixture
def recorded(world, tmp_path, monkeypatch):
    """A period as 0.1.0 recorded it: paid by the capped rule, with every setting of that time in its manifest."""
    policy, usage = tmp_path / "policy.yaml", tmp_path / "usage.csv"
    policy.write_text(CAPPED, encoding="utf-8")
    usage.write_text("query,user,amount\nplotting,u,9\nstatistics,v,1\ngraphs,w,2\n", encoding="utf-8")
    monkeypatch.setattr(draft, "load_policy", lambda path: recorded_policy(read_yaml(path)))
    folder = world.pay(tmp_path / "w", policy=policy, usage=usage).path
    identity = read_artifact(folder).identity
    stated = identity["config"]["policy"]
    for name in ("mismatch", "zero_at", "unmeasured"):
        del stated["gate"][name]
    del stated["fallback"]
    stated["pools"]["answers"]["user_cap"], stated["pools"]["evaluation"]["user_cap"] = "0.5", "1"
    (folder / "manifest.json").unlink()
    write_manifest(folder, Kind("rewards", "tribute.rewards.period.draft"), identity["inputs"], identity["config"], {})
    return folder


def test_a_period_recorded_with_a_cap_verifies(world, recorded):
    """Inside, outside and from the evidence on; it has neither payers nor a reliability."""
    assert not (recorded / "payers.csv").exists()
    assert "reliability" not in (recorded / "allocation.csv").read_text(encoding="utf-8").partition("\n")[0]
    assert "every weight is max(0, score − 1·score_se)" in verify_period(recorded)
    assert "allocated again" in verify_deep(recorded, Store(world.dataset.path.parents[2]))[-1]

    outside = subprocess.run([sys.executable, "-I", TOOL, recorded], capture_output=True, text=True, check=False)

    assert (outside.returncode, outside.stderr) == (3, "")


def test_a_recorded_amount_that_was_changed_is_still_found(recorded):
    """By the capped rule the weights are recomputed as before."""
    lines = (recorded / "allocation.csv").read_bytes()
    (recorded / "allocation.csv").write_bytes(lines.replace(b"answers,numpy", b"answers,nunpy", 1))
    rehash(recorded)

    outside = subprocess.run([sys.executable, "-I", TOOL, recorded], capture_output=True, text=True, check=False)

    assert outside.returncode == 1


def test_a_file_with_a_cap_is_refused_and_told_what_replaced_it(tmp_path):
    """Nobody pays a new period by a rule that returned more than it took."""
    path = tmp_path / "policy.yaml"
    path.write_text(CAPPED, encoding="utf-8")

    with pytest.raises(ConfigError) as raised:
        load_policy(path)

    assert f"{path}: pools.answers: user_cap is gone: each payer's money is now paid out within what" in str(
        raised.value
    )


def test_a_policy_without_fallback_means_what_it_meant(tmp_path):
    """Training tokens pay where a check fails, in a file as in a manifest."""
    plain = {"id": "p", "version": "v1.0.0", "description": "d"}

    assert recorded_policy(plain).fallback == "tokens"
