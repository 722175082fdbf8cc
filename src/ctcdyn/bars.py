"""Fates as bars: of all cells shed, how many met each, on a logarithmic axis, since shares span many decades."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ctcdyn.errors import CtcError, Exit, Problem, did_you_mean
from ctcdyn.fates import SHED, fates_met
from ctcdyn.wording import plain

if TYPE_CHECKING:
    from ctcdyn.results import Results

LINE = 7.5  # mm of height for one bar


def chosen_fates(results: Results, names: Sequence[str] | None) -> list[str]:
    """The fates to draw: those named, or all but `shed` itself. Raises CtcError (R509, exit 2) of others."""
    known = results.fates.names  # which tells where none are
    for name in names or ():
        if name not in known:
            fix = did_you_mean(name, known) or f"known: {', '.join(known)}"
            raise CtcError(Problem("R509", f"no fate is called {name!r}", fix=fix), Exit.USAGE)
    return list(names) if names else [name for name in known if name != SHED] or list(known)


def height(results: Results, fates: Sequence[str]) -> float:
    """Of the picture, mm."""
    return 22.0 + LINE * len(fates) * (0.5 + 0.5 * len(results.arm))


def draw_bars(axes: Any, results: Results, fates: Sequence[str], colours: Sequence[str]) -> list[tuple[str, Any]]:
    """One bar for each fate and arm in axes of matplotlib, with its Monte-Carlo error; (arm, handle) for the legend."""
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
        colour = colours[number % len(colours)]
        for entry in met:
            if entry["arm"] != arm or entry[value] is None:
                continue
            at = fates.index(entry["fate"]) + thick * (number - (len(arms) - 1) / 2)
            long, reach = scale * entry[value], scale * (entry[error] or 0.0)
            handle = axes.barh(at, max(long - low, 0.0), 0.9 * thick, left=low, color=colour, alpha=0.75, zorder=2)
            if reach > 0:
                below = min(reach, long - low) if long > low else 0.0
                axes.errorbar(long, at, xerr=[[below], [reach]], fmt="none", ecolor="#222222", elinewidth=0.8)
            told = f"{plain(long)} %" if shares else plain(long)
            end = max(long + reach, low), at
            axes.annotate(told, end, (4, 0), textcoords="offset points", va="center", fontsize=6)
            if not handles or handles[-1][0] != arm:
                handles.append((arm, handle))
    axes.set_xscale("log")
    axes.set_xlim(low, high * (high / low) ** 0.25)  # room for the numbers
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-3)  # of 100 % all is told
    axes.set_xticks([10.0**k for k in range(first, last + 1, max(1, (last - first) // 5))])
    axes.set_yticks(range(len(fates)), [name.replace("_", " ") for name in fates])
    axes.set_ylim(len(fates) - 0.4, -0.6)
    axes.set_xlabel("% of all cells shed" if shares else "cells of a patient")
    axes.grid(axis="x", color="#E6E6E6", linewidth=0.4)
    axes.set_axisbelow(True)
    return handles
