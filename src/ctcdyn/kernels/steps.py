"""Step control, dense output and stops of one-step ODE methods in lanes: what is the same for every method.

Every lane has its own time and step. A step is accepted where the weighted root mean square of its error estimate,
err / (atol + rtol max(|x|, |x_new|)), is at most 1; the next step follows the PI law of K. Gustafsson 1991
(doi:10.1145/210232.210242). A method fills NEW (the state at the end of the step) and ERROR, and, where lanes ask for
it, the polynomial of its dense output, P0 .. P4, in the share of the step.
"""

import numpy as np
from numba import uint64

from ctcdyn.kernels.contract import AT, GUARDED, HERE, SPECIES, TIME, F, U, W, X, drift, guard
from ctcdyn.kernels.lanemath import exp_, log_unit
from ctcdyn.kernels.lanes import (
    ATOL,
    CALLED,
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
from ctcdyn.kernels.machine import block, lane

STEP = OWN  # the step that the controller wants, days
SPAN = OWN + W  # the step taken: STEP, or less to meet a stop
PACE = OWN + 2 * W  # 1 / SPAN
BEFORE = OWN + 3 * W  # time at which the step began
PAST = OWN + 4 * W  # logarithm of the last accepted error, for the PI law
PASS = OWN + 5 * W  # 1 where the step was accepted
OLD = OWN + 6 * W  # state at the beginning of the step
NEW = OLD + SPECIES * W  # state at its end
ERROR = NEW + SPECIES * W  # error estimate
P1 = ERROR + SPECIES * W  # dense output: OLD + x (P1 + x (P2 + x (P3 + x P4)))
P2 = P1 + SPECIES * W
P3 = P2 + SPECIES * W
P4 = P3 + SPECIES * W
METHOD = P4 + SPECIES * W  # first row of the method

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
        o = s * W + i
        weight = setting[ATOL] + setting[RTOL] * abs(w[X + o])
        a = w[X + o] / weight
        b = w[F + o] / weight
        size += a * a
        pace += b * b
    h = 0.01 * np.sqrt(size / pace) if pace > 1e-10 and size > 1e-10 else 1e-6
    h = setting[FIRST_STEP] if setting[FIRST_STEP] > 0.0 else h
    w[STEP + i] = min(h, setting[LONGEST_STEP])
    w[PAST + i] = 0.0


@lane
def choose_span(w, i):
    """The step of a lane: up to its stop, and not so close before it that a sliver would be left."""
    left = w[STOP + i] - w[TIME + i]
    h = w[STEP + i]
    h = left if 1.01 * h >= left else h
    h = 1.0 if w[NEXT + i] == -np.inf else h  # an idle lane computes, and nobody looks
    h = h if h > 0.0 else SMALLEST
    w[SPAN + i] = h
    w[PACE + i] = 1.0 / h
    w[BEFORE + i] = w[TIME + i]


@lane
def misfit(w, i, o, rtol, atol):
    """Square of the weighted error of one species."""
    a = abs(w[OLD + o])
    b = abs(w[NEW + o])
    e = w[ERROR + o] / (atol + rtol * (a if a > b else b))
    return e * e


@lane
def respond(e2, ok, past, share, rise, memory):
    """(log of the error, factor of the next step) after a step of this error and one of the error `past` before it."""
    size = 0.5 * log_unit(1e-20 if e2 < 1e-20 else e2)
    size = size if e2 < np.inf else 0.0
    factor = SAFETY * exp_(share * (memory * past - rise * size if ok else -size))
    factor = factor if e2 < np.inf else SHRINK
    factor = factor if factor > SHRINK else SHRINK
    return size, factor if factor < GROW else GROW


@lane
def judge(w, v, i, e2, share, rise, memory, longest):
    """Accept or refuse the step of lane i, choose the next one, flag whom the loop must serve. e2: its mean square."""
    ok = e2 <= 1.0  # false where not finite
    past = w[PAST + i]
    size, growth = respond(e2, ok, past, share, rise, memory)
    h = w[SPAN + i]
    after = h * growth
    wanted = w[STEP + i]
    after = wanted if ok & (h < wanted) & (after < wanted) else after
    after = after if after < longest else longest
    t = w[BEFORE + i]
    end = t + h
    stop = w[STOP + i]
    end = stop if (end > stop) | (h == stop - t) else end
    small = (not ok) & ((after < ROUNDING * abs(t)) | (after < SMALLEST))
    small = small | (ok & (end == t))  # a step lost in rounding would be accepted for ever
    w[STEP + i] = after
    w[PAST + i] = size if ok else past
    w[TIME + i] = end if ok else t
    w[PASS + i] = 1.0 if ok else 0.0
    flag = uint64(CALLED) if ok & (end >= w[NEXT + i]) else uint64(0)
    reason = uint64(FAILED + STEP_UNDERFLOW) if e2 < np.inf else uint64(FAILED + NOT_FINITE)
    flag = reason if small else flag
    flag = uint64(CALLED) if w[NEXT + i] == -np.inf else flag
    v[FLAG + i] = flag
    return flag


@lane
def settle(w, i, o):
    """One species of the state: the end of the step where it was accepted, the beginning where not."""
    w[X + o] = w[NEW + o] if w[PASS + i] > 0.0 else w[OLD + o]


@lane
def watch(w, v, i):
    """The flag of lane i with its conditions looked at."""
    flag = v[FLAG + i]
    met = (guard(w, i, w[TIME + i]) > 0.0) & (w[PASS + i] > 0.0) & (flag <= uint64(CALLED))
    met = met & (w[NEXT + i] > -np.inf)
    flag = uint64(FIRED) if met else flag
    v[FLAG + i] = flag
    return flag


@block
def control(w, v, setting, share, rise, memory):
    """What follows a step of every lane: verdicts, states, flags; returns the sum of the flags.

    share: 1 / (order of the error estimate + 1); rise, memory: weights of this error and the last in the PI law.
    """
    rtol = setting[RTOL]
    atol = setting[ATOL]
    longest = setting[LONGEST_STEP]
    one = 1.0 / SPECIES
    for i in range(W):
        w[PASS + i] = 0.0
    for s in range(SPECIES):
        for i in range(W):
            w[PASS + i] += misfit(w, i, s * W + i, rtol, atol)
    flags = uint64(0)
    for i in range(W):
        flags += judge(w, v, i, w[PASS + i] * one, share, rise, memory, longest)
    for s in range(SPECIES):
        for i in range(W):
            settle(w, i, s * W + i)
    if GUARDED:
        flags = uint64(0)
        for i in range(W):
            flags += watch(w, v, i)
    return flags


@lane
def along(w, i, o, x):
    """One species of lane i in its last step, at x in [0, 1] of its span."""
    p = w[P3 + o] + x * w[P4 + o]
    p = w[P1 + o] + x * (w[P2 + o] + x * p)
    return w[OLD + o] + x * p


@lane
def read(w, i, t):
    """The state of lane i at a time t within its last step, in HERE."""
    x = (t - w[BEFORE + i]) * w[PACE + i]
    for s in range(SPECIES):
        w[HERE + s] = along(w, i, s * W + i, x)


@block
def place(w, i, t):
    """Puts the state of lane i at a time t within its last step into X."""
    x = (t - w[BEFORE + i]) * w[PACE + i]
    for s in range(SPECIES):
        w[X + s * W + i] = along(w, i, s * W + i, x)
