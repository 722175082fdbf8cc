"""Where mechanisms meet: parameters that one has and another scales, and metastases that are a pool or objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ctcdyn.errors import Place
from ctcdyn.model.composition import Entry, Parts
from ctcdyn.model.mechanism import EXPRESSIONS, product, renamed, words

POOL = "growing"


def join_parts(parts: Parts, places: Mapping[str, Place | None]) -> None:
    """What can only be done when all texts are on the pile. `places`: where each mechanism is asked for."""
    _without_pool(parts)
    _check_needs(parts, places)
    _leave_out_absent_stages(parts)
    _scale_parameters(parts)


STAGES = ("primary", "blood", "cluster", "arrested", "arrested_cluster", "tissue", "dormant", POOL)


def _without_pool(parts: Parts) -> None:
    """Metastases that are lesions leave no pool that a mechanism would bring."""
    if parts.lesion.get("species"):
        brought = [n for n, x in parts.species.items() if x.get("stage") == POOL and "by" in x]
        for name in brought:
            del parts.species[name]


def _check_needs(parts: Parts, places: Mapping[str, Place | None]) -> None:
    """Reactions of an option that is for nothing without a stage (`needs`) say so."""
    known = {entry.get("stage") for entry in parts.species.values()}
    missing = [entry for entry in parts.reactions if entry.get("needs", "") and entry["needs"] not in known]
    for entry in missing:
        by, stage = str(entry.get("by")), entry["needs"]
        lesions = parts.lesion and stage == POOL
        why = "metastases are lesions, which nothing in the patient can count" if lesions else "no species is there"
        fix = "choose another option, or give the model a species of that stage"
        what = f"{by}: {entry.get('name')} takes from the stage {stage}, but {why}"
        parts.note("M341", what, places.get(by), f"mechanisms.{by}", fix)
    parts.reactions = [entry for entry in parts.reactions if entry not in missing]
    for entry in parts.reactions:
        entry.pop("needs", None)


def _leave_out_absent_stages(parts: Parts) -> None:
    """What mechanisms say of a shipped stage that this model has no species of: no cells are there, so its name is 0
    in their expressions, and reactions that take from it, or only bring to it, do not happen.
    """
    known = {*parts.species, *parts.parameters, *(entry.get("stage") for entry in parts.species.values())}
    absent = {stage: "0" for stage in STAGES if stage not in known}
    parts.reactions = [x for x in parts.reactions if "by" not in x or not absent.keys() & words(_source(x))]
    for entry in (*parts.reactions, *parts.hazards, *parts.scales, *parts.flags.values(), *parts.stages.values()):
        for key in EXPRESSIONS if "by" in entry else ():
            if key in entry:
                entry[key] = _replaced(entry[key], absent)


def idle_mechanisms(parts: Parts) -> tuple[str, ...]:
    """Mechanisms that only scale, and of what they scale nothing is here: an inhibitor without what it inhibits."""
    named = (*parts.reactions, *parts.hazards, *parts.lesion.get("reaction", ()))
    here = {str(entry.get(key)) for entry in named for key in ("name", "process")}
    here |= {*parts.parameters, *parts.flags, *(f"{flag}_loss" for flag in parts.flags)}
    acting = {entry.get("by") for entry in (*named, *parts.flags.values(), *parts.stages.values())}
    acting |= {entry.get("by") for entry in parts.scales if entry["process"] in here}
    return tuple(dict.fromkeys(str(x["by"]) for x in parts.scales if "by" in x and x["by"] not in acting))


def _source(entry: Entry) -> str:
    """What a reaction takes, or what it makes where it takes nothing."""
    left, _, right = str(entry.get("equation", "")).partition("->")
    return left if left.strip() else right


def _scale_parameters(parts: Parts) -> None:
    """`[scale]` of a parameter multiplies it wherever it stands: in rates, and in parameters that derive from it."""
    factors: dict[str, list[str]] = {}
    for entry in parts.scales:
        if entry["process"] in parts.parameters:
            factors.setdefault(entry["process"], []).append(str(entry["factor"]))
    if not factors:
        return
    meant = {name: product(name, *scaled) for name, scaled in factors.items()}
    tables: tuple[dict[str, Entry], ...] = (
        parts.parameters, parts.observables, parts.flags, parts.stages, parts.lesion.get("species", {}),
    )  # fmt: skip
    lesion = (parts.lesion, *parts.lesion.get("reaction", ()), *parts.lesion.get("founder", ()))
    entries = [entry for table in tables for entry in table.values()]
    for entry in (*entries, *parts.reactions, *parts.hazards, *parts.scales, *parts.noises, *lesion):
        for key in EXPRESSIONS:
            if key in entry and key != "parameter":
                entry[key] = _replaced(entry[key], meant)


def _replaced(value: Any, meant: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(item, meant) for key, item in value.items()}
    if isinstance(value, str) and words(value) & meant.keys():
        return renamed(value, meant)
    return value
