"""Logistic growth by first_order_leap with steps of a given length: its error in the mean, and the order of that.

The control of steps by how fast rates change is switched off in the text of the kernel, so that the step is what it is
told; the exact mean is that of the master equation. Errors of different steps are of independent trajectories.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import oracles
from claims import Claim, figures
from ctcdyn.codegen import cache
from ctcdyn.codegen.kernel import entries, link
from ctcdyn.model.network import Network
from drive import Drive
from networks import network

RATES = {"birth": 2.0, "death": 0.3, "room": 60.0}
START, DAYS = 10, 2.0
CONTROL = "DRIFTING, SHAKING = 0.05, 0.05"
Z = 4.0  # standard errors on either side of what is told: a false alarm of 6e-5


def logistic(size: int = 1) -> Network:
    """Births with a brake at 60 cells, or in a volume so many times as large."""
    return network(
        "logistic", {"x": float(START * size)}, RATES | {"room": RATES["room"] * size},
        {"divide": ("x -> 2 x", "birth * max(1 - x / room, 0)"), "die": ("x ->", "death")},
    )  # fmt: skip


def uncontrolled(width: int | None = None) -> Any:
    """The kernel, which takes any step."""
    text = link(logistic(), "first_order_leap", width=width).source
    assert text.count(CONTROL) == 1
    return cache.load(text.replace(CONTROL, "DRIFTING, SHAKING = 1e300, 1e300"), entries)


def exact_mean(size: int = 1) -> float:
    """By the master equation; nobody passes the number at which births end."""
    room = RATES["room"] * size

    def propensity(state: tuple[int, ...]) -> list[float]:
        (x,) = state
        return [RATES["birth"] * x * max(1.0 - x / room, 0.0), RATES["death"] * x]

    law, _ = oracles.master_equation([(1,), (-1,)], propensity, [START * size], [int(room) + 2], [DAYS])
    return float(law[0] @ np.arange(int(room) + 2))


def errors(
    module: Any, steps: Sequence[int], counts: Sequence[int], seed: int, size: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Error of the mean with so many steps, and its standard error."""
    truth, net, found = exact_mean(size), logistic(size), []
    for number, count in zip(steps, counts, strict=True):
        run = Drive(module, net, [0.0, DAYS], count=count, seed=seed + number, longest_step=DAYS / number).go()
        assert (run.work == number + 1).all()  # and one of no length, to the save at the start
        x = run.state[:, 1, 0]
        assert (x >= 0.0).all()
        found.append((x.mean() - truth, x.std() / np.sqrt(count)))
    return np.array([f[0] for f in found]), np.array([f[1] for f in found])


def slope(steps: Sequence[int], bias: np.ndarray, error: np.ndarray) -> tuple[float, float]:
    """Order by regression of log |bias| over log h, and its standard error."""
    x = -np.log(np.asarray(steps, dtype=float))
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    return float(weights @ np.log(np.abs(bias))), float(np.sqrt(((weights * error / bias) ** 2).sum()))


def in_plain_python(steps: Sequence[int], counts: Sequence[int], seed: int, size: int) -> tuple[Any, Any]:
    """`errors` in a process that compiles nothing."""
    words = [sys.executable, str(Path(__file__)), json.dumps([steps, counts, seed, size])]
    done = subprocess.run(words, env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True,
                          timeout=200.0, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    bias, error = json.loads(done.stdout)
    return np.array(bias), np.array(error)


def order(steps: Sequence[int], counts: Sequence[int], seed: int) -> Claim:
    """Weak order, of the mean: 2, by regression over the steps."""
    bias, error = errors(uncontrolled(), steps, counts, seed)
    found, spread = slope(steps, bias, error)
    words = ", ".join(f"{b:.4f} ± {e:.4f}" for b, e in zip(bias, error, strict=True))
    told = f"error of the mean with {', '.join(map(str, steps))} steps: {words}; order {found:.2f} ± {spread:.2f}"
    held = found - Z * spread > 1.0 and abs(found - 2.0) < 0.2 + Z * spread
    exact = f"mean {figures(exact_mean(), 4)}, order 2"
    return Claim(max(counts), told, exact, "master equation on 62 states", f"order 2 ± 0.2 and {Z:g} errors", held)


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        print(json.dumps([x.tolist() for x in errors(uncontrolled(8), *json.loads(sys.argv[1]))]))
