"""One column against another: kept paths from start to end, and the path of the means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ctcdyn.columns import in_order
from ctcdyn.plots import Asked
from ctcdyn.plots._panels import Entries, arm_keys, column
from ctcdyn.plots._style import (
    COLUMN,
    DASHED,
    GREY,
    INK,
    cannot,
    colour,
    is_count,
    key,
    label,
    legend,
    page,
    rules,
    set_scale,
    told,
    unit_of,
)  # fmt: skip
from ctcdyn.results import Results
from ctcdyn.scales import choose_scale

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TAKES = ("species",)
PATHS = 30  # drawn of those kept


def draw(results: Results, asked: Asked) -> Figure:
    """The two columns named, else the first two; circles stand at the start, dots at the end."""
    known = in_order(results)
    names = asked.names or tuple(known[:2])
    if len(names) != 2:
        fix = f"name two with --species a,b; known: {', '.join(known)}"
        raise cannot("phase", f"it shows two columns, not {len(names)}", fix)
    for name in names:
        results.find(name)
    figure = page(COLUMN, 74)
    axes = figure.subplots()
    entries: Entries = {}
    several = arm_keys(results, entries)
    drawn: list[list[np.ndarray]] = [[], []]
    kept = min(results.schema.kept, PATHS)
    if kept:
        x, y = (np.asarray(results.values(name)[:kept], dtype=np.float64) for name in names)
        for one, other, arm in zip(x, y, results["kept_arm"][:kept]):
            axes.plot(one, other, color=colour(arm), linewidth=0.5, alpha=0.5, zorder=2)
            axes.plot(one[-1:], other[-1:], "o", color=colour(arm), markersize=2.2, zorder=3)
        drawn[0].append(x.reshape(-1))
        drawn[1].append(y.reshape(-1))
        entries["single trajectories"] = key(color=GREY if several else colour(0), linewidth=0.8)
    mean = [column(results, name, "mean", "obs_mean") for name in names]
    for number in range(len(results.arm)):
        shade = colour(number) if several else INK
        x, y = mean[0][number], mean[1][number]
        axes.plot(x, y, color=shade, linewidth=1.1, linestyle=DASHED, zorder=4)
        axes.plot(x[:1], y[:1], "o", color=shade, markerfacecolor="white", markersize=4, zorder=5)
        axes.plot(x[-1:], y[-1:], "o", color=shade, markersize=4, zorder=5)
    entries["means"] = key(color=GREY if several else INK, linewidth=1.1, linestyle=DASHED)
    entries["start"] = key(color=GREY, marker="o", markerfacecolor="white", markersize=4, linestyle="none")
    entries["end"] = key(color=GREY, marker="o", markersize=4, linestyle="none")
    for direction, name, values, means in zip("xy", names, drawn, mean, strict=True):
        scale = choose_scale(np.concatenate([*values, means.reshape(-1)]), is_count(results, name))
        set_scale(axes, direction, scale)
        text = label(name, unit_of(results, name))
        (axes.set_xlabel if direction == "x" else axes.set_ylabel)(text)
        rules(axes, direction)
    entries |= told(f"{kept} of {results.schema.count} trajectories")
    legend(figure, entries)
    return figure
