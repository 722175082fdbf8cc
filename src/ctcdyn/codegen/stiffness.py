"""Algebra of implicit leaping: what firings add up to, how rates answer to a change of state, how far one may go.

`displaced` writes to the B rows of `jacobian`, where `solve` finds them, what the FIRINGS would add to the state.
`answer` is the derivative of each propensity along the B rows: with the firings N of a part and its implicit solution
dz in B, N + h/2 answer(dz) are firings that add up to dz, so that every law of conservation holds. `rooms` gives by how
much a species may change in a leap, the condition of `leap` without what changes it; the rows LASTING and the next two
are for `kernels/lasting.py`. `unresolved` says whether the matrix factored last has a pivot below zero, so that
something grows faster than the step can tell.
"""

from __future__ import annotations

from ctcdyn.codegen.jacobian import finite
from ctcdyn.codegen.layout import Layout
from ctcdyn.codegen.leap import groups, loops, order, weight
from ctcdyn.codegen.rows import Rows
from ctcdyn.codegen.writer import Body
from ctcdyn.model.expr import Number, derivative

LASTING = {"LASTING_MEANS": "mean", "LASTING_VARIANCES": "variance", "LASTING_LOSSES": "loss"}  # rows of `lasting`


def write(layout: Layout, rows: Rows) -> dict[str, str]:
    """Parts `displaced`, `answer`, `rooms` and `unresolved`; they need the rows of `leap` and of `jacobian`."""
    names = [reaction.name for reaction in layout.network.reactions]
    rows.block("derivatives of the propensities along B, 1/d", [f"ANSWER_{name}" for name in names], "ANSWERS")
    rows.block("change that a leap may bring to each state row", [f"ROOM_{s}" for s in layout.species], "ROOMS")
    for start, title in LASTING.items():
        rows.block(f"{title} of what lasts of all firings, 1/d", [f"{start}_OF_{s}" for s in layout.species], start)
    rows.block(
        "loss by all firings, whatever comes back, 1/d",
        [f"GROSS_LOSSES_OF_{s}" for s in layout.species],
        "GROSS_LOSSES",
    )
    rows.block("length that is tried, days, and by what factor it is too long", ["TRIED", "EXCESS"])
    state, reactions = range(len(layout.species)), range(len(names))
    return {
        "displaced": loops(
            "displaced",
            "Change of state by FIRINGS, in the B rows.",
            [[_displaced(layout, s) for s in g] for g in groups(state)],
        ),
        "answer": loops(
            "answer",
            "Derivatives of the propensities along the B rows, at (TIME, X), 1/d.",
            [_answers(layout, g) for g in groups(reactions)],
        ),
        "rooms": loops(
            "rooms",
            "How much each state row may change in a leap, in units of it; inf where no rate depends on it.",
            [[line for s in g for line in _room(layout, s)] for g in groups(state)],
        ),
        "unresolved": _unresolved(layout),
    }


def _displaced(layout: Layout, s: int) -> str:
    changes = [(r, layout.change(r)[s]) for r in range(len(layout.rates)) if layout.change(r).get(s)]
    terms = [f"{float(c)!r} * w[FIRINGS_{layout.network.reactions[r].name} + i]" for r, c in changes]
    return f"w[B_{layout.species[s]} + i] = {' + '.join(terms) or '0.0'}"


def _answers(layout: Layout, group: list[int]) -> list[str]:
    slopes = {
        r: [(name, slope) for name in layout.species if (slope := derivative(layout.rates[r], name)) != Number(0.0)]
        for r in group
    }
    body = Body(layout.symbol, [slope for found in slopes.values() for _, slope in found])
    for r, found in slopes.items():
        terms = []
        for name, slope in found:
            local = body.keep(finite(slope, body))
            terms.append(f"{local} * w[B_{name} + i]")
        body.lines.append(f"w[ANSWER_{layout.network.reactions[r].name} + i] = {' + '.join(terms) or '0.0'}")
    return (["t = w[TIME + i]"] if layout.timed else []) + body.lines


def _room(layout: Layout, s: int) -> list[str]:
    name = layout.species[s]
    if s >= len(layout.network.species) or order(layout, s) == 0.0:
        return [f"w[ROOM_{name} + i] = np.inf"]
    return [
        f"x = w[X_{name} + i]",
        f"room = w[EPSILON + i] * x / ({weight(layout, s)})",
        f"w[ROOM_{name} + i] = pick(room > 1.0, room, 1.0)",
    ]


def _unresolved(layout: Layout) -> str:
    lines = ['"""1.0 where a pivot of the matrix that was factored last is below zero, or no number."""', "below = 0.0"]
    lines += [f"below = pick(w[L_{s}_{s} + i] > 0.0, below, 1.0)" for s in range(len(layout.species))]
    return "@lane\ndef unresolved(w, i):\n" + "\n".join("    " + line for line in [*lines, "return below"])
