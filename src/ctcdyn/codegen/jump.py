"""Algebra of the jump semantics: one function for each reaction, their running sums, a bound, and the change.

`prefix` gives the running sums c[0] .. c[R-1] of the propensities, so c[R-1] is the total; `fire` applies the
reaction r with c[r-1] <= y < c[r] by selection, without a branch. A rate that cannot be shown to stay non-negative
from its form becomes NaN where it is negative, so that a status follows and never a wrong path. Where rates depend
on `t`, `bound` gives a number no smaller than the total at any time of the lane's window [FROM, TO].
"""

from __future__ import annotations

from ctcdyn.codegen.interval import Windowed, span
from ctcdyn.codegen.layout import Layout
from ctcdyn.codegen.rows import Rows
from ctcdyn.codegen.writer import Body
from ctcdyn.model.expr import Call, Expr, Name, Number, text
from ctcdyn.model.network import Reaction

SLACK = 1.0 + 2.0**-40  # outward, for the rounding of a bound that is computed in another order than the rate


def write(layout: Layout, rows: Rows) -> dict[str, str]:
    """Parts `rates`, `prefix`, `fire`, `bound` and `valid`."""
    rows.block("the window over which bounds hold", ["FROM", "TO"])
    windowed = Windowed(layout)
    bound = _bound(layout, windowed)
    for bounds in ("LOW", "HIGH"):
        rows.block("bounds over the window", [f"{bounds}_{k}" for k in windowed.rows.values()])
    return {
        "rates": "\n\n\n".join(_rate(layout, r) for r in range(len(layout.rates))),
        "prefix": _prefix(layout),
        "fire": _fire(layout),
        "window": _window(windowed),
        "bound": bound,
        "valid": _valid(layout),
    }


def _rate(layout: Layout, r: int) -> str:
    reaction = layout.network.reactions[r]
    body = Body(layout.symbol, [layout.rates[r]])
    value = body.value(layout.rates[r])
    if not is_nonnegative(layout.rates[r], reaction, layout):
        local = body.keep(value)
        value = f"{local} if {local} >= 0.0 else np.nan"
    lines = [f'"""{_title(layout, reaction)}"""', *body.lines, f"return {value}"]
    return f"@lane\ndef rate_{reaction.name}(w, i, t):\n" + _indent(lines)


def _title(layout: Layout, reaction: Reaction) -> str:
    law = f"k = {text(reaction.k)}" if reaction.k is not None else f"rate = {text(reaction.rate or Number(0.0))}"
    place = reaction.place
    where = f" ({place.file.rsplit('/', 1)[-1]}:{place.line})" if place is not None else ""
    return f"{reaction.equation}, {law}, events/d{where}"


def _prefix(layout: Layout) -> str:
    lines = ['"""Running sums of the propensities, 1/d; the last is the total."""']
    for r, reaction in enumerate(layout.network.reactions):
        lines.append(f"c{r} = " + (f"c{r - 1} + " if r else "") + f"rate_{reaction.name}(w, i, t)")
    sums = ", ".join(f"c{r}" for r in range(len(layout.rates)))
    lines.append(f"return {sums},")
    return "@lane\ndef prefix(w, i, t):\n" + _indent(lines)


def _fire(layout: Layout) -> str:
    """g[r] is `on` where a reaction after r was chosen; reaction r fired where g[r-1] - g[r] is one."""
    last = len(layout.rates) - 1
    lines = ['"""The change of state by the reaction that y falls into; nothing where `on` is zero."""']
    lines += [f"g{r} = on if y >= c[{r}] else 0.0" for r in range(last)]
    gains: dict[int, list[str]] = {}
    for r in range(last + 1):
        before, after = ("on" if r == 0 else f"g{r - 1}"), ("" if r == last else f" - g{r}")
        for s, change in layout.change(r).items():
            times = "" if abs(change) == 1 else f"{abs(change)}.0 * "
            gains.setdefault(s, []).append(f"{'+' if change > 0 else '-'} {times}({before}{after})")
    for s, terms in sorted(gains.items()):
        row = f"w[X_{layout.species[s]} + i]"
        lines.append(f"{row} = {row} " + " ".join(terms))
    if len(lines) == 1:
        lines.append("w[X + i] = w[X + i]")
    return "@lane\ndef fire(w, i, c, y, on):\n" + _indent(lines)


def _bound(layout: Layout, windowed: Windowed) -> str:
    if not layout.timed:
        return (
            "@lane\ndef bound(w, i):\n"
            '    """No rate depends on time: the total propensity is its own bound."""\n'
            "    return prefix(w, i, w[TIME + i])[REACTIONS - 1]"
        )
    body = Body(layout.symbol)
    total: list[str] = []
    for r, rate in enumerate(layout.rates):
        if r in layout.timed:
            high = span(rate, body, windowed)[1]
            total.append(body.keep(f"{high} * {SLACK!r}"))
        else:
            total.append(f"rate_{layout.network.reactions[r].name}(w, i, w[FROM + i])")
    lines = ['"""A bound of the total propensity over the window of lane i, 1/d."""', *body.lines]
    lines.append("return " + " + ".join(total))
    return "@lane\ndef bound(w, i):\n" + _indent(lines)


def _window(windowed: Windowed) -> str:
    doc = '"""Bounds over [FROM, TO] of what depends on time but on no species."""'
    return "@block\ndef window(w, i):\n" + _indent([doc, *(windowed.lines() or ["pass"])])


def _valid(layout: Layout) -> str:
    """What `is_nonnegative` takes for granted is checked once, when a lane is loaded or its parameters change."""
    rows = sorted({row for r, rate in enumerate(layout.rates) for row in _assumed(rate, layout)})
    lines = ['"""1.0 where every factor of a rate that must not be negative is not."""', "good = 1.0"]
    lines += [f"good = good if {row} >= 0.0 else 0.0" for row in rows]
    return "@block\ndef valid(w, i):\n" + _indent([*lines, "return good"])


def is_nonnegative(e: Expr, reaction: Reaction | None, layout: Layout) -> bool:
    """True where the form of a rate says that it cannot be negative, given that parameters and counts are not."""
    if reaction is not None and reaction.k is not None:
        return is_nonnegative(_coefficient(e, reaction), None, layout)
    if isinstance(e, Number):
        return e.value >= 0
    if isinstance(e, Name):
        return True
    if e.op in ("+", "*", "/", "min", "max"):
        return all(is_nonnegative(a, None, layout) for a in e.args)
    if e.op == "where":
        return all(is_nonnegative(a, None, layout) for a in e.args[1:])
    if e.op == "**":
        return is_nonnegative(e.args[0], None, layout)
    return e.op in ("exp", "sqrt", "step", "abs", "<", "<=", ">", ">=", "==", "!=", "and", "or", "not")


def _coefficient(e: Expr, reaction: Reaction) -> Expr:
    """k of k * x * (x - 1) ... / m!; the factorial moment of a whole number is never negative."""
    counts = [count for _, count in reaction.reactants]
    for _ in range(sum(counts) + (max(counts, default=0) > 1)):
        assert isinstance(e, Call)
        e = e.args[0]
    return e


def _assumed(e: Expr, layout: Layout) -> list[str]:
    """Rows of parameters and coefficients that stand as factors or terms of a rate."""
    if isinstance(e, Name):
        static = e.id not in layout.species and e.id != "t"
        return [layout.symbol(e.id)] if static else []
    if isinstance(e, Call) and e.op in ("+", "*", "/", "min", "max"):
        return [row for a in e.args for row in _assumed(a, layout)]
    if isinstance(e, Call) and e.op == "where":
        return [row for a in e.args[1:] for row in _assumed(a, layout)]
    return []


def _indent(lines: list[str]) -> str:
    return "\n".join("    " + line for line in lines)
