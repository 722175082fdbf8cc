"""How a kernel function is compiled, and the two bit casts that lane arithmetic needs.

There is no fastmath and no contraction anywhere, so that lane width, LLVM and pure Python give the same
bytes. With NUMBA_DISABLE_JIT set the decorators do nothing and the bit casts are their Python twins; run
such code under np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore").
"""

import numpy as np
from llvmlite import ir
from numba import config, extending, njit, types

LINKED = False  # True in a linked kernel: Python calls its entry points only, and a third of the compile time is saved
PARTS = {"error_model": "numpy", "no_cpython_wrapper": LINKED, "no_cfunc_wrapper": LINKED}

# A function of one lane or of numbers, `f(w, v, i)` or `f(x)`: inlined by LLVM before it packs loops. The numpy error
# model, because the division check of the default one is an early exit from the loop. `ctcdyn.codegen.cache` keeps LLVM
# from unrolling lane loops in full, which would leave them scalar.
lane = njit(forceinline=True, **PARTS)

# The same with its conditional expressions left as they are written: in the event loop LLVM packs them 8 % better.
verbatim = lane

# One reaction of many, inlined by numba before it is typed: a compile of its own would cost 40 ms for each.
term = njit(error_model="numpy", inline="always")

# A function with a lane loop of its own, `f(w)`, or one that is rare: compiled once, called.
block = njit(**PARTS)

# What Python calls: releases the GIL, so that threads run side by side.
kernel = njit(error_model="numpy", nogil=True, no_cfunc_wrapper=True)

if config.DISABLE_JIT:

    def float_from_bits(x):
        """The double whose IEEE 754 bits are those of the unsigned 64-bit integer x."""
        return np.uint64(x).view(np.float64)

    def bits_from_float(x):
        """The IEEE 754 bits of the double x, as an unsigned 64-bit integer."""
        return np.float64(x).view(np.uint64)

    def pick(condition, a, b):
        """a where the condition holds, b elsewhere; both are computed."""
        return a if condition else b

else:

    @extending.intrinsic
    def float_from_bits(typing_context, x):
        """The double whose IEEE 754 bits are those of the unsigned 64-bit integer x."""
        return types.float64(types.uint64), lambda c, b, s, a: b.bitcast(a[0], ir.DoubleType())

    @extending.intrinsic
    def bits_from_float(typing_context, x):
        """The IEEE 754 bits of the double x, as an unsigned 64-bit integer."""
        return types.uint64(types.float64), lambda c, b, s, a: b.bitcast(a[0], ir.IntType(64))

    @extending.intrinsic
    def pick(typing_context, condition, a, b):
        """a where the condition holds, b elsewhere; both are computed and nothing branches: one thing to type.

        `ctcdyn.codegen.link` writes it for every conditional expression of a lane function: a third of their compile
        time.
        """
        kind = types.uint64 if a == types.uint64 and b == types.uint64 else types.float64
        return kind(types.boolean, kind, kind), lambda c, builder, s, args: builder.select(*args)
