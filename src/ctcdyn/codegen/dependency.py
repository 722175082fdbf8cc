"""Algebra of a jump process whose events look only at what they change: propensities as a tree of sums.

A propensity that is proportional to a species is `count * part`, and up to FAN parts of one species are a group, whose
propensity is the count times the sum of its parts: where the count changes no part does (R. Ramaswamy, N.
Gonzalez-Segredo and I. F. Sbalzarini 2009, doi:10.1063/1.3154624). What is no such product has the factor 1. The groups
of a lane are the lowest level of a tree in which FAN neighbours have their sum above them; the last sums, MOST_TOPS at
most, are rows of all lanes.

What an event changes is known beforehand (M. A. Gibson and J. Bruck 2000, doi:10.1021/jp993732q), and is written as a
table, PLAN: counts, parts, groups, sums. Parts of the same form share one function, whose arguments are rows by
number. So neither the text of a kernel nor the time to compile it grows with the number of reactions. All numbers in
the tree are functions of the state alone: no sum is corrected by a difference, and none drifts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from ctcdyn.codegen.jump import bounded, is_nonnegative
from ctcdyn.codegen.layout import Layout
from ctcdyn.codegen.lineage import without
from ctcdyn.codegen.rows import Rows
from ctcdyn.codegen.writer import Body
from ctcdyn.model.expr import Call, Expr, Name, Number, names

FAN = 8  # numbers that have one sum: a line of the cache
MOST_FLAT, MOST_TOPS = 48, 32  # sums that are rows of all lanes: groups alone, or what lies above them (measured)
KEPT = (0.0, 0.5, 1.0, 2.0)  # numbers that stay in the text of a form


def write(layout: Layout, rows: Rows) -> dict[str, str]:
    """Parts `plan`, `part`, `tops` and `thinned`, and those that `jump` has too."""
    graph, shared = Graph(layout), bounded(layout, rows)
    rows.block("the factor of a group that has none; what a draw has left below the sum it fell into", ["ONE", "REST"])
    rows.block("sums at the top of the tree, 1/d", [f"TOP_{k}" for k in range(graph.tops)], "TOPS")
    rows.room("TREE", graph.room, "parts, then sums of each lane")
    forms = _Forms(layout, rows)
    for slot, r in graph.slots.items():
        if r not in graph.timed:
            forms.add(slot, graph.parts[r], not graph.is_nonnegative(r))
    return {
        "plan": "\n".join(_tables(graph, rows, forms)),
        "part": "\n\n\n".join([*forms.functions, _part(graph, forms)]),
        "tops": _tops(graph),
        "thinned": _thinned(graph, forms),
        **shared,
    }


@dataclass
class Graph:
    """Which parts, groups and sums there are, and which of them change with each reaction."""

    layout: Layout
    parts: list[Expr] = field(init=False)  # of each reaction; of one that depends on time it is not used
    factors: list[int | None] = field(init=False)  # state row of each reaction's factor
    groups: list[tuple[int | None, list[int]]] = field(init=False)  # (factor, reactions)
    timed: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        self.timed = frozenset(self.layout.timed)
        self.parts, self.factors, self.groups = [], [], []
        for r in range(len(self.layout.rates)):
            factor, part = self._split(r)
            self.factors.append(factor)
            self.parts.append(part)
        every: dict[int | None, list[int]] = {s: [] for s in range(len(self.layout.species))}
        every[None] = []
        for r, factor in enumerate(self.factors):
            every[factor].append(r)
        for factor, own in every.items():
            self.groups += [(factor, own[n : n + FAN]) for n in range(0, len(own), FAN)]

    def _split(self, r: int) -> tuple[int | None, Expr]:
        """The factor whose part has to be worked out anew after the fewest of the reactions."""
        rate = self.layout.rates[r]
        found: list[tuple[int, int, Expr]] = []
        if r not in self.timed and self.is_nonnegative(r):
            for name in sorted(names(rate) & self._place.keys()):
                part = without(rate, name)
                if part is not None and name not in names(part):
                    work = sum(self._stirred.get(x, 0) for x in names(part))
                    found.append((work, self._place[name], part))
        if not found:
            return None, rate
        _, factor, part = min(found, key=lambda one: one[:2])
        return factor, part

    def is_nonnegative(self, r: int) -> bool:
        """Whether the form of a rate says that it cannot be negative."""
        return is_nonnegative(self.layout.rates[r], self.layout.network.reactions[r], self.layout)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {name: s for s, name in enumerate(self.layout.species)}

    @cached_property
    def changes(self) -> list[list[tuple[int, int]]]:
        """(state row, step) of each reaction."""
        return [sorted((s, n) for s, n in self.layout.change(r).items() if n) for r in range(len(self.layout.rates))]

    @cached_property
    def _stirred(self) -> dict[str, int]:
        """Of each species the number of reactions that change it."""
        found: dict[str, int] = {}
        for change in self.changes:
            for s, _ in change:
                found[self.layout.species[s]] = found.get(self.layout.species[s], 0) + 1
        return found

    @cached_property
    def slots(self) -> dict[int, int]:
        """Place among the parts -> reaction."""
        return {FAN * g + k: r for g, (_, own) in enumerate(self.groups) for k, r in enumerate(own)}

    @cached_property
    def levels(self) -> list[tuple[int, int]]:
        """(place in the room of a lane, number of sums) of each level from the groups up, without those at the top."""
        found: list[tuple[int, int]] = []
        at, count = (FAN + 1) * _padded(len(self.groups)), len(self.groups)
        while count > (MOST_TOPS if found else MOST_FLAT):
            found.append((at, count))
            at, count = at + _padded(count), -(-count // FAN)
        return found

    @property
    def sums(self) -> int:
        """Place of the sums of the groups' parts in the room of a lane."""
        return FAN * _padded(len(self.groups))

    @property
    def tops(self) -> int:
        """How many sums have no sum above them."""
        return -(-self.levels[-1][1] // FAN) if self.levels else len(self.groups)

    @property
    def room(self) -> int:
        """Doubles of a lane: an odd number of lines, so that lanes do not meet in one set of the cache."""
        at, count = self.levels[-1] if self.levels else (self.sums, len(self.groups))
        lines = (at + _padded(count)) // FAN
        return FAN * (lines + 1 - lines % 2)

    @cached_property
    def _readers(self) -> dict[str, list[int]]:
        """Species -> places of the parts that depend on it."""
        found: dict[str, list[int]] = {name: [] for name in self.layout.species}
        for slot, r in self.slots.items():
            for name in names(self.parts[r]) & found.keys():
                found[name].append(slot)
        return found

    def plan(self, slot: int) -> list[int]:
        """What the reaction in a slot changes."""
        change = self.changes[self.slots[slot]]
        moved = {s for s, _ in change}
        slots = sorted({x for s in moved for x in self._readers[self.layout.species[s]]})
        return self.follow(change, slots, moved)

    def follow(self, change: Sequence[tuple[int, int]], slots: Sequence[int], moved: Iterable[int]) -> list[int]:
        """Numbers of the plan: the change, parts and groups to work out anew, then sums, level by level."""
        resummed = sorted({slot // FAN for slot in slots})
        nodes = sorted(
            {*resummed} | {g for g, (factor, _) in enumerate(self.groups) if factor is not None and factor in moved}
        )
        plan = [len(change), *(x for pair in change for x in pair)]
        plan += [len(slots), *slots, len(resummed), *resummed, len(nodes), *nodes]
        sums: list[int] = []
        for (below, _), (at, _) in pairwise(self.levels):
            nodes = sorted({n // FAN for n in nodes})
            sums += [x for n in nodes for x in (at + n, below + FAN * n)]
        plan += [len(sums) // 2, *sums]
        tops = sorted({n // FAN for n in nodes}) if self.levels else []
        return [*plan, len(tops), *(x for n in tops for x in (n, self.levels[-1][0] + FAN * n))]

    def work(self, slot: int) -> int:
        """How many numbers the reaction in a slot changes: counts, parts and sums."""
        plan, at, total = self.plan(slot), 0, 0
        for width in (2, 1, 1, 1, 2, 2):
            total += plan[at]
            at += 1 + width * plan[at]
        return total

    def everything(self) -> list[int]:
        """The plan of a lane that is loaded, or whose rates have changed."""
        return self.follow([], sorted(self.slots), range(len(self.layout.species)))

    def renewed(self) -> list[int]:
        """The plan of a new window of the bounds."""
        return self.follow([], sorted(slot for slot, r in self.slots.items() if r in self.timed), [])


class _Forms:
    """Parts that differ in rows and numbers only have one form: a function that takes these from a table."""

    def __init__(self, layout: Layout, rows: Rows) -> None:
        self.layout, self.rows = layout, rows
        self.known: dict[tuple[Expr, bool], int] = {}
        self.functions: list[str] = []
        self.arguments: list[int] = []
        self.literals: dict[float, int] = {}
        self.of: dict[int, tuple[int, int]] = {}  # place of a part -> (form, where its arguments begin)

    def add(self, slot: int, part: Expr, checked: bool) -> None:
        """The part in a slot; `checked` where it may turn negative, and is no number then."""
        given: list[Expr] = []
        key = _bare(part, given), checked
        if key not in self.known:
            self.known[key] = len(self.known)
            self.functions.append(self._function(*key, self.known[key]))
        self.of[slot] = self.known[key], len(self.arguments)
        self.arguments += [self._number(e) for e in given]

    def _number(self, e: Expr) -> int:
        if isinstance(e, Number):
            return self.literals.setdefault(float(e.value), len(self.literals))
        assert isinstance(e, Name)
        return self.rows.index[self.layout.symbol(e.id).removeprefix("w[").removesuffix(" + i]")]

    def _function(self, e: Expr, checked: bool, k: int) -> str:
        def symbol(name: str) -> str:
            at = f"int64(ARGUMENTS[uint64(a + {name[1:]})])"
            return f"LITERALS[uint64({at})]" if name[0] == "n" else f"w[uint64({at} * W + i)]"

        body = Body(symbol, [e])
        value = body.value(e)
        value = f"signless({value})" if checked else value
        lines = [f'"""Form {k}, its arguments from a on, 1/d or 1/d for one of its factor."""', *body.lines]
        return _function(f"form_{k}(w, i, a)", [*lines, f"return {value}"], "lane")


def _bare(e: Expr, given: list[Expr]) -> Expr:
    """The expression with p0, p1, ... in the place of names and n0, n1, ... of numbers, which are put into `given`."""
    if isinstance(e, Call):
        if e.op == "**" and isinstance(e.args[1], Number):
            return Call(e.op, (_bare(e.args[0], given), e.args[1]))
        return Call(e.op, tuple(_bare(a, given) for a in e.args))
    if isinstance(e, Number) and e.value in KEPT:
        return e
    if isinstance(e, Number) or e not in given:
        given.append(e)
        return Name(f"{'n' if isinstance(e, Number) else 'p'}{len(given) - 1}")
    return Name(f"p{given.index(e)}")


def _tables(graph: Graph, rows: Rows, forms: _Forms) -> list[str]:
    slots = FAN * len(graph.groups)
    plans = [graph.plan(slot) if slot in graph.slots else [0] * 6 for slot in range(slots)]
    plans += [graph.renewed(), graph.everything()]
    begun: dict[tuple[int, ...], int] = {}
    plan: list[int] = []
    for one in map(tuple, plans):
        if one not in begun:
            begun[one] = len(plan)
            plan += one
    row = {f: rows.index["ONE" if f is None else f"X_{graph.layout.species[f]}"] for f, _ in graph.groups}
    factors = [row[f] for f, _ in graph.groups]
    of = [forms.of.get(slot, (0, 0)) for slot in range(slots)]
    if graph.timed:
        clocks = {r: len(forms.known) + k for k, r in enumerate(graph.layout.timed)}
        of = [(clocks[r], 0) if (r := graph.slots.get(slot, -1)) in clocks else one for slot, one in enumerate(of)]
    literals = ", ".join(repr(x) for x in forms.literals) or "0.0"
    return [
        f"ROOM = {graph.room}  # doubles of a lane in TREE",
        f"SUMS = {graph.sums}  # where the sums of the groups' parts are in it",
        f"GROUPS = {graph.levels[0][0] if graph.levels else 0}  # where the groups are in it",
        f"FLAT = {not graph.levels}  # the groups are the top of the tree",
        f"LEVELS = {len(graph.levels)}  # between parts and top",
        _table("LEVEL_AT", [at for at, _ in graph.levels[::-1]] or [0], "where each begins, the highest first"),
        _table("LEVEL_LAST", [n - 1 for _, n in graph.levels[::-1]] or [0], "number of the last sum of each"),
        _table("GROUP_FACTOR", factors, "row of the factor of each group", "int16"),
        _table("FORM", [form for form, _ in of], "of each part", "int16"),
        _table("ARGUMENT_AT", [at for _, at in of], "where its arguments begin", "int16"),
        _table("ARGUMENTS", forms.arguments or [0], "rows, or places among the literals", "int16"),
        f"LITERALS = np.array([{literals}])",
        f"RENEW = {slots}  # in the plan: a new window of the bounds",
        f"REFILL = {slots + 1}  # in the plan: everything",
        _table("PLAN_AT", [begun[tuple(one)] for one in plans], "of each slot, where in the plan its reaction begins"),
        _table("PLAN", plan, "numbers of entries, and entries: see `follow`", "int16"),
    ]


def _table(name: str, values: Sequence[int], doc: str, kind: str = "int64") -> str:
    """A table; one that is long and looked at for every event stays in the cache in two bytes a number."""
    kind = kind if max(values) < 2**15 else "int64"
    return f"{name} = np.array([{', '.join(map(str, values))}], np.{kind})  # {doc}"


def _part(graph: Graph, forms: _Forms) -> str:
    """Of a reaction that depends on time the bound over the lane's window stands for its rate."""
    cases = [[f"return form_{k}(w, i, int64(ARGUMENT_AT[uint64(n)]))"] for k in range(len(forms.known))]
    bounds = [f"limit_{graph.layout.network.reactions[r].name}(w, i)" for r in graph.layout.timed]
    cases += [[f"return signless({bound})"] for bound in bounds]
    doc = '"""The part in slot n of lane i, or what a rate that depends on time does not exceed over the window."""'
    signless = ['"""x, or no number where it is below zero."""', "return pick(x >= 0.0, x, np.nan)"]
    choice = _function("part(w, i, n)", [doc, "k = int64(FORM[uint64(n)])", *_cases(cases, 0)], "lane")
    return _function("signless(x)", signless, "lane") + "\n\n\n" + choice


def _thinned(graph: Graph, forms: _Forms) -> str:
    doc = '"""The rate at t of what is in slot n where it depends on time; inf for any other, 1/d."""'
    lines, cases, first = [doc], [], len(forms.known)
    for r in graph.layout.timed:
        body = Body(graph.layout.symbol, [graph.layout.rates[r]])
        value = body.value(graph.layout.rates[r])
        value = value if graph.is_nonnegative(r) else f"signless({value})"
        cases.append([*body.lines, f"return {value}"])
    if cases:
        lines += ["k = int64(FORM[uint64(n)])", f"if k >= {first}:", *("    " + x for x in _cases(cases, first))]
    return _function("thinned(w, i, t, n)", [*lines, "return np.inf"], "block")


def _cases(cases: Sequence[Sequence[str]], first: int) -> list[str]:
    """Statements of case k, found by halves."""
    if len(cases) == 1:
        return list(cases[0])
    half = len(cases) // 2
    low, high = _cases(cases[:half], first), _cases(cases[half:], first + half)
    return [f"if k < {first + half}:", *("    " + x for x in low), "else:", *("    " + x for x in high)]


def _tops(graph: Graph) -> str:
    """As a loop over lanes has it: sums in registers, selection without a branch."""
    last = graph.tops - 1
    lines = ['"""Running sums over the top of the tree, 1/d; the last is the total."""']
    lines += [f"c{k} = " + (f"c{k - 1} + " if k else "") + f"w[TOP_{k} + i]" for k in range(last + 1)]
    sums = ", ".join(f"c{k}" for k in range(last + 1))
    lines.append(f"return {sums}," if last == 0 else f"return {sums}")
    doc = '"""CHOICE: the number of the sum that y falls into, REST: how far; -1 where nothing fires."""'
    into = [doc, "k = 0.0", "before = 0.0"]
    for k in range(last):
        into += [f"k = pick(y >= c[{k}], {k + 1.0!r}, k)", f"before = pick(y >= c[{k}], c[{k}], before)"]
    into += ["w[CHOICE + i] = k", "w[REST + i] = y - before"]
    return _function("tops(w, i)", lines, "lane") + "\n\n\n" + _function("fall(w, i, c, y)", into, "lane")


def _padded(count: int) -> int:
    return -(-count // FAN) * FAN


def _function(head: str, lines: Sequence[str], kind: str) -> str:
    return f"@{kind}\ndef {head}:\n" + "\n".join("    " + line for line in lines)
