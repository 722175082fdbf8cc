"""Algebra of the hybrid semantics: which species of a lane are whole numbers, and which reactions are jumps.

A reaction that changes or takes a discrete species is a jump; one whose changed and taken species are all continuous is
part of the drift. `partition` starts a lane, `mask` follows what a solver has decided since. Thresholds are rows, so
that they are data: RISE, from which on a discrete species becomes continuous, and FALL, below which a continuous one
becomes discrete; a species that the model pins, and a counter, meet neither.
"""

from __future__ import annotations

from ctcdyn.codegen import stops
from ctcdyn.codegen.layout import Layout
from ctcdyn.codegen.rows import Rows
from ctcdyn.codegen.writer import Body
from ctcdyn.model.expr import derivative, names


def write(layout: Layout, rows: Rows) -> dict[str, str]:
    """Parts `partition`, `mask` and `guard_jump`; rows DISCRETE, RISE, FALL, STIRS, PACES, JUMP, DRIFT."""
    rows.block("1 while a species is discrete", [f"DISCRETE_{s}" for s in layout.species], "DISCRETE")
    rows.block(
        "thresholds", [f"RISE_{s}" for s in layout.species], "RISE", "a discrete species turns continuous"
    )
    rows.block(
        "thresholds", [f"FALL_{s}" for s in layout.species], "FALL", "a continuous one turns discrete below"
    )
    doc = "1 where a jump of the species ends a step, as what others do in the drift depends on it"
    rows.block("stirs", [f"STIRS_{s}" for s in layout.species], "STIRS", doc)
    doc = "at which a change of it grows by itself, 1/d"
    rows.block("paces", [f"PACE_{s}" for s in layout.species], "PACES", doc)
    rows.block(
        "jumps", [f"JUMP_{r}" for r in range(len(layout.rates))], "JUMP", "1 while a reaction is a jump"
    )
    rows.block("drift", [f"DRIFT_{r}" for r in range(len(layout.rates))], "DRIFT", "1 while it is none")
    return {
        "mask": "\n\n\n".join([_tables(layout), _mask(layout)]),
        "partition": _partition(layout),
        "guard_jump": stops.guard(layout, "guard_jump", _jumping(layout)),
    }


def _tables(layout: Layout) -> str:
    """Which state rows are looked at from jump to jump; pinned ones that nobody asks for are not."""
    rows = range(len(layout.species))
    free = [s for s in rows if not layout.is_pinned(s)]
    asked = [*layout.conditions.values(), *(p.when for p in layout.watched)]
    asked += [rate for r, rate in enumerate(layout.rates) if layout.may_jump(r)]
    named = set().union(*(names(e) for e in asked))
    walked = [s in free or layout.species[s] in named for s in rows]
    return "\n".join([
        f"OPEN = {tuple(s in free for s in rows)}  # of state rows: not pinned",
        f"WALKED = {tuple(walked)}  # of state rows: not pinned, or read by rates of jumps or conditions",
        f"RESTING = {not all(walked)}  # some are not",
    ])  # fmt: skip


def _jumping(layout: Layout) -> set[str]:
    """Species that a jump may change, whatever the partition: conditions on others hold after it as before."""
    found: set[str] = set()
    for r in range(len(layout.rates)):
        if layout.may_jump(r):
            found |= {layout.species[s] for s in layout.jump(r)}
    return found


def _mask(layout: Layout) -> str:
    network = layout.network
    lines = [
        '"""Reactions of lane i by what they touch, from its DISCRETE rows; counters go with their reaction."""'
    ]
    for r, reaction in enumerate(network.reactions):
        touched = sorted({s for s, _ in (*reaction.reactants, *reaction.change) if not layout.is_pinned(s)})
        total = " + ".join(f"w[DISCRETE_{network.species[s].name} + i]" for s in touched) or "1.0"
        jumps = "1.0" if layout.founds(r) else f"1.0 if {total} > 0.0 else 0.0"
        lines += [
            f"w[JUMP_{r} + i] = {jumps if layout.may_jump(r) else '0.0'}",
            f"w[DRIFT_{r} + i] = 1.0 - w[JUMP_{r} + i]",
        ]
    lines += [f"w[DISCRETE_{c.name} + i] = w[JUMP_{c.reaction} + i]" for c in layout.counters]
    body, tamed = Body(layout.symbol), False
    for name in layout.species:
        s = layout.species.index(name)
        if layout.is_pinned(s):  # no jump changes it
            body.lines += [f"w[{row}_{name} + i] = 0.0" for row in ("STIRS", "PACE")]
            continue
        tame = _tame(layout, name)
        felt = [
            "1.0" if any(layout.is_pinned(z) for z in layout.change(r)) else f"w[DRIFT_{r} + i]"
            for r, rate in enumerate(layout.rates)
            if name in names(rate) and r not in tame
        ]
        total = " + ".join(felt) or "0.0"
        body.lines.append(f"w[STIRS_{name} + i] = 1.0 if {total} > 0.0 else 0.0")
        terms = [
            f"{float(layout.change(r)[s])!r} * w[DRIFT_{r} + i] * ({body.value(derivative(layout.rates[r], name))})"
            for r in tame
        ]
        body.lines.append(f"w[PACE_{name} + i] = {' + '.join(terms) or '0.0'}")
        tamed |= bool(tame)
    flag = f"TAMED = {tamed}  # a jump of some species fades from its path without a new step"
    return f"{flag}\n\n\n@block\ndef mask(w, i):\n" + _indent([*lines, *body.lines])


def _tame(layout: Layout, name: str) -> list[int]:
    """Reactions that follow a species in proportion and change nothing else: a change of it fades by itself."""
    s = layout.species.index(name)
    return [
        r
        for r, rate in enumerate(layout.rates)
        if name in names(rate) and set(layout.change(r)) == {s} and layout.is_static(derivative(rate, name))
    ]


def _partition(layout: Layout) -> str:
    lines = ['"""Lane i at its start: discrete below `up`, whole there; `down` is where it turns back."""']
    pinned = {s.name for s in layout.network.species if s.continuous} | {c.name for c in layout.counters}
    for name in layout.species:
        rise, fall = ("np.inf", "-np.inf") if name in pinned else ("up", "down")
        lines += [f"w[RISE_{name} + i] = {rise}", f"w[FALL_{name} + i] = {fall}"]
        if name in pinned:
            lines.append(f"w[DISCRETE_{name} + i] = 0.0")
            continue
        x = f"w[X_{name} + i]"
        lines += [
            f"w[DISCRETE_{name} + i] = 0.0 if {x} >= up else 1.0",
            f"{x} = {x} if {x} >= up else np.floor({x} + 0.5)",
        ]
    return "@block\ndef partition(w, i, up, down):\n" + _indent([*lines, "mask(w, i)"])


def _indent(lines: list[str]) -> str:
    return "\n".join("    " + line for line in lines)
