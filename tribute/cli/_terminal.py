"""How results and progress look in a terminal, in a pipe and in a log file."""

import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from tribute.cli._output import Output, Table
from tribute.progress import Listener, listening

if TYPE_CHECKING:
    from rich.table import Table as RichTable

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that a terminal would act on instead of showing them; contributed text may hold any."""
LOG_SECONDS = 10.0
"""A log gets a line where a task begins and where it ends, and in between at most one in this time."""
UNBROKEN = 100_000
"""Columns of a pipe: no line of a table is broken."""


def show(output: Output[Any], envelope: Mapping[str, Any] | None) -> None:
    """Print a command's data as JSON after the `envelope`, or without one its tables and lines."""
    if envelope is not None:
        print(json.dumps({**envelope, **output.data}, indent=2))
        return
    if output.tables:
        _print_tables(output.tables)
    for line in output.lines:
        print(_harmless(line))


@contextmanager
def progress() -> Iterator[None]:
    """Show on standard error what reports progress while the body runs: bars in a terminal, lines in a log."""
    with _bars() if sys.stderr.isatty() else _lines() as listener, listening(listener):
        yield


@contextmanager
def _bars() -> Iterator[Listener]:
    started: list[Any] = []
    tasks: dict[str, Any] = {}

    def on_progress(what: str, done: int, total: int) -> None:
        if not started:
            started.append(_new_bars())
            started[0].start()
        if what not in tasks:
            tasks[what] = started[0].add_task(what, total=total)
        started[0].update(tasks[what], completed=done, total=total)

    try:
        yield on_progress
    finally:
        if started:
            started[0].stop()


def _new_bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


@contextmanager
def _lines() -> Iterator[Listener]:
    began = time.monotonic()
    shown: dict[str, tuple[float, int]] = {}

    def on_progress(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        when, before = shown.get(what, (now, total))
        # Less than before: a task of the same name began anew.
        if (
            done < before
            or before < done == total
            or (done > before and now - when >= LOG_SECONDS)
            or what not in shown
        ):
            shown[what] = now, done
            minutes, seconds = divmod(int(now - began), 60)
            print(f"{minutes:3d}:{seconds:02d}  {_harmless(what)} {done}/{total}", file=sys.stderr, flush=True)

    yield on_progress


def _print_tables(tables: Any) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    room = UNBROKEN if not console.is_terminal and "COLUMNS" not in os.environ else console.width
    for table in tables:
        drawn = _drawn(table)
        # Ids and numbers stay whole, so that they can be found and copied; only words wrap.
        least = console.measure(drawn, options=console.options.update(width=UNBROKEN)).minimum
        console.width = max(room, least)
        console.print(drawn)


def _drawn(table: Table) -> "RichTable":
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(title=table.title, box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))
    for index, column in enumerate(table.columns):
        numeric = column in table.right
        whole = numeric or not any(" " in row[index] for row in table.rows)
        # An amount and its currency are two words, of which Rich would keep one.
        widest = max((cell_len(row[index]) for row in table.rows), default=0) if whole else None
        justify: Literal["left", "right"] = "right" if numeric else "left"
        drawn.add_column(column, justify=justify, no_wrap=whole, min_width=widest, overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(_harmless(cell)) for cell in row))
    return drawn


def _harmless(content: str) -> str:
    """The content without power over the terminal; brackets are no markup."""
    return CONTROL.sub("\ufffd", content)
