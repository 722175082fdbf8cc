"""[parameters] and [test] of a model file: numbers with unit, bounds and source."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ctcdyn.model.expr import Expr, Number, dimension, evaluate, names
from ctcdyn.model.network import (
    Network,
    Parameter,
    Species,
    derived_is_fixed,
    derived_order,
    first_of_group,
    unknown_name,
)
from ctcdyn.model.reader import Reader
from ctcdyn.places import KeyPath, describe
from ctcdyn.units import DIMENSIONLESS, TIME, Dimension, Unit, UnitError, parse_unit

_KEYS = ("value", "expr", "unit", "bounds", "source", "doc", "covariate")


def read_parameters(reader: Reader, taken: dict[str, str], checked: bool) -> tuple[Parameter, ...]:
    """[parameters] in base units; derived ones get the value that their inputs' nominal values give."""
    table = reader.table(("parameters",))
    found: list[Parameter] = []
    for name in table:
        path = ("parameters", name)
        reader.name(name, path, taken, "parameter")
        if not isinstance(table[name], dict):
            fix = f'write {name} = {{ value = {_shown(table[name])}, source = "assumed: why" }}'
            what = f"parameter {name} must be a table with a value and a source, not {describe(table[name])}"
            reader.note("C104", what, path, fix)
            reader.broken.add(name)
            continue
        reader.keys(path, _KEYS)
        found.append(_parameter(reader, name, table, table[name]))
    return _with_derived(reader, found, checked)


def _parameter(reader: Reader, name: str, table: dict[str, Any], entry: dict[str, Any]) -> Parameter:
    path = ("parameters", name)
    source = reader.text((*path, "source"))
    if "source" not in entry or (isinstance(entry["source"], str) and not source.strip()):
        fix = 'add source = "doi:...", "assumed: why" or "derived: how"'
        reader.note("M305", f"parameter {name} has no source", path, fix, word=name)
    found = len(reader.problems)
    unit, value, expression = reader.unit((*path, "unit")), math.nan, None
    if ("value" in entry) == ("expr" in entry):
        what = f"parameter {name} needs exactly one of value and expr"
        reader.note("C107" if "value" in entry else "C103", what, path, 'write value = "0.2 /day"', word=name)
    elif "expr" in entry:
        expression = reader.expression((*path, "expr"), table, "only other parameters")
    else:
        unit, value = _value(reader, (*path, "value"), unit)
    if len(reader.problems) > found:
        reader.broken.add(name)
    declared = unit if unit is not None else parse_unit("1")
    bounds = _bounds(reader, (*path, "bounds"), declared, value) if name not in reader.broken else None
    return Parameter(
        name=name,
        value=value,
        unit=str(declared.dimension),
        dimension=declared.dimension,
        bounds=bounds,
        source=source,
        doc=reader.text((*path, "doc")),
        covariate=reader.flag((*path, "covariate")),
        expr=expression,
        declared=declared.text,
        place=reader.document.place(*path),
    )


def _value(reader: Reader, path: KeyPath, unit: Unit | None) -> tuple[Unit | None, float]:
    """(declared unit, value in base units); the unit may stand in the value, beside it, or in both places."""
    quantity = reader.quantity(path)
    if quantity is None:
        return unit, math.nan
    value, given = quantity
    if given is not None and unit is not None and given.dimension != unit.dimension:
        what = f'{path[1]} has unit {unit.text}, but "{reader.value(path)}" was given'
        reader.note("U201", what, path, inverse(value, given, unit) or f'write "{value:g} {unit.text}"')
        return unit, math.nan
    declared = unit if unit is not None else given
    measured = given if given is not None else unit
    return declared, measured.to_base(value) if measured is not None else value


def _bounds(reader: Reader, path: KeyPath, unit: Unit, value: float) -> tuple[float, float] | None:
    entry = reader.value(path)
    if entry is None:
        return None
    if not isinstance(entry, list) or len(entry) != 2:
        reader.note(
            "C104",
            "bounds must be a list of two values",
            path,
            f'write bounds = ["0 {unit.text}", "1 {unit.text}"]',
        )
        return None
    ends = []
    for position in (0, 1):
        quantity = reader.quantity((*path, position), infinite=True)
        if quantity is None:
            if entry[position] is None or isinstance(entry[position], (dict, list, bool)):
                continue
            return None
        number, given = quantity
        if given is not None and given.dimension != unit.dimension:
            what = f"bounds of {path[1]} have unit {given.text}, its value has {unit.text}"
            fix = inverse(number, given, unit) or f'write "{number:g} {unit.text}"'
            reader.note("U201", what, path, fix, word=str(entry[position]))
            return None
        ends.append((given or unit).to_base(number) if math.isfinite(number) else number)
    if len(ends) < 2:
        return None
    low, high = ends
    if not low < high or low == math.inf or high == -math.inf:
        reader.note(
            "M306",
            f"the lower bound {low:g} is not below the upper bound {high:g}",
            path,
            "swap or widen them",
        )
        return None
    if not math.isnan(value) and not low <= value <= high:
        what = f"{path[1]} = {value:g} is outside its bounds {low:g} to {high:g} ({unit.dimension})"
        reader.note("M306", what, path, "correct the value, or widen the bounds", word=str(path[1]))
    return low, high


def _with_derived(reader: Reader, found: list[Parameter], checked: bool) -> tuple[Parameter, ...]:
    expressions: dict[str, Expr | None] = {item.name: item.expr for item in found}
    order, circular = derived_order(expressions)
    for name in circular:
        what = f"{name} depends on itself (through {', '.join(circular)})"
        reader.note(
            "M308", what, ("parameters", name, "expr"), "give one of them a value of its own", word=name
        )
    values: dict[str, float] = {item.name: item.value for item in found}
    dimensions = {item.name: item.dimension for item in found}
    for q in order:
        item = found[q]
        assert item.expr is not None
        path = ("parameters", item.name, "expr")
        if checked and not names(item.expr) & reader.broken and item.name not in reader.broken:
            try:
                has = dimension(item.expr, dimensions)
                if has != item.dimension:
                    what = f"{item.name} has unit {has} by its expression, but {item.declared} is declared"
                    reader.note("U205", what, path, f'write unit = "{has}"')
            except UnitError as error:
                reader.adopt(error, path, "make the units agree")
        inputs = names(item.expr)
        if inputs & reader.broken:
            reader.broken.add(item.name)  # an input is wrong and reported
            continue
        value = float(evaluate(item.expr, values))
        values[item.name] = value
        found[q] = item = replace(item, value=value)
        if not math.isfinite(value):
            reader.note(
                "C106",
                f"{item.name} is {value} for the given values",
                path,
                "change its inputs",
                word=item.name,
            )
        elif item.bounds is not None and not item.bounds[0] <= value <= item.bounds[1]:
            what = f"{item.name} = {value:g} is outside its bounds {item.bounds[0]:g} to {item.bounds[1]:g}"
            reader.note("M306", what, path, "change its inputs, or widen the bounds", word=item.name)
    return tuple(found)


def read_tests(reader: Reader, network: Network) -> Network:
    """`network` with its [test] table checked and in base units: t_end (days), parameters, initial,
    not_for.
    """
    table = reader.table(("test",))
    if not table:
        return network
    reader.keys(("test",), ("t_end", "parameters", "initial", "not_for"))
    tests: dict[str, object] = {}
    quantity = reader.quantity(("test", "t_end"))
    if "t_end" not in table:
        reader.note("C103", "test.t_end is missing", ("test",), 'write t_end = "10 days"')
    if quantity is not None:
        length, unit = quantity
        if unit is not None and unit.dimension != TIME:
            reader.note(
                "U201", f'"{table["t_end"]}" is not a time', ("test", "t_end"), 'write t_end = "10 days"'
            )
        elif length <= 0:
            reader.note("C105", "test.t_end must be after 0", ("test", "t_end"), 'write t_end = "10 days"')
        else:
            tests["t_end"] = unit.to_base(length) if unit is not None else length
    by_name = {item.name: item for item in network.parameters}
    tests["parameters"] = {
        name: value
        for name in reader.table(("test", "parameters"))
        if (value := read_parameter_value(reader, ("test", "parameters", name), name, by_name)) is not None
    }
    starts = {}
    for given in reader.table(("test", "initial")):
        path = ("test", "initial", given)
        start, name = reader.quantity(path), first_of_group(given, network)
        if name not in network.species_names:
            reader.problems.append(
                unknown_name(
                    "species",
                    name,
                    network.species_names,
                    reader.document.place(*path),
                    f"test.initial.{name}",
                )
            )
        elif start is not None and start[0] < 0:
            reader.note(
                "M313", f"the initial value is negative: {start[0]:g}", path, "write a value of at least 0"
            )
        elif start is not None:
            starts[name] = start[0]
    tests["initial"] = starts
    excluded = reader.table(("test", "not_for"))
    for method, reason in excluded.items():
        if not isinstance(reason, str) or not reason.strip():
            reader.note(
                "C104",
                f"not_for.{method} needs a reason",
                ("test", "not_for", method),
                'write direct = "reason"',
            )
    tests["not_for"] = dict(excluded)
    return replace(network, tests=tests)


def read_parameter_value(
    reader: Reader, path: KeyPath, name: str, by_name: dict[str, Parameter]
) -> float | None:
    """A value given for a model's parameter, in base units; what is wrong with it is noted."""
    place = reader.document.place(*path)
    shown = ".".join(str(part) for part in path)
    if name not in by_name:
        reader.problems.append(unknown_name("parameter", name, by_name, place, shown))
        return None
    item = by_name[name]
    if item.expr is not None:
        reader.problems.append(derived_is_fixed(item, by_name, place, shown))
        return None
    if name in reader.broken:
        return None
    quantity = reader.quantity(path)
    value = in_base(reader, path, quantity, item) if quantity is not None else None
    if value is None:
        return None
    if item.bounds is not None and not item.bounds[0] <= value <= item.bounds[1]:
        low, high = item.bounds
        what = f"{name} = {value:g} is outside its bounds {low:g} to {high:g} ({item.unit})"
        why = f"{item.place.file}:{item.place.line} sets them" if item.place is not None else ""
        reader.note(
            "M306",
            what,
            path,
            f"write a value from {low:g} to {high:g}, or widen the bounds in the model",
            why,
        )
        return None
    return value


def in_base(
    reader: Reader, path: KeyPath, quantity: tuple[float, Unit | None], item: Parameter
) -> float | None:
    """A quantity for `item` in base units. A bare number where the model uses another unit is refused: 5
    what?
    """
    value, unit = quantity
    if unit is None:
        declared = parse_unit(item.declared)
        if declared.factor != 1.0 and value != 0.0:
            what = f"{item.name} is given in {item.declared} by the model, and {value:g} has no unit"
            reader.note("U203", what, path, f'write "{value:g} {item.declared.removeprefix("1")}"')
            return None
        return value
    if unit.dimension != item.dimension:
        given = unit.text if unit.text != "1" else "what has no unit"
        what = f'{item.name} has unit {item.declared}, but "{reader.value(path)}" was given'
        plain = item.dimension == DIMENSIONLESS
        fix = f"write {value:g}" if plain else f'write "{value:g} {item.declared.removeprefix("1")}"'
        if path[-1] != "sd":  # the spread of 1/T is not 1 over the spread of T
            fix = inverse(value, unit, parse_unit(item.declared)) or fix
        reader.note("U201", what, path, fix, why=f"{given} cannot be converted to {item.unit}")
        return None
    return unit.to_base(value)


def inverse(value: float, given: Unit, wanted: Unit) -> str:
    """What to write where a time was given for a rate, or a rate for a time; empty where it is neither.

    `value` is in `given`; the text has the number in `wanted`. The same number with the other unit would be wrong.
    """
    if not value > 0 or {given.dimension, wanted.dimension} != {TIME, DIMENSIONLESS / TIME}:
        return ""
    mean = wanted.from_base(1.0 / given.to_base(value))
    half = mean * math.log(2.0)
    unit = wanted.text.removeprefix("1")
    if given.dimension == TIME:
        first = f'a mean time T of {value:g} {given.text} is the rate 1/T: write "{mean:.4g} {unit}"'
        return f'{first}; a half-life is log(2)/T: "{half:.4g} {unit}"'
    first = f'a rate k of {value:g} {given.text} has the mean time 1/k: write "{mean:.4g} {unit}"'
    return f'{first}; its half-life log(2)/k is "{half:.4g} {unit}"'


def check_initial_unit(
    reader: Reader, path: KeyPath, initial: Expr, species: Species, dimensions: Mapping[str, Dimension]
) -> None:
    """An initial value that is an expression must have the unit of its species."""
    if isinstance(initial, Number) or (names(initial) | {species.name}) & reader.broken:
        return
    try:
        found = dimension(initial, dimensions)
    except UnitError as error:
        reader.adopt(error, path, "make the units agree")
        return
    if found != species.dimension:
        has, wanted = shown_unit(found), shown_unit(species.dimension)
        what = f"the initial value of {species.name} has {has}, and {wanted} is needed"
        reader.note("U205", what, path, f"multiply or divide by what makes it {wanted}")


def shown_unit(unit: Dimension) -> str:
    """A unit as a sentence names it."""
    return f"unit {unit}" if unit != DIMENSIONLESS else "no unit"


def _shown(value: Any) -> str:
    return (
        f'"{value[:40]}"'
        if isinstance(value, str)
        else "0.5"
        if isinstance(value, (list, bool))
        else str(value)[:40]
    )
