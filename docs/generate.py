"""Writes what is generated: docs/commands.md from `--help`, configs/schema.json from the config's models, and the
schemas in docs/reference/json from the types that commands return.

`python docs/generate.py` writes, `--check` fails where a file is stale.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import json_schemas
import typer

from tribute.cli import app
from tribute.cli.config import schema_text

ROOT = Path(__file__).parents[1]
HEAD = """# Command reference

Generated from `--help` by `make docs`; do not edit.

Every command takes `--debug` for a traceback instead of the one line. What the user can mend ends with exit code 2.
"""


def main() -> None:
    """Write or check every generated file."""
    files = {
        ROOT / "docs" / "commands.md": reference(),
        ROOT / "configs" / "schema.json": schema_text(),
        **json_schemas.files(),
    }
    stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        sys.exit(f"stale: {', '.join(path.name for path in stale)}; run `make docs`" if stale else 0)
    for path in stale:
        path.write_text(files[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")


def reference() -> str:
    """The whole page."""
    return HEAD + "".join(f"\n## {name}\n\n```\n{text}\n```\n" for name, text in _helps(typer.main.get_command(app)))


def _helps(command: click.Command, name: str = "tribute") -> Iterator[tuple[str, str]]:
    context = click.Context(command, info_name=name, terminal_width=100, max_content_width=100)
    yield name, command.get_help(context).strip()
    for child, sub in getattr(command, "commands", {}).items():
        yield from _helps(sub, f"{name} {child}")


if __name__ == "__main__":
    main()
