"""Conditions on the state of an ODE lane: the time within the last step at which one becomes true, by bisection.

The dense output of the method is searched, so the time is as accurate as that; a condition that becomes true and false
again within one step is not seen.
"""

from ctcdyn.kernels.contract import SPECIES, TIME, W, X, apply, guard
from ctcdyn.kernels.machine import block
from ctcdyn.kernels.steps import BEFORE, NEW, place

HALVINGS = 60  # of the step: beyond the last bit of a time


@block
def reach(w, v, i):
    """The moment in the last step of lane i at which its condition became true."""
    low = w[BEFORE + i]
    high = w[TIME + i]
    for _ in range(HALVINGS):
        middle = low + 0.5 * (high - low)
        if middle <= low or middle >= high:
            break
        place(w, i, middle)
        if guard(w, i, middle) > 0.0:
            high = middle
        else:
            low = middle
    for s in range(SPECIES):
        w[X + s * W + i] = w[NEW + s * W + i]
    return high


@block
def arrive(w, v, book, i, t):
    """Put lane i at t, which lies in its last step, and apply what is due or has become true there."""
    if t < w[TIME + i]:
        place(w, i, t)
        w[TIME + i] = t
    return apply(w, book, i, t)
