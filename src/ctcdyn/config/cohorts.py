"""`table = "cohort.csv"` of [population]: the file is read with the study, so that a result holds what was run.

The first line names the columns, each a parameter or a species, with a unit in brackets if it has one: `growth (1/day)`
or `growth [1/day]`. Every other line is a patient. In the study the text becomes the columns themselves:
`table = { growth = { unit = "1/day", values = [...] } }`, which may be written in the study as well.
"""

from __future__ import annotations

import csv
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from ctcdyn.errors import CtcError, Place, Problem
from ctcdyn.places import Document

NUMBERS_LIMIT = 250_000  # of a table: it stands in the study as text, which has a limit too
_HEAD = re.compile(r"\s*([^\[\]()]*?)\s*(?:\(([^()]*(?:\([^()]*\)[^()]*)*)\)|\[([^\[\]]*)\])?\s*")


def with_cohort(document: Document) -> tuple[Document, list[Problem]]:
    """The study with the columns of its table in the place of the file's name; what is wrong with the file is told.

    `patients` is the number of rows where the study does not say.
    """
    population = document.data.get("population")
    if not isinstance(population, dict) or "table" not in population:
        return document, []
    told = {**population}
    problems: list[Problem] = []
    if isinstance(told["table"], str):
        place = document.place("population", "table")
        ignored = told.get("ignore")
        names = ignored if isinstance(ignored, list) else []
        try:
            told["table"] = _columns(
                Path(place.file).parent / told["table"], place, [str(name) for name in names]
            )
        except CtcError as error:
            problems += [p.at(place, "population.table") for p in error.problems]
            told.pop("table")
            told.pop("ignore", None)
            told.setdefault("patients", 1)
    rows = _rows(told.get("table"))
    if rows and "patients" not in told:
        told["patients"] = rows
    return replace(document, data={**document.data, "population": told}), problems


def _rows(table: Any) -> int:
    """Number of rows of a table of columns, 0 where it is none."""
    columns = list(table.values()) if isinstance(table, dict) else []
    values = columns[0].get("values") if columns and isinstance(columns[0], dict) else None
    return len(values) if isinstance(values, list) else 0


def _columns(file: Path, place: Place, ignored: list[str]) -> dict[str, dict[str, Any]]:
    """Column -> its unit and values. Raises CtcError (C123) with every problem of the file."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        fix = "the path starts at the folder of the study that names it"
        raise CtcError(
            Problem("C123", f"{file} cannot be read: {why}", place, fix=fix, word=file.name)
        ) from None
    rows = list(enumerate(csv.reader(lines), 1))
    rows = [(line, row) for line, row in rows if any(cell.strip() for cell in row)]
    if len(rows) < 2:
        fix = "write names in the first line and one line for each patient"
        raise CtcError(Problem("C123", f"{file} holds no patients", place, fix=fix))

    def at(line: int) -> Place:
        return Place(str(file), line, lines[line - 1])

    heads = [_head(cell) for cell in rows[0][1]]
    chosen = [c for c, (name, _) in enumerate(heads) if name not in ignored]
    problems = _wrong_heads(heads, ignored, at(rows[0][0]))
    if len(chosen) * (len(rows) - 1) > NUMBERS_LIMIT:
        what = f"{len(rows) - 1} patients of {len(chosen)} numbers are over {NUMBERS_LIMIT}"
        problems.append(Problem("C123", what, at(1), fix="leave columns out, or draw the patients"))
    values: list[list[float]] = [[] for _ in heads]
    for line, row in rows[1:]:
        if len(row) != len(heads):
            what = f"a line of {len(row)} cells in a table of {len(heads)} columns"
            problems.append(Problem("C123", what, at(line), fix="write one cell for each column"))
            continue
        for c in chosen:
            value = _number(row[c])
            if value is None:
                what = (
                    f"{heads[c][0]} is {row[c].strip()[:40]!r}, which is no number"
                    if row[c].strip()
                    else f"{heads[c][0]} is empty"
                )
                fix = "write a number with a decimal point and no unit, or name the column in `ignore`"
                problems.append(Problem("C123", what, at(line), fix=fix, word=row[c].strip()))
            else:
                values[c].append(value)
    if problems:
        raise CtcError(problems[:20])
    return {
        heads[c][0]: {**({"unit": heads[c][1]} if heads[c][1] else {}), "values": values[c]} for c in chosen
    }


def _wrong_heads(heads: list[tuple[str, str]], ignored: list[str], place: Place) -> list[Problem]:
    names = [name for name, _ in heads]
    problems = [
        Problem(
            "C123",
            f'the table has no column "{name}" that could be ignored',
            place,
            fix=f"it has {', '.join(names)}",
        )
        for name in ignored
        if name not in names
    ]
    problems += [
        Problem("C123", f'two columns are called "{name}"', place, fix="give each once", word=name)
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    if "" in names:
        problems.append(Problem("C123", f"column {names.index('') + 1} has no name", place, fix="name it"))
    return problems


def _head(cell: str) -> tuple[str, str]:
    """Name and unit of a column."""
    found = _HEAD.fullmatch(cell)
    if found is None:
        return cell.strip(), ""
    return found[1], (found[2] or found[3] or "").strip()


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None
