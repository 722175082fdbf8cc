"""The patients of a study: what is drawn for each, what a table says, and how draws hang together.

A species whose start differs between patients has it from a parameter of its own, `initial_NAME`, which the study adds
to the model: so the value is stored with the others, and methods see an initial value that is an expression.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ctcdyn.config import Column, Study
from ctcdyn.model.definitions import in_base
from ctcdyn.model.drawing import read_draw
from ctcdyn.model.expr import Name
from ctcdyn.model.network import Network, Parameter, derived_is_fixed, first_of_group, unknown_name
from ctcdyn.model.quantiles import Draw
from ctcdyn.model.reader import Reader
from ctcdyn.model.sweeping import Sweep, read_sweep
from ctcdyn.units import Unit, UnitError, parse_unit

LARGEST = 2.0**53  # of a count
NOT_DEFINITE = 1e-9  # what is left of a variance when those before it are known; less is rounding


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """How patients differ, in base units and by columns of parameters.

    `factor`: row k of the Cholesky factor of the normals behind the draws, empty where all are independent. `table`
    (rows, columns): patient i has row i modulo the number of rows.
    """

    draws: tuple[Draw, ...] = ()  # in order of parameters
    design: str = "random"
    patients: int = 1
    factor: tuple[tuple[float, ...], ...] = ()
    columns: tuple[int, ...] = ()  # parameters that the table gives
    table: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    sweep: Sweep | None = None  # points, each with all these patients

    @property
    def varied(self) -> tuple[int, ...]:
        """Parameters in which patients differ: drawn, then of the table, then swept."""
        axes = self.sweep.axes if self.sweep is not None else ()
        return (*(draw.parameter for draw in self.draws), *self.columns, *(axis.parameter for axis in axes))


def read_cohort(reader: Reader, study: Study, network: Network) -> tuple[Network, Cohort]:
    """The patients of a study, and the network with a parameter for each start that differs; faults are noted."""
    population = study.population
    wanted: dict[str, tuple[str, ...]] = (
        {name: ("sweep", "range", name) for name in study.sweep.range} if study.sweep else {}
    )
    if population is not None:
        wanted |= dict.fromkeys(population.table, ("population", "table"))
        wanted |= {name: ("population", "draw", name) for name in population.draw}
    network, starts = with_starts(reader, network, wanted)
    sweep = read_sweep(reader, study, network, starts)
    if population is None:
        return network, Cohort(sweep=sweep)
    draws = []
    for name, distribution in population.draw.items():
        draw = read_draw(reader, ("population", "draw", name), distribution, network, starts)
        if draw is not None:
            draws.append(draw)
    draws.sort(key=lambda draw: draw.parameter)
    columns = {}
    for name, column in population.table.items():
        read = _column(reader, name, column, network, starts)
        if read is not None:
            columns[read[0]] = read[1]
    order = tuple(sorted(columns))
    table = np.column_stack([columns[q] for q in order]) if order else np.empty((0, 0))
    factor = _factor(reader, study, network, starts, draws)
    return network, Cohort(tuple(draws), population.design, population.patients, factor, order, table, sweep)


def with_starts(
    reader: Reader, network: Network, wanted: Mapping[str, tuple[str, ...]]
) -> tuple[Network, dict[str, str]]:
    """The network with a parameter `initial_NAME` for the start of each species among `wanted`; name -> parameter.

    `wanted`: name -> the key that asks for it. A group stands for its first species, where new cells go.
    """
    names = {name: first_of_group(name, network) for name in wanted}
    chosen = {name: species for name, species in names.items() if species in network.species_names}
    start = dict(zip(network.species_names, network.initial_values().tolist(), strict=True))
    species, parameters = list(network.species), list(network.parameters)
    found: dict[str, str] = {}
    for name, kind in sorted(chosen.items(), key=lambda item: network.index(item[1])):
        title = f"initial_{kind}"
        if title in network.parameter_names or title in network.species_names or kind in found.values():
            what = f"the start of {kind} would be the parameter {title}, and the model has one already"
            reader.note("C107", what, wanted[name], f"name {title}, or rename it in the model")
            continue
        of = species[network.index(kind)]
        bounds = (0.0, LARGEST)
        parameters.append(
            Parameter(
                title, start[kind], of.unit, of.dimension, bounds, "set by the study", declared=of.declared
            )
        )
        species[network.index(kind)] = replace(of, initial=Name(title))
        found[name] = title
    return replace(network, species=tuple(species), parameters=tuple(parameters)), found


def _column(
    reader: Reader, name: str, column: Column, network: Network, starts: Mapping[str, str]
) -> tuple[int, NDArray[np.float64]] | None:
    """Parameter and values of a column of the table, in base units."""
    path = ("population", "table")
    by_name = {item.name: item for item in network.parameters}
    item = by_name.get(starts.get(name, name))
    place = reader.document.place(*path, name)
    if item is None:
        known = (*network.parameter_names, *network.species_names)
        problem = unknown_name("column", name, known, place, "population.table")
        fix = f"{problem.fix}; a column that is not meant for the model is named in ignore = [...]"
        reader.problems.append(replace(problem, fix=fix))
        return None
    if item.expr is not None:
        reader.problems.append(derived_is_fixed(item, by_name, place, "population.table"))
        return None
    unit: Unit | None = None
    if column.unit is not None:
        try:
            unit = parse_unit(column.unit)
        except UnitError as error:
            reader.adopt(error, path, f"the model has {name} in {item.declared}")
            return None
    one = in_base(reader, path, (1.0, unit), item)
    if one is None:
        return None
    values = one * np.array(column.values)
    low, high = item.bounds or (-math.inf, math.inf)
    outside = np.flatnonzero((values < low) | (values > high))
    if len(outside):
        first = int(outside[0])
        what = (
            f"{name} of patient {first} of the table, {values[first]:g} {item.unit}, lies outside its bounds "
            f"{low:g} to {high:g}" + (f", as {len(outside) - 1} others do" if len(outside) > 1 else "")
        )
        reader.note("M306", what, path, "change the table, or widen the bounds in the model")
        return None
    return network.index(item.name), values


def _factor(
    reader: Reader, study: Study, network: Network, starts: Mapping[str, str], draws: Sequence[Draw]
) -> tuple[tuple[float, ...], ...]:
    """Cholesky factor of the correlations of the draws; empty where there are none, or they cannot be."""
    population = study.population
    if population is None or not population.correlation:
        return ()
    path, place_of = ("population", "correlation"), {draw.parameter: k for k, draw in enumerate(draws)}
    matrix = np.eye(len(draws))
    for number, one in enumerate(population.correlation):
        for name in one.between:
            if name not in population.draw:
                place = reader.document.place(*path, number, "between")
                problem = unknown_name(
                    "drawn parameter", name, population.draw, place, "population.correlation"
                )
                reader.problems.append(replace(problem, code="C124"))
        for (a, b), rho in one.pairs.items():
            i, j = (
                place_of.get(network.index(starts.get(name, name)), -1) if name in population.draw else -1
                for name in (a, b)
            )
            if i >= 0 and j >= 0:
                matrix[i, j] = matrix[j, i] = rho
    factor = cholesky(matrix)
    if factor is None:
        least = float(np.linalg.eigvalsh(matrix)[0])
        share = math.floor(1000.0 / (1.0 - least)) / 1000.0
        what = f"no patients can have these correlations together: the least eigenvalue of their matrix is {least:.3g}"
        fix = f"weaken them: all of them times {share:g} or less is possible"
        reader.note("C124", what, path, fix, word="correlation")
        return ()
    return factor


def cholesky(matrix: NDArray[np.float64]) -> tuple[tuple[float, ...], ...] | None:
    """Lower triangular L of a correlation matrix L L', by rows; None where it is not positive definite.

    Sums are made in order of index, so that the same numbers come from every library of linear algebra.
    """
    rows: list[tuple[float, ...]] = []
    for i, given in enumerate(matrix.tolist()):
        row: list[float] = []
        for j in range(i):
            rest = given[j] - sum(x * y for x, y in zip(row, rows[j], strict=False))
            row.append(rest / rows[j][j])
        left = given[i] - sum(x * x for x in row)
        if left < NOT_DEFINITE:
            return None
        rows.append((*row, math.sqrt(left)))
    return tuple(rows)
