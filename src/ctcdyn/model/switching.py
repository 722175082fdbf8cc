"""What a study does to a composed model: mechanisms that it switches off, and what of the model goes with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ctcdyn import plugins
from ctcdyn.errors import CtcError, Place, Problem
from ctcdyn.model.composition import Entry, Parts
from ctcdyn.model.joining import STAGES
from ctcdyn.model.mechanism import EXPRESSIONS, Mechanism, read_mechanism, words
from ctcdyn.model.shapes import wrong_places
from ctcdyn.places import Document


def unknown_switches(
    document: Document, given: Mapping[str, Any], places: Mapping[str, Place]
) -> list[Problem]:
    """`false` for what is no mechanism: a misspelt one would leave the right one on."""
    own = document.data.get("mechanisms", {})
    found: list[Problem] = []
    for name in dict.fromkeys((*own, *given)):
        if given.get(name, own.get(name)) is False and own.get(name, False) is False:
            place = places.get(name) if name in given else document.place("mechanisms", name)
            try:
                plugins.find("mechanism", name, place=place, key=f"mechanisms.{name}")
            except CtcError as error:
                found += error.problems
    return found


def unknown_places(parts: Parts, asked: Mapping[str, Entry]) -> list[Problem]:
    """Stages of flags that there are not: the flag would live nowhere, without a word."""
    known = {*STAGES, "lesion", *parts.species, *parts.stages}
    known |= {x["stage"] for x in parts.species.values() if isinstance(x.get("stage"), str)}
    found: list[Problem] = []
    for flag, entry in parts.flags.items():
        settings = asked.get(str(entry.get("by")), {"places": {}})
        place = settings["places"].get("at", entry[""])
        found += wrong_places(flag, entry.get("at"), known, place, f"flag.{flag}.at")
        without = entry.get("without", [])
        if not isinstance(without, list) or not all(isinstance(x, str) for x in without) or flag in without:
            place = settings["places"].get("without", entry[""])
            what = f"without of {flag} must be a list of other flags"
            found.append(Problem("C104", what, place, f"flag.{flag}.without", 'write without = ["adapted"]'))
    return found


def missing_laws(parts: Parts, mechanisms: Iterable[Mechanism], asked: Mapping[str, Entry]) -> list[Problem]:
    """Mechanisms that go by parameters of another one (`intravasation_shedding`) which is not there: told once."""
    here = {x.name: x for x in mechanisms}
    others = [x for x in plugins.available("mechanism") if x not in here]
    found: list[Problem] = []
    for by, mechanism in here.items():
        entries = [x for x in (*parts.reactions, *parts.hazards, *parts.scales) if x.get("by") == by]
        used = {w for entry in entries for key in EXPRESSIONS for w in words(str(entry.get(key, "")))}
        unknown = sorted(used - parts.parameters.keys() - parts.species.keys())
        for other in others:
            names = [w for w in unknown if w.startswith(f"{other}_")]
            if names:
                what = f"{by} goes by {other}, of which it takes {', '.join(names)}, and the model is without {other}"
                fix = " or ".join([f"write {other} = true", *_without(mechanism, other)])
                found.append(Problem("M341", what, asked[by][""], f"mechanisms.{by}", fix, word=by))
    return found


def _without(mechanism: Mechanism, other: str) -> Iterator[str]:
    """Settings of a mechanism under which nothing of it takes parameters of another."""
    data = mechanism.document.data
    scales = [y for x in data.get("scale", {}).values() for y in (x if isinstance(x, list) else [x])]
    parts = (*data.get("reaction", ()), *data.get("hazard", ()), *scales)
    for option, values in mechanism.options.items():
        for value in values:
            changed = replace(mechanism, chosen={**mechanism.chosen, option: value})
            if not any(w.startswith(f"{other}_") for x in parts if changed.holds(x) for w in words(str(x))):
                yield f'{mechanism.name} = {{ {option} = "{value}" }}'


def take_out(parts: Parts, document: Document, given: Mapping[str, Any], asked: Mapping[str, Entry]) -> list[str]:
    """Takes out what speaks of mechanisms that a study changed: the file's small instance, and observables of what it
    switched off, whose names are given back."""
    if given:
        parts.head.pop("test", None)
    gone: set[str] = set()
    for name in document.data.get("mechanisms", {}).keys() - asked.keys():
        try:
            off = read_mechanism(name, None, Path(), None, "")
        except CtcError:
            continue  # a file of the user's: what it brought is told where it is missed
        gone |= {*off.document.data.get("species", {}), *(off.full_name(x) for x in off.parameters)}
    gone -= parts.species.keys() | parts.parameters.keys()
    without = [x for x, entry in parts.observables.items() if words(str(entry.get("expr", ""))) & gone]
    for name in without:
        del parts.observables[name]
    return without
