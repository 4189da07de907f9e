"""Why an amount is what it is, in a contributor's words. Computes no amount."""

from dataclasses import dataclass

from tribute.formatting import percent
from tribute.rewards.allocation import allocate
from tribute.rewards.allocation.allocate import AllocationLine
from tribute.rewards.allocation.gate import BY_TOKENS
from tribute.rewards.allocation.weights import TOKENS, BlendParts

EVENTS = {
    "ADJUST": "Correction",
    "CLAWBACK": "Claw-back",
    "RETURN": "Payment returned by the bank",
    "REVERSE": "Reversal of an entry",
}
"""Journal events that a statement lists one by one, because nobody expects them."""
STANDING = {"accrued": "Accrued", "held": "Held", "payable": "Payable", "claim": "Claim"}
"""Where money that is owed stands, by the name of its account in lower case."""

STATUS = {
    allocate.ACCRUED: ("accrued", "paid"),
    allocate.ZERO_ALL_EXCLUDED: ("rows excluded", "every row was excluded"),
    allocate.ZERO_NO_TRAINING_ROW: ("no training row", "no row to train on"),
    allocate.ZERO_CREDIT_BELOW_ZERO: ("credit below zero", "credit below zero"),
    allocate.ZERO_NOT_DISTINGUISHABLE: ("not certain", "credit within its uncertainty"),
    allocate.ZERO_NETTED: ("netted", "rows left out as harmful, or other names of the same payee, lose as much"),
    allocate.ZERO_BELOW_ONE_UNIT: ("below one unit", "less than the smallest unit of money"),
}
"""Status of an allocation line → the same in a word or two, for a terminal of 80 columns, and in full."""


def reason(line: AllocationLine, *, credit_share: str, token_share: str, smallest: str, tag: str) -> str:
    """Why the amount is what it is, in two or three sentences; `smallest` is one minor unit as money."""
    count = line.claim.rows_canonical
    rows = f"{count:,} row{'' if count == 1 else 's'}"
    sentences = {
        allocate.ACCRUED: (
            f"The model learned from your {rows}, and they made it better: "
            f"{credit_share} of all the credit in {tag} is yours."
        ),
        allocate.ZERO_ALL_EXCLUDED: (
            "None of your rows was counted. Each of them was in the dataset already, or was held back when the "
            "version was released. The reasons are listed below."
        ),
        allocate.ZERO_NO_TRAINING_ROW: (
            f"The model was not trained on any row of yours in {tag}, so there is no credit to pay for."
        ),
        allocate.ZERO_CREDIT_BELOW_ZERO: (
            f"By the calculation the model would be better without your {rows}: their credit is below zero. "
            "You receive nothing for them, and nothing is taken from you."
        ),
        allocate.ZERO_NOT_DISTINGUISHABLE: (
            f"Your {rows} may have helped, but by no more than the measurement could be wrong. "
            "The policy pays only for credit that exceeds this uncertainty."
        ),
        allocate.ZERO_NETTED: (
            f"Your {rows} helped, but rows under other names of the same payee did at least as much harm. "
            "The policy nets the credits of one payee, and nothing is left to pay."
        ),
        allocate.ZERO_BELOW_ONE_UNIT: (
            f"Your part of the pool is smaller than the smallest amount that can be paid, {smallest}."
        ),
    }
    if line.claim.score_high >= 0:
        sentences[allocate.ZERO_CREDIT_BELOW_ZERO] = (
            f"The credit of your {rows} is below zero, but by no more than the measurement could be wrong: whether "
            "they helped cannot be told. You receive nothing for them, and nothing is taken from you."
        )
    if line.rule == TOKENS:
        sentences |= _by_tokens(line, rows, token_share)
    if line.parts and line.parts.reliability < 1:
        sentences |= _blended(line.parts, rows)
    return sentences[line.status]


def _by_tokens(line: AllocationLine, rows: str, token_share: str) -> dict[str, str]:
    return {
        allocate.ACCRUED: (
            f"The model learned from your {rows}. {BY_TOKENS} Yours are {line.claim.tokens:,} tokens, "
            f"{token_share} of all that count."
        ),
        allocate.ZERO_CREDIT_BELOW_ZERO: (
            f"{BY_TOKENS} Nothing goes to rows whose credit is surely below zero, as that of your {rows}: "
            "the model would be better without them. Nothing is taken from you."
        ),
    }


def _blended(parts: BlendParts, rows: str) -> dict[str, str]:
    credit, content = percent(parts.credit, 1), percent(parts.content, 1)
    reliability, rest = percent(parts.reliability, 1), percent(1 - parts.reliability, 1)
    return {
        allocate.ACCRUED: (
            f"The model learned from your {rows}. The measurement of credit counts {reliability} this month, and "
            f"distinct content {rest}: {credit} of the credit that counts is yours, and {content} of the content."
        ),
        allocate.ZERO_NOT_DISTINGUISHABLE: (
            f"Your {rows} may have helped, but by no more than the measurement could be wrong, and they contain no "
            "run of words that earlier rows do not have. The policy pays for nothing else."
        ),
    }


@dataclass(frozen=True)
class Path:
    """The way from credit, content or tokens to an amount: labelled numbers in their order, and one sentence."""

    stations: tuple[tuple[str, str], ...]
    """Number and what it is."""
    sentence: str


def credit_path(*, credit: str, counted: str, all_counted: str, part: str, pool: str, amount: str) -> Path:
    """From a share of all credit to an amount; every argument is text, the first four are percentages.

    `counted` is what is left of `credit` after the uncertainty is subtracted, `all_counted` the same of everybody,
    `part` the one divided by the other.
    """
    return Path(
        (
            (credit, "of all credit"),
            (counted, "after uncertainty"),
            (part, "of the pool"),
            (amount, "your amount"),
        ),
        f"Your rows earned {credit} of all credit; the uncertainty of the measurement is subtracted, which leaves "
        f"{counted} for you and {all_counted} for all contributors together, so you receive "
        f"{_bare(counted)} ÷ {_bare(all_counted)} = {part} of the pool of {pool}: {amount}.",
    )


def blend_path(parts: BlendParts, *, digits: int, pool: str, amount: str) -> Path:
    """From the two shares and the reliability to an amount; percentages have so many decimals."""
    credit, content, part = (percent(value, 1, digits) for value in (parts.credit, parts.content, parts.weight))
    reliability, rest = percent(parts.reliability, 1), percent(1 - parts.reliability, 1)
    return Path(
        (
            (credit, "of counted credit"),
            (content, "of distinct content"),
            (part, "of the pool"),
            (amount, "your amount"),
        ),
        f"Credit counts {reliability} this month, as far as its measurement can be relied on, and distinct content "
        f"{rest}: {reliability} × {credit} + {rest} × {content} = {part} of the pool of {pool}: {amount}.",
    )


def token_path(*, tokens: str, all_tokens: str, part: str, pool: str, amount: str) -> Path:
    """From training tokens to an amount; every argument is text."""
    return Path(
        ((tokens, "training tokens"), (part, "of all that count"), (amount, "your amount")),
        f"The model was trained on {tokens} tokens (pieces of words) of yours, out of {all_tokens} tokens that count, "
        f"so you receive {part} of the pool of {pool}: {amount}.",
    )


def _bare(percentage: str) -> str:
    return percentage.removesuffix(" %")
