"""Adaptive tau-leaping in lanes: many events in one step, where no propensity changes much over it.

Weak order 1 in `epsilon`, the relative change of a propensity that a leap may bring (default 0.03). Use it where counts
are in the thousands and more and no fast reaction holds the leaps down: its steps follow the fastest change, as those
of an explicit method for an ODE. Where cells come and go within minutes for years, leaps hold few events; then
`first_order_leap`, or `direct`, is the method. Not exact in law: the bias is of the order of epsilon.

A leap fires reaction r a Poisson number of times with mean a_r h. Reactions that could use up a reactant within ten
firings are critical: they fire one at a time, the moment being found by their hazard. No count falls below zero, by
construction: a Poisson number is cut to what its reactants allow, reaction by reaction, sources first. A leap takes no
more than 10 epsilon of a species, so at 0.03 a cut has a probability of 3e-4 at ten cells and 1e-9 at 33. Where a leap
would hold less than PAYS events, exact events of the direct method take its place. Rates that depend on `t` enter with
their mean over the leap, by Simpson's rule, and leaps are no longer than `window`.

A step is a cell: the index-th of 2**level equal parts of the way between two stops (saves are stops), and draws are
addressed by it (`kernels.addresses`), so arms stay paired. Within a cell, a critical event or a condition that became
true ends a sub-step, the m-th: kind 4 m for the firings of reactions (transition = place of the reaction), 4 m + 1 for
the critical event (time, choice), 4 m + 2 for halving a leap, 4 m + 3 for the stream of exact events.

A condition on the state is looked at after each leap. Where it has become true its moment is found by halving the leap:
given the firings of a leap, those of its first half are binomial. The moment is right to 1e-6 of a leap, the leap is
not; what becomes true and false again within a leap is not seen. In exact events the moment is exact.

Y. Cao, D. T. Gillespie and L. R. Petzold 2006, doi:10.1063/1.2159468; halving: D. F. Anderson 2008,
doi:10.1063/1.2819665.
"""

import numpy as np
from numba import uint64

from ctcdyn.kernels.contract import TIMED, W, occur
from ctcdyn.kernels.lanes import WINDOW, loop
from ctcdyn.kernels.leaps import (
    BEHIND_LEAPS,
    advance,
    arrive,
    begin,
    choose,
    conclude,
    draw,
    has_exact,
    plan,
    prepare,
    reach,
    survey,
)
from ctcdyn.kernels.machine import block
from ctcdyn.kernels.standing import read, ready
from ctcdyn.kernels.ways import exact_events

SEMANTICS = "jump"
ALGEBRA = ("jump", "leap")
GRID_FREE = False
ORDER = "weak 1"
WIDTHS = ((32, 160), (16, 0))  # (lanes, most rows of the model that they suit), measured
SOURCE = "doi:10.1063/1.2159468"

ROWS = BEHIND_LEAPS


@block
def leap(w, v):
    """The leap of every lane whose mode it is."""
    draw(w, v)
    choose(w)
    occur(w)
    advance(w)


@block
def sweep(w, v, setting):
    """A leap, or the exact events of a cell, of every lane."""
    survey(w, v)
    longest = setting[WINDOW] if TIMED else np.inf
    leaps = uint64(0)
    for i in range(W):
        leaps += plan(w, v, i, longest, 0.0)
    exact = has_exact(w)
    if leaps > uint64(0):
        leap(w, v)
    if exact:
        exact_events(w, v)
    return conclude(w, v)


run = loop(begin, prepare, sweep, reach, ready, read, arrive, True)
