"""The toy model of the contract: jacobian. Generated: python -m ctcdyn.codegen.toy"""

from ctcdyn.kernels.lanemath import cos_
from ctcdyn.kernels.machine import block, lane, pick
from ctcdyn.kernels.toy.layout import (
    B_arrivals, B_blood, B_tissue, C_shed, J_0_0, J_1_0, J_1_1, J_2_0, L_0_0, L_1_0, L_1_1, L_2_0, L_2_2,
    Q_clearance, Q_death, Q_extravasation, Q_shedding, Q_swing, SHIFT, TIME, T_arrivals, T_blood, T_tissue, W,
)


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
