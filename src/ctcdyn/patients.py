"""The numbers of each trajectory: drawn by patient, the same in all its arms, and the treatments that an arm gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ctcdyn.codegen.layout import extra_values, given_column
from ctcdyn.codegen.leaves import leaf_functions
from ctcdyn.designs import latin_hypercube, sobol, within
from ctcdyn.model.cohort import Cohort
from ctcdyn.model.expr import evaluate
from ctcdyn.model.network import Network
from ctcdyn.model.quantiles import Draw, quantile
from ctcdyn.points import swept

_ENDS = (-8.3, 8.3)  # of a standard normal: nearer to 0 than model.quantiles.FARTHEST


def drawn_rows(seed: int, cohort: Cohort, patients: NDArray[np.int64]) -> NDArray[np.float64]:
    """Values of consecutive patients for `cohort.varied`, (n, D) in base units.

    Every point of a sweep has the same patients: `patients` counts on from point to point.
    """
    if cohort.sweep is None:
        return _of_patients(seed, cohort, patients)
    point, patient = np.divmod(patients, cohort.patients)
    parts = [swept(cohort.sweep, seed, np.arange(point[0], point[-1] + 1))[point - point[0]]]
    if cohort.draws or cohort.columns:
        spans = np.split(patient, np.flatnonzero(np.diff(patient) != 1) + 1)
        known = {(int(s[0]), len(s)): s for s in spans}  # whole points are all the same
        made = {key: _of_patients(seed, cohort, span) for key, span in known.items()}
        parts.insert(0, np.concatenate([made[int(s[0]), len(s)] for s in spans]))
    return np.concatenate(parts, axis=1)


def _of_patients(seed: int, cohort: Cohort, patients: NDArray[np.int64]) -> NDArray[np.float64]:
    """Values of consecutive patients: drawn, then those of the table, (n, D)."""
    parts = []
    if cohort.draws:
        uniforms = np.empty((len(patients), len(cohort.draws)))
        leaf_functions().draw_uniforms(
            np.uint64(seed).astype(np.int64), int(patients[0]), leaf_functions().DRAWS, uniforms
        )
        if cohort.design == "latin_hypercube":
            uniforms = latin_hypercube(seed, patients, cohort.patients, uniforms)
        elif cohort.design == "sobol":
            uniforms = within(sobol(patients, len(cohort.draws), seed))
        parts.append(shaped(uniforms, cohort.draws, cohort.factor))
    if cohort.columns:
        parts.append(cohort.table[patients % len(cohort.table)])
    return np.concatenate(parts, axis=1)


def shaped(
    uniforms: NDArray[np.float64], draws: Sequence[Draw], factor: Sequence[Sequence[float]] = ()
) -> NDArray[np.float64]:
    """Uniforms (n, D) as values of these distributions, by inversion.

    `factor`: rows of the Cholesky factor of the correlations of the normals behind them (a Gaussian copula).
    """
    if not factor:
        return np.stack([quantile(draw, u) for u, draw in zip(uniforms.T, draws, strict=True)], axis=1)
    from scipy.special import ndtr, ndtri

    normals, columns = ndtri(uniforms.T), []
    for row, u, draw in zip(factor, uniforms.T, draws, strict=True):
        if not any(row[:-1]):
            columns.append(quantile(draw, u))
            continue
        z = row[0] * normals[0]
        for share, other in zip(row[1:], normals[1:], strict=False):  # a product of matrices sums in any order
            z = z + share * other
        z = np.clip(z, *_ENDS)
        columns.append(quantile(draw, within(ndtr(z)), z))
    return np.stack(columns, axis=1)


def value_rows(
    network: Network,
    seed: int,
    cohort: Cohort,
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
    if not cohort.varied and arms == 1:
        return np.ascontiguousarray(base[None, :])
    rows = np.repeat(base[None, :], count, axis=0)
    ids = np.arange(first, first + count)
    if given is not None and arms > 1:
        rows[:, masks(network, extra)] = given[ids % arms]
    if cohort.varied:
        of = ids // (replicates * arms)
        drawn = drawn_rows(seed, cohort, np.arange(of[0], of[-1] + 1))
        rows[:, cohort.varied] = drawn[of - of[0]]
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
