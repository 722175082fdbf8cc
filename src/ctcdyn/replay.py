"""One trajectory of a result again, from the file alone, bit for bit; on a finer grid where that changes nothing.

The model and the study are read from the text in the file by the same grammar as from a user's file: nothing in a
result is ever run as code. The kernel that follows from them must be the one that made the file.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctcdyn.codegen.choose import choose
from ctcdyn.codegen.kernel import Linked, link
from ctcdyn.config import Study
from ctcdyn.ensemble import Ensemble, Range, run_range
from ctcdyn.errors import CtcError, Exit, Problem, Status
from ctcdyn.harvest import RangeResult
from ctcdyn.model.load import load_model
from ctcdyn.model.network import Network
from ctcdyn.model.resolve import resolve
from ctcdyn.places import Document
from ctcdyn.preparation import ensemble_of, make_schema
from ctcdyn.results import Results, open_results
from ctcdyn.store.layout import ROW_NAMES
from ctcdyn.store.lesions import Lesions
from ctcdyn.units import TIME, parse_quantity

MOST_SAVES = 10_000_000
_ASIDE = ("arms", "count", "kept", "mechanisms")  # of a resolved study: they follow from the rest


@dataclass(frozen=True)
class Replay:
    """A trajectory that was run again: its result, in memory, and what of the stored row it did not match."""

    results: Results
    trajectory: int
    compared: tuple[str, ...]
    differing: tuple[str, ...]


def replay(
    path: str | os.PathLike[str], trajectory: int, times: Sequence[float] | None = None
) -> Replay:
    """Run trajectory `trajectory` of the result `path` again, saved at its own times or at `times` (days).

    Raises CtcError: R509 where the study has no such trajectory; R516 where this version makes another kernel of the
    model, and where other save times would change the path.
    """
    with open_results(path) as stored:
        linked, ensemble = _again(stored, os.fspath(path))
        if not 0 <= trajectory < stored.schema.total:
            what = f"{path} has no trajectory {trajectory}: the study has 0 to {stored.schema.total - 1}"
            raise CtcError(Problem("R509", what), Exit.OUTPUT)
        free = [x for x in (linked, linked.lesion) if x is not None and not x.facts["GRID_FREE"]]
        if times is not None and free:
            why = f"a path of {free[0].method} depends on its save times"
            raise CtcError(Problem("R516", "other save times would give another path", why=why), Exit.OUTPUT)
        grid = ensemble.times if times is None else _grid(times, ensemble.times)
        ensemble = replace(ensemble, times=grid, keep=ensemble.count, sketched=False)
        kernel = linked.compile()
        (result,) = run_range(kernel, ensemble, Range(trajectory, 1))
        compared, differing = _compare(stored, result, trajectory, times is None)
        schema = make_schema(
            ensemble.network, kernel.emission, kernel.method, ensemble,
            arms=stored.arm, patients=stored.schema.patients, provenance={"seed": ensemble.seed},
            lesions=bool(result.lesions),
        )  # fmt: skip
        one = replace(schema, first=trajectory, count=1, keep=trajectory + 1)
        results = Results.from_arrays(one, _arrays(one, result), lesions=result.lesions or None)
        return Replay(results, trajectory, compared, differing)


def replay_every(path: str | os.PathLike[str], trajectory: int, step: str | None) -> Replay:
    """`replay` saved every `step`, a time such as "1 hour"; None: at the result's own times."""
    if step is None:
        return replay(path, trajectory)
    value, unit = parse_quantity(step)
    days = value if unit is None else unit.to_base(value)
    if not days > 0.0 or (unit is not None and unit.dimension != TIME):
        raise CtcError(Problem("C105", f"--dense {step}", fix='give a time above zero, such as "1 hour"'), Exit.USAGE)
    with open_results(path) as stored:
        start, end = float(stored.schema.times[0]), float(stored.schema.times[-1])
    count = (end - start) / days
    if count > MOST_SAVES:
        fix = f"at most {MOST_SAVES} save times: give a longer one"
        raise CtcError(Problem("C105", f"--dense {step} means {count:.3g} save times", fix=fix), Exit.USAGE)
    return replay(path, trajectory, (start + days * np.arange(int(count) + 2)).tolist())


def replay_text(found: Replay) -> str:
    """What a replay found, for people."""
    results = found.results
    status = Status(int(results.status[0])).meaning
    same = "the same bits as in the file" if found.compared else "not in the file: nothing to compare with"
    lines = [f"trajectory {found.trajectory}: {status}, {len(results.time)} saved times, {same}"]
    if found.differing:
        lines = [f"trajectory {found.trajectory}: NOT the same as in the file: {', '.join(found.differing)}"]
    last = results.final_state[0].tolist()
    return "\n".join([*lines, *(f"  {name:20s} {value:.6g}" for name, value in zip(results.species, last))])


def csv_text(found: Replay) -> str:
    """The path as a table: time in days, then species and observables; numbers that come back bit for bit."""
    results = found.results
    names = [*results.species, *(results.observable if "observables" in results.names else ())]
    parts = [results.time[:, None], results.state[0]]
    parts += [results.observables[0]] if "observables" in results.names else []
    rows = [",".join(map(repr, row)) for row in np.concatenate(parts, axis=1).tolist()]
    return "\n".join([",".join(["time_d", *names]), *rows]) + "\n"


def _again(stored: Results, path: str) -> tuple[Linked, Ensemble]:
    """The kernel and the ensemble that made a result, from what it says of itself."""
    told = stored.schema.provenance
    try:
        data: dict[str, Any] = json.loads(str(told["config_resolved_json"]))
        for name in _ASIDE:
            data.pop(name, None)
        study = Study.model_validate(data)
        source, seed = str(told["model_source"]), int(told["seed"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"{path} does not say how it was made: {type(error).__name__}"
        fix = "only results that `ctcdyn run` wrote can be replayed"
        raise CtcError(Problem("R516", what, fix=fix), Exit.OUTPUT) from None
    study._document = Document(path, "", data, {})
    resolved = resolve(_network(source), study)
    if study.simulate.method == "auto":
        resolved = replace(resolved, network=choose(resolved.network, study).taken(resolved.network))
    linked = link(resolved.network, stored.schema.method, lesion_method=study.lesion.method)
    if linked.identity != told["kernel_sha256"]:
        what = f"{path} was made by another kernel than this version of ctcdyn makes of its model"
        versions = f"ctcdyn {told.get('ctcdyn_version')}, numba {told.get('numba_version')}"
        fix = f"install the version that made it: {versions}"
        raise CtcError(Problem("R516", what, fix=fix), Exit.OUTPUT)
    return linked, replace(ensemble_of(study, resolved), seed=seed)


def _network(source: str) -> Network:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.toml"
        file.write_text(source, encoding="utf-8")
        return load_model(file)


def _grid(times: Sequence[float], own: NDArray[np.float64]) -> NDArray[np.float64]:
    """Save times that begin and end as the result does."""
    grid = np.unique(np.asarray(times, dtype=np.float64))
    return np.ascontiguousarray(np.concatenate([own[:1], grid[(grid > own[0]) & (grid < own[-1])], own[-1:]]))


def _compare(
    stored: Results, result: RangeResult, trajectory: int, same_grid: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the stored arrays that were compared, and of those that are not the same bits."""
    row = trajectory - stored.schema.first
    if not 0 <= row < stored.schema.count:
        return (), ()
    names = ["status", "n_reactions", "weight", "params", "final_state", "event_time", "event_observed"]
    if same_grid and row < stored.schema.kept:
        names += ["state", "observables"]
    compared, differing = [], []
    for name in names:
        if name in stored.names and int(stored.rows("status", row, row + 1)[0]) != Status.NOT_RUN:
            before = stored.rows(name, row, row + 1)
            with np.errstate(over="ignore"):
                now = np.asarray(getattr(result, name)).astype(before.dtype)
            compared.append(name)
            if before.tobytes() != now.tobytes():
                differing.append(name)
    if stored.schema.lesions and compared:
        rows, again = stored.lesions.of(trajectory), Lesions.in_memory(stored.schema, result.lesions)
        compared.append("lesions")
        if any(rows[name].tobytes() != again[name].astype(rows[name].dtype).tobytes() for name in rows):
            differing.append("lesions")
    return tuple(compared), tuple(differing)


def _arrays(schema: Any, result: RangeResult) -> dict[str, NDArray[Any]]:
    present = schema.variables()
    return {name: getattr(result, name) for name in (*ROW_NAMES, "state", "observables") if name in present}
