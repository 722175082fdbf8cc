"""Expression trees: three kinds of frozen nodes, and what can be done with any tree.

A tree holds numbers, names and calls of the operations in `ARITY`; nothing else exists, so nothing else can
be run. Comparisons and `and`, `or`, `not` give 1.0 or 0.0, and any value other than 0 counts as true.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ctcdyn.errors import CtcError, Problem, did_you_mean

ARITY: dict[str, int] = {
    "+": 2,
    "-": 2,
    "*": 2,
    "/": 2,
    "**": 2,
    "neg": 1,
    "<": 2,
    "<=": 2,
    ">": 2,
    ">=": 2,
    "==": 2,
    "!=": 2,
    "and": 2,
    "or": 2,
    "not": 1,
    "where": 3,
    "min": 2,
    "max": 2,
    "exp": 1,
    "log": 1,
    "sqrt": 1,
    "sin": 1,
    "cos": 1,
    "step": 1,
    "abs": 1,
}
COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
INFIX = frozenset({"+", "-", "*", "/", "**", "and", "or"}) | COMPARISONS

MAX_DEPTH = 128  # levels of a tree: every walk over it stays far from Python's recursion limit
MAX_SUBSTITUTED = 20_000  # nodes after substitution: derived parameters may not grow without bound


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """A species, a parameter, or `t`, the time in days."""

    id: str


@dataclass(frozen=True, slots=True)
class Call:
    """An operation of `ARITY` applied to its arguments."""

    op: str
    args: tuple[Expr, ...]


Expr: TypeAlias = Number | Name | Call


def walk(e: Expr) -> Iterator[Expr]:
    """Every node, a parent before its arguments, arguments from left to right."""
    stack: list[Expr] = [e]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, Call):
            stack.extend(reversed(node.args))


def names(e: Expr) -> frozenset[str]:
    """The names an expression uses, `t` among them if it depends on time."""
    return frozenset(node.id for node in walk(e) if isinstance(node, Name))


def substitute(e: Expr, replacements: Mapping[str, Expr]) -> Expr:
    """The expression with names replaced by expressions, all at once.

    Raises CtcError X403 when the result is over MAX_SUBSTITUTED nodes or MAX_DEPTH levels: forty definitions
    that each use the one before twice would otherwise make 1e12 nodes.
    """
    extents = {name: _extent(replacement) for name, replacement in replacements.items()}

    def replace(node: Expr) -> tuple[Expr, int, int]:
        if isinstance(node, Call):
            parts = [replace(arg) for arg in node.args]
            size = 1 + sum(part[1] for part in parts)
            depth = 1 + max(part[2] for part in parts)
            if size > MAX_SUBSTITUTED or depth > MAX_DEPTH:
                what = f"with its definitions put in, an expression has over {MAX_SUBSTITUTED} terms"
                what += f" or {MAX_DEPTH} levels"
                raise CtcError(Problem("X403", what, fix="use fewer derived definitions inside one another"))
            args = tuple(part[0] for part in parts)
            same = all(new is old for new, old in zip(args, node.args, strict=True))
            return (node if same else Call(node.op, args)), size, depth
        if isinstance(node, Name) and node.id in replacements:
            return (replacements[node.id], *extents[node.id])
        return node, 1, 1

    return replace(e)[0]


def evaluate(e: Expr, values: Mapping[str, Any]) -> Any:
    """The value in double precision: a float, or an array where a used value is an array.

    Follows IEEE arithmetic without warnings (1/0 is inf, log(-1) is NaN) and evaluates both branches of
    `where`, as the kernels do. Raises CtcError X408 for a name without value.
    """

    def value(node: Expr) -> Any:
        if isinstance(node, Call):
            return _OPERATIONS[node.op](*[value(arg) for arg in node.args])
        if isinstance(node, Number):
            return np.float64(node.value)
        if node.id not in values:
            fix = did_you_mean(node.id, values)
            raise CtcError(Problem("X408", f'"{node.id}" has no value here', fix=fix, word=node.id))
        known = values[node.id]
        return np.float64(known) if type(known) is float else np.asarray(known, dtype=np.float64)[()]

    with np.errstate(all="ignore"):
        result = value(e)
    return result if isinstance(result, np.ndarray) else float(result)


def text(e: Expr) -> str:
    """Canonical text: fixed spacing, no bracket that is not needed; `parse` gives the same tree back."""
    return _text(e)[0]


def _extent(e: Expr) -> tuple[int, int]:
    """Nodes and levels of a tree."""
    nodes, depth = 0, 0
    stack = [(e, 1)]
    while stack:
        node, level = stack.pop()
        nodes, depth = nodes + 1, max(depth, level)
        if isinstance(node, Call):
            stack.extend((arg, level + 1) for arg in node.args)
    return nodes, depth


def _truth(condition: Any) -> Any:
    return np.asarray(condition, dtype=np.float64)[()]


def _where(condition: Any, a: Any, b: Any) -> Any:
    return np.asarray(np.where(condition != 0, a, b))[()]


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": np.power,
    "neg": lambda a: -a,
    "<": lambda a, b: _truth(a < b),
    "<=": lambda a, b: _truth(a <= b),
    ">": lambda a, b: _truth(a > b),
    ">=": lambda a, b: _truth(a >= b),
    "==": lambda a, b: _truth(a == b),
    "!=": lambda a, b: _truth(a != b),
    "and": lambda a, b: _truth((a != 0) & (b != 0)),
    "or": lambda a, b: _truth((a != 0) | (b != 0)),
    "not": lambda a: _truth(a == 0),
    "where": _where,
    "min": np.minimum,
    "max": np.maximum,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "step": lambda a: _truth(a >= 0),
    "abs": np.abs,
}

# How tightly an operator binds, as in Python. A function call and a name bind tightest.
BINDING: dict[str, int] = (
    {"or": 1, "and": 2, "not": 3}
    | dict.fromkeys(COMPARISONS, 4)
    | {"+": 5, "-": 5, "*": 6, "/": 6, "neg": 7, "**": 8}
)
_TIGHTEST = 9


def _text(node: Expr) -> tuple[str, int]:
    """Text of a node and how tightly its outermost operator binds."""
    if isinstance(node, Name):
        return node.id, _TIGHTEST
    if isinstance(node, Number):
        shown = repr(node.value).removesuffix(".0")
        return shown, BINDING["neg"] if math.copysign(1.0, node.value) < 0 else _TIGHTEST
    parts = [_text(arg) for arg in node.args]
    if node.op not in BINDING:
        return f"{node.op}({', '.join(part[0] for part in parts)})", _TIGHTEST
    binding = BINDING[node.op]
    if node.op == "not":
        return f"not {_bracket(parts[0], binding)}", binding
    if node.op == "neg":
        # a minus before a numeral is part of the number: -(2) is the negation of 2
        inside = f"({parts[0][0]})" if isinstance(node.args[0], Number) else _bracket(parts[0], binding)
        return f"-{inside}", binding
    left, right = parts
    if node.op == "**":  # groups to the right, and its exponent may carry a sign
        return f"{_bracket(left, binding + 1)}**{_bracket(right, BINDING['neg'])}", binding
    lowest = binding + 1 if node.op in COMPARISONS else binding  # comparisons do not chain
    return f"{_bracket(left, lowest)} {node.op} {_bracket(right, binding + 1)}", binding


def _bracket(part: tuple[str, int], lowest: int) -> str:
    shown, binding = part
    return shown if binding >= lowest else f"({shown})"
