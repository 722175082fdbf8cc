"""Species and reactions of a model file, or of its [lesion]: names, equations, rates and their units."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import reduce

from ctcdyn.errors import CtcError
from ctcdyn.model.definitions import shown_unit
from ctcdyn.model.equation import parse_equation
from ctcdyn.model.expr import Call, Expr, Name, Number, dimension, names
from ctcdyn.model.network import Reaction, Species
from ctcdyn.model.reader import Reader
from ctcdyn.places import KeyPath, describe
from ctcdyn.units import DIMENSIONLESS, TIME, Dimension, Unit, UnitError

LESION = "lesion"  # in an equation: a lesion is founded


def read_species(reader: Reader, taken: dict[str, str]) -> tuple[Species, ...]:
    table = reader.table(("species",), required=True, example='add [species] with cells = { unit = "cells" }')
    if not table and "species" in reader.document.data:
        reader.note("M309", "the model has no species", ("species",), 'add one: cells = { unit = "cells" }')
    parameter_names = set(reader.table(("parameters",)))
    found = []
    for name in table:
        path = ("species", name)
        reader.name(name, path, taken, "species")
        if not isinstance(table[name], dict):
            fix = f'write {name} = {{ unit = "cells", initial = 0 }}'
            reader.note("C104", f"species {name} must be a table, not {describe(table[name])}", path, fix)
            reader.broken.add(name)
            continue
        reader.keys(path, ("unit", "initial", "continuous", "stage", "group", "cells", "doc"))
        unit = reader.unit((*path, "unit"))
        if unit is None and "unit" in table[name]:
            reader.broken.add(name)
        kind = unit.dimension if unit is not None else DIMENSIONLESS
        initial = _initial(reader, (*path, "initial"), parameter_names, unit)
        found.append(
            Species(
                name=name,
                unit=str(kind),
                initial=initial,
                continuous=reader.flag((*path, "continuous")),
                dimension=kind,
                doc=reader.text((*path, "doc")),
                declared=unit.text if unit is not None else "1",
                place=reader.document.place(*path),
                stage=_word(reader, (*path, "stage")),
                group=_word(reader, (*path, "group")),
                cells=_cells(reader, (*path, "cells")),
            )
        )
    return tuple(found)


def read_groups(reader: Reader, species: tuple[Species, ...], taken: dict[str, str]) -> None:
    """Lets the reader of expressions know groups and stages: the name of one means the sum of its species."""
    for item in species:
        if item.group and item.group not in reader.groups:
            reader.name(item.group, ("species", item.name, "group"), taken, "group of species")
        if item.group:
            before = reader.groups.get(item.group)
            reader.groups[item.group] = Name(item.name) if before is None else Call("+", (before, Name(item.name)))
            units = {x.dimension for x in species if x.group == item.group}
            if len(units) > 1 and before is None:
                fix = "give all species of a group one unit"
                reader.note("U204", f"species of group {item.group} have several units", ("species", item.name), fix)
    stages = dict.fromkeys(item.stage for item in species if item.stage)
    for stage in stages:
        here = [item for item in species if item.stage == stage]
        if stage not in taken and len({item.dimension for item in here}) == 1:
            taken[stage] = "stage"
            terms: list[Expr] = [Name(x.name) for x in here]
            reader.groups[stage] = reduce(lambda left, right: Call("+", (left, right)), terms)


def _word(reader: Reader, path: KeyPath) -> str:
    """A name that is a key's value; empty where there is none."""
    value = reader.text(path)
    if value and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", value):
        fix = "use letters, digits and _, beginning with a letter"
        reader.note("M307", f'"{value[:80]}" cannot be the name of a {path[-1]}', path, fix)
        return ""
    return value


def _cells(reader: Reader, path: KeyPath) -> int:
    value = reader.value(path)
    if value is None:
        return 1
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1000:
        what = f"cells must be a whole number from 1 to 1000, not {describe(value)}"
        reader.note("C105", what, path, "write cells = 5")
        return 1
    return value


def _initial(reader: Reader, path: tuple[str, ...], parameters: set[str], unit: Unit | None) -> Expr:
    """A number in the species' unit, or an expression of parameters (in base units, as everywhere)."""
    value = reader.value(path)
    if value is None:
        return Number(0.0)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        quantity = reader.quantity(path)
        start = quantity[0] if quantity is not None else 0.0
        if start < 0:
            reader.note(
                "M313", f"the initial value is negative: {start:g}", path, "write a value of at least 0"
            )
        return Number(unit.to_base(start) if unit is not None else start)
    tree = reader.expression(path, parameters, "only parameters")
    return tree if tree is not None else Number(0.0)


def read_reactions(
    reader: Reader,
    species: tuple[Species, ...],
    dimensions: dict[str, Dimension],
    checked: bool,
    founding: set[str] | None = None,
) -> tuple[Reaction, ...]:
    """Reactions between these species. Where lesions can be founded, `founding` takes the names of those that do:
    they have `lesion` among their products."""
    tables = reader.value(("reaction",))
    if tables is None:
        example = 'add [[reaction]] with name, equation = "A -> B" and k = "..."'
        reader.note("M309", "the model has no reactions", ("reaction",), example)
        return ()
    if not isinstance(tables, list):
        what = f"reaction must be a list of tables, not {describe(tables)}"
        reader.note("C104", what, ("reaction",), "write [[reaction]] with two brackets, once for each")
        return ()
    positions = {item.name: s for s, item in enumerate(species)}
    if founding is not None:
        positions[LESION] = len(species)
    seen: dict[str, int] = {}
    found = []
    for r, table in enumerate(tables):
        path = ("reaction", r)
        if not isinstance(table, dict):
            what = f"a reaction must be a table, not {describe(table)}"
            reader.note("C104", what, path, "write [[reaction]] and its keys below")
            continue
        reaction = _reaction(reader, path, seen, positions, dimensions)
        if reaction is not None and founding is not None:
            reaction = _founding(reader, path, reaction, len(species), founding)
        if reaction is not None:
            found.append(reaction)
            if checked:
                _check_rate_unit(reader, path, reaction, species, dimensions)
    return tuple(found)


def _founding(
    reader: Reader, path: tuple[str, int], reaction: Reaction, lesion: int, founding: set[str]
) -> Reaction:
    """The reaction without `lesion`, which is no species: its name is put down where it founds one."""
    many = dict(reaction.products).get(lesion, 0)
    if many > 1 or lesion in dict(reaction.reactants):
        fix = "lesions are founded one by one: write `lesion` once, behind the arrow"
        reader.note("M316", f'"{reaction.equation}" does not found one lesion', (*path, "equation"), fix)
    if many:
        founding.add(reaction.name)
    left, right = (tuple(x for x in terms if x[0] != lesion) for terms in (reaction.reactants, reaction.products))
    return replace(reaction, reactants=left, products=right)


def _reaction(
    reader: Reader,
    path: tuple[str, int],
    seen: dict[str, int],
    positions: dict[str, int],
    dimensions: dict[str, Dimension],
) -> Reaction | None:
    table = reader.value(path)
    reader.keys(path, ("name", "equation", "k", "rate", "fate", "doc"))
    name = reader.text((*path, "name"))
    shown = f'reaction "{name[:60]}"' if name else f"reaction {path[1] + 1}"
    if "name" not in table or not name.strip():
        reader.note("C103", f"reaction {path[1] + 1} has no name", path, 'write name = "growth"')
    elif not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", name) or "__" in name:
        fix = "use letters, digits and single _, beginning with a letter, at most 64 characters"
        reader.note("M307", f'"{name[:80]}" cannot be the name of a reaction', (*path, "name"), fix)
    elif name in seen:
        what = f'two reactions are named "{name}" (the other in line {seen[name]})'
        reader.note("M301", what, (*path, "name"), "rename one of the two", word=name)
    seen.setdefault(name, reader.document.place(*path, "name").line)
    terms = None
    if "equation" not in table:
        reader.note("C103", f"{shown} has no equation", path, 'write equation = "A -> B"')
    elif not isinstance(table["equation"], str):
        reader.text((*path, "equation"), fix='write equation = "A -> B", in quotes')
    else:
        place = reader.document.place(*path, "equation")
        try:
            terms = parse_equation(table["equation"], positions, place, f"reaction.{path[1]}.equation")
        except CtcError as error:
            reader.problems += error.problems
    if ("k" in table) == ("rate" in table):
        what = f"{shown} has both k and rate" if "k" in table else f"{shown} has neither k nor rate"
        fix = "k is for mass action (times the reactants), rate is the whole propensity: keep one"
        reader.note("M304", what, (*path, "rate") if "rate" in table else path, fix)
        for key in ("k", "rate"):
            if key in table:
                reader.expression(
                    (*path, key), {*dimensions, *reader.broken, "t"}, "species, parameters and t"
                )
        return None
    key = "k" if "k" in table else "rate"
    tree = reader.expression((*path, key), {*dimensions, *reader.broken, "t"}, "species, parameters and t")
    doc = reader.text((*path, "doc"))
    if tree is None or terms is None:
        return None
    reactants, products = terms
    k, rate = (tree, None) if key == "k" else (None, tree)
    place, fate = reader.document.place(*path, key), _word(reader, (*path, "fate"))
    return Reaction(name, table["equation"], reactants, products, k, rate, doc, place, fate)


def _check_rate_unit(
    reader: Reader,
    path: tuple[str, int],
    reaction: Reaction,
    species: tuple[Species, ...],
    dimensions: dict[str, Dimension],
) -> None:
    """k and rate must give (unit of what changes) / time."""
    changed = {species[s].dimension for s, _ in reaction.change}
    key = "k" if reaction.k is not None else "rate"
    tree = reaction.k if reaction.k is not None else reaction.rate
    assert tree is not None
    involved = {species[s].name for s, _ in (*reaction.reactants, *reaction.products)}
    if (names(tree) | involved) & reader.broken:
        return
    if len(changed) > 1:
        units = " and ".join(sorted(str(unit) for unit in changed))
        what = f'reaction "{reaction.name}" turns one unit into another ({units})'
        reader.note("U205", what, (*path, "equation"), "count all species of a reaction in one unit")
        return
    wanted = next(iter(changed), DIMENSIONLESS) / TIME
    if key == "k":
        for s, count in reaction.reactants:
            wanted = wanted / species[s].dimension ** count
    try:
        found = dimension(tree, dimensions)
        if found != wanted and tree != Number(0.0):
            fix = f"multiply or divide by what makes it {wanted}"
            if key == "k" and found == DIMENSIONLESS:
                fix = f'give the coefficient the unit "{wanted}" in [parameters]'
            order = sum(count for _, count in reaction.reactants)
            why = f"mass action of order {order} multiplies k with its reactants" if key == "k" else ""
            reader.note(
                "U205",
                f'{key} of reaction "{reaction.name}" has {shown_unit(found)}, {wanted} is needed',
                (*path, key),
                fix,
                why,
            )
    except UnitError as error:
        reader.adopt(
            error, (*path, key), "make the units agree, or give a number a name and a unit in [parameters]"
        )
