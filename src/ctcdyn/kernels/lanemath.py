"""Elementary functions for lane loops: branch-free, so that LLVM packs them, and the same bytes in Python.

Errors stay below, in units in the last place (ulp) of the exact value: exp_ 1.25, log_ 1, sin_ and cos_ 1 for
|x| <= 1e5, sincos_turn 1.75, pow_ 1.1 (tests/test_lanemath.py). Special values are those of C99 annex F;
where a function has no answer it gives NaN, never a wrong number. Arguments and results are float64. Call the
lane functions; the scalar ones are their parts.

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

from ctcdyn.kernels.machine import bits_from_float, block, float_from_bits, lane, pick


@lane
def log_tail(z):
    """(log((1 + s) / (1 - s)) / s - 2) / z with z = s**2, |s| <= 0.1716."""
    p = 1.479819860511658591e-01
    p = p * z + 1.531383769920937332e-01
    p = p * z + 1.818357216161805012e-01
    p = p * z + 2.222219843214978396e-01
    p = p * z + 2.857142874366239149e-01
    p = p * z + 3.999999999940941908e-01
    return p * z + 6.666666666666735130e-01


@lane
def log_scaled(x, k):
    """log(x) + k log 2 for a normal x > 0 and a double k that holds an integer."""
    # x = 2**n (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)): the offset moves the cut from 1 to sqrt(1/2)
    b = bits_from_float(x) + uint64(0x0009_5F62_0000_0000)
    n = float_from_bits((b >> uint64(52)) | uint64(0x4330_0000_0000_0000)) - 4503599627371519.0 + k
    f = float_from_bits((b & uint64(0x000F_FFFF_FFFF_FFFF)) + uint64(0x3FE6_A09E_0000_0000)) - 1.0
    s = f / (2.0 + f)
    z = s * s
    p = log_tail(z)
    h = 0.5 * f * f
    return n * 6.93147180369123816490e-01 - ((h - (s * (h + p * z) + n * 1.90821492927058770002e-10)) - f)


@lane
def log_draw(x):
    """Natural logarithm of a uniform draw, for variates: within 3 ulp, and 5 % of an exact jump process cheaper."""
    b = bits_from_float(x) + uint64(0x0009_5F62_0000_0000)
    n = float_from_bits((b >> uint64(52)) | uint64(0x4330_0000_0000_0000)) - 4503599627371519.0
    f = float_from_bits((b & uint64(0x000F_FFFF_FFFF_FFFF)) + uint64(0x3FE6_A09E_0000_0000)) - 1.0
    s = f / (2.0 + f)
    z = s * s
    return n * 0.6931471805599453 + s * (2.0 + z * log_tail(z))


@lane
def log_unit(x):
    """Natural logarithm of a normal x > 0, such as a uniform draw: log_ without its special cases."""
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
def exp_tail(r):
    """(e**r - 1 - r) / r**2 for |r| <= log(2)/2."""
    # in pairs (Estrin): a shorter chain than Horner's, 8 % faster in exp_
    z = r * r
    y = z * z
    p = 2.510038549551032e-08 * r + 2.7620088445409746e-07
    p = p * z + (2.7557268459997064e-06 * r + 2.4801521295954376e-05)
    q = 0.00019841269863053618 * r + 0.0013888888917213717
    q = q * z + (0.008333333333330062 * r + 0.04166666666662413)
    return (p * y + q) * z + (0.16666666666666669 * r + 0.5)


@lane
def exp_(x):
    """Exponential: inf above 709.78, 0 below -745.13, subnormal results rounded to nearest like any other."""
    above = x > 710.0
    below = x < -746.0
    x = 710.0 if above else x  # a NaN is neither above nor below and comes out as NaN
    x = -746.0 if below else x
    t = x * 1.4426950408889634 + 6755399441055744.0
    n = t - 6755399441055744.0
    r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10
    return scale_by_power(1.0 + (r + r * r * exp_tail(r)), t)


@lane
def log1p_(x):
    """log(1 + x) for x > -1: the rounding of 1 + x is made up for (W. Kahan)."""
    y = 1.0 + x
    d = y - 1.0
    return pick(d == 0.0, x, log_(y) * (x / pick(d == 0.0, 1.0, d)))


@block
def expm1_(x):
    """exp(x) - 1 for x <= 0."""
    return exp_(x) - 1.0 if x < -0.34 else x + x * x * exp_tail(x)


@lane
def leading_bits(x):
    """x with the lower 32 bits of its significand cleared: the product of two such numbers is exact."""
    return float_from_bits(bits_from_float(x) & uint64(0xFFFF_FFFF_0000_0000))


@lane
def power_of_positive(a, k):
    """a**k for 0 < a < inf and |k| <= 2**65."""
    tiny = a < 2.2250738585072014e-308
    b = bits_from_float(a * 18014398509481984.0 if tiny else a)
    n = float_from_bits((b >> uint64(52)) | uint64(0x4330_0000_0000_0000)) - 4503599627371519.0
    n = n - 54.0 if tiny else n
    m = float_from_bits((b & uint64(0x000F_FFFF_FFFF_FFFF)) | uint64(0x3FF0_0000_0000_0000))
    high = m > 1.7320508
    middle = m > 1.2247448
    # log2(m / c) with c = 1 or 3/2, so that |s| < 0.102, as p_h + p_l in twice the precision
    c = 1.5 if middle else 1.0
    c = 1.0 if high else c
    m = 0.5 * m if high else m
    n = n + 1.0 if high else n
    u = m - c
    v = 1.0 / (m + c)
    s = u * v
    s_h = leading_bits(s)
    t_h = leading_bits(m + c)
    t_l = m - (t_h - c)
    s_l = v * ((u - s_h * t_h) - s_h * t_l)
    z = s * s
    q = z * z
    p = 2.06975017800338417784e-01 * z + 2.30660745775561754067e-01
    p = p * q + (2.72728123808534006489e-01 * z + 3.33333329818377432918e-01)
    p = p * q + (4.28571428578550184252e-01 * z + 5.99999999999994648725e-01)
    r = q * p + s_l * (s_h + s)
    z = s_h * s_h
    t_h = leading_bits(3.0 + z + r)
    t_l = r - ((t_h - 3.0) - z)
    u = s_h * t_h
    v = s_l * t_h + t_l * s
    p_h = leading_bits(u + v)
    p_l = v - (p_h - u)
    # log2(a) = t_h + t_l: 9.6e-1 is 2 / (3 log 2), 5.8e-1 is log2(3/2), each in two parts
    z_h = 9.61796700954437255859e-01 * p_h
    z_l = -7.02846165095275826516e-09 * p_h + p_l * 9.61796693925975554329e-01
    z_l = z_l + 1.35003920212974897128e-08 if c == 1.5 else z_l
    c = 5.84962487220764160156e-01 if c == 1.5 else 0.0
    t_h = leading_bits(((z_h + z_l) + c) + n)
    t_l = z_l - (((t_h - n) - c) - z_h)
    # k log2(a) = p_h + p_l
    k_h = leading_bits(k)
    p_h = k_h * t_h
    p_l = (k - k_h) * t_h + k * t_l
    z = p_h + p_l
    above = z > 1025.0
    below = z < -1080.0
    p_h = 1025.0 if above else p_h
    p_h = -1080.0 if below else p_h
    p_l = 0.0 if above else p_l
    p_l = 0.0 if below else p_l
    # 2**(p_h + p_l) = 2**(t - 1.5 * 2**52) e**(z + w)
    t = (p_h + p_l) + 6755399441055744.0
    p_h = p_h - (t - 6755399441055744.0)
    t_h = leading_bits(p_h + p_l)
    u = t_h * 6.93147182464599609375e-01
    v = (p_l - (t_h - p_h)) * 6.93147180559945286227e-01 + t_h * -1.90465429995776804525e-09
    z = u + v
    w = v - (z - u)
    return scale_by_power(1.0 + (z + (w + z * z * exp_tail(z))), t)


@lane
def pow_(x, y):
    """x**y: for x < 0 NaN unless y is an integer; 0**y is 0, 1, inf for y >, =, < 0; NaN**0 = 1**NaN = 1."""
    # 2**65 is even and decides every overflow as an infinite y would
    above = y > 36893488147419103232.0
    below = y < -36893488147419103232.0
    k = 36893488147419103232.0 if above else y
    k = -36893488147419103232.0 if below else k
    a = abs(x)
    r = power_of_positive(a, k)
    at_zero = np.inf if y < 0.0 else 0.0
    at_infinity = 0.0 if y < 0.0 else np.inf
    r = at_zero if a == 0.0 else r
    r = at_infinity if a == np.inf else r
    whole = np.floor(k) == k
    odd = whole & (np.floor(0.5 * k) != 0.5 * k)
    sign = bits_from_float(x) & uint64(0x8000_0000_0000_0000)
    r = float_from_bits(bits_from_float(r) | (sign if odd else uint64(0)))
    r = r if whole | (x >= 0.0) | (a == np.inf) else np.nan
    r = r if x == x else np.nan
    r = r if y == y else np.nan
    r = 1.0 if x == 1.0 else r
    return 1.0 if y == 0.0 else r


@lane
def sine_tail(z):
    """(sin(r) / r - 1 + z / 6) / z**2 with z = r**2, |r| <= pi/4."""
    p = 1.58969099521155010221e-10
    p = p * z + -2.50507602534068634195e-08
    p = p * z + 2.75573137070700676789e-06
    p = p * z + -1.98412698298579493134e-04
    return p * z + 8.33333333332248946124e-03


@lane
def cosine_tail(z):
    """(cos(r) - 1 + z / 2) / z**2 with z = r**2, |r| <= pi/4."""
    p = -1.13596475577881948265e-11
    p = p * z + 2.08757232129817482790e-09
    p = p * z + -2.75573143513906633035e-07
    p = p * z + 2.48015872894767294178e-05
    p = p * z + -1.38888888888741095749e-03
    return p * z + 4.16666666666666019037e-02


@lane
def sine_of_quadrant(x, quadrant):
    """sin(x + quadrant * pi/2) for |x| <= 1e5; NaN beyond."""
    # x = n pi/2 + r + e; the first three parts of pi/2 have 33 bits, so that n times each is exact, and the
    # two-sums keep what cancellation uncovers where x is a double next to a multiple of pi/2
    t = x * 0.6366197723675814 + 6755399441055744.0
    n = t - 6755399441055744.0
    s = x - n * 1.5707963267341256
    a = n * 6.077100506303966e-11
    c = s - a
    d = c - s
    e = (s - (c - d)) - (a + d)
    a = n * 2.0222662487111665e-21
    r = c - a
    d = r - c
    e = e + ((c - (r - d)) - (a + d)) - n * 8.4784276603689e-32
    z = r * r
    p = sine_tail(z)
    v = z * r
    sine = r - ((z * (0.5 * e - v * p) - e) - v * -1.66666666666666324348e-01)
    p = cosine_tail(z)
    h = 0.5 * z
    w = 1.0 - h
    cosine = w + (((1.0 - w) - h) + (z * z * p - r * e))
    q = bits_from_float(t) + quadrant
    y = cosine if (q & uint64(1)) == uint64(1) else sine
    y = float_from_bits(bits_from_float(y) ^ ((q & uint64(2)) << uint64(62)))
    return y if abs(x) <= 100000.0 else np.nan


@lane
def sin_(x):
    """Sine of x radians for |x| <= 1e5; NaN beyond."""
    return sine_of_quadrant(x, uint64(0))


@lane
def cos_(x):
    """Cosine of x radians for |x| <= 1e5; NaN beyond."""
    return sine_of_quadrant(x, uint64(1))


@lane
def sine_turn_tail(z):
    """(sin(2 pi f) / f - 2 pi) / z with z = f**2, |f| <= 1/8."""
    p = 3.786430011879243
    p = p * z + -15.094054064726203
    p = p * z + 42.05868917945876
    p = p * z + -76.70585973561397
    p = p * z + 81.6052492760517
    return p * z + -41.341702240399755


@lane
def cosine_turn_tail(z):
    """(cos(2 pi f) - 1) / z with z = f**2, |f| <= 1/8."""
    p = -1.6990328650055457
    p = p * z + 7.903206845861561
    p = p * z + -26.426253274804587
    p = p * z + 60.24464135269435
    p = p * z + -85.45681720664378
    p = p * z + 64.93939402266824
    return p * z + -19.739208802178716


@lane
def sincos_turn(u):
    """sin(2 pi u), cos(2 pi u) for |u| <= 2**48 turns; NaN beyond."""
    t = 4.0 * u + 6755399441055744.0
    f = u - 0.25 * (t - 6755399441055744.0)
    z = f * f
    p = sine_turn_tail(z)
    s = f * 6.283185307179586 + f * (z * p + 2.4492935982947064e-16)
    p = cosine_turn_tail(z)
    c = 1.0 + z * p
    q = bits_from_float(t)
    odd = (q & uint64(1)) == uint64(1)
    sine = c if odd else s
    cosine = s if odd else c
    sine = float_from_bits(bits_from_float(sine) ^ ((q & uint64(2)) << uint64(62)))
    cosine = float_from_bits(bits_from_float(cosine) ^ (((q + uint64(1)) & uint64(2)) << uint64(62)))
    known = abs(u) <= 281474976710656.0
    return sine if known else np.nan, cosine if known else np.nan
