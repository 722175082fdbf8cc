"""The document of a composed model, with the place of every part; its text is a model by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ctcdyn import plugins
from ctcdyn.errors import CtcError, Place, Problem
from ctcdyn.model.composition import Entry, Parts, asked_for, gather, wrong_requests
from ctcdyn.model.expansion import Expansion, Written
from ctcdyn.model.joining import idle_mechanisms, join_parts
from ctcdyn.model.mechanism import Mechanism
from ctcdyn.model.switching import missing_laws, take_out, unknown_places, unknown_switches
from ctcdyn.places import Document, KeyPath, toml_key, toml_value

MOST_FLAGS = 10  # on one species: 1024 variants, more than a model may have species
_HEADER = "# {name}: composed of mechanisms ({mechanisms}); this text is a model by itself"


@dataclass(frozen=True)
class Composition:
    """What a model was composed of, for `check` and the pages of mechanisms."""

    mechanisms: tuple[Mechanism, ...]
    flags: tuple[tuple[str, tuple[str, ...]], ...]  # flag, species that can carry it
    dropped: tuple[str, ...]  # variants that no reaction reaches
    idle: tuple[str, ...] = ()  # mechanisms that scale nothing that is here

    def told(self) -> tuple[str, ...]:
        """Lines for people: mechanisms, which species carry which flag, what was left out."""
        lines = [f"mechanism   {x.name}: {x.title}" for x in self.mechanisms]
        lines += [f"flag        {flag}: carried by {', '.join(on) or 'no species here'}" for flag, on in self.flags]
        lines += [f"no effect   {x}: what it multiplies is not in this model" for x in self.idle]
        return (*lines, *([f"left out    {', '.join(self.dropped)}: no reaction leads there"] if self.dropped else []))


def is_composed(document: Document, given: Mapping[str, Any]) -> bool:
    """Whether a model has mechanisms of its own or of the study."""
    return bool(given) or "mechanisms" in document.data


def compose(
    document: Document, given: Mapping[str, Any], places: Mapping[str, Place]
) -> tuple[Document, Composition, list[Problem]]:
    """The model of `document` with its mechanisms and those of a study (`given`, at `places`)."""
    problems = wrong_requests(document)
    if problems:
        rest = {key: value for key, value in document.data.items() if key != "mechanisms"}
        return replace(document, data=rest), Composition((), (), ()), problems
    asked = asked_for(document, given, places)
    parts, mechanisms = gather(document, asked)
    asked_at = {name: settings[""] for name, settings in asked.items()}
    left_out = take_out(parts, document, given, asked)
    wrong = unknown_switches(document, given, places) + unknown_places(parts, asked)
    wrong += missing_laws(parts, mechanisms, asked)
    if wrong:
        raise CtcError([*parts.problems, *wrong])
    join_parts(parts, asked_at)
    _check_targets(parts, mechanisms, asked_at, document.path)
    expansion = Expansion(parts)
    _check_size(expansion)
    written = expansion.written()
    data, at = _data(parts, written)
    names = ", ".join(x.name for x in mechanisms) or "none"
    head = _HEADER.format(name=data.get("name", document.path), mechanisms=names)
    at = {path: place for path, place in document.places.items() if path[0] not in _OURS} | at
    composed = Document(document.path, f"{head}\n{model_text(data)}", data, at)
    flags = tuple((flag, tuple(s for s in parts.species if s in on)) for flag, on in expansion.flags.items())
    told = Composition(tuple(mechanisms), flags, (*written.dropped, *left_out), idle_mechanisms(parts))
    return composed, told, parts.problems


_INNER = ("", "by", "process", "added")  # what is kept beside the keys of an entry
_OURS = ("mechanisms", "species", "parameters", "observables", "reaction", "noise", "published", "lesion")


def _check_size(expansion: Expansion) -> None:
    """Flags double what carries them: refused before they are written out. Raises CtcError M315."""
    for species, flags in expansion.own.items():
        if len(flags) > MOST_FLAGS:
            what = f"{species} can carry {len(flags)} flags, so {2 ** len(flags)} variants of it"
            fix = f'narrow where they live, at = ["blood"]; at most {MOST_FLAGS} on a species'
            raise CtcError(Problem("M315", what, expansion.parts.species[species][""], f"species.{species}", fix))


def _check_targets(
    parts: Parts, mechanisms: list[Mechanism], places: Mapping[str, Place | None], path: str
) -> None:
    """Every mechanism finds something to act on."""
    stages = {entry.get("stage") for entry in parts.species.values()} | ({"lesion"} if parts.lesion else set())
    for mechanism in mechanisms:
        wanted = mechanism.acts_on
        if wanted and not stages & set(wanted):
            shown = ", ".join(sorted(str(x) for x in stages if x)) or "none"
            what = f"{mechanism.name} acts on the stage {' or '.join(wanted)}, and the model has {shown}"
            fix = f'give a species stage = "{wanted[0]}", or take the mechanism that brings it'
            if not any(stages):
                fix = _how_to_stage(parts, wanted[0], path)
            parts.note("M341", what, places[mechanism.name], f"mechanisms.{mechanism.name}", fix)


def _how_to_stage(parts: Parts, stage: str, path: str) -> str:
    """What to do with a model that says of no species where its cells are."""
    one = stage if stage in parts.species else next(iter(parts.species), stage)
    fix = f'say where the cells of its species are: {one} = {{ unit = "cells", stage = "{stage}" }}'
    if plugins.is_built_in(Path(path)):
        name = parts.head.get("name", "")
        fix = f"take a copy, `ctcdyn models {name} --source > my.model.toml`, and {fix}; cascade_human has stages"
    return fix


def _data(parts: Parts, written: Written) -> tuple[dict[str, Any], dict[KeyPath, Place]]:
    """The tables of the composed model, and where each stands."""
    at: dict[KeyPath, Place] = {}
    data: dict[str, Any] = dict(parts.head)
    tests = data.pop("test", None)

    def put(entry: Entry, *path: str | int) -> Any:
        if entry[""] is not None:
            at[path] = entry[""]
        return entry["wrong"] if "wrong" in entry else {k: v for k, v in entry.items() if k not in _INNER}

    tables = {"species": written.species, "parameters": parts.parameters, "observables": parts.observables}
    for kind, table in tables.items():
        if table:
            data[kind] = {name: put(entry, kind, name) for name, entry in table.items()}
    for kind, entries in (("reaction", written.reactions), ("noise", parts.noises), ("published", parts.published)):
        if entries:
            data[kind] = [put(entry, kind, k) for k, entry in enumerate(entries)]
    if parts.lesion:
        lesion = {k: v for k, v in parts.lesion.items() if k not in ("", "species", "reaction", "founder")}
        at |= {("lesion", key): place for key, place in parts.lesion.get("", {}).items()}
        lesion["species"] = {x: put(e, "lesion", "species", x) for x, e in parts.lesion.get("species", {}).items()}
        lesion["reaction"] = [put(e, "lesion", "reaction", k) for k, e in enumerate(written.lesion_reactions)]
        founders = [
            entry | {"reaction": name}
            for entry in parts.lesion.get("founder", ())
            for name in written.founders.get(str(entry.get("reaction")), [entry.get("reaction")])
        ]
        told = {entry.get("reaction") for entry in founders}
        size = lesion.get("size", next(iter(lesion["species"]), ""))
        founders += [
            {"": parts.lesion.get("", {}).get("detection"), "reaction": name, "begins": {size: cells}}
            for name, cells in written.groups.items()
            if name not in told
        ]
        lesion["founder"] = [put(e, "lesion", "founder", k) for k, e in enumerate(founders)]
        data["lesion"] = lesion
    return data | ({"test": tests} if tests is not None else {}), at


def model_text(data: Mapping[str, Any]) -> str:
    """TOML of a model: a line for each species, parameter and observable, a table for each reaction."""
    lines = [f"{toml_key(k)} = {toml_value(v)}" for k, v in data.items() if not isinstance(v, dict) and not _tables(v)]
    for key, value in data.items():
        if isinstance(value, dict):
            _write_table((key,), value, lines)
        elif _tables(value):
            _write_list((key,), value, lines)
    return "\n".join(lines) + "\n"


def _tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _write_table(path: tuple[str, ...], table: Mapping[str, Any], lines: list[str]) -> None:
    lines += ["", f"[{'.'.join(map(toml_key, path))}]"]
    nested = [key for key in table if path == ("lesion",) and key in ("species", "reaction", "founder")]
    lines += [f"{toml_key(key)} = {toml_value(value)}" for key, value in table.items() if key not in nested]
    for key in nested:
        if isinstance(table[key], dict):
            _write_table((*path, key), table[key], lines)
        else:
            _write_list((*path, key), table[key], lines)


def _write_list(path: tuple[str, ...], entries: list[Any], lines: list[str]) -> None:
    for entry in entries:
        lines += ["", f"[[{'.'.join(map(toml_key, path))}]]"]
        lines += [f"{toml_key(key)} = {toml_value(value)}" for key, value in entry.items()]
