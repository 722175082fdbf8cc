"""Symbolic derivatives of expression trees, lightly simplified.

Used for the Jacobians of the solvers, and to see how a model behaves (its time scales), without SymPy. Steps and
comparisons have derivative zero, and at a kink of `min`, `max` or `abs` the derivative is that of one side.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ctcdyn.model.tree import COMPARISONS, Call, Expr, Name, Number, evaluate

ZERO = Number(0.0)
ONE = Number(1.0)


def derivative(e: Expr, name: str) -> Expr:
    """The partial derivative with respect to `name`; zero for a name that does not occur."""
    if isinstance(e, Name):
        return ONE if e.id == name else ZERO
    if isinstance(e, Number) or e.op in _FLAT:
        return ZERO
    inner = [derivative(arg, name) for arg in e.args[1 if e.op == "where" else 0 :]]
    if all(part == ZERO for part in inner):
        return ZERO
    return _RULES[e.op](e.args, inner)


def _power(args: tuple[Expr, ...], inner: list[Expr]) -> Expr:
    base, exponent = args
    along_base = times(times(exponent, _raise(base, _minus(exponent, ONE))), inner[0])
    if inner[1] == ZERO:
        return along_base
    along_exponent = times(times(_raise(base, exponent), Call("log", (base,))), inner[1])
    return plus(along_base, along_exponent)


def _quotient(args: tuple[Expr, ...], inner: list[Expr]) -> Expr:
    above, below = args
    if inner[1] == ZERO:
        return _over(inner[0], below)
    return _over(_minus(times(inner[0], below), times(above, inner[1])), _raise(below, Number(2.0)))


def _choice(op: str) -> Callable[[tuple[Expr, ...], list[Expr]], Expr]:
    return lambda args, inner: Call("where", (Call(op, args), inner[0], inner[1]))


_FLAT = COMPARISONS | {"and", "or", "not", "step"}
_RULES: dict[str, Callable[[tuple[Expr, ...], list[Expr]], Expr]] = {
    "+": lambda _, inner: plus(inner[0], inner[1]),
    "-": lambda _, inner: _minus(inner[0], inner[1]),
    "*": lambda args, inner: plus(times(inner[0], args[1]), times(args[0], inner[1])),
    "/": _quotient,
    "**": _power,
    "neg": lambda _, inner: _negative(inner[0]),
    "exp": lambda args, inner: times(Call("exp", args), inner[0]),
    "log": lambda args, inner: _over(inner[0], args[0]),
    "sqrt": lambda args, inner: _over(inner[0], times(Number(2.0), Call("sqrt", args))),
    "sin": lambda args, inner: times(Call("cos", args), inner[0]),
    "cos": lambda args, inner: _negative(times(Call("sin", args), inner[0])),
    "abs": lambda args, inner: Call("where", (Call(">=", (args[0], ZERO)), inner[0], _negative(inner[0]))),
    "min": _choice("<="),
    "max": _choice(">="),
    "where": lambda args, inner: Call("where", (args[0], inner[0], inner[1])),
}


def _fold(op: str, *args: Expr) -> Expr:
    """A call, or its value where all arguments are numbers and the value is finite."""
    call = Call(op, args)
    if not all(isinstance(arg, Number) for arg in args):
        return call
    value = evaluate(call, {})
    return Number(value) if math.isfinite(value) else call


def plus(a: Expr, b: Expr) -> Expr:
    """a + b without a zero, in one number where both are numbers."""
    if a == ZERO or b == ZERO:
        return b if a == ZERO else a
    return _fold("+", a, b)


def _minus(a: Expr, b: Expr) -> Expr:
    if b == ZERO:
        return a
    return _negative(b) if a == ZERO else _fold("-", a, b)


def _negative(a: Expr) -> Expr:
    if isinstance(a, Number):
        return Number(-a.value)
    return a.args[0] if isinstance(a, Call) and a.op == "neg" else Call("neg", (a,))


def times(a: Expr, b: Expr) -> Expr:
    """a * b without a zero or a one, in one number where both are numbers."""
    if ZERO in (a, b):
        return ZERO
    if a == ONE or b == ONE:
        return b if a == ONE else a
    return _fold("*", a, b)


def _over(a: Expr, b: Expr) -> Expr:
    if a == ZERO or b == ONE:
        return a
    return _fold("/", a, b)


def _raise(base: Expr, exponent: Expr) -> Expr:
    if exponent == ZERO:
        return ONE
    return base if exponent == ONE else _fold("**", base, exponent)
