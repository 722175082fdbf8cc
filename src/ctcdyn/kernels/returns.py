"""The way back of a lane through its own past: marks of what was in force, segments of the path, what it brings home.

A lane that goes forward leaves a segment (`push`) after each step, the polynomials of pinned species, and a mark at
each stop that changed something. At a save it turns back (`turn_back`), goes from mark to mark (`go_on`) to the start,
and there puts chances of single cells and of sources together (`conclude`), before it goes on forward from where it
turned.
"""

import numpy as np
from numba import int64, uint64

from ctcdyn.kernels.contract import (
    BEGINS,
    BORN,
    CHANCE_GONE,
    CHANCE_ROW,
    CHANCES,
    FORCES,
    MARK,
    MARKS,
    MEANS,
    PATH,
    PATH_ROW,
    PATHS,
    PIECE,
    RECORD,
    RETURNING,
    SEGMENT,
    SEGMENTS,
    SPECIES,
    START_CELL,
    START_CHANCE,
    START_EVENT,
    STARTS,
    TIME,
    TRACK,
    W,
    X,
    armed,
    note,
    recall,
)
from ctcdyn.kernels.lanemath import exp_, expm1_, log1p_
from ctcdyn.kernels.lanes import CALLED, FAILED, FLAG, NEXT, NOT_FINITE, START, STOP
from ctcdyn.kernels.machine import block, lane
from ctcdyn.kernels.steps import (
    BEFORE,
    METHOD,
    OLD,
    P1,
    P2,
    P3,
    P4,
    PACE,
    PASS,
    PAST,
    ROUNDING,
    SMALLEST,
    SPAN,
    STEP,
    STEP_UNDERFLOW,
    respond,
)

LATER = METHOD + 9 * SPECIES * W  # behind Rodas5P: the step with which the lane will go on forward, days
MEMORY = LATER + W  # the last error on the way forward
TURN = LATER + 2 * W  # time from which the lane goes back
GOAL = LATER + 3 * W  # where this part of the way back ends: at a mark
HERE_MARK = LATER + 4 * W  # number of that mark
MARKED = LATER + 5 * W  # how many marks there are
STEPPED = LATER + 6 * W  # how many segments of the path
OPENING = LATER + 7 * W  # first step of a way back, days: that which the last way back took
FRESH = LATER + 8 * W  # 1 before that step
HOME = LATER + 9 * W  # 1 where there is nothing to go back over
FULL = LATER + 10 * W  # 1 where path or marks have no more room
ACTIVE = LATER + 11 * W  # 1 where the lane takes part in this sweep
HEADING = LATER + 12 * W  # of all lanes, in its first place: 1 while they go back
RETURNS_END = LATER + 13 * W


@block
def leave_mark(w, i, t):
    """What is in force in lane i from t on."""
    k = int64(w[MARKED + i])
    if k < MARKS:
        at = FORCES + i * RECORD + k * MARK
        w[at] = t
        note(w, i, at)
        w[MARKED + i] += 1.0
    else:
        w[FULL + i] = 1.0


@block
def push(w, i):
    """The last step of lane i, as the next segment of its path."""
    k = int64(w[STEPPED + i])
    if k >= SEGMENTS:
        w[FULL + i] = 1.0
        return
    at = PATH + i * TRACK + k * PIECE
    w[at] = w[BEFORE + i]
    w[at + 1] = w[PACE + i]
    for r in range(PATHS):
        o = PATH_ROW[r] * W + i
        w[at + 2 + 5 * r] = w[OLD + o]
        w[at + 3 + 5 * r] = w[P1 + o]
        w[at + 4 + 5 * r] = w[P2 + o]
        w[at + 5 + 5 * r] = w[P3 + o]
        w[at + 6 + 5 * r] = w[P4 + o]
    w[STEPPED + i] += 1.0


@block
def turn_back(w, i, setting):
    """Lane i, at a save, begins its way back to the start."""
    t = w[TIME + i]
    w[LATER + i] = w[STEP + i]
    w[MEMORY + i] = w[PAST + i]
    w[TURN + i] = t
    w[RETURNING + i] = 1.0
    for s in range(MEANS, SPECIES):
        w[X + s * W + i] = BEGINS[s - MEANS]
    w[HERE_MARK + i] = w[MARKED + i]
    w[SEGMENT + i] = max(w[STEPPED + i] - 1.0, 0.0)
    w[STEP + i] = w[OPENING + i]
    w[PAST + i] = 0.0
    w[FRESH + i] = 1.0
    w[HOME + i] = 1.0 if t <= setting[START] else 0.0
    if t > setting[START]:
        go_on(w, i)


@block
def go_on(w, i):
    """The next part of the way back: what was in force before this time, and the path before it."""
    t = w[TIME + i]
    k = int64(w[HERE_MARK + i])
    at = FORCES + i * RECORD + k * MARK
    while k > 0:
        k -= 1
        at -= MARK
        if w[at] < t:
            break
    w[HERE_MARK + i] = k
    w[GOAL + i] = w[at]
    recall(w, i, at)
    k = int64(w[SEGMENT + i])
    while k > 0 and w[PATH + i * TRACK + k * PIECE] >= t:
        k -= 1
    w[SEGMENT + i] = k


@block
def keep_up(w, i):
    """The segment in which lane i is now, on its way back."""
    k = int64(w[SEGMENT + i])
    while k > 0 and w[PATH + i * TRACK + k * PIECE] > w[TIME + i]:
        k -= 1
    w[SEGMENT + i] = k


@lane
def is_home(w, i):
    """Whether lane i, at a mark, is at the first one."""
    return (w[HERE_MARK + i] == 0.0) | (w[TIME + i] <= w[FORCES + i * RECORD])


@block
def conclude(w, i):
    """The chances of lane i, now at the start, and the lane where it turned back."""
    t = w[TURN + i]
    for k in range(CHANCES):
        o = CHANCE_ROW[k] * W + i
        total = w[X + o]
        for j in range(STARTS):
            if START_EVENT[j] == k:
                n = w[BORN + START_CELL[j] * W + i]
                if n > 0.0 and START_CHANCE[j] < 0:
                    total = np.inf
                elif n > 0.0:
                    one = min(w[X + START_CHANCE[j] * W + i], 1.0)
                    total -= n * log1p_(-one) if one < 1.0 else -np.inf
        chance = exp_(-total) if CHANCE_GONE[k] == 1 else -expm1_(-total)
        w[X + o] = chance if armed(w, i, k, t) > 0.0 else 0.0
    w[RETURNING + i] = 0.0
    w[TIME + i] = t
    w[STEP + i] = w[LATER + i]
    w[PAST + i] = w[MEMORY + i]
    w[HOME + i] = 0.0
    recall(w, i, FORCES + i * RECORD + (int64(w[MARKED + i]) - 1) * MARK)


@lane
def verdict(w, v, i, e2, longest, end_of_run):
    """Accept or refuse the step of lane i, choose the next one, flag whom the loop must serve. e2: its mean square."""
    active = w[ACTIVE + i] > 0.0
    back = w[RETURNING + i] > 0.0
    ok = (e2 <= 1.0) & active  # false where not finite
    past = w[PAST + i]
    size, growth = respond(e2, ok, past, 0.2, 0.8, 0.3)
    h = abs(w[SPAN + i])
    after = h * growth
    wanted = w[STEP + i]
    after = wanted if ok & (h < wanted) & (after < wanted) else after
    after = after if after < longest else longest
    t = w[BEFORE + i]
    goal = w[GOAL + i] if back else w[NEXT + i]
    left = abs(goal - t)
    end = t + w[SPAN + i]
    end = goal if h >= left else end
    small = (not ok) & ((after < ROUNDING * abs(t)) | (after < SMALLEST))
    small = small | (ok & (end == t))  # a step lost in rounding would be accepted for ever
    small = small & active
    w[STEP + i] = after if active else wanted
    w[PAST + i] = size if ok else past
    w[TIME + i] = end if ok else t
    w[PASS + i] = 1.0 if ok else 0.0
    # a save is answered by a way back, which begins with the next sweep
    stopped = (not back) & (goal >= w[STOP + i]) & (goal < end_of_run)
    flag = uint64(CALLED) if ok & (end >= goal) & stopped else uint64(0)
    reason = uint64(FAILED + STEP_UNDERFLOW) if e2 < np.inf else uint64(FAILED + NOT_FINITE)
    flag = reason if small else flag
    flag = uint64(CALLED) if w[NEXT + i] == -np.inf else flag
    v[FLAG + i] = flag
    return flag
