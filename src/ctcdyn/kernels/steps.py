"""Step control, dense output and stops of one-step ODE methods in lanes: what is the same for every method.

Every lane has its own time and step. A step is accepted where the weighted root mean square of its error estimate,
err / (atol + rtol max(|x|, |x_new|)), is at most 1; the next step follows the PI law of K. Gustafsson 1991
(doi:10.1145/210232.210242). A method fills NEW (the state at the end of the step) and ERROR, and leaves the rest here.
"""

import numpy as np
from numba import uint64

from ctcdyn.kernels.contract import AT, GUARDED, SPECIES, TIME, F, U, W, X, apply, drift, guard
from ctcdyn.kernels.lanes import (
    ATOL,
    CALLED,
    END,
    FAILED,
    FIRED,
    FIRST_STEP,
    FLAG,
    LONGEST_STEP,
    NEXT,
    NOT_FINITE,
    OWN,
    RTOL,
    STOP,
)
from ctcdyn.kernels.lanemath import exp_, log_
from ctcdyn.kernels.machine import block

STEP = OWN  # the step that the controller wants, days
SPAN = OWN + W  # the step taken: STEP, or less to meet a stop
BEFORE = OWN + 2 * W  # time at which the step began
PAST = OWN + 3 * W  # logarithm of the last accepted error, for the PI law
WORK = OWN + 4 * W  # one number for each lane between two loops
OLD = OWN + 5 * W  # state at the beginning of the step
NEW = OLD + SPECIES * W  # state at its end
ERROR = NEW + SPECIES * W  # error estimate
METHOD = ERROR + SPECIES * W  # first row of the method

SAFETY = 0.9
SHRINK, GROW = 0.2, 8.0  # bounds of one change of the step
STEP_UNDERFLOW = 3  # of ctcdyn.errors.Status
SMALLEST = 1e-290  # a step below this is none, days
ROUNDING = 16.0 * 2.0**-52


@block
def first_step(w, i, setting):
    """A first step of 1 % of the time in which the state would change by itself (E. Hairer et al., Solving ODEs I)."""
    for s in range(SPECIES):
        w[U + s * W + i] = w[X + s * W + i]
    w[AT + i] = w[TIME + i]
    drift(w)
    size = 0.0
    pace = 0.0
    for s in range(SPECIES):
        weight = setting[ATOL] + setting[RTOL] * np.abs(w[X + s * W + i])
        size += (w[X + s * W + i] / weight) ** 2
        pace += (w[F + s * W + i] / weight) ** 2
    h = 0.01 * np.sqrt(size / pace) if pace > 1e-10 and size > 1e-10 else 1e-6
    h = setting[FIRST_STEP] if setting[FIRST_STEP] > 0.0 else h
    w[STEP + i] = min(h, setting[LONGEST_STEP])
    w[PAST + i] = 0.0


@block
def choose_span(w):
    """The step each lane takes: up to its stop, and not so close before it that a sliver would be left."""
    for i in range(W):
        left = w[STOP + i] - w[TIME + i]
        h = w[STEP + i]
        h = left if 1.01 * h >= left else h
        h = 1.0 if w[NEXT + i] == -np.inf else h  # an idle lane computes, and nobody looks
        w[SPAN + i] = h if h > 0.0 else SMALLEST
        w[BEFORE + i] = w[TIME + i]
    for s in range(SPECIES):
        for i in range(W):
            w[OLD + s * W + i] = w[X + s * W + i]


@block
def control(w, v, setting, exponent):
    """Accept or refuse the step of every lane, choose the next one, and flag whom the loop must serve."""
    rtol = setting[RTOL]
    atol = setting[ATOL]
    longest = setting[LONGEST_STEP]
    for i in range(W):
        w[WORK + i] = 0.0
    for s in range(SPECIES):
        for i in range(W):
            a = np.abs(w[OLD + s * W + i])
            b = np.abs(w[NEW + s * W + i])
            e = w[ERROR + s * W + i] / (atol + rtol * (a if a > b else b))
            w[WORK + i] += e * e
    flags = uint64(0)
    for i in range(W):
        e2 = w[WORK + i] * (1.0 / SPECIES)
        ok = e2 <= 1.0  # false where not finite
        size = 0.5 * log_(e2 if e2 > 1e-20 else 1e-20)
        past = w[PAST + i]
        factor = SAFETY * exp_(-exponent * (0.7 * size - (0.4 * past if ok else -0.3 * size)))
        factor = factor if factor > SHRINK else SHRINK  # also where not finite
        factor = factor if factor < GROW else GROW
        h = w[SPAN + i]
        cut = h < w[STEP + i]
        after = h * factor
        after = w[STEP + i] if ok & cut & (after < w[STEP + i]) else after
        after = after if after < longest else longest
        t = w[BEFORE + i]
        end = t + h
        end = w[STOP + i] if (end > w[STOP + i]) | (h == w[STOP + i] - t) else end
        idle = w[NEXT + i] == -np.inf
        small = (not ok) & ((after < ROUNDING * np.abs(t)) | (after < SMALLEST))
        reason = STEP_UNDERFLOW if e2 < np.inf else NOT_FINITE
        w[STEP + i] = after
        w[PAST + i] = size if ok else past
        w[TIME + i] = end if ok else t
        w[WORK + i] = 1.0 if ok else 0.0
        flag = uint64(CALLED) if ok & (end >= w[NEXT + i]) else uint64(0)
        flag = uint64(FAILED + reason) if small else flag
        flag = uint64(CALLED) if idle else flag
        v[FLAG + i] = flag
        flags += flag
    for s in range(SPECIES):
        for i in range(W):
            w[X + s * W + i] = w[NEW + s * W + i] if w[WORK + i] > 0.0 else w[X + s * W + i]
    if GUARDED:
        for i in range(W):
            met = (guard(w, i, w[TIME + i]) > 0.0) & (w[WORK + i] > 0.0) & (v[FLAG + i] <= uint64(CALLED))
            met = met & (w[NEXT + i] > -np.inf)
            flags += uint64(FIRED) - v[FLAG + i] if met else uint64(0)
            v[FLAG + i] = uint64(FIRED) if met else v[FLAG + i]
    return flags
