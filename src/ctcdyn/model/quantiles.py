"""Distributions by inversion: the value of each at a uniform number, and how far it can reach.

Quantile functions are those of scipy.special, loaded when the first number is asked for. What is outside `low` and
`high` is cut off: the uniforms are spread over the probability between the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Dist = Literal["normal", "lognormal", "gamma", "beta", "uniform", "loguniform"]
Floats = NDArray[np.float64]

# No draw is further out than this many standard deviations: by inversion of a uniform no closer to 0 or 1 than TINY
# the largest is 8.29, by the polar method sqrt(2 log 2^53) = 8.57. Bounds that hold this much hold every draw.
FARTHEST = 8.6
TINY = 2.0**-53
LEAST = 1e-6  # share of a distribution that must be left between low and high: below it digits are lost


@dataclass(frozen=True, slots=True)
class Draw:
    """How a parameter differs from patient to patient, in base units.

    a, b: normal mean, sd; lognormal mean and sd of the logarithm; gamma shape, scale; beta its two shapes; uniform low,
    high; loguniform log low, log high. low, high: between which it is cut off, or the ends of a beta.
    """

    parameter: int
    dist: Dist
    a: float
    b: float
    low: float = -math.inf
    high: float = math.inf

    @property
    def is_cut(self) -> bool:
        """Whether something of the distribution is cut off."""
        return self.dist != "beta" and (math.isfinite(self.low) or math.isfinite(self.high))


def quantile(draw: Draw, u: Floats, z: Floats | None = None) -> Floats:
    """Values of a draw at uniforms u (n,) between TINY and 1 - TINY; `z`: standard normals of the same chance."""
    if draw.dist in ("uniform", "loguniform"):
        x = draw.a + (draw.b - draw.a) * u
        return np.exp(x) if draw.dist == "loguniform" else x
    from scipy.special import gammaincinv, ndtri

    if draw.dist in ("normal", "lognormal"):
        if draw.is_cut:
            z = _between(*_standard_ends(draw), u)
        elif z is None:
            z = ndtri(u)
        x = draw.a + draw.b * z
        return _held(draw, np.exp(x) if draw.dist == "lognormal" else x)
    if draw.dist == "beta":
        return _held(draw, draw.low + (draw.high - draw.low) * _beta(draw.a, draw.b, u))
    return _held(draw, draw.b * (_gamma_between(draw, u) if draw.is_cut else gammaincinv(draw.a, u)))


def kept(draw: Draw) -> float:
    """Share of the distribution between low and high; 1 where nothing is cut off."""
    if not draw.is_cut:
        return 1.0
    if draw.low >= draw.high:
        return 0.0
    if draw.dist == "gamma":
        from scipy.special import gammainc, gammaincc

        low, high = max(draw.low, 0.0) / draw.b, max(draw.high, 0.0) / draw.b
        below = float(gammainc(draw.a, high) - gammainc(draw.a, low))
        return max(below, float(gammaincc(draw.a, low) - gammaincc(draw.a, high)))
    from scipy.special import ndtr

    low, high = _standard_ends(draw)
    return float(ndtr(-low) - ndtr(-high)) if low > 0 else float(ndtr(high) - ndtr(low))


def support(draw: Draw) -> tuple[float, float]:
    """Smallest and largest value that a draw can give, in base units."""
    if draw.dist in ("uniform", "beta"):
        return (draw.a, draw.b) if draw.dist == "uniform" else (draw.low, draw.high)
    if draw.dist == "gamma":
        from scipy.special import gammainccinv, gammaincinv

        low, high = (draw.b * float(inverse(draw.a, TINY)) for inverse in (gammaincinv, gammainccinv))
    elif draw.dist == "normal":
        low, high = draw.a - FARTHEST * draw.b, draw.a + FARTHEST * draw.b
    else:
        reach = FARTHEST * draw.b if draw.dist == "lognormal" else 0.0
        ends = draw.a - reach, draw.a + reach if draw.dist == "lognormal" else draw.b
        low, high = math.exp(ends[0]), math.exp(ends[1]) if ends[1] < 709.0 else math.inf
    return max(low, draw.low), min(high, draw.high)


def _standard_ends(draw: Draw) -> tuple[float, float]:
    """low and high as standard normals."""
    low, high = draw.low, draw.high
    if draw.dist == "lognormal":
        low, high = (math.log(x) if 0 < x < math.inf else math.copysign(math.inf, x) for x in (low, high))
    return (low - draw.a) / draw.b, (high - draw.a) / draw.b


def _between(low: float, high: float, u: Floats) -> Floats:
    """Standard normals between two ends; in the upper half by what is above, which keeps its digits."""
    from scipy.special import ndtr, ndtri

    if low > 0:
        return -_between(-high, -low, 1.0 - u)
    p, q = float(ndtr(low)), float(ndtr(high))
    found: Floats = np.clip(ndtri(p + (q - p) * u), low, high)
    return found


def _gamma_between(draw: Draw, u: Floats) -> Floats:
    """Gamma values of scale 1 between the ends of a draw, by what is above where most is below."""
    from scipy.special import gammainc, gammaincc, gammainccinv, gammaincinv

    low, high = max(draw.low, 0.0) / draw.b, draw.high / draw.b
    below: Any = float(gammainc(draw.a, low)) <= 0.5
    share, inverse = (gammainc, gammaincinv) if below else (gammaincc, gammainccinv)
    p, q = float(share(draw.a, low)), float(share(draw.a, high))
    found: Floats = inverse(draw.a, p + (q - p) * u)
    return found


def _beta(a: float, b: float, u: Floats) -> Floats:
    """Beta values between 0 and 1; those of large uniforms from above, as the search for a root near 1 would fail."""
    from scipy.special import betaincinv

    found, upper = np.empty_like(u), u > 0.5
    found[~upper] = betaincinv(a, b, u[~upper])
    found[upper] = 1.0 - betaincinv(b, a, 1.0 - u[upper])
    return found


def _held(draw: Draw, x: Floats) -> Floats:
    """The values with rounding at the ends taken back."""
    return np.clip(x, draw.low, draw.high) if draw.is_cut or draw.dist == "beta" else x
