"""model.toml -> Network. Every problem of the text is found in one reading and reported with its line.

Numbers become base units (days, mL, cm, nmol) here, and nowhere behind this page does a unit convert again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ctcdyn import plugins
from ctcdyn.config import UNKNOWN_MODEL, ModelChoice, Override, Study, read_study
from ctcdyn.errors import CtcError, Problem
from ctcdyn.model.colony import lesion_network
from ctcdyn.model.composed import Composition, compose, is_composed
from ctcdyn.model.definitions import check_initial_unit, read_parameters, read_tests
from ctcdyn.model.expr import names
from ctcdyn.model.fluctuations import read_noises
from ctcdyn.model.lesion import read_lesion
from ctcdyn.model.network import Network, Parameter
from ctcdyn.model.rates import check_rates, rate_problems, vanishing_problems
from ctcdyn.model.reactions import LESION, read_groups, read_reactions, read_species
from ctcdyn.model.reader import Reader
from ctcdyn.model.readings import group_readings, read_observables, read_published
from ctcdyn.model.resolve import Resolved, read_resolved, resolve
from ctcdyn.places import describe, read_document

__all__ = ["Resolved", "check_rates", "load_model", "prepare", "read_model", "resolve"]

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
    "lesion",
    "published",
    "test",
)
_LATER = ("treatment", "event")
_TITLE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


def load_model(model: str | Path | ModelChoice, mechanisms: Mapping[str, Any] | None = None) -> Network:
    """The model of a built-in name, a path or a study's [model]; `mechanisms` as in [mechanisms] of a study. Raises
    CtcError with every problem of its text.

    >>> load_model("birth_death_immigration").conservation()
    []
    """
    network, problems = read_model(model, mechanisms)
    if problems or network is None:
        raise CtcError(problems)
    return network


def read_model(
    model: str | Path | ModelChoice, mechanisms: Mapping[str, Any] | None = None
) -> tuple[Network | None, list[Problem]]:
    """Like `load_model`, but hands the problems over instead of raising them; no network comes with
    problems.
    """
    try:
        path = plugins.find("model", model.location if isinstance(model, ModelChoice) else model)
        document, given = read_document(path), dict(mechanisms or {})
        given |= model.mechanisms if isinstance(model, ModelChoice) else {}
        composition: Composition | None = None
        wrong: list[Problem] = []
        if is_composed(document, given):
            places = model.places if isinstance(model, ModelChoice) else {}
            document, composition, wrong = compose(document, given, places)
    except CtcError as error:
        return None, list(error.problems)
    reader = Reader(document, wrong)
    network = _read(reader)
    if network is not None and composition is not None:
        network = replace(network, notes=composition.told())
    problems = reader.problems
    if network is not None:
        problems += vanishing_problems(_sound_part(network, reader)) if problems else _rate_problems(network)
    problems.sort(key=lambda problem: problem.place.line if problem.place is not None else 0)
    return (network if not problems else None), problems


def _rate_problems(network: Network) -> list[Problem]:
    """Wrong rates of the patient, then of its lesions."""
    inner = rate_problems(lesion_network(network)) if network.lesion is not None else []
    return rate_problems(network) + [p for p in inner if p.key.startswith("reaction")]


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
    founding: set[str] | None = set() if isinstance(reader.value(("lesion",)), dict) else None
    if founding is None:
        reader.table(("lesion",))  # tells what else stands there
    if founding is not None:
        taken[LESION] = "word of equations"
    species = read_species(reader, taken)
    read_groups(reader, species, taken)
    parameters = read_parameters(reader, taken, checked)
    for name in reader.table(("observables",)):
        reader.name(name, ("observables", name), taken, "observable")
    dimensions = {item.name: item.dimension for item in species}
    dimensions |= {item.name: item.dimension for item in parameters}
    for item in species if checked else ():
        check_initial_unit(reader, ("species", item.name, "initial"), item.initial, item, dimensions)
    reactions = read_reactions(reader, species, dimensions, checked, founding)
    observables = read_observables(reader, dimensions, checked, [item.name for item in reactions])
    observables = (*group_readings(reader, species), *observables)
    readable = (*(item.name for item in species), *reader.groups, *reader.table(("observables",)))
    published = read_published(reader, readable)
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
    network = read_lesion(reader, network, taken, founding, checked) if founding is not None else network
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
