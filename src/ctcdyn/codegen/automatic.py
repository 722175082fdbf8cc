"""`method = "auto"`: which method suits a model, and why, species by species.

The nominal patient is followed along the rate equations, without treatments. The first of these rules that holds
decides:

1. what is no count (a part of a cell, another unit, a negative rate) belongs to rate equations;
2. so does a system none of whose species ever has few cells: chance moves it by less than a hundredth;
3. few events: `direct`, which is exact;
4. cells that are independent of one another (no reaction uses up two, no rate for each cell depends on a count):
   `first_order_leap`;
5. else `hybrid`: rare species jump, abundant ones follow rate equations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctcdyn.codegen.layout import Layout
from ctcdyn.codegen.lineage import Lineage, describe
from ctcdyn.errors import CtcError
from ctcdyn.model.expr import Expr, evaluate, names
from ctcdyn.model.network import Network
from ctcdyn.model.rates import parts_of_cells
from ctcdyn.units import DIMENSIONLESS

MANY = 1e4  # cells: their noise is a part in 100
FEW_EVENTS = 1e4  # about a millisecond of `direct`
MOST_JUMPS = 1e6  # of a trajectory of `hybrid`, from which on it is called dear: some 0.3 s


@dataclass(frozen=True)
class Course:
    """The nominal patient: times (days, T), states (T, S), and how long (days, T) each of them stands."""

    times: NDArray[np.float64]
    states: NDArray[np.float64]
    spans: NDArray[np.float64]


def suit(network: Network, course: Course, switch_up: float) -> tuple[str, list[str]]:
    """ "ode", "direct", "first_order_leap" or "hybrid", and the reasons, a line each.

    `switch_up`: cells from which on `hybrid` takes a species as continuous.
    """
    rates = _rates(network, course)
    amounts = _amounts(network, rates)
    if amounts:
        return "ode", amounts
    felt = _felt(network)
    few = [
        f"{s.name} (down to {low:.3g})"
        for s, low in zip(network.species, course.states.min(axis=0), strict=True)
        if not s.continuous and s.name in felt and low < MANY
    ]
    if network.lesion is not None:
        few.append("lesions, each founded by one event")
    if not few:
        return "ode", [f"no species that matters has fewer than {MANY:.0f} cells: chance moves it by less than 1 %"]
    chance = f"few cells, so chance decides: {', '.join(few)}"
    events = float(rates.sum(axis=1) @ course.spans)
    if events <= FEW_EVENTS:
        return "direct", [chance, f"about {events:.2g} events for the nominal patient: direct, exact and quick enough"]
    reasons = [chance, f"about {events:.2g} events for the nominal patient: too many to simulate one by one"]
    try:
        lineage = Lineage(Layout(network, "mixed"))
    except CtcError as error:
        reasons += [problem.what for problem in error.problems]
    else:
        counted = sorted({name for way in lineage.ways for name in way.frozen})
        if not counted:
            told = ["cells are independent of one another: first_order_leap, whatever they turn over"]
            return "first_order_leap", reasons + told + describe(lineage)
        reasons.append(f"rates for each cell depend on counts ({', '.join(counted)})")
    return "hybrid", reasons + _sides(network, course, rates, switch_up)


def _rates(network: Network, course: Course) -> NDArray[np.float64]:
    """Rates of the reactions along the course, 1/d, (T, R)."""
    values = {p.name: p.value for p in network.parameters}
    laws = [r.propensity("ode", network) for r in network.reactions]
    found = np.empty((len(course.times), len(laws)))
    with np.errstate(all="ignore"):
        for j, (t, x) in enumerate(zip(course.times.tolist(), course.states, strict=True)):
            at = {**values, **dict(zip(network.species_names, x.tolist(), strict=True)), "t": t}
            found[j] = [float(evaluate(law, at)) for law in laws]
    return np.nan_to_num(found, posinf=1e300, neginf=-1e300)


def _amounts(network: Network, rates: NDArray[np.float64]) -> list[str]:
    """What cannot be counted."""
    told = [f"{problem.what}: an amount" for problem in parts_of_cells(network, pinned=True)]
    told += [
        f"{s.name} is measured in {s.unit}: an amount, no count"
        for s in network.species
        if s.dimension != DIMENSIONLESS and not s.continuous
    ]
    lowest = rates.min(axis=0, initial=0.0)
    told += [
        f"the rate of {r.name} falls below zero: no reaction of cells"
        for r, low in zip(network.reactions, lowest, strict=True)
        if low < 0.0
    ]
    return told


def _felt(network: Network) -> set[str]:
    """Names in rates and conditions: a species that only adds up, and that nobody looks at, decides nothing."""
    found: set[str] = set()
    for reaction in network.reactions:
        found |= names(reaction.propensity("ode", network))
    for treatment in network.treatments:
        found |= names(treatment.at) if treatment.at is not None and not isinstance(treatment.at, float) else set()
    for observable in network.observables:
        when = observable.options.get("when")
        found |= names(when) if isinstance(when, Expr) else set()
    return found


def _sides(network: Network, course: Course, rates: NDArray[np.float64], up: float) -> list[str]:
    """What `hybrid` does with each species, and how many jumps that makes."""
    told = ["hybrid: rare species jump, abundant ones follow rate equations"]
    real = np.zeros(course.states.shape, dtype=bool)
    for s, species in enumerate(network.species):
        many = course.states[:, s] >= up
        real[:, s] = many | species.continuous
        if species.continuous:
            what = "pinned: rate equations"
        elif many.all():
            what = f"never below {up:g} cells: rate equations"
        elif not many.any():
            what = f"never above {course.states[:, s].max():.3g} cells: counted"
        else:
            share = float(course.spans @ ~many) / float(course.spans.sum())
            what = f"counted below {up:g} cells, for {share:.0%} of the time"
        told.append(f"{species.name}: {what}")
    jumps: list[tuple[float, str]] = []
    for r, reaction in enumerate(network.reactions):
        touched = sorted({s for s, _ in (*reaction.reactants, *reaction.change)})
        drift = real[:, touched].all(axis=1) & bool(touched)
        jumps.append((float(rates[:, r] @ np.where(drift, 0.0, course.spans)), reaction.name))
    total, (most, name) = sum(n for n, _ in jumps), max(jumps)
    told.append(f"about {total:.2g} jumps for the nominal patient")
    if total > MOST_JUMPS:
        told.append(f"dear: {most:.2g} of them are {name}; pin what it touches (continuous), if you may")
    return told
