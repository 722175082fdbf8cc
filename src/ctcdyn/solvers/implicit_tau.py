"""Tau-leaping in lanes for stiff networks: implicit where fast reactions are in balance, as `tau_leap` elsewhere.

Where cells come and go within minutes for months, `tau_leap` makes a few leaps for each stay. Here such a balance is
stepped over: fast species are not resolved in time, only what lasts. Weak order 1 in `epsilon`, which bounds what
lasts. Use it where many cells turn over fast and reactions take two cells: of first-order networks `first_order_leap`
is exact.

A cell (`kernels/ways.py`) goes by eight parts of the trapezoidal rule (`kernels/parts.py`) if it replaces a dozen leaps
or more, and is as long as the conditions of `tau_leap` hold for what reactions leave behind when it is over
(`kernels/lasting.py`; this stands for the search for reactions in partial equilibrium in the paper of 2007). Transients
of fast species are leapt explicitly. Critical reactions fire one at a time, as in `tau_leap`, and end a part. A part
that would leave a count below zero is not taken, and the rest of its cell goes by explicit leaps, whose firings are
limited by what is there; so it does after a change of rates or counts by a treatment.

The form of the implicit rule was chosen by measurement. Immigration and death of 20 to 1000 cells: at k h = 10, 100 and
400 backward Euler (the paper of 2003) keeps 0.17, 0.02 and 0.01 of the variance, and 0.8 with a tail of seven shorter
steps; eight trapezoidal parts keep all, within 5 %, and the mean within 0.5 %. A + B <-> C with 27 to 1300 of C: mean
within 0.3 cells, standard deviation within 4 % from 100 cells on, and 10 % too large at 27, which is what whole firings
add. Rates are followed along their tangents: along the rates themselves the mean is off by many cells at k h = 100.

A condition that became true in a part is located with firings spread evenly over it. Draws as in `tau_leap`; kind
4 m + 3 is also for what is left over of firings at the start of a cell, 4 m + 2 for where in a part they fall.

M. Rathinam, L. R. Petzold, Y. Cao and D. T. Gillespie 2003, doi:10.1063/1.1627296; trapezoidal: Y. Cao, L. Petzold, M.
Rathinam and D. T. Gillespie 2004, doi:10.1063/1.1763573; when to be implicit: Y. Cao, D. T. Gillespie and L. R. Petzold
2007, doi:10.1063/1.2745299.
"""

import numpy as np
from numba import uint64

from ctcdyn.kernels.contract import FIRINGS, REACTIONS, TIME, TIMED, W, guard, occur
from ctcdyn.kernels.lanes import NEXT, WINDOW, loop
from ctcdyn.kernels.lasting import BEHIND_LASTING, LONG, RESTING, STRIDE, call, look_ahead
from ctcdyn.kernels.leaps import (
    HALVINGS,
    ONE,
    SPAN,
    WITHIN,
    advance,
    arrive,
    begin,
    choose,
    conclude,
    draw,
    has_exact,
    plan,
    reach,
    survey,
)
from ctcdyn.kernels.machine import block, lane
from ctcdyn.kernels.parts import PHASE, STIFF, balance_part, by_part, land_part, place, set_part
from ctcdyn.kernels.standing import read, ready
from ctcdyn.kernels.ways import BEGAN, CELL, JUMP, MODE, exact_events

SEMANTICS = "jump"
ALGEBRA = ("jacobian", "jump", "leap", "stiffness")
GRID_FREE = False
ORDER = "weak 1"
WIDTHS = ((16, 0),)
SOURCE = "doi:10.1063/1.2745299"

ROWS = BEHIND_LASTING


@block
def start(w, v, i, seed, number, setting):
    w[STIFF + i] = 0.0
    w[STRIDE + i] = 0.0
    return begin(w, v, i, seed, number, setting)


@block
def renew(w, v, i, t, setting, changed):
    """After a change of rates or counts a cell goes on by explicit leaps: what was in balance may not be so now."""
    if changed:
        w[STIFF + i] = 0.0
        w[LONG + i] = np.inf
        w[RESTING + i] = 0.0
    return np.inf


@lane
def set_course(w, v, i, longest):
    """The cell and the mode of lane i; returns 1 where it leaps or goes by a part."""
    begins = (w[NEXT + i] > w[TIME + i]) & (w[TIME + i] >= w[CELL + i])
    stride = w[STRIDE + i]
    leaps = plan(w, v, i, longest, stride)
    set_part(w, i, begins, stride > 0.0)
    return uint64(1) if by_part(w, i) else leaps


@block
def leap_or_part(w, v):
    """The leap or part of every lane whose mode it is."""
    parts = False
    for i in range(W):
        parts = parts or by_part(w, i)
    draw(w, v)
    if parts:
        balance_part(w, v)
    choose(w)
    if parts:
        for k in range(REACTIONS * W):
            w[WITHIN + k] = w[FIRINGS + k]
    occur(w)
    if parts:
        land_part(w)
    advance(w)


@block
def sweep(w, v, setting):
    """A leap, a part, or the exact events of a cell, of every lane."""
    survey(w, v)
    longest = setting[WINDOW] if TIMED else np.inf
    looks = uint64(0)
    for i in range(W):
        looks += call(w, i, longest)
    if looks > uint64(0):
        look_ahead(w)
    leaps = uint64(0)
    for i in range(W):
        leaps += set_course(w, v, i, longest)
    exact = has_exact(w)
    if leaps > uint64(0):
        leap_or_part(w, v)
    if exact:
        exact_events(w, v)
    return conclude(w, v)


@block
def find(w, v, i):
    """The moment of the last leap or part of lane i at which its condition became true; the state is put there."""
    if w[STIFF + i] == 0.0 or w[MODE + i] != JUMP:
        return reach(w, v, i)
    low = 0.0
    high = 1.0
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        place(w, v, i, middle)
        met = guard(w, i, w[BEGAN + i] + middle * w[SPAN + i]) > 0.0
        high = middle if met else high
        low = low if met else middle
    while not place(w, v, i, high) and high < 1.0:  # rounding can take what is not there in the middle of a part
        high = min(high + 0.0625, 1.0)
    if high < 1.0:
        w[TIME + i] = w[BEGAN + i] + high * w[SPAN + i]
        w[PHASE + i] -= 1.0 if w[ONE + i] < 0.0 else 0.0
    return w[TIME + i]


run = loop(start, renew, sweep, find, ready, read, arrive, True)
