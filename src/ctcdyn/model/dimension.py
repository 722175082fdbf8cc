"""Dimensions of expressions: days are not added to millilitres, and nothing with a unit goes into exp or log.

Three allowances keep rates writable. A literal 0 fits any unit, also times something. A plain number that
is added to the time `t` or compared with it is a number of days, as in `t >= 25`. `cells` is no dimension, so counts
and plain numbers mix.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from fractions import Fraction

from ctcdyn.errors import did_you_mean
from ctcdyn.model.tree import COMPARISONS, Call, Expr, Name, Number, evaluate, names, text
from ctcdyn.units import DIMENSIONLESS, TIME, Dimension, UnitError


class _Kind(Enum):
    """What an expression is made of, as far as the allowances ask."""

    ZERO = "the number 0"
    NUMBER = "numbers only"
    CLOCK = "`t` and numbers only"
    OTHER = "anything else"


def dimension(e: Expr, dimensions: Mapping[str, Dimension], expected: Dimension | None = None) -> Dimension:
    """The dimension of an expression, given that of each name (`t` is time without being given).

    With `expected`, the result must be of that dimension, or literally 0. Raises UnitError: U204 different
    units added or compared, U205 not what was expected, U206 a function of something with a unit, U207 a
    power that has no dimension, X408 a name without dimension.
    """
    found, kind = _of(e, dimensions)
    if expected is not None and found != expected and kind is not _Kind.ZERO:
        raise UnitError(f'"{_short(e)}" has unit {found}, and {expected} is needed', "U205")
    return expected if expected is not None else found


def _of(e: Expr, dimensions: Mapping[str, Dimension]) -> tuple[Dimension, _Kind]:
    if isinstance(e, Number):
        return DIMENSIONLESS, _Kind.ZERO if e.value == 0 else _Kind.NUMBER
    if isinstance(e, Name):
        if e.id == "t":
            return TIME, _Kind.CLOCK
        if e.id not in dimensions:
            fix = did_you_mean(e.id, dimensions)
            raise UnitError(f'"{e.id}" is neither a species nor a parameter', "X408", fix, e.id)
        return dimensions[e.id], _Kind.OTHER
    parts = [_of(arg, dimensions) for arg in e.args]
    kind = _together(parts)
    found = [part[0] for part in parts]
    if e.op == "*":
        return found[0] * found[1], _Kind.ZERO if _Kind.ZERO in (parts[0][1], parts[1][1]) else kind
    if e.op == "/":
        return found[0] / found[1], _Kind.ZERO if parts[0][1] is _Kind.ZERO else kind
    if e.op == "**":
        return _power(e, found), kind
    if e.op in ("neg", "abs"):
        return parts[0]
    if e.op == "sqrt":
        return found[0] ** Fraction(1, 2), kind
    if e.op in ("+", "-", "min", "max"):
        return _common(e, parts), kind
    if e.op in COMPARISONS:
        _common(e, parts)
        return DIMENSIONLESS, _Kind.OTHER
    if e.op == "where":
        _plain(e, found[0], "the condition of where")
        return _common(e, parts[1:]), kind
    if e.op == "step":
        return DIMENSIONLESS, _Kind.OTHER
    for arg in found:  # exp, log, sin, cos, and, or, not
        _plain(e, arg, e.op)
    return DIMENSIONLESS, _Kind.NUMBER if kind is _Kind.ZERO else kind


def _together(parts: list[tuple[Dimension, _Kind]]) -> _Kind:
    """The kind of an operation on parts of these kinds."""
    kinds = {kind for _, kind in parts}
    if _Kind.OTHER in kinds:
        return _Kind.OTHER
    if _Kind.CLOCK in kinds:
        return _Kind.CLOCK
    return _Kind.NUMBER if _Kind.NUMBER in kinds else _Kind.ZERO


def _common(e: Call, parts: list[tuple[Dimension, _Kind]]) -> Dimension:
    """The one dimension of parts that are added or compared."""
    meaningful = [part for part in parts if part[1] is not _Kind.ZERO]
    if any(found == TIME and kind is _Kind.CLOCK for found, kind in meaningful):
        meaningful = [part for part in meaningful if part[1] is not _Kind.NUMBER or part[0] != DIMENSIONLESS]
    found = {dimension for dimension, _ in meaningful}
    if len(found) > 1:
        first, second = meaningful[0][0], next(part[0] for part in meaningful if part[0] != meaningful[0][0])
        fix = "give a plain number a name and a unit in [parameters]" if DIMENSIONLESS in found else ""
        raise UnitError(f'"{_short(e)}" puts {first} and {second} together', "U204", fix)
    return found.pop() if found else DIMENSIONLESS


def _plain(e: Call, found: Dimension, role: str) -> None:
    if found != DIMENSIONLESS:
        fix = "divide by a reference parameter of the same unit"
        raise UnitError(f'{role} needs a plain number, and has unit {found} in "{_short(e)}"', "U206", fix)


def _power(e: Call, found: list[Dimension]) -> Dimension:
    exponent = e.args[1]
    _plain(e, found[1], "an exponent")
    if found[0] == DIMENSIONLESS:
        return DIMENSIONLESS
    constant = not names(exponent)
    power = Fraction(evaluate(exponent, {})).limit_denominator(64) if constant else None
    if power is None or abs(float(power) - evaluate(exponent, {})) > 1e-12:
        fix = "divide by a reference first, (x / x0)**n, or use hill(x, K, n)"
        what = f'"{_short(e)}" raises {found[0]} to a power that is no constant fraction'
        raise UnitError(what, "U207", fix)
    return found[0] ** power


def _short(e: Expr) -> str:
    shown = text(e)
    return shown if len(shown) <= 80 else shown[:77] + "..."
