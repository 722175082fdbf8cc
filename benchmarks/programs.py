"""The programs that `paired.py` times, and how the answer of each is checked.

Every program is a command that prints "units seconds ...": how much work it did, and the CPU seconds of that
work alone.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.linalg import expm

REFERENCE = Path(__file__).parent / "reference"
KERNEL = Path(__file__).parent / "kernel.py"

# ctc_linear: per day; shedding in cells per day
LINEAR = {
    "shed": 2000.0, "clear": 16.0, "leave": 0.05, "die": 1.0, "sleep": 0.1,
    "settle": 0.005, "wake": 5e-4, "lose": 1e-3, "birth": 0.02, "death": 0.018,
}  # fmt: skip
# ctc_five: per day, K and K_G in cells
FIVE = {
    "r": 0.01, "K": 1e10, "k_int": 1e-4, "k_re": 1e-5, "k_sh": 8.0, "k_nk": 8.0, "k_ext": 0.05, "k_d": 0.1,
    "k_g": 0.005, "m_E": 1.0, "k_w": 5e-4, "m_Q": 1e-3, "r_G": 0.02, "K_G": 1e8, "m_G": 0.005,
}  # fmt: skip
VARIED, SIGMA = ("r", "k_nk", "k_w"), 0.3  # times exp(SIGMA z), z normal
SAVES = 366
MANY = 4096  # draws that are timed
ERROR = 1e-5  # achieved error at which ODE programs are compared


@dataclass(frozen=True)
class Program:
    """`measure` -> units of work and CPU seconds; `checked`: what the check of its answer found."""

    name: str
    measure: Callable[[], tuple[float, float]]
    checked: str


def five_draws(n: int) -> np.ndarray:
    """Parameters (n, 15) of the ODE ensemble, always the same for the same n."""
    draws = np.tile(list(FIVE.values()), (n, 1))
    columns = [list(FIVE).index(name) for name in VARIED]
    draws[:, columns] *= np.exp(SIGMA * np.random.default_rng(20261123).standard_normal((n, len(VARIED))))
    return draws


def linear_mean(days: float) -> np.ndarray:
    """Exact means of B, E, Q, G at a time: first-order reactions, so the means solve a linear ODE."""
    k = LINEAR
    flow = np.zeros((5, 5))  # B E Q G and the constant 1
    flow[0, 0], flow[0, 4] = -(k["clear"] + k["leave"]), k["shed"]
    flow[1, 0], flow[1, 1] = k["leave"], -(k["die"] + k["sleep"] + k["settle"])
    flow[2, 1], flow[2, 2] = k["sleep"], -(k["wake"] + k["lose"])
    flow[3, 1], flow[3, 2], flow[3, 3] = k["settle"], k["wake"], k["birth"] - k["death"]
    return expm(flow * days)[:4, 4]


def ode_error(found: np.ndarray, reference: np.ndarray) -> float:
    """Largest error over draws, outputs and species; 0.01 cells count as nothing."""
    return float(np.max(np.abs(found - reference) / (1e-2 + np.abs(reference))))


def in_tenths(exponent: int) -> str:
    """The tolerance 10^(-exponent/10) as a program reads it."""
    return repr(float(10 ** (-exponent / 10)))


def run(command: list[str | Path]) -> tuple[float, float]:
    printed = subprocess.run(
        [str(part) for part in command], check=True, capture_output=True, text=True
    ).stdout.split()
    return float(printed[0]), float(printed[1])


def build(source: str, folder: Path) -> Path:
    target = folder / Path(source).stem
    subprocess.run(["g++", "-O3", "-march=native", "-o", target, REFERENCE / source], check=True)
    return target


class Direct:
    """Exact jump process of ctc_linear from an empty state: 400 thousand events a trajectory in 100 days."""

    unit = "event"
    names = ("plain", "unrolled", "hot", "ctcdyn")

    def __init__(self, folder: Path, _python: str) -> None:
        self.folder = folder
        self.binary = build("direct.cpp", folder)
        self.rates = folder / "linear.txt"
        self.rates.write_text(" ".join(map(repr, LINEAR.values())))

    def program(self, name: str) -> Program:
        if name not in self.names:
            raise KeyError(name)
        results = self.folder / "direct.bin"

        def measure(target: Path | str = "-") -> tuple[float, float]:
            if (
                name == "ctcdyn"
            ):  # four times as many: the lanes that wait for the last ones are part of its work
                return run([sys.executable, KERNEL, "direct", 1024, 1, target])
            return run([self.binary, name, self.rates, 256, 1, results])

        measure(results)
        kind = np.float64 if name == "ctcdyn" else np.int64  # ours begins with a save at day 0
        last = np.fromfile(results, kind).reshape(-1, 101 if name == "ctcdyn" else 100, 4)[:, -1]
        z = (last.mean(0) - linear_mean(100)) / (last.std(0, ddof=1) / np.sqrt(len(last)))
        if np.abs(z).max() > 5:
            raise SystemExit(f"{name}: means of B, E, Q, G at day 100 are {z.round(1)} standard errors off")
        return Program(
            name, measure, f"means at day 100 within {np.abs(z).max():.1f} standard errors of the exact ones"
        )


class Ode:
    """ctc_five: each program at the loosest tolerance (in tenths of a decade) that reaches ERROR."""

    unit = "trajectory"
    names = ("dense", "sparse", "numbalsoda", "ctcdyn")

    def __init__(self, folder: Path, python: str) -> None:
        self.folder, self.python = folder, python
        self.hundred, self.many = folder / "hundred.bin", folder / "many.bin"
        five_draws(100).tofile(self.hundred)
        five_draws(MANY).tofile(self.many)
        results = folder / "taylor.bin"
        taylor = build("taylor.cpp", folder)
        subprocess.run([taylor, self.hundred, "100", results], check=True)
        self.reference = np.fromfile(results).reshape(100, SAVES, 5)
        self.rodas4 = build("rodas4.cpp", folder)

    def program(self, name: str) -> Program:
        if name not in self.names:
            raise KeyError(name)
        start = {
            "ctcdyn": [sys.executable, KERNEL, "ode"],
            "numbalsoda": [self.python, REFERENCE / "numbalsoda_lsoda.py"],
        }.get(name, [self.rodas4, name])
        results = self.folder / "ode.bin"

        def error(tolerance: str) -> float:
            run([*start, self.hundred, 100, tolerance, tolerance, results])
            return ode_error(np.fromfile(results).reshape(100, SAVES, 5), self.reference)

        # Bisection over tolerances 10^-4 to 10^-11 in tenths of a decade
        loose, tight = 40, 110
        while tight - loose > 1:
            middle = (loose + tight) // 2
            if error(in_tenths(middle)) <= ERROR:
                tight = middle
            else:
                loose = middle
        tolerance = in_tenths(tight)
        reached = error(tolerance)
        if reached > ERROR:
            raise SystemExit(f"{name}: error {reached:.1e} at the tightest tolerance")

        def measure() -> tuple[float, float]:
            return run([*start, self.many, MANY, tolerance, tolerance, "-"])

        return Program(name, measure, f"error {reached:.1e} at rtol = atol = {float(tolerance):.1e}")


class Leap(Direct):
    """Whole counts of ctc_linear at 100 daily saves from an empty state: every event in C++, or a step for each day."""

    unit = "trajectory"
    names = ("direct", "ctcdyn")
    counts = {"direct": 128, "ctcdyn": 20480}  # noqa: RUF012

    def program(self, name: str) -> Program:
        count, results = self.counts[name], self.folder / "leap.bin"

        def measure(target: Path | str = "-") -> tuple[float, float]:
            if name == "ctcdyn":
                return run([sys.executable, KERNEL, "leap", count, 1, target])
            return count, run([self.binary, "unrolled", self.rates, count, 1, results])[1]

        measure(results)
        kind = np.float64 if name == "ctcdyn" else np.int64
        last = np.fromfile(results, kind).reshape(-1, 101 if name == "ctcdyn" else 100, 4)[:, -1]
        z = (last.mean(0) - linear_mean(100)) / (last.std(0, ddof=1) / np.sqrt(len(last)))
        if np.abs(z).max() > 5:
            raise SystemExit(f"{name}: means of B, E, Q, G at day 100 are {z.round(1)} standard errors off")
        return Program(
            name, measure, f"means at day 100 within {np.abs(z).max():.1f} standard errors of the exact ones"
        )


class Tau(Direct):
    """Adaptive tau-leaping of ctc_linear with a hundred times the shedding, 12 500 cells in blood, epsilon 0.03.

    `paper` leaps by the rule of Cao, Gillespie and Petzold (2006), `cpp` by the stricter one of ours.
    """

    unit = "trajectory"
    names = ("paper", "cpp", "ctcdyn")
    scale, counts = 100.0, {"paper": 512, "cpp": 128, "ctcdyn": 512}

    def __init__(self, folder: Path, _python: str) -> None:
        self.folder = folder
        self.binary = build("tau_leap.cpp", folder)
        self.rates = folder / "linear.txt"
        self.rates.write_text(" ".join(map(repr, (self.scale * LINEAR["shed"], *[*LINEAR.values()][1:]))))

    def program(self, name: str) -> Program:
        count, results = self.counts[name], self.folder / "tau.bin"

        def measure(target: Path | str = "-") -> tuple[float, float]:
            if name == "ctcdyn":
                return run([sys.executable, KERNEL, "tau", self.scale, count, 1, target])
            return run([self.binary, "0.03", 10 if name == "cpp" else "inf", self.rates, count, 1, results])

        measure(results)
        kind = np.float64 if name == "ctcdyn" else np.int64
        last = np.fromfile(results, kind).reshape(-1, 101 if name == "ctcdyn" else 100, 4)[:, -1]
        off = last.mean(0) / (self.scale * linear_mean(100)) - 1
        if np.abs(off).max() > 0.02:
            raise SystemExit(f"{name}: means of B, E, Q, G at day 100 are off by {off.round(3)}")
        spread = last[:, 0].std(ddof=1) / last[:, 0].mean() ** 0.5
        told = f"means off by {np.abs(off).max():.1%} at most, spread of blood {spread:.2f} (exact 1)"
        return Program(name, measure, told)


class Colonies:
    """birth_death_immigration near 20 000 cells for 3 days: exact events, or leaps at epsilon 0.03."""

    unit = "trajectory"
    names = ("direct", "tau_leap")
    counts = {"direct": 256, "tau_leap": 8192}  # noqa: RUF012
    birth, death, arrivals, start, days = 1.0, 1.2, 4000.0, 10_000.0, 3.0

    def __init__(self, folder: Path, _python: str) -> None:
        self.folder = folder

    def program(self, name: str) -> Program:
        count, results = self.counts[name], self.folder / "colonies.bin"

        def measure(target: Path | str = "-") -> tuple[float, float]:
            return run([sys.executable, KERNEL, "colonies", name, count, 1, target])

        measure(results)
        last = np.fromfile(results).reshape(count, -1)[:, -1]
        g, t = self.birth - self.death, self.days
        grown = np.exp(g * t)
        mean = self.start * grown + self.arrivals * (grown - 1) / g
        ours = self.start * grown * (grown - 1) * (self.birth + self.death) / g
        arrived = self.arrivals * (grown - 1) / g
        spread = np.sqrt(ours + arrived + arrived**2 * self.birth / self.arrivals)
        bias, wide = (last.mean() - mean) / spread, last.std(ddof=1) / spread
        told = f"mean off by {bias:+.3f} standard deviations, spread {wide:.3f} times the exact one"
        if abs(bias) > 0.5 + 5 / count**0.5 or abs(wide - 1) > 0.05 + 5 / (2 * count) ** 0.5:
            raise SystemExit(f"{name}: {told}")
        return Program(name, measure, told)


class Patients:
    """configs/human_breast_relapse.toml: 1653 days of a primary from its first cell, resection, 20 years after."""

    unit = "patient"
    names = ("ode", "ctcdyn", "hybrid")
    methods = {"ode": "rodas5p", "ctcdyn": "first_order_leap", "hybrid": "hybrid"}  # noqa: RUF012
    counts = {"ode": 8192, "ctcdyn": 8192, "hybrid": 2048}  # noqa: RUF012

    def __init__(self, folder: Path, _python: str) -> None:
        self.folder = folder

    def program(self, name: str) -> Program:
        method, count, results = self.methods[name], self.counts[name], self.folder / "patients.bin"

        def measure(target: Path | str = "-") -> tuple[float, float]:
            return run([sys.executable, KERNEL, "patients", method, count, 1, target])

        measure(results)
        states = np.fromfile(results).reshape(count, -1, 7)[:, -5:]
        found, error = states[:, 0, 3].mean(), 1e-4 * sleeping(2.0)
        if name != "ode":  # counts that are Poisson
            error = np.sqrt(sleeping(2.0) / count)
            relapsed, exact = (states[:, -1, 5] > 0).mean(), 0.13108  # backward equation: docs/solvers.md
            if abs(relapsed - exact) > 5 * np.sqrt(exact * (1 - exact) / count):
                raise SystemExit(f"{name}: {relapsed:.4f} have a relapse in 20 years, not {exact}")
        if abs(found - sleeping(2.0)) > 5 * error:
            raise SystemExit(f"{name}: {found:.2f} sleeping cells two years after, not {sleeping(2.0):.2f}")
        return Program(name, measure, f"{found:.1f} sleeping cells two years after, exact {sleeping(2.0):.1f}")


def sleeping(years: float) -> float:
    """Mean number of sleeping cells so many years after the resection at 20 mm, of an exponential primary."""
    growth, rates = 0.0134, (36.0, 1.0 / 3.0, 1e-7 + 1.9e-4)
    t = np.log(4e9 * np.pi / 3.0) / growth
    flow = np.diag([0.663 * growth, *(-rate for rate in rates)])
    flow[1, 0], flow[2, 1], flow[3, 2] = 1.0, 36.0 * 5e-4, 0.2 / 3.0
    state = expm(flow * t) @ np.array([0.0445, 0.0, 0.0, 0.0])
    state[0] = 0.0
    return float((expm(flow * (365.25 * years)) @ state)[3])


class Langevin:
    """Chemical Langevin equation of ctc_linear, 100 days in steps of 0.01 day; eight independent noises a step."""

    unit = "step"
    names = ("cpp", "numba", "ctcdyn")
    count = 320

    def __init__(self, folder: Path, _python: str) -> None:
        self.folder = folder
        self.binary = build("langevin.cpp", folder)
        self.rates = folder / "linear.txt"
        self.rates.write_text(" ".join(map(repr, LINEAR.values())))

    def program(self, name: str) -> Program:
        start: dict[str, list[str | Path]] = {
            "cpp": [self.binary, self.rates],
            "numba": [sys.executable, REFERENCE / "langevin_numba.py", self.rates],
            "ctcdyn": [sys.executable, KERNEL, "langevin"],
        }
        results = self.folder / "langevin.bin"

        def measure(target: Path | str = "-") -> tuple[float, float]:
            return run([*start[name], self.count, 1, target])

        run([*start[name], self.count, 1, results])
        last = np.fromfile(results).reshape(-1, 101 if name == "ctcdyn" else 100, 4)[:, -1]
        z = (last.mean(0) - linear_mean(100)) / (last.std(0, ddof=1) / np.sqrt(len(last)))
        if np.abs(z).max() > 5:
            raise SystemExit(f"{name}: means of B, E, Q, G at day 100 are {z.round(1)} standard errors off")
        return Program(
            name, measure, f"means at day 100 within {np.abs(z).max():.1f} standard errors of the exact ones"
        )


WORKLOADS = {
    "direct": Direct,
    "leap": Leap,
    "tau": Tau,
    "colonies": Colonies,
    "patients": Patients,
    "langevin": Langevin,
    "ode": Ode,
}
