"""Theorem: a version's harmful rows are out of its training and explained, and what found them pays nobody."""

import json
from pathlib import Path

import pandas as pd

from tests.contributions.releases.test_token_copies import version
from tribute.artifacts import Artifact, Kind, Store
from tribute.contributions.releases import dataset_without_harm
from tribute.contributions.screening import BY_CODE, Decision

HARM = Kind("harm", __name__)
TRAIN = [("Draw line", "a"), ("mean", "a"), ("plot", "b")]
EVALUATION = [("Draw plot", "a"), ("mean plot", "b"), ("line plot", "b")]


def found(store: Store, credits: dict[str, float]) -> Artifact:
    """What was found of rows by the second evaluation row: a row is harmful where its credit is below 0."""

    def build(folder: Path) -> None:
        lines = [
            {"row_id": row_id, "block": 0, "credit": credit, "high": -0.001, "harmful": credit < 0}
            for row_id, credit in credits.items()
        ]
        pd.DataFrame(lines).to_parquet(folder / "rows.parquet", index=False)
        (folder / "unpaid.json").write_text(json.dumps(["evaluation:2"]))

    return store.make(HARM, {"rows": repr(credits)}, {}, build)


def test_harmful_rows_are_out_and_explained(tmp_path: Path):
    """The row is an exclusion with its harm in nats; the evaluation rows that found it are gone; the rest stays."""
    store = Store(tmp_path)
    dataset = version(store, TRAIN, EVALUATION)
    harm = found(store, {"train:1": 0.01, "train:2": -0.0123, "train:3": 0.02})

    learned, again = (dataset_without_harm(dataset, harm, {}, store) for _ in range(2))

    assert (learned.found, again.found, again.id) == (False, True, learned.id)
    assert list(pd.read_parquet(learned.file("train.parquet"))["row_id"]) == ["train:1", "train:3"]
    assert list(pd.read_parquet(learned.file("evaluation.parquet"))["row_id"]) == ["evaluation:1", "evaluation:3"]
    (line,) = pd.read_parquet(learned.file("exclusions.parquet")).to_dict("records")
    assert (line["row_id"], line["reason"], line["similarity"]) == ("train:2", "harmful", 0.0123)
    assert "-0.012300" in line["evidence"]
    assert BY_CODE["harmful"].advice


def test_an_accepted_row_stays(tmp_path: Path):
    """Whoever disputes an exclusion is heard: the next version leaves an accepted row in, whatever is found of it."""
    store = Store(tmp_path)
    dataset, harm = version(store, TRAIN, EVALUATION), found(store, {"train:2": -0.0123})

    learned = dataset_without_harm(dataset, harm, {"train:2": Decision("accept", "ben", "it is right", 9)}, store)

    assert len(pd.read_parquet(learned.file("train.parquet"))) == 3
    assert len(pd.read_parquet(learned.file("exclusions.parquet"))) == 0


def test_what_found_nothing_pays_nobody_either(tmp_path: Path):
    """Whether rows are out or not, the same evaluation rows pay: nobody gains by being looked at."""
    store = Store(tmp_path)
    dataset = version(store, TRAIN, EVALUATION)

    learned = dataset_without_harm(dataset, found(store, {"train:2": 0.1}), {}, store)

    assert len(pd.read_parquet(learned.file("evaluation.parquet"))) == 2
    assert learned.file("train.parquet").read_bytes() == dataset.file("train.parquet").read_bytes()
