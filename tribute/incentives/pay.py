"""What each name earns with the rows that were trained on: credit by the stand-in, and distinct content.

The stand-in is the product's own probe on the base's embeddings (attribution/credit/probe.py), its credits by row are
those of a run that had no other witness. The standard error of a name's credit is that over FOLDS parts of the
evaluation: one stand-in has no seeds to differ. Clipping and netting are the product's own (rewards/allocation). Pay is
a blend, w · credit + (1 − w) · content, so a ratio of pay lies between the ratios of its two parts.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd

from tribute.attribution.content import distinct_content
from tribute.attribution.credit import Probe, find_harm, path_credits
from tribute.contributions.rows import ContributedRow
from tribute.finetuning.models.row_models import LOGIT_SCALE
from tribute.incentives.screened import Trained
from tribute.incentives.world import World
from tribute.rewards.allocation import BlendParts, ContributorScore, blend_parts, exact_score, net

FOLDS = 8
"""Parts of the evaluation, as the product has them (attribution/gradients/sample.py)."""
WIDTH = 1.645
"""Standard errors from a credit to the end of its 90 % interval."""
Embed = Callable[[Sequence[str]], np.ndarray]
"""Texts → unit-length embeddings, float32 [texts, width]."""


@dataclass
class Embeddings:
    """A base that embeds every text once."""

    embed: Embed
    known: dict[str, np.ndarray] = field(default_factory=dict)

    def of(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings [texts, width]."""
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        self.known.update(zip(new, self.embed(new) if new else (), strict=True))
        return np.stack([self.known[text] for text in texts])


@dataclass(frozen=True)
class Measured:
    """What a training says of everybody: the claims that a pool is allocated by, and the loss after it, nats."""

    claims: Sequence[ContributorScore]
    by_row: Sequence[float]
    """Credit of each trained row, as statements list it."""
    loss: float


@dataclass(frozen=True)
class Earnings:
    """Parts of the pool by name, each summing to 1 where anything counts."""

    credit: dict[str, float]
    """By credit itself, κ = 0."""
    certain: dict[str, float]
    """By credit less one standard error, κ = 1, as policies pay by default."""
    content: dict[str, float]


def probe_of(world: World, rows: Sequence[ContributedRow], embeddings: Embeddings, length: float = 0.0) -> Probe:
    """The probe of these rows; `length` of a step 0: the one with which it gains most."""
    labels = {label: place for place, label in enumerate(world.labels)}
    probe = Probe(
        train=embeddings.of([row.row.text for row in rows]),
        targets=np.array([labels[row.row.target] for row in rows]),
        evaluation=embeddings.of([text for text, _ in world.evaluation]),
        answers=np.array([labels[label] for _, label in world.evaluation]),
        head=embeddings.of(list(world.labels)),
        scale=LOGIT_SCALE,
        length=length,
    )
    return probe if length else probe.fitted(np.inf)


def without_harm(world: World, trained: Trained, embeddings: Embeddings, length: float) -> Trained:
    """Less what is found harmful on the world's unpaid evaluation rows, as by attribution/credit/harm.py."""
    if not world.unpaid:
        return trained
    place = {row.row_id: number for number, row in enumerate(trained.rows)}
    rows = sorted(trained.rows, key=lambda row: (row.content_sha256, row.row_id))
    probe = probe_of(replace(world, evaluation=world.unpaid), rows, embeddings, length)
    harm = find_harm(probe)
    back = np.argsort([place[row.row_id] for row in rows])
    return trained.without(harm.harmful[back].tolist(), harm.credit[back].tolist())


def measure(probe: Probe, rows: Sequence[ContributedRow], others: Iterable[str] = ()) -> Measured:
    """The claim of every name with a trained row, and of `others`, who had some."""
    names = list(dict.fromkeys([*(row.contributor_id for row in rows), *others]))
    owner = np.array([names.index(row.contributor_id) for row in rows])
    rows_by_fold = path_credits(probe, len(rows), _folds(len(probe.answers)))
    by_fold = rows_by_fold @ np.eye(len(names))[owner]
    credit, error = by_fold.mean(0), by_fold.std(0, ddof=1) / np.sqrt(FOLDS)
    content = _content(rows)
    claims = [
        ContributorScore(
            contributor_id=name,
            score=exact_score(credit[place], "credit", name),
            score_se=exact_score(error[place], "se", name),
            rows_submitted=1,
            rows_canonical=1,
            rows_excluded=0,
            score_high=exact_score(credit[place] + WIDTH * error[place], "high", name),
            tokens=0,
            content=content.get(name, 0),
        )
        for place, name in enumerate(names)
    ]
    return Measured(claims, rows_by_fold.mean(0).tolist(), float(probe.losses(np.ones(len(rows))).mean()))


def earnings(claims: Sequence[ContributorScore], payees: Mapping[str, str], harm: Mapping[str, Decimal]) -> Earnings:
    """What the product's allocation pays each name; `payees` maps names that are netted to their payee."""

    def parts(kappa: int) -> dict[str, BlendParts]:
        return blend_parts(net(claims, payees, Fraction(kappa), harm), Fraction(kappa), Fraction(1, 2))

    plain, certain = parts(0), parts(1)
    return Earnings(
        {name: float(part.credit) for name, part in plain.items()},
        {name: float(part.credit) for name, part in certain.items()},
        {name: float(part.content) for name, part in certain.items()},
    )


def _folds(count: int) -> np.ndarray:
    """Weights of the evaluation rows in each fold, [rows, FOLDS]; the mean over folds is close to that over all."""
    inside = np.eye(FOLDS)[np.arange(count) % FOLDS]
    return np.asarray(inside / inside.sum(0))


def _content(rows: Sequence[ContributedRow]) -> dict[str, int]:
    """Distinct shingles by name, as the pool's other part counts them."""
    columns = ["row_id", "contributor_id", "text", "target"]
    table = pd.DataFrame(
        [(row.row_id, row.contributor_id, row.row.text, row.row.target) for row in rows], columns=columns
    )
    order = {name: {"seq": place} for place, name in enumerate(dict.fromkeys(row.contribution_id for row in rows))}
    labels = sorted({row.row.target for row in rows})
    return distinct_content(table, {"contributions": order, "labels": labels})
