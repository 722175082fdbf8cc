"""Benchmarks for pytest-benchmark: `pytest benchmarks`, `--benchmark-autosave`, `--benchmark-compare`.

A record is JSON of pytest-benchmark with its machine and commit; what matters to a kernel besides (versions of numba
and LLVM, processor as LLVM calls it, load) is added. Times are CPU seconds of the work alone: see `Meter`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from record import about


class Meter:
    """The clock of a benchmark that measures itself: it stands still but for what is added.

    So a benchmark can count the CPU time of the work alone, of a process that it starts, or until that process says
    something.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def add(self, seconds: float) -> None:
        self.seconds += seconds


METER = Meter()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All benchmarks have the clock."""
    for item in items:
        item.add_marker(pytest.mark.benchmark(timer=METER))


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """What a kernel's speed depends on."""
    machine_info["ctcdyn"] = about()


@pytest.fixture
def measured(benchmark: Any) -> Callable[..., None]:
    """measured(work, rounds, unit): time `work()`, which gives CPU seconds and units of work, and tell both."""

    def run(work: Callable[[], tuple[float, float]], rounds: int, unit: str, **more: Any) -> None:
        units: list[float] = []
        seconds: list[float] = []

        def go() -> None:
            used, done = work()
            METER.add(used)
            seconds.append(used)
            units.append(done)

        benchmark.pedantic(go, rounds=rounds, iterations=1)
        rate = sum(units) / sum(seconds)
        benchmark.extra_info.update({"unit": unit, "units": units[-1], "per CPU second": rate, **more})

    return run
