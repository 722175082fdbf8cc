"""Which parameters an outcome goes with: rank correlations over the patients drawn, the strongest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

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
        arms.append(_correlations(table[:, rows], found.values[rows]))
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


def _correlations(table: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Spearman's rho of each row of (P, N) with (N,), and the ends of its 95 % interval (Bonett and Wright 2000,
    doi:10.1007/BF02294183): Fisher's z with the variance (1 + rho^2 / 2) / (n - 3). NaN where nothing varies.
    """
    from scipy.stats import rankdata

    ranks, own = rankdata(table, axis=1), rankdata(values)
    ranks, own = ranks - ranks.mean(axis=1, keepdims=True), own - own.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = (ranks @ own) / np.sqrt((ranks**2).sum(axis=1) * (own**2).sum())
    rho = np.clip(rho, -1.0, 1.0)
    centre = np.arctanh(np.clip(rho, -1 + 1e-12, 1 - 1e-12))
    reach = 1.959964 * np.sqrt((1 + rho**2 / 2) / (len(values) - 3))
    return rho, np.tanh(centre - reach), np.tanh(centre + reach)
