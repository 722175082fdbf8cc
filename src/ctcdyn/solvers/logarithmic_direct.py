"""Exact jump process for large networks: the direct method with a tree of sums, in which an event changes a few numbers.

Exact in law for any propensities, like `direct`, which looks at every reaction for every event: here the cost of an event
grows with the number of propensities that it changes and with the logarithm of the number of reactions. Use it from some
fifty reactions on. Two draws an event from the stream EVENTS, in the order of `direct`: `uniform` u chooses the reaction,
u times the total falling through the tree of sums (`codegen/dependency.py`), `exponential` is the budget of the next event.

Budgets, stops, saves, windows and statuses are those of `direct`. Where a rate depends smoothly on `t` its bound over the
window stands in the tree, and a candidate that fell into it is accepted where its draw lies below the rate.

Logarithmic search: J. L. Blue, I. Beichl and F. Sullivan 1995, doi:10.1103/PhysRevE.51.R867; dependency graph: M. A.
Gibson and J. Bruck 2000, doi:10.1021/jp993732q; partial propensities: R. Ramaswamy, N. Gonzalez-Segredo and I. F.
Sbalzarini 2009, doi:10.1063/1.3154624.
"""

import numpy as np
from numba import int64, uint64

from ctcdyn.kernels.contract import (
    CHOICE,
    FROM,
    GROUP_FACTOR,
    GUARDED,
    LEVEL_AT,
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
    TO,
    TREE,
    W,
    X,
    apply,
    fall,
    part,
    thinned,
    tops,
    TOPS,
    valid,
    window,
)
from ctcdyn.kernels.events import accept
from ctcdyn.kernels.lanes import BUDGET, FAILED, FIRED, FLAG, NOT_FINITE, OWN, REFUSED, WINDOW, loop
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
BELOW = 1.0 - 2.0**-53  # times a number: the number before it


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
    """Which of the eight numbers from `at` on y falls into by their running sums, and how far: never into a zero."""
    a = w[uint64(at)]
    b = a + w[uint64(at + 1)]
    c = b + w[uint64(at + 2)]
    d = c + w[uint64(at + 3)]
    e = d + w[uint64(at + 4)]
    f = e + w[uint64(at + 5)]
    g = f + w[uint64(at + 6)]
    h = (g + w[uint64(at + 7)]) * BELOW
    y = y if y < h else h  # what was left of y by differences may be rounded up to the whole sum
    k = 0.0
    before = 0.0
    k = 1.0 if y >= a else k
    before = a if y >= a else before
    k = 2.0 if y >= b else k
    before = b if y >= b else before
    k = 3.0 if y >= c else k
    before = c if y >= c else before
    k = 4.0 if y >= d else k
    before = d if y >= d else before
    k = 5.0 if y >= e else k
    before = e if y >= e else before
    k = 6.0 if y >= f else k
    before = f if y >= f else before
    k = 7.0 if y >= g else k
    before = g if y >= g else before
    return k, y - before


@lane
def descend(w, i):
    """From the sum in CHOICE down to the slot of one reaction, in CHOICE; REST is how far into its propensity."""
    home = TREE + i * ROOM
    n = int64(w[CHOICE + i])
    y = w[REST + i]
    for d in range(LEVELS):
        k, y = among(w, home + LEVEL_AT[uint64(d)] + 8 * n, y)
        n = 8 * n + int64(k)
    y = y / factor(w, i, n)
    k, y = among(w, home + 8 * n, y)
    w[CHOICE + i] = float(8 * n + int64(k))
    w[REST + i] = y


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
    lowest = home + LEVEL_AT[LEVELS - 1]
    for k in range(count):
        at = entry(p + k)
        w[uint64(lowest + at)] = factor(w, i, at) * w[uint64(home + SUMS + at)]
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
        k = np.floor(t / setting[WINDOW])
        if (k + 1.0) * setting[WINDOW] <= t:
            k += 1.0
        w[FROM + i] = k * setting[WINDOW]
        until = (k + 1.0) * setting[WINDOW]
        w[TO + i] = until
        window(w, i)
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
    for i in range(W):
        if w[REST + i] >= 0.0:
            descend(w, i)
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
    if v[FLAG + i] == uint64(FIRED):
        return w[TIME + i]
    total = hazard(w, i)
    return w[TIME + i] + w[BUDGET + i] / total if total < np.inf else np.nan


@block
def arrive(w, v, book, i, t):
    """The budget is rebased only where a rate changes at t, so that an event without effect changes no bit."""
    spent = hazard(w, i) * (t - w[TIME + i])
    bits = apply(w, book, i, t)
    if TIMED or bits & 1 != 0:
        w[BUDGET + i] = max(w[BUDGET + i] - spent, 5e-324)
        w[TIME + i] = t
    if bits & 1 != 0 and valid(w, i) == 0.0:
        w[BUDGET + i] = np.nan
    return bits


run = loop(begin, prepare, sweep, reach, ready, read, arrive, False)
