"""Exact jump process: the direct method in lanes, one event of every trajectory at each sweep.

Exact in law for any propensities; cost grows with the number of events. Use it for small numbers, rare events and as
the reference for every approximation. Two draws an event from the stream EVENTS, in this order: `uniform` u chooses the
reaction r with c[r-1] <= u * total < c[r], `exponential` is the budget of the next event. The first draw of a
trajectory is the first budget.

The waiting time is a budget of unit-exponential hazard, carried over saves and stops and never redrawn: a stop costs
no draw, a save changes no bit, and piecewise constant rates are exact. Rates that depend smoothly on `t` are exact by
thinning: a candidate after budget / bound, accepted where u * bound < total(t); windows of the bound are whole
multiples of WINDOW, so the path does not depend on save times either. Numbers above 2**53 end the trajectory.

D. T. Gillespie 1977, doi:10.1021/j100540a008; thinning: Lewis and Shedler 1979, doi:10.1002/nav.3800260304.
"""

import numpy as np

from ctcdyn.kernels.clock import due, opened, stopped
from ctcdyn.kernels.contract import TIMED, W, bound, valid
from ctcdyn.kernels.events import BUDGET, one_event
from ctcdyn.kernels.lanes import NOT_FINITE, OWN, loop
from ctcdyn.kernels.machine import block
from ctcdyn.kernels.standing import read, ready
from ctcdyn.kernels.streams import EVENTS, exponential, seed_stream

SEMANTICS = "jump"
ALGEBRA = ("jump",)
GRID_FREE = True
ORDER = "exact"
WIDTHS = ((64, 48), (32, 96), (16, 0))  # (lanes, most rows of the model that they suit), measured
SOURCE = "doi:10.1021/j100540a008"

ROWS = OWN + W


@block
def begin(w, v, i, seed, number, setting):
    seed_stream(v, i, seed, number, EVENTS)
    w[BUDGET + i] = exponential(v, i)
    return 0 if valid(w, i) > 0.0 else NOT_FINITE


@block
def prepare(w, v, i, t, setting, changed):
    """The window of the bound that t falls into; none where no rate depends on time."""
    until = np.inf
    if TIMED:
        until = opened(w, i, t, setting)
    return until


@block
def sweep(w, v, setting):
    return one_event(w, v)


@block
def hazard(w, i):
    """The rate at which the budget of lane i is spent, 1/d."""
    return bound(w, i)


@block
def reach(w, v, i):
    """Time of the next event if nothing changes before it."""
    return due(w, v, i, hazard(w, i))


@block
def arrive(w, v, book, i, t):
    """What is scheduled at t changes lane i; returns what changed."""
    return stopped(w, book, i, t, hazard(w, i))


run = loop(begin, prepare, sweep, reach, ready, read, arrive, False)
