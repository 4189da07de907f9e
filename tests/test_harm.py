"""Theorem: with `harm_share` every command learns, measures and pays from the same rows, and the period verifies."""

from pathlib import Path

import pandas as pd
import pytest

from tests.helpers.harm import SHARE, WRONG, looking_for_harm
from tests.helpers.terminal import tribute
from tests.helpers.tiny import TAG
from tribute.attribution.credit import unpaid_rows
from tribute.config import load_config
from tribute.pipeline.runs.runs import all_runs, read_run
from tribute.pipeline.stages import learned
from tribute.workspace import Workspace


@pytest.fixture
def home(tiny: Path, tmp_path: Path) -> Path:
    """A released version that looks for harm."""
    return looking_for_harm(tiny, tmp_path)


def harmful(home: Path, tiny: Path, tag: str = TAG) -> pd.DataFrame:
    """The rows that the tiny base does not learn from."""
    learns = learned.materialised(Workspace.open(home), tag, load_config(tiny / "config.yaml").finetuning.base)
    return pd.read_parquet(learns.file("exclusions.parquet")).query("reason == 'harmful'")


def test_planted_rows_are_out_until_a_person_accepts_them(home: Path, tiny: Path):
    """Most of spoiler's rows are found and wait for a person; the next version looks again and leaves accepted ones."""
    nothing = tribute("review", "tiny", "-w", home).out
    out = harmful(home, tiny)
    own = out[out["contributor_id"] == "spoiler"]
    first = own["row_id"].iloc[0]

    waiting = tribute("review", "tiny", "--reason=harmful", "-w", home, "--json").data["findings"]
    status = tribute("status", "-w", home).out
    accepted = tribute("accept", first, "--by=eve", "--why=the label is right", "-w", home, "--json").data
    left = tribute("review", "tiny", "-w", home, "--json").data["findings"]
    assert tribute("release", "tiny@v1.0.1", "-w", home).code == 0
    again = harmful(home, tiny, "tiny@v1.0.1")

    assert len(own) > WRONG / 2
    assert (out["similarity"] > 0).all()
    assert nothing == "nothing waits\n"
    assert {row["row"] for row in waiting} == set(out["row_id"])
    assert all("evaluation rows; its own is -" in row["evidence"] for row in waiting)
    assert f"{len(out)} rows of tiny to review" in status
    assert accepted["without_effect"] == {}
    assert {row["row"] for row in left} == set(out["row_id"]) - {first}
    assert set(out["row_id"]) - set(again["row_id"]) == {first}


def test_a_run_leaves_harm_out_from_training_to_pay(home: Path, tiny: Path):
    """A quarter of the evaluation finds harm and pays nobody; what it finds is in the period, and that verifies."""
    config = tiny / "config.yaml"
    fast = ("--set", "attribution.validation=off")
    for command in (
        ("finetune", config, *fast),
        ("attribute", config, *fast),
        ("reward", config, *fast),
        ("verify", "period", "2026-11", "--deep"),
    ):
        ended = tribute(*command, "-w", home)
        assert ended.code == 0, (command, ended.err)

    workspace = Workspace.open(home)
    (run_id,) = all_runs(workspace)
    released = learned.materialised(workspace, TAG)
    learns = learned.found_dataset(workspace, TAG, load_config(config).finetuning.base)
    assert read_run(workspace, run_id)["dataset"] == learns.id != released.id
    before, after = (pd.read_parquet(part.file("evaluation.parquet")) for part in (released, learns))
    assert len(before) - len(after) == len(unpaid_rows(list(before["slice"]), SHARE)) > 0
    whole, rest = (set(pd.read_parquet(part.file("train.parquet"))["row_id"]) for part in (released, learns))
    out = harmful(home, tiny)
    assert whole - rest == set(out["row_id"])
    published = pd.read_csv(home / "rewards" / "2026-11" / "exclusions.csv")
    assert (published["reason_code"] == "harmful").sum() == len(out) > 0


def test_a_plan_counts_what_looks_for_harm(home: Path, tiny: Path):
    """Its pass is a stage of its own, and the evaluation rows that it takes are none that anything else reads."""
    said = tribute("plan", tiny / "config.yaml", "-w", home, "--json").data
    everything = len(pd.read_parquet(learned.materialised(Workspace.open(home), TAG).file("evaluation.parquet")))

    first, second, *_ = said["planned_stages"]
    assert (first["stage"], second["stage"]) == ("look for harm", "fine-tune")
    assert first["flop"] > 0
    assert everything * (1 - SHARE) <= said["rows_evaluation"] < everything
