"""Relapse times of the toy set and of the human breast model, by several methods, beside backward equations."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import oracles
from claims import Claim, fractions, same_law
from ctcdyn import run
from ctcdyn.simulation import Model
from networks import relapse

YEAR = 365.25
AFTER = (2.0, 5.0, 10.0, 15.0, 20.0)  # years after resection
BACKWARD = "backward Kolmogorov, rtol 1e-11"
Times = NDArray[np.float64]

# ---- the toy set (T6, T9) ---------------------------------------------------------------------------------------
DAYS = (5.0, 10.0, 20.0, 40.0, 80.0)
TOY = oracles.RELAPSE_TOY
# cells that would be lost in blood or tissue are never shed; the others stay there as long: the same law of a relapse
LEAVE, STAY = TOY["k_ext"] + TOY["d_B"], TOY["k_TD"] + TOY["k_TG"]
END = STAY + TOY["d_T"]
THINNED = {
    "s": TOY["source"] * TOY["k_ext"] / LEAVE * STAY / END, "k_ext": LEAVE, "d_B": 0.0, "d_T": 0.0,
    "k_TD": TOY["k_TD"] * END / STAY, "k_TG": TOY["k_TG"] * END / STAY,
}  # fmt: skip


def toy_times(method: str, n: int, seed: int, thinned: bool = False) -> Times:
    """Days to the relapse of n patients; 80 where there was none."""
    found = Model(relapse()).simulate(
        [0.0, *DAYS], method=method, n=n, seed=seed, keep="none", quantiles=(), threads=1,
        parameters=THINNED if thinned else {},
    )  # fmt: skip
    assert set(np.unique(found.status)) <= {0, 1}
    return np.where(found.event_observed[:, 0] == 1, found.event_time[:, 0], np.inf)


def toy_table(method: str, n: int, seed: int) -> Claim:
    """P(no relapse by t)."""
    times = toy_times(method, n, seed)
    chances = [oracles.no_relapse(TOY, lambda s: TOY["source"], 10.0, t) for t in DAYS]
    return fractions([int((times > t).sum()) for t in DAYS], n, chances, BACKWARD)


def toy_thinned(method: str, n: int, seed: int) -> Claim:
    """T9: the whole process beside the thinned Poisson stream; patients without a relapse at day 80."""
    one, other = toy_times(method, n, seed), toy_times("direct", n, seed + 1, thinned=True)
    words = (told(one), told(other))
    return same_law(np.minimum(one, 80.0), np.minimum(other, 80.0), words, "the thinned stream by direct")


def told(times: Times) -> str:
    return f"{(times < np.inf).mean():.5f} relapse, median day {np.median(times[times < np.inf]):.2f}"


# ---- the human breast model (section 3a) -------------------------------------------------------------------------
STUDY = """schema = 1
[model]
use = "human_breast_min"
[parameters]
carrying_capacity = "1e30 cells"
metastasis_growth = "{growth!r} /day"
clearance = "{clearance!r} /day"
{thinned}
[[treatment]]
name = "resection"
at = "diameter >= {diameter!r} mm"
set = {{ tumor = 0 }}
[[event]]
name = "relapse"
when = "detected >= 1"
stop = true
[simulate]
method = "{method}"
t_end = "{end!r} days"
save = {{ n = {saves} }}
{pinned}
[ensemble]
trajectories = {n}
seed = {seed}
[output]
keep = 0
quantiles = [0.5]
file = "{folder}/relapse.h5"
"""
PINS = 'continuous = ["tumor", "blood", "shed_cells"]\nhybrid = { switch_up = 500, switch_down = 200 }'
THIN = 'p_extravasate = 1\nshedding = "{} cells/day"'


def resection(diameter: float) -> float:
    """Day at which the tumour has so many mm."""
    return float(oracles.human_breast_sizes(diameter, oracles.HUMAN_BREAST)["t"])


@cache
def patients(
    method: str, diameter: float, doubling: float, n: int, seed: int, clearance: float = 36.0, thinned: bool = False
) -> tuple[Times, float]:
    """(days from the first cell to the relapse, inf where there is none by 20 years after surgery; mean steps)."""
    k = oracles.HUMAN_BREAST
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study.toml"
        study.write_text(
            STUDY.format(
                growth=float(np.log(2.0) / doubling), clearance=clearance, diameter=diameter, method=method,
                folder=folder, end=resection(diameter) + 20.0 * YEAR + 1.0, saves=25, n=n, seed=seed,
                pinned=PINS if method == "hybrid" else "",
                thinned=THIN.format(repr(k["k_s"] * k["p_ext"])) if thinned else "",
            ),
            encoding="utf-8",
        )  # fmt: skip
        with run(study, threads=1) as found:
            times = np.where(found["event_observed"][:, 0] == 1, found["event_time"][:, 0], np.inf)
            steps = float(found["n_steps"][times == np.inf].mean())
            assert set(np.unique(found["status"])) <= {0, 8}
    return times, steps


def human_chances(diameter: float, doubling: float, clearance: float = 36.0) -> list[float]:
    """P(relapse by 2, 5 ... 20 years after the operation)."""
    k = oracles.HUMAN_BREAST
    growth = np.log(2.0) / doubling
    birth = growth / k["survival"]
    rates = {
        "k_ext": clearance * k["p_ext"], "d_B": clearance * (1.0 - k["p_ext"]), "k_TD": k["f_D"] / k["stay"],
        "k_TG": k["f_G"] / k["stay"], "d_T": (1.0 - k["f_D"] - k["f_G"]) / k["stay"], "k_R": k["k_R"],
        "d_D": k["d_D"], "b": birth, "d": birth - growth, "k_GD": 0.0, "eta": np.log(2.0) * growth / 1e9,
    }  # fmt: skip
    day, speed = resection(diameter), k["r"] * k["alpha"]
    return [
        1.0 - oracles.no_relapse(rates, lambda s: k["k_s"] * np.exp(speed * s), day, day + y * YEAR) for y in AFTER
    ]


def human_table(method: str, diameter: float, doubling: float, n: int, seed: int) -> Claim:
    """A row of the table of relapses."""
    times, _ = patients(method, diameter, doubling, n, seed)
    days = [resection(diameter) + y * YEAR for y in AFTER]
    return fractions([int((times <= t).sum()) for t in days], n, human_chances(diameter, doubling), BACKWARD)


def human_clearance(clearance: float, n: int, seed: int) -> Claim:
    """20 mm, doubling in 51.7 days: the law, and as many steps as at a clearance of 36 a day."""
    times, steps = patients("first_order_leap", 20.0, 51.7, n, seed, clearance)
    _, slow = patients("first_order_leap", 20.0, 51.7, n // 10, seed)
    days = [resection(20.0) + y * YEAR for y in AFTER]
    law = fractions([int((times <= t).sum()) for t in days], n, human_chances(20.0, 51.7, clearance), BACKWARD)
    words = f"{law.test}; {steps:.1f} steps, {slow:.1f} at 36 /day"
    return Claim(n, law.found, law.exact, law.oracle, words, bool(law.held) and abs(steps / slow - 1.0) < 0.1)


def human_thinned(n: int, seed: int) -> Claim:
    """T9 at 20 mm: all shed cells, or those alone that leave the blood alive, in law of the relapse time."""
    both = [patients("first_order_leap", 20.0, 20.0, n, seed + t, thinned=bool(t))[0] for t in (0, 1)]
    end = resection(20.0) + 20.0 * YEAR
    one, other = (np.minimum(t, end) for t in both)
    return same_law(one, other, (told(both[0]), told(both[1])), "the thinned stream")
