"""Which source files a module runs: itself, all that it imports, and all that these import.

Read from the sources, without importing anything. Imports inside functions count, those under `TYPE_CHECKING` do not.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from threading import Lock

from tribute.digests import canonical_digest, file_sha256

PACKAGE = Path(__file__).parent
PUBLIC = PACKAGE / "__init__.py"
"""The public API. It imports a name only when somebody asks for it, so it is in no closure."""

_PARSING = Lock()
"""CPython 3.11 counts the depth of a syntax tree per interpreter, so two threads that parse at a time may fail."""


@cache
def closure(module: str) -> frozenset[Path]:
    """The files of Tribute that `module` (`tribute.a.b`) runs when it does its work."""
    files, waiting = set[Path](), set(_files(module))
    while waiting:
        path = waiting.pop()
        files.add(path)
        waiting |= {file for name in _imported(path) for file in _files(name)} - files
    return frozenset(files)


@cache
def code_digest(module: str) -> str:
    """sha256 over the relative path and the content of every file in the closure of `module`, 64 hex digits."""
    return canonical_digest({path.relative_to(PACKAGE).as_posix(): file_sha256(path) for path in closure(module)})


def package_digest() -> str:
    """sha256 over the relative path and the content of every source file of Tribute as it is now, 64 hex digits."""
    files = [path for path in PACKAGE.rglob("*.py") if path.is_file()]
    return canonical_digest({path.relative_to(PACKAGE).as_posix(): file_sha256(path) for path in files})


@cache
def _imported(path: Path) -> frozenset[str]:
    """Every module, or name of a module, that a file imports."""
    with _PARSING:
        return frozenset(_names(ast.parse(path.read_text(encoding="utf-8"))))


def _names(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        else:
            yield from _names(child)


def _files(name: str) -> Iterator[Path]:
    """The files that importing a dotted name runs: its packages' `__init__.py` and the module's own."""
    root, *parts = name.split(".")
    place = PACKAGE
    for part in parts if root == PACKAGE.name else ():
        place /= part
        for file in (place / "__init__.py", place.with_suffix(".py")):
            if file.exists() and file != PUBLIC:
                yield file
