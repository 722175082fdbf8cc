"""Checks of a kernel against what is known without it; a mutant of the kernel's text must fail one of them.

Each takes a kernel module, the network it was made from and a number of days, and raises AssertionError.
The tests call them with the real kernels, `mutants.py` with kernels whose text was changed.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from ctcdyn.model.expr import evaluate
from ctcdyn.model.network import Network
from drive import Drive
from flow import Flow, flow
from replay import Path, replay

EVENTS = 20_000  # cap of a run: a mutant that never ends is caught
_paths: dict[tuple[str, float, int, int, str], Path] = {}
_flows: dict[tuple[str, float, int], Flow] = {}


def path_of(net: Network, days: float, seed: int, number: int, module: Any = None) -> Path:
    """The naive path with the draws of the solver that the module was made of, computed once for all mutants."""
    method = "next_reaction" if hasattr(module, "soonest") else "direct"
    method = "logarithmic_direct" if hasattr(module, "PLAN") else method
    key = (repr((net.name, net.parameter_values().tolist(), net.species)), days, seed, number, method)
    if key not in _paths:
        _paths[key] = replay(net, days, seed, number, method=method)
    return _paths[key]


def check_replay(module: Any, net: Network, days: float, seed: int = 20, count: int = 5) -> None:
    """The same path as the naive replay: every state, count, passage, log line and reading."""
    grid = np.linspace(0.0, days, 60)
    run = Drive(module, net, grid, count=count, seed=seed, max_events=EVENTS).go()
    shown = len(net.species)
    for k in range(count):
        path = path_of(net, days, seed, k, module)
        assert run.status[k] in (0, 1)
        assert_array_equal(run.state[k], path.at(grid), f"trajectory {k}")
        assert_array_equal(run.final[k], path.states[-1])
        assert run.work[k] == sum(path.fired)
        check_readings(net, run.rows[k], grid)
        at = shown
        for o in net.observables:
            if o.use == "flux":
                r = next(r for r, x in enumerate(net.reactions) if x.name == o.options["reaction"])
                assert run.rows[k, -1, at] == path.fired[r], o.name
                at += 1
        passages = [path.passed.get(o.name, np.inf) for o in net.observables if o.use == "first_passage"]
        assert_allclose(run.passed[k], passages, rtol=1e-12)
        assert_allclose(np.reshape(run.logs(k), (-1, 3)), np.reshape(path.log, (-1, 3)), rtol=1e-12)


def check_times(module: Any, net: Network, days: float, seed: int = 20) -> None:
    """Every event of a path happens at its time, to 1e-9: the state just before and just after it."""
    path = path_of(net, days, seed, 0, module)
    close = sorted({0.0, days, *(t * (1.0 + e) for t in path.times[1:-1] for e in (-1e-9, 1e-9))})
    run = Drive(module, net, close, count=1, seed=seed, max_events=EVENTS).go()
    assert run.status[0] in (0, 1)
    assert_array_equal(run.state[0], path.at(close))


def check_patients(module: Any, net: Network, days: float, values: Mapping[str, Sequence[float]]) -> None:
    """Trajectories with parameters of their own: each as the replay of a network with those numbers."""
    count = len(next(iter(values.values())))
    grid = np.linspace(0.0, days, 60)
    run = Drive(module, net, grid, count=count, seed=20, values=values, max_events=EVENTS).go()
    for k in range(count):
        path = path_of(net.with_values({name: x[k] for name, x in values.items()}), days, 20, k, module)
        assert_array_equal(run.state[k], path.at(grid), f"trajectory {k}")
        assert_allclose(np.reshape(run.logs(k), (-1, 3)), np.reshape(path.log, (-1, 3)), rtol=1e-12)
        passages = [path.passed.get(o.name, np.inf) for o in net.observables if o.use == "first_passage"]
        assert_allclose(run.passed[k], passages, rtol=1e-12)


def check_caps(module: Any, net: Network, days: float, cap: int = 60) -> None:
    """Trajectories beyond the cap fail and have no rows from then on; the others are as they were."""
    grid = np.linspace(0.0, days, 60)
    free, capped = (Drive(module, net, grid, count=6, seed=20, max_events=n).go() for n in (EVENTS, cap))
    paths = [path_of(net, days, 20, k, module) for k in range(6)]
    over = np.array([path.candidates for path in paths]) > cap
    assert over.any()
    assert_array_equal(capped.status, np.where(over, 5, free.status))
    assert_array_equal(capped.work[~over], free.work[~over])
    assert (capped.work[over] <= cap + 1).all()
    assert np.isnan(capped.rows[over, -1]).all()
    assert np.isnan(capped.final[over]).all()
    there = ~np.isnan(capped.rows)
    assert_array_equal(capped.rows[there], free.rows[there])
    assert_array_equal(capped.final[~over], free.final[~over])


def check_readings(net: Network, rows: np.ndarray, grid: np.ndarray) -> None:
    """Every reading is its expression at the saved state, rows (T, SPECIES + READINGS)."""
    values = dict(zip(net.parameter_names, net.parameter_values().tolist(), strict=True))
    counters = [o.name for o in net.observables if o.use == "flux"]
    state = dict(zip([*net.species_names, *counters], rows.T, strict=False)) | {"t": grid}
    computed = [o for o in net.observables if o.expr is not None]
    for k, o in enumerate(computed):
        assert o.expr is not None
        expected = np.broadcast_to(evaluate(o.expr, values | state), grid.shape)
        assert_allclose(rows[:, len(net.species) + len(counters) + k], expected, rtol=1e-12, err_msg=o.name)


def check_jumps(module: Any, net: Network, days: float, seed: int = 20) -> None:
    """Between two events of the naive path the state moves by the column of one reaction; laws hold."""
    assert not net.treatments
    path = path_of(net, days, seed, 0, module)
    between = [0.5 * (a + b) for a, b in zip(path.times[1:], path.times[2:], strict=False)]
    grid = np.array([0.0, *between, days])
    run = Drive(module, net, grid, count=1, seed=seed, max_events=EVENTS).go()
    columns = {tuple(c) for c in net.stoichiometry().T.tolist()}
    moves = {tuple(int(x) for x in row) for row in np.diff(run.state[0], axis=0)}
    assert moves <= columns | {(0,) * len(net.species)}, moves - columns
    check_conserved(net, run.state[0])


def check_conserved(net: Network, rows: np.ndarray, rtol: float = 0.0) -> None:
    """Every law of conservation of the network, rows (T, S)."""
    for law in net.conservation():
        total = sum(c * rows[:, net.index(name)] for name, c in law.items())
        assert_allclose(total, total[0], rtol=rtol, atol=0.0, err_msg=str(law))


def check_grid(module: Any, net: Network, days: float, seed: int = 20) -> None:
    """A save changes nothing: the same bytes at shared times, whatever is saved between."""
    coarse, fine = np.linspace(0.0, days, 3), np.linspace(0.0, days, 201)
    a, b = (Drive(module, net, grid, count=4, seed=seed).go() for grid in (coarse, fine))
    assert a.rows.tobytes() == b.rows[:, ::100].tobytes()
    for name in ("final", "passed", "work", "ended", "log"):
        assert getattr(a, name).tobytes() == getattr(b, name).tobytes(), name


def check_independent(module: Any, net: Network, days: float, seed: int = 20) -> None:
    """No two trajectories share a path, and each is the same alone as in a range."""
    grid = np.linspace(0.0, days, 30)
    run = Drive(module, net, grid, count=6, seed=seed).go()
    assert len({row.tobytes() for row in run.state}) == 6
    alone = Drive(module, net, grid, count=1, first=4, seed=seed).go()
    assert alone.rows[0].tobytes() == run.rows[4].tobytes()


@functools.cache
def _reference(net_key: int, days: float, points: int) -> Flow:
    return flow(_networks[net_key], np.linspace(0.0, days, points))


_networks: dict[int, Network] = {}


def reference(net: Network, days: float, points: int = 41) -> Flow:
    """The solution by SciPy, computed once for all mutants."""
    _networks[id(net)] = net
    return _reference(id(net), days, points)


def check_ode(module: Any, net: Network, days: float, loose: float = 1e-6, most: int = 5000) -> None:
    """States, integrals of rates, passages and treatments of the ODE, at saves that no step meets."""
    truth = reference(net, days)
    grid, tight = np.linspace(0.0, days, 41), {"rtol": 1e-9, "atol": 1e-9, "max_steps": most}
    run = Drive(module, net, grid, count=2, first_step=days / 4.0, **tight).go()  # too long: it is refused
    assert set(run.status.tolist()) == {0}
    scale = np.abs(truth.state).max(axis=0) * 1e-3 + 1e-3
    assert (np.abs(run.state[0] - truth.state) / (scale + np.abs(truth.state))).max() < loose
    at = len(net.species)
    for o in net.observables:
        if o.use == "flux":
            r = next(r for r, x in enumerate(net.reactions) if x.name == o.options["reaction"])
            assert_allclose(run.rows[0, :, at], truth.fluxes[:, r], rtol=loose, atol=1e-6)
            at += 1
    passages = [truth.passed.get(o.name, np.inf) for o in net.observables if o.use == "first_passage"]
    assert_allclose(run.passed[0], passages, rtol=loose)
    assert_allclose(np.reshape(run.logs(0), (-1, 3)), np.reshape(truth.log, (-1, 3)), rtol=loose, atol=1e-6)
    assert_array_equal(run.rows[0], run.rows[1])


def check_order(module: Any, net: Network, days: float, order: float, dense: float, steps: int = 48) -> None:
    """Order of steps and of dense output, from halved steps without error control."""
    points = 2 * steps + 2  # saves lie within steps
    truth = reference(net, days, points).state
    errors = []
    for n in (steps, 2 * steps):
        h = days / n
        run = Drive(module, net, np.linspace(0.0, days, points), count=1, rtol=1e9, atol=1e9, first_step=h,
                    longest_step=h, max_steps=10 * n).go()  # fmt: skip
        assert n <= run.work[0] <= n + 2
        gap = np.abs(run.state[0] - truth) / (1.0 + np.abs(truth))
        errors.append((gap[-1].max(), gap.max()))
    (end, within), (end_half, within_half) = errors
    found, found_within = np.log2(end / end_half), np.log2(within / within_half)
    assert found > order - 0.5, f"order {found:.2f} at the end of steps"
    assert found_within > dense - 0.5, f"order {found_within:.2f} within steps"
