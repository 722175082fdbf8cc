"""Kernels beside references that do the same work, in interleaved pairs, each answer checked first."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PAIRS = 9
ROWS = (
    ("direct", "plain", "ctcdyn", "exact jump process, `ctc_linear`, 100 days", "scalar C++ direct method, ziggurat"),
    ("direct", "unrolled", "ctcdyn", "the same", "scalar C++ written out for this model"),
    ("ode", "dense", "ctcdyn", "stiff ODE, `ctc_five`, 366 saves, error 1e-5", "scalar C++ Rodas4, general LU"),
    ("ode", "sparse", "ctcdyn", "the same", "scalar C++ Rodas4, eliminated by hand"),
    ("leap", "direct", "ctcdyn", "whole counts of `ctc_linear`, 100 daily saves, `first_order_leap`",
     "scalar C++, every event"),
    ("tau", "cpp", "ctcdyn", "tau-leaping of `ctc_linear`, shedding times 100", "scalar C++ with the same rule"),
    ("langevin", "numba", "ctcdyn", "Langevin, `ctc_linear`, eight noises a step", "scalar loop in numba, ziggurat"),
    ("langevin", "cpp", "ctcdyn", "the same", "scalar C++, polar method"),
)  # fmt: skip


def measure() -> list[dict[str, Any]]:
    """One row for each pair of programs: ns for a unit of work of both, the ratio and its 95 % interval."""
    import sys

    from paired import compare, report
    from programs import WORKLOADS, Program

    rows = []
    with TemporaryDirectory() as folder:
        made: dict[str, Any] = {}
        programs: dict[tuple[str, str], Program] = {}
        for workload, *names, what, beside in ROWS:
            if workload not in made:
                own = Path(folder, workload)
                own.mkdir()
                made[workload] = WORKLOADS[workload](own, sys.executable)
            for name in names:
                if (workload, name) not in programs:
                    programs[workload, name] = made[workload].program(name)
            first, second = (programs[workload, name] for name in names)
            found = compare(first, second, PAIRS)
            print(report(first, second, found, made[workload].unit), flush=True)
            low, high = found.interval()
            rows.append({
                "what": what, "beside": beside, "unit": made[workload].unit, "command": " ".join([workload, *names]),
                "ns": [float(f"{1e9 * _middle(times):.4g}") for times in (found.second, found.first)],
                "ratio": round(found.ratio, 3), "low": round(low, 3), "high": round(high, 3), "pairs": PAIRS,
                "checked": second.checked,
            })  # fmt: skip
    return rows


def _middle(times: Any) -> float:
    import numpy as np

    return float(np.median(times))


def lines(record: dict[str, Any]) -> list[str]:
    """The table."""
    out = ["| what | beside it | ctcdyn | the other | times as fast (95 %) | command |", "|---|---|---|---|---|---|"]
    for row in record["found"]:
        ours, theirs = (nanoseconds(ns) for ns in row["ns"])
        times = f"**{row['ratio']:.3g}** ({row['low']:.3g} to {row['high']:.3g})"
        command = f"`paired.py {row['command']}`"
        out.append(
            f"| {row['what']} | {row['beside']} | {ours} {each(row['unit'])} | {theirs} | {times} | {command} |"
        )
    pairs = min(row["pairs"] for row in record["found"])
    return [*out, "", f"CPU time, medians of {pairs} interleaved pairs or more; each answer is checked first."]


def each(unit: str) -> str:
    """ "a step", "an event"."""
    return f"an {unit}" if unit[0] in "aeiou" else f"a {unit}"


def nanoseconds(ns: float) -> str:
    """A time with three digits.

    >>> nanoseconds(3.694), nanoseconds(11_640.0), nanoseconds(8.48e6)
    ('3.69 ns', '11.6 us', '8.48 ms')
    """
    for unit in ("ns", "us", "ms"):
        if ns < 1000.0:
            return f"{ns:.3g} {unit}"
        ns /= 1000.0
    return f"{ns:.3g} s"


def picture(record: dict[str, Any], path: Path) -> None:
    """How many times as fast, with intervals."""
    from matplotlib.figure import Figure

    rows = record["found"][::-1]
    figure = Figure(figsize=(7.5, 0.42 * len(rows) + 0.9), layout="constrained")
    axes = figure.subplots()
    middle = [row["ratio"] for row in rows]
    error = [[r["ratio"] - r["low"] for r in rows], [r["high"] - r["ratio"] for r in rows]]
    axes.barh(range(len(rows)), middle, xerr=error, color="#4477aa", height=0.6, error_kw={"lw": 1})
    axes.set_yticks(range(len(rows)), [row["command"] for row in rows])
    axes.set(xscale="log", xlabel="times the CPU time of ctcdyn (log scale, 95 % intervals)", xlim=(0.8, None))
    axes.axvline(1.0, color="0.4", lw=1)
    figure.savefig(path, metadata={"Date": None})
