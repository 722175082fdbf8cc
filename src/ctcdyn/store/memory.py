"""Arrays of a result in memory, under the names of schema 1.0.

Rows are handed over; labels, ids and the summary follow from the schema and the root of the reduction tree, and are
made when they are first asked for: a loop that makes 1e5 results reads one or two arrays of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ctcdyn.store.layout import VARIABLES, Array, Schema
from ctcdyn.store.summary import Counts, Moments, summarise

_TEXTS = ("species_units", "observable_units", "parameter_units", "founder_organ")
_IDENTITY = ("trajectory", "patient_id", "replicate", "arm_index", "kept_arm")
_MOMENTS = ("mean", "var", "mean_error", "n_valid", "p_extinct", "obs_mean", "obs_var", "obs_mean_error")
_QUANTILES = ("quantiles", "obs_quantiles", "p_low")


class MemoryArrays(Mapping[str, Array]):
    """The arrays of one result. Raises ValueError for names and shapes that schema 1.0 does not have."""

    def __init__(
        self, schema: Schema, arrays: Mapping[str, Array], root: Moments | None, sketch: Counts | None
    ) -> None:
        unknown = sorted(set(arrays) - set(VARIABLES))
        if unknown:
            raise ValueError(f"schema 1.0 has no {', '.join(unknown)}")
        self._schema, self._root, self._sketch = schema, root, sketch
        self._sizes = schema.sizes
        follow = {name for name, size in self._sizes.items() if size or name == "trajectory"}
        follow.update(_TEXTS, _IDENTITY)
        if root is not None:
            follow.update(_MOMENTS, _QUANTILES if sketch is not None and schema.quantiles else ())
        self._present = {
            name: variable for name, variable in schema.variables().items() if name in arrays or name in follow
        }
        self._made: dict[str, Array] = {}
        self._take(arrays)
        if sketch is not None and sketch.places is None:
            self._summarise()  # a histogram of all bins is megabytes: not to be kept for who may ask

    def __getitem__(self, name: str) -> Array:
        if name not in self._present:
            raise KeyError(name)
        if name not in self._made:
            self._make(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._present)

    def __len__(self) -> int:
        return len(self._present)

    def __contains__(self, name: object) -> bool:
        return name in self._present

    def _make(self, name: str) -> None:
        schema = self._schema
        if name in _IDENTITY:
            identity = schema.identity(0, schema.count)
            self._add(identity | {"kept_arm": identity["arm_index"][: schema.kept]})
        elif name in _TEXTS:
            self._add({name: np.asarray(schema.texts(name), dtype=np.str_)})
        elif name in self._sizes:
            self._add({name: np.asarray(schema.labels(name))})
        else:
            self._summarise()

    def _summarise(self) -> None:
        schema, root, sketch = self._schema, self._root, self._sketch
        if root is not None:
            kinds = len(schema.species), schema.quantiles, schema.low_count, schema.counted
            self._add(summarise(root, sketch, *kinds))
        self._root = self._sketch = None

    def _add(self, arrays: Mapping[str, Array]) -> None:
        """What follows from the schema; what was handed over stays."""
        self._take({name: values for name, values in arrays.items() if name not in self._made})

    def _take(self, arrays: Mapping[str, Array]) -> None:
        for name, values in arrays.items():
            if name not in self._present:
                continue
            self._made[name] = found = np.asarray(values)
            expected = tuple(self._sizes[axis] for axis in self._present[name].axes)
            if found.shape != expected:
                raise ValueError(f"{name} has shape {found.shape}, not {expected}")
