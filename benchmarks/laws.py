"""Whether a sample of paths has the law it should have: means and standard deviations at a few saves, early and late.

    python benchmarks/laws.py [BATCHES]     how often the judge refuses what is right, and what it sees of what is wrong
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

REFUSED = 1e-4  # chance that a right sample is refused, over all places together
SAVES = 6  # at which laws are compared, from the first after the start to the last, in equal ratios
COUNTS = 25.0  # cells² that a sample's variances must add up to before its mean is near normal
CELLS = 0.25  # cells²: standard deviations are compared where the variance is more


@dataclass(frozen=True)
class Law:
    """How far off, in exact standard deviations: `mean` the worst mean, `spread` the ratio of standard deviations
    furthest from 1; `surely`: what of the worst is more than chance; `sees`: what chance alone may do to a mean."""

    mean: float
    spread: float
    surely: float
    sees: float

    def __str__(self) -> str:
        return f"means {self.mean:.2g} sd off, spread {self.spread:.2f} of the exact, chance {self.sees:.2g}"


def places(saves: int) -> list[int]:
    """Indices of the saves at which laws are compared; 0 is the start.

    >>> places(101)
    [1, 3, 6, 16, 40, 100]
    """
    return np.unique(np.geomspace(1, saves - 1, SAVES).round().astype(int)).tolist()


def law(found: NDArray[np.float64], mean: NDArray[np.float64], variance: NDArray[np.float64]) -> Law:
    """`found` (trajectories, saves, species); exact `mean`, `variance` (saves, species).

    A mean has a standard error of sd / sqrt(n), a standard deviation one of sd / 2 sqrt((kurtosis - 1) / n), where the
    kurtosis is the sample's, and at least that of a Poisson count. Bonferroni over all places.
    """
    n, at = len(found), places(found.shape[1])
    here, m, v = found[:, at], mean[at], variance[at]
    means, spreads = n * v >= COUNTS, (v >= CELLS) & (n >= 8)
    z = float(-ndtri(0.5 * REFUSED / max(int(means.sum() + spreads.sum()), 1)))
    sd = np.sqrt(np.maximum(v, 1e-300))
    off = np.abs(here.mean(0) - m)[means] / sd[means]
    centred = here - here.mean(0)
    own = (centred**2).mean(0)
    kurtosis = np.maximum((centred**4).mean(0) / np.maximum(own, 1e-100) ** 2, 3.0 + 1.0 / np.maximum(v, CELLS))
    ratio = np.sqrt(own * n / max(n - 1, 1))[spreads] / sd[spreads]
    error = 0.5 * np.sqrt((kurtosis[spreads] - 1.0) / n)
    sees = z / np.sqrt(n)
    surely = max([0.0, *(off - sees), *(np.abs(ratio - 1.0) - z * error)])
    worst = float(ratio[np.abs(ratio - 1.0).argmax()]) if ratio.size else float("nan")
    return Law(float(off.max(initial=0.0)), worst, float(surely), float(sees))


def calibrated(name: str, batches: int, n: int = 400) -> str:
    """Batches of n right paths, and the same with a mean, or a spread, that is wrong in the last species."""
    from tools import Session, peers

    from problems import PROBLEMS, moments_of

    problem = PROBLEMS[name]()
    mean, variance = moments_of(problem)
    values = np.tile(list(problem.parameters.values()), (batches * n, 1))
    session = Session(peers()["ctcdyn"])
    session.prepare(problem, "direct" if name == "conjugates" else "first_order_leap", 0.0, values, True)
    session.run()
    right = session.answer().reshape(batches, n, *mean.shape)
    session.close()
    sd = np.sqrt(variance)
    told = []
    last = np.arange(mean.shape[1]) == mean.shape[1] - 1
    for shift, factor in ((0.0, 1.0), (0.1, 1.0), (0.2, 1.0), (0.3, 1.0), (0.0, 1.1), (0.0, 1.2), (0.0, 1.3)):
        wrong = (mean + np.where(last, factor, 1.0) * (one - mean) + shift * sd * last for one in right)
        refused = sum(law(one, mean, variance).surely > 0.0 for one in wrong)
        told.append(f"  means {shift:.1f} sd off, spread times {factor:.1f}: {refused} of {batches} refused")
    return "\n".join([f"{name}, {n} paths", *told])


if __name__ == "__main__":
    for problem in ("linear", "conjugates"):
        print(calibrated(problem, int(sys.argv[1]) if len(sys.argv) > 1 else 200), flush=True)
