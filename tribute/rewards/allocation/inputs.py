"""What a period is paid from: the files of a dataset version and of an attribution, read and checked once.

Reads only the documented files (docs/reference/artifacts.md), so no other column has to be imported.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tribute.artifacts import Artifact
from tribute.errors import IntegrityError, RewardError
from tribute.ids import ID_IN_WORDS, is_id
from tribute.rewards.allocation.card_figures import Card
from tribute.rewards.allocation.weights import ContributorScore, exact_score, harm_by_name
from tribute.strict import parse_json

_TRAIN = ["row_id", "contributor_id", "text", "target", "text_sha256", "content_sha256"]
_EXCLUSIONS = [
    "row_id",
    "contributor_id",
    "reason",
    "canonical_contributor_id",
    "similarity",
    "threshold",
    "text_sha256",
    "content_sha256",
    "canonical_content_sha256",
    "detector",
    "detector_version",
]
_SCORES = ["row_id", "contributor_id", "query", "credit"]
_SHARES = ["contributor_id", "credit", "se", "low", "high", "seeds"]
_TOKENS = ["contributor_id", "tokens"]
_CONTENT = "content"


@dataclass(frozen=True)
class Share:
    """A contributor's signed credit with its standard error and interval, all in nats."""

    credit: Decimal
    se: Decimal
    low: Decimal | None
    """None, as `high`: too few rows for an interval."""
    high: Decimal | None
    seeds: int

    @property
    def surely_below(self) -> Decimal:
        """What has to be below 0 for a credit to be surely so: the upper end, or where there is none, never."""
        return max(self.credit, Decimal(0)) if self.high is None else self.high


@dataclass(frozen=True)
class Sources:
    """Everything that is read; tables are Arrow tables with the columns of docs/reference/artifacts.md."""

    dataset: Mapping[str, Any]
    train: Any
    exclusions: list[dict[str, Any]]
    scores: Any
    shares: Mapping[str, Share]
    tokens: Mapping[str, int]
    """Contributor → training tokens after deduplication."""
    content: Mapping[str, int] | None
    """Contributor → distinct word shingles; None in an attribution that was made before version 0.2.0."""
    card: Card
    card_file: Path
    remedy: str
    """What to do where the attribution cannot be paid, for error messages."""
    payees: Mapping[str, str] = field(default_factory=dict)
    """Contributor → payee, of payees with several contributors, where the policy nets by payee."""

    @property
    def confidence(self) -> float:
        """Coverage of the intervals, such as 0.9."""
        return float(self.card["confidence"])

    @property
    def harm(self) -> dict[str, Decimal]:
        """Contributor → what its rows that were left out as harmful took off the gain, nats."""
        return harm_by_name(
            (row["contributor_id"], row["reason"], with_six_decimals(row["similarity"])) for row in self.exclusions
        )

    def claims(self) -> list[ContributorScore]:
        """One for every contributor of the dataset, with credit 0 where the attribution has no line."""
        trained = Counter(self.train["contributor_id"].to_pylist())
        excluded = Counter(row["contributor_id"] for row in self.exclusions)
        nothing = exact_score(0.0, "credit", "")
        claims = []
        for name, about in sorted(self.dataset["contributors"].items()):
            share = self.shares.get(name)
            submitted = int(about["rows_submitted"])
            credit, se, high = (share.credit, share.se, share.surely_below) if share else (nothing, nothing, nothing)
            counts = (submitted, trained[name], excluded[name])
            content = (self.content or {}).get(name, 0)
            claims.append(ContributorScore(name, credit, se, *counts, high, self.tokens.get(name, 0), content))
        return claims


def with_six_decimals(value: float | None) -> Decimal | None:
    """With 6 decimals, as exclusions.csv has it; None where a detector has none."""
    return None if value is None or math.isnan(value) else Decimal(f"{value:.6f}")


def read_sources(dataset: Artifact, attribution: Artifact) -> Sources:
    """Read a dataset version and an attribution. Raises RewardError where they do not fit together."""
    about = _json(dataset.file("dataset.json"))
    shares = _shares(attribution.file("shares.parquet"))
    sources = Sources(
        dataset=about,
        train=_table(dataset.file("train.parquet"), _TRAIN),
        exclusions=_table(dataset.file("exclusions.parquet"), _EXCLUSIONS).to_pylist(),
        scores=_table(attribution.file("scores.parquet"), _SCORES),
        shares=shares,
        tokens=_counts(attribution.file("tokens.parquet"), "tokens") or {},
        content=_counts(attribution.file("tokens.parquet"), "content"),
        card=_json(attribution.file("card.json")),
        card_file=attribution.file("card.json"),
        remedy=_remedy(attribution.path),
    )
    _check_contributors(sources, dataset.path, attribution.path)
    return sources


def _check_contributors(sources: Sources, dataset: Path, attribution: Path) -> None:
    known = set(sources.dataset["contributors"])
    for name in sorted(known):
        # The id becomes a file name below.
        if not is_id(name):
            raise RewardError(
                f"{dataset / 'dataset.json'}: contributor id {name!r}, expected {ID_IN_WORDS}; "
                f"delete {dataset} and run again"
            )
    trained = set(sources.train["contributor_id"].to_pylist())
    for names, file in (
        (set(sources.shares), attribution / "shares.parquet"),
        (set(sources.tokens), attribution / "tokens.parquet"),
        (trained, dataset / "train.parquet"),
        ({row["contributor_id"] for row in sources.exclusions}, dataset / "exclusions.parquet"),
    ):
        if strangers := sorted(names - known):
            raise RewardError(
                f"{file}: {strangers[0]} is not a contributor of {sources.dataset['tag']}; "
                "attribute an adapter that was trained on this version"
            )
    if missing := sorted(trained - set(sources.shares)):
        raise RewardError(
            f"{attribution / 'shares.parquet'}: no line for {missing[0]}, who has rows in train.parquet; "
            f"{sources.remedy}"
        )
    if missing := sorted(name for name in trained if sources.tokens.get(name, 0) <= 0):
        raise RewardError(
            f"{attribution / 'tokens.parquet'}: no tokens of {missing[0]}, who has rows in train.parquet; "
            f"{sources.remedy}"
        )


def _remedy(attribution: Path) -> str:
    """The same command would find the same folders, so they have to go first."""
    credits = attribution.parent.with_name("credit")
    return f"delete {attribution} and run again; if it comes back the same, delete {credits} too"


def _shares(path: Path) -> dict[str, Share]:
    shares = {}
    for row in _table(path, _SHARES).to_pylist():
        name = row["contributor_id"]
        try:
            # pandas writes NaN as null.
            credit, se = (
                exact_score(math.nan if row[key] is None else row[key], key, name) for key in ("credit", "se")
            )
            low, high = _interval(row, name)
        except RewardError as error:
            raise RewardError(f"{path}: {error}; {_remedy(path.parent)}") from error
        if se < 0:
            raise RewardError(f"{path}: {name}: se is {se}, expected 0 or more; {_remedy(path.parent)}")
        shares[name] = Share(credit, se, low, high, int(row["seeds"]))
    return shares


def _interval(row: Mapping[str, Any], name: str) -> tuple[Decimal | None, Decimal | None]:
    """Both ends, or neither where there are too few rows. Raises RewardError for one alone."""
    ends = [row["low"], row["high"]]
    if ends == [None, None]:
        return None, None
    low, high = (
        exact_score(math.nan if end is None else end, key, name) for key, end in zip(("low", "high"), ends, strict=True)
    )
    return low, high


def _counts(path: Path, column: str) -> dict[str, int] | None:
    """Contributor → count; None where the file has no such column."""
    table = _table(path, _TOKENS, (_CONTENT,))
    if column not in table.column_names:
        return None
    return {row["contributor_id"]: int(row[column]) for row in table.to_pylist()}


def _table(path: Path, columns: list[str], later: Sequence[str] = ()) -> Any:
    """`later` columns are read where the file has them."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise IntegrityError(f"{path}: cannot be read ({error}); delete the folder and run again") from error
    if missing := [name for name in columns if name not in table.column_names]:
        raise IntegrityError(f"{path}: no column {missing[0]}, expected {columns}; delete the folder and run again")
    return table.select([*columns, *(name for name in later if name in table.column_names)])


def _json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{path}: cannot be read ({error}); delete the folder and run again") from error
    return content
