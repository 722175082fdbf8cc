"""Where the time of an event and a step goes."""

from __future__ import annotations

from typing import Any

ROUNDS = 9


def measure() -> dict[str, Any]:
    """What `spent.py` finds."""
    import spent

    return spent.spent(ROUNDS)


def lines(record: dict[str, Any]) -> list[str]:
    """The table."""
    found = record["found"]
    ghz = found["ghz"]
    head = ["kernel", "a unit of work", "by the clock", "cycles", "the lane loop: instructions a unit"]
    head += ["packed arithmetic, of it divisions and roots", "lanes a register", "least cycles a unit, by ports"]
    out = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in found["rows"]:
        lanes = row["lanes"]
        least = "" if row["least"] is None else f"{row['least'] / lanes:.1f}"
        cells = [row["name"], row["unit"], f"{row['ns']:.3g} ns", f"{row['ns'] * ghz:.1f}"]
        cells += [f"{row['instructions'] / lanes:.1f}", f"{row['packed'] / lanes:.1f}, {row['slow'] / lanes:.2g}"]
        cells += [str(lanes), least]
        out.append(f"| {' | '.join(cells)} |")
    told = f"`python benchmarks/spent.py`, at {ghz:.2f} GHz by a chain of dependent operations; ports by llvm-mca."
    return [*out, "", told]
