"""Tsit5 in lanes: an explicit Runge-Kutta method for non-stiff ODEs.

Order 5, embedded order 4, 7 stages of which the last is the first of the next step, free dense output of order 4. Use
it where the solution itself moves as fast as the fastest rate: growth, immune response. Where cells leave the blood
within minutes while the run takes years, its step is bound by stability and `rodas5p` is the method.

Ch. Tsitouras 2011, doi:10.1016/j.camwa.2011.06.002.
"""

import numpy as np

from ctcdyn.kernels.contract import AT, SPECIES, TIME, F, U, W, X, drift
from ctcdyn.kernels.guards import arrive, reach
from ctcdyn.kernels.lanes import OK, loop
from ctcdyn.kernels.machine import block
from ctcdyn.kernels.steps import (
    BEFORE,
    ERROR,
    METHOD,
    NEW,
    OLD,
    P1,
    P2,
    P3,
    P4,
    PASS,
    SPAN,
    choose_span,
    control,
    first_step,
    read,
)

SEMANTICS = "ode"
ALGEBRA = ("drift",)
GRID_FREE = True
ORDER = "5(4)"
WIDTHS = ((16, 0),)
SOURCE = "doi:10.1016/j.camwa.2011.06.002"

N = SPECIES * W  # one block of rows
K1, K2, K3, K4, K5, K6, K7 = (
    METHOD, METHOD + N, METHOD + 2 * N, METHOD + 3 * N, METHOD + 4 * N, METHOD + 5 * N, METHOD + 6 * N
)  # fmt: skip
ROWS = METHOD + 7 * N

T2, T3, T4, T5 = 0.161, 0.327, 0.9, 0.9800255409045097  # times of stages 2 to 5
A21 = 0.161
A31, A32 = -0.008480655492356989, 0.335480655492357
A41, A42, A43 = 2.8971530571054935, -6.359448489975075, 4.3622954328695815
A51, A52, A53, A54 = 5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525
A61, A62, A63, A64, A65 = (
    5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383
)  # fmt: skip
B1, B2, B3, B4, B5, B6 = (
    0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774
)  # fmt: skip
E1, E2, E3, E4, E5, E6, E7 = (
    -0.00178001105222577714, -0.0008164344596567469, 0.007880878010261995, -0.1447110071732629, 0.5823571654525552,
    -0.45808210592918697, 0.015151515151515152,
)  # fmt: skip

# Weights of the stages in the dense output, as polynomials x * (c1 + x * (c2 + x * (c3 + x * c4))), expanded from the
# factored form of the paper: each line is the leading factor times a product of roots.
D1, D2, D3, D4 = (
    (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    (
        -2.763706197274826,
        0.13169999999999998,
        3.9302962368947516,
        -12.411077166933676,
        37.50931341651104,
        -27.896526289197286,
        1.5,
    ),
    (
        2.9132554618219126,
        -0.2234,
        -5.941033872131505,
        30.33818863028232,
        -88.1789048947664,
        65.09189467479366,
        -4.0,
    ),
    (
        -1.0530884977290216,
        0.1017,
        2.490627285651253,
        -16.548102889244902,
        47.37952196281928,
        -34.87065786149661,
        2.5,
    ),
)


@block
def begin(w, v, i, seed, number, setting):
    first_step(w, i, setting)
    for s in range(SPECIES):
        w[K1 + s * W + i] = w[F + s * W + i]
    return OK


@block
def prepare(w, v, i, t, setting, changed):
    """After a change the first stage is stale: it is computed again, and so is the step."""
    if changed:
        first_step(w, i, setting)
    else:
        for s in range(SPECIES):
            w[U + s * W + i] = w[X + s * W + i]
        w[AT + i] = w[TIME + i]
        drift(w)
    for s in range(SPECIES):
        w[K1 + s * W + i] = w[F + s * W + i]
    return np.inf


@block
def stage(w, c, k):
    """Derivative at the trial state in U, at c of the step, to the rows from k on."""
    for i in range(W):
        w[AT + i] = w[BEFORE + i] + c * w[SPAN + i]
    drift(w)
    for s in range(SPECIES):
        for i in range(W):
            w[k + s * W + i] = w[F + s * W + i]


@block
def sweep(w, v, setting):
    for i in range(W):
        choose_span(w, i)
    for s in range(SPECIES):
        for i in range(W):
            w[OLD + s * W + i] = w[X + s * W + i]
    for s in range(SPECIES):
        for i in range(W):
            w[U + s * W + i] = w[X + s * W + i] + w[SPAN + i] * (A21 * w[K1 + s * W + i])
    stage(w, T2, K2)
    for s in range(SPECIES):
        for i in range(W):
            k1, k2 = w[K1 + s * W + i], w[K2 + s * W + i]
            w[U + s * W + i] = w[X + s * W + i] + w[SPAN + i] * (A31 * k1 + A32 * k2)
    stage(w, T3, K3)
    for s in range(SPECIES):
        for i in range(W):
            k1, k2, k3 = w[K1 + s * W + i], w[K2 + s * W + i], w[K3 + s * W + i]
            w[U + s * W + i] = w[X + s * W + i] + w[SPAN + i] * (A41 * k1 + A42 * k2 + A43 * k3)
    stage(w, T4, K4)
    for s in range(SPECIES):
        for i in range(W):
            k1, k2, k3, k4 = w[K1 + s * W + i], w[K2 + s * W + i], w[K3 + s * W + i], w[K4 + s * W + i]
            w[U + s * W + i] = w[X + s * W + i] + w[SPAN + i] * (A51 * k1 + A52 * k2 + A53 * k3 + A54 * k4)
    stage(w, T5, K5)
    for s in range(SPECIES):
        for i in range(W):
            k1, k2, k3, k4 = w[K1 + s * W + i], w[K2 + s * W + i], w[K3 + s * W + i], w[K4 + s * W + i]
            change = A61 * k1 + A62 * k2 + A63 * k3 + A64 * k4 + A65 * w[K5 + s * W + i]
            w[U + s * W + i] = w[X + s * W + i] + w[SPAN + i] * change
    stage(w, 1.0, K6)
    for s in range(SPECIES):
        for i in range(W):
            k1, k2, k3, k4 = w[K1 + s * W + i], w[K2 + s * W + i], w[K3 + s * W + i], w[K4 + s * W + i]
            change = B1 * k1 + B2 * k2 + B3 * k3 + B4 * k4 + B5 * w[K5 + s * W + i] + B6 * w[K6 + s * W + i]
            new = w[X + s * W + i] + w[SPAN + i] * change
            w[U + s * W + i] = new
            w[NEW + s * W + i] = new
    stage(w, 1.0, K7)
    for s in range(SPECIES):
        for i in range(W):
            k1, k2, k3, k4 = w[K1 + s * W + i], w[K2 + s * W + i], w[K3 + s * W + i], w[K4 + s * W + i]
            k5, k6, k7 = w[K5 + s * W + i], w[K6 + s * W + i], w[K7 + s * W + i]
            error = E1 * k1 + E2 * k2 + E3 * k3 + E4 * k4 + E5 * k5 + E6 * k6 + E7 * k7
            w[ERROR + s * W + i] = w[SPAN + i] * error
            # the dense output is read before the next sweep puts the last stage in the first's place
            h = w[SPAN + i]
            w[P1 + s * W + i] = h * (
                D1[0] * k1 + D1[1] * k2 + D1[2] * k3 + D1[3] * k4 + D1[4] * k5 + D1[5] * k6 + D1[6] * k7
            )
            w[P2 + s * W + i] = h * (
                D2[0] * k1 + D2[1] * k2 + D2[2] * k3 + D2[3] * k4 + D2[4] * k5 + D2[5] * k6 + D2[6] * k7
            )
            w[P3 + s * W + i] = h * (
                D3[0] * k1 + D3[1] * k2 + D3[2] * k3 + D3[3] * k4 + D3[4] * k5 + D3[5] * k6 + D3[6] * k7
            )
            w[P4 + s * W + i] = h * (
                D4[0] * k1 + D4[1] * k2 + D4[2] * k3 + D4[3] * k4 + D4[4] * k5 + D4[5] * k6 + D4[6] * k7
            )
    flags = control(w, v, setting, 0.2, 0.7, 0.4)
    for s in range(SPECIES):
        for i in range(W):
            w[K1 + s * W + i] = w[K7 + s * W + i] if w[PASS + i] > 0.0 else w[K1 + s * W + i]
    return flags


@block
def ready(w):
    """The sweep has prepared the dense output itself: its first stage would be gone by now."""
    w[TIME] = w[TIME]


run = loop(begin, prepare, sweep, reach, ready, read, arrive, True)
