"""The interface that every solver imports, as a working toy model. Generated: python -m ctcdyn.codegen.toy

A solver runs by itself on this model; `ctcdyn.codegen.link` puts the algebra of another in its place. Names in kernels:
`i` lane, `s` species, `r` reaction, `q` parameter, `j` save, `k` trajectory of the range, `t` time in days; `w` work
buffer, `v` generator buffer, `n` lane bookkeeping. The toy: a tumour sheds cells into blood, more of them at one time of
day than at another; they are cleared or go into tissue. A dose multiplies clearance, surgery takes the tissue cells.
"""

import numpy as np
from numba import int64

from ctcdyn.kernels.lanemath import exp_, log_, pow_, sin_, cos_
from ctcdyn.kernels.machine import block, lane, pick, term
from ctcdyn.kernels.normals import polar

W = 16  # lanes of a block; no result depends on it
SPECIES = 3  # state rows
SHOWN = 2  # of which species columns of the output
READINGS = 1  # computed columns of the output, after the state
PARAMETERS = 15  # and initial values given as numbers
REACTIONS = 4
PASSAGES = 1  # first times that are handed over
LOGS = 64  # capacity of the event log of a trajectory
TIMED = True  # a rate depends smoothly on t
GUARDED = True  # a condition on the state is watched
FUSED = True  # a whole step or event is one loop
WHOLE = True  # counts are whole numbers
REAL = (False, False, False)  # of state rows: not even so
PARTITIONED = False  # each lane says which of its species are whole numbers
X = 0 * W  # species, then hidden counters
X_blood, X_tissue, X_arrivals = range(0 * W, 3 * W, W)
Q = 3 * W  # parameters in force
Q_shedding, Q_clearance, Q_extravasation, Q_death, Q_swing, Q_seeded = range(3 * W, 9 * W, W)
Q_detectable, Q_dose_day, Q_holiday, Q_blood__initial, Q_dose__given = range(9 * W, 14 * W, W)
Q_dose__every, Q_dose__cycles, Q_dose__x_clearance, Q_surgery__given = range(14 * W, 18 * W, W)
C = 18 * W  # coefficients
C_shed = 18 * W
SWITCHES = 19 * W  # switch rows, 0 or 1
S_0 = 19 * W
FLIP_0, DUE_0, DUE_1, LEFT_0, HELD_1 = range(20 * W, 25 * W, W)
PASSED = 25 * W  # first time of a passage or treatment, inf before it
PASSED_detection = 25 * W
TIME = 26 * W
AT = 27 * W
HERE = 28 * W  # the columns of one save of one lane, next to each other
RATES = 29 * W  # propensities, 1/d
RATE_shed, RATE_clear, RATE_leave, RATE_die = range(29 * W, 33 * W, W)
BUDGETS = 33 * W  # unit hazard left before each reaction fires
LEFT_OF_shed, LEFT_OF_clear, LEFT_OF_leave, LEFT_OF_die = range(33 * W, 37 * W, W)
DRAWN = 37 * W  # draws made for each reaction
DRAWN_shed, DRAWN_clear, DRAWN_leave, DRAWN_die = range(37 * W, 41 * W, W)
U = 41 * W  # trial state of a stage
U_blood, U_tissue, U_arrivals = range(41 * W, 44 * W, W)
F = 44 * W  # derivative at the trial state
F_blood, F_tissue, F_arrivals = range(44 * W, 47 * W, W)
J = 47 * W  # entries of the Jacobian, 1/d
J_0_0, J_1_0, J_1_1, J_2_0 = range(47 * W, 51 * W, W)
L = 51 * W  # entries of the LU factors of I/(gamma h) - J
L_0_0, L_1_0, L_1_1, L_2_0, L_2_2 = range(51 * W, 56 * W, W)
B = 56 * W  # right-hand side, then solution, of `solve`
B_blood, B_tissue, B_arrivals = range(56 * W, 59 * W, W)
SHIFT = 59 * W
T = 60 * W  # partial derivative of the drift by time
T_blood, T_tissue, T_arrivals = range(60 * W, 63 * W, W)
FROM, TO = range(63 * W, 65 * W, W)
CANDIDATE, LIMIT, CHOICE = range(65 * W, 68 * W, W)
TOTAL = 68 * W  # the last of the running sums
LOW_0, HIGH_0 = range(68 * W, 70 * W, W)
HAZARDS = 70 * W  # propensities, 1/d
HAZARD_shed, HAZARD_clear, HAZARD_leave, HAZARD_die = range(70 * W, 74 * W, W)
NONCRITICAL = 74 * W  # 1 where a reaction is not critical
FREE_OF_shed, FREE_OF_clear, FREE_OF_leave, FREE_OF_die = range(74 * W, 78 * W, W)
FIRINGS = 78 * W  # firings in a step: their mean, then their number
FIRINGS_shed, FIRINGS_clear, FIRINGS_leave, FIRINGS_die = range(78 * W, 82 * W, W)
BEFORE = 82 * W  # state before a step
BEFORE_blood, BEFORE_tissue, BEFORE_arrivals = range(82 * W, 85 * W, W)
SUPPLY = 85 * W  # what a step has left of each species
SUPPLY_blood, SUPPLY_tissue, SUPPLY_arrivals = range(85 * W, 88 * W, W)
EPSILON, LEAP, HAZARD_OF_ALL, HAZARD_OF_CRITICAL = range(88 * W, 92 * W, W)
LAPSE, SPREAD = range(92 * W, 94 * W, W)
Z = 94 * W  # increment of the state by a step
Z_blood, Z_tissue, Z_arrivals = range(94 * W, 97 * W, W)
Y = 97 * W  # trial state of a second stage
Y_blood, Y_tissue, Y_arrivals = range(97 * W, 100 * W, W)
D = 100 * W  # drift at the first stage, 1/d
D_blood, D_tissue, D_arrivals = range(100 * W, 103 * W, W)
A = 103 * W  # intensities of the noises at the first stage, 1/d
A_0, A_1, A_2 = range(103 * W, 106 * W, W)
DISCRETE = 106 * W  # 1 while a species is discrete
DISCRETE_blood, DISCRETE_tissue, DISCRETE_arrivals = range(106 * W, 109 * W, W)
RISE = 109 * W  # a discrete species turns continuous
RISE_blood, RISE_tissue, RISE_arrivals = range(109 * W, 112 * W, W)
FALL = 112 * W  # a continuous one turns discrete below
FALL_blood, FALL_tissue, FALL_arrivals = range(112 * W, 115 * W, W)
STIRS = 115 * W  # 1 where a jump of the species ends a step, as what others do in the drift depends on it
STIRS_blood, STIRS_tissue, STIRS_arrivals = range(115 * W, 118 * W, W)
PACES = 118 * W  # at which a change of it grows by itself, 1/d
PACE_blood, PACE_tissue, PACE_arrivals = range(118 * W, 121 * W, W)
JUMP = 121 * W  # 1 while a reaction is a jump
JUMP_0, JUMP_1, JUMP_2, JUMP_3 = range(121 * W, 125 * W, W)
DRIFT = 125 * W  # 1 while it is none
DRIFT_0, DRIFT_1, DRIFT_2, DRIFT_3 = range(125 * W, 129 * W, W)
FORCE = 129 * W  # rates for each cell, 1/d; of sources the rate itself
FORCE_0, FORCE_1, FORCE_2, FORCE_3 = range(129 * W, 133 * W, W)
Y = 133 * W  # pinned species at a time within a step
D = 133 * W  # their derivatives
FREE = 133 * W  # rows of the solver


@block
def log_event(book, i, t, kind, value):
    """One line (t, kind, value) in the log of lane i: book holds W counts, then LOGS triples for each lane."""
    at = int64(book[i])
    if at < LOGS:
        book[W + (i * LOGS + at) * 3] = t
        book[W + (i * LOGS + at) * 3 + 1] = kind
        book[W + (i * LOGS + at) * 3 + 2] = value
    book[i] += 1.0


@block
def initial(w, i):
    """Derived parameters and the state of lane i at the start, from the parameters in its Q rows."""
    blood__initial = w[Q_blood__initial + i]
    w[X_blood + i] = np.floor(blood__initial + 0.5)
    seeded = w[Q_seeded + i]
    w[X_tissue + i] = np.floor(seeded + 0.5)
    w[X_arrivals + i] = 0.0


@block
def coefficients(w, i):
    """Coefficients of lane i from its parameters and switches."""
    s_0 = w[S_0 + i]
    w[C_shed + i] = 1.0 - 0.5 * s_0


@lane
def observe(w, i, t):
    """Readings of lane i at time t, from the state in HERE and written behind it."""
    blood = w[HERE + 0]
    tissue = w[HERE + 1]
    w[HERE + SPECIES + 0] = blood + tissue  # load


@block
def schedule(w, i, t):
    """Every stop of lane i as it stands at the start time t."""
    holiday = w[Q_holiday + i]
    w[S_0 + i] = 1.0 if t >= holiday else 0.0
    w[FLIP_0 + i] = holiday if t < holiday else np.inf
    dose_day = w[Q_dose_day + i]
    w[DUE_0 + i] = dose_day if dose_day >= t else np.inf
    w[LEFT_0 + i] = w[Q_dose__cycles + i]
    w[DUE_1 + i] = np.inf
    w[HELD_1 + i] = 0.0
    w[PASSED_detection + i] = np.inf


@block
def upcoming(w, i):
    """Time of the next scheduled stop of lane i, days; inf if none."""
    t = np.inf
    t = w[FLIP_0 + i] if w[FLIP_0 + i] < t else t
    t = w[DUE_0 + i] if w[DUE_0 + i] < t else t
    return t


@lane
def guard(w, i, t):
    """1.0 where a condition on the state of lane i has just become true."""
    tissue = w[X_tissue + i]
    detectable = w[Q_detectable + i]
    x__0 = pick((tissue >= detectable), 1.0, 0.0)
    w[HELD_1 + i] = pick(x__0 > 0.0, w[HELD_1 + i], 0.0)
    return pick((x__0 > w[HELD_1 + i]) | ((tissue >= detectable) & (w[PASSED_detection + i] == np.inf)), 1.0, 0.0)


@block
def apply(w, book, i, t):
    """Applies to lane i what is due at t or has become true. Bits: 1 rates or state changed, 2 the lane ends here,
    4 a species was set to what is no count."""
    changed = 0
    if w[FLIP_0 + i] <= t:
        w[S_0 + i] = 1.0
        w[FLIP_0 + i] = np.inf
        changed |= 1
    for _ in range(4):
        more = 0
        tissue = w[X_tissue + i]
        detectable = w[Q_detectable + i]
        if (w[PASSED_detection + i] == np.inf) & (tissue >= detectable):
            w[PASSED_detection + i] = t
            more = 1
        tissue = w[X_tissue + i]
        detectable = w[Q_detectable + i]
        x__0 = (tissue >= detectable)
        w[HELD_1 + i] = w[HELD_1 + i] if x__0 else 0.0
        if (w[HELD_1 + i] == 0.0) & x__0:
            w[HELD_1 + i] = 1.0
            w[DUE_1 + i] = t
        if w[DUE_0 + i] <= t:
            more = 1
            w[LEFT_0 + i] -= 1.0
            w[DUE_0 + i] = w[DUE_0 + i] + w[Q_dose__every + i] if w[LEFT_0 + i] > 0.0 else np.inf
            given = (w[Q_dose__given + i] > 0.0)
            new_0__ = w[Q_clearance + i] * (w[Q_dose__x_clearance + i] if given else 1.0)
            changed |= 1 if new_0__ != w[Q_clearance + i] else 0
            w[Q_clearance + i] = new_0__
            if book[i] < LOGS - LOGS // 2:
                log_event(book, i, t, 0.0, 0.0)
        if w[DUE_1 + i] <= t:
            more = 1
            w[DUE_1 + i] = np.inf
            given = (w[Q_surgery__given + i] > 0.0)
            tissue = w[X_tissue + i]
            new_0__ = tissue / 10.0
            new_0__ = np.floor(new_0__ + 0.5) if abs(new_0__) < 4503599627370496.0 else new_0__
            new_0__ = new_0__ if given else w[X_tissue + i]
            changed |= 4 if ((new_0__ < 0.0) & (w[X_tissue + i] >= 0.0)) | (not abs(new_0__) < np.inf) else 0
            changed |= 1 if new_0__ != w[X_tissue + i] else 0
            w[X_tissue + i] = new_0__
            log_event(book, i, t, 1.0, w[X_tissue + i])
        if (more == 0) | (changed & 2 != 0):
            break
    if changed & 1:
        coefficients(w, i)
    return changed


@lane
def propensities_0(w, i):
    """Rows of RATES, group 0."""
    w[RATE_shed + i] = limit_shed(w, i)
    w[RATE_clear + i] = rate_clear(w, i, w[FROM + i])
    w[RATE_leave + i] = rate_leave(w, i, w[FROM + i])
    w[RATE_die + i] = rate_die(w, i, w[FROM + i])


@lane
def alter_0(w, i):
    """The reaction in CHOICE, group 0."""
    k = w[CHOICE + i]
    x = w[X_blood + i]
    x = pick(k == 0.0, x + 1.0, x)
    x = pick(k == 1.0, x + -1.0, x)
    x = pick(k == 2.0, x + -1.0, x)
    w[X_blood + i] = x
    x = w[X_tissue + i]
    x = pick(k == 2.0, x + 1.0, x)
    x = pick(k == 3.0, x + -1.0, x)
    w[X_tissue + i] = x
    x = w[X_arrivals + i]
    x = pick(k == 2.0, x + 1.0, x)
    w[X_arrivals + i] = x


@block
def propensities(w):
    """Rows of RATES of every lane."""
    for i in range(W):
        propensities_0(w, i)


@block
def alter(w):
    """The change of state of every lane by the reaction in its CHOICE."""
    for i in range(W):
        alter_0(w, i)


@lane
def chosen(w, i, t):
    """The rate at t of the reaction in CHOICE where it depends on time; inf for any other, events/d."""
    k = w[CHOICE + i]
    a = np.inf
    a = pick(k == 0.0, rate_shed(w, i, t), a)
    return a


@lane
def drift_lane(w, i):
    """dx/dt at the trial state, in the species' unit per day."""
    t = w[AT + i]
    # shed: -> blood
    shedding = w[Q_shedding + i]
    swing = w[Q_swing + i]
    c_shed = w[C_shed + i]
    r0__ = shedding * (1.0 + swing * sin_(2.0 * 3.141592653589793 * t)) * c_shed
    # clear: blood ->
    clearance = w[Q_clearance + i]
    blood = w[U_blood + i]
    r1__ = clearance * blood
    # leave: blood -> tissue
    extravasation = w[Q_extravasation + i]
    x__0 = extravasation * blood
    r2__ = x__0
    # die: tissue ->
    death = w[Q_death + i]
    tissue = w[U_tissue + i]
    r3__ = death * tissue
    w[F_blood + i] = r0__ - r1__ - r2__
    w[F_tissue + i] = r2__ - r3__
    w[F_arrivals + i] = r2__


@block
def drift(w):
    for i in range(W):
        drift_lane(w, i)


@lane
def jacobian_lane(w, i):
    """Derivatives of the drift by the state at (TIME, X), 1/d."""
    t = w[TIME + i]
    clearance = w[Q_clearance + i]
    extravasation = w[Q_extravasation + i]
    w[J_0_0 + i] = -clearance - extravasation
    w[J_1_0 + i] = extravasation
    death = w[Q_death + i]
    w[J_1_1 + i] = -death
    w[J_2_0 + i] = extravasation


@block
def jacobian(w):
    for i in range(W):
        jacobian_lane(w, i)


@lane
def factor_lane(w, i):
    """LU factors of I/(gamma h) - J, pivots as their inverses."""
    a_0_0 = w[SHIFT + i] - w[J_0_0 + i]
    a_1_0 = -w[J_1_0 + i]
    a_1_1 = w[SHIFT + i] - w[J_1_1 + i]
    a_2_0 = -w[J_2_0 + i]
    a_2_2 = w[SHIFT + i]
    a_0_0 = 1.0 / a_0_0
    a_1_0 = a_1_0 * a_0_0
    a_2_0 = a_2_0 * a_0_0
    a_1_1 = 1.0 / a_1_1
    a_2_2 = 1.0 / a_2_2
    w[L_0_0 + i] = a_0_0
    w[L_1_0 + i] = a_1_0
    w[L_1_1 + i] = a_1_1
    w[L_2_0 + i] = a_2_0
    w[L_2_2 + i] = a_2_2


@block
def factor(w):
    for i in range(W):
        factor_lane(w, i)


@lane
def solve_lane(w, i):
    """Solves with the factors: B is the right-hand side, then the solution."""
    b_0 = w[B_blood + i]
    b_1 = w[B_tissue + i] - w[L_1_0 + i] * b_0
    b_2 = w[B_arrivals + i] - w[L_2_0 + i] * b_0
    b_2 = (b_2) * w[L_2_2 + i]
    b_1 = (b_1) * w[L_1_1 + i]
    b_0 = (b_0) * w[L_0_0 + i]
    w[B_blood + i] = b_0
    w[B_tissue + i] = b_1
    w[B_arrivals + i] = b_2


@block
def solve(w):
    for i in range(W):
        solve_lane(w, i)


@lane
def turned(w, i):
    """1.0 where the matrix has a negative determinant: a mode grows within the step, unresolved."""
    sign = 1.0
    sign = pick(w[L_0_0 + i] < 0.0, -sign, sign)
    sign = pick(w[L_1_1 + i] < 0.0, -sign, sign)
    sign = pick(w[L_2_2 + i] < 0.0, -sign, sign)
    return pick(sign < 0.0, 1.0, 0.0)


@lane
def time_derivative_lane(w, i):
    """Derivatives of the drift by time at (TIME, X)."""
    t = w[TIME + i]
    shedding = w[Q_shedding + i]
    swing = w[Q_swing + i]
    x__0 = 2.0 * 3.141592653589793
    c_shed = w[C_shed + i]
    w[T_blood + i] = shedding * (swing * (cos_(x__0 * t) * x__0)) * c_shed
    w[T_tissue + i] = 0.0
    w[T_arrivals + i] = 0.0


@block
def time_derivative(w):
    for i in range(W):
        time_derivative_lane(w, i)


@term
def rate_shed(w, i, t):
    """-> blood, k = shedding * (1 + swing * sin(2 * 3.141592653589793 * t)) * (1 - 0.5 * step(t - holiday)), events/d"""
    shedding = w[Q_shedding + i]
    swing = w[Q_swing + i]
    c_shed = w[C_shed + i]
    x__0 = shedding * (1.0 + swing * sin_(2.0 * 3.141592653589793 * t)) * c_shed
    return pick(x__0 >= 0.0, x__0, np.nan)


@term
def rate_clear(w, i, t):
    """blood ->, k = clearance, events/d"""
    clearance = w[Q_clearance + i]
    blood = w[X_blood + i]
    return clearance * blood


@term
def rate_leave(w, i, t):
    """blood -> tissue, k = extravasation, events/d"""
    extravasation = w[Q_extravasation + i]
    blood = w[X_blood + i]
    return extravasation * blood


@term
def rate_die(w, i, t):
    """tissue ->, k = death, events/d"""
    death = w[Q_death + i]
    tissue = w[X_tissue + i]
    return death * tissue


@lane
def prefix(w, i, t):
    """Running sums of the propensities, 1/d; the last is the total."""
    c0 = rate_shed(w, i, t)
    c1 = c0 + rate_clear(w, i, t)
    c2 = c1 + rate_leave(w, i, t)
    c3 = c2 + rate_die(w, i, t)
    return c0, c1, c2, c3


@lane
def fire(w, i, c, y):
    """The change of state by the reaction that y falls into; nothing where y is negative."""
    x = w[X_blood + i]
    x = pick(y >= 0.0, x + 1.0, x)
    x = pick(y >= c[0], x - 2.0, x)
    x = pick(y >= c[2], x + 1.0, x)
    w[X_blood + i] = x
    x = w[X_tissue + i]
    x = pick(y >= c[1], x + 1.0, x)
    x = pick(y >= c[2], x - 2.0, x)
    w[X_tissue + i] = x
    x = w[X_arrivals + i]
    x = pick(y >= c[1], x + 1.0, x)
    x = pick(y >= c[2], x - 1.0, x)
    w[X_arrivals + i] = x


sums = changes = None  # sums of this model stay in registers


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


@lane
def bound(w, i):
    """A bound of the total propensity over the window of lane i, 1/d."""
    return limit_shed(w, i) + rate_clear(w, i, w[FROM + i]) + rate_leave(w, i, w[FROM + i]) + rate_die(w, i, w[FROM + i])


@block
def valid(w, i):
    """1.0 where every factor of a rate that must not be negative is a number that is not."""
    good = 1.0
    for r in range(3, 8):
        good = pick((w[r * W + i] >= 0.0) & (w[r * W + i] < np.inf), good, 0.0)
    for r in range(18, 19):
        good = pick((w[r * W + i] >= 0.0) & (w[r * W + i] < np.inf), good, 0.0)
    return good


@lane
def hazards_0(w, i):
    """Part 0 of `hazards`."""
    t = w[AT + i]
    w[HAZARD_shed + i] = rate_shed(w, i, t)
    w[HAZARD_clear + i] = rate_clear(w, i, t)
    w[HAZARD_leave + i] = rate_leave(w, i, t)
    w[HAZARD_die + i] = rate_die(w, i, t)


@block
def hazards(w):
    """Propensities of every lane at the time in its AT."""
    for i in range(W):
        hazards_0(w, i)


@lane
def leap_limits_0(w, i):
    """Part 0 of `leap_limits`."""
    w[LEAP + i] = np.inf
    w[HAZARD_OF_ALL + i] = 0.0
    w[HAZARD_OF_CRITICAL + i] = 0.0


@lane
def leap_limits_1(w, i):
    """Part 1 of `leap_limits`."""
    a = w[HAZARD_shed + i]
    w[HAZARD_OF_ALL + i] += a
    w[FREE_OF_shed + i] = 1.0
    a = w[HAZARD_clear + i]
    w[HAZARD_OF_ALL + i] += a
    room = w[X_blood + i]
    free = pick((room < 10.0) & (a > 0.0), 0.0, 1.0)
    w[FREE_OF_clear + i] = free
    w[HAZARD_OF_CRITICAL + i] += pick(free > 0.0, 0.0, a)
    a = w[HAZARD_leave + i]
    w[HAZARD_OF_ALL + i] += a
    room = w[X_blood + i]
    free = pick((room < 10.0) & (a > 0.0), 0.0, 1.0)
    w[FREE_OF_leave + i] = free
    w[HAZARD_OF_CRITICAL + i] += pick(free > 0.0, 0.0, a)
    a = w[HAZARD_die + i]
    w[HAZARD_OF_ALL + i] += a
    room = w[X_tissue + i]
    free = pick((room < 10.0) & (a > 0.0), 0.0, 1.0)
    w[FREE_OF_die + i] = free
    w[HAZARD_OF_CRITICAL + i] += pick(free > 0.0, 0.0, a)


@lane
def leap_limits_2(w, i):
    """Part 2 of `leap_limits`."""
    x = w[X_blood + i]
    mean = 0.0
    variance = 0.0
    loss = 0.0
    a = w[FREE_OF_shed + i] * w[HAZARD_shed + i]
    mean += 1.0 * a
    variance += 1.0 * a
    a = w[FREE_OF_clear + i] * w[HAZARD_clear + i]
    mean += -1.0 * a
    variance += 1.0 * a
    loss += 1.0 * a
    a = w[FREE_OF_leave + i] * w[HAZARD_leave + i]
    mean += -1.0 * a
    variance += 1.0 * a
    loss += 1.0 * a
    room = w[EPSILON + i] * x / (1.0)
    room = pick(room > 1.0, room, 1.0)
    mean = abs(mean)
    by_mean = room / pick(mean > 0.0, mean, 1.0)
    by_variance = room * room / pick(variance > 0.0, variance, 1.0)
    leap = pick(room * mean > variance, by_mean, by_variance)
    leap = pick(variance > 0.0, leap, np.inf)
    by_loss = 10.0 * w[EPSILON + i] * x / pick(loss > 0.0, loss, 1.0)
    leap = pick((loss > 0.0) & (by_loss < leap), by_loss, leap)
    w[LEAP + i] = pick(leap < w[LEAP + i], leap, w[LEAP + i])
    x = w[X_tissue + i]
    mean = 0.0
    variance = 0.0
    loss = 0.0
    a = w[FREE_OF_leave + i] * w[HAZARD_leave + i]
    mean += 1.0 * a
    variance += 1.0 * a
    a = w[FREE_OF_die + i] * w[HAZARD_die + i]
    mean += -1.0 * a
    variance += 1.0 * a
    loss += 1.0 * a
    room = w[EPSILON + i] * x / (1.0)
    room = pick(room > 1.0, room, 1.0)
    mean = abs(mean)
    by_mean = room / pick(mean > 0.0, mean, 1.0)
    by_variance = room * room / pick(variance > 0.0, variance, 1.0)
    leap = pick(room * mean > variance, by_mean, by_variance)
    leap = pick(variance > 0.0, leap, np.inf)
    by_loss = 10.0 * w[EPSILON + i] * x / pick(loss > 0.0, loss, 1.0)
    leap = pick((loss > 0.0) & (by_loss < leap), by_loss, leap)
    w[LEAP + i] = pick(leap < w[LEAP + i], leap, w[LEAP + i])


@block
def leap_limits(w):
    """Critical reactions, sums of propensities and the longest leap of every lane."""
    for i in range(W):
        leap_limits_0(w, i)
    for i in range(W):
        leap_limits_1(w, i)
    for i in range(W):
        leap_limits_2(w, i)


@lane
def pick_critical_0(w, i):
    """Part 0 of `pick_critical`."""
    w[HAZARD_OF_CRITICAL + i] = 0.0


@lane
def pick_critical_1(w, i):
    """Part 1 of `pick_critical`."""
    c = w[HAZARD_OF_CRITICAL + i]
    d = c + pick(w[FREE_OF_clear + i] > 0.0, 0.0, w[HAZARD_clear + i])
    y = w[CHOICE + i]
    w[FIRINGS_clear + i] += pick((y >= c) & (y < d), 1.0, 0.0)
    w[HAZARD_OF_CRITICAL + i] = d
    c = w[HAZARD_OF_CRITICAL + i]
    d = c + pick(w[FREE_OF_leave + i] > 0.0, 0.0, w[HAZARD_leave + i])
    y = w[CHOICE + i]
    w[FIRINGS_leave + i] += pick((y >= c) & (y < d), 1.0, 0.0)
    w[HAZARD_OF_CRITICAL + i] = d
    c = w[HAZARD_OF_CRITICAL + i]
    d = c + pick(w[FREE_OF_die + i] > 0.0, 0.0, w[HAZARD_die + i])
    y = w[CHOICE + i]
    w[FIRINGS_die + i] += pick((y >= c) & (y < d), 1.0, 0.0)
    w[HAZARD_OF_CRITICAL + i] = d


@block
def pick_critical(w):
    """One firing of the critical reaction that CHOICE falls into, by running sums; none where it is negative."""
    for i in range(W):
        pick_critical_0(w, i)
    for i in range(W):
        pick_critical_1(w, i)


@lane
def occur_0(w, i):
    """Part 0 of `occur`."""
    x = w[X_blood + i]
    w[BEFORE_blood + i] = x
    w[SUPPLY_blood + i] = x
    x = w[X_tissue + i]
    w[BEFORE_tissue + i] = x
    w[SUPPLY_tissue + i] = x
    x = w[X_arrivals + i]
    w[BEFORE_arrivals + i] = x
    w[SUPPLY_arrivals + i] = x


@lane
def occur_1(w, i):
    """Part 1 of `occur`."""
    k = w[FIRINGS_shed + i]
    w[SUPPLY_blood + i] += 1.0 * k
    k = w[FIRINGS_clear + i]
    room = w[SUPPLY_blood + i]
    room = pick(room > 0.0, room, 0.0)
    k = pick(k < room, k, room)
    w[FIRINGS_clear + i] = k
    w[SUPPLY_blood + i] += -1.0 * k
    k = w[FIRINGS_leave + i]
    room = w[SUPPLY_blood + i]
    room = pick(room > 0.0, room, 0.0)
    k = pick(k < room, k, room)
    w[FIRINGS_leave + i] = k
    w[SUPPLY_blood + i] += -1.0 * k
    w[SUPPLY_tissue + i] += 1.0 * k
    k = w[FIRINGS_die + i]
    room = w[SUPPLY_tissue + i]
    room = pick(room > 0.0, room, 0.0)
    k = pick(k < room, k, room)
    w[FIRINGS_die + i] = k
    w[SUPPLY_tissue + i] += -1.0 * k


@lane
def occur_2(w, i):
    """Part 2 of `occur`."""
    w[X_blood + i] = w[BEFORE_blood + i] + (1.0 * w[FIRINGS_shed + i] + -1.0 * w[FIRINGS_clear + i] + -1.0 * w[FIRINGS_leave + i])
    w[X_tissue + i] = w[BEFORE_tissue + i] + (1.0 * w[FIRINGS_leave + i] + -1.0 * w[FIRINGS_die + i])
    w[X_arrivals + i] = w[BEFORE_arrivals + i] + (1.0 * w[FIRINGS_leave + i])


@block
def occur(w):
    """The change of state of every lane by its FIRINGS, so far as there is something to use up."""
    for i in range(W):
        occur_0(w, i)
    for i in range(W):
        occur_1(w, i)
    for i in range(W):
        occur_2(w, i)


@block
def moved(w, i):
    """The state of lane i after FIRINGS from the state before, so far as there is something to use up."""
    w[SUPPLY_blood + i] = w[BEFORE_blood + i]
    w[SUPPLY_tissue + i] = w[BEFORE_tissue + i]
    w[SUPPLY_arrivals + i] = w[BEFORE_arrivals + i]
    k = w[FIRINGS_shed + i]
    w[SUPPLY_blood + i] += 1.0 * k
    k = w[FIRINGS_clear + i]
    room = w[SUPPLY_blood + i]
    room = pick(room > 0.0, room, 0.0)
    k = pick(k < room, k, room)
    w[FIRINGS_clear + i] = k
    w[SUPPLY_blood + i] += -1.0 * k
    k = w[FIRINGS_leave + i]
    room = w[SUPPLY_blood + i]
    room = pick(room > 0.0, room, 0.0)
    k = pick(k < room, k, room)
    w[FIRINGS_leave + i] = k
    w[SUPPLY_blood + i] += -1.0 * k
    w[SUPPLY_tissue + i] += 1.0 * k
    k = w[FIRINGS_die + i]
    room = w[SUPPLY_tissue + i]
    room = pick(room > 0.0, room, 0.0)
    k = pick(k < room, k, room)
    w[FIRINGS_die + i] = k
    w[SUPPLY_tissue + i] += -1.0 * k
    w[X_blood + i] = w[BEFORE_blood + i] + (1.0 * w[FIRINGS_shed + i] + -1.0 * w[FIRINGS_clear + i] + -1.0 * w[FIRINGS_leave + i])
    w[X_tissue + i] = w[BEFORE_tissue + i] + (1.0 * w[FIRINGS_leave + i] + -1.0 * w[FIRINGS_die + i])
    w[X_arrivals + i] = w[BEFORE_arrivals + i] + (1.0 * w[FIRINGS_leave + i])


NOISES = 3  # independent ones: collinear reactions share theirs


@lane
def increment_0(w, v, i):
    """Increment of the state by a step."""
    t = w[AT + i]
    h__ = w[LAPSE + i]
    g__ = w[SPREAD + i]
    v0__, v1__, v2__, v3__ = v[i], v[1 * W + i], v[2 * W + i], v[3 * W + i]
    q0__, c0__, s0__, v0__, v1__, v2__, v3__ = polar(v0__, v1__, v2__, v3__)
    q0__ = q0__ * g__
    q1__, c1__, s1__, v0__, v1__, v2__, v3__ = polar(v0__, v1__, v2__, v3__)
    q1__ = q1__ * g__
    v[i] = v0__
    v[1 * W + i] = v1__
    v[2 * W + i] = v2__
    v[3 * W + i] = v3__
    # shed: -> blood
    shedding = w[Q_shedding + i]
    swing = w[Q_swing + i]
    c_shed = w[C_shed + i]
    x__0 = shedding * (1.0 + swing * sin_(2.0 * 3.141592653589793 * t)) * c_shed
    r0__ = pick(x__0 < 0.0, 0.0, x__0)
    # clear: blood ->
    clearance = w[Q_clearance + i]
    blood = w[X_blood + i]
    r1__ = clearance * blood
    a0__ = r0__ + r1__
    n0__ = np.sqrt(a0__ * q0__) * c0__
    # leave: blood -> tissue
    extravasation = w[Q_extravasation + i]
    r2__ = extravasation * blood
    a1__ = r2__
    n1__ = np.sqrt(a1__ * q0__) * s0__
    # die: tissue ->
    death = w[Q_death + i]
    tissue = w[X_tissue + i]
    r3__ = death * tissue
    a2__ = r3__
    n2__ = np.sqrt(a2__ * q1__) * c1__
    w[Z_blood + i] = h__ * (r0__ - r1__ - r2__) + (n0__ + n1__)
    w[Z_tissue + i] = h__ * (r2__ - r3__) + (-n1__ + n2__)
    w[Z_arrivals + i] = h__ * (r2__) + (-n1__)


@block
def increment(w, v):
    for i in range(W):
        increment_0(w, v, i)


@lane
def first_increment_0(w, v, i):
    """Increment of the state by a step."""
    t = w[AT + i]
    h__ = w[LAPSE + i]
    g__ = w[SPREAD + i]
    v0__, v1__, v2__, v3__ = v[i], v[1 * W + i], v[2 * W + i], v[3 * W + i]
    q0__, c0__, s0__, v0__, v1__, v2__, v3__ = polar(v0__, v1__, v2__, v3__)
    q0__ = q0__ * g__
    q1__, c1__, s1__, v0__, v1__, v2__, v3__ = polar(v0__, v1__, v2__, v3__)
    q1__ = q1__ * g__
    v[i] = v0__
    v[1 * W + i] = v1__
    v[2 * W + i] = v2__
    v[3 * W + i] = v3__
    # shed: -> blood
    shedding = w[Q_shedding + i]
    swing = w[Q_swing + i]
    c_shed = w[C_shed + i]
    x__0 = shedding * (1.0 + swing * sin_(2.0 * 3.141592653589793 * t)) * c_shed
    r0__ = pick(x__0 < 0.0, 0.0, x__0)
    # clear: blood ->
    clearance = w[Q_clearance + i]
    blood = w[X_blood + i]
    r1__ = clearance * blood
    a0__ = r0__ + r1__
    w[A_0 + i] = a0__
    n0__ = np.sqrt(a0__ * q0__) * c0__
    # leave: blood -> tissue
    extravasation = w[Q_extravasation + i]
    r2__ = extravasation * blood
    a1__ = r2__
    w[A_1 + i] = a1__
    n1__ = np.sqrt(a1__ * q0__) * s0__
    # die: tissue ->
    death = w[Q_death + i]
    tissue = w[X_tissue + i]
    r3__ = death * tissue
    a2__ = r3__
    w[A_2 + i] = a2__
    n2__ = np.sqrt(a2__ * q1__) * c1__
    x__1 = r0__ - r1__ - r2__
    w[D_blood + i] = x__1
    w[Z_blood + i] = h__ * (x__1) + (n0__ + n1__)
    x__2 = r2__ - r3__
    w[D_tissue + i] = x__2
    w[Z_tissue + i] = h__ * (x__2) + (-n1__ + n2__)
    x__3 = r2__
    w[D_arrivals + i] = x__3
    w[Z_arrivals + i] = h__ * (x__3) + (-n1__)


@block
def first_increment(w, v):
    for i in range(W):
        first_increment_0(w, v, i)


@lane
def second_increment_0(w, v, i):
    """Increment of the state by a step."""
    t = w[AT + i]
    h__ = w[LAPSE + i]
    g__ = w[SPREAD + i]
    v0__, v1__, v2__, v3__ = v[i], v[1 * W + i], v[2 * W + i], v[3 * W + i]
    q0__, c0__, s0__, v0__, v1__, v2__, v3__ = polar(v0__, v1__, v2__, v3__)
    q0__ = q0__ * g__
    q1__, c1__, s1__, v0__, v1__, v2__, v3__ = polar(v0__, v1__, v2__, v3__)
    q1__ = q1__ * g__
    v[i] = v0__
    v[1 * W + i] = v1__
    v[2 * W + i] = v2__
    v[3 * W + i] = v3__
    # shed: -> blood
    shedding = w[Q_shedding + i]
    swing = w[Q_swing + i]
    c_shed = w[C_shed + i]
    x__0 = shedding * (1.0 + swing * sin_(2.0 * 3.141592653589793 * t)) * c_shed
    r0__ = pick(x__0 < 0.0, 0.0, x__0)
    # clear: blood ->
    clearance = w[Q_clearance + i]
    blood = w[Y_blood + i]
    r1__ = clearance * blood
    a0__ = r0__ + r1__
    a0__ = 2.0 * a0__ - w[A_0 + i]
    a0__ = pick(a0__ < 0.0, 0.0, a0__)
    n0__ = np.sqrt(a0__ * q0__) * c0__
    # leave: blood -> tissue
    extravasation = w[Q_extravasation + i]
    r2__ = extravasation * blood
    a1__ = r2__
    a1__ = 2.0 * a1__ - w[A_1 + i]
    a1__ = pick(a1__ < 0.0, 0.0, a1__)
    n1__ = np.sqrt(a1__ * q0__) * s0__
    # die: tissue ->
    death = w[Q_death + i]
    tissue = w[Y_tissue + i]
    r3__ = death * tissue
    a2__ = r3__
    a2__ = 2.0 * a2__ - w[A_2 + i]
    a2__ = pick(a2__ < 0.0, 0.0, a2__)
    n2__ = np.sqrt(a2__ * q1__) * c1__
    x__1 = r0__ - r1__ - r2__
    w[Z_blood + i] = h__ * (2.0 * x__1 - w[D_blood + i]) + (n0__ + n1__)
    x__2 = r2__ - r3__
    w[Z_tissue + i] = h__ * (2.0 * x__2 - w[D_tissue + i]) + (-n1__ + n2__)
    x__3 = r2__
    w[Z_arrivals + i] = h__ * (2.0 * x__3 - w[D_arrivals + i]) + (-n1__)


@block
def second_increment(w, v):
    for i in range(W):
        second_increment_0(w, v, i)


TAMED = True  # a jump of some species fades from its path without a new step


@block
def mask(w, i):
    """Reactions of lane i by what they touch, from its DISCRETE rows; counters go with their reaction."""
    w[JUMP_0 + i] = 1.0 if w[DISCRETE_blood + i] > 0.0 else 0.0
    w[DRIFT_0 + i] = 1.0 - w[JUMP_0 + i]
    w[JUMP_1 + i] = 1.0 if w[DISCRETE_blood + i] > 0.0 else 0.0
    w[DRIFT_1 + i] = 1.0 - w[JUMP_1 + i]
    w[JUMP_2 + i] = 1.0 if w[DISCRETE_blood + i] + w[DISCRETE_tissue + i] > 0.0 else 0.0
    w[DRIFT_2 + i] = 1.0 - w[JUMP_2 + i]
    w[JUMP_3 + i] = 1.0 if w[DISCRETE_tissue + i] > 0.0 else 0.0
    w[DRIFT_3 + i] = 1.0 - w[JUMP_3 + i]
    w[DISCRETE_arrivals + i] = w[JUMP_2 + i]
    w[STIRS_blood + i] = 1.0 if w[DRIFT_2 + i] > 0.0 else 0.0
    clearance = w[Q_clearance + i]
    w[PACE_blood + i] = -1.0 * w[DRIFT_1 + i] * (clearance)
    w[STIRS_tissue + i] = 1.0 if 0.0 > 0.0 else 0.0
    death = w[Q_death + i]
    w[PACE_tissue + i] = -1.0 * w[DRIFT_3 + i] * (death)
    w[STIRS_arrivals + i] = 1.0 if 0.0 > 0.0 else 0.0
    w[PACE_arrivals + i] = 0.0


@block
def partition(w, i, up, down):
    """Lane i at its start: discrete below `up`, whole there; `down` is where it turns back."""
    w[RISE_blood + i] = up
    w[FALL_blood + i] = down
    w[DISCRETE_blood + i] = 0.0 if w[X_blood + i] >= up else 1.0
    w[X_blood + i] = w[X_blood + i] if w[X_blood + i] >= up else np.floor(w[X_blood + i] + 0.5)
    w[RISE_tissue + i] = up
    w[FALL_tissue + i] = down
    w[DISCRETE_tissue + i] = 0.0 if w[X_tissue + i] >= up else 1.0
    w[X_tissue + i] = w[X_tissue + i] if w[X_tissue + i] >= up else np.floor(w[X_tissue + i] + 0.5)
    w[RISE_arrivals + i] = np.inf
    w[FALL_arrivals + i] = -np.inf
    w[DISCRETE_arrivals + i] = 0.0
    mask(w, i)


MOVING = True  # a rate for each cell, or a source, changes with time or a pinned species
BENDING = False  # not only a source
FROZEN = False  # rates, or pinned species, depend on counts
REALS = 0  # pinned state rows
PINNING = False  # there are some
EXPORTING = False  # a cell that divides can meet something else
BURSTING = False  # a source sends several cells
SIMPLE = False  # every step goes from stop to stop
WAYS = 4
MOVERS = 1
MOVER_WAY = np.array([0], np.int64)  # ways whose rates change along a step
SOURCE_MOVER = np.array([0], np.int64)  # place of a source among them, or -1
WAY_WATCHED = np.array([0, 0, 1, 1], np.int64)  # 1 where it moves a count that conditions depend on
WAY_GROWER = np.array([-1, -1, -1, -1], np.int64)  # the grower that takes it, or -1
WAY_EXPORT = np.array([0, 0, 0, 0], np.int64)  # 1 where a grower meets it
WAY_ROW = np.array([-1, 0, 0, 1], np.int64)  # state row of the cell that takes it
MOVE_AT = np.array([0, 1, 2, 5, 6], np.int64)
MOVE_ROW = np.array([0, 0, 0, 1, 2, 1], np.int64)
MOVE_STEP = np.array([1, -1, -1, 1, 1, -1], np.int64)
LIVE_AT = np.array([0, 1, 1, 2, 2], np.int64)
LIVE_CELL = np.array([0, 1], np.int64)
GAIN_AT = np.array([0, 0, 0, 1, 1], np.int64)
GAIN_ROW = np.array([2], np.int64)
GAIN_STEP = np.array([1], np.int64)
PLAINS = 2
PLAIN_ROW = np.array([0, 1], np.int64)  # state row of each plain species
MORTAL = np.array([1, 1], np.int64)  # 1 where a cell can die without a trace
STEP_OF_AT = np.array([0, 2, 3], np.int64)
STEP_OF_WAY = np.array([1, 2, 3], np.int64)
GOAL_AT = np.array([0, 3, 4], np.int64)
GOAL_NODE = np.array([0, 2, 3, 1], np.int64)
NODES = 4
LOW = np.array([0, 1, 2, 3], np.int64)  # of each node: the first node of its block
HIGH = np.array([1, 2, 3, 4], np.int64)  # one after the last node of its block
NODE_KIND = np.array([0, 0, 0, 1], np.int64)  # 0 plain, 1 dead, 2 grower, 3 event
NODE_WHAT = np.array([0, 1, 1, -1], np.int64)  # number of the species, or way of the event
NODE_GAIN_AT = np.array([0, 0, 0, 1, 2], np.int64)
NODE_GAIN_ROW = np.array([2, 2], np.int64)
NODE_GAIN_STEP = np.array([1, 1], np.int64)
EDGES = 2
EDGE_FROM = np.array([0, 2], np.int64)
EDGE_TO = np.array([2, 3], np.int64)
EDGE_WAY = np.array([2, 3], np.int64)
LOSSES = 2
LOSS_NODE = np.array([0, 1], np.int64)
LOSS_WAY = np.array([1, 3], np.int64)
GROWERS = 0
GROWER_ROW = np.array([], np.int64)  # state row of each grower
BIRTH_AT = np.array([0], np.int64)
BIRTH_WAY = np.array([], np.int64)
DEATH_AT = np.array([0], np.int64)
DEATH_WAY = np.array([], np.int64)
EXPORT_AT = np.array([0], np.int64)
EXPORT_WAY = np.array([], np.int64)
SOURCES = 1
SOURCE_WAY = np.array([0], np.int64)  # sources of one cell at a time
SOURCE_PLAIN = np.array([0], np.int64)  # plain species of its cell, or -1
SOURCE_GROWER = np.array([-1], np.int64)  # its grower, or -1
UNTRACED = 0  # of them, those whose cells are counted although they are gone again
BURSTS = 0
BURST_WAY = np.array([], np.int64)  # sources of several cells at a time
WATCHED = 1
WATCHED_ROW = np.array([1], np.int64)  # state rows of counts that conditions depend on
GROWER_WATCHED = np.array([], np.int64)  # 1 where something that a grower meets moves one of them
REAL_ROW = np.array([], np.int64)  # state rows of pinned species


@block
def forces(w, i):
    """Rates for each cell of lane i at AT, 1/d."""
    t = w[AT + i]
    shedding = w[Q_shedding + i]
    swing = w[Q_swing + i]
    c_shed = w[C_shed + i]
    w[FORCE_0 + i] = shedding * (1.0 + swing * sin_(2.0 * 3.141592653589793 * t)) * c_shed  # source shed: -> blood
    clearance = w[Q_clearance + i]
    w[FORCE_1 + i] = clearance  # death clear: blood ->
    extravasation = w[Q_extravasation + i]
    w[FORCE_2 + i] = extravasation  # conversion leave: blood -> tissue
    death = w[Q_death + i]
    w[FORCE_3 + i] = death  # death die: tissue ->


@block
def movers(w, i):
    """Those of them that change with time or a pinned species."""
    t = w[AT + i]
    shedding = w[Q_shedding + i]
    swing = w[Q_swing + i]
    c_shed = w[C_shed + i]
    w[FORCE_0 + i] = shedding * (1.0 + swing * sin_(2.0 * 3.141592653589793 * t)) * c_shed  # source shed: -> blood


@block
def flow(w, i):
    """Derivatives of the pinned species of lane i at AT."""
    pass


@block
def would(w, i, t):
    """1.0 where a condition would become true in the state of lane i, in X for once."""
    tissue = w[X_tissue + i]
    detectable = w[Q_detectable + i]
    x__0 = pick((tissue >= detectable), 1.0, 0.0)
    return pick((x__0 > w[HELD_1 + i]) | ((tissue >= detectable) & (w[PASSED_detection + i] == np.inf)), 1.0, 0.0)
