"""A file of draws: one line each, which is not computed again for the same code.

Several processes may add to a file at once. A line that a killed one left unfinished is dropped.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tribute.files import locked
from tribute.strict import parse_json


@dataclass(frozen=True)
class Draw:
    """One attack in one world. Parts of the pool: [honest, attacked]."""

    attack: str
    defence: str
    seed: int
    code: str
    exact: bool
    """The trained rows are those of the honest world, with the same names: every ratio is 1."""
    removed: float
    """Of the further rows that the attacker's names contribute, the part that is not trained on."""
    displaced: float
    """Of the others' rows that are trained on without the attack, the part that is not with it."""
    credit: tuple[float, float]
    certain: tuple[float, float]
    content: tuple[float, float]
    victim_credit: tuple[float, float]
    victim_content: tuple[float, float]
    loss: tuple[float, float]
    equal: float
    """One of several equal contributors' part of a pool, by credit less an error, in the honest world."""
    price: float
    """Of the honest world's rows, the part that is not trained on."""
    unpaid: float
    """Of the evaluation rows, the part that looks for harm and pays nobody."""
    halved: float
    """Of the honest world's rows that earn where nobody looks for harm, the part that earns less than half of it."""
    seconds: float


def read_draws(file: Path, code: str) -> list[Draw]:
    """The draws in a file that were made by this code, each once."""
    if not file.exists():
        return []
    lines = file.read_bytes().splitlines(keepends=True)
    whole: Iterable[dict[str, Any]] = (parse_json(line) for line in lines if line.endswith(b"\n"))
    draws = (Draw(**_with_pairs(line)) for line in whole if line["code"] == code)
    return list({(draw.defence, draw.attack, draw.seed): draw for draw in draws}.values())


def add_draws(file: Path, draws: Sequence[Draw]) -> None:
    """Append draws to a file, made where there is none."""
    with locked(file.with_name(f"{file.name}.lock")):
        content = file.read_bytes() if file.exists() else b""
        with file.open("ab") as lines:
            lines.truncate(content.rfind(b"\n") + 1)
            lines.write("".join(json.dumps(asdict(draw)) + "\n" for draw in draws).encode())


def _with_pairs(line: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists where a draw has pairs."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in line.items()}
