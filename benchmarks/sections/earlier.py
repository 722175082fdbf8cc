"""Figures of other days, as they were written down then: nothing here is measured again."""

from __future__ import annotations

from typing import Any


def lines(record: dict[str, Any]) -> list[str]:
    """The tables."""
    found = record["found"]
    out = ["| what | figure | command |", "|---|---|---|"]
    out += [f"| {' | '.join(row)} |" for row in found["rows"]]
    out += [
        "",
        "A call of `Model.simulate` beside its kernel, before and after 2026-11-27 (CPU, 9 batches):",
        "",
    ]
    out += ["| what | before | now |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in found["calls"])]
    out += ["", "1e5 calls with other parameters each (2026-11-27):", ""]
    out += ["| what | CPU | a call | memory at call 100 and at the end |", "|---|---|---|---|"]
    return [*out, *(f"| {' | '.join(row)} |" for row in found["many"])]
