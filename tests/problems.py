"""Stiff initial value problems of the literature as reaction networks, and a network of many closed forms.

References of the stiff problems: F. Mazzia and C. Magherini, Test Set for Initial Value Problem Solvers,
release 2.4 (2008), and E. Hairer and G. Wanner, Solving Ordinary Differential Equations II, section IV.10.
The problems come in their own time unit, written here as days. scipy's Radau at rtol 1e-12 agrees with all
four to 5e-13 relative; `test_stiff.py` repeats that at a coarser tolerance.

    python tests/problems.py        prints the table of correct digits in docs/solvers.md
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctcdyn.codegen.kernel import link
from ctcdyn.model.expr import parse
from ctcdyn.model.network import Network, Observable, Treatment
from drive import Drive
from networks import network

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Stiff:
    """A problem: numbers for its network, time and value of the reference, and the atol for each rtol.

    `absolute` is atol / rtol: well below the smallest component that is asked for its digits.
    """

    network: Callable[[], Network]
    values: Mapping[str, float]
    end: float
    reference: tuple[float, ...]
    absolute: float
    slope: Callable[[float, Vector], list[float]]
    start: tuple[float, ...]


def three_states() -> Network:
    """Robertson, the Oregonator and van der Pol: one kernel, the constants of the two others are zero."""
    off = dict.fromkeys(("slow", "join", "fast", "pace", "brake", "relax", "follow", "speed", "damp"), 0.0)
    return network(
        "three_states",
        {"y1": 0.0, "y2": 0.0, "y3": 0.0},
        off,
        {
            "leave": ("y1 -> y2", "slow"),  # Robertson
            "come_back": ("y2 + y3 -> y1 + y3", "join"),
            "pair": ("2 y2 -> y2 + y3", "2 * fast"),  # the rate is fast * y2 ** 2: k carries 1 / 2!
            "excite": ("-> y1", "=pace * (y2 + y1 * (1 - brake * y1 - y2))"),  # Oregonator
            "recover": ("-> y2", "=relax * (y3 - (1 + y1) * y2)"),
            "trail": ("-> y3", "=follow * (y1 - y3)"),
            "move": ("-> y1", "=speed * y2"),  # van der Pol
            "pull": ("-> y2", "=damp * ((1 - y1 ** 2) * y2 - y1)"),
        },
    )


def eight_states() -> Network:
    """HIRES: high irradiance responses of photomorphogenesis (E. Schaefer 1975), eight species."""
    return network(
        "hires",
        {"y1": 1.0, "y2": 0.0, "y3": 0.0, "y4": 0.0, "y5": 0.0, "y6": 0.0, "y7": 0.0, "y8": 0.0057},
        {
            "k1": 1.71,
            "k2": 0.43,
            "k3": 8.32,
            "k4": 0.69,
            "k5": 0.035,
            "k6": 8.32,
            "plus": 280.0,
            "minus": 0.69,
            "star": 0.69,
            "supplied": 0.0007,
        },
        {
            "supply": ("-> y1", "supplied"),
            "red_1": ("y1 -> y2", "k1"),
            "far_red_1": ("y2 -> y1", "k2"),
            "bind_1": ("y3 -> y1", "k6"),
            "red_2": ("y3 -> y4", "k1"),
            "far_red_2": ("y4 -> y3", "k2"),
            "bind_2": ("y2 -> y4", "k3"),
            "release": ("y5 -> y3", "k5"),
            "red_3": ("y5 -> y6", "k1"),
            "far_red_3": ("y6 -> y5", "k2"),
            "pass_on": ("y4 -> y6", "k4"),
            "join": ("y6 + y8 -> y7", "plus"),
            "part": ("y7 -> y6 + y8", "minus"),
            "far_red_4": ("y7 -> y5 + y8", "k2"),
            "decay": ("y7 -> y8", "star"),
        },
    )


def _robertson(t: float, y: Vector) -> list[float]:
    a, b, c = 0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] ** 2
    return [b - a, a - b - c, c]


def _oregonator(t: float, y: Vector) -> list[float]:
    first = 77.27 * (y[1] + y[0] * (1.0 - 8.375e-6 * y[0] - y[1]))
    return [first, (y[2] - (1.0 + y[0]) * y[1]) / 77.27, 0.161 * (y[0] - y[2])]


def _van_der_pol(t: float, y: Vector) -> list[float]:
    return [y[1], ((1.0 - y[0] ** 2) * y[1] - y[0]) * 1e6]


def _hires(t: float, y: Vector) -> list[float]:
    bound = 280.0 * y[5] * y[7] - 1.81 * y[6]
    return [
        -1.71 * y[0] + 0.43 * y[1] + 8.32 * y[2] + 0.0007,
        1.71 * y[0] - 8.75 * y[1],
        -10.03 * y[2] + 0.43 * y[3] + 0.035 * y[4],
        8.32 * y[1] + 1.71 * y[2] - 1.12 * y[3],
        -1.745 * y[4] + 0.43 * y[5] + 0.43 * y[6],
        -280.0 * y[5] * y[7] + 0.69 * y[3] + 1.71 * y[4] - 0.43 * y[5] + 0.69 * y[6],
        bound,
        -bound,
    ]


STIFF = {
    "ROBER": Stiff(
        three_states,
        {"slow": 0.04, "join": 1e4, "fast": 3e7},
        1e11,
        (0.2083340149701255e-7, 0.8333360770334713e-13, 0.9999999791665050),
        1e-8,
        _robertson,
        (1.0, 0.0, 0.0),
    ),
    "OREGO": Stiff(
        three_states,
        {"pace": 77.27, "brake": 8.375e-6, "relax": 1.0 / 77.27, "follow": 0.161},
        360.0,
        (0.1000814870318523e1, 0.1228178521549917e4, 0.1320554942846706e3),
        1e-2,
        _oregonator,
        (1.0, 2.0, 3.0),
    ),
    "VDPOL": Stiff(
        three_states,
        {"speed": 1.0, "damp": 1e6},
        2.0,
        (0.1706167732170483e1, -0.8928097010247975),
        1.0,
        _van_der_pol,
        (2.0, 0.0),
    ),
    "HIRES": Stiff(
        eight_states,
        {},
        321.8122,
        (
            0.7371312573325668e-3,
            0.1442485726316185e-3,
            0.5888729740967575e-4,
            0.1175651343283149e-2,
            0.2386356198831331e-2,
            0.6238968252742796e-2,
            0.2849998395185769e-2,
            0.2850001604814231e-2,
        ),
        1e-3,
        _hires,
        (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0057),
    ),
}


def laws() -> Network:
    """Four species and many laws, each switched on by its own constant: closed forms that share one kernel.

    a: source, square, logistic, rhythm, Gompertz, Spratt, Prothero-Robinson, a rate without a value after a
    day; (a, b): a nonlinear turn with a rhythm; a -> b -> c, d: cascade of blood, tissue, dormant, growing.
    """
    off = dict.fromkeys(
        (
            "source",
            "square",
            "crowd",
            "swing",
            "gompertz",
            "spratt",
            "relax",
            "track",
            "broken",
            "chatter",
            "hopf",
            "spin",
            "wobble",
            "k_ab",
            "k_a",
            "k_bc",
            "k_bd",
            "k_b",
            "k_cd",
            "k_c",
            "growth",
            "k_d",
            "k_dc",
            "bolus",
        ),
        0.0,
    )
    never = dict.fromkeys(("off", "breaks", "dose_day", "bolus_day", "trigger", "level"), 1e300)
    turn = "spin * (1 + wobble * cos(t))"
    return network(
        "laws",
        {"a": 0.0, "b": 0.0, "c": 0.0, "d": 0.0},
        {**off, **never, "on": 0.0, "omega": 1.0, "decay": 1.0, "ceiling": 1.0, "factor": 0.1},
        {
            "arrive": ("-> a", "source * (step(t - on) - step(t - off))"),
            "square_up": ("-> a", "=square * a * a - crowd * a * (a - 1)"),
            "breathe": ("-> a", "=swing * cos(omega * t) * a"),
            "age": ("-> a", "=gompertz * exp(-decay * t) * a"),
            "slow_down": ("-> a", "=spratt * a * (1 - (max(a, 1e-30) / ceiling) ** 0.25)"),
            "relaxing": ("-> a", "=relax * (sin(t) - a) + track * cos(t)"),
            "breaking": ("-> a", "=broken * sqrt(breaks - t)"),
            "chattering": ("-> a", "=chatter * where(a >= 0, 0 - 1, 1)"),
            "turn_a": ("-> a", f"=hopf * a * (1 - a * a - b * b) - {turn} * b"),
            "turn_b": ("-> b", f"=hopf * b * (1 - a * a - b * b) + {turn} * a"),
            "a_b": ("a -> b", "k_ab"),
            "a_": ("a ->", "k_a"),
            "b_c": ("b -> c", "k_bc"),
            "b_d": ("b -> d", "k_bd"),
            "b_": ("b ->", "k_b"),
            "c_d": ("c -> d", "k_cd"),
            "c_": ("c ->", "k_c"),
            "grow": ("d -> 2 d", "growth"),
            "d_": ("d ->", "k_d"),
            "d_c": ("d -> c", "k_dc"),
        },
        observables=(
            Observable(
                "passage", None, "first_passage", {"when": parse("a >= level")}, "d", realised="passage"
            ),
        ),
        treatments=(
            Treatment("dose", parse("dose_day"), scale=((_place("k_a", off), 1.5),), every=1.5, cycles=3),
            Treatment("infusion", parse("bolus_day"), set=((0, parse("a + bolus")),)),
            Treatment("surgery", parse("b >= trigger"), set=((1, parse("b * factor")),), repeat=True),
        ),
    )


def _place(name: str, names: Mapping[str, float]) -> int:
    return list(names).index(name)


def solve_stiff(name: str, module: object, rtol: float) -> tuple[float, int]:
    """(correct digits of the worst component at the end, steps) of one problem on a compiled kernel."""
    problem = STIFF[name]
    start = {f"y{k}__initial": x for k, x in enumerate(problem.start, 1)}
    drive = Drive(
        module,
        problem.network(),
        [0.0, problem.end],
        1,
        values={**problem.values, **start},
        rtol=rtol,
        atol=rtol * problem.absolute,
    ).go()
    assert drive.status[0] == 0, drive.status
    reached = drive.final[0, : len(problem.reference)]
    wrong = np.max(np.abs(reached / np.array(problem.reference) - 1.0))
    return float(-np.log10(wrong)), int(drive.work[0])


def main() -> None:
    """Print the table of docs/solvers.md."""
    print("| problem | `rtol` | `atol` | correct digits | steps |\n|---|---|---|---|---|")
    modules = {n.name: link(n, "rodas5p").compile().module for n in (three_states(), eight_states())}
    for name, problem in STIFF.items():
        for rtol in (1e-4, 1e-6, 1e-8, 1e-10):
            digits, steps = solve_stiff(name, modules[problem.network().name], rtol)
            print(f"| {name} | {rtol:.0e} | {rtol * problem.absolute:.0e} | {digits:.1f} | {steps} |")


def five(_: float, x: Vector, k: Mapping[str, float]) -> list[float]:
    """The head of models/ctc_five.toml."""
    t, b, e, q, g = x
    enter, reseed = k["intravasation"] * t, k["reseeding"] * g
    return [
        k["growth_rate"] * t * (1.0 - t / k["carrying_capacity"]) - enter,
        enter + reseed - (k["shear_death"] + k["nk_kill"] + k["extravasation"]) * b,
        k["extravasation"] * b - (k["dormancy_entry"] + k["colonisation"] + k["tissue_death"]) * e,
        k["dormancy_entry"] * e - (k["dormancy_exit"] + k["dormant_death"]) * q,
        k["colonisation"] * e
        + k["dormancy_exit"] * q
        - reseed
        - k["growing_death"] * g
        + k["metastasis_growth"] * g * (1.0 - g / k["metastasis_capacity"]),
    ]


if __name__ == "__main__":
    main()
