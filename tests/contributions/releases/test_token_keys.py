"""What is the same to the model is the same row, where the schema names a tokenizer."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.contributions.conftest import write_rows
from tests.helpers.terminal import Ended, tribute
from tribute.contributions.cards import write_receipts
from tribute.contributions.intake.submissions import CheckedSubmission, Submission
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.snapshot import Contribution, Snapshot
from tribute.contributions.releases import Tokenizer, check_release, read_tokenizer, release_version
from tribute.contributions.schema import DatasetSchema
from tribute.errors import BaseModelError, RegistryError
from tribute.workspace import Workspace

WORDS = ["[UNK]", "draw", "a", "line", "take", "the", "mean", "plot", "some", "bars"]


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    """One that strips accents, as the base models for English do, and truncates, as it was saved."""
    from tokenizers import Tokenizer as Fast
    from tokenizers import models, normalizers, pre_tokenizers

    fast = Fast(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    fast.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=True)
    fast.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    fast.enable_truncation(2)
    fast.save(str(tmp_path / "tokenizer.json"))
    return read_tokenizer(tmp_path)


@pytest.fixture
def filled(workspace: Workspace, tokenizer: Tokenizer, tmp_path: Path) -> Registry:
    """ada's rows, bob's copies with accents, unknown words that differ, and an evaluation row copied with accents."""
    registry = Registry.create(workspace)
    labels = ("plotting", "statistics")
    registry.declare(
        DatasetSchema(name="docs", task="sequence-classification", labels=labels, tokenizer=tokenizer.sha256)
    )
    ada = [("draw a line", "plotting"), ("draw a line take the mean", "plotting"), ("draw a circle", "plotting")]
    bob = [
        ("dr\u00e1w \u00e0 line", "plotting"),
        ("draw a square", "plotting"),
        ("pl\u00f6t some b\u00e4rs", "plotting"),
    ]
    files = [write_rows(tmp_path / f"{name}.jsonl", rows) for name, rows in (("ada", ada), ("bob", bob))]
    registry.contribute([Submission(file, file.stem, "docs", "MIT") for file in files])
    registry.seal_evaluation("docs", write_rows(tmp_path / "evaluation.jsonl", [("plot some bars", "plotting")]))
    return registry


def test_the_same_tokens_are_the_same_row(filled: Registry, tokenizer: Tokenizer):
    """Accents that the base strips make no row new; texts are read to their end; unknown words compare as text."""
    bob = filled.snapshot().contributions("docs")[1].id

    found = {
        finding.row.row_id: (finding.reason, finding.detector)
        for finding in check_release(filled, "docs@v1.0.0", tokenizer)
    }

    assert found == {f"{bob}:1": ("duplicate", "token_ids"), f"{bob}:3": ("near_evaluation", "token_ids")}


def test_without_the_tokenizer_there_is_no_release(filled: Registry, tokenizer: Tokenizer):
    """Neither without one nor with another than the schema names."""
    other = Tokenizer("0" * 64, tokenizer.encode)

    for given in (None, other):
        with pytest.raises(RegistryError, match=r"compares rows as the tokenizer .* --tokenizer"):
            release_version(filled, "docs@v1.0.0", given)


@pytest.mark.parametrize("command", ["accept", "decide"])
def test_a_row_that_a_person_accepts_is_compared_as_the_base_reads_it(
    filled: Registry, workspace: Workspace, tmp_path: Path, command: str
):
    """With the tokenizer the command says that the copy stays out; without it, that it did not look; never another."""
    bob = filled.snapshot().contributions("docs")[1].id
    decisions, other = tmp_path / "decisions.csv", tmp_path / "other"
    decisions.write_text(f"row,verdict,why\n{bob}:1,accept,why not\n{bob}:2,accept,why not\n")
    other.mkdir()
    (other / "tokenizer.json").write_text((tmp_path / "tokenizer.json").read_text().replace("bars", "bar"))
    arguments = {
        "accept": ("accept", f"{bob}:1-2", "--why", "why not"),
        "decide": ("decide", "docs", decisions),
    }[command]

    def run(*more: object) -> Ended:
        return tribute(*arguments, "--by", "grace", *more, "-w", workspace.root)

    blind, before = run(), len(filled.entries())
    wrong = run("--tokenizer", other)
    after, seeing = len(filled.entries()), run("--tokenizer", tmp_path)

    assert "docs: not compared as its base reads rows; give --tokenizer for that" in blind.out
    assert "stays out" not in blind.out
    assert (wrong.code, after) == (2, before)
    assert "Give the base model's folder with --tokenizer" in wrong.err
    assert f"{bob}:1: no effect; it stays out" in seeing.out
    assert f"{bob}:2: no effect; nothing speaks against it" in seeing.out
    assert "not compared" not in seeing.out


def test_keys_are_kept_nowhere(filled: Registry, tokenizer: Tokenizer, workspace: Workspace):
    """Token ids and their keys leave no file behind; the log names the normal form."""
    release_version(filled, "docs@v1.0.0", tokenizer)
    ids = json.dumps(tokenizer.encode(["draw a line"])[0])

    assert filled.entries()[-1].details["normal_form"] == 2
    assert not any(ids.encode() in path.read_bytes() for path in workspace.root.rglob("*") if path.is_file())


@pytest.mark.parametrize("content", [None, "{}"])
def test_a_folder_without_a_tokenizer(content: str | None, tmp_path: Path):
    """What is missing or damaged is named."""
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)

    with pytest.raises(BaseModelError, match=r"tokenizer\.json: no tokenizer that can be read"):
        read_tokenizer(tmp_path)


def test_a_receipt_compares_tokens(filled: Registry, tokenizer: Tokenizer, workspace: Workspace, tmp_path: Path):
    """Given the tokenizer, a receipt names the copies that a release would exclude, of all earlier contributions."""
    receipts = {}

    def report(now: Snapshot, recorded: Sequence[tuple[Contribution, CheckedSubmission]]) -> None:
        for given in (None, tokenizer):
            [receipts[given]] = write_receipts(filled, workspace.receipts, now, recorded, given)

    rows = [
        ("t\u00e1ke the mean", "statistics"),
        ("dr\u00e4w a line", "plotting"),
        ("pl\u00f3t some bars", "statistics"),
    ]
    filled.contribute([Submission(write_rows(tmp_path / "eve.jsonl", rows), "eve", "docs", "MIT")], report)

    assert [row["verdict"] for row in receipts[tokenizer]["rows"]] == ["accepted", "rejected", "accepted"]
    ada = filled.snapshot().contributions("docs")[0].id
    assert receipts[tokenizer]["rows"][1]["reasons"][0]["canonical_row_id"] == f"{ada}:1"
    assert receipts[None]["verdicts"] == {"accepted": 3}


def test_an_older_version_keeps_its_form(released: Registry, hand_in: Callable):
    """A version that was released before forms had a number is compared in the first; the next one in the present."""
    at = released.snapshot("docs@v1.0.0")

    assert at.normal_form("docs@v1.0.0") == 2
    assert at.normal_form("docs@v9.9.9") == 2
    entries = [entry for entry in at.entries if entry.event == "release"]
    details = {key: value for key, value in entries[0].details.items() if key != "normal_form"}
    object.__setattr__(entries[0], "details", details)
    assert at.normal_form("docs@v1.0.0") == 1
