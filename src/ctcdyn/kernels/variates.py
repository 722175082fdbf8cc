"""Counts of `counts` for all lanes of a block at once: the laws in rows of the work buffer, the answers in a row.

The same numbers as the scalar functions, bit for bit. The rows are fixed, since LLVM packs no loop over rows whose
place it does not know: TAIL the signed tails, NUMBER_OF and CHANCE the parameters, COUNTED the answers. Lanes with a
small mean sum probabilities side by side until the last is through, lanes with a larger one take the expansion;
whichever is in doubt, or far in a tail, is settled alone (about one in a thousand).
"""

from numba import uint64

from ctcdyn.kernels.contract import W
from ctcdyn.kernels.counts import (
    FEW,
    MOST,
    binomial,
    geometric,
    guess_binomial,
    guess_negative_binomial,
    guess_poisson,
    is_near,
    negative_binomial,
    poisson,
)
from ctcdyn.kernels.lanemath import exp_, log1p_
from ctcdyn.kernels.lanes import OWN
from ctcdyn.kernels.machine import block, lane, pick

TAIL = OWN + W  # behind the row of `events`
NUMBER_OF = OWN + 2 * W
CHANCE = OWN + 3 * W
COUNTED = OWN + 4 * W
REST = OWN + 5 * W  # of the uniform, when probabilities are summed
MASS = OWN + 6 * W  # the last probability
FACTOR, SLOPE = OWN + 7 * W, OWN + 8 * W  # P(j + 1) / P(j) = (FACTOR + SLOPE j) / (j + 1)
HOW = OWN + 9 * W  # a lane comes by its answer
BEHIND_VARIATES = OWN + 10 * W  # first row of the solver
SELDOM = 0.05  # mean up to which the rare lane with a number that is not 0 is settled alone
NOT_AT_ALL, BY_SUM, BY_GUESS, ALONE = 0.0, 1.0, 2.0, 3.0  # HOW


@lane
def start_sum(w, u, i, start, a, b):
    """Lane i may sum probabilities from 0: F(0) = start, P(j + 1) / P(j) = (a + b j) / (j + 1)."""
    left = pick(u > 0.0, u - start, (1.0 + u) - start)
    w[REST + i] = pick(w[HOW + i] == BY_SUM, left, -1.0)
    w[MASS + i] = start
    w[FACTOR + i] = a
    w[SLOPE + i] = b


@block
def sum_on(w):
    """Counts from 0 up in the lanes that sum, until each has reached its uniform."""
    active = uint64(0)
    for i in range(W):
        w[COUNTED + i] = 0.0
        active += pick(w[REST + i] > 0.0, uint64(1), uint64(0))
    for j in range(MOST):
        if active == uint64(0):
            break
        inverse = 1.0 / (j + 1.0)
        active = uint64(0)
        for i in range(W):
            left = w[REST + i]
            on = left > 0.0
            mass = w[MASS + i] * ((w[FACTOR + i] + w[SLOPE + i] * j) * inverse)
            w[COUNTED + i] += pick(on, 1.0, 0.0)
            left = left - mass
            w[REST + i] = left
            w[MASS + i] = mass
            active += pick(left > 0.0, uint64(1), uint64(0))


@lane
def kind_of(u, mean, summed):
    """How a lane comes by its answer."""
    kind = pick(is_near(u) & summed, BY_SUM, ALONE)
    kind = pick(mean > FEW, BY_GUESS, kind)
    return pick(mean > 0.0, kind, NOT_AT_ALL)


@lane
def take(w, i, kind, guess, certain):
    """The answer of a lane that does not sum, where there is one; returns 1 where it must be settled alone."""
    w[COUNTED + i] = pick(kind == BY_GUESS, guess, w[COUNTED + i])
    alone = (kind == ALONE) | ((kind == BY_GUESS) & (not certain))
    return pick(alone, uint64(1), uint64(0)), pick(alone, ALONE, kind)


@block
def poissons(w):
    """Poisson counts of the means in NUMBER_OF."""
    sums = uint64(0)
    guesses = uint64(0)
    alone = uint64(0)
    for i in range(W):
        u, mean = w[TAIL + i], w[NUMBER_OF + i]
        kind = kind_of(u, mean, True)
        seldom = pick((u < 0.0) & (u > -mean), ALONE, NOT_AT_ALL)  # exp(-mean) - 1 > -mean: anything else says 0
        kind = pick(mean <= SELDOM, seldom, kind)
        w[HOW + i] = kind
        w[COUNTED + i] = 0.0
        sums += pick(kind == BY_SUM, uint64(1), uint64(0))
        guesses += pick(kind == BY_GUESS, uint64(1), uint64(0))
        alone += pick(kind == ALONE, uint64(1), uint64(0))
    if sums > uint64(0):
        for i in range(W):
            mean = w[NUMBER_OF + i]
            start_sum(w, w[TAIL + i], i, exp_(-mean), mean, 0.0)
        sum_on(w)
    if guesses > uint64(0):
        alone = uint64(0)
        for i in range(W):
            mean = pick(w[NUMBER_OF + i] > FEW, w[NUMBER_OF + i], FEW)
            guess, certain = guess_poisson(w[TAIL + i], mean)
            one, kind = take(w, i, w[HOW + i], guess, certain)
            w[HOW + i] = kind
            alone += one
    if alone > uint64(0):
        for i in range(W):
            if w[HOW + i] == ALONE:
                w[COUNTED + i] = poisson(w[TAIL + i], w[NUMBER_OF + i])


@block
def binomials(w):
    """Successes among NUMBER_OF with the probability CHANCE."""
    guesses = uint64(0)
    alone = uint64(0)
    for i in range(W):
        many = w[CHANCE + i] > 0.5
        x = pick(many, 1.0 - w[CHANCE + i], w[CHANCE + i])
        y = pick(many, -w[TAIL + i], w[TAIL + i])
        mean = w[NUMBER_OF + i] * x
        kind = kind_of(y, mean, True)
        w[HOW + i] = kind
        r = x / (1.0 - x)
        start_sum(w, y, i, exp_(w[NUMBER_OF + i] * log1p_(-x)), w[NUMBER_OF + i] * r, -r)
        guesses += pick(kind == BY_GUESS, uint64(1), uint64(0))
        alone += pick(kind == ALONE, uint64(1), uint64(0))
    sum_on(w)
    if guesses > uint64(0):
        alone = uint64(0)
        for i in range(W):
            many = w[CHANCE + i] > 0.5
            x = pick(many, 1.0 - w[CHANCE + i], w[CHANCE + i])
            y = pick(many, -w[TAIL + i], w[TAIL + i])
            kind = w[HOW + i]
            number = pick(kind == BY_GUESS, w[NUMBER_OF + i], 100.0)
            guess, certain = guess_binomial(y, number, pick(kind == BY_GUESS, x, 0.5))
            one, kind = take(w, i, kind, guess, certain)
            w[HOW + i] = kind
            alone += one
    for i in range(W):
        w[COUNTED + i] = pick(w[CHANCE + i] > 0.5, w[NUMBER_OF + i] - w[COUNTED + i], w[COUNTED + i])
    if alone > uint64(0):
        for i in range(W):
            if w[HOW + i] == ALONE:
                w[COUNTED + i] = binomial(w[TAIL + i], w[NUMBER_OF + i], w[CHANCE + i])


@block
def negative_binomials(w):
    """Sums of NUMBER_OF geometric counts of mean CHANCE each."""
    guesses = uint64(0)
    alone = uint64(0)
    for i in range(W):
        x = w[CHANCE + i]
        mean = w[NUMBER_OF + i] * x
        kind = kind_of(w[TAIL + i], mean, x <= 1.0)
        kind = pick((w[NUMBER_OF + i] == 1.0) & (mean > 0.0), BY_GUESS, kind)
        w[HOW + i] = kind
        r = x / (1.0 + x)
        start_sum(w, w[TAIL + i], i, exp_(-w[NUMBER_OF + i] * log1p_(x)), w[NUMBER_OF + i] * r, r)
        guesses += pick(kind == BY_GUESS, uint64(1), uint64(0))
        alone += pick(kind == ALONE, uint64(1), uint64(0))
    sum_on(w)
    if guesses > uint64(0):
        alone = uint64(0)
        for i in range(W):
            kind = w[HOW + i]
            x = pick(kind == BY_GUESS, w[CHANCE + i], 1.0)
            one_cell = w[NUMBER_OF + i] == 1.0
            guess, certain = guess_negative_binomial(w[TAIL + i], pick(kind == BY_GUESS, w[NUMBER_OF + i], 100.0), x)
            guess = pick(one_cell, geometric(w[TAIL + i], x), guess)
            one, kind = take(w, i, kind, guess, certain | one_cell)
            w[HOW + i] = kind
            alone += one
    if alone > uint64(0):
        for i in range(W):
            if w[HOW + i] == ALONE:
                w[COUNTED + i] = negative_binomial(w[TAIL + i], w[NUMBER_OF + i], w[CHANCE + i])
