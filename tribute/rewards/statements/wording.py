"""Numbers and codes in a reader's words: months, units, percentages, reasons. Computes no amount."""

from tribute.rewards.allocation import allocate
from tribute.rewards.allocation.allocate import AllocationLine
from tribute.rewards.allocation.gate import BY_TOKENS


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
            "None of your rows was counted: each one was there already, or was held back, when the version "
            "was released. Below is why."
        ),
        allocate.ZERO_NO_TRAINING_ROW: (
            f"The model was not trained on any row of yours in {tag}, so there is nothing to credit."
        ),
        allocate.ZERO_CREDIT_BELOW_ZERO: (
            f"By the calculation the model would be better without your {rows}: their credit is below zero. "
            "Nothing is paid for them, and nothing is taken from you."
        ),
        allocate.ZERO_NOT_DISTINGUISHABLE: (
            f"Your {rows} may have helped, but by no more than the measurement could be wrong. "
            "The policy pays only for what stands out."
        ),
        allocate.ZERO_BELOW_ONE_UNIT: (
            f"Your part of the pool is smaller than its smallest unit, {smallest}, and larger remainders came first."
        ),
    }
    if line.claim.score_high >= 0:
        sentences[allocate.ZERO_CREDIT_BELOW_ZERO] = (
            f"The credit of your {rows} is below zero, but by no more than the measurement could be wrong: whether "
            "they helped cannot be told. Nothing is paid for them, and nothing is taken from you."
        )
    if line.rule == allocate.TOKENS:
        sentences[allocate.ACCRUED] = (
            f"The model learned from your {rows}. {BY_TOKENS} Yours are {line.claim.tokens:,} tokens, "
            f"{token_share} of all that count."
        )
        sentences[allocate.ZERO_CREDIT_BELOW_ZERO] = (
            f"{BY_TOKENS} Nothing goes to rows whose credit is surely below zero, as that of your {rows}: "
            "the model would be better without them. Nothing is taken from you."
        )
    return sentences[line.status]
