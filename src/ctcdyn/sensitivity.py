"""What an outcome depends on: Sobol indices of a Saltelli design, elementary effects of a Morris design.

Indices are estimated as scipy.stats.sobol_indices does (first order: Saltelli et al. 2010,
doi:10.1016/j.cpc.2009.09.018, table 2 b; total: Jansen 1999, doi:10.1016/S0010-4655(98)00154-4). Intervals are of a
jackknife over blocks of base rows that were scrambled independently: a bootstrap of single rows does not know that
Sobol rows cover the cube evenly, and its intervals are twice as wide as they need be (docs/populations.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctcdyn.alignment import aligned
from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.estimates import quantile_of_normal
from ctcdyn.model.sweeping import Axis, Sweep
from ctcdyn.points import blocks, rows
from ctcdyn.sweeps import points_of

if TYPE_CHECKING:
    from ctcdyn.results import Results

Floats = NDArray[np.float64]
MAX_FAILED = 0.05  # share of base rows that may be dropped: those that fail are not like the others


@dataclass(frozen=True, slots=True, eq=False)
class Indices:
    """Sobol indices of an outcome for d parameters: shares of its variance, with confidence intervals (d, 2).

    `noise`: share of the variance of the means that is chance within a point, NaN where points have one trajectory. It
    lowers first-order indices and raises total ones; `first_inner` and `total_inner` are estimates without it.
    """

    of: str
    names: tuple[str, ...]
    first: Floats
    first_interval: Floats
    total: Floats
    total_interval: Floats
    first_inner: Floats
    total_inner: Floats
    noise: float
    variance: float
    rows: int
    dropped: int
    confidence: float

    def __str__(self) -> str:
        percent = f"{100 * self.confidence:g} % interval"
        known = self.noise > 0
        table = [("", "first order", percent, "total", percent, *(("without", "noise") if known else ()))]
        for k in np.argsort(-self.total).tolist():
            cells = [self.names[k], f"{self.first[k]:.3f}", _span(self.first_interval[k])]
            cells += [f"{self.total[k]:.3f}", _span(self.total_interval[k])]
            table.append(
                (*cells, *((f"{self.first_inner[k]:.3f}", f"{self.total_inner[k]:.3f}") if known else ()))
            )
        dropped = f", {self.dropped} dropped with a failed trajectory" if self.dropped else ""
        lines = [f"Sobol indices of {self.of}, {self.rows} base rows{dropped}", *aligned(table)]
        lines.append(f"  sum of first order {self.first.sum():.3f}; variance {self.variance:.4g}")
        if math.isnan(self.noise):
            lines.append("  noise: one trajectory a point does not tell it; a method that computes has none")
        else:
            lines.append(f"  noise: {100 * self.noise:.2g} % of the variance is chance within a point")
        return "\n".join(lines)

    def plain(self) -> dict[str, object]:
        """The numbers as plain data."""
        return _plain(
            self, ("first", "first_interval", "total", "total_interval", "first_inner", "total_inner")
        )


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """Elementary effects of d parameters: by how much an outcome changes over the whole range of one, at many places.

    `mean_size` (mu*) ranks parameters, `mean` (mu) has a sign, `sd` (sigma) says how much an effect depends on where it
    is; `error` is the standard error of `mean_size`, `noise` (d,) the part of sd that is chance within a point.
    """

    of: str
    names: tuple[str, ...]
    mean: Floats
    mean_size: Floats
    error: Floats
    sd: Floats
    noise: Floats
    rows: int
    dropped: int

    def __str__(self) -> str:
        table = [("", "mean size (mu*)", "±", "mean (mu)", "sd (sigma)", "of it by chance")]
        for k in np.argsort(-self.mean_size).tolist():
            noise = "" if math.isnan(self.noise[k]) else f"{self.noise[k]:.3g}"
            numbers = (self.mean_size[k], self.error[k], self.mean[k], self.sd[k])
            shown = [f"{x:.{digits}g}" for x, digits in zip(numbers, (4, 2, 4, 4), strict=True)]
            table.append((self.names[k], *shown, noise))
        dropped = f", {self.dropped} dropped with a failed trajectory" if self.dropped else ""
        head = f"elementary effects on {self.of} over the whole range of each, {self.rows} ways{dropped}"
        return "\n".join([head, *aligned(table)])

    def plain(self) -> dict[str, object]:
        """The numbers as plain data."""
        return _plain(self, ("mean", "mean_size", "error", "sd", "noise"))


def sensitivity_of(
    results: Results,
    of: str,
    time: float | None = None,
    arm: str | None = None,
    confidence: float = 0.95,
    max_failed: float = MAX_FAILED,
) -> Indices | Effects:
    """`Results.sensitivity`."""
    points = points_of(results)
    if points.design not in ("saltelli", "morris"):
        fix = 'run the study with design = "saltelli" or "morris"'
        what = f"a {points.design} of points has no sensitivity indices"
        raise CtcError(Problem("R509", what, fix=fix), Exit.USAGE)
    found, d = points.outcome(of, time, arm), len(points.names)
    pages = d + 2 if points.design == "saltelli" else d + 1
    value, error = found.value.reshape(-1, pages), found.error.reshape(-1, pages)
    good = np.asarray(np.isfinite(value).all(axis=1), dtype=np.bool_)
    dropped = int((~good).sum())
    if dropped > max_failed * len(good):
        what = f"{dropped} of {len(good)} base rows hold a point without {found.of}"
        why = "rows that fail are not like the others; a point fails with all its trajectories, a log where a mean is 0"
        fix = f"make them succeed, or allow it with max_failed; it is {max_failed:g}"
        raise CtcError(Problem("R522", what, why=why, fix=fix), Exit.NO)
    if np.ptp(value[good]) == 0.0:
        raise CtcError(Problem("R522", f"{found.of} is {value[good][0, 0]:g} at all points"), Exit.NO)
    if points.design == "morris":
        axes = tuple(Axis(k) for k in range(d))
        sweep = Sweep("morris", axes, len(points), points.base, points.levels)
        cube = rows(sweep, int(results.provenance["seed"]), np.arange(len(points))).reshape(-1, pages, d)
        return elementary_effects(value[good], cube[good], points.names, found.of, error[good], dropped)
    group = np.repeat(np.arange(blocks(points.base)), points.base // blocks(points.base))
    noise = float(np.mean(error[good][:, [0, -1]] ** 2))
    return sobol_indices(
        value[good, 0],
        value[good, -1],
        value[good, 1:-1].T,
        points.names,
        found.of,
        group[good],
        noise,
        confidence,
        dropped,
    )


def sobol_indices(
    f_A: ArrayLike,
    f_B: ArrayLike,
    f_AB: ArrayLike,
    names: tuple[str, ...] = (),
    of: str = "f",
    group: ArrayLike | None = None,
    noise: float = math.nan,
    confidence: float = 0.95,
    dropped: int = 0,
) -> Indices:
    """Sobol indices from values at A (n,), B (n,) and A with column i of B (d, n), as scipy.stats.sobol_indices does.

    `group` (n,): independent blocks of rows, from which the intervals are; default: every row by itself. `noise`:
    variance of a value by chance alone.
    """
    a, b, ab = (np.asarray(x, dtype=np.float64) for x in (f_A, f_B, f_AB))
    centre = 0.5 * (a.mean() + b.mean())
    a, b, ab = a - centre, b - centre, ab.T - centre
    d = ab.shape[1]
    terms = np.column_stack(
        [
            np.ones_like(a),
            0.5 * (a + b),
            0.5 * (a * a + b * b),
            b[:, None] * (ab - a[:, None]),
            0.5 * (a[:, None] - ab) ** 2,
        ]
    )
    which = np.arange(len(a)) if group is None else np.unique(np.asarray(group), return_inverse=True)[1]
    sums = np.zeros((int(which.max()) + 1, terms.shape[1]))
    np.add.at(sums, which, terms)
    whole = sums.sum(axis=0)
    parts, spread_of_all = _of_sums(whole, d)
    variance = float(spread_of_all)
    without, _ = _of_sums(whole - sums, d)
    count = len(sums)
    spread = np.sqrt((count - 1) / count * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    reach = _student(confidence, count - 1) * spread
    known = np.isfinite(noise)
    inner = variance - (noise if known else 0.0)
    total_inner = (parts[d:] * variance - (noise if known else 0.0)) / inner
    low, high = parts - reach, parts + reach
    return Indices(
        of=of,
        names=names or tuple(f"x{k}" for k in range(d)),
        first=parts[:d],
        first_interval=np.column_stack([low[:d], high[:d]]),
        total=parts[d:],
        total_interval=np.column_stack([low[d:], high[d:]]),
        first_inner=parts[:d] * variance / inner,
        total_inner=total_inner,
        noise=noise / variance,
        variance=variance,
        rows=len(a),
        dropped=dropped,
        confidence=confidence,
    )


def elementary_effects(
    values: Floats,
    cube: Floats,
    names: tuple[str, ...] = (),
    of: str = "f",
    error: Floats | None = None,
    dropped: int = 0,
) -> Effects:
    """Effects from values (r, d + 1) along r ways through the points (r, d + 1, d) of the unit cube, one step each."""
    steps = np.diff(cube, axis=1)
    moved = np.abs(steps).argmax(axis=2)
    length = np.take_along_axis(steps, moved[:, :, None], axis=2)[:, :, 0]
    r, d = moved.shape
    effects, chance = np.empty((r, d)), np.empty((r, d))
    each = np.arange(r)[:, None]
    effects[each, moved] = np.diff(values, axis=1) / length
    variance = np.full_like(values, np.nan) if error is None else error**2
    chance[each, moved] = (variance[:, 1:] + variance[:, :-1]) / length**2
    return Effects(
        of=of,
        names=names or tuple(f"x{k}" for k in range(d)),
        mean=effects.mean(axis=0),
        mean_size=np.abs(effects).mean(axis=0),
        error=np.abs(effects).std(axis=0, ddof=1) / math.sqrt(r),
        sd=effects.std(axis=0, ddof=1),
        noise=np.sqrt(chance.mean(axis=0)),
        rows=r,
        dropped=dropped,
    )


def _of_sums(sums: Floats, d: int) -> tuple[Floats, Floats]:
    """First-order and total indices from sums over rows, (..., 2 d), and the variance."""
    means = sums[..., 1:] / sums[..., :1]
    variance = means[..., 1] - means[..., 0] ** 2
    return means[..., 2 : 2 + 2 * d] / variance[..., None], variance


def _student(confidence: float, freedom: int) -> float:
    """How many standard errors an interval reaches that is estimated from so many numbers more than one."""
    if freedom > 1000:
        return quantile_of_normal(confidence)
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + confidence / 2))


def _span(ends: Floats) -> str:
    return f"{ends[0]:.3f} to {ends[1]:.3f}"


def _plain(found: Indices | Effects, columns: tuple[str, ...]) -> dict[str, object]:
    told: dict[str, object] = {"of": found.of, "rows": found.rows, "dropped": found.dropped}
    if isinstance(found, Indices):
        told |= {"noise": None if math.isnan(found.noise) else found.noise, "variance": found.variance}
    told["parameters"] = {
        name: {key: _number(getattr(found, key)[k]) for key in columns} for k, name in enumerate(found.names)
    }
    return told


def _number(x: Floats) -> object:
    told: object = x.tolist()
    return None if told != told else told
