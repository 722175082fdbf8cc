"""Models in memory, for people with a loop of their own: the same kernels and the same bits as `ctcdyn run`."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctcdyn.codegen.choose import CHOSEN, Choice, choose_any, choose_ode
from ctcdyn.codegen.kernel import Kernel, link, solver_facts
from ctcdyn.config import Study, load_study
from ctcdyn.config.values import SHORTEST_WINDOW
from ctcdyn.ensemble import DEFAULT_WINDOW, Ensemble, plan, run_range
from ctcdyn.errors import CtcError, Problem
from ctcdyn.execute import local
from ctcdyn.model.importance import method_problems, read_tilted, share_problems
from ctcdyn.model.load import load_model as load_network
from ctcdyn.model.network import Network, derived_is_fixed, unknown_name
from ctcdyn.model.rates import parts_of_cells
from ctcdyn.model.resolve import check_step, resolve
from ctcdyn.patients import shown_parameters
from ctcdyn.plugins import find
from ctcdyn.preparation import RNG, make_schema
from ctcdyn.reduction import sketch_of
from ctcdyn.results import Results

LARGEST = 10**9  # trajectories of one call, whose rows are kept in memory
REMEMBERED = 1000  # choices of a solver
QUANTILES = (0.025, 0.25, 0.5, 0.75, 0.975)


def load_model(
    name_or_path: str | os.PathLike[str], mechanisms: Mapping[str, bool | str | Mapping[str, object]] | None = None
) -> Model:
    """A built-in model by name, or a model file by path. Raises CtcError (exit 3) with all its problems.

    `mechanisms`: what [mechanisms] of a study says: name -> True, False, a path, or settings
    (`{"nk_cells": {"kill_rate": "4 /day"}}`).
    """
    return Model(load_network(str(name_or_path), mechanisms))


class Model:
    """A reaction network that can be simulated. Kernels are compiled once for each method and reused."""

    def __init__(self, network: Network, given: Sequence[bool] | None = None) -> None:
        """`given`: which of the network's treatments are given; None: all."""
        self.network = network
        self._given = None if given is None else np.array([given], dtype=np.bool_)
        self._kernels: dict[str, Kernel] = {}
        self._semantics: dict[str, str] = {}  # of each method: jump or ode
        self._chosen: dict[tuple[object, ...], Choice] = {}

    def __repr__(self) -> str:
        n = self.network
        return f"<ctcdyn.Model {n.name}: {len(n.species)} species, {len(n.reactions)} reactions>"

    @classmethod
    def from_study(cls, study: Study | str | os.PathLike[str], arm: str | None = None) -> Model:
        """The model as a study (or the file of one) sets it: its values, starts, events, and the treatments of one arm.

        `arm`: default the first. Times, method, seed and number of trajectories are those of each call; draws of
        a population are not made: give an array of each parameter that differs. Raises CtcError (exit 3) with all
        problems of the study; C102 for an arm that it does not have.
        """
        study = study if isinstance(study, Study) else load_study(os.fspath(study))
        network = resolve(load_network(study.model), study).network
        if arm is not None and arm not in study.arms:
            raise CtcError(unknown_name("arm", arm, study.arms))
        given = study.given[0 if arm is None else study.arms.index(arm)] if study.treatment else None
        return cls(network, given)

    def simulate(
        self,
        times: ArrayLike,
        *,
        method: str,
        lesion_method: str = "hybrid",
        n: int | None = None,
        parameters: Mapping[str, ArrayLike] | None = None,
        initial: Mapping[str, float] | None = None,
        seed: int | None = 0,
        threads: int | None = None,
        keep: int | str = "all",
        rtol: float = 1e-6,
        atol: float = 1e-6,
        window: float | None = None,
        step: float | None = None,
        epsilon: float = 0.03,
        switch: tuple[float, float] = (500.0, 200.0),
        quantiles: Sequence[float] = QUANTILES,
        importance: Mapping[str, float] | None = None,
        max_steps: int = 10_000_000,
        max_events: int = 10_000_000_000,
    ) -> Results:
        """Simulate n trajectories over `times` (T,), days, strictly rising; the first is the start.

        `parameters` maps names to a number or an array of shape (n,), in the model's units; `initial` species to
        numbers. n defaults to the length of the arrays, or 1. `keep`: paths in the result, "all", "none" or a number.
        `step`, days: of methods with a fixed one; `epsilon`: of leaps; `switch`: counts from which on hybrid takes a
        species as continuous, and below which as discrete again. `importance`: how many times as often the fate of a
        cell, a reaction by its name, is drawn as it happens (docs/solvers.md#rare-events); then Results.weight holds a
        weight for each trajectory, means are weighted and there are no quantiles. Results.state is (n kept, T, S).
        Changing numbers compiles nothing, and a call costs less than a millisecond beside its trajectories. With "ode"
        and "auto", other `initial` values or other ends of `times` make the choice of a solver anew, 0.1 to 1 s: name
        one in such a loop. Raises CtcError with all that is wrong: unknown names, shapes, values that are not finite or
        out of range.

        >>> model = load_model("birth_death_immigration")
        >>> model.simulate([0.0, 5.0], method="direct", n=1000, seed=1).state.shape
        (1000, 2, 1)
        """
        told: list[Problem] = []
        grid = _attempt(told, _grid, times)
        tilted = _attempt(told, self._tilted, importance or {}) or self.network
        count, values = _attempt(told, self._values, tilted, parameters or {}, n) or (1, None)
        network = _attempt(told, self._started, tilted, initial or {})
        if tilted.tilts and not told:
            given = tilted.parameter_values()[None, :] if values is None else values
            told += share_problems(tilted, shown_parameters(tilted, given, len(given)))
        kept = _attempt(told, _kept, keep, count)
        seed = secrets.randbits(63) if seed is None else _attempt(told, _whole, "seed", seed)
        window = DEFAULT_WINDOW if window is None else window
        threads = local.usable_threads() if threads is None else threads
        sizes = {"rtol": rtol, "atol": atol, "window": window, "threads": threads, "epsilon": epsilon}
        sizes |= {} if step is None else {"step": step}
        for name, value in (sizes | {"max_steps": max_steps, "max_events": max_events}).items():
            _attempt(told, _positive, name, value)
        if not told and window < SHORTEST_WINDOW:
            told.append(Problem("C105", f"window = {window!r}", fix=f"give at least {SHORTEST_WINDOW:g} days"))
        switch = _attempt(told, _thresholds, switch) or (500.0, 200.0)
        for q in quantiles:
            _attempt(told, _share, q)
        if told:
            raise CtcError(told)
        if method in CHOSEN:
            chosen = self._choice(method, network, initial or {}, grid, switch[0])
            method, network = chosen.method, chosen.taken(network)
        kernel = self._kernel(method, network, initial or {}, switch[0], lesion_method)
        told += check_step(network, method, self._semantics[method], step, float(grid[-1] - grid[0]), max_steps)
        if told:
            raise CtcError(told)
        ensemble = Ensemble(
            network=network,
            seed=seed,
            count=count,
            times=grid,
            values=values,
            given=self._given,
            keep=kept,
            state_dtype="f8",
            rtol=rtol,
            atol=atol,
            window=window,
            epsilon=epsilon,
            longest_step=np.inf if step is None else step,
            switch=switch,
            max_steps=max_steps,
            max_events=max_events,
            sketched=bool(quantiles) and count > 1 and not network.tilts,
            lesion_table=network.lesion is not None,
        )
        return _collect(kernel, ensemble, threads, tuple(quantiles))

    def _choice(
        self, method: str, network: Network, initial: Mapping[str, float], grid: NDArray[np.float64], up: float
    ) -> Choice:
        """The solver for "ode" or "auto": the nominal patient's, so parameters of a call have no part in it.

        Following that patient takes 0.1 to 1 s, so what was found is remembered for calls from the same start.
        """
        start, end, gap = float(grid[0]), float(grid[-1]), float(np.diff(grid).min(initial=np.inf))
        key = (method, *sorted(initial.items()), start, end, up, gap)
        if key not in self._chosen:
            ode = method == "ode"
            found = choose_ode(network, start, end) if ode else choose_any(network, start, end, up, gap)
            if len(self._chosen) >= REMEMBERED:
                self._chosen.clear()
            self._chosen[key] = found
        return self._chosen[key]

    def _kernel(
        self, method: str, network: Network, initial: Mapping[str, float], switch_up: float, lesion_method: str
    ) -> Kernel:
        """The compiled kernel of a method, once it is known that it can start from `network`."""
        if method not in self._semantics:
            self._semantics[method] = str(solver_facts(find("solver", method))["SEMANTICS"])
        semantics = self._semantics[method]
        if semantics in ("jump", "mixed", "backward"):  # each time: these are numbers, no part of a kernel
            parts = parts_of_cells(network, dict.fromkeys(initial), semantics != "jump")
            if parts:
                raise CtcError(parts)
        if network.tilts:
            wrong = method_problems(network, method, semantics, switch_up)
            if wrong:
                raise CtcError(wrong)
        fates = [f"{r}" for tilt in network.tilts for r, _ in (*tilt.drawn, (-1, 0))]
        key = "|".join([method, lesion_method, *(type(s.initial).__name__ for s in network.species), *fates])
        if key not in self._kernels:
            self._kernels[key] = link(network, method, lesion_method=lesion_method).compile()
        return self._kernels[key]

    def _tilted(self, importance: Mapping[str, float]) -> Network:
        """The network whose fates are drawn from another law."""
        if not importance:
            return self.network
        if self.network.tilts:
            what = "importance = ...: the study of this model has [importance] already"
            raise CtcError(Problem("C107", what, fix="leave one of the two out"))
        wrong = [
            Problem("C106", f"importance of {name}: {value!r}", fix="give a finite number")
            for name, value in importance.items()
            if not _is_number(value)
        ]
        network, problems = read_tilted(self.network, {k: v for k, v in importance.items() if _is_number(v)})
        if wrong or problems:
            raise CtcError([*wrong, *problems])
        return network

    def _started(self, network: Network, initial: Mapping[str, float]) -> Network:
        """The network from other initial values."""
        wrong = [
            Problem(
                "C106", f"initial value of {name}: {value!r}", fix="give a finite number that is not negative"
            )
            for name, value in initial.items()
            if not _is_number(value) or value < 0
        ]
        if wrong:
            raise CtcError(wrong)
        return network.with_values(initial=initial) if initial else network

    def _values(
        self, network: Network, given: Mapping[str, ArrayLike], n: int | None
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
            array = _array(value)
            if array is None or array.ndim > 1 or not np.isfinite(array).all():
                fix = "give a finite number or an array of shape (n,)"
                is_what = "is not numeric" if array is None else f"has shape {array.shape}"
                what = f"parameter {name} {is_what} or has values that are not finite"
                problems.append(Problem("C106", what, fix=fix))
                continue
            low, high = by_name[name].bounds or (-np.inf, np.inf)
            if array.size and (array.min() < low or array.max() > high):
                reach = f"from {array.min():g} to {array.max():g}"
                what = f"parameter {name} reaches {reach}, its bounds are {low:g} to {high:g}"
                problems.append(
                    Problem("M306", what, fix="stay within the bounds, or widen them in the model file")
                )
                continue
            arrays[name] = array
        lengths = {len(a) for a in arrays.values() if a.ndim == 1}
        count = _whole("n", n) if n is not None else max(lengths, default=1)
        if not 1 <= count <= LARGEST or lengths - {count}:
            fix = f"arrays and n must have the same length, from 1 to {LARGEST}"
            problems.append(Problem("C106", f"n = {count}, arrays of length {sorted(lengths)}", fix=fix))
        if problems:
            raise CtcError(problems)
        if not arrays:
            return count, None
        values = np.repeat(network.parameter_values()[None, :], count, axis=0)
        for name, array in arrays.items():
            values[:, self.network.parameter_names.index(name)] = array
        return count, values


def _collect(kernel: Kernel, ensemble: Ensemble, threads: int, quantiles: tuple[float, ...]) -> Results:
    network, tree = ensemble.network, ensemble.tree()
    parts = []
    run_one = partial(run_range, kernel, ensemble)
    columns = len(network.species) + len(kernel.emission.observables)
    histogram = ensemble.histogram(columns) if ensemble.leaves > 1 else None
    for result in local.execute(run_one, plan(ensemble, threads), threads, ensemble.stop):
        tree.add_all(result.nodes)
        if histogram is not None:
            histogram.add(result.sketch)
        parts.append(result)
    parts.sort(key=lambda part: part.first)
    names = ["status", "n_steps", "n_reactions", "params", "final_state"]
    names += ["weight"] if network.tilts else []
    names += ["state", "observables"] if ensemble.keep else []
    names += ["event_time", "event_observed"] if kernel.emission.passages else []
    arrays: dict[str, NDArray[Any]] = {}
    for name in names:
        rows = [getattr(part, name) for part in parts]
        arrays[name] = np.concatenate(rows) if len(rows) > 1 else rows[0]
    if not kernel.emission.observables:
        arrays.pop("observables", None)
    tables = [part.lesions for part in parts]
    names = list(tables[0])
    lesions = {name: np.concatenate([table[name] for table in tables]) for name in names} if names else None
    sketch = histogram.sketch() if histogram is not None else None
    if ensemble.sketched and sketch is None and parts[0].sketch is not None:
        sketch = sketch_of(parts[0].sketch, 1, len(ensemble.times), columns)
    schema = make_schema(
        network,
        kernel.emission,
        kernel.method,
        ensemble,
        quantiles=quantiles if sketch is not None else (),
        provenance={"seed": ensemble.seed, "rng": RNG},
        lesions=lesions is not None,
        inner=kernel.lesion.emission if kernel.lesion is not None else None,
    )
    return Results.from_arrays(schema, arrays, tree.root(), sketch, lesions)


def _attempt(told: list[Problem], check: Callable[..., Any], *given: Any) -> Any:
    """What a check gives; None where it raised, with its problems in `told`: all mistakes of a call come at once."""
    try:
        return check(*given)
    except CtcError as error:
        told += error.problems
        return None


def _grid(times: ArrayLike) -> NDArray[np.float64]:
    grid = _array(times)
    if (
        grid is None
        or grid.ndim != 1
        or len(grid) < 2
        or not np.isfinite(grid).all()
        or not (np.diff(grid) > 0).all()
    ):
        shape = "that are no numbers" if grid is None else f"of shape {grid.shape}"
        fix = "give at least two finite times in days, strictly rising; the first is the start"
        raise CtcError(Problem("C114", f"times {shape} cannot be used", fix=fix))
    return np.ascontiguousarray(grid)


def _array(value: ArrayLike) -> NDArray[np.float64] | None:
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None


def _kept(keep: int | str, count: int) -> int:
    if keep in ("all", "none"):
        return count if keep == "all" else 0
    if isinstance(keep, str):
        raise CtcError(Problem("C106", f"keep = {keep!r}", fix='give "all", "none" or a number'))
    return _whole("keep", keep)


def _is_number(value: Any) -> bool:
    numeric = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return numeric and bool(-np.inf < value < np.inf)


def _whole(name: str, value: int) -> int:
    if not _is_number(value) or int(value) != value or value < 0 or value >= 2**64:
        raise CtcError(Problem("C106", f"{name} = {value!r}", fix="give a whole number that is not negative"))
    return int(value)


def _positive(name: str, value: float) -> None:
    if not _is_number(value) or value <= 0:
        raise CtcError(Problem("C106", f"{name} = {value!r}", fix="give a finite number above zero"))


def _thresholds(value: Any) -> tuple[float, float]:
    try:
        up, down = (float(x) for x in value)
    except (TypeError, ValueError):
        up, down = np.nan, np.nan
    if not 0.0 <= down <= up:
        fix = "give two counts: where a species becomes continuous, and a lower one where it is discrete again"
        raise CtcError(Problem("C106", f"switch = {value!r}", fix=fix))
    return up, down


def _share(value: float) -> None:
    if not _is_number(value) or not 0 <= value <= 1:
        raise CtcError(Problem("C106", f"quantiles contain {value!r}", fix="give numbers from 0 to 1"))
