"""[sweep] meets a model: the ranges of a study in base units, within the model's bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ctcdyn.config import Span, Study
from ctcdyn.model.definitions import in_base
from ctcdyn.model.network import Network, Parameter, derived_is_fixed, unknown_name
from ctcdyn.model.reader import Reader
from ctcdyn.places import KeyPath

LEVELS = (
    4  # of a Morris design, where the study does not say (Morris 1991, doi:10.1080/00401706.1991.10484804)
)


@dataclass(frozen=True, slots=True)
class Axis:
    """What one parameter goes through, in base units: `values`, or from low to high, in ratios where `log`."""

    parameter: int
    values: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False


@dataclass(frozen=True, slots=True)
class Sweep:
    """The points of a study: a design (`config.sweeps`) over axes in order of parameters."""

    design: str
    axes: tuple[Axis, ...]
    count: int
    base: int = 1
    levels: int = LEVELS
    scramble: bool = True


def read_sweep(reader: Reader, study: Study, network: Network, starts: Mapping[str, str]) -> Sweep | None:
    """The sweep of a study; `starts`: species -> the parameter that its start is. What is wrong is noted."""
    if study.sweep is None:
        return None
    sweep, population = study.sweep, study.population
    drawn = {*population.draw, *population.table} if population is not None else set()
    axes = []
    for name, span in sweep.range.items():
        path: KeyPath = ("sweep", "range", name)
        if name in drawn:
            what = f"{name} is swept, and patients differ in it"
            reader.note("C107", what, path, "remove it from [sweep.range] or from [population]")
            continue
        axis = _axis(reader, path, name, span, network, starts)
        if axis is not None:
            axes.append(axis)
    if len(axes) < len(sweep.range):
        return None
    axes.sort(key=lambda axis: axis.parameter)
    return Sweep(
        sweep.design,
        tuple(axes),
        sweep.count,
        sweep.base or 1,
        sweep.levels or LEVELS,
        sweep.scramble is not False,
    )


def _axis(
    reader: Reader, path: KeyPath, name: str, span: Span, network: Network, starts: Mapping[str, str]
) -> Axis | None:
    by_name = {item.name: item for item in network.parameters}
    item, place, shown = (
        by_name.get(starts.get(name, name)),
        reader.document.place(*path),
        ".".join(map(str, path)),
    )
    if item is None:
        known = (*network.parameter_names, *network.species_names)
        reader.problems.append(unknown_name("parameter", name, known, place, shown))
        return None
    if item.expr is not None:
        reader.problems.append(derived_is_fixed(item, by_name, place, shown))
        return None
    keys: list[KeyPath] = [(*path, "low"), (*path, "high")]
    if span.values is not None:
        keys = [(*path, "values", k) for k in range(len(span.values))]
    found = [_value(reader, key, item) for key in keys]
    if None in found:
        return None
    values, q = [x for x in found if x is not None], network.index(item.name)
    low, high = item.bounds or (-math.inf, math.inf)
    for key, value in zip(keys, values, strict=True):
        if not low <= value <= high:
            what = f"{value:g} {item.unit} lies outside the bounds of {item.name}, {low:g} to {high:g}"
            where = f" ({item.place.file}:{item.place.line})" if item.place is not None else ""
            reader.note("M306", what, key, f"sweep a narrower range, or widen the bounds in the model{where}")
            return None
    if span.values is None and not values[0] < values[1]:
        what = f"low ({values[0]:g}) must be below high ({values[1]:g})"
        reader.note("C105", what, (*path, "high"), "swap them")
        return None
    if span.log and values[0] <= 0:
        reader.note(
            "C105", f"low must be above 0, not {values[0]:g}", (*path, "low"), "ratios need a low above 0"
        )
        return None
    if span.values is not None:
        return Axis(q, tuple(values))
    if span.steps is not None:
        return Axis(q, _steps(values[0], values[1], span.steps, span.log))
    return Axis(q, (), values[0], values[1], span.log)


def _value(reader: Reader, path: KeyPath, item: Parameter) -> float | None:
    quantity = reader.quantity(path)
    return in_base(reader, path, quantity, item) if quantity is not None else None


def _steps(low: float, high: float, steps: int, log: bool) -> tuple[float, ...]:
    """Values from low to high, both included, at the same distances or in the same ratios."""
    inner = (k / (steps - 1) for k in range(1, steps - 1))
    if log:
        return (low, *(math.exp(math.log(low) + x * (math.log(high) - math.log(low))) for x in inner), high)
    return (low, *(low + x * (high - low) for x in inner), high)
