"""What `tribute withdraw` and `tribute erase` share."""

from pathlib import Path
from typing import Literal, TypedDict

from tribute.cli._output import Output, Table
from tribute.cli._text import listed


class Removed(TypedDict):
    contribution: str
    contributor: str
    dataset: str
    log_seq: int
    bytes_kept: list[str]
    runs: list[str]
    tables_removed: list[str]


def remove(
    verb: Literal["withdraw", "erase"],
    contribution: str,
    by: str,
    why: str,
    key: Path | None,
    workspace: Path,
    dry_run: bool,
) -> Output[Removed]:
    """Withdraw or erase a contribution, and list what learned from it."""
    from tribute.cli._registry import open_registry
    from tribute.contributions.rights import erase, withdraw
    from tribute.pipeline import stale_runs
    from tribute.pipeline.data import forget_tables
    from tribute.workspace import Workspace

    home, erases = Workspace.open(workspace), verb == "erase"
    runs = stale_runs.learned_from(home, contribution)
    act = erase if erases else withdraw
    removed = act(open_registry(workspace, dry_run), contribution, by, why, key)
    forgotten = forget_tables(home, contribution) if erases and not dry_run else []
    rows = [(run["run_id"], run["tag"], seed, id_[:12]) for run in runs for seed, id_ in run["adapters"].items()]
    outcome = f"{'would be' if dry_run else 'is'} {'erased' if erases else 'withdrawn'}"
    lines = [f"{contribution} {outcome}, log entry {removed.seq}; what was earned stays"]
    if removed.bytes_kept:
        lines.append(f"its bytes stay, since {listed(removed.bytes_kept)} has the same")
    if rows:
        lines.append("`tribute retrain` trains them again without it")
    data: Removed = {
        "contribution": removed.id,
        "contributor": removed.contributor_id,
        "dataset": removed.dataset,
        "log_seq": removed.seq,
        "bytes_kept": list(removed.bytes_kept),
        "runs": [run["run_id"] for run in runs],
        "tables_removed": forgotten,
    }
    table = Table("Adapters that learned from it", ("run", "version", "seed", "adapter"), rows)
    return Output(data, lines, [table] if rows else [])
