"""Exact jump process of large networks: the direct method with a tree of sums, in which an event changes a few numbers.

Exact in law for any propensities, like `direct`, which looks at every reaction for every event: here an event costs
what it changes, and a search that grows with the logarithm of the number of reactions. Use it from some hundred
reactions on. Two draws an event from the stream EVENTS, in the order of `direct`: `uniform` u chooses the reaction, u
times the total falling through the tree of sums (`codegen/dependency.py`), `exponential` is the budget of the next
event.

Budgets, stops, saves, windows and statuses are those of `direct`. Where a rate depends smoothly on `t` its bound over
the window stands in the tree, and a candidate that fell into it is an event where its draw lies below the rate.

Search in a tree of sums: J. L. Blue, I. Beichl and F. Sullivan 1995, doi:10.1103/PhysRevE.51.R867; what an event
changes: M. A. Gibson and J. Bruck 2000, doi:10.1021/jp993732q; partial propensities: R. Ramaswamy, N. Gonzalez-Segredo
and I. F. Sbalzarini 2009, doi:10.1063/1.3154624.
"""

import numpy as np
from numba import int64, uint64

from ctcdyn.kernels.clock import due, opened, stopped
from ctcdyn.kernels.contract import (
    CHOICE,
    FLAT,
    GROUP_FACTOR,
    GROUPS,
    GUARDED,
    LEVEL_AT,
    LEVEL_LAST,
    LEVELS,
    ONE,
    PLAN,
    PLAN_AT,
    REFILL,
    RENEW,
    REST,
    ROOM,
    SUMS,
    TIME,
    TIMED,
    TOPS,
    TREE,
    W,
    X,
    fall,
    part,
    thinned,
    tops,
    valid,
)
from ctcdyn.kernels.events import accept
from ctcdyn.kernels.lanes import BUDGET, FAILED, FLAG, NOT_FINITE, OWN, REFUSED, loop
from ctcdyn.kernels.machine import block, lane
from ctcdyn.kernels.standing import read, ready
from ctcdyn.kernels.streams import EVENTS, exponential, seed_stream
from ctcdyn.kernels.watches import note

SEMANTICS = "jump"
ALGEBRA = ("dependency",)
GRID_FREE = True
ORDER = "exact"
WIDTHS = ((16, 0),)
SOURCE = "doi:10.1103/PhysRevE.51.R867"

ROWS = OWN


@lane
def entry(p):
    """Number p of the plan."""
    return int64(PLAN[uint64(p)])


@lane
def factor(w, i, g):
    """The factor of group g."""
    return w[uint64(int64(GROUP_FACTOR[uint64(g)]) * W + i)]


@lane
def total_of(w, at):
    """Sum of the eight numbers from `at` on."""
    a = w[uint64(at)] + w[uint64(at + 1)]
    b = w[uint64(at + 2)] + w[uint64(at + 3)]
    c = w[uint64(at + 4)] + w[uint64(at + 5)]
    d = w[uint64(at + 6)] + w[uint64(at + 7)]
    return (a + b) + (c + d)


@lane
def among(w, at, y):
    """Which of the eight numbers from `at` on y falls into by their sums, and how far."""
    a0 = w[uint64(at)]
    a2 = w[uint64(at + 2)]
    a4 = w[uint64(at + 4)]
    a6 = w[uint64(at + 6)]
    s01 = a0 + w[uint64(at + 1)]
    s45 = a4 + w[uint64(at + 5)]
    s03 = s01 + (a2 + w[uint64(at + 3)])
    up = y >= s03
    y = y - s03 if up else y
    a0 = a4 if up else a0
    a2 = a6 if up else a2
    s01 = s45 if up else s01
    k = 4.0 if up else 0.0
    up = y >= s01
    y = y - s01 if up else y
    a0 = a2 if up else a0
    k = k + 2.0 if up else k
    up = y >= a0
    y = y - a0 if up else y
    k = k + 1.0 if up else k
    return k, y


@lane
def descend(w, i, level, last):
    """From the sum in CHOICE to the one below that the draw falls into, `last` at most; REST is how far."""
    n = int64(w[CHOICE + i])
    k, y = among(w, TREE + i * ROOM + level + 8 * n, w[REST + i])
    k = 8.0 * w[CHOICE + i] + k
    w[CHOICE + i] = k if k < last else last
    w[REST + i] = y


@lane
def settle(w, i):
    """From the group in CHOICE to the slot of one reaction; REST is how far into its propensity."""
    n = int64(w[CHOICE + i])
    f = factor(w, i, n)
    k, y = among(w, TREE + i * ROOM + 8 * n, w[REST + i] / (f if f > 0.0 else 1.0))
    w[CHOICE + i] = 8.0 * w[CHOICE + i] + k
    w[REST + i] = y if w[REST + i] >= 0.0 else -1.0


@lane
def propensity(w, i, n):
    """Of the reaction in slot n."""
    return w[uint64(TREE + i * ROOM + n)] * factor(w, i, n // 8)


@block
def one_that_can(w, i, n):
    """The nearest slot before n whose propensity is not 0: differences round what is left of a draw, up to the next."""
    for _ in range(RENEW):
        if propensity(w, i, n) > 0.0:
            return n
        n = n - 1 if n > 0 else RENEW - 1
    return n


@block
def follow(w, i, n):
    """Entry n of the plan: changes of the state, then parts, groups and sums that depend on them."""
    home = TREE + i * ROOM
    p = PLAN_AT[uint64(n)]
    count = entry(p)
    p += 1
    for k in range(count):
        w[uint64(X + entry(p + 2 * k) * W + i)] += float(entry(p + 2 * k + 1))
    p += 2 * count
    count = entry(p)
    p += 1
    for k in range(count):
        at = entry(p + k)
        w[uint64(home + at)] = part(w, i, at)
    p += count
    count = entry(p)
    p += 1
    for k in range(count):
        at = entry(p + k)
        w[uint64(home + SUMS + at)] = total_of(w, home + 8 * at)
    p += count
    count = entry(p)
    p += 1
    for k in range(count):
        at = entry(p + k)
        total = factor(w, i, at) * w[uint64(home + SUMS + at)]
        if FLAT:
            w[uint64(TOPS + at * W + i)] = total
        else:
            w[uint64(home + GROUPS + at)] = total
    p += count
    count = entry(p)
    p += 1
    for k in range(count):
        w[uint64(home + entry(p + 2 * k))] = total_of(w, home + entry(p + 2 * k + 1))
    p += 2 * count
    count = entry(p)
    p += 1
    for k in range(count):
        w[uint64(TOPS + entry(p + 2 * k) * W + i)] = total_of(w, home + entry(p + 2 * k + 1))


@block
def begin(w, v, i, seed, number, setting):
    seed_stream(v, i, seed, number, EVENTS)
    w[BUDGET + i] = exponential(v, i)
    w[ONE + i] = 1.0
    for k in range(ROOM):
        w[uint64(TREE + i * ROOM + k)] = 0.0
    return 0 if valid(w, i) > 0.0 else NOT_FINITE


@block
def prepare(w, v, i, t, setting, changed):
    """The window of the bound that t falls into, none where no rate depends on time; and the tree where it changes."""
    until = np.inf
    if TIMED:
        until = opened(w, i, t, setting)
        if changed == 0:
            follow(w, i, RENEW)
    if changed != 0:
        follow(w, i, REFILL)
    return until


@lane
def draw(w, v, i):
    """Time and draw of the next event of lane i, and the sum that it falls into; returns its flag."""
    c = tops(w, i)
    t = w[TIME + i] + w[BUDGET + i] / c[-1]
    flag, y = accept(w, v, i, t, c[-1], c[-1])
    fall(w, i, c, y)
    return flag


@block
def take(w, v, i):
    """The reaction in CHOICE, unless thinning refuses it."""
    n = int64(w[CHOICE + i])
    if not (propensity(w, i, n) > 0.0):
        n = one_that_can(w, i, n)
    if TIMED:
        limit = w[uint64(TREE + i * ROOM + n)]
        rate = thinned(w, i, w[TIME + i], n)
        if not ((rate <= limit) | (rate == np.inf)):
            v[FLAG + i] = uint64(FAILED + NOT_FINITE)  # a rate above its bound would be a wrong law
        elif w[REST + i] >= rate:
            w[REFUSED + i] += 1.0
        else:
            follow(w, i, n)
    else:
        follow(w, i, n)


@block
def sweep(w, v, setting):
    """One event, or one thinned candidate, of every lane that does not reach its stop before it."""
    flags = uint64(0)
    for i in range(W):
        flags += draw(w, v, i)
    for d in range(LEVELS):
        level = LEVEL_AT[uint64(d)]
        last = float(LEVEL_LAST[uint64(d)])
        for i in range(W):
            descend(w, i, level, last)
    for i in range(W):
        settle(w, i)
    for i in range(W):
        if w[REST + i] >= 0.0:
            take(w, v, i)
    if TIMED or GUARDED:
        flags = uint64(0)
        for i in range(W):
            flags += note(w, v, i, w[TIME + i]) if GUARDED else v[FLAG + i]
    return flags


@block
def hazard(w, i):
    """The rate at which the budget of lane i is spent, 1/d."""
    return tops(w, i)[-1]


@block
def reach(w, v, i):
    """Time of the next event if nothing changes before it."""
    return due(w, v, i, hazard(w, i))


@block
def arrive(w, v, book, i, t):
    """What is scheduled at t changes lane i; returns what changed."""
    return stopped(w, book, i, t, hazard(w, i))


run = loop(begin, prepare, sweep, reach, ready, read, arrive, False)
