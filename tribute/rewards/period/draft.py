"""Writes the draft of an open period, `rewards/<period>/`: all of it, or nothing. Posts nothing.

    allocation.csv        one line per pool, currency and contributor: credit, weight, quota, amount, status
    journal.csv           the month of the ledger as it will stand when the period closes
    balances.csv          how everybody stands then
    payables.csv          who is paid then
    exclusions.csv        rows that were not counted, and why
    evidence.parquet      credit per row and query, for auditors
    card.json             how far the credits can be trusted, as the attribution measured it
    gate.json             the card compared with the policy's gate, and the resulting rule and reliability
    tokens.csv            training tokens per contributor, and distinct content where that is the fallback
    payers.csv            to whom each payer's money goes, where a pool pays by query
    usage.csv             what users paid for which query, where a pool pays by query and a file says so
    usage.json            the seal of the month's metered usage, where that funds the period
    manifest.json         what it was made from and the sha256 of every file; kind `rewards`
    and what package.finish adds

An open period may be made again: the new folder is made beside, renamed into place, and only then the old
one goes. The same inputs on the same ledger are recognised by the manifest and not written twice.
"""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tribute import months
from tribute.artifacts import (
    MANIFEST,
    Artifact,
    Kind,
    artifact_key,
    read_artifact,
    stamp,
    verify_artifact,
    write_manifest,
)
from tribute.digests import canonical_digest, file_sha256
from tribute.errors import IntegrityError, RewardError
from tribute.files import making, write_json
from tribute.money import parse_amount
from tribute.rewards import tables
from tribute.rewards.allocation import evidence as evidences
from tribute.rewards.allocation.allocate import PoolAllocation
from tribute.rewards.allocation.allocation_table import allocation_rows, exclusion_rows
from tribute.rewards.allocation.funding import Funding, divide
from tribute.rewards.allocation.gate import VERDICT, read_verdict
from tribute.rewards.allocation.inputs import Sources, read_sources
from tribute.rewards.allocation.pools import allocate_period
from tribute.rewards.ledger import balances, ledger
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.ledger.entries import Entry
from tribute.rewards.ledger.journal import journal_bytes
from tribute.rewards.ledger.metered import drawn, metered, payers_funds
from tribute.rewards.ledger.postings import closing
from tribute.rewards.period import package
from tribute.rewards.period.closed import closers_of, previous_id, terms_of
from tribute.rewards.period.draft_spec import DraftSpec, PaidFrom, PeriodRequest
from tribute.rewards.period.provenance import origin
from tribute.rewards.policy.payees import payees_of
from tribute.rewards.policy.policy import Policy, load_policy, refuse_period
from tribute.rewards.tables import TokenRow
from tribute.rewards.usage.sealed_usage import COPY, SEAL, SealedUsage
from tribute.workspace import Workspace

REWARDS = Kind("rewards", __name__)

DERIVED = ("rows", "control", "merkle", "reliability")
"""The keys of the manifest's config that follow from the files."""


def write_period(workspace: Workspace, paid_from: PaidFrom, request: PeriodRequest) -> Artifact:
    """Draft what a period pays, or find that exactly this is written already.

    Raises ConfigError for a bad policy, RewardError for what cannot be paid; then nothing is left behind.
    """
    started, final = time.monotonic(), workspace.rewards / request.period
    workspace.rewards.mkdir(exist_ok=True)
    with ledger.writing(workspace) as books:
        order = _drafted(workspace, paid_from, request, books)
        if isinstance(order, Artifact):
            return order
        for source in (paid_from.dataset, paid_from.attribution):
            verify_artifact(source.path)
        sources = replace(read_sources(paid_from.dataset, paid_from.attribution), payees=order.payees)
        _make(final, order, sources, paid_from.mlflow_runs, started)
    return replace(read_artifact(final), found=False)


def find_period(workspace: Workspace, paid_from: PaidFrom, request: PeriodRequest) -> Artifact | None:
    """The draft or closed period that `write_period` would find; None where it would draft. Raises what that raises."""
    if not (workspace.rewards / request.period / MANIFEST).exists():
        return None
    with ledger.writing(workspace) as books:
        drafted = _drafted(workspace, paid_from, request, books)
        return drafted if isinstance(drafted, Artifact) else None


def _drafted(workspace: Workspace, paid_from: PaidFrom, request: PeriodRequest, books: Ledger) -> Artifact | DraftSpec:
    """The period as it stands, where it was made from exactly this, or what to draft."""
    rules, period, usage = load_policy(request.policy), request.period, request.usage
    refuse_period(period, rules)
    sealed, deferred = None, list[Entry]()
    if usage and usage.is_dir():
        dataset = str(paid_from.dataset.json("dataset.json")["name"])
        deferred = drawn(books, dataset, months.last_day(period))
        earlier = sorted({books.entry(entry.ref_entry_id)[0].period for entry in deferred})
        sealed = SealedUsage(usage, dataset, tuple(earlier))
        sealed.check(period)
    net = {currency: parse_amount(amount, currency) for amount, currency in request.fees}
    fundings = _fundings(net, payers_funds(sealed.seal, sealed.dataset, deferred) if sealed else {}, rules, period)
    files = {"policy": request.policy}
    if usage is not None:
        files |= {"usage": usage} if sealed is None else {"sealed-usage": usage / SEAL}
    inputs = paid_from.ids | {name: file_sha256(path) for name, path in files.items()}
    if period in books.closed:
        return _closed(workspace.rewards / period, fundings, inputs)
    books.refuse_period(period)
    order = DraftSpec(
        period=period,
        policy=rules,
        fundings=fundings,
        usage=usage,
        sealed=sealed,
        drawn=deferred,
        payees=payees_of(workspace, rules, paid_from.dataset.json("dataset.json")["contributors"]),
        inputs=inputs,
        books=books,
        terms={**terms_of(workspace.rewards, books.closed), period: rules},
        previous=previous_id(workspace.rewards, books.closed),
        closers=closers_of(workspace, rules),
        seeds=sorted(int(adapter.identity["config"]["seed"]) for adapter in paid_from.adapters),
        evaluation=str(paid_from.dataset.identity["files"]["evaluation.parquet"]),
    )
    return _find(workspace.rewards / period, order) or order


def _fundings(
    net: Mapping[str, int], funds: Mapping[str, Mapping[str, int]], policy: Policy, period: str
) -> list[Funding]:
    """The net fees with what payers fund, divided, by currency. Raises RewardError where there is nothing to pay."""
    if not net and not funds:
        raise RewardError(f"{period}: nobody's use funds it; give an amount, or pay the next month")
    payers = {currency: funds.get(currency, {}) for currency in sorted(net.keys() | funds.keys())}
    return [
        divide(net.get(currency, 0) + sum(own.values()), currency, policy, period, own)
        for currency, own in payers.items()
    ]


def _closed(folder: Path, fundings: Sequence[Funding], inputs: Mapping[str, str]) -> Artifact:
    """A closed period, found where it was made from the same. Raises RewardError where not."""
    artifact = read_artifact(folder)
    funding = [funding.document() for funding in fundings]
    if (artifact.inputs, artifact.identity["config"]["funding"]) == (inputs, funding):
        return artifact
    raise RewardError(
        f"{folder.name} is closed and never changes; pay the next period, or correct it with `tribute period correct`"
    )


def _make(final: Path, order: DraftSpec, sources: Sources, mlflow_runs: Mapping[str, str], started: float) -> None:
    # After a crash between its two renames `recovery.recover` brings the old folder back.
    with making(final, replace=True) as folder:
        _fill(folder, order, sources)
        derived = package.finish(folder, order.period) | read_verdict(folder).record
        provenance = {"mlflow_runs": dict(sorted(mlflow_runs.items())), **origin(), **stamp(started)}
        write_manifest(folder, REWARDS, order.inputs, order.config | derived, provenance)


def _fill(folder: Path, order: DraftSpec, sources: Sources) -> None:
    evidence = evidences.build_evidence(sources, period=order.period, adapters=order.adapters)
    evidences.check_sums(evidence, sources.claims(), sources.remedy)
    allocation = allocate_period(sources, order.policy, order.period, order.fundings, order.sealed or order.usage)
    lines = allocation_rows(order.period, allocation.pools, evidence)
    tables.write(folder / "allocation.csv", tables.ALLOCATION, lines)
    _write_money(folder, order, allocation.pools)
    exclusions = exclusion_rows(sources.exclusions, decided_at=months.last_day(order.period))
    tables.write(folder / "exclusions.csv", tables.EXCLUSIONS, exclusions)
    content = (sources.content or {}) if order.policy.fallback == "content" else {}
    tokens = [TokenRow(name, count, content.get(name)) for name, count in sources.tokens.items()]
    tables.write(folder / "tokens.csv", tables.TOKENS, tables.TOKENS.ordered(tokens))
    tables.write_evidence(folder / "evidence.parquet", evidence)
    write_json(folder / VERDICT, allocation.verdict.document(), sort_keys=True)
    if allocation.payers:
        tables.write(folder / tables.PAYERS_FILE, tables.PAYERS, tables.PAYERS.ordered(allocation.payers))
    shutil.copyfile(sources.card_file, folder / "card.json")
    if order.sealed:
        shutil.copyfile(order.sealed.folder / SEAL, folder / COPY)
    elif order.usage:
        shutil.copyfile(order.usage, folder / tables.USAGE_FILE)


def _write_money(folder: Path, order: DraftSpec, pools: Sequence[PoolAllocation]) -> None:
    seal, day = order.sealed, months.last_day(order.period)
    moved = [*metered(seal.seal, seal.dataset, day), *order.drawn] if seal else []
    after = closing(order.books, order.period, order.fundings, pools, order.terms, moved)
    known = {(line.contributor_id, pool.currency) for pool in pools for line in pool.lines}
    flying = balances.in_flight(folder.parent, order.books)
    payables = balances.payable_rows(after, order.period, order.policy, flying)
    (folder / "journal.csv").write_bytes(journal_bytes(after.of_period(order.period)))
    tables.write(folder / "balances.csv", tables.BALANCES, balances.balance_rows(after, order.period, known))
    tables.write(folder / "payables.csv", tables.PAYABLES, payables)


def _find(final: Path, order: DraftSpec) -> Artifact | None:
    """The draft as it stands, if it was made from exactly this and is intact."""
    if not (final / MANIFEST).exists():
        return None
    try:
        artifact = verify_artifact(final)
    except IntegrityError:
        # A draft that was damaged is made again, like one that is missing.
        return None
    made_from = {name: value for name, value in artifact.identity.items() if name != "files"}
    made_from["config"] = {name: value for name, value in made_from["config"].items() if name not in DERIVED}
    same = canonical_digest(made_from)[:24] == artifact_key(REWARDS, order.inputs, order.config)
    return artifact if same else None
