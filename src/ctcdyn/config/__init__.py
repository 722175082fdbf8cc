"""The study: what to run, as a frozen value. Knows no model and no solver; `model.load.resolve` brings them
together.

`load_study(path)` reads a study.toml, follows `extends`, applies `--set` and reports every problem of the
text at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ctcdyn.config.cohorts import with_cohort
from ctcdyn.config.draws import Column, Correlation, Distribution, Population
from ctcdyn.config.inheritance import Override, apply_overrides, read_merged
from ctcdyn.config.problems import UNKNOWN_MODEL, validate
from ctcdyn.config.regimens import with_regimens
from ctcdyn.config.sweeps import Span, Sweep
from ctcdyn.config.tables import (
    Ensemble,
    Limits,
    ModelChoice,
    Output,
    Save,
    Simulate,
    Study,
    json_schema,
)
from ctcdyn.config.values import result_name
from ctcdyn.errors import CtcError, Problem
from ctcdyn.places import Document

__all__ = [
    "UNKNOWN_MODEL",
    "Column",
    "Correlation",
    "Distribution",
    "Ensemble",
    "Limits",
    "ModelChoice",
    "Output",
    "Override",
    "Population",
    "Save",
    "Simulate",
    "Span",
    "Study",
    "Sweep",
    "json_schema",
    "load_study",
    "output_of",
    "read_study",
]


def load_study(path: str | Path, overrides: Sequence[str | Override] = ()) -> Study:
    """The study at `path`, with "a.b=v" overrides. Raises CtcError with every problem of the text.

    >>> study = load_study("quickstart.toml", ["ensemble.seed=7"])  # doctest: +SKIP
    """
    study, problems = read_study(path, overrides)
    if problems or study is None:
        raise CtcError(problems)
    return study


def read_study(
    path: str | Path, overrides: Sequence[str | Override] = ()
) -> tuple[Study | None, list[Problem]]:
    """Like `load_study`, but gives what can be used of a study with problems, so that the model is checked
    as well.

    A study that comes with problems is only good for finding more of them.
    """
    try:
        document = read_merged(path)
    except CtcError as error:
        return None, list(error.problems)
    if {"species", "mechanisms"} & document.data.keys() and not {"model", "simulate"} & document.data.keys():
        return None, [_is_a_model(document)]
    document, problems = apply_overrides(document, overrides)
    document, wrong = with_regimens(document)
    problems += wrong
    document, wrong = with_cohort(document)
    problems += wrong
    _name_output(document, path)
    study, more = validate(document)
    if study is not None:
        study._document = document
        file = study.place("model", "file").file
        study.model._folder = Path(file if Path(file).suffix else path).parent
        study.model._mechanisms = dict(study.mechanisms)
        for name, value in study.mechanisms.items():
            for key in ("", *(value if isinstance(value, dict) else ())):
                study.model._places[f"{name}.{key}" if key else name] = study.place("mechanisms", name, key)
    order = list(dict.fromkeys(problem.place.file for problem in more if problem.place is not None))
    more.sort(key=lambda p: (order.index(p.place.file), p.place.line) if p.place is not None else (-1, 0))
    return study, problems + more


def output_of(path: str | Path, overrides: Sequence[str | Override] = ()) -> Path | None:
    """Where the result of a study goes, before anything else of it is read; None where its text does not say."""
    try:
        document, _ = apply_overrides(read_merged(path), overrides)
        _name_output(document, path)
        return Path(result_name(document.data["output"]["file"]))
    except (CtcError, LookupError, AttributeError, TypeError, ValueError):
        return None


def _name_output(document: Document, path: str | Path) -> None:
    output = document.data.setdefault("output", {})
    if isinstance(output, dict):
        output.setdefault("file", f"{Path(path).stem}.h5")


def _is_a_model(document: Document) -> Problem:
    """A model where a study is wanted: one problem instead of one for each of its keys."""
    name = Path(document.path).name
    table = "species" if "species" in document.data else "mechanisms"
    fix = f'`ctcdyn check {document.path}` checks it; to run it, write a study with [model] file = "{name}"'
    why = "a study says which model is run, how long and how often; `ctcdyn init` writes one to begin with"
    what = f"{document.path} is a model, and a study is needed"
    return Problem("C103", what, document.place(table), table, fix, why, word=table)
