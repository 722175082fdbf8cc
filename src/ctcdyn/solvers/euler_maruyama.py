"""Euler-Maruyama in lanes: the chemical Langevin equation in steps of fixed length.

Strong order 1/2, weak order 1; one draw for each independent noise and step. Use it for populations that are large
enough for their counts to be real numbers (see `low_count`) and fluctuate, where exact events would be too many, and
where no rate is above about 1 / (10 step). Not for extinction, founders or the last cells: there the Langevin equation
itself is wrong, whatever the step. Where a rate is far above the pace of the solution, `implicit_trapezoidal` is the
method; where the law at the end is asked for with few steps, `weak_trapezoidal`.

Numbers may dip below zero by about the noise of one step; propensities then count them as none. Cutting the state at
zero instead would add cells: 17 to 24 % in a compartment of five. Steps, draws and conditions: `kernels/intervals.py`.

G. Maruyama 1955, doi:10.1007/BF02846028; chemical Langevin equation: D. T. Gillespie 2000, doi:10.1063/1.481811.
"""

from ctcdyn.kernels.contract import increment
from ctcdyn.kernels.intervals import METHOD, aim, arrive, begin, land, prepare, reach
from ctcdyn.kernels.lanes import loop
from ctcdyn.kernels.machine import block
from ctcdyn.kernels.standing import read, ready

SEMANTICS = "langevin"
ALGEBRA = ("noise",)
GRID_FREE = False
ORDER = "weak 1, strong 0.5"
WIDTHS = ((32, 0),)
SOURCE = "doi:10.1007/BF02846028"

ROWS = METHOD


@block
def sweep(w, v, setting):
    aim(w, v, setting)
    increment(w, v)
    return land(w, v)


run = loop(begin, prepare, sweep, reach, ready, read, arrive, True)
