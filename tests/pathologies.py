"""Models that go wrong, on every solver, in plain Python: `python tests/pathologies.py [METHOD ...]` shows their ends.

One network holds all cases, which differ in numbers, so that each solver is linked once and nothing is compiled.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ctcdyn.codegen.kernel import link
from ctcdyn.model.network import Network
from drive import Drive
from instances import SOLVERS, semantics
from networks import network

EACH, LANES = 2, 4
TIMES = [0.0, 0.9, 1.5, 1.99, 3.0]
CASES: dict[str, dict[str, float]] = {
    "nothing at all": {},
    "nothing happens": {"x__initial": 5.0},
    "extinction": {"x__initial": 3.0, "death": 20.0},
    "absorption": {"x__initial": 12.0, "turn": 20.0},
    "supply for a day": {"supply": 40.0, "death": 20.0},
    "explosion": {"x__initial": 4000.0, "runaway": 1.0},
    "a rate that jumps to and fro": {"z__initial": 30.0, "gap": 100.0},
    "no number": {"x__initial": 5.0, "supply": np.nan},
    "an infinite rate": {"x__initial": 5.0, "supply": np.inf},
    "a negative rate": {"x__initial": 5.0, "supply": -3.0},
}
ASKED = sorted(set().union(*CASES.values()))


REFUSED = "first_order_leap"  # where a rate jumps with a count


def frail(jumps: bool = True) -> Network:
    """Cells whose births may run away, whose supply begins and ends at once, and which may turn into idle ones; others
    that die, and are replaced as long as there are fewer than twenty."""
    return network(
        "frail", {"x": 0.0, "y": 0.0, "z": 0.0}, {"runaway": 0.0, "death": 0.0, "supply": 0.0, "turn": 0.0, "gap": 0.0},
        {
            "divide": ("x -> 2 x", "runaway * x"), "die": ("x ->", "death"),
            "come": ("-> x", "supply * step(t - 1) * step(2 - t)"), "turn": ("x -> y", "turn"),
            "fill": ("-> z", "gap * where(z < 20, 1, 0)" if jumps else "gap"), "fade": ("z ->", "1"),
        },
    )  # fmt: skip


def ends(method: str) -> dict[str, dict[str, Any]]:
    """By case: statuses of its trajectories, and saved counts of x, y and z (None where there is none)."""
    net = frail(method != REFUSED)
    module = link(net, method, width=LANES).compile().module
    columns = {q: np.repeat([case.get(q, 0.0) for case in CASES.values()], EACH) for q in ASKED}
    run = Drive(module, net, TIMES, count=EACH * len(CASES), seed=1, values=columns, max_events=300,
                max_steps=500 if semantics(method) == "ode" else 120,
                longest_step=0.05 if semantics(method) == "langevin" else np.inf)  # fmt: skip
    module.POLL = 16  # caps are looked at every so many sweeps
    run.go()
    found = {}
    for k, name in enumerate(CASES):
        rows = slice(k * EACH, (k + 1) * EACH)
        state = np.where(np.isnan(run.state[rows]), None, run.state[rows])
        found[name] = {"status": run.status[rows].tolist(), "state": state.tolist()}
    return found


def in_plain_python(methods: list[str], timeout: float) -> dict[str, dict[str, dict[str, Any]]]:
    """`ends` of these methods in a process that compiles nothing."""
    words = [sys.executable, str(Path(__file__)), *methods]
    done = subprocess.run(words, env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True,
                          timeout=timeout, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, dict[str, dict[str, Any]]] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        print(json.dumps({method: ends(method) for method in sys.argv[1:] or SOLVERS}))
