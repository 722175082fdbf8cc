"""Tables on stdout, new files, and the marks that --help shares between commands."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

# A pipe has no width of its own; sources and DOIs are to stay on one line there.
WIDTH_OF_A_PIPE = 200


def show_table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table: aligned to the terminal, or wide and plain in a pipe. NO_COLOR is respected."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    for name in head:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    width = None if sys.stdout.isatty() else WIDTH_OF_A_PIPE
    Console(width=width, highlight=False).print(table)
    print()


def number(value: float) -> str:
    """A number for people: six significant digits, no trailing zeros.

    >>> number(0.1 + 0.2), number(3.0), number(1.25e-7)
    ('0.3', '3', '1.25e-07')
    """
    return f"{value:.6g}"


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet."""
    from ctcdyn.errors import CtcError, Exit, Problem

    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        problem = Problem("R502", f"{path} exists", fix="give another name with -o, or remove it first")
        raise CtcError(problem, exit=Exit.OUTPUT) from None
    except OSError as error:
        problem = Problem("R503", f"cannot write {path}: {error.strerror}", fix="give another place with -o")
        raise CtcError(problem, exit=Exit.OUTPUT) from None
