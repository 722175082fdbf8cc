"""Calls of `Model.simulate` in a loop."""

from __future__ import annotations

from typing import Any

CALLS = 10_000


def measure() -> list[dict[str, Any]]:
    """Rows of `calling.py`, each in a process of its own, so that memory is its own."""
    import json
    import subprocess
    import sys
    from pathlib import Path

    from calling import CASES

    folder = str(Path(__file__).parents[1])
    rows = []
    for k in range(len(CASES)):
        program = f"import json, calling; print(json.dumps(calling.measured(calling.CASES[{k}], {CALLS})))"
        done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout))
    return rows


def lines(record: dict[str, Any]) -> list[str]:
    """The table."""
    out = ["| a call, other parameters than in the last one | CPU | memory at call 100 | at the end |"]
    out.append("|---|---|---|---|")
    for row in record["found"]:
        what = f"`{row['model']}`, `{row['method']}`, n = {row['n']}, {row['saves']} times"
        out.append(f"| {what} | {row['ms']:.2f} ms | {row['before']:.1f} MiB | {row['after']:.1f} MiB |")
    calls = record["found"][0]["calls"]
    told = f"`python benchmarks/calling.py`, {calls} calls in one thread; nothing is compiled after the first."
    return [*out, "", told]
