"""Words that several commands print."""

from collections.abc import Sequence
from typing import TypedDict

from tribute.cli._output import Output


class Plan(TypedDict):
    would: str


def would(what: str) -> Output[Plan]:
    """What a dry run of a command without further figures says."""
    return Output({"would": what}, [f"would {what}"])


def listed(names: Sequence[str]) -> str:
    """The names in one line."""
    return ", ".join(names) or "none"


def shortened(text: str, width: int = 60) -> str:
    """The text, cut after `width` characters."""
    return text if len(text) <= width else text[: width - 1] + "…"
