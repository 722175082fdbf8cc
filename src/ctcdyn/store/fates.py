"""/fates of a result: how many cells met each fate so far, means with their errors, from columns of the summary.

A fate is counted by a species `fate_NAME` (`model/fates.py`), so that its mean and error stand among those of species;
here they stand under the name of the fate alone, axes arm, fate, time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.store.layout import FATE, Array, Schema

GROUP = "fates"


@dataclass(frozen=True, slots=True)
class Fates:
    """Fates by name, with `mean` and its Monte-Carlo error `error`, both (A, F, T), in cells so far."""

    names: tuple[str, ...]
    arms: tuple[str, ...]
    time: NDArray[np.float64]
    mean: NDArray[np.float64]
    error: NDArray[np.float64]

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """Mean of one fate, (A, T), cells."""
        return self.mean[:, self.names.index(name)]

    def __repr__(self) -> str:
        return f"<Fates: {', '.join(self.names)}; mean and error (arm, fate, time) {self.mean.shape}>"

    def to_pandas(self) -> Any:
        """A pandas.DataFrame with a row for each arm, fate and time: arm, fate, time, mean, error."""
        try:
            import pandas as pd
        except ImportError:
            fix = "python -m pip install pandas"
            raise CtcError(Problem("R509", "this needs pandas, which is not installed", fix=fix), Exit.USAGE) from None
        index = pd.MultiIndex.from_product([self.arms, self.names, self.time], names=["arm", "fate", "time"])
        values = {"mean": self.mean.reshape(-1), "error": self.error.reshape(-1)}
        return pd.DataFrame(values, index=index).reset_index()


def of_summary(schema: Schema, summary: Mapping[str, Array]) -> Fates:
    """From `mean` and `var` or `mean_error` of a summary, (A, T, S)."""
    columns = [schema.species.index(FATE + name) for name in schema.fates]
    if "mean_error" in summary:
        error = np.asarray(summary["mean_error"], dtype=np.float64)
    else:
        number = np.asarray(summary["n_valid"], dtype=np.float64)[..., None]
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.where(number > 1, np.sqrt(np.asarray(summary["var"]) / number), np.nan)
    mean, error = (np.moveaxis(table[..., columns], 2, 1).copy() for table in (np.asarray(summary["mean"]), error))
    return Fates(schema.fates, schema.arms, np.asarray(schema.times, dtype=np.float64), mean, error)


def write(file: Any, schema: Schema, summary: Mapping[str, Array]) -> None:
    """Fill the group of a file under construction; arm and time are the axes of its root."""
    import h5py

    found, group = of_summary(schema, summary), file[GROUP]
    axis = group.create_dataset("fate", data=list(schema.fates), dtype=h5py.string_dtype("utf-8"))
    axis.make_scale("fate")
    for name, values, meaning in (
        ("mean", found.mean, "cells with this fate so far, mean"),
        ("error", found.error, "standard error of mean"),
    ):
        dataset = group.create_dataset(name, data=values)
        dataset.attrs["_FillValue"] = np.nan
        dataset.attrs["long_name"], dataset.attrs["units"] = meaning, "1"
        for number, scale in enumerate((file["arm"], axis, file["time"])):
            dataset.dims[number].attach_scale(scale)
