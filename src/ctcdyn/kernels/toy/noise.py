"""The toy model of the contract: noise. Generated: python -m ctcdyn.codegen.toy"""

import numpy as np

from ctcdyn.kernels.lanemath import sin_
from ctcdyn.kernels.machine import block, lane, pick
from ctcdyn.kernels.normals import polar
from ctcdyn.kernels.toy.layout import (
    AT, A_0, A_1, A_2, C_shed, D_arrivals, D_blood, D_tissue, LAPSE, Q_clearance, Q_death, Q_extravasation,
    Q_shedding, Q_swing, SPREAD, W, X_blood, X_tissue, Y_blood, Y_tissue, Z_arrivals, Z_blood, Z_tissue,
)


NOISES = 3  # independent ones: collinear reactions share theirs


@lane
def increment_0(w, v, i):
    """Increment of the state by a step."""
    t = w[AT + i]
    h__ = w[LAPSE + i]
    g__ = w[SPREAD + i]
    v0__, v1__, v2__, v3__ = v[i], v[1 * W + i], v[2 * W + i], v[3 * W + i]
    q0__, c0__, s0__, v0__, v1__, v2__, v3__ = polar(v0__, v1__, v2__, v3__)
    q0__ = q0__ * g__
    q1__, c1__, s1__, v0__, v1__, v2__, v3__ = polar(v0__, v1__, v2__, v3__)
    q1__ = q1__ * g__
    v[i] = v0__
    v[1 * W + i] = v1__
    v[2 * W + i] = v2__
    v[3 * W + i] = v3__
    # shed: -> blood
    shedding = w[Q_shedding + i]
    swing = w[Q_swing + i]
    c_shed = w[C_shed + i]
    x__0 = shedding * (1.0 + swing * sin_(2.0 * 3.141592653589793 * t)) * c_shed
    r0__ = pick(x__0 < 0.0, 0.0, x__0)
    # clear: blood ->
    clearance = w[Q_clearance + i]
    blood = w[X_blood + i]
    r1__ = clearance * blood
    a0__ = r0__ + r1__
    n0__ = np.sqrt(a0__ * q0__) * c0__
    # leave: blood -> tissue
    extravasation = w[Q_extravasation + i]
    r2__ = extravasation * blood
    a1__ = r2__
    n1__ = np.sqrt(a1__ * q0__) * s0__
    # die: tissue ->
    death = w[Q_death + i]
    tissue = w[X_tissue + i]
    r3__ = death * tissue
    a2__ = r3__
    n2__ = np.sqrt(a2__ * q1__) * c1__
    w[Z_blood + i] = h__ * (r0__ - r1__ - r2__) + (n0__ + n1__)
    w[Z_tissue + i] = h__ * (r2__ - r3__) + (-n1__ + n2__)
    w[Z_arrivals + i] = h__ * (r2__) + (-n1__)


@block
def increment(w, v):
    for i in range(W):
        increment_0(w, v, i)


@lane
def first_increment_0(w, v, i):
    """Increment of the state by a step."""
    t = w[AT + i]
    h__ = w[LAPSE + i]
    g__ = w[SPREAD + i]
    v0__, v1__, v2__, v3__ = v[i], v[1 * W + i], v[2 * W + i], v[3 * W + i]
    q0__, c0__, s0__, v0__, v1__, v2__, v3__ = polar(v0__, v1__, v2__, v3__)
    q0__ = q0__ * g__
    q1__, c1__, s1__, v0__, v1__, v2__, v3__ = polar(v0__, v1__, v2__, v3__)
    q1__ = q1__ * g__
    v[i] = v0__
    v[1 * W + i] = v1__
    v[2 * W + i] = v2__
    v[3 * W + i] = v3__
    # shed: -> blood
    shedding = w[Q_shedding + i]
    swing = w[Q_swing + i]
    c_shed = w[C_shed + i]
    x__0 = shedding * (1.0 + swing * sin_(2.0 * 3.141592653589793 * t)) * c_shed
    r0__ = pick(x__0 < 0.0, 0.0, x__0)
    # clear: blood ->
    clearance = w[Q_clearance + i]
    blood = w[X_blood + i]
    r1__ = clearance * blood
    a0__ = r0__ + r1__
    w[A_0 + i] = a0__
    n0__ = np.sqrt(a0__ * q0__) * c0__
    # leave: blood -> tissue
    extravasation = w[Q_extravasation + i]
    r2__ = extravasation * blood
    a1__ = r2__
    w[A_1 + i] = a1__
    n1__ = np.sqrt(a1__ * q0__) * s0__
    # die: tissue ->
    death = w[Q_death + i]
    tissue = w[X_tissue + i]
    r3__ = death * tissue
    a2__ = r3__
    w[A_2 + i] = a2__
    n2__ = np.sqrt(a2__ * q1__) * c1__
    x__1 = r0__ - r1__ - r2__
    w[D_blood + i] = x__1
    w[Z_blood + i] = h__ * (x__1) + (n0__ + n1__)
    x__2 = r2__ - r3__
    w[D_tissue + i] = x__2
    w[Z_tissue + i] = h__ * (x__2) + (-n1__ + n2__)
    x__3 = r2__
    w[D_arrivals + i] = x__3
    w[Z_arrivals + i] = h__ * (x__3) + (-n1__)


@block
def first_increment(w, v):
    for i in range(W):
        first_increment_0(w, v, i)


@lane
def second_increment_0(w, v, i):
    """Increment of the state by a step."""
    t = w[AT + i]
    h__ = w[LAPSE + i]
    g__ = w[SPREAD + i]
    v0__, v1__, v2__, v3__ = v[i], v[1 * W + i], v[2 * W + i], v[3 * W + i]
    q0__, c0__, s0__, v0__, v1__, v2__, v3__ = polar(v0__, v1__, v2__, v3__)
    q0__ = q0__ * g__
    q1__, c1__, s1__, v0__, v1__, v2__, v3__ = polar(v0__, v1__, v2__, v3__)
    q1__ = q1__ * g__
    v[i] = v0__
    v[1 * W + i] = v1__
    v[2 * W + i] = v2__
    v[3 * W + i] = v3__
    # shed: -> blood
    shedding = w[Q_shedding + i]
    swing = w[Q_swing + i]
    c_shed = w[C_shed + i]
    x__0 = shedding * (1.0 + swing * sin_(2.0 * 3.141592653589793 * t)) * c_shed
    r0__ = pick(x__0 < 0.0, 0.0, x__0)
    # clear: blood ->
    clearance = w[Q_clearance + i]
    blood = w[Y_blood + i]
    r1__ = clearance * blood
    a0__ = r0__ + r1__
    a0__ = 2.0 * a0__ - w[A_0 + i]
    a0__ = pick(a0__ < 0.0, 0.0, a0__)
    n0__ = np.sqrt(a0__ * q0__) * c0__
    # leave: blood -> tissue
    extravasation = w[Q_extravasation + i]
    r2__ = extravasation * blood
    a1__ = r2__
    a1__ = 2.0 * a1__ - w[A_1 + i]
    a1__ = pick(a1__ < 0.0, 0.0, a1__)
    n1__ = np.sqrt(a1__ * q0__) * s0__
    # die: tissue ->
    death = w[Q_death + i]
    tissue = w[Y_tissue + i]
    r3__ = death * tissue
    a2__ = r3__
    a2__ = 2.0 * a2__ - w[A_2 + i]
    a2__ = pick(a2__ < 0.0, 0.0, a2__)
    n2__ = np.sqrt(a2__ * q1__) * c1__
    x__1 = r0__ - r1__ - r2__
    w[Z_blood + i] = h__ * (2.0 * x__1 - w[D_blood + i]) + (n0__ + n1__)
    x__2 = r2__ - r3__
    w[Z_tissue + i] = h__ * (2.0 * x__2 - w[D_tissue + i]) + (-n1__ + n2__)
    x__3 = r2__
    w[Z_arrivals + i] = h__ * (2.0 * x__3 - w[D_arrivals + i]) + (-n1__)


@block
def second_increment(w, v):
    for i in range(W):
        second_increment_0(w, v, i)
