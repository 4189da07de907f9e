"""The tables of the usage store, the same on SQLite and PostgreSQL.

Amounts (`micro`, `held`, `spent`, `credit`, `budget`, `call_cap`) are integers of 10⁻⁶ of the currency's unit. Times
are texts of `times`. `event`, `record`, `explanation`, `credit`, `topup` and `price` are append-only; `held`, `spent`,
an account's `credit`, the head of an instance's chain and `hold` change; `text_key` forgets.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

book = Table(
    "book",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sealed", Text, nullable=False),
    comment="One row: the last sealed month, empty before the first.",
)

instance = Table(
    "instance",
    metadata,
    Column("name", Text, primary_key=True),
    Column("incarnation", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("head", Text, nullable=False),
    Column("time", Text, nullable=False),
    comment="A server: how often it started, and number, digest and time of the last record of its chain.",
)

account = Table(
    "account",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("owner", Text, ForeignKey("account.id")),
    Column("currency", Text),
    Column("affiliated", Boolean, nullable=False),
    Column("models", Text),
    Column("margin", BigInteger),
    Column("credit", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
    comment="Payers, with a currency and money, and agents, with owner, models, and margin in millionths.",
)

bank_account = Table(
    "bank_account",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("payer", Text, ForeignKey("account.id"), primary_key=True),
    comment="Keyed hashes of the bank accounts that payers pay from.",
)

topup = Table(
    "topup",
    metadata,
    Column("entry", Text, primary_key=True),
    Column("account", Text, ForeignKey("account.id"), nullable=False),
    Column("micro", BigInteger, nullable=False),
    Column("time", Text, nullable=False),
    comment="Money that the ledger's entry of this id gave a payer; each entry counts once.",
)

key = Table(
    "key",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sha256", Text, nullable=False, unique=True),
    Column("path", Text, nullable=False, index=True),
    Column("payer", Text, ForeignKey("account.id"), nullable=False),
    Column("agent", Text, ForeignKey("account.id")),
    Column("contributor", Text),
    Column("models", Text),
    Column("budget", BigInteger, nullable=False),
    Column("window", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("call_cap", BigInteger, nullable=False),
    Column("expires", Text, nullable=False),
    Column("test", Boolean, nullable=False),
    Column("revoked", Text),
    Column("held", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
    comment="API keys; `path` is the ids from the root key to this one, `period` the window that `spent` is of.",
)

price = Table(
    "price",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("envelope", LargeBinary, nullable=False),
    comment="Published price lists, each in its signed envelope.",
)

hold = Table(
    "hold",
    metadata,
    Column("id", Text, primary_key=True),
    # Its key refers to the payer. Did the hold, too, it would share a lock on the row that it then updates; where many
    # do so at once, PostgreSQL 15 fails ("new multixact has more than one updating member").
    Column("payer", Text, nullable=False),
    Column("idempotency_key", Text),
    Column("fingerprint", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("test", Boolean, nullable=False),
    Column("micro", BigInteger, nullable=False),
    Column("price_version", Integer, nullable=False),
    Column("trace", Text),
    Column("parent", Text),
    Column("covered", Integer, nullable=False),
    Column("margin", BigInteger),
    Column("room", BigInteger, nullable=False),
    Column("taken", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("instance", Text, ForeignKey("instance.name"), nullable=False),
    Column("incarnation", BigInteger, nullable=False),
    Column("expires", Text, nullable=False),
    UniqueConstraint("payer", "idempotency_key"),
    comment="Calls in flight and the most that each may still cost. A call within an agent's names it as `parent`, "
    "which covers the first `covered` keys of its path; of an agent's, `room` is what the calls within it may cost "
    "together, `taken` what those in flight hold, `used` what those settled cost.",
)

event = Table(
    "event",
    metadata,
    Column("source", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("time", Text, nullable=False),
    Column("month", Text, nullable=False, index=True),
    Column("subject", Text, ForeignKey("account.id"), nullable=False),
    Column("agent", Text),
    Column("path", Text, nullable=False, index=True),
    Column("model", Text, nullable=False),
    Column("artifact", Text, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("price_version", Integer, ForeignKey("price.version"), nullable=False),
    Column("currency", Text, nullable=False),
    Column("micro", BigInteger, nullable=False),
    Column("test", Boolean, nullable=False),
    Column("affiliated", Boolean, nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("explain", Text, nullable=False),
    Column("idempotency_key", Text),
    Column("fingerprint", Text, nullable=False),
    Column("body_sha256", Text, nullable=False),
    Column("corrects", Text),
    Column("parent", Text, index=True),
    Column("receipt", Text, nullable=False, unique=True),
    UniqueConstraint("subject", "idempotency_key"),
    Index("event_corrects", "corrects"),
    comment="What was used and charged, by CloudEvents' names; `subject` is the payer, `corrects` and `parent` name a "
    "receipt; "
    "`micro` is what the call keeps: its price less the prices of the calls within it.",
)

record = Table(
    "record",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("receipt", Text, nullable=False),
    Column("instance", Text, ForeignKey("instance.name"), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("month", Text, nullable=False, index=True),
    Column("certificate", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("signature", Text, nullable=False),
    UniqueConstraint("instance", "number"),
    UniqueConstraint("kind", "receipt"),
    comment="Signed receipts and addenda: the chain of each instance, and the leaves of a month's tree.",
)

explanation = Table(
    "explanation",
    metadata,
    Column("receipt", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("probability", BigInteger, nullable=False),
    Column("positive", BigInteger, nullable=False),
    Column("part", BigInteger, nullable=False),
    comment="What the addendum of a receipt says: with which probability (in 10⁻¹²) it was drawn, the sum of the rows' "
    "credits above 0 in 10⁻¹² nats, and which part (in 10⁻¹²) of the answer's gain the credits explain.",
)
credit = Table(
    "credit",
    metadata,
    Column("receipt", Text, primary_key=True),
    Column("contributor", Text, primary_key=True),
    Column("month", Text, nullable=False, index=True),
    Column("signed", BigInteger, nullable=False),
    Column("absolute", BigInteger, nullable=False),
    comment="Whom the addendum of a receipt names by pseudonym: sums over their rows in 10⁻¹² nats.",
)
certificate = Table(
    "certificate",
    metadata,
    Column("id", Text, primary_key=True),
    Column("envelope", LargeBinary, nullable=False),
    comment="The registry's certificates of serving keys, by the sha256 of the envelope.",
)

text = Table(
    "text",
    metadata,
    Column("receipt", Text, primary_key=True),
    Column("settled", Text, nullable=False),
    Column("explained", Boolean, nullable=False),
    Column("content", LargeBinary, nullable=False),
    comment="Request, answer and salt of a call, encrypted under the call's own key.",
)

text_key = Table(
    "text_key",
    metadata,
    Column("receipt", Text, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
    comment="The key of a call's texts, wrapped by the store's key; the text is forgotten by deleting it here.",
)
