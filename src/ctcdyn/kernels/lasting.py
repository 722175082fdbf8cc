"""How long a cell may be that goes by parts: the rule of tau-leaping for what is left of changes when it ends.

A firing of reaction r changes the state by nu_r; of that (1 - h J)**-2 nu_r is about what lasts for h days, J being the
Jacobian. What relaxes within h is gone, what is slow counts in full, also the slow share of a fast reaction. With these
in the place of nu_r the conditions on mean, variance and loss are those of `codegen.leap`, and with h to 0 the same.
Lengths are tried, longest first: what lasts depends on them.
"""

import numpy as np
from numba import uint64

from ctcdyn.kernels.addresses import FINEST
from ctcdyn.kernels.contract import (
    EPSILON,
    EXCESS,
    FIRINGS,
    GROSS_LOSSES,
    HAZARD_OF_ALL,
    HAZARD_OF_CRITICAL,
    HAZARDS,
    LASTING_LOSSES,
    LASTING_MEANS,
    LASTING_VARIANCES,
    LEAP,
    NONCRITICAL,
    REACTIONS,
    ROOMS,
    SHIFT,
    SPECIES,
    TIME,
    TRIED,
    B,
    W,
    X,
    displaced,
    factor,
    jacobian,
    rooms,
    solve,
    unresolved,
)
from ctcdyn.kernels.lanes import NEXT
from ctcdyn.kernels.leaps import PAYS
from ctcdyn.kernels.machine import bits_from_float, block, float_from_bits, lane
from ctcdyn.kernels.parts import BEHIND_PARTS
from ctcdyn.kernels.ways import CELL, ORIGIN, PART, UNTIL, lowest_part

LEAST = 12.0  # explicit leaps that a cell must replace
PAUSE = 16.0  # explicit cells from one look for a longer one to the next, where there was none
TRIES = 4  # lengths that are looked at
FEWEST = 30.0  # cells of a species that turns over within the cell
CRITICAL_EVENTS = 4.0  # that are expected in a cell at most
LOST = 10.0  # times epsilon: share of a species that may be lost for good, as in `codegen.leap`
FADING = 500.0  # stays of a cell that it may be long: modes of twice that rate, and no faster ones, fade in its parts
BEYOND = 1e300  # an excess that no step allows

STRIDE = BEHIND_PARTS  # length that a cell may have, days; 0 where none was found
LONG = STRIDE + W  # the last such length
RESTING = STRIDE + 2 * W  # cells before the next look
BEHIND_LASTING = STRIDE + 3 * W  # first row of the solver


@lane
def worth(w, i):
    """Days for which explicit leaping, or exact events, would go on with one step."""
    events = PAYS / w[HAZARD_OF_ALL + i]
    leap = w[LEAP + i]
    return leap if leap > events else events


@lane
def call(w, i, longest):
    """The longest cell that lane i may begin, in TRIED, and 1; 0 where there is nothing to look for."""
    begins = (w[NEXT + i] > w[TIME + i]) & (w[TIME + i] >= w[CELL + i])
    total = w[HAZARD_OF_ALL + i]
    length = w[UNTIL + i] - w[ORIGIN + i]
    most = 2.0 * w[LONG + i]
    most = most if most < longest else longest
    share = most / length
    share = share if share < 1.0 else 1.0
    share = share if share > FINEST else FINEST
    share = float_from_bits(bits_from_float(share) & uint64(0x7FF0_0000_0000_0000))
    low = lowest_part(w[PART + i] if begins else 0.0)
    tried = length * (share if share < low else low)
    look = begins & (w[RESTING + i] <= 0.0) & (total > 0.0) & (total < np.inf) & (tried >= LEAST * worth(w, i))
    w[RESTING + i] -= 1.0 if begins & (w[RESTING + i] > 0.0) else 0.0
    w[STRIDE + i] = 0.0
    w[TRIED + i] = tried if look else 0.0
    return uint64(1) if look else uint64(0)


@lane
def add_gross(w, i, r, s):
    b = w[B + s * W + i]
    a = w[NONCRITICAL + r * W + i] * w[HAZARDS + r * W + i]
    w[GROSS_LOSSES + s * W + i] -= a * (b if b < 0.0 else 0.0)
    w[B + s * W + i] = w[SHIFT + i] * b


@lane
def add_lasting(w, i, r, s):
    b = w[B + s * W + i]
    a = w[NONCRITICAL + r * W + i] * w[HAZARDS + r * W + i]
    w[LASTING_MEANS + s * W + i] += a * b
    w[LASTING_VARIANCES + s * W + i] += a * b * b
    w[LASTING_LOSSES + s * W + i] -= a * (b if b < 0.0 else 0.0)


@block
def sum_lasting(w):
    """What lasts of what all reactions do, if the matrix factored last is that of the cell."""
    for k in range(SPECIES * W):
        w[LASTING_MEANS + k] = 0.0
        w[LASTING_VARIANCES + k] = 0.0
        w[LASTING_LOSSES + k] = 0.0
        w[GROSS_LOSSES + k] = 0.0
    for k in range(REACTIONS * W):
        w[FIRINGS + k] = 0.0
    for r in range(REACTIONS):
        for i in range(W):
            w[FIRINGS + r * W + i] = 1.0
        displaced(w)
        for i in range(W):
            w[FIRINGS + r * W + i] = 0.0
        for s in range(SPECIES):
            for i in range(W):
                add_gross(w, i, r, s)
        solve(w)
        for s in range(SPECIES):
            for i in range(W):
                w[B + s * W + i] *= w[SHIFT + i]
        solve(w)
        for s in range(SPECIES):
            for i in range(W):
                add_lasting(w, i, r, s)


@lane
def compare(w, i, s):
    """EXCESS as it must be for state row s; what is no number is too much."""
    h = w[TRIED + i]
    x = w[X + s * W + i]
    room = w[ROOMS + s * W + i]
    e = abs(w[LASTING_MEANS + s * W + i]) * h / room
    y = w[LASTING_VARIANCES + s * W + i] * h / (room * room)
    e = y if y > e else e
    share = LOST * w[EPSILON + i] * x
    y = w[LASTING_LOSSES + s * W + i] * h / (share if share > 1.0 else 1.0)
    e = y if (y > e) & (room < np.inf) else e
    y = w[GROSS_LOSSES + s * W + i] * h / (FADING * (x if x > 1.0 else 1.0))
    e = y if y > e else e
    e = BEYOND if (w[GROSS_LOSSES + s * W + i] * h > x) & (x < FEWEST) else e
    e = e if e < BEYOND else BEYOND
    w[EXCESS + i] = e if e > w[EXCESS + i] else w[EXCESS + i]


@lane
def conclude_try(w, i):
    """Takes the length that was looked at, or a shorter one to look at next; returns 1 where there is one."""
    h = w[TRIED + i]
    e = w[EXCESS + i]
    good = (h > 0.0) & (e <= 1.0)
    w[STRIDE + i] = h if good else w[STRIDE + i]
    shorter = h * (0.0625 if e > 16.0 else (0.25 if e > 4.0 else 0.5))
    out = (h > 0.0) & (not good) & (shorter < LEAST * worth(w, i))
    w[LONG + i] = np.inf if out else (h if good else (shorter if h > 0.0 else w[LONG + i]))
    w[RESTING + i] = PAUSE if out else w[RESTING + i]
    h = h if good else (0.0 if out else shorter)
    w[TRIED + i] = h
    return uint64(1) if (h > 0.0) & (not good) else uint64(0)


@block
def look_ahead(w):
    """STRIDE of the lanes that look for one."""
    jacobian(w)
    rooms(w)
    for _ in range(TRIES):
        for i in range(W):
            w[SHIFT + i] = 1.0 / w[TRIED + i] if w[TRIED + i] > 0.0 else 1.0
        factor(w)
        for i in range(W):
            e = w[HAZARD_OF_CRITICAL + i] * w[TRIED + i] / CRITICAL_EVENTS
            w[EXCESS + i] = BEYOND if unresolved(w, i) > 0.0 else e
        sum_lasting(w)
        for s in range(SPECIES):
            for i in range(W):
                compare(w, i, s)
        open_ = uint64(0)
        for i in range(W):
            open_ += conclude_try(w, i)
        if open_ == uint64(0):
            break
    for i in range(W):
        if w[TRIED + i] > 0.0 and w[STRIDE + i] == 0.0:
            w[RESTING + i] = PAUSE
