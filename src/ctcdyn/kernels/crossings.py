"""Where on the path of a hop a condition becomes true, or a species falls through its threshold: by bisection."""

from numba import uint64

from ctcdyn.kernels.contract import DISCRETE, FALL, GUARDED, HERE, SPECIES, TIME, W, X, guard, prefix
from ctcdyn.kernels.jumps import (
    ALONG,
    AT_START,
    FINISH,
    INVERSE,
    KNOWN,
    LONGER,
    LONGEST,
    ORIGIN,
    PHASE,
    SHIFT_NOW,
    SHIFT_THEN,
    STEPPING,
    faded,
    on_path,
    stay,
)
from ctcdyn.kernels.lanes import BUDGET, CALLED, FLAG, NEXT
from ctcdyn.kernels.machine import block


@block
def stand(w, i, t):
    """Puts lane i at time t of its path."""
    x = 1.0 if t >= w[FINISH + i] else (t - w[ORIGIN + i]) * w[INVERSE + i]
    for s in range(SPECIES):
        o = s * W + i
        w[SHIFT_THEN + o] = faded(w, i, o, t - w[TIME + i])
        w[X + o] = on_path(w, i, o, x, w[SHIFT_THEN + o])


@block
def look(w, i, t):
    """The state of lane i at a time t that it has not passed, in HERE."""
    x = 1.0 if t >= w[FINISH + i] else (t - w[ORIGIN + i]) * w[INVERSE + i]
    for s in range(SPECIES):
        o = s * W + i
        y = on_path(w, i, o, x, faded(w, i, o, t - w[TIME + i]))
        w[HERE + s] = y if w[PHASE + i] == ALONG else w[X + o]


@block
def meets(w, i, t):
    """Bits: 1 a continuous species is below its threshold, 2 a condition has become true."""
    bits = 0
    for s in range(SPECIES):
        o = s * W + i
        if w[DISCRETE + o] == 0.0 and max(w[X + o], 0.0) < w[FALL + o]:
            bits |= 1
    if GUARDED and guard(w, i, t) > 0.0:
        bits |= 2
    return bits


@block
def cross(w, v, i):
    """Puts lane i at the first time of its hop, up to KNOWN, at which something is met, and gives what; where a save or
    stop comes first the lane is called and stays.
    """
    low = w[TIME + i]
    high = w[KNOWN + i]
    for _ in range(60):
        middle = low + 0.5 * (high - low)
        if middle <= low or middle >= high:
            break
        stand(w, i, middle)
        if meets(w, i, middle) != 0:
            high = middle
        else:
            low = middle
    if high > w[NEXT + i]:
        w[KNOWN + i] = high
        v[FLAG + i] = uint64(CALLED)
        stay(w, i)
        return 0
    h = high - w[TIME + i]
    stand(w, i, w[TIME + i] + 0.5 * h)
    half = prefix(w, i, w[TIME + i] + 0.5 * h)[-1]
    stand(w, i, high)
    spent = h * (w[AT_START + i] + 4.0 * half + prefix(w, i, high)[-1]) * (1.0 / 6.0)
    w[BUDGET + i] = max(w[BUDGET + i] - spent, 5e-324)
    for s in range(SPECIES):
        w[SHIFT_NOW + s * W + i] = w[SHIFT_THEN + s * W + i]
    w[TIME + i] = high
    w[LONGEST + i] = w[LONGER + i]
    w[PHASE + i] = STEPPING if high >= w[FINISH + i] else w[PHASE + i]
    return meets(w, i, high)
