"""What trajectories of very different length cost."""

from __future__ import annotations

from typing import Any

ROUNDS = 7


def measure() -> list[dict[str, Any]]:
    """Rows of `scaling.py tails`."""
    from scaling import tails

    return tails(ROUNDS)


def lines(record: dict[str, Any]) -> list[str]:
    """The table."""
    out = [
        "| trajectories | an event, all of one length | lengths lognormal, sigma 1.5 | more |",
        "|---|---|---|---|",
    ]
    for row in record["found"]:
        count = f"{row['trajectories']:,}".replace(",", " ")
        more = row["tailed"] / row["even"] - 1.0
        out.append(f"| {count} | {row['even']:.2f} ns | {row['tailed']:.2f} ns | {more:+.0%} |")
    told = "`python benchmarks/scaling.py tails`: the exact process of `birth_death_immigration`, one thread."
    return [*out, "", told]
