"""Which parameters an outcome goes with: rank correlations over the patients drawn, the strongest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ctcdyn.markers import rank_correlation
from ctcdyn.plots import Asked
from ctcdyn.plots._groups import drawn, parameter
from ctcdyn.plots._outcomes import outcome
from ctcdyn.plots._style import COLUMN, INK, area, cannot, colour, legend, page, rules, spoken, told
from ctcdyn.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TAKES = ("species", "by")
MOST = 15  # bars
FEWEST = 10  # patients that a correlation needs
LINE = 6.5  # mm for each bar


def draw(results: Results, asked: Asked) -> Figure:
    """Spearman's rank correlation of the outcome with each parameter drawn, with 95 % intervals, arms side by side."""
    names = list(asked.by) or drawn(results)
    if not names:
        raise cannot("tornado", "no parameter varies", "draw parameters in [population], or set up a sweep")
    found = outcome(results, "tornado", asked.names)
    table = np.stack([parameter(results, name) for name in names])
    arms = []
    for a in range(len(results.arm)):
        rows = (results["arm_index"] == a) & np.isfinite(found.values)
        if int(rows.sum()) < FEWEST:
            what = f"{found.name} is known of {int(rows.sum())} patients, too few for a correlation"
            raise cannot("tornado", what, "take more patients, or run the study with --keep all")
        told_by = [rank_correlation(values, found.values[rows]) for values in table[:, rows]]
        arms.append(np.array([(x.value, x.low, x.high) for x in told_by]).T)
    order = np.argsort(
        [-np.nanmax([abs(arm[0][k]) for arm in arms], initial=0.0) for k in range(len(names))]
    )[:MOST]
    figure = page(COLUMN, 20 + max(LINE, 3.4 * len(arms)) * len(order))
    axes = figure.subplots()
    thick = 0.8 / len(arms)
    entries: dict[str, Any] = {}
    for a, (arm, (value, low, high)) in enumerate(zip(results.arm, arms)):
        at = np.arange(len(order)) + thick * (a - (len(arms) - 1) / 2)
        value, reach = value[order], np.array([value - low, high - value])[:, order]
        axes.barh(at, value, 0.9 * thick, color=colour(a), alpha=0.75, linewidth=0, zorder=2)
        axes.errorbar(value, at, xerr=np.nan_to_num(reach), fmt="none", ecolor=INK, elinewidth=0.8, zorder=3)
        if len(arms) > 1:
            entries[arm] = area(0.75, colour(a))
    axes.axvline(0.0, color=INK, linewidth=0.6)
    axes.set_yticks(range(len(order)), [spoken(names[k]) for k in order])
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    span = float(np.nanmax(np.abs(axes.get_xlim())))
    axes.set_xlim(-min(span, 1.0), min(span, 1.0))
    axes.set_xlabel(f"rank correlation with {found.label.rpartition(' (')[0]} (1)")
    rules(axes, "x")
    n = int(np.isfinite(found.values).sum() / len(arms))
    entries |= told(f"n = {n}, 95 % intervals" + (f"; {MOST} of {len(names)}" if len(names) > MOST else ""))
    legend(figure, entries)
    return figure
