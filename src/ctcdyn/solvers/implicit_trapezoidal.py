"""A linearly implicit trapezoidal method in lanes: the chemical Langevin equation where rates are far above 1 / step.

For dx = f dt + noise the step is (I - h/2 J) (x_new - x) = h f(x) + noise(x), with the emitted Jacobian and sparse LU.
Of a linear network it keeps the stationary mean and covariance exactly, however large k h is: fluctuations that a step
damps are those that it adds (backward Euler loses them: half the variance at k h = 2, 98 % of it at 100). Its fault is
memory: a mode of k h = 100 only changes its sign, (1 - 50) / (1 + 50), where it should be gone. So a step is a cycle
of eight such steps of unequal length, shortest first, whose factors together damp every mode up to k h = 1000 to below
1.5 % (`SHARES`, found by minimising the error of mean and variance of an immigration-death process after one step).

Weak order 1 (2 in the mean), strong order 1/2; mean and variance within 2 % at k h = 100 and 400, transients included.
It costs eight Euler-Maruyama steps and as many factorisations for each step. Use it where cells live minutes in the
blood and the run takes months; not for few cells, where the Langevin equation itself is wrong. Steps, draws and
conditions: `kernels/intervals.py`.

Trapezoidal rule for the chemical Langevin equation: Y. Cao, L. Petzold, M. Rathinam and D. T. Gillespie 2004,
doi:10.1063/1.1763573 (for leaping); cycles of unequal steps against unequal modes: E. L. Wachspress 1962,
doi:10.1137/0110025.
"""

import numpy as np

from ctcdyn.kernels.contract import (
    AT,
    LAPSE,
    SHIFT,
    SPECIES,
    SPREAD,
    B,
    W,
    X,
    Z,
    factor,
    increment,
    jacobian,
    solve,
    turned,
)
from ctcdyn.kernels.intervals import METHOD, aim, arrive, begin, land, prepare, reach
from ctcdyn.kernels.lanes import loop
from ctcdyn.kernels.machine import block
from ctcdyn.kernels.standing import read, ready

SEMANTICS = "langevin"
ALGEBRA = ("noise", "jacobian")
GRID_FREE = False
ORDER = "weak 1, strong 0.5"
WIDTHS = ((16, 0),)
SOURCE = "doi:10.1063/1.1763573"

SHARES = (0.00229, 0.00423, 0.01126, 0.03066, 0.0968, 0.28402, 0.28402, 0.28672)  # of the step: lengths of its parts
SMALLEST = 1e-290  # days; a step of no length is divided by, and changes nothing

SPAN = METHOD  # length of the whole step, days
VARIANCE = METHOD + W  # variance of its Brownian increments, days
BEGUN = METHOD + 2 * W  # state at its beginning
ROWS = BEGUN + SPECIES * W


@block
def part(w, v, share):
    """One linearly implicit step, a share of the whole; rates are those of its middle."""
    for i in range(W):
        h = share * w[SPAN + i]
        w[LAPSE + i] = h
        w[SPREAD + i] = share * w[VARIANCE + i]
        w[AT + i] += 0.5 * h
        w[SHIFT + i] = 2.0 / (h if h > SMALLEST else SMALLEST)
    increment(w, v)
    jacobian(w)
    factor(w)
    for i in range(W):
        # beyond the pole of its factor, growth would come out as a fall: the end of what can be computed
        w[LAPSE + i] = np.nan if turned(w, i) > 0.0 else w[LAPSE + i]
    for s in range(SPECIES):
        for i in range(W):
            w[B + s * W + i] = w[SHIFT + i] * w[Z + s * W + i] + 0.0 * w[LAPSE + i]
    solve(w)
    for s in range(SPECIES):
        for i in range(W):
            w[X + s * W + i] += w[B + s * W + i]
    for i in range(W):
        w[AT + i] += 0.5 * w[LAPSE + i]


@block
def sweep(w, v, setting):
    aim(w, v, setting)
    for i in range(W):
        w[SPAN + i] = w[LAPSE + i]
        w[VARIANCE + i] = w[SPREAD + i]
    for s in range(SPECIES):
        for i in range(W):
            w[BEGUN + s * W + i] = w[X + s * W + i]
    part(w, v, SHARES[0])
    part(w, v, SHARES[1])
    part(w, v, SHARES[2])
    part(w, v, SHARES[3])
    part(w, v, SHARES[4])
    part(w, v, SHARES[5])
    part(w, v, SHARES[6])
    part(w, v, SHARES[7])
    for s in range(SPECIES):
        for i in range(W):
            begun = w[BEGUN + s * W + i]
            w[Z + s * W + i] = w[X + s * W + i] - begun
            w[X + s * W + i] = begun
    return land(w, v)


run = loop(begin, prepare, sweep, reach, ready, read, arrive, True)
