"""Algebra of a jump process that keeps a clock for each reaction: every propensity in a row of its own.

`propensities` fills RATES: the rate of each reaction as the state stands, or what it does not exceed over the lane's
window where it depends on `t`. `chosen` gives the true rate of the reaction in CHOICE at its candidate time, and
`alter` changes the state by it; a CHOICE of -1 changes nothing.
"""

from __future__ import annotations

from ctcdyn.codegen.jump import GROUP, limit
from ctcdyn.codegen.layout import Layout
from ctcdyn.codegen.rows import Rows


def write(layout: Layout, rows: Rows) -> dict[str, str]:
    """Parts `propensities`, `chosen` and `alter`; they need the rates of `jump`."""
    names = [reaction.name for reaction in layout.network.reactions]
    rows.block("propensities, 1/d", [f"RATE_{name}" for name in names], "RATES")
    rows.block("unit hazard left before each reaction fires", [f"LEFT_OF_{name}" for name in names], "BUDGETS")
    rows.block("draws made for each reaction", [f"DRAWN_{name}" for name in names], "DRAWN")
    groups = [range(r, min(r + GROUP, len(names))) for r in range(0, len(names), GROUP)]
    parts: dict[str, str] = {}
    for k, group in enumerate(groups):
        fill = [f"w[RATE_{names[r]} + i] = {_rate(layout, r)}" for r in group]
        parts[f"propensities_{k}"] = _lane(f"propensities_{k}(w, i)", f"Rows of RATES, group {k}.", fill)
        parts[f"alter_{k}"] = _lane(f"alter_{k}(w, i)", f"The reaction in CHOICE, group {k}.", _changes(layout, group))
    parts["propensities"] = _loops("propensities", "Rows of RATES of every lane.", len(groups))
    parts["alter"] = _loops("alter", "The change of state of every lane by the reaction in its CHOICE.", len(groups))
    parts["chosen"] = _chosen(layout)
    return parts


def _rate(layout: Layout, r: int) -> str:
    return limit(layout, r) if layout.timed else f"rate_{layout.network.reactions[r].name}(w, i, w[TIME + i])"


def _changes(layout: Layout, group: range) -> list[str]:
    """Each species of the group, changed where its reaction is the one chosen."""
    lines = ["k = w[CHOICE + i]"]
    for s, name in enumerate(layout.species):
        terms = [(r, layout.change(r).get(s, 0)) for r in group]
        terms = [(r, change) for r, change in terms if change]
        if not terms:
            continue
        lines.append(f"x = w[X_{name} + i]")
        lines += [f"x = pick(k == {float(r)!r}, x + {float(change)!r}, x)" for r, change in terms]
        lines.append(f"w[X_{name} + i] = x")
    return lines


def _chosen(layout: Layout) -> str:
    """Only reactions that depend on time are looked at again: the others are what RATES says."""
    lines = ["k = w[CHOICE + i]", "a = np.inf"]
    for r in layout.timed:
        name = layout.network.reactions[r].name
        lines.append(f"a = pick(k == {float(r)!r}, rate_{name}(w, i, t), a)")
    doc = "The rate at t of the reaction in CHOICE where it depends on time; inf for any other, events/d."
    return _lane("chosen(w, i, t)", doc, [*lines, "return a"])


def _lane(head: str, doc: str, lines: list[str]) -> str:
    return f"@lane\ndef {head}:\n" + "\n".join("    " + line for line in [f'"""{doc}"""', *lines])


def _loops(name: str, doc: str, groups: int) -> str:
    lines = [f'"""{doc}"""']
    for k in range(groups):
        lines += ["for i in range(W):", f"    {name}_{k}(w, i)"]
    return f"@block\ndef {name}(w):\n" + "\n".join("    " + line for line in lines)
