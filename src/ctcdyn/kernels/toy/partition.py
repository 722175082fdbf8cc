"""The toy model of the contract: partition. Generated: python -m ctcdyn.codegen.toy"""

import numpy as np

from ctcdyn.kernels.machine import block, lane, pick
from ctcdyn.kernels.toy.layout import (
    DISCRETE_arrivals, DISCRETE_blood, DISCRETE_tissue, DRIFT_0, DRIFT_1, DRIFT_2, DRIFT_3, FALL_arrivals,
    FALL_blood, FALL_tissue, HELD_1, JUMP_0, JUMP_1, JUMP_2, JUMP_3, PACE_arrivals, PACE_blood, PACE_tissue,
    PASSED_detection, Q_clearance, Q_death, Q_detectable, RISE_arrivals, RISE_blood, RISE_tissue,
    STIRS_arrivals, STIRS_blood, STIRS_tissue, X_blood, X_tissue,
)


OPEN = (True, True, True)  # of state rows: not pinned
WALKED = (True, True, True)  # of state rows: not pinned, or read by rates of jumps or conditions
RESTING = False  # some are not


TAMED = True  # a jump of some species fades from its path without a new step


@block
def mask(w, i):
    """Reactions of lane i by what they touch, from its DISCRETE rows; counters go with their reaction."""
    w[JUMP_0 + i] = 1.0 if w[DISCRETE_blood + i] > 0.0 else 0.0
    w[DRIFT_0 + i] = 1.0 - w[JUMP_0 + i]
    w[JUMP_1 + i] = 1.0 if w[DISCRETE_blood + i] > 0.0 else 0.0
    w[DRIFT_1 + i] = 1.0 - w[JUMP_1 + i]
    w[JUMP_2 + i] = 1.0 if w[DISCRETE_blood + i] + w[DISCRETE_tissue + i] > 0.0 else 0.0
    w[DRIFT_2 + i] = 1.0 - w[JUMP_2 + i]
    w[JUMP_3 + i] = 1.0 if w[DISCRETE_tissue + i] > 0.0 else 0.0
    w[DRIFT_3 + i] = 1.0 - w[JUMP_3 + i]
    w[DISCRETE_arrivals + i] = w[JUMP_2 + i]
    w[STIRS_blood + i] = 1.0 if w[DRIFT_2 + i] > 0.0 else 0.0
    clearance = w[Q_clearance + i]
    w[PACE_blood + i] = -1.0 * w[DRIFT_1 + i] * (clearance)
    w[STIRS_tissue + i] = 1.0 if 0.0 > 0.0 else 0.0
    death = w[Q_death + i]
    w[PACE_tissue + i] = -1.0 * w[DRIFT_3 + i] * (death)
    w[STIRS_arrivals + i] = 1.0 if 0.0 > 0.0 else 0.0
    w[PACE_arrivals + i] = 0.0


@block
def partition(w, i, up, down):
    """Lane i at its start: discrete below `up`, whole there; `down` is where it turns back."""
    w[RISE_blood + i] = up
    w[FALL_blood + i] = down
    w[DISCRETE_blood + i] = 0.0 if w[X_blood + i] >= up else 1.0
    w[X_blood + i] = w[X_blood + i] if w[X_blood + i] >= up else np.floor(w[X_blood + i] + 0.5)
    w[RISE_tissue + i] = up
    w[FALL_tissue + i] = down
    w[DISCRETE_tissue + i] = 0.0 if w[X_tissue + i] >= up else 1.0
    w[X_tissue + i] = w[X_tissue + i] if w[X_tissue + i] >= up else np.floor(w[X_tissue + i] + 0.5)
    w[RISE_arrivals + i] = np.inf
    w[FALL_arrivals + i] = -np.inf
    w[DISCRETE_arrivals + i] = 0.0
    mask(w, i)


@lane
def guard_jump(w, i, t):
    """1.0 where a condition on the state of lane i has just become true."""
    tissue = w[X_tissue + i]
    detectable = w[Q_detectable + i]
    x__0 = pick((tissue >= detectable), 1.0, 0.0)
    w[HELD_1 + i] = pick(x__0 > 0.0, w[HELD_1 + i], 0.0)
    return pick((x__0 > w[HELD_1 + i]) | ((tissue >= detectable) & (w[PASSED_detection + i] == np.inf)), 1.0, 0.0)
