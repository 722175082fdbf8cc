"""What an outcome depends on, the strongest first: Sobol indices, elementary effects or rank correlations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctcdyn.columns import in_order
from ctcdyn.errors import CtcError, Exit, Problem, did_you_mean
from ctcdyn.followup import outcome_event
from ctcdyn.markers import rank_correlation
from ctcdyn.plots import Asked
from ctcdyn.plots._groups import design, drawn, parameter
from ctcdyn.plots._outcomes import outcome
from ctcdyn.plots._style import (
    COLUMN,
    INK,
    Floats,
    area,
    cannot,
    colour,
    label,
    legend,
    page,
    rules,
    spoken,
    told,
    unit_of,
)
from ctcdyn.results import Results
from ctcdyn.sensitivity import Indices

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TAKES = ("species", "by")
MOST = 15  # bars
FEWEST = 10  # patients that a correlation needs
LINE = 6.5  # mm for each bar


@dataclass(frozen=True, slots=True)
class _Bars:
    """One number for each parameter, (d,), with the ends of its 95 % interval; `faint` beside a full one."""

    label: str
    value: Floats
    low: Floats
    high: Floats
    number: int
    faint: bool = False


@dataclass(frozen=True, slots=True)
class _Chart:
    """Bars of the parameters `names`, what they measure, and what the legend says of them."""

    names: list[str]
    bars: list[_Bars]
    axis: str
    note: str


def draw(results: Results, asked: Asked) -> Figure:
    """Of a Saltelli design first-order and total indices, of a Morris design elementary effects, of patients who were
    drawn, and other designs, Spearman's rank correlations; with 95 % intervals, arms side by side."""
    swept = design(results) in ("saltelli", "morris")
    chart = _indices(results, asked) if swept else _correlations(results, asked)
    names, several = chart.names, len(chart.bars)
    size = np.max([np.nan_to_num(np.abs(bars.value)) for bars in chart.bars], axis=0)
    order = np.argsort(-size, kind="stable")[:MOST]
    figure = page(COLUMN, 22 + max(LINE, 3.4 * several) * len(order))
    axes = figure.subplots()
    thick = 0.8 / several
    for k, bars in enumerate(chart.bars):
        at = np.arange(len(order)) + thick * (k - (several - 1) / 2)
        value = bars.value[order]
        reach = np.nan_to_num(np.maximum([value - bars.low[order], bars.high[order] - value], 0.0))
        alpha = 0.35 if bars.faint else 0.8
        axes.barh(at, value, 0.9 * thick, color=colour(bars.number), alpha=alpha, linewidth=0, zorder=2)
        axes.errorbar(value, at, xerr=reach, fmt="none", ecolor=INK, elinewidth=0.8, zorder=3)
    axes.axvline(0.0, color=INK, linewidth=0.6)
    axes.set_yticks(range(len(order)), [spoken(names[k]) for k in order])
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if not swept:
        span = min(float(np.nanmax(np.abs(axes.get_xlim()))), 1.0)
        axes.set_xlim(-span, span)
    axes.set_xlabel(chart.axis)
    rules(axes, "x")
    entries = {
        bars.label: area(0.35 if bars.faint else 0.8, colour(bars.number))
        for bars in chart.bars
        if bars.label
    }
    cut = f"; {MOST} of {len(names)}" if len(names) > MOST else ""
    legend(figure, entries | told(chart.note + cut))
    return figure


def _correlations(results: Results, asked: Asked) -> _Chart:
    names = list(asked.by) or drawn(results)
    if not names:
        raise cannot("tornado", "no parameter varies", "draw parameters in [population], or set up a [sweep]")
    found = outcome(results, "tornado", asked.names)
    table = np.stack([parameter(results, name) for name in names])
    several = len(results.arm) > 1
    bars = []
    for a, arm in enumerate(results.arm):
        rows = (results["arm_index"] == a) & np.isfinite(found.values)
        if int(rows.sum()) < FEWEST:
            what = f"{found.name} is known of {int(rows.sum())} patients, too few for a correlation"
            raise cannot("tornado", what, "take more patients, or run the study with --keep all")
        each = [rank_correlation(values, found.values[rows]) for values in table[:, rows]]
        value, low, high = np.array([(x.value, x.low, x.high) for x in each]).T
        bars.append(_Bars(arm if several else "", value, low, high, a))
    n = int(np.isfinite(found.values).sum() / len(bars))
    axis = f"rank correlation with {found.label.rpartition(' (')[0]} (1)"
    return _Chart(names, bars, axis, f"n = {n}, 95 % intervals")


def _indices(results: Results, asked: Asked) -> _Chart:
    """What the design of the sweep was made for. Raises what `Results.sensitivity` raises."""
    if len(asked.names) > 1:
        fix = "name one event or column with --species"
        raise CtcError(
            Problem("R509", f"a tornado shows one outcome, not {len(asked.names)}", fix=fix), Exit.USAGE
        )
    of = (
        asked.names[0]
        if asked.names
        else outcome_event(results)
        if results.event_kind
        else in_order(results)[0]
    )
    several = len(results.arm) > 1
    bars, axis, note = [], "", ""
    kept: list[str] = []
    for a, arm in enumerate(results.arm):
        found = results.sensitivity(of, arm=arm)
        kept = list(asked.by) or list(found.names)
        for name in kept:
            if name not in found.names:
                fix = did_you_mean(name, found.names) or f"swept: {', '.join(found.names)}"
                raise CtcError(Problem("R509", f"{name!r} was not swept", fix=fix), Exit.USAGE)
        rows = [found.names.index(name) for name in kept]
        mine = f"{arm}, " if several else ""
        if isinstance(found, Indices):
            for word, value, interval in (
                ("first order", found.first, found.first_interval), ("total", found.total, found.total_interval)
            ):  # fmt: skip
                ends = interval[rows]
                bars.append(_Bars(mine + word, value[rows], ends[:, 0], ends[:, 1], a, word == "total"))
            axis = f"share of the variance of {spoken(of)} (1)"
            note = f"Sobol indices, {found.rows} base rows, 95 % intervals"
        else:
            size, reach = found.mean_size[rows], 1.96 * found.error[rows]
            bars.append(_Bars(arm if several else "", size, size - reach, size + reach, a))
            unit = unit_of(results, of) if of in (*results.species, *results.observable) else "1"
            axis = label(f"change of {spoken(of)} over the range of each", unit, 48)
            note = f"elementary effects (mean size), {found.rows} ways, 95 % intervals"
    return _Chart(kept, bars, axis, note)
