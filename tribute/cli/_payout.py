"""What `tribute run`, `demo` and `reward` print in the end: who is paid how much, and for what."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from tribute.cli._output import Output, Table

if TYPE_CHECKING:
    from tribute.config import RunConfig
    from tribute.workspace import Workspace


class Paid(TypedDict):
    run: str
    stages_cached: list[str]
    stage_seconds: dict[str, float]
    rewards: str
    period: str
    folder: str
    report: str
    payouts: dict[str, dict[str, str]]


def status_text(status: str) -> str:
    """Short enough for a terminal of 80 columns; the statements and the report say it in full."""
    from tribute.rewards.statements import STATUS

    return STATUS[status][0]


class Attributed(TypedDict):
    run: str
    stages_cached: list[str]
    stage_seconds: dict[str, float]
    attribution: str
    report: str
    credits: dict[str, float]


def outcome(home: "Workspace", config: "RunConfig", run_id: str) -> Output[Paid | Attributed]:
    """What a run came to: who is paid what, or of one without rewards, what each contributor's rows did."""
    return _attributed(home, run_id) if config.rewards is None else payout(home, config, run_id)


def _attributed(home: "Workspace", run_id: str) -> Output[Paid | Attributed]:
    from tribute.pipeline.runs.runs import read_run
    from tribute.pipeline.verification.lineage import read_shares

    record, shares = read_run(home, run_id), read_shares(home, run_id)
    report = home.report_of(run_id, None)
    data: Attributed = {
        "run": run_id,
        "stages_cached": record["cached"],
        "stage_seconds": record["seconds"],
        "attribution": record["attribution"],
        "report": str(report),
        "credits": {line.contributor_id: float(line.credit) for line in shares.itertuples()},
    }
    rows = [(line.contributor_id, f"{line.credit:+.4f}", f"{line.share:.2%}") for line in shares.itertuples()]
    table = Table("Credit", ("contributor", "credit (nats)", "share"), rows, right=("credit (nats)", "share"))
    return Output(data, [*_cached(record), f"run {run_id} pays nobody, report: {report}"], [table])


def _cached(record: dict[str, Any]) -> list[str]:
    return [f"from cache: {', '.join(record['cached'])}"] if record["cached"] else []


def payout(home: "Workspace", config: "RunConfig", run_id: str) -> Output[Any]:
    """What a run with rewards paid, and what of it was there already."""
    from tribute.pipeline.runs.runs import read_run
    from tribute.rewards.allocation import fallback_note
    from tribute.rewards.period import PeriodFolder, read_rewards

    record, rewards = read_run(home, run_id), config.rewards
    assert rewards is not None, "a run that pays has rewards"
    folder, report = home.rewards / rewards.period, home.root / "report.html"
    lines = read_rewards(folder).sort_values(["amount_minor", "contributor_id"], ascending=[False, True])
    data: Paid = {
        "run": run_id,
        "stages_cached": record["cached"],
        "stage_seconds": record["seconds"],
        "rewards": record["rewards"],
        "period": rewards.period,
        "folder": str(folder),
        "report": str(report),
        "payouts": _payouts(lines),
    }
    by_use = {name for name, pool in PeriodFolder(folder).policy.pools.items() if pool.pays == "queries"}
    table = _table(f"Net fee of {rewards.total} for {rewards.period}", lines, by_use)
    return Output(data, [*_cached(record), f"run {run_id}{fallback_note(folder)}, report: {report}"], [table])


def _payouts(lines: Any) -> dict[str, dict[str, str]]:
    """Currency → contributor → amount in major units, over all pools."""
    from tribute.money import format_amount

    minor: dict[str, dict[str, int]] = {}
    for line in lines.itertuples():
        owed = minor.setdefault(line.currency, {})
        owed[line.contributor_id] = owed.get(line.contributor_id, 0) + line.amount_minor
    return {code: {name: format_amount(amount, code) for name, amount in owed.items()} for code, owed in minor.items()}


def _table(title: str, lines: Any, by_use: Collection[str]) -> Table:
    """A row per contributor and currency; where there are several pools, with what each pays.

    Scores of the pools that pay by use are no credit on the evaluation.
    """
    pools = sorted(set(lines["pool"])) if lines["pool"].nunique() > 1 else []
    owed: dict[tuple[str, str], dict[str, Any]] = {}
    for line in sorted(lines.itertuples(), key=lambda line: line.pool in by_use):
        owed.setdefault((line.contributor_id, line.currency), {})[line.pool] = line
    rows = [_row(own, pools, by_use) for own in owed.values()]
    columns = ("contributor", "rows", "excluded", "credit (nats)", *pools, "amount", "status")
    ordered = sorted(rows, key=lambda row: (-row[0], row[1]))
    return Table(title, columns, [row for _, row in ordered], right=columns[1:-1])


def _row(own: dict[str, Any], pools: Sequence[str], by_use: Collection[str]) -> tuple[int, tuple[str, ...]]:
    """Minor units in all, and the cells of one contributor's lines by pool; the first is what it is told by."""
    from tribute.money import format_amount

    lines = list(own.values())
    total, main = sum(line.amount_minor for line in lines), max(lines, key=lambda line: line.amount_minor > 0)
    cells = (
        lines[0].contributor_id,
        str(lines[0].rows_canonical),
        str(lines[0].rows_excluded),
        "" if lines[0].pool in by_use else f"{lines[0].score:+.4f}",
        *(str(own[pool].amount) if pool in own else "" for pool in pools),
        f"{format_amount(total, lines[0].currency)} {lines[0].currency}",
        status_text(main.status),
    )
    return total, cells
