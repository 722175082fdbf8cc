"""Single kept trajectories over time, with the mean of all, a panel for each column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ctcdyn.plots import Asked
from ctcdyn.plots._panels import Entries, Panel, arm_keys, draw_panels, means
from ctcdyn.plots._style import Floats, colour, key
from ctcdyn.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TAKES = ("species", "reference")
PATHS = 40  # drawn of those kept: more would be an area


def draw(results: Results, asked: Asked) -> Figure:
    """The first 40 paths that were kept."""
    sample = f"{min(results.schema.kept, PATHS)} of {results.schema.count} trajectories"
    return draw_panels(results, asked, _paths, sample)


def _paths(axes: Axes, results: Results, panel: Panel, entries: Entries) -> list[Floats]:
    values = np.asarray(results.values(panel.name)[:PATHS], dtype=np.float64)
    arms = results["kept_arm"][:PATHS]
    jumps = "steps-post" if results.schema.method == "direct" and panel.discrete else "default"
    if not arm_keys(results, entries):
        drawn_otherwise = ", as drawn (unweighted)" if results.schema.weighted else ""
        entries.setdefault(f"single trajectories{drawn_otherwise}", key(color=colour(0), linewidth=0.8))
    for path, arm in zip(values, arms):
        axes.plot(panel.time, path, color=colour(arm), linewidth=0.5, alpha=0.5, drawstyle=jumps, zorder=3)
    return [values.reshape(-1), means(axes, results, panel, entries)]
