"""Which trajectories a picture compares: arms, values of a parameter, or patients below and above its median."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctcdyn.errors import CtcError, Exit, Problem, Status, did_you_mean
from ctcdyn.plots._style import PALETTE, cannot, spoken
from ctcdyn.quantiles import save_index
from ctcdyn.results import Results
from ctcdyn.scales import write_unit
from ctcdyn.wording import plain

_CUT = re.compile(r"\s*(\w+)\s*(?:@\s*(\d[.\deE+]*)\s*)?>=\s*([-+.\deE]*\d)\s*")  # name@day>=number
SEVERAL = len(PALETTE)  # groups that colours tell apart


@dataclass(frozen=True, slots=True)
class Group:
    """Trajectories that did not fail and belong together: `rows` (K,) tells which."""

    label: str
    rows: NDArray[np.bool_]


def well(results: Results) -> NDArray[np.bool_]:
    """Trajectories that did not fail, (K,)."""
    return np.isin(results.status, [int(s) for s in Status if s.ok])


def groups(results: Results, kind: str, by: tuple[str, ...]) -> list[Group]:
    """Arms, and within each what `by` names: "arm" alone, parameters, or cuts, "found>=5", "found@14>=5".

    Raises CtcError (R509, R521, exit 2).
    """
    found = [Group("all", well(results))]
    for name in dict.fromkeys(by or ("arm",)):
        found = [
            Group(
                ", ".join(part for part in (old.label, new.label) if part != "all") or "all",
                old.rows & new.rows,
            )
            for new in _split(results, kind, name)
            for old in found
        ]
    found = [group for group in found if group.rows.any()]
    if not found:
        raise cannot(kind, "no trajectory ended well", "ctcdyn inspect --failures says how they failed")
    if len(found) > SEVERAL:
        fix = "name fewer with --by, or one that has fewer values"
        raise cannot(kind, f"{len(found)} groups, and colours tell {SEVERAL} apart", fix)
    return found


def _split(results: Results, kind: str, name: str) -> list[Group]:
    if name == "arm":
        if len(results.arm) == 1:
            return [Group("all", np.ones(results.schema.count, dtype=np.bool_))]
        return [Group(arm, results["arm_index"] == number) for number, arm in enumerate(results.arm)]
    cut = _CUT.fullmatch(name)
    if cut is not None:
        of, limit = spoken(cut[1]), float(cut[3])
        if cut[1] in results.parameter:
            values = parameter(results, cut[1])
        else:
            values = last(results, kind, cut[1], None if cut[2] is None else float(cut[2]))
        sides = [Group(f"{of} < {cut[3]}", values < limit), Group(f"{of} ≥ {cut[3]}", values >= limit)]
        if not all(side.rows.any() for side in sides):
            raise cannot(
                kind,
                f"all lie on one side of {name!r}",
                "cut elsewhere, or at another saved day: name@day>=x",
            )
        return sides
    values = parameter(results, name)
    unit = write_unit(results.unit(name))
    several = np.unique(values)
    if len(several) == 1:
        fix = "draw or vary it in [population], or name another"
        raise CtcError(Problem("R509", f"all trajectories have the same {name}", fix=fix), Exit.USAGE)
    if len(several) <= SEVERAL:
        return [Group(f"{spoken(name)} {plain(value)} {unit}".strip(), values == value) for value in several]
    middle = float(np.median(values))
    told = f"{plain(middle)} {unit}".strip()
    return [
        Group(f"{spoken(name)} < {told}", values < middle), Group(f"{spoken(name)} ≥ {told}", values >= middle)
    ]  # fmt: skip


def last(results: Results, kind: str, name: str, time: float | None = None) -> NDArray[np.float64]:
    """A column at `time` days, default its last value, for each trajectory, (K,); NaN where the path was not kept."""
    table, column = results.find(name)
    if table == "species" and time is None and "final_state" in results:
        return results.final_state[:, column]
    if not results.schema.kept:
        raise cannot_last(kind, name)
    found = np.full(results.schema.count, np.nan)
    at = -1 if time is None else save_index(results, time)
    found[: results.schema.kept] = results["state" if table == "species" else "observables"][:, at, column]
    return found


def cannot_last(kind: str, name: str) -> CtcError:
    """The last values of an observable stand in the paths that are kept."""
    what = f"no picture of kind {kind!r}: no path of {name!r} was kept"
    return CtcError(Problem("R521", what, fix="run the study with --keep all"), Exit.USAGE)


def parameter(results: Results, name: str) -> NDArray[np.float64]:
    """Values of a parameter, (K,). Raises CtcError (R509, exit 2) of a name that is none."""
    if name not in results.parameter:
        known = varying(results)
        fix = (
            did_you_mean(name, results.parameter)
            or f"arm, or one that varies: {', '.join(known) or 'none does'}"
        )
        raise CtcError(Problem("R509", f"no parameter is called {name!r}", fix=fix), Exit.USAGE)
    return results.params[:, results.parameter.index(name)]


def varying(results: Results) -> list[str]:
    """Parameters that have more than one value."""
    if "params" not in results:
        return []
    table = results.params
    return [
        name for name, values in zip(results.parameter, table.T, strict=True) if (values != values[0]).any()
    ]


def drawn(results: Results) -> list[str]:
    """Parameters that patients differ in as the study says, without those that follow from them; where it is not known
    what the study says, all that vary."""
    known = varying(results)
    try:
        study = json.loads(str(results.provenance["config_resolved_json"]))
    except (KeyError, TypeError, ValueError):
        return known
    told = {
        *((study.get("population") or {}).get("draw") or {}),
        *((study.get("sweep") or {}).get("range") or {}),
    }
    return [name for name in known if name.removeprefix("initial_") in told or name in told] or known


def design(results: Results) -> str:
    """The design of the study's [sweep]; empty without one."""
    try:
        sweep = json.loads(str(results.provenance["config_resolved_json"])).get("sweep") or {}
        return str(sweep.get("design", ""))
    except (KeyError, TypeError, ValueError, AttributeError):
        return ""
