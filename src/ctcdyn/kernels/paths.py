"""What becomes of a step of the hybrid method: its length, the verdict on it, and the path that it leaves.

What jumps have added to a path that fades by itself is not part of the next step, which would have to be short for it.
"""

from numba import uint64

from ctcdyn.kernels.contract import PACES, STIRS, TIME, TOTAL, X
from ctcdyn.kernels.jumps import (
    ALONG,
    FINISH,
    INVERSE,
    LATEST,
    ORIGIN,
    P_END,
    PATH,
    PHASE,
    SHIFT_NOW,
    STEPPING,
    WIDE,
)
from ctcdyn.kernels.lanes import BUDGET, FAILED, FLAG, STOP, WORK
from ctcdyn.kernels.machine import lane
from ctcdyn.kernels.steps import BEFORE, NEW, OLD, P1, PACE, PASS, PAST, SMALLEST, SPAN, STEP, judge


@lane
def choose_length(w, v, i):
    """The step of a lane: to its stop, and not much further than to the next jump or than the last path was of use."""
    on = (w[PHASE + i] == STEPPING) & (v[FLAG + i] == uint64(0))
    left = w[STOP + i] - w[TIME + i]
    h = w[STEP + i]
    far = 1.25 * w[BUDGET + i] / w[TOTAL + i]
    far = far if far > 4.0 * w[LATEST + i] else 4.0 * w[LATEST + i]
    h = far if far < h else h
    h = left if 1.01 * h >= left else h
    h = h if on else 1.0  # the others compute, and nobody looks
    h = h if h > 0.0 else SMALLEST
    w[SPAN + i] = h
    w[PACE + i] = 1.0 / h
    w[BEFORE + i] = w[TIME + i]


@lane
def conclude(w, v, i, e2, longest):
    """The verdict on the step of lane i; where it was accepted it becomes the lane's path."""
    on = (w[PHASE + i] == STEPPING) & (v[FLAG + i] == uint64(0))
    step, past, flag = w[STEP + i], w[PAST + i], v[FLAG + i]
    verdict = judge(w, v, i, e2, 0.2, 0.8, 0.3, longest)
    end = w[TIME + i]
    failed = on & (verdict >= uint64(FAILED))
    ok = on & (w[PASS + i] > 0.0) & (verdict < uint64(FAILED))
    w[TIME + i] = w[BEFORE + i]
    w[STEP + i] = w[STEP + i] if on else step
    w[PAST + i] = w[PAST + i] if on else past
    v[FLAG + i] = verdict if failed else flag
    w[PASS + i] = 1.0 if ok else 0.0
    w[PHASE + i] = ALONG if ok else w[PHASE + i]
    w[ORIGIN + i] = w[BEFORE + i] if ok else w[ORIGIN + i]
    w[FINISH + i] = end if ok else w[FINISH + i]
    w[INVERSE + i] = w[PACE + i] if ok else w[INVERSE + i]
    w[WORK + i] += 1.0 if on else 0.0


@lane
def keep(w, i, o):
    """One species of an accepted step."""
    ok = w[PASS + i] > 0.0
    w[PATH + o] = w[OLD + o] if ok else w[PATH + o]
    for k in range(4):
        w[PATH + (k + 1) * WIDE + o] = w[P1 + k * WIDE + o] if ok else w[PATH + (k + 1) * WIDE + o]
    w[P_END + o] = w[NEW + o] if ok else w[P_END + o]
    w[SHIFT_NOW + o] = 0.0 if ok & folds(w, i, o) else w[SHIFT_NOW + o]


@lane
def folds(w, i, o):
    """Whether a new path takes over what jumps have added to the last; what fades by itself needs no step to do so."""
    large = (w[PACES + o] > 0.0) & (abs(w[SHIFT_NOW + o]) > 0.25 * abs(w[X + o]))
    return (w[STIRS + o] > 0.0) | large
