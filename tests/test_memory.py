"""A run takes the same memory for any number of trajectories, where no paths are kept."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import memory


def test_memory_is_flat(tmp_path: Path) -> None:
    """Runs of few trajectories take less; from some leaves for each thread on it is flat, but for what threads hold."""
    memory.peak(tmp_path, 256)
    found = {count: memory.peak(tmp_path, count) for count in (10**4, 10**5, 5 * 10**5)}
    assert found[5 * 10**5] < 600_000
    assert found[5 * 10**5] <= 1.07 * found[10**4], found
    assert found[5 * 10**5] <= 1.06 * found[10**5], found


@pytest.mark.faults
def test_ten_million_take_no_more_than_a_hundred_thousand(tmp_path: Path) -> None:
    assert len(memory.by_counts(tmp_path, random.Random())) == 2
