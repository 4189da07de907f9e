"""A statement finds its rows' texts by the hashes of the version that was paid, whatever the normal form is today."""

import json
from pathlib import Path

import pytest

from tribute.contributions.intake.submissions import Submission
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.snapshot import Snapshot
from tribute.contributions.releases.release import release_version
from tribute.contributions.rows import content_sha256
from tribute.contributions.schema import DatasetSchema
from tribute.rewards.statements.statements import registry_words
from tribute.workspace import Workspace

ROWS = [("Draw 10 lines", "plotting"), ("Take the mean", "statistics")]


def write(path: Path, rows: list[tuple[str, str]]) -> Path:
    """The rows as JSON lines."""
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    return path


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One version with ada's two rows; read only."""
    folder = tmp_path_factory.mktemp("texts")
    workspace = Workspace.create(folder / "workspace")
    registry = Registry.create(workspace)
    labels = sorted({label for _, label in ROWS})
    registry.declare(DatasetSchema(name="docs", task="sequence-classification", labels=labels))
    registry.contribute([Submission(write(folder / "ada.jsonl", ROWS), "ada", "docs", "MIT")])
    registry.seal_evaluation("docs", write(folder / "evaluation.jsonl", [("Plot some bars", "plotting")]))
    release_version(registry, "docs@v1.0.0")
    return workspace


@pytest.mark.parametrize("form", [1, 2])
def test_rows_are_found_by_the_hashes_of_their_version(workspace, monkeypatch, form):
    """Of a version that was released with an earlier normal form, no row is called taken back."""
    monkeypatch.setattr(Snapshot, "normal_form", lambda self, tag: form)

    texts = registry_words(workspace, "docs@v1.0.0")("ada")

    assert {digest: row[1:] for digest, row in texts.rows.items()} == {
        content_sha256(text, label, form): (text, label) for text, label in ROWS
    }
    assert content_sha256(*ROWS[0], 1) != content_sha256(*ROWS[0], 2)
