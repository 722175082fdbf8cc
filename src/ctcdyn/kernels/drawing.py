"""The draws of a step: those that every lane makes, packed, then what is rare, cell by cell."""

from ctcdyn.kernels.addresses import two_draws
from ctcdyn.kernels.cells import (
    DEEP,
    NEW,
    SPAN,
    TOP,
    clear,
    end,
    enter,
    fresh,
    grow,
    leave,
    meet,
    meet_source,
    push,
    share,
    thin,
)
from ctcdyn.kernels.contract import (
    BURST_WAY,
    BURSTING,
    BURSTS,
    EXPORTING,
    FORCE,
    FOUNDING,
    GAIN_AT,
    GAIN_ROW,
    GAIN_STEP,
    GOAL_AT,
    GOAL_NODE,
    GROWER_ROW,
    GROWERS,
    GUARDED,
    NODE_GAIN_AT,
    NODE_GAIN_ROW,
    NODE_GAIN_STEP,
    NODE_KIND,
    NODE_WHAT,
    NODES,
    PLAIN_ROW,
    PLAINS,
    SOURCE_GROWER,
    SOURCE_PLAIN,
    SOURCE_WAY,
    SOURCES,
    SPECIES,
    UNTRACED,
    WAY_FOUNDER,
    W,
    X,
)
from ctcdyn.kernels.counts import POISSON
from ctcdyn.kernels.descent import budget
from ctcdyn.kernels.foundings import found
from ctcdyn.kernels.inversion import CELL, OUTCOME, cell, draw_binomial, draw_geometric, draw_poisson, number
from ctcdyn.kernels.laws import (
    LAWS,
    MASSED,
    MEAN,
    MISSED,
    SAFE,
    STAYS,
)
from ctcdyn.kernels.machine import block
from ctcdyn.kernels.propagator import GOALS, SHARE

ACTIVE = LAWS  # 1 where the lane takes a step
RARE = ACTIVE + W  # cells that are to be followed one by one
SPENT = ACTIVE + 2 * W  # hazard until something is met, of each grower
MEETS = SPENT + GROWERS * W  # cells of a grower of which one meets something in the step
MET = MEETS + GROWERS * W  # number of the grower that meets something just at the end of the step, or -1
CAME = MET + W  # cells at each end of a way
BROUGHT = CAME + GOALS * W  # cells of each source at each node
EACH_SOURCE = max(NODES, 1)  # a founder needs a row where there are no nodes at all
TAILS = BROUGHT + SOURCES * EACH_SOURCE * W  # signed tails of the step
EACH_GROWER = 3 if EXPORTING else 2
DRAWS_EACH = EACH_GROWER * GROWERS + GOALS + SOURCES * NODES + UNTRACED
DRAWN = TAILS + (DRAWS_EACH + 1) * W


@block
def draw_all(w, v):
    """The draws of the step that all lanes make, transition by transition."""
    for pair in range((DRAWS_EACH + 1) // 2):
        for i in range(W):
            a, b = two_draws(v, i, pair, 0)
            w[cell(TAILS + 2 * pair * W, i)] = a
            w[cell(TAILS + (2 * pair + 1) * W, i)] = b
    for s in range(SPECIES):
        for i in range(W):
            w[cell(NEW + s * W, i)] = w[cell(X + s * W, i)]
    for i in range(W):
        w[RARE + i] = w[ACTIVE + i] if BURSTING else 0.0
    for g in range(GROWERS):
        grow_all(w, g, TAILS + EACH_GROWER * g * W)
    u = TAILS + EACH_GROWER * GROWERS * W
    for p in range(PLAINS):
        row = PLAIN_ROW[p]
        for i in range(W):
            w[CELL + i] = w[cell(X + row * W, i)] * w[ACTIVE + i]
            w[cell(NEW + row * W, i)] -= w[CELL + i]
    for p in range(PLAINS):
        row = PLAIN_ROW[p]
        for i in range(W):
            w[CELL + i] = w[cell(X + row * W, i)] * w[ACTIVE + i]
        for k in range(GOAL_AT[p], GOAL_AT[p + 1]):
            draw_binomial(w, SHARE + 4 * k * W, u)
            u += W
            place_count(w, GOAL_NODE[k], CAME + k * W)
    for k in range(SOURCES):
        if SOURCE_PLAIN[k] >= 0:
            for b in range(NODES):
                for i in range(W):
                    w[CELL + i] = w[cell(MEAN + (k * NODES + b) * W, i)] * w[ACTIVE + i]
                draw_poisson(w, u)
                u += W
                place_count(w, b, BROUGHT + (k * EACH_SOURCE + b) * W)
                count(w, k)
        if SOURCE_PLAIN[k] < 0 or GAIN_AT[SOURCE_WAY[k] + 1] > GAIN_AT[SOURCE_WAY[k]]:
            for i in range(W):
                w[CELL + i] = w[cell(MISSED + k * W, i)] * w[ACTIVE + i]
            draw_poisson(w, u)
            u += W
            count(w, k)
            if SOURCE_GROWER[k] >= 0 or (FOUNDING and WAY_FOUNDER[SOURCE_WAY[k]] >= 0):
                for i in range(W):
                    w[cell(BROUGHT + k * EACH_SOURCE * W, i)] = w[OUTCOME + i]
                    w[RARE + i] += w[OUTCOME + i]


@block
def place_count(w, node, row):
    """The number just drawn, at a node: into the state, or to what is followed one by one."""
    if NODE_KIND[node] == 0:
        goal = NEW + PLAIN_ROW[NODE_WHAT[node]] * W
        for i in range(W):
            w[cell(goal, i)] += w[OUTCOME + i]
    elif NODE_KIND[node] > 1:
        for i in range(W):
            w[cell(row, i)] = w[OUTCOME + i]
            w[RARE + i] += w[OUTCOME + i]
    for x in range(NODE_GAIN_AT[node], NODE_GAIN_AT[node + 1]):
        goal = NEW + NODE_GAIN_ROW[x] * W
        for i in range(W):
            w[cell(goal, i)] += NODE_GAIN_STEP[x] * w[OUTCOME + i]


@block
def count(w, k):
    """What a source adds to what only adds up, for the number just drawn."""
    for x in range(GAIN_AT[SOURCE_WAY[k]], GAIN_AT[SOURCE_WAY[k] + 1]):
        for i in range(W):
            w[cell(NEW + GAIN_ROW[x] * W, i)] += GAIN_STEP[x] * w[OUTCOME + i]


@block
def grow_all(w, g, u):
    """Lines of a grower in every lane; where one of them meets something they are followed to it."""
    row = GROWER_ROW[g]
    for i in range(W):
        n = w[cell(X + row * W, i)] * w[ACTIVE + i]
        w[cell(NEW + row * W, i)] -= n
        w[CELL + i] = n
    if EXPORTING:
        for i in range(W):
            spend = budget(w[cell(u, i)])
            n = w[CELL + i]
            meets = (spend < w[cell(SAFE + g * W, i)] * n) & (w[cell(MASSED + g * W, i)] == 0.0)
            if GUARDED:
                meets = meets | ((w[MET + i] == g) & (w[ACTIVE + i] > 0.0))
            w[cell(SPENT + g * W, i)] = spend
            w[cell(MEETS + g * W, i)] = n if meets else 0.0
            w[CELL + i] = 0.0 if meets else n
            w[RARE + i] += (1.0 if meets else 0.0) + w[cell(MASSED + g * W, i)] * w[ACTIVE + i]
        u += W
    draw_binomial(w, STAYS + 6 * g * W, u)
    for i in range(W):
        w[CELL + i] = w[OUTCOME + i]
        w[cell(NEW + row * W, i)] += w[OUTCOME + i]
    draw_geometric(w, STAYS + (6 * g + 4) * W, u + W)
    for i in range(W):
        w[cell(NEW + row * W, i)] += w[OUTCOME + i]


@block
def follow(w, v, i):
    """What is rare in the step of lane i; false where the stack overflowed."""
    if w[RARE + i] > 0.0:
        for p in range(PLAINS):
            for k in range(GOAL_AT[p], GOAL_AT[p + 1]):
                if NODE_KIND[GOAL_NODE[k]] > 1:
                    for _ in range(int(w[CAME + k * W + i])):
                        end(w, i, GOAL_NODE[k], meet(w, i, GOAL_NODE[GOAL_AT[p]], GOAL_NODE[k], 0, 0.0, share(w, v, i)))
                        clear(w, v, i)
        for k in range(SOURCES):
            if SOURCE_PLAIN[k] >= 0:
                for b in range(NODES):
                    if NODE_KIND[b] > 1:
                        for _ in range(int(w[BROUGHT + (k * EACH_SOURCE + b) * W + i])):
                            end(w, i, b, meet_source(w, i, k, b, share(w, v, i)))
                            clear(w, v, i)
            elif SOURCE_GROWER[k] >= 0:
                for _ in range(int(w[BROUGHT + k * EACH_SOURCE * W + i])):
                    push(w, i, PLAINS + SOURCE_GROWER[k], w[SPAN + i] - enter(w, v, i, k))
                    clear(w, v, i)
            elif FOUNDING and WAY_FOUNDER[SOURCE_WAY[k]] >= 0:
                for _ in range(int(w[BROUGHT + k * EACH_SOURCE * W + i])):
                    found(w, i, SOURCE_WAY[k], enter(w, v, i, k))
        for g in range(GROWERS):
            if EXPORTING and w[MEETS + g * W + i] > 0.0:
                grow(w, v, i, g, w[MEETS + g * W + i], w[SPAN + i], w[SPENT + g * W + i], w[MET + i] == g)
                clear(w, v, i)
    for k in range(BURSTS if BURSTING else 0):
        for _ in range(
            int(number(fresh(w, v, i), 1.0, w[FORCE + BURST_WAY[k] * W + i] * w[SPAN + i], POISSON))
        ):
            leave(w, i, BURST_WAY[k], w[SPAN + i] * share(w, v, i))
            clear(w, v, i)
    if EXPORTING:
        for k in range(GROWERS):
            g = GROWERS - 1 - k
            if w[MASSED + g * W + i] > 0.0:
                thin(w, v, i, NEW, g, 0.5 * w[SPAN + i], False)
    return w[TOP + i] <= DEEP
