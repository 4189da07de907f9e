"""The JSON Schema of what each command prints with --json, from the types that the commands return.

docs/reference/json/words.yaml gives every word its one meaning; a word without a meaning, or with two types, is an
error here.
"""

import inspect
import json
import types
from collections.abc import Iterator
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import yaml

from tribute.cli import PANELS
from tribute.cli._command import SCHEMA_VERSION
from tribute.cli._group import commands_of

FOLDER = Path(__file__).parent / "reference" / "json"
WORDS: dict[str, str] = yaml.safe_load((FOLDER / "words.yaml").read_text(encoding="utf-8"))
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def files() -> dict[Path, str]:
    """Path → content, a file per command."""
    schemas = {name: _document(name, function) for name, function in commands()}
    _refuse_double_words(schemas)
    return {
        FOLDER / f"{name.replace(' ', '-')}.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in schemas.items()
    }


def commands() -> Iterator[tuple[str, Any]]:
    """Every command by all its words, such as `period close`, and the function that it runs."""
    for word in (word for words in PANELS.values() for word in words):
        module = import_module(f"tribute.cli.{word}_" if iskeyword(word) else f"tribute.cli.{word}")
        functions = {name: inspect.unwrap(function) for name, function in commands_of(module).items()}
        yield from ((word if name == word else f"{word} {name}", function) for name, function in functions.items())


def _document(name: str, function: Any) -> dict[str, Any]:
    (printed,) = get_args(get_type_hints(function)["return"])
    envelope: dict[str, Any] = {"schema_version": {"const": SCHEMA_VERSION, "description": WORDS["schema_version"]}}
    if "dry_run" in inspect.signature(function).parameters:
        envelope["dry_run"] = {"type": "boolean", "description": WORDS["dry_run"]}
    kinds = get_args(printed) if get_origin(printed) in (Union, types.UnionType) else (printed,)
    shapes = [_object(kind, envelope) if is_typeddict(kind) else {"type": "object"} for kind in kinds]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"tribute {name} --json"}
    return head | (shapes[0] if len(shapes) == 1 else {"anyOf": shapes})


def _object(kind: Any, envelope: dict[str, Any]) -> dict[str, Any]:
    fields = get_type_hints(kind)
    if missing := [field for field in fields if field not in WORDS]:
        raise SystemExit(f"{kind.__name__}: {', '.join(missing)} have no meaning in {FOLDER / 'words.yaml'}")
    return {
        "type": "object",
        "properties": envelope
        | {name: {**_schema(type_), "description": WORDS[name]} for name, type_ in fields.items()},
        "required": [*envelope, *(name for name in fields if name in kind.__required_keys__)],
        "additionalProperties": False,
    }


def _schema(type_: Any) -> dict[str, Any]:
    origin, arguments = get_origin(type_), get_args(type_)
    if type_ is Any:
        return {}
    if is_typeddict(type_):
        return _object(type_, {})
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(each) for each in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is list:
        return {"type": "array", "items": _schema(arguments[0])}
    if origin is tuple:
        return {"type": "array", "prefixItems": [_schema(each) for each in arguments], "minItems": len(arguments)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1])}
    return {"type": PLAIN[type_]}


def _refuse_double_words(schemas: dict[str, dict[str, Any]]) -> None:
    """Each word has one type in all commands: a number is never a list elsewhere, nor an id an object."""
    types_of: dict[str, dict[str, str]] = {}
    for command, schema in schemas.items():
        for word, type_ in _words(schema):
            types_of.setdefault(word, {})[type_] = command
    if double := {word: uses for word, uses in types_of.items() if len(uses) > 1}:
        raise SystemExit(f"words with two types: {double}")
    if unused := set(WORDS) - set(types_of):
        raise SystemExit(f"no command says {', '.join(sorted(unused))}; take them out of words.yaml")


def _words(schema: Any) -> Iterator[tuple[str, str]]:
    """Every property's name and type; a value that may be null has the type that it has else."""
    if isinstance(schema, list):
        for each in schema:
            yield from _words(each)
    elif isinstance(schema, dict):
        for name, inner in schema.get("properties", {}).items():
            kinds = [each for each in inner.get("anyOf", [inner]) if each.get("type") != "null"]
            yield name, json.dumps([_shape(each) for each in kinds])
        for inner in schema.values():
            yield from _words(inner if isinstance(inner, list) else list(inner.values()) if _is_map(inner) else inner)


def _is_map(value: Any) -> bool:
    return isinstance(value, dict) and not {"type", "anyOf", "properties"} & set(value)


def _shape(schema: dict[str, Any]) -> str:
    kind = str(schema.get("type", "any"))
    inner = schema.get("items", schema.get("additionalProperties"))
    return f"{kind} of {_shape(inner)}" if isinstance(inner, dict) else kind
