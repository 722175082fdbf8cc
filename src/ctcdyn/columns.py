"""Columns of a result in the order in which a person reads them: what the study is about first.

A file has species in one table and observables in another, each in the order of the model. What a method or a lesion
adds to the observables is told by its name, which no model can take.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from ctcdyn import plugins
from ctcdyn.errors import CtcError
from ctcdyn.store.layout import FATE

if TYPE_CHECKING:
    from ctcdyn.results import Results

COMPUTED = ("ode", "backward", "moments")  # semantics in which nothing is left to chance
_OF_LESIONS = ("lesions_detected", "lesions")


def semantics(results: Results) -> str:
    """Of the method that made the results, looked up by its name; empty for a file of the user's."""
    try:
        solver = plugins.find("solver", results.schema.method)
        return str(plugins.constants(solver, ("SEMANTICS",))["SEMANTICS"])
    except CtcError:
        return ""


def chances(results: Results) -> dict[str, dict[str, str]]:
    """Event -> the columns of its chance in results of backward equations: that of the event itself under "", and that
    of one cell of each kind which is there at the start under the name of the kind."""
    if semantics(results) != "backward":
        return {}
    names = [name for name in results.observable if name.startswith("chance_")]
    ends = {f"{name}_of_{kind}": (name, kind) for name in names for kind in results.species}
    found: dict[str, dict[str, str]] = {name: {"": name} for name in names if name not in ends}
    for name in names:
        if name in ends:
            event, kind = ends[name]
            found[event][kind] = name
    return {name.removeprefix("chance_"): columns for name, columns in found.items()}


def covariances(results: Results) -> dict[str, tuple[str, str]]:
    """Column cov_x_y -> (var_x, var_y), in results of moment equations."""
    if semantics(results) != "moments":
        return {}
    varying = [name.removeprefix("var_") for name in results.observable if name.startswith("var_")]
    pairs = {f"cov_{x}_{y}": (f"var_{x}", f"var_{y}") for x, y in combinations(varying, 2)}
    return {name: pairs[name] for name in results.observable if name in pairs}


def in_order(results: Results) -> list[str]:
    """All columns: lesions, chances of events, what the model reads off, species; chances of single cells last.

    Columns of species that count fates are left out: these have a table and a picture of their own.
    Of moment equations each variance stands behind its mean, before what is read off, and covariances are last.
    """
    hidden = {FATE + name for name in results.schema.fates}
    hidden |= {f"var_{name}" for name in hidden}
    hidden |= {name for name, pair in covariances(results).items() if hidden & {*pair}}
    names = tuple(name for name in results.observable if name not in hidden)
    species = [name for name in results.species if name not in hidden]
    lesions = [name for name in _OF_LESIONS if name in names] if results.schema.founder_rules else []
    if lesions:
        lesions += [name for name in names if name.startswith("lesion_")]
        lesions += [name for name in names if name.startswith("founded_")]
    asked = chances(results).values()
    whole = [column for columns in asked for kind, column in columns.items() if not kind]
    single = [column for columns in asked for kind, column in columns.items() if kind]
    pairs: list[str] = []
    joint = [name for name in covariances(results) if name not in hidden]
    if semantics(results) == "moments":
        varying = [name for name in (*species, *names) if f"var_{name}" in names]
        pairs = [name for x in varying for name in (x, f"var_{x}")]
    first = dict.fromkeys([*lesions, *whole, *pairs])
    last = dict.fromkeys([*single, *joint])
    middle = [name for name in (*names, *species) if name not in first and name not in last]
    return [*first, *middle, *last]
