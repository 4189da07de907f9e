"""Numbers and codes in a reader's words: months, units, percentages, reasons. Computes no amount."""

from decimal import Decimal
from fractions import Fraction

from tribute.money import exponent, format_amount
from tribute.rewards import allocation
from tribute.rewards.allocation import Line
from tribute.rewards.tables import decimal_floor

# Own names: the standard library's follow the locale of whoever runs it.
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_UNITS = (
    (Decimal(1), "nats", "nats"),
    (Decimal("1e-3"), "mnat", "thousandths of a nat"),
    (Decimal("1e-6"), "µnat", "millionths of a nat"),
    (Decimal("1e-9"), "nnat", "billionths of a nat"),
)
REASONS = {
    "duplicate": "repeats a row that came first",
    "conflicting_label": "same text as an earlier row but another label; waits for review",
    "near_evaluation": "too close to a row of the evaluation set",
    "near_duplicate": "nearly repeats a row of somebody else that came first",
    "secret": "holds a key or password; waits for review",
    "personal_data": "holds somebody’s personal data; waits for review",
    "language": "in another language than the dataset takes; waits for review",
    "outlier": "unlike all other rows in length or form; waits for review",
    "rejected": "rejected by a person, who said why in the ledger",
    "terms": "its terms do not allow learning from it",
}

BY_TOKENS = (
    "This period is paid by training tokens, not by credit, because the measurement of credit did not pass its checks."
)

Unit = tuple[Decimal, str, str]
"""A size in nats, its symbol and its name."""


def month(period: str) -> str:
    """`2026-11` → `November 2026`."""
    return f"{_MONTHS[int(period[5:]) - 1]} {period[:4]}"


def day(date: str) -> str:
    """`2026-11-05` → `5 November 2026`."""
    return f"{int(date[8:])} {month(date[:7])}"


def money(minor: int, currency: str, *, signed: bool = False) -> str:
    """Minor units for people: `1,000.00 EUR`; with a sign also where it is a plus, if `signed`."""
    sign = "+" if signed and minor > 0 else ""
    return minus(f"{sign}{format_amount(minor, currency, grouped=True)} {currency}")


def unit(values: list[Decimal]) -> Unit:
    """The unit in which the largest of the values is at least 1."""
    largest = max((abs(value) for value in values), default=Decimal(0))
    return next((unit for unit in _UNITS if largest >= unit[0]), _UNITS[-1] if largest else _UNITS[0])


def scaled(value: Decimal, unit: Unit) -> str:
    """A signed value in a unit, with one decimal."""
    return minus(f"{value / unit[0]:+,.1f}")


def nats(value: Decimal | Fraction) -> str:
    """A value in nats with all its 12 decimals."""
    return minus(f"{decimal_floor(Fraction(value)):f} nats")


def quota(value: Fraction, currency: str) -> str:
    """A quota in minor units as money, cut at 6 digits below the minor unit."""
    digits = exponent(currency) + 6
    whole, rest = divmod(value.numerator * 10**6 // value.denominator, 10**digits)
    return f"{whole:,}.{rest:0{digits}d} {currency}"


def percent(part: Fraction | Decimal | int, whole: Fraction | Decimal | int, digits: int = 1) -> str:
    """A percentage for people, calculated exactly and rounded once."""
    if whole == 0:
        return "–"
    return minus(f"{decimal_floor(100 * Fraction(part) / Fraction(whole)):.{digits}f} %")


def reason(line: Line, *, credit_share: str, token_share: str, smallest: str, tag: str) -> str:
    """Why the amount is what it is, in two or three sentences; `smallest` is one minor unit as money."""
    count = line.claim.rows_canonical
    rows = f"{count:,} row{'' if count == 1 else 's'}"
    sentences = {
        allocation.ACCRUED: (
            f"The model learned from your {rows}, and they made it better: "
            f"{credit_share} of all the credit in {tag} is yours."
        ),
        allocation.ZERO_ALL_EXCLUDED: (
            "None of your rows was counted: each one was there already, or was held back, when the version "
            "was released. Below is why."
        ),
        allocation.ZERO_NO_TRAINING_ROW: (
            f"The model was not trained on any row of yours in {tag}, so there is nothing to credit."
        ),
        allocation.ZERO_CREDIT_BELOW_ZERO: (
            f"By the calculation the model would be better without your {rows}: their credit is below zero. "
            "Nothing is paid for them, and nothing is taken from you."
        ),
        allocation.ZERO_NOT_DISTINGUISHABLE: (
            f"Your {rows} may have helped, but by no more than the measurement could be wrong. "
            "The policy pays only for what stands out."
        ),
        allocation.ZERO_BELOW_ONE_UNIT: (
            f"Your part of the pool is smaller than its smallest unit, {smallest}, and larger remainders came first."
        ),
    }
    if line.claim.score_high >= 0:
        sentences[allocation.ZERO_CREDIT_BELOW_ZERO] = (
            f"The credit of your {rows} is below zero, but by no more than the measurement could be wrong: whether "
            "they helped cannot be told. Nothing is paid for them, and nothing is taken from you."
        )
    if line.rule == allocation.TOKENS:
        sentences[allocation.ACCRUED] = (
            f"The model learned from your {rows}. {BY_TOKENS} Yours are {line.claim.tokens:,} tokens, "
            f"{token_share} of all that count."
        )
        sentences[allocation.ZERO_CREDIT_BELOW_ZERO] = (
            f"{BY_TOKENS} Nothing goes to rows whose credit is surely below zero, as that of your {rows}: "
            "the model would be better without them. Nothing is taken from you."
        )
    return sentences[line.status]


def sentence_case(name: str) -> str:
    """A name as it begins a line."""
    return name[:1].upper() + name[1:]


def minus(text: str) -> str:
    """A number's text with a real minus sign."""
    return text.replace("-", "−")
