"""What interrupts a lane: switches of stepwise rates, treatments by time or by condition, first passages.

Everything here is scalar and rare, except `guard`, which every step evaluates when a model has conditions. Times and
factors are rows, so each lane has a schedule of its own.
"""

from __future__ import annotations

from ctcdyn.codegen.layout import Layout, is_condition, row
from ctcdyn.codegen.rows import Rows
from ctcdyn.codegen.writer import Body
from ctcdyn.model.network import Treatment


def interruptions(layout: Layout, rows: Rows) -> dict[str, str]:
    """Parts `schedule`, `upcoming`, `guard`, `apply`."""
    treatments = layout.network.treatments
    timed = [k for k, x in enumerate(treatments) if not _by_condition(x)]
    watched = [k for k, x in enumerate(treatments) if _by_condition(x)]
    rows.block("switch rows, 0 or 1", [row(name) for name in layout.switches.values()], "SWITCHES")
    # time at which a switch flips, inf when it has
    marks = [f"FLIP_{k}" for k in range(len(layout.switches))]
    marks += [f"DUE_{k}" for k in timed]  # next time of a treatment, inf when done
    marks += [f"LEFT_{k}" for k in timed]  # cycles that are left
    marks += [f"HELD_{k}" for k in watched]  # 1 while its condition has held since it was applied
    rows.block("marks of stops", marks)
    passages = [name for name, *_ in layout.passages]
    rows.block("time of a first passage, inf before it", [f"PASSED_{name}" for name in passages], "PASSED")
    return {
        "schedule": _schedule(layout, timed, watched),
        "upcoming": _upcoming(layout, timed),
        "guard": _guard(layout, watched),
        "apply": _apply(layout, timed),
    }


def _by_condition(treatment: Treatment) -> bool:
    return is_condition(treatment.at)


def _schedule(layout: Layout, timed: list[int], watched: list[int]) -> str:
    body = Body(layout.symbol)
    for k, (when, name) in enumerate(layout.switches.items()):
        at = body.local(when)
        body.lines.append(f"w[{row(name)} + i] = 1.0 if t >= {at} else 0.0")
        body.lines.append(f"w[FLIP_{k} + i] = {at} if t < {at} else np.inf")
    for k in timed:
        treatment = layout.network.treatments[k]
        at = (
            body.name(f"{treatment.name}__at")
            if isinstance(treatment.at, float | int)
            else body.local(treatment.at)
        )
        body.lines.append(f"w[DUE_{k} + i] = {at} if {at} >= t else np.inf")
        body.lines.append(f"w[LEFT_{k} + i] = w[Q_{treatment.name}__cycles + i]")
    body.lines += [f"w[HELD_{k} + i] = 0.0" for k in watched]
    body.lines += [f"w[PASSED_{name} + i] = np.inf" for name, *_ in layout.passages]
    return _function(
        "schedule(w, i, t)", "Every stop of lane i as it stands at the start time t.", body.lines
    )


def _upcoming(layout: Layout, timed: list[int]) -> str:
    marks = [f"FLIP_{k}" for k in range(len(layout.switches))] + [f"DUE_{k}" for k in timed]
    lines = ["t = np.inf", *(f"t = w[{name} + i] if w[{name} + i] < t else t" for name in marks)]
    return _function(
        "upcoming(w, i)",
        "Time of the next scheduled stop of lane i, days; inf if none.",
        [*lines, "return t"],
    )


def _guard(layout: Layout, watched: list[int]) -> str:
    """A condition that holds now and did not before; a held one is released as soon as it no longer holds."""
    body = Body(layout.symbol)
    fired = []
    for k in watched:
        at = layout.network.treatments[k].at
        assert not isinstance(at, float)
        now = body.keep(f"pick({body.condition(at)}, 1.0, 0.0)")
        body.lines.append(f"w[HELD_{k} + i] = pick({now} > 0.0, w[HELD_{k} + i], 0.0)")
        fired.append(f"({now} > w[HELD_{k} + i])")
    for name, when, _ in layout.passages:
        fired.append(f"({body.condition(when)} & (w[PASSED_{name} + i] == np.inf))")
    lines = [*body.lines, "return " + (f"pick({' | '.join(fired)}, 1.0, 0.0)" if fired else "0.0")]
    return _function(
        "guard(w, i, t)", "1.0 where a condition on the state of lane i has just become true.", lines
    )


def _apply(layout: Layout, timed: list[int]) -> str:
    lines = ["changed = 0"]
    for k, name in enumerate(layout.switches.values()):
        lines += [
            f"if w[FLIP_{k} + i] <= t:",
            f"    w[{row(name)} + i] = 1.0",
            f"    w[FLIP_{k} + i] = np.inf",
            "    changed |= 1",
        ]
    lines += _passages(layout)
    for k, treatment in enumerate(layout.network.treatments):
        if k in timed:
            lines.append(f"if w[DUE_{k} + i] <= t:")
            lines.append(f"    w[LEFT_{k} + i] -= 1.0")
            again = (
                f"w[DUE_{k} + i] + w[Q_{treatment.name}__every + i]"
                if treatment.every is not None
                else "np.inf"
            )
            lines.append(f"    w[DUE_{k} + i] = {again} if w[LEFT_{k} + i] > 0.0 else np.inf")
        else:
            body = Body(layout.symbol)
            assert not isinstance(treatment.at, float)
            holds = body.condition(treatment.at)
            lines += [*body.lines, f"if (w[HELD_{k} + i] == 0.0) & {holds}:", f"    w[HELD_{k} + i] = 1.0"]
        lines += ["    " + line for line in _effect(layout, treatment)]
        lines.append(f"    log_event(book, i, t, {float(k)!r}, {_logged(layout, treatment)})")
    if len(lines) > 1:
        lines += ["if changed & 1:", "    coefficients(w, i)"]
    if layout.network.treatments:  # what they changed may be a passage itself
        lines += _passages(layout)
    doc = "Applies to lane i what is due at t or has become true. Bits: 1 rates or state changed, 2 the lane ends here."
    return _function("apply(w, book, i, t)", doc, [*lines, "return changed"])


def _passages(layout: Layout) -> list[str]:
    lines = []
    for name, when, stop in layout.passages:
        body = Body(layout.symbol)
        holds = body.condition(when)
        passed = f"w[PASSED_{name} + i]"
        lines += [*body.lines, f"if ({passed} == np.inf) & {holds}:", f"    {passed} = t"]
        lines += ["    changed |= 2"] if stop else []
    return lines


def _effect(layout: Layout, treatment: Treatment) -> list[str]:
    body = Body(layout.symbol)
    changes = []
    for n, (s, value) in enumerate(treatment.set):
        body.lines.append(f"new_{n}__ = {body.value(value)}")
        if layout.is_whole(layout.network.species[s].name):  # a number of cells: the nearest whole one
            body.lines.append(f"new_{n}__ = np.floor(new_{n}__ + 0.5)")
        changes.append((f"w[X_{layout.network.species[s].name} + i]", f"new_{n}__"))
    for q, _ in treatment.scale:
        cell = f"w[Q_{layout.network.parameters[q].name} + i]"
        factor = f"w[Q_{treatment.name}__{layout.network.parameters[q].name} + i]"
        changes.append((cell, f"{cell} * {factor}"))
    for cell, new in changes:
        body.lines += [f"changed |= 1 if {new} != {cell} else 0", f"{cell} = {new}"]
    return body.lines


def _logged(layout: Layout, treatment: Treatment) -> str:
    if treatment.set:
        return f"w[X_{layout.network.species[treatment.set[0][0]].name} + i]"
    return "0.0"


def _function(head: str, doc: str, lines: list[str]) -> str:
    """A scalar function, except for the guard, which is part of every step and goes into the lane loop."""
    kind = "lane" if head.startswith("guard") else "block"
    return f"@{kind}\ndef {head}:\n" + "\n".join("    " + line for line in [f'"""{doc}"""', *lines])
