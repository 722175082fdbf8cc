"""ctcdyn simulates how cancer spreads as populations of cells.

>>> import ctcdyn
>>> model = ctcdyn.load_model("birth_death_immigration")        # a built-in name or a path
>>> results = ctcdyn.run("study.toml")                          # doctest: +SKIP
>>> ctcdyn.open("quickstart.h5").to_xarray()                    # doctest: +SKIP

Public names are found when they are first used, so that `import ctcdyn` costs milliseconds: numba, HDF5
and matplotlib are imported by the part that needs them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctcdyn.config import load_study
    from ctcdyn.controls import controlled
    from ctcdyn.errors import CtcError
    from ctcdyn.markers import prognosis
    from ctcdyn.results import Results
    from ctcdyn.results import open_results as open
    from ctcdyn.simulation import Model, load_model
    from ctcdyn.study import run

__version__ = "0.1.0"

__all__ = [
    "CtcError", "Model", "Results", "__version__", "controlled", "load_model", "load_study", "open", "prognosis", "run",
]  # fmt: skip

_HOME = {
    "CtcError": ("ctcdyn.errors", "CtcError"),
    "Model": ("ctcdyn.simulation", "Model"),
    "Results": ("ctcdyn.results", "Results"),
    "controlled": ("ctcdyn.controls", "controlled"),
    "load_model": ("ctcdyn.simulation", "load_model"),
    "load_study": ("ctcdyn.config", "load_study"),
    "open": ("ctcdyn.results", "open_results"),
    "prognosis": ("ctcdyn.markers", "prognosis"),
    "run": ("ctcdyn.study", "run"),
}


def __getattr__(name: str) -> object:
    """Import a public name from the module that defines it (PEP 562) and keep it."""
    if name not in _HOME:
        raise AttributeError(f"module 'ctcdyn' has no attribute {name!r}")
    module, attribute = _HOME[name]
    # by name, not by an import statement: lower modules may import this package without gaining what is above
    found = getattr(import_module(module), attribute)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
