"""The toy model of the contract: stops. Generated: python -m ctcdyn.codegen.toy"""

import numpy as np
from numba import int64

from ctcdyn.kernels.machine import block, lane, pick
from ctcdyn.kernels.toy.layout import (
    C_shed, DUE_0, DUE_1, FLIP_0, HELD_1, HERE, LEFT_0, LOGS, PASSED_detection, Q_blood__initial, Q_clearance,
    Q_detectable, Q_dose__cycles, Q_dose__every, Q_dose__given, Q_dose__x_clearance, Q_dose_day, Q_holiday,
    Q_seeded, Q_surgery__given, SPECIES, S_0, W, X_arrivals, X_blood, X_tissue,
)


@block
def log_event(book, i, t, kind, value):
    """One line (t, kind, value) in the log of lane i: book holds W counts, then LOGS triples for each lane."""
    at = int64(book[i])
    if at < LOGS:
        book[W + (i * LOGS + at) * 3] = t
        book[W + (i * LOGS + at) * 3 + 1] = kind
        book[W + (i * LOGS + at) * 3 + 2] = value
    book[i] += 1.0


@block
def initial(w, i):
    """Derived parameters and the state of lane i at the start, from the parameters in its Q rows."""
    blood__initial = w[Q_blood__initial + i]
    w[X_blood + i] = np.floor(blood__initial + 0.5)
    seeded = w[Q_seeded + i]
    w[X_tissue + i] = np.floor(seeded + 0.5)
    w[X_arrivals + i] = 0.0


@block
def coefficients(w, i):
    """Coefficients of lane i from its parameters and switches."""
    s_0 = w[S_0 + i]
    w[C_shed + i] = 1.0 - 0.5 * s_0


@lane
def observe(w, i, t):
    """Readings of lane i at time t, from the state in HERE and written behind it."""
    blood = w[HERE + 0]
    tissue = w[HERE + 1]
    w[HERE + SPECIES + 0] = blood + tissue  # load


@block
def schedule(w, i, t):
    """Every stop of lane i as it stands at the start time t."""
    holiday = w[Q_holiday + i]
    w[S_0 + i] = 1.0 if t >= holiday else 0.0
    w[FLIP_0 + i] = holiday if t < holiday else np.inf
    dose_day = w[Q_dose_day + i]
    w[DUE_0 + i] = dose_day if dose_day >= t else np.inf
    w[LEFT_0 + i] = w[Q_dose__cycles + i]
    w[DUE_1 + i] = np.inf
    w[HELD_1 + i] = 0.0
    w[PASSED_detection + i] = np.inf


@block
def upcoming(w, i):
    """Time of the next scheduled stop of lane i, days; inf if none."""
    t = np.inf
    t = w[FLIP_0 + i] if w[FLIP_0 + i] < t else t
    t = w[DUE_0 + i] if w[DUE_0 + i] < t else t
    return t


@lane
def guard(w, i, t):
    """1.0 where a condition on the state of lane i has just become true."""
    tissue = w[X_tissue + i]
    detectable = w[Q_detectable + i]
    x__0 = pick((tissue >= detectable), 1.0, 0.0)
    w[HELD_1 + i] = pick(x__0 > 0.0, w[HELD_1 + i], 0.0)
    return pick((x__0 > w[HELD_1 + i]) | ((tissue >= detectable) & (w[PASSED_detection + i] == np.inf)), 1.0, 0.0)


@block
def apply(w, book, i, t):
    """Applies to lane i what is due at t or has become true. Bits: 1 rates or state changed, 2 the lane ends here,
    4 a species was set to what is no count."""
    changed = 0
    if w[FLIP_0 + i] <= t:
        w[S_0 + i] = 1.0
        w[FLIP_0 + i] = np.inf
        changed |= 1
    for _ in range(4):
        more = 0
        tissue = w[X_tissue + i]
        detectable = w[Q_detectable + i]
        if (w[PASSED_detection + i] == np.inf) & (tissue >= detectable):
            w[PASSED_detection + i] = t
            more = 1
        tissue = w[X_tissue + i]
        detectable = w[Q_detectable + i]
        x__0 = (tissue >= detectable)
        w[HELD_1 + i] = w[HELD_1 + i] if x__0 else 0.0
        if (w[HELD_1 + i] == 0.0) & x__0:
            w[HELD_1 + i] = 1.0
            w[DUE_1 + i] = t
        if w[DUE_0 + i] <= t:
            more = 1
            w[LEFT_0 + i] -= 1.0
            w[DUE_0 + i] = w[DUE_0 + i] + w[Q_dose__every + i] if w[LEFT_0 + i] > 0.0 else np.inf
            given = (w[Q_dose__given + i] > 0.0)
            new_0__ = w[Q_clearance + i] * (w[Q_dose__x_clearance + i] if given else 1.0)
            changed |= 1 if new_0__ != w[Q_clearance + i] else 0
            w[Q_clearance + i] = new_0__
            if book[i] < LOGS - LOGS // 2:
                log_event(book, i, t, 0.0, 0.0)
        if w[DUE_1 + i] <= t:
            more = 1
            w[DUE_1 + i] = np.inf
            given = (w[Q_surgery__given + i] > 0.0)
            tissue = w[X_tissue + i]
            new_0__ = tissue / 10.0
            new_0__ = np.floor(new_0__ + 0.5) if abs(new_0__) < 4503599627370496.0 else new_0__
            new_0__ = new_0__ if given else w[X_tissue + i]
            changed |= 4 if ((new_0__ < 0.0) & (w[X_tissue + i] >= 0.0)) | (not abs(new_0__) < np.inf) else 0
            changed |= 1 if new_0__ != w[X_tissue + i] else 0
            w[X_tissue + i] = new_0__
            log_event(book, i, t, 1.0, w[X_tissue + i])
        if (more == 0) | (changed & 2 != 0):
            break
    if changed & 1:
        coefficients(w, i)
    return changed
