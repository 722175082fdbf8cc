"""`use` of a treatment: the regimen of a mechanism, of which the study changes what it writes itself.

A mechanism's MODEL may have a `[treatment]`: the keys of a [[treatment]] of a study (`set`, `scale`, `every`, ...) with
its own short names of parameters. `[[treatment]] use = "chemotherapy"` takes them.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from ctcdyn import plugins
from ctcdyn.errors import CtcError, Place, Problem
from ctcdyn.places import Document, KeyPath

_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")


def with_regimens(document: Document) -> tuple[Document, list[Problem]]:
    """The study with each `use` of its treatments written out; what is wrong with one is told."""
    tables = document.data.get("treatment")
    if not isinstance(tables, list) or not any(isinstance(x, dict) and "use" in x for x in tables):
        return document, []
    problems: list[Problem] = []
    written = []
    places = dict(document.places)
    for number, table in enumerate(tables):
        if not isinstance(table, dict) or "use" not in table:
            written.append(table)
            continue
        try:
            regimen = _regimen(document, number, table["use"])
        except CtcError as error:
            place = document.place("treatment", number, "use")
            problems += [p.at(place, f"treatment.{number}.use") for p in error.problems]
            regimen = {}
        for one, other in (("at", "start"), ("start", "at")):  # the study's own beginning stands
            if one in table:
                regimen.pop(other, None)
        places |= _places(document, number, regimen)
        own = {k: x for k, x in table.items() if k != "use" or isinstance(x, str)}
        written.append({"name": table["use"], **_merged(regimen, own)})
    return replace(document, data={**document.data, "treatment": written}, places=places), problems


_MERGED = ("set", "scale")  # tables of which the study changes the entries that it names


def _merged(regimen: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """A regimen as the study changes it: keys, and entries of `set` and `scale`, one by one; "none" takes one out."""
    merged = dict(regimen)
    for key, value in own.items():
        if key in regimen and value == "none":
            del merged[key]
        elif key in _MERGED and isinstance(value, dict) and isinstance(regimen.get(key), dict):
            merged[key] = _merged(regimen[key], value)
        else:
            merged[key] = value
    return merged


def _places(document: Document, number: int, regimen: dict[str, Any]) -> dict[KeyPath, Place]:
    """What the regimen brings stands where it is asked for."""
    use = document.place("treatment", number, "use")
    paths: list[KeyPath] = [("treatment", number, key) for key in regimen]
    tables = {key: regimen[key] for key in _MERGED if isinstance(regimen.get(key), dict)}
    paths += [("treatment", number, key, name) for key, table in tables.items() for name in table]
    return {path: use for path in paths if path not in document.places}


def _regimen(document: Document, number: int, use: Any) -> dict[str, Any]:
    """The regimen of a mechanism with full names of its parameters."""
    place = document.place("treatment", number, "use")
    if not isinstance(use, str):
        raise CtcError(Problem("C104", "use must be the name of a mechanism", place, fix='write use = "chemotherapy"'))
    named = document.data.get("mechanisms", {})
    named = named.get(use) if isinstance(named, dict) else None
    file = named if isinstance(named, str) else named.get("file") if isinstance(named, dict) else None
    folder = Path(document.place("mechanisms", use).file).parent if file is not None else Path()
    path = plugins.find("mechanism", file if isinstance(file, str) else use, folder, place, "use")
    text = str(plugins.constants(path, ("MODEL",))["MODEL"])
    try:
        model = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}  # the reader of mechanisms tells where
    if not isinstance(model.get("treatment"), dict):
        having = ", ".join(_with_regimens()) or "none"
        fix = f"those with one: {having}; or write at, set and scale yourself"
        raise CtcError(Problem("C112", f"the mechanism {use} has no [treatment]", place, fix=fix, word=use))
    names = {name: f"{use}_{name}" for name in model.get("parameters", {})}
    return {key: _full(value, names) for key, value in model["treatment"].items()}


def _with_regimens() -> list[str]:
    return [
        name
        for name in plugins.available("mechanism")
        if "[treatment]" in str(plugins.constants(plugins.find("mechanism", name), (), ("MODEL",)).get("MODEL", ""))
    ]


def _full(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {names.get(key, key): _full(item, names) for key, item in value.items()}
    return _WORD.sub(lambda found: names.get(found[0], found[0]), value) if isinstance(value, str) else value
