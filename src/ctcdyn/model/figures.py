"""[[published]] of a study meets the model: what a figure is computed from is there, saved, and of the right unit."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ctcdyn.config import Study
from ctcdyn.config.published import Figure as FigureTable
from ctcdyn.config.published import Reading as ReadingTable
from ctcdyn.model.expr import Expr, dimension, names
from ctcdyn.model.network import Network, unknown_name
from ctcdyn.model.reader import Reader
from ctcdyn.places import KeyPath
from ctcdyn.units import DIMENSIONLESS, Dimension, Unit, UnitError, parse_unit

PLAIN = Unit("1", Fraction(1), DIMENSIONLESS)
_STAND_IN = "?"  # name of a table that could not be read
_ADDED = {
    "backward": ("chance_",),
    "moments": ("var_", "cov_"),
}  # columns that a method adds to those of the model
_OF_LESIONS = ("lesions", "lesion_", "founded_")


@dataclass(frozen=True, slots=True)
class Reading:
    """What an expression calls `name`: column `of` at `at` days (None: the last save), of an arm (None: the first).

    With `event` it is the share of the trajectories in which the event `of` came. `factor` takes it to base units.
    """

    name: str
    of: str
    at: float | None
    arm: str | None
    event: bool
    factor: float


@dataclass(frozen=True, slots=True)
class Figure:
    """A published figure and how the study computes it: `tree` of parameters and readings, in base units.

    `table` is what the study says; `numbers` those that it gives with a unit; `unit` that of its value and range.
    """

    table: FigureTable
    tree: Expr
    readings: tuple[Reading, ...]
    numbers: tuple[tuple[str, float], ...]
    unit: Unit


def read_figures(reader: Reader, study: Study, network: Network, semantics: str) -> tuple[Figure, ...]:
    """The figures of the study; what is wrong with them is noted. `semantics`: of its method."""
    found, taken = [], set[str]()
    for number, table in enumerate(study.published):
        path: KeyPath = ("published", number)
        if table.name == _STAND_IN:
            continue
        if table.name in taken:
            reader.note(
                "M301", f'two published figures are called "{table.name}"', (*path, "name"), "rename one"
            )
        taken.add(table.name)
        figure = _figure(reader, path, table, study, network, semantics)
        if figure is not None:
            found.append(figure)
    return tuple(found)


def _figure(
    reader: Reader, path: KeyPath, table: FigureTable, study: Study, network: Network, semantics: str
) -> Figure | None:
    before = len(reader.problems)
    unit = reader.unit((*path, "unit")) or PLAIN
    dimensions = {item.name: item.dimension for item in network.parameters}
    kinds = dict.fromkeys(network.parameter_names, "parameter")
    readings, numbers = [], dict[str, float]()
    for name, item in table.read.items():
        at: KeyPath = (*path, "read", name)
        if not reader.name(name, at, kinds, "reading"):
            continue
        if item.of is not None:
            reading, dimensions[name] = _reading(reader, at, name, item.of, item, study, network, semantics)
            readings.append(reading)
        elif (given := reader.quantity((*at, "value"))) is not None:
            number, of = given
            numbers[name] = of.to_base(number) if of is not None else number
            dimensions[name] = of.dimension if of is not None else DIMENSIONLESS
    tree = reader.expression((*path, "expr"), {*dimensions, *table.read}, "parameters and what is read")
    if tree is None or len(reader.problems) > before:
        return None
    unused = [name for name in table.read if name not in names(tree)]
    for name in unused:
        reader.note(
            "C107", f"{name} is read and not used", (*path, "read", name), "use it in expr, or remove it"
        )
    if network.units_checked and not unused:
        try:
            dimension(tree, dimensions, unit.dimension)
        except UnitError as error:
            reader.adopt(error, (*path, "expr"), f'write unit = "..." for what {table.name} is in')
            return None
    return Figure(table, tree, tuple(readings), tuple(numbers.items()), unit)


def _reading(
    reader: Reader,
    path: KeyPath,
    name: str,
    of: str,
    item: ReadingTable,
    study: Study,
    network: Network,
    semantics: str,
) -> tuple[Reading, Dimension]:
    """What is read, with its dimension; what is not there, or not saved, is noted."""
    events = {table.name for table in study.event} | {
        o.name for o in network.observables if o.use == "first_passage"
    }
    event = of in events
    unit = PLAIN
    if not event:
        columns = {s.name: Unit("1", Fraction(1), s.dimension) for s in network.species}
        columns |= {o.name: parse_unit(o.unit) for o in network.observables if o.use != "first_passage"}
        added = (*_ADDED.get(semantics, ()), *(_OF_LESIONS if network.lesion is not None else ()))
        unit = columns.get(of, unit)
        if of not in columns and not of.startswith(added or ("\0",)):
            known = (
                *columns,
                *sorted(events),
                *(f"chance_{e}" for e in sorted(events) if semantics == "backward"),
            )
            where = reader.document.place(*path, "of")
            reader.problems.append(unknown_name("species, observable or event", of, known, where, "read.of"))
    elif semantics in ("backward", "moments"):
        what = f"{of} is an event, and of means there is no share of trajectories"
        fix = f'write of = "chance_{of}" with method = "backward", or take a method that draws'
        reader.note("C107", what, (*path, "of"), fix)
    if event and item.at is not None:
        what = f"{of} is an event: its share is that of the whole run"
        reader.note("C107", what, (*path, "at"), "leave at out")
    elif item.at is not None and not _saved(item.at, study):
        what = f"day {item.at:g} is not saved"
        reader.note(
            "C114", what, (*path, "at"), f"add it to simulate.save, or leave at out: the end, {_end(study)}"
        )
    if item.arm is not None and item.arm not in study.arms:
        reader.problems.append(
            unknown_name("arm", item.arm, study.arms, reader.document.place(*path, "arm"), "read.arm")
        )
    return Reading(name, of, item.at, item.arm, event, unit.factor), unit.dimension


def _saved(time: float, study: Study) -> bool:
    times = study.simulate.times
    return bool(abs(times - time).min() <= max(1e-9, 1e-12 * abs(time)))


def _end(study: Study) -> str:
    return f"day {study.simulate.t_end:g}"
