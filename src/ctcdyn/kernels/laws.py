"""The laws of one step of one lane, in rows: shares of ends, means of sources, lines of growers.

They are made again only where the length of the step or a rate has changed.
"""

import numpy as np

from ctcdyn.kernels.cells import POLY, SPAN, chance, died, divided, exported, thin
from ctcdyn.kernels.contract import (
    BENDING,
    EXPORTING,
    FORCE,
    FROZEN,
    GOAL_AT,
    GOAL_NODE,
    GROWER_ROW,
    GROWERS,
    MOVING,
    NODE_KIND,
    NODE_WHAT,
    NODES,
    PLAIN_ROW,
    PLAINS,
    SOURCE_PLAIN,
    SOURCE_WAY,
    SOURCES,
    WAY_FOUNDER,
    WAY_GROWER,
    WAY_ROW,
    WAYS,
    W,
    X,
)
from ctcdyn.kernels.descent import line
from ctcdyn.kernels.lanemath import exp_, log1p_
from ctcdyn.kernels.machine import block, lane
from ctcdyn.kernels.pinned import PINNED
from ctcdyn.kernels.propagator import MOMENT, propagate

FILLED = PINNED  # length of the step that the laws in the rows are for, days; NaN where they must be made
USED = PINNED + W  # rates that the laws in the rows were made of
MEAN = USED + WAYS * W  # mean number of cells that each source brings to each node
MISSED = MEAN + SOURCES * NODES * W  # and of those that are gone again
SAFE = MISSED + SOURCES * W  # of each grower: -log P(nothing met) for each cell
STAYS = (
    SAFE + GROWERS * W
)  # of each grower four rows of the share of lines that are alive: see propagator.divide, and
# two of the cells of a line beyond the first: their mean m, log(1 + m)
MASSED = STAYS + 6 * GROWERS * W  # 1 where a grower meets things by splitting
LENT = MASSED + GROWERS * W  # 1 where the laws are those of another trajectory, or of the rates before a stop
LAWS = LENT + W

SAME = 1e-10  # relative difference of steps that have one law: save times are rounded
MANY = 64.0  # things met in a step beyond which they are met by splitting


@lane
def lasting(w, i):
    """Whether the laws in the rows are for a step as long as that of lane i, where no rate has changed."""
    return (w[LENT + i] == 0.0) & (abs(w[FILLED + i] - w[SPAN + i]) <= SAME * w[SPAN + i])


@block
def laws(w, v, i):
    """The laws of the step, where they are not there already; what is met by splitting is drawn."""
    fill(w, i)
    if EXPORTING:
        h = w[SPAN + i]
        for g in range(GROWERS):
            w[MASSED + g * W + i] = 0.0
            if w[SAFE + g * W + i] * w[X + GROWER_ROW[g] * W + i] > MANY:
                thin(w, v, i, X, g, 0.5 * h, True)
                descend(w, i, g, 0.0, h)
                w[MASSED + g * W + i] = 1.0
                w[FILLED + i] = np.nan


@block
def fill(w, i):
    """The laws of the step of lane i in its rows, where they are not there already."""
    h = w[SPAN + i]
    stale = not (abs(w[FILLED + i] - h) <= SAME * h)
    if w[LENT + i] > 0.0:
        # what another trajectory left is taken where it is the same to the last bit
        stale = w[FILLED + i] != h
        for k in range(WAYS):
            stale = stale or w[FORCE + k * W + i] != w[USED + k * W + i]
        w[LENT + i] = 0.0
    if BENDING or FROZEN:
        for k in range(WAYS):
            stale = stale or (WAY_ROW[k] >= 0 and w[FORCE + k * W + i] != w[USED + k * W + i])
    if stale:
        for k in range(WAYS):
            w[USED + k * W + i] = w[FORCE + k * W + i]
        if PLAINS > 0:
            propagate(w, i, h)
        for g in range(GROWERS):
            descend(w, i, g, exported(w, i, g), h)
        w[FILLED + i] = h
    if stale or MOVING or FROZEN:
        for k in range(SOURCES):
            expect(w, i, k, h)


@block
def founders_expected(w, i):
    """Lesions that the step of lane i is expected to found, from laws that are filled; of growers an upper bound."""
    total = 0.0
    for b in range(NODES):
        if NODE_KIND[b] == 3 and WAY_FOUNDER[NODE_WHAT[b]] >= 0:
            for p in range(PLAINS):
                total += w[X + PLAIN_ROW[p] * W + i] * chance(w, i, 0, GOAL_NODE[GOAL_AT[p]], b)
            for k in range(SOURCES):
                total += w[MEAN + (k * NODES + b) * W + i]
    for k in range(SOURCES):
        if WAY_FOUNDER[SOURCE_WAY[k]] >= 0:
            total += w[MISSED + k * W + i]
    for k in range(WAYS):
        if WAY_FOUNDER[k] >= 0 and WAY_GROWER[k] >= 0:
            g = WAY_GROWER[k]
            growth = max(divided(w, i, g) - died(w, i, g), 0.0) * w[SPAN + i]
            total += w[X + GROWER_ROW[g] * W + i] * w[FORCE + k * W + i] * w[SPAN + i] * exp_(min(growth, 50.0))
    return total


@block
def descend(w, i, g, c, h):
    """The law of the lines of a grower over h days."""
    met, alive, gone, extra = line(divided(w, i, g), died(w, i, g), c, h)
    few = alive if alive <= gone else gone
    w[SAFE + g * W + i] = -log1p_(-met)
    w[STAYS + 6 * g * W + i] = few
    w[STAYS + (6 * g + 1) * W + i] = few / (1.0 - few)
    w[STAYS + (6 * g + 2) * W + i] = log1p_(-few)
    w[STAYS + (6 * g + 3) * W + i] = 0.0 if alive <= gone else 1.0
    w[STAYS + (6 * g + 4) * W + i] = extra
    w[STAYS + (6 * g + 5) * W + i] = log1p_(extra)


@block
def expect(w, i, k, h):
    """Mean numbers that a source brings to each node within the step."""
    total = 0.0
    for j in range(5):
        total += w[POLY + (5 * k + j) * W + i] / (j + 1.0)
    total = max(total * h, 0.0)
    for b in range(NODES):
        mean = 0.0
        if SOURCE_PLAIN[k] >= 0:
            for j in range(5):
                mean += w[POLY + (5 * k + j) * W + i] * w[MOMENT + ((5 * k + j) * NODES + b) * W + i]
        mean = max(mean * h, 0.0)
        w[MEAN + (k * NODES + b) * W + i] = mean
        total -= mean
    w[MISSED + k * W + i] = max(total, 0.0)
