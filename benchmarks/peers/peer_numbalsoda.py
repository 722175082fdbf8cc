"""numbalsoda called from compiled code, its fastest form: LSODA, and DOP853 where nothing is stiff."""

import numpy as np
from frame import Answer, Task, serve

PACKAGES = ("numbalsoda==0.3.4", "numba==0.68.1", "numpy==2.4.6")
SYSTEM = ("gfortran", "cmake")  # it is built
SOLVES = {"ode": ("lsoda", "dop853")}
LOOP = """
def integrate(values, times, start, setting, out):
    for row in range(len(values)):
        found, success = solve(address, start, times, values[row], setting, setting)
        if not success:
            return row
        out[row % len(out)] = found
    return -1
"""
made: dict[tuple[str, str], object] = {}


def compiled(task: Task):
    """The loop over trajectories, compiled once for each problem and method."""
    from numba import carray, cfunc, njit
    from numbalsoda import dop853, lsoda, lsoda_sig

    lines = task.python("slope(t, y_, dy_, p_)", "pass").splitlines()
    lines[1:1] = [
        f"    state_ = carray(y_, ({len(task.species)},))",
        f"    given_ = carray(p_, ({len(task.names)},))",
    ]
    lines[-1:] = [f"    dy_[{i}] = {total}" for i, total in enumerate(task.sums())]
    space: dict[str, object] = {"carray": carray, "solve": lsoda if task.method == "lsoda" else dop853}
    exec("\n".join(lines) + LOOP, space)  # noqa: S102 - the rates of problems.py
    slope = cfunc(lsoda_sig)(space["slope"])
    space["kept"], space["address"] = slope, slope.address
    return njit(space["integrate"])


def prepare(task: Task):
    key = (task.problem["name"], task.method)
    if key not in made:
        made[key] = compiled(task)
    integrate = made[key]
    out = np.empty((task.count if task.paths else min(task.count, 64), len(task.times), len(task.species)))

    def work() -> Answer:
        failed = integrate(task.values, task.times, task.start, task.setting, out)
        if failed >= 0:
            raise RuntimeError(f"no success at trajectory {failed}")
        return out if task.paths else None, {"trajectories": task.count}

    return work


def versions() -> str:
    from importlib.metadata import version

    return f"numbalsoda {version('numbalsoda')}, numba {version('numba')}"


if __name__ == "__main__":
    serve(prepare, versions)
