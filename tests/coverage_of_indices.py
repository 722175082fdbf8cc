"""How often 95 % intervals of Sobol indices hold the truth: `python tests/coverage_of_indices.py` writes a page.

Functions whose indices are known, at the points of a Saltelli design as a study has them: Ishigami and Homma (1990)
with a = 7, b = 0.1, and Sobol's g with a = (0, 1, 4.5, 9, 99, 99). With noise, a value is the mean of two draws about
the function, as of two replicates; the truth is then that of the noisy values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctcdyn.model.sweeping import Axis, Sweep
from ctcdyn.points import blocks, rows
from ctcdyn.sensitivity import Indices, sobol_indices

PAGE = Path(__file__).parents[1] / "docs" / "record-indices.md"
STUDIES = 1000
Floats = NDArray[np.float64]
WEIGHTS = np.array([0.0, 1.0, 4.5, 9.0, 99.0, 99.0])


class Known(NamedTuple):
    """A function of (n, d) in the unit cube, its first-order and total indices, and its variance."""

    f: Callable[[Floats], Floats]
    first: Floats
    total: Floats
    variance: float


def _ishigami(u: Floats) -> Floats:
    x = np.pi * (2 * u - 1)
    return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


def _g(u: Floats) -> Floats:
    return np.prod((np.abs(4 * u - 2) + WEIGHTS) / (1 + WEIGHTS), axis=1)


def ishigami() -> Known:
    """Ishigami's function, a = 7 and b = 0.1."""
    one, two = 0.5 * (1 + 0.1 * math.pi**4 / 5) ** 2, 49 / 8
    both = 0.01 * math.pi**8 * (1 / 18 - 1 / 50)
    whole = one + two + both
    return Known(_ishigami, np.array([one, two, 0]) / whole, np.array([one + both, two, both]) / whole, whole)


def g_function() -> Known:
    """Sobol's g."""
    part = 1 / (3 * (1 + WEIGHTS) ** 2)
    whole = float(np.prod(1 + part) - 1)
    others = np.array([np.prod(1 + np.delete(part, k)) for k in range(len(part))])
    return Known(_g, part / whole, part * others / whole, whole)


def study(known: Known, base: int, seed: int, noise: float = 0.0, confidence: float = 0.95) -> Indices:
    """Indices of one study; `noise`: variance of a value by chance, in variances of the function."""
    d = len(known.first)
    sweep = Sweep("saltelli", tuple(Axis(k) for k in range(d)), base * (d + 2), base)
    value = known.f(rows(sweep, seed, np.arange(base * (d + 2)))).reshape(base, d + 2)
    own = math.nan
    if noise:
        draws = np.random.default_rng(seed).normal(0, math.sqrt(2 * noise * known.variance), (2, base, d + 2))
        value = value + draws.mean(axis=0)
        own = float(np.mean(draws[:, :, [0, -1]].var(axis=0, ddof=1) / 2))
    group = np.repeat(np.arange(blocks(base)), base // blocks(base))
    return sobol_indices(
        value[:, 0], value[:, -1], value[:, 1:-1].T, group=group, noise=own, confidence=confidence
    )


def coverage(known: Known, base: int, studies: int, noise: float = 0.0) -> tuple[Floats, Floats]:
    """Share of studies whose intervals hold first-order and total indices, (d,) each."""
    first, total = known.first / (1 + noise), (known.total + noise) / (1 + noise)
    held = np.zeros((2, len(first)))
    for seed in range(studies):
        found = study(known, base, seed, noise)
        for row, interval, truth in zip(
            held, (found.first_interval, found.total_interval), (first, total), strict=True
        ):
            row += (interval[:, 0] <= truth) & (truth <= interval[:, 1])
    return held[0] / studies, held[1] / studies


def main() -> None:
    """Write the page."""
    lines = []
    for name, known in (("Ishigami", ishigami()), ("g", g_function())):
        for base, noise in ((128, 0.0), (1024, 0.0), (256, 0.25)):
            first, total = coverage(known, base, STUDIES, noise)
            shown = [", ".join(f"{100 * x:.1f}" for x in shares) for shares in (first, total)]
            lines.append(f"| {name} | {base} | {100 * noise / (1 + noise):g} % | {shown[0]} | {shown[1]} |")
    text = f"""# How often intervals of Sobol indices cover the truth

Written by `python tests/coverage_of_indices.py`: {STUDIES} studies a row, each with the points of a Saltelli design
as `[sweep]` makes them and another seed. 95 % intervals should hold the truth in 88 to 98 %. Noise is the share of
the variance that is chance within a point. `tests/test_sweeps.py` does a short version.

| function | base rows | noise | first order covered, % | total covered, % |
|---|---|---|---|---|
"""
    PAGE.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
