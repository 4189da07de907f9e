"""A world in which somebody's rows harm: all of one topic under another one's label."""

import random
from pathlib import Path

from tests.helpers.terminal import tribute
from tests.helpers.tiny import FILLERS, TAG, TOPICS, write_rows

SHARE = 0.25
WRONG = 12


def looking_for_harm(tiny: Path, folder: Path) -> Path:
    """A workspace in `folder` with a released version that looks for harm; it is spoiler's rows that do it."""
    chance, home = random.Random(0), folder / "workspace"
    (folder / "screening.yaml").write_text(f"harm_share: {SHARE}\nfollowing: null\n")
    wrong = [" ".join([*chance.sample(TOPICS["plotting"], 2), *chance.sample(FILLERS, 2)]) for _ in range(WRONG)]
    spoiler = write_rows(folder / "spoiler.jsonl", [(text, "graphs") for text in wrong])
    files = {name: tiny / f"{name}.jsonl" for name in ("ada", "bob", "cy")} | {"spoiler": spoiler}
    terms = ("--dataset=tiny", "--licence=MIT", "-w", home)
    tribute("init", home)
    for name, file in files.items():
        schema = (f"--schema={tiny / 'schema.yaml'}",) * (name == "ada")
        assert tribute("contribute", file, f"--contributor={name}", *schema, *terms).code == 0
    tribute("contribute", tiny / "evaluation.jsonl", "--contributor=ada", "--evaluation", *terms)
    tribute("screening", "tiny", folder / "screening.yaml", "--by=eve", "--why=we look for harm", "-w", home)
    assert tribute("release", TAG, "-w", home).code == 0
    return home
