"""Theorem: whatever base a run names, it learns no row twice and none of the sealed evaluation, as that base reads."""

from pathlib import Path

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from tribute.artifacts import Artifact, Store
from tribute.contributions.releases import Tokenizer, dataset_for_base
from tribute.contributions.releases.dataset import DATASET
from tribute.contributions.releases.tables import write_exclusions, write_rows
from tribute.contributions.rows import Row, contributed
from tribute.files import write_json

WORDS = ("Draw", "line", "mean", "of", "plot")
marked = [f"{word}{mark}" for word in WORDS for mark in ("", ".", "!")]
texts = st.lists(st.sampled_from(marked), min_size=1, max_size=3)
rows = st.lists(st.tuples(texts.map(" ".join), st.sampled_from(["a", "b"])), max_size=12, unique=True)


def read(text: str) -> list[int] | None:
    """A base that reads no punctuation, and does not know the word "of"."""
    words = text.replace(".", "").replace("!", "").split()
    return None if "of" in words else [WORDS.index(word) for word in words]


BASE = Tokenizer("1" * 64, lambda given: [read(text) for text in given])


def version(store: Store, train: list[tuple[str, str]], evaluation: list[tuple[str, str]]) -> Artifact:
    """A released version with these rows (text, label), of which a release found nothing to exclude."""

    def build(folder: Path) -> None:
        for name, part in (("train", train), ("evaluation", evaluation)):
            lines = [Row(line, text, label, label) for line, (text, label) in enumerate(part, start=1)]
            write_rows(folder / f"{name}.parquet", contributed(name, "ada", lines))
        write_exclusions(folder / "exclusions.parquet", [])
        write_json(folder / "dataset.json", {"tag": "docs@v1.0.0"})

    return store.make(DATASET, {"rows": repr((train, evaluation))}, {}, build)


@settings(max_examples=25, deadline=None)
@given(rows, rows)
def test_a_base_learns_no_row_twice(tmp_path_factory, train, evaluation):
    """Copies to the base are excluded, the first stays; texts that it does not know all of stay; no row is lost."""
    store = Store(tmp_path_factory.mktemp("store"))
    dataset = version(store, train, evaluation)

    learned = dataset_for_base(dataset, BASE, store)

    sealed = [read(text) for text, _ in evaluation]
    kept, seen = [], []
    for line, (text, label) in enumerate(train, start=1):
        ids = read(text)
        if ids is None or (ids not in sealed and (ids, label) not in seen):
            kept.append(f"train:{line}")
        seen.append((ids, label))
    table = pd.read_parquet(learned.file("train.parquet"))
    exclusions = pd.read_parquet(learned.file("exclusions.parquet"))
    assert list(table["row_id"]) == kept
    assert sorted([*table["row_id"], *exclusions["row_id"]]) == sorted(
        f"train:{line + 1}" for line in range(len(train))
    )
    assert set(exclusions["detector"]) <= {"token_ids"}
    assert set(exclusions["reason"]) <= {"duplicate", "near_evaluation"}
    assert (learned.id == dataset.id) == (len(kept) == len(train))


def test_it_is_compared_once(tmp_path):
    """What was compared is found again; other tables of the version stay as they were released."""
    store = Store(tmp_path)
    dataset = version(store, [("Draw line", "a"), ("Draw line.", "a")], [("mean", "b")])

    first, second = (dataset_for_base(dataset, BASE, store) for _ in range(2))

    assert (first.found, second.found) == (False, True)
    for name in ("evaluation.parquet", "dataset.json"):
        assert first.file(name).read_bytes() == dataset.file(name).read_bytes()
