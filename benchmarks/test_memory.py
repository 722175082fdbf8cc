"""Peak memory of a run and of the process that writes its result, MiB, in `extra_info`; the time is its CPU time."""

from __future__ import annotations

import resource
from collections.abc import Callable
from typing import Any

import pytest
from keeping import memory


@pytest.mark.parametrize("count", [10_000, 100_000, 1_000_000])
def test_peak(count: int, measured: Callable[..., None], benchmark: Any) -> None:
    peaks: list[dict[str, float]] = []

    def used() -> float:
        told = resource.getrusage(resource.RUSAGE_CHILDREN)
        return told.ru_utime + told.ru_stime

    def work() -> tuple[float, float]:
        before = used()
        peaks.append(memory([count])[count])
        return used() - before, count

    measured(work, 3, "trajectory")
    benchmark.extra_info["peak MiB"] = {name: max(peak[name] for peak in peaks) for name in ("run", "assembly")}
