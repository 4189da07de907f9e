"""What of a world's files would be trained on: the product's own intake and screening, in memory.

The same functions as a release runs, without git, DVC and signatures; `released.py` runs the real release.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from tribute.contributions.intake import RowError, check_values
from tribute.contributions.releases import Tokenizer, named_ids
from tribute.contributions.rows import ContributedRow, Row, as_row, contributed
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.screening import BASIC, Screening, ScreeningPolicy, excluded, find
from tribute.incentives.world import Pair, Upload, World
from tribute.rewards.allocation import HARMFUL, harm_by_name

NAME = "attacked"
POLICY = ScreeningPolicy()
"""Every check at its default. What a check holds waits for a person, and is not trained on here."""
SEVERAL = 5
HARM_SHARE = 0.25


@dataclass(frozen=True)
class Defence:
    """Which checks run, and over how many bank accounts of the attacker pay is netted: 0 where it is not."""

    screening: ScreeningPolicy
    accounts: int = 0
    seals_later: bool = False
    """Whether pay follows from evaluation rows that were sealed after everybody contributed (`sealed_later`)."""


DEFENCES = {
    "exact": Defence(BASIC),
    "screening": Defence(POLICY),
    "payees": Defence(POLICY, 1),
    f"payees-{SEVERAL}": Defence(POLICY, SEVERAL),
    "sealed-later": Defence(POLICY, 1, seals_later=True),
    "harm-out": Defence(POLICY.model_copy(update={"harm_share": HARM_SHARE}), 1),
    "harm-alone": Defence(BASIC.model_copy(update={"harm_share": HARM_SHARE}), 1),
}
"""Name → the checks that every dataset has; all at their defaults; these with pay netted by payee, where the attacker
has one bank account for all names, or several; with one account where what leaked is not what pays; and with one where
harmful rows are taken out, after all other checks and after those of every dataset alone."""


@dataclass(frozen=True)
class Trained:
    """The rows that reach the training, in the order of the log, and how many of each name did not."""

    rows: Sequence[ContributedRow]
    refused: int
    """Rows that intake refuses."""
    excluded: dict[str, int]
    """Reason → rows that are left out."""
    harm: Mapping[str, Decimal] = field(default_factory=dict)
    """Name → what those of its rows took off the gain that were left out as harmful, nats."""

    def without(self, harmful: Sequence[bool], nats: Sequence[float]) -> "Trained":
        """Less the harmful rows, which took `nats` off the gain."""
        lines = [
            (row.contributor_id, HARMFUL, Decimal(f"{-own:.6f}"))
            for row, out, own in zip(self.rows, harmful, nats, strict=True)
            if out
        ]
        rows = [row for row, out in zip(self.rows, harmful, strict=True) if not out]
        reasons = self.excluded | ({HARMFUL: len(lines)} if lines else {})
        return replace(self, rows=rows, excluded=reasons, harm=harm_by_name(lines))

    @property
    def left_out(self) -> int:
        """Rows that intake refuses or screening leaves out."""
        return self.refused + sum(self.excluded.values())

    def rows_of(self, names: set[str]) -> int:
        """How many of these contributors' rows are trained on."""
        return sum(row.contributor_id in names for row in self.rows)

    @property
    def content(self) -> list[tuple[str, str, str]]:
        """Name, text and label of every row: what the training and the pay follow from."""
        return [(row.contributor_id, row.row.text, row.row.target) for row in self.rows]


def schema_of(world: World, tokenizer: Tokenizer | None) -> DatasetSchema:
    """The dataset's schema; with a tokenizer rows compare as the base reads them, too."""
    reads = tokenizer.sha256 if tokenizer else ""
    return DatasetSchema(name=NAME, task="sequence-classification", labels=world.labels, tokenizer=reads)


def trained_rows(
    world: World, uploads: Sequence[Upload], tokenizer: Tokenizer | None, policy: ScreeningPolicy = POLICY
) -> Trained:
    """What is left of `uploads` after intake and screening against the world's sealed evaluation."""
    schema = schema_of(world, tokenizer)
    in_place = sorted(uploads, key=lambda upload: not upload.committed)
    rows = [
        row
        for number, upload in enumerate(in_place)
        for row in contributed(f"c{number:04d}", upload.contributor_id, _accepted(upload.rows, schema))
    ]
    sealed = contributed("evaluation", "", _accepted([*world.evaluation, *world.unpaid, *world.retired], schema))
    keys = named_ids(schema, tokenizer) if tokenizer else None
    out = excluded(rows, find(Screening(rows, sealed, schema, policy, token_keys=keys)), {})
    left_out = {finding.row.row_id for finding in out}
    reasons: dict[str, int] = {}
    for finding in out:
        reasons[finding.reason] = reasons.get(finding.reason, 0) + 1
    refused = sum(len(upload.rows) for upload in uploads) - len(rows)
    return Trained([row for row in rows if row.row_id not in left_out], refused, reasons)


def _accepted(pairs: Sequence[Pair], schema: DatasetSchema) -> Iterator[Row]:
    """The rows without a fault, as `tribute contribute --skip-faulty` takes them; those it keeps count from 1."""
    line = 0
    for text, label in pairs:
        try:
            values = check_values({"text": text, "label": label}, schema)
        except RowError:
            continue
        line += 1
        yield as_row(line, values, schema)
