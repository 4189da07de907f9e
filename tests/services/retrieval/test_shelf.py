"""Theorem: a row is retrieved if its terms allow it, and is gone from the next request on when it is taken back."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from tribute.contributions.intake import Submission
from tribute.contributions.registry import Registry
from tribute.contributions.releases import release_version
from tribute.contributions.rights import renew_terms, withdraw
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.terms import Terms
from tribute.errors import ServiceError
from tribute.pipeline.operations.erasure import erase_contributions
from tribute.services.retrieval import Shelf
from tribute.workspace import Workspace

TODAY = date(2026, 11, 30)
ALLOWED = Terms(consent="Show my rows.", purposes=("fine-tuning", "retrieval"))
ENDS = Terms(consent="Show my rows.", purposes=("fine-tuning", "retrieval"), expires=date(2999, 1, 1))
LEARNED = Terms(consent="Learn from my rows.")
SCHEMA = {"name": "facts", "task": "causal-lm", "max_characters": 400}
ROWS = {
    "ada": (ALLOWED, "MIT", ("How do I list files", "ls -a shows all files of a folder")),
    "bob": (ENDS, "MIT", ("How do I find a file by name", "find . -name pattern")),
    "cyd": (LEARNED, "MIT", ("How do I remove a folder", "rm -r folder removes the folder")),
    "dan": (None, "MIT", ("How do I copy a folder", "cp -r source target")),
    "eve": (ALLOWED, "CC-BY-NC-4.0", ("How do I count lines of files", "wc -l file")),
}


def embed(texts):
    """Unit vectors of hashed words: near where words are shared, which is all that these tests need."""
    vectors = np.zeros((len(texts), 64), dtype=np.float32)
    for vector, text in zip(vectors, texts, strict=True):
        for word in text.lower().split():
            vector[sum(word.encode()) % 64] += 1
        vector /= np.linalg.norm(vector) or 1
    return vectors


@pytest.fixture
def workspace(tmp_path):
    """A released version of five contributions under different terms."""
    built = Workspace.create(tmp_path / "w")
    registry = Registry.create(built)
    registry.declare(DatasetSchema.model_validate(SCHEMA))
    for name, (terms, licence, row) in ROWS.items():
        file = write_rows(tmp_path / f"{name}.jsonl", [row])
        registry.contribute([Submission(file, name, "facts", licence, terms=terms)])
    registry.seal_evaluation("facts", write_rows(tmp_path / "evaluation.jsonl", [("How do I sort lines", "sort file")]))
    release_version(registry, "facts@v1.0.0")
    return built


def write_rows(file, rows):
    """Prompts and responses as a contributor's file."""
    lines = [json.dumps({"prompt": prompt, "response": response}) for prompt, response in rows]
    file.write_text("\n".join(lines))
    return file


def contributors(shelf, today=TODAY, tag="facts@v1.0.0"):
    """Whose rows a search over everything finds."""
    index = shelf.index(tag, "b" * 64, embed, today)
    return {hit.contributor for hit in index.search("how do i", embed(["how do i"])[0], 20)}


def contribution(workspace, name):
    """The id of the contribution of a contributor."""
    entries = Registry.open(workspace).entries()
    return next(
        entry.subject for entry in entries if entry.event == "contribute" and entry.details["contributor_id"] == name
    )


def test_only_rows_whose_terms_allow_it_are_found(workspace):
    """Not those with consent to learn alone, without terms, or under a licence that forbids sale."""
    shelf = Shelf(workspace)

    assert contributors(shelf) == {"ada", "bob"}
    assert contributors(shelf, date(2999, 1, 2)) == {"ada"}
    [vectors] = (workspace.root / "artifacts" / "retrieval").rglob("vectors.npy")
    assert np.load(vectors).shape == (2, 64)


def test_the_best_row_comes_first_by_words_and_by_meaning(workspace):
    """A query that names a row's words finds it first, with its licence."""
    index = Shelf(workspace).index("facts@v1.0.0", "b" * 64, embed, TODAY)
    first, second = index.search("find a file by its name", embed(["find a file by its name"])[0], 2)

    assert (first.contributor, first.licence, second.contributor) == ("bob", "MIT", "ada")
    assert first.score > second.score
    assert first.content == "How do I find a file by name\nfind . -name pattern"
    assert len(index.search("zzz", np.zeros(64), 1)) == 1


def test_a_withdrawal_counts_from_the_next_request(workspace):
    """The row is gone from the index in memory; new consent brings another's in."""
    shelf = Shelf(workspace)
    assert contributors(shelf) == {"ada", "bob"}

    withdraw(Registry.open(workspace), contribution(workspace, "ada"), "steward", "asked for")
    assert contributors(shelf) == {"bob"}

    renew_terms(Registry.open(workspace), contribution(workspace, "cyd"), ALLOWED, "steward", "asked for", None)
    assert contributors(shelf) == {"bob", "cyd"}


def test_erasing_removes_the_vectors(workspace):
    """No index that held the row is left, and what is made again is without it."""
    shelf = Shelf(workspace)
    contributors(shelf)
    registry = Registry.open(workspace)
    _, removed = erase_contributions(
        workspace, registry, [contribution(workspace, "bob")], "steward", "asked for", None
    )

    assert [Path(path).parent.name for path in removed["indexes"]] == ["retrieval"]
    assert contributors(Shelf(workspace)) == {"ada"}


@pytest.mark.parametrize("tag", ["facts@v9.9.9", "nothing@v1.0.0", "../../keys", "facts"])
def test_an_unknown_version_is_404(workspace, tag):
    """With what is known."""
    with pytest.raises(ServiceError) as refused:
        contributors(Shelf(workspace), tag=tag)

    assert refused.value.status == 404


def test_a_version_without_consent_is_404(workspace):
    """When the last consent is withdrawn, the error says which purpose terms have to name."""
    for name in ("ada", "bob"):
        withdraw(Registry.open(workspace), contribution(workspace, name), "steward", "asked for")
    with pytest.raises(ServiceError, match="terms that allow retrieval"):
        contributors(Shelf(workspace))
