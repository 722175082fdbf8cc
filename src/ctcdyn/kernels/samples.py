"""Counts that are drawn where a path is looked at: functions of whose path, when, and of which observable.

Philox4x32-10 turns (number, time), under the key of the observable, into a block, and that under 0, 1, 2, ... into
more. The first has the uniform of the Poisson count, by inversion, so that counts of arms with different means are
paired; the others are for the gamma distributed factor, the same in all arms.

G. Marsaglia and W. W. Tsang 2000, doi:10.1145/358407.358414, for the gamma law.
"""

import numpy as np
from numba import uint64

from ctcdyn.kernels.counts import poisson
from ctcdyn.kernels.lanemath import exp_, log_
from ctcdyn.kernels.machine import bits_from_float, block
from ctcdyn.kernels.normal import normal_quantile
from ctcdyn.kernels.philox import scramble, signed_tail

MOST_EXPECTED = 1e15  # a Poisson count of more is its mean, but for a part in 3e7
ATTEMPTS = 64  # at a gamma variate: each fails with a chance of 5 % or less


@block
def sampled(mean, dispersion, who, when, key):
    """Count of variance mean + dispersion * mean**2, of number `who` at `when` under a key: any three doubles."""
    a, b = scramble(bits_from_float(who), bits_from_float(when), bits_from_float(key))
    first, _ = scramble(a, b, uint64(0))
    if dispersion > 0.0:
        mean = mean * (gamma(1.0 / dispersion, a, b) * dispersion)
    if not (mean < MOST_EXPECTED):
        return np.floor(mean)  # what is no number stays so
    return poisson(signed_tail(first), mean)


@block
def gamma(shape, a, b):
    """A variate of the gamma law of this shape and scale 1, a function of the block (a, b)."""
    raised = shape if shape >= 1.0 else shape + 1.0
    d = raised - 0.3333333333333333
    c = 1.0 / np.sqrt(9.0 * d)
    x = d
    for j in range(1, ATTEMPTS):
        one, two = scramble(a, b, uint64(j))
        z = normal_quantile(signed_tail(one))
        v = 1.0 + c * z
        v = v * v * v
        if v > 0.0 and log_(open_unit(two)) < 0.5 * z * z + d - d * v + d * log_(v):
            x = d * v
            break
    if shape < 1.0:
        one, _ = scramble(a, b, uint64(ATTEMPTS))
        x = x * exp_(log_(open_unit(one)) / shape)
    return x


@block
def open_unit(bits):
    """64 random bits as a number from (0, 1)."""
    u = signed_tail(bits)
    return u if u > 0.0 else 1.0 + u
