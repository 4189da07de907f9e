"""Docstrings of a package's source, and plain sentences from them. Reads with `ast`; imports and runs nothing.

Knows nothing of topics or contributors.
"""

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from tribute.contributions.rows import text_sha256

WORDS = range(7, 41)
"""Shorter sentences ("Return the name of this object.") say nothing about their module's topic."""
LETTERS = 0.9
"""The least share of letters among the characters that are not blank."""
ROLE = re.compile(r":[a-zA-Z:+-]+:`([^`]*)`")
TARGET = re.compile(r"\s*<[^<>]*>$")
LINK = re.compile(r"`([^`<]*?)\s*<[^`>]*>`_{1,2}")
QUOTES = re.compile(r"`+|\*+|(?<=\w)_\b")
DOTTED = re.compile(r"\b(?:[A-Za-z_]\w*\.)+([A-Za-z_]\w*)")
SIGNATURE = re.compile(r"^[\w.]+\s*\(.*\)(\s*->.*)?$", re.DOTALL)
CODE = re.compile(r"[\\{}<>=|$_#@\[\]~^/]|>>>|::|\d{3}|\w\(")
TESTS = {"tests", "testing", "_tests"}
STALE = ("deprecated", "todo", "fixme", "copyright", "licensed", "docstring")
Definition = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def sentences(root: Path, prefixes: Iterable[str], enough: int) -> list[str]:
    """At least `enough` sentences from the modules below `root` that the prefixes name, or all there are.

    Files are read in the order of their paths' hashes: a sample across all modules, the same on every machine.
    """
    by_hash: dict[str, str] = {}
    for path in modules(root, prefixes):
        for _, docstring in documented(path):
            sentence = plain_sentence(docstring)
            if sentence is not None:
                by_hash.setdefault(text_sha256(sentence), sentence)
        if len(by_hash) >= enough:
            break
    return list(by_hash.values())


def plain_sentence(docstring: str) -> str | None:
    """The first paragraph without its markup, or None where it is not 7 to 40 plain words."""
    paragraphs = [part for part in re.split(r"\n\s*\n", inspect.cleandoc(docstring)) if part.strip()]
    if paragraphs and SIGNATURE.match(paragraphs[0].strip()):
        paragraphs = paragraphs[1:]
    text = without_markup(" ".join(paragraphs[0].split())) if paragraphs else ""
    return text if _is_plain(text) else None


def without_markup(text: str) -> str:
    """Roles, links, emphasis and the modules before a name go; words stay."""
    text = ROLE.sub(lambda role: TARGET.sub("", role[1]).lstrip("~!"), text)
    text = QUOTES.sub("", LINK.sub(r"\1", text))
    return " ".join(DOTTED.sub(r"\1", text).split())


def _is_plain(text: str) -> bool:
    characters = text.replace(" ", "")
    return (
        len(text.split()) in WORDS
        and text[0].isalpha()
        and not CODE.search(text)
        and not any(word in text.lower() for word in STALE)
        and sum(character.isalpha() for character in characters) >= LETTERS * len(characters)
    )


def modules(root: Path, prefixes: Iterable[str]) -> list[Path]:
    """The Python files below `root` that the prefixes name, but for tests, in the order of their paths' hashes."""
    named = (
        path for prefix in prefixes for path in ([root / prefix] if (root / prefix).exists() else root.glob(prefix))
    )
    files = chain.from_iterable(path.rglob("*.py") if path.is_dir() else [path] for path in named)
    kept = {file for file in files if not TESTS & set(file.relative_to(root).parts)}
    return sorted(kept, key=lambda file: text_sha256(file.relative_to(root).as_posix()))


def documented(path: Path) -> Iterator[tuple[str, str]]:
    """The public functions and classes of a module that have a docstring: (`Class.method`, docstring).

    A name is empty where a compiled function gets its docstring.
    """
    try:
        module = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        # Templates and test data that only look like modules; what they hold is not documentation.
        return
    yield from _public(module, "")


def _public(node: Definition, prefix: str) -> Iterator[tuple[str, str]]:
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if not child.name.startswith("_"):
                docstring = ast.get_docstring(child, clean=False)
                if docstring:
                    yield prefix + child.name, docstring
                if isinstance(child, ast.ClassDef):
                    yield from _public(child, f"{prefix}{child.name}.")
        elif (docstring := _added(child)) is not None:
            yield "", docstring


def _added(node: ast.stmt) -> str | None:
    """The docstring that `_add_docstr(function, "…")` gives to a compiled function."""
    call = getattr(node, "value", None)
    if not isinstance(call, ast.Call) or not ast.unparse(call.func).endswith("add_docstr"):
        return None
    texts = [node.value for node in ast.walk(call) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return max(texts, key=len, default=None)
