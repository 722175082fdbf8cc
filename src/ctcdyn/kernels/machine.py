"""How a kernel function is compiled, and the two bit casts that lane arithmetic needs.

There is no fastmath and no contraction anywhere, so that lane width, LLVM and pure Python give the same
bytes. With NUMBA_DISABLE_JIT set the decorators do nothing and the bit casts are their Python twins; run
such code under np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore").
"""

import numpy as np
from llvmlite import ir
from numba import config, extending, njit, types

# A function of one lane, `f(w, v, i)` or `f(x)`: inlined by numba itself, because LLVM's vectoriser gives up
# on a call and because the division check of the default error model is an early exit from the loop.
lane = njit(error_model="numpy", inline="always")

# A longer part of a lane function that only handles numbers, `f(x)`: inlined by LLVM. Numba's own inlining is
# quadratic in the code inlined: eight pow_ in one loop compiled in 11 s, and in 3.5 s with the core of pow_
# marked so, equally fast. But LLVM inlines late: a lane loop of 16 with nothing but such a call in it is
# unrolled first and stays scalar (numba 0.68.1).
scalar = njit(error_model="numpy", forceinline=True)

# A function with a lane loop of its own, `f(w)`: compiled once, called for each stage.
block = njit(error_model="numpy")

# What Python calls: releases the GIL, so that threads run side by side.
kernel = njit(error_model="numpy", nogil=True)

if config.DISABLE_JIT:

    def float_from_bits(x):
        """The double whose IEEE 754 bits are those of the unsigned 64-bit integer x."""
        return np.uint64(x).view(np.float64)

    def bits_from_float(x):
        """The IEEE 754 bits of the double x, as an unsigned 64-bit integer."""
        return np.float64(x).view(np.uint64)

else:

    @extending.intrinsic
    def float_from_bits(typing_context, x):
        """The double whose IEEE 754 bits are those of the unsigned 64-bit integer x."""
        return types.float64(types.uint64), lambda c, b, s, a: b.bitcast(a[0], ir.DoubleType())

    @extending.intrinsic
    def bits_from_float(typing_context, x):
        """The IEEE 754 bits of the double x, as an unsigned 64-bit integer."""
        return types.uint64(types.float64), lambda c, b, s, a: b.bitcast(a[0], ir.IntType(64))
