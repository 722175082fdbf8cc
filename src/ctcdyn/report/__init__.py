"""A result as one page of HTML that needs nothing else: the answer with its error, pictures, tables, where it is from.

No network, no script: pictures are in the page, and its policy forbids to load anything. It reads in light and dark, on
paper and by a screen reader. The same result gives the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.plots import Reference
from ctcdyn.report._answers import answers
from ctcdyn.report._page import page

if TYPE_CHECKING:
    from ctcdyn.results import Results

__all__ = ["answers", "report"]


def report(
    results: Results, output: str | os.PathLike[str], reference: Iterable[Reference | tuple[Any, ...]] = ()
) -> Path:
    """Write the page of a result and give its path. `reference`: published points, as `ctcdyn.plots.plot` takes them.

    Raises CtcError (R503, exit 6) where it cannot be written.
    """
    path = Path(output)
    text = page(results, [Reference(*item) for item in reference])
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        what = f"{path} cannot be written: {os.strerror(error.errno or 0)}"
        raise CtcError(Problem("R503", what), Exit.OUTPUT) from None
    return path
