"""Conditions beside first-order leaps: the step ends where one may become true.

- A condition that pinned species make true is found by halving the step, to the last bit of time on their dense output.
- What a grower meets (a detection) ends the step at its exact time, drawn before anything else.
- Where counts may reach a condition within a step, by what moves them and then some, the step is halved before it is
  drawn, down to the setting `window`: a condition on counts is met at the end of a step of that length at most.
"""

import numpy as np

from ctcdyn.kernels.addresses import two_draws
from ctcdyn.kernels.cells import SPAN, died, divided, exported
from ctcdyn.kernels.contract import (
    FORCE,
    GROWER_ROW,
    GROWER_WATCHED,
    GROWERS,
    MOVE_AT,
    MOVE_ROW,
    MOVE_STEP,
    REAL_ROW,
    REALS,
    SPECIES,
    TIME,
    WATCHED,
    WATCHED_ROW,
    WAY_EXPORT,
    WAY_GROWER,
    WAY_ROW,
    WAY_WATCHED,
    WAYS,
    W,
    X,
    Y,
    would,
)
from ctcdyn.kernels.descent import budget, meeting
from ctcdyn.kernels.drawing import DRAWN, MET
from ctcdyn.kernels.lanemath import exp_, expm1_
from ctcdyn.kernels.machine import block
from ctcdyn.kernels.pinned import SEEN_AT, STOOD, STRIDE, misjudged, note, stages, survey, travel

CUT = DRAWN  # 1 where the step ends before its place does
UP = CUT + W  # how far a count may rise within a step
DOWN = UP + SPECIES * W
ASIDE = DOWN + SPECIES * W  # state, put aside
BELOW = ASIDE + SPECIES * W  # pinned species at the later time known to be before a condition
ABOVE = BELOW + REALS * W  # and at the earlier one at which it holds
ENDED = ABOVE + REALS * W  # and at the end of a stride
CONDITIONED = ENDED + REALS * W

NEVER = 1e-6  # events to be expected in a step: fewer do not happen, as far as the length of the step is concerned
HALVINGS = 60


@block
def reach_of(mean):
    """A number that a Poisson count of this mean exceeds with probability 1e-7."""
    return mean + 5.5 * np.sqrt(mean) + 8.0 if mean > NEVER else 0.0


@block
def range_of(w, i, h):
    """UP and DOWN of the counts that conditions depend on, for a step of h days."""
    for m in range(WATCHED):
        w[UP + WATCHED_ROW[m] * W + i] = 0.0
        w[DOWN + WATCHED_ROW[m] * W + i] = 0.0
    for r in range(WAYS):
        if WAY_WATCHED[r] == 0:
            continue
        rate = w[FORCE + r * W + i] * h
        row = WAY_ROW[r]
        here = 1.0
        come = 0.0
        if row >= 0:
            here = w[X + row * W + i]
            come = arriving(w, i, row) * h
            if WAY_GROWER[r] >= 0:
                birth = divided(w, i, WAY_GROWER[r])
                here *= exp_(min(birth * h, 50.0))
                # of what is met the mean is enough: it bounds the chance that anything is
                growth = max(birth - died(w, i, WAY_GROWER[r]), 0.0) if WAY_EXPORT[r] > 0 else birth
                come *= exp_(min(growth * h, 50.0))
        for k in range(MOVE_AT[r], MOVE_AT[r + 1]):
            # what cells meet ends the step, except for those that come within it
            ends = WAY_EXPORT[r] > 0 and MOVE_ROW[k] != row
            o = (UP if MOVE_STEP[k] > 0 else DOWN) + MOVE_ROW[k] * W + i
            w[o] += abs(MOVE_STEP[k]) * reach_of(rate * (come if ends else here + come))


@block
def arriving(w, i, row):
    """Cells a day that come to a species from others."""
    total = 0.0
    for r in range(WAYS):
        if WAY_ROW[r] != row:
            for k in range(MOVE_AT[r], MOVE_AT[r + 1]):
                if MOVE_ROW[k] == row and MOVE_STEP[k] > 0:
                    rate = w[FORCE + r * W + i]
                    total += rate * w[X + WAY_ROW[r] * W + i] if WAY_ROW[r] >= 0 else rate
    return total


@block
def near(w, i, h):
    """Whether a condition may become true by counts within h days."""
    t = w[TIME + i]
    range_of(w, i, h)
    for m in range(WATCHED):
        w[ASIDE + m * W + i] = w[X + WATCHED_ROW[m] * W + i]
    found = False
    for turn in range(2 * WATCHED + 2 if WATCHED > 1 else 2 * WATCHED):
        for m in range(WATCHED):
            s = WATCHED_ROW[m]
            x = w[ASIDE + m * W + i]
            if turn == 2 * m or turn == 2 * WATCHED:
                x += w[UP + s * W + i]
            elif turn == 2 * m + 1 or turn == 2 * WATCHED + 1:
                x = max(x - w[DOWN + s * W + i], min(x, 0.0))
            w[X + s * W + i] = x
        found = found or would(w, i, t) > 0.0
    for m in range(WATCHED):
        w[X + WATCHED_ROW[m] * W + i] = w[ASIDE + m * W + i]
    return found


@block
def holds(w, i, h):
    """Whether a condition is true with the pinned species of Y and the counts of the beginning, h days on."""
    for k in range(REALS):
        w[ASIDE + k * W + i] = w[X + REAL_ROW[k] * W + i]
        w[X + REAL_ROW[k] * W + i] = w[Y + k * W + i]
    found = would(w, i, w[TIME + i] + h) > 0.0
    for k in range(REALS):
        w[X + REAL_ROW[k] * W + i] = w[ASIDE + k * W + i]
    return found


@block
def cross(w, i, h, rtol, atol):
    """Where pinned species make a condition true within h days the step ends there."""
    if not holds(w, i, h):
        return
    low = 0.0
    high = h
    t = w[TIME + i]
    for k in range(REALS):
        w[BELOW + k * W + i] = w[X + REAL_ROW[k] * W + i]
        w[ABOVE + k * W + i] = w[Y + k * W + i]
    whole = 0.0  # length of the part that one stride covers, once there is one
    begins = 0.0
    for _ in range(HALVINGS):
        half = 0.5 * (high - low)
        middle = low + half
        if t + middle <= t + low or t + middle >= t + high:
            break
        if whole == 0.0:
            for k in range(REALS):
                w[STOOD + k * W + i] = w[BELOW + k * W + i]
            stages(w, i, t + low, high - low, True)
            if misjudged(w, i, high - low, rtol, atol) <= 1.0:
                whole = high - low
                begins = low
                for k in range(REALS):
                    w[ENDED + k * W + i] = w[Y + k * W + i]
        if whole > 0.0:  # by dense output
            for k in range(REALS):
                w[Y + k * W + i] = w[ENDED + k * W + i]
            note(w, i, 0, (middle - begins) / whole, whole)
            for k in range(REALS):
                w[Y + k * W + i] = w[SEEN_AT + k * W + i]
        else:
            for k in range(REALS):
                w[Y + k * W + i] = w[BELOW + k * W + i]
            w[STRIDE + i] = half
            travel(w, i, t + low, half, rtol, atol)
        if holds(w, i, middle):
            high = middle
        else:
            low = middle
        for k in range(REALS):
            w[(ABOVE if high == middle else BELOW) + k * W + i] = w[Y + k * W + i]
    w[STRIDE + i] = high if high > 0.0 else 1.0
    survey(w, i, high, rtol, atol)
    for k in range(REALS):
        w[Y + k * W + i] = w[ABOVE + k * W + i]  # where the condition holds for certain
    w[SPAN + i] = high
    w[CUT + i] = 1.0


@block
def meet_first(w, v, i, many, rtol, atol):
    """Where cells of a grower meet something within the step, the step ends with the first of them."""
    h = w[SPAN + i]
    found = -1.0
    for g in range(GROWERS):
        n = w[X + GROWER_ROW[g] * W + i]
        c = exported(w, i, g)
        if GROWER_WATCHED[g] > 0 and n * c * h > 0.0 and n * c * h < many:
            a, b = two_draws(v, i, (3 * g) // 2, 0)
            t = meeting(divided(w, i, g), died(w, i, g), c, -expm1_(-budget(a if g % 2 == 0 else b) / n))
            if t < h:
                h = t
                found = g
    w[MET + i] = found
    if found >= 0.0:
        w[SPAN + i] = h
        w[CUT + i] = 1.0
        survey(w, i, h, rtol, atol)
