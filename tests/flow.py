"""The ODE of a network by SciPy, with treatments, switches and first passages: no generated code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from ctcdyn.model.expr import Call, Name, evaluate
from ctcdyn.model.network import Network
from replay import _conditional, _held, _switches


@dataclass
class Flow:
    """The solution at the asked times (T, S), and what happened on the way."""

    state: np.ndarray
    passed: dict[str, float] = field(default_factory=dict)
    log: list[tuple[float, float, float]] = field(default_factory=list)
    fluxes: np.ndarray = field(default_factory=lambda: np.zeros(0))  # integrals of the rates, (T, R)


def flow(net: Network, times: Sequence[float], changed: Mapping[str, Any] | None = None) -> Flow:
    """From times[0], days; `changed` parameters. The integrals of all rates are part of the system."""
    values: dict[str, Any] = dict(zip(net.parameter_names, net.parameter_values().tolist(), strict=True))
    values.update(changed or {})
    laws = [r.propensity("ode", net) for r in net.reactions]
    matrix, count = net.stoichiometry(), len(net.species)
    x = np.array([float(evaluate(s.initial, values)) for s in net.species] + [0.0] * len(laws))
    t, t_end, grid = times[0], times[-1], np.asarray(times, dtype=float)
    flips = sorted({float(evaluate(e, values)) for law in laws for e in _switches(law)})
    due = {k: [float(evaluate(d.at, values)) if isinstance(d.at, Call | Name) else float(d.at), d.cycles]
           for k, d in enumerate(net.treatments) if not _conditional(d.at)}  # fmt: skip
    held = {k: False for k in range(len(net.treatments)) if k not in due}
    out, result = np.empty((len(grid), len(x))), Flow(np.empty(0))
    done = 0

    def state(t: float, x: np.ndarray) -> dict[str, Any]:
        return values | dict(zip(net.species_names, x[:count], strict=True)) | {"t": t}

    def excess(when: Any, t: float, x: np.ndarray) -> float:
        """Left minus right side of `a >= b`: positive where it holds."""
        assert when.op in (">=", ">")
        return float(evaluate(when.args[0], state(t, x))) - float(evaluate(when.args[1], state(t, x)))

    def pass_by() -> None:
        for o in net.observables:
            if o.use == "first_passage" and excess(o.options["when"], t, x) >= -1e-9:
                result.passed.setdefault(o.name, t)

    def act() -> None:
        pass_by()
        for k, d in enumerate(net.treatments):
            if k in due:
                if due[k][0] > t + 1e-12 or not due[k][1]:
                    continue
                due[k] = [due[k][0] + (d.every or np.inf), due[k][1] - 1]
            elif held[k] or excess(d.at, t, x) < -1e-9:
                held[k] = held[k] and excess(d.at, t, x) >= -1e-9
                continue
            else:
                held[k] = True
            for s, e in d.set:
                x[s] = float(evaluate(e, state(t, x)))
            for q, factor in d.scale:
                values[net.parameter_names[q]] *= factor
            result.log.append((t, float(k), float(x[d.set[0][0]]) if d.set else 0.0))
        for k in held:  # a treatment may have ended its own condition
            held[k] = held[k] and excess(net.treatments[k].at, t, x) >= -1e-9
        pass_by()

    act()
    while t < t_end:
        stop = min([f for f in flips if f > t + 1e-12] + [w for w, n in due.values() if n] + [t_end])
        now = [_held(law, values, t) for law in laws]

        def slope(t: float, x: np.ndarray, now: Any = now) -> np.ndarray:
            rates = np.array([float(evaluate(law, state(t, x))) for law in now])
            return np.concatenate([matrix @ rates, rates])

        watched = [d.at for k, d in enumerate(net.treatments) if k in held]
        watched += [o.options["when"] for o in net.observables
                    if o.use == "first_passage" and o.name not in result.passed]  # fmt: skip
        events = [_crossing(lambda t, x, when=when: excess(when, t, x)) for when in watched]
        span = (t, stop)
        solved = solve_ivp(slope, span, x, "DOP853", dense_output=True, events=events, rtol=1e-12, atol=1e-12)
        end = solved.t[-1]
        for j in range(done, len(grid)):  # a save at a stop shows the state after it
            if grid[j] < end or (grid[j] == end and end == t_end):
                out[j], done = solved.sol(grid[j]), j + 1
        t, x = float(end), solved.y[:, -1].copy()
        for k in held:
            if excess(net.treatments[k].at, t, x) < -1e-9:
                held[k] = False
        act()
    result.state, result.fluxes = out[:, :count], out[:, count:]
    return result


def _crossing(f: Any) -> Any:
    f.terminal, f.direction = True, 1.0
    return f
