"""Theorem: the gate stays silent on the figures it was given, and names the attack that earns more."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.incentives.conftest import hashed_words
from tests.incentives.test_exact import COMMITTED as HELD
from tests.incentives.test_exact import KEPT_OUT
from tribute.contributions.releases import Tokenizer
from tribute.contributions.screening import ScreeningPolicy
from tribute.errors import ConfigError
from tribute.incentives.attacks import ATTACKS
from tribute.incentives.card import write_card
from tribute.incentives.draws import Draw
from tribute.incentives.gate import check_figures, worse, write_figures
from tribute.incentives.pay import Embeddings
from tribute.incentives.ratios import Ratio, Summary, summarise
from tribute.incentives.screened import Defence
from tribute.incentives.suite import Suite
from tribute.incentives.world import Corpus, Size


def draws(attack: str, ratios: list[float], *, defence: str = "screening", exact: bool = False) -> list[Draw]:
    """Draws of an attacker that has a seventh honestly."""
    pairs = [(1 / 7, ratio / 7) for ratio in ratios]
    return [
        Draw(attack, defence, seed, "code", exact, 0.5, 0.2, *(pair,) * 5, (1.0, 1.1), 1 / 7, 0.01, 0.25, 0.04, 1.0)
        for seed, pair in enumerate(pairs)
    ]


COMMITTED = Path(__file__).parents[2] / "docs" / "incentives.json"
BY_WORD_ORDER = {"payees": Defence(ScreeningPolicy(near_duplicate=None, following=None), 1)}
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


def test_what_stood_within_its_bound_has_to_stay_there(tmp_path: Path):
    """However wide the interval of the committed figure is; the same for what is left of the victim's."""
    file, wide = tmp_path / "figures.json", Ratio(1.0, 0.2, 1.8)
    before = replace(SUMMARIES[1], credit=wide, content=wide, victim=wide)
    write_figures([before], file)

    messages = list(worse([replace(before, credit=Ratio(1.2, 0.9, 1.9), victim=Ratio(0.8, 0.1, 0.9))], file))

    assert messages == [
        "open: credit pays 1.20, committed are 1.00 ± 0.30",
        "open: victim is left 0.80, committed are 1.00 ± 0.30",
    ]


@pytest.mark.parametrize(
    ("attack", "weaken"),
    [
        ("copy-order", lambda patch: patch.setattr("tribute.incentives.suite.DEFENCES", BY_WORD_ORDER)),
        (
            "junk-names",
            lambda patch: patch.setattr("tribute.incentives.pay.net", lambda claims, payees, kappa, harm: claims),
        ),
    ],
)
def test_a_weaker_defence_fails(
    attack: str,
    weaken: Callable[[pytest.MonkeyPatch], None],
    corpus: Corpus,
    tokenizer: Tokenizer,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """Without checks of words in whatever order, shuffled copies pay; without netting, junk under many names does."""

    def summary() -> Summary:
        suite = Suite(corpus, Embeddings(hashed_words), tokenizer, Size(4, 24, 4, 32))
        return summarise([suite.draw(ATTACKS[attack], seed) for seed in range(2)])

    write_figures([summary()], file)
    assert list(worse([summary()], file)) == []

    weaken(monkeypatch)

    assert [message.split(":")[0] for message in worse([summary()], file)] != []


def test_figures_of_other_draws_are_refused(file: Path):
    """An attack without figures, or with another number of worlds, cannot be compared."""
    with pytest.raises(ConfigError, match="no figures of new in 3 worlds"):
        list(worse([replace(SUMMARIES[0], attack="new")], file))
    with pytest.raises(ConfigError, match="write them anew"):
        list(worse([replace(SUMMARIES[0], draws=9)], file))
    with pytest.raises(ConfigError, match="no figures as"):
        list(worse(SUMMARIES, file.with_name("none.json")))


def test_an_interval_without_an_end_is_a_number_in_the_file(tmp_path: Path):
    """Where in some worlds nobody earned honestly the file can be read again, and the bound is still held."""
    file, endless = tmp_path / "figures.json", Ratio(1.0, 0.9, float("inf"))
    before = replace(SUMMARIES[1], victim=endless, content=Ratio(float("nan"), 0.0, 0.0))
    write_figures([before], file)

    assert list(worse([before], file)) == []
    assert list(worse([replace(before, victim=Ratio(0.5, 0.4, float("inf")))], file)) == [
        "open: victim is left 0.50, committed are 1.00 ± 0.30"
    ]


def test_a_figure_that_is_none_any_more_fails(file: Path):
    """Where everybody's pay fell to nothing, no ratio is above its bound, and the gate speaks."""
    gone = Ratio(float("nan"), float("nan"), float("nan"))

    assert list(worse([SUMMARIES[0], replace(SUMMARIES[1], credit=gone)], file)) == [
        "open: credit pays nan, committed are 1.00 ± 0.10"
    ]


@pytest.mark.parametrize("content", ["[]", "{}", '{"open": 3}', '{"open": {"exact": true}}'])
def test_another_file_is_no_figures(content: str, tmp_path: Path):
    """Whatever is given for --against is refused in one line, before any world is drawn."""
    (tmp_path / "figures.json").write_text(content)

    with pytest.raises(ConfigError, match="no figures"):
        check_figures(tmp_path / "figures.json", ["open"], 3)


def test_every_attack_has_committed_figures():
    """The gate of the continuous integration knows all attacks, and none that is gone; what is exact stays named."""
    figures = json.loads(COMMITTED.read_text())

    assert list(figures) == list(ATTACKS)
    assert {name for name, figure in figures.items() if figure["exact"]} >= {*KEPT_OUT, *HELD}


def test_the_card_shows_every_attack_and_defence(tmp_path: Path):
    """One row an attack, one group a defence; what is kept out exactly reads 1, what pays is marked; every price.

    Attacks that every defence keeps out whole are told together, so that those that are open stand out.
    """
    made = [
        *draws("open", [2.0, 2.0], defence="exact"),
        *draws("open", [1.0, 1.0], exact=True),
        *draws("honest-doubling", [1.8, 1.8]),
        *draws("split-4", [0.9, 0.9]),
        *draws("shut", [1.0, 1.0], exact=True),
    ]
    about = {"open": "an attack", "shut": "an attack", "honest-doubling": "no attack"}

    page, markdown = write_card(made, about, tmp_path / "card")

    text = markdown.read_text()
    assert "| `open` | 2.00 (2.00–2.00)" in text
    assert "1 exactly" in text
    assert "exactly 1: `shut`." in text
    assert "| `shut` |" not in text
    assert (
        "| screening: all checks at their defaults | 2 | 1.00% | 4.00% | 25.00% | 14.3% ± 0.0% | 1.80 | 0.90 |" in text
    )
    assert page.read_text().count('class="bad"') == 3
    assert "<script" not in page.read_text()
