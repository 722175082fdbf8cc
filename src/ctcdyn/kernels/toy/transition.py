"""The toy model of the contract: transition. Generated: python -m ctcdyn.codegen.toy"""

import numpy as np

from ctcdyn.kernels.lanemath import sin_
from ctcdyn.kernels.machine import block, pick
from ctcdyn.kernels.toy.layout import (
    AT, C_shed, FORCE_0, FORCE_1, FORCE_2, FORCE_3, HELD_1, PASSED_detection, Q_clearance, Q_death,
    Q_detectable, Q_extravasation, Q_shedding, Q_swing, X_tissue,
)


MOVING = True  # a rate for each cell, or a source, changes with time or a pinned species
BENDING = False  # not only a source
FROZEN = False  # rates, or pinned species, depend on counts
REALS = 0  # pinned state rows
PINNING = False  # there are some
EXPORTING = False  # a cell that divides can meet something else
BURSTING = False  # a source sends several cells
FOUNDING = False  # a reaction founds lesions
SIMPLE = False  # every step goes from stop to stop
WAYS = 4
MOVERS = 1
MOVER_WAY = np.array([0], np.int64)  # ways whose rates change along a step
SOURCE_MOVER = np.array([0], np.int64)  # place of a source among them, or -1
WAY_WATCHED = np.array([0, 0, 1, 1], np.int64)  # 1 where it moves a count that conditions depend on
WAY_GROWER = np.array([-1, -1, -1, -1], np.int64)  # the grower that takes it, or -1
WAY_FOUNDER = np.array([-1, -1, -1, -1], np.int64)  # number of the rule by which it founds a lesion, or -1
WAY_EXPORT = np.array([0, 0, 0, 0], np.int64)  # 1 where a grower meets it
WAY_ROW = np.array([-1, 0, 0, 1], np.int64)  # state row of the cell that takes it
MOVE_AT = np.array([0, 1, 2, 5, 6], np.int64)
MOVE_ROW = np.array([0, 0, 0, 1, 2, 1], np.int64)
MOVE_STEP = np.array([1, -1, -1, 1, 1, -1], np.int64)
LIVE_AT = np.array([0, 1, 1, 2, 2], np.int64)
LIVE_CELL = np.array([0, 1], np.int64)
GAIN_AT = np.array([0, 0, 0, 1, 1], np.int64)
GAIN_ROW = np.array([2], np.int64)
GAIN_STEP = np.array([1], np.int64)
PLAINS = 2
PLAIN_ROW = np.array([0, 1], np.int64)  # state row of each plain species
MORTAL = np.array([1, 1], np.int64)  # 1 where a cell can die without a trace
STEP_OF_AT = np.array([0, 2, 3], np.int64)
STEP_OF_WAY = np.array([1, 2, 3], np.int64)
GOAL_AT = np.array([0, 3, 4], np.int64)
GOAL_NODE = np.array([0, 2, 3, 1], np.int64)
NODES = 4
LOW = np.array([0, 1, 2, 3], np.int64)  # of each node: the first node of its block
HIGH = np.array([1, 2, 3, 4], np.int64)  # one after the last node of its block
NODE_KIND = np.array([0, 0, 0, 1], np.int64)  # 0 plain, 1 dead, 2 grower, 3 event
NODE_WHAT = np.array([0, 1, 1, -1], np.int64)  # number of the species, or way of the event
NODE_GAIN_AT = np.array([0, 0, 0, 1, 2], np.int64)
NODE_GAIN_ROW = np.array([2, 2], np.int64)
NODE_GAIN_STEP = np.array([1, 1], np.int64)
EDGES = 2
EDGE_FROM = np.array([0, 2], np.int64)
EDGE_TO = np.array([2, 3], np.int64)
EDGE_WAY = np.array([2, 3], np.int64)
LOSSES = 2
LOSS_NODE = np.array([0, 1], np.int64)
LOSS_WAY = np.array([1, 3], np.int64)
GROWERS = 0
GROWER_ROW = np.array([], np.int64)  # state row of each grower
BIRTH_AT = np.array([0], np.int64)
BIRTH_WAY = np.array([], np.int64)
DEATH_AT = np.array([0], np.int64)
DEATH_WAY = np.array([], np.int64)
EXPORT_AT = np.array([0], np.int64)
EXPORT_WAY = np.array([], np.int64)
SOURCES = 1
SOURCE_WAY = np.array([0], np.int64)  # sources of one cell at a time
SOURCE_PLAIN = np.array([0], np.int64)  # plain species of its cell, or -1
SOURCE_GROWER = np.array([-1], np.int64)  # its grower, or -1
UNTRACED = 0  # of them, those whose cells are counted although they are gone again
BURSTS = 0
BURST_WAY = np.array([], np.int64)  # sources of several cells at a time
WATCHED = 1
WATCHED_ROW = np.array([1], np.int64)  # state rows of counts that conditions depend on
GROWER_WATCHED = np.array([], np.int64)  # 1 where something that a grower meets moves one of them
REAL_ROW = np.array([], np.int64)  # state rows of pinned species


@block
def forces(w, i):
    """Rates for each cell of lane i at AT, 1/d."""
    t = w[AT + i]
    shedding = w[Q_shedding + i]
    swing = w[Q_swing + i]
    c_shed = w[C_shed + i]
    w[FORCE_0 + i] = shedding * (1.0 + swing * sin_(2.0 * 3.141592653589793 * t)) * c_shed  # source shed: -> blood
    clearance = w[Q_clearance + i]
    w[FORCE_1 + i] = clearance  # death clear: blood ->
    extravasation = w[Q_extravasation + i]
    w[FORCE_2 + i] = extravasation  # conversion leave: blood -> tissue
    death = w[Q_death + i]
    w[FORCE_3 + i] = death  # death die: tissue ->


@block
def movers(w, i):
    """Those of them that change with time or a pinned species."""
    t = w[AT + i]
    shedding = w[Q_shedding + i]
    swing = w[Q_swing + i]
    c_shed = w[C_shed + i]
    w[FORCE_0 + i] = shedding * (1.0 + swing * sin_(2.0 * 3.141592653589793 * t)) * c_shed  # source shed: -> blood


@block
def flow(w, i):
    """Derivatives of the pinned species of lane i at AT."""
    pass


@block
def would(w, i, t):
    """1.0 where a condition would become true in the state of lane i, in X for once."""
    tissue = w[X_tissue + i]
    detectable = w[Q_detectable + i]
    x__0 = pick((tissue >= detectable), 1.0, 0.0)
    return pick((x__0 > w[HELD_1 + i]) | ((tissue >= detectable) & (w[PASSED_detection + i] == np.inf)), 1.0, 0.0)


@block
def acknowledge(w, i):
    """All lesions of lane i that were founded so far are in its log."""
    pass
