"""`human_breast_min` with treatments and the event of a relapse: one study for several tests of the method `backward`,
whose kernel is compiled once for all of them; and backward equations in their two-time form by SciPy.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

import oracles
from ctcdyn import load_study
from ctcdyn.model.load import load_model
from ctcdyn.model.network import Network
from ctcdyn.model.resolve import resolve

STUDY = """schema = 1
[model]
use = "human_breast_min"
[parameters]
carrying_capacity = {capacity!r}
metastasis_growth = "{growth!r} /day"
[[treatment]]
name = "resection"
at = "diameter >= {diameter!r} mm"
set = {{ tumor = 0 }}
[[treatment]]
name = "adjuvant"
start = {{ after = "resection", delay = "30 days" }}
duration = "300 days"
scale = {{ metastasis_growth = {slower!r}, dormancy_exit = 3 }}
[[treatment]]
name = "removal"
at = {removal!r}
set = {{ tumor = 0 }}
[[treatment]]
name = "watch"
at = {watch!r}
scale = {{ dormancy_exit = 1 }}
[[arm]]
name = "surgery"
treatments = ["resection", "watch"]
[[arm]]
name = "both"
treatments = ["resection", "watch", "adjuvant"]
[[event]]
name = "relapse"
when = "detected >= 1"
clock = "watch"
[simulate]
method = "backward"
t_end = {end!r}
save = {{ at = {saves} }}
rtol = {rtol!r}
[ensemble]
trajectories = {count}
seed = 1
[output]
precision = "double"
keep = "all"
file = "{file}"
"""


def text(
    file: Path, saves: Sequence[float], diameter: float, growth: float, rtol: float, *, removal: float = 1e9,
    watch: float = 0.0,
) -> str:  # fmt: skip
    """The study; times in days, mm, 1/day."""
    return STUDY.format(
        capacity=1e30, growth=growth, diameter=diameter, slower=0.5, end=saves[-1], saves=list(saves), rtol=rtol,
        count=2, file=file, removal=removal, watch=watch,
    )  # fmt: skip


@cache
def network(diameter: float = 20.0, removal: float = 1e9, watch: float = 0.0) -> Network:
    """The model as the study sets it: all of them are one kernel."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.toml"
        given = text(Path(folder) / "x.h5", [1.0, 2.0], diameter, 0.0134, 1e-6, removal=removal, watch=watch)
        path.write_text(given, encoding="utf-8")
        study = load_study(path)
        return resolve(load_model(study.model), study).network


TOY = {  # the toy set in the parameters of the model: one cell that does not grow sheds 2 cells a day
    "tumor_growth": 0.0, "shedding": 2.0, "clearance": 2.0, "p_extravasate": 0.25, "tissue_stay": 1.0, "p_dormant": 0.3,
    "p_growing": 0.1, "dormancy_exit": 0.05, "dormant_death": 0.02, "metastasis_growth": 0.2, "colony_survival": 0.4,
    "dormancy_return": 0.1, "detection_size": float(np.log(2.0) * 0.2 / 0.02),
}  # fmt: skip


def shed(day: float) -> float:
    """Cells that a primary sheds in a day, grown from one cell without a brake."""
    k = oracles.HUMAN_BREAST
    return float(k["k_s"] * np.exp(k["r"] * k["alpha"] * day))


def rates(growth: float, wakes: float = 1.0) -> dict[str, float]:
    """Rates of one cell in the letters of `oracles.relapse_backward`; growth of a metastasis 1/day."""
    k = oracles.HUMAN_BREAST
    birth = growth / k["survival"]
    return {
        "k_ext": k["k_cl"] * k["p_ext"], "d_B": k["k_cl"] * (1.0 - k["p_ext"]), "k_TD": k["f_D"] / k["stay"],
        "k_TG": k["f_G"] / k["stay"], "d_T": (1.0 - k["f_D"] - k["f_G"]) / k["stay"], "k_R": k["k_R"] * wakes,
        "d_D": k["d_D"], "b": birth, "d": birth - growth, "k_GD": 0.0, "eta": np.log(2.0) * growth / 1e9,
    }  # fmt: skip


def chance(
    parts: Sequence[tuple[float, float, Mapping[str, float]]], source: Callable[[float], float], stop: float, t: float
) -> float:
    """P(relapse by t), cells shed at source(s) until `stop`; `parts`: (from, to, rates) in order of time, from 0 on.

    d/ds of v, the chances of one cell of blood, tissue, dormant and growing at s, from s = t down to 0, and of the
    integral of source times v, in one system for each part.
    """
    y: NDArray[np.float64] = np.zeros(5)
    edges = sorted({stop, *(a for a, _, _ in parts)} - {0.0})
    s = t
    while s > 0.0:
        low = max([e for e in edges if e < s], default=0.0)
        k = next(k for a, b, k in parts if a <= low < b)
        on = 1.0 if s <= stop else 0.0

        def slope(s: float, y: NDArray[np.float64], k: Mapping[str, float] = k, on: float = on) -> list[float]:
            blood, tissue, dormant, growing, _ = y
            return [
                -(k["k_ext"] * tissue - (k["k_ext"] + k["d_B"]) * blood),
                -(k["k_TD"] * dormant + k["k_TG"] * growing - (k["k_TD"] + k["k_TG"] + k["d_T"]) * tissue),
                -(k["k_R"] * growing - (k["k_R"] + k["d_D"]) * dormant),
                -(k["b"] * growing * (1.0 - growing) - k["d"] * growing - k["k_GD"] * (growing - dormant)
                  + k["eta"] * (1.0 - growing)),
                -on * source(s) * blood,
            ]  # fmt: skip

        y = solve_ivp(slope, (s, low), y, "LSODA", rtol=1e-11, atol=1e-30).y[:, -1]
        s = low
    return float(-np.expm1(-y[4]))
