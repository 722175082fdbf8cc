"""Probabilities and tails of the Poisson, binomial and negative binomial laws, to full precision, in scalar code.

Probabilities are in the saddle-point form of C. Loader 2000 (Fast and accurate computation of binomial probabilities):
the deviance is computed from the distance to the mean, which is exact to twice the precision, so that a count of 1e12
costs no digits. Tails are sums of probabilities away from the mean, all terms positive.

A law is (n, x, sign): Poisson of mean x for sign 0 (n unused); binomial of n trials with probability x <= 1/2 for
sign -1; the sum of n geometric counts of mean x each for sign 1 (n whole, at least 1).
"""

import numpy as np

from ctcdyn.kernels.lanemath import exp_, leading_bits, log1p_, log_
from ctcdyn.kernels.machine import block, lane, pick

STIRLING = (
    0.08106146679532726, 0.08106146679532726, 0.0413406959554093, 0.02767792568499834, 0.020790672103765093,
    0.016644691189821193, 0.013876128823070748, 0.01189670994589177, 0.010411265261972096, 0.009255462182712733,
    0.00833056343336287, 0.007573675487951841, 0.00694284010720953, 0.006408994188004207, 0.0059513701127588475,
    0.005554733551962801,
)  # fmt: skip
TERMS = 1_000_000  # of a tail at most


@lane
def two_product(a, b):
    """a * b as a sum of two doubles (T. J. Dekker 1971, doi:10.1007/BF01397083), for |a b| < 1e300."""
    a_h = leading_bits(a)
    b_h = leading_bits(b)
    a_l = a - a_h
    b_l = b - b_h
    p = a * b
    return p, ((a_h * b_h - p) + a_h * b_l + a_l * b_h) + a_l * b_l


@block
def stirling(n):
    """log(n!) - log(sqrt(2 pi n) (n / e)**n) for whole n >= 1."""
    if n < 16.0:
        return STIRLING[int(n)]
    c = 1.0 / (n * n)
    return (0.08333333333333333 - c * (0.002777777777777778 - c * (0.0007936507936507937 - c * (
        0.0005952380952380953 - c * 0.0008417508417508417)))) / n  # fmt: skip


@block
def deviance(x, away, mean):
    """x log(x / mean) + mean - x, from away = x - mean, to a relative precision that does not depend on it; x > 0."""
    if abs(away) < 0.1 * (x + mean):
        v = away / (x + mean)
        c = v * v
        total = away * v
        term = 2.0 * x * v
        for j in range(1, 40):
            term *= c
            more = total + term / (2.0 * j + 1.0)
            if more == total:
                break
            total = more
        return total
    return x * log_(x / mean) - away


@block
def probability(k, n, x, sign):
    """P(count = k) for a whole k >= 0 (at most n if binomial)."""
    if sign == 0.0:
        if k == 0.0:
            return exp_(-x)
        return exp_(-stirling(k) - deviance(k, k - x, x)) / np.sqrt(6.283185307179586 * k)
    high, low = two_product(n, x)
    away = (k - high) - low
    if sign < 0.0:
        if k == 0.0:
            return exp_(n * log1p_(-x))
        if k == n:
            return exp_(n * log_(x))
        d = deviance(k, away, high) + deviance(n - k, -away, n * (1.0 - x))
        s = stirling(n) - stirling(k) - stirling(n - k)
        return exp_(s - d) * np.sqrt(n / (n - k) / (6.283185307179586 * k))
    if k == 0.0:
        return exp_(-n * log1p_(x))
    # n / (n + k) times the binomial probability of n among n + k with 1 / (1 + x)
    p = 1.0 / (1.0 + x)
    away *= p
    d = deviance(n, -away, (n + k) * p) + deviance(k, away, (n + k) * (x * p))
    s = stirling(n + k) - stirling(n) - stirling(k)
    return exp_(s - d) * np.sqrt(n / (n + k) / (6.283185307179586 * k))


@block
def ratio(k, n, x, sign):
    """P(k + 1) / P(k)."""
    if sign == 0.0:
        return x / (k + 1.0)
    return (n + sign * k) / (k + 1.0) * (x / (1.0 + sign * x))


@block
def tail(k, n, x, sign, upper):
    """P(count > k) if upper, else P(count <= k), k >= 0."""
    term = probability(k, n, x, sign)
    if sign > 0.0 and x > 1.0:
        # the same as fewer, or at least, n successes among n + k: a sum over successes, which are fewer than counts
        many = n + k
        if upper:
            term = term * (many / (k + 1.0)) * x
            j = n - 1.0
        else:
            term = term * (many / n)
            j = n
        total = term
        for _ in range(TERMS):
            if upper:
                term *= j / (many - j + 1.0) * x
                j -= 1.0
            else:
                term *= (many - j) / (j + 1.0) / x
                j += 1.0
            total += term
            if not (term > 1e-18 * total):
                break
        return total
    total = 0.0 if upper else term
    for _ in range(TERMS):
        if upper:
            term *= ratio(k, n, x, sign)
            k += 1.0
        else:
            if k == 0.0:
                break
            k -= 1.0
            term /= ratio(k, n, x, sign)
        total += term
        if not (term > 1e-18 * total):
            break
    return total


@block
def tail_quantile(u, k, n, x, sign):
    """The smallest whole k with F(k) >= U, from a guess of any quality, for a mean above 0."""
    most = n if sign < 0.0 else 9007199254740992.0
    upper = u < 0.0
    p = abs(u)
    k = min(max(np.floor(k), 0.0), most)
    for _ in range(100):  # Newton's method for the logarithm of the tail, which is concave
        mass = probability(k, n, x, sign)
        total = tail(k, n, x, sign, upper)
        if not (mass > 0.0 and total > 0.0):  # far outside: half-way back to the mean
            k = np.floor(0.5 * (k + pick(sign == 0.0, x, n * x)))
            continue
        step = log_(p / total) * (total / mass)
        step = -step if upper else step
        near = abs(step) <= 4.0 + 1e-15 * k
        before = k
        k = min(max(np.floor(k + step), 0.0), most)
        if near or k == before:
            break
    back = 2.0  # from the side where probabilities are added, not subtracted
    for _ in range(60):
        if upper:
            k = min(k + back, most)
            total = tail(k, n, x, sign, True)
            if total <= p:
                break
        else:
            k = max(k - back, -1.0)
            total = tail(k, n, x, sign, False) if k >= 0.0 else 0.0
            if total < p:
                break
        back *= 2.0
    mass = probability(max(k, 0.0), n, x, sign)
    for _ in range(TERMS):
        if upper:
            if k == 0.0 or total + mass > p:
                break
            total += mass
            k -= 1.0
            mass /= ratio(k, n, x, sign)
        else:
            if (k >= 0.0 and total >= p) or k == most:
                break
            if k >= 0.0:
                mass *= ratio(k, n, x, sign)
            k += 1.0
            total += mass
    return k
