"""Weights of trajectories whose fates were drawn from another law: from counts of firings to the ratio of the two laws.

`model/importance.py` says what is counted and why the ratio depends on these counts alone. The weight at a save is the
ratio of the path up to there: E'[w(t) x(t)] = E[x(t)], and its own mean is 1 at every save.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ctcdyn.errors import Status
from ctcdyn.model.importance import counter_of
from ctcdyn.model.network import Network
from ctcdyn.patients import shown_parameters

Floats = NDArray[np.float64]


class Ratio:
    """The ratio of the two laws along each path of a range, from the parameters of each trajectory.

    Falsy where nothing is drawn from another law.
    """

    def __init__(self, network: Network, values: Floats, count: int) -> None:
        """`values` (1 or count, columns): the kernel's parameter columns."""
        self.species = len(network.species)
        counters = [o.name for o in network.observables if o.realised == "counter"]
        self.width = self.species + len(counters)  # state rows: species, then hidden counters
        self._terms: list[tuple[int, Floats]] = []  # (state row of a counter, log of the factor (count,))
        if network.tilts:
            parameters = shown_parameters(network, values, count)
            for tilt in network.tilts:
                for r, q in tilt.factors:
                    row = self.species + counters.index(counter_of(network.reactions[r]))
                    # one after the other in memory: numpy may take another logarithm for numbers that are apart
                    factor = np.ascontiguousarray(parameters[:, q])
                    with np.errstate(invalid="ignore", divide="ignore"):
                        self._terms.append((row, np.log(factor)))

    def __bool__(self) -> bool:
        return bool(self._terms)

    def of(self, states: Floats, first: int) -> Floats:
        """Weights (n, ...) of states (n, ..., at least `width`) of trajectories `first` on, of the range.

        NaN where there is none: a trajectory that failed, one for whom a factor is not positive, and where the ratio is
        beyond double precision. It is never a number that looks right and is not.
        """
        each = (len(states),) + (1,) * (states.ndim - 2)
        total = np.zeros(states.shape[:-1])
        with np.errstate(invalid="ignore", over="ignore"):
            for row, factor in self._terms:
                total -= states[..., row] * factor[first : first + len(states)].reshape(each)
            weight: Floats = np.exp(total)
        weight[~np.isfinite(weight)] = np.nan
        return weight

    def weigh(self, rows: Floats, saves: int, first: int, status: NDArray[np.uint8]) -> None:
        """Every number of rows (n, T * C) times the weight at its save, in place; `status` (n,) of the trajectories.

        One that an event has ended counts as zero from then on: which those are depends on the law drawn from, and a
        mean of the others alone would be that of no law.
        """
        if self:
            table = rows.reshape(len(rows), saves, -1)
            stopped = (status == Status.STOPPED)[:, None] & np.isnan(table[..., : self.species]).all(axis=2)
            table[stopped] = 0.0
            table *= self.of(table, first)[..., None]
