"""Schema 1.0 of a result: which arrays there are, their axes, types, units and missing values.

The table below is the one place that knows them. The writer creates datasets from it, `Results` finds axes
in it, and results in memory have the same names as results in a file. It imports neither h5py nor anything
that computes.

Axes: trajectory K, time T, species S, observable O, parameter P, quantile Q, arm A, event_kind E, kept N, founder_rule
R. The table of lesions stands in a group of its own and has the axis `row`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctcdyn.errors import Status

SCHEMA_VERSION = "1.0"
LEAF = 256  # ids: the unit of reduction (docs/design.md) and the chunk of full paths
BLOCK = 64 * LEAF  # ids in a chunk of one column: 128 KiB of float64

FATE = "fate_"  # before the name of a fate: the species that counts it

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What a result will hold, before anything is computed. Times in days; `times` has shape (T,).

    `first` and `count` are the trajectory ids in this file, `total` those of the whole study; ids below `keep` are
    stored as full paths, as `state_dtype`, by gzip where `compressed`.
    id = (patient * replicates + replicate) * len(arms) + arm. `founder_rules` and `organs` are the names of the rules
    by which lesions are founded and where each founds them; `lesions`: their table is stored (`LESIONS`).
    """

    species: tuple[str, ...]
    species_units: tuple[str, ...]
    observables: tuple[str, ...]
    observable_units: tuple[str, ...]
    parameters: tuple[str, ...]
    parameter_units: tuple[str, ...]
    times: NDArray[np.float64]
    count: int
    total: int
    first: int = 0
    keep: int = 0
    arms: tuple[str, ...] = ("control",)
    event_kinds: tuple[str, ...] = ()
    replicates: int = 1
    patients: int | None = None
    state_dtype: str = "f4"
    compressed: bool = True
    quantiles: tuple[float, ...] = ()
    method: str = ""
    bin_edges: NDArray[np.float64] | None = None
    low_count: float = 0.0  # share of values below it is part of the summary, as `p_low`; 0: not asked for
    provenance: Mapping[str, str | int | float] = field(default_factory=dict)
    title: str = ""
    founder_rules: tuple[str, ...] = ()
    organs: tuple[str, ...] = ()
    lesions: bool = False
    whole: tuple[str, ...] = ()  # species and observables that are counts: whole numbers, of which quantiles are some
    fates: tuple[str, ...] = ()  # that are counted, each by a species of the name FATE + fate
    weighted: bool = False  # some fates were drawn from another law: rows have a weight, the summary is weighted

    @property
    def shown(self) -> tuple[str, ...]:
        """The species without those that count fates, which have tables and pictures of their own."""
        counting = {FATE + name for name in self.fates}
        return tuple(name for name in self.species if name not in counting)

    @property
    def kept(self) -> int:
        """Number of trajectories in this file that are stored as full paths: ids `first` to `first + kept -
        1`.
        """
        return min(max(self.keep - self.first, 0), self.count)

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Which columns of the summary, species and then observables, are whole numbers."""
        return np.array([name in self.whole for name in (*self.species, *self.observables)], dtype=np.bool_)

    @property
    def sizes(self) -> dict[str, int]:
        """Length of every axis."""
        return {
            "trajectory": self.count,
            "time": len(self.times),
            "species": len(self.species),
            "observable": len(self.observables),
            "parameter": len(self.parameters),
            "quantile": len(self.quantiles),
            "arm": len(self.arms),
            "event_kind": len(self.event_kinds),
            "kept": self.kept,
            "founder_rule": len(self.founder_rules),
        }

    def units(self, variable: Variable) -> str | None:
        """Unit text of a whole variable; None when its columns have different units (see the `*_units`
        variables).
        """
        table, _, power = variable.units.partition(" ")
        columns = {
            "species_units": self.species_units,
            "observable_units": self.observable_units,
            "parameter_units": self.parameter_units,
        }
        if table not in columns:
            return variable.units or None
        found = set(columns[table])
        if len(found) != 1:
            return None
        unit = found.pop()
        return f"({unit})2" if power and unit != "1" else unit

    def texts(self, name: str) -> tuple[str, ...]:
        """What a variable of text holds."""
        if name == "founder_organ":
            return self.organs
        found: tuple[str, ...] = getattr(self, name) if name.endswith("_units") else tuple(map(str, self.labels(name)))
        return found

    def labels(self, axis: str) -> Array | tuple[str, ...]:
        """Coordinates of one axis: text for names, numbers for ids, times and quantiles."""
        ids = np.arange(self.first, self.first + self.count, dtype=np.int64)
        found: dict[str, Array | tuple[str, ...]] = {
            "trajectory": ids,
            "time": np.asarray(self.times, dtype=np.float64),
            "species": self.species,
            "observable": self.observables,
            "parameter": self.parameters,
            "quantile": np.asarray(self.quantiles, dtype=np.float64),
            "arm": self.arms,
            "event_kind": self.event_kinds,
            "kept": ids[: self.kept],
            "founder_rule": self.founder_rules,
        }
        return found[axis]

    def identity(self, first_row: int, rows: int) -> dict[str, Array]:
        """patient_id, arm_index and replicate of `rows` trajectories, which follow from their ids alone."""
        return self.identity_of(np.arange(self.first + first_row, self.first + first_row + rows, dtype=np.int64))

    def identity_of(self, ids: NDArray[np.int64]) -> dict[str, Array]:
        """The same of these trajectories."""
        pair, arm = np.divmod(ids, len(self.arms))
        patient, replicate = np.divmod(pair, self.replicates)
        return {
            "trajectory": ids,
            "patient_id": patient,
            "replicate": replicate.astype(np.int32),
            "arm_index": arm.astype(np.uint8),
        }

    def variables(self) -> dict[str, Variable]:
        """The variables this result has: those of the table without an axis of length zero (K = 0
        excepted).
        """
        empty = frozenset(axis for axis, size in self.sizes.items() if not size and axis != "trajectory")
        low = bool(self.low_count and self.quantiles)  # p_low is counted in the bins of quantiles
        return dict(_variables(empty, low, self.weighted, self.state_dtype))

    def bytes_before_compression(self) -> int:
        """Size of the file if nothing could be compressed: an upper bound for estimates of disk space."""
        sizes, total = self.sizes, 0
        for variable in self.variables().values():
            if variable.dtype != "text":
                shape = [sizes[axis] for axis in variable.axes]
                total += int(np.prod(shape, dtype=object)) * np.dtype(variable.dtype).itemsize
        bins = 0 if self.bin_edges is None else len(self.bin_edges) - 1
        columns = sizes["species"] + sizes["observable"]
        return total + sizes["arm"] * sizes["time"] * columns * (4 * bins + 24)


@dataclass(frozen=True, slots=True)
class Variable:
    """One array of a result: axes by name, numpy type (or "text", or "path" for `state_dtype`), unit,
    meaning.
    """

    axes: tuple[str, ...]
    dtype: str
    units: str
    meaning: str
    fill: float | int = 0
    attributes: Mapping[str, object] = field(default_factory=dict)

    def as_type(self, dtype: str) -> Variable:
        """The same variable with another numpy type."""
        return Variable(self.axes, dtype, self.units, self.meaning, self.fill, self.attributes)


def _flags(meanings: Mapping[int, str]) -> dict[str, object]:
    return {
        "flag_values": np.array(list(meanings), dtype=np.uint8),
        "flag_meanings": " ".join(meanings.values()),
    }


_NAN = float("nan")
_K, _N, _SUMMARY = ("trajectory",), ("kept",), ("arm", "time")
_ROW = ("row",)
_STATUS = _flags({int(status): status.meaning for status in Status})
_OBSERVED = _flags({0: "censored", 1: "observed"})

# Axes that are coordinates of the file: every other variable refers to them.
COORDINATES: dict[str, Variable] = {
    "trajectory": Variable(
        _K, "i8", "1", "trajectory id: (patient * replicates + replicate) * arms + arm", -1
    ),
    "time": Variable(("time",), "f8", "d", "time since start", _NAN, {"axis": "T"}),
    "species": Variable(("species",), "text", "", "species"),
    "observable": Variable(("observable",), "text", "", "observable"),
    "parameter": Variable(("parameter",), "text", "", "parameter"),
    "quantile": Variable(("quantile",), "f8", "1", "quantile level", _NAN),
    "arm": Variable(("arm",), "text", "", "treatment arm"),
    "event_kind": Variable(("event_kind",), "text", "", "kind of event"),
    "kept": Variable(_N, "i8", "1", "ids of the trajectories stored as full paths", -1),
    "founder_rule": Variable(("founder_rule",), "text", "", "rule by which lesions are founded"),
}

VARIABLES: dict[str, Variable] = COORDINATES | {
    "species_units": Variable(("species",), "text", "", "unit of each species"),
    "observable_units": Variable(("observable",), "text", "", "unit of each observable"),
    "parameter_units": Variable(("parameter",), "text", "", "unit of each parameter"),
    "founder_organ": Variable(("founder_rule",), "text", "", "organ in which the rule founds lesions"),
    "weight": Variable(
        _K, "f8", "1", "law asked for over law drawn from, of the whole path: means are of weight x", _NAN
    ),
    "params": Variable(
        ("trajectory", "parameter"), "f8", "parameter_units", "parameter values used, after draws", _NAN
    ),
    "arm_index": Variable(_K, "u1", "1", "position of the trajectory's arm in `arm`", 255),
    "patient_id": Variable(
        _K, "i8", "1", "virtual patient; arms of one patient share its random streams", -1
    ),
    "replicate": Variable(_K, "i4", "1", "replicate of the patient", -1),
    "status": Variable(_K, "u1", "1", "how the trajectory ended", int(Status.NOT_RUN), _STATUS),
    "n_steps": Variable(_K, "u4", "1", "steps of the solver"),
    "n_reactions": Variable(_K, "u8", "1", "reactions fired"),
    "event_time": Variable(
        ("trajectory", "event_kind"), "f8", "d", "time of the event, or of the end of follow-up", _NAN
    ),
    "event_observed": Variable(
        ("trajectory", "event_kind"), "u1", "1", "whether the event was observed", 255, _OBSERVED
    ),
    "final_state": Variable(("trajectory", "species"), "f8", "species_units", "last state", _NAN),
    "kept_arm": Variable(_N, "u1", "1", "position in `arm` of each kept trajectory", 255),
    "state": Variable(("kept", "time", "species"), "path", "species_units", "full paths", _NAN),
    "observables": Variable(
        ("kept", "time", "observable"), "path", "observable_units", "observables of full paths", _NAN
    ),
    "mean": Variable(
        (*_SUMMARY, "species"), "f8", "species_units", "mean", _NAN, {"cell_methods": "trajectory: mean"}
    ),
    "var": Variable(
        (*_SUMMARY, "species"),
        "f8",
        "species_units squared",
        "sample variance, divisor n_valid - 1",
        _NAN,
        {"cell_methods": "trajectory: variance"},
    ),
    "n_valid": Variable(_SUMMARY, "u8", "1", "trajectories behind each number of the summary"),
    "p_extinct": Variable(
        (*_SUMMARY, "species"), "f8", "1", "fraction of trajectories that are exactly zero", _NAN
    ),
    "p_low": Variable(
        (*_SUMMARY, "species"), "f8", "1", "fraction of trajectories below low_count, too few for the method", _NAN
    ),
    "obs_mean": Variable(
        (*_SUMMARY, "observable"),
        "f8",
        "observable_units",
        "mean",
        _NAN,
        {"cell_methods": "trajectory: mean"},
    ),
    "obs_var": Variable(
        (*_SUMMARY, "observable"),
        "f8",
        "observable_units squared",
        "sample variance, divisor n_valid - 1",
        _NAN,
        {"cell_methods": "trajectory: variance"},
    ),
    "mean_error": Variable((*_SUMMARY, "species"), "f8", "species_units", "standard error of mean", _NAN),
    "obs_mean_error": Variable(
        (*_SUMMARY, "observable"), "f8", "observable_units", "standard error of obs_mean", _NAN
    ),
    "quantiles": Variable(
        ("quantile", *_SUMMARY, "species"), "f8", "species_units", "quantiles over trajectories", _NAN
    ),
    "obs_quantiles": Variable(
        ("quantile", *_SUMMARY, "observable"), "f8", "observable_units", "quantiles over trajectories", _NAN
    ),
}

# What a result has only where trajectories have weights, and what it has only where they have none: of weighted values
# the sample variance is not that of the law, and counts in bins are those of the law drawn from.
_WEIGHTED = ("weight", "mean_error", "obs_mean_error")
_PLAIN = ("var", "obs_var", "p_extinct", "p_low", "quantiles", "obs_quantiles")

# The table of lesions, one row each, in order of trajectory and lesion: the columns that a range gives.
LESIONS: dict[str, Variable] = {
    "trajectory": Variable(_ROW, "i8", "1", "id of the trajectory"),
    "lesion": Variable(_ROW, "i4", "1", "number of the lesion within its trajectory, from 0"),
    "parent": Variable(_ROW, "i4", "1", "number of the lesion that shed its founder, -1: the patient"),
    "rule": Variable(_ROW, "u1", "1", "rule that founded it: position in founder_rule"),
    "founder_time": Variable(_ROW, "f8", "d", "when it was founded"),
    "founders": Variable(_ROW, "f8", "1", "cells that it began with"),
    "detection_time": Variable(_ROW, "f8", "d", "when it was detected; NaN where it was not", _NAN),
    "size": Variable(_ROW, "f8", "1", "cells at the end of follow-up, or where it ended"),
    "status": Variable(_ROW, "u1", "1", "how it ended", 0, _STATUS),
}

# The columns of /lesions. The id has another name there: in a tree of groups xarray would hide it behind the axis.
LESION_COLUMNS: dict[str, Variable] = {
    "trajectory_id": LESIONS["trajectory"],
    "patient_id": Variable(_ROW, "i8", "1", "virtual patient"),
    "arm_index": Variable(_ROW, "u1", "1", "position of the trajectory's arm in arm"),
    "organ": Variable(_ROW, "u1", "1", "organ in which it was founded"),
    **{name: variable for name, variable in LESIONS.items() if name != "trajectory"},
}



@functools.cache
def _variables(empty: frozenset[str], low: bool, weighted: bool, state_dtype: str) -> dict[str, Variable]:
    """Variables of a result whose axes `empty` have the length zero; with p_low or not; with weights or not."""
    absent = {*(_PLAIN if weighted else _WEIGHTED), *(() if low else ("p_low",))}
    return {
        name: variable.as_type(state_dtype) if variable.dtype == "path" else variable
        for name, variable in VARIABLES.items()
        if not empty.intersection(variable.axes) and name not in absent
    }


# Groups of schema 1.0 beside the root, empty and marked as reserved where a result has no such table.
RESERVED: dict[str, str] = {
    "fates": "cells with each fate so far: arm, fate, time",
    "lesions": "one row a lesion",
    "events_log": "one row an event: trajectory, time, kind, value",
}

# Written as they arrive, one row a trajectory.
ROW_NAMES = ("status", "n_steps", "n_reactions", "weight", "params", "final_state", "event_time", "event_observed")
PATH_NAMES = ("state", "observables")
