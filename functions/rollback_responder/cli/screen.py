"""Printing: for people in colour where the terminal has it, for scripts as JSON.

rich leaves colours away where the output is no terminal or NO_COLOR is set. Texts from outside are
never read as its markup.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rollback_responder.domain.incident import State

# Where the output is no terminal nobody folds lines to fit one.
PIPE_WIDTH = 140
GOOD, BAD, DOUBT, PALE = "green", "bold red", "yellow", "dim"
STATE_STYLES: Mapping[State, str] = {
    State.UNDECIDED: DOUBT,
    State.ASKING: DOUBT,
    State.ROLLING_BACK: DOUBT,
    State.WATCHING: DOUBT,
    State.FIXED: GOOD,
    State.NOT_FIXED: BAD,
    State.UNKNOWN: DOUBT,
    State.STOOD_DOWN: "",
    State.INCOMPLETE: BAD,
    State.INDETERMINATE: BAD,
}


class Screen:
    """What a command prints to: `out` for its answer, `err` for everything beside it."""

    def __init__(self) -> None:
        # A width that was asked for is kept; else a terminal has its own.
        width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH
        self.out = Console(highlight=False, markup=False, emoji=False, width=width)
        self.err = Console(highlight=False, markup=False, emoji=False, stderr=True)

    def line(self, text: str = "", style: str = "") -> None:
        """One line, however long: a terminal breaks it itself."""
        self.out.print(Text(text, style=style), soft_wrap=True)

    def json(self, document: Any) -> None:
        """The answer for a script."""
        self.out.print(json.dumps(document, indent=2, ensure_ascii=False), soft_wrap=True)

    def raw(self, text: str) -> None:
        """Text that goes on to a file or another program, as it is."""
        self.out.file.write(text)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
        """Rows under their heads, without lines between."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for head in heads:
            table.add_column(head, overflow="fold")
        for row in rows:
            table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
        self.out.print(table)

    def pairs(self, pairs: Sequence[tuple[str, str]], indent: int = 2) -> None:
        """Names and their values, in two columns."""
        widest = max((len(name) for name, _ in pairs), default=0)
        for name, value in pairs:
            line = Text(" " * indent).append(f"{name:<{widest}}  ", style=PALE).append(value)
            self.out.print(line, soft_wrap=True)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Says on a terminal what is waited for, for as long as it takes."""
        with self.err.status(what):
            yield


def clock(instant: datetime) -> str:
    """An instant for people."""
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def span(length: timedelta) -> str:
    """A length of time for people, in its largest unit that is not nought."""
    minutes = int(length / timedelta(minutes=1))
    if minutes < 1:
        return f"{max(0, int(length.total_seconds()))} s"
    if minutes < 120:  # noqa: PLR2004 - up to two hours people count in minutes
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} d"  # noqa: PLR2004 - two days
