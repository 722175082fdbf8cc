"""The line of one cell that divides at rate b, dies at rate d and meets something else at rate c: its law at time t.

P(no line left, nothing met) and the geometric law of a line that is there are those of D. G. Kendall 1948,
doi:10.1214/aoms/1177730285, with c as a killing (backward equation u' = b u**2 - (b + d + c) u + d). Written with
R = sqrt((b - d)**2 + c (2 (b + d) + c)), E = exp(-R t) and phi = (1 - E) / R, no difference of close numbers is left:
neither growth and death that are nearly equal, nor rare meetings, nor long times cost digits.
"""

import numpy as np

from ctcdyn.kernels.lanemath import expm1_, log1p_, log_
from ctcdyn.kernels.machine import block, lane, pick


@block
def root(b, d, c):
    """R."""
    return np.sqrt((b - d) * (b - d) + c * (2.0 * (b + d) + c))


@block
def balance(e, phi, r, m, x):
    """1 + E - m phi where R**2 = m**2 + 4 x, x >= 0."""
    if e > 0.5:
        return 1.0 + e - m * phi
    low = 4.0 * x / (r + m) if m > 0.0 else r - m
    high = r + m if m > 0.0 else 4.0 * x / (r - m)
    return (low + e * high) / r


@block
def line(b, d, c, t):
    """(met, alive, gone, extra) of one cell after t days.

    met: that something was met; if nothing was: alive that cells are there, gone that none is, and then the number of
    cells is 1 + a geometric count of mean extra.
    """
    r = root(b, d, c)
    decay = -expm1_(-r * t)
    e = 1.0 - decay
    phi = decay / r if r * t > 1e-200 else t
    q = (b + d + c) * phi + 1.0 + e
    n = balance(e, phi, r, b - d - c, b * c)
    rest = balance(e, phi, r, b - d + c, c * d)
    met = 2.0 * c * phi / n
    alive = 4.0 * e / (q * rest)
    gone = 2.0 * d * phi * n / (q * rest)
    extra = 2.0 * b * phi / n
    return met, alive, gone, extra


@block
def meeting(b, d, c, chance):
    """Time by which one cell has met something with this chance; inf where it never comes to that."""
    r = root(b, d, c)
    m = b - d - c
    above = 2.0 * chance
    below = 2.0 * c + chance * (m + r)
    if above * r >= below:
        return np.inf
    if above * r < 1e-14 * below:
        return above / below
    return -log1p_(-above * r / below) / r


@lane
def budget(u):
    """A unit-exponential variate from a signed tail: small where its uniform is small."""
    return pick(u > 0.0, -log1p_(-pick(u > 0.0, u, 0.0)), -log_(pick(u > 0.0, 1.0, -u)))
