"""Algebra of implicit methods: Jacobian, its sparse LU factors and the solve, in lanes and without pivoting.

The matrix is I/(gamma h) - J of a Rosenbrock step. Elimination order and fill are found once, here, by the rule of
Markowitz (H. M. Markowitz 1957, doi:10.1287/mnsc.3.3.255), and every entry that can be non-zero gets a row. A pivot
that vanishes gives values that are not finite, and the step is refused by its error estimate. Derivatives come from
`ctcdyn.model.expr.derivative`, with shared subexpressions written once.
"""

from __future__ import annotations

from collections.abc import Iterable

from ctcdyn.codegen.drift import both, right_hand_sides
from ctcdyn.codegen.layout import Layout, path_of, slope_of
from ctcdyn.codegen.rows import Rows
from ctcdyn.codegen.writer import Body
from ctcdyn.model.expr import Call, Expr, Name, Number, derivative, walk

Entry = tuple[int, int]


def write(layout: Layout, rows: Rows) -> dict[str, str]:
    """Parts `jacobian`, `factor`, `solve`, `turned`, `time_derivative`."""
    parts, order = matrix(layout, rows, range(layout.means))
    rows.block("right-hand side, then solution, of `solve`", [f"B_{s}" for s in layout.species], "B")
    rows.block("1/(gamma h), 1/d", ["SHIFT"])
    parts["turned"] = _turned(order)
    if layout.timed:
        rows.block("partial derivative of the drift by time", [f"T_{s}" for s in layout.species], "T")
        parts["time_derivative"] = along_time(layout, range(layout.means))
    else:
        rows.block("no rate depends on time: one row that stays zero", ["T"])
        parts["time_derivative"] = both("time_derivative", "No rate depends on time.", ["w[T + i] = 0.0"])
    return parts


def matrix(layout: Layout, rows: Rows, over: range, end: str = "") -> tuple[dict[str, str], list[int]]:
    """Parts `jacobian`, `factor`, `solve`, with `end` behind their names, of some state rows that move by themselves;
    and the order of pivots."""
    sides = right_hand_sides(layout)
    entries: dict[Entry, Expr] = {}
    for s in over:
        for z in over:
            slope = derivative(sides[s], layout.species[z])
            if slope != Number(0.0):
                entries[s, z] = slope
    order, filled = eliminate(over, set(entries))
    starts = (None, None) if end else ("J", "L")
    rows.block("entries of the Jacobian, 1/d", [f"J_{s}_{z}" for s, z in entries], starts[0])
    rows.block("entries of the LU factors of I/(gamma h) - J", [f"L_{s}_{z}" for s, z in filled], starts[1])
    parts = {
        f"jacobian{end}": _jacobian(layout, entries, f"jacobian{end}"),
        f"factor{end}": _factor(entries, order, filled, f"factor{end}"),
        f"solve{end}": _solve(layout, order, filled, over, f"solve{end}"),
    }
    return parts, order


def eliminate(over: Iterable[int], pattern: set[Entry]) -> tuple[list[int], list[Entry]]:
    """(pivot order, all entries of the factors) for a matrix with this pattern and a full diagonal."""
    open_rows, order = list(over), []
    kept = pattern | {(s, s) for s in open_rows}

    def cost(p: int) -> tuple[int, int]:
        below = sum((s, p) in kept for s in open_rows if s != p)
        right = sum((p, z) in kept for z in open_rows if z != p)
        return below * right, p

    while open_rows:
        pivot = min(open_rows, key=cost)
        open_rows.remove(pivot)
        order.append(pivot)
        for s in open_rows:
            if (s, pivot) in kept:
                kept.update({(s, z) for z in open_rows if (pivot, z) in kept})
    return order, sorted(kept)


def _jacobian(layout: Layout, entries: dict[Entry, Expr], name: str) -> str:
    body = Body(layout.rated, entries.values())
    for (s, z), slope in entries.items():
        body.lines.append(f"w[J_{s}_{z} + i] = {finite(slope, body)}")
    timed = ["t = w[TIME + i]"] if layout.timed else []
    lines = [*timed, *body.lines] or ["pass"]
    return both(name, "Derivatives of the drift by the state at (TIME, X), 1/d.", lines)


def finite(slope: Expr, body: Body) -> str:
    """A derivative, with 0 where it is not finite: at the edge of the domain of a power, root or logarithm."""
    value = body.value(slope)
    if any(isinstance(e, Call) and e.op in ("**", "sqrt", "log") for e in walk(slope)):
        value = body.keep(value)
        value = f"pick(abs({value}) < np.inf, {value}, 0.0)"
    return value


def _factor(entries: dict[Entry, Expr], order: list[int], filled: list[Entry], name: str) -> str:
    """Right-looking elimination; a pivot is stored as its inverse."""
    lines = []
    for s, z in filled:
        shift = "w[SHIFT + i]" if s == z else ""
        slope = f"-w[J_{s}_{z} + i]" if (s, z) in entries else ""
        entry = f"{shift} - {slope[1:]}" if shift and slope else shift or slope or "0.0"
        lines.append(f"a_{s}_{z} = {entry}")
    kept = set(filled)
    for k, p in enumerate(order):
        later = order[k + 1 :]
        lines.append(f"a_{p}_{p} = 1.0 / a_{p}_{p}")
        for s in later:
            if (s, p) in kept:
                lines.append(f"a_{s}_{p} = a_{s}_{p} * a_{p}_{p}")
                lines += [f"a_{s}_{z} = a_{s}_{z} - a_{s}_{p} * a_{p}_{z}" for z in later if (p, z) in kept]
    lines += [f"w[L_{s}_{z} + i] = a_{s}_{z}" for s, z in filled]
    return both(name, "LU factors of I/(gamma h) - J, pivots as their inverses.", lines or ["pass"])


def _solve(layout: Layout, order: list[int], filled: list[Entry], over: range, name: str) -> str:
    kept = set(filled)
    lines = []
    for k, p in enumerate(order):
        before = [z for z in order[:k] if (p, z) in kept]
        lines.append(
            f"b_{p} = w[B_{layout.species[p]} + i]" + "".join(f" - w[L_{p}_{z} + i] * b_{z}" for z in before)
        )
    for k in reversed(range(len(order))):
        p = order[k]
        after = [z for z in order[k + 1 :] if (p, z) in kept]
        inner = f"b_{p}" + "".join(f" - w[L_{p}_{z} + i] * b_{z}" for z in after)
        lines.append(f"b_{p} = ({inner}) * w[L_{p}_{p} + i]")
    lines += [f"w[B_{layout.species[s]} + i] = b_{s}" for s in over]
    return both(name, "Solves with the factors: B is the right-hand side, then the solution.", lines or ["pass"])


def _turned(order: list[int]) -> str:
    lines = ['"""1.0 where the matrix has a negative determinant: a mode grows within the step, unresolved."""']
    lines += ["sign = 1.0", *(f"sign = pick(w[L_{p}_{p} + i] < 0.0, -sign, sign)" for p in order)]
    lines.append("return pick(sign < 0.0, 1.0, 0.0)")
    return "@lane\ndef turned(w, i):\n" + "\n".join("    " + line for line in lines)


def along_time(layout: Layout, over: range, end: str = "") -> str:
    """Part `time_derivative`, with `end` behind its name, of some state rows."""
    sides = right_hand_sides(layout)
    slopes = [_along(sides[s], layout) for s in over]
    body = Body(layout.rated, slopes)
    for s, slope in zip(over, slopes, strict=True):
        body.lines.append(f"w[T_{layout.species[s]} + i] = {finite(slope, body)}")
    doc = "Derivatives of the drift by time at (TIME, X)."
    return both(f"time_derivative{end}", doc, ["t = w[TIME + i]", *body.lines])


def _along(side: Expr, layout: Layout) -> Expr:
    """The derivative of a right-hand side by time, with that of the path of pinned species where it reads them."""
    total = derivative(side, "t")
    for name in layout.paths:
        slope = derivative(side, path_of(name))
        if slope != Number(0.0):
            moved = Call("*", (slope, Name(slope_of(name))))
            total = moved if total == Number(0.0) else Call("+", (total, moved))
    return total
