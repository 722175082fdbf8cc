"""Results of a run, from a file or from memory, under one set of names.

    with ctcdyn.open("cohort.h5") as results:
        results.time                    # (T,) days
        results.values("lungs")         # (N, T) kept paths of one species or observable
        results.mean, results.var       # (A, T, S)

Arrays have the names they have in the file (schema 1.0): `species`, `parameter`, `arm`... are labels,
`params`, `state`, `observables`, `mean`, `quantiles`, `status`, `event_time`... are numbers. Arrays of a
file are read when first used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctcdyn.errors import CtcError, Exit, Problem, Status, did_you_mean
from ctcdyn.store.fates import Fates, of_summary
from ctcdyn.store.layout import BLOCK, COORDINATES, VARIABLES, Array, Schema
from ctcdyn.store.lesions import Lesions
from ctcdyn.store.memory import MemoryArrays
from ctcdyn.store.reader import FileArrays
from ctcdyn.store.summary import Counts, Moments
from ctcdyn.store.virtual import Part

if TYPE_CHECKING:
    from ctcdyn.followup import Survival
    from ctcdyn.incidence import Incidence
    from ctcdyn.quantiles import Quantiles
    from ctcdyn.sweeps import Points


def open_results(path: str | os.PathLike[str]) -> Results:
    """The results in a file. Raises CtcError (R504, R505) for a file that is damaged, foreign or too new."""
    arrays = FileArrays(path)
    try:
        return Results(arrays.schema(), arrays)
    except CtcError:
        arrays.close()
        raise


class AbsentError(CtcError, AttributeError):
    """An array that these results do not hold; an AttributeError too, so that `hasattr(results, "state")` answers."""


class Results:
    """What a study gave: labels, per-trajectory rows, kept paths and the summary over all trajectories."""

    def __init__(self, schema: Schema, arrays: Mapping[str, Array]) -> None:
        self.schema = schema
        self._source = arrays
        self._read: dict[str, Array] = {}
        self._lesions = arrays.lesions(schema) if schema.lesions and isinstance(arrays, FileArrays) else None

    @classmethod
    def from_arrays(
        cls,
        schema: Schema,
        arrays: Mapping[str, Array],
        root: Moments | None = None,
        sketch: Counts | None = None,
        lesions: Mapping[str, Array] | None = None,
    ) -> Results:
        """Results in memory. `arrays` holds rows by their names in schema 1.0 (status, params, state, ...);
        labels and ids follow from the schema, the summary from the root of the reduction tree and the
        sketch, when they are first asked for. `lesions`: columns of the table of lesions as ranges give them, where
        the schema has one.
        """
        found = cls(schema, MemoryArrays(schema, arrays, root, sketch))
        if schema.lesions != (lesions is not None):
            raise ValueError("the schema says another thing of the table of lesions than what was given")
        found._lesions = None if lesions is None else Lesions.in_memory(schema, lesions)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, if there is one; arrays already read stay valid."""
        if isinstance(self._source, FileArrays):
            self._source.close()

    @property
    def path(self) -> Path | None:
        """The file these results are read from."""
        return self._source.path if isinstance(self._source, FileArrays) else None

    def check_shards(self) -> None:
        """Raises CtcError (exit 6, R519), all at once, where shards that full paths are read from are not whole."""
        if isinstance(self._source, FileArrays):
            self._source.check_shards()

    def sketch(self, arm: int, column: int) -> tuple[Array, NDArray[np.float64]]:
        """How many values of a column (species, then observables) are in each bin, (T, B), and the edges (B + 1,).

        Raises CtcError (R509) where they were not kept: only files have them.
        """
        if not isinstance(self._source, FileArrays) or self.schema.bin_edges is None:
            fix = "open the file of a run with quantiles, or keep all paths"
            raise CtcError(Problem("R509", "these results hold no counts in bins", fix=fix), Exit.USAGE)
        return self._source.sketch(arm, column), self.schema.bin_edges

    def shards(self) -> Mapping[Part, Problem | None]:
        """The files that full paths are read from, each with what is wrong with it; empty where all is in one file."""
        return self._source.shards() if isinstance(self._source, FileArrays) else {}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays these results hold, in the order of schema 1.0."""
        return tuple(name for name in VARIABLES if name in self._source)

    def __contains__(self, name: object) -> bool:
        return name in self._source

    def __getitem__(self, name: str) -> Array:
        if name not in self._read:
            if name not in self._source:
                raise self._absent(name)
            self._read[name] = self._source[name]
        return self._read[name]

    def _absent(self, name: str) -> CtcError:
        why = ""
        if name in ("state", "observables", "kept"):
            why = "no full paths were kept; run with --keep N or --keep all"
        if self.schema.weighted and name in VARIABLES:
            why = "trajectories have weights ([importance]): there are mean and mean_error, and chances of events"
        fix = did_you_mean(name, self.names)
        return AbsentError(Problem("R509", f"these results hold no {name!r}", why=why, fix=fix), Exit.USAGE)

    @property
    def time(self) -> NDArray[np.float64]:
        """Save times, (T,), days."""
        return np.asarray(self.schema.times, dtype=np.float64)

    @property
    def species(self) -> tuple[str, ...]:
        """Names of the species, in the order of the last axis of `state`, `mean`, `final_state`."""
        return self.schema.species

    @property
    def observable(self) -> tuple[str, ...]:
        """Names of the observables, in the order of the last axis of `observables`."""
        return self.schema.observables

    @property
    def parameter(self) -> tuple[str, ...]:
        """Names of the parameters, in the order of the last axis of `params`."""
        return self.schema.parameters

    @property
    def arm(self) -> tuple[str, ...]:
        """Names of the treatment arms."""
        return self.schema.arms

    @property
    def event_kind(self) -> tuple[str, ...]:
        """Names of the kinds of events."""
        return self.schema.event_kinds

    @property
    def quantile(self) -> tuple[float, ...]:
        """Levels of `quantiles`."""
        return self.schema.quantiles

    @property
    def trajectory(self) -> NDArray[np.int64]:
        """Global ids, (K,)."""
        return self._ints("trajectory")

    @property
    def kept(self) -> NDArray[np.int64]:
        """Ids of the trajectories whose full paths are stored, (N,)."""
        return self._ints("kept")

    @property
    def status(self) -> NDArray[np.uint8]:
        """How each trajectory ended, (K,); see `ctcdyn.errors.Status`."""
        return np.asarray(self["status"], dtype=np.uint8)

    @property
    def weight(self) -> NDArray[np.float64]:
        """Weight of each trajectory, (K,), where fates were drawn from another law: E[f] is the mean of weight x f."""
        return self._floats("weight")

    @property
    def params(self) -> NDArray[np.float64]:
        """Parameter values each trajectory used, (K, P), units in `schema.parameter_units`."""
        return self._floats("params")

    @property
    def final_state(self) -> NDArray[np.float64]:
        """Last state of each trajectory, (K, S)."""
        return self._floats("final_state")

    @property
    def event_time(self) -> NDArray[np.float64]:
        """Time of each event, or of the end of follow-up where `event_observed` is 0, (K, E), days."""
        return self._floats("event_time")

    @property
    def event_observed(self) -> NDArray[np.uint8]:
        """1 where the event happened, 0 where it is censored, (K, E)."""
        return np.asarray(self["event_observed"], dtype=np.uint8)

    @property
    def state(self) -> NDArray[np.floating[Any]]:
        """Full paths of the kept trajectories, (N, T, S)."""
        return self["state"]

    @property
    def observables(self) -> NDArray[np.floating[Any]]:
        """Observables of the kept trajectories, (N, T, O)."""
        return self["observables"]

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean over the valid trajectories of each arm, (A, T, S)."""
        return self._floats("mean")

    @property
    def var(self) -> NDArray[np.float64]:
        """Sample variance over the valid trajectories of each arm, (A, T, S); NaN below two."""
        return self._floats("var")

    @property
    def quantiles(self) -> Quantiles:
        """Quantiles over the valid trajectories of each arm, (Q, A, T, S), levels in `quantile`; and, called with a
        name, `quantiles("lungs", levels, time, arm, confidence)`, those of a species or observable with intervals.
        """
        from ctcdyn.quantiles import quantiles_of

        return quantiles_of(self)

    @property
    def n_valid(self) -> NDArray[np.int64]:
        """Trajectories behind each number of the summary, (A, T)."""
        return self._ints("n_valid")

    @property
    def p_extinct(self) -> NDArray[np.float64]:
        """Fraction of valid trajectories that are exactly zero, (A, T, S)."""
        return self._floats("p_extinct")

    @property
    def lesions(self) -> Lesions:
        """The table of lesions: `lesions["size"]` and so on by column, one entry each; `lesions.to_pandas()`."""
        if self._lesions is None:
            fix = "run the study of a model with [lesion] with `lesions = true` in [output]"
            raise AbsentError(Problem("R509", "these results hold no table of lesions", fix=fix), Exit.USAGE)
        return self._lesions

    @property
    def fates(self) -> Fates:
        """Cells that met each fate so far, (A, F, T): `names`, `mean`, `error`; `fates["nk"]` is the mean of one."""
        if not self.schema.fates:
            fix = "run the study with `fates = true` in [output]"
            raise AbsentError(Problem("R509", "these results hold no fates", fix=fix), Exit.USAGE)
        columns = [name for name in ("mean", "var", "mean_error", "n_valid") if name in self]
        return of_summary(self.schema, {name: self[name] for name in columns})

    @property
    def provenance(self) -> Mapping[str, str | int | float]:
        """How these results were made: configuration, model, seed, versions."""
        return self.schema.provenance

    @property
    def counts(self) -> dict[Status, int]:
        """How many trajectories ended in each way (only what occurs)."""
        totals = np.zeros(256, dtype=np.int64)
        for start in range(0, self.schema.count, 64 * BLOCK):
            totals += np.bincount(self.rows("status", start, start + 64 * BLOCK), minlength=256)
        return {status: int(totals[status]) for status in Status if totals[status]}

    def values(self, name: str) -> NDArray[np.floating[Any]]:
        """Kept paths of one species or observable by its name, (N, T)."""
        table, column = self.find(name)
        return self["state" if table == "species" else "observables"][:, :, column]

    def find(self, name: str) -> tuple[str, int]:
        """Where a name is: ("species" | "observable", column). Of an unknown name the error gives the
        nearest.
        """
        if name in self.species:
            return "species", self.species.index(name)
        if name in self.observable:
            return "observable", self.observable.index(name)
        known = (*self.species, *self.observable)
        if name in self.event_kind:
            what = f"{name!r} is a first passage, one time for each trajectory, and no column over time"
            fix = f"it stands in event_time and event_observed, column {self.event_kind.index(name)}; "
            raise CtcError(Problem("R509", what, fix=f"{fix}known columns: {', '.join(known)}"), Exit.USAGE)
        fix = did_you_mean(name, known) or f"known: {', '.join(known)}"
        raise CtcError(Problem("R509", f"no species or observable is called {name!r}", fix=fix), Exit.USAGE)

    def unit(self, name: str) -> str:
        """Unit of a species, observable or parameter."""
        if name in self.parameter:
            return self.schema.parameter_units[self.parameter.index(name)]
        table, column = self.find(name)
        return (self.schema.species_units if table == "species" else self.schema.observable_units)[column]

    def survival(
        self, event: str, by: str | ArrayLike | None = "arm", arm: str | None = None, confidence: float = 0.95
    ) -> Survival:
        """Kaplan-Meier curves without an event, `by` arm; or within `arm` (default: the first) by the median of a
        parameter, by labels (K,), or None: all of it. Raises CtcError (R509, exit 2) for unknown names.
        """
        from ctcdyn.followup import survival_of

        return survival_of(self, event, by, arm, confidence)

    def incidence(
        self, events: tuple[str, ...] | None = None, arm: str | None = None, confidence: float = 0.95
    ) -> Incidence:
        """Competing risks: the chance that each of the events (default: all) came first, in an arm (the first).

        Raises CtcError (R509, exit 2) for unknown names, different clocks, weighted trajectories.
        """
        from ctcdyn.followup import incidence_of

        return incidence_of(self, events, arm, confidence)

    @property
    def points(self) -> Points:
        """The points of a sweep, and outcomes at each: `results.points.outcome("relapse")`."""
        from ctcdyn.sweeps import points_of

        return points_of(self)

    def sensitivity(self, of: str, time: float | None = None, arm: str | None = None, **options: float) -> Any:
        """`Indices` of a Saltelli design or `Effects` of a Morris design for an outcome, as `Points.outcome` names it.

        Options: `confidence` (0.95), `max_failed` (0.05). Raises CtcError: R509 of other sweeps and unknown names; R522
        where too many rows failed or nothing varies.
        """
        from ctcdyn.sensitivity import sensitivity_of

        return sensitivity_of(self, of, time, arm, **options)

    def to_xarray(self) -> Any:
        """An xarray.Dataset with named axes; of a file it is read lazily, as by `xarray.open_dataset(file)`.

        Raises CtcError (exit 6, R519) where the file reads full paths from shards that are missing or changed.
        """
        from ctcdyn.exports import xarray_of

        return xarray_of(self)

    def to_pandas(self) -> Any:
        """A pandas.DataFrame with one row a trajectory: identity, status, parameters, final state, events."""
        from ctcdyn.exports import pandas_of

        return pandas_of(self)

    def __repr__(self) -> str:
        schema = self.schema
        where = f'"{self.path}"' if self.path is not None else "in memory"
        if isinstance(self._source, FileArrays) and self._source.closed:
            return f"<Results {where}, closed>"
        endings = ", ".join(f"{status.meaning} {number}" for status, number in self.counts.items()) or "none"
        times = f"{len(self.time)} times"
        if len(self.time):
            times += f", {self.time[0]:g} to {self.time[-1]:g} d"
        arrays = ", ".join(name for name in self.names if name not in COORDINATES)
        arrays += f"; lesions, {self._lesions.rows} rows" if self._lesions is not None else ""
        return "\n".join(
            (
                f"<Results {where}: {schema.count} trajectories ({endings}), {schema.method or 'no method'}",
                f"  {times}; paths kept: {schema.kept}",
                f"  species     {', '.join(schema.species)}",
                f"  observables {', '.join(schema.observables) or '-'}",
                f"  arrays      {arrays}>",
            )
        )

    def rows(self, name: str, start: int, stop: int) -> Array:
        """Rows `start` to `stop - 1` of an array; of a file only these are read."""
        if isinstance(self._source, FileArrays) and name in self._source and name not in self._read:
            return self._source.rows(name, start, stop)
        return self[name][start:stop]

    def _floats(self, name: str) -> NDArray[np.float64]:
        return np.asarray(self[name], dtype=np.float64)

    def _ints(self, name: str) -> NDArray[np.int64]:
        return np.asarray(self[name], dtype=np.int64)
