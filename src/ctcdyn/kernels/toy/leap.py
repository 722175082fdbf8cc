"""The toy model of the contract: leap. Generated: python -m ctcdyn.codegen.toy"""

import numpy as np

from ctcdyn.kernels.machine import block, lane, pick
from ctcdyn.kernels.toy.jump import rate_clear, rate_die, rate_leave, rate_shed
from ctcdyn.kernels.toy.layout import (
    AT, BEFORE_arrivals, BEFORE_blood, BEFORE_tissue, CHOICE, EPSILON, FIRINGS_clear, FIRINGS_die,
    FIRINGS_leave, FIRINGS_shed, FREE_OF_clear, FREE_OF_die, FREE_OF_leave, FREE_OF_shed, HAZARD_OF_ALL,
    HAZARD_OF_CRITICAL, HAZARD_clear, HAZARD_die, HAZARD_leave, HAZARD_shed, LEAP, SUPPLY_arrivals,
    SUPPLY_blood, SUPPLY_tissue, W, X_arrivals, X_blood, X_tissue,
)


@lane
def hazards_0(w, i):
    """Part 0 of `hazards`."""
    t = w[AT + i]
    w[HAZARD_shed + i] = rate_shed(w, i, t)
    w[HAZARD_clear + i] = rate_clear(w, i, t)
    w[HAZARD_leave + i] = rate_leave(w, i, t)
    w[HAZARD_die + i] = rate_die(w, i, t)


@block
def hazards(w):
    """Propensities of every lane at the time in its AT."""
    for i in range(W):
        hazards_0(w, i)


@lane
def leap_limits_0(w, i):
    """Part 0 of `leap_limits`."""
    w[LEAP + i] = np.inf
    w[HAZARD_OF_ALL + i] = 0.0
    w[HAZARD_OF_CRITICAL + i] = 0.0


@lane
def leap_limits_1(w, i):
    """Part 1 of `leap_limits`."""
    a = w[HAZARD_shed + i]
    w[HAZARD_OF_ALL + i] += a
    w[FREE_OF_shed + i] = 1.0
    a = w[HAZARD_clear + i]
    w[HAZARD_OF_ALL + i] += a
    room = w[X_blood + i]
    free = pick((room < 10.0) & (a > 0.0), 0.0, 1.0)
    w[FREE_OF_clear + i] = free
    w[HAZARD_OF_CRITICAL + i] += pick(free > 0.0, 0.0, a)
    a = w[HAZARD_leave + i]
    w[HAZARD_OF_ALL + i] += a
    room = w[X_blood + i]
    free = pick((room < 10.0) & (a > 0.0), 0.0, 1.0)
    w[FREE_OF_leave + i] = free
    w[HAZARD_OF_CRITICAL + i] += pick(free > 0.0, 0.0, a)
    a = w[HAZARD_die + i]
    w[HAZARD_OF_ALL + i] += a
    room = w[X_tissue + i]
    free = pick((room < 10.0) & (a > 0.0), 0.0, 1.0)
    w[FREE_OF_die + i] = free
    w[HAZARD_OF_CRITICAL + i] += pick(free > 0.0, 0.0, a)


@lane
def leap_limits_2(w, i):
    """Part 2 of `leap_limits`."""
    x = w[X_blood + i]
    mean = 0.0
    variance = 0.0
    loss = 0.0
    a = w[FREE_OF_shed + i] * w[HAZARD_shed + i]
    mean += 1.0 * a
    variance += 1.0 * a
    a = w[FREE_OF_clear + i] * w[HAZARD_clear + i]
    mean += -1.0 * a
    variance += 1.0 * a
    loss += 1.0 * a
    a = w[FREE_OF_leave + i] * w[HAZARD_leave + i]
    mean += -1.0 * a
    variance += 1.0 * a
    loss += 1.0 * a
    room = w[EPSILON + i] * x / (1.0)
    room = pick(room > 1.0, room, 1.0)
    mean = abs(mean)
    by_mean = room / pick(mean > 0.0, mean, 1.0)
    by_variance = room * room / pick(variance > 0.0, variance, 1.0)
    leap = pick(room * mean > variance, by_mean, by_variance)
    leap = pick(variance > 0.0, leap, np.inf)
    by_loss = 10.0 * w[EPSILON + i] * x / pick(loss > 0.0, loss, 1.0)
    leap = pick((loss > 0.0) & (by_loss < leap), by_loss, leap)
    w[LEAP + i] = pick(leap < w[LEAP + i], leap, w[LEAP + i])
    x = w[X_tissue + i]
    mean = 0.0
    variance = 0.0
    loss = 0.0
    a = w[FREE_OF_leave + i] * w[HAZARD_leave + i]
    mean += 1.0 * a
    variance += 1.0 * a
    a = w[FREE_OF_die + i] * w[HAZARD_die + i]
    mean += -1.0 * a
    variance += 1.0 * a
    loss += 1.0 * a
    room = w[EPSILON + i] * x / (1.0)
    room = pick(room > 1.0, room, 1.0)
    mean = abs(mean)
    by_mean = room / pick(mean > 0.0, mean, 1.0)
    by_variance = room * room / pick(variance > 0.0, variance, 1.0)
    leap = pick(room * mean > variance, by_mean, by_variance)
    leap = pick(variance > 0.0, leap, np.inf)
    by_loss = 10.0 * w[EPSILON + i] * x / pick(loss > 0.0, loss, 1.0)
    leap = pick((loss > 0.0) & (by_loss < leap), by_loss, leap)
    w[LEAP + i] = pick(leap < w[LEAP + i], leap, w[LEAP + i])


@block
def leap_limits(w):
    """Critical reactions, sums of propensities and the longest leap of every lane."""
    for i in range(W):
        leap_limits_0(w, i)
    for i in range(W):
        leap_limits_1(w, i)
    for i in range(W):
        leap_limits_2(w, i)


@lane
def pick_critical_0(w, i):
    """Part 0 of `pick_critical`."""
    w[HAZARD_OF_CRITICAL + i] = 0.0


@lane
def pick_critical_1(w, i):
    """Part 1 of `pick_critical`."""
    c = w[HAZARD_OF_CRITICAL + i]
    d = c + pick(w[FREE_OF_clear + i] > 0.0, 0.0, w[HAZARD_clear + i])
    y = w[CHOICE + i]
    w[FIRINGS_clear + i] += pick((y >= c) & (y < d), 1.0, 0.0)
    w[HAZARD_OF_CRITICAL + i] = d
    c = w[HAZARD_OF_CRITICAL + i]
    d = c + pick(w[FREE_OF_leave + i] > 0.0, 0.0, w[HAZARD_leave + i])
    y = w[CHOICE + i]
    w[FIRINGS_leave + i] += pick((y >= c) & (y < d), 1.0, 0.0)
    w[HAZARD_OF_CRITICAL + i] = d
    c = w[HAZARD_OF_CRITICAL + i]
    d = c + pick(w[FREE_OF_die + i] > 0.0, 0.0, w[HAZARD_die + i])
    y = w[CHOICE + i]
    w[FIRINGS_die + i] += pick((y >= c) & (y < d), 1.0, 0.0)
    w[HAZARD_OF_CRITICAL + i] = d


@block
def pick_critical(w):
    """One firing of the critical reaction that CHOICE falls into, by running sums; none where it is negative."""
    for i in range(W):
        pick_critical_0(w, i)
    for i in range(W):
        pick_critical_1(w, i)


@lane
def occur_0(w, i):
    """Part 0 of `occur`."""
    x = w[X_blood + i]
    w[BEFORE_blood + i] = x
    w[SUPPLY_blood + i] = x
    x = w[X_tissue + i]
    w[BEFORE_tissue + i] = x
    w[SUPPLY_tissue + i] = x
    x = w[X_arrivals + i]
    w[BEFORE_arrivals + i] = x
    w[SUPPLY_arrivals + i] = x


@lane
def occur_1(w, i):
    """Part 1 of `occur`."""
    k = w[FIRINGS_shed + i]
    w[SUPPLY_blood + i] += 1.0 * k
    k = w[FIRINGS_clear + i]
    room = w[SUPPLY_blood + i]
    room = pick(room > 0.0, room, 0.0)
    k = pick(k < room, k, room)
    w[FIRINGS_clear + i] = k
    w[SUPPLY_blood + i] += -1.0 * k
    k = w[FIRINGS_leave + i]
    room = w[SUPPLY_blood + i]
    room = pick(room > 0.0, room, 0.0)
    k = pick(k < room, k, room)
    w[FIRINGS_leave + i] = k
    w[SUPPLY_blood + i] += -1.0 * k
    w[SUPPLY_tissue + i] += 1.0 * k
    k = w[FIRINGS_die + i]
    room = w[SUPPLY_tissue + i]
    room = pick(room > 0.0, room, 0.0)
    k = pick(k < room, k, room)
    w[FIRINGS_die + i] = k
    w[SUPPLY_tissue + i] += -1.0 * k


@lane
def occur_2(w, i):
    """Part 2 of `occur`."""
    w[X_blood + i] = w[BEFORE_blood + i] + (1.0 * w[FIRINGS_shed + i] + -1.0 * w[FIRINGS_clear + i] + -1.0 * w[FIRINGS_leave + i])
    w[X_tissue + i] = w[BEFORE_tissue + i] + (1.0 * w[FIRINGS_leave + i] + -1.0 * w[FIRINGS_die + i])
    w[X_arrivals + i] = w[BEFORE_arrivals + i] + (1.0 * w[FIRINGS_leave + i])


@block
def occur(w):
    """The change of state of every lane by its FIRINGS, so far as there is something to use up."""
    for i in range(W):
        occur_0(w, i)
    for i in range(W):
        occur_1(w, i)
    for i in range(W):
        occur_2(w, i)


@block
def moved(w, i):
    """The state of lane i after FIRINGS from the state before, so far as there is something to use up."""
    w[SUPPLY_blood + i] = w[BEFORE_blood + i]
    w[SUPPLY_tissue + i] = w[BEFORE_tissue + i]
    w[SUPPLY_arrivals + i] = w[BEFORE_arrivals + i]
    k = w[FIRINGS_shed + i]
    w[SUPPLY_blood + i] += 1.0 * k
    k = w[FIRINGS_clear + i]
    room = w[SUPPLY_blood + i]
    room = pick(room > 0.0, room, 0.0)
    k = pick(k < room, k, room)
    w[FIRINGS_clear + i] = k
    w[SUPPLY_blood + i] += -1.0 * k
    k = w[FIRINGS_leave + i]
    room = w[SUPPLY_blood + i]
    room = pick(room > 0.0, room, 0.0)
    k = pick(k < room, k, room)
    w[FIRINGS_leave + i] = k
    w[SUPPLY_blood + i] += -1.0 * k
    w[SUPPLY_tissue + i] += 1.0 * k
    k = w[FIRINGS_die + i]
    room = w[SUPPLY_tissue + i]
    room = pick(room > 0.0, room, 0.0)
    k = pick(k < room, k, room)
    w[FIRINGS_die + i] = k
    w[SUPPLY_tissue + i] += -1.0 * k
    w[X_blood + i] = w[BEFORE_blood + i] + (1.0 * w[FIRINGS_shed + i] + -1.0 * w[FIRINGS_clear + i] + -1.0 * w[FIRINGS_leave + i])
    w[X_tissue + i] = w[BEFORE_tissue + i] + (1.0 * w[FIRINGS_leave + i] + -1.0 * w[FIRINGS_die + i])
    w[X_arrivals + i] = w[BEFORE_arrivals + i] + (1.0 * w[FIRINGS_leave + i])
