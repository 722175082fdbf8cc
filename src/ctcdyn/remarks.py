"""What a reader of a result should know before its numbers: rates that went below zero, pools that are full.

An ODE goes on where a rate is negative: what it takes from flows back, and no cell does that. A pool that has reached
the capacity of its brake says nothing of metastases any more: its number is the figure that was put in.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ctcdyn.columns import semantics
from ctcdyn.model.expr import Call, Expr, Name, Number, evaluate, names, text, walk
from ctcdyn.scales import write_time
from ctcdyn.wording import plain

if TYPE_CHECKING:
    from ctcdyn.model.network import Network
    from ctcdyn.results import Results

LOOKED_AT = 64  # kept trajectories whose rates are computed again at the saved times: a tenth of a second
BELOW = 1e-9  # of the largest rate of a reaction: what is less negative is rounding
FULL = (0.95, 1.05)  # shares of a capacity between which a pool has filled it
TOLD = 3  # rates below zero that are told one by one
_SIGNED = ("-", "neg", "log", "sin", "cos")  # an expression without these is not negative where its names are not


def remarks(results: Results, network: Network, scaled: Collection[str] = ()) -> str:
    """Lines below a summary; empty where there is nothing to say. `scaled`: parameters that treatments change, whose
    values at a time no result holds."""
    found = _negative(results, network, scaled) if semantics(results) == "ode" else []
    return "\n".join(f"  {line}" for line in (*found, *_full(results, network, scaled)))


def _negative(results: Results, network: Network, scaled: Collection[str]) -> list[str]:
    """Rates of the kept trajectories that are negative at a saved time, each with the first such time."""
    count = min(LOOKED_AT, results.schema.kept)
    if "state" not in results or "params" not in results or count == 0:
        return []
    values: dict[str, Any] = {"t": results.time[None, :]}
    values |= _parameters(results, network, count)
    states = np.asarray(results.rows("state", 0, count), dtype=np.float64)
    values |= {s: np.maximum(states[:, :, c], 0.0) for c, s in enumerate(results.species)}
    moved = _followers(network, scaled)
    told: list[tuple[float, str]] = []
    for reaction in network.reactions:
        rate = reaction.propensity("ode", network)
        if names(rate) & moved or not any(isinstance(x, Call) and x.op in _SIGNED for x in walk(rate)):
            continue
        with np.errstate(all="ignore"):
            found = np.broadcast_to(evaluate(rate, values), states.shape[:2])
        below = found < -BELOW * np.nanmax(np.abs(found), initial=0.0)
        if below.any():
            k = int(np.argmax(below.any(axis=0)))
            row = int(np.argmax(below[:, k]))
            which = f"{int(below.any(axis=1).sum())} of {count} trajectories" if count > 1 else "the trajectory"
            when = f"day {results.time[k]:g}" if results.time[k] else "the start"
            line = f"{reaction.name}: {plain(float(found[row, k]))} /d, below 0 from {when} on in {which}"
            told.append((float(results.time[k]), line))
    if not told:
        return []
    lines = [line for _, line in sorted(told)]
    more = [f"and {len(lines) - TOLD} reactions more"] if len(lines) > TOLD else []
    head = "NEGATIVE RATES: an ODE runs such a reaction backwards; write max(..., 0), or its reverse as a reaction"
    return [head, *(f"  {line}" for line in (*lines[:TOLD], *more))]


def _full(results: Results, network: Network, scaled: Collection[str]) -> list[str]:
    """Sums of species that are at the capacity of their brake at the end, arm by arm."""
    brakes = {pair: None for reaction in network.reactions for pair in _brakes(reaction.k or reaction.rate, network)}
    known = {p: x for p, x in _parameters(results, network, LOOKED_AT).items() if p not in _followers(network, scaled)}
    end = write_time(float(results.time[-1])).split(" (")[0]
    end = f"on {end}" if end.startswith("day") else f"at {end}"
    lines = []
    for a, arm in enumerate(results.arm):
        if "mean" not in results or not int(results.n_valid[a, -1]):
            continue
        state = dict(zip(results.species, results.mean[a, -1].tolist(), strict=True))
        for pool, capacity in brakes:
            if capacity not in known or not names(pool) <= state.keys():
                continue
            limit = float(np.mean(known[capacity]))  # of patients who differ the mean
            share = float(evaluate(pool, state)) / limit if limit > 0 else 0.0
            if FULL[0] <= share <= FULL[1]:
                mine = f" ({arm})" if len(results.arm) > 1 else ""
                lines.append(
                    f"FULL{mine}: {_shown(pool, network)} is at {100 * share:.3g} % of {capacity} = {plain(limit)} "
                    f"{end}; from there on its number is this figure"
                )
    return lines


def _brakes(law: Expr | None, network: Network) -> list[tuple[Expr, str]]:
    """(sum of species, parameter) of each 1 - n / capacity and log(capacity / n) in a rate."""
    parameters, found = set(network.parameter_names), []
    for node in walk(law) if law is not None else ():
        inside: Expr | None = None
        if isinstance(node, Call) and node.op == "-" and node.args[0] == Number(1.0):
            inside = node.args[1]
        elif isinstance(node, Call) and node.op == "log":
            inside = node.args[0]
        for part in walk(inside) if inside is not None else ():
            if not (isinstance(part, Call) and part.op == "/"):
                continue
            for pool, capacity in (part.args, part.args[::-1]):
                counted = names(pool)
                if isinstance(capacity, Name) and capacity.id in parameters and counted <= set(network.species_names):
                    found += [(pool, capacity.id)] if counted else []
    return found


def _shown(pool: Expr, network: Network) -> str:
    """A sum by the name of its group."""
    inside = names(pool)
    groups = {x.group or x.name for x in network.species if x.name in inside}
    return groups.pop() if len(groups) == 1 else text(pool)


def _parameters(results: Results, network: Network, count: int) -> dict[str, NDArray[np.float64]]:
    """Values of the parameters in the first trajectories, (count, 1) each; derived ones follow."""
    values = {p.name: np.full((1, 1), p.value) for p in network.parameters}
    if "params" in results:
        rows = np.asarray(results.rows("params", 0, count), dtype=np.float64)
        values |= {p: rows[:, k, None] for k, p in enumerate(results.parameter) if p in values}
    for q in network.derived_order():
        item = network.parameters[q]
        if item.expr is not None and item.name not in results.parameter:
            values[item.name] = np.asarray(evaluate(item.expr, values), dtype=np.float64)
    return values


def _followers(network: Network, scaled: Collection[str]) -> set[str]:
    """The parameters that are scaled, and those derived from them."""
    found = set(scaled)
    for q in network.derived_order():
        item = network.parameters[q]
        if item.expr is not None and names(item.expr) & found:
            found.add(item.name)
    return found
