"""Values and derivatives of random expressions against mpmath in high precision."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import mpmath
import pytest

from ctcdyn.errors import CtcError
from ctcdyn.model.expr import (
    ARITY,
    Call,
    Expr,
    Name,
    Number,
    derivative,
    evaluate,
    parse,
    substitute,
    text,
)
from ctcdyn.model.tree import MAX_DEPTH

X = Name("x")

# Random expressions: the generator knows nothing of the parser, the reference nothing of numpy.

LEAVES = ["x", "y", "z", "t"]
EVERY_OPERATION = sorted(ARITY)


def random_tree(source: random.Random, depth: int, operations: list[str]) -> Expr:
    if depth == 0 or source.random() < 0.15:
        if source.random() < 0.6:
            return Name(source.choice(LEAVES))
        return Number(round(source.uniform(-3, 3), source.choice((0, 2, 17))) + 0.0)
    op = source.choice(operations)
    if op == "**":
        exponent = Number(float(source.choice((2, 3, 0.5, -1, 1.5))))
        return Call(op, (random_tree(source, depth - 1, operations), exponent))
    return Call(op, tuple(random_tree(source, depth - 1, operations) for _ in range(ARITY[op])))


def truth(condition: Any) -> Any:
    return mpmath.mpf(1 if condition else 0)


REFERENCE: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
    "neg": lambda a: -a,
    "<": lambda a, b: truth(a < b),
    "<=": lambda a, b: truth(a <= b),
    ">": lambda a, b: truth(a > b),
    ">=": lambda a, b: truth(a >= b),
    "==": lambda a, b: truth(a == b),
    "!=": lambda a, b: truth(a != b),
    "and": lambda a, b: truth(a != 0 and b != 0),
    "or": lambda a, b: truth(a != 0 or b != 0),
    "not": lambda a: truth(a == 0),
    "where": lambda c, a, b: a if c != 0 else b,
    "min": min,
    "max": max,
    "exp": mpmath.exp,
    "log": mpmath.log,
    "sqrt": mpmath.sqrt,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "step": lambda a: truth(a >= 0),
    "abs": abs,
}
SMALLEST, LARGEST = mpmath.mpf("1e-280"), mpmath.mpf("1e280")


class UndefinedError(Exception):
    """The reference has no real value of double-precision size here."""


def reference(e: Expr, point: dict[str, Any], nudge: Callable[[], Any] = lambda: 1) -> Any:
    """The value in 50 digits, each leaf multiplied by what `nudge` gives."""
    if isinstance(e, Number):
        return mpmath.mpf(e.value) * nudge()
    if isinstance(e, Name):
        return mpmath.mpf(point[e.id]) * nudge()
    args = [reference(arg, point, nudge) for arg in e.args]
    try:
        value = REFERENCE[e.op](*args)
    except (ZeroDivisionError, ValueError, OverflowError) as error:
        raise UndefinedError from error
    if not isinstance(value, mpmath.mpf) or not (value == 0 or SMALLEST < abs(value) < LARGEST):
        raise UndefinedError
    return value


def random_points(source: random.Random, count: int) -> list[dict[str, float]]:
    return [{name: source.uniform(0.1, 4) for name in LEAVES} for _ in range(count)]


def reread(tree: Expr) -> Expr | None:
    """The tree of the text of a tree; None if a constant part such as 1/0 or 2**1e9 may not be written."""
    try:
        return parse(text(tree))
    except CtcError as error:
        if {problem.code for problem in error.problems} == {"X406"}:
            return None
        raise


def test_values_agree_with_mpmath_through_text_and_back(request: pytest.FixtureRequest) -> None:
    """Relative 1e-12 where the problem is well conditioned (leaves off by 1e-14 move it less than 1e-13)."""
    source = random.Random(request.node.nodeid)
    compared, left_out = 0, 0
    with mpmath.workdps(50):
        for _ in range(3000):
            tree = random_tree(source, source.randint(1, 5), EVERY_OPERATION)
            again = reread(tree)
            if again is None:
                left_out += 1
                continue
            for point in random_points(source, 3):
                try:
                    exact = reference(tree, point)
                    near = [
                        reference(tree, point, lambda: 1 + mpmath.mpf(source.choice((-1, 1))) * 1e-14)
                        for _ in range(2)
                    ]
                except UndefinedError:
                    left_out += 1
                    continue
                if any(abs(value - exact) > 1e-13 * abs(exact) for value in near):
                    left_out += 1
                    continue
                found = evaluate(again, point)
                assert abs(found - exact) <= 1e-12 * abs(exact), text(tree)
                compared += 1
    assert compared > 3000
    assert compared > left_out / 2


SMOOTH = [op for op in EVERY_OPERATION if op not in {"==", "!=", "and", "or", "not"}]


def test_derivatives_agree_with_a_difference_in_high_precision(request: pytest.FixtureRequest) -> None:
    source = random.Random(request.node.nodeid)
    compared = 0
    with mpmath.workdps(80):
        step = mpmath.mpf("1e-25")
        for _ in range(500):
            tree = random_tree(source, source.randint(1, 5), SMOOTH)
            slope = derivative(tree, "x")
            for point in random_points(source, 2):
                try:
                    right = reference(tree, {**point, "x": point["x"] + step})
                    left = reference(tree, {**point, "x": point["x"] - step})
                    found = reference(slope, point)
                except UndefinedError:
                    continue
                difference = (right - left) / (2 * step)
                # constants of the derivative are folded in double precision
                assert abs(found - difference) <= 1e-13 * (1 + abs(difference)), text(tree)
                compared += 1
    assert compared > 300


@pytest.mark.parametrize(
    ("source", "slope"),
    [
        ("5", "0"),
        ("y", "0"),
        ("x", "1"),
        ("k * x", "k"),
        ("k * x * y", "k * y"),
        ("x**2", "2 * x"),
        ("k * x**3", "k * (3 * x**2)"),
        ("x / k", "1 / k"),
        ("k / x", "-k / x**2"),
        ("-x", "-1"),
        ("log(x)", "1 / x"),
        ("exp(-k * x)", "exp(-k * x) * -k"),
        ("sqrt(x)", "1 / (2 * sqrt(x))"),
        ("step(x) + (x > 3)", "0"),
        ("where(t > 5, k * x, 0)", "where(t > 5, k, 0)"),
        ("max(x, 1)", "where(x >= 1, 1, 0)"),
        ("abs(x)", "where(x >= 0, 1, -1)"),
        ("y**x", "y**x * log(y)"),
    ],
)
def test_derivatives_come_out_simple(source: str, slope: str) -> None:
    assert text(derivative(parse(source), "x")) == slope


def test_the_deepest_tree_can_be_handled_everywhere() -> None:
    deepest = parse("+".join(["x"] * MAX_DEPTH))
    slope = derivative(substitute(deepest, {"x": X}), "x")
    assert slope == Number(float(MAX_DEPTH))
    tree: Expr = X
    for level in range(MAX_DEPTH - 1):
        tree = Call("/", (X, tree)) if level % 8 == 0 else Call("sin", (tree,))
    steep = derivative(tree, "x")
    assert math.isfinite(evaluate(steep, {"x": 0.7}))
    assert hash(steep) == hash(derivative(tree, "x"))
