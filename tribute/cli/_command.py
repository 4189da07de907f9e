"""What every command has in common: `--json`, progress while it works, and the printing of its Output."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from tribute.cli._output import Output

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def command(function: Callable[..., Output]) -> Callable[..., None]:
    """A function as a command: its parameters are the options, what it returns is printed."""

    @wraps(function)
    def run(*, as_json: bool, **arguments: Any) -> None:
        from tribute.cli import _terminal

        with _terminal.progress():
            output = function(**arguments)
        _terminal.show(output, as_json)

    parameters = dict(inspect.signature(function).parameters)
    parameters["as_json"] = inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json)
    run.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined]
    run.__annotations__ = {name: parameter.annotation for name, parameter in parameters.items()}
    run.is_command = True  # type: ignore[attr-defined]
    return run


def is_command(value: Any) -> bool:
    """Whether `command` made it."""
    return getattr(value, "is_command", False) is True
