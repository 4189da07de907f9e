"""JSON and YAML in which every key stands once: the one loader for what people write and for what rows hold.

The standard loaders keep the last of two equal keys, so a file could say one thing to its reader and another to us.
"""

import json
from collections.abc import Hashable
from typing import Any, NoReturn

import yaml

MERGE = "tag:yaml.org,2002:merge"


class RepeatedKeyError(ValueError):
    """Raised where a mapping has a key twice. Says which key and, for YAML, on which lines."""


def parse_json(text: str) -> Any:
    """The value of a JSON text. Raises RepeatedKeyError; ValueError where it is no JSON (as NaN is none)."""
    return DECODER.decode(text)


def parse_yaml(content: str | bytes) -> Any:
    """The value of a YAML text. Raises RepeatedKeyError naming both lines; yaml.YAMLError or ValueError as PyYAML."""
    return yaml.load(content, _StrictLoader)


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


class _StrictLoader(yaml.CSafeLoader):
    """PyYAML's safe loader, which refuses a mapping that has a key twice."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._checked: set[int] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        # Called before any mapping is built. What `<<` merges in comes later and may be overridden, so it is no repeat.
        if id(node) not in self._checked:
            self._checked.add(id(node))
            self._check_keys(node)
        super().flatten_mapping(node)

    def _check_keys(self, node: yaml.MappingNode) -> None:
        lines: dict[Hashable, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == MERGE:
                continue
            key: Any = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if not isinstance(key, Hashable):
                continue
            if key in lines:
                raise RepeatedKeyError(f"key {key!r} stands on line {lines[key]} and again on line {line}; keep one")
            lines[key] = line
