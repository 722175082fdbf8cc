"""A leap in its implicit form, part by part of a cell: fast reactions give back what is beyond their balance.

Eight parts of unequal length, shortest first, are those of `solvers.implicit_trapezoidal`: together they let every mode
up to k h = 1000 fade to below 1.5 %, and each keeps the stationary mean and variance of a linear network. In a part of
length h the FIRINGS are Poisson numbers N with their mean over it, `leaps.draw`; the trapezoidal rule gives the change
of state (1 - h/2 J) dz = nu N, and N + h/2 grad a . dz are firings that add up to it. They are made whole by carrying
what is left over from part to part, from an offset drawn for the cell; the path that is followed is that of the real
numbers, so that rounding does not add up.
"""

import numpy as np

from ctcdyn.kernels.addresses import two_draws
from ctcdyn.kernels.contract import (
    ANSWERS,
    BEFORE,
    EXCESS,
    FIRINGS,
    HAZARDS,
    NONCRITICAL,
    REACTIONS,
    SHIFT,
    SPECIES,
    TIME,
    B,
    W,
    X,
    answer,
    displaced,
    factor,
    jacobian,
    solve,
    unresolved,
)
from ctcdyn.kernels.leaps import BEHIND_LEAPS, ONE, SPAN, TAILS, WITHIN
from ctcdyn.kernels.machine import block, lane
from ctcdyn.kernels.ways import BEGIN, CELL, EVENT_DRAWS, HALVING_DRAWS, JUMP, MODE, STAND, kind_of_draws

ENDS = (0.00229, 0.00652, 0.01778, 0.04844, 0.14524, 0.42926, 0.71328)  # of the parts but the last, share of the cell
MANY = 16.0  # firings in a part from which on a correction cannot make them negative
SMALLEST = 1e-290  # days; a part of no length is divided by, and changes nothing

STIFF = BEHIND_LEAPS  # 1 while the cell goes by parts
OPENED = STIFF + W  # when it was entered, days
PHASE = STIFF + 2 * W  # parts of it that are over
LEFT_OVER = STIFF + 3 * W  # part of a firing that was not made
BEHIND_PARTS = LEFT_OVER + REACTIONS * W  # first row of the solver


@lane
def by_part(w, i):
    """Whether lane i moves by a part."""
    return (w[STIFF + i] > 0.0) & (w[MODE + i] == JUMP)


@lane
def set_part(w, i, begins, stiff):
    """The length of the part of lane i, where its cell goes by parts: from now on if it `begins` and is `stiff`."""
    t = w[TIME + i]
    w[STIFF + i] = (1.0 if stiff else 0.0) if begins else w[STIFF + i]
    w[OPENED + i] = t if begins else w[OPENED + i]
    phase = 0.0 if begins else w[PHASE + i]
    w[PHASE + i] = phase
    share = ENDS[0] if phase < 0.5 else ENDS[1]
    share = share if phase < 1.5 else ENDS[2]
    share = share if phase < 2.5 else ENDS[3]
    share = share if phase < 3.5 else ENDS[4]
    share = share if phase < 4.5 else ENDS[5]
    share = share if phase < 5.5 else ENDS[6]
    cell = w[CELL + i]
    end = w[OPENED + i] + share * (cell - w[OPENED + i])
    end = end if (phase < 6.5) & (end > t) else cell
    moves = (w[STIFF + i] > 0.0) & ((w[MODE + i] == JUMP) | (w[MODE + i] == BEGIN))
    w[MODE + i] = JUMP if moves else w[MODE + i]
    w[SPAN + i] = end - t if moves else w[SPAN + i]


@block
def offset(w, v):
    """What is left over of firings at the start of a cell: a uniform number for each reaction."""
    for pair in range((REACTIONS + 1) // 2):
        for i in range(W):
            kind = kind_of_draws(w, i, EVENT_DRAWS)
            a, b = two_draws(v, i, pair, kind)
            w[TAILS + i] = a if a > 0.0 else 1.0 + a
            w[TAILS + W + i] = b if b > 0.0 else 1.0 + b
        for r in range(2 * pair, min(2 * pair + 2, REACTIONS)):
            for i in range(W):
                u = 0.9999999999999999 * w[TAILS + (r - 2 * pair) * W + i]
                opens = by_part(w, i) & (w[PHASE + i] == 0.0)
                w[LEFT_OVER + r * W + i] = u if opens else w[LEFT_OVER + r * W + i]


@lane
def displace(w, i, r):
    """Firings of reaction r that were not made so far, about their mean of a half."""
    w[WITHIN + r * W + i] = w[FIRINGS + r * W + i]
    w[FIRINGS + r * W + i] = (w[LEFT_OVER + r * W + i] - 0.5) * w[NONCRITICAL + r * W + i]


@lane
def restore(w, i, r):
    """The Poisson number of reaction r, and what the firings that were not made so far change in its mean."""
    more = w[SPAN + i] * w[ANSWERS + r * W + i] * w[NONCRITICAL + r * W + i]
    w[FIRINGS + r * W + i] = w[WITHIN + r * W + i] + more


@lane
def correct(w, i, r):
    """Whole firings of reaction r in a part, from their Poisson number."""
    n = w[WITHIN + r * W + i]
    half = 0.5 * w[SPAN + i] * w[ANSWERS + r * W + i] * w[NONCRITICAL + r * W + i]
    more = (w[FIRINGS + r * W + i] - n) + half
    mean = w[HAZARDS + r * W + i] * w[SPAN + i]
    share = more / (mean if mean > 0.0 else 1.0)
    share = share if share < 1.0 else 1.0
    share = share if share > -1.0 else -1.0
    y = (n + (more if mean >= MANY else share * n)) + w[LEFT_OVER + r * W + i]
    k = np.floor(y)
    stiff = by_part(w, i)
    w[LEFT_OVER + r * W + i] = y - k if stiff else w[LEFT_OVER + r * W + i]
    w[FIRINGS + r * W + i] = k if stiff else n


@block
def balance_part(w, v):
    """FIRINGS of the lanes that move by a part: what fast reactions do beyond their balance is given back."""
    opens = False
    for i in range(W):
        h = w[SPAN + i]
        w[SHIFT + i] = 2.0 / (h if h > SMALLEST else SMALLEST)
        opens = opens or (w[PHASE + i] == 0.0 and by_part(w, i))
    if opens:
        offset(w, v)
    jacobian(w)
    factor(w)
    for r in range(REACTIONS):
        for i in range(W):
            displace(w, i, r)
    displaced(w)
    answer(w)
    for r in range(REACTIONS):
        for i in range(W):
            restore(w, i, r)
    displaced(w)
    for s in range(SPECIES):
        for i in range(W):
            w[B + s * W + i] *= w[SHIFT + i]
    solve(w)
    answer(w)
    for r in range(REACTIONS):
        for i in range(W):
            correct(w, i, r)


@lane
def settle_part(w, i):
    """Ends the part of lane i, or takes it back where EXCESS says so; ahead of `advance`."""
    stiff = by_part(w, i)
    back = stiff & (w[EXCESS + i] > 0.0)
    over = stiff & (not back) & (w[ONE + i] < 0.0)
    w[PHASE + i] += 1.0 if over else 0.0
    w[STIFF + i] = 0.0 if back else w[STIFF + i]
    w[MODE + i] = STAND if back else w[MODE + i]


@block
def land_part(w):
    """The state of the lanes that move by a part, from the firings that are kept in WITHIN."""
    for r in range(REACTIONS):
        for i in range(W):
            w[FIRINGS + r * W + i] = w[WITHIN + r * W + i] if by_part(w, i) else w[FIRINGS + r * W + i]
    displaced(w)
    for i in range(W):
        w[EXCESS + i] = unresolved(w, i)
    for r in range(REACTIONS):
        for i in range(W):
            w[EXCESS + i] = w[EXCESS + i] if w[FIRINGS + r * W + i] >= 0.0 else 1.0
    for s in range(SPECIES):
        for i in range(W):
            w[EXCESS + i] = w[EXCESS + i] if w[BEFORE + s * W + i] + w[B + s * W + i] >= 0.0 else 1.0
    for s in range(SPECIES):
        for i in range(W):
            x = w[BEFORE + s * W + i]
            moved_ = x if w[EXCESS + i] > 0.0 else x + w[B + s * W + i]
            w[X + s * W + i] = moved_ if by_part(w, i) else w[X + s * W + i]
    for i in range(W):
        settle_part(w, i)


@block
def place(w, v, i, share):
    """The state of lane i at a share of its part: firings spread evenly, a critical one last. False if unsound."""
    kind = kind_of_draws(w, i, HALVING_DRAWS)
    for r in range(REACTIONS):
        a, b = two_draws(v, i, r // 2, kind)
        u = a if r % 2 == 0 else b
        u = 0.9999999999999999 * (u if u > 0.0 else 1.0 + u)
        k = w[WITHIN + r * W + i] * w[NONCRITICAL + r * W + i]
        w[FIRINGS + r * W + i] = np.floor(share * k + u) if share < 1.0 else w[WITHIN + r * W + i]
    displaced(w)
    sound_ = True
    for s in range(SPECIES):
        x = w[BEFORE + s * W + i] + w[B + s * W + i]
        w[X + s * W + i] = x
        sound_ = sound_ and x >= 0.0
    return sound_
