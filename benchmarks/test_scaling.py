"""Threads, sizes of a study, and run times that differ widely."""

from __future__ import annotations

import functools
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import scaling
from scaling import Load, controls, load, tails

from ctcdyn.cli.exact import checks

SOLVERS = ("direct", "first_order_leap", "rodas5p")


@functools.cache
def right() -> bool:
    """Whether this installation gives the closed laws of `ctcdyn selftest`."""
    return all(check.passed for check in checks())


@functools.cache
def known(name: str) -> Load:
    return {one.name: one for one in controls()}[name] if name.startswith("control") else load(name)


@pytest.mark.parametrize("threads", range(1, 1 + len(os.sched_getaffinity(0))))
@pytest.mark.parametrize("name", [*SOLVERS, "control: packed"])
def test_threads(name: str, threads: int, measured: Callable[..., None]) -> None:
    assert right()

    def work() -> tuple[float, float]:
        return known(name).run(threads)[0], 1.0

    measured(work, 5, "run", clock="wall")


@pytest.mark.parametrize("count", [10**k for k in range(3, 8)])
def test_trajectories(count: int, measured: Callable[..., None], tmp_path: Path) -> None:
    assert right()
    (tmp_path / "small.toml").write_text(scaling.STUDY, encoding="utf-8")

    def work() -> tuple[float, float]:
        command = [sys.executable, scaling.__file__, "one", "small.toml", str(count), "1"]
        told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        return json.loads(told)["run"], count

    measured(work, 5 if count < 10**7 else 1, "trajectory")


def test_heavy_tails(measured: Callable[..., None], benchmark: Any) -> None:
    assert right()
    rows: list[dict[str, Any]] = []

    def work() -> tuple[float, float]:
        rows[:] = tails(1)
        return 1e-9 * rows[-1]["tailed"], 1.0

    measured(work, 5, "event")
    benchmark.extra_info["rows"] = rows
    assert all(math.isfinite(row["tailed"]) for row in rows)
