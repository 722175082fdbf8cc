"""How final counts or times of events are distributed, with the share that is exactly zero in a bar of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ctcdyn.analysis import clocks, event_index, fraction
from ctcdyn.columns import in_order
from ctcdyn.errors import CtcError, Exit, Problem, did_you_mean
from ctcdyn.plots import Asked
from ctcdyn.plots._groups import Group, groups, last
from ctcdyn.plots._style import (
    COLUMN,
    GREY,
    Floats,
    area,
    cannot,
    colour,
    is_count,
    label,
    legend,
    page,
    rules,
    spoken,
    told,
    unit_of,
)  # fmt: skip
from ctcdyn.results import Results
from ctcdyn.scales import time_unit, write_time

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TAKES = ("species", "by")
FEW = 40  # whole numbers up to this have a bar each
MOST = 24  # bins
PANELS = 4
ZERO = 1.7  # widths of a bin before the first one: the middle of the bar for zero


@dataclass(frozen=True, slots=True)
class _Values:
    """`values` (K,) in the unit of the axis, NaN of those that do not count; `none` (K,): counted, without a value."""

    label: str
    values: Floats
    none: NDArray[np.bool_]
    discrete: bool
    time: bool
    without: str  # what it means to have no value


@dataclass(frozen=True, slots=True)
class _Bins:
    """Edges in the coordinate that is drawn, where `to` (of values) leads; a bar before them for zero."""

    edges: Floats
    logarithmic: bool
    zero: bool
    whole: bool

    def to(self, values: Floats) -> Floats:
        """Values in the coordinate that is drawn."""
        return np.log10(values) if self.logarithmic else values


def draw(results: Results, asked: Asked) -> Figure:
    """A panel for each event or column named, else for the first event, else for the first column.

    "found@14" is the column `found` on day 14.
    """
    known = (*results.event_kind, *in_order(results))
    names = asked.names or known[:1]
    if len(names) > PANELS:
        raise cannot("hist", f"{len(names)} panels, and {PANELS} find room", "name fewer with --species")
    for name in (name.partition("@")[0] for name in names):
        if name not in (*known, *results.species):
            fix = did_you_mean(name, known) or f"known: {', '.join(known)}"
            raise CtcError(Problem("R509", f"no event or column is called {name!r}", fix=fix), Exit.USAGE)
    chosen = groups(results, "hist", asked.by)
    figure = page(COLUMN, 12 + 50 * len(names))
    several = len(chosen) > 1
    entries = (
        {group.label: area(0.6, colour(number)) for number, group in enumerate(chosen)} if several else {}
    )
    for name, axes in zip(names, figure.subplots(len(names), 1, squeeze=False)[:, 0]):
        entries |= told(_panel(axes, results, name, chosen))
    figure.align_ylabels()
    legend(figure, entries)
    return figure


def _panel(axes: Axes, results: Results, name: str, chosen: list[Group]) -> str:
    """Draw one, and say of how many it is."""
    found = _values(results, name)
    some = np.any([group.rows for group in chosen], axis=0) & np.isfinite(found.values)
    if not some.any() and not found.none.any():
        what = (
            f"no path of {name!r} that ended well was kept"
            if name.partition("@")[0] in results.observable
            else f"{name!r} has no values"
        )
        raise cannot("hist", what, "run the study with --keep all")
    bins = _bins(
        found, found.values[some & (found.values > 0) if found.discrete else some], bool(found.none.any())
    )
    counted: list[int] = []
    for number, group in enumerate(chosen):
        rows = group.rows & (np.isfinite(found.values) | found.none)
        counted.append(int(rows.sum()))
        weights = results.weight[rows] if results.schema.weighted else None
        _bars(axes, bins, found.values[rows], found.none[rows], weights, number, len(chosen))
    _ticks(axes, bins, found)
    axes.set_xlabel(found.label)
    axes.set_ylabel("patients in the bin (%)" if not bins.whole else "patients (%)")
    axes.set_ylim(bottom=0)
    rules(axes)
    fewest, most = min(counted), max(counted)
    n = f"{most}" if fewest == most else f"{fewest} to {most}"
    return f"n = {n}" + (" in each" if len(chosen) > 1 else "") + ", 95 % intervals"


def _values(results: Results, name: str) -> _Values:
    if name in results.event_kind:
        e = event_index(results, name)
        clock = clocks(results).get(name, "")
        unit, length = time_unit(float(results.time[-1]))
        happened = results.event_observed[:, e] == 1
        followed = happened | (results.event_time[:, e] > 0) if clock else np.ones_like(happened)
        values = np.where(happened, results.event_time[:, e] / length, np.nan)
        since = f" after {spoken(clock)}" if clock else ""
        return _Values(
            f"time of {spoken(name)}{since} ({unit})", values, followed & ~happened, False, True, "none"
        )
    name, _, day = name.partition("@")
    values, discrete = last(results, "hist", name, _day(day) if day else None), is_count(results, name)
    zero = values == 0 if discrete else np.zeros(len(values), dtype=np.bool_)
    when = f"on {write_time(_day(day))}" if day else "at the end"
    text = label(f"{name} {when}", unit_of(results, name), 48)
    return _Values(text, np.where(zero, np.nan, values), zero, discrete, False, "0")


def _day(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        fix = "write a number of days behind the @"
        raise CtcError(Problem("R509", f"{text!r} is no day", fix=fix), Exit.USAGE) from None


def _bins(found: _Values, values: Floats, zero: bool) -> _Bins:
    """Bars of whole numbers where these are few, else bins of equal width; of equal ratio over two decades."""
    if not len(values):
        return _Bins(np.array([0.5, 1.5]), False, zero, found.discrete)
    low, high = float(values.min()), float(values.max())
    if found.discrete and high <= FEW:
        return _Bins(np.arange(0.5, high + 1), False, zero, True)
    number = int(np.clip(math.sqrt(len(values)), 6, MOST))
    if low > 0 and high > 100 * low and not found.time:
        return _Bins(np.linspace(math.log10(low), math.log10(high) + 1e-9, number + 1), True, zero, False)
    if found.discrete and low > 0:
        step = math.ceil(high / number)  # so many whole numbers in each
        edges: Floats = 0.5 + step * np.arange(math.ceil(high / step) + 1, dtype=np.float64)
        return _Bins(edges, False, zero, False)
    if found.time or (0 <= low < 0.5 * high):
        low = 0.0
    return _Bins(np.linspace(low, high if high > low else low + 1, number + 1), False, zero, False)


def _bars(
    axes: Axes,
    bins: _Bins,
    values: Floats,
    none: NDArray[np.bool_],
    weights: Floats | None,
    number: int,
    of: int,
) -> None:
    """Shares of all in each bin with their errors; several groups stand side by side within a bin."""
    edges = bins.edges
    width = float(edges[1] - edges[0])
    known = np.isfinite(values)
    place = np.searchsorted(edges, bins.to(values[known]), side="right") - 1
    place = np.clip(place, 0, len(edges) - 2)
    one = np.ones(len(values)) if weights is None else weights
    n = len(values)
    centres = 0.5 * (edges[:-1] + edges[1:])
    slots = [(centre, np.flatnonzero(known)[place == k]) for k, centre in enumerate(centres)]
    if bins.zero:
        slots.append((float(edges[0]) - ZERO * width, np.flatnonzero(none)))
    thick = 0.86 * width / of
    shade = colour(number)
    for centre, rows in slots:
        if not n or not len(rows):
            continue
        at = centre + thick * (number - (of - 1) / 2)
        share = float(one[rows].sum()) / n
        axes.bar(at, 100 * share, thick, color=shade, alpha=0.6, linewidth=0, zorder=2)
        if weights is None:
            interval = fraction(len(rows), n, 0.95)
            reach = [[share - interval.low], [interval.high - share]]
        else:
            error = 1.96 * math.sqrt(max(float((one[rows] ** 2).sum()) / n - share**2, 0.0) / n)
            reach = [[min(error, share)], [error]]
        axes.errorbar(
            at, 100 * share, 100 * np.array(reach), fmt="none", ecolor=shade, elinewidth=0.8, capsize=0, zorder=3
        )  # fmt: skip


def _ticks(axes: Axes, bins: _Bins, found: _Values) -> None:
    from matplotlib.ticker import FixedLocator, MaxNLocator

    edges = bins.edges
    width = float(edges[1] - edges[0])
    start = float(edges[0]) - ((ZERO + 0.8) * width if bins.zero else 0.2 * width)
    axes.set_xlim(start, float(edges[-1]) + 0.2 * width)
    if bins.logarithmic:
        powers = range(math.ceil(edges[0] - 1e-9), math.floor(edges[-1] + 1e-9) + 1)
        step = max(1, -(-len(powers) // 6))
        ticks = [float(power) for power in powers if power % step == 0]
        labels = [f"{10**power:g}" if 0 <= power <= 2 else f"$10^{{{power:g}}}$" for power in ticks]
    else:
        locator = MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=bins.whole)
        ticks = [float(x) for x in locator.tick_values(edges[0], edges[-1]) if edges[0] <= x <= edges[-1]]
        labels = [f"{x:g}" for x in ticks]
    if bins.zero:
        ticks, labels = [float(edges[0]) - ZERO * width, *ticks], [found.without, *labels]
        axes.axvline(
            float(edges[0]) - 0.5 * (ZERO - 0.5) * width, color=GREY, linewidth=0.6, linestyle=(0, (1, 2))
        )
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.set_xticks(ticks, labels)
