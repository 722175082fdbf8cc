"""The points of a sweep in a result: what was swept, and the mean of an outcome at each with its Monte-Carlo error."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ctcdyn.config import Sweep
from ctcdyn.errors import CtcError, Exit, Problem, Status

if TYPE_CHECKING:
    from ctcdyn.results import Results

Floats = NDArray[np.float64]
_LOG = re.compile(r"\s*log\s*\(\s*(\w+)\s*\)\s*")


@dataclass(frozen=True, slots=True, eq=False)
class PerPoint:
    """Means at each point (n,), their standard errors (NaN where a point has one trajectory), and trajectories behind.

    The error is from trajectory to trajectory, or from patient to patient where a point has several. NaN: none is left.
    """

    of: str
    value: Floats
    error: Floats
    count: NDArray[np.int64]

    def log(self) -> PerPoint:
        """Natural logarithms of the means; of 0 it is NaN. Errors to first order."""
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.where(self.value > 0.0, np.log(self.value), np.nan)
            return PerPoint(f"log({self.of})", value, self.error / self.value, self.count)


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The points of a sweep: `values` (n, d) of the parameters `names` with `units`, in order of points.

    `shape`: of a grid, how many values each has; the last name changes from point to point. `base`: rows of a Saltelli
    design, or ways of a Morris design.
    """

    design: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    values: Floats
    shape: tuple[int, ...]
    base: int
    levels: int
    results: Results

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, name: str) -> Floats:
        return self.values[:, self.names.index(name)]

    def outcome(self, of: str, time: float | None = None, arm: str | None = None) -> PerPoint:
        """Mean of a species or observable at a saved time (days; default: the end) or the share with an event, at each
        point; `of` may be "log(NAME)". Events and chances by the name of the event.

        Failed trajectories do not count; a trajectory that an event has stopped has no values after it. Raises CtcError
        (R509, exit 2) for unknown names and times, and where paths would be needed that were not kept.
        """
        asked = _LOG.fullmatch(of)
        x = _outcome(self.results, asked[1] if asked else of, time, arm)
        replicates = self.results.schema.replicates
        by_patient = x.reshape(-1, replicates)
        each = len(by_patient) // len(self)
        grouped = (_mean(by_patient)[0] if each > 1 else x).reshape(len(self), -1)
        value, error, _ = _mean(grouped)
        count = np.isfinite(x).reshape(len(self), -1).sum(axis=1)
        found = PerPoint(asked[1] if asked else of, value, error, count)
        return found.log() if asked else found


def points_of(results: Results) -> Points:
    """The points of a result. Raises CtcError (R509, exit 2) where it has no [sweep], or is a shard."""
    try:
        sweep = json.loads(str(results.provenance["config_resolved_json"])).get("sweep")
    except (KeyError, TypeError, ValueError):
        sweep = None
    if not sweep:
        fix = "run a study with [sweep]; docs/populations.md shows one"
        raise CtcError(Problem("R509", "these results are of no sweep", fix=fix), Exit.USAGE)
    schema = results.schema
    if schema.count < schema.total:
        raise CtcError(
            Problem("R509", "a shard holds some points only", fix="merge the shards first"), Exit.USAGE
        )
    names = [f"initial_{name}" if name not in schema.parameters else name for name in sweep["range"]]
    columns = sorted(schema.parameters.index(name) for name in names)
    each = schema.total // Sweep.model_validate(sweep).count
    values = results.rows("params", 0, schema.total)[::each][:, columns]
    shape = (
        tuple(len(np.unique(values[:, k])) for k in range(len(columns))) if sweep["design"] == "grid" else ()
    )
    return Points(
        str(sweep["design"]),
        tuple(schema.parameters[q] for q in columns),
        tuple(schema.parameter_units[q] for q in columns),
        np.asarray(values, dtype=np.float64),
        shape,
        int(sweep.get("base") or 1),
        int(sweep.get("levels") or 4),
        results,
    )


def _outcome(results: Results, of: str, time: float | None, arm: str | None) -> Floats:
    """An outcome of each trajectory of an arm, NaN where there is none."""
    schema = results.schema
    if arm is not None and arm not in schema.arms:
        fix = f"arms are {', '.join(schema.arms)}"
        raise CtcError(Problem("R509", f"no arm is called {arm!r}", fix=fix), Exit.USAGE)
    mine = slice(0 if arm is None else schema.arms.index(arm), None, len(schema.arms))
    status = results.status[mine]
    ok = np.isin(status, [int(s) for s in Status if s.ok])
    if of in schema.event_kinds:
        x = results.event_observed[mine, schema.event_kinds.index(of)].astype(np.float64)
    else:
        name = f"chance_{of}" if f"chance_{of}" in schema.observables else of
        table, column = results.find(name)
        if table == "species" and time is None:
            ok &= status != int(Status.STOPPED)
            x = results.final_state[mine, column].copy()
        else:
            x = _at(results, name, table, column, time)[mine]
    x[~ok] = np.nan
    return x * results.weight[mine] if schema.weighted else x


def _at(results: Results, name: str, table: str, column: int, time: float | None) -> Floats:
    """A column at a saved time from the kept paths."""
    save = len(results.time) - 1 if time is None else int(np.argmin(np.abs(results.time - time)))
    if time is not None and abs(results.time[save] - time) > 1e-9 * max(1.0, abs(time)):
        fix = f"the nearest save is day {results.time[save]:g}; add the time to simulate.save"
        raise CtcError(Problem("R509", f"day {time:g} was not saved", fix=fix), Exit.USAGE)
    if results.schema.kept < results.schema.count:
        what = (
            f"{name} at each point needs the paths of all trajectories, and {results.schema.kept} were kept"
        )
        fix = 'run with keep = "all" and few saved times; species at the end and events need no paths'
        raise CtcError(Problem("R509", what, fix=fix), Exit.USAGE)
    kept = results["state" if table == "species" else "observables"]
    return np.asarray(kept[:, save, column], dtype=np.float64)


def _mean(x: Floats) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Means of rows, their standard errors, and how many numbers are behind, NaN left out."""
    good = np.isfinite(x)
    n = good.sum(axis=1)
    filled = np.where(good, x, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(n > 0, filled.sum(axis=1) / n, np.nan)
        spread = np.where(good, x - value[:, None], 0.0)
        error = np.where(n > 1, np.sqrt((spread**2).sum(axis=1) / (n - 1) / n), np.nan)
    return value, error, n


def told(found: PerPoint, points: Points) -> list[tuple[str, ...]]:
    """A table of the points and an outcome, as text."""
    heads = [
        f"{name} ({unit})" if unit != "1" else name
        for name, unit in zip(points.names, points.units, strict=True)
    ]
    table = [(*heads, found.of, "± MC error", "n")]
    for row, value, error, n in zip(
        points.values.tolist(), found.value, found.error, found.count, strict=True
    ):
        shown = f"{error:.2g}" if np.isfinite(error) and error > 0 else ""
        table.append((*(f"{x:.6g}" for x in row), f"{value:.6g}", shown, str(n)))
    return table
