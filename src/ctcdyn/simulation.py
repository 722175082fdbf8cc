"""Models in memory, for people with a loop of their own: the same kernels and the same bits as `ctcdyn run`."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctcdyn.codegen.choose import METHODS_ODE, choose_ode
from ctcdyn.codegen.kernel import Kernel, link
from ctcdyn.ensemble import DEFAULT_WINDOW, Ensemble, completed, plan, run_range
from ctcdyn.errors import CtcError, Problem
from ctcdyn.execute import local
from ctcdyn.model.load import load_model as load_network
from ctcdyn.model.network import Network, derived_is_fixed, unknown_name
from ctcdyn.preparation import RNG, make_schema
from ctcdyn.results import Results

QUANTILES = (0.025, 0.25, 0.5, 0.75, 0.975)


def load_model(name_or_path: str | os.PathLike[str]) -> Model:
    """A built-in model by name, or a model file by path. Raises CtcError (exit 3) with all its problems."""
    return Model(load_network(str(name_or_path)))


class Model:
    """A reaction network that can be simulated. Kernels are compiled once for each method and reused."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._kernels: dict[str, Kernel] = {}

    def __repr__(self) -> str:
        n = self.network
        return f"<ctcdyn.Model {n.name}: {len(n.species)} species, {len(n.reactions)} reactions>"

    def simulate(
        self,
        times: ArrayLike,
        *,
        method: str,
        n: int | None = None,
        parameters: Mapping[str, ArrayLike] | None = None,
        initial: Mapping[str, float] | None = None,
        seed: int | None = 0,
        threads: int | None = None,
        keep: int | str = "all",
        rtol: float = 1e-6,
        atol: float = 1e-6,
        window: float | None = None,
        quantiles: Sequence[float] = QUANTILES,
        max_steps: int = 10_000_000,
        max_events: int = 10_000_000_000,
    ) -> Results:
        """Simulate n trajectories over `times` (T,), days, strictly rising; the first is the start.

        `parameters` maps names to a number or an array of shape (n,), in the model's units; `initial` species to
        numbers. n defaults to the length of the arrays, or 1. `keep`: paths in the result, "all", "none" or a number.
        Results.state is (n kept, T, S). Changing numbers compiles nothing. Raises CtcError for unknown names, wrong
        shapes and values that are not finite.

        >>> model = load_model("birth_death_immigration")
        >>> model.simulate([0.0, 5.0], method="direct", n=1000, seed=1).state.shape
        (1000, 2, 1)
        """
        grid = _grid(times)
        count, values = self._values(parameters or {}, n)
        network = self.network.with_values(initial=initial or {})
        if method in METHODS_ODE:
            method = choose_ode(network, float(grid[0]), float(grid[-1])).method
        kernel = self._kernel(method, network)
        ensemble = Ensemble(
            network=network,
            seed=secrets.randbits(63) if seed is None else _whole("seed", seed),
            count=count,
            times=grid,
            values=values,
            keep=count if keep == "all" else 0 if keep == "none" else int(keep),
            state_dtype="f8",
            rtol=rtol,
            atol=atol,
            window=DEFAULT_WINDOW if window is None else window,
            max_steps=max_steps,
            max_events=max_events,
            sketched=bool(quantiles) and count > 1,
        )
        return _collect(kernel, ensemble, threads or local.usable_threads(), tuple(quantiles))

    def _kernel(self, method: str, network: Network) -> Kernel:
        key = "|".join([method, *(type(s.initial).__name__ for s in network.species)])
        if key not in self._kernels:
            self._kernels[key] = link(network, method).compile()
        return self._kernels[key]

    def _values(
        self, given: Mapping[str, ArrayLike], n: int | None
    ) -> tuple[int, NDArray[np.float64] | None]:
        """(number of trajectories, parameters of each (n, P) or None where nothing was given)."""
        by_name = {p.name: p for p in self.network.parameters}
        problems: list[Problem] = []
        arrays: dict[str, NDArray[np.float64]] = {}
        for name, value in given.items():
            if name not in by_name:
                problems.append(unknown_name("parameter", name, by_name))
                continue
            if by_name[name].expr is not None:
                problems.append(derived_is_fixed(by_name[name], by_name))
                continue
            array = np.asarray(value, dtype=np.float64)
            if array.ndim > 1 or not np.isfinite(array).all():
                fix = "give a finite number or an array of shape (n,)"
                problems.append(
                    Problem(
                        "C106",
                        f"parameter {name} has shape {array.shape} or values that are not finite",
                        fix=fix,
                    )
                )
            arrays[name] = array
        lengths = {len(a) for a in arrays.values() if a.ndim == 1}
        count = _whole("n", n) if n is not None else max(lengths, default=1)
        if count < 1 or lengths - {count}:
            fix = "arrays and n must have the same length of at least 1"
            problems.append(Problem("C106", f"n = {count}, arrays of length {sorted(lengths)}", fix=fix))
        if problems:
            raise CtcError(problems)
        if not arrays:
            return count, None
        values = np.repeat(self.network.parameter_values()[None, :], count, axis=0)
        for name, array in arrays.items():
            values[:, self.network.parameter_names.index(name)] = array
        return count, values


def _collect(kernel: Kernel, ensemble: Ensemble, threads: int, quantiles: tuple[float, ...]) -> Results:
    network, tree = ensemble.network, ensemble.tree()
    parts = []
    run_one = partial(run_range, kernel, ensemble)
    for result in map(completed, local.execute(run_one, plan(ensemble, threads), threads, ensemble.stop)):
        tree.add_all(result.nodes)
        parts.append(result)
    parts.sort(key=lambda part: part.first)
    names = ["status", "n_steps", "n_reactions", "params", "final_state"]
    names += ["state", "observables"] if ensemble.keep else []
    names += ["event_time", "event_observed"] if kernel.emission.passages else []
    arrays: dict[str, NDArray[Any]] = {}
    for name in names:
        rows = [getattr(part, name) for part in parts]
        arrays[name] = np.concatenate(rows) if len(rows) > 1 else rows[0]
    if not kernel.emission.observables:
        arrays.pop("observables", None)
    sketch = ensemble.sketch()
    schema = make_schema(
        network,
        kernel.emission,
        kernel.method,
        ensemble,
        quantiles=quantiles if sketch is not None else (),
        provenance={"seed": ensemble.seed, "rng": RNG},
    )
    return Results.from_arrays(schema, arrays, tree.root(), sketch)


def _grid(times: ArrayLike) -> NDArray[np.float64]:
    grid = np.ascontiguousarray(times, dtype=np.float64)
    if grid.ndim != 1 or len(grid) < 2 or not np.isfinite(grid).all() or not (np.diff(grid) > 0).all():
        fix = "give at least two finite times in days, strictly rising; the first is the start"
        raise CtcError(Problem("C114", f"times of shape {grid.shape} cannot be used", fix=fix))
    return grid


def _whole(name: str, value: int) -> int:
    if isinstance(value, bool) or int(value) != value or value < 0 or value >= 2**64:
        raise CtcError(Problem("C106", f"{name} = {value!r}", fix="give a whole number that is not negative"))
    return int(value)
