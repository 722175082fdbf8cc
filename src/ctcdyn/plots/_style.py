"""How all pictures look: the page and its text, colours, axes, legends. The one file that knows it.

Sizes are those of a printed page, 85 mm for one column and 175 mm for two, and no text is below 6 pt there (exponents
and indices aside). Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), shades those of cividis
(doi:10.1371/journal.pone.0199239): readers with colour-blindness can tell both apart.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.scales import Scale, time_unit, write_unit
from ctcdyn.wording import NOTICE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ctcdyn.results import Results

Floats = NDArray[np.float64]

COLUMN, PAGE = 85.0, 175.0  # mm: one column of a journal, and two
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK, GREY, RULE, PAPER = "#222222", "#666666", "#E6E6E6", "#FFFFFF"
SHADES = "cividis"
SMALLEST = 6.0  # pt
DASHED = (0, (3, 1.5))
_FOOT = 3.2  # mm below all axes, for the notice

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that text is set the same everywhere
    "font.size": 7,
    "axes.labelsize": 7,
    "axes.titlesize": 7,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # editable text
    "svg.fonttype": "none",
    "svg.hashsalt": "ctcdyn",
    "axes.prop_cycle": f"cycler('color', {list(PALETTE)})",
}


def page(width: float, height: float) -> Figure:
    """An empty figure of so many millimetres, with what stands on every picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 25.4, (height + _FOOT) / 25.4))
    foot = _FOOT / (height + _FOOT)
    figure.set_layout_engine("constrained", rect=(0, foot, 1, 1 - foot))
    FigureCanvasAgg(figure)
    figure.text(0.997, 0.004, NOTICE, ha="right", va="bottom", fontsize=SMALLEST, color=GREY)
    return figure


def legend(figure: Figure, entries: Mapping[str, Any]) -> None:
    """One legend above all panels, in as many columns as the figure is wide."""
    width = 25.4 * figure.get_figwidth()
    entries = {textwrap.fill(label, int((width - 8) / 1.3)): handle for label, handle in entries.items()}
    lengths = [max(len(line) for line in label.split("\n")) for label in entries]
    needed = [7.5 + 1.3 * length for length in lengths]  # mm: handle, gap and 7 pt letters
    columns = len(needed)
    while columns > 1 and sum(max(part) for part in np.array_split(needed, columns)) > width:
        columns -= 1
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="outside upper left",
        ncols=columns,
        handlelength=1.6,
        columnspacing=1.2,
        handletextpad=0.5,
        borderpad=0.2,
    )


def colour(number: int) -> str:
    """Of the arm, group or curve of this number."""
    return PALETTE[number % len(PALETTE)]


def key(**style: Any) -> Any:
    """A line for the legend that is not in any panel."""
    from matplotlib.lines import Line2D

    return Line2D([], [], **style)


def area(alpha: float, colour: str) -> Any:
    """The same for an area."""
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, alpha=alpha, linewidth=0)


def told(text: str) -> dict[str, Any]:
    """An entry of a legend that is a text alone."""
    return {text: key(linestyle="none", color=INK)}


def spoken(name: str) -> str:
    """A name as words.

    >>> spoken("ctc_per_7_5_mL")
    'ctc per 7.5 mL'
    """
    return re.sub(r"(?<=\d)_(?=\d)", ".", name).replace("_", " ")


def label(name: str, unit: str, width: int = 30) -> str:
    """Text of an axis: a name and a unit in brackets, (1) for plain numbers."""
    return textwrap.fill(f"{spoken(name)} ({write_unit(unit) or '1'})", width)


def unit_of(results: Results, name: str) -> str:
    """Unit of a species, observable or parameter as it is printed; species without one are counts of cells."""
    unit = results.unit(name)
    if unit != "1" or name in results.parameter:
        return unit
    if name in results.species:
        return "cells"
    return "count" if name in results.schema.whole else "1"


def is_count(results: Results, name: str) -> bool:
    """Whether a column counts things: its axis may treat everything below one as "none"."""
    return name in results.schema.whole or (name in results.species and results.unit(name) == "1")


def set_scale(axes: Axes, direction: str, scale: Scale) -> None:
    """Scale, limits and ticks of the axis "x" or "y"."""
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter

    axis = axes.xaxis if direction == "x" else axes.yaxis
    if scale.kind == "linear":
        axis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
        if direction == "x":
            axes.ticklabel_format(axis="x", style="sci", scilimits=(-3, 4), useMathText=True)
        else:
            axes.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4), useMathText=True)
    else:
        options = {"linthresh": scale.threshold, "linscale": 0.6} if scale.kind == "symlog" else {}
        (axes.set_xscale if direction == "x" else axes.set_yscale)(scale.kind, **options)
        axis.set_ticks(scale.ticks, scale.labels)
        axis.set_minor_locator(FixedLocator(scale.minor))
        axis.set_minor_formatter(NullFormatter())
    (axes.set_xlim if direction == "x" else axes.set_ylim)(scale.low, scale.high)


def set_time(axes: Axes, start: float, end: float, what: str = "time") -> float:
    """A time axis between two times (days), and the length of its unit (days)."""
    from matplotlib.ticker import MaxNLocator

    unit, length = time_unit(end)
    start, end = start / length, end / length
    if np.ceil(end) < 1.01 * end:  # 3650 days are 9.99 years: the tick at 10 belongs to the axis
        end = float(np.ceil(end))
    axes.set_xlim(start, end if end > start else start + 1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10]))
    axes.set_xlabel(f"{what} ({unit})")
    return length


def rules(axes: Axes, direction: str = "y") -> None:
    """Faint lines to read values by."""
    (axes.xaxis if direction == "x" else axes.yaxis).grid(True, color=RULE, linewidth=0.4)
    axes.set_axisbelow(True)


def cannot(kind: str, what: str, fix: str, why: str = "") -> CtcError:
    """The error of a picture that a result cannot give."""
    return CtcError(Problem("R521", f"no picture of kind {kind!r}: {what}", fix=fix, why=why), Exit.USAGE)
