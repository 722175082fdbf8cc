"""The toy model of the contract: channels. Generated: python -m ctcdyn.codegen.toy"""

import numpy as np

from ctcdyn.kernels.machine import block, lane, pick
from ctcdyn.kernels.toy.dependency import limit_shed
from ctcdyn.kernels.toy.jump import rate_clear, rate_die, rate_leave, rate_shed
from ctcdyn.kernels.toy.layout import (
    CHOICE, FROM, RATE_clear, RATE_die, RATE_leave, RATE_shed, W, X_arrivals, X_blood, X_tissue,
)


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
