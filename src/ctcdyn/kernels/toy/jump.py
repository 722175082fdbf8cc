"""The toy model of the contract: jump. Generated: python -m ctcdyn.codegen.toy"""

import numpy as np

from ctcdyn.kernels.lanemath import sin_
from ctcdyn.kernels.machine import lane, pick, term
from ctcdyn.kernels.toy.dependency import limit_shed
from ctcdyn.kernels.toy.layout import (
    C_shed, FROM, Q_clearance, Q_death, Q_extravasation, Q_shedding, Q_swing, X_arrivals, X_blood, X_tissue,
)


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


@lane
def bound(w, i):
    """A bound of the total propensity over the window of lane i, 1/d."""
    return limit_shed(w, i) + rate_clear(w, i, w[FROM + i]) + rate_leave(w, i, w[FROM + i]) + rate_die(w, i, w[FROM + i])
