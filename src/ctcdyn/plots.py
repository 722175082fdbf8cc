"""Pictures of results: quantile bands or single paths, one panel for each species or observable; fates as bars.

Sizes are those of a printed page (85 mm for one column, 175 mm for two), text is 7 pt, colours are those of
Okabe and Ito (https://jfly.uni-koeln.de/color/), which readers with colour-blindness can tell apart. The
same results give the same bytes. This is the only module that imports matplotlib, and it never touches
pyplot or a display.
"""

from __future__ import annotations

import io
import os
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctcdyn.bars import chosen_fates, draw_bars, height
from ctcdyn.columns import in_order
from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.results import Results
from ctcdyn.scales import choose_scale, time_unit, write_unit
from ctcdyn.wording import NOTICE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK, GREY = "#222222", "#666666"
KINDS = ("bands", "paths", "fates")
FORMATS = (".png", ".svg", ".pdf")
PATHS = 40  # drawn of those kept: more would be an area
PANELS = 12
_DASHED = (0, (3, 1.5))

_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that text is set the same everywhere
    "font.size": 7,
    "axes.labelsize": 7,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # editable text
    "svg.fonttype": "none",
    "svg.hashsalt": "ctcdyn",
}


class Reference(NamedTuple):
    """A published point over the simulated curves: time in days, value in the unit of `name`.

    `low` and `high` are the ends of its error bar; without them the point stands alone.
    """

    time: float
    value: float
    label: str
    name: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class _Panel:
    """What one panel shows: the column `name` over `time`, already in the unit of the time axis."""

    name: str
    time: Floats
    discrete: bool  # counts: the axis may treat everything below one as "none"
    references: tuple[Reference, ...]
    scale: float  # days in one unit of the time axis


def plot(
    results: Results,
    kind: str = "bands",
    species: Sequence[str] | None = None,
    output: str | os.PathLike[str] = "ctcdyn.png",
    reference: Iterable[Reference | tuple[Any, ...]] = (),
) -> Path:
    """Draw results to a file, PNG, SVG or PDF by its suffix, and give its path.

    `kind` "bands" shows quantiles over all trajectories, "paths" single kept trajectories, "fates" what share of all
    cells shed met each fate. `species` names species and observables (default: the first 12, what the study is about
    before species), or fates (default: all). `reference` holds `Reference`s or tuples like them.

        plot(results, species=["ctc"], output="ctc.pdf", reference=[(14, 0.02, "Luzzi 1998", "ctc")])
    """
    path = Path(output)
    if path.suffix.lower() not in FORMATS:
        what = f"pictures are {', '.join(FORMATS)}, not {path.suffix or path.name!r}"
        raise CtcError(Problem("R503", what, fix="name a file with one of these endings"), Exit.USAGE)
    import matplotlib.style

    with matplotlib.style.context(["default", _STYLE]):
        picture = draw(results, kind, species, reference)
        buffer = io.BytesIO()
        kept_out: dict[str, dict[str, None]] = {
            ".png": {"Software": None},
            ".svg": {"Date": None},
            ".pdf": {"CreationDate": None},
        }
        suffix = path.suffix.lower()
        picture.savefig(buffer, format=suffix[1:], dpi=300, metadata=kept_out[suffix])
    try:
        path.write_bytes(buffer.getvalue())
    except OSError as error:
        what = f"{path} cannot be written: {os.strerror(error.errno or 0)}"
        raise CtcError(Problem("R503", what), Exit.OUTPUT) from None
    return path


def draw(
    results: Results,
    kind: str = "bands",
    species: Sequence[str] | None = None,
    reference: Iterable[Reference | tuple[Any, ...]] = (),
) -> Figure:
    """The figure that `plot` saves, for those who go on drawing in it."""
    if kind not in KINDS:
        raise CtcError(
            Problem("R509", f"no picture of kind {kind!r}", fix=f"one of {', '.join(KINDS)}"), Exit.USAGE
        )
    if kind == "fates":
        return _fates(results, species)
    panels = _panels(results, species, [Reference(*item) for item in reference])
    columns = min(len(panels), 2 if len(panels) <= 4 else 3)
    rows = -(-len(panels) // columns)
    width = 85 if columns == 1 else 175
    figure = _page(width, rows * {1: 54, 2: 48, 3: 40}[columns] + 12)
    grid = figure.subplots(rows, columns, squeeze=False)
    entries: dict[str, Any] = {}
    for axes, panel in zip(grid.flat, panels):
        draw_curves = _bands if kind == "bands" else _paths
        drawn = draw_curves(axes, results, panel, entries)
        drawn.append(_references(axes, panel, entries))
        _set_axes(axes, results, panel, np.concatenate(drawn))
    for number, axes in enumerate(grid.flat):
        if number >= len(panels):
            axes.remove()
        elif number + columns < len(panels):
            axes.set_xlabel("")
    figure.align_ylabels()
    told = [_sample(results, kind)]
    columns = len(results.species) + len(results.observable)
    if not species and columns > PANELS:
        told.append(f"{PANELS} of {columns} columns")
    _legend(figure, entries | {text: _key(linestyle="none") for text in told}, width)
    return figure


def _page(width: float, height: float) -> Figure:
    """An empty figure of so many millimetres, with what stands on every picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 25.4, height / 25.4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.text(0.997, 0.006, NOTICE, ha="right", va="bottom", fontsize=4.5, color=GREY)
    return figure


def _fates(results: Results, names: Sequence[str] | None) -> Figure:
    """Bars of fates, arms side by side."""
    fates = chosen_fates(results, names)
    figure = _page(115, height(results, fates))
    handles = draw_bars(figure.subplots(), results, fates, PALETTE)
    entries = dict(handles) if len(handles) > 1 else {}
    _legend(figure, entries | {f"{results.schema.count} trajectories": _key(linestyle="none")}, 115)
    return figure


def _panels(results: Results, names: Sequence[str] | None, references: list[Reference]) -> list[_Panel]:
    chosen = list(names) if names else in_order(results)[:PANELS]
    for name in [*chosen, *(reference.name for reference in references)]:
        results.find(name)
    _, scale = time_unit(float(results.time[-1]) if len(results.time) else 0.0)
    panels = []
    for name in chosen:
        discrete = name in results.schema.whole or (name in results.species and results.unit(name) == "1")
        own = tuple(reference for reference in references if reference.name == name)
        panels.append(_Panel(name, results.time / scale, discrete, own, scale))
    return panels


def _summary(results: Results, name: str, species: str, observable: str) -> Floats:
    table, column = results.find(name)
    return np.asarray(results[species if table == "species" else observable][..., column], dtype=np.float64)


def _bands(axes: Axes, results: Results, panel: _Panel, entries: dict[str, Any]) -> list[Floats]:
    levels, table = _quantiles(results, panel.name)
    several = _arm_keys(results, entries)
    drawn: list[Floats] = []
    for number in range(len(results.arm)):
        colour = _colour(number)
        for depth, (low, high) in enumerate(_pairs(levels)):
            lower, upper = table[levels.index(low), number], table[levels.index(high), number]
            alpha = 0.16 + 0.16 * depth
            axes.fill_between(
                panel.time, lower, upper, color=colour, alpha=alpha, linewidth=0, zorder=2 + depth / 10
            )
            drawn += [lower, upper]
            # areas lie on one another, so the key shows what the eye sees
            seen = 1 - float(np.prod([0.84 - 0.16 * k for k in range(depth + 1)]))
            entries.setdefault(f"{100 * low:g}–{100 * high:g} %", _area(seen, GREY if several else colour))
        if 0.5 in levels:
            median = table[levels.index(0.5), number]
            axes.plot(panel.time, median, color=colour, linewidth=1.1, zorder=4)
            drawn.append(median)
            entries.setdefault("median", _key(color=GREY if several else colour, linewidth=1.1))
    drawn.append(_means(axes, results, panel, entries, alone=not levels))
    return drawn


def _means(
    axes: Axes, results: Results, panel: _Panel, entries: dict[str, Any], alone: bool = False
) -> Floats:
    """Dashed over bands and paths; where there is nothing else, one full line in the colour of its arm."""
    mean = _summary(results, panel.name, "mean", "obs_mean")
    several = len(results.arm) > 1
    style = {"linewidth": 1.1} if alone else {"linewidth": 0.9, "linestyle": _DASHED}
    for number in range(len(results.arm)):
        colour = _colour(number) if several or alone else INK
        axes.plot(panel.time, mean[number], color=colour, zorder=5, **style)
    name = "mean of all" if int(results.n_valid.max(initial=0)) > 1 else "trajectory"
    entries.setdefault(name, _key(color=GREY if several else colour, **style))
    return mean.reshape(-1)


def _arm_keys(results: Results, entries: dict[str, Any]) -> bool:
    """Give each arm its colour in the legend, where there are several."""
    if len(results.arm) == 1:
        return False
    for number, arm in enumerate(results.arm):
        entries.setdefault(arm, _area(1.0, _colour(number)))
    return True


def _colour(number: int) -> str:
    return PALETTE[number % len(PALETTE)]


def _quantiles(results: Results, name: str) -> tuple[list[float], Floats]:
    """Levels and their quantiles (Q, A, T); none where none are stored or there is but one trajectory."""
    stored = "quantiles" in results or "obs_quantiles" in results
    if not stored or int(results.n_valid.max(initial=0)) < 2:
        return [], np.empty((0, len(results.arm), len(results.time)))
    return [round(level, 9) for level in results.quantile], _summary(
        results, name, "quantiles", "obs_quantiles"
    )


def _pairs(levels: Sequence[float]) -> list[tuple[float, float]]:
    """Levels that lie symmetrically around the median, the widest pair first."""
    return sorted((low, round(1 - low, 9)) for low in levels if low < 0.5 and round(1 - low, 9) in levels)


def _paths(axes: Axes, results: Results, panel: _Panel, entries: dict[str, Any]) -> list[Floats]:
    values = np.asarray(results.values(panel.name)[:PATHS], dtype=np.float64)
    arms = results["kept_arm"][:PATHS]
    jumps = "steps-post" if results.schema.method == "direct" and panel.discrete else "default"
    if not _arm_keys(results, entries):
        drawn_otherwise = ", as drawn (unweighted)" if results.schema.weighted else ""
        entries.setdefault(f"single trajectories{drawn_otherwise}", _key(color=_colour(0), linewidth=0.8))
    for path, arm in zip(values, arms):
        axes.plot(panel.time, path, color=_colour(arm), linewidth=0.5, alpha=0.5, drawstyle=jumps, zorder=3)
    return [values.reshape(-1), _means(axes, results, panel, entries)]


def _references(axes: Axes, panel: _Panel, entries: dict[str, Any]) -> Floats:
    drawn: list[float] = []
    for number, label in enumerate(dict.fromkeys(reference.label for reference in panel.references)):
        marker = "osD^v"[number % 5]
        for point in panel.references:
            if point.label != label:
                continue
            low = point.value if point.low is None else point.low
            high = point.value if point.high is None else point.high
            drawn += [point.value, low, high]
            bar = axes.errorbar(
                point.time / panel.scale, point.value, [[point.value - low], [high - point.value]],
                fmt=marker, markersize=3.6, color=INK, markerfacecolor="white", markeredgewidth=0.9,
                elinewidth=0.9, capsize=2 if high > low else 0, zorder=6, clip_on=False,
            )  # fmt: skip
            entries.setdefault(label, bar)
    return np.array(drawn)


def _set_axes(axes: Axes, results: Results, panel: _Panel, drawn: Floats) -> None:
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter

    start, end = float(panel.time[0]), float(panel.time[-1])
    if np.ceil(end) < 1.01 * end:  # 3650 days are 9.99 years: the tick at 10 belongs to the axis
        end = float(np.ceil(end))
    axes.set_xlim(start, end if end > start else start + 1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10]))
    axes.set_xlabel(f"time ({time_unit(panel.time[-1] * panel.scale)[0]})")
    scale = choose_scale(drawn, panel.discrete)
    if scale.kind == "linear":
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4), useMathText=True)
    else:
        options = {"linthresh": scale.threshold, "linscale": 0.6} if scale.kind == "symlog" else {}
        axes.set_yscale(scale.kind, **options)
        axes.set_yticks(scale.ticks, scale.labels)
        axes.yaxis.set_minor_locator(FixedLocator(scale.minor))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(scale.low, scale.high)
    cells = panel.discrete and panel.name in results.species
    unit = "cells" if cells else write_unit(results.unit(panel.name))
    name = re.sub(r"(?<=\d)_(?=\d)", ".", panel.name).replace("_", " ")  # ctc_per_7_5_mL
    axes.set_ylabel(textwrap.fill(f"{name} ({unit})" if unit else name, 26))
    axes.grid(axis="y", color="#E6E6E6", linewidth=0.4)
    axes.set_axisbelow(True)


def _sample(results: Results, kind: str) -> str:
    if kind == "paths":
        return f"{min(results.schema.kept, PATHS)} of {results.schema.count} trajectories"
    n = results.n_valid
    fewest, most = (int(n.min()), int(n.max())) if n.size else (0, 0)
    number = f"{most}" if fewest == most else f"{fewest} to {most}"
    return f"n = {number}" + (" in each arm" if len(results.arm) > 1 else "")


def _legend(figure: Figure, entries: dict[str, Any], width: int) -> None:
    """One legend above all panels, in as many columns as `width` (mm) takes."""
    needed = [7.5 + 1.3 * len(label) for label in entries]  # mm: handle, gap and 7 pt letters
    columns = len(needed)
    while columns > 1 and sum(max(part) for part in np.array_split(needed, columns)) > width:
        columns -= 1
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="outside upper left",
        ncols=columns,
        handlelength=1.6,
        columnspacing=1.2,
        handletextpad=0.5,
        borderpad=0.2,
    )


def _key(**style: Any) -> Any:
    """A line for the legend that is not in any panel."""
    from matplotlib.lines import Line2D

    return Line2D([], [], **style)


def _area(alpha: float, colour: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, alpha=alpha, linewidth=0)
