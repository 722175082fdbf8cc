"""What keeping every path costs, and how fast paths go to the disk."""

from __future__ import annotations

from typing import Any

CASES = (  # what it is called, pairs, compression, save times
    ("366 saves, uncompressed", 9, "none", "10 days"),
    ("37 saves, uncompressed", 5, "none", "100 days"),
    ("366 saves, gzip", 5, "gzip", "10 days"),
)


def measure() -> list[dict[str, Any]]:
    """A row for each case of `keeping.py cpu`."""
    import statistics

    from keeping import cpu, overhead

    rows = []
    for what, pairs, compression, saves in CASES:
        found = cpu(pairs, compression, saves)
        middle, low, high = overhead(found)
        size = found[0][1]["bytes"]
        more = statistics.median(kept["cpu"] - none["cpu"] for none, kept in found)
        rows.append({
            "what": what, "pairs": pairs, "ratio": round(middle, 3), "low": round(low, 3), "high": round(high, 3),
            "bytes": size, "cpu": round(statistics.median(kept["cpu"] for _, kept in found), 3), "more": round(more, 3),
        })  # fmt: skip
    return rows


def lines(record: dict[str, Any]) -> list[str]:
    """The table."""
    head = [
        "60 000 draws of `ctc_five`, every path kept in single precision",
        'CPU beside `keep = "none"`',
        "written",
    ]
    head += ["a CPU second, in all", "a CPU second more than without"]
    out = [f"| {' | '.join(head)} |", "|---|---|---|---|---|"]
    for row in record["found"]:
        times = f"**{row['ratio']:.2f} times** ({row['low']:.2f} to {row['high']:.2f}, {row['pairs']} pairs)"
        rate, alone = (
            f"{row['bytes'] / row[key] / 1e6:.0f} MB" if row[key] > 0.05 else "too little to tell"
            for key in ("cpu", "more")
        )
        out.append(f"| {row['what']} | {times} | {row['bytes'] / 1e6:.0f} MB | {rate} | {alone} |")
    return [*out, "", "`python benchmarks/keeping.py cpu`, CPU of the run in one thread until its last commit."]
