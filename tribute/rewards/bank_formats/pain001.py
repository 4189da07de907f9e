"""`pain.001.001.09`, the file that tells a bank to pay a closed period's payables. Posts nothing.

Names and accounts come from the vault, so the file can be made only where the vault is, and is the only one that
holds them. Made again, for another day too, it has the same `MsgId`, which banks refuse to carry out twice.
A file that its schema would refuse is not made.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tribute.contributions.rights import People, missing_to_pay, normal_details, payment_name
from tribute.errors import RewardError
from tribute.ids import parse_payee_ref
from tribute.money import format_amount
from tribute.rewards.bank_formats.iso20022 import schema_faults

if TYPE_CHECKING:
    from pyiso20022.pain import pain_001_001_09 as pain

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
MOST_DIGITS = 18
"""Of an amount, as the schema has it."""
Row = Mapping[str, str]


def by_bank(payable: Row) -> bool:
    """Whether a bank can pay it: ISO 4217 codes have three letters, USDC has four; ETH has no bank."""
    return len(payable["currency"]) == 3 and payable["currency"] != "ETH"


def payment_file(payables: Iterable[Row], people: People, payer: str, period: str, day: str | None = None) -> bytes:
    """The XML for all payables of a bank's currencies, one batch per currency and day.

    `payer` is the id in the vault of who pays; `day` the one on which the bank shall, by default each payable's value
    date. On any day the message has the same `MsgId`. Raises RewardError for anybody without `name` and a good
    `iban`, for a day before a value date, and where there is nothing to pay.
    """
    chosen = sorted((row for row in payables if by_bank(row)), key=lambda row: row["payment_id"])
    if not chosen:
        raise RewardError(
            f"{period}: nothing that a bank could pay; payables.csv has no line in a currency of ISO 4217"
        )
    if day is not None and day < (first := max(row["value_date"] for row in chosen)):
        raise RewardError(f"{day} is before {first}, the value date of {period}; give that day or a later one")
    involved = dict.fromkeys([payer, *(parse_payee_ref(row["payee_ref"]) for row in chosen)])
    _check_people(involved, people)
    parties = {id_: _party(people[id_]) for id_ in involved}
    document = _document(chosen, parties, payer, period, day)
    if faults := schema_faults(document):
        raise RewardError(f"{period}: the payment file would break its schema: {'; '.join(faults)}; it is not written")
    return _serialised(document)


def message_id(rows: Iterable[Row], period: str) -> str:
    """`MsgId` of the file that pays these lines of payables.csv: the same whenever it is made."""
    ordered = sorted((row for row in rows if by_bank(row)), key=lambda row: row["payment_id"])
    return f"{period}-{sha256(repr([sorted(row.items()) for row in ordered]).encode()).hexdigest()[:20]}"


def batches(rows: Iterable[Row], period: str) -> dict[str, list[Row]]:
    """`PmtInfId` → the lines of its batch: one batch per currency, numbered from 1."""
    chosen = sorted((row for row in rows if by_bank(row)), key=lambda row: row["payment_id"])
    message = message_id(chosen, period)
    currencies = sorted({row["currency"] for row in chosen})
    return {
        f"{message}-{number}": [row for row in chosen if row["currency"] == currency]
        for number, currency in enumerate(currencies, start=1)
    }


def _party(person: Mapping[str, str]) -> dict[str, str]:
    """Name, IBAN and BIC as the file has them."""
    details = normal_details({key: person[key] for key in ("name", "iban", "bic") if key in person})
    return details | {"name": payment_name(details["name"])}


def _check_people(ids: Iterable[str], people: People) -> None:
    """All of them at once, and no detail of anybody in the message."""
    missing = {id_: missing_to_pay(people.get(id_, {})) for id_ in ids}
    faults = [f"{id_} ({', '.join(faults)})" for id_, faults in missing.items() if faults]
    if faults:
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise RewardError(
            f"the vault lacks what it takes to pay {', '.join(faults[:5])}{more}; "
            "use `tribute vault set ID name=… iban=… bic=…`"
        )


def _document(rows: list[Row], people: People, payer: str, period: str, day: str | None) -> "pain.Document":
    from pyiso20022.pain import pain_001_001_09 as pain
    from xsdata.models.datatype import XmlDateTime

    message = message_id(rows, period)
    header = pain.GroupHeader85(
        msg_id=message,
        # A clock here would make every copy of the file another one.
        cre_dt_tm=XmlDateTime.from_string(f"{max(row['value_date'] for row in rows)}T00:00:00Z"),
        nb_of_txs=str(len(rows)),
        ctrl_sum=sum(map(_amount, rows), Decimal(0)),
        initg_pty=pain.PartyIdentification135(nm=people[payer]["name"]),
    )
    informations = [_batch(id_, batch, people, payer, day) for id_, batch in batches(rows, period).items()]
    return pain.Document(
        cstmr_cdt_trf_initn=pain.CustomerCreditTransferInitiationV09(grp_hdr=header, pmt_inf=informations)
    )


def _batch(id_: str, rows: list[Row], people: People, payer: str, day: str | None) -> "pain.PaymentInstruction30":
    from pyiso20022.pain import pain_001_001_09 as pain
    from xsdata.models.datatype import XmlDate

    return pain.PaymentInstruction30(
        pmt_inf_id=id_,
        pmt_mtd=pain.PaymentMethod3Code.TRF,
        btch_bookg=False,
        nb_of_txs=str(len(rows)),
        ctrl_sum=sum(map(_amount, rows), Decimal(0)),
        reqd_exctn_dt=pain.DateAndDateTime2Choice(dt=XmlDate.from_string(day or rows[0]["value_date"])),
        dbtr=pain.PartyIdentification135(nm=people[payer]["name"]),
        dbtr_acct=_account(people[payer], rows[0]["currency"]),
        dbtr_agt=_agent(people[payer]),
        chrg_br=pain.ChargeBearerType1Code.SLEV,
        cdt_trf_tx_inf=[_transfer(row, people[parse_payee_ref(row["payee_ref"])]) for row in rows],
    )


def _transfer(row: Row, person: Mapping[str, str]) -> "pain.CreditTransferTransaction34":
    from pyiso20022.pain import pain_001_001_09 as pain

    amount = pain.ActiveOrHistoricCurrencyAndAmount(value=_amount(row), ccy=row["currency"])
    return pain.CreditTransferTransaction34(
        pmt_id=pain.PaymentIdentification6(end_to_end_id=row["end_to_end_id"]),
        amt=pain.AmountType4Choice(instd_amt=amount),
        cdtr_agt=_agent(person) if "bic" in person else None,
        cdtr=pain.PartyIdentification135(nm=person["name"]),
        cdtr_acct=_account(person),
        rmt_inf=pain.RemittanceInformation16(ustrd=[f"Statement {row['statement_id']}"]),
    )


def _account(person: Mapping[str, str], currency: str | None = None) -> "pain.CashAccount38":
    from pyiso20022.pain import pain_001_001_09 as pain

    return pain.CashAccount38(id=pain.AccountIdentification4Choice(iban=person["iban"]), ccy=currency)


def _agent(person: Mapping[str, str]) -> "pain.BranchAndFinancialInstitutionIdentification6":
    from pyiso20022.pain import pain_001_001_09 as pain

    unknown = pain.GenericFinancialIdentification1(id="NOTPROVIDED")
    bank = (
        pain.FinancialInstitutionIdentification18(bicfi=person["bic"])
        if "bic" in person
        else pain.FinancialInstitutionIdentification18(othr=unknown)
    )
    return pain.BranchAndFinancialInstitutionIdentification6(fin_instn_id=bank)


def _amount(row: Row) -> Decimal:
    value = Decimal(format_amount(int(row["amount_minor"]), row["currency"]))
    if len(value.as_tuple().digits) > MOST_DIGITS:
        raise RewardError(f"{row['payment_id']}: {value} has more than {MOST_DIGITS} digits; no bank takes that")
    return value


def _serialised(document: Any) -> bytes:
    from xsdata.formats.dataclass.serializers import XmlSerializer
    from xsdata.formats.dataclass.serializers.config import SerializerConfig

    text: str = XmlSerializer(config=SerializerConfig(indent="  ")).render(document, ns_map={None: NAMESPACE})
    return text.encode("utf-8")
