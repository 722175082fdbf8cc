"""A small model with a primary, cells in the blood and settled cells, and studies of it with treatments and arms."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
from numba import config

from ctcdyn.codegen.kernel import Kernel, Linked, link
from ctcdyn.codegen.leaves import leaf_functions
from ctcdyn.config import load_study
from ctcdyn.ensemble import Ensemble
from ctcdyn.model.load import load_model
from ctcdyn.model.resolve import resolve
from ctcdyn.preparation import ensemble_of
from ctcdyn.progress import Silent
from instances import Content, content, semantics

MODEL = """schema = 1
name = "cascade"
time_unit = "day"
[species]
tumor = { unit = "cells", initial = 20, continuous = true }
blood = { unit = "cells" }
settled = { unit = "cells" }
[parameters]
growth = { value = "0.4 /day", bounds = ["0 /day", "4 /day"], source = "assumed: a test" }
shedding = { value = "0.5 /day", source = "assumed: a test" }
stay = { value = "0.5 days", source = "assumed: a test" }
p_settle = { value = 0.2, bounds = [0, 1], source = "assumed: a test" }
limit = { value = "60 cells", source = "assumed: a test" }
surgery_day = { value = "2.5 days", source = "assumed: a test" }
density = { value = "1e9 cells/mL", source = "assumed: a test" }
leaving = { expr = "1 / stay", unit = "1/day", source = "derived: 1 / stay" }
settling = { expr = "p_settle * leaving", unit = "1/day", source = "derived: a share" }
[observables]
volume = { expr = "tumor / density", unit = "uL" }
[[reaction]]
name = "grow"
equation = "tumor -> 2 tumor"
k = "growth"
[[reaction]]
name = "shed"
equation = "tumor -> tumor + blood"
k = "shedding"
[[reaction]]
name = "settle"
equation = "blood -> settled"
k = "settling"
[[reaction]]
name = "clear"
equation = "blood ->"
k = "leaving - settling"
"""

STUDY = """schema = 1
[model]
file = "cascade.model.toml"
{more}
[simulate]
method = "{method}"
t_end = "{days} days"
save = {{ n = {saves} }}
rtol = {rtol}
{step}
[output]
file = "x.h5"
keep = "all"
picture = false
"""


def write(folder: Path, more: str, method: str, days: float = 8.0, saves: int = 17, rtol: float = 1e-6) -> Path:
    """The model and a study of it in a folder; `more`: the tables of the study that matter."""
    (folder / "cascade.model.toml").write_text(MODEL, encoding="utf-8")
    ensemble = "" if "[ensemble]" in more or "[population]" in more else "[ensemble]\nseed = 5\n"
    step = 'step = "0.05 days"' if semantics(method) == "langevin" else ""
    text = STUDY.format(
        more=more + "\n" + ensemble, method=method, days=days, saves=saves, rtol=rtol, step=step
    )
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return folder / "study.toml"


def prepared(path: Path, plain: bool = False) -> tuple[Kernel, Ensemble]:
    """Kernel and ensemble of a study file; a `plain` kernel is Python in three lanes: nothing to compile."""
    study = load_study(path)
    resolved = resolve(load_model(study.model), study)
    linked = link(resolved.network, study.simulate.method, path.parent, width=3 if plain else None)
    return uncompiled(linked, path.parent) if plain else linked.compile(), ensemble_of(study, resolved)


def uncompiled(linked: Linked, folder: Path) -> Kernel:
    """A kernel as plain Python, from a file in `folder`."""
    leaf_functions()
    file = folder / f"plain_{linked.key[:16]}.py"
    file.write_text(linked.source, encoding="utf-8")
    spec = spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    before, config.DISABLE_JIT = config.DISABLE_JIT, 1
    try:
        spec.loader.exec_module(module)
    finally:
        config.DISABLE_JIT = before
    return Kernel(linked.method, linked.emission, linked.source, module)


def carry_out(
    folder: Path, more: str, method: str, threads: int = 1, plain: bool = False, **form: float
) -> Content:
    """All that a study gives."""
    with np.errstate(all="ignore"):
        return content(*prepared(write(folder, more, method, **form), plain), threads)  # type: ignore[arg-type]


def of_arm(found: Content, arm: int, arms: int) -> Content:
    """Rows of one arm, in order of pairs; ids and sums left out."""
    count = len(found["status"])
    return {
        name: array[arm::arms]
        for name, array in found.items()
        if len(array) == count and name != "kept_ids" and not name.startswith(("root_", "log", "counts"))
    }


def times_of(found: Content, event: int = 0) -> np.ndarray:
    """Time and whether it was observed, (n, 2), of one event."""
    return np.stack([found["event_time"][:, event], found["event_observed"][:, event]], axis=1)


class Halting(Silent):
    """Stops a run when the first leaf is in; as progress, and as what interrupts."""

    asked = "SIGTERM"

    def stop_by(self, stop: Callable[[], None]) -> None:
        self.stop = stop

    def advance(self, done: int, failed: int = 0) -> None:
        self.stop()
