"""Whole random numbers of all lanes at once, by inversion of one uniform each: the lane forms of `counts`.

A uniform that says 0 where little is to be expected is done with at a glance. Other small means are summed from 0, all
lanes together until the last has its number; larger ones take the expansion of `counts`, and the rare lane that is in
doubt, or has a number where little was to be expected, is settled by itself. What a lane gets depends on its own
numbers only, so no result depends on the number of lanes. A law is (n, x, sign) as in `tails`.
"""

import numpy as np
from numba import uint64

from ctcdyn.kernels.contract import W
from ctcdyn.kernels.counts import (
    BINOMIAL,
    FAR,
    FEW,
    MOST,
    NEGATIVE,
    POISSON,
    few,
    geometric,
    guess_poisson,
    quantile,
)
from ctcdyn.kernels.lanemath import exp_, log1p_
from ctcdyn.kernels.machine import block, lane
from ctcdyn.kernels.normal import normal_quantile
from ctcdyn.kernels.propagator import PROPAGATED
from ctcdyn.kernels.tails import tail_quantile, two_product

OUTCOME = PROPAGATED  # the number drawn
LEFT = OUTCOME + W  # of the uniform, above what is summed so far
MASS = OUTCOME + 2 * W  # probability of the number reached
RISE = OUTCOME + 3 * W  # ratio of neighbouring probabilities: (RISE + SLOPE k) / (k + 1)
SLOPE = OUTCOME + 4 * W
HOW = OUTCOME + 5 * W  # a lane comes by its number
TAIL = OUTCOME + 6 * W  # signed tail of the uniform
TRIALS = OUTCOME + 7 * W
CHANCE = OUTCOME + 8 * W
CELL = OUTCOME + 9 * W  # counts, or means, that are drawn from
INVERTED = OUTCOME + 10 * W

RARELY = 0.25  # mean up to which a number that is not 0 is settled by itself
NONE, SUMMED, EXPANDED, ALONE = 0.0, 1.0, 2.0, 3.0  # HOW
ONE_SUMMED, ONE_EXPANDED, ONE_ALONE = uint64(1), uint64(1 << 16), uint64(1 << 32)  # counts of lanes, side by side
MANY_SUMMED, MANY_EXPANDED = uint64(0xFFFF), uint64(0xFFFF0000)


@lane
def cell(row, i):
    """Index of lane i in a row known at run time: unsigned, for a signed index is looked at for its sign."""
    return uint64(row) + uint64(i)


@lane
def expected(u, n, x, sign):
    """(k, certain) by the expansion, for a mean above FEW."""
    high, low = two_product(n, x)
    variance = high * (1.0 + sign * x)
    return quantile(u, high, low, variance, (1.0 + 2.0 * sign * x) / np.sqrt(variance))


@block
def number(u, n, x, sign):
    """The number of one law for the signed tail u; x <= 1/2 for a binomial."""
    mean = n * x
    if not (mean > 0.0):
        return 0.0
    if sign > 0.0 and n == 1.0:
        return geometric(u, x)
    if mean <= FEW:
        ratio = x / (1.0 + sign * x)
        start = exp_(-mean if sign == 0.0 else -sign * n * log1p_(sign * x))
        if (u < -FAR or u > 0.0) and (sign <= 0.0 or x <= 1.0):
            return few(u, start, n * ratio, sign * ratio)
        return tail_quantile(u, mean + 8.0 * (1.0 + max(sign, 0.0) * x), n, x, sign)
    k, certain = guess_poisson(u, mean) if sign == POISSON else expected(u, n, x, sign)
    if certain:
        return min(max(k, 0.0), n) if sign < 0.0 else max(k, 0.0)
    if sign > 0.0:
        # E. B. Wilson and M. M. Hilferty 1931, doi:10.1073/pnas.17.12.684, for few cells with many descendants each
        y = 1.0 - 1.0 / (9.0 * n) + normal_quantile(u) / (3.0 * np.sqrt(n))
        y = max(y, 0.1)
        k = mean * (y * y * y)
    return tail_quantile(u, k, n, x, sign)


@block
def successes(u, n, yes, no):
    """Binomial number among n, from the probabilities of both outcomes."""
    if yes <= no:
        return number(u, n, yes, BINOMIAL)
    return n - number(-u, n, no, BINOMIAL)


@lane
def screen(w, i, u, n, x, mean, start):
    """How lane i comes by its number, in HOW; start: log F(0), which stays in MASS. Returns counts of these ways."""
    rare = mean <= RARELY
    hit = rare & (u < 0.0) & (u > start)  # 1 - exp(start) <= -start: anything else has the number 0
    large = mean > FEW
    w[OUTCOME + i] = 0.0
    w[TAIL + i] = u
    w[TRIALS + i] = n
    w[CHANCE + i] = x
    w[MASS + i] = start
    w[HOW + i] = ALONE if hit else (NONE if rare else (EXPANDED if large else SUMMED))
    return ONE_ALONE if hit else (uint64(0) if rare else (ONE_EXPANDED if large else ONE_SUMMED))


@lane
def open_sum(w, i):
    """Prepares the sum from 0, where that is the way of lane i."""
    u = w[TAIL + i]
    start = exp_(w[MASS + i])
    whole = u if u > 0.0 else 1.0 + u
    w[LEFT + i] = whole - start if w[HOW + i] == SUMMED else 0.0
    w[MASS + i] = start


@block
def climb(w):
    """Sums until every lane with a small mean has its number, four probabilities at a time."""
    k = 0.0
    for _ in range(MOST // 4):
        inverse_1 = 1.0 / (k + 1.0)
        inverse_2 = 1.0 / (k + 2.0)
        inverse_3 = 1.0 / (k + 3.0)
        inverse_4 = 1.0 / (k + 4.0)
        going = uint64(0)
        for i in range(W):
            left = w[LEFT + i]
            mass = w[MASS + i]
            rise = w[RISE + i]
            slope = w[SLOPE + i]
            found = w[OUTCOME + i]
            found += 1.0 if left > 0.0 else 0.0
            mass = mass * ((rise + slope * k) * inverse_1)
            left -= mass
            found += 1.0 if left > 0.0 else 0.0
            mass = mass * ((rise + slope * (k + 1.0)) * inverse_2)
            left -= mass
            found += 1.0 if left > 0.0 else 0.0
            mass = mass * ((rise + slope * (k + 2.0)) * inverse_3)
            left -= mass
            found += 1.0 if left > 0.0 else 0.0
            mass = mass * ((rise + slope * (k + 3.0)) * inverse_4)
            left -= mass
            w[OUTCOME + i] = found
            w[MASS + i] = mass
            w[LEFT + i] = left
            going += uint64(1) if left > 0.0 else uint64(0)
        k += 4.0
        if going == uint64(0):
            break


@lane
def take(w, i, k, certain):
    """The number of the expansion in a lane that comes by it so; returns ONE_ALONE where it is in doubt."""
    how, found = w[HOW + i], w[OUTCOME + i]
    k = k if k > 0.0 else 0.0
    mine = how == EXPANDED
    doubtful = mine & (not certain)
    w[OUTCOME + i] = k if mine else found
    w[HOW + i] = ALONE if doubtful else how
    return ONE_ALONE if doubtful else uint64(0)


@block
def conclude(w, sign, ways):
    """The numbers of all lanes, once they are screened; ways: the sum of what that returned."""
    if ways & MANY_SUMMED > uint64(0):
        for i in range(W):
            open_sum(w, i)
        climb(w)
    if ways & MANY_EXPANDED > uint64(0):
        if sign == POISSON:
            for i in range(W):
                k, certain = guess_poisson(w[TAIL + i], w[CHANCE + i])
                ways += take(w, i, k, certain)
        else:
            for i in range(W):
                k, certain = expected(w[TAIL + i], w[TRIALS + i], w[CHANCE + i], sign)
                ways += take(w, i, k, certain)
    if ways >= ONE_ALONE:
        for i in range(W):
            if w[HOW + i] == ALONE:
                w[OUTCOME + i] = number(w[TAIL + i], w[TRIALS + i], w[CHANCE + i], sign)


@lane
def open_binomial(w, i, law, u):
    n = w[CELL + i]
    part = w[cell(law, i)]
    odds = w[cell(law + W, i)]
    u = w[cell(u, i)]
    w[RISE + i] = n * odds
    w[SLOPE + i] = -odds
    u = -u if w[cell(law + 3 * W, i)] > 0.0 else u
    return screen(w, i, u, n, part, n * part, n * w[cell(law + 2 * W, i)])


@block
def draw_binomial(w, law, u):
    """OUTCOME: successes among the counts in CELL, which keeps the rest; law: rows of `propagator.divide`; u: tails."""
    ways = uint64(0)
    for i in range(W):
        ways += open_binomial(w, i, law, u)
    conclude(w, BINOMIAL, ways)
    for i in range(W):
        n = w[CELL + i]
        k = w[OUTCOME + i]
        k = k if k < n else n
        k = n - k if w[cell(law + 3 * W, i)] > 0.0 else k
        w[OUTCOME + i] = k
        w[CELL + i] = n - k  # what is left for what follows


@lane
def open_poisson(w, i, u):
    mean = w[CELL + i]
    w[RISE + i] = mean
    w[SLOPE + i] = 0.0
    return screen(w, i, w[cell(u, i)], 1.0, mean, mean, -mean)


@block
def draw_poisson(w, u):
    """OUTCOME: Poisson counts of the means in CELL."""
    ways = uint64(0)
    for i in range(W):
        ways += open_poisson(w, i, u)
    conclude(w, POISSON, ways)


@lane
def open_geometric(w, i, law, u):
    n = w[CELL + i]
    extra = w[cell(law, i)]
    ratio = extra / (1.0 + extra)
    w[RISE + i] = n * ratio
    w[SLOPE + i] = ratio
    ways = screen(w, i, w[cell(u, i)], n, extra, n * extra, -n * w[cell(law + W, i)])
    long = (w[HOW + i] == SUMMED) & (extra > 1.0)  # few cells with many descendants each are a long sum
    w[HOW + i] = ALONE if long else w[HOW + i]
    return ONE_ALONE if long else ways


@block
def draw_geometric(w, law, u):
    """OUTCOME: sums of as many geometric counts as CELL says; law: two rows, their mean and log(1 + mean)."""
    ways = uint64(0)
    for i in range(W):
        ways += open_geometric(w, i, law, u)
    conclude(w, NEGATIVE, ways)
