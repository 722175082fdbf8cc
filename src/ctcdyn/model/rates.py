"""Rates that would make counts negative or numbers undefined, found before anything runs.

A propensity must be exactly zero where a reactant is used up, or a jump process takes what is not there.
That is tried at points, with arrays: every reactant at each count below what the reaction takes, the other
species at counts from 0 to 1e6, the parameters at their nominal values and at factors around them, four
times from 0 to 100 days. A rate that vanishes at all of them by accident would have to be built for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctcdyn.errors import CtcError, Place, Problem
from ctcdyn.model.expr import Number, evaluate, names
from ctcdyn.model.network import Network, Reaction

Points = dict[str, Any]

_COUNTS = np.array([0.0, 1.0, 2.0, 7.0, 60.0, 1e3, 3e4, 1e6])
_TIMES = np.array([0.0, 0.3, 11.0, 100.0])
_POINTS = 24
_GOLDEN = 0.6180339887498949  # multiples of it modulo 1 are spread evenly (Weyl 1916): no seed, same points


def check_rates(network: Network) -> None:
    """Raises CtcError with every rate that does not vanish without its reactants (M310), is negative (M311)
    or not finite (M312) at the start, and every initial value that is no count (M313).
    """
    problems = rate_problems(network)
    if problems:
        raise CtcError(problems)


def rate_problems(network: Network) -> list[Problem]:
    """What `check_rates` raises, as a list."""
    problems = _initial_problems(network)
    sound = not problems
    points = _sample(network)
    start = _start(network)
    for reaction in network.reactions:
        if reaction.rate is not None:  # mass action vanishes by its form
            problem = _vanishing(reaction, network, points)
            if problem is not None:
                problems.append(problem)
                continue
        if sound:
            problems += _at_start(reaction, network, start)
    return problems


def vanishing_problems(network: Network) -> list[Problem]:
    """Every rate that does not vanish without its reactants (M310). Initial values are not looked at."""
    points = _sample(network)
    found = (_vanishing(reaction, network, points) for reaction in network.reactions if reaction.rate is not None)
    return [problem for problem in found if problem is not None]


def parts_of_cells(
    network: Network, given: Mapping[str, Place | None] | None = None, pinned: bool = False, below: float = math.inf
) -> list[Problem]:
    """Every initial value that a jump process cannot start from (M313): it counts whole cells; with `pinned` it does
    not count continuous species, and none that starts from `below` cells or more.

    `given` names the species whose value did not come from the model file, with the place where it was set. Initial
    values that are expressions are rounded to the nearest whole number, and so are never refused.
    """
    problems = []
    for species in network.species:
        if not isinstance(species.initial, Number) or not species.initial.value % 1.0:
            continue
        if (pinned and species.continuous) or species.initial.value >= below:
            continue
        name, value = species.name, float(species.initial.value)
        ours = given is not None and name in given
        place = given[name] if given is not None and name in given else species.place
        what = f"{name} starts with {value!r}, but the exact process counts whole cells"
        key = f"initial.{name}" if ours else f"species.{name}.initial"
        problems.append(Problem("M313", what, place, key, f"write {round(value)}, or take an ODE method", word=name))
    return problems


def _initial_problems(network: Network) -> list[Problem]:
    problems = []
    values = _parameters(network)
    for item in network.species:
        value = float(evaluate(item.initial, values))
        if not np.isfinite(value) or value < 0 or value > 2.0**53:
            fault = (
                "not a finite number"
                if not np.isfinite(value)
                else "negative"
                if value < 0
                else "above 2**53"
            )
            problems.append(
                Problem(
                    "M313",
                    f"the initial value of {item.name} is {fault}: {value:g}",
                    item.place,
                    f"species.{item.name}",
                    "give an initial value from 0 to 9e15",
                    word=item.name,
                )
            )
    return problems


def _vanishing(reaction: Reaction, network: Network, points: Points) -> Problem | None:
    rate = reaction.rate
    assert rate is not None
    scale = np.abs(np.asarray(evaluate(rate, points), dtype=np.float64))
    largest = float(np.max(scale[np.isfinite(scale)], initial=0.0))
    for s, needed in reaction.reactants:
        name = network.species[s].name
        for count in range(needed):
            value = np.asarray(
                evaluate(rate, points | {name: np.full(_POINTS, float(count))}), dtype=np.float64
            )
            value = np.broadcast_to(value, (_POINTS,))
            # sums that cancel to zero leave rounding, which is not a rate
            bad = ~(np.abs(value) <= 1e-12 * largest)
            if not bad.any():
                continue
            worst = value[bad][0]
            unit = network.species[s].unit
            shown = f"{worst:.3g} /day" if unit == "1" else f"{worst:.3g} {unit}/day"
            what = f'reaction "{reaction.name}" can remove {name} when there is none: '
            what += f"rate at {name} = {count} is {shown}"
            if count:
                what = f'reaction "{reaction.name}" takes {needed} {name}: '
                what += f"its rate at {name} = {count} is {shown}"
            fix = f"multiply the rate by {name}" if count == 0 else f"multiply the rate by ({name} - {count})"
            if np.isnan(worst):
                fix = f"make the rate 0 at {name} = {count}: divide by max(..., 1e-300), or use where"
            if name not in names(rate):
                fix += f', or use k = "..." (mass action), or remove {name} from the left side'
            why = "a rate must be 0 when a reactant is used up, or counts go negative"
            return Problem("M310", what, reaction.place, f"reaction.{reaction.name}.rate", fix, why, "rate")
    return None


def _at_start(reaction: Reaction, network: Network, start: Points) -> list[Problem]:
    value = float(evaluate(reaction.propensity("jump", network), start))
    key = "k" if reaction.k is not None else "rate"
    if not np.isfinite(value):
        what = f'{key} of reaction "{reaction.name}" is {value} at the initial state'
        fix = "look for 0/0, log(0) or a parameter that makes it infinite; guard with max(..., 1e-300)"
        return [Problem("M312", what, reaction.place, f"reaction.{reaction.name}.{key}", fix, word=key)]
    if value < 0:
        what = f'{key} of reaction "{reaction.name}" is negative at the initial state: {value:.3g} /day'
        fix = "write the way back as a reaction of its own, or max(..., 0)"
        why = "a propensity is a probability for each unit of time"
        return [Problem("M311", what, reaction.place, f"reaction.{reaction.name}.{key}", fix, why, key)]
    return []


def _parameters(network: Network) -> Points:
    return {item.name: item.value for item in network.parameters}


def _start(network: Network) -> Points:
    values = _parameters(network)
    starts = {item.name: float(evaluate(item.initial, values)) for item in network.species}
    return values | starts | {"t": 0.0}


def _sample(network: Network) -> Points:
    """Every name with an array of `_POINTS` values; the first half keeps the nominal parameters."""
    turns = np.arange(_POINTS)
    points: Points = {"t": _TIMES[turns % len(_TIMES)]}
    for q, item in enumerate(network.parameters):
        if item.expr is None:
            points[item.name] = _around(item.value, item.bounds, (turns + 1) * (q + 1) * _GOLDEN % 1.0)
    for q in network.derived_order():
        expression = network.parameters[q].expr
        assert expression is not None
        points[network.parameters[q].name] = evaluate(expression, points)
    for s, species in enumerate(network.species):
        # strides prime to the number of counts pair every count of one species with other counts of the next
        points[species.name] = _COUNTS[(turns * (2 * s + 1) + s * s + turns // len(_COUNTS)) % len(_COUNTS)]
    return points


def _around(value: float, bounds: tuple[float, float] | None, spread: NDArray[Any]) -> NDArray[np.float64]:
    # a reaction that is switched off by default is checked all the same
    centre = value if value != 0.0 else 1.0
    with np.errstate(over="ignore"):
        moved = centre * np.exp2(2.0 * spread - 1.0)
    moved = np.where(np.isfinite(moved), moved, centre)
    if bounds is not None:
        moved = np.clip(moved, *bounds)
    moved[: len(moved) // 2] = value if value != 0.0 else moved[: len(moved) // 2]
    return moved
