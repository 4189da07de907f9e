"""Theorem: copies and paraphrases of many rows wait, whoever's they are; honest rows of the same kind do not."""

import random
from collections.abc import Callable

import pytest

from tribute.contributions.rows import ContributedRow, Row, contributed
from tribute.contributions.screening.following import FEW, LOOKED_AT, following

SHARE = 0.15
VOCABULARY = [f"word{number}" for number in range(400)]
FREQUENCY = [1 / (number + 5) for number in range(400)]


def honest(seed: int, count: int = 40) -> list[str]:
    """Sentences of one kind, of nine words that are as frequent as words are."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(VOCABULARY, FREQUENCY, k=9)) for _ in range(count)]


def rows(name: str, texts: list[str], contribution: str = "0") -> list[ContributedRow]:
    lines = [Row(line, text, "bank", "bank") for line, text in enumerate(texts, 1)]
    return contributed(f"{name}-{contribution}", name, lines)


def waiting(*parts: list[ContributedRow], sealed: tuple[str, ...] = ()) -> list[str]:
    everything = [row for part in parts for row in part]
    return [finding.row.row_id for finding in following(everything, rows("evaluation", list(sealed)), SHARE)]


def frame(text: str) -> str:
    return f"Would you kindly say again: {text}?"


def changed(text: str) -> str:
    return " ".join([*text.split()[:7], "word3", "word8"])


HONEST = [rows(f"h{seed}", honest(seed)) for seed in range(6)]


@pytest.mark.parametrize("disguise", [frame, changed, str.upper, lambda text: text.replace(" ", ", ", 3)])
def test_a_contribution_of_copies_waits_as_a_whole(disguise: Callable[[str], str]):
    """Whether a frame, other words or only commas: all of it waits, and nobody else's rows do."""
    copies = rows("copyist", [disguise(row.row.text) for row in HONEST[2]])

    assert waiting(*HONEST, copies) == [row.row_id for row in copies]


def test_copies_of_the_evaluation_wait_and_nothing_says_which():
    """Most of a contribution repeats sealed rows: all of it waits, with counts for evidence and no canonical row."""
    sealed = honest(77)
    mixed = rows("leaker", [*honest(78, 12), *(frame(text) for text in sealed[:28])])
    everything = [row for part in (*HONEST, mixed) for row in part]

    found = list(following(everything, rows("evaluation", sealed), SHARE))

    assert [finding.row for finding in found] == mixed
    assert {finding.canonical for finding in found} == {None}
    assert len({finding.evidence for finding in found}) == 1
    assert "of the sealed evaluation" in found[0].evidence


def test_copies_under_many_small_names_wait():
    """Three rows are too few to tell, but all small contributions together are not: those wait that follow."""
    texts = [frame(row.row.text) for row in HONEST[1]]
    small = [rows(f"s{start}", texts[start : start + 3]) for start in range(0, 39, 3)]

    held = set(waiting(*HONEST, *small))

    assert len(small[0]) < FEW
    assert len(held) >= 25
    assert held <= {row.row_id for part in small for row in part}


def test_a_flood_under_small_names_does_not_hold_every_small_one():
    """Somebody's copies make all small ones suspect: an honest one with a single row like another's stays in."""
    texts = [frame(row.row.text) for row in HONEST[1]]
    flood = [rows(f"s{start}", texts[start : start + 3]) for start in range(0, 39, 3)]
    bystander = rows("small", [*honest(55, 4), frame(HONEST[4][7].row.text)])

    held = waiting(*HONEST, *flood, bystander)

    assert len(held) >= 25
    assert not {row.row_id for row in bystander} & set(held)


def test_nobody_knows_where_to_hide_copies():
    """Own rows in the places that an even sample looks at, copies in all others: unknown rows draw others."""
    copies = [frame(row.row.text) for part in HONEST[:4] for row in part]
    own, count = honest(56, LOOKED_AT), LOOKED_AT + len(copies)
    places = {place * (count - 1) // (LOOKED_AT - 1): text for place, text in enumerate(own)}
    rest = iter(copies)
    file = rows("hider", [places[place] if place in places else next(rest) for place in range(count)])

    assert waiting(*HONEST, file) == [row.row_id for row in file] == waiting(*HONEST, file)


def test_the_sample_follows_from_the_sealed_rows():
    """What of a large file is compared changes with a sealed row that resembles none: nobody can know it before."""
    mixed = rows("mixed", [*honest(57, 100), *(frame(row.row.text) for part in HONEST[:3] for row in part)])
    everything = [row for part in HONEST for row in part]

    told = {
        finding.evidence
        for seed in range(6)
        for finding in following([*everything, *mixed], rows("evaluation", [f"unheard{seed}"]), SHARE)
    }

    assert len(told) > 1


def pieces(texts: list[str], parts: int) -> list[str]:
    """Each row's first words, then those in the middle of the next row, and so on."""
    split = [text.split() for text in texts]
    ends = [round(9 * part / parts) for part in range(parts + 1)]
    return [
        " ".join(
            word for part in range(parts) for word in split[(place + part) % len(split)][ends[part] : ends[part + 1]]
        )
        for place in range(len(split))
    ]


@pytest.mark.parametrize("disguise", [str, frame, lambda text: f"{text} word3 word8"])
@pytest.mark.parametrize("parts", [2, 3])
def test_rows_joined_from_pieces_wait(parts: int, disguise: Callable[[str], str]):
    """Of somebody's rows, or of sealed ones; no piece has to be half of a row, and more words may be put in."""
    own = pieces(honest(2), parts)
    leaked = rows("leaker", [disguise(text) for text in pieces(honest(99), parts)])
    joined = rows("joiner", [disguise(text) for text in own])

    assert waiting(*HONEST, joined) == [row.row_id for row in joined]
    assert waiting(*HONEST, leaked, sealed=tuple(honest(99))) == [row.row_id for row in leaked]
    assert "are joined from two rows each" in next(following([*HONEST[2], *joined], [], SHARE)).evidence


def test_honest_contributions_do_not_wait():
    """Rows of one kind by many names, and one's own rows said again, follow no more than chance explains."""
    again = rows("h0", [frame(row.row.text) for row in HONEST[0]], "1")

    assert waiting(*HONEST, again, sealed=tuple(honest(99))) == []


def test_nothing_to_compare():
    """No rows, or one alone, wait for nothing."""
    assert waiting([]) == waiting(rows("ada", ["Why me"])) == []
