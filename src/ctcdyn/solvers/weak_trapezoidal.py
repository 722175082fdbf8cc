"""The weak trapezoidal method in lanes: the chemical Langevin equation to weak order 2, in steps of fixed length.

Two Euler-Maruyama stages, the second from half a step on with 2 a(y) - a(x) in the place of the rates: no derivative
and no iterated integral, for any number of noises. Weak order 2, strong order 1/2; it costs two steps of
`euler_maruyama`. Use it where means, variances or distributions are asked for to within a per cent and the step is
below the shortest time scale; Euler-Maruyama needs a far shorter step for the same error. Where 2 a(y) - a(x) is
negative, near zero cells, the noise is cut at 0 and the order is 1. The Langevin equation itself is as wrong for few
cells as with any method. Steps, draws and conditions: `kernels/intervals.py`; a path that crosses a condition is
located to first order.

D. F. Anderson and J. C. Mattingly 2011, doi:10.4310/CMS.2011.v9.n1.a15, with theta = 1/2.
"""

from ctcdyn.kernels.contract import AT, LAPSE, SPECIES, SPREAD, W, X, Y, Z, first_increment, second_increment
from ctcdyn.kernels.intervals import METHOD, aim, arrive, begin, land, prepare, reach
from ctcdyn.kernels.lanes import loop
from ctcdyn.kernels.machine import block
from ctcdyn.kernels.standing import read, ready

SEMANTICS = "langevin"
ALGEBRA = ("noise",)
GRID_FREE = False
ORDER = "weak 2, strong 0.5"
WIDTHS = ((32, 0),)
SOURCE = "doi:10.4310/CMS.2011.v9.n1.a15"

ROWS = METHOD


@block
def sweep(w, v, setting):
    aim(w, v, setting)
    for i in range(W):
        w[LAPSE + i] *= 0.5
        w[SPREAD + i] *= 0.5
    first_increment(w, v)
    for s in range(SPECIES):
        for i in range(W):
            w[Y + s * W + i] = w[X + s * W + i] + w[Z + s * W + i]
    for i in range(W):
        w[AT + i] += w[LAPSE + i]
    second_increment(w, v)
    for s in range(SPECIES):
        for i in range(W):
            w[Z + s * W + i] += w[Y + s * W + i] - w[X + s * W + i]
    return land(w, v)


run = loop(begin, prepare, sweep, reach, ready, read, arrive, True)
