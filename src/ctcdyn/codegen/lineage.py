"""What becomes of the cells of a network, one by one: which species pass, grow, or only add up, and along which ways.

Reactions that take one discrete cell, or none, make cells independent of one another, once the rates for each cell are
known. A *plain* species passes on by death and conversion, a *grower* also divides, an *adder* never changes again. The
ways of plain cells are a graph of *nodes*: a species together with what was counted on the way, and the ends of ways.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ctcdyn.codegen.layout import Layout
from ctcdyn.errors import CtcError, Problem
from ctcdyn.model.expr import Call, Expr, Name, Number, names, walk

MOST_NODES = 64
JUMPS = frozenset({"<", "<=", ">", ">=", "==", "!=", "and", "or", "not", "step", "where"})
Vector = tuple[tuple[int, int], ...]  # (state row, change), in order of rows
_Raw = tuple[
    int, int | None, dict[int, int], Expr, frozenset[str]
]  # reaction, parent, products, rate, counts in it


@dataclass(frozen=True)
class Way:
    """A discrete reaction as what becomes of one cell of `parent`, or as cells that come from outside (None)."""

    reaction: int
    parent: int | None
    live: tuple[int, ...]  # species of the cells it leaves, those that only add up left out
    gains: Vector  # what only adds up: such species and counters
    each: Expr  # rate for each cell of the parent, 1/d; without a parent the rate itself
    frozen: frozenset[str]  # discrete species that the rate for each cell depends on

    @property
    def kind(self) -> str:
        """source, death, birth, conversion, or branching: what the law of a step treats alike."""
        if self.parent is None:
            return "source"
        if not self.live:
            return "death"
        if self.live == (self.parent, self.parent) and not self.gains:
            return "birth"
        return "conversion" if len(self.live) == 1 and self.live[0] != self.parent else "branching"


@dataclass(frozen=True)
class Node:
    """A place on the way of a plain cell. kind: plain, dead, grower or event (`what`: species, or way of the event)."""

    kind: str
    what: int
    counted: Vector = ()


@dataclass
class Lineage:
    """The ways of a network in mixed (or jump) semantics, with numbers for all that a kernel has tables of."""

    layout: Layout
    ways: list[Way] = field(default_factory=list)
    plain: list[int] = field(
        default_factory=list
    )  # species, in order of the graph: a cell goes to later ones
    growers: list[int] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    edges: list[tuple[int, int, int]] = field(default_factory=list)  # (from, to, way)
    losses: list[tuple[int, int]] = field(default_factory=list)  # (node, way): death without a trace
    block: list[int] = field(
        default_factory=list
    )  # of each node: nodes of one block can be reached from each other

    def __post_init__(self) -> None:
        layout = self.layout
        problems: list[Problem] = []
        rows = len(layout.network.species)
        self._whole = [layout.is_whole(name) for name in layout.species]
        raw = []
        for r in range(len(layout.rates)):
            if layout.is_discrete(r):
                way = self._read(r, problems)
                if way is not None:
                    raw.append(way)
        if problems:
            raise CtcError(problems)
        parents = {parent for _, parent, *_ in raw if parent is not None}
        for r, parent, products, each, frozen in raw:
            live = tuple(sorted(s for s, n in products.items() for _ in range(n) if s in parents))
            gains = tuple(sorted((s, n) for s, n in products.items() if s not in parents and n))
            if parent is not None and live == (parent,) and not gains:
                continue  # nothing happens
            self.ways.append(Way(r, parent, live, gains, each, frozen))
        assert all(s < rows for s in parents)
        self.growers = sorted({w.parent for w in self.ways if w.kind == "birth" and w.parent is not None})
        self._order(sorted(parents - set(self.growers)))
        self._graph()

    # -- one reaction ---------------------------------------------------------------------------
    def _read(self, r: int, problems: list[Problem]) -> _Raw | None:
        layout, network = self.layout, self.layout.network
        reaction = network.reactions[r]
        whole = self._whole
        change = {s: n for s, n in layout.change(r).items() if whole[s]}
        taken = {s: -n for s, n in change.items() if n < 0}
        present = [s for s, _ in reaction.reactants if whole[s]]
        if sum(taken.values()) > 1:
            cells = " and ".join(f"{n} {layout.species[s]}" for s, n in taken.items())
            what = f'reaction "{reaction.name}" uses up {cells} at once, so that cells are not independent'
            fix = "take tau_leap, direct or hybrid, or pin a species with continuous = true"
            problems.append(Problem("M317", what, reaction.place, f"reaction.{reaction.name}.equation", fix))
            return None
        products = {s: n for s, n in change.items() if n > 0}
        if taken:
            parent: int | None = next(iter(taken))
        elif present:
            parent = next((s for s in present if s in products), present[0])
            assert parent is not None
            products[parent] = products.get(parent, 0) + 1
        else:
            parent = None
        each = layout.rates[r]
        if parent is not None:
            each = for_each(each, layout.species[parent])
        discrete = {name for name, yes in zip(layout.species, whole, strict=True) if yes}
        leaps = sorted(_jumping(each) & discrete)
        if leaps:
            what = f'the rate of "{reaction.name}" jumps where {leaps[0]} passes a count, and a leap would not see it'
            fix = "take direct, next_reaction or hybrid, or a rate without a jump: hill(x, k, n), min(x, k)"
            problems.append(Problem("M318", what, reaction.place, f"reaction.{reaction.name}", fix))
            return None
        return r, parent, products, each, frozenset(names(each) & discrete)

    # -- the graph of plain cells -----------------------------------------------------------------
    def _order(self, plain: list[int]) -> None:
        """Blocks of species that reach each other, in the order of the ways between them."""
        follows: dict[int, set[int]] = {s: set() for s in plain}
        for way in self.ways:
            if way.kind == "conversion" and way.parent in follows and way.live[0] in follows:
                follows[way.parent].add(way.live[0])
        reach = {s: _reach(s, follows) for s in plain}
        done: list[int] = []
        self._together = {
            s: frozenset(z for z in plain if z == s or (s in reach[z] and z in reach[s])) for s in plain
        }
        while len(done) < len(plain):
            ready = next(
                s for s in plain
                if s not in done and all(z in done or z in self._together[s] for z in plain if s in reach[z])
            )  # fmt: skip
            done += sorted(self._together[ready])
        self.plain = done

    def _graph(self) -> None:
        """Nodes that plain cells reach; what is counted in a circle, or branches, ends a way as an event."""
        try:
            self._walk(counting=True)
        except OverflowError:
            self._walk(counting=False)

    def _walk(self, counting: bool) -> None:
        found: dict[Node, int] = {}
        edges: list[tuple[Node, Node, int]] = []
        losses: list[tuple[Node, int]] = []
        queue = [Node("plain", s) for s in self.plain]
        while queue:
            node = queue.pop(0)
            if node in found:
                continue
            found[node] = len(found)
            if len(found) > MOST_NODES and counting:
                raise OverflowError
            if node.kind != "plain":
                continue
            for k, way in enumerate(self.ways):
                if way.parent != node.what:
                    continue
                goal = self._goal(node, k, way, counting)
                if goal is None:
                    losses.append((node, k))
                else:
                    edges.append((node, goal, k))
                    queue.append(goal)
        rank = {s: at for at, s in enumerate(self.plain)}
        start = {s: min(rank[z] for z in self._together[s]) for s in self.plain}

        def key(node: Node) -> tuple[bool, int, Vector, int]:
            if node.kind != "plain":
                return True, 0, (), found[node]
            return False, start[node.what], node.counted, rank[node.what]

        order = sorted(found, key=key)
        place = {node: at for at, node in enumerate(order)}
        self.nodes = order
        self.edges = [(place[a], place[b], k) for a, b, k in edges]
        self.losses = [(place[a], k) for a, k in losses]
        self.block = []
        for at, node in enumerate(order):
            mine = [z for z in order if z.kind == node.kind == "plain" and z.counted == node.counted]
            mine = [z for z in mine if z.what in self._together[node.what]]
            self.block.append(min((place[z] for z in mine), default=at))

    def _goal(self, node: Node, k: int, way: Way, counting: bool) -> Node | None:
        circle = bool(way.live) and way.live[0] in self._together.get(node.what, ())
        founds = self.layout.founds(way.reaction)  # at a time of its own
        if way.kind == "branching" or founds or (way.gains and (circle or not counting)):
            return Node("event", k, node.counted)
        counted = _add(node.counted, way.gains)
        if way.kind == "death":
            return Node("dead", -1, counted) if counted else None
        return Node("grower" if way.live[0] in self.growers else "plain", way.live[0], counted)

    # -- what a kernel has tables of ----------------------------------------------------------------
    def start(self, s: int) -> int:
        """Node at which a plain cell of species s begins."""
        return self.nodes.index(Node("plain", s))

    def ends(self, a: int) -> list[int]:
        """Nodes in which a cell of node a can be after a step, itself first; without death that leaves no trace."""
        follows: dict[int, set[int]] = {}
        for x, y, _ in self.edges:
            follows.setdefault(x, set()).add(y)
        seen = _reach(a, follows) | {a}
        return [a, *sorted(seen - {a})]

    def exports(self, g: int) -> list[int]:
        """Ways out of a grower that are neither its births nor deaths without a trace."""
        return [
            k for k, w in enumerate(self.ways)
            if w.parent == g and w.kind != "birth" and not (w.kind == "death" and not w.gains)
        ]  # fmt: skip


def describe(lineage: Lineage) -> list[str]:
    """What first-order leap does with each species, and whether that is exact: for `check --explain`."""
    layout = lineage.layout
    pinned = {name for name in layout.species if not layout.is_whole(name)}
    lines = []
    for s, name in enumerate(layout.network.species_names):
        ways = [w for w in lineage.ways if w.parent == s]
        into = [w for w in lineage.ways if w.parent is None and (s in w.live or s in dict(w.gains))]
        counts = sorted({x for w in [*ways, *into] for x in w.frozen})
        varying = any(names(w.each) & (pinned | {"t"}) for w in ways)
        if name in pinned:
            law = "pinned: an ODE, to rtol"
        elif s in lineage.growers:
            law = "divides: closed law of birth and death"
            met = [layout.network.reactions[lineage.ways[k].reaction].name for k in lineage.exports(s)]
            if met:
                law += f"; {', '.join(met)} at exact times, by splitting (weak order 2) where many are met in a step"
        elif s in lineage.plain:
            law = "passes: multinomial, for any step"
        else:
            law = "adds up: counted exactly"
        if counts:
            law += f"; not exact: rates depend on counts ({', '.join(counts)}), frozen in pairs of steps, weak order 2"
        elif varying:
            law += "; not exact: rates change in time, their means over short steps, weak order 2"
        elif any(names(w.each) & (pinned | {"t"}) for w in into):
            law += "; its source changes in time: integrated over the step"
        elif name not in pinned:
            law += "; exact"
        lines.append(f"{name}: {law}")
    return lines


def _jumping(e: Expr) -> frozenset[str]:
    """Names on which an expression may depend with a jump: those in conditions, and what is rounded."""
    found: frozenset[str] = frozenset()
    for node in walk(e):
        if isinstance(node, Call) and node.op in JUMPS:
            found |= names(node.args[0] if node.op == "where" else node)
    return found


def for_each(rate: Expr, name: str) -> Expr:
    """A rate divided by the count `name`: the factor left out where it is one, for 0 cells a number all the same."""
    found = without(rate, name)
    if found is not None:
        return found
    return Call("/", (rate, Call("max", (Name(name), Number(1.0)))))


def without(e: Expr, name: str) -> Expr | None:
    """The other factors of an expression that is proportional to a name; None where it cannot be told that it is."""
    if isinstance(e, Name):
        return Number(1.0) if e.id == name else None
    if not isinstance(e, Call):
        return None
    if e.op == "*":
        for at in (0, 1):
            inner = without(e.args[at], name)
            if inner is not None:
                other = e.args[1 - at]
                if inner == Number(1.0):
                    return other
                return Call("*", (inner, other) if at == 0 else (other, inner))
    if e.op in ("/", "neg"):
        inner = without(e.args[0], name)
        return None if inner is None else Call(e.op, (inner, *e.args[1:]))
    if e.op in ("+", "-"):
        both = [without(a, name) for a in e.args]
        if all(x is not None for x in both):
            return Call(e.op, tuple(x for x in both if x is not None))
    return None


def _reach(a: int, follows: dict[int, set[int]]) -> set[int]:
    seen: set[int] = set()
    queue = [a]
    while queue:
        for z in follows.get(queue.pop(), ()):
            if z not in seen:
                seen.add(z)
                queue.append(z)
    return seen


def _add(a: Vector, b: Vector) -> Vector:
    total = dict(a)
    for s, n in b:
        total[s] = total.get(s, 0) + n
    return tuple(sorted(total.items()))
