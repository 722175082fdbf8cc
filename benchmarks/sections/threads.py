"""What a second core gives, for every solver."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROUNDS, THREADS = 7, 2


def measure() -> list[dict[str, Any]]:
    """Rows of `scaling.py threads`."""
    from scaling import threads

    return threads(ROUNDS, THREADS, [])


def lines(record: dict[str, Any]) -> list[str]:
    """The table, controls first."""
    out = ["| work | one thread / two threads, wall (range) | in units of the packed control | threads at work |",
           "|---|---|---|---|"]  # fmt: skip
    for row in record["found"]:
        name = row["name"] if row["name"].startswith("control") else f"`{row['name']}`"
        span = f"{row['low']:.2f} to {row['high']:.2f}"
        out.append(f"| {name} | {row['speedup']:.2f} ({span}) | {row['to_control']:.2f} | {row['busy']:.0%} |")
    rounds = record["found"][0]["rounds"]
    return [*out, "", f"`python benchmarks/scaling.py threads`, medians of {rounds} rounds."]


def picture(record: dict[str, Any], path: Path) -> None:
    """Speed-up of each, with the range of its rounds."""
    from matplotlib.figure import Figure

    rows = record["found"][::-1]
    figure = Figure(figsize=(7.5, 0.3 * len(rows) + 0.9), layout="constrained")
    axes = figure.subplots()
    middle = [row["speedup"] for row in rows]
    error = [[r["speedup"] - r["low"] for r in rows], [r["high"] - r["speedup"] for r in rows]]
    colours = ["#bbbbbb" if row["name"].startswith("control") else "#4477aa" for row in rows]
    axes.barh(range(len(rows)), middle, xerr=error, color=colours, height=0.6, error_kw={"lw": 1})
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axes.axvline(1.9, color="0.4", lw=1, ls=":")
    axes.set(xlabel="wall time in one thread / in two", xlim=(0.0, None))
    figure.savefig(path, metadata={"Date": None})
