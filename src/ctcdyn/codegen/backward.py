"""Algebra of backward equations: drift and Jacobian of the rows that go back, the path that a lane went, what was in
force on it, and where chances stand.

`look(w)` puts pinned species and their slopes at the time AT of each lane that goes back into the rows PATHED and
SLOPED, from the polynomials of degree 4 of the steps forward, in PATH. `note(w, i, at)` writes what is in force in lane
i, and `recall(w, i, at)` puts it back: parameters that treatments scale, coefficients, switches. `chances` makes the
equations.
"""

from __future__ import annotations

from ctcdyn.codegen.drift import both, drift_of
from ctcdyn.codegen.effects import scaled
from ctcdyn.codegen.jacobian import along_time, matrix
from ctcdyn.codegen.layout import Layout, path_of, row, slope_of
from ctcdyn.codegen.rows import Rows
from ctcdyn.codegen.stops import first_time

SEGMENTS = 4096  # steps of the way forward that a lane can keep
MARKS = 1024  # stops at which something changed
APART = 72  # doubles between the rooms of two lanes, so that they do not compete for the same lines of the cache


def write(layout: Layout, rows: Rows) -> dict[str, str]:
    """Parts `ways_back` (tables), `look`, `note`, `armed`, and drift, Jacobian, its factors of the equations, each with
    `_back` behind its name; rows and rooms of the path."""
    paths, chances, over = layout.paths, layout.chances, range(layout.means, len(layout.species))
    rows.block("1 while the lane goes back", ["RETURNING"])
    matrices = matrix(layout, rows, over, "_back")[0]
    rows.block("pinned species along the path", [row(path_of(s)) for s in paths], "PATHED")
    rows.block("their derivatives by time", [row(slope_of(s)) for s in paths], "SLOPED")
    rows.block("the segment of the path that the lane is in", ["SEGMENT"])
    starts = _starts(layout)
    cells = sorted({s for _, s, _ in starts})
    rows.block("cells at the start", [f"BORN_{layout.species[s]}" for s in cells], "BORN")
    track = SEGMENTS * (2 + 5 * len(paths)) + APART if paths else 0
    rows.room("PATH", track, "of segments: begin, 1/length, polynomials")
    force = _in_force(layout, rows)
    record = MARKS * (1 + len(force)) + APART if chances else 0
    rows.room("FORCES", record, "of marks: time, what is in force from it on")
    return {
        "ways_back": "\n".join(_tables(layout, cells, starts, len(force), track, record)),
        "look": _look(paths),
        "note": _notes(force),
        "armed": _armed(layout),
        "drift_back": drift_of(layout, over, "_back"),
        **matrices,
        "time_derivative_back": _along_time(layout, over),
    }


def _along_time(layout: Layout, over: range) -> str:
    if layout.timed and layout.chances:
        return along_time(layout, over, "_back")
    return both("time_derivative_back", "Nothing depends on time.", ["pass"])


def _starts(layout: Layout) -> list[tuple[int, int, int]]:
    """(event, state row of a species, state row of the chance of one cell of it or -1 where it is the event itself)."""
    first = layout.means
    found: list[tuple[int, int, int]] = []
    events = [str(o.options["event"]) for o in layout.chances if "cell" not in o.options]
    for at, o in enumerate(layout.chances):
        event = events.index(str(o.options["event"]))
        if "cell" in o.options:
            found.append((event, _whole(o.options["row"]), first + at))
        else:
            targets = o.options["targets"]
            assert isinstance(targets, tuple)
            found += [(event, s, -1) for s in targets if s < len(layout.network.species)]
    return found


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value


def _real(value: object) -> float:
    assert isinstance(value, float)
    return value


def _in_force(layout: Layout, rows: Rows) -> list[str]:
    """Rows that a stop can change and a rate can read."""
    if not layout.chances:
        return []
    names = [f"Q_{layout.network.parameters[q].name}" for q in scaled(layout)]
    derived = [f"Q_{p.name}" for p in layout.network.parameters if p.expr is not None]
    coefficients = [row(name) for name in (*layout.coefficients.values(), *layout.switches.values())]
    return list(dict.fromkeys(name for name in (*names, *derived, *coefficients) if name in rows.index))


def _tables(
    layout: Layout, cells: list[int], starts: list[tuple[int, int, int]], force: int, track: int, record: int
) -> list[str]:
    first = layout.means
    own = [(first + at, o) for at, o in enumerate(layout.chances) if "cell" not in o.options]
    events = [at for at, _ in own]
    begins = [_real(o.options.get("from", 0.0)) for o in layout.chances]
    pinned = [layout.network.index(name) for name in layout.paths]
    return [
        f"MEANS = {first}  # state rows that move forward; behind them those that move back",
        f"BACK = {len(layout.chances)}  # of these",
        f"CHANCES = {len(events)}",
        _table("CHANCE_ROW", events, "state rows of the integral of source times chance, then of P(event)"),
        _table("CHANCE_GONE", [int(bool(o.options["gone"])) for _, o in own], "1 where it waits until none is left"),
        f"BEGINS = np.array({begins!r}, np.float64)  # of each row that moves back: its value at the save",
        f"PATHS = {len(pinned)}",
        _table("PATH_ROW", pinned, "state rows of pinned species"),
        f"SEGMENTS = {SEGMENTS}",
        f"PIECE = {2 + 5 * len(pinned)}  # doubles of a segment",
        f"TRACK = {track}  # doubles of the path of a lane",
        f"MARKS = {MARKS}",
        f"MARK = {1 + force}  # doubles of a mark",
        f"RECORD = {record}  # doubles of all marks of a lane",
        f"CELLS = {len(cells)}",
        _table("CELL_ROW", cells, "state rows of species that count at the start"),
        f"STARTS = {len(starts)}",
        _table("START_EVENT", [event for event, _, _ in starts], "number of the event"),
        _table("START_CELL", [cells.index(s) for _, s, _ in starts], "number of the species"),
        _table("START_CHANCE", [at for _, _, at in starts], "row of the chance of one cell; -1: it is the event"),
    ]


def _table(name: str, values: list[int], doc: str) -> str:
    return f"{name} = np.array([{', '.join(map(str, values))}], np.int64)  # {doc}"


def _look(paths: list[str]) -> str:
    lines = [
        "@block",
        "def look(w):",
        '    """Pinned species and their slopes at AT, in lanes that go back."""',
        "    for i in range(W):",
        "        if w[RETURNING + i] > 0.0:",
    ]
    if not paths:
        return "\n".join([*lines, "            w[SEGMENT + i] = 0.0"])
    lines += [
        "            t = w[AT + i]",
        "            first = PATH + i * TRACK",
        "            at = first + int64(w[SEGMENT + i]) * PIECE",
        "            while at > first and w[at] > t:",
        "                at -= PIECE",
        "            pace = w[at + 1]",
        "            x = (t - w[at]) * pace",
    ]
    for k, name in enumerate(paths):
        o = 2 + 5 * k
        lines += [
            f"            p1 = w[at + {o + 1}]",
            f"            p2 = w[at + {o + 2}]",
            f"            p3 = w[at + {o + 3}]",
            f"            p4 = w[at + {o + 4}]",
            f"            w[{row(path_of(name))} + i] = w[at + {o}] + x * (p1 + x * (p2 + x * (p3 + x * p4)))",
            "            slope = p1 + x * (2.0 * p2 + x * (3.0 * p3 + x * (4.0 * p4)))",
            f"            w[{row(slope_of(name))} + i] = pace * slope",
        ]
    return "\n".join(lines)


def _notes(force: list[str]) -> str:
    note = [f"    w[at + {k + 1}] = w[{name} + i]" for k, name in enumerate(force)] or ["    w[at] = w[at]"]
    back = [f"    w[{name} + i] = w[at + {k + 1}]" for k, name in enumerate(force)] or ["    w[at] = w[at]"]
    doc = '    """What is in force in lane i, to the mark at `at`."""'
    other = '    """What was in force from the mark at `at` on, in lane i again."""'
    lines = ["@block", "def note(w, i, at):", doc, *note, "", "", "@block", "def recall(w, i, at):", other, *back]
    return "\n".join(lines)


def _armed(layout: Layout) -> str:
    """Whether what an event waits for had come by t: before that it does not count."""
    lines = ["@block", "def armed(w, i, k, t):", '    """1.0 where event number k counts by time t in lane i."""']
    events = [o for o in layout.chances if "cell" not in o.options]
    for k, event in enumerate(events):
        names = event.options["armed"]
        assert isinstance(names, tuple)
        for name in names:
            lines += [f"    if k == {k} and not {first_time(layout, name)} <= t:", "        return 0.0"]
    return "\n".join([*lines, "    return 1.0"])
