"""Importance sampling by fates: what a cell does next is drawn from another law, and the path carries the ratio.

The reactions that take one cell of a species x are its *fates*, each with a rate k_r for each cell. Of these, reaction
r is drawn theta_r times as often as it happens, and all others c times, c = 1 - sum((theta_r - 1) k_r) / (sum of the
rates of the others), so that the sum of the rates is what it was. Then the time that a cell stays is untouched, and of
the ratio of two laws of a path, prod(k_r / k_r')**N_r exp(integral of (total' - total) x dt), the integral is gone:

    w = prod over the fates (1 / factor_r)**N_r,    factor_r = theta_r or c,

where N_r counts the firings of reaction r up to now. E'[w f(path)] = E[f(path)] for every f of the path up to then
(P. W. Glynn and D. L. Iglehart 1989, doi:10.1287/mnsc.35.11.1367; of reactions: H. Kuwahara and I. Mura 2008,
doi:10.1063/1.2987701, who choose anew among all reactions at each event; among the fates of a cell the ratio holds for
methods that draw many cells at once). Every factor is a parameter of the network made here, so that it may differ from
patient to patient, and changing theta compiles nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ctcdyn.errors import Place, Problem
from ctcdyn.model.expr import Call, Expr, Name, Number, evaluate, names
from ctcdyn.model.network import Network, Observable, Parameter, Reaction, Tilt, unknown_name
from ctcdyn.units import DIMENSIONLESS

SOURCE = "importance sampling, docs/solvers.md#rare-events"
SEMANTICS = ("jump", "mixed", "hybrid")  # those in which cells are counted
# Methods of these semantics whose numbers of firings have another law than that of their rates: parts of an implicit
# leap are solved for, and the ratio is not the power of what fired
OTHER_LAW = ("implicit_tau",)
MOST_CELLS = 2.0**53
# Factors by which scaled parameters are tried: a share that moves with none of them stays what it is
_TRIES = (0.37, 1.61, 2.89)


def read_tilted(
    network: Network, factors: Mapping[str, float], places: Mapping[str, Place] | None = None
) -> tuple[Network, list[Problem]]:
    """The network whose fates are drawn `factors` times as often, by the names of their reactions; all problems.

    Whether something is left to the others depends on numbers: `share_problems`. With problems the network is the one
    that was given. The reactions drawn and those left over get a counter each (`NAME__fired`, an observable), the
    factors are parameters: `NAME__tilt`, and `SPECIES__rest` of the others.
    """
    if not factors:
        return network, []
    problems: list[Problem] = []
    by_name = {reaction.name: r for r, reaction in enumerate(network.reactions)}
    chosen: dict[int, list[int]] = {}
    for name, factor in factors.items():
        told = _refuse(network, name, factor, by_name)
        if told is None:
            chosen.setdefault(network.reactions[by_name[name]].reactants[0][0], []).append(by_name[name])
        else:
            problems.append(_placed(told, name, places))
    parameters, reactions = list(network.parameters), list(network.reactions)
    counters: list[Observable] = []
    tilts: list[Tilt] = []
    moving = _moving(network)
    for s, drawn in sorted(chosen.items()):
        drawn.sort()
        rest = [r for r, x in enumerate(network.reactions) if _is_fate(x, s) and r not in drawn]
        fault = _share_problem(network, s, drawn, rest, factors, moving)
        if fault is not None:
            problems.append(_placed(fault, network.reactions[drawn[0]].name, places))
            continue
        first = len(parameters)
        parameters += [_factor(f"{network.reactions[r].name}__tilt", factors[network.reactions[r].name]) for r in drawn]
        share = _share(network, drawn, rest)
        values = {p.name: p.value for p in parameters}
        parameters.append(_factor(f"{network.species[s].name}__rest", float(evaluate(share, values)), share))
        tilts.append(Tilt(s, tuple(zip(drawn, range(first, len(parameters)))), tuple(rest), len(parameters) - 1))
        for r, q in tilts[-1].factors:
            k = reactions[r].k
            assert k is not None
            reactions[r] = replace(reactions[r], k=Call("*", (k, Name(parameters[q].name))))
            doc = f'firings of "{reactions[r].name}" as it is drawn'
            options = {"reaction": reactions[r].name}
            counters.append(Observable(counter_of(reactions[r]), None, "flux", options, "1", doc, realised="counter"))
    if problems:
        return network, problems
    return replace(
        network, parameters=tuple(parameters), reactions=tuple(reactions), tilts=tuple(tilts),
        observables=(*network.observables, *counters),
    ), []  # fmt: skip


def share_problems(
    network: Network, parameters: NDArray[np.float64], places: Mapping[str, Place] | None = None
) -> list[Problem]:
    """Fates that are drawn so often that nothing is left to the others, in any row of parameters (n, P), derived ones
    included."""
    problems = []
    for tilt in network.tilts:
        shares = parameters[:, tilt.share]
        bad = np.flatnonzero(~(shares > 0.0))
        if not len(bad):
            continue
        r, q = tilt.drawn[0]
        row = int(bad[np.argmin(np.nan_to_num(shares[bad], nan=0.0))])
        factor, share = float(parameters[row, q]), float(shares[row])
        most = 1.0 + (factor - 1.0) / (1.0 - share)
        name = network.reactions[r].name
        fix = f"draw {name} less than {most:.3g} times as often; a fifth of that is plenty"
        fix += " (and others in proportion)" if len(tilt.drawn) > 1 else ""
        if not math.isfinite(share):
            fix = "draw a fate more often only where another one has a rate above zero"
        drawn = " and ".join(network.reactions[r].name for r, _ in tilt.drawn)
        what = f"{drawn}: drawn so often, nothing is left to the other fates of {network.species[tilt.species].name}"
        what += f" (their rates times {share:.3g})"
        what += f" in {len(bad)} of {len(shares)} trajectories" if len(shares) > 1 else ""
        problem = Problem("C120", what, key=f"importance.{name}", fix=fix)
        problems.append(_placed(problem, name, places))
    return problems


def counter_of(reaction: Reaction) -> str:
    """The observable that counts the firings of a reaction with another law; modellers write no double underscore."""
    return f"{reaction.name}__fired"


def method_problems(
    network: Network, method: str, semantics: str, switch_up: float, place: Place | None = None
) -> list[Problem]:
    """What stands against fates of another law, which a study has asked for, in a method of these semantics."""
    key, fix = "simulate.method", "take direct, next_reaction, first_order_leap or tau_leap"
    if method in ("auto", "ode", *OTHER_LAW) or semantics not in SEMANTICS:
        what = f'[importance] needs a method that draws what each cell does, and "{method}" does not'
        if method == "auto":
            what = '[importance] needs a method by its name: "auto" may take one that draws nothing'
        return [Problem("C107", what, place, key=key, fix=fix)]
    if semantics == "hybrid" and switch_up < MOST_CELLS:
        what = f"[importance] with hybrid: a species above switch_up = {switch_up:g} is no longer drawn cell by cell"
        why = "its firings are then an integral, and the ratio of the two laws is not their power"
        more = f"write hybrid = {{ switch_up = 1e16 }}, so that only pinned species are continuous, or {fix}"
        return [Problem("C107", what, place, key="simulate.hybrid.switch_up", fix=more, why=why)]
    problems = []
    for tilt in network.tilts if semantics == "mixed" else ():
        name = network.species[tilt.species].name
        fates = [x for x in network.reactions if _is_fate(x, tilt.species)]
        births = [x for x in fates if dict(x.products).get(tilt.species, 0) > 1]
        if births:
            what = f'"{births[0].name}" divides {name}: with its firings counted, {method} has no closed law of a line'
            more = f"draw a fate of cells that do not divide more often, those that found {name}; or take direct"
            problems.append(Problem("C120", what, place, key="importance", fix=more))
    return problems


def _refuse(network: Network, name: str, factor: float, by_name: Mapping[str, int]) -> Problem | None:
    """Why a reaction cannot be drawn so many times as often, by itself."""
    key = f"importance.{name}"
    if name not in by_name:
        return unknown_name("reaction", name, by_name, key=key)
    if not 0.0 < factor < math.inf:
        return Problem("C105", f"{key} = {factor!r}", key=key, fix="write how many times as often it is drawn: above 0")
    reaction = network.reactions[by_name[name]]
    fix = "name a reaction that takes one cell and has a k: what becomes of a cell in tissue, asleep, ..."
    taken = sum(count for _, count in reaction.reactants)
    if taken != 1:
        takes = "no cell" if taken == 0 else f"{taken} cells"
        what = f'"{name}" takes {takes} ("{reaction.equation}"): it is no fate of a single cell'
        why = "only among the fates of one cell can chance be moved from one to another, the sum staying what it is"
        return Problem("C120", what, key=key, fix=fix, why=why)
    if reaction.k is None:
        return Problem("C120", f'"{name}" has a rate as a whole, and no k for each cell', key=key, fix=fix)
    species = network.species[reaction.reactants[0][0]]
    if species.continuous:
        what = f'"{name}" is a fate of {species.name}, which is pinned (continuous): nothing about it is drawn'
        return Problem("C120", what, key=key, fix=fix)
    return None


def _is_fate(reaction: Reaction, s: int) -> bool:
    """Whether a reaction is something that a single cell of species s does, at a rate for each cell."""
    return reaction.k is not None and reaction.reactants == ((s, 1),)


def _share_problem(
    network: Network, s: int, drawn: Sequence[int], rest: Sequence[int], factors: Mapping[str, float],
    moving: frozenset[str],
) -> Problem | None:  # fmt: skip
    """Why the others of the same cell cannot give what the drawn ones take."""
    x, key = network.species[s].name, f"importance.{network.reactions[drawn[0]].name}"
    if not rest:
        what = f"{x} has no other fate with a k that could be drawn less often"
        return Problem("C120", what, key=key, fix="a cell must have something else to do: its death, its sleep")
    used = {name for r in (*drawn, *rest) for name in _leaves(network, network.reactions[r].k)}
    changing = sorted(used & moving)
    own = {p.name: p.value for p in network.parameters}
    own |= {f"{network.reactions[r].name}__tilt": factors[network.reactions[r].name] for r in drawn}
    share = _share(network, drawn, rest)
    scaled = {network.parameters[q].name for treatment in network.treatments for q, _ in treatment.scale}
    if changing and not (set(changing) <= scaled and _stays(network, share, own, changing)):
        what = f"the fates of {x} change along a path with {changing[0]}, and so would the share of the others"
        why = "the ratio of the two laws is a power of the firings only where the factors stand still"
        return Problem("C120", what, key=key, fix="draw a fate more often whose rates stand still", why=why)
    return None


def _share(network: Network, drawn: Iterable[int], rest: Iterable[int]) -> Expr:
    """c, in names of parameters: one minus what the drawn ones take more, of what the others have."""
    more: Expr | None = None
    for r in drawn:
        tilt = Call("-", (Name(f"{network.reactions[r].name}__tilt"), Number(1.0)))
        part: Expr = Call("*", (tilt, _k(network, r)))
        more = part if more is None else Call("+", (more, part))
    left: Expr | None = None
    for r in rest:
        left = _k(network, r) if left is None else Call("+", (left, _k(network, r)))
    assert more is not None
    assert left is not None
    return Call("-", (Number(1.0), Call("/", (more, left))))


def _k(network: Network, r: int) -> Expr:
    k = network.reactions[r].k
    assert k is not None
    return k


def _leaves(network: Network, e: Expr | None) -> frozenset[str]:
    """Names that an expression depends on, those behind derived parameters too."""
    derived = {p.name: p.expr for p in network.parameters if p.expr is not None}
    found: set[str] = set()
    queue = list(names(e)) if e is not None else []
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue += names(derived[name]) if name in derived else ()
    return frozenset(found)


def _moving(network: Network) -> frozenset[str]:
    """Names that may change along a path: time, species, and what treatments scale."""
    scaled = {network.parameters[q].name for treatment in network.treatments for q, _ in treatment.scale}
    return frozenset({"t", *network.species_names, *scaled})


def _stays(network: Network, share: Expr, own: Mapping[str, float], scaled: Sequence[str]) -> bool:
    """Whether the share is the same, to rounding, when each of the scaled parameters is another number."""
    before = float(evaluate(share, own))
    for shift in range(len(_TRIES)):
        values = dict(own)
        for k, name in enumerate(scaled):
            values[name] = own[name] * _TRIES[(shift + k) % len(_TRIES)]
        for q in network.derived_order():
            item = network.parameters[q]
            assert item.expr is not None
            scale = values[item.name] / own[item.name] if item.name in scaled and own[item.name] else 1.0
            values[item.name] = float(evaluate(item.expr, values)) * scale
        if not math.isclose(float(evaluate(share, values)), before, rel_tol=1e-12):
            return False
    return True


def _factor(name: str, value: float, expr: Expr | None = None) -> Parameter:
    """A factor of a rate as a parameter."""
    doc = "how many times as often it is drawn" if expr is None else "share of its rate that each other fate keeps"
    return Parameter(name, value, "1", DIMENSIONLESS, None, SOURCE, doc, expr=expr)


def _placed(problem: Problem, name: str, places: Mapping[str, Place] | None) -> Problem:
    """With the place of the reaction's line in the study."""
    return replace(problem.at(places.get(name) if places else None), word=problem.word or name)
