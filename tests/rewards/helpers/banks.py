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
