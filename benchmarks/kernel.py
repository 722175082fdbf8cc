"""The generated kernels of ctcdyn, run as the programs they are compared with: one thread, the same files.

    python kernel.py direct trajectories seed results.bin|-        prints "events seconds"
    python kernel.py leap trajectories seed results.bin|-          prints "trajectories seconds"
    python kernel.py patients method trajectories seed results.bin|-   prints "patients seconds"
    python kernel.py tau scale trajectories seed results.bin|-     prints "trajectories seconds"
    python kernel.py colonies method trajectories seed results.bin|-   prints "trajectories seconds"
    python kernel.py langevin trajectories seed results.bin|-      prints "steps seconds"
    python kernel.py ode parameters.bin n rtol atol results.bin|-   prints "trajectories seconds steps"

Counted is `run_range`: parameters into lanes, the kernel, and the reduction of leaves to means and variances.
Not counted: the kernel's compilation, and one leaf run before the clock starts, which touches the buffers. If
nothing is written ("-") paths are not kept, as in `ctcdyn run` with `keep = "none"`; quantiles are left out.
parameters.bin as in reference/taylor.cpp; results.bin: float64 (trajectories, saves, species).
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from ctcdyn.codegen.kernel import link
from ctcdyn.config import load_study
from ctcdyn.ensemble import Ensemble, plan, run_range
from ctcdyn.model.load import load_model
from ctcdyn.model.resolve import resolve
from ctcdyn.preparation import ensemble_of

LINEAR_SHEDDING = 2000.0  # cells per day, as ctc_linear is shipped
CONFIGS = Path(__file__).parents[1] / "configs"

# Names in the model file of the parameters of the reference programs, in their order
FIVE = (
    "growth_rate", "carrying_capacity", "intravasation", "reseeding", "shear_death", "nk_kill",
    "extravasation", "dormancy_entry", "colonisation", "tissue_death", "dormancy_exit", "dormant_death",
    "metastasis_growth", "metastasis_capacity", "growing_death",
)  # fmt: skip


def timed(ensemble: Ensemble, method: str, target: str) -> tuple[int, int, float]:
    """Sum of reactions, sum of steps, CPU seconds; paths to the target file unless it is "-"."""
    kernel = link(ensemble.network, method).compile()
    ensemble = replace(
        ensemble, keep=0 if target == "-" else ensemble.count, state_dtype="f8", sketched=False
    )
    spans = plan(ensemble, 1)
    list(run_range(kernel, ensemble, replace(spans[0], count=min(256, spans[0].count))))
    start = time.process_time()
    results = [result for span in spans for result in run_range(kernel, ensemble, span)]
    seconds = time.process_time() - start
    if any((result.status > 1).any() for result in results):
        raise SystemExit("kernel: a trajectory failed")
    if target != "-":
        np.concatenate([result.state for result in results]).tofile(target)
    steps = sum(int(result.n_steps.astype(np.int64).sum()) for result in results)
    return sum(int(result.n_reactions.sum()) for result in results), steps, seconds


def main() -> None:
    workload, *rest = sys.argv[1:]
    if workload == "langevin":
        count, seed, target = int(rest[0]), int(rest[1]), rest[2]
        ensemble = Ensemble(load_model("ctc_linear"), seed, count, np.arange(101.0), longest_step=0.01)
        _, steps, seconds = timed(ensemble, "euler_maruyama", target)
        print(steps, f"{seconds:.9g}")
        return
    if workload == "tau":
        scale, count, seed, target = float(rest[0]), int(rest[1]), int(rest[2]), rest[3]
        network = load_model("ctc_linear")
        network = network.with_values({"shedding": scale * LINEAR_SHEDDING})
        print(count, f"{timed(Ensemble(network, seed, count, np.arange(101.0)), 'tau_leap', target)[2]:.9g}")
        return
    if workload == "colonies":
        method, count, seed, target = rest[0], int(rest[1]), int(rest[2]), rest[3]
        given = {"birth": 1.0, "death": 1.2, "immigration": 4000.0}
        network = load_model("birth_death_immigration").with_values(given, {"colony": 10_000})
        ensemble = Ensemble(network, seed, count, np.arange(4.0))
        print(count, f"{timed(ensemble, method, target)[2]:.9g}")
        return
    if workload == "patients":
        method, count, seed, target = rest[0], int(rest[1]), int(rest[2]), rest[3]
        study = load_study(CONFIGS / "human_breast_relapse.toml")
        if method == "hybrid":  # thresholds as they are by default
            pinned = {"method": method, "continuous": ("tumor", "blood", "shed_cells")}
            study = study.model_copy(update={"simulate": study.simulate.model_copy(update=pinned)})
        ensemble = ensemble_of(study, resolve(load_model(study.model), study))
        ensemble = replace(ensemble, seed=seed, count=count)
        print(count, f"{timed(ensemble, method, target)[2]:.9g}")
        return
    if workload == "leap":
        count, seed, target = int(rest[0]), int(rest[1]), rest[2]
        ensemble = Ensemble(load_model("ctc_linear"), seed, count, np.arange(101.0))
        print(count, f"{timed(ensemble, 'first_order_leap', target)[2]:.9g}")
        return
    if workload == "direct":
        count, seed, target = int(rest[0]), int(rest[1]), rest[2]
        grid = np.arange(101.0)
        ensemble = Ensemble(load_model("ctc_linear"), seed, count, grid)
        events, _, seconds = timed(ensemble, "direct", target)
        print(events, f"{seconds:.9g}")
        return
    file, count, rtol, atol, target = rest[0], int(rest[1]), float(rest[2]), float(rest[3]), rest[4]
    network = load_model("ctc_five")
    given = np.fromfile(file).reshape(-1, len(FIVE))[:count]
    values = np.repeat(network.parameter_values()[None, :], count, axis=0)
    values[:, [[p.name for p in network.parameters].index(name) for name in FIVE]] = given
    ensemble = Ensemble(network, 1, count, np.arange(366) * 10.0, values=values, rtol=rtol, atol=atol)
    _, steps, seconds = timed(ensemble, "rodas5p", target)
    print(count, f"{seconds:.9g}", steps)


if __name__ == "__main__":
    main()
