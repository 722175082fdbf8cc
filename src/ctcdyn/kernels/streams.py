"""Random streams: (seed, number, purpose) -> a xoshiro256++ state for each lane -> uniforms and exponentials.

Philox4x32-10 [1] is a keyed bijection of a 128-bit counter, so distinct (number, purpose) give distinct
blocks for certain; two blocks fill the state of xoshiro256++ [2], which draws at a sixth of Philox's price.
A draw that must not depend on how many were made before (a patient's parameters) is addressed instead: one
Philox block for each (seed, number, purpose, index).

Counter words: number low, number high, purpose (top bit set for addressed draws), 0 and 1 of a state or the
index. Key words: seed low, seed high. A state of four zero words, from which xoshiro256++ never leaves, has
probability 2**-256.

The state of one stream is four rows of W words: v[i], v[W + i], v[2 * W + i], v[3 * W + i]. The k-th stream
of the same buffer is reached with i + 4 * W * k in the place of i. Python callers run this under
np.errstate(over="ignore"): the words wrap.

[1] Salmon, Moraes, Dror, Shaw, SC 2011, doi:10.1145/2063384.2063405
[2] Blackman, Vigna, ACM Trans. Math. Softw. 47 (2021) 36, doi:10.1145/3460772
"""

from numba import uint64

from ctcdyn.kernels.contract import W
from ctcdyn.kernels.lanemath import log_draw
from ctcdyn.kernels.machine import block, float_from_bits, kernel, lane
from ctcdyn.kernels.philox import philox4x32

EVENTS = 0  # which reaction fires, and when
NOISE = 1  # Gaussian and Poisson variates of approximate solvers
DRAWS = 2  # a patient's parameters
TREATMENTS = 3  # jitter and adherence of schedules
SAMPLES = 4  # observables that sample
CHANNELS = 5  # budgets of single reactions


@block
def seed_stream(v, i, seed, number, purpose):
    """Start the stream (seed, number, purpose) in lane i of v; seed, number < 2**64, purpose < 2**31."""
    low = uint64(0xFFFFFFFF)
    key = uint64(seed)
    who = uint64(number)
    for half in range(2):
        a, b, c, d = philox4x32(
            who & low, who >> uint64(32), uint64(purpose), uint64(half), key & low, key >> uint64(32)
        )
        v[2 * half * W + i] = a | (b << uint64(32))
        v[(2 * half + 1) * W + i] = c | (d << uint64(32))


@lane
def next_bits(v, i):
    """The next 64 random bits of lane i (xoshiro256++)."""
    s0 = v[i]
    s1 = v[W + i]
    s2 = v[2 * W + i]
    s3 = v[3 * W + i]
    r = s0 + s3
    r = ((r << uint64(23)) | (r >> uint64(41))) + s0
    t = s1 << uint64(17)
    s2 = s2 ^ s0
    s3 = s3 ^ s1
    v[W + i] = s1 ^ s2
    v[i] = s0 ^ s3
    v[2 * W + i] = s2 ^ t
    v[3 * W + i] = (s3 << uint64(45)) | (s3 >> uint64(19))
    return r


@lane
def uniform(v, i):
    """A draw from [0, 1): a multiple of 2**-52."""
    return float_from_bits((next_bits(v, i) >> uint64(12)) | uint64(0x3FF0_0000_0000_0000)) - 1.0


@lane
def exponential(v, i):
    """A draw from the unit exponential law: between 1.1e-16 and 36.8, so a waiting time is never 0."""
    # the uniform is shifted to the middle of its cell, (0, 1): log never sees 0 and never gives -0
    return -log_draw(uniform(v, i) + 1.1102230246251565e-16)


@block
def draw_uniform(seed, number, purpose, index):
    """Addressed draw `index` < 2**32 of (seed, number, purpose) from (0, 1), an odd multiple of 2**-53."""
    low = uint64(0xFFFFFFFF)
    key = uint64(seed)
    who = uint64(number)
    a, b, _, _ = philox4x32(
        who & low,
        who >> uint64(32),
        uint64(purpose) | uint64(0x80000000),
        uint64(index),
        key & low,
        key >> uint64(32),
    )
    bits = (a | (b << uint64(32))) >> uint64(12)
    return float_from_bits(bits | uint64(0x3FF0_0000_0000_0000)) - 1.0 + 1.1102230246251565e-16


@kernel
def draw_uniforms(seed, first, purpose, out):
    """Fill out[n, m] with addressed draws: row j belongs to number first + j, column q to index q."""
    for j in range(out.shape[0]):
        for q in range(out.shape[1]):
            out[j, q] = draw_uniform(seed, first + j, purpose, q)


@kernel
def draw_column(seed, first, purpose, index, out):
    """Fill out[n] with addressed draws: element j belongs to number first + j."""
    for j in range(out.shape[0]):
        out[j] = draw_uniform(seed, first + j, purpose, index)
