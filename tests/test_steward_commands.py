"""The steward's commands on a workspace in which models learned: decide, compare, take back, train again."""

import json
from pathlib import Path

import pytest

from tests.helpers.terminal import tree, tribute
from tribute.contributions.registry.registry import Registry
from tribute.workspace import Workspace

WHO = ("--by", "grace", "--why", "asked for")


def said(*arguments: object) -> object:
    """What a command printed with --json."""
    ended = tribute(*arguments, "--json")
    assert ended.code == 0, ended.err
    return ended.data


def contribution_of(workspace: Path, contributor: str) -> str:
    entries = Registry.open(Workspace.open(workspace)).entries()
    return next(
        one.subject for one in entries if one.event == "contribute" and one.details["contributor_id"] == contributor
    )


def test_withdraw_and_train_again(spare: Path):
    """The adapters that learned from the rows are listed, wait, and are trained again on a version without them."""
    bob = contribution_of(spare, "bob")

    before = tree(spare)
    would = said("withdraw", bob, *WHO, "--dry-run", "-w", spare)
    would_erase = said("erase", bob, *WHO, "--dry-run", "-w", spare)
    untouched = tree(spare) == before
    gone = said("withdraw", bob, *WHO, "-w", spare)
    waits = said("retrain", "--dry-run", "-w", spare)
    refused = tribute("retrain", "-w", spare)
    said("release", "tiny@v2.0.0", "-w", spare)
    trained = said("retrain", "-w", spare)
    after = said("retrain", "--dry-run", "-w", spare)

    assert untouched
    assert would == would_erase == gone
    assert gone["runs"] == [waits["waiting"][0]["run"]]
    assert (waits["waiting"][0]["removed"], waits["waiting"][0]["retrain_on"]) == ([bob], None)
    assert refused.code == 2
    assert "no version without it is released; `tribute release tiny@vX.Y.Z` first" in refused.err
    assert trained["trained"][0]["tag"] == "tiny@v2.0.0"
    assert set(trained["trained"][0]["adapters"]) == {"0", "1"}
    assert after["waiting"] == []
    assert tribute("verify", "registry", "-w", spare).code == 0


def test_erase_removes_tables(spare: Path):
    """An erased row's text is in no table of the workspace, and the old version cannot be learned from."""
    bob = contribution_of(spare, "bob")
    text = Registry.open(Workspace.open(spare)).rows(Registry.open(Workspace.open(spare)).snapshot(), "tiny")
    own = next(row.row.text for row in text if row.contribution_id == bob)

    gone = said("erase", bob, *WHO, "-w", spare)
    shown = said("show", bob, "-w", spare)
    card = tribute("card", "tiny@v1.0.0", "-w", spare)
    kept = [
        path for path in (spare / "registry").rglob("*.jsonl") if ".git" not in path.parts and own in path.read_text()
    ]

    assert gone["tables_removed"] == ["tiny@v1.0.0"]
    assert (shown["event"], shown["facts"]["by"], shown["facts"]["rows"]) == ("erase", "grace", 30)
    assert list((spare / "artifacts" / "dataset").glob("*/train.parquet")) == []
    assert kept == []
    assert card.code == 2
    assert f"tiny@v1.0.0 held contribution {bob}, which was erased" in card.err


def test_decide_compare_and_describe(spare: Path, tmp_path: Path):
    """Review lists what waits, accepting lets it in, and difference, card and versions tell of it."""
    conflicting = tmp_path / "zoe.jsonl"
    registry = Registry.open(Workspace.open(spare))
    first = registry.rows(registry.snapshot(), "tiny")[0].row
    label = next(name for name in registry.snapshot().schema("tiny").labels if name != first.target)
    conflicting.write_text(json.dumps({"text": first.text, "label": label}) + "\n")
    licence = registry.snapshot().contributions("tiny")[0].licence

    [handed] = said(
        *("contribute", conflicting, "--contributor", "zoe", "--dataset", "tiny", "--licence", licence, "-w", spare)
    )["contributions"]
    waiting = [one["row"] for one in said("review", "tiny", "-w", spare)["findings"]]
    row = f"{handed['contribution']}:1"
    said("accept", row, *WHO, "-w", spare)
    said("release", "tiny@v1.1.0", "-w", spare)
    found = said("diff", "tiny@v1.0.0", "tiny@v1.1.0", "-w", spare)
    made = said("card", "tiny@v1.1.0", "-w", spare)

    assert handed["verdicts"] == {"review": 1}
    assert Path(handed["receipt"]).exists()
    assert row in waiting
    assert (found["rows_added"], found["rows_removed"], found["contributors_added"]) == (1, 0, ["zoe"])
    assert all(Path(file).exists() for file in made["paths"])
    assert said("show", "tiny@v1.1.0", "-w", spare)["rows"] == said("versions", "-w", spare)["versions"][-1]["rows"]
    assert said("show", "tiny", "-w", spare)["columns"]["name"] == "tiny"


def test_a_policy_is_set_and_shown(spare: Path, tmp_path: Path):
    """Without a file the policy in force is shown; a typing error in it is named."""
    file = tmp_path / "policy.yaml"
    file.write_text("{near_duplicate: 0.7, secrets: null}")
    before = said("screening", "tiny", "-w", spare)["thresholds"]
    after = said("screening", "tiny", file, *WHO, "-w", spare)["thresholds"]
    file.write_text("near_duplicates: 0.7")

    refused = tribute("screening", "tiny", file, *WHO, "-w", spare)

    assert before["near_duplicate"] is None
    assert (after["near_duplicate"], after["secrets"], after["personal_data"]) == (0.7, None, True)
    assert refused.code == 2
    assert "near_duplicates: unknown key" in refused.err


def test_keys_organisations_and_the_vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Keys are made, replaced and grouped; the vault keeps who that is out of the registry."""
    monkeypatch.setenv("TRIBUTE_VAULT_PASSPHRASE", "correct horse")
    workspace = tmp_path / "w"
    tribute("init", workspace)
    made = said("key", "new", "ada", "--out", tmp_path / "ada.pem", "-w", workspace)
    again = tribute("key", "new", "ada", "--out", tmp_path / "other.pem", "-w", workspace)
    rotated = said(
        *("key", "rotate", "ada", "--key", tmp_path / "ada.pem", "--out", tmp_path / "new.pem", "-w", workspace)
    )
    members = said("organisation", "acme", "--member", "ada", "-w", workspace)
    said("vault", "set", "ada", "name=Ada Lovelace", "-w", workspace)

    assert made["public_key"] != rotated["public_key"]
    assert again.code == 2
    assert "ada has a key already" in again.err
    assert not (tmp_path / "other.pem").exists()
    assert members["members"] == ["ada"]
    assert said("vault", "show", "ada", "-w", workspace)["details"]["name"] == "Ada Lovelace"
    said("vault", "forget", "ada", "-w", workspace)
    assert said("vault", "show", "ada", "-w", workspace) == {"contributor": "ada", "details": {}}
    assert tribute("verify", "registry", "-w", workspace).code == 0


def test_an_import_grows_by_months(data: Path, tmp_path: Path):
    """Each month adds its authors' rows, once; the sealed evaluation stays the same."""
    workspace = tmp_path / "w"
    tribute("init", workspace)
    first = said("import", "tldr", data / "tldr", "--until", "2016-06", "-w", workspace)
    again = said("import", "tldr", data / "tldr", "--until", "2016-06", "-w", workspace)
    later = said("import", "tldr", data / "tldr", "--until", "2017-06", "-w", workspace)
    registry = Registry.open(Workspace.open(workspace))
    days = [one.day for one in registry.snapshot().contributions("tldr")]

    assert first == again
    assert 0 < first["rows"] < later["rows"]
    assert all(day <= "2017-06-30" for day in days)
    assert [day[:7] for day in days] == sorted(day[:7] for day in days)
    assert [entry.event for entry in registry.entries()].count("seal") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("import", "clinc150", ".", "--until", "2024-06"), "unknown source 'clinc150'"),
        (("import", "tldr", ".", "--until", "June"), "--until June: expected a month such as 2024-06"),
        (("diff", "tiny@v1.0.0", "docs@v1.0.0"), "are versions of two datasets"),
        (("show", "nonsense"), "there is no dataset 'nonsense'"),
        (("accept", "nobody:1", *WHO), "there is no row nobody:1"),
        (("withdraw", "nobody-00000000", *WHO), "there is no contribution nobody-00000000"),
        (("key", "rotate", "ada"), "give the old key's file with --key and the new one's with --out"),
        (("vault", "show", "ada"), "nothing is known about ada"),
    ],
)
def test_slips(arguments: tuple[str, ...], message: str, finished: Path):
    """A slip in a command is one line that says what was expected."""
    ended = tribute(*arguments, "-w", finished)

    assert message in ended.err + ended.out
    assert "Traceback" not in ended.err
