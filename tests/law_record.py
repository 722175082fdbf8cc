"""Runs the long tests of laws, and writes down how they ended: `python tests/law_record.py [WORDS ...]`.

Each row of docs/record-laws.md is one of them; a row that is run again is replaced. WORDS choose rows whose names begin
with them. The seed of a row is a hash of its name: who runs it again gets the same figures.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

os.environ.setdefault("CTCDYN_CACHE", os.environ.get("CTCDYN_TEST_CACHE") or tempfile.mkdtemp(prefix="kernels"))

import draws
import logistics
import relapses
import stations
import wilds
from claims import FALSE_ALARM, Claim
from ctcdyn.preparation import versions

PAGE = Path(__file__).parents[1] / "docs" / "record-laws.md"
N = 100_000
HEAD = """# Record of laws

Written by `python tests/law_record.py`; the normal tests run short versions of most of it. A row names what was found
in n trajectories and what is exact, by which oracle. Where the method is exact for the model, or claims to differ by
less than can be seen, its test is a p-value, corrected for the number of figures in the row, and the row fails below
{alarm:g}: that is its false-alarm rate, declared before it was run. Where the method is an approximation the test is
the largest distance between the two distribution functions, the distance that is allowed (no claim: a figure to know),
and what sampling alone may add at the same rate. Seeds are hashes of the names of rows, so that each can be had again.
CPU seconds are of the whole row with its oracle, and with compilation where the kernel was new.

| what, method | n | seed | found | exact | oracle | test | outcome | CPU s | when, machine |
|---|---|---|---|---|---|---|---|---|---|
"""
Row = Callable[[int], Claim]
SCHLOEGL: list[tuple[str, float | None, dict[str, object]]] = [
    ("direct", 0.0, {}),
    ("tau_leap, epsilon 0.03", 0.02, {"epsilon": 0.03}),
    ("tau_leap, epsilon 0.01", 0.01, {"epsilon": 0.01}),
    ("hybrid, thresholds above all counts", 0.0, {"switch": (5000.0, 5000.0)}),
    ("hybrid, thresholds 500 and 200", None, {"switch": (500.0, 200.0)}),
]
SIZES = [(d, t) for d in (10.0, 20.0, 30.0) for t in (20.0, 51.7)]


def generated(method: str, _seed: int) -> Claim:
    """A thousand networks, four side by side in each kernel, in plain Python."""
    seen: Counter[str] = Counter()
    for first in range(0, 1000 // wilds.BLOCK, 25):
        found = wilds.in_plain_python(method, first, 25, timeout=1500.0)
        seen += Counter({k: int(v) for k, v in found.items() if not k.startswith("slowest")})
    told = ", ".join(f"{what}: {number}" for what, number in sorted(seen.items()))
    exact = "no count below zero, whole counts where discrete"
    return Claim(seen["networks"], told, exact, "every state after every sweep", "none", seen["networks"] == 1000)


ROWS: dict[str, Row] = {
    f"relapse by 2, 5, 10, 15, 20 years after resection at {d:g} mm, metastases double in {t:g} days, first_order_leap":
    partial(lambda d, t, seed: relapses.human_table("first_order_leap", d, t, N, seed), d, t)
    for d, t in SIZES
}  # fmt: skip
ROWS |= {
    "relapse by 2, 5, 10, 15, 20 years after resection at 20 mm, metastases double in 51.7 days, hybrid":
        lambda seed: relapses.human_table("hybrid", 20.0, 51.7, 20_000, seed),
    "thinned stream of the human model in law of the relapse time, first_order_leap":
        lambda seed: relapses.human_thinned(N // 4, seed),
    **{f"clearance of {k:g} a day: law and steps, first_order_leap":
        partial(lambda k, seed: relapses.human_clearance(k, N // 4, seed), k) for k in (600.0, 1440.0)},
    "draws and steps at clearances of 36, 600, 1440 a day, first_order_leap": draws.by_clearance,
    **{f"toy set, no relapse by day 5, 10, 20, 40, 80, {m}":
        partial(lambda m, seed: relapses.toy_table(m, N, seed), m)
        for m in ("first_order_leap", "direct", "next_reaction", "hybrid", "tau_leap")},
    **{f"toy set, thinned stream in law of the relapse time, {m}":
        partial(lambda m, seed: relapses.toy_thinned(m, N, seed), m) for m in ("first_order_leap", "direct")},
    **{f"mutants of Luria and Delbrueck, {m}": partial(lambda m, seed: stations.mutants(m, N, seed), m)
       for m in ("direct", "first_order_leap")},
    **{f"Schloegl at day 4, {m}":
        partial(lambda m, a, more, seed: stations.two_stations(m, N, seed, a, **more), m.split(",")[0], a, more)
       for m, a, more in SCHLOEGL},
    **{f"telegraph at day 3, 20 made a day, {m}": partial(lambda m, seed: stations.on_and_off(m, 20.0, N, seed), m)
       for m in ("direct", "first_order_leap", "tau_leap", "hybrid")},
    "telegraph at day 3, 2000 made a day, hybrid, thresholds 500 and 200":
        lambda seed: stations.on_and_off("hybrid", 2000.0, N, seed, 0.02),
    "telegraph at day 3, 2000 made a day, first_order_leap":
        lambda seed: stations.on_and_off("first_order_leap", 2000.0, N, seed),
    "logistic growth, weak order, first_order_leap":
        lambda seed: logistics.order([4, 8, 16, 32], [N, 3 * N, 10 * N, 20 * N], seed),
    **{f"1000 generated networks in plain Python, {m}": partial(generated, m) for m in wilds.METHODS},
}  # fmt: skip


def record(name: str) -> bool:
    """Run one row and write it; whether it held."""
    seed = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=6).digest(), "big")
    began = sum(os.times()[:4])
    try:
        claim = ROWS[name](seed)
    except AssertionError:
        traceback.print_exc()
        said = traceback.format_exc(limit=-1).strip().splitlines()[-1][:300]
        claim = Claim(0, said, "", "", "", False)
    outcome = "FAILED" if claim.held is False else "held" if claim.held else "no claim"
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {versions()['cpu_name']}"
    cells = (name, str(claim.n), str(seed), claim.found, claim.exact, claim.oracle, claim.test, outcome,
             f"{sum(os.times()[:4]) - began:.0f}", when)  # fmt: skip
    write("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    print(*cells, sep=" | ", flush=True)
    return claim.held is not False


def write(row: str) -> None:
    """Put a row in its place on the page."""
    with PAGE.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # two of this program may run at once
        file.seek(0)
        rows = {line.split(" | ")[0]: line for line in file.read().splitlines() if line.count(" | ") > 5}
        rows[row.split(" | ")[0]] = row
        order = [rows[f"| {name}"] for name in ROWS if f"| {name}" in rows]
        file.truncate(0)
        file.write(HEAD.format(alarm=FALSE_ALARM) + "\n".join(order) + "\n")


if __name__ == "__main__":
    words = sys.argv[1:] or [""]
    chosen = [name for name in ROWS if any(name.startswith(word) for word in words)]
    if not chosen:
        sys.exit(f"no such row; there are: {'; '.join(ROWS)}")
    went_well = [record(name) for name in chosen]
    sys.exit(not all(went_well))
