"""Who of a result was followed up, from when, until when: its events as survival data, by arm or by any other split."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctcdyn.errors import CtcError, Exit, Problem, Status, did_you_mean
from ctcdyn.estimates import Difference, Estimate
from ctcdyn.hazards import Hazard, HazardRatio, LogRank, hazard_ratio, logrank, smoothed_hazard
from ctcdyn.incidence import Incidence, cumulative_incidence
from ctcdyn.survival import (
    Curve,
    Followed,
    kaplan_meier,
    restricted_mean,
    restricted_mean_difference,
    survival_difference,
)

if TYPE_CHECKING:
    from ctcdyn.results import Results

RISK = 20  # a survival to which fewer than one in so many are followed is not compared
PATIENTS = 20  # with replicates: from so many on patients are what is independent, not their replicates


@dataclass(frozen=True, slots=True, eq=False)
class Survival:
    """Survival without an event, a Kaplan-Meier curve for each group; `survival["arm"]` is one of them.

    Groups that share patients, as arms do, are compared patient by patient. `against` is the first group by default.
    Times in days, from the event's clock on.
    """

    event: str
    curves: dict[str, Curve]

    def __getitem__(self, group: str) -> Curve:
        if group not in self.curves:
            fix = did_you_mean(group, self.curves) or f"known: {', '.join(self.curves)}"
            raise CtcError(Problem("R509", f"no group is called {group!r}", fix=fix), Exit.USAGE)
        return self.curves[group]

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups."""
        return tuple(self.curves)

    @property
    def horizon(self) -> float:
        """The last time at which a twentieth of each group is still at risk, and restricted means end by default: later
        few are followed. A group all of whom had the event sets no limit; NaN for no group.
        """
        ends = [_known(curve) for curve in self.curves.values() if curve.survival[-1] > 0.0]
        last = max((float(curve.time[-1]) for curve in self.curves.values()), default=math.nan)
        return min(ends, default=last)

    def logrank(self) -> LogRank:
        """Log-rank test over all groups (`ctcdyn.hazards.logrank`). Raises CtcError (R509) for weighted rows."""
        return logrank([self._unweighted(group) for group in self.curves])

    def hazard_ratio(self, group: str, against: str | None = None, confidence: float = 0.95) -> HazardRatio:
        """Hazard of a group over that of another. Raises CtcError (R509) for weighted trajectories."""
        return hazard_ratio(self._unweighted(group), self._unweighted(self._other(against)), confidence)

    def hazard(self, group: str, bandwidth: float | None = None, grid: ArrayLike | None = None) -> Hazard:
        """Smoothed hazard of a group; the bandwidth is a tenth of the follow-up by default."""
        found = self._unweighted(group)
        width = 0.1 * float(self[group].time[-1]) if bandwidth is None else bandwidth
        return smoothed_hazard(found.time, found.observed, width, grid)

    def restricted_mean(self, group: str, horizon: float | None = None) -> Estimate:
        """Mean time without the event up to the horizon, days."""
        return restricted_mean(self[group], self.horizon if horizon is None else horizon)

    def restricted_mean_difference(
        self, group: str, against: str | None = None, horizon: float | None = None
    ) -> Difference:
        """Time without the event that a group has more than another, up to the horizon, days."""
        end = self.horizon if horizon is None else horizon
        return restricted_mean_difference(self[group], self[self._other(against)], end)

    def difference(self, group: str, against: str | None = None, time: float | None = None) -> Difference:
        """Survival of a group less that of another, at a time (default: the horizon)."""
        return survival_difference(
            self[group], self[self._other(against)], self.horizon if time is None else time
        )

    def _other(self, against: str | None) -> str:
        return self.groups[0] if against is None else against

    def _unweighted(self, group: str) -> Followed:
        found = self[group].followed
        if found.weight is not None:
            what = (
                "weighted trajectories ([importance]) have no log-rank test, hazard ratio or smoothed hazard"
            )
            raise CtcError(
                Problem("R509", what, fix="compare chances: restricted means, differences"), Exit.USAGE
            )
        return found


def _known(curve: Curve) -> float:
    """The last time at which a share of 1 / RISK is still at risk."""
    return float(curve.time[np.flatnonzero(curve.at_risk * RISK >= curve.at_risk[0])[-1]])


def survival_of(
    results: Results,
    event: str,
    by: str | ArrayLike | None = "arm",
    arm: str | None = None,
    confidence: float = 0.95,
) -> Survival:
    """`Results.survival`."""
    found = {}
    for label, rows in _split(results, by, arm).items():
        group = rows_of(results, event, rows)
        found[label] = kaplan_meier(group.time, group.observed, confidence, group.weight, group.cluster)
    return Survival(event, found)


def of_results(results: Results, event: str, arm: str | None = None) -> Followed:
    """Times to an event and whether it came, of the trajectories of an arm (default: the first) that were followed up.

    Weights where trajectories have them; clusters: pairs of arms, or patients where they have replicates and are 20 or
    more. Raises CtcError (R509, exit 2) for unknown names and results without events.
    """
    return rows_of(results, event, results["arm_index"] == arm_index(results, arm))


def incidence_of(
    results: Results, events: tuple[str, ...] | None, arm: str | None = None, confidence: float = 0.95
) -> Incidence:
    """`Results.incidence`."""
    names = results.event_kind if events is None else tuple(events)
    time, kind = first_of(results, names, arm)
    return cumulative_incidence(time, kind, confidence, names)


def first_of(
    results: Results, events: tuple[str, ...], arm: str | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """When the first of several events came, (n,) days, and which, (n,): 1 for the first named, 0 for none.

    Of events at one moment the one named first counts. Raises CtcError (R509, exit 2) for unknown names, events with
    different clocks, and weighted trajectories.
    """
    columns = [event_index(results, event) for event in events]
    measured = {clocks(results).get(event, "") for event in events}
    if len(measured) > 1 or results.schema.weighted or not events:
        what = (
            f"{', '.join(events)} are measured from {', '.join(sorted(x or 'the start' for x in measured))}"
        )
        if results.schema.weighted or not events:
            what = "trajectories are weighted ([importance])" if events else "no event was named"
        raise CtcError(
            Problem("R509", f"no competing risks: {what}", fix="name events of one clock"), Exit.USAGE
        )
    rows = (results["arm_index"] == arm_index(results, arm)) & was_followed(results, events[0])
    observed = results.event_observed[rows][:, columns] == 1
    days = results.event_time[rows][:, columns]
    first = np.where(observed, days, np.inf)
    kind = np.where(observed.any(axis=1), first.argmin(axis=1) + 1, 0)
    return np.where(kind > 0, first.min(axis=1), days.min(axis=1)), kind


def rows_of(results: Results, event: str, rows: NDArray[np.bool_]) -> Followed:
    """Of these trajectories (K,) those that were followed up, as `of_results` gives them."""
    rows = rows & was_followed(results, event)
    e, schema = event_index(results, event), results.schema
    cluster = results.trajectory // len(results.arm)
    if schema.replicates > 1 and (schema.patients or 0) >= PATIENTS:
        cluster = results["patient_id"]
    weight = results.weight[rows] if schema.weighted else None
    return Followed(results.event_time[rows, e], results.event_observed[rows, e] == 1, weight, cluster[rows])


def _split(results: Results, by: str | ArrayLike | None, arm: str | None) -> dict[str, NDArray[np.bool_]]:
    """Rows of each group: of all arms, of one arm, or of one arm by labels (K,) or by a parameter's median."""
    index = results["arm_index"]
    if isinstance(by, str) and by == "arm":
        return {name: index == a for a, name in enumerate(results.arm)}
    mine = index == arm_index(results, arm)
    if by is None:
        return {results.arm[arm_index(results, arm)]: mine}
    if isinstance(by, str):
        if by not in results.parameter:
            known = ("arm", *results.parameter)
            fix = did_you_mean(by, known) or "by: arm, a parameter, or a label for each trajectory"
            raise CtcError(Problem("R509", f"no parameter is called {by!r}", fix=fix), Exit.USAGE)
        values = results.params[:, results.parameter.index(by)]
        middle = float(np.median(values[mine])) if mine.any() else math.nan
        return {
            f"{by} < {middle:.3g}": mine & (values < middle),
            f"{by} >= {middle:.3g}": mine & (values >= middle),
        }
    labels = np.asarray(by)
    if labels.shape != (results.schema.count,):
        what = f"labels of shape {labels.shape} for {results.schema.count} trajectories"
        raise CtcError(Problem("R509", what, fix="give one label for each trajectory"), Exit.USAGE)
    return {str(label): mine & (labels == label) for label in np.unique(labels[mine])}


def clocks(results: Results) -> dict[str, str]:
    """Event -> what its time is measured from, of the events that have a clock."""
    try:
        events = json.loads(str(results.provenance["config_resolved_json"])).get("event", [])
        return {event["name"]: event["clock"] for event in events if event.get("clock")}
    except (KeyError, TypeError, ValueError):
        return {}  # made without a study


def outcome_event(results: Results) -> str:
    """The event that a study is about: the first from which no other is measured. CtcError (R509) without any."""
    if not results.event_kind:
        raise CtcError(Problem("R509", "the result has no events"), Exit.USAGE)
    begins = set(clocks(results).values())
    return next((event for event in results.event_kind if event not in begins), results.event_kind[0])


def withheld(results: Results) -> dict[str, set[str]]:
    """Arm -> treatments that it does not give; what is measured from them counts from when they were due."""
    try:
        study = json.loads(str(results.provenance["config_resolved_json"]))
        every = {treatment["name"] for treatment in study.get("treatment", [])}
        return {arm["name"]: every - set(arm["treatments"]) for arm in study.get("arm", [])}
    except (KeyError, TypeError, ValueError):
        return {}  # made without a study


def was_followed(results: Results, event: str) -> NDArray[np.bool_]:
    """Trajectories (K,) that did not fail and whose follow-up has a length."""
    e = event_index(results, event)
    good: NDArray[np.bool_] = np.isin(results.status, [int(s) for s in Status if s.ok])
    if event not in clocks(results):
        return good
    good &= (results.event_observed[:, e] == 1) | (results.event_time[:, e] > 0)
    return good


def event_index(results: Results, event: str) -> int:
    """Column of an event. Raises CtcError (R509, exit 2) with the nearest name."""
    if event not in results.event_kind:
        fix = did_you_mean(event, results.event_kind) or f"known: {', '.join(results.event_kind) or 'none'}"
        raise CtcError(Problem("R509", f"no event is called {event!r}", fix=fix), Exit.USAGE)
    return results.event_kind.index(event)


def arm_index(results: Results, arm: str | None) -> int:
    """Position of an arm, of the first for None. Raises CtcError (R509, exit 2) with the nearest name."""
    if arm is not None and arm not in results.arm:
        fix = did_you_mean(arm, results.arm) or f"known: {', '.join(results.arm)}"
        raise CtcError(Problem("R509", f"no arm is called {arm!r}", fix=fix), Exit.USAGE)
    return 0 if arm is None else results.arm.index(arm)
