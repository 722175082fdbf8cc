"""One number for each trajectory: whether an event came, or the last value of a column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctcdyn.analysis import clocks, event_index
from ctcdyn.columns import in_order
from ctcdyn.errors import CtcError, Exit, Problem, did_you_mean
from ctcdyn.followup import outcome_event
from ctcdyn.plots._groups import last, well
from ctcdyn.plots._style import is_count, label, spoken, unit_of
from ctcdyn.results import Results
from ctcdyn.scales import time_unit, write_time


@dataclass(frozen=True, slots=True)
class Outcome:
    """`values` (K,), NaN of trajectories that do not count; `label`: of an axis, with the unit."""

    name: str
    label: str
    values: NDArray[np.float64]
    share: bool  # 0 or 1 times 100: its mean is a share in %
    discrete: bool


def outcome(results: Results, kind: str, names: tuple[str, ...]) -> Outcome:
    """What was named, else the first event, else the first column. Raises CtcError (R509, R521, exit 2)."""
    if len(names) > 1:
        fix = "name one event or column with --species"
        raise CtcError(Problem("R509", f"a {kind} shows one outcome, not {len(names)}", fix=fix), Exit.USAGE)
    name = names[0] if names else outcome_event(results) if results.event_kind else in_order(results)[0]
    good = well(results)
    if name in results.event_kind and "event_time" in results:
        e = event_index(results, name)
        if name in clocks(results):
            good &= (results.event_observed[:, e] == 1) | (results.event_time[:, e] > 0)
        values = np.where(good, 100.0 * (results.event_observed[:, e] == 1), np.nan)
        return Outcome(
            name, f"{spoken(name)} by {_end(results)} (%)", _weighted(results, values), True, False
        )
    if name not in (*results.species, *results.observable):
        known = (*results.event_kind, *in_order(results))
        fix = did_you_mean(name, known) or f"known: {', '.join(known)}"
        raise CtcError(Problem("R509", f"no event or column is called {name!r}", fix=fix), Exit.USAGE)
    values = np.where(good, last(results, kind, name), np.nan)
    text = label(f"{name} at {_end(results)}", unit_of(results, name), 34)
    return Outcome(name, text, _weighted(results, values), False, is_count(results, name))


def _end(results: Results) -> str:
    end = float(results.time[-1])
    unit, length = time_unit(end)
    return f"{end / length:.3g} {unit}" if unit == "years" else write_time(end)


def _weighted(results: Results, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values * results.weight if results.schema.weighted else values
