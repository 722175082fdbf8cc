"""From pydantic's list of errors to ours: code, what, file:line, how to fix; and what of a bad study can
still be used.

Pydantic stops a table at its first bad value, so checks between keys would stay silent. `validate`
therefore takes the bad values out and validates again, until what is left is a study: every problem is
found, and the rest can be compared with the model in the same report.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from ctcdyn.config.tables import Study
from ctcdyn.errors import Problem, nearest
from ctcdyn.places import Document, KeyPath, describe

LATER: dict[KeyPath, str] = {
    ("sensitivity",): "sensitivity analysis",
    ("cluster",): "cluster jobs",
    ("quantity",): "derived quantities of a sweep",
    ("ensemble", "common_random_numbers"): "unpaired arms; arms are paired",
    ("output", "report"): "the HTML report",
}

UNKNOWN_MODEL = "?"  # never a name: what stands in for a [model] that cannot be read

# stands in for a required value that is missing or wrong while the rest is checked
_STAND_INS: dict[KeyPath, Any] = {
    ("schema",): 1,
    ("model",): {"use": UNKNOWN_MODEL},
    ("simulate",): {"t_end": 1.0},
    ("simulate", "t_end"): 1.0,
    ("population", "patients"): 1,
    ("output",): {"file": "?.h5"},
    ("output", "file"): "?.h5",
}
# stands in for a table of a list that cannot be used; no name begins with a question mark
_LISTED: dict[str, dict[str, Any]] = {
    "treatment": {"name": "?", "at": 0.0, "set": {"?": 0.0}},
    "event": {"name": "?", "when": "?"},
    "arm": {"name": "?", "treatments": []},
    "published": {"name": "?", "used_for": "prediction", "source": "?", "value": 0.0, "rests_on": "?", "expr": "?"},
}
_WRONG = "C102"  # unknown keys make no other check of their table doubtful


def validate(document: Document) -> tuple[Study | None, list[Problem]]:
    """The study (with stand-ins where it was wrong) and every problem of its text."""
    data = _copy(document.data)
    problems = []
    for path, what in LATER.items():
        if _holds(data, path):
            _remove(data, path)
            problems.append(_later(document, path, what))
    doubtful: set[KeyPath] = (
        set()
    )  # tables in which a value was taken out: a check between keys may be misled
    taken: set[KeyPath] = set()
    for _ in range(200):
        try:
            return Study.model_validate(data), problems
        except ValidationError as error:
            changed = False
            for item in error.errors(include_url=False):
                location: KeyPath = tuple(item["loc"])
                key = (*location, *item.get("ctx", {}).get("key", ()))
                between = "key" in item.get("ctx", {}) and isinstance(_walk(data, location), dict)
                ours = (between and location in doubtful) or (item["type"] == "missing" and key in taken)
                if not ours:
                    problems.append(_problem(document, item, key))
                    if item["type"] != "extra_forbidden":
                        doubtful.update(key[:length] for length in range(len(key)))
                changed |= _take_out(data, key, taken)
            if not changed:
                break
    return None, problems


def _problem(document: Document, item: Mapping[str, Any], path: KeyPath) -> Problem:
    kind, context, value = item["type"], item.get("ctx", {}), item.get("input")
    place = document.place(*path)
    shown = ".".join(str(part) for part in path)
    word = next(
        (str(part) for part in reversed(path) if isinstance(part, str) and str(part) in place.text), ""
    )
    if "fix" in context:
        what = context["what"]
        if not what[0].isupper() and what.split(" ", 1)[0] in ("must", "is", "needs"):
            what = f"{shown or 'the study'} {what}"
        return Problem(kind, what, place, shown, context["fix"], word=word)
    if kind == "extra_forbidden":
        return _unknown_key(path, place, shown)
    if kind == "missing":
        return Problem("C103", f"{shown} is missing", place, shown, _example(path))
    if kind == "finite_number" or (
        kind in ("int_type", "float_type") and isinstance(value, float) and value - value != 0
    ):
        return Problem(
            "C106",
            f"{shown} must be finite, not {describe(value)}",
            place,
            shown,
            "write a finite number",
            word=word,
        )
    for limit, text in (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below")):
        if limit in context:
            what = f"{shown} must be {text} {_round(context[limit])}, not {describe(value)}"
            return Problem(
                "C105", what, place, shown, f"write a value {text} {_round(context[limit])}", word=word
            )
    if kind == "literal_error":
        allowed = str(context["expected"]).replace("'", '"')
        what = f"{shown} must be {allowed}, not {describe(value)}"
        return Problem("C105", what, place, shown, f"write {allowed}", word=word)
    if kind in ("string_too_short", "string_too_long"):
        return Problem(
            "C105",
            f"{shown} is a text of {len(str(value))} characters",
            place,
            shown,
            _example(path),
            word=word,
        )
    wanted, fix = _wanted(kind, value, str(path[-1]) if path else "")
    return Problem(
        "C104", f"{shown or 'the file'} must be {wanted}, not {describe(value)}", place, shown, fix, word=word
    )


def _unknown_key(path: KeyPath, place: Any, shown: str) -> Problem:
    name, table = str(path[-1]), path[:-1]
    known = _keys_of(Study, table)
    near = nearest(name, known)
    fix = f'did you mean "{near}"?' if near else ""
    if not fix:
        homes = [home for home in _tables(Study, ()) if name in _keys_of(Study, home) and home != table]
        fix = (
            f"{name} belongs into [{'.'.join(homes[0])}]"
            if homes
            else f"known here: {', '.join(sorted(known))}"
        )
    where = f" in [{'.'.join(str(part) for part in table)}]" if table else ""
    return Problem(_WRONG, f'unknown key "{name}"{where}', place, shown, fix, word=name)


def _later(document: Document, path: KeyPath, what: str) -> Problem:
    shown = ".".join(str(part) for part in path)
    name = f"[{shown}]" if len(path) == 1 else str(path[-1]) if path[0] == "treatment" else shown
    fix = f"remove it (planned for a later version: {what})"
    return Problem(
        "C108", f"{name} is not in this version", document.place(*path), shown, fix, word=str(path[-1])
    )


def _wanted(kind: str, value: Any, key: str) -> tuple[str, str]:
    if kind.startswith("int"):
        if isinstance(value, float) and value == int(value):
            return "a whole number", f"write it without point and exponent: {int(value)}"
        return "a whole number", "write a whole number such as 1000, without quotes"
    if kind.startswith("float"):
        return "a number", "write a number such as 1e-6, without quotes"
    if kind.startswith("bool"):
        return "true or false", "write true or false, without quotes"
    if kind.startswith(("dict", "model")):
        return "a table", 'write it as a table: [name] with keys below, or { key = "value" }'
    if kind.startswith("string"):
        return "a text", f'write it in quotes: {key} = "..."'
    return "another kind of value", "see `ctcdyn init` for an example"


def _example(path: KeyPath) -> str:
    examples: dict[KeyPath, str] = {
        ("schema",): "write schema = 1 at the top",
        ("model",): 'add [model] with use = "ctc_linear" or file = "my.model.toml"',
        ("simulate",): 'add [simulate] with t_end = "14 days"',
        ("simulate", "t_end"): 'write t_end = "14 days"',
        ("simulate", "method"): 'write method = "ode" or "direct"',
        ("population", "patients"): "write patients = 1000",
        ("output", "file"): 'write file = "study.h5"',
    }
    if len(path) == 4 and path[-1] == "dist":
        return 'write dist = "lognormal" (or normal, gamma, beta, uniform, loguniform)'
    return examples.get(path, "see `ctcdyn init` for an example")


def _round(limit: float) -> str:
    return "2**53" if limit == 2**53 else "2**64" if limit == 2**64 else f"{limit:g}"


def _keys_of(model: type[BaseModel], path: KeyPath) -> list[str]:
    """TOML keys of the table at `path`, following the models' fields."""
    for part in path:
        field = next((f for name, f in model.model_fields.items() if (f.alias or name) == part), None)
        inner = (
            _model_in(field.annotation) if field is not None else model
        )  # a name the user chose: draw.NAME
        if inner is None:
            return []
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()] + (
        ["extends"] if model is Study else []
    )


def _tables(model: type[BaseModel], path: tuple[str, ...]) -> list[tuple[str, ...]]:
    found = []
    for name, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        if inner is not None and name not in ("draw", "table", "range"):
            found += [(*path, name), *_tables(inner, (*path, name))]
    return found


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(part) for part in getattr(annotation, "__args__", ()))
    return next((model for model in inner if model is not None), None)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _walk(data: dict[str, Any], path: KeyPath) -> Any:
    found: Any = data
    for part in path:
        if isinstance(found, list) and isinstance(part, int) and part < len(found):
            found = found[part]
        else:
            found = found.get(part) if isinstance(found, dict) else None
    return found


def _holds(data: dict[str, Any], path: KeyPath) -> bool:
    table = _walk(data, path[:-1])
    return isinstance(table, dict) and path[-1] in table


def _remove(data: dict[str, Any], path: KeyPath) -> None:
    del _walk(data, path[:-1])[path[-1]]


def _take_out(data: dict[str, Any], path: KeyPath, taken: set[KeyPath]) -> bool:
    """Takes away what stands at `path`, or around it when that was tried; leaves a stand-in where one is
    needed.
    """
    for length in range(len(path), 0, -1):
        at = path[:length]
        if at[0] == "model" and length > 1:
            continue  # half a [model] would be another model
        if at in taken or (at[:2] in (("population", "draw"), ("sweep", "range")) and length > 3):
            continue  # half a distribution or range would only give a second problem for the same line
        table = _walk(data, at[:-1])
        if isinstance(table, list) and at[0] in _LISTED and len(at) == 2:
            taken.add(at)
            table[int(at[1])] = _copy(_LISTED[str(at[0])])
            return True
        if not isinstance(table, dict) or (at not in _STAND_INS and at[-1] not in table):
            continue
        taken.add(at)
        if at in _STAND_INS:
            table[at[-1]] = _copy(_STAND_INS[at])
        else:
            del table[at[-1]]
        return True
    return False
