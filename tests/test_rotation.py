"""Theorem: where some evaluation rows are old and some are new, the card and the report hold one against the other."""

import random
from pathlib import Path

from tests.helpers.terminal import tribute
from tests.helpers.tiny import FILLERS, TOPICS, write_rows
from tribute.strict import parse_json

NEW = 20


def test_a_rotated_evaluation_has_its_gap_on_the_card(spare: Path, tiny: Path, tmp_path: Path):
    """Half of the second version's evaluation rows are the first's."""
    chance, home, old = random.Random(1), spare, (tiny / "evaluation.jsonl").read_text().splitlines()[:NEW]
    fresh = [
        (" ".join([*chance.sample(words, 2), *chance.sample(FILLERS, 3)]), label)
        for label, words in TOPICS.items()
        for _ in range(NEW // len(TOPICS))
    ]
    rotated = write_rows(tmp_path / "rotated.jsonl", fresh)
    rotated.write_text(rotated.read_text() + "".join(f"{line}\n" for line in old))
    config = (tiny / "config.yaml", "--set", "dataset.version=v1.1.0", "--set", "attribution.validation=off")
    for command in (
        ("contribute", rotated, "--contributor=ada", "--evaluation", "--dataset=tiny", "--licence=CC-BY-3.0"),
        ("release", "tiny@v1.1.0"),
        ("finetune", *config),
        ("attribute", *config),
        ("reward", *config),
    ):
        ended = tribute(*command, "-w", home)
        assert ended.code == 0, (command, ended.err)

    told = parse_json((home / "rewards" / "2026-11" / "card.json").read_text())["rotation"]

    assert (told["old"]["rows"], told["fresh"]["rows"]) == (len(old), len(fresh))
    assert told["old"]["gain"] > 0
    assert told["se"] > 0
    assert f"{len(old)} old rows gain {told['old']['gain']:.4f}" in (home / "report.html").read_text()
