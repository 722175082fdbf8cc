"""Normal variates in lanes by the polar form of G. E. P. Box and M. E. Muller (1958, doi:10.1214/aoms/1177706645).

Two words of xoshiro256++ give a squared radius q and a direction (c, s): sqrt(q) c and sqrt(q) s are independent and
standard normal, to 8.57 standard deviations. The radius is handed over as its square, so that a noise of variance a
costs one square root, sqrt(a q), and not two. The state of the generator is passed as four numbers: it stays in
registers over all draws of a step.
"""

from numba import uint64

from ctcdyn.kernels.lanemath import cosine_turn_tail, log_draw, sine_turn_tail
from ctcdyn.kernels.machine import bits_from_float, float_from_bits, lane


@lane
def xoshiro(s0, s1, s2, s3):
    """64 random bits and the next state: `streams.next_bits` with its state in registers."""
    r = s0 + s3
    r = ((r << uint64(23)) | (r >> uint64(41))) + s0
    t = s1 << uint64(17)
    s2 = s2 ^ s0
    s3 = s3 ^ s1
    return r, s0 ^ s3, s1 ^ s2, s2 ^ t, (s3 << uint64(45)) | (s3 >> uint64(19))


@lane
def polar(s0, s1, s2, s3):
    """(q, c, s) and the next state of the generator: q = -2 log(uniform), (c, s) on the unit circle."""
    a, s0, s1, s2, s3 = xoshiro(s0, s1, s2, s3)
    b, s0, s1, s2, s3 = xoshiro(s0, s1, s2, s3)
    # the uniform is shifted to the middle of its cell, (0, 1), as in `streams.exponential`
    u = float_from_bits((a >> uint64(12)) | uint64(0x3FF0_0000_0000_0000)) - 1.0
    q = -2.0 * log_draw(u + 1.1102230246251565e-16)
    # a turn within [-1/8, 1/8), one bit that swaps the axes and one that turns the cosine round
    f = (float_from_bits((b >> uint64(12)) | uint64(0x3FF0_0000_0000_0000)) - 1.5) * 0.25
    z = f * f
    s = f * (6.283185307179586 + z * sine_turn_tail(z))
    c = 1.0 + z * cosine_turn_tail(z)
    c = float_from_bits(bits_from_float(c) ^ ((b & uint64(2)) << uint64(62)))
    swap = (b & uint64(1)) == uint64(1)
    return q, s if swap else c, c if swap else s, s0, s1, s2, s3
