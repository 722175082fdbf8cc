"""Steps of equal length between stops, for methods with noise: what is the same for every such method.

From one stop or save of a lane to the next there are ceil(interval / step) steps of equal length, so every stop is met
exactly and nothing is interpolated at a save. The draws of an interval are a stream of its own, addressed by the time
at which it begins, with the same number of draws in each step: the noise of a step is a function
of (seed, id // arms, beginning of the interval, step), the same in every arm.

A condition on the state that becomes true within a step is located on the straight line between the ends of the step,
which a path crosses within one step before or after; an excursion that begins and ends within a step is not seen (both
errors shrink with the root of the step). The rest of that step is taken with the rest of its Brownian increments, so
that no draw is spent and the steps of the arms stay together.
"""

import numpy as np
from numba import uint64

from ctcdyn.kernels.contract import AT, GUARDED, LAPSE, SPECIES, SPREAD, TIME, W, X, Z, apply, guard
from ctcdyn.kernels.lanes import (
    CALLED,
    FAILED,
    FIRED,
    FLAG,
    LONGEST_STEP,
    NEXT,
    NOT_FINITE,
    OK,
    OWN,
    OWN_WORDS,
)
from ctcdyn.kernels.machine import bits_from_float, block, lane
from ctcdyn.kernels.streams import philox4x32

GOAL = OWN  # the stop or save that the steps of the lane lead to; NaN when they have led there
LEFT = OWN + W  # steps that are left to it
STRIDE = OWN + 2 * W  # their length, days
BEFORE = OWN + 3 * W  # time at which the last step began, days
MARK = OWN + 4 * W  # time at which the step that is to be taken ends
WHOLENESS = OWN + 5 * W  # 0 where the state is not finite
PAST = OWN + 6 * W  # state at which the last step began, where conditions are watched
METHOD = PAST + SPECIES * W  # first row of the method

# Rows of v: seed and number of the trajectory, the generator before the last step
KEY, NAME, REWIND = OWN_WORDS, OWN_WORDS + W, OWN_WORDS + 2 * W

INTERVAL = 0x20000000  # no stream of `streams.seed_stream` has this bit in the second word of its counter
HALVINGS = 60  # of the step: beyond the last bit of a time
SHORT = 1.0 - 2.0**-40  # a step may be longer by this than asked for, so that rounding adds none


@block
def seed_interval(v, i, seed, number, t):
    """Start the stream (seed, number, t) in lane i of v; number < 2**53, t the time at which the interval begins."""
    low = uint64(0xFFFFFFFF)
    key = uint64(seed)
    who = uint64(number)
    when = bits_from_float(t)
    for half in range(2):
        a, b, c, d = philox4x32(
            who & low,
            (who >> uint64(32)) | uint64(INTERVAL) | (uint64(half) << uint64(30)),
            when & low,
            when >> uint64(32),
            key & low,
            key >> uint64(32),
        )
        v[2 * half * W + i] = a | (b << uint64(32))
        v[(2 * half + 1) * W + i] = c | (d << uint64(32))


@block
def begin(w, v, i, seed, number, setting):
    v[KEY + i] = seed
    v[NAME + i] = number
    w[GOAL + i] = np.nan
    return OK


@block
def prepare(w, v, i, t, setting, changed):
    """The method has no stops of its own."""
    return np.inf


@block
def set_out(w, v, i, longest):
    """The steps of lane i from its time to its next stop or save, and their stream."""
    t = w[TIME + i]
    goal = w[NEXT + i]
    count = max(np.ceil((goal - t) / longest * SHORT), 1.0)
    w[GOAL + i] = goal
    w[LEFT + i] = count
    w[STRIDE + i] = (goal - t) / count
    w[LAPSE + i] = w[STRIDE + i]
    w[SPREAD + i] = w[STRIDE + i]
    w[MARK + i] = t + w[STRIDE + i]
    if goal > t:
        seed_interval(v, i, v[KEY + i], v[NAME + i], t)


@block
def aim(w, v, setting):
    """Sets lanes out that have a new goal, and makes the times of the step known to the rates."""
    fresh = uint64(0)
    for i in range(W):
        fresh += uint64(1) if (w[NEXT + i] != w[GOAL + i]) & (w[NEXT + i] > -np.inf) else uint64(0)
    if fresh > uint64(0):
        for i in range(W):
            if w[NEXT + i] != w[GOAL + i] and w[NEXT + i] > -np.inf:
                set_out(w, v, i, setting[LONGEST_STEP])
    for i in range(W):
        w[AT + i] = w[TIME + i]
    if GUARDED:
        for k in range(4):
            for i in range(W):
                v[REWIND + k * W + i] = v[k * W + i]


@lane
def tread(w, v, i):
    """Time and flag of lane i after a step."""
    left = w[LEFT + i] - 1.0
    t = w[TIME + i]
    over = left <= 0.0
    end = w[GOAL + i] if over else w[MARK + i]
    sick = not (w[WHOLENESS + i] == 0.0)
    idle = w[NEXT + i] == -np.inf
    w[BEFORE + i] = t
    w[MARK + i] = end + w[STRIDE + i]
    w[TIME + i] = t if sick else end
    w[LEFT + i] = left
    w[GOAL + i] = np.nan if over else w[GOAL + i]
    w[LAPSE + i] = w[STRIDE + i]
    w[SPREAD + i] = w[STRIDE + i]
    flag = uint64(CALLED) if over else uint64(0)
    flag = uint64(FAILED + NOT_FINITE) if sick else flag
    flag = uint64(CALLED) if idle else flag
    v[FLAG + i] = flag
    return flag


@lane
def watch(w, v, i):
    """The flag of lane i with its conditions looked at."""
    flag = v[FLAG + i]
    met = (guard(w, i, w[TIME + i]) > 0.0) & (flag <= uint64(CALLED)) & (w[NEXT + i] > -np.inf)
    flag = uint64(FIRED) if met else flag
    v[FLAG + i] = flag
    return flag


@block
def land(w, v):
    """What follows a step whose increment from X is in Z: states, times, flags; returns the sum of the flags."""
    for i in range(W):
        w[WHOLENESS + i] = 0.0
    for s in range(SPECIES):
        for i in range(W):
            x = w[X + s * W + i]
            if GUARDED:
                w[PAST + s * W + i] = x
            x += w[Z + s * W + i]
            w[X + s * W + i] = x
            w[WHOLENESS + i] += 0.0 * x
    flags = uint64(0)
    for i in range(W):
        flags += tread(w, v, i)
    if GUARDED:
        flags = uint64(0)
        for i in range(W):
            flags += watch(w, v, i)
    return flags


@lane
def place(w, i, t):
    """Puts the state of lane i at a time t within its last step into X, on the line to the end that is in Z."""
    x = (t - w[BEFORE + i]) / (w[TIME + i] - w[BEFORE + i])
    for s in range(SPECIES):
        a = w[PAST + s * W + i]
        w[X + s * W + i] = a + x * (w[Z + s * W + i] - a)


@block
def reach(w, v, i):
    """The moment in the last step of lane i at which its condition became true."""
    low = w[BEFORE + i]
    high = w[TIME + i]
    for s in range(SPECIES):
        w[Z + s * W + i] = w[X + s * W + i]
    for _ in range(HALVINGS):
        middle = low + 0.5 * (high - low)
        if middle <= low or middle >= high:
            break
        place(w, i, middle)
        if guard(w, i, middle) > 0.0:
            high = middle
        else:
            low = middle
    for s in range(SPECIES):
        w[X + s * W + i] = w[Z + s * W + i]
    return high


@block
def arrive(w, v, book, i, t):
    """Applies what is due at t; where that lies within the last step, the rest of the step is still to be taken."""
    end = w[TIME + i]
    if GUARDED and t < end:
        place(w, i, t)
        # the rest of a step after an earlier interruption has less than its length as the variance
        rest = (end - t) / w[STRIDE + i]
        w[LAPSE + i] = end - t
        w[SPREAD + i] = rest * rest * w[STRIDE + i]
        w[TIME + i] = t
        w[MARK + i] = end
        w[LEFT + i] += 1.0
        w[GOAL + i] = w[NEXT + i] if w[LEFT + i] == 1.0 else w[GOAL + i]
        for k in range(4):
            v[k * W + i] = v[REWIND + k * W + i]
    return apply(w, book, i, t)
