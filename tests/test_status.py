"""`tribute status`: what there is, what waits for whom, and the next command, ready to paste."""

import fcntl
import json
from pathlib import Path

from tests.helpers.periods import closing, said
from tests.helpers.terminal import tribute
from tests.rewards.helpers.people import make_house
from tribute.contributions.registry import Registry
from tribute.workspace import Workspace


def status(workspace: Path):
    """What status says as JSON."""
    ended = tribute("status", "-w", workspace, "--json")
    assert ended.code == 0, ended.err
    return ended.data


def test_an_empty_workspace_asks_for_rows(tmp_path: Path):
    """With nothing there the next command contributes, in the workspace that was asked about."""
    tribute("init", tmp_path / "w")

    state = status(tmp_path / "w")

    assert (state["datasets"], state["runs"], state["period_states"]) == ([], [], [])
    assert state["next_command"].startswith("tribute contribute FILE ")
    assert state["next_command"].endswith(f" -w {tmp_path / 'w'}")


def test_a_finished_run_has_a_draft(finished: Path):
    """Datasets with their versions, runs, periods; nobody is asked to sign where the policy names no closers."""
    state = status(finished)
    text = tribute("status", "-w", finished).out

    assert [(each["dataset"], each["rows"], each["tags"]) for each in state["datasets"]] == [
        ("tiny", 120, ["tiny@v1.0.0"])
    ]
    assert len(state["runs"]) == 1
    assert [(each["period"], each["state"]) for each in state["period_states"]] == [("2026-11", "draft")]
    assert not [task for task in state["tasks"] if "2026-11" in task["what"]]
    assert all(task["command"] in text for task in state["tasks"])
    assert (f"next: {state['next_command']}" if state["tasks"] else "nothing waits") in text


def test_a_draft_asks_for_what_is_missing_first(spare: Path, tiny: Path, tmp_path: Path):
    """Closers need keys, then the policy has to be published; only then is a signature asked for."""
    policy = tmp_path / "policy.yaml"
    policy.write_text((tiny / "policy.yaml").read_text() + "closers: [anna, ben]\neffective_from: 2026-11-01\n")

    def command() -> str:
        """The command for the draft, made anew."""
        ended = tribute("reward", tiny / "config.yaml", "--set", f"rewards.policy={policy}", "-w", spare)
        assert ended.code == 0, ended.err
        (task,) = [task for task in status(spare)["tasks"] if "2026-11" in task["what"]]
        return task["command"]

    without_keys = command()
    for name in ("anna", "ben"):
        assert tribute("key", "new", name, "--out", tmp_path / name, "-w", spare).code == 0
    unpublished = command()
    assert tribute("policy", "publish", policy, "--key", tmp_path / "anna", "--as", "anna", "-w", spare).code == 0

    assert without_keys.startswith("tribute key new anna")
    assert unpublished.startswith("tribute policy publish ")
    assert command().startswith("tribute period close 2026-11 --key FILE --as anna")


def test_who_must_still_sign_and_what_is_not_paid(tmp_path: Path):
    """A draft waits for the closers who have not signed; closed, its payments and disputes wait."""
    house = make_house(tmp_path / "workspace")
    house.pay("2026-11")

    said(house, *closing(house, "anna"))
    (between,) = [task for task in status(house.root)["tasks"] if "draft" in task["what"]]
    said(house, *closing(house, "ben"))
    why = ("--by", "numpy", "--why", "too low", "--date", "2026-12-05")
    said(house, "dispute", "open", "2026-11-numpy", *why)
    after = status(house.root)

    assert between == {
        "what": "the draft of 2026-11 needs 1 signature",
        "who": "ben",
        "command": f"tribute period close 2026-11 --key FILE --as ben -w {house.root}",
    }
    assert ("2026-11", "closed", ["anna", "ben"]) in [tuple(each.values()) for each in after["period_states"]]
    assert any(task["what"] == "dispute 2026-11-numpy-1 is open; decided so far: nobody" for task in after["tasks"])


def test_rows_and_withdrawals_wait_in_the_order_of_work(spare: Path, tmp_path: Path):
    """A row to review and a run that learned from withdrawn rows are listed, each with its command."""
    registry = Registry.open(Workspace.open(spare))
    snapshot = registry.snapshot()
    bob = next(path.name for path in (spare / "registry" / "contributions").glob("bob-*"))
    first = registry.rows(snapshot, "tiny")[0].row
    other = next(label for label in snapshot.schema("tiny").labels if label != first.target)
    (tmp_path / "zoe.jsonl").write_text(json.dumps({"text": first.text, "label": other}) + "\n")
    licence = tribute("show", bob, "-w", spare, "--json").data["licence"]
    to = ("--contributor", "zoe", "--dataset", "tiny", "--licence", licence)
    assert tribute("contribute", tmp_path / "zoe.jsonl", *to, "-w", spare).code == 0
    assert tribute("withdraw", bob, "--by", "grace", "--why", "asked", "-w", spare).code == 0

    tasks = status(spare)["tasks"]
    whats = [task["what"] for task in tasks]

    assert any("of tiny to review" in what for what in whats)
    assert any(f"learned from {bob}" in what for what in whats)
    assert [task["who"] for task in tasks][:2] == ["steward", "steward"]
    assert tasks[0]["command"] == f"tribute review tiny -w {spare}"


def test_what_is_being_made_is_counted(spare: Path):
    """An artifact in the making holds its lock, and status counts it without disturbing it."""
    locks = spare / "scratch" / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / "abc").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        during = status(spare)["artifacts_in_progress"]
    after = status(spare)["artifacts_in_progress"]

    assert (during, after) == (1, 0)
