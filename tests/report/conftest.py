"""Synthetic artifacts in the documented schemas, put where a run would put them, planted cases included."""

import csv
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tribute.artifacts import Artifact, Kind, Store, write_manifest
from tribute.digests import canonical_digest
from tribute.rewards.allocation import allocate as allocation
from tribute.rewards.allocation.gate import judge
from tribute.rewards.period.draft import REWARDS
from tribute.rewards.policy.policy import Gate
from tribute.rewards.tables import ALLOCATION
from tribute.workspace import Workspace

PACKAGES = (
    *("numpy", "scipy", "scikit-learn", "pandas", "torch", "sympy", "networkx", "matplotlib", "sqlalchemy"),
    *("aiohttp", "fastapi", "mlflow", "prefect", "transformers", "peft", "rich", "python"),
)
TOPICS = (
    *("linear algebra", "statistics", "plotting", "graphs", "dates and times", "databases", "networking"),
    *("concurrency", "symbolic mathematics", "neural networks", "files and formats", "signals and images"),
    *("optimisation", "text processing", "dataframes and arrays"),
)
SCRIPT = "<script>alert('a row')</script> Return the sum of the array's elements & more."
SEEDS = (0, 1, 2)
CHECKED = {
    "validation": "full", "method": "in-run + rate design", "trainings": 61.25, "seed_split": 0.118,
    "proxy": {"layers": [5], "spearman": 0.93},
    "leave_one_out": {
        "contributors": ["numpy", "scipy", "scrambler"], "seeds": 3, "spearman": 0.94, "credit_spearman": 0.81,
        "slope": 0.97, "ceiling": 0.96,
    },
    "lds": {
        "subsets": 100, "removed": 0.2, "seeds": 2, "score": 0.861, "without_harmful": 0.842, "noisy_rows": 0.744,
        "ceiling": 0.774,
    },
    "coalitions": {"count": 95, "error": 3.14}, "coverage": {"trials": 210, "covered": 0.9048},
    "controls": {
        "duplicate": {"rows": 32, "excluded": 32},
        "shuffled": {"rows": 32, "credit": -0.0313, "low": -0.0401, "high": -0.0225},
        "irrelevant": {"rows": 32, "credit": 0.0004, "low": -0.0031, "high": 0.0039},
        "outliers": {"rows": 32, "credit": -0.0021, "low": -0.0102, "high": 0.006},
        "split": {"names": 10, "change": 1e-17, "share_change": 0.002},
    },
    "baselines": {
        "rows": {"leave_one_out": 0.53, "lds": 0.12}, "tokens": {"leave_one_out": 0.55, "lds": 0.13},
        "bm25": {"leave_one_out": 0.61, "lds": 0.22}, "embedding": {"leave_one_out": 0.64, "lds": None},
        "gradient_dot": {"leave_one_out": 0.76, "lds": 0.41}, "end_of_training": {"leave_one_out": 0.7, "lds": 0.31},
    },
}  # fmt: skip
"""What a full validation writes into the card; it passes the gate."""
UNCHECKED = {
    "validation": "off", "method": "in-run", "trainings": 4.0, "seed_split": None, "proxy": None, "lds": None,
    "coalitions": None, "coverage": None, "controls": None, "baselines": {}, "seed_agreement": None,
    "leave_one_out": {
        "contributors": [], "seeds": 0, "spearman": None, "credit_spearman": None, "slope": None, "ceiling": None,
    },
}  # fmt: skip
"""What a run without validation writes; nothing of it passes."""


@dataclass(frozen=True)
class Made:
    """A workspace with one finished run, and the tables that went into it."""

    workspace: Workspace
    run_id: str
    run: dict
    shares: list[dict]
    allocation: list[dict]
    scores: list[dict]
    exclusions: list[dict]
    card: dict
    evaluation: dict
    baselines: dict


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Made]:
    """Build a run; by default like the demo's: 19 contributors, 15 topics, classification."""

    def make(
        contributors=(*PACKAGES, "copycat", "scrambler"),
        topics=TOPICS,
        *,
        accuracy=True,
        pool=100000,
        held_out=0,
        **card,
    ):
        root, options = tmp_path / "demo", {"accuracy": accuracy, "pool": pool, "held_out": held_out}
        return build(root, list(contributors), list(topics), changes=card, **options)

    return make


@pytest.fixture
def made(make_run: Callable[..., Made]) -> Made:
    return make_run()


def build(
    root: Path, contributors: list[str], topics: list[str], *, accuracy: bool, pool: int, held_out: int, changes: dict
) -> Made:
    """Write every artifact the page reads; the numbers are drawn from one seed. `changes` are to the card.

    The first `held_out` rows of the first contributor watch the training.
    """
    dice = random.Random(7)
    workspace = Workspace.create(root)
    rows = {name: [] for name in contributors}
    for name in contributors:
        taught = dice.sample(topics, k=min(len(topics), dice.choice([2, 3, 4, 6])))
        size = 0 if name == "copycat" else max(3, int(dice.paretovariate(1.1) * 60) % 400)
        rows[name] = [_row(name, line, dice.choice(taught)) for line in range(1, size + 1)]
    exclusions = _exclusions(rows, contributors, topics)
    scores = [
        {
            "row_id": row["row_id"],
            "contributor_id": name,
            "query": topic,
            "credit": (-1 if name == "scrambler" else 1)
            * dice.gauss(4e-4 if topic == row["slice"] else 1e-6, 3e-4)
            / 4,
        }
        for name in contributors
        for row in rows[name][held_out if name == contributors[0] else 0 :]
        for topic in topics
    ]
    train = [row for name in contributors for row in rows[name]]
    shares = _shares(contributors, scores, dice)
    total = sum(line["credit"] for line in shares)
    about = _dataset_json(contributors, rows, exclusions, topics)
    store = workspace.store

    dataset = _artifact(
        store,
        "dataset",
        {"train": train, "evaluation": train[:1], "exclusions": exclusions},
        {"dataset": about},
    )
    baselines = {"zero_shot": {"accuracy": 0.481 if accuracy else None, "loss": 2.102}}
    if accuracy:
        baselines |= {
            "linear_probe": {"accuracy": 0.709, "loss": 0.914},
            "majority": {"accuracy": 0.071, "loss": 2.7},
        }
    before = baselines["zero_shot"]
    evaluation = {
        "rows": 743,
        "loss": before["loss"] - total,
        "accuracy": 0.698 if accuracy else None,
        "before": {"loss": before["loss"], "accuracy": before["accuracy"]},
        "slices": {topic: {"rows": 49, "loss": 0.9, "accuracy": 0.7} for topic in topics},
    }
    adapters = {
        str(seed): _artifact(
            store,
            "adapter",
            {},
            {"evaluation": evaluation, "curve": _curve(seed, total, every=20 if held_out else 0)},
            {"base": canonical_digest("base")},
            seed=seed,
        )
        for seed in SEEDS
    }
    measured = [total * factor for factor in (0.99, 1.0, 1.01)]
    card = {
        "seeds": list(SEEDS), "confidence": 0.9, "measured": measured,
        "integrated": [gain * 1.021 for gain in measured], "mismatch": [0.021, 0.021, 0.021], "total": total,
        "seed_agreement": 0.962,
        "points": 16, "sample": 256, "curve": _evaluation_curve(total),
        "stand_in": {"name": "probe", "weight": 1.0, "wanted": total, "gained": total, "sum": total * 1.0001},
    } | CHECKED | changes  # fmt: skip
    tested = [shares[0], shares[len(shares) // 2], shares[-1]]
    effects = [
        {
            "contributor_id": line["contributor_id"],
            "rows": len(rows[line["contributor_id"]]),
            "effect": line["credit"] * 0.3,
            "effect_se": 0.004,
            "credit": line["credit"],
            "seeds": 3,
        }
        for line in tested
    ]
    attribution = _artifact(
        store,
        "attribution",
        {"scores": scores, "shares": shares, "effects": effects},
        {"card": card},
        {f"credit-{seed}": canonical_digest(["credit", seed]) for seed in SEEDS}
        | {f"retrained-leave-out {line['contributor_id']}, seed 0": canonical_digest(line) for line in tested}
        | {f"{kind}-0": canonical_digest(kind) for kind in ("control", "influence")},
    )
    lines = _allocation(shares, contributors, rows, exclusions, pool)
    folder = workspace.rewards / "2026-11"
    folder.mkdir(parents=True)
    statements = workspace.statements / "2026-11"
    statements.mkdir(parents=True)
    for name in contributors:
        (statements / f"{name}.html").write_text("a statement")
    with (folder / "allocation.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(ALLOCATION), lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(lines)
    verdict = judge(card, Gate())
    for line in lines:
        line["rule"] = verdict.rule
    (folder / "gate.json").write_text(json.dumps(verdict.document()))
    tokens = [f"{name},{17 * len(own)}\r\n" for name, own in sorted(rows.items())]
    (folder / "tokens.csv").write_text("contributor_id,tokens\r\n" + "".join(tokens), newline="")
    policy = {"id": "credit-above-uncertainty", "version": "v1.0.0", "kappa": "1"}
    rewards = write_manifest(folder, REWARDS, {"policy": canonical_digest(policy)}, {"policy": policy}, {})
    run = {
        "run_id": "docs-3f9a1c2b4d5e", "tag": "docs@v1.0.0", "dataset": dataset.id,
        "adapters": {seed: adapter.id for seed, adapter in adapters.items()}, "champion_seed": 0,
        "baselines": _artifact(store, "baselines", {}, {"baselines": baselines}).id,
        "attribution": attribution.id,
        "period": "2026-11", "rewards": rewards,
        "mlflow_runs": {str(seed): canonical_digest(seed)[:32] for seed in SEEDS},
        "registered_model": "docs", "model_version": "1", "cached": ["contributions", "finetuning"],
        "seconds": {"contributions": 1.2, "finetuning": 0.9, "attribution": 131.4, "rewards": 3.1},
    }  # fmt: skip
    (workspace.runs / run["run_id"]).mkdir(parents=True)
    (workspace.runs / run["run_id"] / "run.json").write_text(json.dumps(run))
    return Made(workspace, run["run_id"], run, shares, lines, scores, exclusions, card, evaluation, baselines)


def _row(name: str, line: int, topic: str) -> dict:
    text = (
        SCRIPT if (name, line) == ("numpy", 1) else f"Sentence {line} of {name} about {topic}, as its authors put it."
    )
    return {
        "row_id": f"{name}-docs:{line}", "contribution_id": f"{name}-docs", "contributor_id": name,
        "text": text, "target": topic, "slice": topic, "text_sha256": canonical_digest(text),
        "content_sha256": canonical_digest([text, topic]),
    }  # fmt: skip


def _exclusions(rows: dict, contributors: list[str], topics: list[str]) -> list[dict]:
    found = []

    def exclude(name: str, line: int, reason: str, first: dict, similarity: float) -> None:
        row = _row(name, line, topics[0])
        found.append(
            {key: row[key] for key in ("row_id", "contribution_id", "contributor_id", "text_sha256", "content_sha256")}
            | {
                "reason": reason,
                "canonical_row_id": first["row_id"],
                "canonical_contributor_id": first["contributor_id"],
                "similarity": similarity,
                "threshold": 0.8,
                "canonical_content_sha256": first["content_sha256"],
                "detector": "sha256" if similarity == 1 else "minhash",
                "detector_version": "1",
            }
        )

    if "copycat" in contributors:
        for line, first in enumerate(rows["numpy"][:60], start=1):
            exclude("copycat", line, "duplicate", first, 1.0)
    for place, name in enumerate(contributors[1::3]):
        for line in range(900, 901 + place % 4):
            held_back = {
                "row_id": "held-back:1",
                "contributor_id": "evaluation",
                "content_sha256": canonical_digest(1),
            }
            exclude(name, line, "near_evaluation", held_back, 0.91)
        exclude(name, 950, "conflicting_label", rows[contributors[0]][0], 1.0)
    return found


def _shares(contributors: list[str], scores: list[dict], dice: random.Random) -> list[dict]:
    credit = dict.fromkeys(contributors, 0.0)
    for line in scores:
        credit[line["contributor_id"]] += line["credit"]
    paid = sum(max(value, 0.0) for value in credit.values())
    shares = []
    for name, value in credit.items():
        se = abs(value) * dice.uniform(0.05, 0.2) + 0.002 * (value != 0)
        shares.append(
            {
                "contributor_id": name,
                "credit": value,
                "share": max(value, 0.0) / paid,
                "se": se,
                "low": value - 1.645 * se,
                "high": value + 1.645 * se,
                "method": "in-run",
                "seeds": 3,
                "trainings": 3,
            }
        )
    return sorted(shares, key=lambda line: -line["credit"])


def _allocation(
    shares: list[dict], contributors: list[str], rows: dict, exclusions: list[dict], pool: int
) -> list[dict]:
    weights = {line["contributor_id"]: Fraction(max(0.0, line["credit"] - line["se"])) for line in shares}
    amounts = allocation.largest_remainder(pool, weights, "2026-11")
    lines = []
    for line in shares:
        name = line["contributor_id"]
        excluded = sum(row["contributor_id"] == name for row in exclusions)
        if amounts[name]:
            status = allocation.ACCRUED
        elif not rows[name]:
            status = allocation.ZERO_ALL_EXCLUDED
        else:
            below = line["credit"] < 0
            status = allocation.ZERO_CREDIT_BELOW_ZERO if below else allocation.ZERO_NOT_DISTINGUISHABLE
        lines.append(
            {name: "0" if column.is_number else "" for name, column in ALLOCATION.columns.items()}
            | {
                "period": "2026-11",
                "pool": "main",
                "contributor_id": name,
                "currency": "EUR",
                "exponent": "2",
                "rows_submitted": str(len(rows[name]) + excluded),
                "rows_canonical": str(len(rows[name])),
                "rows_excluded": str(excluded),
                "amount_minor": str(amounts[name]),
                "status": status,
            }
        )
    return sorted(lines, key=lambda line: line["contributor_id"])


def _dataset_json(contributors: list[str], rows: dict, exclusions: list[dict], topics: list[str]) -> dict:
    return {
        "name": "docs", "version": "v1.0.0", "tag": "docs@v1.0.0", "task": "sequence-classification",
        "labels": topics, "licences": ["BSD-3-Clause"], "dvc_md5": f"{canonical_digest('dvc')[:32]}.dir",
        "ledger_head": canonical_digest("ledger"),
        "contributors": {
            name: {"name": name, "version": "2.1.0", "licence": "BSD-3-Clause", "rows_submitted": 9}
            for name in contributors
        },
        "contributions": {
            f"{name}-docs": {
                "contributor_id": name, "md5": canonical_digest(name)[:32], "seq": place,
                "rows": len(rows[name]) + sum(row["contributor_id"] == name for row in exclusions),
            }
            for place, name in enumerate(contributors)
        },
    }  # fmt: skip


def _curve(seed: int, total: float, every: int = 0) -> dict:
    dice = random.Random(seed)
    loss = [2.1 - total * (1 - 2.718 ** (-step / 40)) for step in range(183)]
    points = [{"step": step, "loss": loss[step] + dice.gauss(0, 0.12), "learning_rate": 2e-3} for step in range(1, 183)]
    for point in points:
        if every and (point["step"] + 1) % every == 0:
            point["validation_loss"] = loss[point["step"]]
    return {"training": points}


def _evaluation_curve(total: float) -> list:
    return [{"step": step, "loss": 2.1 - total * (1 - 2.718 ** (-step / 40))} for step in range(0, 183, 13)]


def _artifact(store: Store, kind: str, tables: dict, documents: dict, inputs: dict | None = None, **config) -> Artifact:
    def write(folder: Path) -> None:
        for name, lines in tables.items():
            pq.write_table(pa.Table.from_pylist(lines), folder / f"{name}.parquet")
        for name, content in documents.items():
            (folder / f"{name}.json").write_text(json.dumps(content))

    return store.make(Kind(kind, "tribute.errors"), inputs or {}, config, write)
