"""The work that `ctcdyn bench` times: each piece with the exact answer that it has to give first.

Parameters, seeds and sizes are fixed, and none comes from an array function that differs by processor, so that events
and steps of two machines can be compared.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ctcdyn.cli.exact import ODE_ALLOWED, Z_ALLOWED, mean_of_linear
from ctcdyn.errors import CtcError, Problem

if TYPE_CHECKING:
    from ctcdyn.codegen.kernel import Kernel, Linked
    from ctcdyn.ensemble import Ensemble
    from ctcdyn.model.network import Network

SEED = 20_261_128
States = NDArray[np.float64]  # (trajectories, saves, species)
BIRTH, DEATH, ARRIVALS, START = 1.0, 1.2, 4000.0, 10_000.0  # per day, cells per day, cells: `tau_leap`
LEAP_BIAS, LEAP_SPREAD = 0.5, 0.05  # allowed at epsilon 0.03: docs/solvers.md has 0.34 of a standard deviation
FEW_STEPS = 0.02  # relative error of a mean after steps of 0.01 day where cells leave at 16 a day: assumed
RESECTED, TWO_YEARS = 4e9 * math.pi / 3.0, 730.5  # cells of 20 mm at 1e9 a cm3; days
HYBRID = ('simulate.method="hybrid"', 'simulate.continuous=["tumor", "blood", "shed_cells"]')


@dataclass(frozen=True)
class Work:
    """What was done: CPU seconds, units of work, and counts that are the same on every machine."""

    seconds: float
    units: float
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Piece:
    """Work of one kernel: `whole` is what is checked and timed, `short` some hundredths of a CPU second of it, for what
    is repeated often. `judge(ensemble, states)`: how far the answer is from the exact one, and how far it may be."""

    name: str
    per: str  # one of `Work.counts`
    linked: Linked
    kernel: Kernel
    whole: Ensemble
    short: Ensemble
    judge: Callable[[Ensemble, States], tuple[float, float]]

    def run(self, kernel: Kernel | None = None, ensemble: Ensemble | None = None) -> Work:
        """The whole, or another ensemble, by its own or another kernel; keeps no paths."""
        return self._go(kernel or self.kernel, ensemble or self.whole, 0)[0]

    def fresh(self, **other: Any) -> Ensemble:
        """The short ensemble with work space of its own."""
        return replace(self.short, workers=[], local=threading.local(), **other)

    def check(self, kernel: Kernel | None = None) -> tuple[float, float]:
        """How far the answer of the whole is from the exact one, and how far it may be."""
        _, results = self._go(kernel or self.kernel, self.whole, self.whole.count)
        return self.judge(self.whole, np.concatenate([result.state for result in results]))

    def _go(self, kernel: Kernel, ensemble: Ensemble, keep: int) -> tuple[Work, list[Any]]:
        from ctcdyn.ensemble import plan, run_range

        one = replace(ensemble, keep=keep, state_dtype="f8", sketched=False)
        start = time.process_time()
        results = [result for span in plan(one, 1) for result in run_range(kernel, one, span)]
        seconds = time.process_time() - start
        failed = sum(int((result.status > 1).sum()) for result in results)
        if failed:
            raise CtcError(Problem("S601", f"{self.name}: {failed} of {one.count} trajectories failed"))
        counts = {
            "events": sum(int(result.n_reactions.sum()) for result in results),
            "steps": sum(int(result.n_steps.astype(np.int64).sum()) for result in results),
            "trajectories": one.count,
        }
        return Work(seconds, counts[self.per], counts), results


@dataclass(frozen=True)
class Workload:
    """`run()` does the work once; `check()` -> how far the answer is from the exact one, and how far it may be.

    `source`: the text of its kernel, and `piece` how to call it; None for a whole command, of which `beside(folder)`
    gives what does it by the source in another folder (None: this one), in CPU seconds.
    """

    name: str
    unit: str
    run: Callable[[], Work]
    check: Callable[[], tuple[float, float]]
    source: str | None
    every: int = 1  # rounds from one time to the next: what takes seconds is timed less often
    piece: Piece | None = None
    beside: Callable[[Path | None], Callable[[], float]] | None = None


def workloads() -> list[Workload]:
    """All of them, compiled, each of some tenths of a CPU second; the command where children's CPU time is told."""
    linear = _linear(64)
    steps = replace(_linear(320), longest_step=0.01)
    made = [
        _kernel("exact jumps, ctc_linear", "ns per event", "direct", linear, _near_means, times=linear.times[:6]),
        _kernel("stiff ODE, ctc_five", "us per trajectory", "rodas5p", _five(4096), _near_integrator, count=512),
        _kernel("leap, human_breast_min", "us per patient", "first_order_leap", _patients(512), _asleep, count=32),
        _kernel("hybrid, human_breast_min", "us per patient", "hybrid", _patients(64, HYBRID), _asleep, count=16),
        _kernel("tau-leap, birth_death", "us per trajectory", "tau_leap", _colony(32_768), _law, count=4096),
        _kernel("Langevin, ctc_linear", "ns per step", "euler_maruyama", steps, _near_means, times=steps.times[:11]),
    ]
    return [*made, _whole_command()] if hasattr(os, "wait4") else made


def _kernel(
    name: str,
    unit: str,
    method: str,
    whole: Ensemble,
    judge: Callable[[Ensemble, States], tuple[float, float]],
    **short: Any,
) -> Workload:
    """`short`: what is another one in the short ensemble."""
    from ctcdyn.codegen.kernel import link

    linked = link(whole.network, method)
    per = {"event": "events", "step": "steps"}.get(unit.rpartition(" ")[2], "trajectories")
    piece = Piece(name, per, linked, linked.compile(), whole, replace(whole, **short), judge)
    return Workload(name, unit, piece.run, piece.check, linked.text, piece=piece)


def _linear(count: int) -> Ensemble:
    from ctcdyn.ensemble import Ensemble
    from ctcdyn.model.load import load_model

    return Ensemble(load_model("ctc_linear"), SEED, count, np.arange(0.0, 101.0))


def _near_means(ensemble: Ensemble, states: States) -> tuple[float, float]:
    """Largest distance of a mean from the exact one, in standard errors (steps of 0.01 day add FEW_STEPS)."""
    exact = mean_of_linear(ensemble.network, ensemble.times[-1])
    last = states[:, -1]
    error = last.std(axis=0, ddof=1) / math.sqrt(len(last))
    bias = FEW_STEPS * exact if math.isfinite(ensemble.longest_step) else 0.0
    return float(np.max(np.abs(last.mean(axis=0) - exact) / (error + bias / Z_ALLOWED))), Z_ALLOWED


def _five(count: int) -> Ensemble:
    from ctcdyn.ensemble import Ensemble
    from ctcdyn.model.load import load_model

    network = load_model("ctc_five")
    values = np.repeat(network.parameter_values()[None, :], count, axis=0)
    names = [p.name for p in network.parameters]
    for name, factor in zip(
        ("growth_rate", "nk_kill", "dormancy_exit"),
        np.random.default_rng(SEED).uniform(0.6, 1.6, (3, count)),
        strict=True,
    ):
        values[:, names.index(name)] *= factor
    return Ensemble(network, 1, count, np.arange(0.0, 3660.0, 10.0), values=values)


def _near_integrator(ensemble: Ensemble, states: States) -> tuple[float, float]:
    """Largest relative error of the first two trajectories, beside LSODA of SciPy at rtol 1e-10; 0.01 cells are 0."""
    from scipy.integrate import solve_ivp

    from ctcdyn.model.expr import evaluate

    network, worst = ensemble.network, 0.0
    change = network.stoichiometry().astype(np.float64)
    rates = [reaction.propensity("ode", network) for reaction in network.reactions]
    assert ensemble.values is not None
    for values, found in zip(ensemble.values[:2], states, strict=False):
        given = dict(zip((p.name for p in network.parameters), values.tolist(), strict=True))

        def slope(_: float, y: NDArray[np.float64], given: dict[str, float] = given) -> NDArray[np.float64]:
            here = given | dict(zip(network.species_names, y.tolist(), strict=True))
            return np.asarray(change @ np.array([float(evaluate(rate, here)) for rate in rates]))

        span = (ensemble.times[0], ensemble.times[-1])
        exact = solve_ivp(
            slope, span, network.initial_values(), method="LSODA", t_eval=ensemble.times, rtol=1e-10, atol=1e-10
        ).y.T
        worst = max(worst, float(np.max(np.abs(found - exact) / (0.01 + np.abs(exact)))))
    return worst, ODE_ALLOWED


def _patients(count: int, changes: tuple[str, ...] = ()) -> Ensemble:
    from ctcdyn.cli.studies import configs
    from ctcdyn.model.load import prepare
    from ctcdyn.preparation import ensemble_of

    changes = (f"ensemble.trajectories={count}", *changes)
    study, resolved = prepare(configs() / "human_breast_relapse.toml", changes)
    return replace(ensemble_of(study, resolved), seed=SEED)


def _asleep(ensemble: Ensemble, states: States) -> tuple[float, float]:
    """Sleeping cells two years after the resection, a Poisson number: its mean, in standard errors."""
    exact = asleep(ensemble.network)
    column = ensemble.network.species_names.index("dormant")
    return abs(float(states[:, -5, column].mean()) - exact) / math.sqrt(exact / len(states)), Z_ALLOWED


def asleep(network: Network) -> float:
    """Exact mean of `dormant` TWO_YEARS after a primary that grows from one cell without a brake is taken out."""
    from scipy.linalg import expm

    p = {one.name: one.value for one in network.parameters}
    rates = (p["clearance"], 1.0 / p["tissue_stay"], p["dormancy_exit"] + p["dormant_death"])
    flow = np.diag([p["size_exponent"] * p["tumor_growth"], *(-rate for rate in rates)])
    flow[1, 0] = 1.0
    flow[2, 1] = p["clearance"] * p["p_extravasate"]
    flow[3, 2] = p["p_dormant"] / p["tissue_stay"]
    # shed cells a day, blood, tissue, dormant; nothing comes back from `growing` (dormancy_return = 0)
    grown = expm(flow * (math.log(RESECTED) / p["tumor_growth"])) @ np.array([p["shedding"], 0.0, 0.0, 0.0])
    grown[0] = 0.0
    return float((expm(flow * TWO_YEARS) @ grown)[3])


def _colony(count: int) -> Ensemble:
    from ctcdyn.ensemble import Ensemble
    from ctcdyn.model.load import load_model

    given = {"birth": BIRTH, "death": DEATH, "immigration": ARRIVALS}
    network = load_model("birth_death_immigration").with_values(given, {"colony": START})
    return Ensemble(network, SEED, count, np.arange(0.0, 4.0))


def _law(ensemble: Ensemble, states: States) -> tuple[float, float]:
    """Mean and spread at day 3 beside Kendall's, in units of what leaps and chance together may do."""
    last, n = states[:, -1, 0], len(states)
    rate = BIRTH - DEATH
    grown = math.exp(rate * float(ensemble.times[-1]))
    arrived = ARRIVALS * (grown - 1.0) / rate
    variance = START * grown * (grown - 1.0) * (BIRTH + DEATH) / rate + arrived + arrived**2 * BIRTH / ARRIVALS
    bias = abs(float(last.mean()) - START * grown - arrived) / math.sqrt(variance)
    spread = abs(float(last.std(ddof=1)) / math.sqrt(variance) - 1.0)
    allowed = Z_ALLOWED / math.sqrt(n)
    return max(bias / (LEAP_BIAS + allowed), spread / (LEAP_SPREAD + allowed / math.sqrt(2.0))), 1.0


def _whole_command() -> Workload:
    """`ctcdyn run` of the template `direct` with its kernel in the cache: start, run, result, summary."""
    from ctcdyn.cli.studies import templates

    def go(folder: str, source: Path | None = None) -> tuple[float, Path]:
        file = Path(folder) / "bench.h5"
        words = ["run", str(templates()["direct"]), "-o", str(file), "--threads", "1", "--progress", "none"]
        words += ["-s", "output.picture=false"]
        before = os.times()
        done = subprocess.run(
            [sys.executable, "-m", "ctcdyn", *words],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | ({} if source is None else {"PYTHONPATH": str(source)}),
        )
        after = os.times()
        if done.returncode:
            raise CtcError(Problem("B901", f"`ctcdyn {' '.join(words)}` ended with {done.returncode}: {done.stderr}"))
        used = after.children_user + after.children_system - before.children_user - before.children_system
        return used, file

    def beside(source: Path | None) -> Callable[[], float]:
        def seconds() -> float:
            with tempfile.TemporaryDirectory() as folder:
                return go(folder, source)[0]

        return seconds

    def check() -> tuple[float, float]:
        """Mean of the colony at day 20: 5 cells, births 0.9, deaths and arrivals as the model has them."""
        from ctcdyn.model.load import prepare
        from ctcdyn.results import open_results

        _, resolved = prepare(templates()["direct"], ())
        with tempfile.TemporaryDirectory() as folder, open_results(go(folder)[1]) as results:
            last = np.asarray(results.final_state)[:, 0]
        exact = mean_of_linear(resolved.network, 20.0)[0]
        error = float(last.std(ddof=1)) / math.sqrt(len(last))
        return float(abs(last.mean() - exact)) / error, Z_ALLOWED

    once = beside(None)
    return Workload(
        "whole command, warm", "s per run", lambda: Work(once(), 1.0, {}), check, None, every=5, beside=beside
    )
