"""Reduction of one leaf, 256 neighbouring trajectories: moments and counts of every column, in the order of ids.

Compiled once for all models. Sums are taken of differences to the first valid row of an arm, so that the variance
does not cancel; a column that is not finite in a valid trajectory has a mean that is not finite either.
"""

import numpy as np
from numba import int64, uint32, uint64

from ctcdyn.kernels.machine import bits_from_float, kernel

@kernel
def moments(rows, first, arms, columns, number, shift, total, square, zeros):
    """Sums over rows (n, T * columns) of one leaf, by arm.

    number (arms, T * columns) valid values, shift the values subtracted, total and square the sums of the differences
    and of their squares, zeros the values that are exactly 0. The arm of row b is (first + b) % arms.
    """
    wide = rows.shape[1]
    for a in range(arms):
        for k in range(wide):
            number[a, k] = 0.0
            total[a, k] = 0.0
            square[a, k] = 0.0
            zeros[a, k] = 0.0
            shift[a, k] = 0.0
        start = (a - first) % arms
        if start < rows.shape[0]:
            for k in range(wide):
                x = rows[start, k]
                shift[a, k] = x if np.abs(x) < np.inf else 0.0
    for b in range(rows.shape[0]):
        a = (first + b) % arms
        for k in range(wide):
            x = rows[b, k]
            valid = x == x
            d = x - shift[a, k]
            d = d if valid else 0.0
            number[a, k] += 1.0 if valid else 0.0
            total[a, k] += d
            square[a, k] += d * d
            zeros[a, k] += 1.0 if x == 0.0 else 0.0


@kernel
def tally(rows, first, arms, counts, bits, lowest, highest):
    """Adds rows (n, K) to the histogram counts (arms, K, B).

    Bins: below zero, zero, up to 2**lowest, then 2**bits to each octave, from 2**highest on; a missing value counts
    nowhere.
    """
    move = uint64(52 - bits)
    base = int64((lowest + 1023) << bits) - 3
    last = int64(counts.shape[2] - 1)
    for k in range(rows.shape[1]):  # column by column: one histogram stays in the first-level cache
        a = first % arms
        for b in range(rows.shape[0]):
            x = rows[b, k]
            at = int64(bits_from_float(x) >> move) - base
            at = at if at > 2 else 2
            at = at if at < last else last
            at = 1 if x == 0.0 else at
            at = 0 if x < 0.0 else at
            if x == x:
                counts[a, k, at] += uint32(1)
            a += 1
            a = 0 if a == arms else a
