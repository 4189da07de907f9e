"""Theorem: whatever temperature and top_p ask for, the next token is drawn from a distribution."""

import pytest
import torch

from tribute.services.engines.engine import Sampling
from tribute.services.engines.generation import generate


class Letters:
    """A tokenizer of letters. Adequate, since no text is looked at."""

    def decode(self, tokens, skip_special_tokens):
        return "".join(chr(97 + token) for token in tokens)


def steady(fresh, cache):
    """A model that always finds the letter c most probable."""
    return torch.tensor([-5.0, -4.0, -0.1, -3.0]), cache


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 1e-40, 1e-6])
@pytest.mark.parametrize("top_p", [1e-300, 1.0])
def test_near_zero_the_best_token_is_drawn(temperature, top_p):
    """As at 0, the limit; no overflow makes the probabilities something else than numbers."""
    pieces = list(generate(steady, Letters(), {99}, [0], Sampling(8, temperature, top_p, seed=0)))

    assert "".join(piece.text for piece in pieces) == "c" * 8


def test_at_one_every_token_is_drawn():
    """The other letters appear, too."""
    pieces = list(generate(steady, Letters(), {99}, [0], Sampling(400, 1.0, 1.0, seed=0)))

    assert {letter for piece in pieces for letter in piece.text} == {"a", "b", "c", "d"}
