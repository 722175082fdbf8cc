"""Counts of `counts` for all lanes of a block at once: the laws in rows of the work buffer, the answers in a row.

The same numbers as the scalar functions, bit for bit. Arguments are offsets of rows; `s` is that of SCRATCH rows of
which nothing is kept. Lanes with a small mean sum probabilities side by side until the last is through, lanes with a
larger one take the expansion; whichever is in doubt, or far in a tail, is settled alone (about one in a thousand).
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
from ctcdyn.kernels.lanemath import exp_
from ctcdyn.kernels.machine import block, lane, pick
from ctcdyn.kernels.tails import log1p_

SCRATCH = 5  # rows that a call needs besides those of the law
KINDS = 4  # of them: how the lane comes by its answer
NONE, SUM, GUESS, ALONE = 0.0, 1.0, 2.0, 3.0


@lane
def start_sum(w, u, i, s, start, a, b):
    """Lane i may sum probabilities from 0: F(0) = start, P(j + 1) / P(j) = (a + b j) / (j + 1)."""
    left = pick(u > 0.0, u - start, (1.0 + u) - start)
    w[s + i] = pick(w[s + KINDS * W + i] == SUM, left, -1.0)
    w[s + W + i] = start
    w[s + 2 * W + i] = a
    w[s + 3 * W + i] = b


@block
def sum_on(w, k, s):
    """Counts from 0 up in the lanes that sum, until each has reached its uniform."""
    active = uint64(0)
    for i in range(W):
        w[k + i] = 0.0
        active += pick(w[s + i] > 0.0, uint64(1), uint64(0))
    for j in range(MOST):
        if active == uint64(0):
            break
        inverse = 1.0 / (j + 1.0)
        active = uint64(0)
        for i in range(W):
            left = w[s + i]
            on = left > 0.0
            mass = w[s + W + i] * ((w[s + 2 * W + i] + w[s + 3 * W + i] * j) * inverse)
            w[k + i] += pick(on, 1.0, 0.0)
            left = left - mass
            w[s + i] = left
            w[s + W + i] = mass
            active += pick(left > 0.0, uint64(1), uint64(0))


@lane
def kind_of(u, mean, summed):
    """How a lane comes by its answer."""
    kind = pick(is_near(u) & summed, SUM, ALONE)
    kind = pick(mean > FEW, GUESS, kind)
    return pick(mean > 0.0, kind, NONE)


@lane
def take(w, i, k, kind, guess, certain):
    """The answer of a lane that does not sum, where there is one; returns 1 where it must be settled alone."""
    w[k + i] = pick(kind == GUESS, guess, w[k + i])
    alone = (kind == ALONE) | ((kind == GUESS) & (not certain))
    return pick(alone, uint64(1), uint64(0)), pick(alone, ALONE, kind)


@block
def poissons(w, u, m, k, s):
    """Poisson counts of the means in row m for the signed tails in row u, in row k."""
    guesses = uint64(0)
    alone = uint64(0)
    for i in range(W):
        mean = w[m + i]
        kind = kind_of(w[u + i], mean, True)
        w[s + KINDS * W + i] = kind
        start_sum(w, w[u + i], i, s, exp_(-mean), mean, 0.0)
        guesses += pick(kind == GUESS, uint64(1), uint64(0))
        alone += pick(kind == ALONE, uint64(1), uint64(0))
    sum_on(w, k, s)
    if guesses > uint64(0):
        alone = uint64(0)
        for i in range(W):
            mean = pick(w[m + i] > FEW, w[m + i], FEW)
            guess, certain = guess_poisson(w[u + i], mean)
            one, kind = take(w, i, k, w[s + KINDS * W + i], guess, certain)
            w[s + KINDS * W + i] = kind
            alone += one
    if alone > uint64(0):
        for i in range(W):
            if w[s + KINDS * W + i] == ALONE:
                w[k + i] = poisson(w[u + i], w[m + i])


@block
def binomials(w, u, n, p, k, s):
    """Binomial counts of the numbers in row n with the probabilities in row p for the signed tails in row u, in row k.

    Row k is none of the others.
    """
    guesses = uint64(0)
    alone = uint64(0)
    for i in range(W):
        many = w[p + i] > 0.5
        x = pick(many, 1.0 - w[p + i], w[p + i])
        y = pick(many, -w[u + i], w[u + i])
        mean = w[n + i] * x
        kind = kind_of(y, mean, True)
        w[s + KINDS * W + i] = kind
        r = x / (1.0 - x)
        start_sum(w, y, i, s, exp_(w[n + i] * log1p_(-x)), w[n + i] * r, -r)
        guesses += pick(kind == GUESS, uint64(1), uint64(0))
        alone += pick(kind == ALONE, uint64(1), uint64(0))
    sum_on(w, k, s)
    if guesses > uint64(0):
        alone = uint64(0)
        for i in range(W):
            many = w[p + i] > 0.5
            x = pick(many, 1.0 - w[p + i], w[p + i])
            y = pick(many, -w[u + i], w[u + i])
            kind = w[s + KINDS * W + i]
            guess, certain = guess_binomial(y, pick(kind == GUESS, w[n + i], 100.0), pick(kind == GUESS, x, 0.5))
            one, kind = take(w, i, k, kind, guess, certain)
            w[s + KINDS * W + i] = kind
            alone += one
    for i in range(W):
        w[k + i] = pick(w[p + i] > 0.5, w[n + i] - w[k + i], w[k + i])
    if alone > uint64(0):
        for i in range(W):
            if w[s + KINDS * W + i] == ALONE:
                w[k + i] = binomial(w[u + i], w[n + i], w[p + i])


@block
def negative_binomials(w, u, n, m, k, s):
    """Sums of n geometric counts of mean m each, the rows n and m, for the signed tails in row u, in row k."""
    guesses = uint64(0)
    alone = uint64(0)
    for i in range(W):
        x = w[m + i]
        mean = w[n + i] * x
        kind = kind_of(w[u + i], mean, x <= 1.0)
        kind = pick((w[n + i] == 1.0) & (mean > 0.0), GUESS, kind)
        w[s + KINDS * W + i] = kind
        r = x / (1.0 + x)
        start_sum(w, w[u + i], i, s, exp_(-w[n + i] * log1p_(x)), w[n + i] * r, r)
        guesses += pick(kind == GUESS, uint64(1), uint64(0))
        alone += pick(kind == ALONE, uint64(1), uint64(0))
    sum_on(w, k, s)
    if guesses > uint64(0):
        alone = uint64(0)
        for i in range(W):
            kind = w[s + KINDS * W + i]
            x = pick(kind == GUESS, w[m + i], 1.0)
            one_cell = w[n + i] == 1.0
            guess, certain = guess_negative_binomial(w[u + i], pick(kind == GUESS, w[n + i], 100.0), x)
            guess = pick(one_cell, geometric(w[u + i], x), guess)
            one, kind = take(w, i, k, kind, guess, certain | one_cell)
            w[s + KINDS * W + i] = kind
            alone += one
    if alone > uint64(0):
        for i in range(W):
            if w[s + KINDS * W + i] == ALONE:
                w[k + i] = negative_binomial(w[u + i], w[n + i], w[m + i])
