"""First-order leap: whole counts over steps as long as rates stand still, however fast they are.

Where a reaction takes one cell, or none, and its rate for each cell depends on time, parameters and pinned species
only, cells are independent of one another, so that the law of all counts after a step of any length is known: plain
cells go along their ways with probabilities P = exp(A h) (multinomial, drawn as binomials one after the other), sources
bring Poisson numbers with integrated means, and what divides has the geometric law of birth and death. Exact for
constant rates; `ctcdyn check --explain` says so species by species.

- What arrives within a step where cells divide gets its time from its true law, by halving the step.
- What a dividing cell meets (a detection, a return to sleep) is met at its exact time, one after the other; where more
  than MANY of them are to be expected in a step, by a splitting of weak order 2 (G. Strang 1968).
- Rates that change with time are taken as their mean over the step, sources as polynomials of degree 4: weak order 2,
  and steps are halved until the change is small (`pinned`). Pinned species are an ODE with error control.
- Rates that depend on counts are frozen over a step in pairs of weak order 2 (`pinned`), which are as long as the rates
  are steady by their own drift and noise.

A step leads from a stop or save to the next, or is one of 2**level parts of that way; stiffness shortens none. Draws
are addressed by that place and their transition. No count is ever negative.

M. A. Gibson and J. Bruck's remark that reactions of first order need no clock of their own is as old as the branching
process: T. E. Harris, The Theory of Branching Processes, 1963; D. G. Kendall 1948, doi:10.1214/aoms/1177730285; closed
laws of monomolecular networks: T. Jahnke and W. Huisinga 2007, doi:10.1007/s00285-006-0034-x.
"""

import numpy as np
from numba import uint64

from ctcdyn.kernels.addresses import address_step, scramble
from ctcdyn.kernels.cells import NEW, SLOT, SPAN, TOP, exported
from ctcdyn.kernels.conditions import CONDITIONED, CUT, cross, meet_first, near
from ctcdyn.kernels.contract import (
    EXPORTING,
    FORCE,
    FOUNDING,
    FROZEN,
    GROWER_ROW,
    GROWERS,
    GUARDED,
    MOVE_AT,
    MOVE_ROW,
    MOVE_STEP,
    MOVING,
    PINNING,
    REAL_ROW,
    REALS,
    SIMPLE,
    SPECIES,
    TIME,
    WATCHED,
    WAY_ROW,
    WAYS,
    W,
    X,
    Y,
    apply,
    guard,
)
from ctcdyn.kernels.drawing import ACTIVE, MET, RARE, draw_all, follow
from ctcdyn.kernels.foundings import FEW_FOUND, FOUND, MOST_FOUND, enter_in_log
from ctcdyn.kernels.lanemath import pow_
from ctcdyn.kernels.lanes import (
    ATOL,
    CALLED,
    EVENT_LIMIT,
    FAILED,
    FIRED,
    FLAG,
    LOG_FULL,
    LONGEST_STEP,
    NEXT,
    NOT_FINITE,
    OK,
    OWN_WORDS,
    RTOL,
    WINDOW,
    loop,
)
from ctcdyn.kernels.laws import FILLED, LENT, MANY, USED, fill, founders_expected, lasting, laws
from ctcdyn.kernels.machine import bits_from_float, block, float_from_bits, lane
from ctcdyn.kernels.pinned import BACK, ROUGH, SECOND, STRIDE, force, survey
from ctcdyn.kernels.standing import read, ready

SEMANTICS = "mixed"
ALGEBRA = ("transition",)
GRID_FREE = False
ORDER = "exact (weak 2 where rates depend on counts or time)"
WIDTHS = ((32, 0),)
SOURCE = "doi:10.1214/aoms/1177730285"

ORIGIN = CONDITIONED  # time at which the way to the goal began
GOAL = ORIGIN + W  # the stop or save it leads to; NaN where a new way begins
LEVEL = ORIGIN + 2 * W  # the step is one of 2**LEVEL equal parts of the way
INDEX = ORIGIN + 3 * W  # the how many-th
PIECES = ORIGIN + 4 * W  # 2**LEVEL
NEW_WAY = ORIGIN + 5 * W  # 1 where a way begins
SHIFT_MEAN = ORIGIN + 6 * W
SHIFT_SQUARE = SHIFT_MEAN + WAYS * W
PACED = SHIFT_SQUARE + WAYS * W  # longest step in which few enough lesions are founded, days
ROWS = PACED + W

KEY, NAME = OWN_WORDS, OWN_WORDS + W  # rows of v: seed and number of the trajectory
DEEPEST = 40  # level beyond which a step is not divided
DRIFTING, SHAKING = 0.05, 0.05  # relative change, and its variance, of a rate in a pair of steps with frozen rates
SMOOTH = 0.25  # roughness of a step up to which one of twice its length is tried
SPLIT = 0.25  # things met by a cell in a step, where there are many


@block
def begin(w, v, i, seed, number, setting):
    v[KEY + i] = seed
    v[NAME + i] = number
    w[GOAL + i] = np.nan
    w[CUT + i] = 0.0
    w[MET + i] = -1.0
    w[LENT + i] = 1.0
    w[SECOND + i] = 0.0
    w[STRIDE + i] = 1.0
    w[ROUGH + i] = 0.0
    w[PACED + i] = np.inf
    w[FOUND + i] = 0.0
    return OK


@block
def prepare(w, v, i, t, setting, changed):
    """The method has no stops of its own."""
    if changed:
        w[LENT + i] = 1.0
    w[GOAL + i] = np.nan
    return np.inf


@block
def steady(w, i):
    """Days over which rates that depend on counts are steady: their drift and noise by every reaction."""
    for k in range(WAYS):
        w[SHIFT_MEAN + k * W + i] = 0.0
        w[SHIFT_SQUARE + k * W + i] = 0.0
        w[USED + k * W + i] = w[FORCE + k * W + i]
    w[FILLED + i] = np.nan
    for r in range(WAYS):
        rate = w[USED + r * W + i]
        if WAY_ROW[r] >= 0:
            rate *= w[X + WAY_ROW[r] * W + i]
        if rate > 0.0:
            for k in range(MOVE_AT[r], MOVE_AT[r + 1]):
                w[X + MOVE_ROW[k] * W + i] += MOVE_STEP[k]
            force(w, i)
            for k in range(MOVE_AT[r], MOVE_AT[r + 1]):
                w[X + MOVE_ROW[k] * W + i] -= MOVE_STEP[k]
            for k in range(WAYS):
                shift = w[FORCE + k * W + i] - w[USED + k * W + i]
                w[SHIFT_MEAN + k * W + i] += rate * shift
                w[SHIFT_SQUARE + k * W + i] += rate * shift * shift
    h = np.inf
    for k in range(WAYS):
        w[FORCE + k * W + i] = w[USED + k * W + i]
        scale = 0.0
        for r in range(WAYS):
            if WAY_ROW[r] == WAY_ROW[k] and (r == k or WAY_ROW[k] >= 0):
                scale += w[USED + r * W + i]
        drift = abs(w[SHIFT_MEAN + k * W + i])
        noise = w[SHIFT_SQUARE + k * W + i]
        # relative to the rate, or so that it makes less than a part of an event in the step
        cells = max(w[X + WAY_ROW[k] * W + i], 1.0) if WAY_ROW[k] >= 0 else 1.0
        if drift > 0.0:
            h = min(h, max(DRIFTING * scale / drift, np.sqrt(DRIFTING / (drift * cells))))
        if noise > 0.0:
            h = min(h, max(SHAKING * scale * scale / noise, pow_(SHAKING / (noise * cells * cells), 1.0 / 3.0)))
    return h


@block
def crowd(w, i):
    """Days over which a grower with many cells meets little for each."""
    h = np.inf
    for g in range(GROWERS):
        c = exported(w, i, g)
        if c > 0.0 and w[X + GROWER_ROW[g] * W + i] * c > 0.0:
            # by the end of a step that meets MANY things at most nothing is split
            if w[X + GROWER_ROW[g] * W + i] * c * h > MANY:
                h = max(SPLIT / c, MANY / (w[X + GROWER_ROW[g] * W + i] * c))
    return h


@block
def aim(w, v, i, setting):
    """The step of lane i and its rates; returns a status if there is none."""
    way = w[GOAL + i] - w[ORIGIN + i]
    free = w[SECOND + i] == 0.0
    if FROZEN and free:
        for s in range(SPECIES):
            w[BACK + s * W + i] = w[X + s * W + i]
        if w[LEVEL + i] == 0.0:
            w[LEVEL + i] = 1.0
    if free:  # one level coarser than the last step, if the place allows and that was smooth
        least = 1.0 if FROZEN else 0.0
        places = 4.0 if FROZEN else 2.0
        if w[LEVEL + i] > least and w[INDEX + i] % places == 0.0 and w[ROUGH + i] < SMOOTH:
            w[LEVEL + i] -= 1.0
            w[INDEX + i] *= 0.5
    longest = setting[LONGEST_STEP]
    if (FROZEN or EXPORTING or GUARDED or FOUNDING) and free:
        longest = min(longest, long_enough(w, i))
    for _ in range(DEEPEST):
        h = way * 0.5 ** int(w[LEVEL + i])
        if not (h <= longest) and w[LEVEL + i] < DEEPEST:
            w[LEVEL + i] += 1.0
            w[INDEX + i] *= 2.0
            continue
        if MOVING or FROZEN or PINNING or w[LENT + i] > 0.0 or w[FILLED + i] != w[FILLED + i]:
            survey(w, i, h, setting[RTOL], setting[ATOL])
            if w[ROUGH + i] > 1.0 and free and w[LEVEL + i] < DEEPEST:
                w[LEVEL + i] += 1.0
                w[INDEX + i] *= 2.0
                continue
        if GUARDED and h > setting[WINDOW] and w[LEVEL + i] < DEEPEST and free and WATCHED > 0 and near(w, i, h):
            w[LEVEL + i] += 1.0
            w[INDEX + i] *= 2.0
            continue
        break
    w[SPAN + i] = way * 0.5 ** int(w[LEVEL + i])
    w[CUT + i] = 0.0
    if GUARDED:
        cross(w, i, w[SPAN + i], setting[RTOL], setting[ATOL])
    for k in range(WAYS):
        if not (w[FORCE + k * W + i] >= 0.0) or w[FORCE + k * W + i] == np.inf:
            return NOT_FINITE
    for k in range(REALS):
        if not (abs(w[Y + k * W + i]) < np.inf):
            return NOT_FINITE
    return OK


@block
def long_enough(w, i):
    """The longest step (of a pair: each) that counts allow, days."""
    longest = np.inf
    if FROZEN:
        survey(w, i, 0.0, 1.0, 1.0)
        longest = 0.5 * steady(w, i)
    elif w[LENT + i] > 0.0 or w[FILLED + i] != w[FILLED + i]:
        survey(w, i, 0.0, 1.0, 1.0)
    if EXPORTING:
        longest = min(longest, crowd(w, i))
    if FOUNDING:
        longest = min(longest, w[PACED + i])
    return longest


@block
def pace(w, v, i, setting):
    """Steps are halved, before anything is drawn, until FEW_FOUND lesions are to be expected; returns a status."""
    for _ in range(DEEPEST):
        fill(w, i)
        many = founders_expected(w, i)
        if many <= FEW_FOUND or w[LEVEL + i] >= DEEPEST or w[SECOND + i] > 0.0:
            w[PACED + i] *= 2.0 if many < 0.25 * FEW_FOUND else 1.0
            return OK
        w[PACED + i] = 0.5 * w[SPAN + i]
        code = aim(w, v, i, setting)
        if code != OK:
            return code
    return OK


@lane
def set_out(w, v, i):
    """Where a lane has a new stop or save before it a new way begins (1); it is ACTIVE if it is not there."""
    t = w[TIME + i]
    goal = w[NEXT + i]
    new = w[GOAL + i] != goal  # also from NaN
    w[GOAL + i] = goal
    w[ORIGIN + i] = t if new else w[ORIGIN + i]
    w[LEVEL + i] = 0.0 if new else w[LEVEL + i]
    w[INDEX + i] = 0.0 if new else w[INDEX + i]
    w[SECOND + i] = 0.0 if new else w[SECOND + i]
    active = goal > t
    w[ACTIVE + i] = 1.0 if active else 0.0
    w[NEW_WAY + i] = 1.0 if new & active else 0.0
    w[SPAN + i] = goal - t if active else 0.0
    v[FLAG + i] = uint64(0) if active else uint64(CALLED)
    return uint64(1) if new & active else uint64(0)


@lane
def address_way(w, v, i):
    """The first part of the address of all draws on a new way: see `addresses.address_stop`."""
    a, b = scramble(v[NAME + i], bits_from_float(w[ORIGIN + i]) ^ uint64(0x8000_0000_0000_0000), v[KEY + i])
    new = w[NEW_WAY + i] > 0.0
    v[i] = a if new else v[i]
    v[W + i] = b if new else v[W + i]


@block
def sweep(w, v, setting):
    """A step of every lane."""
    new = uint64(0)
    for i in range(W):
        new += set_out(w, v, i)
    if new > uint64(0):
        for i in range(W):
            address_way(w, v, i)
    for i in range(W):
        filled = SIMPLE and lasting(w, i) and w[SPAN + i] <= setting[LONGEST_STEP]
        if w[ACTIVE + i] > 0.0 and not filled:
            code = aim(w, v, i, setting)
            if FOUNDING and code == OK:
                code = pace(w, v, i, setting)
            if code != OK:
                w[ACTIVE + i] = 0.0
                v[FLAG + i] = uint64(FAILED + code)
    for i in range(W):
        w[PIECES + i] = float_from_bits((uint64(w[LEVEL + i]) + uint64(1023)) << uint64(52))
        address_step(v, i, w[PIECES + i] + w[INDEX + i])
        w[SLOT + i] = 0.0
        w[TOP + i] = 0.0
    for i in range(W):
        if w[ACTIVE + i] > 0.0 and not (SIMPLE and lasting(w, i)):
            if GUARDED and EXPORTING:
                meet_first(w, v, i, MANY, setting[RTOL], setting[ATOL])
            laws(w, v, i)
    draw_all(w, v)
    for i in range(W):
        if w[RARE + i] > 0.0 and not follow(w, v, i):
            w[ACTIVE + i] = 0.0
            v[FLAG + i] = uint64(FAILED + EVENT_LIMIT)
        if FOUNDING and w[FOUND + i] > MOST_FOUND:
            w[ACTIVE + i] = 0.0
            v[FLAG + i] = uint64(FAILED + LOG_FULL)
    for s in range(SPECIES):
        for i in range(W):
            w[X + s * W + i] = w[NEW + s * W + i]
    flags = uint64(0)
    for i in range(W):
        flags += tread(w, v, i)
    if PINNING:
        for k in range(REALS):
            row = REAL_ROW[k] * W
            for i in range(W):
                w[X + row + i] = w[Y + k * W + i] if w[ACTIVE + i] > 0.0 else w[X + row + i]
    if GUARDED:
        for i in range(W):
            met = (guard(w, i, w[TIME + i]) > 0.0) & (w[ACTIVE + i] > 0.0)
            flags += uint64(FIRED) if met else uint64(0)
            v[FLAG + i] = uint64(FIRED) if met else v[FLAG + i]
    return flags


@lane
def tread(w, v, i):
    """Puts lane i at the end of its step."""
    active = w[ACTIVE + i] > 0.0
    index = w[INDEX + i] + 1.0
    over = active & (index >= w[PIECES + i])
    t = w[ORIGIN + i] + (w[GOAL + i] - w[ORIGIN + i]) * (index / w[PIECES + i])
    t = w[GOAL + i] if over else t
    if GUARDED:
        cut = active & (w[CUT + i] > 0.0)
        t = w[TIME + i] + w[SPAN + i] if cut else t
        over = over | cut
    w[TIME + i] = t if active else w[TIME + i]
    w[INDEX + i] = index
    w[SECOND + i] = 1.0 - w[SECOND + i] if FROZEN else 0.0
    w[GOAL + i] = np.nan if over else w[GOAL + i]
    flag = uint64(CALLED) if active & (t >= w[NEXT + i]) else v[FLAG + i]
    v[FLAG + i] = flag
    return flag


@block
def reach(w, v, i):
    """A condition has become true by the end of a step."""
    return w[TIME + i]


@block
def arrive(w, v, book, i, t):
    """Applies what is due; from a stop a new way begins."""
    if FOUNDING:
        enter_in_log(w, book, i)
    bits = apply(w, book, i, t)
    w[GOAL + i] = np.nan
    return bits


run = loop(begin, prepare, sweep, reach, ready, read, arrive, True)
