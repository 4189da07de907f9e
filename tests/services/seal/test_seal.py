"""Theorem: a sealed month is what was metered, in one order, and nothing in it can be changed unseen."""

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.services.helpers.market import CREDIT, KEYS, NEVER, PUBLIC, market, training
from tribute.digests import canonical
from tribute.errors import RewardError, ServiceError
from tribute.files import write_json
from tribute.keys import public_half
from tribute.services.accounts import Limits
from tribute.services.meter import add_addendum, receipt_bundle, refund, tie_out, usage
from tribute.services.seal import SEAL, Proofs, seal_month, verify_month

COST = 190
TOOL = Path(__file__).parents[3] / "tools" / "verify_receipt.py"


@pytest.fixture
def busy(url):
    """November: two payers, the second affiliated, a test key, a refund and an addendum; it is December."""
    with market(url) as shop:
        shop.accounts.add_payer("owner", "EUR", affiliated=True)
        shop.accounts.top_up("owner", "entry-2", CREDIT)
        own = shop.keys.issue("owner", Limits(CREDIT, CREDIT, NEVER))[1]
        key, test = shop.key(), shop.key(test=True)
        shop.done = [shop.call(key) for _ in range(5)]
        shop.call(own)
        shop.call(test)
        moved = training({"ada": 3, "bob": -1}, mask=shop.meter.texts.mask("acme"))
        add_addendum(shop.meter, shop.done[0].receipt, moved)
        refund(shop.meter, shop.done[1].receipt, 40, "refund-1", "wrong")
        shop.read_with = key
        shop.clock.pass_(days=2)
        yield shop
        assert tie_out(shop.store) == []


def refused(call, *arguments):
    """The message of a refusal."""
    with pytest.raises(ServiceError) as error:
        call(*arguments)
    return str(error.value)


def test_a_sealed_month_holds_and_adds_up(busy, tmp_path):
    """Totals are what each payer was charged; affiliated payers and test keys fund nothing."""
    folder = seal_month(busy.meter.texts, "2026-11", tmp_path)
    seal = json.loads((folder / SEAL).read_text())

    assert verify_month(folder, KEYS, processes=2) == []
    assert (seal["size"], seal["totals"]["events"], seal["totals"]["corrections"]) == (9, 8, 1)
    acme, owner = (
        {"payer": busy.meter.texts.pseudonym(name), "dataset": "docs", "currency": "EUR"} for name in ("acme", "owner")
    )
    paid = {line["payer"]: line for line in seal["totals"]["paid"]}
    assert paid == {acme["payer"]: acme | {"micro": 5 * COST - 40}, owner["payer"]: owner | {"micro": COST}}
    assert seal["totals"]["funding"] == [acme | {"micro": 5 * COST - 40}]
    assert seal["totals"]["test"] == [acme | {"micro": COST}]
    assert seal["funds"] == [acme | {"brought": 0, "micro": 910, "minor": 0, "carried": 910}]
    assert busy.accounts.balance("acme").spent == 5 * COST - 40


def test_the_same_events_give_the_same_bytes(busy, tmp_path):
    """A seal that is made again, after a kill say, is the same file by file."""
    first = seal_month(busy.meter.texts, "2026-11", tmp_path / "a")
    second = seal_month(busy.meter.texts, "2026-11", tmp_path / "b")

    assert {path.name: path.read_bytes() for path in first.iterdir()} == {
        path.name: path.read_bytes() for path in second.iterdir()
    }


def test_late_events_go_into_the_open_month(busy, tmp_path):
    """A call of November that settles after its seal, and a refund, are December's; November's bytes stay."""
    hold = busy.ask(busy.read_with)
    busy.clock.moment = busy.clock.moment.replace(day=1, month=12)
    folder = seal_month(busy.meter.texts, "2026-11", tmp_path)
    busy.answer(hold)
    refund(busy.meter, busy.done[2].receipt, 10, "refund-2", "late")
    busy.clock.pass_(days=31)
    december = seal_month(busy.meter.texts, "2026-12", tmp_path)

    assert verify_month(folder, KEYS) == verify_month(december, KEYS) == []
    assert json.loads((december / SEAL).read_text())["totals"]["micro"] == COST - 10
    assert "is sealed" in refused(add_addendum, busy.meter, busy.done[3].receipt, training())


def test_a_clock_set_back_opens_no_sealed_month(url, tmp_path):
    """After a restart with a clock of November, November stays sealed."""
    with market(url) as shop:
        shop.call(shop.key())
        shop.clock.pass_(days=2)
        seal_month(shop.meter.texts, "2026-11", tmp_path)
    with market(url, new=False) as shop:
        shop.call(shop.key())

        assert usage(shop.store, shop.keys.find(shop.key().id), "2026-11") == []
        assert verify_month(tmp_path / "2026-11", KEYS) == []
        shop.clock.pass_(days=60)
        assert json.loads((seal_month(shop.meter.texts, "2026-12", tmp_path) / SEAL).read_text())["size"] == 1


def test_months_are_sealed_in_order_and_when_they_are_over(busy, tmp_path):
    """Neither a month that runs, nor one after an unsealed one, nor what is no month."""
    assert "not over" in refused(seal_month, busy.meter.texts, "2026-12", tmp_path)
    busy.clock.pass_(days=31)
    assert "2026-11 is not sealed yet" in refused(seal_month, busy.meter.texts, "2026-12", tmp_path)
    with pytest.raises(RewardError, match="is not a month"):
        seal_month(busy.meter.texts, "../x", tmp_path)


def rewritten(folder, name, change):
    """Change a Parquet file's rows, and seal.json so that its hash fits."""
    table = pq.read_table(folder / name)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(table.from_pylist(rows, table.schema), folder / name)
    seal = json.loads((folder / SEAL).read_text())
    seal["files"][name] = sha256((folder / name).read_bytes()).hexdigest()
    write_json(folder / SEAL, seal)


def cheaper(rows):
    """An event that costs less than its receipt says."""
    rows[0]["micro"] -= 1


def affiliated(rows):
    """A payer whose money shall fund nothing."""
    rows[0]["affiliated"] = True


def richer(rows):
    """A credit that the addendum does not say."""
    for row in rows:
        for name in ("positive", "signed"):
            if row.get(name):
                row[name] += 1


def signed_by_nobody(rows):
    """A signature that is another's."""
    rows[0]["signature"] = rows[1]["signature"]


def another_payload(rows):
    """A receipt that says something else."""
    body = json.loads(rows[0]["payload"])
    body["price"]["micro"] += 1
    rows[0]["payload"] = canonical(body)


@pytest.mark.parametrize(
    ("name", "change", "fault"),
    [
        ("usage.parquet", cheaper, "is missing or says otherwise"),
        ("usage.parquet", affiliated, "do not add up"),
        ("usage.parquet", lambda rows: rows.pop(), "no event is of this receipt"),
        ("usage.parquet", richer, "the addendum of"),
        ("credits.parquet", richer, "the addendum of"),
        ("credits.parquet", lambda rows: rows.pop(), "the addendum of"),
        ("receipts.parquet", signed_by_nobody, "signature is not that of the key"),
        ("receipts.parquet", another_payload, "its leaf is not that of its payload"),
        ("receipts.parquet", lambda rows: rows.reverse(), "does not follow on"),
        ("receipts.parquet", lambda rows: rows.pop(), "not the sealed one"),
    ],
)
def test_every_change_is_found(busy, tmp_path, name, change, fault):
    """Even by somebody who makes the hashes of the files fit."""
    folder = seal_month(busy.meter.texts, "2026-11", tmp_path)
    rewritten(folder, name, change)

    assert any(fault in found for found in verify_month(folder, KEYS))


def test_a_changed_file_and_another_registry_are_found(busy, tmp_path):
    """By the hash in seal.json, and by the certificate's signature."""
    folder = seal_month(busy.meter.texts, "2026-11", tmp_path)
    stranger = [public_half(Ed25519PrivateKey.generate())]

    assert "certificate: signed by a key that is none" in verify_month(folder, stranger)[0]

    (folder / "certificates.json").write_text("{}")

    assert "certificates.json: its sha256" in verify_month(folder, KEYS)[0]


def checked(bundle, tmp_path, *options):
    """What tools/verify_receipt.py says about a bundle, without Tribute in its path."""
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(bundle))
    command = [sys.executable, "-I", TOOL, path, "--registry", PUBLIC, *options]
    return subprocess.run(command, capture_output=True, text=True, cwd="/")


def test_a_receipt_is_verified_offline(busy, tmp_path):
    """Signature, certificate, addendum, texts and the proof to the month's root, by a file that needs no Tribute."""
    done = busy.done[0]
    folder = seal_month(busy.meter.texts, "2026-11", tmp_path)
    proofs = Proofs(folder)
    bundle = receipt_bundle(busy.store, busy.read_with, done.receipt)
    bundle |= {"proof": proofs(done.receipt), "addendum_proof": proofs(f"{done.receipt}-addendum")}
    (tmp_path / "request").write_bytes(b"why?")
    (tmp_path / "answer").write_bytes(b"because")
    root = json.loads((folder / SEAL).read_text())["root"]
    texts = ("--root", root, "--request", tmp_path / "request", "--answer", tmp_path / "answer", "--salt")
    good = checked(bundle, tmp_path, *texts, done.salt.hex())
    wrong_salt = checked(bundle, tmp_path, *texts, "00" * 32)
    wrong_root = checked(bundle, tmp_path, "--root", "0" * 64)
    swapped = checked(bundle | {"receipt": bundle["addendum"]}, tmp_path)

    assert good.returncode == 0, good.stderr
    assert good.stdout.count("ok: ") == 20
    assert "FAILED: the receipt is about this request" in wrong_salt.stderr
    assert "FAILED: receipt: the root is the one you gave" in wrong_root.stderr
    assert "FAILED: receipt: is a receipt" in swapped.stderr
    assert proofs("receipt-0") is None
    assert len(TOOL.read_text().splitlines()) < 100


def test_every_character_of_a_receipt_counts(busy, tmp_path):
    """A receipt with another amount is refused by the tool."""
    bundle = receipt_bundle(busy.store, busy.read_with, busy.done[0].receipt)
    envelope = json.loads(bundle["receipt"])
    middle = len(envelope["payload"]) // 2
    letter = "A" if envelope["payload"][middle] != "A" else "B"
    envelope["payload"] = envelope["payload"][:middle] + letter + envelope["payload"][middle + 1 :]

    assert (
        "FAILED: receipt: the signature holds" in checked(bundle | {"receipt": json.dumps(envelope)}, tmp_path).stderr
    )


def test_a_key_reads_its_own_and_what_is_below(busy):
    """A sub-key's receipts are its parent's to read, a sibling's and another payer's are unknown."""
    child = busy.keys.narrow(busy.read_with, Limits(1000, 1000, NEVER))[1]
    done = busy.call(child)
    other = busy.key()

    assert receipt_bundle(busy.store, busy.read_with, done.receipt)["receipt"] == done.envelope.decode()
    assert "unknown to this key" in refused(receipt_bundle, busy.store, child, busy.done[0].receipt)
    assert "unknown to this key" in refused(receipt_bundle, busy.store, other, done.receipt)
    assert "unknown to this key" in refused(receipt_bundle, busy.store, child, "receipt-\0")
    (line,) = usage(busy.store, busy.read_with, "2026-11")
    assert (line.calls, line.input_tokens, line.output_tokens, line.micro) == (5, 25, 50, 5 * COST - 40)
    assert usage(busy.store, child, "2026-12")[0].calls == 1
