"""Expressions of a study: what they may use, their units, and their numbers taken out of them.

They may use species, parameters, observables of the model, `t`, and numbers with a unit ("diameter >= 20 mm"). The
numbers become data, so that another threshold compiles nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ctcdyn.config import Study
from ctcdyn.errors import CtcError, nearest
from ctcdyn.model.expr import Call, Expr, Name, Number, dimension, names, parse, substitute
from ctcdyn.model.network import Network
from ctcdyn.model.reader import Reader
from ctcdyn.model.readings import CONDITIONS
from ctcdyn.places import KeyPath
from ctcdyn.units import DIMENSIONLESS, Dimension, Unit, UnitError, parse_quantity, parse_unit

_COMPARED = frozenset({"<", "<=", ">", ">="})
_WITH_UNIT = re.compile(
    r"(?<![A-Za-z0-9_.])((?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[ \t]+([A-Za-z]+)(?![A-Za-z0-9_(])"
)
_WORDS = ("and", "or", "not")


@dataclass
class Words:
    """What an expression of a study may use."""

    network: Network
    dimensions: dict[str, Dimension]
    readings: dict[str, Expr]  # observables that are expressions, in base units
    scaled: frozenset[str]  # parameters that some treatment changes, and what is derived from them

    @property
    def known(self) -> set[str]:
        return {*self.dimensions, *self.readings, "t"}


def words_of(network: Network, study: Study) -> Words:
    dimensions = {item.name: item.dimension for item in network.species}
    dimensions |= {item.name: item.dimension for item in network.parameters}
    readings = {}
    for item in network.observables:
        if item.expr is not None and item.use is None:  # what lesions fill in is not known in time
            unit = parse_unit(item.unit)
            dimensions[item.name] = unit.dimension
            readings[item.name] = (
                Call("*", (item.expr, Number(unit.factor))) if unit.factor != 1.0 else item.expr
            )
    moved = {name for table in study.treatment for name in table.scale}
    for q in network.derived_order():
        expression = network.parameters[q].expr
        if expression is not None and names(expression) & moved:
            moved.add(network.parameters[q].name)
    return Words(network, dimensions, readings, frozenset(moved))


def may_be_waited_for(reader: Reader, path: KeyPath, tree: Expr, words: Words) -> bool:
    if not is_condition(tree):
        reader.note("C118", f"{path[-1]} is not a condition", path, f'write {path[-1]} = "tumor >= 1e9"')
        return False
    if "t" in names(_without_switches(tree, words)):
        fix = "compare `t` alone with a number or an expression of parameters"
        why = "then the moment is known beforehand, and every method stops there"
        reader.note("C118", "a condition that moves with the time cannot be waited for", path, fix, why)
        return False
    return True


def _without_switches(e: Expr, words: Words) -> Expr:
    """The condition without comparisons of `t` with parameters."""
    if not isinstance(e, Call):
        return e
    if e.op in _COMPARED and Name("t") in e.args:
        other = e.args[1] if e.args[0] == Name("t") else e.args[0]
        if not names(other) & {*words.network.species_names, "t"}:
            return Number(1.0)
    return Call(e.op, tuple(_without_switches(a, words) for a in e.args))


def read_expression(
    reader: Reader,
    path: KeyPath,
    value: object,
    owner: str,
    words: Words,
    known: set[str],
    numbers: dict[str, float],
) -> Expr | None:
    """An expression of the study in base units, its numbers taken out under names that are put into `numbers`."""
    if isinstance(value, float | int):
        return _taken_out(Number(float(value)), owner, numbers)
    given: dict[str, tuple[float, Dimension, str]] = {}
    text = _named(str(value), given)
    try:
        tree = parse(text, reader.document.place(*path))
    except CtcError as error:
        _adopt(reader, error, path, "see the section on expressions in docs/language.md", given)
        return None
    unknown = sorted(names(tree) - known - set(given))
    for name in unknown:
        near = nearest(name, known)
        fix = f'did you mean "{near}"?' if near else f"known: {', '.join(sorted(known)[:12])}, ..."
        if name == "t":
            fix = "the time may stand in conditions only"
        if any(o.name == name and o.realised == "sample" for o in words.network.observables):
            fix = f"{name} is drawn at saves, so that nothing can wait for it: write what it is expected from"
        reader.note("X408", f'unknown name "{name}"', path, fix, word=name)
    if unknown:
        return None
    if words.network.units_checked:
        try:
            dimension(tree, words.dimensions | {name: found for name, (_, found, _) in given.items()})
        except UnitError as error:
            _adopt(reader, error, path, 'write numbers with their unit: "diameter >= 20 mm"', given)
            return None
    tree = substitute(tree, words.readings | {name: Number(amount) for name, (amount, _, _) in given.items()})
    return _taken_out(tree, owner, numbers)


def _named(text: str, given: dict[str, tuple[float, Dimension, str]]) -> str:
    """The text with a name in the place of each quantity; `given` gets their values, dimensions and texts."""

    def named(amount: float, unit: Unit, shown: str) -> str:
        name = f"a_quantity_{len(given)}"
        given[name] = (unit.to_base(amount), unit.dimension, shown)
        return name

    def replaced(match: re.Match[str]) -> str:
        if match[2] in _WORDS:
            return match[0]
        try:
            return named(float(match[1]), parse_unit(match[2]), match[0])
        except UnitError:
            return match[0]  # the parser says what is wrong

    try:
        amount, unit = parse_quantity(text)
    except UnitError:
        return _WITH_UNIT.sub(replaced, text)
    return named(amount, unit, text) if unit is not None else text


def _adopt(
    reader: Reader, error: CtcError, path: KeyPath, fix: str, given: dict[str, tuple[float, Dimension, str]]
) -> None:
    """Takes over problems, in the words of the modeller."""
    problems = []
    for problem in error.problems:
        what = problem.what
        for name, (_, _, shown) in given.items():
            what = re.sub(rf"\b{name}\b", lambda _, shown=shown: shown, what)  # type: ignore[misc]
        problems.append(replace(problem, what=what))
    reader.adopt(CtcError(problems), path, fix)


def dimension_of(value: object, words: Words) -> Dimension:
    """The dimension of an expression that `read_expression` has accepted, as it stands in the text."""
    if not isinstance(value, str):
        return DIMENSIONLESS
    given: dict[str, tuple[float, Dimension, str]] = {}
    tree = parse(_named(value, given))
    return dimension(tree, words.dimensions | {name: found for name, (_, found, _) in given.items()})


def _taken_out(e: Expr, owner: str, numbers: dict[str, float]) -> Expr:
    """The expression with its numbers replaced by names; exponents stay, since they decide how a power is computed."""
    if isinstance(e, Number):
        name = f"{owner}__n{len(numbers)}"
        numbers[name] = e.value
        return Name(name)
    if isinstance(e, Name):
        return e
    if e.op == "**":
        return Call(e.op, (_taken_out(e.args[0], owner, numbers), e.args[1]))
    return Call(e.op, tuple(_taken_out(a, owner, numbers) for a in e.args))


def is_condition(e: float | Expr) -> bool:
    return isinstance(e, Call) and e.op in CONDITIONS
