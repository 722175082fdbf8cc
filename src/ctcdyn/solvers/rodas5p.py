"""Rodas5P in lanes: a Rosenbrock method for stiff ODEs.

Order 5, embedded order 4, 8 stages, stiffly accurate, L-stable, dense output of order 4; one Jacobian and one sparse
LU for each step and no iteration. Use it where the fastest rate is far above the pace of the solution: cells live for
minutes in the blood and for years in tissue. Tolerances: the error of each step, rtol relative and atol in cells.

G. Steinebach 2023, doi:10.1007/s10543-023-00967-x (coefficients); form of the step as in E. Hairer and G. Wanner,
Solving ODEs II, section IV.7: (I/(gamma h) - J) k_i = f(x + sum a_ij k_j) + sum c_ij k_j / h + h d_i f_t.
"""

import numpy as np

from ctcdyn.kernels.contract import (
    AT,
    FUSED,
    SHIFT,
    SPECIES,
    TIME,
    TIMED,
    B,
    F,
    T,
    U,
    W,
    X,
    drift,
    drift_lane,
    factor,
    factor_lane,
    jacobian,
    jacobian_lane,
    solve,
    solve_lane,
    time_derivative,
    time_derivative_lane,
)
from ctcdyn.kernels.guards import arrive, reach
from ctcdyn.kernels.lanes import OK, loop
from ctcdyn.kernels.machine import block, lane
from ctcdyn.kernels.steps import (
    ERROR,
    METHOD,
    NEW,
    OLD,
    P1,
    P2,
    P3,
    P4,
    PACE,
    SPAN,
    choose_span,
    control,
    first_step,
    read,
)

SEMANTICS = "ode"
ALGEBRA = ("drift", "jacobian")
GRID_FREE = True
ORDER = "5(4)"
WIDTHS = ((16, 0),)
SOURCE = "doi:10.1007/s10543-023-00967-x"

N = SPECIES * W  # one block of rows
K1, K2, K3, K4, K5, K6, K7, K8 = (
    METHOD, METHOD + N, METHOD + 2 * N, METHOD + 3 * N, METHOD + 4 * N, METHOD + 5 * N, METHOD + 6 * N, METHOD + 7 * N
)  # fmt: skip
G = METHOD + 8 * N  # sum c_ij k_j / h of the stage
ROWS = METHOD + 9 * N

# Stages: A weights of the trial state, C of the history, T times, S weights of df/dt; H rows of the dense output.
GAMMA = 0.21193756319429014
A21 = 3.0
A31, A32 = 2.849394379747939, 0.45842242204463923
A41, A42, A43 = -6.954028509809101, 2.489845061869568, -10.358996098473584
A51, A52, A53, A54 = 2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641
A61, A62, A63, A64, A65 = (
    -7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256, 0.030198172008377946,
)  # fmt: skip
C21 = -14.155112264123755
C31, C32 = -17.97296035885952, -2.859693295451294
C41, C42, C43 = 147.12150275711716, -1.41221402718213, 71.68940251302358
C51, C52, C53, C54 = 165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306
C61, C62, C63, C64, C65 = (
    24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471,
)  # fmt: skip
C71, C72, C73, C74, C75, C76 = (
    30.91273214028599, -3.1208243349937974, 77.79954646070892, 34.28646028294783, -19.097331116725623,
    -28.087943162872662,
)  # fmt: skip
C81, C82, C83, C84, C85, C86, C87 = (
    37.80277123390563, -3.2571969029072276, 112.26918849496327, 66.9347231244047, -40.06618937091002,
    -54.66780262877968, -9.48861652309627,
)  # fmt: skip
T1, T2, T3, T4, T5, T6, T7, T8 = (
    0.0, 0.6358126895828704, 0.4095798393397535, 0.9769306725060716, 0.4288403609558664, 1.0, 1.0, 1.0,
)  # fmt: skip
S1, S2, S3, S4, S5, S6, S7, S8 = (
    0.21193756319429014, -0.42387512638858027, -0.3384627126235924, 1.8046452872882734, 2.325825639765069,
    0.0, 0.0, 0.0,
)  # fmt: skip
H1 = (
    25.948786856663858, -2.5579724845846235, 10.433815404888879, -2.3679251022685204, 0.524948541321073,
    1.1241088310450404, 0.4272876194431874, -0.17202221070155493,
)  # fmt: skip
H2 = (
    -9.91568850695171, -0.9689944594115154, 3.0438037242978453, -24.495224566215796, 20.176138334709044,
    15.98066361424651, -6.789040303419874, -6.710236069923372,
)  # fmt: skip
H3 = (
    11.419903575922262, 2.8879645146136994, 72.92137995996029, 80.12511834622643, -52.072871366152654,
    -59.78993625266729, -0.15582684282751913, 4.883087185713722,
)  # fmt: skip


@block
def begin(w, v, i, seed, number, setting):
    first_step(w, i, setting)
    return OK


@block
def prepare(w, v, i, t, setting, changed):
    if changed:
        first_step(w, i, setting)
    return np.inf


# mix_j(w, i, o): the trial state U and the history G of stage j, from the stages before, for one species, which lies at
# offset o = s * W + i in its block of rows; the last of these stages is still in B.


@lane
def mix_1(w, i, o):
    w[U + o] = w[X + o]
    w[OLD + o] = w[X + o]
    w[G + o] = 0.0


@lane
def mix_2(w, i, o):
    k1 = w[B + o]
    w[K1 + o] = k1
    w[U + o] = w[X + o] + (A21 * k1)
    w[G + o] = (C21 * k1) * w[PACE + i]


@lane
def mix_3(w, i, o):
    k2 = w[B + o]
    w[K2 + o] = k2
    k1 = w[K1 + o]
    w[U + o] = w[X + o] + (A31 * k1 + A32 * k2)
    w[G + o] = (C31 * k1 + C32 * k2) * w[PACE + i]


@lane
def mix_4(w, i, o):
    k3 = w[B + o]
    w[K3 + o] = k3
    k1 = w[K1 + o]
    k2 = w[K2 + o]
    w[U + o] = w[X + o] + (A41 * k1 + A42 * k2 + A43 * k3)
    w[G + o] = (C41 * k1 + C42 * k2 + C43 * k3) * w[PACE + i]


@lane
def mix_5(w, i, o):
    k4 = w[B + o]
    w[K4 + o] = k4
    k1 = w[K1 + o]
    k2 = w[K2 + o]
    k3 = w[K3 + o]
    w[U + o] = w[X + o] + (A51 * k1 + A52 * k2 + A53 * k3 + A54 * k4)
    w[G + o] = (C51 * k1 + C52 * k2 + C53 * k3 + C54 * k4) * w[PACE + i]


@lane
def mix_6(w, i, o):
    k5 = w[B + o]
    w[K5 + o] = k5
    k1 = w[K1 + o]
    k2 = w[K2 + o]
    k3 = w[K3 + o]
    k4 = w[K4 + o]
    w[U + o] = w[X + o] + (A61 * k1 + A62 * k2 + A63 * k3 + A64 * k4 + A65 * k5)
    w[G + o] = (C61 * k1 + C62 * k2 + C63 * k3 + C64 * k4 + C65 * k5) * w[PACE + i]


@lane
def mix_7(w, i, o):
    k6 = w[B + o]
    w[K6 + o] = k6
    k1 = w[K1 + o]
    k2 = w[K2 + o]
    k3 = w[K3 + o]
    k4 = w[K4 + o]
    k5 = w[K5 + o]
    w[U + o] = w[U + o] + k6
    w[G + o] = (C71 * k1 + C72 * k2 + C73 * k3 + C74 * k4 + C75 * k5 + C76 * k6) * w[PACE + i]


@lane
def mix_8(w, i, o):
    k7 = w[B + o]
    w[K7 + o] = k7
    k1 = w[K1 + o]
    k2 = w[K2 + o]
    k3 = w[K3 + o]
    k4 = w[K4 + o]
    k5 = w[K5 + o]
    k6 = w[K6 + o]
    w[U + o] = w[U + o] + k7
    w[G + o] = (C81 * k1 + C82 * k2 + C83 * k3 + C84 * k4 + C85 * k5 + C86 * k6 + C87 * k7) * w[PACE + i]


@lane
def close(w, i, o):
    """The last stage is the error estimate, and the end of the step is its trial state plus that."""
    e = w[B + o]
    w[K8 + o] = e
    w[ERROR + o] = e
    w[NEW + o] = w[U + o] + e


@lane
def load_stage(w, i, o, d):
    """The right-hand side of a stage, one species, in B."""
    b = w[F + o] + w[G + o]
    if TIMED:
        b = b + d * w[SPAN + i] * w[T + o]
    w[B + o] = b


@lane
def stage_lane(w, i, c, d):
    """One stage of lane i, from the trial state in U to its solution in B."""
    w[AT + i] = w[TIME + i] + c * w[SPAN + i]
    drift_lane(w, i)
    for s in range(SPECIES):
        load_stage(w, i, s * W + i, d)
    solve_lane(w, i)


@block
def stage(w, c, d):
    """One stage of every lane."""
    for i in range(W):
        w[AT + i] = w[TIME + i] + c * w[SPAN + i]
    drift(w)
    for s in range(SPECIES):
        for i in range(W):
            load_stage(w, i, s * W + i, d)
    solve(w)


@block
def attempt(w):
    """A step of every lane over its SPAN: as one loop where the model is small, so that stages stay in registers."""
    if FUSED:
        for i in range(W):
            w[SHIFT + i] = w[PACE + i] * (1.0 / GAMMA)
            jacobian_lane(w, i)
            factor_lane(w, i)
            if TIMED:
                time_derivative_lane(w, i)
            for s in range(SPECIES):
                mix_1(w, i, s * W + i)
            stage_lane(w, i, T1, S1)
            for s in range(SPECIES):
                mix_2(w, i, s * W + i)
            stage_lane(w, i, T2, S2)
            for s in range(SPECIES):
                mix_3(w, i, s * W + i)
            stage_lane(w, i, T3, S3)
            for s in range(SPECIES):
                mix_4(w, i, s * W + i)
            stage_lane(w, i, T4, S4)
            for s in range(SPECIES):
                mix_5(w, i, s * W + i)
            stage_lane(w, i, T5, S5)
            for s in range(SPECIES):
                mix_6(w, i, s * W + i)
            stage_lane(w, i, T6, S6)
            for s in range(SPECIES):
                mix_7(w, i, s * W + i)
            stage_lane(w, i, T7, S7)
            for s in range(SPECIES):
                mix_8(w, i, s * W + i)
            stage_lane(w, i, T8, S8)
            for s in range(SPECIES):
                close(w, i, s * W + i)
    else:
        for i in range(W):
            w[SHIFT + i] = w[PACE + i] * (1.0 / GAMMA)
        jacobian(w)
        factor(w)
        if TIMED:
            time_derivative(w)
        for s in range(SPECIES):
            for i in range(W):
                mix_1(w, i, s * W + i)
        stage(w, T1, S1)
        for s in range(SPECIES):
            for i in range(W):
                mix_2(w, i, s * W + i)
        stage(w, T2, S2)
        for s in range(SPECIES):
            for i in range(W):
                mix_3(w, i, s * W + i)
        stage(w, T3, S3)
        for s in range(SPECIES):
            for i in range(W):
                mix_4(w, i, s * W + i)
        stage(w, T4, S4)
        for s in range(SPECIES):
            for i in range(W):
                mix_5(w, i, s * W + i)
        stage(w, T5, S5)
        for s in range(SPECIES):
            for i in range(W):
                mix_6(w, i, s * W + i)
        stage(w, T6, S6)
        for s in range(SPECIES):
            for i in range(W):
                mix_7(w, i, s * W + i)
        stage(w, T7, S7)
        for s in range(SPECIES):
            for i in range(W):
                mix_8(w, i, s * W + i)
        stage(w, T8, S8)
        for s in range(SPECIES):
            for i in range(W):
                close(w, i, s * W + i)


@block
def sweep(w, v, setting):
    """A step of every lane, and what follows."""
    for i in range(W):
        choose_span(w, i)
    attempt(w)
    return control(w, v, setting, 0.2, 0.8, 0.3)


@lane
def bend(w, i, o):
    """The polynomial of the dense output, one species."""
    k1, k2, k3, k4 = w[K1 + o], w[K2 + o], w[K3 + o], w[K4 + o]
    k5, k6, k7, k8 = w[K5 + o], w[K6 + o], w[K7 + o], w[K8 + o]
    d1 = H1[0] * k1 + H1[1] * k2 + H1[2] * k3 + H1[3] * k4 + H1[4] * k5 + H1[5] * k6 + H1[6] * k7 + H1[7] * k8
    d2 = H2[0] * k1 + H2[1] * k2 + H2[2] * k3 + H2[3] * k4 + H2[4] * k5 + H2[5] * k6 + H2[6] * k7 + H2[7] * k8
    d3 = H3[0] * k1 + H3[1] * k2 + H3[2] * k3 + H3[3] * k4 + H3[4] * k5 + H3[5] * k6 + H3[6] * k7 + H3[7] * k8
    w[P1 + o] = w[NEW + o] - w[OLD + o] + d1
    w[P2 + o] = d2 - d1
    w[P3 + o] = d3 - d2
    w[P4 + o] = -d3


@block
def ready(w):
    for s in range(SPECIES):
        for i in range(W):
            bend(w, i, s * W + i)


run = loop(begin, prepare, sweep, reach, ready, read, arrive, True)
