"""Lesions founded within a leap: each at its time, kept until the lane is served, which writes them to its log.

A solver that makes one event at a time needs none of this: a counter that rose is seen, and logged, right after it.
"""

from ctcdyn.kernels.contract import FOUNDING, TIME, WAY_FOUNDER, W, acknowledge, log_event
from ctcdyn.kernels.inversion import INVERTED
from ctcdyn.kernels.machine import block

MOST_FOUND = 128 if FOUNDING else 0  # in one step; steps are so short that FEW_FOUND are to be expected
FEW_FOUND = 16.0
FOUND = INVERTED  # lesions founded in the step of the lane
FOUND_AT = FOUND + W  # (time, number of the rule) of each
FOUNDINGS = FOUND_AT + 2 * MOST_FOUND * W


@block
def found(w, i, way, t):
    """A firing of reaction `way` at time t of the step of lane i, if it founds a lesion."""
    if FOUNDING and WAY_FOUNDER[way] >= 0:
        at = int(w[FOUND + i])
        if at < MOST_FOUND:
            w[FOUND_AT + 2 * at * W + i] = w[TIME + i] + t
            w[FOUND_AT + (2 * at + 1) * W + i] = WAY_FOUNDER[way]
        w[FOUND + i] += 1.0


@block
def enter_in_log(w, book, i):
    """All lesions founded in the step of lane i, to its log."""
    for k in range(int(w[FOUND + i])):
        log_event(book, i, w[FOUND_AT + 2 * k * W + i], -1.0 - w[FOUND_AT + (2 * k + 1) * W + i], 1.0)
    w[FOUND + i] = 0.0
    acknowledge(w, i)
