"""diffrax: Kvaerno5 and Tsit5 in double precision, compiled by XLA, many trajectories at once by vmap."""

import os

import numpy as np
from frame import Answer, Task, serve

PACKAGES = ("diffrax==0.7.2", "numpy==2.4.6")
SOLVES = {"ode": ("Kvaerno5", "Tsit5")}
TOGETHER = 64  # trajectories of one vmap; it lasts as long as its longest
STEPS = 1_000_000
compiled: dict[tuple[str, str], object] = {}


def solver(task: Task):
    """(tolerance, parameters (TOGETHER, parameters)) -> (TOGETHER, saves, species), compiled once."""
    import diffrax
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    space = {"jnp": jnp, "max": jnp.maximum}
    text = task.python("slope(t_, state_, given_)", "return jnp.stack([{}])")
    exec(text.replace(f"[{', '.join(task.sums())}]", f"[jnp.asarray(x_) for x_ in ({', '.join(task.sums())},)]"), space)  # noqa: S102
    term = diffrax.ODETerm(space["slope"])
    method = diffrax.Kvaerno5() if task.method == "Kvaerno5" else diffrax.Tsit5()
    times, start = jnp.asarray(task.times), jnp.asarray(task.start)

    def one(tolerance, given):
        control = diffrax.PIDController(rtol=tolerance, atol=tolerance)
        saved = diffrax.SaveAt(ts=times)
        found = diffrax.diffeqsolve(
            term, method, times[0], times[-1], None, start, given, saveat=saved, stepsize_controller=control,
            max_steps=STEPS, adjoint=diffrax.ForwardMode(), throw=False,
        )  # fmt: skip
        return found.ys, found.result == diffrax.RESULTS.successful

    return jax.jit(jax.vmap(one, in_axes=(None, 0)))


def prepare(task: Task):
    key = (task.problem["name"], task.method)
    if key not in compiled:
        compiled[key] = solver(task)
    solve = compiled[key]
    out = np.empty((task.count if task.paths else 1, len(task.times), len(task.species)))

    def work() -> Answer:
        for first in range(0, task.count, TOGETHER):
            rows = np.minimum(np.arange(first, first + TOGETHER), task.count - 1)
            found, good = solve(task.setting, task.values[rows])
            if not np.asarray(good).all():
                raise RuntimeError("no success")
            if task.paths:
                some = min(TOGETHER, task.count - first)
                out[first : first + some] = np.asarray(found)[:some]
        return out if task.paths else None, {"trajectories": task.count}

    return work


def versions() -> str:
    from importlib.metadata import version

    return f"diffrax {version('diffrax')}, jax {version('jax')}"


if __name__ == "__main__":
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    serve(prepare, versions)
