"""Cells that are followed one by one through the rest of a step: what arrives where cells divide, and what branches.

A cell that meets an end of its way within the step does so at a time drawn by halving the step: in which half, and
where the cell was in the middle, has known probabilities (`propagator` keeps the matrices). From then on the rest of
the step is simulated exactly: a grower by the law of its line up to the first thing it meets, a plain cell reaction by
reaction. What they leave behind waits on a stack. Draws are addressed by the step and numbered within it.
"""

import numpy as np

from ctcdyn.kernels.addresses import two_draws
from ctcdyn.kernels.contract import (
    BIRTH_AT,
    BIRTH_WAY,
    DEATH_AT,
    DEATH_WAY,
    EXPORT_AT,
    EXPORT_WAY,
    EXPORTING,
    FORCE,
    FOUNDING,
    GAIN_AT,
    GAIN_ROW,
    GAIN_STEP,
    GOAL_AT,
    GOAL_NODE,
    GROWER_ROW,
    LIVE_AT,
    LIVE_CELL,
    NODE_GAIN_AT,
    NODE_GAIN_ROW,
    NODE_GAIN_STEP,
    NODE_KIND,
    NODE_WHAT,
    NODES,
    PLAIN_ROW,
    PLAINS,
    SOURCE_PLAIN,
    SOURCES,
    SPECIES,
    STEP_OF_AT,
    STEP_OF_WAY,
    WAY_FOUNDER,
    W,
)
from ctcdyn.kernels.counts import NEGATIVE, POISSON
from ctcdyn.kernels.descent import budget, line, meeting
from ctcdyn.kernels.foundings import FOUNDINGS, MOST_FOUND, found
from ctcdyn.kernels.inversion import number, successes
from ctcdyn.kernels.lanemath import exp_, expm1_
from ctcdyn.kernels.machine import block
from ctcdyn.kernels.propagator import DEPTH, LEVELS, PROPAGATOR, SEEN, SQUARE

NEW = FOUNDINGS  # state at the end of the step
POLY = NEW + SPECIES * W  # rate of each source: coefficients of powers of the share of the step
SPAN = POLY + 5 * SOURCES * W  # length of the step, days
SLOT = SPAN + W  # draws of the step so far, of those that are numbered
TWIN = SLOT + W  # the second of two draws
TOP = TWIN + W  # cells on the stack
STACK = TOP + W  # (cell, time that is left), the same place for all lanes
DEEP = 256 * W  # cells that the stack holds; of 32 W a toy patient in 100 000 needed more
CELLS = STACK + 2 * DEEP

SINGLE = 1  # kind of draws that are numbered


@block
def fresh(w, v, i):
    """The next numbered draw of the step of lane i, a signed tail; they come in twos."""
    slot = int(w[SLOT + i])
    w[SLOT + i] += 1.0
    if slot % 2 == 1:
        return w[TWIN + i]
    a, b = two_draws(v, i, slot // 2, SINGLE)
    w[TWIN + i] = b
    return a


@block
def share(w, v, i):
    """The next numbered draw as a number in (0, 1)."""
    u = fresh(w, v, i)
    return u if u > 0.0 else 1.0 + u


@block
def tail_of(u):
    """A number of (0, 1) as a signed tail."""
    u = min(max(u, 1e-300), 1.0 - 2.0**-53)
    return u if u <= 0.5 else u - 1.0


@block
def push(w, i, cell, rest):
    """A cell with so many days left; the stack overflows into a mark that ends the trajectory."""
    at = int(w[TOP + i])
    if at < DEEP:
        w[STACK + 2 * at] = cell
        w[STACK + 2 * at + 1] = rest
    w[TOP + i] += 1.0


@block
def gain(w, i, way, times):
    """What a reaction adds to what only adds up."""
    for k in range(GAIN_AT[way], GAIN_AT[way + 1]):
        w[NEW + GAIN_ROW[k] * W + i] += GAIN_STEP[k] * times


@block
def mark(w, i, node, times):
    """What was counted on the way to a node."""
    for k in range(NODE_GAIN_AT[node], NODE_GAIN_AT[node + 1]):
        w[NEW + NODE_GAIN_ROW[k] * W + i] += NODE_GAIN_STEP[k] * times


@block
def leave(w, i, way, rest):
    """All that a reaction leaves of its cell, onto the stack."""
    gain(w, i, way, 1.0)
    found(w, i, way, w[SPAN + i] - rest)
    for k in range(LIVE_AT[way], LIVE_AT[way + 1]):
        push(w, i, LIVE_CELL[k], rest)


@block
def roam(w, v, i, p, rest):
    """A plain cell to the end of the step or to its next reaction, which is put on the stack."""
    total = 0.0
    for k in range(STEP_OF_AT[p], STEP_OF_AT[p + 1]):
        total += w[FORCE + STEP_OF_WAY[k] * W + i]
    wait = budget(fresh(w, v, i)) / total if total > 0.0 else np.inf
    if wait >= rest:
        w[NEW + PLAIN_ROW[p] * W + i] += 1.0
        return
    left = total * share(w, v, i)
    way = STEP_OF_WAY[STEP_OF_AT[p + 1] - 1]
    for k in range(STEP_OF_AT[p], STEP_OF_AT[p + 1]):
        left -= w[FORCE + STEP_OF_WAY[k] * W + i]
        if left < 0.0:
            way = STEP_OF_WAY[k]
            break
    leave(w, i, way, rest - wait)


@block
def exported(w, i, g):
    """Rate of all that a cell of a grower meets besides division and death."""
    total = 0.0
    for k in range(EXPORT_AT[g], EXPORT_AT[g + 1]):
        total += w[FORCE + EXPORT_WAY[k] * W + i]
    return total


@block
def divided(w, i, g):
    total = 0.0
    for k in range(BIRTH_AT[g], BIRTH_AT[g + 1]):
        total += w[FORCE + BIRTH_WAY[k] * W + i]
    return total


@block
def died(w, i, g):
    total = 0.0
    for k in range(DEATH_AT[g], DEATH_AT[g + 1]):
        total += w[FORCE + DEATH_WAY[k] * W + i]
    return total


@block
def grow(w, v, i, g, n, rest, spend, met):
    """n cells of a grower to the end of the step, meeting by meeting; spend: the hazard until the first of them;
    met: that one is at the end.
    """
    b = divided(w, i, g)
    d = died(w, i, g)
    c = exported(w, i, g)
    while n > 0.0:
        t = np.inf
        if c > 0.0:
            t = rest if met else meeting(b, d, c, -expm1_(-spend / n))
        _, alive, gone, extra = line(b, d, c, min(t, rest))
        if t >= rest and not met:
            if n == 1.0:
                u = share(w, v, i)
                if u < gone:
                    n = 0.0
                elif (u - gone) * (1.0 + extra) > alive:
                    # what is left of the number is spread again, as a tail
                    n += number(tail_of((u - gone) / alive), 1.0, extra, NEGATIVE)
                break
            there = successes(fresh(w, v, i), n, alive, gone)
            n = there + number(fresh(w, v, i), there, extra, NEGATIVE)
            break
        # the line that meets something is chosen by its size: two geometric numbers more
        there = successes(fresh(w, v, i), n - 1.0, alive, gone)
        n = there + 1.0 + number(fresh(w, v, i), there + 2.0, extra, NEGATIVE)
        rest -= t
        left = c * share(w, v, i)
        way = EXPORT_WAY[EXPORT_AT[g + 1] - 1]
        for k in range(EXPORT_AT[g], EXPORT_AT[g + 1]):
            left -= w[FORCE + EXPORT_WAY[k] * W + i]
            if left < 0.0:
                way = EXPORT_WAY[k]
                break
        gain(w, i, way, 1.0)
        found(w, i, way, w[SPAN + i] - rest)
        n -= 1.0
        for k in range(LIVE_AT[way], LIVE_AT[way + 1]):
            if LIVE_CELL[k] == PLAINS + g:
                n += 1.0
            else:
                push(w, i, LIVE_CELL[k], rest)
        spend = budget(fresh(w, v, i))
        met = False
    w[NEW + GROWER_ROW[g] * W + i] += n


@block
def clear(w, v, i):
    """Follows every cell on the stack to the end of the step."""
    while w[TOP + i] > 0.0 and w[TOP + i] <= DEEP:
        w[TOP + i] -= 1.0
        at = int(w[TOP + i])
        cell = int(w[STACK + 2 * at])
        rest = w[STACK + 2 * at + 1]
        if cell < PLAINS:
            roam(w, v, i, cell, rest)
        else:
            spend = budget(fresh(w, v, i)) if EXPORTING else np.inf
            grow(w, v, i, cell - PLAINS, 1.0, rest, spend, False)


@block
def chance(w, i, level, a, b):
    """P[a, b] of the step divided by 2**level."""
    return w[PROPAGATOR + level * SQUARE + (a * NODES + b) * W + i]


@block
def meet(w, i, a, b, level, t, u):
    """Time in the step at which a cell got to end b: at time t, when a part of this level begins, it is at node a,
    and when that part ends in b. One number u of (0, 1) is enough for all halvings: what is left of it is spread again.
    """
    depth = int(w[DEPTH + i])
    part = w[SPAN + i] * 0.5**level
    while level < depth:
        level += 1
        part *= 0.5
        left = chance(w, i, level - 1, a, b) * u
        mine = chance(w, i, level, a, b)
        if left < mine:
            u = left / mine
            continue
        left -= mine
        t += part
        middle = a
        for z in range(NODES):
            if NODE_KIND[z] == 0:
                through = chance(w, i, level, a, z) * chance(w, i, level, z, b)
                if through > 0.0:
                    middle = z
                    u = min(left / through, 1.0)
                    if left < through:
                        break
                    left -= through
        a = middle
    return t + part * u


@block
def rate_at(w, i, source, x):
    """Rate of a source at a share x of the step."""
    total = 0.0
    for j in range(4, -1, -1):
        total = total * x + w[POLY + (source * 5 + j) * W + i]
    return max(total, 0.0)


@block
def meet_source(w, i, source, b, u):
    """Time in the step at which a cell that came from a source within it got to end b."""
    start = GOAL_NODE[GOAL_AT[SOURCE_PLAIN[source]]]
    depth = int(w[DEPTH + i])
    x = 0.0  # share of the step at which the part begins
    part = 1.0
    for level in range(1, depth + 1):
        part *= 0.5
        rows = SEEN + (source * LEVELS + level) * NODES * W + i
        first = rate_at(w, i, source, x + 0.5 * part)
        second = rate_at(w, i, source, x + 1.5 * part)
        early = first * w[rows + b * W]
        late = second * w[rows + b * W]
        total = early + late
        for z in range(NODES):
            if NODE_KIND[z] == 0:
                total += first * w[rows + z * W] * chance(w, i, level, z, b)
        left = total * u
        if left < early:
            u = left / early
            continue
        left -= early
        x += part
        if left < late:
            u = left / late
            continue
        left -= late
        middle = start
        for z in range(NODES):
            if NODE_KIND[z] == 0:
                through = first * w[rows + z * W] * chance(w, i, level, z, b)
                if through > 0.0:
                    middle = z
                    u = min(left / through, 1.0)
                    if left < through:
                        break
                    left -= through
        return meet(w, i, middle, b, level, x * w[SPAN + i], u)
    return (x + part * u) * w[SPAN + i]


@block
def enter(w, v, i, source):
    """Time in the step at which a cell came from a source, by rejection."""
    top = 0.0
    for k in range(9):
        top = max(top, rate_at(w, i, source, 0.125 * k))
    for _ in range(1000):
        x = share(w, v, i)
        if 1.1 * top * share(w, v, i) < rate_at(w, i, source, x):
            break
    return x * w[SPAN + i]


@block
def end(w, i, node, t):
    """A cell meets the end of its way, a grower or an event, at time t of the step."""
    if NODE_KIND[node] == 2:
        push(w, i, PLAINS + NODE_WHAT[node], w[SPAN + i] - t)
    else:
        leave(w, i, NODE_WHAT[node], w[SPAN + i] - t)


@block
def thin(w, v, i, rows, g, t, forward):
    """What many cells of a grower meet in t days, all at once (one factor of a splitting), in the state at `rows`."""
    count = EXPORT_AT[g + 1] - EXPORT_AT[g]
    for k in range(count):
        way = EXPORT_WAY[EXPORT_AT[g] + (k if forward else count - 1 - k)]
        rate = w[FORCE + way * W + i]
        if rate <= 0.0:
            continue
        own = 0.0
        for x in range(LIVE_AT[way], LIVE_AT[way + 1]):
            own += 1.0 if LIVE_CELL[x] == PLAINS + g else 0.0
        n = w[rows + GROWER_ROW[g] * W + i]
        u = fresh(w, v, i)
        if own == 0.0:
            met = successes(u, n, -expm1_(-rate * t), exp_(-rate * t))
        elif own == 1.0:
            met = number(u, 1.0, n * rate * t, POISSON)
        else:
            met = number(u, n, -expm1_(-rate * t) * exp_(rate * t), NEGATIVE)
        w[rows + GROWER_ROW[g] * W + i] = n + (own - 1.0) * met
        if FOUNDING and WAY_FOUNDER[way] >= 0:
            for _ in range(int(min(met, MOST_FOUND + 1.0))):
                found(w, i, way, (share(w, v, i) + (0.0 if forward else 1.0)) * 0.5 * w[SPAN + i])
        for x in range(GAIN_AT[way], GAIN_AT[way + 1]):
            w[rows + GAIN_ROW[x] * W + i] += GAIN_STEP[x] * met
        for x in range(LIVE_AT[way], LIVE_AT[way + 1]):
            cell = LIVE_CELL[x]
            if cell != PLAINS + g:
                row = PLAIN_ROW[cell] if cell < PLAINS else GROWER_ROW[cell - PLAINS]
                w[rows + row * W + i] += met
