"""How a state is read that stands still where a save lies: between events, or at the end of a step that ends there."""

from ctcdyn.kernels.contract import HERE, SPECIES, TIME, W, X
from ctcdyn.kernels.machine import block, lane


@block
def ready(w):
    """There is nothing to prepare."""
    w[TIME] = w[TIME]


@lane
def read(w, i, t):
    """The state of lane i, in HERE."""
    for s in range(SPECIES):
        w[HERE + s] = w[X + s * W + i]
