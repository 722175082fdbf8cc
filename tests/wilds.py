"""A thousand networks that nobody designed, each another one, on the solvers that must never count below zero.

Reactions of up to three cells of up to five species, rates over five decades, rates of zero, rates that begin late or
swing, from nothing, a cell, or thousands. A network would take longer to compile than to judge, so they run in plain
Python (NUMBA_DISABLE_JIT) by the same source, and every sweep of it is looked at: `python tests/wilds.py METHOD FIRST
COUNT` prints what was found. The normal tests run a few of them, `law_record.py` all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from ctcdyn.codegen import cache
from ctcdyn.codegen.kernel import entries, link
from ctcdyn.errors import CtcError, Status
from ctcdyn.model.network import Network
from drive import Drive
from networks import network

METHODS = ("tau_leap", "implicit_tau", "first_order_leap", "hybrid")
SPECIES = "abcde"
TIMES = [0.0, 0.02, 0.1, 0.4]
COUNT, LANES = 3, 3
BLOCK = 4  # networks side by side in one kernel, which know nothing of each other
SWEEPS = 25  # of each network at most
LAWS = ("{k}", "{k}", "{k}", "{k}", "{k} * step(t - 0.05)", "{k} * (1 + sin(2 * pi * t))", "{k} * step(0.05 - t)")


def wild(number: int, independent: bool) -> Network:
    """Networks BLOCK * number and the following; where cells are to be independent, reactions take one cell or none."""
    reactions: dict[str, tuple[str, str]] = {}
    rates: dict[str, float] = {}
    starts: dict[str, float] = {}
    for block in range(BLOCK):
        random = np.random.default_rng([20261127, BLOCK * number + block, independent])
        names = [f"{s}{block}" for s in SPECIES[: int(random.integers(1, 6))]]
        wanted = len(reactions) + int(random.integers(2, 10))
        while len(reactions) < wanted:
            shares = [0.2, 0.8, 0.0, 0.0] if independent else [0.15, 0.35, 0.35, 0.15]
            order = int(random.choice([0, 1, 2, 3], p=shares))
            left = sorted(random.choice(names, order).tolist())
            right = sorted(random.choice(names, int(random.integers(0, 4))).tolist())
            if independent and order == 1 and random.random() < 0.3:
                right = left * 2  # growth is rare among products drawn at random
            if left == right:
                continue
            k = f"k{len(reactions)}"
            # fewer where more cells meet, so that a network is not over before it was looked at
            size = 10.0 ** random.uniform(-3.0, 1.3 if independent else 2.0) * 0.02 ** max(order - 1, 0)
            rates[k] = float(random.choice([0.0, size], p=[0.1, 0.9]))
            law = str(random.choice(LAWS)).format(k=k)
            reactions[f"r{len(reactions)}"] = (f"{side(left)} -> {side(right)}", law)
        few, many = float(random.integers(1, 4)), float(int(10.0 ** random.uniform(0.5, 3.5)))
        starts |= {s: float(random.choice([0.0, few, many])) for s in names}
    return network(f"wild_{number}", starts, rates, reactions)


def side(cells: list[str]) -> str:
    return " + ".join(f"{n} {s}" for s, n in Counter(cells).items())


def judge(method: str, number: int) -> Counter[str]:
    """Counts of what was seen in one network; AssertionError with the network where a count is wrong."""
    net = wild(number, method == "first_order_leap")
    try:
        module = cache.load(link(net, method, width=LANES).source, entries, key=f"{net.name}_{method}")
    except CtcError as refused:
        return Counter({f"refused {refused.problems[0].code}": 1})
    module.POLL = 1  # it returns after every sweep
    run = Drive(module, net, TIMES, count=COUNT, seed=number, switch=(20.0, 8.0), max_steps=10**6)
    seen: Counter[str] = Counter(networks=BLOCK, reactions=len(net.reactions))
    what = f"{method} {number}: {[r.equation for r in net.reactions]}"
    for _ in range(SWEEPS):
        run.task[module.PATIENCE] = 1
        over = run.call() == module.DONE
        cells = run.w[module.X : module.X + module.SPECIES * module.W].reshape(module.SPECIES, module.W)
        assert not (cells < 0.0).any(), f"{what}: {cells}"
        assert method == "hybrid" or not (cells != np.floor(cells)).any(), f"{what}: {cells}"
        seen["sweeps"] += 1
        if over:
            break
    rows, ended = run.out, run.status[run.status != 255]
    assert not (rows < 0.0).any(), what
    seen["trajectories ended"] += len(ended)
    for status in ended.tolist():
        seen[f"status {Status(status).name.lower()}"] += 1
    seen["not over"] += COUNT - len(ended)
    return seen


def all_of(method: str, first: int, count: int) -> dict[str, float]:
    """Judged in this process; the slowest network is told too."""
    seen: Counter[str] = Counter()
    slowest = (0.0, -1)
    for number in range(first, first + count):
        began = time.process_time()
        seen += judge(method, number)
        slowest = max(slowest, (time.process_time() - began, number))
    return dict(seen) | {"slowest, s": round(slowest[0], 1), "slowest": slowest[1]}


def in_plain_python(method: str, first: int, count: int, timeout: float) -> dict[str, float]:
    """`all_of` in a process that compiles nothing."""
    words = [sys.executable, str(Path(__file__)), method, str(first), str(count)]
    done = subprocess.run(words, env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True,
                          timeout=timeout, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        print(json.dumps(all_of(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
