"""SciPy's `solve_ivp`: LSODA, BDF and Radau, the right-hand side compiled by numba."""

import numpy as np
from frame import Answer, Task, serve

PACKAGES = ("scipy", "numba", "numpy")
SOLVES = {"ode": ("LSODA", "BDF", "Radau")}


def prepare(task: Task):
    from numba import njit
    from scipy.integrate import solve_ivp

    names = [*(f"    {name} = y[{i}]" for i, name in enumerate(task.species))]
    names += [f"    {name} = p[{i}]" for i, name in enumerate(task.names)]
    sums = [f"    out[{i}] = {slope}" for i, slope in enumerate(task.slopes())]
    text = "\n".join(
        ["def slope(t, y, p):", *names, f"    out = np.empty({len(task.species)})", *sums, "    return out"]
    )
    space = {"np": np}
    exec(text, space)  # noqa: S102 - the rates of problems.py
    slope = njit(space["slope"])
    span, times = (task.times[0], task.times[-1]), task.times

    def work() -> Answer:
        found = np.empty((task.count, len(times), len(task.species)))
        for row, values in enumerate(task.values):
            solved = solve_ivp(
                slope,
                span,
                task.start,
                task.method,
                times,
                args=(values,),
                rtol=task.setting,
                atol=task.setting,
            )
            if not solved.success:
                raise RuntimeError(solved.message)
            found[row] = solved.y.T
        return found, {"trajectories": task.count}

    return work


def versions() -> str:
    import numba
    import scipy

    return f"scipy {scipy.__version__}, numba {numba.__version__}"


if __name__ == "__main__":
    serve(prepare, versions)
