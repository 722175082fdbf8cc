"""Conditions looked at in every lane, after an event of the exact process."""

from numba import uint64

from ctcdyn.kernels.contract import guard
from ctcdyn.kernels.lanes import FIRED, FLAG
from ctcdyn.kernels.machine import lane


@lane
def note(w, v, i, t):
    """The flag of lane i: FIRED where a condition has become true and nothing else was met.

    The flag is read before it is known which value it gets: LLVM packs no choice between two addresses.
    """
    flag = v[FLAG + i]
    met = (guard(w, i, t) > 0.0) & (flag == uint64(0))
    flag = uint64(FIRED) if met else flag
    v[FLAG + i] = flag
    return flag
