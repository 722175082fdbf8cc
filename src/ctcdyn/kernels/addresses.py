"""Addressed draws: a uniform that is a function of where in a run it is used and not of what was drawn before.

The address is (seed, number, time of the last common stop, dyadic level and index of the step, transition). Arms of one
patient share their number and their stops, so the same transition in the same step has the same uniform in all of them,
whatever happened to each before: differences between arms are differences of treatment, not of luck.

Philox4x32-10 is applied three times, each time a bijection of its 128-bit counter:

1. after a common stop at t: counter (number, bits of t), key the seed. The top bit of the last counter word is set, so
   no block of `streams` is met again;
2. in each step: counter the block of 1, key the bits of 2**level + index as a double, where the step is the index-th of
   2**level equal parts of the way to the next common stop;
3. for each two transitions: counter the block of 2, key (number of the pair, kind).

Different numbers have different blocks for certain; that two addresses of one number share a block has probability
2**-128 for each pair. A draw is a signed tail u: in (0, 1/2] the uniform is u, in [-1/2, 0) it is 1 + u, so that both
tails keep their digits, down to 2.7e-20.

Rows of the generator buffer v, four as for a stream: 0 and 1 the block of the stop, 2 and 3 that of the step.
"""

from numba import uint64

from ctcdyn.kernels.contract import W
from ctcdyn.kernels.machine import bits_from_float, block, lane
from ctcdyn.kernels.philox import scramble, signed_tail

FINEST = 2.0**-51  # share of the way between two stops below which a step has no address


@block
def address_stop(v, i, seed, number, t):
    """Lane i leaves a common stop at t days: the first part of the address of all its draws up to the next one."""
    a, b = scramble(uint64(number), bits_from_float(t) ^ uint64(0x8000_0000_0000_0000), uint64(seed))
    v[i] = a
    v[W + i] = b


@lane
def address_step(v, i, place):
    """The step of lane i: place = 2**level + index, a whole double below 2**53."""
    a, b = scramble(v[i], v[W + i], bits_from_float(place))
    v[2 * W + i] = a
    v[3 * W + i] = b


@lane
def two_draws(v, i, pair, kind):
    """Signed tails of transitions 2 * pair and 2 * pair + 1 in the step of lane i; pair, kind < 2**32."""
    a, b = scramble(v[2 * W + i], v[3 * W + i], uint64(pair) | (uint64(kind) << uint64(32)))
    return signed_tail(a), signed_tail(b)
