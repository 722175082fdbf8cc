"""heyoka: Taylor series of an order that suits the tolerance, by LLVM, as many at once as a register holds."""

from pathlib import Path

import numpy as np
from frame import Answer, Task, serve

PACKAGES = ("heyoka==7.13.2", "numpy==2.4.6")
SOLVES = {"ode": ("taylor batch", "taylor batch 512")}
TOGETHER = 64  # some batches
LARGE = 20  # species: from here the compact form, as its manual advises for large systems


def prepare(task: Task):
    import heyoka

    wide = task.method.endswith("512")  # registers of 512 bits, which it avoids unless told to take them
    if wide and "avx512f" not in Path("/proc/cpuinfo").read_text(encoding="utf-8"):
        raise RuntimeError("no registers of 512 bits")
    width = 16 if wide else heyoka.recommended_simd_size()
    variables = heyoka.make_vars(*task.species)
    variables = variables if isinstance(variables, (list, tuple)) else [variables]
    space = dict(zip(task.species, variables, strict=True))
    space |= {name: heyoka.par[i] for i, name in enumerate(task.names)}
    for number, rate in enumerate(task.rates()):
        space[f"rate_{number}"] = eval(rate, space)  # noqa: S307 - the rates of problems.py
    slopes = [eval(total, space) for total in task.sums()]  # noqa: S307
    slopes = [slope if isinstance(slope, heyoka.expression) else heyoka.expression(slope) for slope in slopes]
    machine = heyoka.taylor_adaptive_batch(
        list(zip(variables, slopes, strict=True)),
        np.tile(task.start[:, None], (1, width)),
        time=np.zeros(width),
        tol=task.setting,
        force_avx512=wide,
        compact_mode=len(task.species) >= LARGE,
        pars=np.zeros((len(task.names), width)),
    )
    grid = np.tile(task.times[:, None], (1, width))
    out = np.empty((task.count if task.paths else width, len(task.times), len(task.species)))

    def work() -> Answer:
        for first in range(0, task.count, width):
            rows = np.minimum(np.arange(first, first + width), task.count - 1)
            machine.set_time(np.zeros(width))
            machine.state[:] = task.start[:, None]
            machine.pars[:] = task.values[rows].T
            _, found = machine.propagate_grid(grid)  # (saves, species, width)
            if not all(result[0] == heyoka.taylor_outcome.time_limit for result in machine.propagate_res):
                raise RuntimeError(str(machine.propagate_res[0][0]))
            if task.paths:
                some = min(width, task.count - first)
                out[first : first + some] = found.transpose(2, 0, 1)[:some]
        return out if task.paths else None, {"trajectories": task.count}

    return work


def versions() -> str:
    import heyoka

    return f"heyoka {heyoka.__version__}, {heyoka.recommended_simd_size()} at once"


if __name__ == "__main__":
    serve(prepare, versions)
