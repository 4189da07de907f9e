"""Writes `rewards/<period>/`: all of it, or nothing.

    allocation.csv        one line per contributor of the version: credit, weight, quota, amount, status
    journal.csv           double entry, hash-chained
    exclusions.csv        rows that were not counted, and why
    evidence.parquet      credit per row and query, for auditors
    card.json             how far the credits can be trusted, as the attribution measured it
    gate.json             the card held against the policy's gate, and the rule that follows
    tokens.csv            training tokens per contributor, which pay where the card does not pass
    statements/<id>.html  one page per contributor
    control.json          control totals per currency (as text) and rows per table
    manifest.json         what it was made from and the sha256 of every file; kind `rewards`

An open period may be made again: the new folder is made beside, renamed into place, and only then the old
one goes. The same inputs are recognised by the manifest and not written twice.
"""

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tribute.artifacts import (
    MANIFEST,
    Artifact,
    artifact_key,
    canonical_digest,
    file_sha256,
    locked,
    read_artifact,
    stamp,
    sync,
    verify_artifact,
    write_manifest,
)
from tribute.errors import IntegrityError
from tribute.money import parse_amount
from tribute.rewards import evidence as evidences
from tribute.rewards import journal, tables
from tribute.rewards.allocation import Line, allocate
from tribute.rewards.gate import VERDICT, Verdict, judge
from tribute.rewards.policy import Policy, load_policy
from tribute.rewards.sources import Sources, read_sources
from tribute.rewards.statements import Period, StatementWriter, page_digests
from tribute.workspace import Workspace

POOL = "evaluation"
"""The name of the pool that pays for credit on the evaluation set."""


@dataclass(frozen=True)
class _Order:
    """Everything that decides the bytes of a period."""

    period: str
    last_day: str
    pool: int
    currency: str
    policy: Policy
    inputs: Mapping[str, str]

    @property
    def adapters(self) -> list[str]:
        """The adapters' ids, sorted."""
        return sorted(id_ for name, id_ in self.inputs.items() if name.startswith("adapter-"))

    @property
    def config(self) -> dict[str, Any]:
        """The manifest's config; numbers as text, since JSON knows only floats."""
        return {
            "period": self.period,
            "pool": POOL,
            "pool_minor": str(self.pool),
            "currency": self.currency,
            "policy": self.policy.model_dump(mode="json"),
            "page": page_digests(),
        }


def write_period(
    *,
    workspace: Workspace,
    dataset: Artifact,
    adapters: list[Artifact],
    attribution: Artifact,
    mlflow_runs: Mapping[str, str],
    policy: Path,
    period: str,
    pool_amount: str,
    currency: str,
) -> Artifact:
    """Pay a pool for a period, or find that exactly this is written already.

    `pool_amount` is plain decimal text in major units; `mlflow_runs` maps a seed to its run id.
    Raises ConfigError for a bad policy, RewardError for what cannot be paid; then nothing is left behind.
    """
    order = _Order(
        period=period,
        last_day=journal.last_day(period),
        pool=parse_amount(pool_amount, currency),
        currency=currency,
        policy=load_policy(policy),
        inputs={
            "dataset": dataset.id,
            "attribution": attribution.id,
            "policy": file_sha256(policy),
            **{f"adapter-{n}": id_ for n, id_ in enumerate(sorted(adapter.id for adapter in adapters))},
        },
    )
    final, started = workspace.rewards / period, time.monotonic()
    final.parent.mkdir(exist_ok=True)
    with locked(workspace.root, f"period-{period}"):
        _recover(final)
        if (found := _find(final, order)) is not None:
            return found
        for read in (dataset, attribution):
            verify_artifact(read.path)
        _make(final, order, read_sources(dataset, attribution), mlflow_runs, started)
    return replace(read_artifact(final), found=False)


def _make(final: Path, order: _Order, sources: Sources, mlflow_runs: Mapping[str, str], started: float) -> None:
    making = final.with_name(f".making-{final.name}")
    making.mkdir()
    try:
        _fill(making, order, sources)
        provenance = {"mlflow_runs": dict(sorted(mlflow_runs.items())), **stamp(started)}
        write_manifest(making, "rewards", order.inputs, order.config, provenance)
        _swap(making, final)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _fill(folder: Path, order: _Order, sources: Sources) -> None:
    evidence = evidences.build_evidence(sources, period=order.period, adapters=order.adapters)
    claims = sources.claims()
    evidences.check_sums(evidence, claims, sources.remedy)
    verdict = judge(sources.card, order.policy.gate)
    lines = allocate(claims, pool=order.pool, kappa=order.policy.exact_kappa, period=order.period, rule=verdict.rule)
    digests = evidences.digests(evidence)
    allocation = [
        tables.allocation_row(
            line,
            period=order.period,
            pool_name=POOL,
            currency=order.currency,
            evidence_sha256=digests.get(line.contributor_id, evidences.NO_EVIDENCE),
        )
        for line in lines
    ]
    entries = journal.post_period(lines, period=order.period, pool_name=POOL, pool=order.pool, currency=order.currency)
    exclusions = tables.exclusion_rows(sources.exclusions, decided_at=order.last_day)
    tokens = [{"contributor_id": name, "tokens": str(count)} for name, count in sorted(sources.tokens.items())]
    rows = {
        "allocation.csv": tables.write_csv(folder / "allocation.csv", tables.ALLOCATION, allocation),
        "journal.csv": tables.write_csv(folder / "journal.csv", tables.JOURNAL, entries),
        "exclusions.csv": tables.write_csv(folder / "exclusions.csv", tables.EXCLUSIONS, exclusions),
        "tokens.csv": tables.write_csv(folder / "tokens.csv", tables.TOKENS, tokens),
        "evidence.parquet": tables.write_evidence(folder / "evidence.parquet", evidence),
    }
    control = tables.control_totals(allocation, entries, pool=order.pool, currency=order.currency, rows=rows)
    _write_json(folder / "control.json", control)
    _write_json(folder / VERDICT, verdict.document())
    shutil.copyfile(sources.card_file, folder / "card.json")
    _write_statements(folder / "statements", order, sources, verdict, lines, evidence)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_statements(
    folder: Path, order: _Order, sources: Sources, verdict: Verdict, lines: list[Line], evidence: Any
) -> None:
    about = Period(
        period=order.period,
        currency=order.currency,
        pool=order.pool,
        policy=order.policy,
        sources=sources,
        verdict=verdict,
        lines=tuple(lines),
        ids=_ids(order, sources),
    )
    writer = StatementWriter(about, evidence)
    folder.mkdir()
    for line in lines:
        (folder / f"{line.contributor_id}.html").write_text(writer.render(line), encoding="utf-8")


def _ids(order: _Order, sources: Sources) -> tuple[tuple[str, str], ...]:
    adapters = [(name, id_) for name, id_ in sorted(order.inputs.items()) if name.startswith("adapter")]
    return (
        ("Dataset version", str(sources.dataset["tag"])),
        ("Dataset, DVC md5", str(sources.dataset["dvc_md5"])),
        ("Dataset artifact", order.inputs["dataset"]),
        *((name.replace("-", " ").capitalize(), id_) for name, id_ in adapters),
        ("Attribution", order.inputs["attribution"]),
        ("Policy", f"{order.policy.id} {order.policy.version}"),
        ("Policy, sha256", order.inputs["policy"]),
    )


def _find(final: Path, order: _Order) -> Artifact | None:
    """The period as it stands, if it was made from exactly this and is intact."""
    if not (final / MANIFEST).exists():
        return None
    try:
        artifact = verify_artifact(final)
    except IntegrityError:
        # An open period that was damaged is made again, like one that is missing.
        return None
    made_from = {name: value for name, value in artifact.identity.items() if name != "files"}
    same = canonical_digest(made_from)[:24] == artifact_key("rewards", order.inputs, order.config)
    return artifact if same else None


def _swap(making: Path, final: Path) -> None:
    """Put the new folder in place of the old one, which goes last.

    A folder that holds files cannot be renamed over, so there is an instant between two renames at which
    only `.replaced-<period>` stands; `_recover` brings it back after a crash just there.
    """
    sync(making)
    old = final.with_name(f".replaced-{final.name}")
    if final.exists():
        final.rename(old)
    making.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def _recover(final: Path) -> None:
    """Undo or finish what a crash interrupted; under the period's lock nobody else is at work."""
    old = final.with_name(f".replaced-{final.name}")
    if old.exists() and not final.exists():
        old.rename(final)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(final.with_name(f".making-{final.name}"), ignore_errors=True)
