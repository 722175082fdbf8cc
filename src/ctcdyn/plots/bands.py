"""Quantiles of all trajectories over time, with their median and mean, a panel for each column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ctcdyn.plots import Asked
from ctcdyn.plots._panels import Entries, Panel, arm_keys, column, draw_panels, means
from ctcdyn.plots._style import GREY, Floats, area, colour, key
from ctcdyn.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TAKES = ("species", "reference")
FEW = 2  # arms up to which each has two bands; of more only the widest, since bands lie on one another


def draw(results: Results, asked: Asked) -> Figure:
    """Bands over time; without stored quantiles the mean alone."""
    n = results.n_valid
    fewest, most = (int(n.min()), int(n.max())) if n.size else (0, 0)
    number = f"{most}" if fewest == most else f"{fewest} to {most}"
    sample = f"n = {number}" + (" in each arm" if len(results.arm) > 1 else "")
    return draw_panels(results, asked, _bands, sample)


def _bands(axes: Axes, results: Results, panel: Panel, entries: Entries) -> list[Floats]:
    levels, table = _quantiles(results, panel.name)
    several = arm_keys(results, entries)
    drawn: list[Floats] = []
    for number in range(len(results.arm)):
        shade = colour(number)
        for depth, (low, high) in enumerate(_pairs(levels)[: 2 if len(results.arm) <= FEW else 1]):
            lower, upper = table[levels.index(low), number], table[levels.index(high), number]
            alpha = 0.16 + 0.16 * depth
            axes.fill_between(
                panel.time, lower, upper, color=shade, alpha=alpha, linewidth=0, zorder=2 + depth / 10
            )
            drawn += [lower, upper]
            # areas lie on one another, so the key shows what the eye sees
            seen = 1 - float(np.prod([0.84 - 0.16 * k for k in range(depth + 1)]))
            entries.setdefault(f"{100 * low:g}–{100 * high:g} %", area(seen, GREY if several else shade))
        if 0.5 in levels:
            median = table[levels.index(0.5), number]
            axes.plot(panel.time, median, color=shade, linewidth=1.1, zorder=4)
            drawn.append(median)
            entries.setdefault("median", key(color=GREY if several else shade, linewidth=1.1))
    drawn.append(means(axes, results, panel, entries, alone=not levels))
    return drawn


def _quantiles(results: Results, name: str) -> tuple[list[float], Floats]:
    """Levels and their quantiles (Q, A, T); none where none are stored or there is but one trajectory."""
    stored = "quantiles" in results or "obs_quantiles" in results
    if not stored or int(results.n_valid.max(initial=0)) < 2:
        return [], np.empty((0, len(results.arm), len(results.time)))
    levels = [round(level, 9) for level in results.quantile]
    return levels, column(results, name, "quantiles", "obs_quantiles")


def _pairs(levels: Sequence[float]) -> list[tuple[float, float]]:
    """Levels that lie symmetrically around the median, the widest pair first."""
    return sorted((low, round(1 - low, 9)) for low in levels if low < 0.5 and round(1 - low, 9) in levels)
