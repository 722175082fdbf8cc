"""Typed access to the tables of a model file: what is wrong is noted with its place, and reading goes on."""

from __future__ import annotations

import keyword
import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ctcdyn.errors import CtcError, Problem, nearest
from ctcdyn.model.expr import RESERVED, Expr, names, parse, substitute
from ctcdyn.places import Document, KeyPath, describe
from ctcdyn.units import Unit, UnitError, parse_quantity, parse_unit

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


@dataclass
class Reader:
    """A document and the problems found in it so far."""

    document: Document
    problems: list[Problem] = field(default_factory=list)
    broken: set[str] = field(
        default_factory=set
    )  # names whose unit is not known for certain: not checked further
    groups: dict[str, Expr] = field(default_factory=dict)  # names that stand for the sum of their species

    def note(
        self, code: str, what: str, path: KeyPath, fix: str, why: str = "", word: str | None = None
    ) -> None:
        place = self.document.place(*path)
        shown = ".".join(str(part) for part in path)
        if word is None:
            texts = (str(part) for part in reversed(path) if isinstance(part, str))
            word = next((part for part in texts if part in place.text), "")
        self.problems.append(Problem(code, what, place, shown, fix, why, word))

    def adopt(self, error: CtcError, path: KeyPath, fix: str = "") -> None:
        """Takes over problems that were found without knowing their place."""
        place = self.document.place(*path)
        shown = ".".join(str(part) for part in path)
        for problem in error.problems:
            placed = problem.at(place, shown)
            if not placed.fix:
                placed = Problem(
                    placed.code, placed.what, placed.place, placed.key, fix, placed.why, placed.word
                )
            self.problems.append(placed)

    def table(self, path: KeyPath, *, required: bool = False, example: str = "") -> dict[str, Any]:
        """The table at `path`, empty where there is none."""
        value = self.value(path)
        if value is None and not required:
            return {}
        if isinstance(value, dict):
            return value
        name = str(path[-1])
        fix = example or f"write it as a table: [{name}] with keys below"
        what = f"[{name}] is missing" if value is None else f"{name} must be a table, not {describe(value)}"
        self.note("C103" if value is None else "C104", what, path, fix)
        return {}

    def value(self, path: KeyPath) -> Any:
        found: Any = self.document.data
        for part in path:
            try:
                found = found[part]
            except (KeyError, IndexError, TypeError):
                return None
        return found

    def keys(self, path: KeyPath, known: Iterable[str], later: Iterable[str] = ()) -> None:
        """Refuses keys of the table at `path` that are not known."""
        table, known, later = self.value(path), list(known), set(later)
        for key in table if isinstance(table, dict) else ():
            if key in later:
                self.note(
                    "C108",
                    f"{key} is not in this version",
                    (*path, key),
                    "remove it: it is planned for a later one",
                )
            elif key not in known:
                near = nearest(key, known)
                where = f" in [{'.'.join(str(part) for part in path)}]" if path else ""
                fix = f'did you mean "{near}"?' if near else f"known here: {', '.join(known)}"
                self.note("C102", f'unknown key "{key[:100]}"{where}', (*path, key), fix)

    def text(self, path: KeyPath, default: str = "", fix: str = 'write it in quotes: "..."') -> str:
        value = self.value(path)
        if value is None:
            return default
        if isinstance(value, str):
            return value
        self.note("C104", f"{path[-1]} must be a text, not {describe(value)}", path, fix)
        return default

    def flag(self, path: KeyPath) -> bool:
        value = self.value(path)
        if value is not None and not isinstance(value, bool):
            self.note(
                "C104",
                f"{path[-1]} must be true or false, not {describe(value)}",
                path,
                "write true or false",
            )
        return value is True

    def unit(self, path: KeyPath) -> Unit | None:
        """The unit text at `path`; None where there is none or it is wrong (and noted)."""
        value = self.value(path)
        if value is None:
            return None
        if not isinstance(value, str):
            self.note(
                "C104",
                f"{path[-1]} must be a text, not {describe(value)}",
                path,
                'write it in quotes: "1/day"',
            )
            return None
        try:
            return parse_unit(value)
        except UnitError as error:
            self.adopt(error, path, 'units look like "1/day", "cells", "mL"')
            return None

    def quantity(self, path: KeyPath, *, infinite: bool = False) -> tuple[float, Unit | None] | None:
        """Number and unit (None if bare) at `path`; None where it is missing or wrong (and noted)."""
        value = self.value(path)
        if infinite and isinstance(value, float) and math.isinf(value):
            return value, None
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            if value is not None:
                fix = 'write a number, or a number with a unit such as "0.2 /day"'
                self.note(
                    "C104", f"{label(path)} must be a number or a quantity, not {describe(value)}", path, fix
                )
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self.note("C106", f"{label(path)} must be finite, not {value}", path, "write a finite number")
            return None
        try:
            return parse_quantity(value)
        except UnitError as error:
            self.adopt(error, path, 'write a finite number, or a number with a unit such as "0.2 /day"')
            return None

    def expression(self, path: KeyPath, known: Iterable[str], also: str) -> Expr | None:
        """The expression at `path` in names of `known`; `also` says in words which names those are."""
        value = self.value(path)
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            fix = 'write a number or an expression in quotes: "k * A"'
            self.note("C104", f"{path[-1]} must be an expression, not {describe(value)}", path, fix)
            return None
        try:
            tree = parse(value, self.document.place(*path))
        except CtcError as error:
            self.adopt(error, path, "see the section on expressions in docs/language.md")
            return None
        known = set(known)
        mine = {name: sum_ for name, sum_ in self.groups.items() if names(sum_) <= known}
        tree = substitute(tree, mine) if mine else tree
        unknown = sorted(names(tree) - known)
        for name in unknown:
            near = nearest(name, known)
            fix = (
                f'did you mean "{near}"?'
                if near
                else f"{also} may stand here; add {name} to the model or remove it"
            )
            if name == "t":
                fix = f"{also} may stand here; the time belongs into rates and observables"
            self.note("X408", f'unknown name "{name}"', path, fix, word=name)
        return None if unknown else tree

    def name(self, name: str, path: KeyPath, taken: dict[str, str], kind: str) -> bool:
        """Whether a species, parameter or observable may have this name; notes why not."""
        why = ""
        if not _NAME.fullmatch(name):
            odd = next((c for c in name if ord(c) > 127), "")
            if odd:
                why = f"{odd!r} is {unicodedata.name(odd, 'no letter')}, whatever it looks like"
            what = f'"{name[:80]}" cannot be the name of {_a(kind)}'
            fix = "names are plain letters, digits and _, begin with a letter and have at most 64 characters"
        elif "__" in name:
            what, fix = (
                f'the name "{name}" holds a double underscore',
                "use single ones; double ones are for generated code",
            )
        elif name in RESERVED or keyword.iskeyword(name) or name in ("True", "False", "None"):
            what, fix = f'"{name}" is a word of the language', f"choose another name, such as {name}_"
            fix = f"choose another name, such as {name}_1"
        elif name in taken:
            what, fix = f'"{name}" is the name of {_a(kind)} and of {_a(taken[name])}', "rename one of the two"
            self.note("M301", what, path, fix, word=name)
            return False
        else:
            taken[name] = kind
            return True
        self.note("M307", what, path, fix, why, word=name[:80])
        return False


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def label(path: KeyPath) -> str:
    """The last key of a path; a position in a list counts from 1."""
    last = path[-1]
    return f"value {last + 1} of {path[-2]}" if isinstance(last, int) else str(last)
