"""When lesions were founded and detected, and how many of a patient's reach which size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ctcdyn.plots import Asked
from ctcdyn.plots._groups import Group, groups
from ctcdyn.plots._style import (
    COLUMN,
    DASHED,
    GREY,
    Floats,
    area,
    cannot,
    colour,
    key,
    legend,
    page,
    rules,
    set_scale,
    set_time,
    told,
)  # fmt: skip
from ctcdyn.results import Results
from ctcdyn.scales import choose_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TAKES = ("by",)
BINS = 20  # of time
SIZES = 60  # at which lesions are counted
REACH = 1.96  # standard errors: 95 % of a normal law


def draw(results: Results, asked: Asked) -> Figure:
    """Above, lesions founded and detected in a year; below, lesions of at least a size at the end."""
    table = lesions_of(results, "lesions")
    chosen = groups(results, "lesions", asked.by)
    figure = page(COLUMN, 106)
    above, below = figure.subplots(2, 1)
    several = len(chosen) > 1
    length = set_time(above, 0.0, float(results.time[-1]), "time since start")
    edges = np.linspace(0.0, float(results.time[-1]), BINS + 1)
    largest = float(table["size"].max(initial=2.0))
    sizes = np.geomspace(max(1.0, 2e-10 * largest), max(largest, 10.0), SIZES)
    rates: list[Floats] = []
    reached: list[Floats] = []
    for number, group in enumerate(chosen):
        mine = group.rows[table["row"]]
        for name, dashed in (("founder_time", False), ("detection_time", True)):
            mean, error = _per_patient(
                table, mine, group, np.searchsorted(edges, table[name], side="right") - 1, BINS
            )
            scale = length / (edges[1] - edges[0])
            rates.append(_curve(above, edges / length, mean * scale, error * scale, number, dashed, True))
        place = np.searchsorted(sizes, table["size"], side="right") - 1
        mean, error = _at_least(table, mine, group, place)
        reached.append(_curve(below, sizes, mean, error, number, False, False))
    unit = above.get_xlabel().partition("(")[2].rstrip(")").rstrip("s")
    set_scale(above, "y", choose_scale(np.concatenate(rates), False))
    set_scale(below, "y", choose_scale(np.concatenate(reached), False))
    set_scale(below, "x", choose_scale(sizes, False))
    above.set_ylabel(f"lesions of a patient (1/{unit})")
    below.set_ylabel("lesions of a patient\nof at least this size (count)")
    below.set_xlabel("size at the end (cells)")
    entries = (
        {group.label: area(0.8, colour(number)) for number, group in enumerate(chosen)} if several else {}
    )
    shade = GREY if several else colour(0)
    entries |= {"founded": key(color=shade, linewidth=1.1)}
    entries |= {"detected": key(color=shade, linewidth=1.1, linestyle=DASHED)}
    entries |= {"95 % interval": area(0.25, shade)}
    entries |= told(
        f"{len(table['size'])} lesions of {sum(int(group.rows.sum()) for group in chosen)} patients"
    )
    legend(figure, entries)
    figure.align_ylabels()
    for axes in (above, below):
        rules(axes)
    return figure


def lesions_of(results: Results, kind: str) -> dict[str, NDArray[np.float64]]:
    """Columns of the table with the `row` of the trajectory, in order. Raises CtcError (R521, exit 2) without one."""
    if not results.schema.lesions:
        why = "" if results.schema.founder_rules else "its model has no lesions"
        fix = "run the study of a model with [lesion] with `lesions = true` in [output]"
        raise cannot(kind, "the result holds no table of lesions", fix, why)
    found = {name: results.lesions[name] for name in ("founder_time", "detection_time", "size", "organ")}
    return {"row": results.lesions["trajectory_id"] - results.schema.first, **found}


def _per_patient(
    table: dict[str, NDArray[np.float64]],
    mine: NDArray[np.bool_],
    group: Group,
    place: NDArray[np.int64],
    bins: int,
) -> tuple[Floats, Floats]:
    """Mean number of lesions of a patient in each bin and its standard error, (bins,)."""
    mean, error = np.zeros(bins), np.zeros(bins)
    n = int(group.rows.sum())
    for k in range(bins):
        counts = np.bincount(np.unique(table["row"][mine & (place == k)], return_inverse=True)[1])
        mean[k] = counts.sum() / n
        error[k] = np.sqrt(max((counts**2).sum() / n - mean[k] ** 2, 0.0) / n)
    return mean, error


def _at_least(
    table: dict[str, NDArray[np.float64]], mine: NDArray[np.bool_], group: Group, place: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Mean number of lesions of a patient that reach each size and its standard error, (SIZES,)."""
    mean, error = np.zeros(SIZES), np.zeros(SIZES)
    n = int(group.rows.sum())
    rows, place = table["row"][mine], place[mine]
    counts = np.zeros(len(group.rows))
    for k in reversed(range(SIZES)):
        np.add.at(counts, rows[place == k], 1.0)
        mean[k] = counts.sum() / n
        error[k] = np.sqrt(max((counts**2).sum() / n - mean[k] ** 2, 0.0) / n)
    return mean, error


def _curve(
    axes: Axes, x: Floats, mean: Floats, error: Floats, number: int, dashed: bool, steps: bool
) -> Floats:
    low, high = np.maximum(mean - REACH * error, 0.0), mean + REACH * error
    if steps:
        mean, low, high = (np.append(values, values[-1]) for values in (mean, low, high))
    style: dict[str, Any] = {"linestyle": DASHED} if dashed else {}
    where = "steps-post" if steps else "default"
    axes.plot(x, mean, color=colour(number), linewidth=1.1, drawstyle=where, zorder=4, **style)
    axes.fill_between(
        x, low, high, step="post" if steps else None, color=colour(number), alpha=0.25, linewidth=0, zorder=3
    )
    return np.concatenate([mean, high])
