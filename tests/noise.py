"""The draws of the Langevin methods and their steps, in plain numpy: written again from their docstrings.

Nothing is shared with the kernels. Arrays run over trajectories; a test can take the Brownian path of a run and put it
into the exact solution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Words = NDArray[np.uint64]
LOW = np.uint64(0xFFFFFFFF)


def philox(counter: list[Words], key: tuple[int, int]) -> list[Words]:
    """Philox4x32-10 (Salmon 2011): four words of 32 bits for each trajectory."""
    c, k = counter, [np.uint64(word) for word in key]
    for _ in range(10):
        p, q = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        shift = np.uint64(32)
        c = [(q >> shift) ^ c[1] ^ k[0], q & LOW, (p >> shift) ^ c[3] ^ k[1], p & LOW]
        k = [(k[0] + np.uint64(0x9E3779B9)) & LOW, (k[1] + np.uint64(0xBB67AE85)) & LOW]
    return c


class Stream:
    """The stream (seed, number, beginning of the interval) of trajectories 0 to count - 1."""

    def __init__(self, seed: int, count: int, t: float) -> None:
        who = np.arange(count, dtype=np.uint64)
        when = int(np.float64(t).view(np.uint64))
        early, late = np.full_like(who, when & 0xFFFFFFFF), np.full_like(who, when >> 32)
        self.s: list[Words] = []
        for half in (0, 1):
            second = np.full_like(who, 0x20000000 | half << 30)
            a, b, c, d = philox([who, second, early, late], (seed & 0xFFFFFFFF, seed >> 32))
            self.s += [a | b << np.uint64(32), c | d << np.uint64(32)]

    def bits(self) -> Words:
        """xoshiro256++ (Blackman and Vigna 2021)."""
        a, b, c, d = self.s
        with np.errstate(over="ignore"):
            r = a + d
            r = (r << np.uint64(23) | r >> np.uint64(41)) + a
        e, f = c ^ a, d ^ b
        self.s = [a ^ f, b ^ e, e ^ b << np.uint64(17), f << np.uint64(45) | f >> np.uint64(19)]
        return r

    def normals(self, count: int) -> Vector:
        """So many standard normals of each trajectory, (count, trajectories)."""
        found: list[Vector] = []
        while len(found) < count:
            radius = np.sqrt(-2.0 * np.log((self.bits() >> np.uint64(12)) * 2.0**-52 + 2.0**-53))
            b = self.bits()
            angle = 2.0 * np.pi * ((b >> np.uint64(12)) * 2.0**-52 - 0.5) / 4.0
            c, s = np.cos(angle) * np.where(b & np.uint64(2), -1.0, 1.0), np.sin(angle)
            swap = (b & np.uint64(1)).astype(bool)
            found += [radius * np.where(swap, s, c), radius * np.where(swap, c, s)]
        return np.array(found[:count])


@dataclass(frozen=True)
class Law:
    """Drift f(x) -> (S, n), intensities a(x) -> (noises, n) and directions (S, noises) of a Langevin equation."""

    drift: Callable[[Vector], Vector]
    intensities: Callable[[Vector], Vector]
    directions: Vector


def euler(law: Law, x: Vector, h: float, normals: Vector) -> Vector:
    """One step of Euler and Maruyama."""
    kicks = np.sqrt(law.intensities(x) * h) * normals
    return x + h * law.drift(x) + law.directions @ kicks


def trapezoid(law: Law, x: Vector, h: float, first: Vector, second: Vector) -> Vector:
    """One step of Anderson and Mattingly 2011, algorithm 1, theta = 1/2."""
    y = euler(law, x, 0.5 * h, first)
    left = np.maximum(2.0 * law.intensities(y) - law.intensities(x), 0.0)
    kicks = np.sqrt(left * 0.5 * h) * second
    return y + 0.5 * h * (2.0 * law.drift(y) - law.drift(x)) + law.directions @ kicks
