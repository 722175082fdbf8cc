"""Panels of columns over time, for bands and paths: which there are, what stands on each, what the legend says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ctcdyn.columns import chances, in_order
from ctcdyn.plots import Asked, Reference
from ctcdyn.plots._style import (
    COLUMN,
    DASHED,
    GREY,
    INK,
    PAGE,
    Floats,
    area,
    colour,
    is_count,
    key,
    label,
    legend,
    page,
    rules,
    set_scale,
    set_time,
    told,
    unit_of,
)  # fmt: skip
from ctcdyn.results import Results
from ctcdyn.scales import Scale, choose_scale, time_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = 12
LIKELY = 0.02  # chances up to this are drawn as all numbers, above it from 0 on
Entries = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Panel:
    """What one panel shows: the column `name` over `time`, already in the unit of the time axis."""

    name: str
    time: Floats
    discrete: bool
    references: tuple[Reference, ...]
    scale: float  # days in one unit of the time axis


Curves = Callable[["Axes", Results, Panel, Entries], list[Floats]]


def draw_panels(results: Results, asked: Asked, curves: Curves, sample: str) -> Figure:
    """A panel for each column asked for, else for the first 12; `curves` draws one and returns the values drawn."""
    panels = _panels(results, asked)
    columns = min(len(panels), 2 if len(panels) <= 4 else 3)
    rows = -(-len(panels) // columns)
    figure = page(COLUMN if columns == 1 else PAGE, rows * {1: 54, 2: 48, 3: 40}[columns] + 12)
    grid = figure.subplots(rows, columns, squeeze=False)
    entries: Entries = {}
    for axes, panel in zip(grid.flat, panels):
        drawn = curves(axes, results, panel, entries)
        drawn.append(_references(axes, panel, entries))
        _set_axes(axes, results, panel, np.concatenate(drawn))
    for number, axes in enumerate(grid.flat):
        if number >= len(panels):
            axes.remove()
        elif number + columns < len(panels):
            axes.set_xlabel("")
    figure.align_ylabels()
    entries |= told(sample)
    columns = len(_unlike(results)) if not asked.names else 0
    if columns > PANELS:
        entries |= told(f"{PANELS} of {columns} columns")
    legend(figure, entries)
    return figure


def _panels(results: Results, asked: Asked) -> list[Panel]:
    chosen = list(asked.names) or _unlike(results)[:PANELS]
    for name in [*chosen, *(reference.name for reference in asked.references)]:
        results.find(name)
    _, scale = time_unit(float(results.time[-1]) if len(results.time) else 0.0)
    panels = []
    for name in chosen:
        own = tuple(reference for reference in asked.references if reference.name == name)
        panels.append(Panel(name, results.time / scale, is_count(results, name), own, scale))
    return panels


def _unlike(results: Results) -> list[str]:
    """Columns in their order, without those that are another one under a further name: a stage of one species. Means
    that are the same at all times, to the bit, and move."""
    found: dict[tuple[str, bytes], str] = {}
    for name in in_order(results):
        mean = column(results, name, "mean", "obs_mean")
        moves = bool((mean != mean[:1, :1]).any())
        found.setdefault((results.unit(name), mean.tobytes()) if moves else (name, b""), name)
    return list(found.values())


def column(results: Results, name: str, species: str, observable: str) -> Floats:
    """What the summary holds of a column, in the array `species` or `observable`."""
    table, number = results.find(name)
    return np.asarray(results[species if table == "species" else observable][..., number], dtype=np.float64)


def means(axes: Axes, results: Results, panel: Panel, entries: Entries, alone: bool = False) -> Floats:
    """Dashed over bands and paths; where there is nothing else, one full line in the colour of its arm."""
    mean = column(results, panel.name, "mean", "obs_mean")
    several = len(results.arm) > 1
    style: Entries = {"linewidth": 1.1} if alone else {"linewidth": 0.9, "linestyle": DASHED}
    for number in range(len(results.arm)):
        shade = colour(number) if several or alone else INK
        axes.plot(panel.time, mean[number], color=shade, zorder=5, **style)
    name = "mean of all" if int(results.n_valid.max(initial=0)) > 1 else "trajectory"
    entries.setdefault(name, key(color=GREY if several else shade, **style))
    return mean.reshape(-1)


def arm_keys(results: Results, entries: Entries) -> bool:
    """Give each arm its colour in the legend, where there are several."""
    if len(results.arm) == 1:
        return False
    for number, arm in enumerate(results.arm):
        entries.setdefault(arm, area(1.0, colour(number)))
    return True


def _references(axes: Axes, panel: Panel, entries: Entries) -> Floats:
    drawn: list[float] = []
    for number, text in enumerate(dict.fromkeys(reference.label for reference in panel.references)):
        marker = "osD^v"[number % 5]
        for point in panel.references:
            if point.label != text:
                continue
            low = point.value if point.low is None else point.low
            high = point.value if point.high is None else point.high
            drawn += [point.value, low, high]
            bar = axes.errorbar(
                point.time / panel.scale, point.value, [[point.value - low], [high - point.value]],
                fmt=marker, markersize=3.6, color=INK, markerfacecolor="white", markeredgewidth=0.9,
                elinewidth=0.9, capsize=2 if high > low else 0, zorder=6, clip_on=False,
            )  # fmt: skip
            entries.setdefault(text, bar)
    return np.array(drawn)


def _set_axes(axes: Axes, results: Results, panel: Panel, drawn: Floats) -> None:
    set_time(axes, panel.time[0] * panel.scale, panel.time[-1] * panel.scale)
    top = float(np.nanmax(drawn, initial=0.0))
    chance = panel.name in {column for columns in chances(results).values() for column in columns.values()}
    if chance and top > LIKELY:
        set_scale(axes, "y", Scale("linear", 0.0, 1.03 * top))
    else:
        set_scale(axes, "y", choose_scale(drawn, panel.discrete))
    axes.set_ylabel(label(panel.name, unit_of(results, panel.name), 26))
    rules(axes)
