"""The command line as a person uses it, in this process or in one of its own."""

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

from tribute.cli import main

SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "json"
ENVELOPE = ("schema_version", "dry_run")


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it printed with --json, less what all commands say there."""
        return {name: value for name, value in json.loads(self.out).items() if name not in ENVELOPE}


def tribute(*arguments: object) -> Ended:
    """Run a command here: an import costs more than most commands. What it prints with --json fits its schema."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as end:
            ended = Ended(int(end.code or 0), out.getvalue(), err.getvalue())
            if ended.code == 0 and "--json" in arguments:
                jsonschema.validate(json.loads(ended.out), schema_of([str(argument) for argument in arguments]))
            return ended
    raise AssertionError("main() returned instead of exiting")


def schema_of(arguments: Sequence[str]) -> Any:
    """The committed schema of what a command prints with --json."""
    words = "-".join(arguments[:2]), arguments[0]
    path = next(SCHEMAS / f"{name}.json" for name in words if (SCHEMAS / f"{name}.json").exists())
    return json.loads(path.read_text(encoding="utf-8"))


def started(*arguments: object, **options: Any) -> "subprocess.Popen[str]":
    """Start a command in a process of its own."""
    command = [sys.executable, "-m", "tribute", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", **options)


def tree(folder: Path) -> Mapping[str, str]:
    """Every file below a folder with its sha256, every empty folder, to see what a command left behind.

    Of the registry only what it stands for counts: what git and DVC keep for themselves comes and goes with
    every reader, and a copy of data that git ignores goes when a writer is undone. Nor do the empty files that
    are locked while an artifact is made.
    """
    passing = ("registry/.git/", "registry/.dvc/tmp")
    copies = ("data.jsonl", "exclusions.parquet")
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        copied = name.startswith("registry/") and path.name in copies
        if not copied and path.name != ".lock" and not name.startswith(passing):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
    return found


def in_process_of_its_own(*arguments: object, **options: Any) -> Ended:
    """Run a command to its end in a process of its own."""
    process = started(*arguments, env=os.environ | {"COLUMNS": "80"}, **options)
    out, err = process.communicate(timeout=300)
    return Ended(process.returncode, out, err)
