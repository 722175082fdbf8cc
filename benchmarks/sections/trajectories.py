"""Whether a trajectory costs the same in a study of any size."""

from __future__ import annotations

from typing import Any

MOST, ROUNDS = 10_000_000, 3


def measure() -> list[dict[str, Any]]:
    """Rows of `scaling.py trajectories`."""
    from scaling import trajectories

    return trajectories(MOST, ROUNDS)


def lines(record: dict[str, Any]) -> list[str]:
    """The table."""
    rows = record["found"]
    base = next(row["run"] for row in rows if row["trajectories"] == 10_000)
    out = ["| trajectories | CPU of one, run | beside 10 000 | CPU of one, writing the result |", "|---|---|---|---|"]
    for row in rows:
        count = f"{row['trajectories']:,}".replace(",", " ")
        out.append(f"| {count} | {row['run']:.3g} us | {row['run'] / base - 1.0:+.1%} | {row['assembly']:.3g} us |")
    told = "`python benchmarks/scaling.py trajectories`: the exact process of `birth_death_immigration`, 30 days, "
    told += 'three saves, `keep = "none"`, quantiles, one thread, from the first trajectory to the last commit. '
    told += "Writing the result is a process of its own, which also has to start, whatever the size."
    return [*out, "", told]
