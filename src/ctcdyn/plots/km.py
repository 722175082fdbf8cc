"""Kaplan-Meier curves of an event with their 95 % bands, and how many are at risk."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ctcdyn.followup import Survival
from ctcdyn.plots import Asked
from ctcdyn.plots._events import followed
from ctcdyn.plots._style import (
    COLUMN,
    GREY,
    SMALLEST,
    Floats,
    area,
    colour,
    legend,
    page,
    rules,
    set_time,
    spoken,
    told,
)  # fmt: skip
from ctcdyn.results import Results
from ctcdyn.survival import Curve, kaplan_meier
from ctcdyn.wording import grouped, with_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TAKES = ("species", "by")
STEPS = 200  # of a curve that are drawn: more is below what a printer shows
LINE = 3.4  # mm for each line of the table
ENTRY = 3.6  # and of the legend


def draw(results: Results, asked: Asked) -> Figure:
    """Share without the event, one curve for each group; the axis begins above 0 where all curves stay far above it."""
    event, since, groups = followed(results, "km", asked)
    curves = {label: kaplan_meier(*group[:2], 0.95, *group[2:]) for label, group in groups.items()}
    table = LINE * (len(curves) + 1)
    figure = page(COLUMN, 60 + table + ENTRY * len(curves))
    above, below = figure.subplots(2, 1, height_ratios=[48, table])
    end = max(float(curve.time[-1]) for curve in curves.values())
    until = Survival(event, curves).horizon
    length = set_time(above, 0.0, end, since)
    lowest = 100.0
    entries: dict[str, Any] = {}
    for number, (label, curve) in enumerate(curves.items()):
        lowest = min(lowest, _curve(above, curve, length, number))
        last = curve.at(until)
        value, error = with_error(100 * last.value, 100 * last.error)
        entries[f"{label}: {value} ± {error} %" if error else f"{label}: {value} %"] = area(
            0.8, colour(number)
        )
    above.set_ylim(10 * math.floor((lowest - 2) / 10) if lowest > 60 else 0, 100.5)
    above.set_ylabel(f"without {spoken(event)} (%)")
    rules(above)
    _at_risk(below, above, list(curves.values()), length)
    n = grouped(sum(curve.n for curve in curves.values()))
    entries["95 % band"] = area(0.25, GREY)
    unit = above.get_xlabel().rpartition("(")[2].rstrip(")")
    legend(figure, entries | told(f"n = {n}, % at {until / length:.3g} {unit}"))
    return figure


def _curve(axes: Axes, curve: Curve, length: float, number: int) -> float:
    """Draw a curve, and give the lowest value that is seen, in %."""
    time, at = curve.time, np.arange(len(curve.time))
    if len(time) > STEPS:
        time = np.linspace(0.0, float(curve.time[-1]), STEPS)
        at = np.searchsorted(curve.time, time, side="right") - 1
    value, low, high = (100 * part[at] for part in (curve.survival, curve.low, curve.high))
    axes.plot(time / length, value, color=colour(number), linewidth=1.1, drawstyle="steps-post", zorder=4)
    axes.fill_between(
        time / length, low, high, step="post", color=colour(number), alpha=0.25, linewidth=0, zorder=3
    )
    return float(np.nanmin([np.nanmin(low), np.nanmin(value)]))


def _at_risk(axes: Axes, above: Axes, curves: list[Curve], length: float) -> None:
    """Below the ticks of the curves: how many are followed, without the event, just before."""
    axes.set_xlim(above.get_xlim())
    axes.set_ylim(len(curves) + 0.5, -0.6)
    axes.axis("off")
    ticks: Floats = np.array([tick for tick in above.get_xticks() if tick <= above.get_xlim()[1] + 1e-9])
    axes.text(
        -0.115, 0, "at risk", ha="left", va="center", fontsize=SMALLEST, transform=axes.get_yaxis_transform()
    )
    for row, curve in enumerate(curves, start=1):
        mark: dict[str, Any] = {
            "color": colour(row - 1),
            "markersize": 3.5,
            "linestyle": "none",
            "clip_on": False,
        }
        axes.plot([-0.1], [row], "s", transform=axes.get_yaxis_transform(), **mark)
        days, end = ticks * length, float(curve.time[-1])
        days[(days > end) & (days < 1.01 * end)] = end  # 3650 days are 9.99 years: the tick at 10 is the end
        for tick, number in zip(ticks, curve.risk(days)):
            axes.text(tick, row, grouped(round(float(number))), ha="center", va="center", fontsize=SMALLEST)
