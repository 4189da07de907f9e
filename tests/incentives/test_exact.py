"""Theorem: what screening keeps out earns nothing, exactly: the trained rows are those of the run without it."""

import random
from pathlib import Path

import pytest

from tests.incentives.conftest import SMALL
from tribute.contributions.releases import Tokenizer
from tribute.incentives.attacks import ATTACKS
from tribute.incentives.released import attacked_copy, contribute_honest, released_rows
from tribute.incentives.screened import trained_rows
from tribute.incentives.world import Corpus, Upload, World, draw_world

KEPT_OUT = (
    *(
        f"{kind}-{disguise}"
        for kind in ("copy", "leak")
        for disguise in ("exact", "case", "soft-hyphen", "invisible", "accents", "cyrillic")
    ),
    *("own-exact", "own-soft-hyphen"),
)
"""Attacks whose every row is refused or left out, whatever the rows are."""
COMMITTED = ("front-run-committed", "front-run-labels-committed")
"""The same, where the victim had committed to its rows."""


@pytest.fixture(scope="module")
def world(corpus: Corpus) -> World:
    return draw_world(corpus, 3, SMALL)


def test_trained_table_has_the_bytes_of_the_honest_run(world: World, tokenizer: Tokenizer, tmp_path: Path):
    """All of these attacks at once, contributed, released and built: train.parquet is the honest run's, byte for byte.

    Each attack has a name of its own, so that no two of its copies are one contributor's.
    """
    honest = contribute_honest(tmp_path, world, tokenizer)
    further = [
        Upload(f"{upload.contributor_id}-{name}", upload.rows)
        for name in KEPT_OUT
        for upload in ATTACKS[name].uploads(world, random.Random(1))[len(world.uploads) :]
    ]

    attacked = attacked_copy(honest, tmp_path, further)

    assert len(further) == len(KEPT_OUT)
    assert released_rows(attacked, tokenizer) == released_rows(honest, tokenizer)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", [*KEPT_OUT, *COMMITTED])
def test_kept_out_rows_leave_the_trained_rows_as_they_were(name: str, seed: int, corpus: Corpus, tokenizer: Tokenizer):
    """In every world the rows that are trained on, and their names, are those without the attack."""
    world = draw_world(corpus, seed, SMALL)
    uploads = ATTACKS[name].uploads(world, random.Random(seed))

    attacked = trained_rows(world, uploads, tokenizer)

    assert sum(len(upload.rows) for upload in uploads) > sum(len(upload.rows) for upload in world.uploads)
    assert attacked.content == trained_rows(world, world.uploads, tokenizer).content
