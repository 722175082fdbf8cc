"""What the exact jump solvers share: the window of a bound, and the one budget of a lane at events and stops.

A budget is spent at a rate, the sum of the propensities or of their bounds, and where it is used up there is an event.
"""

import numpy as np
from numba import uint64

from ctcdyn.kernels.contract import FROM, TIME, TIMED, TO, apply, valid, window
from ctcdyn.kernels.lanes import BUDGET, FIRED, FLAG, WINDOW
from ctcdyn.kernels.machine import block


@block
def opened(w, i, t, setting):
    """The window of the bounds that t falls into, anchored at multiples of its length; returns its end, days."""
    k = np.floor(t / setting[WINDOW])
    if (k + 1.0) * setting[WINDOW] <= t:
        k += 1.0
    w[FROM + i] = k * setting[WINDOW]
    w[TO + i] = (k + 1.0) * setting[WINDOW]
    window(w, i)
    return w[TO + i]


@block
def due(w, v, i, total):
    """Time of the next event if nothing changes before it; `total`: the rate at which the budget is spent, 1/d."""
    if v[FLAG + i] == uint64(FIRED):
        return w[TIME + i]
    return w[TIME + i] + w[BUDGET + i] / total if total < np.inf else np.nan


@block
def stopped(w, book, i, t, total):
    """The budget is rebased only where a rate changes at t, so that an event without effect changes no bit."""
    spent = total * (t - w[TIME + i])
    bits = apply(w, book, i, t)
    if TIMED or bits & 1 != 0:
        w[BUDGET + i] = max(w[BUDGET + i] - spent, 5e-324)
        w[TIME + i] = t
    if bits & 1 != 0 and valid(w, i) == 0.0:
        w[BUDGET + i] = np.nan
    return bits
