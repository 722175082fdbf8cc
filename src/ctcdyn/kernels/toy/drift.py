"""The toy model of the contract: drift. Generated: python -m ctcdyn.codegen.toy"""

from ctcdyn.kernels.lanemath import sin_
from ctcdyn.kernels.machine import block, lane
from ctcdyn.kernels.toy.layout import (
    AT, C_shed, F_arrivals, F_blood, F_tissue, Q_clearance, Q_death, Q_extravasation, Q_shedding, Q_swing,
    U_blood, U_tissue, W,
)


@lane
def drift_lane(w, i):
    """dx/dt at the trial state, in the species' unit per day."""
    t = w[AT + i]
    # shed: -> blood
    shedding = w[Q_shedding + i]
    swing = w[Q_swing + i]
    c_shed = w[C_shed + i]
    r0__ = shedding * (1.0 + swing * sin_(2.0 * 3.141592653589793 * t)) * c_shed
    # clear: blood ->
    clearance = w[Q_clearance + i]
    blood = w[U_blood + i]
    r1__ = clearance * blood
    # leave: blood -> tissue
    extravasation = w[Q_extravasation + i]
    x__0 = extravasation * blood
    r2__ = x__0
    # die: tissue ->
    death = w[Q_death + i]
    tissue = w[U_tissue + i]
    r3__ = death * tissue
    w[F_blood + i] = r0__ - r1__ - r2__
    w[F_tissue + i] = r2__ - r3__
    w[F_arrivals + i] = r2__


@block
def drift(w):
    for i in range(W):
        drift_lane(w, i)
