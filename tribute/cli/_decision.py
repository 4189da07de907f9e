"""What `tribute accept`, `tribute reject` and `tribute decide` share."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from tribute.cli._output import Output

if TYPE_CHECKING:
    from tribute.contributions.registry import Registry
    from tribute.contributions.releases import Decided as Group
    from tribute.contributions.releases import Tokenizer, Verdict


class Decision(TypedDict):
    dataset: str
    verdict: str
    row_ids: list[str]
    log_seq: int


class Decided(TypedDict):
    decisions: list[Decision]
    without_effect: dict[str, str]


def record_decision(
    workspace: Path,
    registry: "Registry",
    verdict: "Verdict",
    rows: Sequence[str],
    by: str,
    why: str,
    tokenizer: Path | None,
) -> Output[Decided]:
    """Record a verdict on rows, one log entry per dataset; a wrong `tokenizer` is refused before that."""
    from tribute.cli._tokenizer import named_tokenizer
    from tribute.contributions.releases import decide, expand
    from tribute.ids import contribution_of

    now = registry.snapshot()
    datasets = {now.live[contribution_of(row)].dataset for text in rows for row in expand(now, text)}
    reads = [named_tokenizer(registry, dataset, tokenizer) for dataset in sorted(datasets)]
    return decided(workspace, registry, decide(registry, verdict, rows, by, why), next(iter(reads), None))


def decided(
    workspace: Path, registry: "Registry", groups: "Sequence[Group]", tokenizer: "Tokenizer | None"
) -> Output[Decided]:
    """What was decided, and which decisions change nothing; with `tokenizer` rows compare as the base reads them."""
    from tribute.contributions.releases import without_effect
    from tribute.formatting import counted
    from tribute.pipeline.operations.harm import found_harm
    from tribute.workspace import Workspace

    decisions: list[Decision] = [
        {"dataset": group.dataset, "verdict": group.verdict, "row_ids": list(group.rows), "log_seq": group.seq}
        for group in groups
    ]
    would = registry.repository.dry_run
    lines = [
        f"{f'would {group.verdict}' if would else f'{group.verdict}ed'} {counted(len(group.rows), 'row')} of "
        f"{group.dataset}, log entry {group.seq}"
        for group in groups
    ]
    harm = found_harm(Workspace.open(workspace), {group.dataset for group in groups})
    idle = dict(without_effect(registry, groups, tokenizer, harm))
    lines += [f"{row}: no effect; {why}" for row, why in idle.items()]
    now = registry.snapshot()
    unread = sorted({group.dataset for group in groups if now.schema(group.dataset).tokenizer and not tokenizer})
    lines += [f"{name}: not compared as its base reads rows; give --tokenizer for that" for name in unread]
    return Output({"decisions": decisions, "without_effect": idle}, lines)
