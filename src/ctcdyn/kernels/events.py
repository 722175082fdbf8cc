"""One event, or one thinned candidate, of the exact process in every lane: the step of the direct method.

A lane whose next candidate lies beyond NEXT only reaches it: its flag is CALLED, its draws are put back, its budget of
unit-exponential hazard stays. `solvers.direct` is the method; solvers that leap take such events where leaping does not
pay.
"""

import numpy as np
from numba import uint64

from ctcdyn.kernels.contract import (
    CANDIDATE,
    CHOICE,
    FUSED,
    GUARDED,
    LIMIT,
    TIME,
    TIMED,
    TOTAL,
    W,
    bound,
    changes,
    fire,
    prefix,
    sums,
)
from ctcdyn.kernels.lanes import BUDGET, CALLED, FAILED, FLAG, NEXT, NOT_FINITE, REFUSED
from ctcdyn.kernels.machine import block, pick, verbatim
from ctcdyn.kernels.streams import exponential, uniform
from ctcdyn.kernels.watches import note


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


@verbatim
def happen(w, v, i):
    """One event or candidate of lane i, where an event is one loop; returns its flag."""
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
    return flag


@block
def one_event(w, v):
    """One event, or one thinned candidate, of every lane that does not reach its stop before it."""
    flags = uint64(0)
    if FUSED:
        for i in range(W):
            flags += happen(w, v, i)
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
        flags = uint64(0)
        for i in range(W):
            flags += note(w, v, i, w[TIME + i])
    return flags


@block
def event_alone(w, v, i):
    """What `one_event` does, in one lane of a model whose event is one loop; returns its flag."""
    flag = happen(w, v, i)
    return note(w, v, i, w[TIME + i]) if GUARDED else flag
