"""The forms that the parts of a mechanism have: a key or a table of another form would be left out without a word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ctcdyn.errors import Place, Problem, nearest
from ctcdyn.places import Document, KeyPath, describe

_TEXT = ("text", (str, int, float))
_TABLE = ("table of stages or processes", (dict,))
_LIST = ("list", (list,))
_EITHER = ("text or table by stage", (str, dict))
_FORMS: Mapping[str, Mapping[str, tuple[str, tuple[type, ...]]]] = {
    "hazard": {"name": ("text", (str,)), "at": _TABLE, "fate": ("text", (str,)), "doc": ("text", (str,)), "if": _TABLE},
    "flag": {
        "at": _LIST, "without": _LIST, "gain": _EITHER, "loss": _EITHER, "share": _TABLE, "factors": _TABLE,
        "doc": ("text", (str,)), "if": _TABLE,
    },
    "stage": {"like": ("text", (str,)), "factors": _TABLE, "doc": ("text", (str,)), "if": _TABLE},
}  # fmt: skip
PLAIN = "plain"  # blood_plain: cells that carry none of their flags
_NEEDED = {"hazard": ("name", "at"), "flag": ("at",), "stage": ()}


def wrong_shapes(document: Document, facts: Mapping[str, Any]) -> list[Problem]:
    """What in the text and the constants of a mechanism has another form than its kind."""
    found: list[Problem] = []
    top = Place(document.path, 1)
    if isinstance(facts.get("NUMBER", 0), bool) or not isinstance(facts.get("NUMBER", 0), int):
        found.append(Problem("C113", "NUMBER must be a whole number", top, "NUMBER", "write NUMBER = 0"))
    stages = facts.get("ACTS_ON", ())
    if not isinstance(stages, (tuple, list)) or not all(isinstance(x, str) for x in stages):
        found.append(Problem("C113", "ACTS_ON must be a tuple of stages", top, "ACTS_ON", 'write ACTS_ON = ("blood",)'))
    if not isinstance(facts.get("REFUTED_BY", ""), str):
        found.append(Problem("C113", "REFUTED_BY must be a text", top, "REFUTED_BY", 'write REFUTED_BY = "..."'))
    for kind, forms in _FORMS.items():
        tables = document.data.get(kind)
        if tables is None:
            continue
        if not isinstance(tables, list if kind == "hazard" else dict):
            fix = "write [[hazard]], with two brackets" if kind == "hazard" else f"write [{kind}.NAME]"
            found.append(Problem("C104", f"{kind} must be {'a list' if kind == 'hazard' else 'a table'} of tables, "
                                 f"not {describe(tables)}", document.place(kind), kind, fix))  # fmt: skip
            continue
        for name, table in enumerate(tables) if isinstance(tables, list) else tables.items():
            found += _wrong_table(document, (kind, name), table, forms, _NEEDED[kind])
            if (kind, name) == ("flag", PLAIN):
                what = f"{PLAIN} cannot be the name of a flag: blood_{PLAIN} are the cells that carry none"
                found.append(Problem("M307", what, document.place(kind, name), f"flag.{name}", "rename it", word=PLAIN))
    return found


def wrong_places(flag: str, at: Any, known: set[str], place: Place | None, key: str) -> list[Problem]:
    """What in the `at` of a flag is no stage and no species."""
    if not isinstance(at, list) or not all(isinstance(x, str) for x in at):
        what = f"at of {flag} must be a list of stages, not {describe(at)}"
        return [Problem("C104", what, place, key, 'write at = ["blood"]', word="at")]
    found = []
    for name in (x for x in at if x not in known):
        near = nearest(name, known)
        fix = f'did you mean "{near}"?' if near else f"known: {', '.join(sorted(known))}"
        found.append(Problem("C102", f'unknown stage "{name}" of {flag}', place, key, fix, word=name))
    return found


def _wrong_table(
    document: Document,
    path: KeyPath,
    table: Any,
    forms: Mapping[str, tuple[str, tuple[type, ...]]],
    needed: tuple[str, ...],
) -> list[Problem]:
    shown = ".".join(str(part) for part in path)
    if not isinstance(table, dict):
        what = f"{shown} must be a table, not {describe(table)}"
        return [Problem("C104", what, document.place(*path), shown, "write its keys below its name")]
    here = document.place(*path)
    missing = [key for key in needed if key not in table]
    found = [Problem("C103", f"{shown} has no {key}", here, shown, f"add {key}") for key in missing]
    for key, value in table.items():
        place = document.place(*path, key)
        if key not in forms:
            near = nearest(key, list(forms))
            fix = f'did you mean "{near}"?' if near else f"known here: {', '.join(forms)}"
            found.append(Problem("C102", f'unknown key "{key}" in {shown}', place, f"{shown}.{key}", fix, word=key))
            continue
        form, types = forms[key]
        if isinstance(value, bool) or not isinstance(value, types):
            what = f"{key} of {shown} must be a {form}, not {describe(value)}"
            found.append(Problem("C104", what, place, f"{shown}.{key}", "see docs/mechanisms.md", word=key))
    return found
