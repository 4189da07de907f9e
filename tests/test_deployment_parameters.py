"""What a deployment's form gives becomes the config that `tribute run` would read, or one clear line."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tribute.config import load_config
from tribute.errors import ConfigError, RewardError, TributeError, WorkspaceError
from tribute.pipeline.launch import parameters
from tribute.pipeline.operations.releasable import change, datasets, page
from tribute.pipeline.runs.runs import all_runs
from tribute.pipeline.runs.summary import ADDRESS, report_link, run_page
from tribute.server.reports import create_app
from tribute.workspace import Workspace

FIRST = datetime(2026, 12, 1, 6, tzinfo=UTC)


def test_a_file_is_read_from_the_checkout(tiny: Path):
    """A relative path starts at the worker's checkout, an absolute one where it says; both are the same run."""
    expected = load_config(tiny / "config.yaml")

    assert parameters.config_of(None, "config.yaml", tiny) == expected
    assert parameters.config_of(None, str(tiny / "config.yaml"), Path("/nowhere")) == expected
    assert parameters.config_of(expected, "not-read.yaml", tiny) is expected


@pytest.mark.parametrize("as_object", [False, True])
def test_another_period_is_paid(as_object: bool, tiny: Path):
    """The period of the form takes the place of the config's, however the config came; nothing else changes."""
    config = load_config(tiny / "config.yaml")

    changed = parameters.config_of(config if as_object else None, "config.yaml", tiny, "2027-01")

    assert changed.rewards.period == "2027-01"
    assert changed.model_dump(exclude={"rewards": {"period"}}) == config.model_dump(exclude={"rewards": {"period"}})


@pytest.mark.parametrize("as_object", [False, True])
def test_another_version_is_learned_from(as_object: bool, tiny: Path):
    """A released version takes the place of the config's; one of another dataset is one clear line."""
    config = load_config(tiny / "config.yaml")
    given = config if as_object else None

    changed = parameters.config_of(given, "config.yaml", tiny, tag="tiny@v1.2.0")

    assert (changed.dataset.tag, changed.dataset.source) == ("tiny@v1.2.0", None)
    assert changed.model_dump(exclude={"dataset"}) == config.model_dump(exclude={"dataset"})
    with pytest.raises(ConfigError, match=r"docs@v1\.0\.0 is no version of tiny"):
        parameters.config_of(given, "config.yaml", tiny, tag="docs@v1.0.0")


@pytest.mark.parametrize(("period", "expected"), [("last", "2026-11"), ("2026-03", "2026-03"), ("", "")])
def test_periods(period: str, expected: str):
    """`last` is the month before the scheduled start, which stays when a run is suspended over the month's end."""
    assert parameters.period_of(period, FIRST) == expected


@pytest.mark.parametrize("period", ["2026-13", "november", "LAST"])
def test_no_period(period: str):
    """What is no month is refused before anything is drafted."""
    with pytest.raises(RewardError, match="write it like 2026-11"):
        parameters.period_of(period, FIRST)


def test_workspaces(finished: Path, monkeypatch: pytest.MonkeyPatch):
    """The form names the workspace, else the worker's environment does; neither is one clear line."""
    monkeypatch.delenv(parameters.VARIABLE, raising=False)
    assert parameters.workspace_of(str(finished), Path("/nowhere")).root == finished.resolve()
    with pytest.raises(WorkspaceError, match="give the parameter `workspace`, or set TRIBUTE_WORKSPACE"):
        parameters.workspace_of("", Path("/nowhere"))

    monkeypatch.setenv(parameters.VARIABLE, str(finished))
    assert parameters.workspace_of("", Path("/nowhere")).root == finished.resolve()


def test_a_run_that_always_crashes_ends():
    """An automation starts a crashed run again; the run itself ends that when it goes on and on."""
    parameters.refuse_repeated_crash(2, 3)

    with pytest.raises(ConfigError, match="ended without an answer 3 times"):
        parameters.refuse_repeated_crash(3, 3)


@pytest.mark.parametrize("file", ["absent.yaml", "policy.yaml"])
def test_files_that_are_no_config(file: str, tiny: Path):
    """The reader's own line reaches the page."""
    with pytest.raises((TributeError, OSError), match=file):
        parameters.config_of(None, file, tiny)


def test_a_runs_page(finished: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch):
    """It has every seed's losses, everybody's share, the card, the gate's words and a link where reports are served."""
    home = Workspace.open(finished)
    [run_id] = all_runs(home)
    monkeypatch.setenv(ADDRESS, "http://127.0.0.1:8321/")

    text = run_page(home, load_config(tiny / "config.yaml"), run_id)

    for words in (
        "seed 0: loss",
        "seed 1: loss",
        "| scrambler |",
        "| copycat |",
        "Attribution card",
        "Paid for 2026-11",
    ):
        assert words in text
    [link] = re.findall(r"\[Report\]\(http://127\.0\.0\.1:8321(/\S+)\)", text)
    reader = TestClient(create_app(home.reports, "t0ken"))
    reader.get("/?token=t0ken")
    shown = reader.get(link)
    assert (shown.status_code, shown.content) == (200, home.report_of(run_id, "2026-11").read_bytes())
    monkeypatch.delenv(ADDRESS)
    assert report_link(home, home.reports / "a.html") == "Report on the worker: `reports/a.html` in the workspace"


def test_what_a_release_check_finds(finished: Path):
    """A dataset that was just released has nothing to add; the page says so in a line."""
    home = Workspace.open(finished)
    [compared] = [change(home, dataset) for dataset in datasets(home)]

    assert (compared.dataset, compared.version, compared.added, compared.removed) == ("tiny", "tiny@v1.0.0", (), ())
    assert not compared.is_due
    assert "| tiny | tiny@v1.0.0 | 0 | 0 |" in page([compared], ["the log is one chain"])
