"""[mechanisms] of a model and of a study: a model composed of mechanisms, as one document in the language of models.

What comes out is a plain model: species, parameters, reactions, each with the place of the text it came from, so that
a mistake in a mechanism is told with the line of its file. `expansion.py` writes flags and stages out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ctcdyn import plugins
from ctcdyn.config.values import wrong_switch
from ctcdyn.errors import CtcError, Place, Problem, nearest
from ctcdyn.model.mechanism import EXPRESSIONS, Mechanism, product, read_mechanism
from ctcdyn.places import Document, describe, toml_value
from ctcdyn.units import UnitError, parse_quantity

Entry = dict[str, Any]  # a table of a text, with its place under ""


@dataclass
class Parts:
    """What the model and its mechanisms say, in one pile; texts have full names of parameters."""

    head: Entry
    species: dict[str, Entry] = field(default_factory=dict)
    parameters: dict[str, Entry] = field(default_factory=dict)
    observables: dict[str, Entry] = field(default_factory=dict)
    reactions: list[Entry] = field(default_factory=list)
    hazards: list[Entry] = field(default_factory=list)
    scales: list[Entry] = field(default_factory=list)
    flags: dict[str, Entry] = field(default_factory=dict)
    stages: dict[str, Entry] = field(default_factory=dict)
    noises: list[Entry] = field(default_factory=list)
    published: list[Entry] = field(default_factory=list)
    lesion: Entry = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def note(self, code: str, what: str, place: Place | None, key: str, fix: str, word: str = "") -> None:
        self.problems.append(Problem(code, what, place, key, fix, word=word))


def asked_for(document: Document, given: Mapping[str, Any], place_of_given: Mapping[str, Place]) -> dict[str, Entry]:
    """The mechanisms of a model, as a study changes them: name -> settings. A study's `false` takes one away."""
    own = document.data.get("mechanisms", {})
    asked: dict[str, Entry] = {}
    for source, table in (("model", own), ("study", given)):
        for name, value in table.items() if isinstance(table, dict) else ():
            place = document.place("mechanisms", name) if source == "model" else place_of_given.get(name)
            if value is False:
                asked.pop(name, None)
                continue
            if isinstance(value, str):
                value = {"file": value}
            settings: Entry = asked.get(name, {"": place, "places": {}, "folder": Path()})
            for key, setting in value.items() if isinstance(value, dict) else ():
                settings[key] = setting
                here = document.place("mechanisms", name, key) if source == "model" else None
                settings["places"][key] = here or place_of_given.get(f"{name}.{key}", place)
            if isinstance(value, dict) and "file" in value and place is not None:
                settings["folder"] = Path(place.file).parent  # a path starts at the text that names it
            asked[name] = settings
    return asked


def wrong_requests(document: Document) -> list[Problem]:
    """What in a [mechanisms] table is neither true, false, a path nor a table."""
    table, found = document.data.get("mechanisms", {}), []
    for name, value in table.items() if isinstance(table, dict) else [("mechanisms", table)]:
        wrong = wrong_switch(name, value)
        if wrong is not None:
            place = document.place("mechanisms", name) if isinstance(table, dict) else document.place("mechanisms")
            found.append(Problem("C104", f"{name} {wrong[0]}", place, f"mechanisms.{name}", wrong[1], word=name))
    return found


def gather(document: Document, asked: Mapping[str, Entry]) -> tuple[Parts, list[Mechanism]]:
    """The pile of parts of a model and its mechanisms; what is wrong is noted in it."""
    parts = Parts({key: value for key, value in document.data.items() if key in _HEAD})
    _pile(parts, None, document)
    mechanisms = []
    for name, settings in sorted(asked.items(), key=_order):
        key = f"mechanisms.{name}"
        try:
            mechanism = read_mechanism(name, settings.get("file"), settings["folder"], settings[""], key)
        except CtcError as error:
            parts.problems += [p.at(settings[""], key) for p in error.problems]
            continue
        mechanism = _with_settings(parts, mechanism, settings)
        mechanisms.append(mechanism)
        _pile(parts, mechanism, mechanism.document, settings)
    return parts, mechanisms


_HEAD = ("schema", "name", "title", "doc", "time_unit", "units", "test")
_OF_FLAGS = ("at", "without")  # keys of a flag that a model or study may set
_TABLES = ("species", "parameters", "observables", "flag", "stage")
_LISTS = ("reaction", "hazard", "noise", "published")
_PILES = {"flag": "flags", "stage": "stages", "reaction": "reactions", "hazard": "hazards", "noise": "noises"}


def _order(item: tuple[str, Entry]) -> tuple[int, str]:
    """Mechanisms in the order of the page that they come from, so that the order of a text changes nothing."""
    name = item[0]
    try:
        return int(plugins.constants(plugins.find("mechanism", name), (), ("NUMBER",)).get("NUMBER", 1000)), name
    except CtcError:
        return 1000, name


def _with_settings(parts: Parts, mechanism: Mechanism, settings: Entry) -> Mechanism:
    """The mechanism with the options that were chosen; settings that it does not know are noted."""
    known = [*mechanism.options, *mechanism.parameters, *(_OF_FLAGS if "flag" in mechanism.document.data else ())]
    chosen = dict(mechanism.chosen)
    for key, value in settings.items():
        place, shown = settings["places"].get(key), f"mechanisms.{mechanism.name}.{key}"
        if key in ("", "places", "file", "folder"):
            continue
        if key not in known:
            near = nearest(key, known)
            fix = f'did you mean "{near}"?' if near else f"it has {', '.join(known) or 'no settings'}"
            parts.note("C102", f'{mechanism.name} has no setting "{key}"', place, shown, fix, key)
        elif key in mechanism.options:
            if value in mechanism.values(key):
                chosen[key] = value
            else:
                allowed = ", ".join(f'"{x}"' for x in mechanism.options[key])
                parts.note("C105", f"{key} must be one of {allowed}, not {describe(value)}", place, shown,
                           f"write {key} = {allowed.split(', ')[0]}", key)  # fmt: skip
    mechanism = Mechanism(**{**mechanism.__dict__, "chosen": chosen})
    for key in settings.keys() & set(mechanism.parameters):
        table = mechanism.document.data["parameters"][key]
        if not mechanism.holds(table):
            asked = ", ".join(f"{option} = {toml_value(value)}" for option, value in table["if"].items())
            what, shown = f"{mechanism.name} has {key} only with {asked}", f"mechanisms.{mechanism.name}.{key}"
            parts.note("M342", what, settings["places"][key], shown, "choose that option, or leave it out", key)
    for entry in mechanism.refusals():
        if mechanism.holds(entry):
            asked = ", ".join(f"{option} = {toml_value(value)}" for option, value in entry["if"].items())
            option = next((x for x in entry["if"] if x in settings["places"]), "")
            place, shown = settings["places"].get(option, settings[""]), f"mechanisms.{mechanism.name}.{option}"
            parts.note("M342", f"{mechanism.name} does not go with {asked}: {entry['why']}", place, shown, entry["fix"])
    return mechanism


def _pile(parts: Parts, mechanism: Mechanism | None, document: Document, settings: Entry | None = None) -> None:
    """Lays the tables of one text on the pile."""
    for kind in _TABLES:
        pile: dict[str, Entry] = getattr(parts, _PILES.get(kind, kind))
        for name, table in _named(document, kind):
            if mechanism is not None and not mechanism.holds(table):
                continue
            entry = _entry(table, mechanism, document.place(kind, name))
            full = mechanism.full_name(name) if mechanism is not None and kind == "parameters" else name
            if kind == "parameters" and settings is not None:
                entry = _with_value(entry, name, settings)
            if kind == "flag" and settings is not None:
                entry |= {key: settings[key] for key in _OF_FLAGS if key in settings}
            if kind == "species" and mechanism is not None and _provided(parts, entry):
                continue
            if kind == "stage" and full in pile:
                _join_stage(pile[full], entry)
                continue
            if full in pile:
                what = f'"{full}" is declared by {document.path} and once more elsewhere'
                parts.note("M301", what, entry[""], f"{kind}.{name}", "rename one of the two", name)
                continue
            pile[full] = entry
    for kind in _LISTS:
        for number, table in enumerate(document.data.get(kind, [])):
            if isinstance(table, dict) and (mechanism is None or mechanism.holds(table)):
                entry = _entry(table, mechanism, document.place(kind, number))
                getattr(parts, _PILES.get(kind, kind)).append(entry)
    for process, factors in _named(document, "scale"):
        place = document.place("scale", process)
        for factor in factors if isinstance(factors, list) else [factors]:
            if isinstance(factor, dict) and (mechanism is None or not mechanism.holds(factor)):
                continue
            text = factor.get("factor", "1") if isinstance(factor, dict) else factor
            entry = {"": place, "process": process, "factor": mechanism.full(text) if mechanism else text}
            parts.scales.append(entry | ({"by": mechanism.name} if mechanism is not None else {}))
    _pile_lesion(parts, mechanism, document)


def _join_stage(known: Entry, new: Entry) -> None:
    """What several texts say of one stage: factors of one process are multiplied."""
    factors = known.setdefault("factors", {})
    for process, factor in new.get("factors", {}).items():
        factors[process] = product(str(factors.get(process, "1")), str(factor))
    if "like" in new:
        known.setdefault("like", new["like"])


def _provided(parts: Parts, entry: Entry) -> bool:
    """Whether the stage of a species that a mechanism brings is taken by another's; `added` ones come beside it."""
    stage = entry.get("stage")
    return stage is not None and not entry.get("added") and any(
        x.get("stage") == stage and x.get("by") != entry["by"] for x in parts.species.values()
    )


def _pile_lesion(parts: Parts, mechanism: Mechanism | None, document: Document) -> None:
    table = document.data.get("lesion")
    if not isinstance(table, dict) or (mechanism is not None and not mechanism.holds(table)):
        return
    pile = parts.lesion
    for key, value in table.items():
        if key == "if":
            continue
        if key == "species":
            for name, item in value.items():
                entry = _entry(item, mechanism, document.place("lesion", "species", name))
                pile.setdefault("species", {}).setdefault(name, entry)
        elif key in ("reaction", "founder"):
            for number, item in enumerate(value):
                if mechanism is None or mechanism.holds(item):
                    entry = _entry(item, mechanism, document.place("lesion", key, number))
                    pile.setdefault(key, []).append(entry)
        else:
            pile[key] = mechanism.full(value) if mechanism is not None and key in EXPRESSIONS else value
            pile.setdefault("", {})[key] = document.place("lesion", key)


def _named(document: Document, kind: str) -> list[tuple[str, Any]]:
    table = document.data.get(kind, {})
    return list(table.items()) if isinstance(table, dict) else []


def _entry(table: Any, mechanism: Mechanism | None, place: Place) -> Entry:
    """A table with full names of parameters in its expressions, and its place."""
    if not isinstance(table, dict):
        return {"": place, "wrong": table}
    entry: Entry = {"": place}
    for key, value in table.items():
        if key == "if":
            continue
        entry[key] = mechanism.full(value) if mechanism is not None and key in EXPRESSIONS else value
    if mechanism is not None:
        entry["by"] = mechanism.name
    return entry


def _with_value(entry: Entry, name: str, settings: Entry) -> Entry:
    """A parameter with the value that [mechanisms] gives it, and the source where that gives one."""
    if name not in settings:
        return entry
    given, place = settings[name], settings["places"][name]
    changed = {key: value for key, value in entry.items() if key != "expr"} | {"": place}
    before = entry.get("value", entry.get("expr"))
    if "unit" not in entry and isinstance(before, str) and "value" in entry:
        try:  # a bare number is in the unit that the mechanism declares, and another unit is told as such
            unit = parse_quantity(before)[1]
            changed |= {"unit": unit.text} if unit is not None else {}
        except UnitError:
            pass  # the reader of models tells it
    new = given if isinstance(given, dict) else {"value": given}
    if "value" in new and "source" not in new:  # what the file says of another figure is not true of this one
        text = Path(place.file).name if place is not None else "the call"
        changed["source"] = f"assumed: set in {text}, in the place of {before} ({entry.get('source', 'no source')})"
    return changed | new
