"""Of all cells shed, what share met each fate, on a logarithmic axis, since shares span many decades."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ctcdyn.errors import CtcError, Exit, Problem, did_you_mean
from ctcdyn.fates import SHED, fates_met
from ctcdyn.plots import Asked
from ctcdyn.plots._style import COLUMN, INK, SMALLEST, colour, legend, page, rules, spoken, told
from ctcdyn.wording import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ctcdyn.results import Results

TAKES = ("species",)
LINE, GAP = 3.0, 4.0  # mm of height for a bar and for what parts fates


def draw(results: Results, asked: Asked) -> Figure:
    """A bar for each fate, arms side by side."""
    fates = _chosen(results, asked.names)
    figure = page(COLUMN, 22.0 + 3.5 * len(results.arm) + (GAP + LINE * len(results.arm)) * len(fates))
    handles = _bars(figure.subplots(), results, fates)
    entries = dict(handles) if len(handles) > 1 else {}
    legend(figure, entries | told(f"{results.schema.count} trajectories"))
    return figure


def _chosen(results: Results, names: tuple[str, ...]) -> list[str]:
    """The fates to draw: those named, or all but `shed` itself. Raises CtcError (R509, exit 2) of others."""
    known = results.fates.names  # which tells where none are
    for name in names:
        if name not in known:
            fix = did_you_mean(name, known) or f"known: {', '.join(known)}"
            raise CtcError(Problem("R509", f"no fate is called {name!r}", fix=fix), Exit.USAGE)
    return list(names) or [name for name in known if name != SHED] or list(known)


def _bars(axes: Axes, results: Results, fates: list[str]) -> list[tuple[str, Any]]:
    """One bar for each fate and arm with its Monte-Carlo error; (arm, handle) for the legend."""
    met = [entry for entry in fates_met(results) if entry["fate"] in fates]
    shares = any(entry["share"] is not None for entry in met)
    value, error = ("share", "share_error") if shares else ("mean", "error")
    scale = 100.0 if shares else 1.0
    arms, thick = results.arm, 0.8 / len(results.arm)
    handles: list[tuple[str, Any]] = []
    positive = [scale * entry[value] for entry in met if entry[value]]
    low = 10.0 ** math.floor(math.log10(min(positive)) - 0.2) if positive else 0.1
    high = max(positive, default=1.0)
    for number, arm in enumerate(arms):
        for entry in met:
            if entry["arm"] != arm or entry[value] is None:
                continue
            at = fates.index(entry["fate"]) + thick * (number - (len(arms) - 1) / 2)
            long, reach = scale * entry[value], scale * (entry[error] or 0.0)
            handle = axes.barh(
                at, max(long - low, 0.0), 0.9 * thick, left=low, color=colour(number), alpha=0.75, zorder=2
            )
            if reach > 0:
                below = min(reach, long - low) if long > low else 0.0
                axes.errorbar(long, at, xerr=[[below], [reach]], fmt="none", ecolor=INK, elinewidth=0.8)
            text = f"{plain(long)} %" if shares else plain(long)
            end = max(long + reach, low), at
            axes.annotate(text, end, (4, 0), textcoords="offset points", va="center", fontsize=SMALLEST)
            if not handles or handles[-1][0] != arm:
                handles.append((arm, handle))
    axes.set_xscale("log")
    axes.set_xlim(low, high * (high / low) ** 0.25)  # room for the numbers
    first, last = (
        math.ceil(math.log10(low) - 1e-9),
        math.floor(math.log10(high) + 1e-3),
    )  # of 100 % all is told
    axes.set_xticks([10.0**k for k in range(first, last + 1, -(-(last - first + 1) // 5))])
    axes.set_yticks(range(len(fates)), [spoken(name) for name in fates])
    axes.set_ylim(len(fates) - 0.4, -0.6)
    axes.set_xlabel("share of all cells shed (%)" if shares else "fate of a patient's cells (cells)")
    rules(axes, "x")
    return handles
