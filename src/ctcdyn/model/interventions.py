"""The study's treatments and events meet the model: names, units, times and conditions become parts of the network."""

from __future__ import annotations

import re
from dataclasses import replace

from ctcdyn.config import Simulate, Study
from ctcdyn.config.interventions import Event as EventTable
from ctcdyn.config.interventions import Treatment as TreatmentTable
from ctcdyn.model.conditions import (
    Words,
    dimension_of,
    is_condition,
    may_be_waited_for,
    read_expression,
    words_of,
)
from ctcdyn.model.definitions import shown_unit
from ctcdyn.model.expr import Call, Expr, Name, Number, evaluate, names
from ctcdyn.model.lesion import ALIVE, SEEN, Lesion
from ctcdyn.model.network import Network, Observable, Treatment, first_of_group, unknown_name
from ctcdyn.model.reader import Reader
from ctcdyn.places import KeyPath
from ctcdyn.units import DIMENSIONLESS, TIME, UnitError, parse_quantity

_STAND_IN = "?"  # name of a table that could not be read
APPLICATIONS = 1_000_000  # of one treatment: each is a stop of every trajectory; more is a slip in `every`


def read_interventions(reader: Reader, study: Study, network: Network) -> Network:
    """`network` with the study's treatments, and its events as first passages; what is wrong is noted."""
    words = words_of(network, study)
    kinds = dict.fromkeys(network.species_names, "species")
    kinds |= dict.fromkeys(network.parameter_names, "parameter")
    kinds |= dict.fromkeys(network.observable_names, "observable")
    for kind, number, name in _interventions(study):
        if name != _STAND_IN:
            reader.name(name, (kind, number, "name"), kinds, kind)
    told = {kind: _names(reader, kind) for kind in ("treatment", "event")}
    treatments = [
        treatment
        for number, table in enumerate(study.treatment)
        if table.name != _STAND_IN
        and not _missing_mechanism(reader, number, table, network)
        and (treatment := _treatment(reader, number, table, words, told, study.simulate)) is not None
    ]
    events = [
        event
        for number, table in enumerate(study.event)
        if table.name != _STAND_IN and (event := _event(reader, number, table, words, told)) is not None
    ]
    _refuse_late(reader, treatments, events)
    _check_circles(reader, study)
    _check_arms(reader, study, told["treatment"])
    if reader.problems:
        return network
    return replace(network, treatments=tuple(treatments), observables=(*network.observables, *events))


def _interventions(study: Study) -> list[tuple[str, int, str]]:
    """(kind, position, name) of all treatments and events."""
    found = [("treatment", number, table.name) for number, table in enumerate(study.treatment)]
    return found + [("event", number, table.name) for number, table in enumerate(study.event)]


def _names(reader: Reader, kind: str) -> list[str]:
    """Names as they stand in the text, so that a table with a mistake is still known by others."""
    tables = reader.value((kind,))
    found = [table.get("name") for table in tables or () if isinstance(table, dict)]
    return [name for name in found if isinstance(name, str)]


def _missing_mechanism(reader: Reader, number: int, table: TreatmentTable, network: Network) -> bool:
    """Whether a treatment uses the regimen of a mechanism that the model is not composed with; it is noted."""
    text = str(reader.value(("treatment", number)))
    said = re.findall(rf"\b{re.escape(table.use)}_\w+", text) if table.use else []
    if not said or set(said) & set(network.parameter_names):
        return False
    what = f"the treatment takes the regimen of {table.use}, and the model is without this mechanism"
    reader.note("C112", what, ("treatment", number, "use"), f"write {table.use} = true in [mechanisms]")
    return True


def _treatment(
    reader: Reader, number: int, table: TreatmentTable, words: Words, told: dict[str, list[str]], run: Simulate
) -> Treatment | None:
    path: KeyPath = ("treatment", number)
    start = run.t_start
    at_path = (*path, "start", "at") if table.start is not None else (*path, "at")
    numbers: dict[str, float] = {}
    at = _time_or_condition(reader, at_path, table, words, numbers) if table.when is not None else None
    if isinstance(at, float) and at < start:
        what = f"{table.name} is due on day {at:g}, before the run begins on day {start:g}"
        reader.note("C105", what, at_path, f"write a time from {start:g} days on")
    _check_schedule(reader, path, table, at if isinstance(at, float) else start, run)
    if table.after is not None:
        _find(
            reader,
            (*path, "start", "after"),
            table.after,
            "treatment or event",
            [*told["treatment"], *told["event"]],
        )
    if table.stop_if is not None:
        _find(reader, (*path, "stop_if"), table.stop_if, "event", told["event"])
    if table.repeat and table.when is not None and at is not None and not is_condition(at):
        reader.note(
            "C107",
            "repeat is for a condition, and at is a time",
            (*path, "repeat"),
            'write every = "21 days"',
        )
    changes, inner = [], []
    lesion = words.network.lesion
    groups = {x.group for x in words.network.species if x.group}
    for name in sorted(table.set):  # a kernel does not know in which order they were written
        if name in groups:
            changes += _new_values(reader, (*path, "set", name), table.name, words, numbers)
            continue
        value = _new_value(reader, (*path, "set", name), table.name, words, numbers)
        if value is not None and lesion is not None and name in lesion.names:
            inner.append((name, value))
        elif value is not None:
            changes.append((words.network.species_names.index(name), value))
    factors = [
        (words.network.parameter_names.index(name), factor)
        for name in sorted(table.scale)
        if (factor := _factor(reader, (*path, "scale", name), table, words, numbers)) is not None
    ]
    if (at is None) == (table.after is None):
        return None
    return Treatment(
        name=table.name,
        at=at,
        set=tuple(changes),
        scale=tuple(factors),
        every=table.every,
        cycles=float("inf") if table.cycles is None and table.every is not None else float(table.cycles or 1),
        after=table.after or "",
        delay=table.delay,
        duration=table.duration,
        repeat=table.repeat,
        stop_if=table.stop_if or "",
        numbers=tuple(numbers.items()),
        lesion_set=tuple(inner),
        jitter=table.jitter,
        stop=table.stop,
        adherence=table.adherence,
    )


def _check_schedule(reader: Reader, path: KeyPath, table: TreatmentTable, first: float, run: Simulate) -> None:
    """Refuses a schedule that the run cannot hold: more applications than stops that a method can make in it, or a
    scatter beyond it."""
    length = run.t_end - run.t_start
    if table.jitter is not None and table.jitter > length:
        what = f"{table.name} scatters by {table.jitter:g} days, and the whole run is {length:g} days"
        reader.note("C105", what, (*path, "start", "jitter"), f"write a jitter of at most {length:g} days")
    if table.every is not None:
        most = min((run.t_end - first, *((table.stop,) if table.stop is not None else ())))
        times = min(most / table.every + 1, table.cycles or float("inf"))
        if times > APPLICATIONS:
            what = f"{table.name} is due {times:.3g} times within the run, every {table.every:g} days"
            fix = f"write a longer every, or fewer cycles: at most {APPLICATIONS} applications"
            reader.note("C105", what, (*path, "every"), fix)


def _event(
    reader: Reader, number: int, table: EventTable, words: Words, told: dict[str, list[str]]
) -> Observable | None:
    path: KeyPath = ("event", number)
    others = [name for name in (*told["treatment"], *told["event"]) if name != table.name]
    for key in ("clock", "after"):
        name = getattr(table, key)
        if name is not None:
            _find(reader, (*path, key), name, "treatment or event", others)
    numbers: dict[str, float] = {}
    lesion = words.network.lesion
    late = {ALIVE, SEEN, *(f"lesion_{name}" for name in lesion.names)} if lesion is not None else set()
    if late & set(re.findall(r"\w+", str(table.when))):
        assert lesion is not None
        return _late_event(reader, path, table, lesion)
    when = read_expression(reader, (*path, "when"), table.when, table.name, words, words.known, numbers)
    if when is None or not may_be_waited_for(reader, (*path, "when"), when, words):
        return None
    options: dict[str, object] = {"when": when, "stop": table.stop, "numbers": tuple(numbers.items())}
    options |= {key: getattr(table, key) for key in ("clock", "after") if getattr(table, key) is not None}
    return Observable(table.name, None, "event", options, "d", "", reader.document.place(*path), "passage")


def _late_event(reader: Reader, path: KeyPath, table: EventTable, lesion: Lesion) -> Observable | None:
    """An event of the lesions: so many are detected."""
    found = re.fullmatch(rf"\s*{SEEN}\s*>=\s*(\d{{1,6}})\s*", str(table.when))
    if found is None or int(found[1]) < 1 or lesion.detection is None:
        what = f'"{table.when}" cannot be waited for: lesions run when their patient is through'
        fix = f'write when = "{SEEN} >= 1", or another whole number, and detection in the [lesion] of the model'
        reader.note("C118", what, (*path, "when"), fix)
        return None
    for key in ("stop", "after"):
        if getattr(table, key):
            what = f"{key} is not for an event of the lesions, which run when their patient is through"
            reader.note("M330", what, (*path, key), f"remove {key}")
    options: dict[str, object] = {"lesions": int(found[1])} | ({"clock": table.clock} if table.clock else {})
    return Observable(table.name, None, "event", options, "d", "", reader.document.place(*path), "passage")


def _refuse_late(reader: Reader, treatments: list[Treatment], events: list[Observable]) -> None:
    """Nothing in the patient waits for an event of its lesions."""
    late = {o.name for o in events if "lesions" in o.options}
    for k, x in enumerate(treatments):
        for key, name in (("start", x.after), ("stop_if", x.stop_if)):
            if name in late:
                what = f"{x.name} waits for {name}, an event of the lesions, which run when their patient is through"
                fix = "let it wait for a time, a treatment or an event of the patient"
                reader.note("M330", what, ("treatment", k, key), fix)


def _find(reader: Reader, path: KeyPath, name: str, kind: str, known: list[str]) -> None:
    if name not in known:
        shown = ".".join(str(part) for part in path)
        reader.problems.append(unknown_name(kind, name, known, reader.document.place(*path), shown))


def _time_or_condition(
    reader: Reader, path: KeyPath, table: TreatmentTable, words: Words, numbers: dict[str, float]
) -> float | Expr | None:
    """A time in days, an expression of parameters for one, or a condition."""
    value = table.when
    assert value is not None  # the caller sees to it
    try:
        amount, unit = parse_quantity(value)
    except UnitError as error:
        first = error.problems[0]
        if first.code == "C106" or (
            first.code == "U202" and re.fullmatch(r"\s*[-+.0-9eE]+\s*[A-Za-z]+\s*", str(value))
        ):
            reader.adopt(error, path, 'write a time such as "30 days"')
            return None
    else:
        if unit is not None and unit.dimension != TIME:
            fix = 'write a time such as "30 days", or a condition such as "tumor >= 1e9"'
            reader.note("U201", f'"{value}" is not a time', path, fix)
            return None
        return unit.to_base(amount) if unit is not None else float(amount)
    tree = read_expression(reader, path, str(value), table.name, words, words.known, numbers)
    if tree is None or is_condition(tree):
        return tree if tree is not None and may_be_waited_for(reader, path, tree, words) else None
    if names(tree) - set(numbers) <= set(words.network.parameter_names):
        if words.network.units_checked and dimension_of(value, words) != TIME:
            reader.note(
                "U201", f'"{value}" is not a time', path, "write an expression in days, or a condition"
            )
            return None
        return tree
    what = f'"{value}" is neither a time nor a condition'
    reader.note("C118", what, path, 'write at = "30 days", at = "surgery_day" or at = "tumor >= 1e9"')
    return None


def _new_value(
    reader: Reader, path: KeyPath, owner: str, words: Words, numbers: dict[str, float]
) -> Expr | None:
    """What a species becomes, in its unit."""
    name, network = str(path[-1]), words.network
    inner = {x.name: x for x in network.lesion.species} if network.lesion is not None else {}
    if name not in (*network.species_names, *inner):
        shown = ".".join(str(part) for part in path)
        place = reader.document.place(*path)
        reader.problems.append(unknown_name("species", name, [*network.species_names, *inner], place, shown))
        return None
    known = words.known - {"t"}
    if name in inner:  # a lesion knows itself and the parameters
        known = {*inner, *network.parameter_names}
        words = replace(words, dimensions=words.dimensions | {x.name: x.dimension for x in inner.values()})
    species = inner[name] if name in inner else network.species[network.species_names.index(name)]
    value = reader.value(path)
    tree = read_expression(reader, path, value, owner, words, known, numbers)
    if tree is not None and names(tree) <= numbers.keys() and not 0 <= evaluate(tree, numbers) < float("inf"):
        reader.note("C105", f"{name} is set to {value}: there cannot be so many", path, "write a number from 0 on")
        return None
    if tree is None or not network.units_checked:
        return tree
    found = dimension_of(value, words)
    if found == species.dimension or value == 0:
        return tree
    what = f"{name} is set to what has {shown_unit(found)}, and {shown_unit(species.dimension)} is needed"
    reader.note("U205", what, path, f"multiply or divide by what makes it {species.dimension}")
    return None


def _new_values(
    reader: Reader, path: KeyPath, owner: str, words: Words, numbers: dict[str, float]
) -> list[tuple[int, Expr]]:
    """What each species of a group becomes: its share of the new sum, all of it the first's where there was none."""
    network, group = words.network, str(path[-1])
    first = replace(network.species[network.index(first_of_group(group, network))], name=group)
    outer = replace(words, network=replace(network, species=(*network.species, first)))
    value = _new_value(reader, path, owner, outer, numbers)
    if value is None:
        return []
    members = [(s, x.name) for s, x in enumerate(network.species) if x.group == group]
    whole = words.readings[group]
    return [
        (s, Call("where", (Call(">", (whole, Number(0.0))), Call("/", (Call("*", (value, Name(name))), whole)), rest)))
        for (s, name), rest in zip(members, (value, *(Number(0.0) for _ in members[1:])), strict=True)
    ]


def _factor(
    reader: Reader, path: KeyPath, table: TreatmentTable, words: Words, numbers: dict[str, float]
) -> float | Expr | None:
    name, network = str(path[-1]), words.network
    if name not in network.parameter_names:
        shown = ".".join(str(part) for part in path)
        place = reader.document.place(*path)
        reader.problems.append(unknown_name("parameter", name, network.parameter_names, place, shown))
        return None
    value = reader.value(path)
    if isinstance(value, str):
        tree = read_expression(reader, path, value, table.name, words, set(network.parameter_names), numbers)
        if tree is None:
            return None
        moved = sorted(names(tree) & words.scaled)
        if moved:
            fix = "use parameters that no treatment scales"
            reader.note("C107", f"the factor of {name} uses {moved[0]}, which is scaled itself", path, fix)
            return None
        if network.units_checked and dimension_of(value, words) != DIMENSIONLESS:
            reader.note("U205", f"the factor of {name} has a unit", path, "a factor is a plain number")
            return None
        at = {item.name: item.value for item in network.parameters} | numbers
        factor, result = float(evaluate(tree, at)), tree
    else:
        factor = float(value)
        result = factor  # type: ignore[assignment]
    if not 0 <= factor < float("inf"):
        reader.note("C105", f"the factor of {name} is {factor:g}", path, "write a factor from 0 on")
        return None
    item = network.parameters[network.parameter_names.index(name)]
    low, high = item.bounds or (-float("inf"), float("inf"))
    cycles = 1 if table.duration is not None or table.every is None else table.cycles or 1
    scaled = item.value * factor**cycles
    if not low <= scaled <= high:
        what = f"{name} = {item.value:g} becomes {scaled:g}, outside its bounds {low:g} to {high:g} ({item.unit})"
        reader.note("M306", what, path, "choose another factor, or widen the bounds in the model")
        return None
    return result


def _check_circles(reader: Reader, study: Study) -> None:
    """Nothing waits for itself, through however many others."""
    waits = {x.name: ([x.after] if x.after else []) for x in study.treatment}
    waits |= {x.name: [name for name in (x.clock, x.after) if name] for x in study.event}
    for kind, number, own in _interventions(study):
        seen: set[str] = set()
        queue = list(waits[own])
        while queue:
            name = queue.pop()
            if name not in seen:
                seen.add(name)
                queue += waits.get(name, [])
        if own in seen and own != _STAND_IN:
            fix = "one of them must wait for a time or condition alone"
            reader.note("M308", f"{own} waits for itself", (kind, number, "name"), fix, word=own)


def _check_arms(reader: Reader, study: Study, treatments: list[str]) -> None:
    seen: set[str] = set()
    for number, arm in enumerate(study.arm):
        path = ("arm", number)
        if arm.name == _STAND_IN:
            continue
        if arm.name in seen:
            reader.note("M301", f'two arms are named "{arm.name}"', (*path, "name"), "rename one of the two")
        seen.add(arm.name)
        if not arm.name.isprintable() or arm.name != arm.name.strip():
            fix = 'write a name such as "surgery + chemo"'
            reader.note("M307", f"{arm.name!r} cannot be the name of an arm", (*path, "name"), fix)
        for name in arm.treatments:
            _find(reader, (*path, "treatments"), name, "treatment", treatments)
        if len(set(arm.treatments)) < len(arm.treatments):
            reader.note(
                "C105", f'arm "{arm.name}" names a treatment twice', (*path, "treatments"), "name each once"
            )
