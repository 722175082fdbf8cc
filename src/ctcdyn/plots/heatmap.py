"""An outcome over two parameters: each cell of a grid, or of a drawn population each part of the plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ctcdyn.plots import Asked
from ctcdyn.plots._groups import drawn, parameter, well
from ctcdyn.plots._outcomes import Outcome, outcome
from ctcdyn.plots._style import (
    COLUMN,
    INK,
    PAPER,
    SHADES,
    SMALLEST,
    Floats,
    cannot,
    label,
    legend,
    page,
    told,
)
from ctcdyn.results import Results
from ctcdyn.wording import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TAKES = ("species", "by")
MOST = 60  # values of a parameter in a grid
WRITTEN = 6  # columns up to which the numbers stand in their cells
EACH = 100  # patients that a cell of a drawn population has at least, on average
TICKS = 6


@dataclass(frozen=True, slots=True)
class _Axis:
    """One parameter: the cell of each trajectory (K,), and ticks in numbers of cells."""

    name: str
    place: NDArray[np.int64]
    cells: int
    at: list[float]
    texts: list[str]


def draw(results: Results, asked: Asked) -> Figure:
    """One map for each arm; cells that no trajectory lies in are left white."""
    across, up, grid = _plane(results, asked.by)
    found = outcome(results, "heatmap", asked.names)
    maps = [_cells(found, results["arm_index"] == a, across, up) for a in range(len(results.arm))]
    low = min(float(np.nanmin(mean)) for mean, _ in maps)
    high = max(float(np.nanmax(mean)) for mean, _ in maps)
    logarithmic = low > 0 and high > 100 * low
    figure = page(COLUMN, 10 + 58 * len(maps))
    panels = figure.subplots(len(maps), 1, squeeze=False)[:, 0]
    norm = _norm(low, high, logarithmic)
    for axes, arm, (mean, _) in zip(panels, results.arm, maps):
        image = axes.pcolormesh(mean.T, cmap=SHADES, norm=norm, linewidth=0, rasterized=mean.size > 400)
        if max(mean.shape) <= WRITTEN:
            _write(axes, mean, image)
        axes.set_xticks(across.at, across.texts)
        axes.set_yticks(up.at, up.texts)
        axes.set_ylabel(label(up.name, results.unit(up.name)))
        axes.spines[["left", "bottom"]].set_visible(False)
        if len(maps) > 1:
            axes.set_title(arm, loc="left")
    panels[-1].set_xlabel(label(across.name, results.unit(across.name), 40))
    bar = figure.colorbar(image, ax=list(panels), pad=0.02, aspect=28)
    bar.set_label(found.label)
    bar.outline.set_linewidth(0.6)
    if not logarithmic:
        bar.ax.ticklabel_format(axis="y", useMathText=True)
    worst = max(float(np.nanmax(error)) if np.isfinite(error).any() else np.nan for _, error in maps)
    text = "each cell one grid point" if grid else "cells of equal shares of the patients"
    if np.isfinite(worst):
        text += f", MC error up to ±{worst:.2g}{' points' if found.share else ''}"
    legend(figure, told(text))
    return figure


def _plane(results: Results, by: tuple[str, ...]) -> tuple[_Axis, _Axis, bool]:
    """The two parameters, and whether they were set on a grid. Raises CtcError (R509, R521, exit 2)."""
    known = drawn(results)
    names = by or tuple(known)
    if len(names) != 2:
        if len(known) < 2:
            told = f"only {known[0]} varies" if known else "no parameter varies"
            raise cannot("heatmap", told, "vary two parameters, on a grid or by [population.draw]")
        raise cannot(
            "heatmap", f"it has two axes, not {len(names)}", f"--by a,b with two of {', '.join(known)}"
        )
    values = [parameter(results, name) for name in names]
    levels = [np.unique(v) for v in values]
    for name, level in zip(names, levels, strict=True):
        if len(level) == 1:
            told = f"{name} has one value"
            raise cannot(
                "heatmap", told, f"--by a,b with two of {', '.join(known) or 'those that vary: none does'}"
            )
    pairs = len(np.unique(np.stack(values), axis=1).T)
    sizes = [len(level) for level in levels]
    if max(sizes) <= MOST and pairs == sizes[0] * sizes[1]:
        one, other = (_on_grid(n, v, level) for n, v, level in zip(names, values, levels, strict=True))
        return one, other, True
    parts = int(np.clip(np.sqrt(int(well(results).sum()) / EACH / len(results.arm)), 2, 12))
    one, other = (_in_parts(name, v, parts) for name, v in zip(names, values, strict=True))
    return one, other, False


def _on_grid(name: str, values: Floats, levels: Floats) -> _Axis:
    step = -(-len(levels) // TICKS)
    shown = range(0, len(levels), step)
    place = np.searchsorted(levels, values)
    return _Axis(name, place, len(levels), [k + 0.5 for k in shown], [plain(float(levels[k])) for k in shown])


def _in_parts(name: str, values: Floats, parts: int) -> _Axis:
    edges = np.quantile(values, np.linspace(0, 1, parts + 1))
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, parts - 1)
    shown = range(0, parts + 1, -(-parts // TICKS))
    return _Axis(name, place, parts, [float(k) for k in shown], [plain(float(edges[k])) for k in shown])


def _cells(found: Outcome, rows: NDArray[np.bool_], across: _Axis, up: _Axis) -> tuple[Floats, Floats]:
    """Mean and standard error in each cell, (across, up); NaN where nothing is known."""
    rows = rows & np.isfinite(found.values)
    place = across.place[rows] * up.cells + up.place[rows]
    values, size = found.values[rows], across.cells * up.cells
    n = np.bincount(place, minlength=size).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(place, values, size) / n
        squares = np.bincount(place, (values - mean[place]) ** 2, size)
        error = np.where(n > 1, np.sqrt(squares / (n - 1) / n), np.nan)
    shape = (across.cells, up.cells)
    if not np.isfinite(mean).any():
        raise cannot("heatmap", f"{found.name} is known of no trajectory", "run the study with --keep all")
    return mean.reshape(shape), error.reshape(shape)


def _norm(low: float, high: float, logarithmic: bool) -> Any:
    from matplotlib.colors import LogNorm, Normalize

    return LogNorm(low, high) if logarithmic else Normalize(low, high if high > low else low + 1)


def _write(axes: Axes, mean: Floats, image: Any) -> None:
    """The number in each cell, dark on light and light on dark."""
    for (i, j), value in np.ndenumerate(mean):
        if np.isfinite(value):
            red, green, blue, _ = image.cmap(image.norm(value))
            light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
            axes.text(
                i + 0.5, j + 0.5, plain(float(value)), ha="center", va="center", fontsize=SMALLEST,
                color=INK if light else PAPER,
            )  # fmt: skip
