"""Jumps along a path that is known: hazards that change while continuous species move within a step.

A step of an ODE method gives the path of the continuous species as a polynomial. Along it a lane goes from jump to jump
with the step left as it is, as long as no jump changes what the path of another species depends on; a change of a
species that acts on itself alone, and in proportion, fades or grows beside its path. The hazard of all jumps is
integrated over hops by Simpson's rule; a hop is halved until the rule's error (seen in the second difference of the
hazard) is below the tolerance. The jump is at the root of the integrated parabola; conditions, and thresholds that a
species falls through, are found by bisection of the path.
"""

import numpy as np
from numba import uint64

from ctcdyn.kernels.contract import (
    CANDIDATE,
    CHOICE,
    DISCRETE,
    FALL,
    FUSED,
    GUARDED,
    OPEN,
    PACES,
    RESTING,
    RISE,
    SPECIES,
    STIRS,
    TAMED,
    TIME,
    TIMED,
    TOTAL,
    WALKED,
    U,
    W,
    X,
    changes,
    fire,
    guard,
    guard_jump,
    prefix,
    sums,
)
from ctcdyn.kernels.lanemath import exp_
from ctcdyn.kernels.lanes import BUDGET, CALLED, FAILED, FIRED, FLAG, NEXT, NOT_FINITE, RTOL, WINDOW, WORK
from ctcdyn.kernels.machine import block, lane
from ctcdyn.kernels.steps import METHOD, ROUNDING, SMALLEST
from ctcdyn.kernels.streams import exponential, uniform

WIDE = SPECIES * W
PATH = METHOD + 9 * WIDE  # behind Rodas5P: OLD, P1, P2, P3, P4 and NEW of the step that was accepted
P_END = PATH + 5 * WIDE
PHASE = PATH + 6 * WIDE  # what comes next: an event, a step, or a hop along the path of the last step
ORIGIN, FINISH, INVERSE = PHASE + W, PHASE + 2 * W, PHASE + 3 * W  # where the path begins and ends; 1 / its length
SHARE = PHASE + 4 * W  # where on the path, 0 to 1
HOP = PHASE + 5 * W  # length of the hop, days
LONGEST = PHASE + 6 * W  # that the last hops allow
LATEST = PHASE + 7 * W  # how far the last path was followed, days
AT_START, AT_HALF = PHASE + 8 * W, PHASE + 9 * W  # hazard at the beginning and in the middle of the hop, 1/d
SPENT = PHASE + 10 * W  # hazard of the whole hop
KNOWN, ACTIVE = PHASE + 11 * W, PHASE + 12 * W  # time up to which nothing happens to a lane; 1 where it hops
GOES, LEAPS = PHASE + 13 * W, PHASE + 14 * W  # 1 where it gets there, 1 where a jump ends it
CROSSED, TURNS = PHASE + 15 * W, PHASE + 16 * W  # 1 where a condition or threshold lies within; where a species turns
LONGER = PHASE + 17 * W  # LONGEST once this hop is taken
SHIFT_NOW, SHIFT_THEN = PHASE + 18 * W, PHASE + 18 * W + WIDE  # what jumps add to the path: at TIME, where one looks
STOOD, MOVES = SHIFT_THEN + WIDE, SHIFT_THEN + 2 * WIDE  # the state where the hop began; 1 where a species moves
LEFT = MOVES + WIDE  # 1 where a lane has left its path, or is looked at
JUMPS_END = LEFT + W

STANDING, STEPPING, ALONG = 0.0, 1.0, 2.0
SIMPSON = 180.0  # of an exponential: relative error = (relative second difference)**2 / 180
SLIGHT = 1e-10  # of a hazard: less than matters, and rounding may be all there is


@lane
def faded(w, i, o, ahead):
    """What jumps have added to the path of a species, `ahead` days from TIME."""
    shift = w[SHIFT_NOW + o]
    grown = shift * exp_(w[PACES + o] * ahead)
    return shift if shift == 0.0 else grown


@lane
def on_path(w, i, o, x, shift):
    """One species of lane i at the share x of its path, with what jumps have added; a discrete one stands."""
    p = w[PATH + 3 * WIDE + o] + x * w[PATH + 4 * WIDE + o]
    p = w[PATH + WIDE + o] + x * (w[PATH + 2 * WIDE + o] + x * p)
    y = w[P_END + o] if x >= 1.0 else w[PATH + o] + x * p
    y += shift
    return w[X + o] if w[DISCRETE + o] > 0.0 else y


@block
def walk(w):
    """Every lane on a path to its CANDIDATE time; of pinned species only those that somebody asks for."""
    for i in range(W):
        late = w[CANDIDATE + i] >= w[FINISH + i]
        w[SHARE + i] = 1.0 if late else (w[CANDIDATE + i] - w[ORIGIN + i]) * w[INVERSE + i]
    for s in range(SPECIES):
        if not WALKED[s] or w[MOVES + s * W] == 0.0:  # in no lane
            continue
        if w[MOVES + s * W] > 1.0:
            for i in range(W):
                w[SHIFT_THEN + s * W + i] = faded(w, i, s * W + i, w[CANDIDATE + i] - w[TIME + i])
        for i in range(W):
            o = s * W + i
            y = on_path(w, i, o, w[SHARE + i], w[SHIFT_THEN + o])
            w[X + o] = y if w[PHASE + i] == ALONG else w[X + o]


@block
def survey(w):
    """Before a hop: which species move in some lane (MOVES of its first lane 1), and which carry what fades (2)."""
    for s in range(SPECIES):
        if not WALKED[s]:
            continue
        moves = 0  # whole numbers: their sums are packed, those of floats are not
        fades = 0
        for i in range(W):
            o = s * W + i
            w[STOOD + o] = w[X + o]
            w[SHIFT_THEN + o] = w[SHIFT_NOW + o]
            moves += 1 if w[DISCRETE + o] == 0.0 else 0
            fades += 1 if (w[SHIFT_NOW + o] != 0.0) & (w[PACES + o] != 0.0) else 0
        w[MOVES + s * W] = 2.0 if TAMED and fades > 0 else 1.0 if moves > 0 else 0.0


@block
def weigh(w):
    """The hazard of every lane at its CANDIDATE time."""
    if FUSED:
        for i in range(W):
            w[TOTAL + i] = prefix(w, i, w[CANDIDATE + i])[-1]
    else:
        sums(w)


@lane
def set_out(w, v, i, window):
    """The length of the hop: about to the next jump, to the end of the path at most."""
    w[AT_START + i] = w[TOTAL + i]
    h = w[FINISH + i] - w[TIME + i]
    wait = 1.0625 * w[BUDGET + i] / w[TOTAL + i]
    wait = SMALLEST if wait < SMALLEST else wait
    h = wait if wait < h else h
    h = w[LONGEST + i] if w[LONGEST + i] < h else h
    if TIMED:
        h = window if window < h else h
    w[HOP + i] = h
    w[CANDIDATE + i] = w[TIME + i] + 0.5 * h


@lane
def be_half_way(w, i):
    w[AT_HALF + i] = w[TOTAL + i]
    end = w[TIME + i] + w[HOP + i]
    w[CANDIDATE + i] = w[FINISH + i] if w[HOP + i] >= w[FINISH + i] - w[TIME + i] else end


@lane
def land(w, v, i, tolerance):
    """Where the hop of lane i ends: at a jump, at its own end, or nowhere, as it must be halved or passes a stop."""
    h, low, half, high = w[HOP + i], w[AT_START + i], w[AT_HALF + i], w[TOTAL + i]
    on = w[ACTIVE + i] > 0.0
    broken = on & (not (low + half + high < np.inf))
    bend = abs(low - 2.0 * half + high)
    most = low if low > half else half
    most = high if high > most else most
    slight = h * bend <= SLIGHT
    fine = (bend <= tolerance * most) | slight | (h <= ROUNDING * abs(w[TIME + i]))
    spent = h * (low + 4.0 * half + high) * (1.0 / 6.0)
    leaps = w[BUDGET + i] <= spent
    # the root in (0, 1] of low s + b s^2 / 2 + c s^3 / 3 = y: of the trapezium, then two steps of Newton's
    y = w[BUDGET + i] / h
    b = 4.0 * half - 3.0 * low - high
    c = 2.0 * (low - 2.0 * half + high)
    under = low * low + 2.0 * (high - low) * y
    s = 2.0 * y / (low + np.sqrt(under if under > 0.0 else 0.0))
    s = s if s < 1.0 else 1.0
    for _ in range(2):
        s = s - (s * (low + s * (0.5 * b + s * (c * (1.0 / 3.0)))) - y) / (low + s * (b + s * c))
        s = s if s < 1.0 else 1.0
        s = s if s > 0.0 else 0.0
    t = w[TIME + i] + s * h
    t = t if t < w[CANDIDATE + i] else w[CANDIDATE + i]
    t = t if leaps else w[CANDIDATE + i]
    fine = on & fine & (not broken)
    v[FLAG + i] = uint64(FAILED + NOT_FINITE) if broken else v[FLAG + i]
    longer = 4.0 * h if 4.0 * h > w[LONGEST + i] else w[LONGEST + i]
    w[LONGER + i] = longer if (16.0 * bend <= tolerance * most) | slight else w[LONGEST + i]
    w[LONGEST + i] = 0.5 * h if on & (not fine) else w[LONGEST + i]
    w[KNOWN + i] = t if fine else w[KNOWN + i]
    w[ACTIVE + i] = 1.0 if fine else 0.0
    w[GOES + i] = 1.0 if fine & (t <= w[NEXT + i]) else 0.0
    w[LEAPS + i] = 1.0 if leaps else 0.0
    w[SPENT + i] = spent
    w[CANDIDATE + i] = t if fine else w[TIME + i]


@lane
def meet_threshold(w, i, o):
    """A continuous species that falls through its threshold by the end of the hop."""
    crossed, active, x = w[CROSSED + i], w[ACTIVE + i], w[X + o]
    x = x if x > 0.0 else 0.0
    falls = (w[DISCRETE + o] == 0.0) & (x < w[FALL + o])
    w[CROSSED + i] = active if falls else crossed


@lane
def meet_condition(w, i):
    """A condition that is true at the end of the hop."""
    crossed, active = w[CROSSED + i], w[ACTIVE + i]
    w[CROSSED + i] = active if guard(w, i, w[CANDIDATE + i]) > 0.0 else crossed


@lane
def carry_shift(w, i, o):
    """The shift of a species at the end of the hop, where the lane goes there."""
    now, then = w[SHIFT_NOW + o], w[SHIFT_THEN + o]
    w[SHIFT_NOW + o] = then if w[GOES + i] > 0.0 else now
    w[U + o] = w[X + o]


@block
def pause(w, v):
    """Lanes whose hop passes a save or stop, and meets nothing: they are called, and stay where they are."""
    paused = 0
    for i in range(W):
        stays = (w[ACTIVE + i] > w[GOES + i]) & (w[CROSSED + i] == 0.0)
        v[FLAG + i] = uint64(CALLED) if stays else v[FLAG + i]
        paused += 1 if stays else 0
    if paused > 0:
        for i in range(W):
            if w[ACTIVE + i] > w[GOES + i] and w[CROSSED + i] == 0.0:
                stay(w, i)


@lane
def commit(w, v, i, total):
    """Lane i at its CANDIDATE time; what falls into a reaction where a jump happens there, -1 elsewhere.

    The draws of lanes without a jump are put back.
    """
    goes = w[GOES + i] > 0.0
    leaps = goes & (w[LEAPS + i] > 0.0)
    s0, s1, s2, s3 = v[i], v[W + i], v[2 * W + i], v[3 * W + i]
    y = uniform(v, i) * total
    fresh = exponential(v, i)
    left = w[BUDGET + i] - w[SPENT + i]
    left = left if left > 5e-324 else 5e-324
    left = left if goes else w[BUDGET + i]
    w[BUDGET + i] = fresh if leaps else left
    w[TIME + i] = w[CANDIDATE + i] if goes else w[TIME + i]
    v[i] = v[i] if leaps else s0
    v[W + i] = v[W + i] if leaps else s1
    v[2 * W + i] = v[2 * W + i] if leaps else s2
    v[3 * W + i] = v[3 * W + i] if leaps else s3
    w[LEAPS + i] = 1.0 if leaps else 0.0
    w[LONGEST + i] = w[LONGER + i] if goes else w[LONGEST + i]
    w[WORK + i] += 1.0 if leaps else 0.0
    return y if leaps else -1.0


@block
def hop(w, v, setting):
    """Every lane on a path a hop further: to its next jump, to a save or stop that comes before it, or to the end."""
    tolerance = np.sqrt(SIMPSON * setting[RTOL])
    for i in range(W):
        w[ACTIVE + i] = 1.0 if (w[PHASE + i] == ALONG) & (v[FLAG + i] == uint64(0)) else 0.0
        w[CANDIDATE + i] = w[TIME + i]
    weigh(w)
    survey(w)
    for i in range(W):
        set_out(w, v, i, setting[WINDOW])
    walk(w)
    weigh(w)
    for i in range(W):
        be_half_way(w, i)
    walk(w)
    weigh(w)
    for i in range(W):
        land(w, v, i, tolerance)
        w[CROSSED + i] = 0.0
    walk(w)
    for s in range(SPECIES):
        if OPEN[s]:
            for i in range(W):
                meet_threshold(w, i, s * W + i)
    if GUARDED:
        for i in range(W):
            meet_condition(w, i)
    pause(w, v)
    for i in range(W):
        w[GOES + i] = w[GOES + i] * (1.0 - w[CROSSED + i])
    for s in range(SPECIES):
        if OPEN[s]:
            for i in range(W):
                carry_shift(w, i, s * W + i)
    if FUSED:
        for i in range(W):
            c = prefix(w, i, w[CANDIDATE + i])
            y = commit(w, v, i, c[-1])
            fire(w, i, c, y)
    else:
        sums(w)
        for i in range(W):
            w[CHOICE + i] = commit(w, v, i, w[TOTAL + i])
        changes(w)
    arrivals(w, v)


@block
def arrivals(w, v):
    """After the jumps: which lanes need a new step, which a new partition, and where a condition has become true."""
    for i in range(W):
        w[ACTIVE + i] = 0.0
    for s in range(SPECIES):
        if OPEN[s]:
            for i in range(W):
                take_jump(w, i, s * W + i)
    for i in range(W):
        leave_path(w, i)
    if GUARDED:
        for i in range(W):
            note_jump(w, v, i)
    turning(w)
    if RESTING:
        catch_up(w)


@block
def catch_up(w):
    """Pinned species that nobody asked for on the way, where a lane leaves its path or is looked at."""
    left = 0
    for i in range(W):
        turns = (w[TURNS + i] > 0.0) & (w[GOES + i] > 0.0)
        w[LEFT + i] = 1.0 if turns else w[LEFT + i]
        left += 1 if w[LEFT + i] > 0.0 else 0
    if left > 0:
        for s in range(SPECIES):
            if not WALKED[s]:
                for i in range(W):
                    y = on_path(w, i, s * W + i, w[SHARE + i], 0.0)
                    w[X + s * W + i] = y if w[LEFT + i] > 0.0 else w[X + s * W + i]


@lane
def take_jump(w, i, o):
    """What the jump has changed of one species; whether another's drift depends on it."""
    x, before, shift, active = w[X + o], w[U + o], w[SHIFT_NOW + o], w[ACTIVE + i]
    real = w[DISCRETE + o] == 0.0
    x = 0.0 if real & (x < 0.0) & (x < before) else x  # a jump takes no more than there is
    w[X + o] = x
    w[SHIFT_NOW + o] = shift + (x - before) if real else shift
    w[ACTIVE + i] = 1.0 if (x != before) & (w[STIRS + o] > 0.0) else active


@lane
def note_jump(w, v, i):
    """Where the jump has made a condition true; those on what jumps do not change were looked at before it."""
    flag, left = v[FLAG + i], w[LEFT + i]
    met = (guard_jump(w, i, w[TIME + i]) > 0.0) & (flag == uint64(0)) & (w[LEAPS + i] > 0.0)
    v[FLAG + i] = uint64(FIRED) if met else flag
    w[LEFT + i] = 1.0 if met else left


@lane
def leave_path(w, i):
    """Lanes whose path is over, or no longer true."""
    latest, phase, spent = w[LATEST + i], w[PHASE + i], w[TIME + i] - w[ORIGIN + i]
    stirred = (w[LEAPS + i] > 0.0) & (w[ACTIVE + i] > 0.0)
    over = (w[GOES + i] > 0.0) & (w[TIME + i] >= w[FINISH + i])
    w[LATEST + i] = spent if stirred | over else latest
    w[PHASE + i] = STEPPING if stirred | over else phase
    w[LEFT + i] = 1.0 if stirred | over else 0.0


@block
def turning(w):
    """Marks the lanes in which a species is past its threshold."""
    for i in range(W):
        w[TURNS + i] = 0.0
    for s in range(SPECIES):
        if not OPEN[s]:
            continue
        for i in range(W):
            o = s * W + i
            x = w[X + o]
            rises = (w[DISCRETE + o] > 0.0) & (x >= w[RISE + o])
            low = x if x > 0.0 else 0.0
            falls = (w[DISCRETE + o] == 0.0) & (low < w[FALL + o])
            past = (rises | falls) & (w[CROSSED + i] == 0.0)  # else it stands where it might have gone
            w[TURNS + i] = 1.0 if past else w[TURNS + i]


@block
def stay(w, i):
    """Puts lane i back to where its hop began, to the last bit: a save must not be seen in the path."""
    for s in range(SPECIES):
        if WALKED[s]:
            w[X + s * W + i] = w[STOOD + s * W + i]
