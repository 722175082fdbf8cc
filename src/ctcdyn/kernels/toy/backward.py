"""The toy model of the contract: backward. Generated: python -m ctcdyn.codegen.toy"""

import numpy as np

from ctcdyn.kernels.machine import block, lane
from ctcdyn.kernels.toy.layout import AT, RETURNING, SEGMENT, TIME, W


MEANS = 3  # state rows that move forward; behind them those that move back
BACK = 0  # of these
CHANCES = 0
CHANCE_ROW = np.array([], np.int64)  # state rows of the integral of source times chance, then of P(event)
CHANCE_GONE = np.array([], np.int64)  # 1 where it waits until none is left
BEGINS = np.array([], np.float64)  # of each row that moves back: its value at the save
PATHS = 0
PATH_ROW = np.array([], np.int64)  # state rows of pinned species
SEGMENTS = 4096
PIECE = 2  # doubles of a segment
TRACK = 0  # doubles of the path of a lane
MARKS = 1024
MARK = 1  # doubles of a mark
RECORD = 0  # doubles of all marks of a lane
CELLS = 0
CELL_ROW = np.array([], np.int64)  # state rows of species that count at the start
STARTS = 0
START_EVENT = np.array([], np.int64)  # number of the event
START_CELL = np.array([], np.int64)  # number of the species
START_CHANCE = np.array([], np.int64)  # row of the chance of one cell; -1: it is the event


@block
def look(w):
    """Pinned species and their slopes at AT, in lanes that go back."""
    for i in range(W):
        if w[RETURNING + i] > 0.0:
            w[SEGMENT + i] = 0.0


@block
def note(w, i, at):
    """What is in force in lane i, to the mark at `at`."""
    w[at] = w[at]


@block
def recall(w, i, at):
    """What was in force from the mark at `at` on, in lane i again."""
    w[at] = w[at]


@block
def armed(w, i, k, t):
    """1.0 where event number k counts by time t in lane i."""
    return 1.0


@lane
def drift_back_lane(w, i):
    """dx/dt at the trial state, in the species' unit per day."""
    t = w[AT + i]


@block
def drift_back(w):
    for i in range(W):
        drift_back_lane(w, i)


@lane
def jacobian_back_lane(w, i):
    """Derivatives of the drift by the state at (TIME, X), 1/d."""
    t = w[TIME + i]


@block
def jacobian_back(w):
    for i in range(W):
        jacobian_back_lane(w, i)


@lane
def factor_back_lane(w, i):
    """LU factors of I/(gamma h) - J, pivots as their inverses."""
    pass


@block
def factor_back(w):
    for i in range(W):
        factor_back_lane(w, i)


@lane
def solve_back_lane(w, i):
    """Solves with the factors: B is the right-hand side, then the solution."""
    pass


@block
def solve_back(w):
    for i in range(W):
        solve_back_lane(w, i)


@lane
def time_derivative_back_lane(w, i):
    """Nothing depends on time."""
    pass


@block
def time_derivative_back(w):
    for i in range(W):
        time_derivative_back_lane(w, i)
