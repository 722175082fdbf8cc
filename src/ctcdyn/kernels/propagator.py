"""What becomes of a cell that passes: probabilities of its ways over a step, by uniformisation and squaring.

Over a step h a cell goes from node a to node b with probability P[a, b] = exp(A h)[a, b]. With q = THETA 2**s / h no
smaller than any rate, exp(A h) is the 2**s-th power of exp(-THETA) sum THETA**k B**k / k! with B = I + A / q (A. Jensen
1953, doi:10.1080/03461238.1953.10419459): no negative number occurs, so that every entry, however small, has its
digits, and equal or nearly equal rates need no care. s is chosen by rate and step, and grows as the logarithm of the
stiffness; powers of the blocks below each other are skipped. The matrices of h/2, h/4, ... on the way are kept: when a
cell meets an end within the step is drawn by halving the step.

A source sends cells at rate lambda(x), x the share of the step, a polynomial of degree 4; what arrives at node b is
h sum_j lambda_j I_j[b] with I_j = int_0^1 x**j P((1 - x) h) dx, which obey a recursion of doubling of their own.
"""

import numpy as np

from ctcdyn.kernels.contract import (
    EDGE_FROM,
    EDGE_TO,
    EDGE_WAY,
    EDGES,
    FORCE,
    GOAL_AT,
    GOAL_NODE,
    HIGH,
    LOSS_NODE,
    LOSS_WAY,
    LOSSES,
    LOW,
    MORTAL,
    NODES,
    PLAINS,
    SOURCE_PLAIN,
    SOURCES,
    W,
)
from ctcdyn.kernels.lanemath import log1p_
from ctcdyn.kernels.lanes import OWN
from ctcdyn.kernels.machine import block

SQUARE = NODES * NODES * W  # rows of a matrix
LEVELS = max(2, min(14, 4000 // max(NODES * NODES, 1)))  # matrices that are kept: of h, h/2, ...
GOALS = int(GOAL_AT[PLAINS])  # ends of ways, over all plain species

PROPAGATOR = OWN  # matrices by level
BASIS = PROPAGATOR + LEVELS * SQUARE  # two more to work with
SPARE = BASIS + SQUARE
SEEN = SPARE + max(NODES, 3) * NODES * W  # I_0 of each source by level
MOMENT = SEEN + SOURCES * LEVELS * NODES * W  # I_j of each source over the whole step
FRESH = MOMENT + SOURCES * 5 * NODES * W
OUT = FRESH + 5 * NODES * W  # rate out of each node
DEPTH = OUT + NODES * W  # levels that there are
SHARE = DEPTH + W  # of each end of a way four rows: its share p of the cells left for it, or, where the fourth is 1, of
# those that stay away; p / (1 - p); log(1 - p)
PROPAGATED = SHARE + 4 * GOALS * W

THETA = 0.25
SERIES = 14
MOST_SQUARINGS = 60
TAYLOR = np.array([
    0.7788007830714049, 0.19470019576785122, 0.024337524470981402, 0.00202812703924845,
    0.00012675793995302814, 6.337896997651407e-06, 2.640790415688086e-07, 9.431394341743165e-09,
    2.947310731794739e-10, 8.186974254985386e-12, 2.0467435637463466e-13, 4.6516899176053335e-15,
    9.691020661677778e-17, 1.8636578195534186e-18, 3.3279603920596763e-20,
])  # exp(-THETA) THETA**k / k!
# fmt: off
WEIGHT = np.array([
    0.8847968677143805, 0.4608125291424779, 0.3134997668601769, 0.23800279767787763, 0.191955237153958,
    0.10599608464297566, 0.03682819057057526, 0.01887424229557481, 0.011511890130979904,
    0.007764995058279535, 0.00864598675905005, 0.002244243534375056, 0.0009202940205743632,
    0.00046836188408754616, 0.0002712049128787965, 0.0005334786020562496, 0.00011032912615005772,
    3.766101137390142e-05, 1.6429747600729137e-05, 8.328951267130307e-06, 2.6446842244136987e-05,
    4.541757173509769e-06, 1.3269539858232675e-06, 5.06299770849927e-07, 2.2815493353147547e-07,
    1.095254253531361e-06, 1.6074015938432507e-07, 4.103271074866703e-08, 1.3907241865922575e-08,
    5.639063676714267e-09, 3.8938087256126497e-08, 4.987810359819085e-09, 1.1302278701143523e-09,
    3.4450742455034616e-10, 1.2694488390872908e-10, 1.2125098891538361e-09, 1.3777080320374044e-10,
    2.8061444484428795e-11, 7.77009073720061e-12, 2.6234321135193303e-12, 3.358559643594049e-11,
    3.428417459978489e-12, 6.341048046008808e-13, 1.6083308199003998e-13, 5.0102801678690765e-14,
    8.376994159482552e-13, 7.761979578212265e-14, 1.3146436575241042e-14, 3.0758410533062274e-15,
    8.893441375963882e-16, 1.9001990504153314e-14, 1.6118340896654363e-15, 2.5176492809055387e-16,
    5.466237518885824e-17, 1.4744812639239632e-17, 3.952308237753911e-16, 3.0910662763065505e-17,
    4.479603475038537e-18, 9.0721733067315e-19, 2.293230468901993e-19, 7.59000335442345e-18,
    5.506470685005619e-19, 7.442471134094555e-20, 1.4122797578811475e-20, 3.358538862509482e-21,
    1.3537223626774783e-19, 9.158122253069545e-21, 1.1596521877333477e-21, 2.0700497531349988e-22,
    4.647480378253595e-23, 2.2538234645478266e-21, 1.4282982259528924e-22, 1.701155736464014e-23,
    2.8666102059100703e-24, 6.0948623975034e-25,
])  # int_0^1 x**j exp(-THETA (1 - x)) (THETA (1 - x))**k / k! dx, j from 0 to 4 for each k
PASCAL = np.array([
    1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 2.0, 1.0, 0.0, 0.0, 1.0, 3.0, 3.0, 1.0, 0.0,
    1.0, 4.0, 6.0, 4.0, 1.0,
])
# fmt: on


@block
def multiply(w, i, a, b, c):
    """c = a b, of block upper triangular matrices."""
    for x in range(NODES):
        for y in range(LOW[x], NODES):
            total = 0.0
            for z in range(LOW[x], HIGH[y]):
                total += w[a + (x * NODES + z) * W + i] * w[b + (z * NODES + y) * W + i]
            w[c + (x * NODES + y) * W + i] = total


@block
def basis(w, i, h):
    """B = I + A / q in BASIS; returns the number of squarings."""
    for a in range(NODES):
        w[OUT + a * W + i] = 0.0
        for b in range(NODES):
            w[BASIS + (a * NODES + b) * W + i] = 0.0
    for e in range(EDGES):
        rate = w[FORCE + EDGE_WAY[e] * W + i]
        w[OUT + EDGE_FROM[e] * W + i] += rate
        w[BASIS + (EDGE_FROM[e] * NODES + EDGE_TO[e]) * W + i] += rate
    for e in range(LOSSES):
        w[OUT + LOSS_NODE[e] * W + i] += w[FORCE + LOSS_WAY[e] * W + i]
    top = 0.0
    for a in range(NODES):
        top = max(top, w[OUT + a * W + i])
    squarings = 0
    part = h / THETA
    while top * part > 1.0 and squarings < MOST_SQUARINGS:
        part *= 0.5
        squarings += 1
    for a in range(NODES):
        for b in range(NODES):
            w[BASIS + (a * NODES + b) * W + i] *= part
        w[BASIS + (a * NODES + a) * W + i] += 1.0 - part * w[OUT + a * W + i]
    return squarings


@block
def keep(w, i, source, level):
    """I_0 and, at the top, all moments of a source from FRESH."""
    for b in range(NODES):
        w[SEEN + ((source * LEVELS + level) * NODES + b) * W + i] = w[FRESH + b * W + i]
    if level == 0:
        for j in range(5):
            for b in range(NODES):
                w[MOMENT + ((source * 5 + j) * NODES + b) * W + i] = w[FRESH + (j * NODES + b) * W + i]


@block
def moments(w, i, source, squarings):
    """The integrals I_j of a source, its own pass over the levels: matrices of the levels are in PROPAGATOR."""
    start = GOAL_NODE[GOAL_AT[SOURCE_PLAIN[source]]]
    for b in range(NODES):
        w[SPARE + b * W + i] = 1.0 if b == start else 0.0  # a row of B**k
        for j in range(5):
            w[FRESH + (j * NODES + b) * W + i] = 0.0
    for k in range(SERIES + 1):
        for b in range(LOW[start], NODES):
            for j in range(5):
                w[FRESH + (j * NODES + b) * W + i] += WEIGHT[k * 5 + j] * w[SPARE + b * W + i]
        step(w, i, SPARE, BASIS, start)


@block
def step(w, i, row, matrix, start):
    """A row vector that is zero before the block of `start` times a matrix, in place: from the last column on."""
    for y in range(NODES - 1, -1, -1):
        if LOW[y] == y and y >= LOW[start]:  # the columns of a block together
            for x in range(y, HIGH[y]):
                total = 0.0
                for z in range(LOW[start], HIGH[y]):
                    total += w[row + z * W + i] * w[matrix + (z * NODES + x) * W + i]
                w[SPARE + (NODES + x) * W + i] = total
            for x in range(y, HIGH[y]):
                w[row + x * W + i] = w[SPARE + (NODES + x) * W + i]


@block
def double(w, i, matrix, start):
    """The moments in FRESH, of twice the step, from those of the step and the matrix of the step."""
    for j in range(4, -1, -1):
        # from the top: what is added is of lower order and still that of the step
        for b in range(NODES):
            total = 0.0
            for m in range(j + 1):
                total += PASCAL[j * 5 + m] * w[FRESH + (m * NODES + b) * W + i]
            w[SPARE + (2 * NODES + b) * W + i] = total
        step(w, i, FRESH + j * NODES * W, matrix, start)
        half = 0.5 ** (j + 1)
        for b in range(NODES):
            w[FRESH + (j * NODES + b) * W + i] = half * (
                w[FRESH + (j * NODES + b) * W + i] + w[SPARE + (2 * NODES + b) * W + i]
            )


@block
def propagate(w, i, h):
    """Fills all of this page's rows for lane i and a step of h days from its forces."""
    squarings = basis(w, i, h)
    depth = min(squarings, LEVELS - 1)
    w[DEPTH + i] = depth
    # the Taylor polynomial by Horner, between SPARE and the place of the result
    here = PROPAGATOR + (squarings if squarings < LEVELS else 0) * SQUARE
    for a in range(NODES):
        for b in range(NODES):
            w[here + (a * NODES + b) * W + i] = TAYLOR[SERIES] if a == b else 0.0
    for k in range(SERIES - 1, -1, -1):
        multiply(w, i, here, BASIS, SPARE)
        for a in range(NODES):
            for b in range(LOW[a], NODES):  # SPARE is used for other things as well
                w[here + (a * NODES + b) * W + i] = w[SPARE + (a * NODES + b) * W + i] + (TAYLOR[k] if a == b else 0.0)
    for source in range(SOURCES):
        if SOURCE_PLAIN[source] >= 0:
            moments(w, i, source, squarings)
            for j in range(5):
                for b in range(NODES):
                    w[MOMENT + ((source * 5 + j) * NODES + b) * W + i] = w[FRESH + (j * NODES + b) * W + i]
            if squarings < LEVELS:
                keep(w, i, source, squarings)
    for t in range(squarings):
        level = squarings - t - 1
        goal = PROPAGATOR + level * SQUARE if level < LEVELS else PROPAGATOR
        for source in range(SOURCES):
            if SOURCE_PLAIN[source] >= 0:
                start = GOAL_NODE[GOAL_AT[SOURCE_PLAIN[source]]]
                for j in range(5):
                    for b in range(NODES):
                        w[FRESH + (j * NODES + b) * W + i] = w[MOMENT + ((source * 5 + j) * NODES + b) * W + i]
                double(w, i, here, start)
                for j in range(5):
                    for b in range(NODES):
                        w[MOMENT + ((source * 5 + j) * NODES + b) * W + i] = w[FRESH + (j * NODES + b) * W + i]
                if level < LEVELS:
                    keep(w, i, source, level)
        if goal == here:
            multiply(w, i, here, here, SPARE)
            for a in range(NODES):
                for b in range(LOW[a], NODES):
                    w[here + (a * NODES + b) * W + i] = w[SPARE + (a * NODES + b) * W + i]
        else:
            multiply(w, i, here, here, goal)
        here = goal
    divide(w, i)


@block
def divide(w, i):
    """Of each plain species, the shares in which its ways are drawn one after the other."""
    for p in range(PLAINS):
        start = GOAL_NODE[GOAL_AT[p]]
        left = 0.0
        for k in range(GOAL_AT[p], GOAL_AT[p + 1]):
            left += w[PROPAGATOR + (start * NODES + GOAL_NODE[k]) * W + i]
        left = max(1.0 - left, 0.0) if MORTAL[p] == 1 else 0.0
        for k in range(GOAL_AT[p + 1] - 1, GOAL_AT[p] - 1, -1):
            mine = w[PROPAGATOR + (start * NODES + GOAL_NODE[k]) * W + i]
            both = left + mine
            few = mine if mine <= left else left
            few = few / both if both > 0.0 else 0.0
            w[SHARE + (4 * k + 3) * W + i] = 0.0 if mine <= left else 1.0
            w[SHARE + 4 * k * W + i] = few
            w[SHARE + (4 * k + 1) * W + i] = few / (1.0 - few)
            w[SHARE + (4 * k + 2) * W + i] = log1p_(-few)
            left = both
