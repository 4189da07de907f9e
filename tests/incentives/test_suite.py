"""Theorem: paired draws give ratios that are reproducible, resumable and exact where they can be."""

import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.incentives.conftest import SMALL, hashed_words
from tribute.contributions.releases import Tokenizer
from tribute.incentives.attacks import ATTACKS
from tribute.incentives.draws import Draw, add_draws, read_draws
from tribute.incentives.pay import Embeddings
from tribute.incentives.ratios import choose, paired_ratio, summarise
from tribute.incentives.schemes import climb
from tribute.incentives.screened import trained_rows
from tribute.incentives.suite import Suite
from tribute.incentives.world import ATTACKER, Corpus, draw_world


@pytest.fixture(scope="module")
def suite(corpus: Corpus, tokenizer: Tokenizer) -> Suite:
    return Suite(corpus, Embeddings(hashed_words), tokenizer, SMALL)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_follows_from_its_seed_and_keeps_the_honest_rows(name: str, corpus: Corpus):
    """Twice the same seed gives the same files, and everybody but the attacker contributes what they did before."""
    world = draw_world(corpus, 5, SMALL)

    first, again = (ATTACKS[name].uploads(world, random.Random(7)) for _ in range(2))

    assert first == again
    honest = [upload for upload in world.uploads if upload.contributor_id not in ATTACKS[name].names]
    names = {upload.contributor_id for upload in honest}
    assert [upload for upload in first if upload.contributor_id in names] == honest
    assert first != world.uploads or ATTACKS[name].months > 1 or ATTACKS[name].buys


def test_an_attack_is_the_same_in_every_process():
    """No order of a set is in it, which a process shuffles: committed figures hold wherever they are drawn again."""
    source = (
        "import random; from tests.incentives.conftest import SMALL, bank_corpus; "
        "from tribute.incentives.attacks import ATTACKS; from tribute.incentives.world import draw_world; "
        "world = draw_world(bank_corpus(), 5, SMALL); "
        "print([(name, attack.uploads(world, random.Random(7))) for name, attack in ATTACKS.items()])"
    )

    first, other = (
        subprocess.run(
            [sys.executable, "-c", source],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    )

    assert first == other


def test_a_finished_draw_is_not_made_again(suite: Suite, tmp_path: Path):
    """A run with more draws keeps the lines that are there, and adds the others."""
    file, attacks = tmp_path / "results.jsonl", [ATTACKS["split-4"], ATTACKS["copy-exact"]]
    before = suite.run(attacks, 1, file)
    lines = file.read_text().splitlines()

    after = suite.run(attacks, 2, file)

    assert file.read_text().splitlines()[: len(lines)] == lines
    assert after[: len(before)] == before
    assert len(after) == 2 * len(before)


def test_draws_of_other_code_do_not_count(suite: Suite, tmp_path: Path):
    """After an edit of the sources nothing of before is mixed with what is measured now."""
    file = tmp_path / "results.jsonl"
    (draw,) = suite.run([ATTACKS["split-4"]], 1, file)
    file.write_text(json.dumps(vars(replace(draw, code="0" * 16))) + "\n")

    assert read_draws(file, draw.code) == []


def test_a_torn_line_is_made_again(suite: Suite, tmp_path: Path):
    """A process that was killed while it wrote leaves a line without an end, which costs that draw alone."""
    file = tmp_path / "results.jsonl"
    first, _ = suite.run([ATTACKS["split-4"], ATTACKS["copy-exact"]], 1, file)
    whole = {(draw.attack, draw.defence) for draw in read_draws(file, first.code)}
    file.write_bytes(file.read_bytes()[:-10])

    assert len(read_draws(file, first.code)) == len(whole) - 1
    assert suite.run([ATTACKS["split-4"], ATTACKS["copy-exact"]], 1, file)[0] == first
    assert {(draw.attack, draw.defence) for draw in read_draws(file, first.code)} == whole


def test_a_draw_that_two_processes_made_counts_once(suite: Suite, tmp_path: Path):
    """Or intervals would be narrower than what is known."""
    file, draw = tmp_path / "results.jsonl", suite.draw(ATTACKS["copy-exact"], 0)
    for _ in range(2):
        add_draws(file, [draw])

    assert read_draws(file, draw.code) == [draw]


def test_a_victims_rows_are_none_that_were_kept_out(suite: Suite):
    """Whoever comes first keeps the victim's rows out, and has all of their own trained on."""
    assert suite.draw(ATTACKS["front-run"], 0).removed == 0
    assert suite.draw(ATTACKS["copy-exact"], 0).removed == 1


def test_splitting_brings_nothing_where_names_are_netted(suite: Suite):
    """Rows are the players: four names bring no more content; their credit is that of one, or more where it is clipped
    name by name."""
    draws = {draw.defence: draw for draw in suite.draws(ATTACKS["split-4"], 0)}
    draw = draws["payees"]

    assert draw.content[1] <= draw.content[0] + 1e-9
    assert draw.credit[1] == pytest.approx(draw.credit[0], abs=1e-6)
    assert draws["screening"].credit[1] >= draw.credit[1]
    assert draw.loss[1] == pytest.approx(draw.loss[0], abs=1e-5)


def test_names_of_one_payee_are_netted_and_of_several_less(suite: Suite):
    """Junk under twenty names earns most where names are paid one by one, and least where all are one payee's."""
    draws = {draw.defence: draw for draw in suite.draws(ATTACKS["junk-names"], 0)}

    assert draws["payees"].credit[1] <= draws["payees-5"].credit[1] <= draws["screening"].credit[1]
    assert draws["payees"].credit[1] < draws["screening"].credit[1]
    assert {draw.credit[0] for draw in draws.values()} == {draws["payees"].credit[0]}


def test_a_leak_is_worth_less_where_the_evaluation_is_sealed_later(corpus: Corpus, tokenizer: Tokenizer):
    """What leaked is then no longer what pays, and its copies are kept out as before."""
    later, known = (
        Suite(corpus, Embeddings(hashed_words), tokenizer, SMALL, name) for name in ("sealed-later", "payees")
    )
    world = draw_world(corpus, 0, SMALL)

    assert not {text for text, _ in world.fresh} & {text for text, _ in (*world.evaluation, *world.spare, *world.own)}
    assert later.draw(ATTACKS["leak-exact"], 0).exact
    gains = [
        sum(draw.credit[1] - draw.credit[0] for draw in (suite.draw(ATTACKS["leak-mixed"], seed) for seed in range(3)))
        for suite in (later, known)
    ]
    assert gains[0] < gains[1]


def test_harm_is_looked_for_by_rows_that_pay_nobody(corpus: Corpus, tokenizer: Tokenizer):
    """Evaluation rows either look for harm or pay; rows that harm are out, and count against the name that had them."""
    world = draw_world(corpus, 0, SMALL)
    apart = world.finding_harm(0.25)
    trained = trained_rows(apart, world.uploads, tokenizer)
    first = trained.rows[0].contributor_id

    without = trained.without([place < 2 for place in range(len(trained.rows))], [-0.25] * len(trained.rows))

    assert sorted([*apart.evaluation, *apart.unpaid]) == sorted(world.evaluation)
    assert {label for _, label in apart.unpaid} == set(world.labels)
    assert without.rows == trained.rows[2:]
    assert (without.harm, without.left_out - trained.left_out) == ({first: Decimal("0.5")}, 2)
    assert Suite(corpus, Embeddings(hashed_words), tokenizer, SMALL, "harm-out").draw(ATTACKS["copy-exact"], 0).exact


def test_what_looking_for_harm_costs_honest_rows_is_measured(corpus: Corpus, tokenizer: Tokenizer, suite: Suite):
    """Against the same world without it: evaluation rows pay nobody, so some rows earn less; by default nobody does."""
    looking = Suite(corpus, Embeddings(hashed_words), tokenizer, SMALL, "harm-out").draw(ATTACKS["copy-exact"], 0)
    plain = suite.draw(ATTACKS["copy-exact"], 0)

    assert looking.unpaid == pytest.approx(0.25, abs=0.1)
    assert 0 < looking.halved < 1
    assert (plain.unpaid, plain.halved) == (0, 0)


def test_an_attacker_of_several_months_sees_what_rows_earned(suite: Suite):
    """Rows that lost are gone in the next month, those that earned stay, and nobody else's change."""
    world = draw_world(suite.corpus, 0, SMALL)
    credits = {row: 1.0 - place for place, row in enumerate(world.own)}

    later = climb(world, credits, random.Random(0))

    own = [row for upload in later if upload.contributor_id == ATTACKER for row in upload.rows]
    assert own[:1] == world.own[:1]
    assert world.own[1] not in own
    assert [upload for upload in later if upload.contributor_id != ATTACKER] == world.of_others()
    assert suite.draw(ATTACKS["climbing"], 0).credit[1] > 0


def test_the_chooser_tries_in_some_worlds_and_is_paid_in_others():
    """It makes the attack that paid in the worlds where it tried, though another pays more where it counts."""

    def drawn(ratios: list[float]) -> list[Draw]:
        pairs = [(0.1, 0.1 * ratio) for ratio in ratios]
        return [
            Draw("any", "payees", seed, "code", False, 0.0, 0.0, *(pair,) * 5, (1.0, 1.0), 0.1, 0.0, 0.0, 0.0, 1.0)
            for seed, pair in enumerate(pairs)
        ]

    (summary,) = choose({"steady": drawn([1.1, 1.5, 1.1, 1.5]), "lucky": drawn([2.0, 0.5, 2.0, 0.5])})

    assert summary.attack == "chooser (lucky)"
    assert summary.certain.ratio == pytest.approx(0.5)
    assert choose({"steady": drawn([1.1, 1.5])}) == []


def test_what_is_kept_out_has_a_ratio_of_exactly_one(suite: Suite):
    """Where no row of the attack is trained on, no float differs."""
    summary = summarise([suite.draw(ATTACKS["leak-soft-hyphen"], seed) for seed in range(2)])

    assert summary.exact == summary.draws == 2
    assert (summary.credit.low, summary.credit.ratio, summary.credit.high) == (1.0, 1.0, 1.0)


def test_others_rows_that_an_attack_costs_are_counted(suite: Suite):
    """Who is first takes all of a victim's rows, one of several equal contributors; a split takes nobody's."""
    assert suite.draw(ATTACKS["front-run"], 0).displaced == pytest.approx(1 / (SMALL.contributors - 1), rel=0.05)
    assert suite.draw(ATTACKS["split-4"], 0).displaced == 0


def test_ratio_is_of_sums_and_its_interval_of_pairs():
    """Pairs that all double have the ratio 2 and no width, however different they are."""
    ratio = paired_ratio([(0.1, 0.2), (0.3, 0.6), (0.0, 0.0)])

    assert ratio.ratio == pytest.approx(2)
    assert ratio.half_width == pytest.approx(0, abs=1e-9)


def test_world_has_an_attacker_and_no_text_twice(corpus: Corpus):
    """The attacker's file comes last, and no honest row repeats another one's text."""
    world = draw_world(corpus, 1, SMALL)
    texts = [text for upload in world.uploads for text, _ in upload.rows]

    assert world.uploads[-1].contributor_id == ATTACKER
    assert len(set(texts)) == len(texts) == SMALL.contributors * SMALL.rows
