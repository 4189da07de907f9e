"""Theorem: paired draws give ratios that are reproducible, resumable and exact where they can be."""

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.incentives.conftest import SMALL
from tribute.contributions.releases import Tokenizer
from tribute.incentives.attacks import ATTACKS
from tribute.incentives.pay import Embeddings
from tribute.incentives.suite import Suite, paired_ratio, read_draws, summarise
from tribute.incentives.world import ATTACKER, Corpus, draw_world


def hashed_words(texts: list[str]) -> np.ndarray:
    """A base without weights: the unit-length sum of a fixed random vector per word."""
    vectors = [
        sum(np.random.default_rng(list(word.encode())).normal(size=48) for word in text.lower().split())
        for text in texts
    ]
    return np.stack([vector / np.linalg.norm(vector) for vector in vectors]).astype(np.float32)


@pytest.fixture(scope="module")
def suite(corpus: Corpus, tokenizer: Tokenizer) -> Suite:
    return Suite(corpus, Embeddings(hashed_words), tokenizer, SMALL)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_follows_from_its_seed_and_keeps_the_honest_rows(name: str, corpus: Corpus):
    """Twice the same seed gives the same files, and everybody but the attacker contributes what they did before."""
    world = draw_world(corpus, 5, SMALL)

    first, again = (ATTACKS[name].uploads(world, random.Random(7)) for _ in range(2))

    assert first == again
    assert [upload for upload in first if upload.contributor_id in world.honest] == world.uploads[:-1]
    assert first != world.uploads


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


def test_splitting_changes_no_content_and_no_credit_before_it_is_clipped(suite: Suite):
    """Rows are the players: under four names they bring the same content, and at least the same clipped credit."""
    draw = suite.draw(ATTACKS["split-4"], 0)

    assert draw.content[1] == pytest.approx(draw.content[0])
    assert draw.credit[1] >= draw.credit[0] - 1e-9
    assert draw.loss[1] == pytest.approx(draw.loss[0], abs=1e-5)


def test_what_is_kept_out_has_a_ratio_of_exactly_one(suite: Suite):
    """Where no row of the attack is trained on, no float differs."""
    summary = summarise([suite.draw(ATTACKS["leak-soft-hyphen"], seed) for seed in range(2)])

    assert summary.exact == summary.draws == 2
    assert (summary.credit.low, summary.credit.ratio, summary.credit.high) == (1.0, 1.0, 1.0)


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
