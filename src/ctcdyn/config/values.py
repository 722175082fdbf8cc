"""Readers of single values: quantities, times, sizes in bytes. They refuse with a code, a reason and what
to type.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from itertools import pairwise
from pathlib import PurePath
from typing import Any, NoReturn

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

from ctcdyn.errors import CtcError, nearest
from ctcdyn.places import describe
from ctcdyn.plugins import available, is_path
from ctcdyn.units import TIME, parse_quantity

NUMBER_OR_TEXT: dict[str, Any] = {"anyOf": [{"type": "number"}, {"type": "string"}]}

COUNT_LIMIT = 2**53  # ids and counts are exact in every part of the result file
DESIGNS = ("random", "latin_hypercube", "sobol")  # of a population
SHORTEST_WINDOW = 1e-6  # days, a tenth of a second: no rate of a biological clock changes within it
_TEXT_LIMIT = 10_000  # characters: initial values may be expressions, and those have this limit
_BYTES = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}


def refuse(code: str, what: str, fix: str, *key: str) -> NoReturn:
    """Raises what pydantic collects; `key` is where below the table at hand the problem stands."""
    raise PydanticCustomError(code, "{what}", {"what": what, "fix": fix, "key": key})


def refuse_unknown(code: str, what: str, name: str, known: Collection[str], else_: str, *key: str) -> NoReturn:
    """The same of a name that is none of the known ones: the nearest of them is proposed, or all are named."""
    near = nearest(name, known)
    refuse(code, what, f'did you mean "{near}"?' if near else f"{else_} {', '.join(known)}", *key)


def number(value: Any, kind: str, fix: str) -> float:
    """`value` as a finite float; bools, texts and containers are refused."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        refuse("C104", f"must be {kind}, not {describe(value)}", fix)
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        refuse("C106", f"must be finite, not {describe(value)}", "write a finite number (at most 1.8e308)")
    return result


def quantity(value: Any) -> float | str:
    """A number, or a text that is left for later: what it may be is known when the model is."""
    if isinstance(value, str):
        if not value.strip() or len(value) > _TEXT_LIMIT:
            refuse(
                "C104",
                "is an empty text" if not value.strip() else "is a text of over 10 000 characters",
                'write a number, or a number with a unit such as "0.2 /day"',
            )
        return value
    return number(value, 'a number or a text such as "0.2 /day"', 'write a number, or a text: "0.2 /day"')


def days(value: Any) -> float:
    """A time in days from a number (days) or a text ("2 years")."""
    fix = 'write a time such as "14 days", "2 weeks" or "10 years"'
    if not isinstance(value, str):
        return number(value, "a number of days or a text with a unit", fix)
    try:
        amount, unit = parse_quantity(value)
    except CtcError as error:
        first = error.problems[0]
        refuse(first.code, first.what, first.fix if first.fix.startswith("did you mean") else fix)
    if unit is not None and unit.dimension != TIME:
        refuse("U201", f'"{value[:100]}" is not a time', fix)
    return number(unit.to_base(amount) if unit is not None else amount, "a time", fix)


def bytes_of(value: Any) -> int:
    """A size in bytes from a number or a text ("8 GB"; 1 GB = 1e9 bytes, 1 GiB = 2**30)."""
    fix = 'write a size such as "8 GB"'
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]*)?(?:[eE]\+?[0-9]{1,3})?)\s*([kKMGT]?i?B)\s*", value)
        if match is None or match.group(2) not in _BYTES:
            refuse("U203", f'"{value[:100]}" is not a size', fix)
        value = float(match.group(1)) * _BYTES[match.group(2)]
    size = number(value, "a number of bytes or a text with a unit", fix)
    if not 1 <= size <= 2**63:
        refuse("C105", "must be at least one byte and at most 9 EB", fix)
    return int(size)


def wrong_switch(name: str, value: Any) -> tuple[str, str] | None:
    """What is wrong with a value of [mechanisms], and the fix; None where nothing is."""
    if isinstance(value, (bool, str, dict)):
        return None
    what = f"is switched by true, false, a table of its parameters or a path, not {describe(value)}"
    return what, f'write {name} = true, or {name} = {{ rate = "8 /day" }}'


def switch(value: Any) -> Any:
    """A value of [mechanisms]: true, false, a path or a table of settings."""
    wrong = wrong_switch("nk_cells", value)
    if wrong is not None:
        refuse("C104", *wrong)
    return value


def tuple_of(value: Any) -> tuple[Any, ...]:
    """A TOML list as a tuple."""
    if not isinstance(value, (list, tuple)):
        refuse("C104", f"must be a list, not {describe(value)}", "write it in brackets: [0, 3, 13]")
    if len(value) == 0:
        refuse("C105", "is an empty list", "write at least one value, or leave the key out")
    return tuple(value)


def some_time(code: str) -> Callable[[float], float]:
    """A check for days that are more than zero."""

    def check(value: float) -> float:
        if value <= 0:
            refuse(code, f"must be longer than zero, not {value:g} days", 'write a time such as "1 day"')
        return value

    return check


def no_less(value: float) -> float:
    """A check for days that are at least zero."""
    if value < 0:
        refuse("C105", f"must not be negative, it is {value:g} days", 'write a time such as "28 days"')
    return value


def some_window(value: float) -> float:
    """A check for the window (days) of thinning: a shorter one would only be a loop over empty windows."""
    if value < SHORTEST_WINDOW:
        what = f"must be at least {SHORTEST_WINDOW:g} days, not {value:g} days"
        refuse("C105", what, 'write a time such as "0.1 day", or leave it out: 1/16 day')
    return value


def rising(code: str) -> Callable[[tuple[float, ...]], tuple[float, ...]]:
    """A check for values of which each is above the one before."""

    def check(values: tuple[float, ...]) -> tuple[float, ...]:
        if any(b <= a for a, b in pairwise(values)):
            refuse(code, "must rise from one value to the next", "sort the values and write each once")
        return values

    return check


def known_design(value: str) -> str:
    """The design of a population."""
    if value not in DESIGNS:
        name = "latin_hypercube" if value == "lhs" else value
        refuse_unknown("C105", f'unknown design "{value[:100]}"', name, DESIGNS, "designs are")
    return value


def known_picture(value: object) -> object:
    """Whether `run` draws a picture, or which kind of one."""
    if isinstance(value, bool):
        return value
    kinds = available("picture")
    if not isinstance(value, str) or not (value in kinds or is_path("picture", value)):
        what = f"no kind of picture: {str(value)[:100]!r}"
        refuse_unknown("C105", what, str(value), kinds, "write true, false or a kind:")
    return value


def result_name(value: str) -> str:
    """The name of a result file."""
    name = PurePath(value).name
    if not value.endswith((".h5", ".hdf5", ".nc")) or "\0" in value or len(name) > 200 or len(value) > 4000:
        refuse("C105", "must be a file name that ends in .h5", 'give a name such as "study.h5"')
    return value


def kept_paths(value: Any) -> int | str:
    """How many paths are kept."""
    fix = 'write keep = 50, "all" or "none"'
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        refuse("C104", f'must be "all", "none" or a whole number, not {describe(value)}', fix)
    if value not in ("all", "none") and (isinstance(value, str) or not 0 <= value <= COUNT_LIMIT):
        refuse("C105", f'must be "all", "none" or a number of paths, not {describe(value)}', fix)
    return value


def one_of(table: BaseModel, *keys: str, fix: str) -> None:
    """Exactly one of `keys` must be given."""
    given = [key for key in keys if getattr(table, key) is not None]
    if not given:
        refuse("C103", f"needs one of {', '.join(keys)}", fix)
    if len(given) > 1:
        refuse("C107", f"{' and '.join(given)} exclude each other", fix, given[-1])
