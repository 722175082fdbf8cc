"""Algebra of first-order leaps: rates for one cell, the graph of its ways as tables, the flow of pinned species.

`forces(w, i)` writes the rate for each cell of every discrete reaction (of a source the rate itself) to the rows FORCE,
from the pinned species in the rows Y at the time AT and the counts in X. `flow(w, i)` writes the derivatives of pinned
species to the rows D. The tables are numbers of rows, nodes and forces: see `lineage`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ctcdyn.codegen import stops
from ctcdyn.codegen.layout import Layout
from ctcdyn.codegen.lineage import Lineage, Node
from ctcdyn.codegen.rows import Rows
from ctcdyn.codegen.writer import Body, prose
from ctcdyn.model.expr import Expr, names


def write(layout: Layout, rows: Rows) -> dict[str, str]:
    """Parts `lineage` (tables), `forces`, `flow`, `would`; rows FORCE, Y, D."""
    lineage = Lineage(layout)
    reals = [s for s, name in enumerate(layout.species) if not layout.is_whole(name)]
    forces = [f"FORCE_{k}" for k in range(len(lineage.ways))]
    rows.block("rates for each cell, 1/d; of sources the rate itself", forces, "FORCE")
    rows.block("pinned species at a time within a step", [f"Y_{layout.species[s]}" for s in reals], "Y")
    rows.block("their derivatives", [f"D_{layout.species[s]}" for s in reals], "D")
    return {
        "lineage": "\n".join(_tables(lineage, reals)),
        "forces": _forces(lineage, reals),
        "flow": _flow(layout, reals),
        "would": _would(layout),
        "acknowledge": _acknowledge(layout),
    }


def _tables(lineage: Lineage, reals: list[int]) -> list[str]:
    layout, ways = lineage.layout, lineage.ways
    plain, growers, nodes = lineage.plain, lineage.growers, lineage.nodes
    alive = {s: at for at, s in enumerate([*plain, *growers])}
    sources = [k for k, way in enumerate(ways) if way.kind == "source"]
    kinds = {"plain": 0, "dead": 1, "grower": 2, "event": 3}
    goals = [lineage.ends(lineage.start(s)) for s in plain]
    rules = [_rule(layout, way.reaction) for way in ways]
    quick = [k for k in sources if len(ways[k].live) + (rules[k] >= 0) < 2]
    own = [[k for k, w in enumerate(ways) if w.parent == s] for s in plain]
    births = [[k for k, w in enumerate(ways) if w.parent == g and w.kind == "birth"] for g in growers]
    deaths = [
        [k for k, w in enumerate(ways) if w.parent == g and w.kind == "death" and not w.gains]
        for g in growers
    ]
    cells = {k: ways[k].live[0] if ways[k].live else -1 for k in quick}
    met = {k for g in growers for k in lineage.exports(g)}
    moves = [
        [(s, n) for s, n in sorted(layout.change(w.reaction).items()) if layout.is_whole(layout.species[s])]
        for w in ways
    ]
    asked = set().union(*(names(e) for e in [*layout.conditions.values(), *(p.when for p in layout.watched)]))
    watched = [s for s, name in enumerate(layout.species) if name in asked and layout.is_whole(name)]
    movers = _movers(lineage, reals)
    untraced = sum(cells[k] not in plain or bool(ways[k].gains) for k in quick)
    moved = [any(s in watched for s, _ in moves[k]) for k in range(len(ways))]
    seen = [any(s in watched for k in lineage.exports(g) for s, _ in moves[k] if s != g) for g in growers]
    return [
        *_flags(lineage, reals),
        f"WAYS = {len(ways)}",
        f"MOVERS = {len(movers)}",
        _table("MOVER_WAY", movers, "ways whose rates change along a step"),
        _table("SOURCE_MOVER", (_number(movers, k) for k in quick), "place of a source among them, or -1"),
        _table("WAY_WATCHED", map(int, moved), "1 where it moves a count that conditions depend on"),
        _table("WAY_GROWER", (_number(growers, w.parent) for w in ways), "the grower that takes it, or -1"),
        _table("WAY_FOUNDER", rules, "number of the rule by which it founds a lesion, or -1"),
        _table("WAY_EXPORT", (int(k in met) for k in range(len(ways))), "1 where a grower meets it"),
        _table(
            "WAY_ROW",
            (-1 if w.parent is None else w.parent for w in ways),
            "state row of the cell that takes it",
        ),
        *_lists("MOVE", moves),
        *_lists("LIVE", [[(alive[s],) for s in w.live] for w in ways], ("CELL",)),
        *_lists("GAIN", [list(w.gains) for w in ways]),
        f"PLAINS = {len(plain)}",
        _table("PLAIN_ROW", plain, "state row of each plain species"),
        _table("MORTAL", (int(_dies(lineage, s)) for s in plain), "1 where a cell can die without a trace"),
        *_lists("STEP_OF", [[(k,) for k in mine] for mine in own], ("WAY",)),
        *_lists("GOAL", [[(g,) for g in goal] for goal in goals], ("NODE",)),
        f"NODES = {len(nodes)}",
        _table("LOW", lineage.block, "of each node: the first node of its block"),
        _table("HIGH", _ends_of_blocks(lineage.block), "one after the last node of its block"),
        _table("NODE_KIND", (kinds[n.kind] for n in nodes), "0 plain, 1 dead, 2 grower, 3 event"),
        _table(
            "NODE_WHAT", (_what(n, alive, plain) for n in nodes), "number of the species, or way of the event"
        ),
        *_lists("NODE_GAIN", [list(n.counted) for n in nodes]),
        f"EDGES = {len(lineage.edges)}",
        *_columns("EDGE", ("FROM", "TO", "WAY"), lineage.edges),
        f"LOSSES = {len(lineage.losses)}",
        *_columns("LOSS", ("NODE", "WAY"), lineage.losses),
        f"GROWERS = {len(growers)}",
        _table("GROWER_ROW", growers, "state row of each grower"),
        *_lists("BIRTH", [[(k,) for k in mine] for mine in births], ("WAY",)),
        *_lists("DEATH", [[(k,) for k in mine] for mine in deaths], ("WAY",)),
        *_lists("EXPORT", [[(k,) for k in lineage.exports(g)] for g in growers], ("WAY",)),
        f"SOURCES = {len(quick)}",
        _table("SOURCE_WAY", quick, "sources of one cell at a time"),
        _table("SOURCE_PLAIN", (_number(plain, cells[k]) for k in quick), "plain species of its cell, or -1"),
        _table("SOURCE_GROWER", (_number(growers, cells[k]) for k in quick), "its grower, or -1"),
        f"UNTRACED = {untraced}  # of them, those whose cells are counted although they are gone again",
        f"BURSTS = {len(sources) - len(quick)}",
        _table("BURST_WAY", (k for k in sources if k not in quick), "sources of several cells at a time"),
        f"WATCHED = {len(watched)}",
        _table("WATCHED_ROW", watched, "state rows of counts that conditions depend on"),
        _table("GROWER_WATCHED", map(int, seen), "1 where something that a grower meets moves one of them"),
        _table("REAL_ROW", reals, "state rows of pinned species"),
    ]


def _rule(layout: Layout, r: int) -> int:
    return next((layout.rule(c) for c in layout.founders if c.reaction == r), -1)


def _acknowledge(layout: Layout) -> str:
    lines = [f"w[SEEN_{c.name} + i] = w[X_{c.name} + i]" for c in layout.founders]
    return _function("acknowledge", "All lesions of lane i that were founded so far are in its log.", lines)


def _number(kind: list[int], s: int | None) -> int:
    return kind.index(s) if s is not None and s in kind else -1


def _dies(lineage: Lineage, s: int) -> bool:
    return bool({a for a, _ in lineage.losses} & set(lineage.ends(lineage.start(s))))


def _flags(lineage: Lineage, reals: list[int]) -> list[str]:
    layout = lineage.layout
    pinned = {layout.species[s] for s in reals} | {"t"}
    moving = any(names(w.each) & pinned for w in lineage.ways)
    frozen = any(w.frozen for w in lineage.ways)
    flows = [layout.rates[r] for r in _flowing(layout, reals)]
    guarded = bool(layout.watched) or bool(layout.conditions) or bool(layout.founders)
    bursting = any(
        w.kind == "source" and len(w.live) + layout.founds(w.reaction) > 1 for w in lineage.ways
    )
    exporting = any(lineage.exports(g) for g in lineage.growers)
    fed = any(names(e) & (set(layout.species) - pinned) for e in flows)
    simple = not (moving or frozen or fed or reals or exporting or guarded)
    return [
        f"MOVING = {moving}  # a rate for each cell, or a source, changes with time or a pinned species",
        f"BENDING = {any(names(w.each) & pinned for w in lineage.ways if w.parent is not None)}  # not only a source",
        f"FROZEN = {frozen or fed}  # rates, or pinned species, depend on counts",
        f"REALS = {len(reals)}  # pinned state rows",
        f"PINNING = {bool(reals)}  # there are some",
        f"EXPORTING = {exporting}  # a cell that divides can meet something else",
        f"BURSTING = {bursting}  # a source sends several cells",
        f"FOUNDING = {bool(layout.founders)}  # a reaction founds lesions",
        f"SIMPLE = {simple}  # every step goes from stop to stop",
    ]


def _flowing(layout: Layout, reals: Iterable[int]) -> list[int]:
    return [r for r in range(len(layout.rates)) if set(layout.change(r)) & set(reals)]


def _ends_of_blocks(block: Sequence[int]) -> list[int]:
    last = {first: at for at, first in enumerate(block)}
    return [last[first] + 1 for first in block]


def _what(node: Node, alive: dict[int, int], plain: list[int]) -> int:
    if node.kind == "grower":
        return alive[node.what] - len(plain)
    return alive[node.what] if node.kind == "plain" else node.what


def _table(name: str, values: Iterable[int], doc: str = "") -> str:
    """A table: an array, for a tuple indexed at run time is a branch for each of its items."""
    return f"{name} = np.array([{', '.join(map(str, values))}], np.int64)" + (f"  # {doc}" if doc else "")


def _columns(name: str, parts: tuple[str, ...], table: Sequence[tuple[int, ...]]) -> list[str]:
    return [_table(f"{name}_{part}", (line[at] for line in table)) for at, part in enumerate(parts)]


def _lists(
    name: str, table: Sequence[Sequence[tuple[int, ...]]], parts: tuple[str, ...] = ("ROW", "STEP")
) -> list[str]:
    """Lists of different lengths: where each begins (and the last ends), and their columns one after the other."""
    starts = [0]
    for line in table:
        starts.append(starts[-1] + len(line))
    return [_table(f"{name}_AT", starts), *_columns(name, parts, [item for line in table for item in line])]


def _forces(lineage: Lineage, reals: list[int]) -> str:
    """All rates, and again those alone that change along a step in which counts stand still."""
    doc = "Rates for each cell of lane i at AT, 1/d."
    everything = _rates(lineage, reals, range(len(lineage.ways)), "forces", doc)
    doc = "Those of them that change with time or a pinned species."
    return everything + "\n\n\n" + _rates(lineage, reals, _movers(lineage, reals), "movers", doc)


def _movers(lineage: Lineage, reals: list[int]) -> list[int]:
    pinned = {lineage.layout.species[s] for s in reals} | {"t"}
    return [k for k, way in enumerate(lineage.ways) if names(way.each) & pinned]


def _rates(lineage: Lineage, reals: list[int], which: Iterable[int], name: str, doc: str) -> str:
    layout = lineage.layout
    chosen = [(k, lineage.ways[k]) for k in which]
    body = Body(_symbol(layout, reals), [way.each for _, way in chosen])
    for k, way in chosen:
        reaction = layout.network.reactions[way.reaction]
        value = body.value(way.each)
        body.lines.append(f"w[FORCE_{k} + i] = {value}  # {way.kind} {reaction.name}: {prose(reaction.equation)}")
    timed = ["t = w[AT + i]"] if any("t" in names(way.each) for _, way in chosen) else []
    return _function(name, doc, [*timed, *body.lines])


def _flow(layout: Layout, reals: list[int]) -> str:
    flowing = _flowing(layout, reals)
    rates: list[Expr] = [layout.rates[r] for r in flowing]
    body = Body(_symbol(layout, reals), rates)
    lines: dict[int, list[str]] = {s: [] for s in reals}
    for r, rate in zip(flowing, rates, strict=True):
        value = body.value(rate)
        body.lines.append(f"r{r}__ = {value}")
        for s, change in layout.change(r).items():
            if s in lines:
                lines[s].append(f"{float(change)!r} * r{r}__")
    body.lines += [
        f"w[D_{layout.species[s]} + i] = " + (" + ".join(terms) or "0.0") for s, terms in lines.items()
    ]
    timed = ["t = w[AT + i]"] if any("t" in names(rate) for rate in rates) else []
    return _function("flow", "Derivatives of the pinned species of lane i at AT.", [*timed, *body.lines])


def _would(layout: Layout) -> str:
    """The guard, asked of a state that may never come about: nothing is released."""
    lines = stops.guard(layout, founders=False).split("\n")
    kept = [line for line in lines[3:] if not line.lstrip().startswith("w[HELD_")]
    doc = '    """1.0 where a condition would become true in the state of lane i, in X for once."""'
    return "\n".join(["@block", "def would(w, i, t):", doc, *kept])


def _symbol(layout: Layout, reals: list[int]):  # type: ignore[no-untyped-def]
    pinned = {layout.species[s] for s in reals}
    return lambda name: f"w[Y_{name} + i]" if name in pinned else layout.symbol(name)


def _function(name: str, doc: str, lines: list[str]) -> str:
    body = "\n".join("    " + line for line in [f'"""{doc}"""', *(lines or ["pass"])])
    return f"@block\ndef {name}(w, i):\n{body}"
