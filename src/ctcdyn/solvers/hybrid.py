"""Hybrid: abundant species follow rate equations, rare ones jump; each trajectory decides for itself as it goes.

A discrete species that reaches `switch_up` becomes continuous, a continuous one that falls below `switch_down` discrete
again; the model can pin a species (`continuous = true`), which then follows its equation whatever jumps. A reaction
whose changed and taken species are all continuous is part of the drift, any other is a jump. Continuous species move by
Rodas5P, whose steps end where a jump changes one of them or what their drift depends on; jumps that do not are taken
along the path of the step. The waiting
time of the jumps is one budget of unit-exponential hazard, spent by the integral of their total rate along the path and
carried over steps, saves, stops and new partitions; it is drawn only after a jump, as in `direct`.

Exact but for three things: the noise of continuous species is left out (the threshold says from where on); steps, and
hops of the hazard, obey rtol and atol; a species that turns discrete is rounded up or down at random, its mean kept.
Where no species is continuous this is `direct`, bit for bit; where all are, an ODE solver. Two draws a jump from the
stream EVENTS, in direct's order, and one for a rounding.

Use it where few species are rare and the others many. Not where rare ones turn over fast (each event of a rare species
costs, and one that touches a continuous species costs a step): `first_order_leap`. A. Alfonsi, E. Cances, G. Turinici,
B. Di Ventura and W. Huisinga 2005, doi:10.1051/proc:2005001; E. L. Haseltine and J. B. Rawlings 2002,
doi:10.1063/1.1505860.
"""

import numpy as np
from numba import uint64

from ctcdyn.kernels.contract import (
    CANDIDATE,
    DISCRETE,
    FALL,
    PARTITIONED,
    RISE,
    SHOWN,
    SPECIES,
    TIME,
    TIMED,
    W,
    X,
    apply,
    mask,
    partition,
    valid,
)
from ctcdyn.kernels.crossings import cross, look
from ctcdyn.kernels.events import one_event
from ctcdyn.kernels.jumps import (
    ALONG,
    CROSSED,
    JUMPS_END,
    KNOWN,
    LATEST,
    LONGEST,
    PHASE,
    SHIFT_NOW,
    SHIFT_THEN,
    STANDING,
    STEPPING,
    TURNS,
    hop,
    turning,
    weigh,
)
from ctcdyn.kernels.lanes import (
    ATOL,
    BUDGET,
    CALLED,
    FIRED,
    FLAG,
    LONGEST_STEP,
    NEXT,
    NOT_FINITE,
    RTOL,
    STOP,
    SWITCH_DOWN,
    SWITCH_UP,
    WORK,
    loop,
)
from ctcdyn.kernels.machine import block
from ctcdyn.kernels.paths import choose_length, conclude, folds, keep
from ctcdyn.kernels.steps import (
    PASS,
    first_step,
    misfit,
)
from ctcdyn.kernels.streams import EVENTS, exponential, seed_stream, uniform
from ctcdyn.solvers.direct import arrive, prepare, reach
from ctcdyn.solvers.rodas5p import attempt, bend

SEMANTICS = "hybrid"
ALGEBRA = ("jump", "drift", "jacobian", "partition")
GRID_FREE = True
ORDER = "5(4) between jumps, exact jumps"
WIDTHS = ((16, 0),)
SOURCE = "doi:10.1051/proc:2005001"

AIM = JUMPS_END  # NEXT, while events are made
HELD = JUMPS_END + W  # flags of lanes that make none, -1 in the others
ROWS = JUMPS_END + 2 * W
ROUNDS = 32  # runs of events, or hops, of a sweep
RUN = 16  # events of a run
ENOUGH = W // 2  # lanes that wait for a step before one is made: it costs several hops of all lanes, and they idle


@block
def begin(w, v, i, seed, number, setting):
    if not PARTITIONED:
        partition(w, i, setting[SWITCH_UP], setting[SWITCH_DOWN])
    seed_stream(v, i, seed, number, EVENTS)
    w[BUDGET + i] = exponential(v, i)
    w[PHASE + i] = STANDING
    return 0 if valid(w, i) > 0.0 else NOT_FINITE


@block
def divide(w, v, i, setting):
    """Decides again which species of lane i are continuous, and what the lane does next."""
    for s in range(SPECIES):
        o = s * W + i
        x = w[X + o]
        if w[DISCRETE + o] > 0.0:
            if x >= w[RISE + o]:
                w[DISCRETE + o] = 0.0
        elif max(x, 0.0) < w[FALL + o]:
            w[DISCRETE + o] = 1.0
            below = np.floor(max(x, 0.0))
            if x > below:  # up or down at random, so that the mean is kept
                below += 1.0 if uniform(v, i) < x - below else 0.0
            w[X + o] = below
    mask(w, i)
    for s in range(SPECIES):
        w[SHIFT_NOW + s * W + i] = 0.0
    real = 0.0
    for s in range(SHOWN):
        real += 1.0 - w[DISCRETE + s * W + i]
    before = w[PHASE + i]
    w[PHASE + i] = STEPPING if real > 0.0 else STANDING
    if real > 0.0 and before == STANDING:
        start_over(w, i, setting)
    if TIMED and real == 0.0 and before != STANDING:
        w[STOP + i] = min(w[STOP + i], prepare(w, v, i, w[TIME + i], setting, 0))
        w[NEXT + i] = min(w[NEXT + i], w[STOP + i])


@block
def start_over(w, i, setting):
    """Forgets what the last steps said of the next."""
    first_step(w, i, setting)
    w[LONGEST + i] = np.inf
    w[LATEST + i] = np.inf


@block
def plan(w, v, i, t, setting, changed):
    """After a stop: the partition anew where something changed; the window of thinning where nothing is continuous."""
    if changed:
        divide(w, v, i, setting)
        if w[PHASE + i] != STANDING:
            start_over(w, i, setting)
    return prepare(w, v, i, t, setting, changed) if w[PHASE + i] == STANDING else np.inf


@block
def event(w, v):
    """Events, or thinned candidates, of every lane without continuous species, until one of them needs service.

    The other lanes seem to be stopped.
    """
    for i in range(W):
        here = (w[PHASE + i] == STANDING) & (v[FLAG + i] == uint64(0))
        w[AIM + i] = w[NEXT + i]
        w[HELD + i] = -1.0 if here else float(v[FLAG + i])
        w[NEXT + i] = w[NEXT + i] if here else -np.inf
    for _ in range(RUN):
        one_event(w, v)
        turning(w)
        needs = 0.0
        for i in range(W):
            flag = v[FLAG + i]
            here = w[HELD + i] < 0.0
            w[WORK + i] += 1.0 if here & (flag != uint64(CALLED)) else 0.0
            needs += 1.0 if here & ((flag != uint64(0)) | (w[TURNS + i] > 0.0)) else 0.0
        if needs > 0.0:
            break
    for i in range(W):
        here = w[HELD + i] < 0.0
        v[FLAG + i] = v[FLAG + i] if here else uint64(int(w[HELD + i]))
        w[NEXT + i] = w[AIM + i]


@block
def step(w, v, setting):
    """A step of the continuous species of every lane that waits for one."""
    rtol = setting[RTOL]
    atol = setting[ATOL]
    longest = setting[LONGEST_STEP]
    one = 1.0 / SPECIES
    for i in range(W):
        w[CANDIDATE + i] = w[TIME + i]
    weigh(w)
    for i in range(W):
        choose_length(w, v, i)
    for s in range(SPECIES):
        for i in range(W):
            o = s * W + i
            w[SHIFT_THEN + o] = w[X + o]
            w[X + o] -= 0.0 if folds(w, i, o) else w[SHIFT_NOW + o]
    attempt(w)
    for s in range(SPECIES):
        for i in range(W):
            w[X + s * W + i] = w[SHIFT_THEN + s * W + i]
    for i in range(W):
        w[PASS + i] = 0.0
    for s in range(SPECIES):
        for i in range(W):
            w[PASS + i] += misfit(w, i, s * W + i, rtol, atol)
    for s in range(SPECIES):
        for i in range(W):
            bend(w, i, s * W + i)
    for i in range(W):
        conclude(w, v, i, w[PASS + i] * one, longest)
    for s in range(SPECIES):
        for i in range(W):
            keep(w, i, s * W + i)


@block
def waiting(w, v, phase):
    """How many lanes are in a phase and need no service first."""
    count = 0
    for i in range(W):
        count += 1 if (w[PHASE + i] == phase) & (v[FLAG + i] == uint64(0)) else 0
    return count


@block
def ready_to_step(w, v):
    """How many lanes wait for a step; those that have come to their stop are called."""
    count = 0
    for i in range(W):
        here = (w[PHASE + i] == STEPPING) & (v[FLAG + i] == uint64(0))
        stopped = here & (w[TIME + i] >= w[STOP + i])
        v[FLAG + i] = uint64(CALLED) if stopped else v[FLAG + i]
        count += 1 if here & (w[TIME + i] < w[STOP + i]) else 0
    return count


@block
def flagged(v):
    flags = uint64(0)
    for i in range(W):
        flags += v[FLAG + i]
    return flags


@block
def serve(w, v, setting):
    """What is rare after an event or hop: something was met in it, or a species changes sides."""
    for i in range(W):
        if w[TURNS + i] > 0.0:
            divide(w, v, i, setting)
        if w[CROSSED + i] > 0.0:
            w[CROSSED + i] = 0.0
            bits = cross(w, v, i)
            if bits & 1 != 0:
                divide(w, v, i, setting)
            if bits & 2 != 0:
                v[FLAG + i] = uint64(FIRED)


@block
def sweep(w, v, setting):
    """A step where one is due, then events and hops until a lane needs service."""
    for i in range(W):
        idle = w[NEXT + i] == -np.inf
        due = (w[PHASE + i] != STANDING) & ((w[TIME + i] >= w[STOP + i]) | (w[BUDGET + i] != w[BUDGET + i]))
        v[FLAG + i] = uint64(CALLED) if idle | due else uint64(0)
    flags = flagged(v)
    if ready_to_step(w, v) > 0:
        step(w, v, setting)
    for _ in range(ROUNDS):
        if ready_to_step(w, v) >= ENOUGH:
            step(w, v, setting)
        if waiting(w, v, ALONG) > 0:
            hop(w, v, setting)
            serve(w, v, setting)
        if waiting(w, v, STANDING) > 0:
            event(w, v)
            serve(w, v, setting)
        elif waiting(w, v, ALONG) == 0:
            break
        if flagged(v) > flags:
            break
    return flagged(v)


@block
def foresee(w, v, i):
    """Time up to which the path of lane i is known."""
    if w[BUDGET + i] != w[BUDGET + i]:
        return np.nan
    if w[PHASE + i] == STANDING:
        return reach(w, v, i)
    if v[FLAG + i] == uint64(FIRED):
        return w[TIME + i]
    return w[KNOWN + i] if w[PHASE + i] == ALONG else w[STOP + i] + 1.0


@block
def meet(w, v, book, i, t):
    """At a stop: a lane on a path stands there already, and its budget is what is left."""
    if w[PHASE + i] == STANDING:
        return arrive(w, v, book, i, t)
    bits = apply(w, book, i, t)
    if bits & 1 != 0 and valid(w, i) == 0.0:
        w[BUDGET + i] = np.nan
    return bits


@block
def ready(w):
    w[TIME] = w[TIME]


run = loop(begin, plan, sweep, foresee, ready, look, meet, False, True)
