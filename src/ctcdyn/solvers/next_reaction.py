"""Exact jump process with a clock for each reaction, so that the arms of a patient stay paired after they differ.

Exact in law for any propensities, like `direct`, and two to three times as expensive: each event looks at every
reaction twice. Use it to compare arms: reaction r fires when its own unit-rate Poisson process has used up its next
budget of integrated propensity (the random time change), and that budget is draw m of reaction r of the patient,
whatever else happened. An arm in which one reaction is slower meets the same budgets at later times, so two arms differ
by what the treatment does and not by chance that went out of step. `direct` draws one sequence for all reactions, and
its arms are independent from their first difference on.

Budget m of reaction r is -log of the first uniform of the Philox block (seed, id // arms, reaction r, m); budgets are
carried over saves and stops. Rates that depend smoothly on `t` are exact by thinning, reaction by reaction: candidates
come at the reaction's bound over a window, and the second uniform of the block decides.

D. F. Anderson 2007, doi:10.1063/1.2799998 (modified next reaction method); common random numbers by the random time
change: M. Rathinam, P. W. Sheppard and M. Khammash 2010, doi:10.1063/1.3280166.
"""

import numpy as np
from numba import uint64

from ctcdyn.kernels.clock import opened
from ctcdyn.kernels.contract import (
    BUDGETS,
    CANDIDATE,
    CHOICE,
    DRAWN,
    GUARDED,
    LIMIT,
    RATES,
    REACTIONS,
    TIME,
    TIMED,
    W,
    alter,
    apply,
    chosen,
    propensities,
    valid,
)
from ctcdyn.kernels.lanemath import log_draw
from ctcdyn.kernels.lanes import CALLED, FIRED, FLAG, NEXT, NOT_FINITE, OWN, REFUSED, loop
from ctcdyn.kernels.machine import bits_from_float, block, float_from_bits, lane, pick
from ctcdyn.kernels.standing import read, ready
from ctcdyn.kernels.streams import CHANNELS, philox4x32
from ctcdyn.kernels.watches import note

SEMANTICS = "jump"
ALGEBRA = ("jump", "channels")
GRID_FREE = True
ORDER = "exact"
WIDTHS = ((32, 96), (16, 0))  # (lanes, most rows of the model that they suit), measured
SOURCE = "doi:10.1063/1.2799998"

SPAN = OWN  # days that the lane moves in this sweep
FRESH = OWN + W  # the budget that follows the one that was used up
SHARE = OWN + 2 * W  # the uniform that accepts a candidate
FAULT = OWN + 3 * W  # 0, or NaN where a parameter became one that no rate may have
HAZARD = OWN + 4 * W  # sum of the propensities, or of their bounds, 1/d
ROWS = OWN + 5 * W

KEY, WHO = 0, W  # rows of v: seed and number of the draws
TINY = 5e-324  # what is left of a budget is never nothing


@lane
def draw(v, i, r, m):
    """Two uniforms of [0, 1): Philox block (seed, number, CHANNELS, reaction r, draw m) of lane i; m < 2**39."""
    low = uint64(0xFFFFFFFF)
    address = bits_from_float(m + 4503599627370496.0) & uint64(0x000F_FFFF_FFFF_FFFF)
    channel = bits_from_float(r + 4503599627370496.0) & uint64(0xFFFF)
    purpose = uint64(0x80000000) | ((address >> uint64(32)) << uint64(24)) | (channel << uint64(8)) | uint64(CHANNELS)
    key = v[KEY + i]
    who = v[WHO + i]
    a, b, c, d = philox4x32(who & low, who >> uint64(32), purpose, address & low, key & low, key >> uint64(32))
    one = uint64(0x3FF0_0000_0000_0000)
    x = float_from_bits(((a | (b << uint64(32))) >> uint64(12)) | one) - 1.0
    y = float_from_bits(((c | (d << uint64(32))) >> uint64(12)) | one) - 1.0
    return x, y


@lane
def budget(x):
    """A unit exponential from a uniform of [0, 1), between 1.1e-16 and 36.8."""
    return -log_draw(x + 1.1102230246251565e-16)


@block
def begin(w, v, i, seed, number, setting):
    v[KEY + i] = seed
    v[WHO + i] = number
    for r in range(REACTIONS):
        x, _ = draw(v, i, float(r), 0.0)
        w[BUDGETS + r * W + i] = budget(x)
        w[DRAWN + r * W + i] = 1.0
    w[FAULT + i] = 0.0
    return 0 if valid(w, i) > 0.0 else NOT_FINITE


@block
def prepare(w, v, i, t, setting, changed):
    """The window of the bounds that t falls into; none where no rate depends on time."""
    until = np.inf
    if TIMED:
        until = opened(w, i, t, setting)
    return until


@lane
def soonest(w, i, r):
    """Keeps reaction r in CHOICE where its budget is used up before all that were looked at."""
    o = r * W + i
    rate = w[RATES + o]
    wait = w[BUDGETS + o] / rate
    sooner = (wait < w[SPAN + i]) & (rate > 0.0)  # -0.0 is none
    w[SPAN + i] = wait if sooner else w[SPAN + i]
    w[CHOICE + i] = float(r) if sooner else w[CHOICE + i]
    w[FRESH + i] = w[DRAWN + o] if sooner else w[FRESH + i]
    w[LIMIT + i] = rate if sooner else w[LIMIT + i]
    # with a rate below zero there is no jump process, and time would run backwards
    w[HAZARD + i] += rate if rate >= 0.0 else np.nan


@lane
def accept(w, v, i):
    """The flag of lane i; CHOICE is -1 and SPAN 0 where it only reaches its stop."""
    t = w[TIME + i] + w[SPAN + i]
    stop = (not (t <= w[NEXT + i])) | (not (w[HAZARD + i] < np.inf))
    w[CANDIDATE + i] = t
    w[SPAN + i] = 0.0 if stop else w[SPAN + i]
    w[CHOICE + i] = -1.0 if stop else w[CHOICE + i]
    w[TIME + i] = w[TIME + i] if stop else t
    flag = uint64(CALLED) if stop else uint64(0)
    v[FLAG + i] = flag
    return flag


@lane
def spend(w, i, r):
    """Reaction r has used SPAN days of its budget; the one that fired begins the next."""
    o = r * W + i
    left = w[BUDGETS + o] - w[RATES + o] * w[SPAN + i]
    left = left if left > TINY else TINY
    left = left if w[SPAN + i] > 0.0 else w[BUDGETS + o]
    hit = w[CHOICE + i] == float(r)
    w[BUDGETS + o] = w[FRESH + i] if hit else left
    w[DRAWN + o] += 1.0 if hit else 0.0


@block
def sweep(w, v, setting):
    """One event, or one thinned candidate, of every lane that does not reach its stop before it."""
    propensities(w)
    for i in range(W):
        w[SPAN + i] = np.inf
        w[CHOICE + i] = -1.0
        w[FRESH + i] = 0.0
        w[HAZARD + i] = w[FAULT + i]
    for r in range(REACTIONS):
        for i in range(W):
            soonest(w, i, r)
    flags = uint64(0)
    for i in range(W):
        flags += accept(w, v, i)
        r = w[CHOICE + i]
        x, y = draw(v, i, r if r > 0.0 else 0.0, w[FRESH + i])
        w[FRESH + i] = budget(x)
        w[SHARE + i] = y
    for r in range(REACTIONS):
        for i in range(W):
            spend(w, i, r)
    if TIMED:
        for i in range(W):
            rate = chosen(w, i, w[CANDIDATE + i])
            refused = (w[SHARE + i] * w[LIMIT + i] >= rate) & (w[CHOICE + i] >= 0.0)
            # a rate above its bound would be a wrong law, and one that is no number has none
            broken = (w[CHOICE + i] >= 0.0) & (not ((rate <= w[LIMIT + i]) | (rate == np.inf)))
            w[FAULT + i] = np.nan if broken else w[FAULT + i]
            w[REFUSED + i] += pick(refused, 1.0, 0.0)
            w[CHOICE + i] = -1.0 if refused | broken else w[CHOICE + i]
    alter(w)
    if GUARDED:
        flags = uint64(0)
        for i in range(W):
            flags += note(w, v, i, w[TIME + i])
    return flags


@block
def reach(w, v, i):
    """Time of the next event if nothing changes before it."""
    if v[FLAG + i] == uint64(FIRED):
        return w[TIME + i]
    return w[CANDIDATE + i] if w[HAZARD + i] < np.inf else np.nan


@block
def arrive(w, v, book, i, t):
    """Budgets are rebased only where a rate changes at t, so that an event without effect changes no bit."""
    passed = t - w[TIME + i]
    bits = apply(w, book, i, t)
    if TIMED or bits & 1 != 0:
        if passed > 0.0:
            for r in range(REACTIONS):
                o = r * W + i
                w[BUDGETS + o] = max(w[BUDGETS + o] - w[RATES + o] * passed, TINY)
        w[TIME + i] = t
    if bits & 1 != 0 and valid(w, i) == 0.0:
        w[FAULT + i] = np.nan
    return bits


run = loop(begin, prepare, sweep, reach, ready, read, arrive, False)
