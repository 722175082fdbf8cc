"""Algebra of tau-leaping: every propensity in a row, how far the state lets a leap go, and the change by many events.

`hazards` fills the HAZARD rows at the time in AT. `leap_limits` marks the reactions that are critical, those that could
use up a reactant within CRITICAL firings, and finds the longest leap over which no propensity of the others is expected
to change, in mean or in standard deviation, by more than a share EPSILON (Y. Cao, D. T. Gillespie and L. R. Petzold
2006, doi:10.1063/1.2159468, equations 32 and 33). `occur` changes the state by the numbers of firings in the FIRINGS
rows, of which it takes away what the reactants do not allow: reaction by reaction, those first that take nothing, then
in the order of the model, each from what the ones before have left and brought, so no count falls below zero.

The paper's limits look at net changes: where cells come and go in balance they allow leaps longer than a cell stays,
and the variance comes out several times too large. So a leap also takes no more than TURNOVER * EPSILON of a species.
"""

from __future__ import annotations

from ctcdyn.codegen.jump import GROUP
from ctcdyn.codegen.layout import Layout
from ctcdyn.codegen.rows import Rows
from ctcdyn.model.expr import Expr, names
from ctcdyn.model.network import Reaction

CRITICAL = 10.0  # firings, as in the paper
TURNOVER = 10.0  # times EPSILON: share of a species that a leap may take away, whatever comes in
UNKNOWN_ORDER = 3.0  # of a species that enters a rate otherwise than by mass action


def write(layout: Layout, rows: Rows) -> dict[str, str]:
    """Parts `hazards`, `leap_limits`, `pick_critical`, `occur` and `moved`; they need the rates of `jump`."""
    names_ = [reaction.name for reaction in layout.network.reactions]
    rows.block("propensities, 1/d", [f"HAZARD_{name}" for name in names_], "HAZARDS")
    rows.block("1 where a reaction is not critical", [f"FREE_OF_{name}" for name in names_], "NONCRITICAL")
    rows.block(
        "firings in a step: their mean, then their number", [f"FIRINGS_{name}" for name in names_], "FIRINGS"
    )
    rows.block("state before a step", [f"BEFORE_{s}" for s in layout.species], "BEFORE")
    rows.block("what a step has left of each species", [f"SUPPLY_{s}" for s in layout.species], "SUPPLY")
    rows.block(
        "relative change of a propensity in a leap; longest leap, days; all propensities, the critical ones, 1/d",
        ["EPSILON", "LEAP", "HAZARD_OF_ALL", "HAZARD_OF_CRITICAL"],
    )
    reactions, species = range(len(names_)), range(len(layout.network.species))
    sequence = sorted(reactions, key=lambda r: bool(losses(layout.network.reactions[r])))
    ruling = [s for s in species if order(layout, s) > 0.0]
    return {
        "hazards": loops(
            "hazards",
            "Propensities of every lane at the time in its AT.",
            [[line for r in g for line in _hazard(layout, r)] for g in groups(reactions)],
            "t = w[AT + i]",
        ),
        "leap_limits": loops(
            "leap_limits",
            "Critical reactions, sums of propensities and the longest leap of every lane.",
            [_clear()]
            + [[line for r in g for line in _criticality(layout, r)] for g in groups(reactions)]
            + [[line for s in g for line in _limit(layout, s)] for g in groups(ruling)],
        ),
        "pick_critical": loops(
            "pick_critical",
            "One firing of the critical reaction that CHOICE falls into, by running sums; none where it is negative.",
            [_begin_sum()] + [[line for r in g for line in _chosen(layout, r)] for g in groups(reactions)],
        ),
        "occur": loops(
            "occur",
            "The change of state of every lane by its FIRINGS, so far as there is something to use up.",
            [
                _keep(layout),
                *([line for r in g for line in _supplied(layout, r)] for g in groups(sequence)),
                _sums(layout),
            ],
        ),
        "moved": _moved(layout, sequence),
    }


def order(layout: Layout, s: int) -> float:
    """Highest order in which a species enters a rate: 0 if in none."""
    name, found = layout.network.species[s].name, 0.0
    for reaction in layout.network.reactions:
        law = reaction.k if reaction.k is not None else reaction.rate
        if law is not None and name in _species(law, layout):
            found = max(found, UNKNOWN_ORDER)
        if reaction.k is not None and s in dict(reaction.reactants):
            found = max(found, float(sum(m for _, m in reaction.reactants)))
    return found


def _species(e: Expr, layout: Layout) -> frozenset[str]:
    return frozenset(names(e)) & frozenset(layout.network.species_names)


def losses(reaction: Reaction) -> list[tuple[int, int, int]]:
    """(species, number that must be there, number lost) for each species that a firing takes from."""
    needed = dict(reaction.reactants)
    return [(s, max(needed.get(s, 0), -change), -change) for s, change in reaction.change if change < 0]


def _hazard(layout: Layout, r: int) -> list[str]:
    name = layout.network.reactions[r].name
    return [f"w[HAZARD_{name} + i] = rate_{name}(w, i, t)"]


def _clear() -> list[str]:
    return ["w[LEAP + i] = np.inf", "w[HAZARD_OF_ALL + i] = 0.0", "w[HAZARD_OF_CRITICAL + i] = 0.0"]


def _rooms(layout: Layout, r: int, row: str) -> list[str]:
    """Statements that leave in `room` how often reaction r can fire, by selection."""
    species = layout.network.species
    lines: list[str] = []
    for s, needed, lost in losses(layout.network.reactions[r]):
        there = f"w[{row}_{species[s].name} + i]"
        there = f"{there} - {float(needed - lost)!r}" if needed > lost else there
        there = there if lost == 1 else f"np.floor(({there}) / {float(lost)!r})"
        if lines:
            lines += [f"other = {there}", "room = pick(other < room, other, room)"]
        else:
            lines.append(f"room = {there}")
    return lines


def _criticality(layout: Layout, r: int) -> list[str]:
    name = layout.network.reactions[r].name
    rooms = _rooms(layout, r, "X")
    lines = [f"a = w[HAZARD_{name} + i]", "w[HAZARD_OF_ALL + i] += a"]
    if not rooms:
        return [*lines, f"w[FREE_OF_{name} + i] = 1.0"]
    return [
        *lines,
        *rooms,
        f"free = pick((room < {CRITICAL!r}) & (a > 0.0), 0.0, 1.0)",
        f"w[FREE_OF_{name} + i] = free",
        "w[HAZARD_OF_CRITICAL + i] += pick(free > 0.0, 0.0, a)",
    ]


def _limit(layout: Layout, s: int) -> list[str]:
    """LEAP as it must be for species s."""
    changes = [(r, layout.change(r)[s]) for r in range(len(layout.rates)) if layout.change(r).get(s)]
    if not changes:
        return []
    lines = [f"x = w[X_{layout.network.species[s].name} + i]", "mean = 0.0", "variance = 0.0", "loss = 0.0"]
    for r, change in changes:
        name = layout.network.reactions[r].name
        lines.append(f"a = w[FREE_OF_{name} + i] * w[HAZARD_{name} + i]")
        lines.append(f"mean += {float(change)!r} * a")
        lines.append(f"variance += {float(change * change)!r} * a")
        if change < 0:
            lines.append(f"loss += {float(-change)!r} * a")
    lines.append(f"room = w[EPSILON + i] * x / ({weight(layout, s)})")
    lines += [
        "room = pick(room > 1.0, room, 1.0)",
        "mean = abs(mean)",
        "by_mean = room / pick(mean > 0.0, mean, 1.0)",
        "by_variance = room * room / pick(variance > 0.0, variance, 1.0)",
        "leap = pick(room * mean > variance, by_mean, by_variance)",
        "leap = pick(variance > 0.0, leap, np.inf)",
        f"by_loss = {TURNOVER!r} * w[EPSILON + i] * x / pick(loss > 0.0, loss, 1.0)",
        "leap = pick((loss > 0.0) & (by_loss < leap), by_loss, leap)",
        "w[LEAP + i] = pick(leap < w[LEAP + i], leap, w[LEAP + i])",
    ]
    return lines


def weight(layout: Layout, s: int) -> str:
    """g of the paper: the order of the reaction, more where it takes several of the species at once."""
    g, several = order(layout, s), 1
    for reaction in layout.network.reactions:
        taken = dict(reaction.reactants).get(s, 0)
        if reaction.k is not None and sum(m for _, m in reaction.reactants) == g:
            several = max(several, taken)
    if several == 1:
        return repr(g)
    above = "pick(x > 1.0, x - 1.0, 1.0)"
    if several == 2:
        return f"{g / 2.0!r} * (2.0 + 1.0 / {above})"
    return f"{g / 3.0!r} * (3.0 + 1.0 / {above} + 2.0 / pick(x > 2.0, x - 2.0, 1.0))"


def _begin_sum() -> list[str]:
    return ["w[HAZARD_OF_CRITICAL + i] = 0.0"]


def _chosen(layout: Layout, r: int) -> list[str]:
    name = layout.network.reactions[r].name
    if not losses(layout.network.reactions[r]):
        return []
    return [
        "c = w[HAZARD_OF_CRITICAL + i]",
        f"d = c + pick(w[FREE_OF_{name} + i] > 0.0, 0.0, w[HAZARD_{name} + i])",
        "y = w[CHOICE + i]",
        f"w[FIRINGS_{name} + i] += pick((y >= c) & (y < d), 1.0, 0.0)",
        "w[HAZARD_OF_CRITICAL + i] = d",
    ]


def _keep(layout: Layout) -> list[str]:
    lines = []
    for s in layout.species:
        lines += [f"x = w[X_{s} + i]", f"w[BEFORE_{s} + i] = x", f"w[SUPPLY_{s} + i] = x"]
    return lines


def _supplied(layout: Layout, r: int) -> list[str]:
    reaction = layout.network.reactions[r]
    lines = [f"k = w[FIRINGS_{reaction.name} + i]"]
    if losses(reaction):
        lines += [
            *_rooms(layout, r, "SUPPLY"),
            "room = pick(room > 0.0, room, 0.0)",
            "k = pick(k < room, k, room)",
            f"w[FIRINGS_{reaction.name} + i] = k",
        ]
    for s, change in reaction.change:
        lines.append(f"w[SUPPLY_{layout.network.species[s].name} + i] += {float(change)!r} * k")
    return lines


def _moved(layout: Layout, sequence: list[int]) -> str:
    """`occur` for one lane, from the state before: in the middle of a leap, too, no count is negative."""
    lines = ['"""The state of lane i after FIRINGS from the state before, so far as there is something to use up."""']
    lines += [f"w[SUPPLY_{s} + i] = w[BEFORE_{s} + i]" for s in layout.species]
    lines += [line for r in sequence for line in _supplied(layout, r)]
    return "@block\ndef moved(w, i):\n" + "\n".join("    " + line for line in [*lines, *_sums(layout)])


def _sums(layout: Layout) -> list[str]:
    lines = []
    for s, name in enumerate(layout.species):
        changes = [(r, layout.change(r)[s]) for r in range(len(layout.rates)) if layout.change(r).get(s)]
        terms = [f"{float(c)!r} * w[FIRINGS_{layout.network.reactions[r].name} + i]" for r, c in changes]
        if terms:
            lines.append(f"w[X_{name} + i] = w[BEFORE_{name} + i] + ({' + '.join(terms)})")
    return lines or ["pass"]


def groups(numbers: range | list[int]) -> list[list[int]]:
    every = list(numbers)
    return [every[k : k + GROUP] for k in range(0, len(every), GROUP)]


def _lane(head: str, doc: str, lines: list[str]) -> str:
    return f"@lane\ndef {head}:\n" + "\n".join("    " + line for line in [f'"""{doc}"""', *lines])


def loops(name: str, doc: str, bodies: list[list[str]], first: str = "") -> str:
    """A block function with a lane loop for each body, in a lane function of its own."""
    parts, calls = [], []
    for k, body in enumerate(bodies):
        lines = [first, *body] if first else body
        parts.append(_lane(f"{name}_{k}(w, i)", f"Part {k} of `{name}`.", lines or ["pass"]))
        calls += ["    for i in range(W):", f"        {name}_{k}(w, i)"]
    return "\n\n\n".join([*parts, f'@block\ndef {name}(w):\n    """{doc}"""\n' + "\n".join(calls)])
