"""Reduction of one leaf, 256 neighbouring trajectories: moments and counts of every column, in the order of ids.

Compiled once for all models. Sums are taken of differences to the first valid row of an arm, so that the variance
does not cancel; a column that is not finite in a valid trajectory has a mean that is not finite either.

A leaf is megabytes, so it is walked in tiles that stay in the first-level cache, and always along rows: rows are
slices, because of an index of which its sign is not known LLVM makes gathers (four times the time).
"""

import numpy as np
from numba import float32, int64, uint32, uint64

from ctcdyn.kernels.machine import bits_from_float, kernel, lane

BLOCK = 256  # columns of a tile of moments
TILE = 128  # columns of a tile of the histogram
NOWHERE = 0xFFFFFFFF


@lane
def add(work, k, x):
    """One value of column k of the tile; a missing one (NaN) counts nowhere."""
    d = x - work[k]
    d = d if x == x else 0.0
    work[BLOCK + k] += 1.0 if x == x else 0.0
    work[2 * BLOCK + k] += d
    work[3 * BLOCK + k] += d * d
    work[4 * BLOCK + k] += 1.0 if x == 0.0 else 0.0


@kernel
def moments(rows, first, arms, work, number, shift, total, square, zeros):
    """Sums over rows (n, K) of one leaf, by arm; work (6 * BLOCK,) is scratch.

    number (arms, K) valid values, shift the values subtracted, total and square the sums of the differences and of
    their squares, zeros the values that are exactly 0. The arm of row b is (first + b) % arms.
    """
    n = rows.shape[0]
    for a in range(arms):
        lead = (a - first) % arms
        for start in range(0, rows.shape[1], BLOCK):
            end = min(start + BLOCK, rows.shape[1])
            size = end - start
            work[:] = 0.0
            missing = work[5 * BLOCK : 5 * BLOCK + size]
            missing[:] = np.nan
            if lead < n:
                for k in range(size):
                    x = rows[lead, start + k]
                    work[k] = x if abs(x) < np.inf else 0.0
            for b in range(lead, n, 4 * arms):  # four rows in one pass over the sums
                one = rows[b, start:end]
                two = rows[b + arms, start:end] if b + arms < n else missing
                three = rows[b + 2 * arms, start:end] if b + 2 * arms < n else missing
                four = rows[b + 3 * arms, start:end] if b + 3 * arms < n else missing
                for k in range(size):
                    p, q, r, s = one[k], two[k], three[k], four[k]  # all read before the first sum is written
                    add(work, k, p)
                    add(work, k, q)
                    add(work, k, r)
                    add(work, k, s)
            for k in range(size):
                shift[a, start + k] = work[k]
                number[a, start + k] = work[BLOCK + k]
                total[a, start + k] = work[2 * BLOCK + k]
                square[a, start + k] = work[3 * BLOCK + k]
                zeros[a, start + k] = work[4 * BLOCK + k]


@lane
def bin_of(x, move, base, last):
    """Number of the bin that x is in; of a missing value, any."""
    at = int64(bits_from_float(x) >> move) - base
    at = at if at > 2 else 2
    at = at if at < last else last
    at = 1 if x == 0.0 else at
    return 0 if x < 0.0 else at


@kernel
def add_lesions(own, of, place, size, seen, detected, times, rows):
    """Adds lesions, own (m, T * Cl), to the rows (n, T * C) of their patients, in order: of (m,) says whose.

    place (S + 1,): columns of the sums of the lesion's first S columns, and of the number whose `size`, one of these,
    is above 0; seen: column of the number detected by a save, or -1; detected (m,) and times (T,) in days.
    """
    saves = times.shape[0]
    wide, columns = own.shape[1] // saves, rows.shape[1] // saves
    species = place.shape[0] - 1
    for k in range(own.shape[0]):
        row = rows[of[k]]
        for j in range(saves):
            for s in range(species):
                row[j * columns + place[s]] += own[k, j * wide + s]
            row[j * columns + place[species]] += 1.0 if own[k, j * wide + size] > 0.0 else 0.0
            if seen >= 0 and detected[k] <= times[j]:
                row[j * columns + seen] += 1.0


@kernel
def tally(rows, first, arms, counts, bits, lowest):
    """Adds rows (n, K) to the histogram counts (arms, K, B).

    Bins: below zero, zero, up to 2**lowest, then 2**bits to each octave, the last without end; a missing value
    counts nowhere.
    """
    move = uint64(52 - bits)
    base = int64((lowest + 1023) << bits) - 3
    wide, bins = rows.shape[1], counts.shape[2]
    last = int64(bins - 1)
    flat = counts.reshape(counts.size)
    found = np.empty(TILE, np.uint32)
    for start in range(0, wide, TILE):
        end = min(start + TILE, wide)
        a = first % arms
        for b in range(rows.shape[0]):
            row = rows[b, start:end]
            tile = flat[(a * wide + start) * bins : (a * wide + end) * bins]
            for k in range(end - start):
                found[k] = uint32(k * bins + bin_of(row[k], move, base, last))
            for k in range(end - start):
                tile[found[k]] += uint32(1 if row[k] == row[k] else 0)
            a += 1
            a = 0 if a == arms else a


@kernel
def places(rows, first, arms, found, bins, bits, lowest):
    """Where in the histogram of `tally`, laid flat, the values of rows (n, K) belong; NOWHERE for a missing one."""
    move = uint64(52 - bits)
    base = int64((lowest + 1023) << bits) - 3
    wide, last = rows.shape[1], int64(bins - 1)
    for b in range(rows.shape[0]):
        row, out = rows[b], found[b]
        before = (first + b) % arms * wide
        for k in range(wide):
            x = row[k]
            at = uint32((before + k) * bins + bin_of(x, move, base, last))
            out[k] = at if x == x else uint32(NOWHERE)


@kernel
def narrow(rows, state, observables):
    """Rows (n, T * C) in single precision, apart: state (n, T, S) and observables (n, T, O), C = S + O.

    What is beyond the largest float32 becomes infinity. Of up to eight species eight numbers are copied at once, as
    one vector, and the next save puts right what was too much; the last eight saves go number by number.
    """
    saves, shown, read = state.shape[1], state.shape[2], observables.shape[2]
    columns = shown + read
    short = np.empty(saves * columns + 8, np.float32)
    for b in range(rows.shape[0]):
        row = rows[b]
        for k in range(saves * columns):
            short[k] = float32(row[k])
        out = state[b].reshape(saves * shown)
        quick = max(saves - 8, 0) if shown <= 8 else 0
        for t in range(quick):
            source = short[t * columns : t * columns + 8]
            target = out[t * shown : t * shown + 8]
            p, q, r, s = source[0], source[1], source[2], source[3]  # all read before the first is written
            u, v, w, x = source[4], source[5], source[6], source[7]
            target[0], target[1], target[2], target[3] = p, q, r, s
            target[4], target[5], target[6], target[7] = u, v, w, x
        for t in range(quick, saves):
            for c in range(shown):
                out[t * shown + c] = short[t * columns + c]
        out = observables[b].reshape(saves * read)
        for c in range(read):
            source, target = short[shown + c :], out[c:]
            for t in range(saves):
                target[t * read] = source[t * columns]
