"""Pay what closed periods owe, and record the bank's answers."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import (
    HERE,
    By,
    Day,
    DryRun,
    Month,
    SecondKeyFile,
    SecondSigner,
    Why,
    WorkspaceFolder,
    posting_day,
    signing_of,
)
from tribute.cli._output import Output
from tribute.errors import ConfigError, RewardError

if TYPE_CHECKING:
    from tribute.workspace import Workspace


class PaymentFile(TypedDict):
    period: str
    file: str
    payment_count: int
    left_out: int
    totals: dict[str, str]


class Reconciled(TypedDict):
    recon: str
    outcomes: dict[str, int]
    skipped_messages: list[str]


class Settled(TypedDict):
    payment: str
    posted_entries: list[str]
    signed: list[str]


class Books(TypedDict):
    file: str
    line_count: int


@command
def file(
    period: Month,
    from_: Annotated[
        str, typer.Option("--from", metavar="ID", help="Who pays: an id in the vault with name, iban and bic.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write; it holds names and accounts.")],
    date: Annotated[
        str | None,
        typer.Option(metavar="YYYY-MM-DD", help="The day on which the bank pays; by default each value date."),
    ] = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[PaymentFile]:
    """Write the ISO 20022 file (pain.001.001.09) that tells the bank to pay a closed period's payables."""
    from tribute import months
    from tribute.contributions.rights import read_vault
    from tribute.formatting import counted, plain_money
    from tribute.rewards.bank_formats import by_bank, payment_file
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    if not home.vault.exists():
        raise RewardError(f"{home.vault} is not here; the payment file is made where the vault of payees is")
    if out.resolve().is_relative_to(home.root):
        raise ConfigError(f"{out} lies in the workspace; the file holds names and accounts, so write it elsewhere")
    payables = _signed_payables(home, period)
    day = None if date is None else months.checked_day(date)
    content = payment_file(payables, read_vault(home.vault), from_, period, day)
    chosen = [row for row in payables if by_bank(row)]
    if not dry_run:
        _write_private(out, content)
    totals: dict[str, int] = {}
    for row in chosen:
        totals[row["currency"]] = totals.get(row["currency"], 0) + int(row["amount_minor"])
    sums = " and ".join(plain_money(minor, code) for code, minor in sorted(totals.items()))
    lines = [f"{out}: {counted(len(chosen), 'payment')} of {period}, {sums}" + (" (not written)" if dry_run else "")]
    if other := len(payables) - len(chosen):
        see = home.rewards / period / "payables.csv"
        lines.append(f"{other} payments in currencies that no bank pays are not in it; see {see}")
    data: PaymentFile = {
        "period": period,
        "file": str(out),
        "payment_count": len(chosen),
        "left_out": other,
        "totals": {code: str(minor) for code, minor in sorted(totals.items())},
    }
    return Output(data, lines)


@command
def reconcile(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="The bank's answer: camt.05x, pain.002, MT940 or CSV, or a ZIP of them."),
    ],
    date: Day = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Reconciled]:
    """Compare a bank's answer with the payables, post what was paid or sent back, and write recon.csv."""
    from tribute.formatting import counted
    from tribute.rewards.payments import FOR_A_PERSON, in_words
    from tribute.rewards.payments import reconcile as take_in
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    path, counts, skipped = take_in(home, file, posting_day(home, date), rehearse=dry_run)
    words = [f"{count} {in_words(outcome)}" for outcome, count in sorted(counts.items())]
    line = f"{file}: {', '.join(words) or 'no payment of ours'}; "
    lines = [line + ("nothing was posted" if dry_run else f"see {path}")]
    if skipped:
        lines.append(f"{len(skipped)} messages were reconciled before: {', '.join(skipped)}")
    if look := sum(counts[outcome] for outcome in FOR_A_PERSON):
        need = f"{counted(look, 'answer')} {'needs' if look == 1 else 'need'} your decision"
        lines.append(f"{need}: see outcome in recon.csv, then `tribute pay settle`")
    return Output(
        {"recon": str(path), "outcomes": dict(sorted(counts.items())), "skipped_messages": list(skipped)}, lines
    )


@command
def settle(
    payment: Annotated[str, typer.Argument(metavar="PAYMENT", help="Its payment_id or end_to_end_id.")],
    outcome: Annotated[
        Literal["paid", "returned", "rejected"], typer.Argument(metavar="OUTCOME", help="paid, returned or rejected.")
    ],
    by: By,
    why: Why,
    amount: Annotated[
        str | None,
        typer.Option(metavar="AMOUNT", help="What left the account or came back, such as 73.13; by default all of it."),
    ] = None,
    as_: SecondSigner = None,
    key: SecondKeyFile = None,
    date: Day = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Settled]:
    """Record the outcome of a payment that the bank's answer leaves unclear."""
    from tribute.formatting import plain_money as money
    from tribute.rewards.payments import Settlement
    from tribute.rewards.payments import settle as post
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    decision = Settlement(payment, outcome, amount, by, why, posting_day(home, date))
    entries, approval = post(home, decision, signing_of(as_, key), rehearse=dry_run)
    moves = [(entry.event, money(max(minor for _, minor in entry.lines), entry.currency)) for entry in entries]
    listed = ", ".join(f"{event} {text}" for event, text in moves)
    line = f"{payment}: {listed} " + ("would be posted" if dry_run else "posted")
    if approval.waits:
        signed = "would be signed" if dry_run else "signed"
        line = f"{payment}: {listed} {signed} by {approval.signers[0]}; another closer has to give the same command"
    posted: list[str] = [] if approval.waits else [event for event, _ in moves]
    return Output({"payment": payment, "posted_entries": posted, "signed": list(approval.signers)}, [line])


@command
def books(
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write, NAME.beancount or NAME.hledger.")],
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Books]:
    """Write the whole ledger for beancount or hledger."""
    from tribute.files import write_atomically
    from tribute.rewards.ledger import EXPORTS, load
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    export = EXPORTS.get(f"journal{out.suffix}")
    if export is None:
        raise ConfigError(f"{out}: expected a name that ends in .beancount or .hledger")
    postings = load(home).postings
    if not dry_run:
        write_atomically(out, export(postings).encode())
    line = f"{out}: {len(postings)} lines of the ledger" + (" (not written)" if dry_run else "")
    return Output({"file": str(out), "line_count": len(postings)}, [line])


def _signed_payables(home: "Workspace", period: str) -> list[dict[str, str]]:
    """What a month of this very ledger owes, checked against the registry: a folder names its own signers' keys."""
    from tribute.rewards.ledger import writing
    from tribute.rewards.tables import texts
    from tribute.rewards.verification import verified, verify_in_workspace

    with writing(home) as entries:
        if period not in entries.closed:
            raise RewardError(f"{period} is not closed; the bank is told to pay what two people have signed")
        read, _ = verified(home.rewards / period)
        verify_in_workspace(home, read)
    return [texts(payable) for payable in read.payables]


def _write_private(path: Path, content: bytes) -> None:
    """Readable by its owner alone, from the first byte on."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
