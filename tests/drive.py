"""A kernel by hand: makes the arrays of `run`, calls until all is done, and gives the raw results back.

What `ctcdyn.ensemble` does for a study, without leaves, reductions or types: tests see every array.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ctcdyn.codegen.layout import extra_values
from ctcdyn.model.network import Network


def columns(network: Network, count: int, changed: Mapping[str, Any]) -> np.ndarray:
    """Rows of the kernel's parameter columns (count, PARAMETERS), `changed` by name."""
    named = dict(zip(network.parameter_names, network.parameter_values().tolist(), strict=True))
    named.update(extra_values(network))
    unknown = set(changed) - set(named)
    assert not unknown, unknown
    table = np.empty((count, len(named)))
    for q, (name, value) in enumerate(named.items()):
        table[:, q] = changed.get(name, value)
    return table


@dataclass
class Drive:
    """One range of `count` trajectories on a kernel module. `go` runs it; the fields hold what it left."""

    module: Any
    network: Network
    times: Sequence[float]
    count: int = 4
    seed: int = 1
    first: int = 0
    arms: int = 1
    values: Mapping[str, Any] = field(default_factory=dict)
    window: float = 1.0 / 16.0
    rtol: float = 1e-6
    atol: float = 1e-6
    first_step: float = 0.0
    longest_step: float = np.inf
    epsilon: float = 0.03
    switch: tuple[float, float] = (500.0, 200.0)
    max_steps: int = 10**7
    max_events: int = 10**9
    slots: int | None = None

    def __post_init__(self) -> None:
        m, saves, count = self.module, len(self.times), self.count
        leaves = -(-count // m.LEAF)
        self.width = m.SPECIES + m.READINGS
        self.w, self.v = np.zeros(m.ROWS), np.zeros(m.WORDS, np.uint64)
        self.n = np.full(m.NOTES, -1, np.int64)
        self.book = np.zeros(m.W * (1 + 3 * m.LOGS))
        self.w[m.NEXT : m.NEXT + m.W] = -np.inf
        self.task = np.zeros(m.PATIENCE + 1, np.int64)
        self.task[m.COUNT], self.task[m.FIRST], self.task[m.ARMS] = count, self.first, self.arms
        self.task[m.SEED] = np.uint64(self.seed).astype(np.int64)
        self.task[m.IDLE], self.task[m.SLOTS], self.task[m.PATIENCE] = m.W, self.slots or leaves, 2**62
        self.task[m.STEP_CAP], self.task[m.EVENT_CAP] = self.max_steps, self.max_events
        grid = np.array(self.times, dtype=float)
        self.setting = np.array(
            [grid[0], grid[-1], self.rtol, self.atol, self.window, self.first_step, self.longest_step,
             self.epsilon, *self.switch]
        )  # fmt: skip
        self.grid = grid
        self.out = np.zeros(leaves * m.LEAF * saves * self.width)
        self.slot, self.left = np.full(leaves, -1, np.int64), np.full(leaves, m.LEAF, np.int64)
        self.left[-1] = count - (leaves - 1) * m.LEAF
        self.free = np.arange(leaves, dtype=np.int64)[::-1].copy()
        self.status, self.work = np.full(count, 255, np.uint8), np.zeros(count, np.int64)
        self.final, self.passed = np.zeros((count, m.SHOWN)), np.zeros((count, m.PASSAGES))
        self.ended, self.log = np.zeros(count), np.zeros((count, m.LOGS * 3))
        self.logged, self.halt = np.zeros(count, np.int64), np.zeros(1, np.int64)
        self.table = columns(self.network, count, self.values)

    def call(self) -> int:
        """One call of the kernel; what it returned."""
        with np.errstate(all="ignore"):
            return int(self.module.run(
                self.w, self.v, self.n, self.book, self.task, self.setting, self.table, self.grid, self.out,
                self.slot, self.left, self.free, self.status, self.work, self.final, self.passed, self.ended,
                self.log, self.logged, self.halt,
            ))  # fmt: skip

    def go(self, calls: int = 10**6) -> Drive:
        """Call until all is done; RuntimeError after so many calls."""
        for _ in range(calls):
            if self.call() == self.module.DONE:
                return self
        raise RuntimeError(f"not done after {calls} calls")

    @property
    def rows(self) -> np.ndarray:
        """Everything saved, (count, T, SPECIES + READINGS): species, counters, readings."""
        m, saves = self.module, len(self.grid)
        whole = self.out.reshape(-1, m.LEAF, saves, self.width)[self.slot].reshape(-1, saves, self.width)
        return whole[: self.count]

    @property
    def state(self) -> np.ndarray:
        """Species only, (count, T, S)."""
        return self.rows[:, :, : self.module.SHOWN]

    def logs(self, k: int) -> list[tuple[float, float, float]]:
        """(time, kind, value) of trajectory k."""
        lines = self.log[k, : 3 * min(int(self.logged[k]), self.module.LOGS)].reshape(-1, 3)
        return [tuple(line) for line in lines.tolist()]

    def bytes(self) -> bytes:
        """All results of the range as bytes, for comparisons bit by bit."""
        parts = [self.rows, self.status, self.work, self.final, self.passed, self.ended, self.log]
        return b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
