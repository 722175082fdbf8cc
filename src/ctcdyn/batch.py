"""Trajectories that one kernel advances together: the lanes of a worker, and the rows that a call fills.

What `kernels.lanes` asks of its caller is here, for patients and for their lesions alike.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctcdyn import slabs
from ctcdyn.reduction import LEAF

SLICE = 256  # looks at the halt word in one call of a kernel: tens of milliseconds, in which no Ctrl-C is seen

Array = NDArray[Any]


class Lanes:
    """Buffers of one worker for one kernel, reused for all its batches."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.w = aligned(module.ROWS, np.float64)
        self.v = aligned(module.WORDS, np.uint64)
        self.n = np.full(module.NOTES, -1, np.int64)
        self.book = np.zeros(module.W * (1 + 3 * module.LOGS))
        self._log = np.empty(0)

    def logs(self, count: int) -> NDArray[np.float64]:
        """Logs of `count` trajectories, (count, LOGS * 3): what is beyond the entries of each is anything."""
        wide = self.module.LOGS * 3
        if len(self._log) < count * wide:
            self._log = slabs.hollow(8 * count * wide).view(np.float64)
        return self._log[: count * wide].reshape(count, wide)


class Batch:
    """`count` trajectories from number `first` on, and what becomes of each; `slots` buffers of open leaves.

    `reported`: state rows that `final` holds. The logs are those of the lanes: the next batch writes over them.
    """

    def __init__(
        self,
        lanes: Lanes,
        setting: NDArray[np.float64],
        caps: tuple[int, int],
        seed: int,
        count: int,
        slots: int,
        reported: int,
        first: int = 0,
        arms: int = 1,
    ) -> None:
        m = lanes.module
        leaves = -(-count // LEAF)
        self.lanes, self.setting = lanes, setting
        self.task = np.zeros(m.PATIENCE + 1, np.int64)
        self.task[m.COUNT], self.task[m.FIRST], self.task[m.ARMS] = count, first, arms
        self.task[m.SEED] = np.uint64(seed).astype(np.int64)
        self.task[m.IDLE], self.task[m.SLOTS], self.task[m.PATIENCE] = m.W, slots, SLICE
        self.task[m.STEP_CAP], self.task[m.EVENT_CAP] = caps
        self.slot = np.full(leaves, -1, np.int64)  # buffer of an open leaf
        self.left = np.minimum(LEAF, count - LEAF * np.arange(leaves))  # trajectories of a leaf still to finish
        self.free = np.arange(slots, dtype=np.int64)[::-1].copy()
        self.status = np.full(count, 255, np.uint8)
        self.work, self.logged = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.final, self.ended = np.zeros((count, reported)), np.zeros(count)
        self.passed, self.log = np.zeros((count, m.PASSAGES)), lanes.logs(count)
        lanes.n[:] = -1
        lanes.w[m.NEXT : m.NEXT + m.W] = -np.inf

    @property
    def ends(self) -> tuple[Array, ...]:
        """What each trajectory leaves behind: status, work, final, passed, ended, log, logged."""
        return self.status, self.work, self.final, self.passed, self.ended, self.log, self.logged

    def advance(self, values: Array, times: Array, out: Array, halt: Array) -> int:
        """Go on until leaves are complete, all is done, or the halt word or the end of a slice stops it: the code."""
        m, lanes = self.lanes.module, self.lanes
        code = m.run(
            lanes.w, lanes.v, lanes.n, lanes.book, self.task, self.setting, values, times, out,
            self.slot, self.left, self.free, *self.ends, halt,
        )  # fmt: skip
        if code == m.HALTED:  # or only the end of a slice, in which Python can see a signal
            self.task[m.PATIENCE] = SLICE
        return int(code)

    def give_back(self, leaf: int) -> None:
        """The buffer of a leaf may be used again."""
        slots = self.lanes.module.SLOTS
        self.free[self.task[slots]] = self.slot[leaf]
        self.task[slots] += 1


def aligned(size: int, dtype: type[np.generic]) -> Array:
    """Zeros at a multiple of 64 bytes: a vector that straddles two cache lines costs two loads (7 % of a run)."""
    return slabs.aligned(8 * size, 64).view(dtype)
