"""The toy model of the contract: dependency. Generated: python -m ctcdyn.codegen.toy"""

import numpy as np
from numba import int64, uint64

from ctcdyn.kernels.lanemath import sin_
from ctcdyn.kernels.machine import block, lane, pick
from ctcdyn.kernels.toy.layout import (
    CHOICE, C_shed, FROM, HIGH_0, LOW_0, Q_shedding, Q_swing, REST, TO, TOP_0, TOP_1, TOP_2, W,
)


ROOM = 72  # doubles of a lane in TREE
SUMS = 64  # where the sums of the groups' parts are in it
GROUPS = 0  # where the groups are in it
FLAT = True  # the groups are the top of the tree
LEVELS = 0  # between parts and top
LEVEL_AT = np.array([0], np.int64)  # where each begins, the highest first
LEVEL_LAST = np.array([0], np.int64)  # number of the last sum of each
GROUP_FACTOR = np.array([0, 1, 50], np.int16)  # row of the factor of each group
FORM = np.array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], np.int16)  # of each part
ARGUMENT_AT = np.array([0, 1, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], np.int16)  # where its arguments begin
ARGUMENTS = np.array([4, 5, 6], np.int16)  # rows, or places among the literals
LITERALS = np.array([0.0])
RENEW = 24  # in the plan: a new window of the bounds
REFILL = 25  # in the plan: everything
PLAN_AT = np.array([0, 9, 23, 23, 23, 23, 23, 23, 29, 23, 23, 23, 23, 23, 23, 23, 38, 23, 23, 23, 23, 23, 23, 23, 47, 56], np.int64)  # of each slot, where in the plan its reaction begins
PLAN = np.array([1, 0, -1, 0, 0, 1, 0, 0, 0, 3, 0, -1, 1, 1, 2, 1, 0, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, -1, 0, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 16, 1, 2, 1, 2, 0, 0, 0, 4, 0, 1, 8, 16, 3, 0, 1, 2, 3, 0, 1, 2, 0, 0], np.int16)  # numbers of entries, and entries: see `follow`


@lane
def form_0(w, i, a):
    """Form 0, its arguments from a on, 1/d or 1/d for one of its factor."""
    p0 = w[uint64(int64(ARGUMENTS[uint64(a + 0)]) * W + i)]
    return p0


@lane
def signless(x):
    """x, or no number where it is below zero."""
    return pick(x >= 0.0, x, np.nan)


@lane
def part(w, i, n):
    """The part in slot n of lane i, or what a rate that depends on time does not exceed over the window."""
    k = int64(FORM[uint64(n)])
    if k < 1:
        return form_0(w, i, int64(ARGUMENT_AT[uint64(n)]))
    else:
        return signless(limit_shed(w, i))


@lane
def tops(w, i):
    """Running sums over the top of the tree, 1/d; the last is the total."""
    c0 = w[TOP_0 + i]
    c1 = c0 + w[TOP_1 + i]
    c2 = c1 + w[TOP_2 + i]
    return c0, c1, c2


@lane
def fall(w, i, c, y):
    """CHOICE: the number of the sum that y falls into, REST: how far; -1 where nothing fires."""
    k = 0.0
    before = 0.0
    k = pick(y >= c[0], 1.0, k)
    before = pick(y >= c[0], c[0], before)
    k = pick(y >= c[1], 2.0, k)
    before = pick(y >= c[1], c[1], before)
    w[CHOICE + i] = k
    w[REST + i] = y - before


@block
def thinned(w, i, t, n):
    """The rate at t of what is in slot n where it depends on time; inf for any other, 1/d."""
    k = int64(FORM[uint64(n)])
    if k >= 1:
        shedding = w[Q_shedding + i]
        swing = w[Q_swing + i]
        c_shed = w[C_shed + i]
        return signless(shedding * (1.0 + swing * sin_(2.0 * 3.141592653589793 * t)) * c_shed)
    return np.inf


@block
def window(w, i):
    """Bounds over [FROM, TO] of what depends on time but on no species."""
    shedding = w[Q_shedding + i]
    swing = w[Q_swing + i]
    x__0 = 2.0 * 3.141592653589793
    x__1 = x__0 * w[FROM + i]
    x__2 = x__0 * w[TO + i]
    x__3 = 0.5 * (x__1 + x__2)
    x__4 = 0.5 * (x__2 - x__1)
    x__5 = sin_(x__3)
    x__6 = x__5 - x__4
    x__7 = pick((-1.0 > x__6) | (-1.0 != -1.0), -1.0, x__6)
    x__8 = x__5 + x__4
    x__9 = pick((1.0 < x__8) | (1.0 != 1.0), 1.0, x__8)
    x__10 = swing * x__7
    x__11 = swing * x__9
    x__12 = pick((x__10 < x__11) | (x__10 != x__10), x__10, x__11)
    x__13 = pick((x__10 > x__11) | (x__10 != x__10), x__10, x__11)
    x__14 = 1.0 + x__12
    x__15 = 1.0 + x__13
    x__16 = shedding * x__14
    x__17 = shedding * x__15
    x__18 = pick((x__16 < x__17) | (x__16 != x__16), x__16, x__17)
    x__19 = pick((x__16 > x__17) | (x__16 != x__16), x__16, x__17)
    c_shed = w[C_shed + i]
    x__20 = x__18 * c_shed
    x__21 = x__19 * c_shed
    x__22 = pick((x__20 < x__21) | (x__20 != x__20), x__20, x__21)
    x__23 = pick((x__20 > x__21) | (x__20 != x__20), x__20, x__21)
    w[LOW_0 + i] = x__22
    w[HIGH_0 + i] = x__23


@lane
def limit_shed(w, i):
    """What the rate of shed does not exceed over the window of lane i, events/d."""
    return w[HIGH_0 + i] * 1.0000000000009095


@block
def valid(w, i):
    """1.0 where every factor of a rate that must not be negative is a number that is not."""
    good = 1.0
    for r in range(3, 8):
        good = pick((w[r * W + i] >= 0.0) & (w[r * W + i] < np.inf), good, 0.0)
    for r in range(18, 19):
        good = pick((w[r * W + i] >= 0.0) & (w[r * W + i] < np.inf), good, 0.0)
    return good
