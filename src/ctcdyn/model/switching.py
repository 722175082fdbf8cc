"""What a study does to a composed model: mechanisms that it switches off, and what of the model goes with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ctcdyn import plugins
from ctcdyn.errors import CtcError, Place, Problem
from ctcdyn.model.composition import Entry, Parts
from ctcdyn.model.joining import STAGES
from ctcdyn.model.mechanism import read_mechanism, words
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
