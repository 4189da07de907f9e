"""Sealing a month: no event enters it any more, and its usage and records are written in a fixed order.

    usage.parquet       an event per row, payers by pseudonym, with the status of its explanation
    credits.parquet     whom the addenda name: contributor, signed and absolute credit in 10⁻¹² nats
    receipts.parquet    a receipt or addendum per row, in the order of the leaves: by instance, then number
    certificates.json   the registry's certificates of the keys that signed them
    masks.json          payer → what hides contributors from that payer
    seal.json           month, Merkle root and size, control totals, what each payer owes for what, who owns the agents,
                        the sha256 of the month before's seal.json and of the other files

Rewards reads usage, credits and seal. A leaf is RFC 9162's over the record's payload, sha256(0x00 ‖ payload). The same
events give the same bytes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Select, func, select, update

from tribute.collector import without_collector
from tribute.digests import file_sha256
from tribute.errors import ServiceError
from tribute.files import making, write_json
from tribute.merkle import Tree, leaf
from tribute.months import checked_period
from tribute.services.meter import Texts
from tribute.services.seal.funding import owed
from tribute.services.seal.totals import Totals
from tribute.services.store import Store, month_of, tables
from tribute.strict import parse_json

SEAL, USAGE, RECEIPTS, CERTIFICATES = "seal.json", "usage.parquet", "receipts.parquet", "certificates.json"
CREDITS, MASKS = "credits.parquet", "masks.json"
FILES = (USAGE, CREDITS, RECEIPTS, CERTIFICATES, MASKS)
BATCH = 20_000
"""Rows that are in memory at a time, and rows of a Parquet row group."""

_TEXTS = (
    "source",
    "id",
    "type",
    "time",
    "payer",
    "agent",
    "model",
    "artifact",
    "currency",
    "corrects",
    "parent",
    "receipt",
)
_INTEGERS = ("input_tokens", "output_tokens", "price_version", "micro")
_EXPLANATION = ("status", "probability", "positive", "part")
_FLAGS = ("test", "affiliated", "complete")
USAGE_SCHEMA = pa.schema(
    [(name, pa.string()) for name in _TEXTS]
    + [(name, pa.int64()) for name in _INTEGERS]
    + [(name, pa.bool_()) for name in _FLAGS]
    + [("explain", pa.string()), ("status", pa.string())]
    + [(name, pa.int64()) for name in _EXPLANATION[1:]]
)
CREDITS_SCHEMA = pa.schema(
    [("receipt", pa.string()), ("contributor", pa.string()), ("signed", pa.int64()), ("absolute", pa.int64())]
)
RECEIPTS_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("id", "kind", "receipt", "instance", "certificate", "signature")]
    + [("number", pa.int64()), ("payload", pa.binary()), ("leaf", pa.binary(32))]
)


def seal_month(texts: Texts, month: str, folder: Path) -> Path:
    """Seal a month that is over into `folder/<month>`, for good; a seal that was interrupted is completed.

    `texts` names payers by their pseudonyms. Raises ServiceError: 409 where the month is not over or an earlier one has
    to be sealed first, and RewardError for what is no month.
    """
    checked_period(month)
    target = folder / month
    if not target.exists():
        _close(texts.store, month)
        with making(target) as beside, without_collector():
            _write(texts, month, beside, before(target))
    return target


def before(sealed: Path) -> Path | None:
    """The month that was sealed before one, beside which it lies; None for the first."""
    earlier = sorted(path for path in sealed.parent.glob("????-??") if path.name < sealed.name)
    return earlier[-1] if earlier else None


def _close(store: Store, month: str) -> None:
    """Let no more events into a month; settlements that have begun end first."""
    with store.writing() as connection:
        sealed = connection.execute(select(tables.book.c.sealed).with_for_update()).scalar_one()
        if month <= sealed:
            return
        if month >= month_of(store.now()):
            raise ServiceError(f"{month} is not over; seal it when it is", 409)
        row = tables.record.c
        first = connection.execute(select(func.min(row.month)).where(row.month > sealed)).scalar()
        if first is not None and first < month:
            raise ServiceError(f"{first} is not sealed yet; months are sealed in order", 409)
        connection.execute(update(tables.book).values(sealed=month))


def _write(texts: Texts, month: str, folder: Path, previous: Path | None) -> None:
    """Write the files of a month."""
    store, totals, leaves, certificates = texts.store, Totals(), list[bytes](), set[str]()
    masks = dict[str, str]()
    with pq.ParquetWriter(folder / USAGE, USAGE_SCHEMA, compression="zstd") as writer:
        for columns in _batches(store, _events(month)):
            payers = {payer: texts.pseudonym(payer) for payer in set(columns["payer"])}
            masks |= {name: texts.mask(payer) for payer, name in payers.items()}
            columns["payer"] = [payers[payer] for payer in columns["payer"]]
            totals.add(columns)
            writer.write_table(pa.table(columns, USAGE_SCHEMA))
    with pq.ParquetWriter(folder / CREDITS, CREDITS_SCHEMA, compression="zstd") as writer:
        for columns in _batches(store, _credits(month)):
            writer.write_table(pa.table(columns, CREDITS_SCHEMA))
    with pq.ParquetWriter(folder / RECEIPTS, RECEIPTS_SCHEMA, compression="zstd") as writer:
        for columns in _batches(store, _records(month)):
            columns["leaf"] = [leaf(b"", payload) for payload in columns["payload"]]
            leaves += columns["leaf"]
            certificates.update(columns["certificate"])
            writer.write_table(pa.table(columns, RECEIPTS_SCHEMA))
    write_json(folder / CERTIFICATES, _certificates(store, certificates), sort_keys=True)
    write_json(folder / MASKS, masks, sort_keys=True)
    counted = totals.document()
    earlier = None if previous is None else parse_json((previous / SEAL).read_bytes())
    owes = owed(counted, earlier)
    seal = {
        "month": month,
        "root": Tree(leaves).root.hex(),
        "size": len(leaves),
        "totals": counted,
        **owes,
        "owners": _owners(texts, {line["agent"] for line in owes["margins"]}),
        "previous": "" if previous is None else file_sha256(previous / SEAL),
        "files": {name: file_sha256(folder / name) for name in FILES},
    }
    write_json(folder / SEAL, seal, sort_keys=True)


def _events(month: str) -> Select[Any]:
    """The month's events in the order of their receipts."""
    row = tables.event.c
    names = [name for name in USAGE_SCHEMA.names if name not in _EXPLANATION]
    columns = [row["subject" if name == "payer" else name].label(name) for name in names]
    chain, explanation = (tables.record.c.instance, tables.record.c.number), tables.explanation
    joined = select(*columns, *(explanation.c[name] for name in _EXPLANATION))
    joined = joined.join(tables.record, tables.record.c.id == row.receipt)
    joined = joined.outerjoin(explanation, explanation.c.receipt == row.receipt)
    return joined.where(row.month == month).order_by(*chain)


def _credits(month: str) -> Select[Any]:
    """The credits of the month's addenda, by receipt and contributor."""
    row = tables.credit.c
    columns = [row[name] for name in CREDITS_SCHEMA.names]
    return select(*columns).where(row.month == month).order_by(row.receipt, row.contributor)


def _records(month: str) -> Select[Any]:
    """The month's receipts and addenda in the order of the leaves."""
    row = tables.record.c
    columns = [row[name] for name in RECEIPTS_SCHEMA.names if name != "leaf"]
    return select(*columns).where(row.month == month).order_by(row.instance, row.number)


def _batches(store: Store, rows: Select[Any]) -> Iterator[dict[str, list[Any]]]:
    """The columns of a query's rows, BATCH rows at a time."""
    with store.reading() as connection:
        result = connection.execution_options(yield_per=BATCH).execute(rows)
        names = list(result.keys())
        for batch in result.partitions():
            yield dict(zip(names, map(list, zip(*batch, strict=True)), strict=True))


def _owners(texts: Texts, agents: set[str]) -> dict[str, str]:
    """Agent → the pseudonym of the payer who owns it."""
    with texts.store.reading() as connection:
        account = tables.account.c
        rows = connection.execute(select(account.id, account.owner).where(account.id.in_(agents)))
        return {row.id: texts.pseudonym(row.owner) for row in rows}


def _certificates(store: Store, ids: set[str]) -> dict[str, Any]:
    """Certificate id → the envelope."""
    with store.reading() as connection:
        rows = connection.execute(select(tables.certificate).where(tables.certificate.c.id.in_(ids)))
        return {row.id: parse_json(row.envelope) for row in rows}
