"""JSON and YAML in which every key stands once: the only loader, for what people write and for our own files alike.

The standard loaders keep the last of two equal keys, so a file could say one thing to its reader and another to us.
"""

import json
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import yaml

MERGE = "tag:yaml.org,2002:merge"


class RepeatedKeyError(ValueError):
    """Raised where a mapping has a key twice. Says which key and, for YAML, on which lines."""


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text, as bytes in UTF-8. Raises RepeatedKeyError; ValueError for no JSON (as NaN is none)."""
    return DECODER.decode(text if isinstance(text, str) else str(text, "utf-8"))


def parse_yaml(content: str | bytes) -> Any:
    """The value of a YAML text. Raises RepeatedKeyError naming both lines; yaml.YAMLError or ValueError as PyYAML."""
    import yaml

    loader: Any = yaml.CSafeLoader(content)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        for mapping in _mappings(root, set()):
            _check_keys(loader, mapping)
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise RepeatedKeyError(f"key {repeated!r} stands {keys.count(repeated)} times in one object; keep one")
    return content


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant)
"""Decodes JSON as `parse_json` does, piece by piece where a text holds several values."""


def _mappings(node: Any, seen: set[int]) -> "Iterator[yaml.MappingNode]":
    """Every mapping of a document once, however often an alias names it."""
    if id(node) in seen or isinstance(node.value, str):
        return
    seen.add(id(node))
    if node.id == "mapping":
        yield node
    for child in node.value:
        for part in child if isinstance(child, tuple) else (child,):
            yield from _mappings(part, seen)


def _check_keys(loader: Any, mapping: "yaml.MappingNode") -> None:
    """What `<<` merges in may be overridden, so it is no repeat."""
    lines: dict[Hashable, int] = {}
    for key_node, _ in mapping.value:
        if key_node.tag == MERGE:
            continue
        key: Any = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, Hashable):
            continue
        if key in lines:
            raise RepeatedKeyError(f"key {key!r} stands on line {lines[key]} and again on line {line}; keep one")
        lines[key] = line
