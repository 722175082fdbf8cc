"""A mechanism: one file of biology that adds to a model or changes its rates.

The file is Python of which only literals are read; nothing of it runs. Its docstring is the page that a reader sees,
`MODEL` is a text in the language of models, with three kinds of parts that models do not have: `[[hazard]]`, `[scale]`
and `[flag.NAME]` (docs/mechanisms.md). Its parameters are known by short names inside, and in the composed model as
MECHANISM_NAME.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ctcdyn import plugins
from ctcdyn.errors import CtcError, Place, Problem
from ctcdyn.model.shapes import wrong_shapes
from ctcdyn.places import Document, KeyPath, parse_document

MODEL_KEYS = (
    "options",
    "refused",
    "parameters",
    "species",
    "reaction",
    "hazard",
    "scale",
    "flag",
    "stage",
    "noise",
    "observables",
    "lesion",
    "published",
    "treatment",
)
FACTS = ("MODEL", "NUMBER", "ACTS_ON", "REFUTED_BY")
_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
# keys whose texts are expressions, or tables of expressions by the name of what they act on
EXPRESSIONS = ("k", "rate", "expr", "initial", "when", "gain", "loss", "share", "factors", "at", "begins", "detection",
               "sd", "time", "on_fraction", "switching", "variance", "parameter", "factor", "recovery",
               "visibility", "dispersion")  # fmt: skip


@dataclass(frozen=True)
class Mechanism:
    """A mechanism as its file has it, with the options that were chosen and its parameters by their full names."""

    name: str
    path: str
    title: str
    page: str  # the docstring behind its first line
    number: int  # its place on the page about circulating tumour cells; 0: none
    acts_on: tuple[str, ...]  # stages that must be there, one of them at least
    refuted_by: str
    document: Document  # MODEL, with places in the .py file
    options: Mapping[str, tuple[str, ...]]  # the first is the default
    chosen: Mapping[str, str]

    @property
    def parameters(self) -> tuple[str, ...]:
        """Short names of its parameters."""
        return tuple(self.document.data.get("parameters", {}))

    def full_name(self, name: str) -> str:
        """The name of one of its parameters in the composed model."""
        return f"{self.name}_{name}"

    def place(self, *path: str | int) -> Place:
        return self.document.place(*path)

    def holds(self, entry: Any) -> bool:
        """Whether a part stands under the options that were chosen: `if = { law = "gompertz" }`."""
        asked = entry.get("if", {}) if isinstance(entry, dict) else {}
        return all(self.chosen.get(k) in (v if isinstance(v, list) else [v]) for k, v in asked.items())

    def refusals(self) -> list[dict[str, Any]]:
        """`[[refused]]`: choices (`if`) that this mechanism does not go with, `why`, and the `fix`."""
        return list(self.document.data.get("refused", []))

    def values(self, option: str) -> tuple[str, ...]:
        """What an option may be, and what it is refused for with a reason."""
        refused = [entry["if"][option] for entry in self.refusals() if option in entry["if"]]
        return (*self.options[option], *(x for x in refused if x not in self.options[option]))

    def full(self, value: Any) -> Any:
        """An expression, or a table of them, with the full names of parameters."""
        names = {name: self.full_name(name) for name in self.parameters}
        if isinstance(value, dict):
            return {key: self.full(item) for key, item in value.items()}
        return renamed(value, names) if isinstance(value, str) else value


def read_mechanism(name: str, file: str | None, folder: Path, place: Place | None, key: str) -> Mechanism:
    """The built-in mechanism `name`, or that of a file. Raises CtcError with what is wrong with it."""
    path = plugins.find("mechanism", file if file is not None else name, folder, place, key)
    facts = plugins.constants(path, ("MODEL",), FACTS)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    title, _, page = (ast.get_docstring(tree) or name).partition("\n")
    line = next(
        x.value.lineno for x in tree.body
        if isinstance(x, ast.Assign) and isinstance(x.targets[0], ast.Name) and x.targets[0].id == "MODEL"
    )  # fmt: skip
    document = _shifted(str(facts["MODEL"]), str(path), line - 1)
    problems = [
        Problem("C102", f'unknown key "{known[:100]}" in a mechanism', document.place(known), known,
                f"known here: {', '.join(MODEL_KEYS)}")
        for known in document.data if known not in MODEL_KEYS
    ]  # fmt: skip
    problems += wrong_shapes(document, facts)
    options = {}
    for option, values in document.data.get("options", {}).items():
        good = isinstance(values, list) and values and all(isinstance(value, str) for value in values)
        if good:
            options[option] = tuple(values)
        else:
            what, fix = f"option {option} needs a list of texts, the default first", f'write {option} = ["a", "b"]'
            problems.append(Problem("C104", what, document.place("options", option), f"options.{option}", fix))
    if problems:
        raise CtcError(problems)
    return Mechanism(
        name,
        str(path),
        title.strip().removesuffix("."),
        page.strip("\n"),  # what is indented stays so
        int(facts.get("NUMBER", 0)),
        tuple(facts.get("ACTS_ON", ())),
        str(facts.get("REFUTED_BY", "")),
        document,
        options,
        {option: values[0] for option, values in options.items()},
    )


def renamed(text: str, names: Mapping[str, str]) -> str:
    """An expression with words replaced: by other words as they are, by anything else in brackets."""

    def put(match: re.Match[str]) -> str:
        word = match.group()
        new = names.get(word, word)
        return new if re.fullmatch(r"\w+", new) else f"({new})"

    return _WORD.sub(put, text)


def words(text: str) -> frozenset[str]:
    """The names in an expression."""
    return frozenset(_WORD.findall(text))


def product(*factors: str) -> str:
    """The product of expressions as a text."""
    parts = [x if re.fullmatch(r"[\w.]+(?: \*{1,2} [\w.]+)*", x) else f"({x})" for x in factors if x not in ("", "1")]
    if len(parts) == 1:
        return next(x for x in factors if x not in ("", "1"))
    return " * ".join(parts) or "1"


def _shifted(text: str, path: str, lines: int) -> Document:
    """A text within a file, with the places of the file."""
    try:
        document = parse_document(text, path)
    except CtcError as error:
        raise CtcError([replace(p, place=_down(p.place, lines)) for p in error.problems]) from None
    places: dict[KeyPath, Place] = {key: _down(place, lines) for key, place in document.places.items()}
    return replace(document, places=places)


def _down(place: Place | None, lines: int) -> Place:
    assert place is not None  # a text has lines
    return replace(place, line=place.line + lines)
