"""What a period costs from 10,000 rows of 1,000 contributors to 1,000,000 rows of 100,000: seconds and memory.

    python benchmarks/rewards.py                    # all sizes, each in a process of its own; writes the page
    python benchmarks/rewards.py --rows 100000      # one size, in this process; prints its figures

A synthetic dataset and attribution of ten rows a contributor; every tenth contributor's credit is below zero, one
row in a hundred was excluded. The policy holds back a fifth, so that the journal has two entries for each amount.
Writes docs/benchmarks/rewards.md.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tribute.artifacts import Artifact
from tribute.attribution.combine import ATTRIBUTION
from tribute.contributions.releases.dataset import DATASET
from tribute.rewards.period import PaidFrom, PeriodRequest, write_period
from tribute.rewards.statements.page_parts import RegistryTexts
from tribute.rewards.statements.statements import write_statements
from tribute.rewards.verification.verify import verified
from tribute.rewards.verification.workspace_checks import verify_in_workspace
from tribute.workspace import Workspace

SIZES = (10_000, 100_000, 1_000_000)
ROWS_EACH = 10
STATEMENTS = 300
ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks" / "rewards.md"
ABOUT = """# What a period costs

Written by `python benchmarks/rewards.py` on {machine}, Python {python}, one thread;
{load:.1f} other processes were running when it began. Ten rows a contributor; every tenth contributor's credit is
below zero, one row in a hundred was excluded; the policy holds back a fifth, so that the journal has two entries for
each amount. Every size runs in a process of its own. Seconds on the clock, CPU seconds in brackets; they differ
where other work kept the cores busy.

{table}

**Write** makes the draft: allocation, ledger, balances, every file of the folder, synced to the disk. **Verify** is
`tribute verify period`: everything in the folder recomputed, and held against the ledger, with 1,000 statements'
proofs. Asked for, for a million rows: write and verify in 60 seconds and
3 GB. Memory is the most that was resident, after both.

{beside}

**Outsider** is `tools/verify_rewards.py` on the folder. **Statements** are made on demand, page and JSON, {count} in a
row: so many a CPU second once the period is read, which takes the time beside it. Asked for: 100 a second.
"""
POLICY = """
id: benchmark
version: v1.0.0
description: A fifth is held back, a tenth goes to the reserve.
kappa: "1"
gate: {leave_one_out_margin: null, duplicate_excluded: null, shuffled_below_zero: null, seed_split: null}
split: {platform: "0", model_owner: "0", reserve: "0.1", contributors: "0.9"}
holdback: {part: "0.2", days: 60}
"""

UNKNOWN = dict.fromkeys(("proxy", "lds", "coalitions", "coverage", "controls"))
NOBODY = {"contributors": [], "seeds": 0} | dict.fromkeys(("spearman", "credit_spearman", "slope", "ceiling"))
MEASURED = {"seeds": [0, 1, 2], "confidence": 0.9, "trainings": 3.0, "total": 0.9, "seed_agreement": 0.9}
NAMED = {"validation": "off", "method": "in-run", "baselines": {}}
CARD = UNKNOWN | MEASURED | NAMED | {"seed_split": 0.1, "leave_one_out": NOBODY}
"""What `attribution.validation: off` writes; the policy above asks nothing of it."""


def dataset(folder: Path, rows: int) -> None:
    """The tables of a dataset version: `rows` trained on, one in a hundred more excluded."""
    names = [f"c{number:06d}" for number in range(rows // ROWS_EACH)]
    owners = np.repeat(names, ROWS_EACH)
    hashes = [sha256(str(number).encode()).hexdigest() for number in range(rows)]
    ids = [f"{owner}-1:{number % ROWS_EACH + 1}" for number, owner in enumerate(owners)]
    train = {
        "row_id": ids,
        "contribution_id": [f"{owner}-1" for owner in owners],
        "contributor_id": owners,
        "text": pa.repeat("text", rows),
        "target": pa.repeat("target", rows),
        "slice": pa.repeat("all", rows),
        "text_sha256": hashes,
        "content_sha256": hashes,
    }
    pq.write_table(pa.table(train), folder / "train.parquet")
    pq.write_table(pa.table(train).slice(0, 0), folder / "evaluation.parquet")
    out = range(0, rows, 100)
    exclusions = {
        "row_id": [f"{owners[n]}-1:{ROWS_EACH + 1}" for n in out],
        "contribution_id": [f"{owners[n]}-1" for n in out],
        "contributor_id": [owners[n] for n in out],
        "reason": pa.repeat("duplicate", len(out)),
        "canonical_row_id": [ids[n] for n in out],
        "canonical_contributor_id": [owners[n] for n in out],
        "similarity": pa.repeat(1.0, len(out)),
        "threshold": pa.repeat(1.0, len(out)),
        "text_sha256": [hashes[n] for n in out],
        "content_sha256": [hashes[n] for n in out],
        "canonical_content_sha256": [hashes[n] for n in out],
        "detector": pa.repeat("exact", len(out)),
        "detector_version": pa.repeat("1", len(out)),
    }
    pq.write_table(pa.table(exclusions), folder / "exclusions.parquet")
    more = {owners[n] for n in out}
    about = {
        "tag": "benchmark@v1.0.0",
        "contributors": {
            name: {"name": name, "rows_submitted": ROWS_EACH + (name in more), "licence": "CC0-1.0"} for name in names
        },
        "dvc_md5": "0123456789abcdef0123456789abcdef.dir",
        "contributions": {},
        "ledger_head": "0" * 64,
    }
    (folder / "dataset.json").write_text(json.dumps(about), encoding="utf-8")


def attribution(folder: Path, rows: int) -> None:
    """Credits, shares and tokens; three seeds' worth of uncertainty."""
    chance = np.random.default_rng(1)
    names = np.array([f"c{number:06d}" for number in range(rows // ROWS_EACH)])
    strength = np.where(np.arange(len(names)) % 10 == 0, -1.0, chance.gamma(2.0, size=len(names)))
    credit = np.repeat(strength, ROWS_EACH) * 1e-6 + chance.normal(0, 1e-7, rows)
    owners = np.repeat(names, ROWS_EACH)
    scores = {
        "row_id": [f"{owner}-1:{number % ROWS_EACH + 1}" for number, owner in enumerate(owners)],
        "contributor_id": owners,
        "query": pa.repeat("all", rows),
        "credit": credit,
    }
    pq.write_table(pa.table(scores), folder / "scores.parquet")
    total = credit.reshape(-1, ROWS_EACH).sum(axis=1)
    error = np.abs(total) * 0.05
    clipped = total.clip(min=0)
    shares = {
        "contributor_id": names,
        "credit": total,
        "share": clipped / clipped.sum(),
        "se": error,
        "low": total - 1.645 * error,
        "high": total + 1.645 * error,
        "method": pa.repeat("in-run", len(names)),
        "seeds": pa.repeat(3, len(names)),
        "trainings": pa.repeat(3, len(names)),
    }
    pq.write_table(pa.table(shares), folder / "shares.parquet")
    effects = {name: [] for name in ("contributor_id", "rows", "effect", "effect_se", "predicted", "credit", "seeds")}
    pq.write_table(pa.table(effects), folder / "effects.parquet")
    tokens = {"contributor_id": names, "rows": pa.repeat(ROWS_EACH, len(names)), "tokens": pa.repeat(99, len(names))}
    pq.write_table(pa.table(tokens), folder / "tokens.parquet")
    (folder / "card.json").write_text(json.dumps(CARD), encoding="utf-8")


def draft(root: Path, data: Artifact, credits: Artifact) -> Artifact:
    """The period's draft in a new workspace."""
    policy = root / "policy.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    request = PeriodRequest(policy, "2026-11", [("1000000.00", "EUR")])
    return write_period(Workspace.create(root / "workspace"), PaidFrom(data, [], credits, {}), request)


def peak() -> float:
    """The most memory that this process ever held, GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def measure(rows: int) -> dict[str, Any]:
    """Seconds of each step, and GB at its peak after writing and verifying."""
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        store = Workspace.create(root / "workspace").store
        data = store.make(DATASET, {}, {}, lambda folder: dataset(folder, rows))
        credits = store.make(ATTRIBUTION, {}, {}, lambda folder: attribution(folder, rows))
        started = clocks()
        period = draft(root, data, credits)
        written = clocks()
        verify_in_workspace(Workspace.open(root / "workspace"), verified(period.path)[0])
        checked = clocks()
        memory = peak()
        tool = [sys.executable, ROOT / "tools" / "verify_rewards.py", period.path]
        subprocess.run(tool, check=True, stdout=subprocess.DEVNULL)
        outside = clocks()
        reading, making = statements(root, rows // ROWS_EACH)
        size = sum(path.stat().st_size for path in period.path.rglob("*"))
    return {
        "rows": rows,
        "contributors": rows // ROWS_EACH,
        "write": since(started, written),
        "verify": since(written, checked),
        "outsider": since(checked, outside),
        "reading": reading,
        "statements": STATEMENTS / making,
        "memory": memory,
        "folder_mb": size / 1e6,
    }


def statements(root: Path, contributors: int) -> tuple[float, float]:
    """CPU seconds of reading a period for one statement, and of making `STATEMENTS` more."""
    workspace, names = Workspace.open(root / "workspace"), [f"c{number:06d}" for number in range(contributors)]

    def words(contributor: str) -> RegistryTexts:
        return RegistryTexts("benchmark@v1.0.0", {contributor: contributor}, {})

    looks = [clocks()]
    for chosen in (names[:1], names[: STATEMENTS + 1]):
        write_statements(workspace, "2026-11", chosen, words)
        looks.append(clocks())
    reading = since(looks[0], looks[1])[1]
    return reading, since(looks[1], looks[2])[1] - reading


def clocks() -> tuple[float, float]:
    """Seconds on the clock, and CPU seconds of this process and of those that it waited for."""
    spent = os.times()
    return time.monotonic(), spent.user + spent.system + spent.children_user + spent.children_system


def since(before: tuple[float, float], now: tuple[float, float]) -> tuple[float, float]:
    """What passed between two looks at the clocks."""
    return now[0] - before[0], now[1] - before[1]


def machine() -> str:
    """The machine in words."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return f"{models[0].partition(': ')[2]}, {len(models)} cores, {platform.system()}"


def table(*columns: str) -> list[str]:
    """The head of a table of numbers."""
    return [f"| {' | '.join(columns)} |", f"|{'---:|' * len(columns)}"]


def page(found: list[dict[str, Any]], load: float) -> str:
    """The page with the figures of all sizes."""
    costs = table("rows", "contributors", "write", "verify", "µs of CPU a row", "peak memory", "folder")
    beside = table("rows", "outsider", "reading for statements", "statements a CPU second")
    for one in found:
        write, verify, outsider = ("{:.1f} ({:.1f})".format(*one[name]) for name in ("write", "verify", "outsider"))
        each = 1e6 * (one["write"][1] + one["verify"][1]) / one["rows"]
        sizes = f"{each:.0f} | {one['memory']:.2f} GB | {one['folder_mb']:.0f} MB"
        costs.append(f"| {one['rows']:,} | {one['contributors']:,} | {write} | {verify} | {sizes} |")
        beside.append(f"| {one['rows']:,} | {outsider} | {one['reading']:.1f} s | {one['statements']:.0f} |")
    about = {"machine": machine(), "python": platform.python_version(), "load": load, "count": STATEMENTS}
    return ABOUT.format(**about, table="\n".join(costs), beside="\n".join(beside))


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int)
    rows = parser.parse_args().rows
    if rows:
        print(json.dumps(measure(rows)))
        return
    found, load = [], os.getloadavg()[0]
    for size in SIZES:
        command = [sys.executable, __file__, "--rows", str(size)]
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        found.append(json.loads(told.stdout))
    PAGE.write_text(page(found, load), encoding="utf-8")


if __name__ == "__main__":
    main()
