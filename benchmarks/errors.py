"""How wrong each solver is for what it costs: a table in Markdown, and the picture of docs/solvers.md.

    python benchmarks/errors.py [--count 65536] [--picture docs/solvers.svg]

Methods of whole cells and Langevin methods: `birth_death_immigration` from 10 000 cells, births 1.0 and deaths 1.2 a
day, 4000 arrivals a day, at 3 days: one save, so that no save shortens a step. The law has a closed mean and variance,
and the error is the larger of |mean - exact| / sd and |sd / exact sd - 1|; below the Monte-Carlo error of `count`
trajectories (three standard errors) nothing is seen. Methods for rate equations: `ctc_five` over ten years, the error
relative to its own solution at rtol 1e-12. Costs are CPU times of one core for a trajectory, medians of five runs,
without compiling.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ctcdyn import plugins
from ctcdyn.codegen.kernel import link
from ctcdyn.ensemble import Ensemble, plan, run_range
from ctcdyn.model.load import load_model

BIRTH, DEATH, ARRIVALS, START, DAYS = 1.0, 1.2, 4000.0, 10_000.0, 3.0
RUNS = 5
STEPS = (1.0, 0.5, 0.2, 0.1, 0.05)  # days
EXACT = ("direct", "next_reaction", "first_order_leap")  # a sixteenth of the trajectories is enough for these
COUNTED = {
    "direct": [("", {})],
    "next_reaction": [("", {})],
    "first_order_leap": [("", {})],
    "tau_leap": [(f"epsilon {x:g}", {"epsilon": x}) for x in (0.3, 0.1, 0.03, 0.01)],
    "implicit_tau": [(f"epsilon {x:g}", {"epsilon": x}) for x in (0.3, 0.1, 0.03, 0.01)],
    "hybrid": [("switch 500/200: a rate equation here", {})],
    "euler_maruyama": [(f"step {x:g} d", {"longest_step": x}) for x in STEPS],
    "weak_trapezoidal": [(f"step {x:g} d", {"longest_step": x}) for x in STEPS],
    "implicit_trapezoidal": [(f"step {x:g} d", {"longest_step": x}) for x in STEPS],
}
TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-8, 1e-10)
RATES = {m: [(f"rtol {x:g}", {"rtol": x, "atol": 1e-2 * x}) for x in TOLERANCES] for m in ("tsit5", "rodas5p")}


@dataclass(frozen=True)
class Point:
    """One method with one setting: microseconds a trajectory, steps (events of exact methods), and the error."""

    method: str
    setting: str
    cost: float
    steps: float
    error: float


def exact() -> tuple[float, float]:
    """Mean and standard deviation of the colony (D. G. Kendall 1948, doi:10.1214/aoms/1177730285)."""
    rate = BIRTH - DEATH
    grown = np.exp(rate * DAYS)
    arrived = ARRIVALS * (grown - 1.0) / rate
    variance = START * grown * (grown - 1.0) * (BIRTH + DEATH) / rate + arrived + arrived**2 * BIRTH / ARRIVALS
    return START * grown + arrived, float(np.sqrt(variance))


Measured = tuple[str, float, float, np.ndarray]


def measured(method: str, settings: list[tuple[str, dict]], ensemble: Ensemble) -> Iterator[Measured]:
    """(setting, microseconds, steps, states (n, T, S)) of each setting."""
    kernel = link(ensemble.network, method).compile()
    for name, given in settings:
        one = replace(ensemble, **given, keep=ensemble.count, state_dtype="f8", sketched=False)
        times = []
        for _ in range(RUNS):
            start = time.process_time()
            results = [result for span in plan(one, 1) for result in run_range(kernel, one, span)]
            times.append(time.process_time() - start)
        if any((result.status > 1).any() for result in results):
            raise SystemExit(f"{method} {name}: a trajectory failed")
        states = np.concatenate([result.state for result in results])
        work = np.concatenate([result.n_steps for result in results]).mean()
        yield name, 1e6 * float(np.median(times)) / one.count, float(work), states


def counted(count: int) -> Iterator[Point]:
    """Methods that have a law."""
    network = load_model("birth_death_immigration").with_values(
        {"birth": BIRTH, "death": DEATH, "immigration": ARRIVALS}, {"colony": START}
    )
    mean, spread = exact()
    for method in [name for name in COUNTED if name in plugins.available("solver")]:
        settings = COUNTED[method]
        fewer = 16 if method in EXACT else 1
        ensemble = Ensemble(network, 20261127, count // fewer, np.array([0.0, DAYS]))
        for setting, cost, work, states in measured(method, settings, ensemble):
            x = states[:, -1, 0]
            error = max(abs(x.mean() - mean) / spread, abs(x.std(ddof=1) / spread - 1.0))
            yield Point(method, setting, cost, work, float(error))


def solved() -> Iterator[Point]:
    """Methods for rate equations."""
    network = load_model("ctc_five")
    ensemble = Ensemble(network, 1, 2048, np.arange(366) * 10.0)
    tight = [("", {"rtol": 1e-12, "atol": 1e-12})]
    ((_, _, _, states),) = measured("rodas5p", tight, replace(ensemble, count=16))
    for method, settings in RATES.items():
        for setting, cost, work, found in measured(method, settings, ensemble):
            error = np.max(np.abs(found[0] - states[0]) / (1e-2 + np.abs(states[0])))
            yield Point(method, setting, cost, work, float(error))


def picture(groups: tuple[list[Point], list[Point]], floor: float, path: Path) -> None:
    """Error against cost, both on logarithmic scales."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "ctcdyn"
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    titles = ("counts: a colony of 10 000 to 14 500 cells, 3 days", "rate equations: ctc_five, ten years")
    for axes, points, title in zip(figure.subplots(1, 2), groups, titles, strict=True):
        for k, method in enumerate(dict.fromkeys(point.method for point in points)):
            mine = [point for point in points if point.method == method]
            axes.loglog([p.cost for p in mine], [p.error for p in mine], "osD^v<>PX"[k] + "-", label=method, ms=5, lw=1)
        axes.set(title=title, xlabel="CPU time of a trajectory, microseconds", ylabel="error")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.axes[0].axhline(floor, color="0.5", lw=1, ls=":")
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    parser = argparse.ArgumentParser(description="Error and cost of every solver.")
    parser.add_argument("--count", type=int, default=65536)
    parser.add_argument("--picture", type=Path)
    chosen = parser.parse_args()
    floor = 3.0 / chosen.count**0.5
    groups: tuple[list[Point], list[Point]] = ([], [])
    print("| method | setting | CPU a trajectory | steps or events | error |\n|---|---|---|---|---|")
    for group, points in zip(groups, (counted(chosen.count), solved()), strict=True):
        for p in points:
            group.append(p)
            print(f"| `{p.method}` | {p.setting} | {p.cost:.3g} us | {p.steps:.4g} | {p.error:.2g} |", flush=True)
    print(f"\nMonte-Carlo error (three standard errors of the mean): {floor:.1g}; of the exact methods {4 * floor:.1g}")
    if chosen.picture is not None:
        picture(groups, floor, chosen.picture)


if __name__ == "__main__":
    main()
