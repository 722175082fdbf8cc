"""`method = "ode"` or "auto" -> a solver, a pure function of model and study, with its reasons.

A method of small stability region must keep h |lambda| below 3.3 (Tsit5 on the negative axis); accuracy asks for about
as many steps as the solution has e-folds and turns. Both are estimated along a crude path of the nominal patient, and
the explicit method is taken unless stability would ask for more steps than accuracy.
"""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctcdyn.codegen.automatic import Course, suit
from ctcdyn.codegen.chances import describe_chances
from ctcdyn.codegen.exact import exact_method
from ctcdyn.codegen.layout import Layout
from ctcdyn.codegen.lineage import Lineage, describe
from ctcdyn.codegen.moments import describe_moments
from ctcdyn.codegen.noise import noises_of
from ctcdyn.codegen.nominal import Nominal
from ctcdyn.codegen.notes import noted
from ctcdyn.codegen.passing import with_passing
from ctcdyn.model.network import Network
from ctcdyn.model.resolve import semantics_of

STABILITY = 3.3  # real stability interval of Tsit5 (measured from its stability polynomial)
STEPS_PER_FOLD = 8.0  # of an order-5 method at rtol 1e-6 (measured on the shipped models: 5 to 17)
STEP_COST = 1.3  # of an implicit step beside an explicit one (measured on the shipped models: 1.0 to 1.35)
PATH_STEPS = 200
COURSE_STEPS = 5000  # of the nominal patient: more only where the solution explodes
CHOSEN = ("ode", "auto")  # names that are no solver
LOW_COUNT = 128.0  # cells: below, the Langevin law is not that of the cells. A power of two, so that bins end at it
@dataclass(frozen=True)
class Choice:
    """A solver by name, why it was taken, the time scales (days) of the model along the nominal path, and the species
    that the solver takes as passing.
    """

    method: str
    reasons: list[str]
    scales: tuple[float, ...]
    passing: tuple[str, ...] = ()

    def taken(self, network: Network) -> Network:
        """The network as the solver takes it."""
        return with_passing(network, self.passing)


def choose(network: Network, study: Any) -> Choice:
    """The solver for `study.simulate.method`; a name or path other than "ode" and "auto" is taken as it is."""
    method = study.simulate.method
    start, end = float(study.simulate.t_start), float(study.simulate.t_end)
    if method not in CHOSEN:
        reasons = [f'asked for by method = "{method}"']
        if semantics_of(study) == "langevin":
            reasons += langevin_reasons(network, start, end)
        if method == "direct" and (exact := exact_method(network)).method != method:
            reasons.append(f"auto would not: {exact.reason}")
        if method == "first_order_leap":
            reasons += describe(Lineage(Layout(network, "mixed")))
        if method == "backward":
            reasons += describe_chances(network)
        if method == "moments":
            reasons += describe_moments(network)
        return Choice(method, reasons, time_scales(network))
    auto = method == "auto"
    gap = float(np.diff(study.simulate.times).min()) if auto else 0.0
    switch_up = float(study.simulate.hybrid.switch_up)

    def make() -> str:
        chosen = choose_any(network, start, end, switch_up, gap) if auto else choose_ode(network, start, end)
        return json.dumps(asdict(chosen))

    inputs = pickle.dumps(network), repr((method, start, end, switch_up, gap)), np.__version__, version("scipy")
    told = json.loads(noted(make, "choice", *inputs))
    return Choice(told["method"], told["reasons"], tuple(told["scales"]), tuple(told["passing"]))


def choose_any(network: Network, start: float, end: float, switch_up: float, gap: float) -> Choice:
    """What `auto` takes between two times (days); `switch_up`: cells from which on hybrid calls a species many; `gap`:
    days between two saves.
    """
    method, reasons, passing = suit(network, _course(network, start, end), switch_up, gap)
    if method != "ode":
        return Choice(method, reasons, time_scales(network), passing)
    chosen = choose_ode(network, start, end)
    return Choice(chosen.method, reasons + chosen.reasons, chosen.scales)


def _course(network: Network, start: float, end: float) -> Course:
    """The rate equations of the nominal patient by LSODA to three digits; up to where they end, if they do not last."""
    from scipy.integrate import LSODA

    nominal = Nominal(network)

    def f(t: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            slope = nominal.drift(np.maximum(x, 0.0), t)
        return np.nan_to_num(slope, posinf=1e200, neginf=-1e200)

    def jacobian(t: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            here = nominal.slope(np.maximum(x, 0.0), t)
        return np.nan_to_num(here, nan=0.0, posinf=1e200, neginf=-1e200)

    times, states = [start], [network.initial_values().astype(float)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it gets no further is seen in its status
        longest = (end - start) / PATH_STEPS
        solver = LSODA(f, start, states[0], end, rtol=1e-3, atol=1e-3, max_step=longest, jac=jacobian)
        while solver.status == "running" and len(times) < COURSE_STEPS:
            solver.step()
            if not np.isfinite(solver.y).all():
                break
            times.append(float(solver.t))
            states.append(np.maximum(solver.y, 0.0))
    return Course(np.array(times), np.array(states), np.diff([*times, max(end, times[-1])]))


def langevin_reasons(network: Network, start: float, end: float) -> list[str]:
    """How many noises there are, and which species are too few along the nominal path for a Langevin equation."""
    noises = len(noises_of(network))
    told = [f"{noises} independent noises of {len(network.reactions)} reactions: collinear ones share theirs"]
    lowest = network.initial_values()
    for _, _, _, new in _path(network, start, end):
        lowest = np.minimum(lowest, new)
    few = [f"{name} ({x:.3g})" for name, x in zip(network.species_names, lowest, strict=True) if x < LOW_COUNT]
    if few:
        told.append(f"fewer than {LOW_COUNT:.0f} cells on the nominal path: {', '.join(few)}")
        told.append("there the Langevin law is not that of the cells: not for extinction, seeding or the last cells")
    return told


def choose_ode(network: Network, start: float, end: float) -> Choice:
    """`rodas5p` or `tsit5` for the nominal patient between two times (days)."""
    stable = folds = 0.0
    fastest, slowest = 0.0, np.inf
    for h, matrix, x, new in _path(network, start, end):
        decay = -np.linalg.eigvals(matrix).real
        fast = float(decay.max(initial=0.0))
        stable += h * max(fast, 0.0) / STABILITY
        fastest = max(fastest, fast)
        live = np.abs(decay[np.abs(decay) > 1e-14])
        slowest = min(slowest, float(live.min(initial=np.inf)))
        scale = np.maximum(np.maximum(np.abs(x), np.abs(new)), 1.0)
        folds += min(float(np.max(np.abs(new - x) / scale)), 1.0)
    accurate = 10.0 + STEPS_PER_FOLD * folds
    scales = tuple(1.0 / rate for rate in (fastest, slowest) if 0.0 < rate < np.inf)
    stiff = stable > STEP_COST * accurate
    reasons = [
        f"fastest decay {fastest:.3g} /d ({_time(1 / fastest)}), run of {(end - start):g} d"
        if fastest > 0
        else "no decay",
        f"stability would ask an explicit method for about {stable:.3g} steps, accuracy for about {accurate:.3g}",
        "stiff: rodas5p, an implicit (Rosenbrock) method"
        if stiff
        else "not stiff: tsit5, an explicit method",
    ]
    return Choice("rodas5p" if stiff else "tsit5", reasons, scales)


def _exponential_step(matrix: NDArray[np.float64], f: NDArray[np.float64], h: float) -> NDArray[np.float64]:
    """h phi_1(h J) f, the change over a step h of x' = f + J (x - x0): exponential Euler, for decay and growth."""
    from scipy.linalg import expm

    n = len(f)
    a = np.zeros((n + 1, n + 1))
    a[:n, :n], a[:n, n] = h * matrix, h * np.nan_to_num(f)
    change: NDArray[np.float64] = expm(a)[:n, n]
    return change


def time_scales(network: Network) -> tuple[float, ...]:
    """Shortest and longest time (days) in the Jacobian at the start."""
    with np.errstate(all="ignore"):
        matrix = np.nan_to_num(Nominal(network).slope(network.initial_values(), 0.0), nan=0.0, posinf=0.0, neginf=0.0)
        rates = np.abs(np.linalg.eigvals(matrix).real)
    rates = rates[rates > 1e-14]
    return (float(1 / rates.max()), float(1 / rates.min())) if len(rates) else ()


def _path(
    network: Network, start: float, end: float
) -> Iterator[tuple[float, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
    """(step, Jacobian, state before, state after) along a crude path of the nominal patient."""
    nominal = Nominal(network)
    x = network.initial_values()
    span = end - start
    early = np.geomspace(1e-6 * span, span / PATH_STEPS, PATH_STEPS // 3, endpoint=False)
    grid = np.concatenate([[0.0], early, np.linspace(span / PATH_STEPS, span, PATH_STEPS)])
    for left, right in pairwise(grid):
        h, t = right - left, start + left
        with np.errstate(all="ignore"):
            matrix = np.clip(np.nan_to_num(nominal.slope(x, t), nan=0.0, posinf=1e12, neginf=-1e12), -1e12, 1e12)
            step = _exponential_step(matrix, nominal.drift(x, t), h)
            new = np.where(np.isfinite(x + step), x + step, x)
        yield h, matrix, x, new
        x = new


def _time(days: float) -> str:
    for unit, size in (("d", 1.0), ("h", 1 / 24), ("min", 1 / 1440)):
        if days >= size:
            return f"{days / size:.3g} {unit}"
    return f"{days * 86400:.3g} s"
