"""Euler-Maruyama of `linear` in numba with the ziggurat of numpy's Generator (reference/langevin_numba.py)."""

import sys
from pathlib import Path

import numpy as np
from frame import Answer, Task, serve

PACKAGES = ()  # numba and numpy are those that ctcdyn runs on
SOLVES = {"langevin": ("euler",)}
sys.path.append(str(Path(__file__).parents[1] / "reference"))


def prepare(task: Task):
    from langevin_numba import simulate

    assert task.problem["name"].startswith("linear"), "written for `linear` only"
    rates, steps = np.array(task.constants), round(1.0 / task.setting)
    random = np.random.default_rng(task.seed)
    out = np.empty((task.count, 100, 4))

    def work() -> Answer:
        simulate(rates, task.count, random, out, steps)
        state = np.concatenate([np.zeros((task.count, 1, 4)), out], axis=1) if task.paths else None
        return state, {"trajectories": task.count, "steps": task.count * 100 * steps}

    return work


def versions() -> str:
    import numba

    return f"numba {numba.__version__}, numpy {np.__version__}"


if __name__ == "__main__":
    serve(prepare, versions)
