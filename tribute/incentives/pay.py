"""What each name earns with the rows that were trained on: credit by the stand-in, and distinct content.

The stand-in is the product's own probe on the base's embeddings (attribution/credit/probe.py), its credits by row are
those of a run that had no other witness. The standard error of a name's credit is that over FOLDS parts of the
evaluation: one stand-in has no seeds to differ. Pay is a blend, w · credit + (1 − w) · content, so a ratio of pay lies
between the ratios of its two parts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from tribute.attribution.content import distinct_content
from tribute.attribution.credit import Probe, path_credits
from tribute.contributions.rows import ContributedRow
from tribute.finetuning.models.row_models import LOGIT_SCALE
from tribute.incentives.world import World

FOLDS = 8
"""Parts of the evaluation, as the product has them (attribution/gradients/sample.py)."""
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
class Earnings:
    """Parts of the pool by name, each summing to 1, and the loss after the training, nats."""

    credit: dict[str, float]
    """By credit itself, κ = 0."""
    certain: dict[str, float]
    """By credit less one standard error, κ = 1, as policies pay by default."""
    content: dict[str, float]
    loss: float


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


def earnings(probe: Probe, rows: Sequence[ContributedRow]) -> Earnings:
    """What every name with a trained row earns."""
    names = list(dict.fromkeys(row.contributor_id for row in rows))
    owner = np.array([names.index(row.contributor_id) for row in rows])
    by_fold = path_credits(probe, len(rows), _folds(len(probe.answers))) @ np.eye(len(names))[owner]
    credit, error = by_fold.mean(0), by_fold.std(0, ddof=1) / np.sqrt(FOLDS)
    return Earnings(
        _parts(dict(zip(names, credit.tolist(), strict=True))),
        _parts(dict(zip(names, (credit - error).tolist(), strict=True))),
        _parts(_content(rows)),
        float(probe.losses(np.ones(len(rows))).mean()),
    )


def _folds(count: int) -> np.ndarray:
    """Weights of the evaluation rows in each fold, [rows, FOLDS]; the mean over folds is close to that over all."""
    inside = np.eye(FOLDS)[np.arange(count) % FOLDS]
    return np.asarray(inside / inside.sum(0))


def _content(rows: Sequence[ContributedRow]) -> dict[str, float]:
    """Distinct shingles by name, as the pool's other part counts them."""
    columns = ["row_id", "contributor_id", "text", "target"]
    table = pd.DataFrame(
        [(row.row_id, row.contributor_id, row.row.text, row.row.target) for row in rows], columns=columns
    )
    order = {name: {"seq": place} for place, name in enumerate(dict.fromkeys(row.contribution_id for row in rows))}
    labels = sorted({row.row.target for row in rows})
    return {
        name: float(count)
        for name, count in distinct_content(table, {"contributions": order, "labels": labels}).items()
    }


def _parts(sums: dict[str, float]) -> dict[str, float]:
    """Sums below 0 count as 0, the rest is divided by its sum."""
    total = sum(max(value, 0.0) for value in sums.values())
    return {name: max(value, 0.0) / total if total else 0.0 for name, value in sums.items()}
