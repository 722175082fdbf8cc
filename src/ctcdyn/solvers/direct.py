"""Exact jump process: the direct method in lanes, one event of every trajectory at each sweep.

Exact in law for any propensities; cost grows with the number of events. Use it for small numbers, rare events and as
the reference for every approximation. Two draws an event from the stream EVENTS, in this order: `uniform` u chooses the
reaction r with c[r-1] <= u * total < c[r], `exponential` is the budget of the next event. The first draw of a
trajectory is the first budget.

The waiting time is a budget of unit-exponential hazard, carried over saves and stops and never redrawn: a stop costs
no draw, a save changes no bit, and piecewise constant rates are exact. Rates that depend smoothly on `t` are exact by
thinning: a candidate after budget / bound, accepted where u * bound < total(t); windows of the bound are whole
multiples of WINDOW, so the path does not depend on save times either. Numbers above 2**53 end the trajectory.

D. T. Gillespie 1977, doi:10.1021/j100540a008; thinning: Lewis and Shedler 1979, doi:10.1002/nav.3800260304.
"""

import numpy as np
from numba import uint64

from ctcdyn.kernels.contract import (
    CANDIDATE,
    CHOICE,
    FROM,
    FUSED,
    GUARDED,
    HERE,
    LIMIT,
    SPECIES,
    TIME,
    TIMED,
    TO,
    TOTAL,
    W,
    X,
    apply,
    bound,
    changes,
    fire,
    guard,
    prefix,
    sums,
    valid,
    window,
)
from ctcdyn.kernels.lanes import CALLED, FAILED, FIRED, FLAG, NEXT, NOT_FINITE, OWN, REFUSED, WINDOW, loop
from ctcdyn.kernels.machine import block, lane, pick, verbatim
from ctcdyn.kernels.streams import EVENTS, exponential, seed_stream, uniform

SEMANTICS = "jump"
ALGEBRA = ("jump",)
GRID_FREE = True
ORDER = "exact"
WIDTHS = ((64, 48), (32, 96), (16, 0))  # (lanes, most rows of the model that they suit), measured
SOURCE = "doi:10.1021/j100540a008"

BUDGET = OWN  # unit-exponential hazard left before the next event
ROWS = OWN + W


@block
def begin(w, v, i, seed, number, setting):
    seed_stream(v, i, seed, number, EVENTS)
    w[BUDGET + i] = exponential(v, i)
    return 0 if valid(w, i) > 0.0 else NOT_FINITE


@block
def prepare(w, v, i, t, setting, changed):
    """The window of the bound that t falls into; none where no rate depends on time."""
    until = np.inf
    if TIMED:
        k = np.floor(t / setting[WINDOW])
        if (k + 1.0) * setting[WINDOW] <= t:
            k += 1.0
        w[FROM + i] = k * setting[WINDOW]
        until = (k + 1.0) * setting[WINDOW]
        w[TO + i] = until
        window(w, i)
    return until


@verbatim
def accept(w, v, i, t, limit, total):
    """(flag, y) of the candidate at t: y falls into the reaction that fires, and is -1 where none does.

    The draws of a lane that only reaches its stop are put back.
    """
    stop = (not (t <= w[NEXT + i])) | (limit == np.inf)
    s0, s1, s2, s3 = v[i], v[W + i], v[2 * W + i], v[3 * W + i]
    y = uniform(v, i) * limit
    fresh = exponential(v, i)
    flag = uint64(CALLED) if stop else uint64(0)
    if TIMED:  # a total above its bound would be a wrong law: not finite, or a fault of the bound
        broken = (not stop) & (not (total <= limit))
        flag = uint64(FAILED + NOT_FINITE) if broken else flag
        w[REFUSED + i] += pick((y < total) | stop, 0.0, 1.0)
        y = pick(y < total, y, -1.0)
    w[BUDGET + i] = w[BUDGET + i] if stop else fresh
    w[TIME + i] = w[TIME + i] if stop else t
    v[i] = s0 if stop else v[i]
    v[W + i] = s1 if stop else v[W + i]
    v[2 * W + i] = s2 if stop else v[2 * W + i]
    v[3 * W + i] = s3 if stop else v[3 * W + i]
    v[FLAG + i] = flag
    return flag, -1.0 if stop else y


@block
def sweep(w, v, setting):
    """One event, or one thinned candidate, of every lane that does not reach its stop before it."""
    flags = uint64(0)
    if FUSED:
        for i in range(W):
            if TIMED:
                limit = bound(w, i)
                t = w[TIME + i] + w[BUDGET + i] / limit
                c = prefix(w, i, t)
            else:
                c = prefix(w, i, w[TIME + i])
                limit = c[-1]
                t = w[TIME + i] + w[BUDGET + i] / limit
            flag, y = accept(w, v, i, t, limit, c[-1])
            fire(w, i, c, y)
            flags += flag
    else:
        for i in range(W):
            w[CANDIDATE + i] = w[TIME + i]
        if TIMED:
            for i in range(W):
                w[LIMIT + i] = bound(w, i)
                w[CANDIDATE + i] += w[BUDGET + i] / w[LIMIT + i]
        sums(w)
        for i in range(W):
            if not TIMED:
                w[LIMIT + i] = w[TOTAL + i]
                w[CANDIDATE + i] += w[BUDGET + i] / w[LIMIT + i]
            flag, y = accept(w, v, i, w[CANDIDATE + i], w[LIMIT + i], w[TOTAL + i])
            w[CHOICE + i] = y
            flags += flag
        changes(w)
    if GUARDED:
        for i in range(W):
            flag = v[FLAG + i]
            fired = (guard(w, i, w[TIME + i]) > 0.0) & (flag == uint64(0))
            flags += uint64(FIRED) if fired else uint64(0)
            v[FLAG + i] = uint64(FIRED) if fired else flag
    return flags


@block
def hazard(w, i):
    """The rate at which the budget of lane i is spent, 1/d."""
    return bound(w, i)


@block
def reach(w, v, i):
    """Time of the next event if nothing changes before it."""
    if v[FLAG + i] == uint64(FIRED):
        return w[TIME + i]
    total = hazard(w, i)
    return w[TIME + i] + w[BUDGET + i] / total if total < np.inf else np.nan


@block
def ready(w):
    w[TIME] = w[TIME]


@lane
def read(w, i, t):
    """The state stands still since the last event."""
    for s in range(SPECIES):
        w[HERE + s] = w[X + s * W + i]


@block
def arrive(w, v, book, i, t):
    """The budget is rebased only where a rate changes at t, so that an event without effect changes no bit."""
    spent = hazard(w, i) * (t - w[TIME + i])
    bits = apply(w, book, i, t)
    if TIMED or bits & 1 != 0:
        w[BUDGET + i] = max(w[BUDGET + i] - spent, 5e-324)
        w[TIME + i] = t
    if bits & 1 != 0 and valid(w, i) == 0.0:
        w[BUDGET + i] = np.nan
    return bits


run = loop(begin, prepare, sweep, reach, ready, read, arrive, False)
