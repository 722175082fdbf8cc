"""Upper bounds of time-dependent rates over a window, by interval arithmetic written out as kernel source.

Thinning (P. A. W. Lewis and G. S. Shedler 1979, doi:10.1002/nav.3800260304) needs a number that no rate exceeds while
the state stands still and `t` runs over [FROM, TO]. Every operation maps intervals to intervals (R. E. Moore, Methods
and Applications of Interval Analysis, 1979, chapter 2); what does not depend on `t` is its own point.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ctcdyn.codegen.layout import Layout
from ctcdyn.codegen.writer import Body
from ctcdyn.model.expr import Call, Expr, Name, Number, evaluate, names

Interval = tuple[str, str]
MONOTONE = ("exp", "log", "sqrt")


@dataclass
class Windowed:
    """Bounds of what depends on `t` and on no species: rows, filled once for each window."""

    layout: Layout
    rows: dict[Expr, int] = field(default_factory=dict)

    def read(self, e: Expr) -> Interval:
        """Source of the bounds of e, kept in the rows LOW_k and HIGH_k."""
        k = self.rows.setdefault(e, len(self.rows))
        return f"w[LOW_{k} + i]", f"w[HIGH_{k} + i]"

    def lines(self) -> list[str]:
        """Statements that fill the rows of lane i from its window and parameters."""
        body = Body(self.layout.symbol)
        for e, k in self.rows.items():
            low, high = span(e, body, None)
            body.lines += [f"w[LOW_{k} + i] = {low}", f"w[HIGH_{k} + i] = {high}"]
        return body.lines


def span(e: Expr, body: Body, windowed: Windowed | None) -> Interval:
    """Source of (lower, upper) bounds of e over the window of lane i.

    With `windowed`, what no species enters comes from its rows; without, all is computed on the spot.
    """
    if isinstance(e, Name) and e.id == "t":
        return "w[FROM + i]", "w[TO + i]"
    if "t" not in names(e):
        point = body.local(e)
        return point, point
    if windowed is not None and not names(e) & set(windowed.layout.species):
        return windowed.read(e)
    assert isinstance(e, Call)
    op = e.op
    if op in ("sin", "cos"):
        return _wave(op, span(e.args[0], body, windowed), body)
    if op == "where":
        (a, b), (c, d) = span(e.args[1], body, windowed), span(e.args[2], body, windowed)
        return _least(body, a, c), _most(body, b, d)
    if op == "step" or op in ("<", "<=", ">", ">=", "==", "!=", "and", "or", "not"):
        return "0.0", "1.0"
    parts = [span(a, body, windowed) for a in e.args]
    (a, b), (c, d) = parts[0], parts[-1]
    if op == "+":
        return body.keep(f"{a} + {c}"), body.keep(f"{b} + {d}")
    if op == "-":
        return body.keep(f"{a} - {d}"), body.keep(f"{b} - {c}")
    if op == "neg":
        return body.keep(f"-{b}"), body.keep(f"-{a}")
    if op == "*" and not names(e.args[0]) and evaluate(e.args[0], {}) >= 0.0:
        return body.keep(f"{a} * {c}"), body.keep(f"{a} * {d}")
    if op == "*":
        return _hull(body, [f"{p} * {q}" for p in dict.fromkeys((a, b)) for q in dict.fromkeys((c, d))])
    if op == "/":
        low, high = _hull(body, [f"{p} / {q}" for p in dict.fromkeys((a, b)) for q in dict.fromkeys((c, d))])
        spans_zero = f"({c} <= 0.0) & ({d} >= 0.0)"
        return body.keep(f"pick({spans_zero}, -np.inf, {low})"), body.keep(
            f"pick({spans_zero}, np.inf, {high})"
        )
    if op == "**":
        return _power(body, e.args[1], (a, b), (c, d))
    if op in MONOTONE:
        function = {"exp": "exp_", "log": "log_", "sqrt": "np.sqrt"}[op]
        return body.keep(f"{function}({a})"), body.keep(f"{function}({b})")
    if op in ("min", "max"):
        choose = _least if op == "min" else _most
        return choose(body, a, c), choose(body, b, d)
    assert op == "abs", op
    low, high = _hull(body, [f"abs({a})", f"np.abs({b})"])
    return body.keep(f"pick(({a} <= 0.0) & ({b} >= 0.0), 0.0, {low})"), high


def _wave(op: str, x: Interval, body: Body) -> Interval:
    """A sine or cosine moves no further than its argument: the value in the middle, plus or minus half the width."""
    middle = body.keep(f"0.5 * ({x[0]} + {x[1]})")
    half = body.keep(f"0.5 * ({x[1]} - {x[0]})")
    value = body.keep(f"{op}_({middle})")
    return _most(body, "-1.0", f"{value} - {half}"), _least(body, "1.0", f"{value} + {half}")


def _power(body: Body, exponent: Expr, x: Interval, y: Interval) -> Interval:
    whole = isinstance(exponent, Number) and exponent.value == int(exponent.value)
    corners = [f"pow_({p}, {q})" for p in dict.fromkeys(x) for q in dict.fromkeys(y)]
    low, high = _hull(body, corners)
    if not whole:
        return low, high
    assert isinstance(exponent, Number)
    spans_zero = f"({x[0]} <= 0.0) & ({x[1]} >= 0.0)"
    even = exponent.value % 2 == 0
    if exponent.value < 0:  # a pole inside the window
        low = low if even else body.keep(f"pick({spans_zero}, -np.inf, {low})")
        high = body.keep(f"pick({spans_zero}, np.inf, {high})")
    elif even:
        low = body.keep(f"pick({spans_zero}, 0.0, {low})")
    return low, high


def _hull(body: Body, products: list[str]) -> Interval:
    kept = [body.keep(p) for p in products]
    low = high = kept[0]
    for other in kept[1:]:
        low, high = _least(body, low, other), _most(body, high, other)
    return low, high


def _least(body: Body, a: str, b: str) -> str:
    a, b = _atom(body, a), _atom(body, b)
    return body.keep(f"pick(({a} < {b}) | ({a} != {a}), {a}, {b})")


def _most(body: Body, a: str, b: str) -> str:
    a, b = _atom(body, a), _atom(body, b)
    return body.keep(f"pick(({a} > {b}) | ({a} != {a}), {a}, {b})")


def _atom(body: Body, source: str) -> str:
    """`source` itself where it is a name or a literal, otherwise a local that holds it."""
    return (
        source
        if source.replace(".", "").replace("-", "").isalnum() or source.isidentifier()
        else body.keep(source)
    )
