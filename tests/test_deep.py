"""Theorem: from the model back to the money: the credits that were paid are those that the recorded training gives."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
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


def forge(workspace: Workspace, measured: str, column: str, change: Callable[[pa.Array], pa.Array]) -> str:
    """Change a column of a measurement, with manifests that fit it, and return the period that is paid by it."""
    (run_id,) = all_runs(workspace)
    record = read_run(workspace, run_id)
    attribution = workspace.store.get("attribution", record["attribution"])
    artifact = workspace.store.get(measured, attribution.inputs[f"{measured}-0"])
    path = artifact.file("scores.parquet" if measured == "credit" else "credits.parquet")
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.column_names.index(column), column, change(table[column])), path)
    forged = rehash(attribution.path, **{f"{measured}-0": rehash(artifact.path)})
    rehash(workspace.rewards / record["period"], attribution=forged)
    for file in (workspace.runs / run_id).glob("*.json"):
        file.write_text(file.read_text().replace(attribution.id, forged))
    return str(record["period"])


def test_credits_that_the_model_does_not_give_are_found(spare: Path):
    """A credit that was exchanged, with manifests that fit it, is found by walking the trace again."""
    period = forge(Workspace.open(spare), "credit", "credit", lambda column: pc.multiply(column, 2))

    ended = tribute("verify", "period", period, "--deep", "-w", spare)

    assert ended.code == 2
    assert "scores.parquet: differs by" in ended.err
    assert "nats from what the model says; attribute again" in ended.err


def test_clusters_that_no_k_means_ends_with_are_found(spare: Path):
    """They decide how rows share what their cluster earned, so nobody may choose them."""
    period = forge(Workspace.open(spare), "probe", "cluster", lambda column: pa.array(column.to_pylist()[::-1]))

    ended = tribute("verify", "period", period, "--deep", "-w", spare)

    assert ended.code == 2
    assert "centre is not the nearest to them" in ended.err
