"""A leap of every lane of a block: what the methods that leap share.

Numbers of firings are Poisson with their mean over the leap, critical reactions fire one at a time and end it, and what
reactants do not allow is taken away. A condition on the state is located by halving the leap. `solvers.tau_leap` says
what that is in law; `parts` is the implicit form of a leap.
"""

import numpy as np
from numba import uint64

from ctcdyn.kernels.addresses import two_draws
from ctcdyn.kernels.contract import (
    AT,
    CHOICE,
    EPSILON,
    FIRINGS,
    GUARDED,
    HAZARD_OF_ALL,
    HAZARD_OF_CRITICAL,
    HAZARDS,
    LEAP,
    NONCRITICAL,
    REACTIONS,
    SPECIES,
    TIME,
    TIMED,
    W,
    X,
    apply,
    guard,
    hazards,
    leap_limits,
    moved,
    pick_critical,
    upcoming,
    valid,
)
from ctcdyn.kernels.counts import binomial
from ctcdyn.kernels.lanemath import log_unit
from ctcdyn.kernels.lanes import (
    CALLED,
    FAILED,
    FIRED,
    FLAG,
    LARGEST_COUNT,
    LEAP_CHANGE,
    NEXT,
    NOT_FINITE,
    OVERFLOW,
)
from ctcdyn.kernels.machine import block, lane
from ctcdyn.kernels.variates import COUNTED, NUMBER_OF, TAIL, poissons
from ctcdyn.kernels.ways import (
    BEGAN,
    BEGIN,
    BEHIND_WAYS,
    CELL,
    CRITICAL_DRAWS,
    FIRING_DRAWS,
    GO_ON,
    HALVING_DRAWS,
    JUMP,
    MODE,
    SEEN,
    STAND,
    SUB,
    enter_cell,
    kind_of_draws,
    set_out,
    start_ways,
)

PAYS = 20.0 + 3.0 * REACTIONS  # events that a leap must hold to be cheaper than they are
BURST = 16.0 * PAYS  # events that an exact cell is made for
HALVINGS = 20  # of a leap in which a condition became true
STEP_UNDERFLOW = 3  # of ctcdyn.errors.Status

SPAN = BEHIND_WAYS  # length of the leap, days
FLOW = BEHIND_WAYS + W  # critical hazard over it, 1/d
ONE = BEHIND_WAYS + 2 * W  # the uniform that chooses the critical reaction, -1 where none fires
FAULT = BEHIND_WAYS + 3 * W  # 0, or NaN where a parameter became one that no rate may have
TAILS = BEHIND_WAYS + 4 * W  # two rows of uniforms
EARLY = BEHIND_WAYS + 6 * W  # firings before, and in, the part of a leap that is being halved
WITHIN = EARLY + REACTIONS * W
BEHIND_LEAPS = WITHIN + REACTIONS * W  # first row of the solver


@block
def begin(w, v, i, seed, number, setting):
    start_ways(w, v, i, seed, number)
    w[EPSILON + i] = setting[LEAP_CHANGE]
    w[FAULT + i] = 0.0
    return 0 if valid(w, i) > 0.0 else NOT_FINITE


@block
def prepare(w, v, i, t, setting, changed):
    """A stop ends the way, and what follows begins a new one: see `set_out`."""
    return np.inf


@block
def survey(w, v):
    """Propensities and limits of every lane where it stands."""
    set_out(w, v)
    for i in range(W):
        w[AT + i] = w[TIME + i]
        w[SEEN + i] = 0.0
        w[ONE + i] = -1.0
    hazards(w)
    leap_limits(w)


@lane
def plan(w, v, i, longest, stride):
    """The cell and the mode of lane i; returns 1 where it leaps. A cell is of a leap, or of `stride` days if not 0."""
    t = w[TIME + i]
    total = w[HAZARD_OF_ALL + i] + w[FAULT + i]
    w[HAZARD_OF_ALL + i] = total
    w[BEGAN + i] = t
    leap = w[LEAP + i]
    leap = leap if leap < longest else longest
    going = (w[NEXT + i] > t) & (total < np.inf)
    wanted = BURST / total if leap * total < PAYS else leap
    wanted = stride if stride > 0.0 else wanted
    fresh = enter_cell(w, v, i, wanted if wanted < longest else longest, going)
    # exact events are left where so many have come to be due in the cell that leaps pay by far, as in a blow-up
    more = (not fresh) & (w[MODE + i] == GO_ON) & (not (leap * total > BURST))
    w[SUB + i] = 0.0 if fresh else w[SUB + i] + (0.0 if more else 1.0)
    # what is left of a cell after a sub-step may be short
    left = w[CELL + i] - t
    leap = leap if leap < left else left
    mode = BEGIN if (leap * total < PAYS) & (total > 0.0) else JUMP
    mode = GO_ON if more else mode
    w[MODE + i] = mode if going else STAND
    jumps = going & (mode == JUMP)
    w[SPAN + i] = leap if jumps else 0.0
    return uint64(1) if jumps else uint64(0)


@lane
def add_mean(w, i, r, weight):
    a = w[HAZARDS + r * W + i]
    free = w[NONCRITICAL + r * W + i]
    w[FIRINGS + r * W + i] += weight * (free * a)
    w[FLOW + i] += weight * ((1.0 - free) * a)


@block
def expect(w):
    """Mean firings of a leap of length 1, and the critical hazard, as they are over SPAN."""
    for r in range(REACTIONS):
        for i in range(W):
            w[FIRINGS + r * W + i] = w[NONCRITICAL + r * W + i] * w[HAZARDS + r * W + i]
    for i in range(W):
        w[FLOW + i] = w[HAZARD_OF_CRITICAL + i]
    if TIMED:
        for i in range(W):
            w[FLOW + i] *= 1.0 / 6.0
        for r in range(REACTIONS):
            for i in range(W):
                w[FIRINGS + r * W + i] *= 1.0 / 6.0
        for i in range(W):
            w[AT + i] = w[TIME + i] + 0.5 * w[SPAN + i]
        hazards(w)
        for r in range(REACTIONS):
            for i in range(W):
                add_mean(w, i, r, 4.0 / 6.0)
        for i in range(W):
            w[AT + i] = w[TIME + i] + w[SPAN + i]
        hazards(w)
        for r in range(REACTIONS):
            for i in range(W):
                add_mean(w, i, r, 1.0 / 6.0)


@lane
def meet_critical(w, v, i):
    """Ends the leap of lane i where a critical reaction fires; the uniform that says which, in ONE, or -1."""
    kind = kind_of_draws(w, i, CRITICAL_DRAWS)
    first, second = two_draws(v, i, 0, kind)
    x = first if first > 0.0 else 1.0 + first
    budget = -log_unit(x)
    flow = w[FLOW + i]
    span = w[SPAN + i]
    met = budget < flow * span
    w[SPAN + i] = budget / flow if met else span
    second = second if second > 0.0 else 1.0 + second
    w[ONE + i] = second if met else -1.0


@block
def draw_firings(w, v):
    """Poisson numbers in the FIRINGS rows, from their means over a leap of length 1."""
    for pair in range((REACTIONS + 1) // 2):
        for i in range(W):
            kind = kind_of_draws(w, i, FIRING_DRAWS)
            a, b = two_draws(v, i, pair, kind)
            w[TAILS + i] = a
            w[TAILS + W + i] = b
        for r in range(2 * pair, min(2 * pair + 2, REACTIONS)):
            for i in range(W):
                w[NUMBER_OF + i] = w[FIRINGS + r * W + i] * w[SPAN + i]
                w[TAIL + i] = w[TAILS + (r - 2 * pair) * W + i]
            poissons(w)
            for i in range(W):
                w[FIRINGS + r * W + i] = w[COUNTED + i]


@lane
def add_critical(w, i, r):
    w[HAZARD_OF_CRITICAL + i] += (1.0 - w[NONCRITICAL + r * W + i]) * w[HAZARDS + r * W + i]


@block
def sum_critical(w):
    """The critical hazard at the time of HAZARDS; which reactions are critical stays."""
    for i in range(W):
        w[HAZARD_OF_CRITICAL + i] = 0.0
    for r in range(REACTIONS):
        for i in range(W):
            add_critical(w, i, r)


@block
def draw(w, v):
    """What fires in the leap of every lane, and whether it ends at a critical event; SPAN is 0 where nothing does."""
    expect(w)
    for i in range(W):
        meet_critical(w, v, i)
    draw_firings(w, v)
    if TIMED:  # what fires is chosen by the hazards at its moment
        for i in range(W):
            w[AT + i] = w[TIME + i] + w[SPAN + i]
        hazards(w)
        sum_critical(w)


@block
def choose(w):
    """Adds the critical event that ends a leap to its firings."""
    for i in range(W):
        w[CHOICE + i] = w[ONE + i] * w[HAZARD_OF_CRITICAL + i] if w[ONE + i] >= 0.0 else -1.0
    pick_critical(w)


@block
def advance(w):
    """The time of every lane that leaps is at the end of its leap."""
    for i in range(W):
        t = w[TIME + i]
        end = t + w[SPAN + i]
        cell = w[CELL + i]
        whole = (w[ONE + i] < 0.0) & (w[SPAN + i] >= cell - t)
        end = cell if whole | (end > cell) else end
        w[TIME + i] = end if w[MODE + i] == JUMP else t


@block
def has_exact(w):
    """Whether a lane takes exact events; one in which nothing can happen any more is at the end of all time."""
    exact = False
    for i in range(W):
        exact = exact or w[MODE + i] >= BEGIN
        if w[HAZARD_OF_ALL + i] == 0.0 and not TIMED and w[MODE + i] == JUMP and upcoming(w, i) == np.inf:
            w[TIME + i] = np.inf
            w[MODE + i] = STAND
            w[SPAN + i] = 0.0
    return exact


@lane
def inspect(w, i, s):
    """Notes a count that is none."""
    x = w[X + s * W + i]
    code = w[SEEN + i]
    code = 1.0 * (FAILED + OVERFLOW) if x >= LARGEST_COUNT else code
    w[SEEN + i] = code if (x >= 0.0) & (x < np.inf) else 1.0 * (FAILED + NOT_FINITE)


@lane
def verdict(w, v, i):
    """The flag of lane i after a sweep."""
    t = w[TIME + i]
    met = (w[MODE + i] == JUMP) & (guard(w, i, t) > 0.0) if GUARDED else False
    # neither the cell nor the leap is longer than what rounding leaves of a time
    stuck = (w[CELL + i] <= w[BEGAN + i]) | ((w[MODE + i] == JUMP) & (t == w[BEGAN + i]) & (w[ONE + i] < 0.0))
    stuck = stuck & (w[NEXT + i] > w[BEGAN + i])
    flag = uint64(CALLED) if t >= w[NEXT + i] else uint64(0)
    flag = uint64(FIRED) if met else flag
    flag = uint64(FAILED + STEP_UNDERFLOW) if stuck else flag
    flag = uint64(FAILED + NOT_FINITE) if not (w[HAZARD_OF_ALL + i] < np.inf) else flag
    flag = uint64(CALLED) if w[NEXT + i] == -np.inf else flag
    v[FLAG + i] = flag
    return flag


@block
def conclude(w, v):
    """The flags of all lanes after a sweep."""
    for s in range(SPECIES):
        for i in range(W):
            inspect(w, i, s)
    flags = uint64(0)
    for i in range(W):
        flags += verdict(w, v, i)
    for i in range(W):
        if w[SEEN + i] > 0.0 and w[NEXT + i] > -np.inf:
            flags += uint64(W)
            v[FLAG + i] = uint64(int(w[SEEN + i]))
    return flags


@block
def halve(w, v, i, depth):
    """Firings of the first half of the part of a leap that is looked at, in FIRINGS after those before it."""
    kind = kind_of_draws(w, i, HALVING_DRAWS)
    for r in range(REACTIONS):
        a, b = two_draws(v, i, depth * ((REACTIONS + 1) // 2) + r // 2, kind)
        k = binomial(a if r % 2 == 0 else b, w[WITHIN + r * W + i], 0.5)
        w[FIRINGS + r * W + i] = w[EARLY + r * W + i] + k
    moved(w, i)


@block
def reach(w, v, i):
    """The moment of the last leap of lane i at which its condition became true; the state is put there."""
    if w[MODE + i] != JUMP:
        return w[TIME + i]
    critical = -1  # the reaction whose event ended the leap
    for r in range(REACTIONS):
        w[EARLY + r * W + i] = 0.0
        w[WITHIN + r * W + i] = w[FIRINGS + r * W + i] * w[NONCRITICAL + r * W + i]
        if w[FIRINGS + r * W + i] > w[WITHIN + r * W + i]:
            critical = r
    low = 0.0
    high = 1.0
    for depth in range(HALVINGS):
        middle = 0.5 * (low + high)
        halve(w, v, i, depth)
        if guard(w, i, w[BEGAN + i] + middle * w[SPAN + i]) > 0.0:
            high = middle
            for r in range(REACTIONS):
                w[WITHIN + r * W + i] = w[FIRINGS + r * W + i] - w[EARLY + r * W + i]
        else:
            low = middle
            for r in range(REACTIONS):
                w[WITHIN + r * W + i] -= w[FIRINGS + r * W + i] - w[EARLY + r * W + i]
                w[EARLY + r * W + i] = w[FIRINGS + r * W + i]
    for r in range(REACTIONS):
        w[FIRINGS + r * W + i] = w[EARLY + r * W + i] + w[WITHIN + r * W + i]
    if high < 1.0:
        w[TIME + i] = w[BEGAN + i] + high * w[SPAN + i]
    elif critical >= 0:
        w[FIRINGS + critical * W + i] += 1.0
    moved(w, i)
    return w[TIME + i]


@block
def arrive(w, v, book, i, t):
    bits = apply(w, book, i, t)
    if bits & 1 != 0 and valid(w, i) == 0.0:
        w[FAULT + i] = np.nan
    return bits
