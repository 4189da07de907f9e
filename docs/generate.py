"""Writes what is generated: docs/commands.md from `--help`, the map in docs/architecture.md from docstrings,
configs/schema.json from the config's models, the schemas in docs/reference/json from what commands return.

`python docs/generate.py` writes, `--check` fails where a file is stale.
"""

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import click
import json_schemas
import typer

from tribute.cli import app
from tribute.cli.config import schema_text

ROOT = Path(__file__).parents[1]
MAP, END = "<!-- map -->\n", "<!-- end of map -->\n"
HEAD = """# Command reference

Generated from `--help` by `make docs`; do not edit.

Every command takes `--debug` for a traceback instead of the one line. What the user can mend ends with exit code 2.
"""


def main() -> None:
    """Write or check every generated file."""
    files = {
        ROOT / "docs" / "commands.md": reference(),
        ROOT / "docs" / "architecture.md": architecture(),
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


def architecture() -> str:
    """The page with its map anew: the first sentence of every module, by column and room."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    before, _, rest = page.partition(MAP)
    return before + MAP + "".join(_chapters()) + END + rest.partition(END)[2]


def _chapters() -> Iterator[str]:
    yield f"\n### Common ground: `tribute/`\n\n{_table(ROOT / 'tribute')}"
    for column in _columns():
        yield f"\n### `tribute/{column.name}/`\n\n{_sentence(column / '__init__.py')}\n\n{_table(column)}"
        for room in _rooms(column):
            yield f"\n**`{column.name}/{room.name}/`** {_sentence(room / '__init__.py')}\n\n{_table(room)}"
    for name in ("tasks", "flows"):
        yield f"\n### `{name}/`\n\n{_sentence(ROOT / name / '__init__.py')}\n\n{_table(ROOT / name)}"
    yield "\n"


def _columns() -> list[Path]:
    """The packages of `tribute/`, each after those that it imports."""
    columns = [path.parent for path in sorted((ROOT / "tribute").glob("*/__init__.py"))]
    known = {column: {other for other in columns if other != column and _knows(column, other)} for column in columns}
    return list(TopologicalSorter(known).static_order())


def _knows(column: Path, other: Path) -> bool:
    pattern = re.compile(rf"^\s*(?:from|import) tribute\.{other.name}\b", re.MULTILINE)
    return any(pattern.search(path.read_text(encoding="utf-8")) for path in column.rglob("*.py"))


def _rooms(column: Path) -> list[Path]:
    """A column's rooms in their order; of a flat column, which may have one room, by their names."""
    order = [
        name
        for node in ast.parse((column / "__init__.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ROOMS"
        for name in ast.literal_eval(node.value)
    ]
    rooms = sorted(path.parent for path in column.glob("*/__init__.py"))
    return sorted(rooms, key=lambda room: order.index(room.name)) if order else rooms


def _table(folder: Path) -> str:
    modules = sorted(path for path in folder.glob("*.py") if not path.stem.startswith("__"))
    lines = "".join(f"| `{path.name}` | {_sentence(path)} |\n" for path in modules)
    return f"| module | what it holds |\n|---|---|\n{lines}" if lines else ""


def _sentence(path: Path) -> str:
    """The first sentence of a module's docstring, fit for a table."""
    text = " ".join((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split())
    return re.split(r"(?<=[.!?]) ", text, maxsplit=1)[0].replace("|", "\\|")


def _helps(command: click.Command, name: str = "tribute") -> Iterator[tuple[str, str]]:
    context = click.Context(command, info_name=name, terminal_width=100, max_content_width=100)
    yield name, command.get_help(context).strip()
    for child, sub in getattr(command, "commands", {}).items():
        yield from _helps(sub, f"{name} {child}")


if __name__ == "__main__":
    main()
