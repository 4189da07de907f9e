"""What `tribute withdraw` and `tribute erase` share."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tribute.cli._output import Output, Table
from tribute.cli._registry import open_registry
from tribute.cli._text import listed
from tribute.contributions.rights import withdrawal
from tribute.pipeline import stale_runs
from tribute.pipeline.data import forget_tables
from tribute.workspace import Workspace


def remove(
    act: Callable[..., Any], contribution: str, by: str, why: str, key: Path | None, workspace: Path, dry_run: bool
) -> Output:
    """Withdraw or erase a contribution, as `act` says, and list what learned from it."""
    home, erases = Workspace.open(workspace), act is withdrawal.erase
    runs = stale_runs.learned_from(home, contribution)
    record = act(open_registry(workspace, dry_run), contribution, by, why, key)
    forgotten = forget_tables(home, contribution) if erases and not dry_run else []
    rows = [(run["run_id"], run["tag"], seed, id_[:12]) for run in runs for seed, id_ in run["adapters"].items()]
    verb = f"{'would be' if dry_run else 'is'} {'erased' if erases else 'withdrawn'}"
    lines = [f"{contribution} {verb}, ledger entry {record.seq}; what was earned stays"]
    if record.bytes_kept:
        lines.append(f"its bytes stay, since {listed(record.bytes_kept)} has the same")
    if rows:
        lines.append("`tribute retrain` trains them again without it")
    data = asdict(record) | {"runs": [run["run_id"] for run in runs], "tables_removed": forgotten}
    table = Table("Adapters that learned from it", ("run", "version", "seed", "adapter"), rows)
    return Output(data, lines, [table] if rows else [])
