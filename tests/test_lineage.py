"""Theorem: the chain can be walked both ways: every payout sums over rows, every row leads to its payout."""

import shutil
from pathlib import Path

import pytest

from tests.helpers.terminal import tribute
from tribute.pipeline.runs.runs import all_runs
from tribute.workspace import Workspace


@pytest.fixture
def contribution(finished: Path) -> str:
    """Ada's contribution."""
    (path,) = (finished / "registry" / "contributions").glob("ada-*")
    return path.name


def test_from_a_payout_to_its_rows(finished: Path):
    """The rows behind a payout sum to its score."""
    payout = tribute("trace", "2026-11/ada", "-w", finished, "--json").data

    assert len(payout["row_credits"]) == 30
    assert sum(payout["row_credits"].values()) == pytest.approx(float(payout["credit_text"]), abs=1e-9)


def test_a_payout_without_rows(finished: Path):
    """Whose rows were all excluded has a payout of nothing, and no row behind it."""
    payout = tribute("trace", "2026-11/copycat", "-w", finished, "--json").data

    assert (payout["amounts"], payout["row_credits"]) == ({"EUR": "0.00"}, {})


def test_from_a_contribution_to_runs_and_payouts(finished: Path, contribution: str):
    """A contribution leads to every run that used it, with its credit and what was paid."""
    [use] = tribute("trace", contribution, "-w", finished, "--json").data["uses"]
    payout = tribute("trace", "2026-11/ada", "-w", finished, "--json").data

    assert [use["run"]] == all_runs(Workspace.open(finished))
    assert use["credit"] == pytest.approx(sum(payout["row_credits"].values()))
    assert use["paid"] == f"{payout['amounts']['EUR']} EUR, 2026-11"


def test_from_a_row(finished: Path, contribution: str):
    """A row's own credit is the one that its contributor's payout sums."""
    [use] = tribute("trace", f"{contribution}:3", "-w", finished, "--json").data["uses"]
    payout = tribute("trace", "2026-11/ada", "-w", finished, "--json").data

    assert use["credit"] == payout["row_credits"][f"{contribution}:3"]


def test_from_a_contributor(finished: Path, contribution: str):
    """A contributor leads to its contributions."""
    [line] = tribute("trace", "ada", "-w", finished, "--json").data["parts"]

    assert (line["contribution"], line["rows"]) == (contribution, 30)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("rewards/2026-11", {"paid": "2026-11 is not paid"}),
        ("artifacts/attribution", {"credit": None}),
    ],
)
def test_what_is_gone_does_not_break_the_rest(gone: str, said: dict, spare: Path, contribution: str):
    """Without the period or the attribution the rest of the chain is still shown, to people too."""
    shutil.rmtree(spare / gone)
    [use] = tribute("trace", contribution, "-w", spare, "--json").data["uses"]

    assert said.items() <= use.items()
    for what in (contribution, "ada", use["run"]):
        assert tribute("trace", what, "-w", spare).code == 0


def test_a_run_whose_dataset_is_gone(spare: Path, contribution: str):
    """The run itself is still told; what would need its rows is not known."""
    shutil.rmtree(spare / "artifacts" / "dataset")
    (run,) = all_runs(Workspace.open(spare))

    assert tribute("trace", run, "-w", spare).code == 0
    assert contribution in tribute("trace", contribution, "-w", spare).err


@pytest.mark.parametrize(
    ("what", "which", "message"),
    [
        ("period", "../artifacts", "'../artifacts' is no period; expected YYYY-MM"),
        ("period", "2026-13", "'2026-13' is no period; expected YYYY-MM"),
        ("run", "../runs/{run}", "there is no run ../runs/"),
    ],
)
def test_only_names_are_verified(what: str, which: str, message: str, finished: Path):
    """A run or period is named, never reached by a path."""
    (run,) = all_runs(Workspace.open(finished))
    ended = tribute("verify", what, which.format(run=run), "-w", finished)

    assert ended.code == 2
    assert message in ended.err


@pytest.mark.parametrize("what", ["nobody", "2026-11/nobody", "2031-01/ada", "nothing:1", "../ada"])
def test_what_is_not_known(finished: Path, what: str):
    """An id that leads nowhere is refused in one line that names it."""
    ended = tribute("trace", what, "-w", finished)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.count("\n") == 1
    assert what.split("/")[-1].split(":")[0] in ended.err


def test_a_row_beyond_the_end_is_unknown(finished: Path, contribution: str):
    """A line that the contribution does not have is no row."""
    ended = tribute("trace", f"{contribution}:31", "-w", finished)

    assert ended.code == 2
    assert f"{contribution}:31" in ended.err


def test_a_period_paid_again_by_another_run(spare: Path, tiny: Path, contribution: str):
    """A run whose period was paid again since says so, and is still traced and verified."""
    (first,) = all_runs(Workspace.open(spare))
    tribute("reward", tiny / "config.yaml", "-w", spare, "--set", "rewards.pool.amount='7.00'")

    uses = tribute("trace", contribution, "-w", spare, "--json").data["uses"]
    checked = tribute("verify", "run", first, "-w", spare)

    assert {use["run"]: use["paid"] for use in uses}[first] == "2026-11 was paid again since"
    assert checked.code == 0
    assert "period 2026-11 was paid again since, by another run" in checked.out
