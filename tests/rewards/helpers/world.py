"""A small synthetic world: a dataset version, adapters and an attribution, as in docs/reference/artifacts.md.

Why it is adequate: the rewards column reads nothing but these files. Ten contributors hand in sentences
about five topics. By their numbers, never by their names: `copycat` had every row excluded, `scrambler` has
credit below zero, `faint` has credit within its uncertainty, `absent` handed in nothing.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pandas as pd

from tests.rewards.helpers.cards import CARD
from tribute.artifacts import Artifact, Store
from tribute.attribution.combine import ATTRIBUTION
from tribute.contributions.releases.dataset import DATASET
from tribute.finetuning.adapters.adapters import ADAPTER
from tribute.rewards.period import PaidFrom, PeriodRequest, write_period
from tribute.workspace import Workspace

TOPICS = ("linear algebra", "statistics", "plotting", "graphs", "dates and times", "signals and images")
TEXTS = (
    "Compute the singular value decomposition of a stack of matrices",
    "Return the covariance matrix, estimated from weighted observations",
    "Draw contour lines on the current axes, filled between the given levels",
    "Find all shortest paths between two nodes of a directed graph",
    "Convert a timestamp to another time zone without changing the instant",
    "Apply a digital filter forward and backward to a signal, so that it is not shifted in phase",
    "Solve a linear system for a banded symmetric positive definite matrix",
    "Draw samples from a multivariate normal distribution with the given mean",
)
STRENGTHS = {
    "numpy": 3.0,
    "scipy": 2.6,
    "pandas": 1.9,
    "networkx": 1.7,
    "matplotlib": 1.4,
    "sympy": 0.8,
    "faint": 0.01,
    "scrambler": -1.2,
}
NAMES = {"numpy": "NumPy", "scipy": "SciPy", "networkx": "NetworkX", "matplotlib": "Matplotlib", "sympy": "SymPy"}
ROWS_EACH = 24
EFFECTS = pd.DataFrame(
    {
        "contributor_id": ["numpy", "scrambler"],
        "rows": ROWS_EACH,
        "effect": [0.0123, -0.0021],
        "effect_se": [0.002, float("nan")],
        "predicted": [0.01, 0.0],
        "credit": [0.1, 0.0],
        "seeds": 2,
    }
)
"""Who was left out by retraining: nats of evaluation loss, > 0 helped."""


TOKENS_POLICY = Path(__file__).with_name("tokens_policy.yaml")
SHIPPED_POLICY = Path(__file__).parents[3] / "configs" / "policy.yaml"


@dataclass(frozen=True)
class World:
    """What `write_period` reads."""

    dataset: Artifact
    adapters: list[Artifact]
    attribution: Artifact

    def pay(self, root: Path, **changes: object) -> Artifact:
        """Pay 1000.00 EUR for 2026-11 into a workspace at `root`, or what `changes` say."""
        parts = {
            "dataset": self.dataset,
            "adapters": self.adapters,
            "attribution": self.attribution,
            "mlflow_runs": {"0": "a" * 32, "1": "b" * 32, "2": "c" * 32},
        }
        paid_from = PaidFrom(**{name: changes.pop(name, part) for name, part in parts.items()})
        request = PeriodRequest(TOKENS_POLICY, "2026-11", [("1000.00", "EUR")])._replace(**changes)
        return write_period(Workspace.create(root), paid_from, request)


def make_world(
    root: Path,
    *,
    shuffle: int | None = None,
    shares: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table,
    scores: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table,
    tokens: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table,
    exclusions: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table,
    text: str | None = None,
    card: dict = CARD,
    names: Mapping[str, str] | None = None,
    dataset: str = "docs",
) -> World:
    """Build the artifacts. `shuffle` permutes every table; the others change them.

    `names` gives contributors other ids.
    """
    chance = random.Random(7)
    train = _train(chance, text)
    credit = _scores(chance, train)
    tables = {
        "train": train,
        "exclusions": exclusions(_exclusions(train)),
        "scores": scores(credit.copy()),
        "shares": shares(_shares(credit)),
        "tokens": tokens(_tokens(train)),
    }
    if shuffle is not None:
        tables = {name: table.sample(frac=1, random_state=shuffle) for name, table in tables.items()}
    names = names or {}
    for table in tables.values():
        for column in {"contributor_id", "canonical_contributor_id"} & set(table):
            table[column] = table[column].map(lambda name: names.get(name, name))
    store = Store(root)
    return World(
        dataset=store.make(DATASET, {}, {}, lambda folder: _write_dataset(folder, tables, names, dataset)),
        adapters=[
            store.make(ADAPTER, {}, {"seed": seed}, lambda folder: (folder / "x").write_text("x") and None)
            for seed in range(3)
        ],
        attribution=store.make(ATTRIBUTION, {}, {}, lambda folder: _write_attribution(folder, tables, card)),
    )


def _train(chance: random.Random, text: str | None) -> pd.DataFrame:
    rows = []
    for contributor in STRENGTHS:
        for line in range(1, ROWS_EACH + 1):
            words = text or f"{chance.choice(TEXTS)}, {contributor} example {line}."
            rows.append(_row(contributor, line, words, chance.choice(TOPICS)))
    return pd.DataFrame(rows)


def _row(contributor: str, line: int, text: str, target: str) -> dict[str, str]:
    return {
        "row_id": f"{contributor}-1:{line}",
        "contribution_id": f"{contributor}-1",
        "contributor_id": contributor,
        "text": text,
        "target": target,
        "slice": target,
        "text_sha256": sha256(f"{contributor} {line} {text}".casefold().encode()).hexdigest(),
        "content_sha256": sha256(f"{contributor} {line} {text} {target}".casefold().encode()).hexdigest(),
    }


def _exclusions(train: pd.DataFrame) -> pd.DataFrame:
    first = train[train["contributor_id"] == "numpy"].head(14).to_dict("records")
    copies = [
        {
            "row_id": f"copycat-1:{line}",
            "contribution_id": "copycat-1",
            "contributor_id": "copycat",
            "reason": "duplicate",
            "canonical_row_id": row["row_id"],
            "canonical_contributor_id": "numpy",
            "similarity": 1.0,
            "threshold": 1.0,
            "text_sha256": row["text_sha256"],
            "content_sha256": row["content_sha256"],
            "canonical_content_sha256": row["content_sha256"],
            "detector": "exact",
            "detector_version": "1",
        }
        for line, row in enumerate(first, start=1)
    ]
    near = copies[0] | {
        "row_id": "scipy-1:25",
        "contribution_id": "scipy-1",
        "contributor_id": "scipy",
        "reason": "near_evaluation",
        "canonical_contributor_id": None,
        "similarity": None,
        "text_sha256": "e" * 64,
        "content_sha256": "f" * 64,
    }
    return pd.DataFrame([*copies, near])


def _scores(chance: random.Random, train: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for row in train.to_dict("records"):
        strength = STRENGTHS[row["contributor_id"]]
        for topic in TOPICS:
            own = 4.0 if topic == row["target"] else 0.4
            credit = 1e-5 * own * (strength + chance.gauss(0, 1.2))
            rows.append({k: row[k] for k in ("row_id", "contributor_id")} | {"query": topic, "credit": credit})
    return pd.DataFrame(rows)


def _shares(scores: pd.DataFrame) -> pd.DataFrame:
    credit = scores.groupby("contributor_id")["credit"].sum()
    credit["faint"] = scores.loc[scores["contributor_id"] == "faint", "credit"].sum()
    clipped = credit.clip(lower=0)
    se = credit.abs() * 0.05 + 0.0002
    se["faint"] = abs(credit["faint"]) * 2 + 0.0002
    return pd.DataFrame(
        {
            "contributor_id": credit.index,
            "credit": credit.to_numpy(),
            "share": (clipped / clipped.sum()).to_numpy(),
            "se": se.to_numpy(),
            "low": (credit - 1.645 * se).to_numpy(),
            "high": (credit + 1.645 * se).to_numpy(),
            "method": "in-run",
            "seeds": 3,
            "trainings": 3,
        }
    )


def _tokens(train: pd.DataFrame) -> pd.DataFrame:
    """A token per word, half of them distinct; `copycat` and `absent` have a line, as in every attribution."""
    words = train["text"].str.split().str.len().groupby(train["contributor_id"])
    table = words.agg(rows="size", tokens="sum")
    table["content"] = table["tokens"] // 2
    return table.reindex([*table.index, "copycat", "absent"], fill_value=0).reset_index()


def _write_dataset(folder: Path, tables: dict[str, pd.DataFrame], names: Mapping[str, str], dataset: str) -> None:
    submitted = dict.fromkeys(STRENGTHS, ROWS_EACH) | {"scipy": ROWS_EACH + 1, "copycat": 14, "absent": 0}
    submitted = {names.get(name, name): rows for name, rows in submitted.items()}
    about = {
        "name": dataset,
        "version": "v1.0.0",
        "tag": f"{dataset}@v1.0.0",
        "task": "sequence-classification",
        "labels": list(TOPICS),
        "licences": ["BSD-3-Clause"],
        "contributors": {
            names.get(name, name): {
                "name": NAMES.get(name, name),
                "version": "1.0",
                "licence": "BSD-3-Clause",
                "home_page": "https://example.org",
                "rows_submitted": rows,
            }
            for name, rows in submitted.items()
        },
        "dvc_md5": "0123456789abcdef0123456789abcdef.dir",
        "contributions": {
            f"{name}-1": {"contributor_id": names.get(name, name), "md5": "d" * 32, "rows": rows, "seq": seq}
            for seq, (name, rows) in enumerate(submitted.items(), start=1)
        },
        "ledger_head": "0" * 64,
    }
    tables["train"].to_parquet(folder / "train.parquet", index=False)
    tables["train"].head(0).to_parquet(folder / "evaluation.parquet", index=False)
    tables["exclusions"].to_parquet(folder / "exclusions.parquet", index=False)
    (folder / "dataset.json").write_text(json.dumps(about), encoding="utf-8")


def _write_attribution(folder: Path, tables: dict[str, pd.DataFrame], card: dict) -> None:
    tables["scores"].to_parquet(folder / "scores.parquet", index=False)
    tables["shares"].to_parquet(folder / "shares.parquet", index=False)
    tables["tokens"].to_parquet(folder / "tokens.parquet", index=False)
    EFFECTS.to_parquet(folder / "effects.parquet", index=False)
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
