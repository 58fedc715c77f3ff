"""Tables on stdout, for people and for pipes."""

import sys

from rich.console import Console
from rich.table import Table

WIDTH = 240
"""Columns of a line where there is no terminal."""


def console() -> Console:
    """On stdout."""
    # Into a file or a pipe nothing is folded: who reads it there takes it apart by lines.
    width = None if sys.stdout.isatty() else WIDTH
    return Console(file=sys.stdout, highlight=False, markup=False, width=width)


def table(*columns: str) -> Table:
    """With these columns; those whose name ends in ``>`` are aligned to the right."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        name = column.removesuffix(">")
        made.add_column(name, justify="right" if column.endswith(">") else "left", overflow="fold")
    return made
