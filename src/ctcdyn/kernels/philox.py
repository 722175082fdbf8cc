"""Philox4x32-10: a bijection of 128 bits for each key, so that what is drawn is a function of where it is drawn.

Salmon, Moraes, Dror, Shaw, SC 2011, doi:10.1145/2063384.2063405
"""

from numba import uint64

from ctcdyn.kernels.machine import bits_from_float, block, float_from_bits, lane, pick


@lane
def philox_round(c0, c1, c2, c3, k0, k1):
    """One round of Philox4x32 under the key words k0, k1."""
    low = uint64(0xFFFFFFFF)
    p = uint64(0xD2511F53) * c0
    q = uint64(0xCD9E8D57) * c2
    return (q >> uint64(32)) ^ c1 ^ k0, q & low, (p >> uint64(32)) ^ c3 ^ k1, p & low


@lane
def philox_bump(k0, k1, n):
    """The key words of round n, counted from 0."""
    low = uint64(0xFFFFFFFF)
    return (k0 + uint64(n) * uint64(0x9E3779B9)) & low, (k1 + uint64(n) * uint64(0xBB67AE85)) & low


@lane
def philox4x32(c0, c1, c2, c3, k0, k1):
    """Philox4x32-10: four uint64, each holding 32 random bits, from a 4-word counter and a 2-word key.

    Its rounds are written out: a loop of ten inside a loop over lanes would keep LLVM from packing that.
    """
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    a, b = philox_bump(k0, k1, 1)
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, a, b)
    a, b = philox_bump(k0, k1, 2)
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, a, b)
    a, b = philox_bump(k0, k1, 3)
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, a, b)
    a, b = philox_bump(k0, k1, 4)
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, a, b)
    a, b = philox_bump(k0, k1, 5)
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, a, b)
    a, b = philox_bump(k0, k1, 6)
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, a, b)
    a, b = philox_bump(k0, k1, 7)
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, a, b)
    a, b = philox_bump(k0, k1, 8)
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, a, b)
    a, b = philox_bump(k0, k1, 9)
    return philox_round(c0, c1, c2, c3, a, b)


@lane
def scramble(a, b, key):
    """Philox4x32-10 of the 128 bits (a, b) under a 64-bit key."""
    low = uint64(0xFFFFFFFF)
    c0, c1, c2, c3 = philox4x32(
        a & low, a >> uint64(32), b & low, b >> uint64(32), key & low, key >> uint64(32)
    )
    return c0 | (c1 << uint64(32)), c2 | (c3 << uint64(32))


@lane
def signed_tail(bits):
    """64 random bits as a signed tail: the sign, 52 bits of the leading and 11 of the trailing part of a tail."""
    lead = float_from_bits(((bits >> uint64(11)) & uint64(0x000F_FFFF_FFFF_FFFF)) | uint64(0x4330_0000_0000_0000))
    trail = float_from_bits((bits & uint64(0x7FF)) | uint64(0x4330_0000_0000_0000))
    p = (lead - 4503599627370496.0) + (trail - 4503599627370495.5) * 0.00048828125
    p = p * 1.1102230246251565e-16
    return pick((bits >> uint64(63)) == uint64(1), -p, p)


@block
def draw_at(who, when, key):
    """A draw from (0, 1), an odd multiple of 2**-53, of number `who` at `when`, under a key: any three doubles.

    Under one key no two (who, when) share the 128 bits that it is made of.
    """
    a, _ = scramble(bits_from_float(who), bits_from_float(when), bits_from_float(key))
    return float_from_bits((a >> uint64(12)) | uint64(0x3FF0_0000_0000_0000)) - 1.0 + 1.1102230246251565e-16
