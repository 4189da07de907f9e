"""Holds a period's folder against its workspace: the ledger before it, the months beside it, registry, statements.

`verify.py` checks what can be checked from a copy of the folder; this is the rest of it.
"""

import random
from itertools import pairwise
from pathlib import Path

from tribute import months
from tribute.artifacts import SEAL, Artifact, read_artifact
from tribute.contributions.registry import Registry, public_keys
from tribute.errors import IntegrityError
from tribute.formatting import counted
from tribute.rewards.ledger import balances, journal
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.ledger.journal import Posting
from tribute.rewards.ledger.metered import drawn
from tribute.rewards.ledger.recovery import closed_periods
from tribute.rewards.ledger.sealed import check_name
from tribute.rewards.period import leaves
from tribute.rewards.period.closed import previous_id
from tribute.rewards.period.folder import PeriodFolder
from tribute.rewards.policy.published import refuse_unpublished
from tribute.rewards.verification.second_names import check_second_names
from tribute.strict import parse_json
from tribute.workspace import Workspace

SAMPLE = 1000
"""So many statements are checked unless all are asked for."""


def verify_in_workspace(workspace: Workspace, read: PeriodFolder, every: bool = False) -> list[str]:
    """Check that a period continues what came before; a sentence a check. Raises IntegrityError naming the file.

    Presumes that `verified`, which read it, found nothing. The caller keeps others from posting meanwhile.
    """
    statements = workspace.statements / read.period
    closed = [period for period in closed_periods(workspace.rewards) if period < read.period]
    checks = [
        *verify_ledger(workspace.rewards, read),
        _check_statements(statements, read, every),
        check_second_names(workspace, read, closed),
    ]
    if (read.path / SEAL).exists():
        checks.append(_check_registry(workspace, read))
    return checks


def verify_ledger(rewards: Path, read: PeriodFolder) -> list[str]:
    """The part of it that concerns money: what a period has to pass before it is closed."""
    check_name(read.artifact)
    closed = [period for period in closed_periods(rewards) if period < read.period]
    if read.config["previous"] != previous_id(rewards, closed):
        raise IntegrityError(f"{read.path / 'manifest.json'}: another previous manifest than that of {closed[-1:]}")
    if closed:
        _check_clock(read_artifact(rewards / closed[-1]), read)
    if gap := next((pair for pair in pairwise([*closed, read.period]) if months.next_period(pair[0]) != pair[1]), None):
        raise IntegrityError(f"{read.path}: {gap[1]} does not follow on {gap[0]}; a period is missing between them")
    files = [rewards / "journal" / f"{period}.csv" for period in closed]
    for month in files:
        _check_month(month, rewards / month.stem)
    if (read.path / SEAL).exists():
        _check_month(rewards / "journal" / f"{read.period}.csv", read.path)
    before = [posting for month in files for posting in journal.read_journal(month)]
    _check_chain(before, read)
    postings = before + read.journal
    books = Ledger(rewards / "journal", postings, closed)
    known = {(row.contributor_id, row.currency) for row in read.allocation}
    if read.balances != balances.balance_rows(books, read.period, known):
        raise read.wrong("balances.csv", "not what the ledger's months say")
    _check_drawn(books, read)
    flying = balances.in_flight(rewards, books)
    if read.payables != balances.payable_rows(books, read.period, read.policy, flying):
        raise read.wrong("payables.csv", "not what the ledger says is payable and not yet handed over")
    return [
        f"the ledger's {len(postings)} lines up to here are one chain over {counted(len(closed) + 1, 'month')}, "
        "none changed since",
        f"{len(read.balances)} balances and {len(read.payables)} payments are what the ledger says",
    ]


def _check_clock(before: Artifact, read: PeriodFolder) -> None:
    """A ledger is a simulation from its first month to its last, or never."""
    clocks = [config.get("calendar", {}).get("clock") for config in (before.identity["config"], read.config)]
    if clocks[0] != clocks[1]:
        real = " and ".join("simulated" if clock else "real" for clock in clocks)
        raise read.wrong("manifest.json", f"the days of {before.path.name} and of {read.period} are {real}")


def _check_chain(before: list[Posting], read: PeriodFolder) -> None:
    """The months before are one chain, and the period's own, which is one, goes on with it and repeats no key."""
    faults = journal.faults(before)
    first, head = read.journal[0], before[-1].hash if before else journal.GENESIS
    if (first.seq, first.prev_hash) != (len(before) + 1, head):
        faults.append(f"line {first.seq} is not chained to the line before it")
    keys = {posting.key for posting in before}
    faults += [f"line {posting.seq} repeats an idempotency key" for posting in read.journal if posting.key in keys]
    if faults:
        raise IntegrityError(f"{read.path / 'journal.csv'}: with the months before it, {faults[0]}")


def _check_drawn(books: Ledger, read: PeriodFolder) -> None:
    """What earlier months deferred for its dataset is drawn, all of it and once; nothing without metered use."""
    owed = drawn(books, read.sealed.dataset, months.last_day(read.period)) if read.sealed else []
    posted = {posting.key for posting in read.journal if posting.event == "DRAW"}
    entries = [journal.entry_of(books.find(key)) for key in sorted(posted)]
    if entries != sorted(owed, key=lambda entry: entry.idempotency_key):
        raise read.wrong("journal.csv", "DRAW does not give back what earlier months deferred for the dataset")
    earlier = sorted({books.entry(entry.ref_entry_id)[0].period for entry in owed})
    if read.sealed and list(read.sealed.deferred) != earlier:
        fault = f"names the use of {list(read.sealed.deferred)}, expected that of {earlier}"
        raise read.wrong("manifest.json", fault)


def _check_month(month: Path, folder: Path) -> None:
    """A sealed month holds what its period's signed manifest says."""
    if not month.exists() or month.read_bytes() != (folder / "journal.csv").read_bytes():
        raise IntegrityError(f"{month}: not the month that {folder.name} was closed with; restore the file")


def _check_statements(folder: Path, read: PeriodFolder, every: bool) -> str:
    """Everybody's proof, or a sample's, leads to the root, and so does the one on a statement that was made.

    What else a statement says is outside its proof, and may be made again.
    """
    proofs = leaves.Proofs(read.period, read.leaves, read.allocation, read.balances)
    root = read.config["merkle"]["root"]
    names = [row.contributor_id for row in read.leaves]
    chosen = names if every else random.Random(read.artifact.id).sample(names, min(SAMPLE, len(names)))
    written = 0
    for name in chosen:
        proof, path = proofs(name), folder / f"{name}.json"
        if proof is None or not leaves.proves(proof, root):
            raise read.wrong("leaves.csv", f"{name}: no proof leads to the root")
        # Those of a draft may be of an earlier one; they are written again when it is closed.
        if path.exists() and (read.path / SEAL).exists():
            written += 1
            try:
                document = parse_json(path.read_text(encoding="utf-8"))
                told = tuple(document[key] for key in ("contributor_id", "period", "proof"))
            except (ValueError, KeyError, TypeError) as error:
                raise IntegrityError(f"{path}: no statement that can be read ({error}); make it again") from error
            if told != (name, read.period, proof):
                raise IntegrityError(f"{path}: its name, period or proof are not those of {read.path}; make it again")
    which = f"{len(chosen)} of {len(names)}" if len(chosen) < len(names) else str(len(names))
    return f"{which} statements' proofs lead to the root, and {written} that were made carry theirs"


def _check_registry(workspace: Workspace, read: PeriodFolder) -> str:
    """The policy is the published one, and the keys are those that the registry knows."""
    refuse_unpublished(workspace, read.policy, read.artifact.inputs["policy"])
    tree = Registry.open(workspace).snapshot().tree
    for signer, public in read.config["closers"].items():
        if public not in public_keys(tree, signer):
            raise read.wrong("manifest.json", f"names a key of {signer} that the registry does not know")
    return "the policy is the published one, and the closers' keys are in the registry"
