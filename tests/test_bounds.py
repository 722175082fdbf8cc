"""Bounds of time-dependent rates: no rate is above its bound, for written and random expressions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bounds import WRITTEN, expressions

TIGHT = {  # laws whose bound of a short window stays above the rate: both sides of a choice count
    "a * where(t < 1, t, 2 - b)", "a * step(sin(2 * pi * t) - 0.3)", "where(sin(t) > b, a, 2 * a)",
    "a * (t - 1) ** -2",
}  # fmt: skip


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, float]]:
    """By law: worst excess over the bound, windows without one, bound over rate of a very short window."""
    path = os.pathsep.join(filter(None, sys.path))
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": path}
    command = [sys.executable, str(Path(__file__).parent / "bounds.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    laws: dict[str, dict[str, float]] = json.loads(done.stdout)
    return laws


@pytest.mark.parametrize("law", expressions())
def test_no_rate_is_above_its_bound(law: str, found: dict[str, dict[str, float]]) -> None:
    assert found[law]["worst"] <= 0.0


@pytest.mark.parametrize("law", [law for law in WRITTEN if law not in TIGHT])
def test_bound_is_finite_and_closes_in(law: str, found: dict[str, dict[str, float]]) -> None:
    """A bound that is not finite would end a trajectory; one that stays far off would waste its candidates."""
    assert found[law]["bare"] == 0
    assert found[law]["loose"] < 1.0 + 1e-5
