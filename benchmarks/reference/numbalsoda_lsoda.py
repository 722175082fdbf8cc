"""numbalsoda's LSODA on ctc_five, called from compiled code: its fastest form.

    python numbalsoda_lsoda.py parameters.bin n rtol atol results.bin|-

Runs in an environment of its own that holds numba and numbalsoda (which takes a Fortran compiler to build).
Files and the printed line are those of rodas4.cpp: "trajectories seconds 0 0 checksum", CPU seconds of the
loop alone, after one call that compiles it.
"""

import sys
import time

import numpy as np
from numba import carray, cfunc, njit
from numbalsoda import lsoda, lsoda_sig

SAVES = 366


@cfunc(lsoda_sig)
def rates(_t, y_, dy, p_):
    y = carray(y_, (5,))
    p = carray(p_, (15,))
    r, K, k_int, k_re, k_sh, k_nk, k_ext, k_d, k_g, m_E, k_w, m_Q, r_G, K_G, m_G = p
    dy[0] = r * y[0] * (1 - y[0] / K) - k_int * y[0]
    dy[1] = k_int * y[0] + k_re * y[4] - (k_sh + k_nk + k_ext) * y[1]
    dy[2] = k_ext * y[1] - (k_d + k_g + m_E) * y[2]
    dy[3] = k_d * y[2] - (k_w + m_Q) * y[3]
    dy[4] = k_g * y[2] + k_w * y[3] + r_G * y[4] * (1 - y[4] / K_G) - k_re * y[4] - m_G * y[4]


address = rates.address


@njit
def integrate(parameters, first, last, rtol, atol, out):
    times = np.linspace(0.0, 3650.0, SAVES)
    start = np.array([1e6, 0.0, 0.0, 0.0, 0.0])
    checksum = 0.0
    for draw in range(first, last):
        solution, success = lsoda(address, start, times, parameters[draw], rtol, atol)
        if not success:
            raise RuntimeError("LSODA failed")
        checksum += solution[-1, 4]
        if out.shape[0] > 0:
            out[draw] = solution
    return checksum


def main() -> None:
    file, target = sys.argv[1], sys.argv[5]
    n, rtol, atol = int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    parameters = np.fromfile(file).reshape(-1, 15)[:n]
    out = np.zeros((0 if target == "-" else n, SAVES, 5))
    integrate(parameters, 0, 0, rtol, atol, out)
    start = time.process_time()
    checksum = integrate(parameters, 0, n, rtol, atol, out)
    seconds = time.process_time() - start
    print(n, f"{seconds:.9g}", 0, 0, f"{checksum:.17g}")
    if target != "-":
        out.tofile(target)


if __name__ == "__main__":
    main()
