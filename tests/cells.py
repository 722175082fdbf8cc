"""One cell in a composed model, without a kernel: how often each of its fates happens, and how long it lives where.

While nothing but the cell itself changes (few cells beside tumour, NK cells, platelets), its stays are exponential and
its ways a Markov chain. With v the expected visits of each species, e the beginning and P the expected numbers of each
species that a visit leaves behind, v = e + v P. A cluster that falls apart leaves several cells behind: v counts all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ctcdyn.model.expr import evaluate
from ctcdyn.model.load import load_model
from ctcdyn.model.network import Network
from ctcdyn.places import toml_value

HEAD = 'schema = 1\nname = "composed"\ntime_unit = "day"\n'
WAY = ("blood", "cluster", "arrested", "arrested_cluster", "tissue")  # stages that a cell passes through


def composed(text: str = "", off: tuple[str, ...] = (), **mechanisms: Any) -> Network:
    """A model of mechanisms (name = True, or settings), beside tables of a text of its own; `off`: those that a study
    switches off again.
    """
    lines = [f"{name} = {toml_value(value)}" for name, value in mechanisms.items()]
    return _loaded(f"{HEAD}[mechanisms]\n" + "\n".join(lines) + f"\n{text}", off)


@cache
def _loaded(text: str, off: tuple[str, ...]) -> Network:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "composed.model.toml"
        file.write_text(text, encoding="utf-8")
        return load_model(file, dict.fromkeys(off, False))


def environment(
    net: Network, state: Mapping[str, float] | None = None, parameters: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Values of all names: parameters, species (0, or of `state`) and t = 0 unless `state` has it."""
    changed = net.with_values(parameters or {})
    values: dict[str, Any] = dict(zip(changed.parameter_names, changed.parameter_values().tolist(), strict=True))
    return values | dict.fromkeys(net.species_names, 0.0) | {"t": 0.0} | dict(state or {})


def rates(net: Network, values: Mapping[str, Any]) -> dict[str, float]:
    """Coefficient of every reaction for one cell (k), or its whole rate where it has one."""
    return {r.name: float(evaluate(r.k if r.k is not None else r.rate, values)) for r in net.reactions}  # type: ignore[arg-type]


@dataclass(frozen=True)
class Course:
    """What to expect of the cells that began: firings of reactions, ends by fate, days spent in each species."""

    firings: dict[str, float]
    fates: dict[str, float]
    days: dict[str, float]

    def fate(self, *names: str) -> float:
        return sum(self.fates.get(name, 0.0) for name in names)


def course(
    net: Network,
    start: str | Mapping[str, float],
    state: Mapping[str, float] | None = None,
    parameters: Mapping[str, float] | None = None,
    stages: Iterable[str] = WAY,
) -> Course:
    """The course of one cell (or of the numbers in `start`) through species of `stages`; others end it."""
    k = rates(net, environment(net, state, parameters))
    way = [s for s, item in enumerate(net.species) if item.stage in tuple(stages)]
    row = {s: n for n, s in enumerate(way)}
    own = [(r, row[r.reactants[0][0]]) for r in net.reactions if len(r.reactants) == 1 and r.reactants[0][0] in row]
    total = np.zeros(len(way))
    for r, n in own:
        total[n] += k[r.name]
    left = np.zeros((len(way), len(way)))
    for r, n in own:
        for s, count in r.products:
            if s in row and k[r.name]:
                left[n, row[s]] += count * k[r.name] / total[n]
    begun = np.zeros(len(way))
    for name, count in ({start: 1.0} if isinstance(start, str) else dict(start)).items():
        begun[row[net.species_names.index(name)]] = count
    visits = np.linalg.solve((np.eye(len(way)) - left).T, begun)
    lives = np.divide(visits, total, out=np.zeros_like(visits), where=total > 0)
    firings = {r.name: float(lives[n] * k[r.name]) for r, n in own}
    fates: dict[str, float] = {}
    for r, _ in own:
        if r.fate:
            fates[r.fate] = fates.get(r.fate, 0.0) + firings[r.name]
    return Course(firings, fates, {net.species_names[s]: float(lives[row[s]]) for s in way})


def shed(
    net: Network, state: Mapping[str, float], parameters: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Species per day that a tumour of `state` sheds: the beginning of `course`, times a rate."""
    values = environment(net, state, parameters)
    found: dict[str, float] = {}
    for r in net.reactions:
        if r.fate == "shed":
            rate = float(evaluate(r.propensity("ode", net), values))
            for s, count in r.change:
                name = net.species_names[s]
                found[name] = found.get(name, 0.0) + count * rate
    return found


def share(found: Mapping[str, float]) -> dict[str, float]:
    """Parts of 1."""
    whole = sum(found.values())
    return {name: value / whole for name, value in found.items()}


def same(one: Network, other: Network) -> bool:
    """Whether two models have the same species, reactions and rates, in any order."""

    def told(net: Network) -> tuple[Any, ...]:
        species = {(s.name, str(s.initial), s.stage, s.group, s.cells) for s in net.species}
        reactions = {(r.name, r.equation, str(r.k), str(r.rate), r.fate) for r in net.reactions}
        values = {(p.name, p.value, str(p.expr)) for p in net.parameters}
        return species, reactions, values

    return told(one) == told(other)
