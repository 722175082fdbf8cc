"""The README's figures of speed: those of the kernels' record, in words."""

from __future__ import annotations

from typing import Any

OF = "kernels"
WANTED = ("direct plain ctcdyn", "ode dense ctcdyn", "langevin numba ctcdyn", "leap direct ctcdyn")


def lines(record: dict[str, Any]) -> list[str]:
    """A list."""
    from sections.kernels import each, nanoseconds

    known = {row["command"]: row for row in record["found"]}
    out = [
        "CPU time of one core, medians of interleaved pairs with their 95 % intervals, each answer checked first:",
        "",
    ]
    for command in WANTED:
        row = known[command]
        span = f"{row['low']:.3g} to {row['high']:.3g}, {row['pairs']} pairs"
        took = f"{nanoseconds(row['ns'][0])} {each(row['unit'])}"
        out.append(f"- {row['what']}: {took}, **{row['ratio']:.3g} times** as fast as {row['beside']} ({span})")
    return out
