"""Moment equations: means and covariances of the counts of each patient, without sampling.

Exact where every rate is of first order in what varies: arrival, death, conversion and division, at rates that may
change with time, treatments and pinned species. Elsewhere the linear noise approximation, and `check --explain`, `run`
and the result say so. Use it for error bars, sample sizes and fits that need a mean and a spread and no path. The rows
are means of species, then covariances, which `ctcdyn.codegen.moments` makes; all are one stiff ODE for Rodas5P
(G. Steinebach 2023, doi:10.1007/s10543-023-00967-x), to rtol and atol (cells, and cells squared).

N. G. van Kampen, Stochastic Processes in Physics and Chemistry, 3rd ed. 2007, chapters VI and X.
"""

from ctcdyn.kernels.guards import arrive, reach
from ctcdyn.kernels.lanes import loop
from ctcdyn.kernels.steps import read
from ctcdyn.solvers.rodas5p import ROWS, begin, prepare, ready, sweep  # noqa: F401 (ROWS is read from the kernel)

SEMANTICS = "moments"
ALGEBRA = ("drift", "jacobian")
GRID_FREE = True
ORDER = "5(4)"
WIDTHS = ((16, 0),)
SOURCE = "doi:10.1007/s10543-023-00967-x"

run = loop(begin, prepare, sweep, reach, ready, read, arrive, True)
