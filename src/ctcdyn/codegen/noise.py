"""Algebra of the Langevin semantics: drift and noise of the chemical Langevin equation, one step's increment at a time.

dx = sum_r nu_r a_r(x) dt + sum_r nu_r sqrt(a_r(x)) dW_r (D. T. Gillespie 2000, doi:10.1063/1.481811). Reactions whose
changes of state are collinear, as birth and death of one species, share a noise of variance sum_r c_r**2 a_r: the same
law with fewer draws and square roots. Propensities see max(x, 0) and are themselves cut at 0 ("full truncation": R.
Lord, R. Koekkoek and D. van Dijk 2010, doi:10.1080/14697680802392496); the state is never cut.

`increment(w, v)` writes to the Z rows what a step of length LAPSE adds to X; Brownian increments have the variance
SPREAD, which is LAPSE but where a condition interrupted the step. `first_increment` also keeps drift and intensities in
the D and A rows, `second_increment` is that of 2 a(Y) - a(X) from the trial state Y, cut at 0 in the noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ctcdyn.codegen.jump import is_nonnegative
from ctcdyn.codegen.layout import Layout
from ctcdyn.codegen.rows import Rows
from ctcdyn.codegen.writer import Body, prose
from ctcdyn.model.network import Network

GROUP = 24  # reactions of one loop at most: a loop over hundreds is not packed
PAIRS = 8  # pairs of draws of one loop at most


@dataclass
class Line:
    """What moves the state along one direction, row -> change: reactions with their multiples of it, other noises."""

    direction: dict[int, int]
    reactions: list[tuple[int, int]]
    others: list[int]


def lines_of(changes: list[dict[int, int]], others: Sequence[int | None] = ()) -> list[Line]:
    """The independent noises: reactions with a change of state, collinear ones together, in order of the first.

    `others`: the species that each noise of the model's own moves, None for one that is made of reactions.
    """
    found: dict[tuple[tuple[int, int], ...], Line] = {}
    for r, change in enumerate(changes):
        if not change:
            continue
        scale = math.gcd(*change.values())
        scale = scale if change[min(change)] > 0 else -scale
        direction = {s: change[s] // scale for s in sorted(change)}
        line = found.setdefault(tuple(direction.items()), Line(direction, [], []))
        line.reactions.append((r, scale))
    for k, s in enumerate(others):
        if s is not None:
            found.setdefault(((s, 1),), Line({s: 1}, [], [])).others.append(k)
    return list(found.values())


def noises_of(network: Network) -> list[Line]:
    """The independent noises of a model."""
    others = [None if x.variance is None else x.species for x in network.noises]
    return lines_of([dict(r.change) for r in network.reactions], others)


def write(layout: Layout, rows: Rows) -> dict[str, str]:
    """Parts `increment`, `first_increment`, `second_increment`; rows Z (increment), Y (trial state), D, A."""
    others = [None if x.variance is None else x.species for x in layout.network.noises]
    lines = lines_of([layout.change(r) for r in range(len(layout.rates))], others)
    rows.block("length of the step, and variance of its Brownian increments, days", ["LAPSE", "SPREAD"])
    rows.block("increment of the state by a step", [f"Z_{s}" for s in layout.species], "Z")
    rows.block("trial state of a second stage", [f"Y_{s}" for s in layout.species], "Y")
    rows.block("drift at the first stage, 1/d", [f"D_{s}" for s in layout.species], "D")
    rows.block("intensities of the noises at the first stage, 1/d", [f"A_{k}" for k in range(len(lines))], "A")
    groups = _groups(lines)
    return {
        "noises": f"NOISES = {len(lines)}  # independent ones: collinear reactions share theirs",
        "increment": _stage(layout, groups, "increment", "X", keep=False, mix=False),
        "first_increment": _stage(layout, groups, "first_increment", "X", keep=True, mix=False),
        "second_increment": _stage(layout, groups, "second_increment", "Y", keep=False, mix=True),
    }


def _groups(lines: list[Line]) -> list[list[tuple[int, Line]]]:
    """Noises of one lane loop each: all of a small model together."""
    groups: list[list[tuple[int, Line]]] = [[]]
    size = 0
    for k, line in enumerate(lines):
        if groups[-1] and (size + len(line.reactions) > GROUP or len(groups[-1]) == 2 * PAIRS):
            groups.append([])
            size = 0
        groups[-1].append((k, line))
        size += len(line.reactions)
    return groups


def _stage(
    layout: Layout, groups: list[list[tuple[int, Line]]], name: str, state: str, *, keep: bool, mix: bool
) -> str:
    """The increment in one loop for each group; the first writes the rows that the others add to."""
    parts, calls = [], []
    touched: set[int] = set()
    for g, group in enumerate(groups):
        body = _group(layout, group, state, keep, mix, touched, last=g == len(groups) - 1)
        doc = f'"""Increment of the state by a step{f", group {g}" if len(groups) > 1 else ""}."""'
        text = "\n".join("    " + line for line in [doc, *body])
        parts.append(f"@lane\ndef {name}_{g}(w, v, i):\n{text}")
        calls.append(f"    for i in range(W):\n        {name}_{g}(w, v, i)")
    return "\n\n\n".join([*parts, f"@block\ndef {name}(w, v):\n" + "\n".join(calls)])


def _group(
    layout: Layout, group: list[tuple[int, Line]], state: str, keep: bool, mix: bool, touched: set[int], last: bool
) -> list[str]:
    reactions = [r for _, line in group for r, _ in line.reactions]
    body = Body(lambda name: layout.rated(name, state), [layout.rates[r] for r in reactions])
    body.lines += ["t = w[AT + i]"] if layout.is_timed else []
    body.lines += ["h__ = w[LAPSE + i]", "g__ = w[SPREAD + i]"]
    kicks = _draws(len(group), body)
    gains: dict[int, list[tuple[int, str]]] = {}
    noise: dict[int, list[tuple[int, str]]] = {}
    for (k, line), (radius, turn) in zip(group, kicks, strict=True):
        terms = []
        for r, scale in line.reactions:
            reaction, rate = layout.network.reactions[r], layout.rates[r]
            body.lines.append(f"# {reaction.name}: {prose(reaction.equation)}")
            value = body.value(rate)
            if not is_nonnegative(rate, None, layout):
                local = body.keep(value)
                value = f"pick({local} < 0.0, 0.0, {local})"
            body.lines.append(f"r{r}__ = {value}")
            terms.append(f"r{r}__" if abs(scale) == 1 else f"{float(scale * scale)!r} * r{r}__")
            for s, change in layout.change(r).items():
                gains.setdefault(s, []).append((change, f"r{r}__"))
        for o in line.others:
            variance, own = layout.noises[o]
            assert variance is not None
            body.lines.append(f"# {layout.network.noises[o].name}: {layout.network.noises[o].kind} noise")
            local = body.keep(body.value(variance))
            terms.append(body.keep(f"pick({local} < 0.0, 0.0, {local})"))
            if own is not None:
                gains.setdefault(layout.network.noises[o].species, []).append((1, body.keep(body.value(own))))
        body.lines.append(f"a{k}__ = {' + '.join(terms)}")
        if keep:
            body.lines.append(f"w[A_{k} + i] = a{k}__")
        if mix:
            body.lines.append(f"a{k}__ = 2.0 * a{k}__ - w[A_{k} + i]")
            body.lines.append(f"a{k}__ = pick(a{k}__ < 0.0, 0.0, a{k}__)")
        body.lines.append(f"n{k}__ = np.sqrt(a{k}__ * {radius}) * {turn}")
        for s, change in line.direction.items():
            noise.setdefault(s, []).append((change, f"n{k}__"))
    for s, name in enumerate(layout.species):
        if s not in gains and s not in noise:
            if last and s not in touched:
                body.lines.append(f"w[Z_{name} + i] = 0.0")
                body.lines += [f"w[D_{name} + i] = 0.0"] if keep else []
            continue
        drift = _sum(gains.get(s, []))
        started = s in touched
        touched.add(s)
        if keep or mix:
            drift = body.keep(drift)
        if keep:
            body.lines.append(f"w[D_{name} + i] " + ("+= " if started else "= ") + drift)
        if mix:
            drift = f"2.0 * {drift}" + ("" if started else f" - w[D_{name} + i]")
        added = f"h__ * ({drift}) + ({_sum(noise[s])})"
        body.lines.append(f"w[Z_{name} + i] " + ("+= " if started else "= ") + added)
    return body.lines


def _draws(count: int, body: Body) -> list[tuple[str, str]]:
    """(squared radius times variance, direction) of each noise, two from each pair of draws."""
    kicks = []
    state = ", ".join(f"v{k}__" for k in range(4))
    words = [f"v[{f'{k} * W + ' if k else ''}i]" for k in range(4)]
    body.lines.append(f"{state} = {', '.join(words)}")
    for p in range(-(-count // 2)):
        body.lines += [f"q{p}__, c{p}__, s{p}__, {state} = polar({state})", f"q{p}__ = q{p}__ * g__"]
        kicks += [(f"q{p}__", f"c{p}__"), (f"q{p}__", f"s{p}__")]
    body.lines += [f"{word} = v{k}__" for k, word in enumerate(words)]
    return kicks[:count]


def _sum(terms: list[tuple[int, str]]) -> str:
    text = ""
    for change, name in terms:
        times = name if abs(change) == 1 else f"{float(abs(change))!r} * {name}"
        sign = ("-" if change < 0 else "") if not text else (" - " if change < 0 else " + ")
        text += sign + times
    return text or "0.0"
