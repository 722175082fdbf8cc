"""Algebra of the deterministic semantics: the right-hand side of the ODE in lanes.

`drift(w)` reads the trial state in the U rows at the times in the AT row and writes dx/dt to the F rows, in the
species' unit per day. It is a block function with a lane loop of its own: compiled once, called for each stage.
"""

from __future__ import annotations

from ctcdyn.codegen.layout import Layout
from ctcdyn.codegen.rows import Rows
from ctcdyn.codegen.writer import Body, prose
from ctcdyn.model.expr import Call, Expr, Number, text


def write(layout: Layout, rows: Rows) -> dict[str, str]:
    """Part `drift`; rows U (trial state) and F (its derivative)."""
    rows.block("trial state of a stage", [f"U_{s}" for s in layout.species], "U")
    rows.block("derivative at the trial state", [f"F_{s}" for s in layout.species], "F")
    return {"drift": drift_of(layout, range(layout.means))}


def drift_of(layout: Layout, over: range, end: str = "") -> str:
    """Part `drift`, with `end` behind its name, of some state rows."""
    sides = right_hand_sides(layout)
    body = Body(lambda name: layout.rated(name, "U"), [sides[s] for s in over])
    gains: dict[int, list[str]] = {s: [] for s in over}
    for r, reaction in enumerate(layout.network.reactions):
        moved = {s: change for s, change in layout.change(r).items() if s in gains}
        if (layout.chances or end) and not moved:
            continue
        body.lines.append(f"# {reaction.name}: {prose(reaction.equation)}")
        flows: dict[Expr, str] = {}
        for s, change in moved.items():
            flow = layout.flow(r, s)
            if flow not in flows:
                flows[flow] = f"r{r}__" + "drift" * bool(flows)
                body.lines.append(f"{flows[flow]} = {body.value(flow)}")
            times = "" if abs(change) == 1 else f"{abs(change)}.0 * "
            sign = ("-" if change < 0 else "") if not gains[s] else ("- " if change < 0 else "+ ")
            gains[s].append(f"{sign}{times}{flows[flow]}")
    for s, terms in gains.items():
        body.lines.append(f"w[F_{layout.species[s]} + i] = " + (" ".join(terms) or "0.0"))
    timed = ["t = w[AT + i]"] if layout.timed else []
    doc = "dx/dt at the trial state, in the species' unit per day."
    return both(f"drift{end}", doc, [*timed, *body.lines] or ["pass"])


def both(name: str, doc: str, lines: list[str]) -> str:
    """A part in two forms: `name_lane(w, i)` for fused sweeps of small models, `name(w)` with a loop of its own."""
    body = "\n".join("    " + line for line in [f'"""{doc}"""', *lines])
    loop = f"    for i in range(W):\n        {name}_lane(w, i)"
    return f"@lane\ndef {name}_lane(w, i):\n{body}\n\n\n@block\ndef {name}(w):\n{loop}"


def right_hand_sides(layout: Layout) -> list[Expr]:
    """dx_s/dt of each state row as one expression."""
    sides: list[Expr] = [Number(0.0)] * len(layout.species)
    for r in range(len(layout.rates)):
        for s, change in layout.change(r).items():
            rate = layout.flow(r, s)
            term = rate if abs(change) == 1 else Call("*", (Number(float(abs(change))), rate))
            empty = text(sides[s]) == text(Number(0.0))
            if empty:
                sides[s] = term if change > 0 else Call("neg", (term,))
            else:
                sides[s] = Call("+" if change > 0 else "-", (sides[s], term))
    for noise, (_, own) in zip(layout.network.noises, layout.noises, strict=True):
        if own is not None:  # it moves a species that no reaction does
            sides[noise.species] = own
    return sides
