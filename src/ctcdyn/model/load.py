"""model.toml -> Network. Every problem of the text is found in one reading and reported with its line.

Numbers become base units (days, mL, cm, nmol) here, and nowhere behind this page does a unit convert again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ctcdyn import plugins
from ctcdyn.config import UNKNOWN_MODEL, ModelChoice, Override, Study, read_study
from ctcdyn.errors import CtcError, Problem
from ctcdyn.model.definitions import check_initial_unit, read_parameters, read_tests, shown_unit
from ctcdyn.model.equation import parse_equation
from ctcdyn.model.expr import Expr, Number, dimension, names
from ctcdyn.model.fluctuations import read_noises
from ctcdyn.model.network import Network, Parameter, Reaction, Species
from ctcdyn.model.rates import check_rates, rate_problems, vanishing_problems
from ctcdyn.model.reader import Reader
from ctcdyn.model.readings import read_observables, read_published
from ctcdyn.model.resolve import Draw, Resolved, read_resolved, resolve
from ctcdyn.places import describe, read_document
from ctcdyn.units import DIMENSIONLESS, TIME, Dimension, Unit, UnitError

__all__ = ["Draw", "Resolved", "check_rates", "load_model", "prepare", "read_model", "resolve"]

LIMITS = {
    "species": 1000,
    "parameters": 10_000,
    "observables": 1000,
    "reaction": 10_000,
}  # beyond: a slip, or generated

_KEYS = (
    "schema",
    "name",
    "title",
    "doc",
    "time_unit",
    "units",
    "species",
    "parameters",
    "observables",
    "reaction",
    "noise",
    "published",
    "test",
)
_LATER = ("mechanisms", "treatment", "event")
_TITLE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


def load_model(model: str | Path | ModelChoice) -> Network:
    """The model of a built-in name, a path or a study's [model]. Raises CtcError with every problem of its
    text.

    >>> load_model("birth_death_immigration").conservation()
    []
    """
    network, problems = read_model(model)
    if problems or network is None:
        raise CtcError(problems)
    return network


def read_model(model: str | Path | ModelChoice) -> tuple[Network | None, list[Problem]]:
    """Like `load_model`, but hands the problems over instead of raising them; no network comes with
    problems.
    """
    try:
        path = plugins.find("model", model.location if isinstance(model, ModelChoice) else model)
        document = read_document(path)
    except CtcError as error:
        return None, list(error.problems)
    reader = Reader(document)
    network = _read(reader)
    problems = reader.problems
    if network is not None:
        problems += vanishing_problems(_sound_part(network, reader)) if problems else rate_problems(network)
    problems.sort(key=lambda problem: problem.place.line if problem.place is not None else 0)
    return (network if not problems else None), problems


def prepare(path: str | Path, overrides: Sequence[str | Override] = ()) -> tuple[Study, Resolved]:
    """A study and its model, read and compared. Raises one CtcError with the problems of both texts.

    What `load_study`, `load_model`, `resolve` and `check_rates` find one after the other is found at once.
    """
    study, problems = read_study(path, overrides)
    resolved = None
    if study is not None and study.model.use != UNKNOWN_MODEL:
        network, more = read_model(study.model)
        key = "use" if study.model.use is not None else "file"
        here = study.place("model", key)
        more = [problem.at(here, f"model.{key}") if problem.place is None else problem for problem in more]
        problems += more
        if network is not None:
            resolved, more = read_resolved(network, study)
            problems += more
            for problem in rate_problems(resolved.network) if not more else ():
                kind, _, name = problem.key.partition(".")
                ours = kind == "species" and name in study.initial  # the study gave that value, not the model
                place = study.place("initial", name) if ours else problem.place
                problems.append(replace(problem, place=place, key=f"initial.{name}" if ours else problem.key))
    if problems or study is None or resolved is None:
        raise CtcError(problems)
    return study, resolved


def _read(reader: Reader) -> Network | None:
    _check_head(reader)
    checked = _units_checked(reader)
    taken: dict[str, str] = {}
    species = _species(reader, taken)
    parameters = read_parameters(reader, taken, checked)
    for name in reader.table(("observables",)):
        reader.name(name, ("observables", name), taken, "observable")
    dimensions = {item.name: item.dimension for item in species}
    dimensions |= {item.name: item.dimension for item in parameters}
    for item in species if checked else ():
        check_initial_unit(reader, ("species", item.name, "initial"), item.initial, item, dimensions)
    reactions = _reactions(reader, species, dimensions, checked)
    observables = read_observables(reader, dimensions, checked, [item.name for item in reactions])
    published = read_published(reader, (*(item.name for item in species), *reader.table(("observables",))))
    stem = Path(reader.document.path).name.split(".")[0]
    network = Network(
        name=reader.text(("name",), default=stem),
        title=reader.text(("title",)),
        doc=reader.text(("doc",)),
        time_unit=reader.text(("time_unit",), default="day"),
        species=species,
        parameters=parameters,
        reactions=reactions,
        observables=observables,
        published=published,
        source_text=reader.document.text,
        path=reader.document.path,
        units_checked=checked,
    )
    network = read_noises(reader, network, taken, checked)
    return read_tests(reader, network)


def _sound_part(network: Network, reader: Reader) -> Network:
    """`network` without parameters that have no certain value, and without reactions that are wrong or use these."""
    parameters: list[Parameter] = []
    known = {*network.species_names, "t"} - reader.broken
    for q in (*(q for q, p in enumerate(network.parameters) if p.expr is None), *network.derived_order()):
        item = network.parameters[q]
        needs = names(item.expr) if item.expr is not None else frozenset()
        if item.name not in reader.broken and math.isfinite(item.value) and needs <= known:
            parameters.append(item)
            known.add(item.name)
    wrong = {problem.place for problem in reader.problems}
    reactions = [
        item
        for item in network.reactions
        if item.place not in wrong and item.rate is not None and names(item.rate) <= known
    ]
    return replace(network, parameters=tuple(parameters), reactions=tuple(reactions))


def _check_head(reader: Reader) -> None:
    reader.keys((), _KEYS, _LATER)
    schema = reader.value(("schema",))
    if schema is None:
        reader.note("C103", "schema is missing", ("schema",), "write schema = 1 at the top")
    elif isinstance(schema, bool) or schema != 1:
        reader.note(
            "C111", f"this version reads schema 1, not {describe(schema)}", ("schema",), "write schema = 1"
        )
    name = reader.value(("name",))
    if isinstance(name, str) and not _TITLE.fullmatch(name):
        fix = "use letters, digits, _ and -, beginning with a letter; a sentence goes into title"
        reader.note("M307", f'"{name[:80]}" cannot be the name of a model', ("name",), fix)
    time_unit = reader.value(("time_unit",))
    if isinstance(time_unit, str) and time_unit not in ("day", "days", "d"):
        fix = 'write time_unit = "day" and give rates their unit: "8 /h" is understood'
        reader.note("C105", f'time_unit must be "day", not "{time_unit[:40]}"', ("time_unit",), fix)
    for key, limit in LIMITS.items():
        if isinstance(reader.value((key,)), (dict, list)) and len(reader.value((key,))) > limit:
            reader.note(
                "M315",
                f"more than {limit} entries in {key}",
                (key,),
                "split the model, or count populations by class",
            )


def _units_checked(reader: Reader) -> bool:
    units = reader.value(("units",))
    if units is not None and units not in ("none", "checked"):
        reader.note(
            "C105",
            f'units must be "none", not {describe(units)}',
            ("units",),
            'write units = "none" for a model without units, or leave it out',
        )
    return bool(units != "none")


def _species(reader: Reader, taken: dict[str, str]) -> tuple[Species, ...]:
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
        reader.keys(path, ("unit", "initial", "continuous", "doc"))
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
            )
        )
    return tuple(found)


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


def _reactions(
    reader: Reader, species: tuple[Species, ...], dimensions: dict[str, Dimension], checked: bool
) -> tuple[Reaction, ...]:
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
    seen: dict[str, int] = {}
    found = []
    for r, table in enumerate(tables):
        path = ("reaction", r)
        if not isinstance(table, dict):
            what = f"a reaction must be a table, not {describe(table)}"
            reader.note("C104", what, path, "write [[reaction]] and its keys below")
            continue
        reaction = _reaction(reader, path, seen, positions, dimensions)
        if reaction is not None:
            found.append(reaction)
            if checked:
                _check_rate_unit(reader, path, reaction, species, dimensions)
    return tuple(found)


def _reaction(
    reader: Reader,
    path: tuple[str, int],
    seen: dict[str, int],
    positions: dict[str, int],
    dimensions: dict[str, Dimension],
) -> Reaction | None:
    table = reader.value(path)
    reader.keys(path, ("name", "equation", "k", "rate", "doc"))
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
    return Reaction(
        name, table["equation"], reactants, products, k, rate, doc, reader.document.place(*path, key)
    )


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
