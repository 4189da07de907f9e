"""Banks' answers in the three forms, as small as banks make them; the tests fill in which payments they are about."""

CAMT = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}">
  <BkToCstmrStmt>
    <GrpHdr><MsgId>{message}</MsgId><CreDtTm>2027-01-05T08:00:00</CreDtTm></GrpHdr>
    <Stmt><Id>1</Id><Acct><Id><IBAN>{account}</IBAN></Id></Acct>{entries}</Stmt>
  </BkToCstmrStmt>
</Document>
"""
ENTRY = """
      <Ntry>
        <Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd><Sts>{status}</Sts>
        <BookgDt><Dt>2027-01-04</Dt></BookgDt>
        <NtryDtls><TxDtls>
          <Refs><EndToEndId>{id}</EndToEndId></Refs>
          <AmtDtls><TxAmt><Amt Ccy="{currency}">{amount}</Amt></TxAmt></AmtDtls>{more}
        </TxDtls></NtryDtls>
      </Ntry>"""
RETURNED = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>"
REPORT = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10">
  <CstmrPmtStsRpt>
    <GrpHdr><MsgId>{message}</MsgId><CreDtTm>2027-01-04T10:00:00Z</CreDtTm></GrpHdr>
    <OrgnlPmtInfAndSts>{transactions}</OrgnlPmtInfAndSts>
  </CstmrPmtStsRpt>
</Document>
"""
TRANSACTION = """
      <TxInfAndSts>
        <OrgnlEndToEndId>{id}</OrgnlEndToEndId><TxSts>{status}</TxSts>
        <StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn></StsRsnInf>
      </TxInfAndSts>"""


def statement(*entries, message="CAMT-1", version="08", account="NL91ABNA0417164300", currency="EUR"):
    """camt.053; an entry is (end-to-end id, amount, sign), with a fourth member where it says more."""
    texts = [
        ENTRY.format(
            id=id_,
            amount=amount,
            sign=sign,
            currency=currency,
            status="<Cd>BOOK</Cd>" if version > "06" else "BOOK",
            more=RETURNED if sign == "CRDT" else "",
        )
        for id_, amount, sign in entries
    ]
    return CAMT.format(entries="".join(texts), message=message, version=version, account=account)


def report(*transactions, message="PAIN-1"):
    """pain.002; a transaction is (end-to-end id, status, reason)."""
    texts = [TRANSACTION.format(id=id_, status=status, reason=reason) for id_, status, reason in transactions]
    return REPORT.format(transactions="".join(texts), message=message)


def table(*rows):
    """CSV; a row is (end-to-end id, amount, status)."""
    lines = ["end_to_end_id,currency,amount,status,booked_at,reason"]
    return "\n".join([*lines, *(f"{id_},EUR,{amount},{status},2027-01-04," for id_, amount, status in rows)]) + "\n"


ACCOUNTS = {"camt.053": ("BkToCstmrStmt", "Stmt"), "camt.052": ("BkToCstmrAcctRpt", "Rpt")}
ACCOUNTS["camt.054"] = ("BkToCstmrDbtCdtNtfctn", "Ntfctn")


def account(*entries, kind="camt.053", message="CAMT-1", version="08", namespace=None):
    """A message about an account, whose entries are given as XML."""
    body, part = ACCOUNTS[kind]
    space = f"urn:iso:std:iso:20022:tech:xsd:{kind}.001.{version}" if namespace is None else namespace
    head = f"<GrpHdr><MsgId>{message}</MsgId><CreDtTm>2027-01-05T08:00:00</CreDtTm></GrpHdr>"
    owner = "<Id>1</Id><Acct><Id><IBAN>NL91ABNA0417164300</IBAN></Id></Acct>"
    xmlns = f' xmlns="{space}"' if space else ""
    return f"<Document{xmlns}><{body}>{head}<{part}>{owner}{''.join(entries)}</{part}></{body}></Document>"


def entry(amount, *details, sign="DBIT", batch="", more="", day="2027-01-04", status="<Cd>BOOK</Cd>"):
    """An entry of an account; `amount` is `12.50`, or `12.50 CHF`; `details` are TxDtls, `more` stands in the entry."""
    return (
        f"<Ntry>{_amt(amount)}<CdtDbtInd>{sign}</CdtDbtInd><Sts>{status}</Sts><BookgDt><Dt>{day}</Dt></BookgDt>{more}"
        f"<NtryDtls>{batch and f'<Btch>{batch}</Btch>'}{''.join(details)}</NtryDtls></Ntry>"
    )


def detail(id_, amount="", *, refs="", more=""):
    """One payment under an entry."""
    named = f"<Refs>{refs}<EndToEndId>{id_}</EndToEndId></Refs>"
    return f"<TxDtls>{named}{amount and _amt(amount)}{more}</TxDtls>"


def ordered(amount):
    """What was ordered, beside what the account's currency makes of it."""
    return f"<AmtDtls><InstdAmt>{_amt(amount)}</InstdAmt></AmtDtls>"


def status(message, *batches, group="", count="", id_="PAIN-1", version="10", loose=""):
    """pain.002 about our file `message`; `group` is its status, `batches` are XML, `loose` stands outside of them."""
    body = "CstmrPmtStsRpt" if version > "02" else "pain.002.001.02"
    number = count and f"<OrgnlNbOfTxs>{count}</OrgnlNbOfTxs>"
    whole = f"<OrgnlMsgId>{message}</OrgnlMsgId>{number}{group and f'<GrpSts>{group}</GrpSts>'}"
    head = f"<GrpHdr><MsgId>{id_}</MsgId><CreDtTm>2027-01-04T10:00:00Z</CreDtTm></GrpHdr>"
    reason = "<StsRsnInf><Rsn><Cd>FF01</Cd></Rsn></StsRsnInf>"
    return (
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.{version}"><{body}>{head}'
        f"<OrgnlGrpInfAndSts>{whole}{reason}</OrgnlGrpInfAndSts>{loose}{''.join(batches)}</{body}></Document>"
    )


def batch_status(id_, *transactions, state="", count=""):
    """The status of one batch of ours, and of payments under it."""
    number = count and f"<OrgnlNbOfTxs>{count}</OrgnlNbOfTxs>"
    return (
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{id_}</OrgnlPmtInfId>{number}{state and f'<PmtInfSts>{state}</PmtInfSts>'}"
        f"{''.join(transactions)}</OrgnlPmtInfAndSts>"
    )


def payment_status(id_, state="", reason=""):
    """The status of one payment; without `state` that of what is above it counts."""
    why = reason and f"<StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn></StsRsnInf>"
    own = state and f"<TxSts>{state}</TxSts>"
    return f"<TxInfAndSts><OrgnlEndToEndId>{id_}</OrgnlEndToEndId>{own}{why}</TxInfAndSts>"


def _amt(amount):
    number, _, currency = amount.partition(" ")
    return f'<Amt Ccy="{currency or "EUR"}">{number}</Amt>'
