"""Theorem: rows that were promised in time come before whoever shows them first, and no released version changes."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contributions.conftest import SCHEMA, write_rows
from tests.helpers.terminal import tribute
from tribute.contributions.intake import Submission, make_opening, submissions, write_opening
from tribute.contributions.registry import Registry, verify_registry
from tribute.contributions.registry import registry as registry_module
from tribute.contributions.registry.git import Git
from tribute.contributions.releases import build_dataset, release_version
from tribute.contributions.rights import commit, commitments_of, withdraw
from tribute.contributions.rights.vault import write_people
from tribute.errors import ContributionError, IntegrityError, RegistryError, TributeError
from tribute.workspace import Workspace

ROWS = (("Draw a red line", "plotting"), ("Take the mean of a column", "statistics"))
OTHER = (("Fill the area below a curve", "plotting"),)


@pytest.fixture
def sealed(registry: Registry, tmp_path: Path) -> Registry:
    registry.seal_evaluation("docs", write_rows(tmp_path / "evaluation.jsonl", [("Compute a median", "statistics")]))
    return registry


def said(*arguments: object):
    """What a command printed with --json."""
    ended = tribute(*arguments, "--json")
    assert ended.code == 0, ended.err
    return ended.data


def promise(registry: Registry, hand_in, contributor: str, *rows: tuple[str, str]):
    """A submission of rows that a recorded commitment holds."""
    submission = hand_in(contributor, *rows)
    opening = make_opening(contributor, submission.file, SCHEMA)
    place = submission.file.with_suffix(".opening.json")
    write_opening(opening, place)
    commit(registry, opening.root, contributor, "docs", opening.rows)
    return replace(submission, opening=place)


def owners(registry: Registry, tag: str, workspace) -> list[str]:
    release_version(registry, tag)
    import pandas as pd

    return sorted(
        set(pd.read_parquet(build_dataset(registry, tag, workspace.store).file("train.parquet"))["contributor_id"])
    )


def test_a_front_runner_gets_nothing(sealed: Registry, hand_in, workspace):
    """The rows are shown by another name first, word for word: revealed, they are their author's."""
    promised = promise(sealed, hand_in, "ada", *ROWS)
    sealed.contribute([hand_in("eve", *ROWS)])
    (revealed,) = sealed.contribute([promised])

    assert revealed.seq == sealed.snapshot().commitments[commitments_of(sealed.snapshot(), "ada")[0].root].seq
    assert owners(sealed, "docs@v1.0.0", workspace) == ["ada"]


def test_a_late_reveal_counts_from_its_own_entry(sealed: Registry, hand_in, workspace):
    """After a release the commitment has lost its place: the version stands, and so does the order in the next."""
    promised = promise(sealed, hand_in, "ada", *ROWS)
    sealed.contribute([hand_in("eve", *ROWS)])
    assert owners(sealed, "docs@v1.0.0", workspace) == ["eve"]
    before = build_dataset(sealed, "docs@v1.0.0", workspace.store).file("train.parquet").read_bytes()

    (revealed,) = sealed.contribute([promised])
    sealed.contribute([hand_in("cy", *OTHER)])

    assert owners(sealed, "docs@v1.1.0", workspace) == ["cy", "eve"]
    assert revealed.seq == len(sealed.entries()) - 2
    assert build_dataset(sealed, "docs@v1.0.0", workspace.store).file("train.parquet").read_bytes() == before


def test_unrevealed_commitments_are_counted(sealed: Registry, hand_in):
    """Whoever promises many files and shows the best leaves the others in the log."""
    promise(sealed, hand_in, "ada", *OTHER)
    sealed.contribute([promise(sealed, hand_in, "ada", *ROWS)])

    kept = [bool(commitment.revealed) for commitment in commitments_of(sealed.snapshot(), "ada")]

    assert kept == [False, True]


def test_commitments_of_one_bank_account_are_counted_together(
    sealed: Registry, hand_in, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
):
    """Promising under a name that shows nothing is seen at the name that is paid."""
    monkeypatch.setenv("TRIBUTE_VAULT_PASSPHRASE", "four plain words here")
    account = {"iban": "DE89370400440532013000"}
    write_people(workspace.vault, {"ada": {"name": "Ada L", **account}, "eve": {"name": "Eve L", **account}})
    promise(sealed, hand_in, "eve", *OTHER)
    sealed.contribute([promise(sealed, hand_in, "ada", *ROWS)])

    def counted(contributor: str) -> list[int]:
        shown = tribute("show", contributor, "-w", workspace.root, "--json").data
        return [shown[f"{whose}{what}_count"] for whose in ("", "payee_") for what in ("commitment", "unrevealed")]

    assert counted("ada") == [1, 0, 2, 1]

    monkeypatch.delenv("TRIBUTE_VAULT_PASSPHRASE")
    assert counted("ada") == [1, 0, 1, 0]


def test_a_commitment_shows_nothing(tmp_path: Path):
    """The same rows give another root each time: without the salt nobody finds them by trying."""
    file = write_rows(tmp_path / "rows.jsonl", ROWS)

    assert make_opening("ada", file, SCHEMA).root != make_opening("ada", file, SCHEMA).root


@pytest.mark.parametrize(
    ("rows", "contributor", "message"),
    [
        (OTHER, "ada", "the commitment is to other rows"),
        (ROWS, "bob", "log entry 3 is the commitment of ada to 2 rows of docs, found bob to 2 rows of docs"),
    ],
)
def test_other_rows_or_names_keep_no_commitment(sealed: Registry, hand_in, rows, contributor: str, message: str):
    """Only the very rows, by whom the log says, whatever the opening does; a refused file leaves nothing in the log."""
    promised = promise(sealed, hand_in, "ada", *ROWS)
    entries = len(sealed.entries())
    edited = json.loads(promised.opening.read_text()) | {"contributor_id": contributor}
    promised.opening.write_text(json.dumps(edited))

    with pytest.raises(TributeError, match=message):
        sealed.contribute([replace(hand_in(contributor, *rows), opening=promised.opening)])

    assert len(sealed.entries()) == entries


@pytest.mark.parametrize(
    ("dataset", "rows", "message"),
    [("other", 2, "ada to 2 rows of other, found ada to 2 rows of docs"), ("docs", 1, "ada to 1 row of docs, found")],
)
def test_another_dataset_or_number_keeps_no_commitment(
    sealed: Registry, hand_in, dataset: str, rows: int, message: str
):
    """A root that was recorded for one dataset, or for fewer rows, opens nothing else."""
    sealed.declare(SCHEMA.model_copy(update={"name": "other"}))
    submission = hand_in("ada", *ROWS)
    opening, place = make_opening("ada", submission.file, SCHEMA), submission.file.with_suffix(".opening.json")
    write_opening(opening, place)
    commit(sealed, opening.root, "ada", dataset, rows)

    with pytest.raises(RegistryError, match=message):
        sealed.contribute([replace(submission, opening=place)])


def test_rows_that_were_recorded_first_are_revealed_by_taking_them_back(sealed: Registry, hand_in):
    """A forgotten --reveal is said, with the way out; taken, the rows count from their commitment."""
    promised = promise(sealed, hand_in, "ada", *ROWS)
    (recorded,) = sealed.contribute([replace(promised, opening=None)])

    with pytest.raises(RegistryError, match=rf"without --reveal, in log entry 4.*`tribute withdraw {recorded.id}`"):
        sealed.contribute([promised])
    withdraw(sealed, recorded.id, "grace", "the commitment was forgotten")
    (revealed,) = sealed.contribute([promised])

    assert sealed.contribute([promised]) == [revealed]
    assert (recorded.seq, revealed.seq) == (4, 3)


def test_a_reveal_after_a_release_changes_nothing(sealed: Registry, hand_in):
    """Rows that a version has keep their place: a commitment that is shown after it has lost its own."""
    promised = promise(sealed, hand_in, "ada", *ROWS)
    sealed.contribute([replace(promised, opening=None)])
    release_version(sealed, "docs@v1.0.0")

    with pytest.raises(RegistryError, match=r"lost its place to the release of docs@v1\.0\.0, so leave --reveal out"):
        sealed.contribute([promised])


def test_anybody_can_compute_a_reveal_again(sealed: Registry, hand_in, monkeypatch: pytest.MonkeyPatch):
    """The log has the salt of what was revealed: rows that are not those of the root are found without the opening."""
    sealed.contribute([promise(sealed, hand_in, "ada", *ROWS)])
    assert verify_registry(sealed.repository).reveals == 1

    promised = promise(sealed, hand_in, "ada", *OTHER)
    monkeypatch.setattr(submissions, "check_opening", lambda *_: None)
    sealed.contribute([replace(hand_in("ada", ("Turn the legend", "plotting")), opening=promised.opening)])

    with pytest.raises(
        IntegrityError, match=r"entry 6: the rows of ada-\w+ are not those of the commitment in entry 5"
    ):
        verify_registry(sealed.repository)


def test_reveals_of_earlier_versions_verify(sealed: Registry, hand_in, monkeypatch: pytest.MonkeyPatch):
    """Their entries have no salt: they keep their place, and nothing is said about them."""
    whole = registry_module._contributed

    def without_salt(checked):
        record = whole(checked)
        return replace(record, details={name: value for name, value in record.details.items() if name != "salt"})

    monkeypatch.setattr(registry_module, "_contributed", without_salt)
    (revealed,) = sealed.contribute([promise(sealed, hand_in, "ada", *ROWS)])

    assert (revealed.seq, verify_registry(sealed.repository).reveals) == (3, 0)


def test_an_opening_is_its_owners(sealed: Registry, hand_in, tmp_path: Path):
    """Nobody else can read it, and it takes no other's place."""
    file, place = hand_in("ada", *ROWS).file, tmp_path / "opening.json"
    write_opening(make_opening("ada", file, SCHEMA), place)
    before = place.read_bytes()

    with pytest.raises(ContributionError, match="exists already and may open another commitment"):
        write_opening(make_opening("ada", file, SCHEMA), place)

    assert (place.stat().st_mode & 0o777, place.read_bytes()) == (0o600, before)


def test_commit_and_reveal_by_command(workspace: Workspace, sealed: Registry, tmp_path: Path):
    """The file goes through other hands between the two; the receipt proves the place of the commitment."""
    file = tmp_path / "rows.csv"
    file.write_text("question,label\nDraw a red line,plotting\nBoil an egg,cooking\n")
    who = ("--contributor", "ada", "--dataset", "docs", "--map", "text=question", "--skip-faulty", "-w", workspace.root)
    tried = said("commit", file, *who, "--dry-run")

    committed = said("commit", file, *who)
    sealed.contribute([Submission(write_rows(tmp_path / "eve.jsonl", ROWS[:1]), "eve", "docs", "MIT")])
    (revealed,) = said("contribute", file, *who, "--licence", "MIT", "--reveal", committed["opening"])["contributions"]

    assert (tried["log_seq"], committed["log_seq"], committed["rows"]) == (3, 3, 1)
    assert (revealed["log_seq"], revealed["counts_from"], revealed["lost_place_to"]) == (5, 3, None)
    receipt = json.loads(Path(revealed["receipt"]).with_suffix(".json").read_text())
    entry = sealed.entries()[2]
    assert receipt["commitment"] == {
        "root": committed["commitment"],
        "ledger_seq": 3,
        "ledger_hash": entry.entry_hash,
        "lost_place_to": None,
    }
    assert entry.entry_hash in Path(revealed["receipt"]).read_text()
    assert (
        "1 revealed commitment: the root is that of the rows" in tribute("verify", "registry", "-w", workspace.root).out
    )


def test_a_late_reveal_says_so(workspace: Workspace, sealed: Registry, tmp_path: Path):
    """A version came in between: the rows count from their own entry, and command and receipt say why."""
    file = write_rows(tmp_path / "rows.jsonl", ROWS)
    who = ("--contributor", "ada", "--dataset", "docs", "-w", workspace.root)
    said("commit", file, *who)
    sealed.contribute([Submission(write_rows(tmp_path / "eve.jsonl", OTHER), "eve", "docs", "MIT")])
    release_version(sealed, "docs@v1.0.0")

    late = tribute("contribute", file, *who, "--licence", "MIT", "--reveal", f"{file}.opening.json")

    assert "its commitment has lost its place, since docs@v1.0.0 was released before" in late.out
    (page,) = workspace.receipts.glob("ada-*.html")
    assert "docs@v1.0.0 was released between your commitment and this entry" in page.read_text()


def test_a_commitment_that_its_contributor_computed(workspace: Workspace, sealed: Registry, tmp_path: Path):
    """With --schema nothing is recorded; a steward records the root, and the same once more changes nothing."""
    file, schema = write_rows(tmp_path / "rows.jsonl", ROWS), tmp_path / "schema.yaml"
    schema.write_text(SCHEMA.to_yaml())
    who = ("--contributor", "ada", "--dataset", "docs")
    kept = said("commit", file, *who, "--schema", schema)
    root = ("--root", kept["commitment"], "--rows", kept["rows"], *who, "-w", workspace.root)

    first, again = said("commit", *root), said("commit", *root)

    assert (kept["log_seq"], first["log_seq"], first) == (None, 3, again)
    (revealed,) = said(
        *("contribute", file, *who, "-w", workspace.root, "--licence", "MIT", "--reveal", kept["opening"])
    )["contributions"]
    assert revealed["counts_from"] == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--root", "a" * 64), "give a FILE of rows, or --root HEX and --rows N"),
        (("--root", "a" * 64, "--rows", "2", "--schema", "SCHEMA"), "and no option about a file"),
        (("FILE", "--rows", "2"), "not both"),
        (("FILE", "--schema", "SCHEMA", "--dataset", "other"), "is the schema of docs, but --dataset says other"),
        (("FILE", "--dataset", "other"), "there is no dataset 'other'"),
    ],
)
def test_choices_that_contradict_each_other(
    workspace: Workspace, sealed: Registry, tmp_path: Path, options: tuple[str, ...], message: str
):
    """They are refused before anything is written."""
    file, schema = write_rows(tmp_path / "rows.jsonl", ROWS), tmp_path / "schema.yaml"
    schema.write_text(SCHEMA.to_yaml())
    given = [{"FILE": str(file), "SCHEMA": str(schema)}.get(option, option) for option in options]
    named = () if "--dataset" in options else ("--dataset", "docs")

    refused = tribute("commit", *given, *named, "--contributor", "ada", "-w", workspace.root)

    assert refused.code == 2
    assert message in " ".join(refused.err.split())
    assert not Path(f"{file}.opening.json").exists()


def test_a_push_whose_answer_was_lost_loses_no_salt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The origin has the commitment though git reported a failure: the opening stays, and the error says what to do."""
    origin, file = tmp_path / "origin.git", write_rows(tmp_path / "rows.jsonl", ROWS)
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", origin], check=True)
    workspace = Workspace.create(tmp_path / "shared")
    Registry.create(workspace, origin=str(origin)).declare(SCHEMA)
    publish = Git.publish

    def unheard(self, tags):
        publish(self, tags)
        raise RegistryError("git push failed: the connection was reset")

    monkeypatch.setattr(Git, "publish", unheard)
    who = ("--contributor", "ada", "--dataset", "docs", "-w", workspace.root)
    failed = tribute("commit", file, *who)
    monkeypatch.undo()

    said_so = " ".join(failed.err.split())
    assert failed.code == 2
    assert f"{file}.opening.json is kept" in said_so
    opening = json.loads(Path(f"{file}.opening.json").read_text())
    assert f"tribute commit --root {opening['root']} --rows 2 --contributor ada --dataset docs" in said_so
    assert said("commit", "--root", opening["root"], "--rows", "2", *who)["log_seq"] == 2
    (revealed,) = said("contribute", file, *who, "--licence", "MIT", "--reveal", f"{file}.opening.json")[
        "contributions"
    ]
    assert revealed["counts_from"] == 2


def test_an_unknown_or_repeated_commitment(sealed: Registry, hand_in):
    """What is not in the log opens nothing, and nobody records another's root again as one's own."""
    promised = promise(sealed, hand_in, "ada", *ROWS)
    root = json.loads(promised.opening.read_text())["root"]

    with pytest.raises(RegistryError, match="recorded already"):
        commit(sealed, root, "eve", "docs", 2)
    with pytest.raises(RegistryError, match="no commitment"):
        commit(sealed, "beef", "eve", "docs", 2)

    stranger = make_opening("ada", promised.file, SCHEMA)
    write_opening(stranger, promised.file.with_suffix(".other.json"))
    with pytest.raises(RegistryError, match="not in the registry's log"):
        sealed.contribute([replace(promised, opening=promised.file.with_suffix(".other.json"))])
