"""Chemical Langevin equation of ctc_linear by Euler-Maruyama in numba, one trajectory after the other.

    python langevin_numba.py rates.txt trajectories seed results.bin|-      prints "steps seconds" (CPU time)

As langevin.cpp, with the normals of numpy's Generator, which numba compiles: the ziggurat of Marsaglia and Tsang. It
is what a modeller who knows numba writes; compiled before the clock starts, without fastmath.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from numba import njit

DAYS, STEPS = 100, 100


@njit(error_model="numpy")
def simulate(k, count, random, out, steps=STEPS):
    step = 1.0 / steps
    root = np.sqrt(step)
    for n in range(count):
        B = E = Q = G = 0.0
        for day in range(DAYS):
            for _ in range(steps):
                b, e, q, g = max(B, 0.0), max(E, 0.0), max(Q, 0.0), max(G, 0.0)
                shed, clear, leave = k[0], k[1] * b, k[2] * b
                die, sleep, settle = k[3] * e, k[4] * e, k[5] * e
                wake, lose, birth, death = k[6] * q, k[7] * q, k[8] * g, k[9] * g
                n0 = np.sqrt(shed + clear) * root * random.standard_normal()
                n1 = np.sqrt(leave) * root * random.standard_normal()
                n2 = np.sqrt(die) * root * random.standard_normal()
                n3 = np.sqrt(sleep) * root * random.standard_normal()
                n4 = np.sqrt(settle) * root * random.standard_normal()
                n5 = np.sqrt(wake) * root * random.standard_normal()
                n6 = np.sqrt(lose) * root * random.standard_normal()
                n7 = np.sqrt(birth + death) * root * random.standard_normal()
                B += step * (shed - clear - leave) + n0 - n1
                E += step * (leave - die - sleep - settle) + n1 - n2 - n3 - n4
                Q += step * (sleep - wake - lose) + n3 - n5 - n6
                G += step * (settle + wake + birth - death) + n4 + n5 + n7
            out[n, day, 0], out[n, day, 1], out[n, day, 2], out[n, day, 3] = B, E, Q, G


def main() -> None:
    rates, count, seed, target = np.loadtxt(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    random = np.random.default_rng(seed)
    out = np.empty((count, DAYS, 4))
    simulate(rates, 1, random, out)
    start = time.process_time()
    simulate(rates, count, random, out)
    print(count * DAYS * STEPS, f"{time.process_time() - start:.9g}")
    if target != "-":
        out.tofile(target)


if __name__ == "__main__":
    main()
