"""Open, correct and close periods of the ledger."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import (
    HERE,
    Day,
    DryRun,
    KeyFile,
    Month,
    SecondKeyFile,
    SecondSigner,
    Signer,
    Why,
    WorkspaceFolder,
    posting_day,
    signing_of,
)
from tribute.cli._output import Output
from tribute.cli._period import Balance, State, balances_of, periods_table, state_of, write_statements_again
from tribute.cli._postings import Posted, corrected, posted_output
from tribute.errors import RewardError

if TYPE_CHECKING:
    from tribute.rewards.ledger import Cause
    from tribute.workspace import Workspace

EntryId = Annotated[str, typer.Argument(metavar="ENTRY", help="The entry's id, such as 2026-11-000007.")]
Contributor = Annotated[str, typer.Option("--contributor", metavar="ID", help="The contributor whose balance changes.")]
Currency = Annotated[str, typer.Option("--currency", metavar="CODE", help="The amount's currency.")]


class Opened(TypedDict):
    period: str


class Periods(TypedDict):
    periods: list[State]
    accounts: list[Balance]


class Closed(TypedDict):
    period: str
    manifest: str
    signed: list[str]
    closed: bool


class Clock(TypedDict):
    today: str
    time_zone: str
    simulated: bool


@command
def open_(period: Month, workspace: WorkspaceFolder = HERE, dry_run: DryRun = False) -> Output[Opened]:
    """Open the period after the last closed one; the first can be any month."""
    from tribute import months
    from tribute.rewards.ledger import set_first, writing
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    with writing(home) as books:
        books.refuse_period(months.last_day(period)[:7])
        if not dry_run:
            home.rewards.mkdir(exist_ok=True)
            set_first(home.rewards, period)
    line = f"{period} would be open" if dry_run else f"{period} is open; `tribute reward CONFIG` makes its draft"
    return Output({"period": period}, [line])


@command
def status(
    period: Annotated[str | None, typer.Argument(metavar="[PERIOD]", help="Only this month.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a page of all periods.")] = None,
    workspace: WorkspaceFolder = HERE,
) -> Output[Periods]:
    """List the periods, who signed them, and the balances of the accounts."""
    from tribute.report.periods_page import write_periods
    from tribute.rewards.ledger import load
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    books = load(home)
    names = sorted({path.name for path in home.rewards.glob("[0-9]*")} | {*books.closed, books.open_period} - {""})
    if period is not None and period not in names:
        raise RewardError(f"{period} is neither drafted, open nor closed; there are: {', '.join(names) or 'none'}")
    chosen = [name for name in names if period in (None, name)]
    data = [state_of(home, books, name) for name in chosen]
    accounts, balances = balances_of(books, chosen[-1] if period and chosen else "9999-12")
    lines = [] if names else ["no period yet; `tribute period open PERIOD` opens the first"]
    if html is not None:
        lines.append(f"page: {write_periods(home, html, posting_day(home, None))}")
    tables = [periods_table(data), *([balances] if accounts else [])] if names else []
    return Output({"periods": data, "accounts": accounts}, lines, tables)


@command
def close(
    period: Month,
    key: KeyFile,
    as_: Signer,
    date: Day = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Closed]:
    """Approve a period's draft, or close it where another closer approved exactly the same."""
    from tribute.keys import load_key
    from tribute.pipeline.usage.payer_money import credit_margins
    from tribute.rewards import close as closing
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    result = closing.close(home, period, as_, load_key(key), posting_day(home, date), rehearse=dry_run)
    signers = " and ".join(result.signers)
    if result.before:
        line = f"{period} is closed already, signed by {signers}"
    elif result.closed:
        line = f"{period} would be closed by {signers}" if dry_run else f"{period} is closed, signed by {signers}"
    else:
        line = f"{period} {'would be' if dry_run else 'is'} approved by {signers}; another closer has to close it, too"
    closed = result.closed and (result.before or not dry_run)
    data: Closed = {"period": period, "manifest": result.id, "signed": list(result.signers), "closed": closed}
    if not closed or dry_run:
        return Output(data, [line])
    credited = [f"{owner} is credited with agents' margins" for owner in credit_margins(home)]
    return Output(data, [line, *credited, *write_statements_again(home, period)])


@command
def release(date: Day = None, workspace: WorkspaceFolder = HERE, dry_run: DryRun = False) -> Output[Posted]:
    """Make payable the money whose dispute window or holdback has passed."""
    from tribute.rewards.ledger import due, writing
    from tribute.rewards.period import terms_of
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    with writing(home) as books:
        day = books.check_day(posting_day(home, date))
        entries = due(books, day, terms_of(home.rewards, books.closed))
        after = books.with_entries(entries)
        posted = after.postings[len(books.postings) :] if dry_run else books.post(entries)
    return posted_output(posted, dry_run)


@command
def correct(
    entry: EntryId,
    contributor: Contributor,
    amount: Annotated[str, typer.Option(metavar="AMOUNT", help="In major units, such as 12.50 or -12.50.")],
    why: Why,
    currency: Currency = "EUR",
    as_: SecondSigner = None,
    key: SecondKeyFile = None,
    date: Day = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Posted]:
    """Correct what an entry of a closed period accrued; the open period posts it, from or to the reserve."""
    from tribute.money import parse_signed
    from tribute.rewards import correct as corrections

    home, cause = _cause(workspace, entry, contributor, currency, why, date)
    minor = parse_signed(amount, currency)
    return corrected(corrections.correct(home, cause, minor, signing_of(as_, key), dry_run), dry_run)


@command
def claw_back(
    entry: EntryId,
    contributor: Contributor,
    amount: Annotated[str, typer.Option(metavar="AMOUNT", help="In major units, such as 12.50.")],
    why: Why,
    currency: Currency = "EUR",
    as_: SecondSigner = None,
    key: SecondKeyFile = None,
    date: Day = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Posted]:
    """Take back what an entry accrued, from held, accrued and future money; never from payable or paid money."""
    from tribute.money import parse_amount
    from tribute.rewards import correct as corrections

    home, cause = _cause(workspace, entry, contributor, currency, why, date)
    minor = parse_amount(amount, currency)
    return corrected(corrections.claw_back(home, cause, minor, signing_of(as_, key), dry_run), dry_run)


def _cause(
    workspace: Path, entry: str, contributor: str, currency: str, why: str, date: str | None
) -> tuple["Workspace", "Cause"]:
    """The workspace, and why something of an entry is posted in it."""
    from tribute.rewards.ledger import Cause
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    return home, Cause(contributor, currency, entry, why, posting_day(home, date))


@command
def reverse(
    entry: EntryId,
    why: Why,
    as_: SecondSigner = None,
    key: SecondKeyFile = None,
    date: Day = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Posted]:
    """Post the exact mirror of an entry, linked to it."""
    from tribute.rewards import correct as corrections
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    day = posting_day(home, date)
    return corrected(corrections.reverse(home, entry, why, day, signing_of(as_, key), dry_run), dry_run)


@command
def clock(
    time_zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="The time zone in which days begin, such as Europe/Berlin.")
    ] = None,
    simulate: Annotated[
        str | None,
        typer.Option(
            metavar="YYYY-MM-DD",
            help="Turn this ledger for good into a simulation at this day; only before anything is posted.",
        ),
    ] = None,
    workspace: WorkspaceFolder = HERE,
) -> Output[Clock]:
    """Show the ledger's current day, set its time zone, or advance a simulation's day."""
    from tribute.rewards.ledger import read_calendar, set_time_zone, writing
    from tribute.rewards.ledger import simulate as simulate_day
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    with writing(home):
        if time_zone is not None:
            set_time_zone(home.rewards, time_zone)
        if simulate is not None:
            simulate_day(home.rewards, simulate)
        now = read_calendar(home.rewards)
    simulated = " (simulated; manifests say so)" if now.simulated else ""
    data: Clock = {"today": now.today, "time_zone": now.time_zone, "simulated": bool(now.simulated)}
    return Output(data, [f"today is {now.today} in {now.time_zone}{simulated}"])
