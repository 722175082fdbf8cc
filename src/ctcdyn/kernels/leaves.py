"""Reduction of one leaf, 256 neighbouring trajectories: moments and counts of every column, in the order of ids.

Compiled once for all models. Sums are taken of differences to the first valid row of an arm, so that the variance
does not cancel; a column that is not finite in a valid trajectory has a mean that is not finite either.
"""

import numpy as np
from numba import int64, uint32, uint64

from ctcdyn.kernels.machine import bits_from_float, kernel

BLOCK = 256  # columns


@kernel
def moments(rows, first, arms, work, number, shift, total, square, zeros):
    """Sums over rows (n, K) of one leaf, by arm; work (5 * BLOCK,) is scratch.

    number (arms, K) valid values, shift the values subtracted, total and square the sums of the differences and of
    their squares, zeros the values that are exactly 0. The arm of row b is (first + b) % arms.
    """
    wide = rows.shape[1]
    for a in range(arms):
        lead = (a - first) % arms
        for start in range(0, wide, BLOCK):  # so many columns that their sums stay in the first-level cache
            size = min(BLOCK, wide - start)
            for k in range(BLOCK):
                x = rows[lead, start + k] if lead < rows.shape[0] and k < size else 0.0
                work[k] = x if np.abs(x) < np.inf else 0.0
            for k in range(BLOCK, 5 * BLOCK):
                work[k] = 0.0
            for b in range(lead, rows.shape[0], arms):
                for k in range(size):
                    x = rows[b, start + k]
                    d = x - work[k]
                    d = d if x == x else 0.0
                    work[BLOCK + k] += 1.0 if x == x else 0.0
                    work[2 * BLOCK + k] += d
                    work[3 * BLOCK + k] += d * d
                    work[4 * BLOCK + k] += 1.0 if x == 0.0 else 0.0
            for k in range(size):
                shift[a, start + k] = work[k]
                number[a, start + k] = work[BLOCK + k]
                total[a, start + k] = work[2 * BLOCK + k]
                square[a, start + k] = work[3 * BLOCK + k]
                zeros[a, start + k] = work[4 * BLOCK + k]


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
