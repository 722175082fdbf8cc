"""The numbers of each trajectory: drawn by patient, the same in all its arms, and the treatments that an arm gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ctcdyn.codegen.layout import extra_values, given_column
from ctcdyn.codegen.leaves import leaf_functions
from ctcdyn.model.expr import evaluate
from ctcdyn.model.network import Network


class Drawn(Protocol):
    """How one parameter differs between patients (ctcdyn.model.resolve.Draw)."""

    @property
    def parameter(self) -> int: ...
    @property
    def dist(self) -> str: ...
    @property
    def a(self) -> float: ...
    @property
    def b(self) -> float: ...


def draw_values(seed: int, draws: Sequence[Drawn], patients: NDArray[np.int64]) -> NDArray[np.float64]:
    """Drawn parameters of consecutive patients, (n, D) in base units, by inversion of addressed uniforms."""
    uniforms = np.empty((len(patients), len(draws)))
    leaf_functions().draw_uniforms(
        np.uint64(seed).astype(np.int64), int(patients[0]), leaf_functions().DRAWS, uniforms
    )
    return shaped(uniforms, draws)


def shaped(uniforms: NDArray[np.float64], draws: Sequence[Drawn]) -> NDArray[np.float64]:
    """Uniforms (n, D) as values of these distributions, by inversion."""
    columns = []
    for column, draw in zip(uniforms.T, draws, strict=True):
        if draw.dist in ("normal", "lognormal"):
            from scipy.special import ndtri

            x = draw.a + draw.b * ndtri(column)
        else:
            x = draw.a + (draw.b - draw.a) * column
        columns.append(np.exp(x) if draw.dist.startswith("log") else x)
    return np.stack(columns, axis=1)


def value_rows(
    network: Network,
    seed: int,
    draws: Sequence[Drawn],
    given: NDArray[np.bool_] | None,
    arms: int,
    replicates: int,
    first: int,
    count: int,
) -> NDArray[np.float64]:
    """The kernel's parameter columns of trajectories `first` on: one row for all, or one for each.

    `given` (arms, treatments): which treatments an arm gives; None: all. An arm changes these columns alone.
    """
    extra = extra_values(network)
    base = np.concatenate([network.parameter_values(), list(extra.values())])
    if given is not None and arms == 1:
        base[masks(network, extra)] = given[0]
    if not draws and arms == 1:
        return np.ascontiguousarray(base[None, :])
    rows = np.repeat(base[None, :], count, axis=0)
    ids = np.arange(first, first + count)
    if given is not None and arms > 1:
        rows[:, masks(network, extra)] = given[ids % arms]
    if draws:
        of = ids // (replicates * arms)
        drawn = draw_values(seed, draws, np.arange(of[0], of[-1] + 1))
        rows[:, [draw.parameter for draw in draws]] = drawn[of - of[0]]
    return rows


def masks(network: Network, extra: dict[str, float]) -> list[int]:
    """Columns that say whether a treatment is given, in order of treatments."""
    names = list(extra)
    return [len(network.parameters) + names.index(given_column(x)) for x in network.treatments]


def shown_parameters(network: Network, values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Parameters in force at the start, (count, P), derived ones included."""
    shown = values[:, : len(network.parameters)]
    order = network.derived_order()
    if order:
        shown = shown.copy()
        named = {p.name: shown[:, q] for q, p in enumerate(network.parameters)}
        for q in order:
            expression = network.parameters[q].expr
            assert expression is not None
            shown[:, q] = evaluate(expression, named)
    return shown if len(shown) == count else np.broadcast_to(shown, (count, shown.shape[1]))
