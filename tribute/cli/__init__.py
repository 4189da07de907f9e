"""The command line. The first word of a command is the name of its file here, which holds options and body.

A file is imported when its word is used, and a body imports what it needs: help must not wait for pandas and torch.
The first line of a file is what help says about the word. In a file whose word has further words (`tribute period
close`) each command is a function named by the second word, with its help as docstring.
"""

import os
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import Annotated, Any

import typer

from tribute.cli._encoding import adapt_streams
from tribute.cli._group import Group, Words, commands_of
from tribute.errors import ServerLostError, TributeError

PANELS = {
    "Contribute data": (
        *("init", "clone", "commit", "contribute", "import", "fetch", "screening", "review", "accept", "reject"),
        *("decide", "release", "versions", "show", "diff", "card", "sync", "terms", "withdraw", "erase"),
        *("organisation", "key", "vault"),
    ),
    "Fine-tune": ("base", "config", "plan", "inspect", "finetune", "sweep", "retrain", "export", "push"),
    "Attribute": ("attribute", "explain"),
    "Serve": ("price", "payer", "agent", "serve", "mcp", "usage"),
    "Pay": ("policy", "period", "reward", "statement", "dispute", "pay"),
    "Operate": ("status", "up", "demo", "run", "runs", "year", "verify", "trace", "attack", "gc"),
}
"""Who uses which commands, in the order of their work."""
INTERRUPTED, TERMINATED = 130, 143
"""Exit codes of a command that Ctrl-C or SIGTERM ended."""


def load(word: str) -> Any:
    """The command, or the group of commands, that a file of this package defines."""
    module = import_module(f"tribute.cli.{_stem(word)}")
    commands = commands_of(module)
    app = typer.Typer(cls=Group, help=module.__doc__, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
    if list(commands) != [word]:
        app.callback()(lambda: None)  # Typer takes a single command for the group itself.
    for name, function in commands.items():
        app.command(name, help=function.__doc__ or module.__doc__)(function)
    return typer.main.get_command(app)


class _Commands(Group):
    """All commands of Tribute."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"commands": {}})
        self.commands = Words(PANELS, load)

    def panels(self) -> dict[str, tuple[str, ...]]:
        return PANELS

    def summary(self, word: str) -> str:
        with (Path(__file__).parent / f"{_stem(word)}.py").open(encoding="utf-8") as file:
            return file.readline().strip().strip('"')


def _stem(word: str) -> str:
    """The name of a word's file: `import` cannot be one."""
    return f"{word}_" if iskeyword(word) else word


app = typer.Typer(
    cls=_Commands,
    name="tribute",
    help="Contribute, attribute, distribute: fine-tuning that pays the people behind the data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        from tribute.version import __version__

        typer.echo(f"tribute {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options of `tribute` itself."""


def main(arguments: list[str] | None = None) -> None:
    """Entry point: one line and exit code 2 for what the user can mend, `--debug` for the traceback."""
    adapt_streams()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    if debug:
        arguments.remove("--debug")
    elif not sys.warnoptions:
        # Tribute's own words are errors and results; what other packages warn of says nothing to their users' users.
        warnings.simplefilter("ignore")
    sys.exit(_guarded(lambda: app(arguments, prog_name="tribute"), debug))


def _guarded(command: Callable[[], Any], debug: bool) -> int:
    try:
        command()
    except (TributeError, OSError) as error:
        if debug:
            raise
        print(f"tribute: {' '.join(str(error).split())}", file=sys.stderr)
        if isinstance(error, ServerLostError):
            # Prefect would try for minutes to hand over what its server has not heard.
            sys.stderr.flush()
            os._exit(2)
        return 2
    except SystemExit as end:
        # Typer ends an interrupted command with the first of these codes, and says nothing; _workers with the second.
        if end.code in (INTERRUPTED, TERMINATED):
            print("tribute: interrupted; run the same command again to resume", file=sys.stderr)
        raise
    return 0
