"""The attribution card in plain words: what was checked, what was found, what is the best to be found.

Decides nothing. A figure that was not measured says so. Ranks and differences are rounded to three decimals
here, and the gate compares these, so that what is read is what was decided on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import floor, log10
from typing import Any

from tribute.formatting import minus

NOT_MEASURED = "not measured"
LEAVE_ONE_OUT = "leave-one-out rank"
DUPLICATE = "planted duplicates"
SHUFFLED = "planted shuffled labels"
SEED_SPLIT = "two halves of the seeds"
MISMATCH = "credits against the gain"
APART = "shares told from content"

LEAKED = 2
"""Standard errors above 0 from which on a gap of old to fresh rows is no chance."""
IN_RUN_ALONE = (
    " The intervals hold how the credits scatter between trainings and evaluation rows, not how far in-run credit may "
    "stand from what retraining would say."
)
"""Without a rate design nothing is known of that, and docs/benchmarks/fidelity.md shows that it can be much."""

Card = Mapping[str, Any]
"""`card.json` of an attribution, see docs/reference/artifacts.md."""


@dataclass(frozen=True)
class Figure:
    """One figure of the card, all of it text: its name, what it asks, what was found, and the best to be found."""

    name: str
    about: str
    found: str
    best: str


def measured(card: Card, *path: str) -> Any:
    """The figure at a path of keys; None where it, or what it belongs to, was not measured."""
    node: Any = card
    for key in path:
        node = node.get(key) if node is not None else None
    return node


def rounded(value: float | Decimal | None) -> Decimal | None:
    """A rank or a difference, rounded to three decimals from the digits that the card writes."""
    return None if value is None else Decimal(str(value)).quantize(Decimal("0.001")) + 0


def rank(value: float | Decimal | None) -> str:
    """A rank or a difference as text."""
    return NOT_MEASURED if value is None else minus(str(rounded(value)))


def largest_mismatch(card: Card) -> Decimal | None:
    """The largest |integrated ÷ measured − 1| of a training, to three decimals; None where none was measured."""
    values = measured(card, "mismatch")
    return rounded(max(map(abs, values))) if values else None


def told_apart(card: Card) -> str:
    """How many credits differ from what distinct content would give."""
    names, of = (measured(card, "told_from_content", key) for key in ("names", "of"))
    return NOT_MEASURED if names is None or of is None else f"{names:,} of {of:,} differ"


def duplicates(card: Card) -> str:
    """What became of the planted duplicates."""
    rows, excluded = (measured(card, "controls", "duplicate", key) for key in ("rows", "excluded"))
    return NOT_MEASURED if rows is None or excluded is None else f"{excluded:,} of {rows:,} rows excluded"


def control(card: Card, name: str) -> str:
    """A planted control's credit in nats with its interval; no end that is not 0 is written as 0."""
    values = [measured(card, "controls", name, key) for key in ("credit", "low", "high")]
    if any(value is None for value in values):
        return NOT_MEASURED
    smallest = min((abs(value) for value in values if value), default=1.0)
    places = min(12, max(2, 1 - floor(log10(smallest))))
    credit, low, high = (minus(f"{value:.{places}f}") for value in values)
    return f"{credit} nats ({low} to {high})"


def figures(card: Card) -> list[Figure]:
    """Every figure of the card but the baselines, those that a gate can ask for first."""
    return [*_gated(card), *_against_retraining(card), *_between_seeds(card), *_planted(card)]


def made_by(card: Card) -> str:
    """How the credits were measured, and what their intervals leave out where nothing was retrained for them."""
    trainings = measured(card, "trainings")
    made = NOT_MEASURED
    if trainings is not None:
        made = f"{trainings:,.1f} on all rows (walking them again for credit and predictions not counted)"
    told = f"Method: {card['method']}; trainings made: {made}; validation: {card['validation']}."
    return told + (IN_RUN_ALONE if card["method"] == "in-run" else "")


def _gated(card: Card) -> list[Figure]:
    left_out, seeds = measured(card, "leave_one_out", "contributors"), measured(card, "leave_one_out", "seeds")
    counted = f"{len(left_out)} contributors" if left_out else "Contributors"
    often = f" with {_count(seeds, 'seed')}" if left_out and seeds else ""
    return [
        Figure(
            LEAVE_ONE_OUT,
            f"{counted} were left out one by one and the model retrained{often}: are the effects that one "
            "seed’s training predicts in the same order as those that another’s retrainings measure? 1 is the same",
            rank(measured(card, "leave_one_out", "spearman")),
            _ceiling(card, "leave_one_out"),
        ),
        Figure(
            DUPLICATE,
            "Copies of rows, written a little differently: deduplication has to find each one",
            duplicates(card),
            "all",
        ),
        Figure(
            SHUFFLED,
            "Trained once more, for this check alone, with some rows’ labels or answers shuffled: their credit has to "
            "lie below zero, its whole interval included. (A language model also learns how answers look; where it "
            "learns little else, shuffled ones help it, too)",
            control(card, "shuffled"),
            "all below 0",
        ),
        Figure(
            SEED_SPLIT,
            "Everybody’s share from one half of the trainings against that from the other half, differences "
            "added up: 0 is the same, 2 nothing in common",
            rank(measured(card, "seed_split")),
            "0",
        ),
        Figure(
            MISMATCH,
            "How far all credits of a training are from the improvement it measured, as a part of it; the largest",
            rank(largest_mismatch(card)),
            "0",
        ),
        Figure(
            APART,
            "How many credits are surely not what distinct content alone would give: with none, the measurement tells "
            "nobody apart",
            told_apart(card),
            "one or more",
        ),
    ]


def _against_retraining(card: Card) -> list[Figure]:
    subsets, removed = measured(card, "lds", "subsets"), measured(card, "lds", "removed")
    some = "Some" if removed is None else f"{100 * removed:.0f} %"
    times = "" if subsets is None else f", {subsets:,} times"
    count = measured(card, "coalitions", "count")
    error = measured(card, "coalitions", "error")
    return [
        Figure(
            "leave-one-out rank of the credits",
            "The same for the credits that are paid. They answer another question (who made the improvement, "
            "not what would be missed), so they may rank otherwise",
            rank(measured(card, "leave_one_out", "credit_spearman")),
            _ceiling(card, "leave_one_out"),
        ),
        Figure(
            "leave-one-out slope",
            "Measured effects against predicted ones: 1 is the same size",
            rank(measured(card, "leave_one_out", "slope")),
            "1",
        ),
        Figure(
            "random rows removed (LDS)",
            f"{some} of the rows were removed at random and the model retrained{times}: rank of the losses that "
            "one seed’s training predicts against those that another’s retrainings measure",
            rank(measured(card, "lds", "score")),
            _ceiling(card, "lds"),
        ),
        Figure(
            "LDS without harmful contributors",
            "The same after what the number of removed rows of harmful contributors explains is taken off both "
            "sides, so that finding noise is not enough",
            rank(measured(card, "lds", "without_harmful")),
            _ceiling(card, "lds"),
        ),
        Figure(
            "coalitions",
            "Random halves of the contributors, retrained"
            + ("" if count is None else f" {count:,} times")
            + ": how far their credits are from what they reached, in percentage points of the whole improvement",
            NOT_MEASURED if error is None else f"{error:.1f} points off",
            "0",
        ),
        _coverage(card),
        _rotation(card),
    ]


def _coverage(card: Card) -> Figure:
    trials, covered = measured(card, "coverage", "trials"), measured(card, "coverage", "covered")
    return Figure(
        "intervals that held",
        "How often an interval held the credit measured with seeds kept apart",
        NOT_MEASURED if trials is None or covered is None else f"{100 * covered:.1f} % of {trials:,}",
        f"{100 * card['confidence']:.0f} %",
    )


def _rotation(card: Card) -> Figure:
    old, fresh, gap, error = (measured(card, "rotation", key) for key in ("old", "fresh", "gap", "se"))
    words = NOT_MEASURED
    if gap is not None:
        parts = f"{old['rows']:,} old rows gain {old['gain']:.4f}, {fresh['rows']:,} fresh ones {fresh['gain']:.4f}"
        leaked = "; above 0 by more than two standard errors" if gap > LEAKED * error else ""
        words = minus(f"{gap:+.4f} nats ± {error:.4f} ({parts}{leaked})")
    elif old is not None and not fresh["rows"]:
        words = f"all {old['rows']:,} rows are old"
    elif old is None and "rotation" in card:
        words = "no row is old"
    return Figure(
        "gap of old to fresh evaluation rows",
        "Rows that an earlier version was evaluated with against those that are new in this one: how much more the "
        "model gains on the old ones, among rows of the same slice. By far more: they have leaked into what is "
        "learned, so the gain is overstated, and whoever knew them is paid for it",
        words,
        "0",
    )


def _between_seeds(card: Card) -> list[Figure]:
    proxy = measured(card, "proxy")
    layers = ", ".join(str(layer) for layer in proxy["layers"]) if proxy else ""
    return [
        Figure(
            "seeds’ rank agreement",
            "Rank correlation of everybody’s credit between two trainings with other seeds",
            rank(measured(card, "seed_agreement")),
            "1",
        ),
        Figure(
            "stand-in for full trainings",
            "Retrainings of a few layers alone stand in for full ones where they were measured to rank like them",
            f"{rank(proxy['spearman'])} (layers {layers})" if proxy else "none, trained in full",
            "1",
        ),
    ]


def _planted(card: Card) -> list[Figure]:
    names = measured(card, "controls", "split", "names")
    return [
        Figure(
            "planted irrelevant text",
            "The same with some rows’ text made nonsense: they should earn nothing",
            control(card, "irrelevant"),
            "0 or below",
        ),
        Figure(
            "planted outlier rows",
            "The same with some rows made to stand out: they should earn nothing",
            control(card, "outliers"),
            "0 or below",
        ),
        Figure(
            "one contributor split" + ("" if names is None else f" in {names}"),
            "The same rows under so many names: what that changes of their credit, and of their share. Names change no "
            "credit; a share they can, as a name whose credit is below zero counts as zero",
            _split(card),
            "0",
        ),
    ]


def _split(card: Card) -> str:
    change, share = (measured(card, "controls", "split", key) for key in ("change", "share_change"))
    known = change is not None and share is not None
    return minus(f"{change:+.6f} nats, share {100 * share:+.2f} points") if known else NOT_MEASURED


def _ceiling(card: Card, name: str) -> str:
    return f"{rank(measured(card, name, 'ceiling'))} (seed against seed)"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
