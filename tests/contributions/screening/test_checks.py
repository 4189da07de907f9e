"""Each check finds what it is for and leaves honest rows alone; what it says spreads nothing."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tribute.contributions.rows import ContributedRow, Row, contributed
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.screening import (
    BASIC,
    Screening,
    excluded,
    find,
    language,
    outliers,
    personal_data,
    waiting,
)
from tribute.contributions.screening.label_noise import odd_labels
from tribute.contributions.screening.near_duplicates import band_rows, near_duplicates, word_sequences
from tribute.contributions.screening.paraphrases import paraphrases
from tribute.contributions.screening.policy import ScreeningPolicy
from tribute.contributions.screening.secrets import rows_with_secrets

words = st.lists(st.sampled_from([f"word{number}" for number in range(12)]), min_size=1, max_size=8)


def rows(contributor: str, *texts: str, target: str = "plotting") -> list[ContributedRow]:
    lines = [Row(line, text, target, target) for line, text in enumerate(texts, start=1)]
    return contributed(f"{contributor}-00000000", contributor, lines)


def flagged(found) -> list[tuple[str, str]]:
    return [(one.row.row_id.replace("-00000000", ""), one.reason) for one in found]


ADA = rows("ada", "Draw a red line on the second axis", "Take the mean of all the values")


@pytest.mark.parametrize(
    "copy",
    [
        "on the second axis Draw a red line",
        "Draw a blue line on the second axis",
        "draw A red  LINE on the second axis",
        "Draw, a red line - on the (second) axis!",
    ],
)
def test_near_copies_by_another(copy: str):
    """Reordered, a word changed, other case or punctuation: the later row gives way to the earlier one."""
    (found,) = near_duplicates([*ADA, *rows("bob", copy)], 0.6, same_target=True)

    assert (found.row.contributor_id, found.canonical) == ("bob", ADA[0])
    assert found.threshold <= found.similarity <= 1


@pytest.mark.parametrize(
    "others",
    [
        rows("ada", "Draw a blue line on the second axis"),
        rows("bob", "Draw a blue line on the second axis", target="statistics"),
        rows("bob", "Compute a histogram with ten bins"),
    ],
    ids=["own variants", "another label", "other words"],
)
def test_rows_that_are_no_near_copies(others: Sequence[ContributedRow]):
    """Variants of one's own rows, other labels and other words stay."""
    assert list(near_duplicates([*ADA, *others], 0.6, same_target=True)) == []


def test_a_copy_of_a_copy():
    """A row that is near only to a row that is out itself stays."""
    bob = rows("bob", "one two three four five")
    cy = rows("cy", "one two three four six")
    dan = rows("dan", "one two seven four six")

    assert flagged(near_duplicates([*bob, *cy, *dan], 0.6, same_target=True)) == [("cy:1", "near_duplicate")]


def test_responses_count_for_causal_rows():
    """A prompt with another response is no near copy; with the same words in both it is."""
    ada = rows("ada", "list all files", target="ls -la somewhere")
    same, other = (
        rows("bob", "list all files", target="somewhere -la ls"),
        rows("cy", "list all files", target="dir /w"),
    )

    assert flagged(near_duplicates([*ada, *same, *other], 0.6, same_target=False)) == [("bob:1", "near_duplicate")]


@given(st.lists(words, min_size=2, max_size=6))
def test_near_duplicates_are_exact(texts: list[list[str]]):
    """On few rows the bands miss nothing: what is flagged is what comparing all pairs flags."""
    those = [row for number, text in enumerate(texts) for row in rows(f"c{number}", " ".join(text))]
    kept: list[list[str]] = []
    expected = []

    def near(one: list[str], other: list[str]) -> bool:
        return len({*one} & {*other}) / len({*one} | {*other}) >= 0.6

    for row, text in zip(those, texts, strict=True):
        if any(near(text, other) for other in kept):
            expected.append(row.row_id)
        else:
            kept.append(text)

    assert [one.row.row_id for one in near_duplicates(those, 0.6, same_target=True)] == expected


def test_bands_fit_the_threshold():
    """The higher the threshold the wider the bands; at the threshold itself next to nothing slips through."""
    widths = [band_rows(threshold) for threshold in (0.3, 0.5, 0.6, 0.8, 0.95)]

    assert widths == sorted(widths)
    assert all((1 - t**r) ** (96 // r) <= 0.001 for t, r in zip((0.5, 0.6, 0.8, 0.95), widths[1:], strict=True))


def test_word_hashes_do_not_depend_on_order():
    """The same word has the same hash wherever it stands, so that results do not depend on the process."""
    (_, one), (_, two) = (word_sequences(rows("ada", text), same_target=True) for text in ("a b", "b a"))

    assert sorted(one.tolist()) == sorted(two.tolist())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Write to jane.doe@posteo.de today", ["e-mail address at character 10"]),
        ("Call +49 30 901820 or come by", ["phone number at character 6"]),
        ("Pay to DE89 3704 0044 0532 0130 00", ["IBAN at character 8"]),
        ("Card 4111 1111 1111 1111 expires", ["payment card number at character 6"]),
        ("Write to user@example.com or root@localhost.test", []),
        ("Pay to DE89 3704 0044 0532 0130 01", []),
        ("Card 4111 1111 1111 1112, order 1234567890123", []),
        ("In 2024-01-01 12:00:00 there were 1000000 rows at 127.0.0.1", []),
    ],
)
def test_personal_data(text: str, found: list[str]):
    """Addresses and numbers whose check digits fit are found; examples, dates and near misses are not."""
    assert list(personal_data.personal_data(text)) == found


def test_secrets():
    """Keys are known by their form, and the evidence names the kind, never the key."""
    # Put together here, so that nobody's scanner takes this file for a leak.
    key = "AKIA" + "IOSFODNN7EXAMPLQ"
    pem = "-----BEGIN RSA " + "PRIVATE KEY-----"
    found = list(rows_with_secrets(rows("ada", f"aws configure {key}", pem, "git clone https://host/repo.git")))

    assert flagged(found) == [("ada:1", "secret"), ("ada:2", "secret")]
    assert [one.evidence for one in found] == ["AWS Access Key", "Private Key"]
    assert key not in str([one.evidence for one in found])


def test_language():
    """Whole sentences in another language are told; short texts and other scripts' names are left alone."""
    german = "Zeichne bitte eine rote Linie auf die zweite Achse und beschrifte sie anschließend deutlich"
    english = "Please draw a red line on the second axis and give it a label that everybody can read"

    found = list(language.language(rows("ada", english, german, "Guten Tag"), ["en"], 0.9))

    assert flagged(found) == [("ada:2", "language")]
    assert "reads like de" in found[0].evidence


def test_outliers():
    """A row far longer than the others waits, and one that says the same over and over."""
    honest = [f"Take the mean of column {number} and {'also ' * (number % 3)}plot it" for number in range(40)]
    long = " ".join(f"word{number}" for number in range(400))

    lengths = list(outliers.unusual_length(rows("ada", *honest, long), 6.0))
    repeats = list(outliers.repetitive(rows("ada", *honest, "buy now " * 40), 0.25))

    assert flagged(lengths) == [("ada:41", "outlier")]
    assert flagged(repeats) == [("ada:41", "outlier")]
    assert list(outliers.unusual_length([], 6.0)) == []


@pytest.fixture
def encoder() -> Callable[[Sequence[str]], np.ndarray]:
    """Texts with the same first word point the same way: enough for checks that only compare directions."""

    def encode(texts: Sequence[str]) -> np.ndarray:
        first = sorted({text.split()[0] for text in texts})
        return np.eye(len(first), dtype=np.float32)[[first.index(text.split()[0]) for text in texts]]

    return encode


def test_paraphrases_are_only_flagged(encoder):
    """What means the same as another contributor's earlier row waits for a person and stays in meanwhile."""
    those = [*rows("ada", "draw a line"), *rows("bob", "draw this stroke"), *rows("ada", "draw it")]
    schema = DatasetSchema(name="docs", task="sequence-classification", labels=("plotting",))

    found = find(Screening(those, [], schema, ScreeningPolicy(length=None, following=None), encoder))

    assert flagged(paraphrases(those, encoder, 0.9, same_target=True)) == [
        ("bob:1", "paraphrase"),
        ("ada:1", "paraphrase"),
    ]
    assert [one.reason for one in waiting(found, {})] == ["paraphrase", "paraphrase"]
    assert excluded(those, found, {}) == []


def test_odd_labels(encoder):
    """A label that its neighbours do not share is flagged."""
    honest = rows("ada", *(f"draw {number}" for number in range(12)))
    odd = rows("bob", "draw something", target="statistics")

    found = list(odd_labels([*honest, *odd], encoder, 0.9))

    assert flagged(found) == [("bob:1", "label_neighbours")]
    assert found[0].evidence == "10 of its 10 nearest rows are 'plotting'"


@pytest.mark.parametrize(("limit", "held"), [(None, 0), (3, 0), (2, 5)])
def test_whoever_comes_near_the_evaluation_often_waits(limit: int | None, held: int):
    """Above the policy's number of hits all other rows of that contributor wait until accepted; nobody else's do."""
    sealed = rows("", "Draw a red line on the second axis", "Take the mean of all values", "Count what is in each bin")
    others = [f"something else number {number} entirely" for number in range(5)]
    everything = [*rows("eve", *(row.row.text for row in sealed), *others), *rows("bob", sealed[0].row.text, "my own")]
    schema = DatasetSchema(name="d", task="sequence-classification", labels=("plotting",))
    policy = BASIC.model_copy(update={"evaluation_hits": limit})

    findings = [
        item for item in find(Screening(everything, sealed, schema, policy)) if item.reason == "evaluation_hits"
    ]

    assert [item.row.row_id for item in findings] == [f"eve-00000000:{line}" for line in range(4, 4 + held)]
    assert len(waiting(findings, {})) == held
