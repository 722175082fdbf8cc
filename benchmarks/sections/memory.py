"""Peak memory of a run and of the process that writes its result."""

from __future__ import annotations

from typing import Any

COUNTS = (100_000, 1_000_000, 10_000_000)


def measure() -> list[dict[str, Any]]:
    """A row for each number of trajectories, MiB."""
    from keeping import memory

    return [
        {"trajectories": count} | {key: round(size, 1) for key, size in peak.items()}
        for count, peak in memory(list(COUNTS)).items()
    ]


def lines(record: dict[str, Any]) -> list[str]:
    """The table."""
    out = ["| trajectories | the run | the process that writes the result |", "|---|---|---|"]
    for row in record["found"]:
        count = f"{row['trajectories']:,}".replace(",", " ")
        out.append(f"| {count} | {row['run']:.0f} MiB | {row['assembly']:.0f} MiB |")
    counts = " ".join(f"{row['trajectories']:_}" for row in record["found"])
    told = f"`python benchmarks/keeping.py memory {counts}`: `birth_death_immigration`, 3 saves, "
    told += '`keep = "none"`, quantiles, two threads, kernel in the cache.'
    return [*out, "", told]
