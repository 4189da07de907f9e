"""What every YAML file of settings has in common: how it is read, and how its faults are told."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from tribute.errors import ConfigError
from tribute.ids import ID, VERSION
from tribute.months import PERIOD
from tribute.strict import RepeatedKeyError, parse_yaml

Id = Annotated[str, StringConstraints(pattern=f"^{ID}$")]
Version = Annotated[str, StringConstraints(pattern=f"^{VERSION}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Period = Annotated[str, StringConstraints(pattern=f"^{PERIOD}$")]
LARGEST = 2**53 - 1
"""The largest whole number that every JSON reader keeps exact (RFC 8785), and so that a fingerprint can hold."""
Positive = Annotated[int, Field(gt=0, le=LARGEST)]
Model = TypeVar("Model", bound=BaseModel)


class Strict(BaseModel):
    """Frozen; refuses unknown keys. The text below a key is its description in the JSON Schema."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping from a file. Raises ConfigError naming file and line."""
    try:
        data = parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); give the path of a YAML file"
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}: not valid YAML: {getattr(error, 'problem', error)}") from error
    except RepeatedKeyError as error:
        raise ConfigError(f"{path}: {error}") from error
    except ValueError as error:
        # YAML reads 2026-02-30 as a date, which is none.
        raise ConfigError(f"{path}: not valid YAML: {error}; put in quotes what is no date or number") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: found {type(data).__name__}, expected a mapping of settings")
    return data


def apply_override(data: dict[str, Any], override: str) -> None:
    """Set one `a.b=c` in place; the value is read as YAML, but a number stays text until its setting reads it.

    So an amount of money never becomes a float on its way.
    """
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {override}: expected name=value, such as finetuning.epochs=1")
    *parents, last = key.split(".")
    target = data
    for parent in parents:
        target = target.setdefault(parent, {})
        if not isinstance(target, dict):
            raise ConfigError(f"--set {override}: {parent} is a value, not a group of settings")
    try:
        parsed = parse_yaml(value)
    except (yaml.YAMLError, RepeatedKeyError) as error:
        raise ConfigError(f"--set {override}: the value is not valid YAML") from error
    is_number = isinstance(parsed, int | float) and not isinstance(parsed, bool)
    target[last] = value.strip() if is_number else parsed


def validate(model: type[Model], data: Mapping[str, Any], path: Path) -> Model:
    """Validate `data`, reporting every fault at once. Raises ConfigError."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(_describe(fault, model) for fault in error.errors(include_url=False))
        raise ConfigError(f"{path}: {faults}") from error


def _describe(fault: Mapping[str, Any], model: type[BaseModel]) -> str:
    where = ".".join(str(part) for part in fault["loc"] if part not in ("one", "several")) or "config"
    if fault["type"] == "extra_forbidden":
        known = _keys(model, fault["loc"][:-1])
        near = get_close_matches(str(fault["loc"][-1]), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
        return f"{where}: unknown key; {hint}"
    message = fault["msg"].removeprefix("Value error, ")
    shown = "" if fault["type"] in ("missing", "value_error") else f" (found {fault['input']!r})"
    return f"{where}: {message[0].lower()}{message[1:]}{shown}"


def _keys(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The keys of the settings that lie at a path in a model."""
    models = [model]
    for part in path:
        kinds = [each.model_fields[str(part)].annotation for each in models if str(part) in each.model_fields]
        models = [inner for kind in kinds for inner in _models(kind)] or models
    return [field.alias or name for each in models for name, field in each.model_fields.items()]


def _models(kind: Any) -> list[type[BaseModel]]:
    """The models in an annotation, such as `Pool` in `list[Pool] | None`."""
    if isinstance(kind, type) and not get_args(kind) and issubclass(kind, BaseModel):
        return [kind]
    return [model for inner in get_args(kind) for model in _models(inner)]
