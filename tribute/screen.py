"""How results and progress look in a terminal."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table as RichTable
from rich.text import Text

from tribute.commands.output import Output, Table
from tribute.progress import listening

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that a terminal would act on instead of showing them; contributed text may hold any."""


def show(output: Output, as_json: bool) -> None:
    """Print a command's data as JSON, or its tables and lines."""
    if as_json:
        print(json.dumps(output.data, indent=2, default=str))
        return
    console = Console(highlight=False)
    for table in output.tables:
        console.print(_drawn(table))
    for line in output.lines:
        console.print(_text(line), soft_wrap=True)


@contextmanager
def progress() -> Iterator[None]:
    """Bars on standard error for everything that reports progress while the body runs."""
    bars = Progress(
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    known = {}

    def on_progress(what: str, done: int, total: int) -> None:
        bars.start()
        if what not in known:
            known[what] = bars.add_task(what, total=total)
        bars.update(known[what], completed=done, total=total)

    try:
        with listening(on_progress):
            yield
    finally:
        if known:
            bars.stop()


def _drawn(table: Table) -> RichTable:
    drawn = RichTable(title=table.title, box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))
    for column in table.columns:
        numeric = column in table.right
        drawn.add_column(column, justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
    for row in table.rows:
        drawn.add_row(*(_text(cell) for cell in row))
    return drawn


def _text(content: str) -> Text:
    """The content as it is: brackets are no markup, and control characters have no power."""
    return Text(CONTROL.sub("\ufffd", content))
