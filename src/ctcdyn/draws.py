"""What chance decides of schedules and samples: how much earlier or later a treatment begins, which of its applications
are not taken, and what is found in a sample.

Draws are addressed by (seed, purpose, number, name of the treatment or observable), number = id // arms, and by the
place of the application or the time of the save; so arms of a patient share them, and no other treatment or observable,
its order, or the number of patients moves them. Shifts are made here; for the rest kernels have a key and the number.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from ctcdyn.codegen.layout import PAIR, extra_values, is_condition
from ctcdyn.codegen.leaves import leaf_functions
from ctcdyn.model.expr import evaluate
from ctcdyn.model.network import Network, Treatment
from ctcdyn.patients import shown_parameters

Floats = NDArray[np.float64]


def is_drawn(network: Network) -> bool:
    """Whether trajectories differ in such columns."""
    if any(x.jitter is not None or x.adherence is not None for x in network.treatments):
        return True
    return any(_sampled(network))


def fill(network: Network, seed: int, start: float, pairs: NDArray[np.int64], rows: Floats) -> None:
    """Puts shifts (days), keys and numbers into the columns of `rows` (n, Q), parameters first; start in days.

    `pairs` (n,): id // arms of each row, consecutive numbers, each as often as there are arms.
    """
    names = [*network.parameter_names, *extra_values(network)]
    if PAIR in names:
        rows[:, names.index(PAIR)] = pairs
    for name in _sampled(network):
        key = _uniforms(seed, 0, 1, leaf_functions().SAMPLES, 2 * _number(name) + 1)
        rows[:, names.index(f"{name}__key")] = key
    treatments = leaf_functions().TREATMENTS
    for x in network.treatments:
        address = 2 * _number(x.name)
        if x.adherence is not None:
            rows[:, names.index(f"{x.name}__key")] = _uniforms(seed, 0, 1, treatments, address + 1)
        if x.jitter:
            first = int(pairs[0])
            u = _uniforms(seed, first, int(pairs[-1]) - first + 1, treatments, address)[pairs - first]
            room = _room(network, x, start, names, rows)
            rows[:, names.index(f"{x.name}__shift")] = x.jitter * _normal_above(-room / x.jitter, u)


def _sampled(network: Network) -> list[str]:
    """Observables, and passing species, that are drawn where they are saved."""
    drawn = [o.name for o in network.observables if o.realised == "sample"]
    return drawn + [s.name for s in network.species if s.passing]


def _room(network: Network, x: Treatment, start: float, names: list[str], rows: Floats) -> Floats:
    """Days between what a treatment cannot come before, and its first application without a shift, (n,); 0 where that
    is before the run, and nothing is given."""
    room = np.full(len(rows), x.delay or 0.0)
    if isinstance(x.at, float | int):
        room += x.at - start
    elif x.at is not None and not is_condition(x.at):
        known = dict(zip(names, rows.T, strict=True))
        known |= dict(zip(names, shown_parameters(network, rows, len(rows)).T, strict=False))
        room += np.asarray(evaluate(x.at, known)) - start
    found: Floats = np.maximum(room, 0.0)
    return found


def _normal_above(low: Floats, u: Floats) -> Floats:
    """Standard normal values, given that they are above `low`, by inversion of uniforms u."""
    from scipy.special import ndtr, ndtri

    above: Floats = -ndtri(ndtr(-low) * u)
    return np.maximum(above, low)


def _uniforms(seed: int, first: int, count: int, purpose: int, address: int) -> Floats:
    out = np.empty(count)
    leaf_functions().draw_column(np.uint64(seed).astype(np.int64), first, purpose, address, out)
    return out


def _number(name: str) -> int:
    """31 bits that stand for a name."""
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "big") >> 1
