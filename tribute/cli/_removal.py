"""What `tribute withdraw` and `tribute erase` share."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from tribute.cli._output import Table

if TYPE_CHECKING:
    from tribute.contributions.rights import Withdrawal
    from tribute.workspace import Workspace

Runs = list[dict[str, Any]]


class Withdrawn(TypedDict):
    contribution: str
    contributor: str
    dataset: str
    log_seq: int
    bytes_kept: list[str]
    runs: list[str]


def learned_from(workspace: "Workspace", contributions: Sequence[str]) -> Runs:
    """The records of the runs that learned from any of the contributions, each once."""
    from tribute.pipeline.runs import stale_runs

    runs = [run for contribution in contributions for run in stale_runs.learned_from(workspace, contribution)]
    return list({run["run_id"]: run for run in runs}.values())


def erased_lines(removed: Mapping[str, Sequence[str]]) -> list[str]:
    """How much an erasure removed from which place."""
    return [f"removed from {place}: {len(paths)}" for place, paths in removed.items() if paths]


def withdrawn(record: "Withdrawal", runs: Runs) -> Withdrawn:
    """What a withdrawal or erasure says of one contribution."""
    return {
        "contribution": record.id,
        "contributor": record.contributor_id,
        "dataset": record.dataset,
        "log_seq": record.seq,
        "bytes_kept": list(record.bytes_kept),
        "runs": [run["run_id"] for run in runs],
    }


def adapters(runs: Runs) -> tuple[list[str], list[Table]]:
    """What stays and what to do, in words, and the adapters that learned from the rows."""
    lines = ["what was earned stays"]
    if runs:
        lines.append("`tribute retrain` trains the adapters below again without the rows")
    rows = [(run["run_id"], run["tag"], seed, id_[:12]) for run in runs for seed, id_ in run["adapters"].items()]
    table = Table("Adapters that learned from it", ("run", "version", "seed", "adapter"), rows)
    return lines, [table] if rows else []
