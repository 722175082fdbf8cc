"""Which species only pass: cells that come, go and die independently of one another, long before anybody looks again.

Where cells come from a Poisson source (a pinned species, or the past of counted ones) and each goes its way alone, what
they bring to others is a Poisson process too, whose intensity is the rate equation of their mean, and the cells that
are there are, given all that they have brought, a Poisson number about that mean: thinning and displacement of Poisson
processes, J. F. C. Kingman, Poisson Processes, 1993, sections 5.1 and 5.2; for counts in linear networks T. Jahnke and
W. Huisinga 2007, doi:10.1007/s00285-006-0034-x. So their events need not be made, and the law of everything else stays
exact. `hybrid` then takes such a species as an equation, and what is saved of it is drawn about the mean, anew at each
save: exact for each save by itself, and for saves together because a cell is gone by the next one.

Not exact where several come at once (a cluster that falls apart): they are taken as if they came one by one, so that
the mean of what they bring is right and its variance too small by a known factor.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ctcdyn.codegen.lineage import for_each
from ctcdyn.model.expr import Expr, Number, evaluate, names
from ctcdyn.model.network import Network, Reaction
from ctcdyn.units import DIMENSIONLESS

APART = 10.0  # saves are so many times as far apart as cells stay: exp(-10) of them, 1 in 22 000, are seen twice
MOST_LUMPED = 5.0  # variance over mean of what cells bring that come together: more is not left out
MOST_TIMES = 64  # of the course, at which stays are computed


def with_passing(network: Network, passing: Iterable[str]) -> Network:
    """The network as `hybrid` takes it: passing species follow equations, and are drawn where they are saved."""
    chosen = frozenset(passing)
    if not chosen:
        return network
    species = (replace(s, continuous=True, passing=True) if s.name in chosen else s for s in network.species)
    return replace(network, species=tuple(species))


@dataclass(frozen=True)
class Passing:
    """Passing species: how long a cell of each, and what it becomes, stays in all of them, days, at the longest.

    `lumped`: reactions that bring several into them at once, and how many times as large the variance of what such
    cells bring to others is as that of as many that come one by one, at the most.
    """

    stays: dict[str, float]
    lumped: dict[str, float]


def passing_species(network: Network, times: NDArray[np.float64], states: NDArray[np.float64], gap: float) -> Passing:
    """What passes on the course of the nominal patient: times (T,) in days, states (T, S) in cells; `gap`: days between
    two saves.
    """
    found = _independent(network)
    every = max(1, len(times) // MOST_TIMES)
    while found:
        ways = _Ways(network, found, times[::every], states[::every])
        late = {name for name, stay in ways.own.items() if not stay * APART <= gap}
        late = late or {name for name, stay in ways.stays.items() if not stay * APART <= gap}
        late = late or {name for name in found if any(ways.lumps(r, name) > MOST_LUMPED for r in network.reactions)}
        if not late:
            lumped = {r.name: max(ways.lumps(r, name) for name in found) for r in network.reactions}
            return Passing(ways.stays, {name: x for name, x in lumped.items() if x > 1.0})
        found = _independent(network, frozenset(network.species_names) - (found - late))
    return Passing({}, {})


def _independent(network: Network, not_these: frozenset[str] = frozenset()) -> frozenset[str]:
    """Species whose cells come from Poisson sources and go independently of one another, unlooked at."""
    found = {
        s.name for s in network.species
        if not s.continuous and s.dimension == DIMENSIONLESS and s.initial == Number(0.0)
    }  # fmt: skip
    found -= not_these | _watched(network)
    while True:
        wrong = set().union(*(_entangled(network, r, frozenset(found)) for r in range(len(network.reactions))))
        if not wrong & found:
            return frozenset(found)
        found -= wrong


def _watched(network: Network) -> set[str]:
    """Species on whose count something is decided, or that something sets."""
    found: set[str] = set()
    for x in network.treatments:
        found |= {network.species[s].name for s, _ in x.set}
        found |= names(x.at) if isinstance(x.at, Expr) else set()
        found |= set().union(*(names(e) for _, e in (*x.set, *x.lesion_set)))
        found |= set().union(*(names(e) for _, e in x.scale if isinstance(e, Expr)))
    for o in network.observables:
        when = o.options.get("when")
        found |= names(when) if isinstance(when, Expr) else set()
    return found


def _entangled(network: Network, r: int, candidates: frozenset[str]) -> set[str]:
    """Of the candidates those that reaction r keeps from passing independently."""
    reaction, species = network.reactions[r], network.species
    taken = {species[s].name: -n for s, n in reaction.change if n < 0 and not species[s].continuous}
    given = {species[s].name for s, n in reaction.change if n > 0 and not species[s].continuous}
    rate = reaction.propensity("jump", network)
    read = names(rate) & candidates
    touched = (set(taken) | given | read) & candidates
    if not touched:
        return set()
    parent = next(iter(taken), None)
    if parent is None:  # a source: fed by what is pinned, counted or outside, and by no candidate
        return touched if read or (given - candidates and given & candidates) else set()
    alone = taken == {parent: 1}
    if parent not in candidates:  # a counted cell that becomes a passing one is known to be there
        return touched
    each = for_each(rate, parent)
    if not alone or names(each) & candidates or (given & candidates and given - candidates):
        return touched
    return set()


class _Ways:
    """The ways of one cell through passing species, at the slowest along a course.

    `own`, `stays`: days in a species, and in all that follow; `brings`: other counted cells that a cell becomes.
    """

    def __init__(
        self, network: Network, passing: frozenset[str], times: NDArray[np.float64], states: NDArray[np.float64]
    ) -> None:
        order = sorted(passing)
        self._network, self._passing = network, passing
        values = {p.name: p.value for p in network.parameters}
        ways = self._read(order)
        own, stays, brings = np.zeros((3, len(order)))
        for t, x in zip(times.tolist(), states, strict=True):
            at = {**values, **dict(zip(network.species_names, x.tolist(), strict=True)), "t": t}
            flow, given = np.zeros((len(order), len(order))), np.zeros(len(order))
            for k, into, others, each in ways:
                rate = float(evaluate(each, at))
                flow[k, k] -= rate
                given[k] += others * rate
                for z, n in into:
                    flow[k, z] += n * rate
            try:
                stay, brought = np.linalg.solve(-flow, np.column_stack([np.ones(len(order)), given])).T
            except np.linalg.LinAlgError:
                stay = brought = np.full(len(order), np.inf)
            with np.errstate(divide="ignore"):
                own = np.maximum(own, 1.0 / np.abs(np.diag(flow)))
            stays = np.maximum(stays, np.where(stay >= 0.0, stay, np.inf))
            brings = np.maximum(brings, np.where(brought >= 0.0, brought, np.inf))
        self.own = dict(zip(order, own.tolist(), strict=True))
        self.stays = dict(zip(order, stays.tolist(), strict=True))
        self.brings = dict(zip(order, brings.tolist(), strict=True))

    def _read(self, order: list[str]) -> list[tuple[int, list[tuple[int, int]], int, Expr]]:
        """(place of the parent, passing cells it becomes, other counted cells it becomes, rate for each)."""
        found = []
        for reaction in self._network.reactions:
            change = {self._network.species[s].name: n for s, n in reaction.change}
            parent = next((name for name, n in change.items() if n < 0 and name in self._passing), None)
            if parent is not None:
                gained = {name: n for name, n in change.items() if n > 0}
                into = [(order.index(name), n) for name, n in gained.items() if name in self._passing]
                counted = {s.name for s in self._network.species if not s.continuous} - self._passing
                others = sum(n for name, n in gained.items() if name in counted)
                each = for_each(reaction.propensity("jump", self._network), parent)
                found.append((order.index(parent), into, others, each))
        return found

    def lumps(self, reaction: Reaction, name: str) -> float:
        """Variance over mean of what cells of a species bring that come together by a reaction; 1 where they do not."""
        gained = {self._network.species[s].name: n for s, n in reaction.change if n > 0}
        together = sum(n for other, n in gained.items() if other in self._passing)
        return 1.0 + (together - 1) * min(self.brings[name], 1.0) if name in gained and together > 1 else 1.0
