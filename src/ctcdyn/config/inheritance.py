"""From files to one table: `extends` (a study built on another) and `--set a.b=v` (a change from the shell).

Tables merge, lists and values replace, and "none" clears a table or list that was inherited. Four kinds of
table are alternatives rather than settings and so are replaced as a whole: [model], simulate.save and each
distribution in [population.draw] and range in [sweep.range].
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctcdyn.errors import CtcError, Place, Problem
from ctcdyn.places import Document, KeyPath, read_document

_DEPTH = 8  # files that extend each other; a chain longer than this is a mistake

# tables that "none" clears even where nothing is inherited, so that a study may say it has none
_CLEARABLE = frozenset(
    {
        "parameters",
        "initial",
        "population",
        "draw",
        "correlation",
        "mechanisms",
        "treatment",
        "arm",
        "event",
        "sweep",
        "sensitivity",
        "cluster",
        "quantity",
        "importance",
        "ensemble",
        "limits",
        "output",
    }
)


def read_merged(path: str | Path) -> Document:
    """The document at `path` with everything it extends merged in. Raises CtcError."""
    chain: list[Document] = []
    problems: list[Problem] = []
    file = Path(path)
    while True:
        document = read_document(file) if not chain else _read_parent(file, chain[-1])
        chain.append(document)
        parent = document.data.get("extends")
        if parent is None:
            break
        here = document.place("extends")
        if not isinstance(parent, str) or not parent or "\0" in parent:
            problems.append(
                Problem(
                    "C104",
                    "`extends` must be the path of one study file",
                    here,
                    "extends",
                    'write extends = "other.toml"',
                )
            )
            break
        file = Path(document.path).parent / parent
        if any(_same(file, document.path) for document in chain):
            problems.append(
                Problem(
                    "C109",
                    f'"{parent}" extends this file in turn',
                    here,
                    "extends",
                    "break the circle: one of the files must stand alone",
                    word=parent,
                )
            )
            break
        if len(chain) >= _DEPTH:
            problems.append(
                Problem(
                    "C109",
                    f"more than {_DEPTH} studies extend each other",
                    here,
                    "extends",
                    "put what they share into one file",
                    word=parent,
                )
            )
            break
    if problems:
        raise CtcError(problems)
    merged = chain[-1].data
    places = dict(chain[-1].places)
    for document in reversed(chain[:-1]):
        merged = _merge(merged, document.data, (), places)
        places |= document.places
    merged = _merge({}, merged, (), {})
    merged.pop("extends", None)
    return Document(chain[0].path, chain[0].text, merged, places)


@dataclass(frozen=True, slots=True)
class Override:
    """A change of the study from the command line: "a.b=v", the option that made it, and what was typed."""

    text: str
    option: str = "--set"
    typed: str = ""


def apply_overrides(document: Document, overrides: Sequence[str | Override]) -> tuple[Document, list[Problem]]:
    """`document` with each "a.b=v" put in; v is TOML (1e5, true, [1, 2]) or else taken as text."""
    data = deepcopy(_merge({}, document.data, (), {}))  # entries of arrays are changed in place
    places = dict(document.places)
    problems = []
    for given in overrides:
        override = given.text if isinstance(given, Override) else given
        here = Place(given.option, 0, given.typed) if isinstance(given, Override) else Place("--set", 0, override)
        try:
            key, path, value = _parse_override(override)
        except ValueError as error:
            problems.append(Problem("C110", str(error), here, fix="write --set simulate.t_end='30 days'"))
            continue
        table: Any = data
        steps: KeyPath = ()
        for position, part in enumerate(path[:-1], start=1):
            beside = [".".join((*path[: position - 1], name)) for name in _entries(table)]
            table, step = _descend(table, part)
            steps = (*steps, step)
            if not isinstance(table, dict) and (position == len(path) - 1 or not _entries(table)):
                inner = ".".join(path[:position])
                names = [f"{inner}.{name}" for name in _entries(table)] or beside
                fix = f"set one key of an entry: {', '.join(names)}" if names else f"set the whole of {inner}"
                what = f"{inner} is not a table, so {key} cannot be set"
                problems.append(Problem("C110", what, here, key, fix, word=key))
                break
        else:
            steps = (*steps, path[-1])
            _forget(places, steps)
            for length in range(1, len(steps) + 1):
                if length == len(steps) or steps[:length] not in places:
                    places[steps[:length]] = here
            if value == "none" and path[-1] in _CLEARABLE:
                table.pop(path[-1], None)
            else:
                table[path[-1]] = value
    return Document(document.path, document.text, data, places), problems


def _descend(table: Any, part: str) -> tuple[Any, str | int]:
    """What stands under a key of a table, made where there is none, or an entry of [[treatment]] by its name; and how
    the path to it goes on. None where there is no such entry.
    """
    if isinstance(table, dict):
        return table.setdefault(part, {}), part
    names = _entries(table)
    return (table[names[part]], names[part]) if part in names else (None, part)


def _entries(table: Any) -> dict[str, int]:
    """Places of the entries of an array of tables, by name: their own, or that of what they use."""
    if not isinstance(table, list) or not all(isinstance(entry, dict) for entry in table):
        return {}
    return {str(entry.get("name", entry.get("use", ""))): k for k, entry in enumerate(table)}


def _same(one: str | Path, other: str | Path) -> bool:
    try:
        return Path(one).samefile(other)
    except (OSError, ValueError):  # what cannot be looked at will be reported when it is read
        return False


def _read_parent(file: Path, child: Document) -> Document:
    try:
        return read_document(file)
    except CtcError as error:
        first = error.problems[0]
        if first.code == "C100":  # what is wrong is the child's line, not the file that is not there
            place = child.place("extends")
            raise CtcError(Problem("C109", first.what, place, "extends", first.fix, word="extends")) from None
        raise


def _merge(
    base: dict[str, Any], over: dict[str, Any], path: KeyPath, places: dict[KeyPath, Place]
) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        here = (*path, key)
        inherited = base.get(key)
        if value == "none" and (isinstance(inherited, (dict, list)) or key in _CLEARABLE):
            merged.pop(key, None)
            _forget(places, here)
        elif isinstance(value, dict) and not _whole(here):
            merged[key] = _merge(inherited if isinstance(inherited, dict) else {}, value, here, places)
        else:
            if key in base:
                _forget(places, here)
            merged[key] = value
    return merged


def _whole(path: KeyPath) -> bool:
    return path in (("model",), ("simulate", "save")) or (
        len(path) == 3 and path[:2] in (("population", "draw"), ("sweep", "range"))
    )


def _forget(places: dict[KeyPath, Place], path: KeyPath) -> None:
    for known in [known for known in places if known[: len(path)] == path]:
        del places[known]


def _parse_override(override: str) -> tuple[str, tuple[str, ...], Any]:
    key, equals, text = override.partition("=")
    key, text = key.strip(), text.strip()
    if not equals or not key:
        raise ValueError(f'"{override[:100]}" is not of the form key=value')
    if len(override) > 10_000 or "\n" in override:
        raise ValueError("an override is one line of at most 10 000 characters")
    try:
        nested: Any = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        raise ValueError(f'"{key[:100]}" is not a key') from None
    path = []
    while isinstance(nested, dict):
        part = next(iter(nested))
        path.append(part)
        nested = nested[part]
    if len(path) > 8:
        raise ValueError(f'"{key[:100]}" has too many parts')
    value: Any
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text
    return key, tuple(path), value
