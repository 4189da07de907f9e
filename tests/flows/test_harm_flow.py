"""Theorem: where harm is looked for, the flows learn, measure and pay from the same rows as the commands."""

from pathlib import Path

from tests.helpers.harm import looking_for_harm
from tests.helpers.terminal import tribute
from tests.helpers.tiny import TAG
from tribute.config import load_config
from tribute.pipeline.runs.runs import read_run
from tribute.pipeline.stages import learned
from tribute.progress import listening
from tribute.workspace import Workspace


def test_flows_leave_out_the_harm_that_commands_do(engine: None, tiny: Path, tmp_path: Path):
    """The run learned from the version without harm, its period verifies, and a second run finds all of it."""
    from flows.pipeline import pipeline

    home, heard = looking_for_harm(tiny, tmp_path), set[str]()
    config = load_config(tiny / "config.yaml", ["attribution.validation=off"])

    with listening(lambda what, *_: heard.add(what)):
        run_id = pipeline(str(home), config)
    again = tribute("run", home / "runs" / run_id / "config.yaml", "-w", home)

    workspace = Workspace.open(home)
    learns = learned.found_dataset(workspace, TAG, config.finetuning.base)
    assert read_run(workspace, run_id)["dataset"] == learns.id != learned.materialised(workspace, TAG).id
    assert "harm" in heard
    assert again.code == 0, again.err
    assert read_run(workspace, run_id)["cached"] == ["contributions", "finetuning", "attribution", "rewards"]
    assert tribute("verify", "period", "2026-11", "--deep", "-w", home).code == 0
    assert "harmful" in (home / "rewards" / "2026-11" / "exclusions.csv").read_text()
