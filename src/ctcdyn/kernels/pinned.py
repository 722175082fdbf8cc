"""Pinned species through a step, and the rates for each cell along it.

Pinned species are deterministic reals while counts stand still: Dormand and Prince's pair of orders 5 and 4 (1980,
doi:10.1016/0771-050X(80)90013-3) with error control to rtol and atol. Rates are taken at five times of the step (R.
Boole's rule); a source keeps all five, as a polynomial, any other rate its mean.

Where rates depend on counts, two steps of equal length are a pair: the first with the rates c(x) of the state before
it, the second with 2 c(y) - c(x), y the state between (D. F. Anderson and M. Koyama 2012, doi:10.1137/110849699, with
laws of first order in the place of Poisson numbers: weak order 2). A rate that would be negative is 0.
"""

import numpy as np

from ctcdyn.kernels.cells import CELLS, POLY
from ctcdyn.kernels.contract import (
    AT,
    FORCE,
    FROZEN,
    MOVER_WAY,
    MOVERS,
    MOVING,
    PINNING,
    REAL_ROW,
    REALS,
    SOURCE_MOVER,
    SOURCE_WAY,
    SOURCES,
    SPECIES,
    TIME,
    WAY_ROW,
    WAYS,
    D,
    W,
    X,
    Y,
    flow,
    forces,
    movers,
)
from ctcdyn.kernels.lanemath import pow_
from ctcdyn.kernels.machine import block

BACK = CELLS  # state at the beginning of a pair of steps
SECOND = BACK + SPECIES * W  # 1 in the second step of a pair
NODAL = SECOND + W  # rates that change, at the five times of the step
HELP = NODAL + 5 * MOVERS * W
STAGE = HELP + max(WAYS, REALS) * W  # seven derivatives
STOOD = STAGE + 7 * REALS * W  # pinned species at the beginning of a part
SEEN_AT = STOOD + REALS * W  # at the quarters of the step
ARRIVED = SEEN_AT + 4 * REALS * W  # at its end
STRIDE = ARRIVED + REALS * W  # step of the pair of orders 5 and 4, days
ROUGH = STRIDE + W  # how far rates are from what a step can take: at most 1
PINNED = ROUGH + W

BOOLE = np.array([7.0 / 90.0, 32.0 / 90.0, 12.0 / 90.0, 32.0 / 90.0, 7.0 / 90.0])
# The polynomial of degree 4 through five equidistant values: coefficients of powers of x in [0, 1], by row
LAGRANGE = np.array([
    1.0, 0.0, 0.0, 0.0, 0.0,
    -25.0 / 3.0, 16.0, -12.0, 16.0 / 3.0, -1.0,
    70.0 / 3.0, -208.0 / 3.0, 76.0, -112.0 / 3.0, 22.0 / 3.0,
    -80.0 / 3.0, 96.0, -128.0, 224.0 / 3.0, -16.0,
    32.0 / 3.0, -128.0 / 3.0, 64.0, -128.0 / 3.0, 32.0 / 3.0,
])  # fmt: skip
TIMES = np.array([0.0, 0.2, 0.3, 0.8, 8.0 / 9.0, 1.0, 1.0])
STAGES = np.array([
    0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
    0.2, 0.0, 0.0, 0.0, 0.0, 0.0,
    3.0 / 40.0, 9.0 / 40.0, 0.0, 0.0, 0.0, 0.0,
    44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0, 0.0, 0.0, 0.0,
    19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0, 0.0, 0.0,
    9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0, 0.0,
    35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0,
])  # fmt: skip
ERRORS = np.array([
    71.0 / 57600.0, 0.0, -71.0 / 16695.0, 71.0 / 1920.0, -17253.0 / 339200.0, 22.0 / 525.0, -1.0 / 40.0
])  # fmt: skip
DENSE = np.array([
    -12715105075.0 / 11282082432.0, 0.0, 87487479700.0 / 32700410799.0, -10690763975.0 / 1880347072.0,
    701980252875.0 / 199316789632.0, -1453857185.0 / 822651844.0, 69997945.0 / 29380423.0,
])  # fmt: skip
MOST_STRIDES = 100_000  # within one step
SMALLEST = 1e-13  # of a stride, relative to the part

ROUGH_SOURCE = (
    0.03  # of a quadratic through five values, relative: the quartic is then right to about its square
)
ROUGH_RATE = 0.01  # change of a rate times the step, times the rate times the step


@block
def exchange(w, i):
    """Counts as they are and as they were at the beginning of the pair change places."""
    for s in range(SPECIES):
        x = w[X + s * W + i]
        w[X + s * W + i] = w[BACK + s * W + i]
        w[BACK + s * W + i] = x


@block
def force(w, i):
    """The rates that hold in this step at AT, in FORCE."""
    forces(w, i)
    if FROZEN and w[SECOND + i] > 0.0:
        for k in range(WAYS):
            w[HELP + k * W + i] = w[FORCE + k * W + i]
        exchange(w, i)
        forces(w, i)
        exchange(w, i)
        for k in range(WAYS):
            x = 2.0 * w[HELP + k * W + i] - w[FORCE + k * W + i]
            w[FORCE + k * W + i] = 0.0 if x < 0.0 else x


@block
def slope(w, i):
    """The derivatives of pinned species that hold in this step at AT, in D."""
    flow(w, i)
    if FROZEN and w[SECOND + i] > 0.0:
        for k in range(REALS):
            w[HELP + k * W + i] = w[D + k * W + i]
        exchange(w, i)
        flow(w, i)
        exchange(w, i)
        for k in range(REALS):
            w[D + k * W + i] = 2.0 * w[HELP + k * W + i] - w[D + k * W + i]


@block
def stages(w, i, t, h, first):
    """The seven derivatives of a stride from STOOD, and the state at its end in Y."""
    for j in range(0 if first else 1, 7):
        w[AT + i] = t + TIMES[j] * h
        for k in range(REALS):
            total = 0.0
            for m in range(min(j, 6)):
                total += STAGES[j * 6 + m] * w[STAGE + (m * REALS + k) * W + i]
            w[Y + k * W + i] = w[STOOD + k * W + i] + h * total
        slope(w, i)
        for k in range(REALS):
            w[STAGE + (j * REALS + k) * W + i] = w[D + k * W + i]


@block
def misjudged(w, i, h, rtol, atol):
    """Largest weighted error of the stride over the pinned species."""
    size = 0.0
    for k in range(REALS):
        total = 0.0
        for j in range(7):
            total += ERRORS[j] * w[STAGE + (j * REALS + k) * W + i]
        weight = atol + rtol * max(abs(w[STOOD + k * W + i]), abs(w[Y + k * W + i]))
        error = abs(h * total) / weight
        size = error if not (error <= size) else size
    return size


@block
def note(w, i, j, x, h):
    """Pinned species at share x of the stride, by dense output of order 4 (E. Hairer et al., Solving ODEs I, II.6)."""
    for k in range(REALS):
        o = k * W + i
        rise = w[Y + o] - w[STOOD + o]
        bend = h * w[STAGE + o] - rise
        turn = rise - h * w[STAGE + 6 * REALS * W + o] - bend
        rest = 0.0
        for m in range(7):
            rest += DENSE[m] * w[STAGE + m * REALS * W + o]
        y = 1.0 - x
        w[SEEN_AT + (j * REALS + k) * W + i] = w[STOOD + o] + x * (rise + y * (bend + x * (turn + y * h * rest)))


@block
def travel(w, i, t, span, rtol, atol):
    """Pinned species in Y from t over `span` days, and in SEEN_AT at its quarters; NaN where it cannot be done."""
    past = 0.0
    first = True
    quarter = 1
    for _ in range(MOST_STRIDES):
        h = min(w[STRIDE + i], span - past)
        last = h >= span - past
        for k in range(REALS):
            w[STOOD + k * W + i] = w[Y + k * W + i]
        stages(w, i, t + past, h, first)
        first = False
        size = misjudged(w, i, h, rtol, atol)
        factor = 0.2
        if size < np.inf:
            factor = min(5.0, max(0.2, 0.9 * pow_(max(size, 1e-10), -0.2)))
        if size <= 1.0:
            while quarter < 5 and (last or 0.25 * quarter * span <= past + h):
                note(w, i, quarter - 1, min((0.25 * quarter * span - past) / h, 1.0) if h > 0.0 else 1.0, h)
                quarter += 1
            past += h
            for k in range(REALS):
                w[STAGE + k * W + i] = w[STAGE + (6 * REALS + k) * W + i]
            if not last or factor < 1.0 or h * factor > w[STRIDE + i]:
                w[STRIDE + i] = h * factor
            if last:
                return
        else:
            for k in range(REALS):
                w[Y + k * W + i] = w[STOOD + k * W + i]
            w[STRIDE + i] = h * factor
            if h * factor < SMALLEST * span:
                break
    for k in range(REALS):
        w[Y + k * W + i] = np.nan


@block
def survey(w, i, span, rtol, atol):
    """Rates of a step of `span` days: FORCE, POLY; Y: pinned species at its end; ROUGH: whether it is too long."""
    for k in range(REALS):
        w[Y + k * W + i] = w[X + REAL_ROW[k] * W + i]
    w[ROUGH + i] = 0.0
    t = w[TIME + i]
    w[AT + i] = t
    force(w, i)
    for k in range(SOURCES):
        if SOURCE_MOVER[k] < 0:
            w[POLY + 5 * k * W + i] = w[FORCE + SOURCE_WAY[k] * W + i]
            for j in range(1, 5):
                w[POLY + (5 * k + j) * W + i] = 0.0
    if MOVING:
        trace(w, i, span, rtol, atol)
    elif PINNING:
        travel(w, i, t, span, rtol, atol)


@block
def trace(w, i, span, rtol, atol):
    """The rates of a step that change along it."""
    t = w[TIME + i]
    for m in range(MOVERS):
        w[NODAL + m * W + i] = w[FORCE + MOVER_WAY[m] * W + i]
    if PINNING:
        travel(w, i, t, span, rtol, atol)
        for k in range(REALS):
            w[ARRIVED + k * W + i] = w[Y + k * W + i]
    for j in range(1, 5):
        for k in range(REALS):
            w[Y + k * W + i] = w[(SEEN_AT + ((j - 1) * REALS + k) * W if j < 4 else ARRIVED + k * W) + i]
        w[AT + i] = t + 0.25 * j * span
        if FROZEN:
            force(w, i)
        else:
            movers(w, i)
        for m in range(MOVERS):
            w[NODAL + (j * MOVERS + m) * W + i] = w[FORCE + MOVER_WAY[m] * W + i]
    w[ROUGH + i] = 0.0
    for m in range(MOVERS):
        settle_rate(w, i, m, span)
    for k in range(SOURCES):
        if SOURCE_MOVER[k] >= 0:
            settle_source(w, i, k)


@block
def settle_rate(w, i, m, span):
    """The mean of a rate over the step, and how rough the step is for it."""
    mean = 0.0
    top = 0.0
    low = np.inf
    for j in range(5):
        x = w[NODAL + (j * MOVERS + m) * W + i]
        mean += BOOLE[j] * x
        top = x if not (x <= top) else top
        low = min(low, x)
    w[FORCE + MOVER_WAY[m] * W + i] = mean
    if WAY_ROW[MOVER_WAY[m]] >= 0 and top > low:
        rough = min((top - low) * span * (top * span), (top - low) / top) / ROUGH_RATE
        w[ROUGH + i] = max(w[ROUGH + i], rough)


@block
def settle_source(w, i, k):
    """The polynomial of a source over the step, and how rough the step is for it."""
    o = NODAL + SOURCE_MOVER[k] * W + i
    n = MOVERS * W
    a, b, c, d, e = w[o], w[o + n], w[o + 2 * n], w[o + 3 * n], w[o + 4 * n]
    bend = max(abs(b - (0.375 * a + 0.75 * c - 0.125 * e)), abs(d - (0.375 * e + 0.75 * c - 0.125 * a)))
    if bend > 0.0:
        w[ROUGH + i] = max(w[ROUGH + i], bend / (ROUGH_SOURCE * max(a, b, c, d, e)))
    for j in range(5):
        w[POLY + (5 * k + j) * W + i] = (
            LAGRANGE[5 * j] * a + LAGRANGE[5 * j + 1] * b + LAGRANGE[5 * j + 2] * c + LAGRANGE[5 * j + 3] * d
            + LAGRANGE[5 * j + 4] * e
        )  # fmt: skip
