"""Commands of payments: tribute pay."""

import os
from pathlib import Path

from tribute import months
from tribute.commands.output import Output
from tribute.commands.periods import given
from tribute.contributions.rights import read_vault
from tribute.errors import ConfigError, RewardError
from tribute.files import write_atomically
from tribute.money import format_amount
from tribute.rewards.ledger import Row, exports, ledger
from tribute.rewards.payments import pain001, reconciliation
from tribute.rewards.verification import verified, verify_in_workspace
from tribute.workspace import Workspace


def pay_file(workspace: Path, period: str, payer: str, out: Path, day: str | None, dry_run: bool) -> Output:
    """`tribute pay file`: only where the vault is, only for a closed period, and never into the workspace."""
    home = Workspace.open(workspace)
    if not home.vault.exists():
        raise RewardError(f"{home.vault} is not here; the payment file is made where the vault of payees is")
    if out.resolve().is_relative_to(home.root):
        raise ConfigError(f"{out} lies in the workspace; the file holds names and accounts, so write it elsewhere")
    payables = _signed_payables(home, period)
    on = None if day is None else months.checked_day(day)
    content = pain001.payment_file(payables, read_vault(home.vault), payer, period, on)
    chosen = [row for row in payables if pain001.by_bank(row)]
    if not dry_run:
        _write_private(out, content)
    totals: dict[str, int] = {}
    for row in chosen:
        totals[row["currency"]] = totals.get(row["currency"], 0) + int(row["amount_minor"])
    sums = " and ".join(f"{format_amount(minor, code)} {code}" for code, minor in sorted(totals.items()))
    lines = [f"{out}: {len(chosen)} payments of {period}, {sums}" + (" (not written)" if dry_run else "")]
    if other := len(payables) - len(chosen):
        see = home.rewards / period / "payables.csv"
        lines.append(f"{other} payments in currencies that no bank pays are not in it; see {see}")
    data = {"period": period, "file": str(out), "payments": len(chosen), "left_out": other}
    return Output(data | {"total": {code: str(minor) for code, minor in sorted(totals.items())}}, lines)


def pay_reconcile(workspace: Path, file: Path, day: str | None, dry_run: bool) -> Output:
    """`tribute pay reconcile`."""
    home = Workspace.open(workspace)
    path, outcomes = reconciliation.reconcile(home, file, given(day), rehearse=dry_run)
    told = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in sorted(outcomes.items()))
    line = f"{file}: {told}; " + ("nothing was posted" if dry_run else f"see {path}")
    look = sum(outcomes[name] for name in reconciliation.FOR_A_PERSON)
    lines = [line, *([f"{look} lines fit no payment as they are: look at them in recon.csv"] if look else [])]
    return Output({"recon": str(path), "outcomes": dict(sorted(outcomes.items())), "posted": not dry_run}, lines)


def pay_books(workspace: Path, out: Path, dry_run: bool) -> Output:
    """`tribute pay books`."""
    home = Workspace.open(workspace)
    export = exports.EXPORTS.get(f"journal{out.suffix}")
    if export is None:
        raise ConfigError(f"{out}: expected a name that ends in .beancount or .hledger")
    rows = ledger.load(home).rows
    if not dry_run:
        write_atomically(out, export(rows).encode())
    line = f"{out}: {len(rows)} lines of the ledger" + (" (not written)" if dry_run else "")
    return Output({"file": str(out), "lines": len(rows)}, [line])


def _signed_payables(home: Workspace, period: str) -> list[Row]:
    """What a month of this very ledger owes, checked against the registry: a folder names its own signers' keys."""
    with ledger.writing(home) as books:
        if period not in books.closed:
            raise RewardError(f"{period} is not closed; the bank is told to pay what two people have signed")
        read, _ = verified(home.rewards / period)
        verify_in_workspace(home, read)
    return read.payables


def _write_private(path: Path, content: bytes) -> None:
    """Readable by its owner alone, from the first byte on."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
