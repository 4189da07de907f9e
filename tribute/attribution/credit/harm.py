"""Rows that a model is worse with, found before any training that pays, on evaluation rows that pay nobody.

A stand-in screens: it learns the rows FOLDS times, each time without a part of them, and says how little it expects
the labels of these. In the order of that loss, the largest first, rows form BLOCKS groups, which no name decides. Then
the stand-in learns all rows once, and a group is harmful where the upper end of its credit on the unpaid evaluation
rows is below 0 (t interval, stratified by their labels). Groups are looked at in their order, and the first that is
not harmful ends the search: so all of them together are held to CONFIDENCE (a fixed sequence of tests). Of a harmful
group only rows that are below 0 themselves are out: who adds harmful rows beside good ones does not take these along.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from tribute.artifacts import Artifact, Kind, Store, check_files
from tribute.attribution.credit.probe import LENGTHS, Probe
from tribute.attribution.credit.stand_in import NODES, path_nodes
from tribute.attribution.gradients.sample import stratified_sample
from tribute.config import BaseConfig
from tribute.contributions.dataset import read_description, read_rows
from tribute.errors import AttributionError
from tribute.finetuning.models.base_models import base_digest, base_folder
from tribute.finetuning.models.embeddings import sentence_encoder
from tribute.finetuning.models.row_models import LOGIT_SCALE
from tribute.finetuning.workers import Folders, Key, Recipe
from tribute.progress import Progress, ignore, reporter

HARM = Kind("harm", __name__)
FOLDS, BLOCKS = 8, 8
CONFIDENCE = 0.95
TRAININGS = len(LENGTHS) + FOLDS + NODES * (3 * BLOCKS + 2)
"""Of the stand-in on all rows, in time: the search for its step, the folds, and passes along which credit is summed."""
DECIMALS = 6
"""Of credits in nats, as periods publish them."""
MINUTES = 60.0


@dataclass(frozen=True)
class Harm:
    """What was found of every row, each [rows]."""

    block: np.ndarray
    """Its group, int: 0 has the labels that the others' rows expect least."""
    credit: np.ndarray
    """Its own credit, nats."""
    high: np.ndarray
    """The upper end of its group's credit, nats."""
    harmful: np.ndarray
    """Whether it is out, bool."""


def find_harm(probe: Probe, progress: Progress = ignore) -> Harm:
    """What the training rows do to the evaluation rows of a fitted `probe`; their order is one that no name decides."""
    count = len(probe.train)
    order = np.argsort(-_surprise(probe), kind="stable")
    block = np.empty(count, dtype=np.int64)
    for number, rows in enumerate(np.array_split(order, BLOCKS)):
        block[rows] = number
    groups, even = np.eye(BLOCKS)[block], np.full((len(probe.answers), 1), 1 / len(probe.answers))
    own, together = np.zeros(count), np.zeros((len(probe.answers), BLOCKS))
    for number, (place, weight) in enumerate(path_nodes(), 1):
        at = np.full(count, place)
        own += weight * probe.slopes(at, even)[0]
        together += weight * probe.effects(at, groups)
        progress(number, NODES)
    high = _upper_ends(together, probe.answers)
    credit = np.round(own, DECIMALS)
    harmful = np.logical_and.accumulate(high < 0)[block] & (credit < 0)
    return Harm(block, credit, high[block], harmful)


def _surprise(probe: Probe) -> np.ndarray:
    """Every training row's loss after training on the other folds' rows, nats [rows]."""
    fold, losses = np.arange(len(probe.train)) % FOLDS, np.zeros(len(probe.train))
    for number in range(min(FOLDS, len(fold))):
        inside, out = fold != number, fold == number
        part = replace(
            probe,
            train=probe.train[inside],
            targets=probe.targets[inside],
            evaluation=probe.train[out],
            answers=probe.targets[out],
        )
        losses[out] = part.losses(np.ones(int(inside.sum())))
    return losses


def _upper_ends(credits: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Of the mean of each column of `credits` [evaluation rows, blocks], which lie in `strata` [evaluation rows].

    Without bound where each stratum has one row, so that none tells how much they scatter.
    """
    freedom = len(credits) - len(np.unique(strata))
    if not freedom:
        return np.full(credits.shape[1], np.inf)
    inside = np.eye(int(strata.max()) + 1)[strata]
    size = np.maximum(inside.sum(0), 1)
    left = credits - inside @ (inside.T @ credits / size[:, None])
    error = np.sqrt((left**2).sum(0) / freedom / len(credits))
    return np.asarray(credits.mean(0) + stats.t.ppf(CONFIDENCE, freedom) * error)


def unpaid_rows(slices: Sequence[str], share: float) -> list[int]:
    """Positions of the evaluation rows that find harm: about `share` of every slice, and never the last of one."""
    several = [place for place, name in enumerate(slices) if slices.count(name) > 1]
    if not several:
        return []
    chosen, _ = stratified_sample([slices[place] for place in several], round(share * len(several)))
    return [several[place] for place in chosen]


def measure_harm(dataset: Artifact, base: BaseConfig, share: float, store: Store, scratch: Path) -> Artifact:
    """`rows.parquet` (`row_id, block, credit, high, harmful`) and `unpaid.json`, the evaluation rows that found it.

    Raises AttributionError for a dataset without labels, which this stand-in cannot learn.
    """
    labels = read_description(dataset)["labels"]
    if not labels:
        raise AttributionError(
            "the screening policy has harm_share, but harm is looked for in rows with labels only; set it to null"
        )
    key = Key({"dataset": dataset.id, "base": base_digest(base_folder(base))}, {"share": share})
    recipe = Recipe(HARM, key, "harm", _harm_job, (dataset, base, share), MINUTES)
    return recipe.make(store, scratch, reporter(recipe.title))


def _harm_job(dataset: Artifact, base: BaseConfig, share: float, folders: Folders, progress: Progress) -> None:
    check_files(dataset)
    # In the order of their content, so that no name decides folds and groups.
    train = read_rows(dataset, "train").sort_values(["content_sha256", "row_id"], ignore_index=True)
    sealed = read_rows(dataset, "evaluation")
    places = unpaid_rows(list(sealed["slice"]), share)
    table = {"row_id": train["row_id"], "block": 0, "credit": 0.0, "high": 0.0, "harmful": False}
    if len(places) > 1 and len(train):
        labels, encode = read_description(dataset)["labels"], sentence_encoder(base)
        numbers = {label: place for place, label in enumerate(labels)}
        asked = sealed.iloc[places]
        probe = Probe(
            train=encode(list(train["text"])),
            targets=train["target"].map(numbers).to_numpy(),
            evaluation=encode(list(asked["text"])),
            answers=asked["target"].map(numbers).to_numpy(),
            head=encode(labels),
            scale=LOGIT_SCALE,
        )
        table |= vars(find_harm(probe.fitted(np.inf), progress))
    pd.DataFrame(table).to_parquet(folders.result / "rows.parquet", index=False)
    unpaid = list(sealed["row_id"].iloc[places])
    (folders.result / "unpaid.json").write_text(json.dumps(unpaid) + "\n", encoding="utf-8")
