"""Expressions: what they mean, and that text and tree agree."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcdyn.errors import CtcError, Place
from ctcdyn.model.expr import (
    ARITY,
    FUNCTIONS,
    RESERVED,
    Call,
    Expr,
    Name,
    Number,
    evaluate,
    names,
    parse,
    substitute,
    text,
    walk,
)
from ctcdyn.model.tree import COMPARISONS

X, Y = Name("x"), Name("y")


@pytest.mark.parametrize(
    ("source", "tree"),
    [
        ("x", X),
        (" 1.5e3 ", Number(1500.0)),
        (".5", Number(0.5)),
        ("5.", Number(5.0)),
        ("x + y * 2", Call("+", (X, Call("*", (Y, Number(2.0)))))),
        ("x - y - 2", Call("-", (Call("-", (X, Y)), Number(2.0)))),
        ("x ** y ** 2", Call("**", (X, Call("**", (Y, Number(2.0)))))),
        ("-x ** 2", Call("neg", (Call("**", (X, Number(2.0))),))),
        ("x ** -y", Call("**", (X, Call("neg", (Y,))))),
        ("-2", Number(-2.0)),
        ("-(2)", Call("neg", (Number(2.0),))),
        ("+x", X),
        ("x - -2", Call("-", (X, Number(-2.0)))),
        ("not x < y", Call("not", (Call("<", (X, Y)),))),
        ("x or y and not x", Call("or", (X, Call("and", (Y, Call("not", (X,))))))),
        ("(x < y) < 2", Call("<", (Call("<", (X, Y)), Number(2.0)))),
        ("max(x, y, 2)", Call("max", (Call("max", (X, Y)), Number(2.0)))),
        ("pi", Number(math.pi)),
        ("t", Name("t")),
        ("where(x >= 0, x, y)", Call("where", (Call(">=", (X, Number(0.0))), X, Y))),
        ("x\n  * y", Call("*", (X, Y))),
        (3, Number(3.0)),
        (0.25, Number(0.25)),
    ],
)
def test_texts_mean_what_python_would_mean(source: str | float, tree: Expr) -> None:
    assert parse(source) == tree


def test_hill_is_written_out_with_one_power() -> None:
    assert parse("hill(x, k, n)") == parse("(x / k)**n / (1 + (x / k)**n)")
    assert evaluate(parse("hill(x, 2, 3)"), {"x": np.array([0.0, 2.0, 4.0])}).tolist() == [0.0, 0.5, 8 / 9]


@pytest.mark.parametrize(
    ("source", "canonical"),
    [
        ("k*(x+y) / 2", "k * (x + y) / 2"),
        ("((x))", "x"),
        ("a-(b-c)", "a - (b - c)"),
        ("(a-b)-c", "a - b - c"),
        ("a*(b/c)", "a * (b / c)"),
        ("(a**b)**c", "(a**b)**c"),
        ("a**(b**c)", "a**b**c"),
        ("(-2)**2", "(-2)**2"),
        ("-2**2", "-2**2"),
        ("(-x)**2", "(-x)**2"),
        ("2**(-x)", "2**-x"),
        ("-(x+y)", "-(x + y)"),
        ("-(2)", "-(2)"),
        ("--x", "--x"),
        ("not (x and y)", "not (x and y)"),
        ("(x < y) == (y < x)", "(x < y) == (y < x)"),
        ("1e22*x", "1e+22 * x"),
        ("1000000*x", "1000000 * x"),
    ],
)
def test_canonical_text_has_no_bracket_too_many(source: str, canonical: str) -> None:
    assert text(parse(source)) == canonical
    assert parse(canonical) == parse(source)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("x / 0", math.inf),
        ("0 * (x / 0)", math.nan),
        ("log(0 * x)", -math.inf),
        ("sqrt(-x)", math.nan),
        ("(0 - x)**0.5", math.nan),
        ("exp(1000 * x)", math.inf),
        ("x > 1", 1.0),
        ("(x > 1) * 7", 7.0),
        ("x and 0", 0.0),
        ("not x", 0.0),
        ("x or 0", 1.0),
        ("step(x - 2)", 1.0),
        ("step(1.9 - x)", 0.0),
        ("min(x, 5, 1)", 1.0),
        ("abs(1 - x)", 1.0),
        ("where(x == 2, 10, x / 0)", 10.0),
        ("sin(pi / 2) + cos(0 * x)", 2.0),
        ("7", 7.0),
    ],
)
def test_values_follow_ieee_arithmetic_without_warnings(source: str, value: float) -> None:
    for point in (2, 2.0, np.int64(2)):
        found = evaluate(parse(source), {"x": point})
        assert type(found) is float
        assert found == value or (math.isnan(found) and math.isnan(value))


def test_arrays_broadcast_and_integers_do_not_wrap() -> None:
    values = {"x": np.array([1, 2, 3]), "y": np.array([[10], [20]])}
    found = evaluate(parse("where(x >= 2, x * y, -x**-1)"), values)
    assert found.dtype == np.float64
    assert found.tolist() == [[-1.0, 20.0, 30.0], [-1.0, 40.0, 60.0]]
    assert evaluate(parse("x**40"), {"x": np.array([3])})[0] == 3.0**40


def test_names_walk_and_substitution() -> None:
    tree = parse("a * x + where(t > b, a, 0)")
    assert names(tree) == {"a", "b", "x", "t"}
    assert [node.id for node in walk(tree) if isinstance(node, Name)] == ["a", "x", "t", "b", "a"]
    assert substitute(tree, {"a": parse("x + 1"), "x": parse("a")}) == parse(
        "(x + 1) * a + where(t > b, x + 1, 0)"
    )
    assert substitute(tree, {"z": X}) is tree
    assert len({parse("x + y"), parse("x+y"), parse("y + x")}) == 2


def test_substitution_cannot_grow_without_bound() -> None:
    for step in ("a + a", "1 + sqrt(a)"):
        with pytest.raises(CtcError, match="X403"):
            nested(parse(step), 200)


def nested(definition: Expr, times: int) -> Expr:
    """A definition put into itself again and again."""
    tree = definition
    for _ in range(times):
        tree = substitute(definition, {"a": tree})
    return tree


def test_a_name_without_value_suggests_another() -> None:
    with pytest.raises(CtcError, match='did you mean "growth_rate"'):
        evaluate(parse("growth_rat * 2"), {"growth_rate": 1.0})


def test_the_place_is_part_of_the_message() -> None:
    place = Place("model.toml", 7, 'rate = "k * (x"')
    with pytest.raises(CtcError) as caught:
        parse("k * (x", place)
    assert caught.value.problems[0].place == place


def test_reserved_names_are_functions_constants_and_words() -> None:
    assert set(FUNCTIONS) <= RESERVED
    assert {"t", "pi", "and", "or", "not"} <= RESERVED
    assert {name for name in ARITY if name.isidentifier() and name != "neg"} <= RESERVED


def reread(tree: Expr) -> Expr | None:
    """The tree of the text of a tree; None if a constant part such as 1/0 or 2**1e9 may not be written."""
    try:
        return parse(text(tree))
    except CtcError as error:
        if {problem.code for problem in error.problems} == {"X406"}:
            return None
        raise


def trees() -> st.SearchStrategy[Expr]:
    leaves = st.one_of(
        st.sampled_from(["x", "y", "growth_rate", "t"]).map(Name),
        st.floats(allow_nan=False, allow_infinity=False).map(Number),
    )

    def calls(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        return st.one_of(
            *(st.tuples(*[inner] * n).map(lambda args, op=op: Call(op, args)) for op, n in ARITY.items())
        )

    return st.recursive(leaves, calls, max_leaves=25)


@settings(derandomize=True, database=None, max_examples=400, deadline=None)
@given(trees())
def test_text_and_tree_agree(tree: Expr) -> None:
    again = reread(tree)
    assert again is None or (again == tree and text(again) == text(tree))


def test_the_binding_of_every_pair_of_operators_is_that_of_python() -> None:
    """Python's own compiler is the reference for how operators group, here in the test only."""
    operators = ["+", "-", "*", "/", "**", *sorted(COMPARISONS), "and", "or"]
    for first, second in itertools.product(operators, repeat=2):
        if first in COMPARISONS and second in COMPARISONS:
            continue
        source = f"x {first} -y {second} z"
        point = {"x": 3.0, "y": 2.0, "z": 0.5}
        expected = eval(source, {}, dict(point))  # noqa: S307
        found = evaluate(parse(source), point)
        if {"and", "or"} & {first, second}:
            assert bool(found) == bool(expected), source
        else:
            assert found == pytest.approx(float(expected), rel=1e-15) or isinstance(expected, complex), source
