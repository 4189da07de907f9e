"""What each defence costs honest contributors of many short sentences. See incentives.py."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from tribute.attribution.credit import path_credits
from tribute.contributions.releases import Tokenizer
from tribute.contributions.screening import BASIC, ScreeningPolicy
from tribute.incentives.pay import Embeddings, probe_of, without_harm
from tribute.incentives.screened import HARM_SHARE, POLICY, trained_rows
from tribute.incentives.world import Pair, Upload, World

NAMES, HALF = 20, 0.5
DEFENCES: Mapping[str, ScreeningPolicy] = {
    "near duplicates": BASIC.model_copy(update={"near_duplicate": POLICY.near_duplicate}),
    "following": BASIC.model_copy(update={"following": POLICY.following}),
    "all at their defaults": POLICY,
}
HARM: Mapping[str, ScreeningPolicy] = {
    "harmful rows": BASIC.model_copy(update={"harm_share": HARM_SHARE}),
}
"""Measured on fewer rows: it takes a pass backwards for each of 256 evaluation rows."""


@dataclass(frozen=True)
class Price:
    """Of honest rows, parts of all of them."""

    defence: str
    excluded: float
    halved: float
    """Kept, and paid less than half of what they would be without the defence, where that is above 0."""
    of_credit: float
    """The part of all positive credit that these had."""
    worst: float
    """The part of a name's credit that is left, for the name that loses most."""


def clinc150(folder: Path, deal: str, rows: int, intents: int = 150) -> World:
    """So many questions, dealt at random or by intent, in files of 20 names; all test questions are sealed."""
    chance = Random(0)
    train, test = (_read(folder / f"{part}.jsonl") for part in ("train", "test"))
    labels = tuple(sorted({label for _, label in train})[:intents])
    train, test = ([row for row in part if row[1] in labels] for part in (train, test))
    chosen = chance.sample(train, rows)
    if deal == "by intent":
        chosen.sort(key=lambda row: row[1])
        parts = [chosen[start : start + rows // NAMES] for start in range(0, rows, rows // NAMES)]
    else:
        parts = [chosen[name::NAMES] for name in range(NAMES)]
    return World(labels, [Upload(f"h{name:02d}", part) for name, part in enumerate(parts)], test)


def prices(
    world: World, tokenizer: Tokenizer, embeddings: Embeddings, length: float, defences: Mapping[str, ScreeningPolicy]
) -> Iterator[Price]:
    """Of every defence beside the checks that every dataset has, by a stand-in with steps of this `length`.

    The first is the price of these checks.
    """
    bare = trained_rows(world, world.uploads, tokenizer, BASIC)
    count = sum(len(upload.rows) for upload in world.uploads)
    owner = {row.row_id: row.contributor_id for row in bare.rows}
    before = _credits(world, bare.rows, embeddings, length)
    yield Price("the checks of every dataset", bare.left_out / count, 0.0, 0.0, 1.0)
    for name, policy in defences.items():
        paid = world.finding_harm(policy.harm_share) if policy.harm_share else world
        trained = without_harm(paid, trained_rows(paid, world.uploads, tokenizer, policy), embeddings, length)
        is_bare = len(trained.rows) == len(bare.rows) and not paid.unpaid
        after = before if is_bare else _credits(paid, trained.rows, embeddings, length)
        halved = [row for row in after if before[row] > 0 and after[row] < HALF * before[row]]
        of_credit = sum(before[row] for row in halved) / sum(credit for credit in before.values() if credit > 0)
        excluded = trained.left_out / count
        yield Price(name, excluded, len(halved) / count, of_credit, _worst(before, after, owner))


def length_of(world: World, tokenizer: Tokenizer, embeddings: Embeddings) -> float:
    """The length of step with which the stand-in gains most, whoever has which rows."""
    return probe_of(world, trained_rows(world, world.uploads, tokenizer, BASIC).rows, embeddings).length


def _credits(world: World, rows: Sequence, embeddings: Embeddings, length: float) -> dict[str, float]:
    """Row → its part of all credit."""
    probe = probe_of(world, rows, embeddings, length)
    mean = np.full((len(probe.answers), 1), 1 / len(probe.answers))
    credit = path_credits(probe, len(rows), mean)[0]
    return dict(zip((row.row_id for row in rows), credit / credit.sum(), strict=True))


def _worst(before: Mapping[str, float], after: Mapping[str, float], owner: Mapping[str, str]) -> float:
    sums = {name: [0.0, 0.0] for name in owner.values()}
    for row, name in owner.items():
        sums[name][0] += before[row]
        sums[name][1] += after.get(row, 0.0)
    return min(left / had for had, left in sums.values())


def _read(file: Path) -> list[Pair]:
    lines = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return [(line["text"], line["label"]) for line in lines]
