"""Commands of a period's life and of the policies that pay it: tribute period, tribute policy."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tribute import months
from tribute.artifacts import read_artifact
from tribute.commands.output import Output, Table
from tribute.errors import RewardError, TributeError
from tribute.keys import load_key
from tribute.money import exponent, format_amount, parse_amount, parse_signed
from tribute.rewards import close
from tribute.rewards.ledger import Entry, Ledger, Row, accounts, balances, corrections, journal, ledger, postings
from tribute.rewards.period import terms_of
from tribute.rewards.policy import load_policy, published
from tribute.rewards.statements import write_early
from tribute.workspace import Workspace


def period_open(workspace: Path, period: str, dry_run: bool) -> Output:
    """`tribute period open`."""
    home = Workspace.open(workspace)
    with ledger.writing(home) as books:
        books.refuse_period(months.last_day(period)[:7])
        if not dry_run:
            home.rewards.mkdir(exist_ok=True)
            ledger.set_first(home.rewards, period)
    line = f"{period} would be open" if dry_run else f"{period} is open; `tribute reward CONFIG` makes its draft"
    return Output({"period": period, "open": not dry_run}, [line])


def period_status(workspace: Path, period: str | None) -> Output:
    """`tribute period status`: all periods, or what stands on whose accounts after one of them."""
    home = Workspace.open(workspace)
    books = ledger.load(home)
    names = sorted({path.name for path in home.rewards.glob("[0-9]*")} | {*books.closed, books.open_period} - {""})
    if period is not None and period not in names:
        raise RewardError(f"{period} is neither drafted, open nor closed; there are: {', '.join(names) or 'none'}")
    chosen = [name for name in names if period in (None, name)]
    data = [_about(home, books, name) for name in chosen]
    rows = [
        (one["period"], one["state"], str(one["entries"]), ", ".join(one["signed"]), one["id"][:12]) for one in data
    ]
    table = Table("Periods", ("period", "state", "entries", "signed by", "manifest"), rows, right=("entries",))
    on_accounts = _standing(books, chosen[-1] if period and chosen else "9999-12")
    lines = [] if names else ["no period yet; `tribute period open PERIOD` opens the first"]
    tables = [table, *([on_accounts[1]] if on_accounts[0] else [])] if names else []
    return Output({"periods": data, "accounts": on_accounts[0]}, lines, tables)


def period_close(workspace: Path, period: str, key: Path, signer: str, day: str | None, dry_run: bool) -> Output:
    """`tribute period close`: the first closer approves, the second closes."""
    home = Workspace.open(workspace)
    done = close.close(home, period, signer, load_key(key), given(day), rehearse=dry_run)
    signers = " and ".join(done.signers)
    if done.before:
        line = f"{period} is closed already, signed by {signers}"
    elif done.closed:
        line = f"{period} would be closed by {signers}" if dry_run else f"{period} is closed, signed by {signers}"
    else:
        line = f"{period} {'would be' if dry_run else 'is'} approved by {signers}; another closer has to close it, too"
    closed = done.closed and (done.before or not dry_run)
    data = {"period": period, "id": done.id, "signed": list(done.signers), "closed": closed}
    return Output(data, [line, *(_statements(home, period) if closed and not dry_run else [])])


def period_release(workspace: Path, day: str | None, dry_run: bool) -> Output:
    """`tribute period release`: post what time has made payable."""
    home, on = Workspace.open(workspace), months.checked_day(given(day))
    return _posted(home, lambda books: postings.due(books, on, terms_of(home.rewards, books.closed)), dry_run)


def period_correct(workspace: Path, cause: corrections.Cause, amount: str, dry_run: bool) -> Output:
    """`tribute period correct`."""
    signed = parse_signed(amount, cause.currency)
    return _posted(Workspace.open(workspace), lambda books: corrections.adjusted(books, cause, signed), dry_run)


def period_claw_back(workspace: Path, cause: corrections.Cause, amount: str, dry_run: bool) -> Output:
    """`tribute period claw-back`."""
    minor = parse_amount(amount, cause.currency)
    return _posted(Workspace.open(workspace), lambda books: corrections.clawed_back(books, cause, minor), dry_run)


def period_reverse(workspace: Path, entry: str, reason: str, day: str | None, dry_run: bool) -> Output:
    """`tribute period reverse`."""
    home, on = Workspace.open(workspace), given(day)

    def entries(books: Ledger) -> list[Entry]:
        flying = balances.in_flight(home.rewards, books)
        return corrections.reversed_entry(books, entry, reason, on, flying)

    return _posted(home, entries, dry_run)


def policy_check(file: Path) -> Output:
    """`tribute policy check`."""
    policy = load_policy(file)
    data = policy.model_dump(mode="json")
    return Output(data, [f"{file}: ok; policy {policy.id} {policy.version}"])


def policy_publish(workspace: Path, file: Path, key: Path, by: str, dry_run: bool) -> Output:
    """`tribute policy publish`."""
    home = Workspace.open(workspace)
    policy = published.publish(home, file, by, load_key(key), rehearse=dry_run)
    said = "would be" if dry_run else "is"
    data = {"policy": policy.id, "version": policy.version, "published": not dry_run}
    return Output(data, [f"policy {policy.id} {policy.version} {said} published by {by}"])


def cause(contributor: str, currency: str, ref: str, reason: str, day: str | None) -> corrections.Cause:
    """Whose money a correction is about, and why; today in UTC where no day is given."""
    return corrections.Cause(contributor, currency, ref, reason, given(day))


def given(day: str | None) -> str:
    """The day that --date says; where it is left out the one that it is in UTC, whatever the time zone."""
    return datetime.now(UTC).date().isoformat() if day is None else day


def _statements(home: Workspace, period: str) -> list[str]:
    """Make them once more, since they said that they were of a draft; a line about it where that fails."""
    try:
        write_early(home, period)
    except TributeError as error:
        # The period is closed whatever becomes of its pages.
        return [f"no statements yet ({error}); then make them with `tribute statement {period}`"]
    return []


def _posted(home: Workspace, entries_of: Callable[[Ledger], Sequence[Entry]], dry_run: bool) -> Output:
    """Post what `entries_of` gives for the ledger as it stands, and say what that is."""
    with ledger.writing(home) as books:
        before = len(books.rows)
        entries = entries_of(books)
        after = books.with_entries(entries) if dry_run else books
        if not dry_run:
            books.post(entries)
        made = after.rows[before:]
    columns = ("entry", "event", "account", "debit", "credit")
    table = Table("Would be posted" if dry_run else "Posted", columns, [_shown(row) for row in made], right=columns[3:])
    return Output(made, [] if made else ["nothing to post"], [table] if made else [])


def _shown(row: Row) -> tuple[str, ...]:
    debit, credit = (
        format_amount(int(row[name]), row["currency"]) + f" {row['currency']}" if row[name] != "0" else ""
        for name in ("debit_minor", "credit_minor")
    )
    return row["entry_id"], row["event_type"], row["account"], debit, credit


def _about(home: Workspace, books: Ledger, period: str) -> dict[str, Any]:
    folder = home.rewards / period
    drafted = folder.exists()
    state = "closed" if period in books.closed else "draft" if drafted else "open"
    signed = []
    if state == "draft":
        signed = [one.signer for one in close.approvals(home.rewards, read_artifact(folder))]
    elif state == "closed":
        signed = close.signers(folder)
    return {
        "period": period,
        "state": state,
        "entries": len({row["entry_id"] for row in books.of_period(period)}),
        "signed": signed,
        "id": read_artifact(folder).id if drafted else "",
    }


def _standing(books: Ledger, until: str) -> tuple[list[dict[str, str]], Table]:
    """What stands on which kind of account, everybody's added up, after the month `until`."""
    totals: Counter[tuple[str, str]] = Counter()
    for (account, currency), amount in journal.balances(row for row in books.rows if row["period"] <= until).items():
        stage = accounts.owner(account)[1]
        totals[stage or account, currency] += amount
    data = [
        {"account": name, "currency": currency, "minor": str(amount), "exponent": str(exponent(currency))}
        for (name, currency), amount in sorted(totals.items())
    ]
    rows = [(one["account"], f"{format_amount(int(one['minor']), one['currency'])} {one['currency']}") for one in data]
    return data, Table("Accounts", ("account", "credits − debits"), rows, right=("credits − debits",))
