"""What every command has in common: `--json`, progress while it works, and the printing of its Output."""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated, Any

import typer

from tribute.cli._output import Output

SCHEMA_VERSION = 1
"""Rises when a word of a command's JSON goes or changes its meaning; docs/reference/json/ has the schemas."""
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def command(function: Callable[..., Output[Any]]) -> Callable[..., None]:
    """A function as a command: its parameters are the options, what it returns is printed."""

    @wraps(function)
    def run(*, as_json: bool, **arguments: Any) -> None:
        from tribute.cli import _terminal

        with _terminal.progress():
            output = function(**arguments)
        _terminal.show(output, envelope(arguments) if as_json else None)

    parameters = dict(inspect.signature(function).parameters)
    parameters["as_json"] = inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json)
    run.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined]
    run.__annotations__ = {name: parameter.annotation for name, parameter in parameters.items()}
    run.is_command = True  # type: ignore[attr-defined]
    return run


def envelope(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What the JSON of a command says beside its data: the version of its schema, and whether this was a dry run."""
    rehearsal = {"dry_run": arguments["dry_run"]} if "dry_run" in arguments else {}
    return {"schema_version": SCHEMA_VERSION, **rehearsal}


def is_command(value: Any) -> bool:
    """Whether `command` made it."""
    return getattr(value, "is_command", False) is True
