"""Theorem: from the model back to the money: the credits that were paid are those that the recorded training gives."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.helpers.terminal import tribute
from tests.rewards.helpers.forging import rehash
from tribute.artifacts import manifest
from tribute.digests import canonical_digest
from tribute.pipeline.runs.runs import all_runs, read_run
from tribute.workspace import Workspace


def test_a_period_is_measured_and_allocated_again(finished: Path):
    """`verify --deep` walks every adapter's trace and comes to the same bytes; nothing is left in scratch."""
    workspace = Workspace.open(finished)
    (run_id,) = all_runs(workspace)
    period = read_run(workspace, run_id)["period"]

    ended = tribute("verify", "period", period, "--deep", "-w", finished)

    assert ended.code == 0, ended.err
    assert ended.out.count("gives the credits that were paid, byte for byte") == 2
    assert "lines are allocated again, to the unit, from" in ended.out
    assert "combined anew they are the evidence's scores, byte for byte" in ended.out
    assert not list(workspace.scratch.glob("deep-*"))


def test_a_period_of_another_version_is_measured_again(finished: Path, monkeypatch: pytest.MonkeyPatch):
    """Where the code has changed since, measurements are found by the ids that the attribution records."""
    digest = manifest.code_digest
    monkeypatch.setattr(manifest, "code_digest", lambda module: canonical_digest([digest(module), "changed"]))
    (run_id,) = all_runs(Workspace.open(finished))
    period = read_run(Workspace.open(finished), run_id)["period"]

    ended = tribute("verify", "period", period, "--deep", "-w", finished)

    assert ended.code == 0, ended.err
    assert ended.out.count("gives the credits that were paid, byte for byte") == 2
    assert "combined anew they are the evidence's scores, byte for byte" in ended.out


def test_credits_that_the_model_does_not_give_are_found(spare: Path):
    """A credit that was exchanged, with manifests that fit it, is found by walking the trace again."""
    workspace = Workspace.open(spare)
    (run_id,) = all_runs(workspace)
    record = read_run(workspace, run_id)
    attribution = workspace.store.get("attribution", record["attribution"])
    credit = workspace.store.get("credit", attribution.inputs["credit-0"])
    path = credit.file("scores.parquet")
    table = pq.read_table(path)
    doubled = pa.array([2 * value for value in table["credit"].to_pylist()])
    pq.write_table(table.set_column(table.column_names.index("credit"), "credit", doubled), path)
    forged = rehash(attribution.path, **{"credit-0": rehash(credit.path)})
    rehash(workspace.rewards / record["period"], attribution=forged)
    for file in (workspace.runs / run_id).glob("*.json"):
        file.write_text(file.read_text().replace(attribution.id, forged))

    ended = tribute("verify", "period", record["period"], "--deep", "-w", spare)

    assert ended.code == 2
    assert "scores.parquet: differs by" in ended.err
    assert "nats from what the model says; attribute again" in ended.err
