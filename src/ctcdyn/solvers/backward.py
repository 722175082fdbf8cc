"""Backward equations: the chance of a first appearance, exactly and without sampling.

For networks whose cells are independent (those for which `first_order_leap` is exact), driven by pinned species and by
cells at the start. A lane goes forward, from save to save: rate equations, whose means are exact here; along them the
path of pinned species is kept, with what treatments put into force at each stop. From each save it goes back to the
start with v_i(s; t), the chance that one cell of kind i at time s leads to the event by t (the two-time form, so that
rates may change with time), and with the integral of sources times v. With n_i cells at the start,
P(event by t) = 1 - exp(-integral) prod (1 - v_i)**n_i.

Both ways are Rodas5P (G. Steinebach 2023, doi:10.1007/s10543-023-00967-x). On the way back the error of a step is held
to rtol of each number alone, however small: 1e-8 has as many digits as 0.5. atol, in cells, is for the way forward.

A. N. Kolmogorov 1931, doi:10.1007/BF01457949; D. G. Kendall 1948, doi:10.1214/aoms/1177730285, for the two-time form of
a process of birth and death; which equations there are is in `ctcdyn.codegen.chances`.
"""

import numpy as np
from numba import uint64

from ctcdyn.kernels.contract import (
    AT,
    BORN,
    CELL_ROW,
    CELLS,
    GUARDED,
    HERE,
    MEANS,
    PATH_ROW,
    PATHS,
    RETURNING,
    SEGMENT,
    SHIFT,
    SPECIES,
    TIME,
    TIMED,
    F,
    W,
    X,
    drift,
    drift_back,
    factor,
    factor_back,
    guard,
    jacobian,
    jacobian_back,
    look,
    solve,
    solve_back,
    time_derivative,
    time_derivative_back,
)
from ctcdyn.kernels.guards import arrive, reach
from ctcdyn.kernels.lanes import (
    ATOL,
    CALLED,
    END,
    FAILED,
    FIRED,
    FLAG,
    LONGEST_STEP,
    NEXT,
    OK,
    RTOL,
    STEP_LIMIT,
    WORK,
    loop,
)
from ctcdyn.kernels.machine import block, lane
from ctcdyn.kernels.returns import (
    ACTIVE,
    FRESH,
    FULL,
    GOAL,
    HEADING,
    HOME,
    MARKED,
    OPENING,
    RETURNS_END,
    STEPPED,
    conclude,
    go_on,
    is_home,
    keep_up,
    leave_mark,
    push,
    turn_back,
    verdict,
)
from ctcdyn.kernels.steps import (
    BEFORE,
    NEW,
    OLD,
    PACE,
    PASS,
    SMALLEST,
    SPAN,
    STEP,
    first_step,
    misfit,
)
from ctcdyn.solvers.rodas5p import (
    GAMMA,
    S1,
    S2,
    S3,
    S4,
    S5,
    S6,
    S7,
    S8,
    T1,
    T2,
    T3,
    T4,
    T5,
    T6,
    T7,
    T8,
    bend,
    close,
    load_stage,
    mix_1,
    mix_2,
    mix_3,
    mix_4,
    mix_5,
    mix_6,
    mix_7,
    mix_8,
)

SEMANTICS = "backward"
ALGEBRA = ("drift", "jacobian", "backward")
GRID_FREE = False
ORDER = "5(4), forward and back"
WIDTHS = ((16, 0),)
SOURCE = "doi:10.1007/BF01457949"

ROWS = RETURNS_END
LEAST = 1e-30  # below, a chance is held to what this one is held to


@block
def begin(w, v, i, seed, number, setting):
    w[RETURNING + i] = 0.0
    w[MARKED + i] = 0.0
    w[STEPPED + i] = 0.0
    w[SEGMENT + i] = 0.0
    w[OPENING + i] = 1e-6
    w[HOME + i] = 0.0
    w[FULL + i] = 0.0
    for k in range(CELLS):
        o = CELL_ROW[k] * W + i
        w[X + o] = np.floor(w[X + o] + 0.5)  # whole cells, as in the jump process
        w[BORN + k * W + i] = w[X + o]
    return OK


@block
def prepare(w, v, i, t, setting, changed):
    if changed:
        leave_mark(w, i, t)
        for s in range(MEANS, SPECIES):  # the first step is one of the way forward
            w[X + s * W + i] = 0.0
            w[F + s * W + i] = 0.0
        first_step(w, i, setting)
    return np.inf


@lane
def choose(w, i, way):
    """Whether lane i takes part in a sweep, and its step: forward up to the next save or stop, back up to the mark
    before."""
    goal = w[GOAL + i] if way > 0.0 else w[NEXT + i]
    left = abs(goal - w[TIME + i])
    part = (w[RETURNING + i] == way) & (w[NEXT + i] > -np.inf) & (w[HOME + i] == 0.0)
    h = w[STEP + i]
    h = left if 1.01 * h >= left else h
    h = h if part else 1.0
    h = h if h > 0.0 else SMALLEST
    h = -h if way > 0.0 else h
    w[ACTIVE + i] = 1.0 if part else 0.0
    w[WORK + i] += 1.0 if part else 0.0
    w[SPAN + i] = h
    w[PACE + i] = 1.0 / h
    w[BEFORE + i] = w[TIME + i]
    w[AT + i] = w[TIME + i]
    w[SHIFT + i] = w[PACE + i] * (1.0 / GAMMA)


@block
def stage(w, back, moved, c, d):
    """One stage of every lane; `moved`: it is at another time than the one before."""
    low = MEANS if back else 0  # chosen here and not handed over: an index must be seen to be no negative one
    high = SPECIES if back else MEANS
    for i in range(W):
        w[AT + i] = w[TIME + i] + c * w[SPAN + i]
    if back:
        if moved:
            look(w)
        drift_back(w)
    else:
        drift(w)
    for s in range(low, high):
        for i in range(W):
            load_stage(w, i, s * W + i, d)
    if back:
        solve_back(w)
    else:
        solve(w)


@block
def attempt(w, back):
    """A step of Rodas5P of every lane over its SPAN, in the rows that move that way."""
    low = MEANS if back else 0
    high = SPECIES if back else MEANS
    if back:
        look(w)
        jacobian_back(w)
        factor_back(w)
        if TIMED:
            time_derivative_back(w)
    else:
        jacobian(w)
        factor(w)
        if TIMED:
            time_derivative(w)
    for s in range(low, high):
        for i in range(W):
            mix_1(w, i, s * W + i)
    stage(w, back, False, T1, S1)
    for s in range(low, high):
        for i in range(W):
            mix_2(w, i, s * W + i)
    stage(w, back, True, T2, S2)
    for s in range(low, high):
        for i in range(W):
            mix_3(w, i, s * W + i)
    stage(w, back, True, T3, S3)
    for s in range(low, high):
        for i in range(W):
            mix_4(w, i, s * W + i)
    stage(w, back, True, T4, S4)
    for s in range(low, high):
        for i in range(W):
            mix_5(w, i, s * W + i)
    stage(w, back, True, T5, S5)
    for s in range(low, high):
        for i in range(W):
            mix_6(w, i, s * W + i)
    stage(w, back, True, T6, S6)
    for s in range(low, high):
        for i in range(W):
            mix_7(w, i, s * W + i)
    stage(w, back, False, T7, S7)
    for s in range(low, high):
        for i in range(W):
            mix_8(w, i, s * W + i)
    stage(w, back, False, T8, S8)
    for s in range(low, high):
        for i in range(W):
            close(w, i, s * W + i)


@block
def follow(w, v, i):
    """What comes after a step of one lane: a condition met, a segment of the path, a part of the way back, its end."""
    flag = v[FLAG + i]
    if w[RETURNING + i] == 0.0:
        if w[PASS + i] > 0.0:
            if PATHS > 0:
                push(w, i)
            if GUARDED:
                flag = uint64(FIRED) if guard(w, i, w[TIME + i]) > 0.0 else flag
    elif w[HOME + i] > 0.0:
        conclude(w, i)
        flag = uint64(CALLED)
    else:
        if w[FRESH + i] > 0.0:
            w[OPENING + i] = w[STEP + i]
            w[FRESH + i] = 1.0 - w[PASS + i]
        if w[PASS + i] > 0.0 and w[TIME + i] <= w[GOAL + i]:
            if is_home(w, i):
                conclude(w, i)
                flag = uint64(CALLED)
            else:
                go_on(w, i)
        elif PATHS > 0:
            keep_up(w, i)
    if w[FULL + i] > 0.0:
        flag = uint64(FAILED + STEP_LIMIT)
    v[FLAG + i] = flag
    return flag


@block
def sweep(w, v, setting):
    """A step of every lane that goes forward, or of every lane that goes back. All lanes of one direction come to its
    end before those of the other go on, so that few wait; what a lane does depends on none of this."""
    forth = False
    back = False
    for i in range(W):
        if w[NEXT + i] > -np.inf:
            if w[RETURNING + i] == 0.0 and w[TIME + i] >= w[NEXT + i]:
                turn_back(w, i, setting)
            if w[RETURNING + i] > 0.0:
                back = True
            else:
                forth = True
    back = back if w[HEADING] > 0.0 else not forth
    w[HEADING] = 1.0 if back else 0.0
    low = MEANS if back else 0
    high = SPECIES if back else MEANS
    way = 1.0 if back else 0.0
    for i in range(W):
        choose(w, i, way)
    attempt(w, back)
    for i in range(W):
        w[PASS + i] = 0.0
    rtol = setting[RTOL]
    least = LEAST * rtol if back else setting[ATOL]
    longest = setting[LONGEST_STEP]
    end = setting[END]
    for s in range(low, high):
        for i in range(W):
            w[PASS + i] += misfit(w, i, s * W + i, rtol, least)
    share = 1.0 / (high - low)
    flags = uint64(0)
    for i in range(W):
        flags += verdict(w, v, i, w[PASS + i] * share, longest, end)
    for s in range(low, high):
        for i in range(W):
            w[X + s * W + i] = w[NEW + s * W + i] if w[PASS + i] > 0.0 else w[OLD + s * W + i]
    if not back:
        for r in range(PATHS):
            for i in range(W):
                bend(w, i, PATH_ROW[r] * W + i)
    flags = uint64(0)
    for i in range(W):
        if w[NEXT + i] > -np.inf and v[FLAG + i] < uint64(FAILED):
            follow(w, v, i)
        flags += v[FLAG + i]
    return flags


@block
def ready(w):
    """Dense output of the last step forward, for conditions met within one."""
    for s in range(MEANS):
        for i in range(W):
            bend(w, i, s * W + i)


@lane
def stand(w, i, t):
    """The state of lane i, in HERE: a step forward ends at each save."""
    for s in range(SPECIES):
        w[HERE + s] = w[X + s * W + i]


run = loop(begin, prepare, sweep, reach, ready, stand, arrive, True, True)
