"""What is read off a model: observables, and the published numbers that stand beside them in a run's
summary.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from ctcdyn import plugins
from ctcdyn.errors import CtcError
from ctcdyn.model.expr import Call, Expr, Number, dimension, names
from ctcdyn.model.network import Observable, Published, Species, unknown_name
from ctcdyn.model.reader import Reader
from ctcdyn.model.samples import KINDS, expected, read_amount
from ctcdyn.places import describe
from ctcdyn.units import DIMENSIONLESS, TIME, Dimension, Unit, UnitError

CONDITIONS = frozenset({"<", "<=", ">", ">=", "==", "!=", "and", "or", "not"})
_PUBLISHED = ("name", "observable", "time", "value", "used_for", "source")


def read_observables(
    reader: Reader, dimensions: dict[str, Dimension], checked: bool, reactions: Iterable[str]
) -> tuple[Observable, ...]:
    found = []
    for name, table in reader.table(("observables",)).items():
        path = ("observables", name)
        if not isinstance(table, dict):
            fix = f'write {name} = {{ expr = "...", unit = "cells" }}'
            reader.note("C104", f"observable {name} must be a table, not {describe(table)}", path, fix)
            continue
        if "expr" not in table and "use" not in table:
            what = f"observable {name} needs exactly one of expr and use"
            reader.note("M314", what, path, f'write {name} = {{ expr = "...", unit = "cells" }}')
            continue
        unit = reader.unit((*path, "unit"))
        doc = reader.text((*path, "doc"))
        shown = unit.text if unit is not None else "1"
        place = reader.document.place(*path)
        if "use" in table:
            kept = _use(reader, name, {*dimensions, *reader.broken, "t"}, dimensions, checked, reactions, unit)
            if kept is not None:
                mean, options, realised = kept
                use = reader.text((*path, "use"))
                found.append(Observable(name, mean, use, options, shown, doc, place, realised))
            continue
        reader.keys(path, ("expr", "unit", "doc"))
        tree = reader.expression(
            (*path, "expr"), {*dimensions, *reader.broken, "t"}, "species, parameters and t"
        )
        if tree is None:
            continue
        if checked:
            tree = _in_unit(reader, (*path, "expr"), tree, unit, dimensions)
        found.append(Observable(name, tree, None, {}, shown, doc, place))
    return tuple(found)


def group_readings(reader: Reader, species: Iterable[Species]) -> tuple[Observable, ...]:
    """The sum of each group of species, under the name of the group."""
    first = {name: item for item in reversed(tuple(species)) for name in (item.stage, item.group) if name}
    return tuple(
        Observable(name, tree, None, {}, first[name].declared, f"all of {name}", first[name].place)
        for name, tree in reader.groups.items()
    )


def _use(
    reader: Reader,
    name: str,
    known: set[str],
    dimensions: dict[str, Dimension],
    checked: bool,
    reactions: Iterable[str],
    unit: Unit | None,
) -> tuple[Expr | None, dict[str, object], str] | None:
    """(what is expected of it, options, how it is realised) of an observable that a file describes; None where
    something is wrong."""
    path = ("observables", name)
    use = reader.text((*path, "use"))
    try:
        folder = Path(reader.document.path).parent
        place = reader.document.place(*path)
        file = plugins.find("observable", use, folder, place, f"observables.{name}.use")
        facts = plugins.constants(file, ("OPTIONS", "REALISED"))
    except CtcError as error:
        reader.problems += error.problems
        return None
    if "expr" in reader.value(path) and "expr" not in facts["OPTIONS"]:
        what = f"observable {name} needs exactly one of expr and use"
        reader.note("M314", what, path, f'write {name} = {{ expr = "...", unit = "cells" }}')
        return None
    reader.keys(path, ("use", "unit", "doc", *facts["OPTIONS"]))
    options: dict[str, object] = {}
    numbers: dict[str, float] = {}
    for option, kind in facts["OPTIONS"].items():
        if kind in KINDS:
            value = Number(1.0 if kind == "share" else 0.0) if reader.value((*path, option)) is None else None
            amount = value or read_amount(
                reader, (*path, option), kind, known, dimensions if checked else None, numbers
            )
            if amount is None:
                return None
            options[option] = amount
            continue
        if kind == "flag":
            value = reader.value((*path, option))
            if value is not None and not isinstance(value, bool):
                reader.note(
                    "C104",
                    f"{option} must be true or false, not {describe(value)}",
                    (*path, option),
                    f"write {option} = true",
                )
                return None
            options[option] = bool(value)
            continue
        if reader.value((*path, option)) is None:
            fix = f'write {name} = {{ use = "{use}", {option} = "..." }}'
            reader.note("M314", f"observable {name} needs {option}, a {kind}", path, fix)
            return None
        if kind == "reaction":
            chosen = reader.text((*path, option))
            if chosen not in reactions:
                place = reader.document.place(*path)
                reader.problems.append(
                    unknown_name("reaction", chosen, reactions, place, f"observables.{name}.{option}")
                )
                return None
            options["reaction"] = chosen
            continue
        tree = reader.expression((*path, option), known, "species, parameters and t")
        if tree is None:
            return None
        if kind == "expression":
            if unit is not None and unit.dimension != DIMENSIONLESS:
                reader.note("U205", f"{name} is a count, and has no unit {unit.text}", (*path, "unit"), 'write "cells"')
                return None
            options[option] = _in_unit(reader, (*path, option), tree, unit, dimensions) if checked else tree
            continue
        if not isinstance(tree, Call) or tree.op not in CONDITIONS:
            fix = f'write {option} = "tumor >= 1e9"'
            reader.note("M314", f"{option} of observable {name} is not a condition", (*path, option), fix)
            return None
        try:
            if checked and not names(tree) & reader.broken:
                dimension(tree, dimensions)
        except UnitError as error:
            reader.adopt(error, (*path, option), "make the units of both sides agree")
            return None
        options["when"] = tree
    if numbers:
        options["numbers"] = tuple(numbers.items())
    return expected(options, facts["OPTIONS"]), options, str(facts["REALISED"])


def _in_unit(
    reader: Reader, path: tuple[str, ...], tree: Expr, unit: Unit | None, dimensions: dict[str, Dimension]
) -> Expr:
    """The expression in its declared unit: what is computed in mL and declared in L is divided by 1000."""
    if names(tree) & reader.broken or (unit is None and reader.value((*path[:-1], "unit")) is not None):
        return tree
    wanted = unit.dimension if unit is not None else DIMENSIONLESS
    try:
        found = dimension(tree, dimensions)
    except UnitError as error:
        reader.adopt(error, path, "make the units agree, or give a number a name and a unit in [parameters]")
        return tree
    if found != wanted and tree != Number(0.0):
        declared = f"declared is {unit.text}" if unit is not None else "no unit is declared"
        what = f'observable "{path[1]}" has unit {found}, but {declared}'
        reader.note("U205", what, path, f'write unit = "{found}"')
    factor = unit.factor if unit is not None else 1.0
    return tree if math.isclose(factor, 1.0, rel_tol=1e-15) else Call("/", (tree, Number(factor)))


def read_published(reader: Reader, readable: Iterable[str]) -> tuple[Published, ...]:
    """[[published]]: a number from the literature, the observable or species and the time it is for."""
    tables = reader.value(("published",))
    if tables is not None and not isinstance(tables, list):
        what = f"published must be a list of tables, not {describe(tables)}"
        reader.note("C104", what, ("published",), "write [[published]] with two brackets, once for each")
        return ()
    known, found = tuple(readable), []
    for position, table in enumerate(tables or ()):
        path = ("published", position)
        if not isinstance(table, dict):
            reader.note(
                "C104",
                f"a published number must be a table, not {describe(table)}",
                path,
                "write [[published]]",
            )
            continue
        reader.keys(path, _PUBLISHED)
        missing = [key for key in _PUBLISHED if key not in table]
        for key in missing:
            reader.note(
                "C103",
                f"published number {position + 1} has no {key}",
                path,
                f"add {key} = ...",
                word="published",
            )
        name, observable, used_for, source = (
            reader.text((*path, key)) for key in ("name", "observable", "used_for", "source")
        )
        time, value = reader.quantity((*path, "time")), reader.quantity((*path, "value"))
        if "observable" in table and observable not in known:
            place = reader.document.place(*path, "observable")
            reader.problems.append(
                unknown_name("observable or species", observable, known, place, "published.observable")
            )
        if "used_for" in table and used_for not in ("rate", "prediction"):
            fix = 'write "rate" if it set a parameter, "prediction" if the model predicts it'
            reader.note(
                "C105",
                f'used_for must be "rate" or "prediction", not "{used_for[:60]}"',
                (*path, "used_for"),
                fix,
            )
        if time is not None and time[1] is not None and time[1].dimension != TIME:
            reader.note("U201", f'"{table["time"]}" is not a time', (*path, "time"), 'write time = "13 days"')
        elif not missing and time is not None and value is not None:
            days = time[1].to_base(time[0]) if time[1] is not None else time[0]
            number = value[1].to_base(value[0]) if value[1] is not None else value[0]
            found.append(
                Published(name, observable, days, number, used_for, source, reader.document.place(*path))
            )
    return tuple(found)
