"""`method = "ode"` -> a solver, a pure function of model and study, with its reasons.

A method of small stability region must keep h |lambda| below 3.3 (Tsit5 on the negative axis); accuracy asks for about
as many steps as the solution has e-folds and turns. Both are estimated along a crude implicit path of the nominal
patient, and the explicit method is taken unless stability would ask for many more steps than accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctcdyn.model.expr import derivative, evaluate
from ctcdyn.model.network import Network

STABILITY = 3.3  # real stability interval of Tsit5 (measured from its stability polynomial)
# Of an order-5 method at rtol 1e-6, assumed; only the ratio to the other estimate matters.
STEPS_PER_FOLD = 3.0
TOO_MANY = 5.0  # an implicit step costs about as much as five explicit ones (measured, docs/performance.md)
PATH_STEPS = 60
METHODS_ODE = ("ode", "auto")


@dataclass(frozen=True)
class Choice:
    """A solver by name, why it was taken, and the time scales (days) of the model along the nominal path."""

    method: str
    reasons: list[str]
    scales: tuple[float, ...]


def choose(network: Network, study: Any) -> Choice:
    """The solver for `study.simulate.method`; a name or path other than "ode" and "auto" is taken as it is."""
    method = study.simulate.method
    if method not in METHODS_ODE:
        return Choice(method, [f'asked for by method = "{method}"'], time_scales(network))
    return choose_ode(network, float(study.simulate.t_start), float(study.simulate.t_end))


def choose_ode(network: Network, start: float, end: float) -> Choice:
    """`rodas5p` or `tsit5` for the nominal patient between two times (days)."""
    drift, slope = _functions(network)
    x = network.initial_values()
    span = end - start
    grid = np.concatenate([[0.0], np.geomspace(1e-6 * span, span, PATH_STEPS)])
    stable = folds = 0.0
    fastest, slowest = 0.0, np.inf
    with np.errstate(all="ignore"):
        for left, right in pairwise(grid):
            h, t = right - left, start + left
            matrix = np.nan_to_num(slope(x, t), nan=0.0, posinf=1e300, neginf=-1e300)
            decay = -np.linalg.eigvals(np.clip(matrix, -1e12, 1e12)).real
            fast = float(decay.max(initial=0.0))
            stable += h * max(fast, 0.0) / STABILITY
            fastest = max(fastest, fast)
            live = np.abs(decay[np.abs(decay) > 1e-14])
            slowest = min(slowest, float(live.min(initial=np.inf)))
            step = np.linalg.solve(np.eye(len(x)) - h * matrix, h * drift(x, t))
            new = np.where(np.isfinite(x + step), x + step, x)
            scale = np.maximum(np.maximum(np.abs(x), np.abs(new)), 1.0)
            folds += min(float(np.max(np.abs(new - x) / scale)), 1.0)
            x = new
    accurate = 30.0 + STEPS_PER_FOLD * 8.0 * folds
    scales = tuple(1.0 / rate for rate in (fastest, slowest) if 0.0 < rate < np.inf)
    stiff = stable > TOO_MANY * accurate
    reasons = [
        f"fastest decay {fastest:.3g} /d ({_time(1 / fastest)}), run of {span:g} d"
        if fastest > 0
        else "no decay",
        f"stability would ask an explicit method for about {stable:.3g} steps, accuracy for about {accurate:.3g}",
        "stiff: rodas5p, an implicit (Rosenbrock) method"
        if stiff
        else "not stiff: tsit5, an explicit method",
    ]
    return Choice("rodas5p" if stiff else "tsit5", reasons, scales)


def time_scales(network: Network) -> tuple[float, ...]:
    """Shortest and longest time (days) in the Jacobian at the start."""
    _, slope = _functions(network)
    with np.errstate(all="ignore"):
        matrix = np.nan_to_num(slope(network.initial_values(), 0.0), nan=0.0, posinf=0.0, neginf=0.0)
        rates = np.abs(np.linalg.eigvals(matrix).real)
    rates = rates[rates > 1e-14]
    return (float(1 / rates.max()), float(1 / rates.min())) if len(rates) else ()


def _functions(network: Network) -> tuple[Any, Any]:
    """Right-hand side (x, t) -> (S,) and Jacobian (x, t) -> (S, S) of the nominal patient, in plain Python."""
    values: dict[str, Any] = {p.name: p.value for p in network.parameters}
    names = network.species_names
    change = network.stoichiometry().astype(float)
    rates = [r.propensity("ode", network) for r in network.reactions]
    slopes = [[derivative(rate, name) for name in names] for rate in rates]

    def known(x: NDArray[np.float64], t: float) -> dict[str, Any]:
        return {**values, **dict(zip(names, x, strict=True)), "t": t}

    def drift(x: NDArray[np.float64], t: float) -> NDArray[np.float64]:
        at = known(x, t)
        result: NDArray[np.float64] = change @ np.array([float(evaluate(rate, at)) for rate in rates])
        return result

    def slope(x: NDArray[np.float64], t: float) -> NDArray[np.float64]:
        at = known(x, t)
        each = np.array([[float(evaluate(d, at)) for d in row] for row in slopes])
        result: NDArray[np.float64] = change @ each
        return result

    return drift, slope


def _time(days: float) -> str:
    for unit, size in (("d", 1.0), ("h", 1 / 24), ("min", 1 / 1440)):
        if days >= size:
            return f"{days / size:.3g} {unit}"
    return f"{days * 86400:.3g} s"
