"""What interrupts a lane: switches of stepwise rates, treatments by time or by condition, first passages.

Everything here is scalar and rare, except `guard`, which every step evaluates when a model has conditions. Times and
factors are rows, so each lane has a schedule of its own. Every lane carries the schedules and conditions of all
treatments; whether one is given there is a number as well, and only its effect asks for it.
"""

from __future__ import annotations

from collections.abc import Collection

from ctcdyn.codegen import effects
from ctcdyn.codegen.layout import PAIR, Layout, Passage, row
from ctcdyn.codegen.rows import Rows
from ctcdyn.codegen.writer import Body
from ctcdyn.model.expr import names
from ctcdyn.model.network import Treatment


def parts(layout: Layout, rows: Rows) -> dict[str, str]:
    """Parts `schedule`, `upcoming`, `guard`, `apply`."""
    treatments = layout.network.treatments
    every = range(len(treatments))
    rows.block("switch rows, 0 or 1", [row(name) for name in layout.switches.values()], "SWITCHES")
    # time at which a switch flips, inf when it has
    marks = [f"FLIP_{k}" for k in range(len(layout.switches))]
    marks += [f"DUE_{k}" for k in every]  # next time of a treatment, inf when none is set
    marks += [f"LEFT_{k}" for k in every if treatments[k].every is not None]  # cycles that are left
    marks += [f"CLOSES_{k}" for k in every if treatments[k].stop is not None]  # time from which on none is given
    marks += [f"PLACE_{k}" for k in every if treatments[k].adherence is not None]  # applications so far
    marks += [f"HELD_{k}" for k in layout.conditions]  # 1 while its condition has held since it was applied
    marks += [f"ENDS_{k}" for k in every if treatments[k].duration is not None]  # time at which it wears off
    marks += [f"ON_{k}" for k in every if treatments[k].duration is not None]  # 1 while it works
    marks += [f"SEEN_{c.name}" for c in layout.founders]  # firings that are in the log
    marks += [effects.kept(layout, q) for q in effects.scaled(layout) if effects.is_kept(layout, q)]
    rows.block("marks of stops", marks)
    first_times = [f"PASSED_{p.name}" for p in layout.passages] + [f"MOMENT_{k}" for k in layout.moments]
    rows.block("first time of a passage or treatment, inf before it", first_times, "PASSED")
    return {
        "schedule": _schedule(layout),
        "upcoming": _upcoming(layout),
        "guard": guard(layout),
        "apply": _apply(layout),
    }


def _schedule(layout: Layout) -> str:
    body = Body(layout.symbol)
    for k, (when, name) in enumerate(layout.switches.items()):
        at = body.local(when)
        body.lines.append(f"w[{row(name)} + i] = 1.0 if t >= {at} else 0.0")
        body.lines.append(f"w[FLIP_{k} + i] = {at} if t < {at} else np.inf")
    for k, treatment in enumerate(layout.network.treatments):
        if _follows(layout, k) or treatment.at is None:
            body.lines.append(f"w[DUE_{k} + i] = np.inf")
        else:
            if isinstance(treatment.at, float | int):
                at = body.name(f"{treatment.name}__at")
            else:
                at = body.local(treatment.at)
            if treatment.delay is not None:
                at = body.keep(f"{at} + w[Q_{treatment.name}__delay + i]")
            on_time = at
            if treatment.jitter is not None:
                due = body.keep(f"{at} + w[Q_{treatment.name}__shift + i]")
                at = body.keep(f"{due} if {due} > t else t")
            body.lines.append(f"w[DUE_{k} + i] = {at} if {on_time} >= t else np.inf")
        if treatment.every is not None:
            body.lines.append(f"w[LEFT_{k} + i] = w[Q_{treatment.name}__cycles + i]")
        if treatment.duration is not None:
            body.lines += [f"w[ENDS_{k} + i] = np.inf", f"w[ON_{k} + i] = 0.0"]
        if treatment.stop is not None:
            body.lines.append(f"w[CLOSES_{k} + i] = np.inf")
        if treatment.adherence is not None:
            body.lines.append(f"w[PLACE_{k} + i] = 0.0")
    body.lines += [f"w[HELD_{k} + i] = 0.0" for k in layout.conditions]
    body.lines += [f"w[SEEN_{c.name} + i] = 0.0" for c in layout.founders]
    body.lines += effects.start(layout)
    body.lines += [f"w[PASSED_{p.name} + i] = np.inf" for p in layout.passages]
    body.lines += [f"w[MOMENT_{k} + i] = np.inf" for k in layout.moments]
    return _function(
        "schedule(w, i, t)", "Every stop of lane i as it stands at the start time t.", body.lines or ["pass"]
    )


def _follows(layout: Layout, k: int) -> bool:
    """Whether treatment k waits for a condition, or for another to come."""
    return k in layout.conditions or layout.network.treatments[k].at is None


def _upcoming(layout: Layout) -> str:
    treatments = layout.network.treatments
    at_once = [
        k for k, x in enumerate(treatments)
        if _follows(layout, k) and x.delay is None and x.every is None and x.jitter is None
    ]  # fmt: skip
    marks = [f"FLIP_{k}" for k in range(len(layout.switches))]
    marks += [f"DUE_{k}" for k in range(len(treatments)) if k not in at_once]
    marks += [f"ENDS_{k}" for k, x in enumerate(treatments) if x.duration is not None]
    lines = ["t = np.inf", *(f"t = w[{name} + i] if w[{name} + i] < t else t" for name in marks)]
    return _function(
        "upcoming(w, i)",
        "Time of the next scheduled stop of lane i, days; inf if none.",
        [*lines, "return t"],
    )


def guard(
    layout: Layout, name: str = "guard", reads: Collection[str] | None = None, founders: bool = True
) -> str:
    """A condition that holds now and did not before; one that may fire again is released when it no longer holds.

    With `reads` only conditions in which one of these species stands. With `founders` also a lesion that is not logged.
    """
    body = Body(layout.symbol)
    fired = []
    passages = [p for p in layout.watched if reads is None or names(p.when) & set(reads)]
    for k, when in layout.conditions.items():
        if reads is not None and not names(when) & set(reads):
            continue
        now = body.keep(f"pick({body.condition(when)}, 1.0, 0.0)")
        if layout.network.treatments[k].repeat:
            body.lines.append(f"w[HELD_{k} + i] = pick({now} > 0.0, w[HELD_{k} + i], 0.0)")
        fired.append(f"({now} > w[HELD_{k} + i])")
    fired += [f"({body.condition(passage.when)} & {_waiting(layout, passage)})" for passage in passages]
    begun = [c.name for c in layout.founders if founders and (reads is None or c.name in reads)]
    fired += [f"(w[X_{name} + i] > w[SEEN_{name} + i])" for name in begun]
    lines = [*body.lines, "return " + (f"pick({' | '.join(fired)}, 1.0, 0.0)" if fired else "0.0")]
    return _function(
        f"{name}(w, i, t)", "1.0 where a condition on the state of lane i has just become true.", lines
    )


def _waiting(layout: Layout, passage: Passage) -> str:
    """Source of: the passage counts by now, and has not been."""
    armed = "".join(f" & ({first_time(layout, name)} < np.inf)" for name in passage.armed)
    return f"(w[PASSED_{passage.name} + i] == np.inf){armed}"


def first_time(layout: Layout, name: str) -> str:
    """Source that reads the first time of an event or treatment."""
    if any(name == p.name for p in layout.passages):
        return f"w[PASSED_{name} + i]"
    return f"w[MOMENT_{_number(layout, name)} + i]"


def _number(layout: Layout, name: str) -> int:
    return next(k for k, x in enumerate(layout.network.treatments) if x.name == name)


def _apply(layout: Layout) -> str:
    """What one thing brings about may bring about the next: rounds, until nothing happens in one."""
    treatments = layout.network.treatments
    lines = ["changed = 0"]
    for c in layout.founders:
        new, seen = f"w[X_{c.name} + i]", f"w[SEEN_{c.name} + i]"
        lines += [f"if {new} > {seen}:"]
        lines += [f"    log_event(book, i, t, {-1.0 - layout.rule(c)!r}, {new} - {seen})", f"    {seen} = {new}"]
    for k, name in enumerate(layout.switches.values()):
        lines += [
            f"if w[FLIP_{k} + i] <= t:",
            f"    w[{row(name)} + i] = 1.0",
            f"    w[FLIP_{k} + i] = np.inf",
            "    changed |= 1",
        ]
    if treatments:
        rounds = 1 + len(treatments) + len(layout.passages)
        lines += [f"for _ in range({rounds}):", "    more = 0", *_indent(_round(layout))]
        lines += ["    if (more == 0) | (changed & 2 != 0):", "        break"]
    else:
        lines += [line for p in layout.watched for line in _passage(layout, p)]
    if layout.switches or treatments:
        lines += ["if changed & 1:", "    coefficients(w, i)"]
    doc = (
        "Applies to lane i what is due at t or has become true. Bits: 1 rates or state changed, 2 the lane ends here,\n"
        "    4 a species was set to what is no count."
    )
    return _function("apply(w, book, i, t)", doc, [*lines, "return changed"])


def _round(layout: Layout) -> list[str]:
    treatments = layout.network.treatments
    lines = [line for p in layout.watched for line in _passage(layout, p)]
    if any(p.stop for p in layout.passages):  # the state at the stop is that before any treatment of the same time
        lines += ["if changed & 2:", "    break"]
    for k, when in layout.conditions.items():
        body = Body(layout.symbol)
        holds = body.keep(body.condition(when))
        if treatments[k].repeat:  # what it did itself may have ended its condition
            body.lines.append(f"w[HELD_{k} + i] = w[HELD_{k} + i] if {holds} else 0.0")
        lines += [*body.lines, f"if (w[HELD_{k} + i] == 0.0) & {holds}:", f"    w[HELD_{k} + i] = 1.0"]
        lines += _indent(_begin(treatments[k], k))
    windows = [k for k, x in enumerate(treatments) if x.duration is not None]
    for k in windows:
        lines += [
            f"if w[ENDS_{k} + i] <= t:",
            f"    w[ENDS_{k} + i] = np.inf",
            f"    w[ON_{k} + i] = 0.0",
            "    more = 1",
        ]
    for k in _in_order(treatments):
        lines += [f"if w[DUE_{k} + i] <= t:", *_indent(_application(layout, k))]
    return lines + effects.rescale(layout)


def _in_order(treatments: tuple[Treatment, ...]) -> list[int]:
    """As in the study, but each behind the treatment that it comes after, so that both can come at one time."""
    number = {x.name: k for k, x in enumerate(treatments)}
    order: list[int] = []

    def take(k: int) -> None:
        before = number.get(treatments[k].after)
        if before is not None and before not in order:
            take(before)
        if k not in order:
            order.append(k)

    for k in range(len(treatments)):
        take(k)
    return order


def _begin(treatment: Treatment, k: int) -> list[str]:
    """Sets the first application, `delay` from t."""
    delay = f" + w[Q_{treatment.name}__delay + i]" if treatment.delay is not None else ""
    lines = [f"w[DUE_{k} + i] = t{delay}"]
    if treatment.jitter is not None:
        shifted = f"t{delay} + w[Q_{treatment.name}__shift + i]"
        lines = [f"due = {shifted}", f"w[DUE_{k} + i] = due if due > t else t"]
    if treatment.every is not None:
        lines.append(f"w[LEFT_{k} + i] = w[Q_{treatment.name}__cycles + i]")
    return lines


def _followers(layout: Layout, name: str) -> list[str]:
    followers = [(k, x) for k, x in enumerate(layout.network.treatments) if x.after == name]
    return [line for k, x in followers for line in _begin(x, k)]


def _application(layout: Layout, k: int) -> list[str]:
    treatment = layout.network.treatments[k]
    lines = ["more = 1"]
    if treatment.stop is not None:
        lines += [
            f"if w[CLOSES_{k} + i] == np.inf:",
            f"    w[CLOSES_{k} + i] = t + w[Q_{treatment.name}__stop + i]",
        ]
    if treatment.every is None:
        lines.append(f"w[DUE_{k} + i] = np.inf")
    else:
        again = f"w[DUE_{k} + i] + w[Q_{treatment.name}__every + i]"
        open_ = f"w[LEFT_{k} + i] > 0.0"
        if treatment.stop is not None:  # ten times 0.1 days is less than a day
            open_ = f"({open_}) & (w[DUE_{k} + i] + 1.000001 * w[Q_{treatment.name}__every + i] < w[CLOSES_{k} + i])"
        lines += [f"w[LEFT_{k} + i] -= 1.0", f"w[DUE_{k} + i] = {again} if {open_} else np.inf"]
    if k in layout.moments:
        lines += [f"if w[MOMENT_{k} + i] == np.inf:", f"    w[MOMENT_{k} + i] = t"]
        lines += _indent(_followers(layout, treatment.name))
    given = f"(w[Q_{treatment.name}__given + i] > 0.0)"
    if treatment.stop_if:
        given += f" & ({first_time(layout, treatment.stop_if)} == np.inf)"
    if treatment.stop is not None and treatment.every is None:
        given += f" & (t < w[CLOSES_{k} + i])"
    if treatment.adherence is not None:  # in every arm, so that all agree on which is the next
        lines += [
            f"chance = draw_at(w[Q_{PAIR} + i], w[PLACE_{k} + i], w[Q_{treatment.name}__key + i])",
            f"w[PLACE_{k} + i] += 1.0",
        ]
        given += f" & (chance < w[Q_{treatment.name}__adherence + i])"
    lines += [f"given = {given}", *effects.once(layout, k)]
    if treatment.duration is not None:
        lines += [
            f"w[ON_{k} + i] = 1.0 if given else 0.0",
            f"w[ENDS_{k} + i] = t + w[Q_{treatment.name}__duration + i]",
        ]
        if treatment.stop is not None:
            lines.append(f"w[ENDS_{k} + i] = min(w[ENDS_{k} + i], w[CLOSES_{k} + i])")
    note = f"log_event(book, i, t, {float(k)!r}, {_logged(layout, treatment)})"
    # what comes by the clock is only noted while there is room; what a state can bring about for ever fills the log
    return lines + ([note] if treatment.repeat else ["if book[i] < LOGS - LOGS // 2:", f"    {note}"])


def _passage(layout: Layout, passage: Passage) -> list[str]:
    body = Body(layout.symbol)
    holds = body.condition(passage.when)
    lines = [*body.lines, f"if {_waiting(layout, passage)} & {holds}:", f"    w[PASSED_{passage.name} + i] = t"]
    lines += ["    changed |= 2"] if passage.stop else []
    lines += ["    more = 1"] if layout.network.treatments else []
    return lines + _indent(_followers(layout, passage.name))


def _logged(layout: Layout, treatment: Treatment) -> str:
    if treatment.set:
        return f"w[X_{layout.network.species[treatment.set[0][0]].name} + i]"
    return "0.0"


def _indent(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]


def _function(head: str, doc: str, lines: list[str]) -> str:
    """A scalar function, except for the guard, which is part of every step and goes into the lane loop."""
    kind = "lane" if head.startswith("guard") else "block"
    return f"@{kind}\ndef {head}:\n" + "\n".join("    " + line for line in [f'"""{doc}"""', *lines])
