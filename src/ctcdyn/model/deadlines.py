"""Treatments of a study that can never be given, since the run ends before: told as a warning, not refused.

A study may be shortened for a quick look, and what it says of later is then no mistake. What hangs on such a treatment
never happens either, which is seen in no number of a result.
"""

from __future__ import annotations

import math
import warnings

from ctcdyn.config import Study
from ctcdyn.errors import Problem
from ctcdyn.model.conditions import is_condition
from ctcdyn.model.expr import evaluate, names
from ctcdyn.model.network import Network, Treatment
from ctcdyn.model.resolve import Resolved

FARTHEST = 8.3  # standard deviations by which an application comes before its time at most (ctcdyn.draws)


class StudyWarning(UserWarning):
    """A study says something that has no effect."""

    code = "C121"


def warn_of_late(study: Study, resolved: Resolved) -> None:
    """A StudyWarning for each treatment that can never be given."""
    for problem in never_given(study, resolved):
        text = problem.report("warning").partition(": ")[2]
        warnings.warn(text, StudyWarning, stacklevel=3)


def never_given(study: Study, resolved: Resolved) -> list[Problem]:
    """Problems (C121) of treatments whose first application comes after the end of the run in every patient.

    A condition may become true at once, so what waits for one is late by its delay alone; a time that is drawn is
    nobody's here.
    """
    network, end = resolved.network, study.simulate.t_end
    first = _earliest(study, resolved)
    problems = []
    for k, x in enumerate(network.treatments):
        if not first[x.name] > end or not any(row[k] for row in study.given):
            continue
        known = isinstance(x.at, float | int) and not x.delay and not x.jitter
        when = f"on day {first[x.name]:g}" if known else f"not before day {first[x.name]:g}"
        key = ("treatment", k, "at" if study.treatment[k].at is not None else "start")
        waiting = _waiting(network, x.name)
        problems.append(
            Problem(
                "C121",
                f"{x.name} is never given: it is due {when}, and the run ends on day {end:g}",
                study.document.place(*key),
                ".".join(map(str, key)),
                f"let the run end after day {first[x.name]:g}, or give it before",
                f"{', '.join(waiting)} wait{'s' if len(waiting) == 1 else ''} for it" if waiting else "",
            )
        )
    return problems


def _earliest(study: Study, resolved: Resolved) -> dict[str, float]:
    """The day before which a treatment is not given, or an event does not happen, whatever the patient: by name."""
    network, start = resolved.network, study.simulate.t_start
    treatments = {x.name: x for x in network.treatments}
    waits = {x.name: [x.after] for x in network.treatments}
    for o in network.observables:
        if o.realised == "passage":
            waits[o.name] = [str(o.options[key]) for key in ("clock", "after") if o.options.get(key)]
    found: dict[str, float] = {}

    def of(name: str) -> float:
        if name not in found:
            own = _due(treatments[name], resolved, start) if name in treatments else start
            before = max((of(other) for other in waits.get(name, ()) if other in waits), default=start)
            x = treatments.get(name)
            found[name] = max(own, before) + ((x.delay or 0.0) if x is not None else 0.0)
            if x is not None and x.jitter:
                found[name] = max(found[name] - FARTHEST * x.jitter, before)
        return found[name]

    return {name: of(name) for name in waits}


def _due(x: Treatment, resolved: Resolved, start: float) -> float:
    """The time that a treatment names; the start where that is not one time for all patients."""
    if x.at is None or isinstance(x.at, float | int):
        return start if x.at is None else float(x.at)
    network = resolved.network
    drawn = {network.parameters[q].name for q in resolved.cohort.varied}
    drawn |= {network.parameters[q].name for y in network.treatments for q, _ in y.scale}
    drawn |= {p.name for p in network.parameters if p.expr is not None} if drawn else set()
    if is_condition(x.at) or names(x.at) & drawn:
        return start
    values = {p.name: p.value for p in network.parameters} | dict(x.numbers)
    time = float(evaluate(x.at, values))
    return time if math.isfinite(time) else start


def _waiting(network: Network, name: str) -> list[str]:
    """Treatments and events that wait for this one, or count from it."""
    found = [x.name for x in network.treatments if name in (x.after, x.stop_if)]
    events = (o for o in network.observables if o.realised == "passage")
    return found + [o.name for o in events if name in (o.options.get("clock"), o.options.get("after"))]
