"""Hazard of an event, smoothed over time, with its 95 % band."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ctcdyn.hazards import smoothed_hazard
from ctcdyn.plots import Asked
from ctcdyn.plots._events import FEWEST, followed
from ctcdyn.plots._style import (
    COLUMN,
    Floats,
    area,
    cannot,
    colour,
    legend,
    page,
    rules,
    set_time,
    spoken,
    told,
)
from ctcdyn.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TAKES = ("species", "by")
WIDTH = 0.1  # of the follow-up: half of the window of the kernel
POINTS = 200


def draw(results: Results, asked: Asked) -> Figure:
    """Events in a year among those still without one; a curve ends where fewer than ten are followed."""
    event, since, groups = followed(results, "hazard", asked)
    if results.schema.weighted:
        why = "trajectories are weighted ([importance])"
        raise cannot("hazard", "weighted trajectories have no smoothed hazard", "draw --kind km", why)
    figure = page(COLUMN, 66)
    axes = figure.subplots()
    end = max(float(np.max(group.time)) for group in groups.values())
    length = set_time(axes, 0.0, end, since)
    unit = axes.get_xlabel().rpartition("(")[2].rstrip("s)")
    entries: dict[str, Any] = {}
    seen = 0.0
    for number, (label, group) in enumerate(groups.items()):
        days: Floats = np.sort(np.asarray(group.time, dtype=np.float64))
        last = float(days[-FEWEST]) if len(days) >= FEWEST else float(days[-1])
        grid = np.linspace(0.0, last, POINTS)
        found = smoothed_hazard(group.time, group.observed, WIDTH * end, grid)
        value, low, high = (part * length for part in (found.hazard, found.low, found.high))
        x = grid / length
        axes.plot(x, value, color=colour(number), linewidth=1.1, zorder=4)
        axes.fill_between(x, low, high, color=colour(number), alpha=0.25, linewidth=0, zorder=3)
        if np.isfinite(high).any():  # nothing is known of a group without events
            seen = max(seen, float(np.nanmax(value)), 1.3 * float(np.nanquantile(high, 0.9)))
        if len(groups) > 1:
            entries[label] = area(0.8, colour(number))
    axes.set_ylim(0, 1.05 * seen if seen > 0 else 1)
    axes.set_ylabel(f"hazard of {spoken(event)} (1/{unit})")
    rules(axes)
    n = sum(len(np.asarray(group.time)) for group in groups.values())
    legend(figure, entries | told(f"n = {n}, 95 % band, smoothed over ±{WIDTH * end / length:.2g} {unit}s"))
    return figure
