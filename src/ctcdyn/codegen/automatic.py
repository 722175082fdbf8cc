"""`method = "auto"`: which method suits a model, and why, species by species.

The nominal patient is followed along the rate equations, without treatments. The first of these rules that holds
decides:

1. what is no count (a part of a cell, another unit, a negative rate) belongs to rate equations;
2. so does a system none of whose species ever has few cells: chance moves it by less than a hundredth;
3. few events: an exact method (`exact.py`); in a network so large that `direct` is not the quickest of these, more
   events are few, since every other method works through all reactions or species at each of its steps;
4. cells that are independent of one another (no reaction uses up two, no rate for each cell depends on a count):
   `first_order_leap`;
5. else `hybrid`: rare species jump, abundant ones follow rate equations; species that only pass (`passing`) too, so
   that their many events need not be made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctcdyn.codegen.exact import exact_method
from ctcdyn.codegen.layout import Layout
from ctcdyn.codegen.lineage import Lineage, describe
from ctcdyn.codegen.nominal import Nominal
from ctcdyn.codegen.passing import Passing, passing_species, with_passing
from ctcdyn.errors import CtcError
from ctcdyn.model.expr import Expr, names
from ctcdyn.model.network import Network
from ctcdyn.model.rates import parts_of_cells
from ctcdyn.units import DIMENSIONLESS

SHOWN = 8  # species that a line of the reasons names
MANY = 1e4  # cells: their noise is a part in 100
FEW_EVENTS = 1e4  # at most a millisecond of an exact method
FEW_OF_MANY = 1e6  # the same where a step of any other method is milliseconds: a twentieth of a second
MOST_KINDS = 12  # of passing cells beside pinned species, up to which the ways of all are computed for each step
MOST_JUMPS = 1e6  # of a trajectory of `hybrid`, from which on it is called dear: some 0.3 s


@dataclass(frozen=True)
class Course:
    """The nominal patient: times (days, T), states (T, S), and how long (days, T) each of them stands."""

    times: NDArray[np.float64]
    states: NDArray[np.float64]
    spans: NDArray[np.float64]


def suit(network: Network, course: Course, switch_up: float, gap: float) -> tuple[str, list[str], tuple[str, ...]]:
    """ "ode", "hybrid", "first_order_leap" or an exact method, the reasons, a line each, the species that only pass.

    `switch_up`: cells from which on `hybrid` takes a species as continuous; `gap`: days between two saves.
    """
    rates = _rates(network, course)
    amounts = _amounts(network, rates)
    if amounts:
        return "ode", amounts, ()
    felt = _felt(network)
    few = [
        f"{s.name} (down to {low:.3g})"
        for s, low in zip(network.species, course.states.min(axis=0), strict=True)
        if not s.continuous and s.name in felt and low < MANY
    ]
    if network.lesion is not None:
        few.append("lesions, each founded by one event")
    if not few:
        large = f"no species that matters has fewer than {MANY:.0f} cells: chance moves it by less than 1 %"
        return "ode", [large], ()
    shown = few if len(few) <= SHOWN else [*few[: SHOWN - 1], f"and {len(few) - SHOWN + 1} more"]
    chance = f"few cells, so chance decides: {', '.join(shown)}"
    events = float(rates.sum(axis=1) @ course.spans)
    exact = exact_method(network)
    if events <= (FEW_EVENTS if exact.method == "direct" else FEW_OF_MANY):
        quick = f"about {events:.2g} events for the nominal patient: an exact method is quick enough"
        return exact.method, [chance, quick, exact.reason], ()
    reasons = [chance, f"about {events:.2g} events for the nominal patient: too many to simulate one by one"]
    passing = passing_species(network, course.times, course.states, gap)
    try:
        lineage = Lineage(Layout(network, "mixed"))
    except CtcError as error:
        reasons += [problem.what for problem in error.problems]
    else:
        counted = sorted({name for way in lineage.ways for name in way.frozen})
        kinds = len(lineage.plain)
        dear = kinds > MOST_KINDS and bool(passing.stays) and any(s.continuous for s in network.species)
        if not counted and not dear:
            told = ["cells are independent of one another: first_order_leap, whatever they turn over"]
            return "first_order_leap", reasons + told + describe(lineage), ()
        if counted:
            reasons.append(f"rates for each cell depend on counts ({', '.join(counted)})")
        else:
            reasons.append(f"{kinds} kinds of cells pass beside pinned species: first_order_leap would be dear")
    if passing.stays:
        reasons += _passing(passing)
        network = with_passing(network, passing.stays)
    return "hybrid", reasons + _sides(network, course, rates, switch_up), tuple(sorted(passing.stays))


def _passing(passing: Passing) -> list[str]:
    """Which species only pass, and how exact that is."""
    named = ", ".join(f"{name} ({stay:.2g} d)" for name, stay in passing.stays.items())
    told = [
        f"passing, each cell alone and gone before the next save: {named}",
        "they follow equations, what they bring is a Poisson process, and their saved counts are drawn: the same law",
    ]
    if passing.lumped:
        many = ", ".join(f"{name} ({factor:.3g})" for name, factor in passing.lumped.items())
        told.append(f"not exact: what comes together is taken one by one; variances are too small by up to: {many}")
    return told


def _rates(network: Network, course: Course) -> NDArray[np.float64]:
    """Rates of the reactions along the course, 1/d, (T, R)."""
    nominal = Nominal(network)
    with np.errstate(all="ignore"):
        found = np.array([nominal.rates(x, t) for t, x in zip(course.times.tolist(), course.states, strict=True)])
    bounded: NDArray[np.float64] = np.nan_to_num(found, posinf=1e300, neginf=-1e300)
    return bounded


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
        if species.passing:
            continue
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
        moved = [s for s, _ in reaction.change if not network.species[s].continuous]
        drift = real[:, touched].all(axis=1) if touched and moved else np.full(len(real), not moved)
        jumps.append((float(rates[:, r] @ np.where(drift, 0.0, course.spans)), reaction.name))
    total, (most, name) = sum(n for n, _ in jumps), max(jumps)
    told.append(f"about {total:.2g} jumps for the nominal patient")
    if total > MOST_JUMPS:
        told.append(f"dear: {most:.2g} of them are {name}; pin what it touches (continuous), if you may")
    return told
