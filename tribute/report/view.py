"""What the page shows, as frozen values. Knows neither where they come from nor how they are drawn.

Losses and credit are nats of evaluation loss, credit > 0 helped; accuracies run from 0 to 1; amounts are
integer minor units.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tribute.report.figures import Point
from tribute.report.usage_flows import Use
from tribute.rewards.allocation import Card, Verdict


@dataclass(frozen=True)
class Contributor:
    """One contributor's credit beside its line of the allocation, where it has one.

    `share` is of the credit, clipped at 0. `credit`, `low` and `high` are None for one of whom no row was trained on.
    """

    id: str
    rows: int
    """Trained on."""
    excluded: int
    credit: float | None
    low: float | None
    high: float | None
    share: float
    minor: int
    status: str
    statement: Path | None
    tokens: int
    """Training tokens after deduplication."""


@dataclass(frozen=True)
class Effect:
    """How much the gain (nats) fell when a contributor was really left out, beside its credit."""

    contributor: str
    rows: int
    effect: float
    effect_se: float | None
    """None where one seed alone was retrained."""
    credit: float


@dataclass(frozen=True)
class Seed:
    """One training: its adapter, and the gain in nats as measured and as integrated along the training.

    `mismatch` is integrated ÷ measured − 1.
    """

    seed: str
    adapter: str
    credit: str
    """The id of its credit artifact."""
    mlflow_run: str
    champion: bool
    loss: float
    accuracy: float | None
    measured: float
    integrated: float
    mismatch: float


@dataclass(frozen=True)
class Score:
    """A model or baseline on the same evaluation rows."""

    label: str
    loss: float | None
    accuracy: float | None
    """None where responses are learned."""
    ours: bool
    perplexity: float | None = None
    """Of responses."""


@dataclass(frozen=True)
class Excluded:
    """An excluded row, and the row that came first; its text is empty where that row was not trained on."""

    row_id: str
    contributor: str
    reason: str
    canonical_row_id: str
    canonical_contributor: str
    canonical_text: str
    canonical_target: str
    similarity: float | None


@dataclass(frozen=True)
class Contribution:
    """One contributed file as it stands in the registry."""

    id: str
    contributor: str
    rows: int
    md5: str
    version: str
    licence: str


@dataclass(frozen=True)
class Stage:
    """The seconds of work in a stage's artifacts, and whether all of them were found instead of made.

    Seconds are added up though work runs side by side; of what was found, they are those of its making.
    """

    name: str
    seconds: float
    cached: bool


@dataclass(frozen=True)
class Pay:
    """What a run paid, and by which rule."""

    verdict: Verdict
    """What the policy's gate says of the card, and so by which rule was paid."""
    policy: Mapping[str, Any]
    policy_sha256: str
    currency: str
    """The code of the currency that the page shows, such as EUR."""
    pool: int
    """In minor units."""


@dataclass(frozen=True)
class View:
    """Everything on the page."""

    run: Mapping[str, Any]
    dataset: Mapping[str, Any]
    dataset_id: str
    base: str
    """sha256 of the base model."""
    checks: Mapping[str, str]
    """What the credits were corrected and checked with (retrainings, planted controls, predicted effects) → its id."""
    card: Card
    pay: Pay | None
    """None of a run that pays nobody."""
    rows: int
    """Trained on."""
    held_out_rows: int
    """Rows of the version on which the training was watched instead."""
    evaluation_rows: int
    before: Score
    after: Score
    use: Use | None
    """The use of its models that funded the period; None where none did."""
    contributors: Sequence[Contributor]
    topic_credit: Mapping[str, Mapping[str, float]]
    effects: Sequence[Effect]
    seeds: Sequence[Seed]
    scores: Sequence[Score]
    training: Sequence[Point]
    evaluation: Sequence[Point]
    validation: Sequence[Point]
    """Losses of the rows held out; empty where none are."""
    cut: Mapping[str, int]
    """Contributor → training rows that were cut at `finetuning.max_tokens`; empty for adapters made before 0.2.0."""
    evaluation_cut: int
    slices: Mapping[str, Mapping[str, float]]
    """Slice of the evaluation → rows, loss, accuracy; of responses also perplexity and token accuracy."""
    metrics: Mapping[str, Any]
    """`metrics.json`: metrics of the task by plug-in, before and after."""
    answers: Sequence[tuple[str, str, str]]
    """Prompt of the config, the base's answer, the adapter's."""
    excluded: Mapping[tuple[str, str], int]
    examples: Sequence[Excluded]
    contributions: Sequence[Contribution]
    stages: Sequence[Stage]
