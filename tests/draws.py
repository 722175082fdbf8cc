"""How many draws first_order_leap makes, counted in plain Python: `python tests/draws.py` prints them by clearance.

Cells of the toy set live in the blood for minutes instead of half a day, with the same chance to leave it alive.
Nothing is detected, so that no step ends at a detection.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from claims import Claim
from ctcdyn.codegen.kernel import link
from drive import Drive
from networks import relapse

CLEARANCES = (36.0, 600.0, 1440.0)
COUNT, LANES = 200, 8


def counted() -> dict[str, list[float]]:
    """(steps, pairs of draws) of a trajectory on average, at each clearance."""
    module = link(relapse(), "first_order_leap", width=LANES).compile().module
    draw, calls = module.two_draws, [0]

    def two_draws(*where: Any) -> Any:
        calls[0] += 1
        return draw(*where)

    module.two_draws = two_draws
    found = {}
    for k in CLEARANCES:
        values = {"k_ext": 0.25 * k, "d_B": 0.75 * k, "eta": 0.0}
        calls[0] = 0
        run = Drive(module, relapse(), [0.0, 5.0, 10.0, 20.0, 40.0], count=COUNT, seed=1, values=values).go()
        assert (run.status == 0).all()
        found[f"{k:g}"] = [float(run.work.mean()), calls[0] / COUNT]
    return found


def in_plain_python() -> dict[str, list[float]]:
    words = [sys.executable, str(Path(__file__))]
    done = subprocess.run(words, env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True,
                          timeout=600, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def by_clearance(_seed: int) -> Claim:
    """A row of the record: the largest of three over the smallest, of steps and of draws."""
    found = in_plain_python()
    steps, drawn = np.array(list(found.values())).T
    told = "; ".join(f"{k} /day: {s:.2f} steps, {d:.1f} pairs of draws" for k, (s, d) in found.items())
    ratios = [float(x.max() / x.min()) for x in (steps, drawn)]
    test = f"largest over smallest {ratios[0]:.3f}, {ratios[1]:.3f}"
    return Claim(COUNT, told, "as many at each", "calls counted", test, max(ratios) < 1.1)


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        print(json.dumps(counted()))
