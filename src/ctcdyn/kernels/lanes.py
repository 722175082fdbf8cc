"""Stop, serve, refill: the one loop in which every solver advances W lanes.

Each lane is one trajectory on its way to its own next stop: a scheduled event, a condition that became true, the end
of a window, or the end of the run. `sweep` moves all lanes at once and raises a flag where one needs service; a
flagged lane is served at once in scalar code, the others do not wait, and a lane that is done takes the next id. Saves
are not interrupts: they are read from what is known of the path and change nothing in it.

`loop` makes the kernel of a solver from its hooks:

- `begin(w, v, i, seed, number, setting) -> status` starts a lane whose state, parameters and time are in place; its
  random streams have the address (seed, number, purpose);
- `prepare(w, v, i, t, setting, changed) -> time` after a stop at t: the solver's own next stop (inf if none);
- `sweep(w, v, setting) -> flags` one step of every lane; FLAG rows of v: 0 nothing, CALLED, FIRED, or FAILED + status;
- `reach(w, v, i) -> time` up to which the path of a flagged lane is known (dense: of one whose condition became true);
- `ready(w)` prepares `read` for all lanes, once after each sweep that flagged one;
- `read(w, i, t)` puts the state of lane i at a time it has passed into HERE;
- `arrive(w, v, book, i, t) -> bits` puts the lane at t and applies what is due there.

`dense` says that a sweep is a step of known length (ODE); otherwise it is an event, and the state stands still between.
`counted` says that one sweep is not the same for all lanes: the solver counts the work of each in WORK.
"""

import numpy as np
from numba import int64, uint64

from ctcdyn.kernels.contract import (
    DISCRETE,
    FREE,
    GUARDED,
    HERE,
    LOGS,
    NUMBERED,
    PARAMETERS,
    PARTITIONED,
    PASSAGES,
    PASSED,
    PASSING,
    READINGS,
    REAL,
    SPECIES,
    TIME,
    TIMED,
    WHOLE,
    Q,
    W,
    X,
    apply,
    coefficients,
    initial,
    observe,
    partition,
    schedule,
    upcoming,
)
from ctcdyn.kernels.machine import bits_from_float, block, kernel, lane

# Rows of the work buffer w that belong to the loop
STOP = FREE  # next stop of the lane, days
NEXT = FREE + W  # the earlier of STOP and the next save; -inf for an idle lane
REFUSED = FREE + 2 * W  # candidates of thinning that were no event
BUDGET = FREE + 3 * W  # unit-exponential hazard left before the next event, of solvers that have events
WORK = FREE + 4 * W  # steps and events of the lane, where the solver counts them itself
OWN = FREE + 5 * W  # first row of the solver

# Rows of the generator buffer v: four for each stream, then the flags
FLAG = 4 * W
OWN_WORDS = 5 * W  # first row of the solver
WORDS = 12 * W  # length of v
CALLED, FIRED, FAILED = 1, 2, 16

# Rows of the lane bookkeeping n, int64
NUMBER = 0  # position of the trajectory in the range, -1 for an idle lane
SAVE = W  # next save
SINCE = 2 * W  # sweep at which the lane was loaded
CALLS = 3 * W  # sweeps that only reached a stop or save
NOTES = 4 * W  # length of n

# The task, int64: what the range is and how far the call is
COUNT, FIRST, ARMS, SEED, ASKED, SWEEPS, IDLE, SLOTS, STEP_CAP, EVENT_CAP, PATIENCE = range(11)

# The setting, float64
START, END, RTOL, ATOL, WINDOW, FIRST_STEP, LONGEST_STEP, LEAP_CHANGE, SWITCH_UP, SWITCH_DOWN = range(10)

LEAF = 256  # trajectories of a leaf of the reduction tree
DONE, LEAF_READY, HALTED = 0, 1, 2  # why a call returned
LARGEST_COUNT = 9007199254740992.0  # 2**53: whole numbers above are not exact
POLL = 1024  # sweeps between looks at the halt word and the caps

# Statuses of ctcdyn.errors.Status
OK, EXTINCT, NOT_FINITE, STEP_LIMIT, EVENT_LIMIT, OVERFLOW, LOG_FULL, STOPPED = 0, 1, 2, 4, 5, 6, 7, 8


@lane
def put(w, i, t, out, at):
    """The state in HERE and its readings at t to one row of the output."""
    observe(w, i, t)
    for s in range(SPECIES + READINGS):
        out[uint64(at) + uint64(s)] = w[HERE + s]  # unsigned: a signed index is looked at for its sign


@block
def record(w, i, out, at, t):
    """The state of lane i as it stands, and its readings at t, to one row of the output."""
    for s in range(SPECIES):
        w[HERE + s] = w[X + s * W + i]
    put(w, i, t, out, at)


@block
def sound(w, i):
    """OK where every number of the state is one; whole counts must not be negative or beyond exact integers."""
    code = OK
    for s in range(SPECIES):
        x = w[X + s * W + i]
        whole = (WHOLE and not REAL[s]) or (PARTITIONED and w[DISCRETE + s * W + i] > 0.0)
        if not (abs(x) < np.inf) or (whole and x < 0.0):
            code = NOT_FINITE
        elif whole and x >= LARGEST_COUNT:
            code = OVERFLOW
    return code


@block
def hand_over(w, book, i, k, code, spent, t, status, work, final, passed, ended, log, logged):
    """What trajectory k leaves behind besides its path."""
    status[k] = code
    work[k] = spent if code == EVENT_LIMIT else spent - int64(w[REFUSED + i])
    ended[k] = t
    for s in range(SPECIES):
        w[HERE + s] = w[X + s * W + i]
    if PASSING:
        observe(w, i, t)
    for s in range(final.shape[1]):  # the species that are shown, or hidden counters as well
        final[k, s] = w[HERE + s] if code == OK or code == EXTINCT or code == STOPPED else np.nan
    for s in range(PASSAGES):
        passed[k, s] = w[PASSED + s * W + i]
    logged[k] = int64(book[i])
    for s in range(min(logged[k], LOGS) * 3):
        log[k, s] = book[W + i * LOGS * 3 + s]


@block
def earliest(a, b, c):
    a = b if b < a else a
    return c if c < a else a


def loop(begin, prepare, sweep, reach, ready, read, arrive, dense, counted=False):
    """The kernel of a solver: see the head of this module for the hooks."""

    @block
    def load(w, v, n, book, task, setting, values, i, k):
        """Put trajectory k of the range into lane i; FLAG says FAILED + status if it cannot start."""
        n[NUMBER + i] = k
        n[SAVE + i] = 0
        n[SINCE + i] = task[SWEEPS]
        n[CALLS + i] = 0
        book[i] = 0.0
        w[REFUSED + i] = 0.0
        w[WORK + i] = 0.0
        for q in range(PARAMETERS):
            w[Q + q * W + i] = values[k if values.shape[0] > 1 else 0, q]
        t = setting[START]
        w[TIME + i] = t
        initial(w, i)
        if PARTITIONED:
            partition(w, i, setting[SWITCH_UP], setting[SWITCH_DOWN])
        schedule(w, i, t)
        coefficients(w, i)
        bits = apply(w, book, i, t)
        number = uint64((task[FIRST] + k) // task[ARMS])
        if NUMBERED:
            number = bits_from_float(values[k, PARAMETERS])
        code = begin(w, v, i, uint64(task[SEED]), number, setting)
        limit = prepare(w, v, i, t, setting, 1)
        w[STOP + i] = earliest(upcoming(w, i), limit, setting[END])
        w[NEXT + i] = w[STOP + i]
        if sound(w, i) != OK:
            code = sound(w, i)
        elif bits & 4 != 0:
            code = NOT_FINITE
        elif bits & 2 != 0:
            code = STOPPED
        if code != OK:
            v[FLAG + i] = uint64(FAILED + code)
        return code

    @kernel
    def run(
        w, v, n, book, task, setting, values, grid, out, slot, left, free,
        status, work, final, passed, ended, log, logged, halt,
    ):  # fmt: skip
        """Advance the range until a leaf is complete, the halt word is set, or all is done; call again to go on.

        values (1 or count, PARAMETERS); grid (T,) days; out (slots * LEAF * T * (SPECIES + READINGS),); slot, left
        (leaves,): buffer of an open leaf or -1, trajectories still to finish; free (slots,) stack of buffers; by
        trajectory: status u1, work i8 (steps or events), final (SHOWN, or SPECIES), passed (PASSAGES), ended days,
        log (LOGS * 3).
        """
        saves = grid.shape[0]
        columns = SPECIES + READINGS
        end = setting[END]
        cap = task[STEP_CAP] if dense else task[EVENT_CAP]
        ready_leaves = 0
        vacant = True  # look for idle lanes to fill
        while True:
            refused = False
            if vacant:
                vacant = False
                for i in range(W):
                    v[FLAG + i] = uint64(0)
                for i in range(W):
                    k = task[ASKED]
                    if n[NUMBER + i] >= 0 or k >= task[COUNT]:
                        continue
                    if slot[k // LEAF] < 0:
                        if task[SLOTS] == 0:
                            continue
                        task[SLOTS] -= 1
                        slot[k // LEAF] = free[task[SLOTS]]
                    task[ASKED] += 1
                    task[IDLE] -= 1
                    if load(w, v, n, book, task, setting, values, i, k) != OK:
                        refused = True
                    elif saves > 0 and grid[0] < w[NEXT + i]:
                        w[NEXT + i] = grid[0]
            if task[IDLE] == W:
                return LEAF_READY if ready_leaves > 0 else DONE

            poll = False
            if not refused:
                task[SWEEPS] += 1
                flags = sweep(w, v, setting)
                poll = task[SWEEPS] % POLL == 0
                if poll:
                    task[PATIENCE] -= 1
                elif flags <= uint64(task[IDLE]):
                    continue
                if dense:
                    ready(w)

            for i in range(W):
                k = n[NUMBER + i]
                if k < 0:
                    continue
                flag = v[FLAG + i]
                spent = task[SWEEPS] - n[SINCE + i]
                if counted:
                    spent = int64(w[WORK + i])
                elif not dense:
                    spent -= n[CALLS + i] + (1 if flag == uint64(CALLED) else 0)
                if flag == uint64(0) and spent <= cap:
                    continue
                code = -1
                base = (slot[k // LEAF] * LEAF + k % LEAF) * saves * columns
                if spent > cap:
                    # looked at first and ended at the last save: who noticed when must not matter
                    code = STEP_LIMIT if dense else EVENT_LIMIT
                    w[TIME + i] = grid[n[SAVE + i] - 1] if n[SAVE + i] > 0 else setting[START]
                elif flag >= uint64(FAILED):
                    code = int64(flag) - FAILED
                else:
                    fired = flag == uint64(FIRED)
                    known = w[TIME + i]
                    if not dense or (GUARDED and fired):
                        known = reach(w, v, i)
                    stop = w[STOP + i]
                    stops = fired or (known >= stop if dense else known > stop)
                    until = known if fired or dense or known < stop else stop
                    if known != known:
                        code = NOT_FINITE
                    elif known == np.inf and not TIMED and upcoming(w, i) == np.inf:
                        code = EXTINCT  # nothing can happen any more: all saves are the state as it stands
                        until = np.inf
                    elif not dense and not fired:
                        n[CALLS + i] += 1
                        if sound(w, i) != OK:
                            code = sound(w, i)
                            until = -np.inf  # nothing that is unsound is saved
                    j = n[SAVE + i]
                    while j < saves and (grid[j] < until or (dense and not stops and grid[j] == until)):
                        read(w, i, grid[j])
                        put(w, i, grid[j], out, base + j * columns)
                        j += 1
                    n[SAVE + i] = j
                    if stops and code < 0:
                        t = known if fired else stop
                        bits = arrive(w, v, book, i, t)
                        if bits & 4 != 0:
                            code = NOT_FINITE
                        elif bits & 2 != 0:
                            code = STOPPED
                        elif t >= end:
                            code = OK
                        else:
                            limit = prepare(w, v, i, t, setting, bits & 1)
                            w[STOP + i] = earliest(upcoming(w, i), limit, end)
                if LOGS > 0 and book[i] > LOGS:
                    code = LOG_FULL
                if code < 0:
                    w[NEXT + i] = w[STOP + i]
                    if n[SAVE + i] < saves and grid[n[SAVE + i]] < w[STOP + i]:
                        w[NEXT + i] = grid[n[SAVE + i]]
                    continue

                # the lane is done: complete its rows, hand them over, free it
                for j in range(n[SAVE + i], saves):
                    if code == OK:
                        record(w, i, out, base + j * columns, grid[j])
                    else:
                        for s in range(columns):
                            out[base + j * columns + s] = np.nan
                spent = spent if spent <= cap else cap + 1
                t = end if code == OK or code == EXTINCT else w[TIME + i]
                hand_over(w, book, i, k, code, spent, t, status, work, final, passed, ended, log, logged)
                n[NUMBER + i] = -1
                w[NEXT + i] = -np.inf
                task[IDLE] += 1
                vacant = True
                left[k // LEAF] -= 1
                if left[k // LEAF] == 0:
                    ready_leaves += 1
            if ready_leaves > 0:
                return LEAF_READY
            if poll and (halt[0] != 0 or task[PATIENCE] <= 0):
                return HALTED

    return run
