"""Theorem: with `harm_share` every command learns, measures and pays from the same rows, and the period verifies."""

import random
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers.terminal import tribute
from tests.helpers.tiny import FILLERS, TAG, TOPICS, write_rows
from tribute.attribution.credit import unpaid_rows
from tribute.config import load_config
from tribute.pipeline.runs.runs import all_runs, read_run
from tribute.pipeline.stages import learned
from tribute.workspace import Workspace

SHARE = 0.25
WRONG = 12


@pytest.fixture
def home(tiny: Path, tmp_path: Path) -> Path:
    """A released version that looks for harm; spoiler's rows are all of one topic under another one's label."""
    chance, home = random.Random(0), tmp_path / "workspace"
    (tmp_path / "screening.yaml").write_text(f"harm_share: {SHARE}\nfollowing: null\n")
    wrong = [" ".join([*chance.sample(TOPICS["plotting"], 2), *chance.sample(FILLERS, 2)]) for _ in range(WRONG)]
    spoiler = write_rows(tmp_path / "spoiler.jsonl", [(text, "graphs") for text in wrong])
    files = {name: tiny / f"{name}.jsonl" for name in ("ada", "bob", "cy")} | {"spoiler": spoiler}
    terms = ("--dataset=tiny", "--licence=MIT", "-w", home)
    tribute("init", home)
    for name, file in files.items():
        schema = (f"--schema={tiny / 'schema.yaml'}",) * (name == "ada")
        assert tribute("contribute", file, f"--contributor={name}", *schema, *terms).code == 0
    tribute("contribute", tiny / "evaluation.jsonl", "--contributor=ada", "--evaluation", *terms)
    tribute("screening", "tiny", tmp_path / "screening.yaml", "--by=eve", "--why=we look for harm", "-w", home)
    assert tribute("release", TAG, "-w", home).code == 0
    return home


def harmful(home: Path, tiny: Path, tag: str = TAG) -> pd.DataFrame:
    """The rows that the tiny base does not learn from."""
    learns = learned.materialised(Workspace.open(home), tag, load_config(tiny / "config.yaml").finetuning.base)
    return pd.read_parquet(learns.file("exclusions.parquet")).query("reason == 'harmful'")


def test_planted_rows_are_out_until_a_person_accepts_them(home: Path, tiny: Path):
    """Most of spoiler's rows are found, each with its harm; the next version looks again, and leaves accepted ones."""
    out = harmful(home, tiny)
    own = out[out["contributor_id"] == "spoiler"]
    first = own["row_id"].iloc[0]

    tribute("accept", first, "--by=eve", "--why=the label is right", "-w", home)
    assert tribute("release", "tiny@v1.0.1", "-w", home).code == 0
    again = harmful(home, tiny, "tiny@v1.0.1")

    assert len(own) > WRONG / 2
    assert (out["similarity"] > 0).all()
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
