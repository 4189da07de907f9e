"""How the files of this package become commands, and how help lists them."""

import inspect
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from types import ModuleType
from typing import Any

from typer.core import TyperGroup

from tribute.cli._command import is_command


def commands_of(module: ModuleType) -> dict[str, Callable[..., None]]:
    """Name → command, of every command that a module defines, in the order of their definition."""
    functions = [
        function
        for _, function in inspect.getmembers(module, is_command)
        if inspect.unwrap(function).__module__ == module.__name__
    ]
    functions.sort(key=lambda function: inspect.unwrap(function).__code__.co_firstlineno)
    return {function.__name__.rstrip("_").replace("_", "-"): function for function in functions}


class Words(MutableMapping[str, Any]):
    """First word → command; each is loaded when it is asked for."""

    def __init__(self, panels: Mapping[str, Sequence[str]], load: Callable[[str], Any]) -> None:
        self._commands: dict[str, Any] = dict.fromkeys(word for words in panels.values() for word in words)
        self._load = load

    def __getitem__(self, word: str) -> Any:
        if self._commands[word] is None:
            self._commands[word] = self._load(word)
        return self._commands[word]

    def __setitem__(self, word: str, command: Any) -> None:
        self._commands[word] = command

    def __delitem__(self, word: str) -> None:
        del self._commands[word]

    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    def __len__(self) -> int:
        return len(self._commands)


class Group(TyperGroup):
    """A group of commands whose help is a list per panel, with whole sentences."""

    def panels(self) -> Mapping[str, Sequence[str]]:
        """Title → names of the commands under it."""
        return {"Commands": list(self.commands)}

    def summary(self, word: str) -> str:
        """What the list says about a command."""
        return str(self.commands[word].get_short_help_str(limit=1000))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the lists, their second columns below each other."""
        width = max(map(len, self.commands))
        for title, words in self.panels().items():
            with formatter.section(title):
                formatter.write_dl([(word.ljust(width), self.summary(word)) for word in words])
