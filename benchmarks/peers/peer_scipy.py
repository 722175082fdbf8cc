"""SciPy with a right-hand side compiled by numba: `odeint` (LSODA in Fortran, its fastest loop) and `solve_ivp`."""

import numpy as np
from frame import Answer, Task, serve

PACKAGES = ("scipy==1.17.1", "numba==0.68.1", "numpy==2.4.6")
SOLVES = {"ode": ("odeint", "LSODA", "BDF", "DOP853")}
STEPS = 1_000_000  # at the most between two saves: as many as it takes


def prepare(task: Task):
    from numba import njit
    from scipy.integrate import odeint, solve_ivp

    space = {"np": np}
    exec(task.python("slope(t, state_, given_)", "return np.array([{}])"), space)  # noqa: S102 - the rates of problems.py
    slope = njit(space["slope"])
    times, span = task.times, (task.times[0], task.times[-1])

    def one(values: np.ndarray) -> np.ndarray:
        given = {"args": (values,), "rtol": task.setting, "atol": task.setting}
        if task.method == "odeint":
            found, said = odeint(slope, task.start, times, tfirst=True, full_output=True, mxstep=STEPS, **given)
            if said["message"] != "Integration successful.":
                raise RuntimeError(said["message"])
            return found
        solved = solve_ivp(slope, span, task.start, task.method, times, **given)
        if not solved.success:
            raise RuntimeError(solved.message)
        return solved.y.T

    found = np.empty((task.count, len(times), len(task.species)))

    def work() -> Answer:
        for row, values in enumerate(task.values):
            found[row] = one(values)
        return found, {"trajectories": task.count}

    return work


def versions() -> str:
    import numba
    import scipy

    return f"scipy {scipy.__version__}, numba {numba.__version__}"


if __name__ == "__main__":
    serve(prepare, versions)
