"""Designs: uniform numbers that cover a cube better than chance does, each row a function of (seed, row, rows).

Latin hypercube: in every dimension each of the n equal parts holds one of n rows, at a place of its own chance. Which
part a row has is a permutation by a cipher on 0 to n - 1: a Feistel network of ROUNDS rounds on the smallest a x b that
holds n, walked until the number is below n (Black and Rogaway 2002, doi:10.1007/3-540-45760-7_9).

Sobol: the direction numbers of Joe and Kuo (2008, doi:10.1137/070709359) as scipy ships them, in the order of the Gray
code as scipy.stats.qmc.Sobol has them; scrambled by a random lower triangular matrix of bits and a shift (Matousek
1998, doi:10.1006/jcom.1998.0489), so that every row by itself is uniform.

Numbers of a seed come from numpy's Philox4x64 with the key (seed, purpose and dimension), which kernels do not use.
"""

from __future__ import annotations

import functools
import math
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from ctcdyn.model.quantiles import TINY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bits = NDArray[np.uint64]

ROUNDS = 16
BITS = 52  # of a Sobol number, and at most 2**BITS rows
PERMUTE, SCRAMBLE = 1 << 32, 2 << 32  # purposes: dimensions are below
SWEEP = 1 << 31  # dimensions of a sweep begin here, those of patients at 0


def latin_hypercube(seed: int, rows: Ints, total: int, inside: Floats, first: int = 0) -> Floats:
    """Rows of a Latin hypercube of `total` rows, (n, D), between TINY and 1 - TINY.

    `inside` (n, D): where in its part each is, uniform. `first`: number of the first dimension.
    """
    columns = [permuted(seed, first + d, rows, total) for d in range(inside.shape[1])]
    return within((np.stack(columns, axis=1) + inside) / total)


def permuted(seed: int, dimension: int, rows: Ints, total: int) -> Ints:
    """Where a permutation of 0 to total - 1, one for each seed and dimension, puts these rows."""
    wide = math.isqrt(total - 1) + 1
    tall = -(-total // wide)
    keys = keyed_words(seed, PERMUTE + dimension, ROUNDS)
    found = rows.astype(np.uint64)
    waiting = np.arange(len(rows))
    while len(waiting):
        right, left = np.divmod(found[waiting], np.uint64(wide))
        for number, key in enumerate(keys):
            if number % 2 == 0:
                left = (left + _mixed(right, key)) % np.uint64(wide)
            else:
                right = (right + _mixed(left, key)) % np.uint64(tall)
        found[waiting] = right * np.uint64(wide) + left
        waiting = waiting[found[waiting] >= total]
    return found.astype(np.int64)


def sobol(rows: Ints, dimensions: int, seed: int | None = None, first: int = 0) -> Floats:
    """Rows of the Sobol sequence, (n, D): from 0, with a seed scrambled. `first`: number of the first for the seed.

    Unscrambled, row 0 is the origin.
    """
    directions, shift = (
        (direction_numbers(dimensions), None) if seed is None else _scrambled(seed, dimensions, first)
    )
    gray = rows.astype(np.uint64)
    gray ^= gray >> np.uint64(1)
    found = np.zeros((len(rows), dimensions), np.uint64)
    for bit in range(int(gray.max(initial=0)).bit_length()):
        chosen = (gray >> np.uint64(bit)) & np.uint64(1)
        found ^= chosen[:, None] * directions[:, bit]
    if shift is not None:
        found ^= shift
    return np.multiply(found, 2.0**-BITS, dtype=np.float64)


def within(u: Floats) -> Floats:
    """Uniforms no closer to 0 and 1 than distributions can be inverted."""
    return np.clip(u, TINY, 1.0 - TINY)


@functools.cache
def direction_numbers(dimensions: int) -> Bits:
    """(D, BITS): direction numbers of the first dimensions as multiples of 2**-BITS, by the recurrence of their
    primitive polynomials (Bratley and Fox 1988, doi:10.1145/42288.214372)."""
    with files("scipy").joinpath("stats", "_sobol_direction_numbers.npz").open("rb") as file:
        known = np.load(file)
        polynomials, starts = known["poly"], known["vinit"]
    if dimensions > len(polynomials):
        raise ValueError(f"Sobol numbers have at most {len(polynomials)} dimensions")
    found = np.zeros((dimensions, BITS), np.uint64)
    for d in range(dimensions):
        polynomial = int(polynomials[d])
        degree = polynomial.bit_length() - 1
        m = [1] * BITS if d == 0 else [int(x) for x in starts[d, :degree]]
        for j in range(len(m), BITS):
            new = m[j - degree] ^ (m[j - degree] << degree)
            for k in range(1, degree):
                if polynomial >> (degree - k) & 1:
                    new ^= m[j - k] << k
            m.append(new)
        found[d] = [x << (BITS - 1 - j) for j, x in enumerate(m)]
    return found


@functools.lru_cache(maxsize=64)
def _scrambled(seed: int, dimensions: int, first: int) -> tuple[Bits, Bits]:
    """Direction numbers and shifts of a seed."""
    words = np.stack([keyed_words(seed, SCRAMBLE + first + d, BITS + 1) for d in range(dimensions)])
    words >>= np.uint64(64 - BITS)
    own = np.uint64(1) << np.arange(BITS - 1, -1, -1, dtype=np.uint64)  # bit k of a number, from the top
    above = ~(own * np.uint64(2) - np.uint64(1))
    masks = own | (words[:, :BITS] & above)  # row k of the matrix: bit k itself, and a random choice of those above
    odd = masks[:, None, :] & direction_numbers(dimensions)[:, :, None]
    for shift in (32, 16, 8, 4, 2, 1):
        odd ^= odd >> np.uint64(shift)
    found: Bits = np.bitwise_or.reduce((odd & np.uint64(1)) * own, axis=2)
    return found, words[:, BITS]


def keyed_words(seed: int, number: int, count: int) -> Bits:
    """Words of 64 random bits that belong to a seed and a number."""
    found: Bits = np.random.Philox(key=np.array([seed, number], np.uint64)).random_raw(count)
    return found


def _mixed(x: Bits, key: np.uint64) -> Bits:
    """64 bits that depend on every bit of x and the key: the finaliser of SplitMix64 (doi:10.1145/2660193.2660195)."""
    x = x + key
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
