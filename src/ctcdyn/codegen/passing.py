"""Which species only pass: cells that come, go and die independently of one another, long before anybody looks again.

Where cells come from a Poisson source (a pinned species, or the past of counted ones) and each goes its way alone, what
they bring to others is a Poisson process too, whose intensity is the rate equation of their mean, and the cells that
are there are, given all that they have brought, a Poisson number about that mean: thinning and displacement of Poisson
processes, J. F. C. Kingman, Poisson Processes, 1993, sections 5.1 and 5.2; for counts in linear networks T. Jahnke and
W. Huisinga 2007, doi:10.1007/s00285-006-0034-x. So their events need not be made, and the law of everything else stays
exact. `hybrid` then takes such a species as an equation, and what is saved of it is drawn about the mean, anew at each
save: exact for each save by itself, and for saves together because a cell is gone by the next one.

Not exact where several come at once (a cluster that falls apart): they are taken as if they came one by one, so that
means are right and variances too small by a factor that is computed, and told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ctcdyn.codegen.lineage import for_each
from ctcdyn.model.expr import Expr, Number, evaluate, names
from ctcdyn.model.network import Network
from ctcdyn.units import DIMENSIONLESS

APART = 10.0  # saves are so many times as far apart as cells stay: exp(-10) of them, 1 in 22 000, are seen twice
MOST_LUMPED = 4.0  # factor by which a variance may be too small where cells come several at once
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

    `lumped`: species, passing or fed by passing ones, and the variance over the mean of their number, or of what comes
    to them, where cells come several at once: it is taken as 1.
    """

    stays: dict[str, float]
    lumped: dict[str, float]


def passing_species(network: Network, times: NDArray[np.float64], states: NDArray[np.float64], gap: float) -> Passing:
    """What passes on the course of the nominal patient: times (T,) in days, states (T, S) in cells; `gap`: days between
    two saves. Stays are also those under each treatment, and all of them.
    """
    out: set[str] = set()
    while found := _independent(network, out):
        courses = [_Ways(network, found, times, states, values) for values in _treated(network)]
        own, stays = ({n: max(getattr(c, what)[n] for c in courses) for n in found} for what in ("own", "stays"))
        spread = {n: max(c.spread.get(n, 1.0) for c in courses) for n in courses[0].spread}
        late = {name for name, stay in own.items() if not stay * APART <= gap}
        late = late or {name for name, stay in stays.items() if not stay * APART <= gap}
        if not late and not max(spread.values(), default=1.0) <= MOST_LUMPED:
            late = _together(network, found)
        late = late or _counted(network, found)
        if not late:
            return Passing(dict(sorted(stays.items())), {name: x for name, x in spread.items() if x > 1.005})
        out |= late
    return Passing({}, {})


def _treated(network: Network) -> list[dict[str, float]]:
    """Parameters of the nominal patient: without treatments, with each that scales some, and with all of those."""
    plain = {p.name: p.value for p in network.parameters}
    found = [plain]
    scales = [[(q, f) for q, f in x.scale if isinstance(f, float | int)] for x in network.treatments]
    for scale in [*(s for s in scales if s), [pair for s in scales for pair in s]]:
        values = dict(plain)
        for q, factor in scale:
            values[network.parameters[q].name] *= float(factor)
        for q in network.derived_order():
            derived = network.parameters[q]
            if derived.expr is not None:
                values[derived.name] = float(evaluate(derived.expr, values))
        if values not in found:
            found.append(values)
    return found


def _together(network: Network, passing: frozenset[str]) -> set[str]:
    """Passing species that cells come to several at once."""
    found = set()
    for reaction in network.reactions:
        gained = {network.species[s].name: n for s, n in reaction.change if n > 0}
        gained = {name: n for name, n in gained.items() if name in passing}
        found |= set(gained) if sum(gained.values()) > 1 else set()
    return found


def _independent(network: Network, out: set[str]) -> frozenset[str]:
    """Species, but for those that are out, whose cells come from Poisson sources and go independently of one another,
    unlooked at.
    """
    found = {
        s.name for s in network.species
        if not s.continuous and s.dimension == DIMENSIONLESS and s.initial == Number(0.0)
    }  # fmt: skip
    found -= out | _watched(network)
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


def _counted(network: Network, passing: frozenset[str]) -> set[str]:
    """Passing species that reactions move whose firings an observable counts, and nobody would make; those that begin
    lesions, and those that move a counted species too, are made.
    """
    founding = dict(network.founders)
    counters = [o for o in network.observables if o.realised == "counter" and o.name not in founding]
    names_of = {str(o.options["reaction"]) for o in counters}
    found: set[str] = set()
    for reaction in network.reactions:
        moved = {network.species[s].name for s, _ in reaction.change if not network.species[s].continuous}
        found |= moved if reaction.name in names_of and moved <= passing else set()
    return found


class _Ways:
    """The ways of one cell through passing species, at the slowest along a course.

    `own`, `stays`: days in a species, and in all that follow. `spread`: by how much larger the variance of a passing
    species is than that of a Poisson number, where its sources stand still, and that of what comes to a counted one
    in a long time than if events were independent: the moment equations of a network of first order, which are closed.
    """

    def __init__(
        self,
        network: Network,
        passing: frozenset[str],
        times: NDArray[np.float64],
        states: NDArray[np.float64],
        values: dict[str, float],
    ) -> None:
        self._network, self._order = network, sorted(passing)
        self._fed: list[str] = []
        ways = self._read()
        timed = any("t" in names(each) for *_, each in ways)
        every = 1 if timed else max(1, len(times) // MOST_TIMES)
        own, stays = np.zeros((2, len(self._order)))
        spread = np.ones(len(self._order) + len(self._fed))
        for t, x in zip(times[::every].tolist(), states[::every], strict=True):
            at = {**values, **dict(zip(network.species_names, x.tolist(), strict=True)), "t": t}
            rates = [(k, steps, float(evaluate(each, at))) for k, steps, each in ways]
            flow = self._flow(rates)
            with np.errstate(divide="ignore"):
                own = np.maximum(own, 1.0 / np.abs(np.diag(flow)))
            try:
                stay = np.linalg.solve(-flow.T, np.ones(len(self._order)))
                spread = np.maximum(spread, self._spread(flow, rates))
            except np.linalg.LinAlgError:
                stay = np.full(len(self._order), np.inf)
            stays = np.maximum(stays, np.where(stay >= 0.0, stay, np.inf))
        self.own = dict(zip(self._order, own.tolist(), strict=True))
        self.stays = dict(zip(self._order, stays.tolist(), strict=True))
        self.spread = dict(zip([*self._order, *self._fed], spread.tolist(), strict=True))

    def _read(self) -> list[tuple[int, dict[int, int], Expr]]:
        """(place of the parent, -1 of a source; change by place, counted species last; rate for each)."""
        found = []
        species, order = self._network.species, self._order
        for reaction in self._network.reactions:
            change = {species[s].name: n for s, n in reaction.change if not species[s].continuous}
            parent = next((name for name, n in change.items() if n < 0 and name in order), None)
            if parent is None and not set(change) & set(order):
                continue
            self._fed += [name for name in change if name not in order and name not in self._fed]
            places = [*order, *self._fed]
            law = reaction.propensity("jump", self._network)
            steps = {places.index(name): n for name, n in change.items()}
            if parent is None:
                found.append((-1, steps, law))
            else:
                found.append((order.index(parent), steps, for_each(law, parent)))
        return found

    def _flow(self, rates: list[tuple[int, dict[int, int], float]]) -> NDArray[np.float64]:
        """d mean / dt = flow mean + sources, of passing species, 1/d."""
        n = len(self._order)
        flow = np.zeros((n, n))
        for k, steps, rate in rates:
            for z, change in steps.items():
                if k >= 0 and z < n:
                    flow[z, k] += change * rate
        return flow

    def _spread(self, flow: NDArray[np.float64], rates: list[tuple[int, dict[int, int], float]]) -> NDArray[np.float64]:
        """Variances where sources stand still over what is taken: of passing species, of what comes to counted ones."""
        from scipy.linalg import solve_continuous_lyapunov

        n, m = len(self._order), len(self._order) + len(self._fed)
        source = np.zeros(n)
        for k, steps, rate in rates:
            for z, change in steps.items():
                if k < 0 and z < n:
                    source[z] += change * rate
        mean = np.linalg.solve(-flow, source)
        noise, drift = np.zeros((m, m)), np.zeros((m, n))
        for k, steps, rate in rates:
            fired = rate if k < 0 else rate * mean[k]
            for z, change in steps.items():
                if k >= 0:
                    drift[z, k] += change * rate
                for y, other in steps.items():
                    noise[z, y] += change * other * fired
        if not mean.max(initial=0.0) > 0.0:
            return np.ones(m)
        square = solve_continuous_lyapunov(flow, -noise[:n, :n])
        found = np.ones(m)
        some = mean > 1e-12 * mean.max()
        found[:n][some] = np.diag(square)[some] / mean[some]
        for y in range(n, m):
            shared = np.linalg.solve(-flow, square @ drift[y] + noise[:n, y])
            if noise[y, y] > 0.0:  # what comes at once by one event is a jump of as many
                found[y] = 1.0 + 2.0 * (drift[y] @ shared) / noise[y, y]
        return found
