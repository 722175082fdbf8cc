"""What a record of `versus.py` says: what each method costs at an achieved error, and how many times ctcdyn's."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

# achieved errors at which answers are compared: relative, of rate equations; in standard deviations, of laws
LEVELS = {"ode": (1e-3, 1e-5, 1e-8), "tau": (0.1,), "langevin": (0.1, 0.03), "hybrid": (0.1,)}
MIDDLE = 1e-5


@dataclass
class Row:
    """One tool, method and setting: what it costs and how wrong it is. `skipped`: why there are no figures."""

    peer: str
    method: str
    setting: float
    versions: str = ""
    error: float = float("nan")
    says: str = ""
    setup: float = float("nan")  # CPU seconds to the first answers, of this tool and method in a new process
    trajectories: int = 0  # of one timed piece
    seconds: list[float] = field(default_factory=list)  # CPU seconds a trajectory, by round
    pace: list[float] = field(default_factory=list)  # CPU seconds of fixed arithmetic before and after each, their mean
    events: float = 0.0  # a trajectory, where the tool tells
    skipped: str = ""


@dataclass
class Standing:
    """A tool and method at one error: median CPU seconds a trajectory, and times what ctcdyn takes (median, 95 %)."""

    peer: str
    method: str
    level: float | None  # None where an answer is exact or has a bias of its own
    seconds: float = float("nan")
    ratio: list[float] = field(default_factory=list)
    why: str = ""
    against: dict[str, list[float]] = field(default_factory=dict)  # the same to each method of ctcdyn


def cost(rows: list[Row], level: float | None, pace: float = float("nan")) -> NDArray[np.float64] | None:
    """CPU seconds a trajectory by round at an error of `level`, or None where no setting is that right.

    The cheapest of the settings that are right enough and, between one that is and one that is not, of the straight
    line through both in logarithms: so no tool pays for the gaps of the ladder. At a machine's `pace`, that of the
    rows themselves by default: a machine that drifts is taken out.
    """
    some = [row for row in rows if row.seconds and np.isfinite(row.error)]
    good = [row for row in some if level is None or row.error <= level]
    if not good:
        return None
    pace = float(np.median([row.pace for row in some])) if np.isnan(pace) else pace
    times = {id(row): np.array(row.seconds) * pace / row.pace for row in some}
    found = np.min([times[id(row)] for row in good], axis=0)
    for one, other in combinations(some, 2):
        right, wrong = sorted((one, other), key=lambda row: row.error)
        if level is None or not 0.0 < right.error <= level < wrong.error:
            continue
        if abs(some.index(one) - some.index(other)) != 1:
            continue  # settings next to each other on the ladder
        share = np.log(level / right.error) / np.log(wrong.error / right.error)
        between = np.exp((1.0 - share) * np.log(times[id(right)]) + share * np.log(times[id(wrong)]))
        found = np.minimum(found, between)
    return np.asarray(found)


def standings(rows: list[Row], kind: str) -> list[Standing]:
    """Each tool and method at each level, ratios by round to ctcdyn's own choice: `ode`, or its fastest method."""
    methods = list(dict.fromkeys((row.peer, row.method) for row in rows))
    paces = [row.pace for row in rows if row.seconds]
    pace = float(np.median(paces)) if paces else float("nan")
    made = []
    for level in LEVELS.get(kind, (None,)):
        costs = {key: cost([row for row in rows if (row.peer, row.method) == key], level, pace) for key in methods}
        own = {key: found for key, found in costs.items() if key[0] == "ctcdyn" and found is not None}
        ours = own.get(("ctcdyn", "ode"), min(own.values(), key=np.median, default=None))
        for (peer, method), found in costs.items():
            standing = Standing(peer, method, level)
            made.append(standing)
            if found is None:
                reasons = [row.skipped for row in rows if (row.peer, row.method) == (peer, method) and row.skipped]
                best = [row.error for row in rows if (row.peer, row.method) == (peer, method) and row.seconds]
                standing.why = reasons[-1] if reasons or not best else f"no better than {min(best):.2g}"
                continue
            standing.seconds = float(np.median(found))
            if ours is not None:
                standing.ratio = interval(found / ours)
            standing.against = {name: interval(found / one) for (_, name), one in own.items()}
    return made


def interval(ratios: NDArray[np.float64], resamples: int = 10_000) -> list[float]:
    """Median and 95 % percentile bootstrap interval."""
    chosen = np.random.default_rng(0).integers(len(ratios), size=(resamples, len(ratios)))
    low, high = np.quantile(np.median(ratios[chosen], axis=1), [0.025, 0.975])
    return [float(np.median(ratios)), float(low), float(high)]


def rows_of(record: dict[str, Any]) -> list[Row]:
    return [Row(**row) for row in record["rows"]]


def told(row: Row) -> str:
    name = f"{row.peer:14s} {row.method:20s} {row.setting:<8.3g}"
    if row.skipped:
        return f"{name} left out: {row.skipped}"
    line = f"{name} error {row.error:.2g} ({row.says}), set-up {row.setup:.2f} s"
    if row.seconds:
        line += f", {np.median(row.seconds) * 1e6:.4g} us a trajectory"
    return line


def stands(standing: Standing) -> str:
    at = "" if standing.level is None else f" at {standing.level:.0e}"
    name = f"{standing.peer:14s} {standing.method:20s}{at}"
    if not standing.ratio:
        return f"{name}: {standing.why or 'nothing to compare with'}"
    ratio, low, high = standing.ratio
    told = f"{name}: {standing.seconds * 1e6:.4g} us, {ratio:.3g} times ctcdyn ({low:.3g} to {high:.3g})"
    if len(standing.against) < 2:
        return told
    return f"{told}: " + ", ".join(
        f"{method} {middle:.3g} ({low:.3g} to {high:.3g})" for method, (middle, low, high) in standing.against.items()
    )
