"""Theorem: the gate stays silent on the figures it was given, and names the attack that earns more."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tribute.errors import ConfigError
from tribute.incentives.card import write_card
from tribute.incentives.gate import worse, write_figures
from tribute.incentives.suite import Draw, Ratio, Summary, summarise


def draws(attack: str, ratios: list[float], *, defence: str = "screening", exact: bool = False) -> list[Draw]:
    """Draws of an attacker that has a seventh honestly."""
    pairs = [(1 / 7, ratio / 7) for ratio in ratios]
    return [
        Draw(attack, defence, seed, "code", exact, 0.5, pair, pair, pair, pair, pair, (1.0, 1.1), 0.01, 1.0)
        for seed, pair in enumerate(pairs)
    ]


SUMMARIES = [summarise(draws("kept-out", [1.0] * 3, exact=True)), summarise(draws("open", [0.9, 1.0, 1.1]))]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_figures(SUMMARIES, tmp_path / "figures.json")
    return tmp_path / "figures.json"


def risen(summary: Summary, by: float) -> Summary:
    return replace(summary, content=Ratio(summary.content.ratio + by, 0.9, 1.9))


def test_the_same_figures_pass(file: Path):
    """What was committed is no worse than itself, nor is anything that earns less or a little more."""
    assert list(worse(SUMMARIES, file)) == []
    assert list(worse([SUMMARIES[0], risen(SUMMARIES[1], -0.5)], file)) == []
    assert list(worse([SUMMARIES[0], risen(SUMMARIES[1], 0.02)], file)) == []


def test_what_rises_is_named(file: Path):
    """A ratio above its bound, and an attack that is not kept out whole any more."""
    passed = replace(SUMMARIES[0], exact=2)

    messages = list(worse([passed, risen(SUMMARIES[1], 0.3)], file))

    assert [message.split(":")[0] for message in messages] == ["kept-out", "open"]
    assert "content pays 1.30, committed are 1.00" in messages[1]


def test_figures_of_other_draws_are_refused(file: Path):
    """An attack without figures, or with another number of worlds, cannot be compared."""
    with pytest.raises(ConfigError, match="no figures of new in 3 worlds"):
        list(worse([replace(SUMMARIES[0], attack="new")], file))
    with pytest.raises(ConfigError, match="write them anew"):
        list(worse([replace(SUMMARIES[0], draws=9)], file))
    with pytest.raises(ConfigError, match="no figures as"):
        list(worse(SUMMARIES, file.with_name("none.json")))


def test_the_card_shows_every_attack_and_defence(tmp_path: Path):
    """One row an attack, one group a defence; what is kept out exactly reads 1, what pays is marked."""
    made = [
        *draws("open", [2.0, 2.0], defence="exact"),
        *draws("open", [1.0, 1.0], exact=True),
        *draws("honest-doubling", [1.8, 1.8]),
    ]

    page, markdown = write_card(made, {"open": "an attack", "honest-doubling": "no attack"}, tmp_path / "card")

    text = markdown.read_text()
    assert "| `open` | 2.00 (2.00–2.00)" in text
    assert "1 exactly" in text
    assert "| screening | 2 | 1.00% | 14.3% ± 0.0% | 1.80 |" in text
    assert page.read_text().count('class="bad"') == 3
    assert json.dumps("script") not in page.read_text()
