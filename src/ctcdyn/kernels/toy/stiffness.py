"""The toy model of the contract: stiffness. Generated: python -m ctcdyn.codegen.toy"""

import numpy as np

from ctcdyn.kernels.machine import block, lane, pick
from ctcdyn.kernels.toy.layout import (
    ANSWER_clear, ANSWER_die, ANSWER_leave, ANSWER_shed, B_arrivals, B_blood, B_tissue, EPSILON,
    FIRINGS_clear, FIRINGS_die, FIRINGS_leave, FIRINGS_shed, L_0_0, L_1_1, L_2_2, Q_clearance, Q_death,
    Q_extravasation, ROOM_arrivals, ROOM_blood, ROOM_tissue, TIME, W, X_blood, X_tissue,
)


@lane
def displaced_0(w, i):
    """Part 0 of `displaced`."""
    w[B_blood + i] = 1.0 * w[FIRINGS_shed + i] + -1.0 * w[FIRINGS_clear + i] + -1.0 * w[FIRINGS_leave + i]
    w[B_tissue + i] = 1.0 * w[FIRINGS_leave + i] + -1.0 * w[FIRINGS_die + i]
    w[B_arrivals + i] = 1.0 * w[FIRINGS_leave + i]


@block
def displaced(w):
    """Change of state by FIRINGS, in the B rows."""
    for i in range(W):
        displaced_0(w, i)


@lane
def answer_0(w, i):
    """Part 0 of `answer`."""
    t = w[TIME + i]
    w[ANSWER_shed + i] = 0.0
    clearance = w[Q_clearance + i]
    x__0 = clearance
    w[ANSWER_clear + i] = x__0 * w[B_blood + i]
    extravasation = w[Q_extravasation + i]
    x__1 = extravasation
    w[ANSWER_leave + i] = x__1 * w[B_blood + i]
    death = w[Q_death + i]
    x__2 = death
    w[ANSWER_die + i] = x__2 * w[B_tissue + i]


@block
def answer(w):
    """Derivatives of the propensities along the B rows, at (TIME, X), 1/d."""
    for i in range(W):
        answer_0(w, i)


@lane
def rooms_0(w, i):
    """Part 0 of `rooms`."""
    x = w[X_blood + i]
    room = w[EPSILON + i] * x / (1.0)
    w[ROOM_blood + i] = pick(room > 1.0, room, 1.0)
    x = w[X_tissue + i]
    room = w[EPSILON + i] * x / (1.0)
    w[ROOM_tissue + i] = pick(room > 1.0, room, 1.0)
    w[ROOM_arrivals + i] = np.inf


@block
def rooms(w):
    """How much each state row may change in a leap, in units of it; inf where no rate depends on it."""
    for i in range(W):
        rooms_0(w, i)


@lane
def unresolved(w, i):
    """1.0 where a pivot of the matrix that was factored last is below zero, or no number."""
    below = 0.0
    below = pick(w[L_0_0 + i] > 0.0, below, 1.0)
    below = pick(w[L_1_1 + i] > 0.0, below, 1.0)
    below = pick(w[L_2_2 + i] > 0.0, below, 1.0)
    return below
