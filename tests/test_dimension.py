"""Dimensions of expressions: what is sound, what is refused and why."""

from __future__ import annotations

import pytest

from ctcdyn.model.expr import (
    dimension,
    parse,
)
from ctcdyn.units import DIMENSIONLESS, TIME, UnitError, parse_unit

UNITS = {
    "k": "1/d",
    "V": "mL",
    "L": "L",
    "c": "nmol/L",
    "c50": "uM",
    "n": "1",
    "x": "cells",
    "tau": "h",
    "D": "cm^2/s",
}
DIMENSIONS = {name: parse_unit(unit).dimension for name, unit in UNITS.items()}


@pytest.mark.parametrize(
    ("source", "unit"),
    [
        ("k * x", "1/d"),
        ("x * V / L", "1"),
        ("V + L", "mL"),
        ("hill(c, c50, n)", "1"),
        ("(c / c50)**n", "1"),
        ("V**(1/3)", "cm"),
        ("V**2", "mL^2"),
        ("sqrt(D * tau)", "cm"),
        ("exp(-t / tau)", "1"),
        ("where(t >= 25, k, 0)", "1/d"),
        ("step(t - 30) * k", "1/d"),
        ("max(t, 3)", "d"),
        ("2 * t + 1", "d"),
        ("max(V, 0)", "mL"),
        ("V > 0 and x > 1000", "1"),
        ("k * x * log(1e9 / max(x, 1))", "1/d"),
        ("abs(-V)", "mL"),
        ("step(V)", "1"),
        ("cos(2 * pi * t / tau)", "1"),
        ("0", "1"),
        ("min(t, 2 * tau)", "d"),
    ],
)
def test_dimensions_of_sound_expressions(source: str, unit: str) -> None:
    assert dimension(parse(source), DIMENSIONS) == parse_unit(unit).dimension


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("V + k", "U204", "mL and 1/d together"),
        ("V + 1", "U204", "mL and 1 together"),
        ("tau + 1", "U204", "d and 1 together"),
        ("V > 3", "U204", "mL and 1 together"),
        ("t * k + t", "U204", "1 and d together"),
        ("t**2 + 1", "U204", "together"),
        ("where(x > 1, k, V)", "U204", "together"),
        ("where(V, 1, 2)", "U206", "the condition of where needs a plain number"),
        ("exp(V)", "U206", "exp needs a plain number"),
        ("log(c)", "U206", "log needs a plain number"),
        ("sin(t)", "U206", "sin needs a plain number"),
        ("exp(-0.1 * t)", "U206", "exp needs a plain number"),
        ("V and x", "U206", "and needs a plain number"),
        ("not V", "U206", "not needs a plain number"),
        ("2**V", "U206", "an exponent needs a plain number"),
        ("c**n / (c50**n + c**n)", "U207", "no constant fraction"),
        ("V**pi", "U207", "no constant fraction"),
        ("k * xx", "X408", "neither a species nor a parameter"),
    ],
)
def test_unsound_expressions_are_refused(source: str, code: str, said: str) -> None:
    with pytest.raises(UnitError, match=said) as caught:
        dimension(parse(source), DIMENSIONS)
    assert [problem.code for problem in caught.value.problems] == [code]
    assert caught.value.what in str(caught.value)


def test_an_expected_dimension_is_demanded_of_all_but_zero() -> None:
    per_day = TIME**-1
    assert dimension(parse("0"), DIMENSIONS, per_day) == per_day
    assert dimension(parse("0 * 3"), DIMENSIONS, DIMENSIONLESS) == DIMENSIONLESS
    assert dimension(parse("2 * (0) / 3"), DIMENSIONS, per_day) == per_day
    assert dimension(parse("k * x"), DIMENSIONS, per_day) == per_day
    with pytest.raises(UnitError, match="U205"):
        dimension(parse("k * V"), DIMENSIONS, per_day)
    with pytest.raises(UnitError, match="U205"):
        dimension(parse("0.5"), DIMENSIONS, per_day)
