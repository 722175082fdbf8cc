"""Kernels and a whole command: what `ctcdyn bench` times, each answer checked against a closed law first."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

from ctcdyn.cli.workloads import Workload, workloads

NAMES = (
    "exact jumps, ctc_linear",
    "stiff ODE, ctc_five",
    "leap, human_breast_min",
    "hybrid, human_breast_min",
    "tau-leap, birth_death",
    "Langevin, ctc_linear",
    "whole command, warm",
)


@functools.cache
def known() -> dict[str, Workload]:
    return {one.name: one for one in workloads()}


def test_none_is_forgotten() -> None:
    assert set(known()) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_kernel(name: str, measured: Callable[..., None]) -> None:
    one = known()[name]
    found, allowed = one.check()
    assert found <= allowed

    def work() -> tuple[float, float]:
        done = one.run()
        return done.seconds, done.units

    measured(work, 15 // one.every, one.unit.rpartition(" ")[2])
