"""Quantities, unit texts and conversions."""

from __future__ import annotations

import math
from fractions import Fraction

import pint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcdyn.errors import CtcError
from ctcdyn.units import (
    _DEFINITIONS,
    DIMENSIONLESS,
    TIME,
    Dimension,
    UnitError,
    convert,
    in_days,
    parse_quantity,
    parse_unit,
)

VOLUME = Dimension(length=Fraction(3))

# One of each unit in base units (day, cm, mL, nmol), by hand: SI definitions and the Julian year.
ONE = {
    "d": Fraction(1),
    "h": Fraction(1, 24),
    "min": Fraction(1, 1440),
    "s": Fraction(1, 86400),
    "week": Fraction(7),
    "year": Fraction(1461, 4),
    "month": Fraction(487, 16),
    "cm": Fraction(1),
    "m": Fraction(100),
    "mm": Fraction(1, 10),
    "um": Fraction(1, 10_000),
    "mL": Fraction(1),
    "L": Fraction(1000),
    "dL": Fraction(100),
    "uL": Fraction(1, 1000),
    "nL": Fraction(1, 10**6),
    "nmol": Fraction(1),
    "pmol": Fraction(1, 1000),
    "umol": Fraction(1000),
    "mmol": Fraction(10**6),
    "mol": Fraction(10**9),
    "M": Fraction(10**6),
    "mM": Fraction(1000),
    "uM": Fraction(1),
    "nM": Fraction(1, 1000),
    "pM": Fraction(1, 10**6),
    "cell": Fraction(1),
}


def test_every_unit_has_its_exact_size_under_all_its_spellings() -> None:
    spelled = {spellings.split()[0]: spellings.split() for spellings, _, _ in _DEFINITIONS}
    assert spelled.keys() == ONE.keys()
    for name, spellings in spelled.items():
        assert {parse_unit(spelling).exact for spelling in spellings} == {ONE[name]}
        assert len({parse_unit(spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize(
    ("given_text", "canonical"),
    [
        ("1/day", "1/d"),
        ("/day", "1/d"),
        ("/ day", "1/d"),
        ("d-1", "1/d"),
        ("day^-1", "1/d"),
        ("day**-1", "1/d"),
        ("days", "d"),
        ("cells", "1"),
        ("cells/mL", "1/mL"),
        ("1", "1"),
        ("mL/mL", "1"),
        ("nmol/L/h", "nmol/L/h"),
        ("1/h nmol / L", "nmol/L/h"),
        ("cm^2/s", "cm^2/s"),
        ("cm2 s-1", "cm^2/s"),
        ("\u00b5L", "uL"),
        ("\u03bcm", "um"),
    ],
)
def test_unit_texts_have_one_canonical_form(given_text: str, canonical: str) -> None:
    unit = parse_unit(given_text)
    assert unit.text == canonical
    assert parse_unit(unit.text) == unit


@pytest.mark.parametrize(
    ("text", "value", "in_base"),
    [
        ("8 /h", 8.0, 192.0),
        ("0.1 /h", 0.1, 2.4),
        ("7.5 mL", 7.5, 7.5),
        ("5 L", 5.0, 5000.0),
        ("0.008 /day", 0.008, 0.008),
        ("1e12 cells", 1e12, 1e12),
        ("10 years", 10.0, 3652.5),
        ("1 month", 1.0, 30.4375),
        ("2.5e-3 1/min", 0.0025, 3.6),
        ("-3.days", -3.0, -3.0),
        (".5h", 0.5, 1 / 48),
        ("0.3 L", 0.3, 300.0),
        ("70 cells/uL", 70.0, 70_000.0),
        ("1 nM", 1.0, 0.001),
    ],
)
def test_quantities_are_read_and_converted_with_one_rounding(text: str, value: float, in_base: float) -> None:
    number, unit = parse_quantity(text)
    assert unit is not None
    assert (number, unit.to_base(number)) == (value, in_base)
    assert unit.from_base(in_base) == pytest.approx(value, rel=2e-16)  # two roundings may not cancel


@pytest.mark.parametrize("number", [5, 0.25, "5", " 5e3 ", "+.5"])
def test_a_bare_number_has_no_unit(number: float | str) -> None:
    assert parse_quantity(number) == (float(number), None)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("fast", "U203"),
        ("", "U203"),
        ("/day", "U203"),
        ("1 2", "U203"),
        ("5 days ago", "U202"),
        ("3 ms", "U202"),  # not meters in the plural
        ("3 Day", "U202"),
        ("3 /day/", "U203"),
        ("3 d^10", "U203"),
        ("3 d^99999999", "U203"),
        ("3 d**d", "U203"),
        ("3 (d)", "U203"),
        ("3 9**9**9", "U203"),
        ("0x10 d", "U203"),
        ("1_000 d", "U203"),
        ("nan d", "U203"),
        ("inf", "U203"),
        ("1e400 d", "C106"),
        (math.nan, "C106"),
        (math.inf, "C106"),
        (10**400, "C106"),
        (True, "U203"),
        (None, "U203"),
        ([1], "U203"),
        ("\uff11 day", "U203"),
        ("1 d\u0430y", "U203"),
        ("1 __import__", "U203"),
        ("1 d;d", "U203"),
        ("1 " + "d*" * 5000 + "d", "U203"),
        ("9" * 5000, "U203"),
    ],
)
def test_what_is_no_quantity_is_refused(text: object, code: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse_quantity(text)  # type: ignore[arg-type]
    assert [problem.code for problem in caught.value.problems] == [code]


def test_an_unknown_unit_names_the_nearest() -> None:
    with pytest.raises(UnitError, match='unknown unit "dya"') as caught:
        parse_unit("1/dya")
    assert caught.value.problems[0].fix == 'did you mean "day"?'


@pytest.mark.parametrize("text", [5, None, b"d"])
def test_a_unit_is_a_text(text: object) -> None:
    with pytest.raises(UnitError, match="a unit is a text"):
        parse_unit(text)  # type: ignore[arg-type]


def test_times_go_to_days_and_other_units_stay() -> None:
    def days(text: str) -> tuple[float, str]:
        value, unit = parse_quantity(text)
        assert unit is not None
        number, rewritten = in_days(value, unit)
        assert rewritten.dimension == unit.dimension
        return number, rewritten.text

    assert days("8 /h") == (192.0, "1/d")
    assert days("7.5 mL") == (7.5, "mL")
    assert days("3 L/min") == (4320.0, "L/d")
    assert days("2 weeks") == (14.0, "d")
    assert days("1 h/min") == (60.0, "1")
    assert days("4 uM/h") == (96.0, "uM/d")


def test_conversion_between_units_of_one_dimension_only() -> None:
    assert convert(5, "L", "mL") == 5000.0
    assert convert(1, "mL", "L") == 0.001
    assert convert(1, "uM", "nmol/mL") == 1.0
    assert convert(1, "cm^3", "mL") == 1.0
    assert convert(math.inf, "h", "d") == math.inf
    assert convert(1e308, "L", "nL") == math.inf
    with pytest.raises(UnitError) as caught:
        convert(1, "L", "d")
    assert caught.value.problems[0].code == "U201"


def test_dimensions_multiply_and_print_as_base_units() -> None:
    concentration = Dimension(amount=Fraction(1), length=Fraction(-3))
    assert parse_unit("nmol/L").dimension == concentration
    assert (concentration / TIME * VOLUME) == Dimension(amount=Fraction(1), time=Fraction(-1))
    assert [str(d) for d in (DIMENSIONLESS, TIME, TIME**-1, VOLUME, concentration / TIME)] == [
        "1",
        "d",
        "1/d",
        "mL",
        "nmol/mL/d",
    ]
    assert str(parse_unit("cm2/s").dimension) == "cm^2/d"
    assert str(TIME ** Fraction(1, 2)) == "d^(1/2)"


def test_every_stored_unit_text_is_ascii_without_spaces() -> None:
    assert all(parse_unit(name).text.isascii() and " " not in parse_unit(name).text for name in ONE)


@settings(derandomize=True, database=None, max_examples=400, deadline=None)
@given(st.text(max_size=100) | st.text("0123456789.eE+-*/^ dhmLcel1", max_size=40))
def test_any_text_is_a_quantity_or_a_message(text: str) -> None:
    try:
        value, unit = parse_quantity(text)
    except CtcError:
        return
    assert math.isfinite(value)
    assert unit is None or parse_unit(unit.text) == unit


@settings(derandomize=True, database=None, max_examples=300, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(sorted(ONE)))
def test_a_conversion_is_the_nearest_float_of_the_typed_decimal(value: float, name: str) -> None:
    exact = Fraction(repr(value)) * ONE[name]
    try:
        expected = float(exact)
    except OverflowError:
        expected = math.copysign(math.inf, value)
    assert parse_unit(name).to_base(value) == expected


def test_pint_says_the_same_of_every_unit() -> None:
    """The same definitions in Pint's language, with exact fractions."""
    lines = []
    for names, factor, of in _DEFINITIONS:
        name, *aliases = names.split()
        definition = "[]" if name == "cell" else of if of.startswith("[") else f"{factor} * {of.replace('^', ' ** ')}"
        lines.append(" = ".join([name, definition, "_", *aliases]))
    registry = pint.UnitRegistry(lines, non_int_type=Fraction, cache_folder=None, on_redefinition="raise")
    for spelling in sorted(ONE):
        theirs = registry.Quantity(Fraction(1), spelling).to_root_units()
        powers = {str(base): Fraction(power) for base, power in theirs.dimensionality.items()}
        ours = parse_unit(spelling)
        assert ours.exact == Fraction(theirs.magnitude)
        dimension = (powers.get(base, Fraction(0)) for base in ("[time]", "[length]", "[amount]"))
        assert ours.dimension == Dimension(*dimension)
