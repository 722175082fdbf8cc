"""Whole random numbers by inversion of one uniform: Poisson, binomial, negative binomial. The answer is the smallest k
with F(k) >= U, right to 1e-12 of the smaller tail (tests/test_counts.py), for means up to 1e12 and beyond.

One uniform for each variate and a result that grows with it keep trajectories with slightly different rates together.
A uniform comes as a signed tail u (see `normal`), as `addresses.two_draws` gives it.

Three ways to the answer, all of them the same law:
- a mean up to FEW: probabilities are summed from 0;
- above it, the Cornish-Fisher expansion of the quantile to six orders in 1/sigma, with the cumulants of a law on whole
  numbers (those of the law plus those of a centred uniform taken out, by Euler and Maclaurin), so that rounding it is
  the answer unless it falls within its own error of a half: M. B. Giles 2016, doi:10.1145/2699466, does so for the
  Poisson law with expansions of N. M. Temme; here one expansion in z, 1/sigma and the skewness serves all three laws,
  which are one family (negative binomial: n -> -n, p -> -mean; Poisson: p -> 0);
- where that is in doubt, and far in the tails, the tail is summed (`tails`).

`poisson(u, mean)` and its kin are for one variate; `variates` has them for all lanes of a block, where `guess_*` gives
an answer, and whether it is certain, without a branch.
"""

import numpy as np

from ctcdyn.kernels.lanemath import exp_, log1p_, log_
from ctcdyn.kernels.machine import block, lane, pick
from ctcdyn.kernels.normal import normal_quantile
from ctcdyn.kernels.tails import tail_quantile, two_product

FEW = 12.0  # mean up to which probabilities are summed from 0
MOST = 128  # probabilities that are summed at most: beyond them is less than 1e-60
FAR = 1e-3  # an upper tail below this is settled by its own sum, which keeps its digits
POISSON, BINOMIAL, NEGATIVE = 0.0, -1.0, 1.0  # sign of the change of the ratio of neighbouring probabilities


@lane
def expand(z, a, b):
    """(Quantile - mean) / sigma - z to the sixth order; a = skewness, b = 1/sigma**2."""
    c = a * a
    y = z * z
    e6 = (1.8371546149323928e-06 * c + 0.00014329805996472663 * b) * c + 0.00041335978835978834 * b * b
    e4 = (-3.7202380952380956e-05 * c + 0.0008019179894179895 * b) * c + 0.0008887235449735449 * b * b
    e4 = e4 - 0.000462962962962963 * c + 0.004166666666666667 * b
    e2 = (-0.0001413078091318832 * c - 0.0023800338036449147 * b) * c - 0.010189318783068783 * b * b
    e2 = e2 - 0.0010802469135802468 * c + 0.009722222222222222 * b + 0.16666666666666666
    e0 = (0.00022535763276504018 * c - 0.002175191064079953 * b) * c + 0.0013227513227513227 * b * b
    e0 = e0 + 0.0024691358024691358 * c - 0.022222222222222223 * b - 0.16666666666666666
    o7 = (-3.9900701793062907e-07 * c - 2.575748181216931e-05 * b) * c - 0.000194304935515873 * b * b
    o7 = o7 * c - 3.7589905753968256e-05 * b * b * b
    o5 = (-4.627971087268927e-07 * c - 0.0001673045037845385 * b) * c - 0.0006229934826940035 * b * b
    o5 = o5 * c - 5.5243813381834216e-05 * b * b * b
    o5 = o5 + (1.4467592592592593e-05 * c - 0.00078125 * b) * c - 0.0005642361111111111 * b * b
    o3 = (3.07805261951031e-05 * c + 0.0005825033604619831 * b) * c + 0.006896107184193122 * b * b
    o3 = o3 * c + 0.0014991612240961199 * b * b * b
    o3 = o3 + (0.00041152263374485596 * c - 0.003414351851851852 * b) * c - 0.0005208333333333333 * b * b
    o3 = o3 + 0.006944444444444444 * c - 0.020833333333333332 * b
    o1 = (3.080178955870185e-05 * c + 0.0010600965807490692 * b) * c + 0.0013620807842813052 * b * b
    o1 = o1 * c - 0.0005827081266534392 * b * b * b
    o1 = o1 + (-0.0006960519547325103 * c + 0.010098379629629629 * b) * c + 0.007855902777777778 * b * b
    o1 = o1 - 0.04861111111111111 * c + 0.020833333333333332 * b
    even = ((e6 * y + e4) * y + e2) * y + e0
    odd = ((o7 * y + o5) * y + o3) * y + o1
    return a * even + z * odd


@lane
def quantile(u, high, low, variance, skew):
    """(k, certain) for a law of mean high + low, this variance and skewness, by the expansion."""
    z = normal_quantile(u)
    sigma = np.sqrt(variance)
    b = 1.0 / variance
    away = sigma * (z + expand(z, skew, b))
    whole = np.floor(high)
    y = ((high - whole) + low) + away - 0.5
    k = np.ceil(y)
    # what the seventh order could be, with a margin of 1.5 and more (tests/test_counts.py), in units of sigma
    c = z * z + 1.0
    r = skew * skew + b
    x = r * c
    error = 4e-4 * x * x * x * c * np.sqrt(r)
    y = k - y
    near = pick(y < 0.5, y, 1.0 - y)
    return whole + k, (near > sigma * error) | (error * c < 1e-13)


@lane
def guess_poisson(u, mean):
    """(k, certain) of the Poisson law for a mean above FEW: `quantile` where skewness**2 = 1/sigma**2 = 1/mean."""
    z = normal_quantile(u)
    sigma = np.sqrt(mean)
    a = 1.0 / sigma
    b = a * a
    y = z * z
    p2 = ((0.0005584950029394474 * y + 0.0016534391534391533) * y - 0.01271066039584558) * y - 0.0006270821085635902
    p1 = (0.003703703703703704 * y + 0.008641975308641976) * y - 0.019753086419753086
    even = (p2 * b + p1) * b + (y - 1.0) * 0.16666666666666666
    q3 = ((-0.0002580513300999412 * y - 0.0008460045969691032) * y + 0.009008552294946327) * y + 0.001870271027935637
    q2 = (-0.0013310185185185185 * y - 0.0035236625514403295) * y + 0.017258230452674897
    q1 = -0.013888888888888888 * y - 0.027777777777777778
    odd = ((q3 * b + q2) * b + q1) * b
    z = sigma * z
    whole = np.floor(mean)
    x = (mean - whole) + (z + (even + z * odd)) - 0.5
    k = np.ceil(x)
    c = y + 1.0
    r = 2.0 * b * c
    error = 5.656854249492381e-4 * r * r * r * c  # that of `quantile`, in counts
    x = k - x
    near = pick(x < 0.5, x, 1.0 - x)
    return whole + k, (near > error) | (a * error * c < 1e-13)


@lane
def guess_binomial(u, n, p):
    """(k, certain) of the binomial law for p <= 1/2 and a mean above FEW."""
    high, low = two_product(n, p)
    variance = high * (1.0 - p)
    k, certain = quantile(u, high, low, variance, (1.0 - 2.0 * p) / np.sqrt(variance))
    k = pick(k > 0.0, k, 0.0)
    return pick(k < n, k, n), certain


@lane
def guess_negative_binomial(u, n, mean):
    """(k, certain) of the sum of n geometric counts of this mean each, for n * mean above FEW."""
    high, low = two_product(n, mean)
    variance = high * (1.0 + mean)
    return quantile(u, high, low, variance, (1.0 + 2.0 * mean) / np.sqrt(variance))


@lane
def geometric(u, mean):
    """Smallest k with 1 - (mean / (1 + mean))**(k + 1) >= U, for a mean above 0."""
    above = log1p_(-u) if u > 0.0 else log_(-u)
    k = np.ceil(above / -log1p_(1.0 / mean)) - 1.0
    return pick(k > 0.0, k, 0.0)


@lane
def is_near(u):
    """Whether a tail is so large that sums from 0 keep its digits."""
    return (u > 0.0) | (u < -FAR)


@block
def few(u, start, a, b):
    """Smallest k with F(k) >= U, summed from F(0) = start; P(k + 1) / P(k) = (a + b k) / (k + 1)."""
    left = u - start if u > 0.0 else (1.0 + u) - start
    mass = start
    k = 0.0
    while left > 0.0 and k < MOST:
        mass *= (a + b * k) * (1.0 / (k + 1.0))
        left -= mass
        k += 1.0
    return k


@block
def poisson(u, mean):
    """Poisson count of a mean from 0 to 1e15 for the signed tail u."""
    if mean <= FEW:
        if mean <= 0.0:
            return 0.0
        if is_near(u):
            return few(u, exp_(-mean), mean, 0.0)
        return tail_quantile(u, mean + 8.0, 1.0, mean, POISSON)
    k, certain = guess_poisson(u, mean)
    return k if certain else tail_quantile(u, k, 1.0, mean, POISSON)


@block
def binomial(u, n, p):
    """Number of successes among n, a whole number up to 2**53, with probability p, for the signed tail u."""
    if p > 0.5:
        return n - binomial_below(-u, n, 1.0 - p)
    return binomial_below(u, n, p)


@block
def binomial_below(u, n, p):
    """`binomial` for p <= 1/2."""
    mean = n * p
    if mean <= FEW:
        if mean <= 0.0:
            return 0.0
        if is_near(u):
            r = p / (1.0 - p)
            return few(u, exp_(n * log1p_(-p)), n * r, -r)
        return tail_quantile(u, mean + 8.0, n, p, BINOMIAL)
    k, certain = guess_binomial(u, n, p)
    return k if certain else tail_quantile(u, k, n, p, BINOMIAL)


@block
def negative_binomial(u, n, mean):
    """Sum of n geometric counts (0, 1, 2, ...) of this mean each, for the signed tail u; n a whole number.

    What n cells have had in descendants beyond themselves, where each has a geometric number of them.
    """
    if n <= 0.0 or mean <= 0.0:
        return 0.0
    if n == 1.0:
        return geometric(u, mean)
    if n * mean <= FEW:
        if is_near(u) and mean <= 1.0:
            r = mean / (1.0 + mean)
            return few(u, exp_(-n * log1p_(mean)), n * r, r)
        return tail_quantile(u, n * mean + 8.0 * (1.0 + mean), n, mean, NEGATIVE)
    k, certain = guess_negative_binomial(u, n, mean)
    if certain:
        return k
    # E. B. Wilson and M. M. Hilferty 1931, doi:10.1073/pnas.17.12.684, for few cells with many descendants each
    x = 1.0 - 1.0 / (9.0 * n) + normal_quantile(u) / (3.0 * np.sqrt(n))
    return tail_quantile(u, n * mean * max(x, 0.1) ** 3, n, mean, NEGATIVE)
