"""Results in the tables of others: xarray and pandas, which are imported when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.store.layout import COORDINATES, VARIABLES, Array

if TYPE_CHECKING:
    from ctcdyn.results import Results


def xarray_of(results: Results) -> Any:
    """An xarray.Dataset with named axes; of a file it is read lazily."""
    try:
        import xarray
    except ImportError:
        raise _missing("xarray") from None
    path = results.path
    if path is not None:
        results.check_shards()  # xarray would read NaN where one is missing
        return xarray.open_dataset(path, engine="h5netcdf")
    units = {name: results.schema.units(VARIABLES[name]) for name in results.names}
    entries = {}
    for name in results.names:
        about = {"long_name": VARIABLES[name].meaning, **VARIABLES[name].attributes}
        if units[name] is not None:
            about["units"] = units[name]
        entries[name] = (VARIABLES[name].axes, results[name], about)
    coordinates = {name: entry for name, entry in entries.items() if name in COORDINATES}
    variables = {name: entry for name, entry in entries.items() if name not in COORDINATES}
    attributes = {"title": results.schema.title, "method": results.schema.method}
    return xarray.Dataset(variables, coordinates, attributes)


def pandas_of(results: Results) -> Any:
    """A pandas.DataFrame with one row a trajectory."""
    try:
        import pandas as pd
    except ImportError:
        raise _missing("pandas") from None
    columns: dict[str, Array] = {}
    for name in results.names:
        axes = VARIABLES[name].axes
        if axes == ("trajectory",) and name != "trajectory":
            columns[name] = results[name]
        elif len(axes) == 2 and axes[0] == "trajectory":
            prefix = "" if name == "params" else f"{name}_"
            for number, label in enumerate(results.schema.labels(axes[1])):
                columns[f"{prefix}{label}"] = results[name][:, number]
    return pd.DataFrame(columns, index=pd.Index(results.trajectory, name="trajectory"))


def _missing(package: str) -> CtcError:
    fix = f"python -m pip install {package}" + (" h5netcdf" if package == "xarray" else "")
    return CtcError(Problem("R509", f"this needs {package}, which is not installed", fix=fix), Exit.USAGE)
