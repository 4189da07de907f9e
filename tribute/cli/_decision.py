"""What `tribute accept`, `tribute reject` and `tribute decide` share."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from tribute.cli._output import Output

if TYPE_CHECKING:
    from tribute.contributions.registry import Registry
    from tribute.contributions.releases import Decided as Group
    from tribute.contributions.releases import Verdict


class Decision(TypedDict):
    dataset: str
    verdict: str
    row_ids: list[str]
    log_seq: int


class Decided(TypedDict):
    decisions: list[Decision]
    without_effect: dict[str, str]


def record_decision(
    verdict: "Verdict", rows: Sequence[str], by: str, why: str, workspace: Path, dry_run: bool
) -> Output[Decided]:
    """Record a verdict on rows, one log entry per dataset."""
    from tribute.cli._registry import open_registry
    from tribute.contributions.releases import decide

    registry = open_registry(workspace, dry_run)
    return decided(registry, decide(registry, verdict, rows, by, why), dry_run)


def decided(registry: "Registry", groups: "Sequence[Group]", dry_run: bool) -> Output[Decided]:
    """What was decided, and which decisions change nothing."""
    from tribute.contributions.releases import without_effect
    from tribute.formatting import counted

    decisions: list[Decision] = [
        {"dataset": group.dataset, "verdict": group.verdict, "row_ids": list(group.rows), "log_seq": group.seq}
        for group in groups
    ]
    lines = [
        f"{f'would {group.verdict}' if dry_run else f'{group.verdict}ed'} {counted(len(group.rows), 'row')} of "
        f"{group.dataset}, "
        f"log entry {group.seq}"
        for group in groups
    ]
    idle = dict(without_effect(registry, groups))
    lines += [f"{row}: no effect; {why}" for row, why in idle.items()]
    return Output({"decisions": decisions, "without_effect": idle}, lines)
