"""The way of a leaping lane between two stops or saves, in dyadic cells; exact events where leaping does not pay.

A cell is the index-th of 2**level equal parts of the way, so that draws can be addressed by it (`addresses`). Whatever
ends a movement within a cell begins the next sub-step in it. In a cell of exact events the direct method runs on a
stream of its own, made from the address of the cell; an event beyond its end is dropped, as waiting times have no
memory.
"""

import numpy as np
from numba import uint64

from ctcdyn.kernels.addresses import FINEST, address_stop, scramble
from ctcdyn.kernels.contract import FROM, FUSED, GUARDED, TIME, TIMED, TO, W, window
from ctcdyn.kernels.events import BUDGET, event_alone, one_event
from ctcdyn.kernels.lanes import CALLED, FLAG, NEXT, OWN_WORDS, REFUSED
from ctcdyn.kernels.machine import bits_from_float, block, float_from_bits, lane
from ctcdyn.kernels.streams import exponential
from ctcdyn.kernels.variates import BEHIND_VARIATES

UNTIL = BEHIND_VARIATES  # the stop or save to which the way leads, days
ORIGIN = BEHIND_VARIATES + W  # where it began
PART = BEHIND_VARIATES + 2 * W  # share of the way up to the end of the cell
CELL = BEHIND_VARIATES + 3 * W  # end of the cell, days
SUB = BEHIND_VARIATES + 4 * W  # number of the sub-step in the cell
MODE = BEHIND_VARIATES + 5 * W  # how the lane moves in this sweep
KEPT = BEHIND_VARIATES + 6 * W  # NEXT, while exact events are made
SEEN = BEHIND_VARIATES + 7 * W  # flag of the lane from its exact events, or of a count that is none
BEGAN = BEHIND_VARIATES + 8 * W  # time at the start of the sweep, days
BEHIND_WAYS = BEHIND_VARIATES + 9 * W  # first row of the solver

STAND, JUMP, BEGIN, GO_ON = (
    0.0,
    1.0,
    2.0,
    3.0,
)  # MODE: no move, a leap, the first exact events of a cell, more of them
BURST_LIMIT = 2048  # exact events in one sweep: a lane that needs more goes on in the next

FEW_LANES = W // 8  # up to which exact events are made lane by lane: packed, they cost as much as in all lanes

KEY, WHO = OWN_WORDS, OWN_WORDS + W  # rows of v: seed and number
STREAM = 8 * W  # rows of v: the stream of exact events, while addresses are in rows 0 to 3

FIRING_DRAWS, CRITICAL_DRAWS, HALVING_DRAWS, EVENT_DRAWS = (
    0.0,
    1.0,
    2.0,
    3.0,
)  # what draws of a sub-step are for


@lane
def kind_of_draws(w, i, what):
    """The second part of the key of a draw: 4 m + what, in the m-th sub-step of the cell."""
    return bits_from_float(4.0 * w[SUB + i] + what + 4503599627370496.0) & uint64(0xFFFF_FFFF)


@block
def start_ways(w, v, i, seed, number):
    """Lane i has no way yet; it draws for this seed and number."""
    v[KEY + i] = seed
    v[WHO + i] = number
    w[UNTIL + i] = -np.inf
    w[CELL + i] = -np.inf
    w[MODE + i] = STAND


@block
def set_out(w, v):
    """Lanes at a stop or save start on the way to the next one."""
    for i in range(W):
        if w[NEXT + i] > w[TIME + i] and (w[UNTIL + i] != w[NEXT + i] or w[TIME + i] >= w[UNTIL + i]):
            w[ORIGIN + i] = w[TIME + i]
            w[UNTIL + i] = w[NEXT + i]
            w[PART + i] = 0.0
            w[CELL + i] = w[TIME + i]
            w[MODE + i] = STAND
            address_stop(v, i, v[KEY + i], v[WHO + i], w[TIME + i])


@lane
def lowest_part(x):
    """Largest power of two, at most 1, of which x in [0, 1) is a multiple; x a multiple of 2**-51."""
    m = bits_from_float(x + 1.0) & uint64(0x000F_FFFF_FFFF_FFFF)
    m = m & ((~m) + uint64(1))
    low = (float_from_bits(m | uint64(0x4330_0000_0000_0000)) - 4503599627370496.0) * 2.220446049250313e-16
    return low if x > 0.0 else 1.0


@lane
def enter_cell(w, v, i, wanted, going):
    """A new cell of about `wanted` days, where lane i is going and at the end of the last one; returns whether it is.

    The cell is a power of two of the way, not longer than wanted, and one that can begin here.
    """
    fresh = going & (w[TIME + i] >= w[CELL + i])
    length = w[UNTIL + i] - w[ORIGIN + i]
    share = wanted / length
    share = share if share < 1.0 else 1.0
    share = share if share > FINEST else FINEST
    share = float_from_bits(bits_from_float(share) & uint64(0x7FF0_0000_0000_0000))
    part = w[PART + i] if going else 0.0
    low = lowest_part(part)
    share = share if share < low else low
    a, b = scramble(v[i], v[W + i], bits_from_float((1.0 + part) / share))
    v[2 * W + i] = a if fresh else v[2 * W + i]
    v[3 * W + i] = b if fresh else v[3 * W + i]
    part = part + share
    end = w[UNTIL + i] if part >= 1.0 else w[ORIGIN + i] + length * part
    w[PART + i] = part if fresh else w[PART + i]
    w[CELL + i] = end if fresh else w[CELL + i]
    return fresh


@block
def exchange(v):
    """Puts the streams of exact events in the place of the addresses, or back."""
    for k in range(4):
        for i in range(W):
            a = v[k * W + i]
            v[k * W + i] = v[STREAM + k * W + i]
            v[STREAM + k * W + i] = a


@block
def start_stream(w, v, i):
    """The stream of exact events of lane i from here to the end of its cell, by its address."""
    kind = kind_of_draws(w, i, EVENT_DRAWS)
    for half in range(2):
        a, b = scramble(v[STREAM + 2 * W + i], v[STREAM + 3 * W + i], uint64(half) | (kind << uint64(32)))
        v[2 * half * W + i] = a
        v[(2 * half + 1) * W + i] = b
    w[BUDGET + i] = exponential(v, i)
    if TIMED:
        w[FROM + i] = w[TIME + i]
        w[TO + i] = w[CELL + i]
        window(w, i)


@block
def exact_events(w, v):
    """Events of the direct method in the lanes that take them, up to the end of the cell or BURST_LIMIT of them."""
    exchange(v)
    lanes = 0
    for i in range(W):
        w[KEPT + i] = w[NEXT + i]
        if w[MODE + i] == BEGIN:
            start_stream(w, v, i)
        w[NEXT + i] = w[CELL + i] if w[MODE + i] >= BEGIN else -np.inf
        lanes += 1 if w[MODE + i] >= BEGIN else 0
    if FUSED and lanes <= FEW_LANES:
        for i in range(W):
            if w[MODE + i] >= BEGIN:
                go_alone(w, v, i)
    else:
        go_together(w, v)
    for i in range(W):
        if w[MODE + i] >= BEGIN and w[SEEN + i] == 0.0:
            done = v[FLAG + i] == uint64(CALLED)
            w[TIME + i] = w[CELL + i] if done else w[TIME + i]
            w[MODE + i] = STAND if done else GO_ON
        elif w[MODE + i] >= BEGIN:
            w[MODE + i] = STAND
        w[NEXT + i] = w[KEPT + i]
        w[REFUSED + i] = 0.0
    exchange(v)


@block
def go_alone(w, v, i):
    """Exact events of one lane, while the others wait."""
    flag = uint64(0)
    for _ in range(BURST_LIMIT):
        flag = event_alone(w, v, i)
        if flag != uint64(0):
            break
    if flag > uint64(CALLED):
        w[SEEN + i] = float(flag)


@block
def go_together(w, v):
    """Exact events of all lanes that take them, side by side."""
    for _ in range(BURST_LIMIT):
        waiting = uint64(W) - one_event(w, v)
        if (
            GUARDED or TIMED
        ):  # a lane that fired or failed goes no further; flags do not tell how many are on the way
            waiting = uint64(0)
            for i in range(W):
                if v[FLAG + i] > uint64(CALLED):
                    w[SEEN + i] = float(v[FLAG + i])
                    w[NEXT + i] = -np.inf
                waiting += uint64(1) if v[FLAG + i] == uint64(0) else uint64(0)
        if waiting == uint64(0):
            break
