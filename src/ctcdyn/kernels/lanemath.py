"""Elementary functions for lane loops: branch-free, so that LLVM packs them, and the same bytes in Python.

Errors are in units in the last place (ulp) against exact values, over the whole range unless stated: exp_,
log_ and sin_, cos_ for |x| <= 1e5, and sincos_turn stay under 1.5; pow_ stays under 1 (tests/test_lanemath.py
asserts 2, 2, 2, 2 and 4). Special values are those of C99 annex F; where a function has no answer it gives
NaN, never a wrong number. Arguments and results are float64. Compile time is the price of inlining: sin_ and
cos_ cost most, so a rate that needs both for a period should call sincos_turn once.

How integers are read: adding 1.5 * 2**52 rounds a double to an integer and leaves that integer in its low
bits; OR-ing an integer below 2**52 into the bits of 2**52 makes the double 2**52 + integer. Both avoid the
conversion instructions that AVX2 lacks.

log_, pow_ and the polynomials of sin_ and cos_ follow fdlibm (e_log.c, e_pow.c, k_sin.c, k_cos.c):
Copyright (C) 1993, 2004 by Sun Microsystems, Inc. All rights reserved. Developed at SunSoft, a Sun
Microsystems, Inc. business. Permission to use, copy, modify, and distribute this software is freely granted,
provided that this notice is preserved.
Those of exp_ and sincos_turn interpolate (e**r - 1 - r)/r**2, (sin(2 pi f)/f - 2 pi)/f**2 and
(cos(2 pi f) - 1)/f**2 in the Chebyshev nodes of the reduced range.
"""

import numpy as np
from numba import uint64

from ctcdyn.kernels.machine import bits_from_float, float_from_bits, lane


@lane
def log_scaled(x, k):
    """log(x) + k log 2 for a normal x > 0 and a double k that holds an integer."""
    # x = 2**n (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)): the offset moves the cut from 1 to sqrt(1/2)
    b = bits_from_float(x) + uint64(0x0009_5F62_0000_0000)
    n = float_from_bits((b >> uint64(52)) | uint64(0x4330_0000_0000_0000)) - 4503599627371519.0 + k
    f = float_from_bits((b & uint64(0x000F_FFFF_FFFF_FFFF)) + uint64(0x3FE6_A09E_0000_0000)) - 1.0
    s = f / (2.0 + f)
    z = s * s
    p = 1.479819860511658591e-01
    p = p * z + 1.531383769920937332e-01
    p = p * z + 1.818357216161805012e-01
    p = p * z + 2.222219843214978396e-01
    p = p * z + 2.857142874366239149e-01
    p = p * z + 3.999999999940941908e-01
    p = p * z + 6.666666666666735130e-01
    h = 0.5 * f * f
    return n * 6.93147180369123816490e-01 - ((h - (s * (h + p * z) + n * 1.90821492927058770002e-10)) - f)


@lane
def log_unit(x):
    """Natural logarithm of a normal x > 0, such as a uniform draw from (0, 1]: log_ without its special cases."""
    return log_scaled(x, 0.0)


@lane
def log_(x):
    """Natural logarithm: -inf at 0, NaN below, inf at inf; subnormal x are exact arguments like any other."""
    tiny = x < 2.2250738585072014e-308
    y = log_scaled(x * 18014398509481984.0 if tiny else x, -54.0 if tiny else 0.0)
    y = y if x < np.inf else x
    y = y if x > 0.0 else np.nan
    return -np.inf if x == 0.0 else y


@lane
def scale_by_power(y, t):
    """y * 2**n, rounded once, for y in [1/2, 2], |n| <= 1100 and t = n + 1.5 * 2**52."""
    # 2**n may be out of range where y * 2**n is not: two factors 2**(m - 1023), 2**(l - 1023), of which the
    # first keeps y normal and the second rounds, so that subnormal results are right as well
    n = bits_from_float(t) - uint64(0x4337_FFFF_FFFF_F802)
    m = n >> uint64(1)
    return y * float_from_bits(m << uint64(52)) * float_from_bits((n - m) << uint64(52))


@lane
def exp_(x):
    """Exponential: inf above 709.78, 0 below -745.13, subnormal results rounded to nearest like any other."""
    x = 710.0 if x > 710.0 else x  # a NaN falls through both and comes out as itself
    x = -746.0 if x < -746.0 else x
    t = x * 1.4426950408889634 + 6755399441055744.0
    n = t - 6755399441055744.0
    r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10
    p = 2.510038549551032e-08
    p = p * r + 2.7620088445409746e-07
    p = p * r + 2.7557268459997064e-06
    p = p * r + 2.4801521295954376e-05
    p = p * r + 0.00019841269863053618
    p = p * r + 0.0013888888917213717
    p = p * r + 0.008333333333330062
    p = p * r + 0.04166666666662413
    p = p * r + 0.16666666666666669
    p = p * r + 0.5
    return scale_by_power(1.0 + (r + r * r * p), t)
