"""Addressed draws: integer reference, every part of the address counts, uniform, independent, the same without JIT."""

from __future__ import annotations

import struct
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.testing import assert_array_equal
from scipy import stats

from ctcdyn.kernels.addresses import address_step, address_stop, two_draws
from ctcdyn.kernels.contract import W
from ctcdyn.kernels.machine import kernel
from lane_probe import QUIET, child, generator
from test_streams import philox

FALSE_ALARM = 1e-6


@kernel
def fill(seeds, numbers, times, places, pairs, kinds, out):
    """Two draws for each address."""
    v = np.zeros(4 * W, np.uint64)
    for j in range(out.shape[0]):
        address_stop(v, 5, seeds[j], numbers[j], times[j])
        address_step(v, 5, places[j])
        out[j, 0], out[j, 1] = two_draws(v, 5, pairs[j], kinds[j])


def draws(seed: Any, number: Any, time: Any, place: Any, pair: Any, kind: Any = 0) -> Any:
    given = np.broadcast_arrays(*map(np.atleast_1d, (seed, number, time, place, pair, kind)))
    types = (np.uint64, np.uint64, float, float, np.int64, np.int64)
    out = np.empty((given[0].size, 2))
    fill(*(np.ascontiguousarray(x, dtype=t) for x, t in zip(given, types, strict=True)), out)
    return out


def words(x: float) -> tuple[int, int]:
    low, high = struct.unpack("<II", struct.pack("<d", x))
    return low, high


def reference(seed: int, number: int, time: float, place: float, pair: int, kind: int) -> list[float]:
    """The same from the description, on Python's integers."""
    low, high = words(time)
    block = philox((number % 2**32, number >> 32, low, high ^ 2**31), (seed % 2**32, seed >> 32))
    block = philox(block, words(place))
    a, b, c, d = philox(block, (pair, kind))
    found = []
    for bits in (a | b << 32, c | d << 32):
        tail = ((bits >> 11) % 2**52 + (bits % 2048 + 0.5) / 2048) * 2.0**-53
        found.append(-tail if bits >> 63 else tail)
    return found


ADDRESSES = list(
    product((0, 2**64 - 59), (0, 2**40 + 3), (0.0, -1.5, 3650.25), (1.0, 37.0, 2.0**51 + 1.0), (0, 11), (0, 3))
)


def test_reference_and_no_jit(tmp_path: Path) -> None:
    found = draws(*np.array(ADDRESSES, dtype=object).T)
    assert_array_equal(found, [reference(*address) for address in ADDRESSES])
    child(__file__, "values", str(tmp_path / "plain.npy"), NUMBA_DISABLE_JIT="1")
    assert_array_equal(np.load(tmp_path / "plain.npy"), found)


def test_every_part_of_the_address_counts() -> None:
    """Addresses that differ in one part have other draws; the same address has the same, whatever came before."""
    found = draws(*np.array(ADDRESSES, dtype=object).T)
    assert len(np.unique(found)) == found.size
    rng = generator("addresses order")
    order = rng.permutation(len(ADDRESSES))
    shuffled = draws(*np.array([ADDRESSES[j] for j in order], dtype=object).T)
    assert_array_equal(shuffled, found[order])


def test_uniform_and_independent() -> None:
    """U from both tails has the uniform law over numbers, steps and pairs; neighbours are uncorrelated."""
    n = 60_000
    k = np.arange(n)
    columns = (
        draws(9, k, 1.0, 5.0, 0),
        draws(9, 3, 1.0, 2.0**30 + k, 0),
        draws(9, 3, 1.0, 5.0, k),
        draws(9, 3, 0.5 + k / 7.0, 5.0, 0),
    )
    for found in columns:
        assert (abs(found) <= 0.5).all()
        assert (abs(found) > 0.0).all()
        u = np.where(found > 0.0, found, 1.0 + found)
        assert stats.kstest(u.ravel(), "uniform").pvalue > FALSE_ALARM / 8
        z = stats.norm.ppf(FALSE_ALARM / 16)
        for a, b in ((u[:, 0], u[:, 1]), (u[1:, 0], u[:-1, 0]), (u[1:, 0], u[:-1, 1])):
            assert abs(np.corrcoef(a, b)[0, 1]) * n**0.5 < -z


if __name__ == "__main__" and sys.argv[1] == "values":
    with np.errstate(**QUIET):  # type: ignore[call-overload]
        np.save(sys.argv[2], draws(*np.array(ADDRESSES, dtype=object).T))
