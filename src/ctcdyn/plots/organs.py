"""Which organs lesions are founded and detected in, as shares of all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ctcdyn.plots import Asked
from ctcdyn.plots._groups import groups
from ctcdyn.plots._panels import column
from ctcdyn.plots._style import (
    COLUMN,
    GREY,
    INK,
    Floats,
    area,
    cannot,
    colour,
    legend,
    page,
    rules,
    spoken,
    told,
)
from ctcdyn.plots.lesions import lesions_of
from ctcdyn.results import Results
from ctcdyn.store.lesions import organs as known_organs
from ctcdyn.wording import with_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TAKES = ("species", "by")
LINE = 6.0  # mm for each bar


@dataclass(frozen=True, slots=True)
class _Bars:
    """Shares (O,) of the organs in what one group has, %, with standard errors, and what the legend says of all."""

    share: Floats
    error: Floats
    total: str


def draw(results: Results, asked: Asked) -> Figure:
    """Of a table of lesions founded and detected ones; else the columns named, one an organ, at the end."""
    if asked.names:
        return _columns(results, asked)
    table = lesions_of(results, "organs")
    organs = [organ or "elsewhere" for organ in known_organs(results.schema)]
    if len(organs) < 2:
        raise cannot(
            "organs", "all lesions are founded in one organ", "give the [[lesion.founder]] rules an `organ`"
        )
    chosen = groups(results, "organs", asked.by)
    sets: list[tuple[_Bars, int, float]] = []
    entries: dict[str, Any] = {}
    for number, group in enumerate(chosen):
        mine = group.rows[table["row"]]
        for word, rows, alpha in (
            ("founded", mine, 0.35), ("detected", mine & np.isfinite(table["detection_time"]), 0.85)
        ):  # fmt: skip
            counts = np.zeros((len(group.rows), len(organs)))
            np.add.at(counts, (table["row"][rows].astype(int), table["organ"][rows].astype(int)), 1.0)
            bars = _of_counts(counts[group.rows])
            sets.append((bars, number, alpha))
            name = f"{group.label}, {word}" if len(chosen) > 1 else word
            entries[f"{name}: {bars.total} a patient"] = area(alpha, colour(number))
    figure = _page(organs, sets, "share of lesions by organ (%)")
    legend(figure, entries | told("bars: 95 % intervals"))
    return figure


def _of_counts(counts: Floats) -> _Bars:
    """Shares of sums over patients, (N, O), with the error of a ratio of means, and the mean of all."""
    n, total = len(counts), counts.sum(axis=1)
    whole = float(total.sum())
    spread = math.sqrt(float(total.var(ddof=1)) / n) if n > 1 else 0.0
    said, error = with_error(whole / n, spread)
    text = f"{said} ± {error}" if error else said
    if whole == 0:
        return _Bars(np.zeros(counts.shape[1]), np.zeros(counts.shape[1]), text)
    share = counts.sum(axis=0) / whole
    rest = counts - share * total[:, None]
    return _Bars(100 * share, 100 * np.sqrt((rest**2).sum(axis=0)) / whole, text)


def _columns(results: Results, asked: Asked) -> Figure:
    """Means at the end of columns, one an organ, as shares of their sum."""
    if asked.by:
        raise cannot("organs", "columns stand by arm alone", "leave out --by, or --species")
    if len(asked.names) < 2:
        raise cannot("organs", "one column has nothing to be a share of", "name one column for each organ")
    means = [column(results, name, "mean", "obs_mean")[:, -1] for name in asked.names]
    whole = np.sum(means, axis=0)
    if not (whole > 0).all():
        raise cannot("organs", "the columns are zero at the end", "name columns that are not")
    sets = [
        (_Bars(100 * np.array([mean[a] for mean in means]) / whole[a], np.zeros(len(means)), ""), a, 0.7)
        for a in range(len(results.arm))
    ]
    figure = _page([spoken(name) for name in asked.names], sets, "share of their sum at the end (%)")
    entries = {arm: area(0.7, colour(a)) for a, arm in enumerate(results.arm)} if len(results.arm) > 1 else {}
    legend(figure, entries | told(f"means of {results.schema.count} trajectories"))
    return figure


def _page(organs: list[str], sets: list[tuple[_Bars, int, float]], text: str) -> Figure:
    figure = page(COLUMN, 20 + 4 * len(sets) + max(LINE, 2 + 2.2 * len(sets)) * len(organs))
    axes = figure.subplots()
    thick = 0.8 / len(sets)
    for k, (bars, number, alpha) in enumerate(sets):
        at = np.arange(len(organs)) + thick * (k - (len(sets) - 1) / 2)
        axes.barh(at, bars.share, 0.92 * thick, color=colour(number), alpha=alpha, linewidth=0, zorder=2)
        shown = bars.error > 0
        reach = np.array([np.minimum(1.96 * bars.error, bars.share), 1.96 * bars.error])[:, shown]
        axes.errorbar(
            bars.share[shown], at[shown], xerr=reach, fmt="none", ecolor=INK, elinewidth=0.8, zorder=3
        )
    axes.set_yticks(range(len(organs)), [spoken(name) for name in organs])
    axes.set_ylim(len(organs) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(left=0)
    axes.set_xlabel(text)
    axes.spines["left"].set_color(GREY)
    rules(axes, "x")
    return figure
