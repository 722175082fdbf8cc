"""Algebra of the jump semantics: one function for each reaction, their running sums, a bound, and the change.

`prefix` gives the running sums c[0] .. c[R-1] of the propensities, so c[R-1] is the total; `fire` applies the
reaction r with c[r-1] <= y < c[r] by selection, without a branch. A rate that cannot be shown to stay non-negative
from its form becomes NaN where it is negative, so that a status follows and never a wrong path. Where rates depend
on `t`, `bound` gives a number no smaller than the total at any time of the lane's window [FROM, TO].
"""

from __future__ import annotations

from collections.abc import Callable

from ctcdyn.codegen.interval import Windowed, span
from ctcdyn.codegen.layout import Layout
from ctcdyn.codegen.rows import Rows
from ctcdyn.codegen.writer import Body, prose
from ctcdyn.model.expr import Call, Expr, Name, Number, text
from ctcdyn.model.network import Reaction

GROUP = 24  # reactions of one loop where a model is too large for a single one (measured: 16 to 32 are equally good)
SLACK = 1.0 + 2.0**-40  # outward, for the rounding of a bound that is computed in another order than the rate


def write(layout: Layout, rows: Rows) -> dict[str, str]:
    """Parts `rates`, `prefix`, `fire`, `bound` and `valid`."""
    shared = bounded(layout, rows)
    sums = [] if layout.fused else [f"SUM_{k}" for k in range(len(_jumping(layout)))]
    if sums:
        rows.block("running sums of the propensities", sums[:-1])
    rows.block("the last of the running sums", sums[-1:], "TOTAL")
    return {
        "rates": "\n\n\n".join(_rate(layout, r) for r in range(len(layout.rates))),
        **(_fused(layout) if layout.fused else _grouped(layout)),
        **shared,
        "bound": _bound(layout),
    }


def bounded(layout: Layout, rows: Rows) -> dict[str, str]:
    """Parts `window`, `limits` and `valid`, and the rows of an event: what every form of this algebra has."""
    windowed = Windowed(layout)
    limits = _limits(layout, windowed)
    if "FROM" not in rows.index:
        rows.block("the window over which bounds hold", ["FROM", "TO"])
        rows.block(
            "candidate time of the next event; bound of the total; what falls into a reaction, -1 where none fires",
            ["CANDIDATE", "LIMIT", "CHOICE"],
        )
        rows.block(
            "bounds over the window", [f"{end}_{k}" for end in ("LOW", "HIGH") for k in windowed.rows.values()]
        )
    return {
        "window": _window(windowed),
        **({"limits": limits} if limits else {}),
        "valid": _valid(layout, rows),
    }


def _rate(layout: Layout, r: int) -> str:
    reaction = layout.network.reactions[r]
    body = Body(layout.symbol, [layout.rates[r]])
    value = body.value(layout.rates[r])
    if not is_nonnegative(layout.rates[r], reaction, layout):
        local = body.keep(value)
        value = f"pick({local} >= 0.0, {local}, np.nan)"
    elif layout.semantics == "hybrid":  # of a continuous species that rounding left a little below zero
        local = body.keep(value)
        value = f"pick({local} < 0.0, 0.0, {local})"
    lines = [f'"""{_title(reaction)}"""', *body.lines, f"return {value}"]
    return f"@term\ndef rate_{reaction.name}(w, i, t):\n" + _indent(lines)


def _title(reaction: Reaction) -> str:
    law = (
        f"k = {text(reaction.k)}"
        if reaction.k is not None
        else f"rate = {text(reaction.rate or Number(0.0))}"
    )
    place = reaction.place
    where = f" ({place.file.rsplit('/', 1)[-1]}:{place.line})" if place is not None else ""
    return prose(f"{reaction.equation}, {law}, events/d{where}")


def _jumping(layout: Layout) -> list[int]:
    """Reactions that have a place in the sums: all that may jump; at least one."""
    return [r for r in range(len(layout.rates)) if layout.may_jump(r)] or [0]


def _fused(layout: Layout) -> dict[str, str]:
    """Sums in registers: one loop for a whole event."""
    jumping = _jumping(layout)
    lines = ['"""Running sums of the propensities, 1/d; the last is the total."""']
    lines += [f"c{k} = " + (f"c{k - 1} + " if k else "") + _summand(layout, r) for k, r in enumerate(jumping)]
    sums = ", ".join(f"c{k}" for k in range(len(jumping)))
    lines.append(f"return {sums}," if len(jumping) == 1 else f"return {sums}")
    fire = ['"""The change of state by the reaction that y falls into; nothing where y is negative."""']
    fire += _changes(layout, jumping, range(len(jumping)), lambda k: f"c[{k}]")
    return {
        "prefix": "@lane\ndef prefix(w, i, t):\n" + _indent(lines),
        "fire": "@lane\ndef fire(w, i, c, y):\n" + _indent(fire),
        "sums": "sums = changes = None  # sums of this model stay in registers",
    }


def _summand(layout: Layout, r: int) -> str:
    """The propensity of reaction r in the sums: 0 while it is part of a drift."""
    if not layout.may_jump(r):
        return "0.0"
    rate = f"rate_{layout.network.reactions[r].name}(w, i, t)"
    return f"pick(w[JUMP_{r} + i] > 0.0, {rate}, 0.0)" if layout.semantics == "hybrid" else rate


def _grouped(layout: Layout) -> dict[str, str]:
    """Sums in rows, a loop for each group of reactions: one loop over hundreds of them is not packed any more."""
    parts: dict[str, str] = {}
    jumping = _jumping(layout)
    groups = [range(n, min(n + GROUP, len(jumping))) for n in range(0, len(jumping), GROUP)]
    last = len(jumping) - 1
    for k, group in enumerate(groups):
        lines = [f'"""Running sums of group {k}, 1/d."""']
        for n in group:
            before = f"c{n - 1} + " if n > group[0] else f"w[SUM_{n - 1} + i] + " if n else ""
            lines.append(f"c{n} = {before}{_summand(layout, jumping[n])}")
            lines.append(f"w[SUM_{n} + i] = c{n}")
        parts[f"sums_{k}"] = f"@lane\ndef sums_{k}(w, i, t):\n" + _indent(lines)
        lines = [f'"""Changes of state by group {k}."""', "y = w[CHOICE + i]"]
        lines += _changes(layout, jumping, group, lambda n: f"w[SUM_{n} + i]")
        parts[f"changes_{k}"] = f"@lane\ndef changes_{k}(w, i):\n" + _indent(lines)
    loops = [f"for i in range(W):\n    sums_{k}(w, i, w[CANDIDATE + i])" for k in range(len(groups))]
    doc = '"""Running sums of the propensities of every lane at its candidate time."""'
    parts["sums"] = "@block\ndef sums(w):\n" + _indent("\n".join([doc, *loops]).split("\n"))
    loops = [f"for i in range(W):\n    changes_{k}(w, i)" for k in range(len(groups))]
    doc = '"""The change of state of every lane by the reaction that its choice falls into."""'
    parts["changes"] = "@block\ndef changes(w):\n" + _indent("\n".join([doc, *loops]).split("\n"))
    doc = '"""The total propensity at t, 1/d, alone in a tuple."""'
    lines = [doc, *(f"sums_{k}(w, i, t)" for k in range(len(groups))), f"return (w[SUM_{last} + i],)"]
    parts["prefix"] = "@block\ndef prefix(w, i, t):\n" + _indent(lines)
    doc = '"""Not used: sums of this model are rows."""'
    parts["fire"] = f"@block\ndef fire(w, i, c, y):\n    {doc}"
    return parts


def _changes(layout: Layout, jumping: list[int], group: range, sum_of: Callable[[int], str]) -> list[str]:
    """Masked sums: a reaction fired where y lies at or above the sum before it and below its own.

    A species changes by the step of the net change from one reaction to the next at each sum that y has reached; all
    numbers are whole, so the order does not matter. y is -1 where nothing fires.
    """
    last = len(jumping) - 1
    lines = []
    jumps = [layout.jump(jumping[n]) for n in group]
    for s in sorted({s for jump in jumps for s, n in jump.items() if n}):
        name, change = layout.species[s], [jump.get(s, 0) for jump in jumps]
        real = layout.semantics == "hybrid"  # where the order does matter, the change is summed first
        lines.append("x = 0.0" if real else f"x = w[X_{name} + i]")
        before = 0
        for n, now in zip(group, change, strict=True):
            if now != before:
                reached = "y >= 0.0" if n == 0 else f"y >= {sum_of(n - 1)}"
                lines.append(
                    f"x = pick({reached}, x {'+' if now > before else '-'} {float(abs(now - before))!r}, x)"
                )
            before = now
        if before and group[-1] < last:
            sign = "-" if before > 0 else "+"
            lines.append(f"x = pick(y >= {sum_of(group[-1])}, x {sign} {float(abs(before))!r}, x)")
        lines.append(f"w[X_{name} + i] = " + (f"w[X_{name} + i] + x" if real else "x"))
    return lines or ["pass"]


def _limits(layout: Layout, windowed: Windowed) -> str:
    """A function for each reaction whose rate depends on time: what it does not exceed over the window."""
    parts = []
    for r in layout.timed:
        reaction = layout.network.reactions[r]
        body = Body(layout.symbol)
        high = span(layout.rates[r], body, windowed)[1]
        doc = f'"""What the rate of {reaction.name} does not exceed over the window of lane i, events/d."""'
        lines = [doc, *body.lines, f"return {high} * {SLACK!r}"]
        parts.append(f"@{_kind(layout)}\ndef limit_{reaction.name}(w, i):\n" + _indent(lines))
    return "\n\n\n".join(parts)


def limit(layout: Layout, r: int) -> str:
    """Source of what the rate of reaction r does not exceed over the window: the rate itself where time does not
    enter.
    """
    name = layout.network.reactions[r].name
    return f"limit_{name}(w, i)" if r in layout.timed else f"rate_{name}(w, i, w[FROM + i])"


def _kind(layout: Layout) -> str:
    return "lane" if layout.fused else "block"


def _bound(layout: Layout) -> str:
    if not layout.timed:
        return (
            "@lane\ndef bound(w, i):\n"
            '    """No rate depends on time: the total propensity is its own bound."""\n'
            "    return prefix(w, i, w[TIME + i])[-1]"
        )
    lines = ['"""A bound of the total propensity over the window of lane i, 1/d."""']
    lines.append("return " + " + ".join(limit(layout, r) for r in _jumping(layout)))
    return f"@{_kind(layout)}\ndef bound(w, i):\n" + _indent(lines)


def _window(windowed: Windowed) -> str:
    doc = '"""Bounds over [FROM, TO] of what depends on time but on no species."""'
    return "@block\ndef window(w, i):\n" + _indent([doc, *(windowed.lines() or ["pass"])])


def _valid(layout: Layout, rows: Rows) -> str:
    """What `is_nonnegative` takes for granted is checked once, when a lane is loaded or its parameters change."""
    assumed = {row for r, rate in enumerate(layout.rates) if layout.may_jump(r) for row in _assumed(rate, layout)}
    index = sorted(rows.index[row.removeprefix("w[").removesuffix(" + i]")] for row in assumed)
    runs: list[list[int]] = []
    for r in index:
        if runs and runs[-1][1] == r:
            runs[-1][1] = r + 1
        else:
            runs.append([r, r + 1])
    lines = [
        '"""1.0 where every factor of a rate that must not be negative is a number that is not."""',
        "good = 1.0",
    ]
    for first, end in runs:
        lines += [
            f"for r in range({first}, {end}):",
            "    good = pick((w[r * W + i] >= 0.0) & (w[r * W + i] < np.inf), good, 0.0)",
        ]
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
