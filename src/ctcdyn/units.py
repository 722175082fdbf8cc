"""Quantities: texts such as "0.008 /day" and "7.5 mL" become numbers, and dimensions are checked.

Numbers inside ctcdyn are floats in the base units day, mL (that is cm^3), cm and nmol. `cells` is a label
without dimension. A year is 365.25 days (Julian year), a month a twelfth of it. Arithmetic is that of exact
fractions, so that "0.1 /h" is the float nearest to 2.4 per day. Two dozen units and three dimensions are all there is:
Pint, which would be a third of a second of every start, stands beside them in `tests/test_units.py`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from ctcdyn.errors import CtcError, Problem, did_you_mean


class UnitError(CtcError):
    """A unit or dimension that does not fit; `what` says how, the caller adds the place with `Problem.at`."""

    def __init__(self, what: str, code: str = "U204", fix: str = "", word: str = "") -> None:
        super().__init__(Problem(code, what, fix=fix, word=word))
        self.what = what

    def __reduce__(self) -> tuple[Any, ...]:
        problem = self.problems[0]
        return UnitError, (problem.what, problem.code, problem.fix, problem.word)


@dataclass(frozen=True, slots=True)
class Dimension:
    """Exponents of time, length and amount of substance; a volume is length 3."""

    time: Fraction = Fraction(0)
    length: Fraction = Fraction(0)
    amount: Fraction = Fraction(0)

    def __mul__(self, other: Dimension) -> Dimension:
        return Dimension(self.time + other.time, self.length + other.length, self.amount + other.amount)

    def __truediv__(self, other: Dimension) -> Dimension:
        return Dimension(self.time - other.time, self.length - other.length, self.amount - other.amount)

    def __pow__(self, exponent: Fraction | int) -> Dimension:
        return Dimension(self.time * exponent, self.length * exponent, self.amount * exponent)

    def __str__(self) -> str:
        """The unit in which ctcdyn computes with this dimension: "1/d", "nmol/mL", "1" for a plain number."""
        volume = self.length % 3 == 0
        length = {"mL": self.length / 3} if volume else {"cm": self.length}
        return _written({"nmol": self.amount} | length | {"d": self.time})


DIMENSIONLESS = Dimension()
TIME = Dimension(time=Fraction(1))


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: its canonical text ("1/d", "mL", "1") and what one of it is in day, mL, cm, nmol."""

    text: str
    exact: Fraction
    dimension: Dimension

    @property
    def factor(self) -> float:
        """One of this unit in base units."""
        return float(self.exact)

    def to_base(self, value: float) -> float:
        """`value` of this unit in base units, rounded once."""
        return _scaled(value, self.exact)

    def from_base(self, value: float) -> float:
        """`value` in base units as a number of this unit, rounded once."""
        return _scaled(value, 1 / self.exact)


# name and its other spellings, how many, of what. Plurals are listed: guessing them would read "ms" as meters.
_DEFINITIONS: tuple[tuple[str, str, str], ...] = (
    ("d day days", "1", "[time]"),
    ("h hour hours hr", "1/24", "d"),
    ("min minute minutes", "1/60", "h"),
    ("s second seconds sec", "1/60", "min"),
    ("week weeks", "7", "d"),
    ("year years yr", "365.25", "d"),  # Julian year
    ("month months", "1/12", "year"),
    ("cm centimeter centimeters", "1", "[length]"),
    ("m meter meters", "100", "cm"),
    ("mm millimeter millimeters", "1/10", "cm"),
    ("um micrometer micrometers", "1/1000", "mm"),
    ("mL ml milliliter milliliters", "1", "cm^3"),
    ("L l liter liters litre litres", "1000", "mL"),
    ("dL dl", "100", "mL"),
    ("uL ul microliter microliters", "1/1000", "mL"),
    ("nL nl", "1/1000", "uL"),
    ("nmol", "1", "[amount]"),
    ("pmol", "1/1000", "nmol"),
    ("umol", "1000", "nmol"),
    ("mmol", "1000", "umol"),
    ("mol", "1000", "mmol"),
    ("M", "1", "mol/L"),
    ("mM", "1", "mmol/L"),
    ("uM", "1", "umol/L"),
    ("nM", "1", "nmol/L"),
    ("pM", "1", "pmol/L"),
    ("cell cells", "1", "1"),  # a label: counts are plain numbers
)
_BASES = {
    "[time]": TIME,
    "[length]": Dimension(length=Fraction(1)),
    "[amount]": Dimension(amount=Fraction(1)),
}
_CANONICAL = {spelling: names.split()[0] for names, _, _ in _DEFINITIONS for spelling in names.split()}
_ORDER = list(dict.fromkeys(_CANONICAL.values()))
_FACTOR = re.compile(  # day, cm^2, mL**-1, d-1, 1
    r"(?:(?P<name>[A-Za-z]+)(?:\s*(?:\*\*|\^)\s*(?P<power>[+-]?[0-9])|(?P<suffix>-?[0-9]))?|1)(?![0-9.])"
)
_OPERATOR = re.compile(r"\s*(?P<over>/)\s*|\s*\*\s*|\s+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![0-9.])")
_LONGEST = 80  # characters of a quantity


def parse_unit(text: str) -> Unit:
    """The unit of a text: "1/day", "/h", "mL", "nmol/L", "cells", "cm^2/s", "d-1", "1".

    Raises UnitError: U202 for an unknown name, U203 for a text that is no unit.
    """
    if not isinstance(text, str):
        raise UnitError(f"a unit is a text, not {type(text).__name__}", "U203")
    return _unit(text)


def parse_quantity(text: str | float) -> tuple[float, Unit | None]:
    """Number and unit of a quantity as given, not converted; the unit is None where only a number stands.

    >>> value, unit = parse_quantity("8 /h")
    >>> value, unit.text, unit.to_base(value)
    (8.0, '1/h', 192.0)

    Raises UnitError (U202, U203), or C106 for a number that is not finite.
    """
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        what = f'a quantity is a number or a text such as "0.5 /day", not {type(text).__name__}'
        raise UnitError(what, "U203")
    if not isinstance(text, str):
        return _finite(text, "the number"), None
    shown = text.strip()
    match = _NUMBER.match(shown) if len(shown) <= _LONGEST else None
    if match is None:
        fix = 'write a number and a unit: "0.5 /day"'
        raise UnitError(f'"{shown[:40]}" is not a quantity', "U203", fix, shown[:40])
    value = _finite(match.group(), match.group())
    rest = shown[match.end() :].strip()
    return value, _unit(rest) if rest else None


def convert(value: float, from_text: str, to_text: str) -> float:
    """`value` from one unit to another, rounded once. Raises UnitError U201 if they differ in dimension.

    >>> convert(5, "L", "mL")
    5000.0
    """
    source, target = parse_unit(from_text), parse_unit(to_text)
    if source.dimension != target.dimension:
        raise UnitError(f'"{from_text}" is no unit of what "{to_text}" measures', "U201", word=from_text)
    return _scaled(value, source.exact / target.exact)


def in_days(value: float, unit: Unit) -> tuple[float, Unit]:
    """The same quantity with its times in days and its other units as written: 8 "1/h" is 192 "1/d"."""
    factors = _factors(unit.text)
    target: dict[str, int] = {}
    for name, power in factors.items():
        day = "d" if _unit(name).dimension == TIME else name
        target[day] = target.get(day, 0) + power
    rewritten = _unit(_written({name: Fraction(power) for name, power in target.items()}))
    return _scaled(value, unit.exact / rewritten.exact), rewritten


def _finite(number: str | float, shown: str) -> float:
    try:
        value = float(number)
    except OverflowError:  # an integer of over 308 digits
        value = math.inf
    if not math.isfinite(value):
        raise UnitError(f"{shown[:40]} is not a finite number", "C106", word=shown[:40])
    return value


def _scaled(value: float, factor: Fraction) -> float:
    """value * factor, where `value` stands for the shortest decimal that reads as it: what the user typed."""
    if factor == 1 or not math.isfinite(value):
        return float(value)
    try:
        return float(Fraction(repr(float(value))) * factor)
    except OverflowError:
        return math.copysign(math.inf, value)


def _factors(text: str) -> dict[str, int]:
    """Canonical unit names of a unit text and their powers; labels and ones are left out."""
    shown = text.strip().replace("\u00b5", "u").replace("\u03bc", "u")  # micro sign and Greek mu
    fix = 'units look like "1/day", "mL", "nmol/L"'
    wrong = UnitError(f'"{shown[:40]}" is not a unit', "U203", fix, shown[:40])
    if not shown or len(shown) > _LONGEST:
        raise wrong
    position, sign = (1, -1) if shown[0] == "/" else (0, 1)
    if sign < 0 and len(shown) > 1:
        position += len(shown[1:]) - len(shown[1:].lstrip())
    powers: dict[str, int] = {}
    while True:
        match = _FACTOR.match(shown, position)
        if match is None:
            raise wrong
        if name := match["name"]:
            if name not in _CANONICAL:
                fix = did_you_mean(name, _CANONICAL) or f"known units: {', '.join(_ORDER)}"
                raise UnitError(f'unknown unit "{name}"', "U202", fix, name)
            canonical = _CANONICAL[name]
            powers[canonical] = powers.get(canonical, 0) + sign * int(match["power"] or match["suffix"] or 1)
        position = match.end()
        if position == len(shown):
            return {name: power for name, power in powers.items() if power and name != "cell"}
        operator = _OPERATOR.match(shown, position)
        if operator is None:
            raise wrong
        sign = -1 if operator["over"] else 1
        position = operator.end()


@lru_cache(maxsize=4096)
def _unit(text: str) -> Unit:
    powers = _factors(text)
    exact, dimension = Fraction(1), DIMENSIONLESS
    for name, power in powers.items():
        one, of = _defined(name)
        exact, dimension = exact * one**power, dimension * of**power
    return Unit(_written({name: Fraction(power) for name, power in powers.items()}), exact, dimension)


@lru_cache(maxsize=len(_ORDER))
def _defined(name: str) -> tuple[Fraction, Dimension]:
    """One of a canonical unit in base units, exactly, and its dimension."""
    factor, of = next((factor, of) for names, factor, of in _DEFINITIONS if names.split()[0] == name)
    if of in _BASES:
        return Fraction(factor), _BASES[of]
    unit = _unit(of)
    return Fraction(factor) * unit.exact, unit.dimension


def _written(powers: dict[str, Fraction]) -> str:
    """Unit text that UDUNITS reads: amounts and sizes before times, "1/d" and not "d^-1"."""
    ordered = sorted((name for name in powers if powers[name]), key=_ORDER.index, reverse=True)

    def factor(name: str) -> str:
        power = abs(powers[name])
        return name if power == 1 else f"{name}^{power}" if power.denominator == 1 else f"{name}^({power})"

    above = "*".join(factor(name) for name in ordered if powers[name] > 0) or "1"
    return above + "".join(f"/{factor(name)}" for name in ordered if powers[name] < 0)
