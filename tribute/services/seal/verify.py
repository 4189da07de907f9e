"""Does a sealed month hold? Hashes of files, leaves and root, chains, totals, and every signature."""

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tribute.collector import without_collector
from tribute.digests import canonical, file_sha256
from tribute.dsse import pae
from tribute.errors import IntegrityError
from tribute.keys import check_signature
from tribute.merkle import Tree, leaf
from tribute.services.meter import NEVER, masked, nats
from tribute.services.receipts import KINDS, RECEIPT, Certificate, read_certificate
from tribute.services.seal.funding import owed
from tribute.services.seal.seal import BATCH, CERTIFICATES, CREDITS, FILES, MASKS, RECEIPTS, SEAL, USAGE, before
from tribute.services.seal.totals import Totals
from tribute.strict import parse_json

Record = dict[str, Any]
FIGURES = ("probability", "positive", "part")
"""What an addendum says in numbers beside its credits."""


@dataclass
class _Month:
    """What is gathered on the way through the records."""

    leaves: list[bytes] = field(default_factory=list)
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Instance → number and digest of its last record."""
    charges: dict[str, tuple[object, ...]] = field(default_factory=dict)
    """Receipt → what it says that was charged."""
    explanations: dict[str, bytes] = field(default_factory=dict)
    """Receipt → digest of what its addendum says, see `_explanation`."""


@without_collector()
def verify_month(folder: Path, registry: Collection[str], *, signatures: bool = True, processes: int = 1) -> list[str]:
    """What does not hold in a sealed month, a sentence each; empty where all does.

    `registry` has the public halves of the registry's keys. Without `signatures` those of receipts are not checked.
    """
    seal = parse_json((folder / SEAL).read_bytes())
    changed = [name for name in FILES if file_sha256(folder / name) != seal["files"].get(name)]
    if changed:
        return [f"{folder / name}: its sha256 is not the sealed one; restore the file" for name in changed]
    month = _Month()
    faults = [fault for batch in _batches(folder / RECEIPTS) for fault in _records(batch, month, seal["month"])]
    root = Tree(month.leaves).root.hex()
    if (root, len(month.leaves)) != (seal["root"], seal["size"]):
        faults.append(f"{folder / RECEIPTS}: {len(month.leaves)} leaves have root {root[:12]}…, not the sealed one")
    faults += _usage(folder, month, seal["totals"])
    faults += _funds(folder, seal)
    return faults + (list(_signatures(folder, registry, processes)) if signatures else [])


def _batches(path: Path) -> Iterator[list[Record]]:
    for batch in pq.ParquetFile(path).iter_batches(BATCH):
        yield batch.to_pylist()


def _records(batch: list[Record], month: _Month, name: str) -> Iterator[str]:
    """Check leaves, chains and columns of a batch against the payloads, and gather them."""
    for record in batch:
        body, digest = parse_json(record["payload"]), sha256(record["payload"]).hexdigest()
        if leaf(b"", record["payload"]) != record["leaf"]:
            yield f"{record['id']}: its leaf is not that of its payload"
        columns = (record["id"], record["instance"], record["number"], name)
        if (body["id"], body["instance"], body["number"], body["month"]) != columns:
            yield f"{record['id']}: the signed payload says {body['id']}, number {body['number']}, {body['month']}"
        number, head = month.heads.get(record["instance"], (0, ""))
        # Records of other months stand between some of a month's: there the chain is checked by their months.
        if record["number"] <= number or (record["number"] == number + 1 and head and body["previous"] != head):
            yield f"{record['id']}: does not follow on number {number} of {record['instance']}"
        month.heads[record["instance"]] = (record["number"], digest)
        month.leaves.append(record["leaf"])
        if record["kind"] == RECEIPT:
            month.charges[record["id"]] = _charge(body)
        else:
            training = body["training"]
            credits = [(line["contributor"], line["credit"], line["absolute"]) for line in training["contributors"]]
            figures = [training[name] for name in FIGURES]
            month.explanations[body["receipt"]] = _explanation(training["status"], figures, credits)


def _charge(body: Mapping[str, Any]) -> tuple[object, ...]:
    """What a receipt says that was charged; `usage.parquet` has to say the same."""
    price, tokens = body["price"], body["tokens"]
    charge = (price["micro"], price["currency"], price["version"], tokens["input"], tokens["output"])
    forbidden = body.get("training") == NEVER
    return (*charge, body["test"], body["agent"], body["corrects"], body["event"]["id"], body["payer"], forbidden)


def _explanation(status: str, figures: Iterable[str], credits: Iterable[tuple[str, str, str]]) -> bytes:
    """What an addendum says, as one digest."""
    return sha256(repr((status, *figures, sorted(credits))).encode()).digest()


def _usage(folder: Path, month: _Month, sealed: dict[str, Any]) -> Iterator[str]:
    """Check every event against its receipt and addendum, and the totals against the sealed ones."""
    totals, charges, explanations = Totals(), month.charges, month.explanations
    credits = _CreditsOf(folder)
    names = ("micro", "currency", "price_version", "input_tokens", "output_tokens", "test", "agent", "corrects", "id")
    for columns in pq.ParquetFile(folder / USAGE).iter_batches(BATCH):
        batch = columns.to_pylist()
        totals.add(columns.to_pydict())
        for event in batch:
            receipt = event["receipt"]
            forbidden = event["explain"] == NEVER and event["corrects"] is None
            charge = (*(event[name] for name in names), event["payer"], forbidden)
            if charges.pop(receipt, None) != charge:
                yield f"event {event['id']}: its receipt {receipt} is missing or says otherwise"
            if event["status"] is not None and explanations.pop(receipt, None) != credits.explanation(event):
                yield f"event {event['id']}: the addendum of {receipt} is missing or says otherwise"
    yield from (f"{receipt}: no event is of this receipt" for receipt in charges)
    yield from (f"{receipt}: no event is explained by its addendum" for receipt in explanations)
    yield from (f"{receipt}: {CREDITS} has credits that no addendum has" for receipt in credits.left)
    if totals.document() != sealed:
        yield f"{folder / USAGE}: the events do not add up to the sealed totals"


class _CreditsOf:
    """`credits.parquet` by receipt, with contributors under their payer's pseudonyms."""

    def __init__(self, folder: Path) -> None:
        self._masks = parse_json((folder / MASKS).read_bytes())
        self.left: dict[str, list[tuple[str, int, int]]] = {}
        for batch in _batches(folder / CREDITS):
            for row in batch:
                line = (sys.intern(row["contributor"]), row["signed"], row["absolute"])
                self.left.setdefault(row["receipt"], []).append(line)

    def explanation(self, event: Mapping[str, Any]) -> bytes:
        """What the addendum of an event has to say; its credits are taken out of `left`."""
        mask = self._masks[event["payer"]]
        lines = self.left.pop(event["receipt"], [])
        credits = [(masked(mask, name), nats(own), nats(size)) for name, own, size in lines]
        return _explanation(event["status"], [nats(event[name]) for name in FIGURES], credits)


def _funds(folder: Path, seal: Mapping[str, Any]) -> Iterator[str]:
    """Check what each payer funds against the totals and the month sealed before, where that lies beside."""
    previous = before(folder)
    earlier: dict[str, Any] | None = None
    if seal["previous"]:
        if previous is None or file_sha256(previous / SEAL) != seal["previous"]:
            yield f"{folder / SEAL}: the month sealed before does not lie beside it, or is another one"
            return
        earlier = parse_json((previous / SEAL).read_bytes())
    if any(seal[name] != lines for name, lines in owed(seal["totals"], earlier).items()):
        yield f"{folder / SEAL}: what payers owe does not follow from the totals and what was brought forward"
    if strangers := {line["agent"] for line in seal["margins"]} - seal["owners"].keys():
        yield f"{folder / SEAL}: agent {min(strangers)} has no owner"


def _signatures(folder: Path, registry: Collection[str], processes: int) -> Iterator[str]:
    """Check the certificates by the registry's keys, and every record by its certificate's."""
    certificates = {}
    for name, content in parse_json((folder / CERTIFICATES).read_bytes()).items():
        if sha256(canonical(content)).hexdigest() != name:
            yield f"certificate {name[:12]}…: found another one under its name"
        try:
            certificates[name] = read_certificate(canonical(content), registry)
        except IntegrityError as error:
            yield str(error)
    groups = [(folder, number, certificates) for number in range(pq.ParquetFile(folder / RECEIPTS).num_row_groups)]
    if processes == 1:
        for group in groups:
            yield from _signed(*group)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for faults in pool.map(_signed, *zip(*groups, strict=True)):
            yield from faults


def _signed(folder: Path, group: int, certificates: dict[str, Certificate]) -> list[str]:
    """The faults of a row group's signatures."""
    faults = []
    columns = ["id", "kind", "instance", "certificate", "signature", "payload"]
    for record in pq.ParquetFile(folder / RECEIPTS).read_row_group(group, columns).to_pylist():
        certificate = certificates.get(record["certificate"])
        time = parse_json(record["payload"])["time"]
        if certificate is None or not certificate.covers(time) or certificate.instance != record["instance"]:
            faults.append(f"{record['id']}: no certificate of {record['instance']} covers {time}")
            continue
        try:
            content = pae(KINDS[record["kind"]], record["payload"])
            check_signature(certificate.public, record["signature"], content, record["id"])
        except IntegrityError as error:
            faults.append(str(error))
    return faults
